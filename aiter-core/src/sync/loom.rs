//! The types of loom, which explores every interleaving of a model.

use super::{Ordering, StoreExclusive};
pub(crate) use ::loom::{
    cell::UnsafeCell,
    sync::{
        Arc,
        atomic::{AtomicPtr, AtomicPtr as PlainPtr, AtomicU8, AtomicUsize, fence},
    },
};

impl StoreExclusive for AtomicUsize {
    #[inline]
    fn store_exclusive(&self, value: usize, order: Ordering) {
        self.store(value, order);
    }
}
