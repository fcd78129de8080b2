//! Whose turn it is: the order in which chunks, and the children in them, are polled.
//!
//! The owner takes what woke into its queue at the beginning of a *round*, and gives each chunk that is then in the queue one
//! *turn*: its ready bits are cleared, then each child they name is polled. A child that yields an item is stayed on
//! for up to `STAY` items; if it may have more, it is polled again in the chunk's next turn, without having woken. Fresh
//! children wait for their chunk's next turn likewise. Children that were asked in vain come before
//! all of these, see [`refused`](super::line).
//!
//! | a chunk is | in the queue | ready bits | its next turn comes |
//! |---|---|---|---|
//! | idle | no | none | never |
//! | woken | no | some | after the owner took it from the stack |
//! | waiting | yes | none or some | in the round after it was queued |
//! | waiting and woken | yes | some, not `taken` | as above; those bits only in the turn after that |
//! | in line | no matter | some, `taken` | before those in the queue; for those of its children that wait |
//!
//! The fourth row is why `taken` exists: bits of a chunk that is on the stack must stand, or the
//! next wake would push it twice.
//!
//! A *pass* is what happens between two calls that told the owner's task to wait: in general one
//! poll of that task.
use super::{
    chunk::{Chunk, Header},
    queue::owner,
    slots::SetState,
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

/// Items that a child may yield in one turn.
pub(super) const STAY: u8 = 8;

/// What has come of the polls since the owner's task was last told to wait.
#[derive(Clone, Copy, Default, PartialEq)]
pub(super) enum Pass {
    /// Nothing yet.
    #[default]
    Fresh,
    /// Only that a child had nothing.
    Barren,
    /// An item.
    Fruitful,
}

/// Why nobody is to be polled now.
pub(super) enum Stop {
    /// Nobody is ready.
    Idle,
    /// The children that are ready have to wait for the next pass.
    Spent,
}

impl SetState {
    /// The slot of the chunk whose turn it is that is to be polled next: in the rest of this turn,
    /// or in the next turn.
    #[inline]
    pub(super) fn next(&mut self, budget: &mut Budget, ready: &mut bool) -> Result<usize, Stop> {
        if self.bits == 0 {
            if self.is_idle() {
                return Err(Stop::Idle);
            }
            self.next_turn(budget, ready)?;
        }
        let slot = self.bits.trailing_zeros() as usize;
        self.bits &= self.bits - 1;
        Ok(slot)
    }

    /// Begins the next turn: that of the chunk which is first in line, or the next one of the
    /// round, or of the next round.
    #[inline(never)]
    fn next_turn(&mut self, budget: &mut Budget, source_ready: &mut bool) -> Result<(), Stop> {
        while self.bits == 0 {
            if !self.turn.is_null() {
                let chunk = mem::replace(&mut self.turn, ptr::null_mut());
                self.give_back(chunk);
            }
            if self.round == 0 && self.refused.is_empty() || self.look {
                self.look = false;
                if self.owner.has_woken() {
                    if budget.takes > 0 {
                        budget.takes -= 1;
                        self.take(source_ready);
                    } else if self.queue.len == 0 {
                        return Err(Stop::Spent);
                    }
                }
                if self.round == 0 {
                    self.round = self.queue.len;
                }
            }
            if !self.refused.is_empty() {
                self.resume();
                continue;
            }
            if self.round == 0 {
                return Err(Stop::Idle);
            }
            self.round -= 1;
            let chunk = self.queue.pop();
            // SAFETY: the set's chunk, no other reference to `owner`.
            let owner = unsafe { owner(chunk) };
            let mut bits = mem::take(&mut owner.again);
            let taken = mem::take(&mut owner.taken);
            self.unwoken = !taken;
            if taken {
                // SAFETY: alive. The bits go before the children are polled: who wakes during its poll is polled again.
                bits |= unsafe { &(*chunk).header }.clear();
            }
            self.turn = chunk;
            // Wakers outlive their children: a bit may be of a slot that is vacant.
            self.bits = bits & owner.occupied;
        }
        Ok(())
    }

    /// Nothing is ready, and the last turn left nothing to be done.
    #[inline]
    fn is_idle(&self) -> bool {
        self.turn.is_null() && self.queue.len | self.refused.len() == 0 && !self.owner.has_woken()
    }

    /// How many items the child in `slot` may yield.
    #[inline]
    pub(super) fn left(&self, slot: usize) -> u8 {
        // SAFETY: the set's chunk, no other reference to `owner`.
        let owner = unsafe { owner(self.turn) };
        if owner.waits & (1 << slot) == 0 {
            return STAY;
        }
        owner.left[slot]
    }

    /// Takes what woke into the queue, first come first.
    fn take(&mut self, source_ready: &mut bool) {
        let mut chunk = self.owner.take();
        let mut first: *mut Header = ptr::null_mut();
        while !chunk.is_null() {
            // SAFETY: chunks on the stack are alive until the owner took them.
            let link = unsafe { &(*chunk).next_ready };
            // SAFETY: the stack was taken, and nobody writes a link while the ready bits stand.
            let next_ready = link.with_mut(|link| mem::replace(unsafe { &mut *link }, first));
            first = chunk;
            chunk = next_ready;
        }
        while !first.is_null() {
            // SAFETY: as above.
            let link = unsafe { &(*first).next_ready };
            // SAFETY: as above.
            let next = link.with(|link| unsafe { *link });
            let chunk = first.cast::<Chunk>();
            if chunk == self.source {
                // SAFETY: alive.
                unsafe { &*first }.clear();
                *source_ready = true;
            } else {
                // SAFETY: the set's chunk, no other reference to `owner`.
                let owner = unsafe { owner(chunk) };
                owner.taken = true;
                // Its children that wait are served from the line, the others from the queue.
                if owner.waits == 0 || self.line_up_ready(chunk) {
                    self.queue.push(chunk);
                }
            }
            first = next;
        }
    }

    /// The child whose turn it is may have more, and its turn is over.
    pub(super) fn again(&mut self, slot: usize) {
        // SAFETY: the set's chunk, no other reference to `owner`.
        let owner = unsafe { owner(self.turn) };
        owner.again |= 1 << slot;
        owner.waits &= !(1 << slot);
        self.trust.paid |= self.unwoken;
        self.queue.push(self.turn);
    }
}
