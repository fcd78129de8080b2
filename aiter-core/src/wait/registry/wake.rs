//! The writer's side of a wait: waking the readers that sleep.
//!
//! `inline(always)` here saves 1 % of the instructions of an item that wakes eight readers
//! (`ci/instructions.sh`, list-wakes-8 and fork-wakes-8).

use super::{
    Nearby, Registry, TAIL_SHIFT,
    release::sweep,
    segment::{Segment, Slots},
    slot::{ARMED, AT_GAP, IDLE, ReaderSlot, WAKING},
};
use crate::sync::{AtomicU8, Ordering::*, fence};
use scopeguard::{ScopeGuard, guard};

/// Which of the sleeping readers to wake.
#[derive(Clone, Copy)]
enum Target {
    All,
    /// The readers that wait for this list slot or for any later one.
    From(usize),
    /// The readers that wait for exactly this list slot; and those at a gap at this slot or at a
    /// later one, because the writer of a batch does not look for each of its slots.
    At(usize),
}

impl Target {
    /// Whether the reader of a slot that was seen in a state is one of them.
    #[inline(always)]
    fn includes(self, state: u8, slot: &ReaderSlot) -> bool {
        let list_slot = || slot.position.load(Relaxed) << TAIL_SHIFT;
        let is_at_or_after = |from: usize| list_slot().wrapping_sub(from) as isize >= 0;
        match (state, self) {
            (ARMED, Self::At(exact)) => list_slot() == exact,
            (ARMED | AT_GAP, Self::All) => true,
            (ARMED | AT_GAP, Self::At(from) | Self::From(from)) => is_at_or_after(from),
            _ => false,
        }
    }
}

impl Registry {
    /// Wakes every sleeping reader. A waker may run any code, so the caller must hold nothing that
    /// this code could want.
    pub(crate) fn wake_all(&self) {
        self.wake_target(Target::All);
    }

    /// Wakes the readers that wait for exactly this list slot, and those that sleep at a gap at
    /// this slot or at a later one. Otherwise as [`wake_all`](Self::wake_all). Returns whether
    /// there was such a reader.
    #[inline(always)]
    pub(crate) fn wake_at(&self, list_slot: usize) -> bool {
        self.wake_target(Target::At(list_slot))
    }

    /// Wakes the readers that wait for a list slot or for any later one. Otherwise as
    /// [`wake_all`](Self::wake_all).
    pub(crate) fn wake_from(&self, list_slot: usize) {
        // A writer may be suspended between its publication and this call, while all others go on.
        // With 32 bits they may come so far meanwhile that a reader at the tail would be taken for
        // one behind the slot.
        self.wake_target(if TAIL_SHIFT == 0 {
            Target::From(list_slot)
        } else {
            Target::All
        });
    }

    /// Wakes the only reader of a list that has never had two at a time, if it sleeps at the tail.
    /// This is the common case, in so few instructions that a push hardly costs more. Returns false
    /// in any other case.
    ///
    /// It does not check for which list slot the reader waits. A reader that sleeps further on by
    /// now has taken the caller's item and set the flag in the tail again: the writer that clears
    /// the flag would wake it for nothing, too.
    #[inline(always)]
    pub(crate) fn wake_sole_reader(&self) -> bool {
        let ([state], [slot]) = (&self.state, &self.slot);
        // Ordering: of `nearby` as in `wake_target`; of the state as in `try_transition`.
        if !self.nearby.is_unset()
            || state
                .compare_exchange(ARMED, WAKING, Acquire, Relaxed)
                .is_err()
        {
            return false;
        }
        // Also when the waker panics.
        let waking = guard(state, |state| {
            // Ordering: Release lets the reader have the waker back.
            state.store(IDLE, Release);
        });
        // SAFETY: this writer has moved the slot to WAKING.
        unsafe { slot.call() };
        drop(waking);
        if self.occupancy.abandoned.load(Relaxed) != 0 {
            self.sweep_first();
        }
        true
    }

