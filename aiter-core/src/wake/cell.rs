//! A cell for the waker of one waiter (the *registrar*), whom any number of threads may wake.
//!
//! The registrar never meets a slot it must wait for: there are two, at most one of them is being read, and it writes
//! to the other. The idea of two slots, and of leaving a second wake to the thread that is busy with the first, is
//! that of the `diatomic-waker` crate; the states and transitions are our own.
//!
//! | bit | set by | cleared by | while it is set |
//! |---|---|---|---|
//! | `ARMED[i]` | registrar | registrar, or a waker that turns it into `BUSY[i]` | slot `i` holds the waker to wake |
//! | `BUSY[i]` | a waker | that waker | that waker reads slot `i`, nobody writes to it |
//! | `AGAIN` | a waker that finds `ARMED` and `BUSY` | the busy waker, which then serves it; registrar | a wake is owed |
//!
//! At most one `ARMED`, at most one `BUSY`, and `AGAIN` only beside both. Only the registrar arms, so without `ARMED`
//! nothing but the end of `BUSY` can happen, and every slot that is not busy is the registrar's.
//!
//! | call | state before | state after | and |
//! |---|---|---|---|
//! | register | `ARMED[i]` with the same waker | the same | whoever takes it wakes that waker: nothing to do |
//! | | `ARMED[i]` with another one, or nothing | `BUSY` stays, `ARMED[j]` | `j` is not busy, or already holds this waker |
//! | clear | any | `BUSY` stays | the wakers in slots that are not busy are dropped |
//! | wake | no `ARMED` | the same | a write all the same, for the registrar to synchronise with |
//! | | `ARMED[i]` | `BUSY[i]` | wake slot `i`, then finish |
//! | | `ARMED`, `BUSY` | `AGAIN` added | |
//! | finish | `AGAIN`, `ARMED[i]` | `BUSY[i]` | wake slot `i`, then finish |
//! | | otherwise | `BUSY` cleared | |
//!
//! **No wake is lost** if the waiter looks at its condition after `register`, and the waker changes it before `wake`:
//! both write the one word. If the wake comes second it finds `ARMED`, or `ARMED` is what the registrar found and
//! left alone, so that the wake that takes it is still to come. If it comes first the registrar sees the condition.
//! That also allows the registrar to forget an `AGAIN`.
#![allow(unsafe_code)]

use crate::sync::{AtomicUsize, Ordering, UnsafeCell};
use core::{fmt, mem, task::Waker};

const ARMED: [usize; 2] = [1, 2];
const BUSY: [usize; 2] = [4, 8];
const AGAIN: usize = 16;

pub(crate) struct WakeCell {
    state: AtomicUsize,
    slots: [UnsafeCell<Option<Waker>>; 2],
}

// SAFETY: the slots are handed from thread to thread as the table says, and wakers are `Send` and `Sync`.
unsafe impl Sync for WakeCell {}
// SAFETY: as above; a cell that moves is not shared.
unsafe impl Send for WakeCell {}

/// The slot whose bit is set.
fn slot_in(state: usize, bits: [usize; 2]) -> Option<usize> {
    bits.iter().position(|bit| state & bit != 0)
}

impl WakeCell {
    pub(crate) fn new() -> Self {
        Self {
            state: AtomicUsize::new(0),
            slots: [UnsafeCell::new(None), UnsafeCell::new(None)],
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
        if let Some(slot) = slot_in(state, ARMED) {
            if self.holds(slot, waker) {
                return;
            }
            // Ordering: Acquire as above.
            state = self
                .state
                .fetch_and(!(ARMED[0] | ARMED[1] | AGAIN), Ordering::Acquire);
        }
        let busy = slot_in(state, BUSY);
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
    /// next `register`, `clear` or drop.
    ///
    /// # Safety
    /// As for `register`.
    pub(crate) unsafe fn clear(&self) {
        // Ordering: Acquire as in `register`.
        let state = self
            .state
            .fetch_and(!(ARMED[0] | ARMED[1] | AGAIN), Ordering::Acquire);
        let _wakers = [0, 1].map(|slot| match state & BUSY[slot] {
            0 => self.put(slot, None),
            _ => None,
        });
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
            slot = self.finish(taken);
        }
    }

    /// From `ARMED` to `BUSY`, if nobody else is.
    fn take(&self) -> Option<usize> {
        // Ordering: Relaxed, the exchange below validates it.
        let mut state = self.state.load(Ordering::Relaxed);
        loop {
            let armed = slot_in(state, ARMED);
            let (next, taken) = match (armed, slot_in(state, BUSY)) {
                (None, _) => (state, None),
                (Some(_), Some(_)) => (state | AGAIN, None),
                (Some(slot), None) => (BUSY[slot], armed),
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

    /// Ends `BUSY`, or moves it to the slot of a wake that is owed.
    fn finish(&self, slot: usize) -> Option<usize> {
        // Ordering: Relaxed, the exchange below validates it.
        let mut state = self.state.load(Ordering::Relaxed);
        loop {
            let owed = match state & AGAIN {
                0 => None,
                _ => slot_in(state, ARMED),
            };
            let next = match owed {
                Some(owed) => BUSY[owed],
                None => state & !BUSY[slot],
            };
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
        if let Some(slot) = self.cell.finish(self.slot) {
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
mod models;
#[cfg(all(test, not(aiter_loom)))]
mod tests;
