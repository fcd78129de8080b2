//! The types of `core` and `alloc`, for targets with compare-and-swap.

pub(crate) use super::cell::UnsafeCell;
use super::{Ordering, StoreExclusive};
#[cfg(feature = "alloc")]
pub(crate) use alloc::sync::{Arc, Weak};
#[cfg(feature = "std")]
pub(crate) use core::sync::atomic::AtomicU32;
#[cfg(feature = "alloc")]
pub(crate) use core::sync::atomic::{AtomicPtr, AtomicU8};
pub(crate) use core::sync::atomic::{AtomicPtr as PlainPtr, AtomicUsize, fence};

impl StoreExclusive for AtomicUsize {
    #[inline]
    fn store_exclusive(&self, value: usize, order: Ordering) {
        self.store(value, order);
    }
}
