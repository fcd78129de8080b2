//! [`OnceBox`]: a boxed value that is made when it is first needed, and lives as long as its owner.
//!
//! | pointer | means | how it changes |
//! |---|---|---|
//! | null | the value has not been made | the first thread whose exchange succeeds → its box |
//! | not null | the value | never |
//!
//! No thread waits for another one: several may make a value at once, and all but one drop theirs.

#![allow(unsafe_code)]

use super::{AtomicPtr, Ordering::*, const_new};
use alloc::boxed::Box;
use core::{marker::PhantomData, ptr};

pub(crate) struct OnceBox<T> {
    value: AtomicPtr<T>,
    /// It owns a `Box<T>`, and threads share that and drop it.
    _owns: PhantomData<Box<T>>,
}

// SAFETY: the pointer stands for a `Box<T>`.
unsafe impl<T: Send> Send for OnceBox<T> {}
// SAFETY: threads share the value (`T: Sync`), and one may drop what another has made (`T: Send`).
unsafe impl<T: Send + Sync> Sync for OnceBox<T> {}

impl<T> OnceBox<T> {
    const_new! {
        pub(crate) fn new() -> Self {
            Self {
                value: AtomicPtr::new(ptr::null_mut()),
                _owns: PhantomData,
            }
        }
    }

    #[inline]
    pub(crate) fn get(&self) -> Option<&T> {
        // Ordering: Acquire pairs with the Release in `get_or_make`.
        let value = self.value.load(Acquire);
        // SAFETY: it lives as long as `self`, and is borrowed mutably only when that is dropped.
        unsafe { value.as_ref() }
    }

    /// Whether there is no value. Nothing is known to have happened before a `false`.
    #[inline]
    pub(crate) fn is_unset(&self) -> bool {
        // Ordering: Relaxed, see above.
        self.value.load(Relaxed).is_null()
    }

    /// The value, which `make` makes if there is none. The caller may have made one in vain.
    pub(crate) fn get_or_make(&self, make: impl FnOnce() -> T) -> &T {
        if let Some(value) = self.get() {
            return value;
        }
        let fresh = Box::into_raw(Box::new(make()));
        // Ordering: Release publishes the value to the Acquire in `get`. If it fails, Acquire pairs
        // with that Release.
        let value = match self
            .value
            .compare_exchange(ptr::null_mut(), fresh, Release, Acquire)
        {
            Ok(_) => fresh,
            Err(value) => {
                // SAFETY: it was made above, and no other thread has seen it.
                drop(unsafe { Box::from_raw(fresh) });
                value
            }
        };
        // SAFETY: as in `get`; the pointer is not null.
        unsafe { &*value }
    }
}

impl<T> Drop for OnceBox<T> {
    fn drop(&mut self) {
        let value = self.value.load(Relaxed);
        if !value.is_null() {
            // SAFETY: `Box::into_raw` made the pointer, and no other thread is left that could use
            // it.
            drop(unsafe { Box::from_raw(value) });
        }
    }
}
