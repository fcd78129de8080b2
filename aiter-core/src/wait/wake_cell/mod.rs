//! A cell for the waker of one task (the *registrar*), which any number of threads may wake.
//!
//! The registrar never finds a slot that it has to wait for: there are two slots, at most one of
//! them is being read, and it writes to the other. The idea of two slots, and of delegating a
//! second wake to the thread that is busy with the first, is that of the `diatomic-waker` crate.
//! The states and transitions are our own.
//!
//! | bit | set by | cleared by | meaning while it is set |
//! |---|---|---|---|
//! | `ARMED[i]` | the registrar | the registrar, or a waking thread that makes the slot busy | slot `i` holds the waker to wake |
//! | `BUSY`, a count | waking threads, one each | the same threads | this many threads read slot `BUSY_SLOT`, and no thread writes to it |
//! | `BUSY_SLOT` | the first thread that becomes busy | | which slot is busy |
//! | `OWED` | a waking thread that finds one slot armed and the other busy | the last busy thread, which then serves that wake; the registrar | a wake is owed |
//!
//! At most one slot is `ARMED` and at most one is busy. `OWED` is set only while both exist and
//! differ. Only the registrar arms, so without `ARMED` the state changes only by the end of `BUSY`,
//! and every slot that is not busy belongs to the registrar.
//!
//! | call | state before | state after | action |
//! |---|---|---|---|
//! | register | `ARMED[i]` with the same waker | the same | none: the thread that takes the slot wakes that waker |
//! | | `ARMED[i]` with another waker, or not armed | busy stays, `ARMED[j]` | `j` is a slot that is not busy, or that already holds this waker |
//! | clear | any | busy stays | drop the wakers in slots that are not busy |
//! | wake | not armed | the same | a write all the same, so that the registrar synchronises with it |
//! | | `ARMED[i]`; `i` busy, or none | `i` busy, one more | wake slot `i`, then finish |
//! | | `ARMED[i]`, the other slot busy | `OWED` added | |
//! | finish | the last busy thread, `OWED`, `ARMED[i]` | `i` busy | wake slot `i`, then finish |
//! | | otherwise | busy, one less | |
//!
//! So a thread delegates its wake to another one only if the registrar has changed its waker while
//! that other wake was under way. A task that keeps its waker is woken by the first thread that
//! comes, however many others were interrupted in the middle of a wake.
//!
//! **No wake is lost** if the registrar checks its condition after `register`, and the waking
//! thread changes the condition before `wake`, because both write the one word. If the wake comes
//! second, it finds `ARMED`, or the registrar found `ARMED` and left it alone, so that the wake
//! that takes it is still to come. If the wake comes first, the registrar sees the condition. That
//! also allows the registrar to clear `OWED`.
#![allow(unsafe_code)]

use crate::sync::{AtomicUsize, Ordering, UnsafeCell, const_new};
use core::{fmt, mem, task::Waker};
use scopeguard::ScopeGuard;

const ARMED: [usize; 2] = [1, 2];
const OWED: usize = 4;
const BUSY_SLOT: usize = 8;
/// One busy thread. The count takes all bits from here on.
const BUSY: usize = 16;

pub(crate) struct WakeCell {
    state: AtomicUsize,
    slots: [UnsafeCell<Option<Waker>>; 2],
}

// SAFETY: the slots pass from thread to thread as the table says, and wakers are `Send` and `Sync`.
unsafe impl Sync for WakeCell {}
// SAFETY: as above; a cell that moves is not shared.
unsafe impl Send for WakeCell {}

fn armed(state: usize) -> Option<usize> {
    ARMED.iter().position(|bit| state & bit != 0)
}

fn busy(state: usize) -> Option<usize> {
    (state >= BUSY).then_some(usize::from(state & BUSY_SLOT != 0))
}

/// The bits of one busy thread at this slot.
fn busy_with(slot: usize) -> usize {
    BUSY | if slot == 0 { 0 } else { BUSY_SLOT }
}

impl WakeCell {
    const_new! {
        pub(crate) fn new() -> Self {
            Self {
                state: AtomicUsize::new(0),
                slots: [UnsafeCell::new(None), UnsafeCell::new(None)],
            }
        }
    }

    /// Makes the next `wake` wake `waker`, once. Wait-free; clones the waker only if the cell does
    /// not hold it yet.
    ///
    /// The caller must check the condition that it waits for afterwards.
    ///
    /// # Safety
    /// `register` and `clear` are called by one thread at a time, and each call happens before the
    /// next.
    pub(crate) unsafe fn register(&self, waker: &Waker) {
        // Ordering: Acquire pairs with the release in `finish`: a slot that is no longer busy is no
        // longer read.
        let mut state = self.state.load(Ordering::Acquire);
        if let Some(slot) = armed(state) {
            if self.holds(slot, waker) {
                return;
            }
            // Ordering: Acquire as above.
            state = self
                .state
                .fetch_and(!(ARMED[0] | ARMED[1] | OWED), Ordering::Acquire);
        }
        let busy = busy(state);
        let (slot, _replaced) = match (0..2).find(|&slot| self.holds(slot, waker)) {
            Some(slot) => (slot, None),
            None => {
                let free = usize::from(busy == Some(0));
                (free, self.put(free, Some(waker.clone())))
            }
        };
        let _stale = match busy {
            Some(_) => None,
            None => self.put(1 - slot, None),
        };
        // Ordering: Release hands the slot to the waking thread that takes it; Acquire pairs with
        // the release in every earlier `wake`, so that the caller sees the condition that those
        // wakes announced.
        self.state.fetch_or(ARMED[slot], Ordering::AcqRel);
        // A replaced waker is dropped here, so that a panic of its drop leaves the cell consistent.
    }

