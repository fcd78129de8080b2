//! The reader's side of a wait: arming a slot with a waker, and disarming it.

use super::{
    Follower, Registry,
    segment::SlotRef,
    slot::{ARMED, AT_GAP, IDLE, WAKING},
};
use crate::sync::{AtomicU8, Ordering::*};
use core::{mem, task::Waker};

/// What a reader found before it goes to sleep.
#[derive(Clone, Copy)]
pub(crate) enum SleepKind {
    /// The next list slot is not reserved: the writer that reserves it learns of the reader from
    /// the tail word.
    AtTail,
    /// A writer has reserved the next list slot and not published it yet.
    AtGap,
}

impl Registry {
    /// Stores the waker in the reader's slot and arms it. Then the caller has to let writers know,
    /// and look again. If a writer uses the slot just now, the reader
    /// [moves to another one](Self::move_to_another_slot).
    #[inline]
    pub(crate) fn arm(
        &self,
        slot_ref: &mut SlotRef,
        follower: &mut Option<Follower>,
        waker: &Waker,
        sleep: SleepKind,
    ) {
        // Ordering: Acquire pairs with the Release of IDLE in `wake`: the writer is done with the
        // waker.
        let was = self.state(*slot_ref).load(Acquire);
        if was != IDLE || !self.has_waker(*slot_ref, waker) {
            self.store_waker(slot_ref, follower, was, waker);
        }
        // Ordering: Release pairs with the Acquire in `try_transition`. That a writer sees this at
        // all is due to what the reader does next (see `Reader::sleep`).
        self.state(*slot_ref).store(
            match sleep {
                SleepKind::AtTail => ARMED,
                SleepKind::AtGap => {
                    self.add_gap_waiter();
                    AT_GAP
                }
            },
            Release,
        );
    }

    /// As [`arm`](Self::arm) at the tail, if the slot is idle and has this waker already. Otherwise
    /// it does nothing and returns false.
    #[inline]
    pub(crate) fn rearm(&self, slot_ref: SlotRef, waker: &Waker) -> bool {
        // Ordering: as in `arm`.
        let is_ready =
            self.state(slot_ref).load(Acquire) == IDLE && self.has_waker(slot_ref, waker);
        if is_ready {
            self.state(slot_ref).store(ARMED, Release);
        }
        is_ready
    }

    /// Whether the reader's slot is armed with this waker.
    #[inline]
    pub(crate) fn is_armed_with(&self, slot_ref: SlotRef, waker: &Waker) -> bool {
        // Ordering: Relaxed. The state becomes ARMED by this reader alone, so if another thread has
        // changed it since, that thread is about to call the waker, or did so during this poll.
        self.state(slot_ref).load(Relaxed) == ARMED && self.has_waker(slot_ref, waker)
    }

    /// Whether the reader's slot has a waker for the same task.
    #[inline]
    fn has_waker(&self, slot_ref: SlotRef, waker: &Waker) -> bool {
        self.slot(slot_ref).waker.with(|kept| {
            // SAFETY: only the reader writes the waker, and this is the reader.
            let kept = unsafe { &*kept };
            kept.as_ref().is_some_and(|kept| kept.will_wake(waker))
        })
    }

    /// Stores the waker in the reader's slot, or in another one, and leaves that idle.
    #[cold]
    fn store_waker(
        &self,
        slot_ref: &mut SlotRef,
        follower: &mut Option<Follower>,
        was: u8,
        waker: &Waker,
    ) {
        if !self.disarm_from(*slot_ref, was) {
            self.move_to_another_slot(slot_ref, follower);
        }
        let old = self.slot(*slot_ref).waker.with_mut(|kept| {
            // SAFETY: the slot is idle, so the waker is the reader's.
            match unsafe { &mut *kept } {
                Some(kept) if kept.will_wake(waker) => None,
                kept => kept.replace(waker.clone()),
            }
        });
        drop(old);
    }

    /// Whether the reader's slot is neither armed nor being woken.
    pub(crate) fn is_idle(&self, slot_ref: SlotRef) -> bool {
        // Ordering: Relaxed. A caller that goes on with the slot disarms it first, which acquires.
        self.state(slot_ref).load(Relaxed) == IDLE
    }

    /// Drops the waker in the reader's slot. If a writer uses the slot just now, the reader
    /// [moves to another one](Self::move_to_another_slot), and the writer drops the waker.
    pub(crate) fn drop_waker(&self, slot_ref: &mut SlotRef, follower: &mut Option<Follower>) {
        if !self.disarm(*slot_ref) {
            self.move_to_another_slot(slot_ref, follower);
        }
        let waker = self.slot(*slot_ref).waker.with_mut(|kept| {
            // SAFETY: the slot is idle, so the waker is the reader's.
            unsafe { (*kept).take() }
        });
        drop(waker);
    }

    /// Moves the reader to another slot, because a writer uses its own. The new slot may be the one
    /// that the follower has left. Then the follower is forgotten, or the reader would follow
    /// itself.
    fn move_to_another_slot(&self, slot_ref: &mut SlotRef, follower: &mut Option<Follower>) {
        let slot = self.slot(*slot_ref);
        let other = self.register(slot.position.load(Relaxed), slot.skipped.load(Relaxed));
        // Stored before anything can panic: from here on the old slot may be another reader's.
        let old = mem::replace(slot_ref, other);
        if follower
            .as_ref()
            .is_some_and(|follower| follower.slot == slot_ref.slot)
        {
            self.forget_follower(follower);
        }
        self.unregister(old);
    }

    /// Disarms the reader's slot, to change the waker or to leave. Returns false if a writer uses
    /// it.
    #[inline]
    pub(crate) fn disarm(&self, slot_ref: SlotRef) -> bool {
        // Ordering: as in `arm`.
        self.disarm_from(slot_ref, self.state(slot_ref).load(Acquire))
    }

    /// As [`disarm`](Self::disarm), for a slot that the reader saw in a state.
    #[inline]
    fn disarm_from(&self, slot_ref: SlotRef, was: u8) -> bool {
        match was {
            ARMED | AT_GAP => self.try_transition(self.state(slot_ref), was, IDLE) != WAKING,
            was => was == IDLE,
        }
    }

    /// Changes the state of a slot that was seen armed, unless another thread has changed it since.
    /// Returns the state that it had.
    ///
    /// One attempt is enough. Only the reader arms its slot, so if the reader comes second it finds
    /// the slot idle or WAKING. If a writer comes second, the reader has been awake since, and has
    /// looked at the list after that.
    #[inline]
    pub(super) fn try_transition(&self, state: &AtomicU8, was: u8, to: u8) -> u8 {
        // Ordering: Acquire pairs with the Release in `arm`: the waker is initialized. If it fails,
        // Acquire pairs with the Release of IDLE, as in `arm`.
        match state.compare_exchange(was, to, Acquire, Acquire) {
            Ok(_) => {
                if was == AT_GAP {
                    self.remove_gap_waiter();
                }
                was
            }
            Err(now) => now,
        }
    }
}
