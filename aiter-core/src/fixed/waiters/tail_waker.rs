//! The fast slot for a reader's waker. The context that clears the reader's flag in the tail owns
//! the waker and calls it.
//!
//! | `occupied` | the waker belongs to | next state |
//! |---|---|---|
//! | 0, or an address | there is no waker | the reader stores one → `OCCUPIED`, then sets its flag |
//! | `OCCUPIED`, flag set | the context that clears the flag: a push, a stop, or the reader itself while it is still at its position | that context clears the flag |
//! | `OCCUPIED`, flag cleared | that context | it takes the waker out → an address, which it has in a register; storing 0 would take one instruction more |

use crate::sync::{AtomicUsize, Ordering::*, StoreExclusive, UnsafeCell, const_new};
use core::{mem::MaybeUninit, ptr, task::Waker};

/// No function table has this address.
const OCCUPIED: usize = 1;

#[repr(C)]
pub(in crate::fixed) struct TailWaker {
    occupied: AtomicUsize,
    waker: UnsafeCell<MaybeUninit<Waker>>,
}

impl TailWaker {
    const_new! {
        pub(in crate::fixed) fn new() -> Self {
            Self {
                waker: UnsafeCell::new(MaybeUninit::uninit()),
                occupied: AtomicUsize::new(0),
            }
        }
    }

    /// Whether the reader may store a waker.
    pub(in crate::fixed) fn is_free(&self) -> bool {
        // Ordering: Acquire pairs with the Release in `take`.
        self.occupied.load(Acquire) != OCCUPIED
    }

    /// # Safety
    /// The slot is free, and the caller is its reader.
    pub(in crate::fixed) unsafe fn put(&self, waker: Waker) {
        self.waker.with_mut(|slot| {
            // SAFETY: no other context owns the waker, and only the reader stores one.
            unsafe { slot.cast::<Waker>().write(waker) }
        });
        // Ordering: Relaxed. The flag is set with a Release after this.
        self.occupied.store_exclusive(OCCUPIED, Relaxed);
    }

    /// Whether this is the waker that a push is to call, or has called.
    ///
    /// # Safety
    /// The caller is its reader, and has stored a waker.
    pub(in crate::fixed) unsafe fn holds(&self, waker: &Waker) -> bool {
        self.waker.with(|slot| {
            // SAFETY: no context writes it meanwhile. Its owner may take it out, but the copy read
            // here is only compared.
            let held = unsafe { &*slot.cast::<Waker>() };
            held.will_wake(waker)
        })
    }

    /// # Safety
    /// The waker belongs to the caller, who has cleared the flag with an Acquire, or has not set it
    /// yet.
    #[inline(always)]
    pub(in crate::fixed) unsafe fn take(&self) -> Waker {
        let waker = self.waker.with(|slot| {
            // SAFETY: by the contract.
            unsafe { slot.cast::<Waker>().read() }
        });
        // Ordering: Release pairs with the Acquire in `is_free`.
        self.occupied
            .store_exclusive(ptr::from_ref(waker.vtable()).addr(), Release);
        waker
    }
}