    /// Takes the registration back and drops the waker. If that waker is being called at this
    /// moment, it stays until the next `register`, `clear` or drop, and this returns `false`.
    ///
    /// # Safety
    /// As for `register`.
    pub(crate) unsafe fn clear(&self) -> bool {
        // Ordering: Acquire as in `register`.
        let state = self
            .state
            .fetch_and(!(ARMED[0] | ARMED[1] | OWED), Ordering::Acquire);
        let busy = busy(state);
        let _wakers = [0, 1].map(|slot| match busy {
            Some(busy) if busy == slot => None,
            _ => self.put(slot, None),
        });
        busy.is_none()
    }

    /// Wakes the registered waker, if there is one. Lock-free. If another thread is busy with a
    /// replaced waker, it is asked to serve this wake too.
    ///
    /// # Panics
    /// If the waker panics. The cell keeps working.
    pub(crate) fn wake(&self) {
        let mut slot = self.take();
        while let Some(busy) = slot {
            // A panic of this waker leaves no wake that is owed unserved.
            let serve_owed = scopeguard::guard((), |()| {
                while let Some(owed) = self.finish() {
                    self.wake_slot(owed);
                }
            });
            self.wake_slot(busy);
            ScopeGuard::into_inner(serve_owed);
            slot = self.finish();
        }
    }

    /// Calls the waker of a slot that this thread has made busy.
    fn wake_slot(&self, slot: usize) {
        self.slots[slot].with(|held| {
            // SAFETY: no thread writes to a busy slot.
            let held = unsafe { &*held };
            if let Some(waker) = held {
                waker.wake_by_ref();
            }
        });
    }

    /// Makes the armed slot busy, unless the other slot is.
    fn take(&self) -> Option<usize> {
        // Ordering: Relaxed. The exchange below validates it.
        let mut state = self.state.load(Ordering::Relaxed);
        loop {
            let (next, taken) = match (armed(state), busy(state)) {
                (None, _) => (state, None),
                (Some(slot), None) => (busy_with(slot), Some(slot)),
                (Some(slot), Some(same)) if slot == same => {
                    ((state & !ARMED[slot]) + BUSY, Some(slot))
                }
                (Some(_), Some(_)) => (state | OWED, None),
            };
            // Ordering: Acquire pairs with the release in `register` that filled the slot; Release
            // publishes the caller's condition to the next `register`, or to the busy thread and
            // the task that it wakes.
            match self
                .state
                .compare_exchange_weak(state, next, Ordering::AcqRel, Ordering::Relaxed)
            {
                Ok(_) => return taken,
                Err(now) => state = now,
            }
        }
    }

    /// Ends being busy, or returns the slot of a wake that is owed.
    fn finish(&self) -> Option<usize> {
        // Ordering: Relaxed. The exchange below validates it.
        let mut state = self.state.load(Ordering::Relaxed);
        loop {
            let left = state - BUSY;
            let owed = match busy(left) {
                None if state & OWED != 0 => armed(state),
                _ => None,
            };
            let next = owed.map_or(left, busy_with);
            // Ordering: Release pairs with the acquires in `register` and `clear`, which write to
            // the slot next; Acquire pairs with the `register` that filled the slot now taken and
            // with the wake that asked for it.
            match self
                .state
                .compare_exchange_weak(state, next, Ordering::AcqRel, Ordering::Relaxed)
            {
                Ok(_) => return owed,
                Err(now) => state = now,
            }
        }
    }

    /// Only the registrar may call this.
    fn holds(&self, slot: usize, waker: &Waker) -> bool {
        self.slots[slot].with(|held| {
            // SAFETY: the registrar is the only writer, and it is reading.
            let held = unsafe { &*held };
            held.as_ref().is_some_and(|held| held.will_wake(waker))
        })
    }

    /// Only the registrar may call this, for a slot that is neither armed nor busy.
    fn put(&self, slot: usize, waker: Option<Waker>) -> Option<Waker> {
        self.slots[slot].with_mut(|held| {
            // SAFETY: without `ARMED` and `BUSY` no thread reads the slot, and none can start to.
            unsafe { mem::replace(&mut *held, waker) }
        })
    }
}

impl fmt::Debug for WakeCell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WakeCell")
    }
}

#[cfg(all(test, aiter_loom))]
mod loom;
#[cfg(all(test, not(aiter_loom)))]
mod tests;
