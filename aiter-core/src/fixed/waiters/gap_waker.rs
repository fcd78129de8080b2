//! The long way to wake a reader: a waker that the first to come takes away.
//!
//! | `stamp` | the waker belongs to | moved on by |
//! |---|---|---|
//! | even | nobody: there is none | the reader writes one: adds 3 → odd |
//! | odd | whoever moves the stamp on | a push that has filled the reader's place; the reader: each copies the waker, and has it if the stamp moves on: takes 1 → even |
//!
//! A copy is made first, and is thrown away if the stamp has moved meanwhile: so between two instructions the waker belongs to
//! nobody who may be interrupted there, and the reader never finds the bell in use. What was copied belongs together, as
//! a stamp comes once: it wraps after half as many wakers as a word counts, and would fool only who is interrupted between its two
//! looks for so many of them, to the waker.

use super::super::word::exchange;
use crate::sync::{AtomicWord, Ordering::*, PlainPtr, StoreExclusive, const_new};
use core::{
    ptr,
    task::{RawWakerVTable, Waker},
};

pub(super) struct GapWaker {
    stamp: AtomicWord,
    data: PlainPtr<()>,
    vtable: PlainPtr<RawWakerVTable>,
}

impl GapWaker {
    const_new! {
        pub(super) fn new() -> Self {
            Self {
                stamp: AtomicWord::new(0),
                data: PlainPtr::new(ptr::null_mut()),
                vtable: PlainPtr::new(ptr::null_mut()),
            }
        }
    }

    /// # Safety
    /// The caller is its reader, and has found no waker to `take`.
    pub(super) unsafe fn put(&self, waker: Waker) {
        let waker = core::mem::ManuallyDrop::new(waker);
        self.data.store(waker.data().cast_mut(), Relaxed);
        let vtable: *const _ = waker.vtable();
        self.vtable.store(vtable.cast_mut(), Relaxed);
        let stamp = self.stamp.load(Relaxed);
        // Ordering: Release pairs with the Acquire in `take`.
        self.stamp.store_exclusive(stamp.wrapping_add(3), Release);
    }

    /// The waker, if it is there, and nobody else takes it.
    #[inline(never)]
    pub(super) fn take(&self) -> Option<Waker> {
        // Ordering: Acquire pairs with the Release in `put`.
        let stamp = self.stamp.load(Acquire);
        let (data, vtable) = (self.data.load(Relaxed), self.vtable.load(Relaxed));
        // Ordering: Acquire, so that the reader writes after who had the waker last has copied it; Release, so that this has.
        if stamp % 2 == 0 || !exchange(&self.stamp, stamp, stamp - 1) {
            return None;
        }
        // SAFETY: the stamp was the same before and after: both words are of the one waker that was put in then, which is the
        // caller's now.
        let vtable = unsafe { &*vtable };
        // SAFETY: as above.
        Some(unsafe { Waker::new(data, vtable) })
    }
}
