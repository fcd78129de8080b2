//! The types of `portable-atomic`, for targets without compare-and-swap.

use super::StoreExclusive;
pub(crate) use super::cell::UnsafeCell;
pub(crate) use core::sync::atomic::AtomicPtr as PlainPtr;
#[cfg(feature = "std")]
pub(crate) use portable_atomic::AtomicU32;
pub(crate) use portable_atomic::fence;
#[cfg(feature = "alloc")]
pub(crate) use portable_atomic::{AtomicPtr, AtomicU8};
#[cfg(feature = "alloc")]
pub(crate) use portable_atomic_util::{Arc, Weak};

#[cfg(not(all(
    not(target_has_atomic = "ptr"),
    any(target_arch = "arm", target_arch = "riscv32")
)))]
pub(crate) use portable_atomic::AtomicUsize;
#[cfg(all(
    not(target_has_atomic = "ptr"),
    any(target_arch = "arm", target_arch = "riscv32")
))]
pub(crate) use word::AtomicUsize;

#[cfg(not(all(
    not(target_has_atomic = "ptr"),
    any(target_arch = "arm", target_arch = "riscv32")
)))]
impl StoreExclusive for AtomicUsize {
    #[inline(always)]
    fn store_exclusive(&self, value: usize, order: super::Ordering) {
        self.store(value, order);
    }
}

/// A word on a processor that loads and stores words, but cannot compare and swap them.
///
/// Where the final binary chose critical sections, `portable-atomic` uses one for each load and
/// store too. A load never needs one, because words are written whole inside it. A store needs one
/// only if another context may compare and swap the word at the same time.
#[cfg(all(
    not(target_has_atomic = "ptr"),
    any(target_arch = "arm", target_arch = "riscv32")
))]
mod word {
    #![allow(unsafe_code)]

    use super::StoreExclusive;
    use core::{ops::Deref, sync::atomic};

    #[derive(Debug)]
    #[repr(transparent)]
    pub(crate) struct AtomicUsize(portable_atomic::AtomicUsize);

    impl AtomicUsize {
        pub(crate) const fn new(value: usize) -> Self {
            Self(portable_atomic::AtomicUsize::new(value))
        }

        #[inline(always)]
        pub(crate) fn load(&self, order: atomic::Ordering) -> usize {
            self.word().load(order)
        }

        #[inline(always)]
        fn word(&self) -> &atomic::AtomicUsize {
            // SAFETY: the word lives as long, is as aligned, and each instruction accesses it
            // whole.
            unsafe { atomic::AtomicUsize::from_ptr(self.0.as_ptr()) }
        }
    }

    impl Deref for AtomicUsize {
        type Target = portable_atomic::AtomicUsize;

        #[inline(always)]
        fn deref(&self) -> &Self::Target {
            &self.0
        }
    }

    impl StoreExclusive for AtomicUsize {
        #[inline(always)]
        fn store_exclusive(&self, value: usize, order: atomic::Ordering) {
            self.word().store(value, order);
        }
    }
}
