//! The slow slot for a reader's waker, which the first context that needs it takes.
//!
//! | `stamp` | the waker belongs to | next state |
//! |---|---|---|
//! | even | there is no waker | the reader stores one and adds 3 → odd |
//! | odd | the context whose exchange moves the stamp on | a push that has filled the reader's position, a stop, or the reader copies the waker, and owns it if its exchange succeeds: it subtracts 1 → even |
//!
//! The copy is made first, and is discarded if the stamp has moved meanwhile. So no context owns
//! the waker between two instructions where it may be interrupted, and the reader never finds the
//! slot in use. The two words of a copy belong together, because a stamp does not come again: it
//! wraps after half as many wakers as a word counts, and would only fool a context that is
//! interrupted between its load and its exchange for exactly that many.

use crate::fixed::word::exchange;
use crate::sync::{AtomicWord, Ordering::*, PlainPtr, StoreExclusive, const_new};
use core::{
    mem::ManuallyDrop,
    ptr,
    task::{RawWakerVTable, Waker},
};

pub(in crate::fixed) struct GapWaker {
    stamp: AtomicWord,
    data: PlainPtr<()>,
    vtable: PlainPtr<RawWakerVTable>,
}

impl GapWaker {
    const_new! {
        pub(in crate::fixed) fn new() -> Self {
            Self {
                stamp: AtomicWord::new(0),
                data: PlainPtr::new(ptr::null_mut()),
                vtable: PlainPtr::new(ptr::null_mut()),
            }
        }
    }

    /// # Safety
    /// The caller is its reader, and there is no waker in the slot.
    pub(in crate::fixed) unsafe fn put(&self, waker: Waker) {
        let waker = ManuallyDrop::new(waker);
        self.data.store(waker.data().cast_mut(), Relaxed);
        let vtable: *const _ = waker.vtable();
        self.vtable.store(vtable.cast_mut(), Relaxed);
        let stamp = self.stamp.load(Relaxed);
        // Ordering: Release pairs with the Acquire in `take`.
        self.stamp.store_exclusive(stamp.wrapping_add(3), Release);
    }

    /// Takes the waker, if there is one and no other context takes it.
    #[inline(never)]
    pub(in crate::fixed) fn take(&self) -> Option<Waker> {
        // Ordering: Acquire pairs with the Release in `put`.
        let stamp = self.stamp.load(Acquire);
        let (data, vtable) = (self.data.load(Relaxed), self.vtable.load(Relaxed));
        // Ordering: Acquire, so that the reader writes only after the previous owner of a waker has
        // copied it; Release, so that this copy is made before.
        if stamp % 2 == 0 || !exchange(&self.stamp, stamp, stamp - 1) {
            return None;
        }
        // SAFETY: the stamp was the same before and after. So both words are of the one waker that
        // was stored then, which belongs to the caller now.
        let vtable = unsafe { &*vtable };
        // SAFETY: as above.
        Some(unsafe { Waker::new(data, vtable) })
    }
}