    #[cold]
    fn sweep_first(&self) {
        sweep(self.first_slots(), None);
    }

    #[inline(always)]
    fn wake_target(&self, target: Target) -> bool {
        let first = self.wake(&self.state[0], &self.slot[0], target);
        // Ordering: Relaxed, because what it points to is not accessed here. A reader that has to
        // be woken saw it set before it armed its slot, and that is visible (see `Reader::sleep`).
        if self.nearby.is_unset() && self.occupancy.abandoned.load(Relaxed) == 0 {
            return first;
        }
        self.wake_other_slots(target) | first
    }

    /// Wakes the readers in the slots after the first one. Slots that were abandoned meanwhile are
    /// swept after all readers are woken, because the drop of a waker may panic.
    #[inline(never)]
    fn wake_other_slots(&self, target: Target) -> bool {
        let Some(nearby) = self.nearby() else {
            self.sweep_first();
            return false;
        };
        let mut any = self.wake_slots(nearby.slots(), target);
        let mut abandoned =
            self.occupancy.abandoned.load(Relaxed) | nearby.occupancy.abandoned.load(Relaxed);
        if let Some(walk) = nearby.segments.walk() {
            for segment in walk.all() {
                // SAFETY: this walk has come to the segment and has not ended.
                let slots = unsafe { Segment::get(segment) }.slots();
                any |= self.wake_slots(slots, target);
                abandoned |= slots.occupancy.abandoned.load(Relaxed);
            }
        }
        if abandoned != 0 {
            self.sweep_all(nearby);
        }
        any
    }

    #[inline(always)]
    fn wake_slots(&self, slots: Slots<'_>, target: Target) -> bool {
        let mut any = false;
        for (state, slot) in slots.used() {
            any |= self.wake(state, slot, target);
        }
        any
    }

    /// Vacates the slots that readers left while they were woken, also those of which the wake
    /// itself has not learnt. From here on a reader that leaves finds its slot idle, unless another
    /// thread wakes.
    pub(crate) fn sweep(&self) {
        // Ordering: SeqCst, after the end of each wake and before the loads of the bits, pairs with
        // the fence in `unregister`: this sees the bit, or the reader sees the slot idle.
        fence(SeqCst);
        match self.nearby() {
            Some(nearby) => self.sweep_all(nearby),
            None => self.sweep_first(),
        }
    }

    #[cold]
    fn sweep_all(&self, nearby: &Nearby) {
        self.sweep_first();
        sweep(nearby.slots(), None);
        if let Some(walk) = nearby.segments.walk() {
            for segment in walk.all() {
                // SAFETY: this walk has come to the segment and has not ended.
                let slots = unsafe { Segment::get(segment) }.slots();
                sweep(slots, Some(&nearby.segments));
            }
        }
    }

    /// Wakes the reader of one slot. Returns false if no reader sleeps there, or if the target does
    /// not include it.
    #[inline(always)]
    fn wake(&self, state: &AtomicU8, slot: &ReaderSlot, target: Target) -> bool {
        // Ordering: Relaxed. Readers that must be woken, and their positions, are already visible
        // (see `Reader::sleep`); for any other reader a stale value is harmless.
        let was = state.load(Relaxed);
        if !target.includes(was, slot) || self.try_transition(state, was, WAKING) != was {
            return false;
        }
        // If the waker panics, the other readers are woken all the same.
        let unwind = guard((), |()| self.wake_rest(state, target));
        // SAFETY: this writer has moved the slot to WAKING.
        unsafe { slot.call() };
        ScopeGuard::into_inner(unwind);
        // Ordering: Release lets the reader have the waker back.
        state.store(IDLE, Release);
        true
    }

    /// Ends the wake of a slot whose waker has panicked, and wakes the readers that are left.
    #[cold]
    fn wake_rest(&self, state: &AtomicU8, target: Target) {
        // Ordering: as in `wake`.
        state.store(IDLE, Release);
        self.wake_target(target);
    }
}
