//! The short way to wake the reader of a list that has room for one.
//!
//! A reader that has come to the tail sets a flag there, `NAPS`. So the push that gets its position learns with the same
//! compare-and-swap that it has a sleeper to wake, and that nobody else has: it takes the waker away.
//!
//! | `lent` | the waker belongs to | moved on by |
//! |---|---|---|
//! | 0 | nobody: there is none | the reader puts one in → 1, then sets `NAPS` |
//! | 1, `NAPS` | whoever clears `NAPS` | a push, or a stop: theirs; the reader, at its place still: its own |
//! | 1 | that one | takes it out → 0 |
//!
//! A reader that cannot sleep so, as the tail has moved on, or as the push that woke it is not done with the waker, sleeps the
//! long way, in its seat. Nothing is missed: `NAPS` is set only while the tail is at the reader's place, and then whoever
//! moves the tail sees it.

use crate::sync::{AtomicUsize, Ordering::*, StoreAlone, UnsafeCell, const_new};
use core::{mem::MaybeUninit, task::Waker};

pub(super) struct Nap {
    lent: AtomicUsize,
    waker: UnsafeCell<MaybeUninit<Waker>>,
}

impl Nap {
    const_new! {
        pub(super) fn new() -> Self {
            Self {
                lent: AtomicUsize::new(0),
                waker: UnsafeCell::new(MaybeUninit::uninit()),
            }
        }
    }

    /// Whether a waker may be put in.
    pub(super) fn is_free(&self) -> bool {
        // Ordering: Acquire pairs with the Release in `take`.
        self.lent.load(Acquire) == 0
    }

    /// # Safety
    /// It is free, and the caller is the only reader.
    pub(super) unsafe fn put(&self, waker: Waker) {
        self.waker.with_mut(|slot| {
            // SAFETY: nobody has the waker, and only the reader puts one in.
            unsafe { slot.cast::<Waker>().write(waker) }
        });
        // Ordering: Relaxed, `NAPS` is set with a Release after this.
        self.lent.store_alone(1, Relaxed);
    }

    /// Whether this is the waker that a push is to wake, or has woken.
    ///
    /// # Safety
    /// The caller is the only reader, and has put a waker in.
    pub(super) unsafe fn holds(&self, waker: &Waker) -> bool {
        self.waker.with(|slot| {
            // SAFETY: nobody writes it meanwhile. Its owner may take it out: what is read then is compared and not used.
            let held = unsafe { &*slot.cast::<Waker>() };
            held.will_wake(waker)
        })
    }

    /// # Safety
    /// The waker belongs to the caller, who has cleared `NAPS` with an Acquire, or has not set it yet.
    #[inline(always)]
    pub(super) unsafe fn take(&self) -> Waker {
        let waker = self.waker.with(|slot| {
            // SAFETY: by the contract.
            unsafe { slot.cast::<Waker>().read() }
        });
        // Ordering: Release pairs with the Acquire in `is_free`.
        self.lent.store_alone(0, Release);
        waker
    }
}
