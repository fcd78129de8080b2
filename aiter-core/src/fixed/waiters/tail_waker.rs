//! The short way to wake a reader: a waker that who takes the reader's flag from the tail calls.
//!
//! | `lent` | the waker belongs to | moved on by |
//! |---|---|---|
//! | 0, or an address | nobody: there is none | the reader puts one in → `LENT`, then sets its flag |
//! | `LENT`, flag set | whoever takes the flag away | a push, or a stop: theirs; the reader, at its place still: its own |
//! | `LENT` | that one | takes it out → an address: what it has in a register, which saves it a 0 |

use crate::sync::{AtomicUsize, Ordering::*, StoreExclusive, UnsafeCell, const_new};
use core::{mem::MaybeUninit, ptr, task::Waker};

/// No function table has this address.
const LENT: usize = 1;

#[repr(C)]
pub(super) struct TailWaker {
    lent: AtomicUsize,
    waker: UnsafeCell<MaybeUninit<Waker>>,
}

impl TailWaker {
    const_new! {
        pub(super) fn new() -> Self {
            Self {
                waker: UnsafeCell::new(MaybeUninit::uninit()),
                lent: AtomicUsize::new(0),
            }
        }
    }

    /// Whether a waker may be put in.
    pub(super) fn is_free(&self) -> bool {
        // Ordering: Acquire pairs with the Release in `take`.
        self.lent.load(Acquire) != LENT
    }

    /// # Safety
    /// It is free, and the caller is its reader.
    pub(super) unsafe fn put(&self, waker: Waker) {
        self.waker.with_mut(|slot| {
            // SAFETY: nobody has the waker, and only the reader puts one in.
            unsafe { slot.cast::<Waker>().write(waker) }
        });
        // Ordering: Relaxed, the flag is set with a Release after this.
        self.lent.store_exclusive(LENT, Relaxed);
    }

    /// Whether this is the waker that a push is to wake, or has woken.
    ///
    /// # Safety
    /// The caller is its reader, and has put a waker in.
    pub(super) unsafe fn holds(&self, waker: &Waker) -> bool {
        self.waker.with(|slot| {
            // SAFETY: nobody writes it meanwhile. Its owner may take it out: what is read then is compared and not used.
            let held = unsafe { &*slot.cast::<Waker>() };
            held.will_wake(waker)
        })
    }

    /// # Safety
    /// The waker belongs to the caller, who has taken the flag away with an Acquire, or has not set it yet.
    #[inline(always)]
    pub(super) unsafe fn take(&self) -> Waker {
        let waker = self.waker.with(|slot| {
            // SAFETY: by the contract.
            unsafe { slot.cast::<Waker>().read() }
        });
        // Ordering: Release pairs with the Acquire in `is_free`.
        self.lent
            .store_exclusive(ptr::from_ref(waker.vtable()).addr(), Release);
        waker
    }
}
