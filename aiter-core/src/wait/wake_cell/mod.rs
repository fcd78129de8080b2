//! A cell for the waker of one waiter (the *registrar*), whom any number of threads may wake.
//!
//! The registrar never meets a slot it must wait for: there are two, at most one of them is being read, and it writes
//! to the other. The idea of two slots, and of leaving a second wake to the thread that is busy with the first, is
//! that of the `diatomic-waker` crate; the states and transitions are our own.
//!
//! | bit | set by | cleared by | while it is set |
//! |---|---|---|---|
//! | `ARMED[i]` | registrar | registrar, or a waker that turns it into busy | slot `i` holds the waker to wake |
//! | `BUSY`, a count | wakers, one each | those wakers | so many wakers read slot `OTHER`, nobody writes to it |
//! | `OTHER` | the first to be busy | | which of the slots that is |
//! | `AGAIN` | a waker that finds the one slot armed and the other busy | the last busy waker, which then serves it; registrar | a wake is owed |
//!
//! At most one `ARMED`, at most one slot busy, and `AGAIN` only beside both, and they differ. Only the registrar arms, so
//! without `ARMED` nothing but the end of `BUSY` can happen, and every slot that is not busy is the registrar's.
//!
//! | call | state before | state after | and |
//! |---|---|---|---|
//! | register | `ARMED[i]` with the same waker | the same | whoever takes it wakes that waker: nothing to do |
//! | | `ARMED[i]` with another one, or nothing | busy stays, `ARMED[j]` | `j` is not busy, or already holds this waker |
//! | clear | any | busy stays | the wakers in slots that are not busy are dropped |
//! | wake | no `ARMED` | the same | a write all the same, for the registrar to synchronise with |
//! | | `ARMED[i]`, `i` busy or none | `i` busy, one more | wake slot `i`, then finish |
//! | | `ARMED[i]`, the other busy | `AGAIN` added | |
//! | finish | the last one, `AGAIN`, `ARMED[i]` | `i` busy | wake slot `i`, then finish |
//! | | otherwise | busy, one less | |
//!
//! So a wake leaves its work to another one only if the registrar has changed its waker while that one was under way: a waiter
//! that keeps its waker is woken by whoever comes first, however many others were interrupted in the middle of a wake.
//!
//! **No wake is lost** if the waiter looks at its condition after `register`, and the waker changes it before `wake`:
//! both write the one word. If the wake comes second it finds `ARMED`, or `ARMED` is what the registrar found and
//! left alone, so that the wake that takes it is still to come. If it comes first the registrar sees the condition.
//! That also allows the registrar to forget an `AGAIN`.
#![allow(unsafe_code)]

use crate::sync::{AtomicUsize, Ordering, UnsafeCell, const_new};
use core::{fmt, mem, task::Waker};

const ARMED: [usize; 2] = [1, 2];
const AGAIN: usize = 4;
const OTHER: usize = 8;
/// One waker that is busy: the count is all bits from here on.
const BUSY: usize = 16;

pub(crate) struct WakeCell {
    state: AtomicUsize,
    slots: [UnsafeCell<Option<Waker>>; 2],
}

// SAFETY: the slots are handed from thread to thread as the table says, and wakers are `Send` and `Sync`.
unsafe impl Sync for WakeCell {}
// SAFETY: as above; a cell that moves is not shared.
unsafe impl Send for WakeCell {}

fn armed(state: usize) -> Option<usize> {
    ARMED.iter().position(|bit| state & bit != 0)
}

fn busy(state: usize) -> Option<usize> {
    (state >= BUSY).then_some(usize::from(state & OTHER != 0))
}

