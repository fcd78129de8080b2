//! Whose turn it is: the order in which chunks, and the children in them, are polled.
//!
//! The owner takes what woke into its queue at the beginning of a *round*, and gives each chunk that is then in the queue one
//! *turn*: its ready bits are cleared, then each child they name is polled. A child that yields an item is stayed on
//! for up to `STAY` items; if it may have more, it is polled again in the chunk's next turn, without having woken. Fresh
//! children wait for their chunk's next turn likewise. So between two turns of a ready child each other ready child has
//! at most two, and at least one if it was ready before the round began.
//!
//! | a chunk is | `queued` | ready bits | its next turn comes |
//! |---|---|---|---|
//! | idle | no | none | never |
//! | woken | no | some | after the owner took it from the stack |
//! | waiting | yes | none or some | in the round after it was queued |
//! | waiting and woken | yes | some, not `taken` | as above; those bits only in the turn after that |
//!
//! The last row is why `taken` exists: bits of a chunk that is on the stack must stand, or the next wake would push it twice.
use super::{
    chunk::{Chunk, Header},
    lists::Lists,
    queue::own,
};
use core::{mem, ptr};

/// What one poll of a set may do without an item to show for it.
#[derive(Debug)]
pub(crate) struct Budget {
    polls: u32,
    takes: u32,
}

impl Budget {
    #[inline]
    pub(crate) const fn new() -> Self {
        // Two takes: what woke before this poll, and what woke meanwhile. Who wakes itself each time waits for the next poll.
        Self {
            polls: 128,
            takes: 2,
        }
    }

    /// Counts a poll that brought no item. `false` if it was the last.
    #[inline]
    pub(crate) fn spend(&mut self) -> bool {
        self.polls = self.polls.saturating_sub(1);
        self.is_left()
    }

    #[inline]
    pub(crate) fn is_left(&self) -> bool {
        self.polls > 0
    }
}

/// The next one to be polled.
pub(super) enum Next {
    Child(*mut Chunk, usize),
    Idle,
    Spent,
}

impl Lists {
    /// Chooses the child to be polled next: the rest of this turn, then the next turn, then the next round.
    pub(super) fn next(&mut self, budget: &mut Budget, source_ready: &mut bool) -> Next {
        loop {
            if self.bits != 0 {
                let slot = self.bits.trailing_zeros() as usize;
                self.bits &= self.bits - 1;
                return Next::Child(self.turn, slot);
            }
            if !self.turn.is_null() {
                let chunk = mem::replace(&mut self.turn, ptr::null_mut());
                self.give_back(chunk);
            }
            if self.round == 0 {
                if self.owner.has_woken() {
                    if budget.takes > 0 {
                        budget.takes -= 1;
                        self.take(source_ready);
                    } else if self.queue.len == 0 {
                        return Next::Spent;
                    }
                }
                self.round = self.queue.len;
                if self.round == 0 {
                    return Next::Idle;
                }
            }
            self.round -= 1;
            self.turn = self.queue.pop();
            // SAFETY: the set's chunk, no other reference to `own`.
            let own = unsafe { own(self.turn) };
            let mut bits = mem::take(&mut own.again);
            if mem::take(&mut own.taken) {
                // SAFETY: alive. The bits go before the children are polled: who wakes during its poll is polled again.
                bits |= unsafe { &(*self.turn).header }.clear();
            }
            // Wakers outlive their children: a bit may be of a slot that is vacant.
            self.bits = bits & own.occupied;
        }
    }

    /// Takes what woke into the queue, first come first.
    fn take(&mut self, source_ready: &mut bool) {
        let mut chunk = self.owner.take();
        let mut first: *mut Header = ptr::null_mut();
        while !chunk.is_null() {
            // SAFETY: chunks on the stack are alive until the owner took them.
            let link = unsafe { &(*chunk).below };
            // SAFETY: the stack was taken, and nobody writes a link while the ready bits stand.
            let below = link.with_mut(|link| mem::replace(unsafe { &mut *link }, first));
            first = chunk;
            chunk = below;
        }
        while !first.is_null() {
            // SAFETY: as above.
            let link = unsafe { &(*first).below };
            // SAFETY: as above.
            let next = link.with(|link| unsafe { *link });
            let chunk = first.cast::<Chunk>();
            if chunk == self.source {
                // SAFETY: alive.
                unsafe { &*first }.clear();
                *source_ready = true;
            } else {
                // SAFETY: the set's chunk, no other reference to `own`.
                unsafe { own(chunk) }.taken = true;
                self.queue.push(chunk);
            }
            first = next;
        }
    }

    /// The child whose turn it is may have more.
    pub(super) fn again(&mut self, slot: usize) {
        // SAFETY: the set's chunk, no other reference to `own`.
        unsafe { own(self.turn) }.again |= 1 << slot;
        self.queue.push(self.turn);
    }
}