/// One waker is busy, with this slot.
fn busy_with(slot: usize) -> usize {
    BUSY | if slot == 0 { 0 } else { OTHER }
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

    /// Sees to it that the next `wake` wakes `waker`, once. Wait-free; clones only a waker it does not hold yet.
    ///
    /// The caller must look at the condition it waits for afterwards.
    ///
    /// # Safety
    /// `register` and `clear` are called by one thread at a time, each call happening before the next.
    pub(crate) unsafe fn register(&self, waker: &Waker) {
        // Ordering: Acquire pairs with the release in `finish`: a slot no longer busy is no longer read.
        let mut state = self.state.load(Ordering::Acquire);
        if let Some(slot) = armed(state) {
            if self.holds(slot, waker) {
                return;
            }
            // Ordering: Acquire as above.
            state = self
                .state
                .fetch_and(!(ARMED[0] | ARMED[1] | AGAIN), Ordering::Acquire);
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
        // Ordering: Release hands the slot to the waker that takes it; Acquire pairs with the release in every
        // earlier `wake`, so that the caller sees the condition those wakes announced.
        self.state.fetch_or(ARMED[slot], Ordering::AcqRel);
        // What was replaced is dropped here, when a panic in its drop leaves the cell as it should be.
    }

    /// Takes the registration back and drops the waker. One that is being woken this very moment stays until the
    /// next `register`, `clear` or drop, and then this is false.
    ///
    /// # Safety
    /// As for `register`.
    pub(crate) unsafe fn clear(&self) -> bool {
        // Ordering: Acquire as in `register`.
        let state = self
            .state
            .fetch_and(!(ARMED[0] | ARMED[1] | AGAIN), Ordering::Acquire);
        let busy = busy(state);
        let _wakers = [0, 1].map(|slot| match busy {
            Some(busy) if busy == slot => None,
            _ => self.put(slot, None),
        });
        busy.is_none()
    }

    /// Wakes the registered waker if there is one. Lock-free; a wake already under way on another thread is asked to
    /// serve this one too.
    ///
    /// # Panics
    /// If the waker panics; the cell works on.
    pub(crate) fn wake(&self) {
        let mut slot = self.take();
        while let Some(taken) = slot {
            let busy = Busy {
                cell: self,
                slot: taken,
            };
            busy.wake();
            mem::forget(busy);
            slot = self.finish();
        }
    }

    /// From `ARMED` to busy, if no other slot is.
    fn take(&self) -> Option<usize> {
        // Ordering: Relaxed, the exchange below validates it.
        let mut state = self.state.load(Ordering::Relaxed);
        loop {
            let (next, taken) = match (armed(state), busy(state)) {
                (None, _) => (state, None),
                (Some(slot), None) => (busy_with(slot), Some(slot)),
                (Some(slot), Some(same)) if slot == same => {
                    ((state & !ARMED[slot]) + BUSY, Some(slot))
                }
                (Some(_), Some(_)) => (state | AGAIN, None),
            };
            // Ordering: Acquire pairs with the release in `register` that filled the slot; Release publishes the
            // caller's condition to the next `register`, or to the busy waker and whom it wakes.
            match self
                .state
                .compare_exchange_weak(state, next, Ordering::AcqRel, Ordering::Relaxed)
            {
                Ok(_) => return taken,
                Err(now) => state = now,
            }
        }
    }

    /// Ends being busy, or goes on with the slot of a wake that is owed.
    fn finish(&self) -> Option<usize> {
        // Ordering: Relaxed, the exchange below validates it.
        let mut state = self.state.load(Ordering::Relaxed);
        loop {
            let left = state - BUSY;
            let owed = match busy(left) {
                None if state & AGAIN != 0 => armed(state),
                _ => None,
            };
            let next = owed.map_or(left, busy_with);
            // Ordering: Release pairs with the acquires in `register` and `clear`, which write to the slot next;
            // Acquire pairs with the `register` that filled the slot now taken and with the wake that asked for it.
            match self
                .state
                .compare_exchange_weak(state, next, Ordering::AcqRel, Ordering::Relaxed)
            {
                Ok(_) => return owed,
                Err(now) => state = now,
            }
        }
    }

    /// Registrar only.
    fn holds(&self, slot: usize, waker: &Waker) -> bool {
        self.slots[slot].with(|held| {
            // SAFETY: the registrar is the only writer, and it is reading.
            let held = unsafe { &*held };
            held.as_ref().is_some_and(|held| held.will_wake(waker))
        })
    }

    /// Registrar only, for a slot that is neither armed nor busy.
    fn put(&self, slot: usize, waker: Option<Waker>) -> Option<Waker> {
        self.slots[slot].with_mut(|held| {
            // SAFETY: without `ARMED` and `BUSY` no waker reads the slot, and none can start to.
            unsafe { mem::replace(&mut *held, waker) }
        })
    }
}

/// A slot being woken. Dropped only by a waker that panics: the wake that is owed is served all the same.
struct Busy<'a> {
    cell: &'a WakeCell,
    slot: usize,
}

impl Busy<'_> {
    fn wake(&self) {
        self.cell.slots[self.slot].with(|held| {
            // SAFETY: nobody writes to a busy slot.
            let held = unsafe { &*held };
            if let Some(waker) = held {
                waker.wake_by_ref();
            }
        });
    }
}

impl Drop for Busy<'_> {
    fn drop(&mut self) {
        if let Some(slot) = self.cell.finish() {
            let owed = Busy {
                cell: self.cell,
                slot,
            };
            owed.wake();
        }
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
