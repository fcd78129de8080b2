//! The order in which chunks, and the children in them, are polled.
//!
//! The owner takes what has woken into its queue at the beginning of a *round*, and gives each
//! chunk that is in the queue then one *turn*: its ready bits are cleared, and each child whose bit
//! was set is polled. A child that yields an item is polled again, for up to `TURN_ITEMS` items. If
//! it may have more, it is polled in the chunk's next turn, without a wake. Fresh children wait for
//! their chunk's next turn likewise. Children that were polled in vain come before all of these,
//! see [`fairness`](super::fairness).
//!
//! | a chunk is | in the queue | ready bits | its next turn comes |
//! |---|---|---|---|
//! | idle | no | none | never |
//! | ready | no | some | after the owner has taken it from the stack |
//! | queued | yes | none or some | in the round after it was queued |
//! | queued and ready | yes | some, not `has_ready_bits` | as above; those bits count only in the turn after that |
//! | among the refused | either | some, `has_ready_bits` | before those in the queue, for its refused children |
//!
//! The fourth row is why `has_ready_bits` exists: the bits of a chunk that is on the stack must not
//! be cleared, or the next wake would push it twice.
//!
//! A *pass* is the time between two calls that made the owner's task return: in general one poll of
//! that task.
use super::{chunk::Chunk, queue::owner, ready_stack::ReadyLink, slots::SetState};
use core::{mem, ptr};

/// What one poll of a set may do without an item to return.
#[derive(Debug)]
pub(crate) struct Budget {
    polls: u32,
    /// How often the stack may be taken.
    takes: u32,
}

impl Budget {
    #[inline]
    pub(crate) const fn new() -> Self {
        // The stack may be taken twice: for what woke before this poll, and for what woke during
        // it. A child that wakes itself in each poll waits for the next poll of the task.
        Self {
            polls: 128,
            takes: 2,
        }
    }

    /// Counts a poll that gave no item. Returns `false` if it was the last one.
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

/// How many items a child may yield in one turn.
pub(super) const TURN_ITEMS: u32 = 8;

/// Why no child is to be polled now.
pub(super) enum NoSlot {
    /// No child is ready.
    Idle,
    /// The children that are ready have to wait for the next pass.
    NextPass,
}

impl SetState {
    /// The slot of the current chunk that is to be polled next. Begins the next turn if this one is
    /// over.
    #[inline]
    pub(super) fn next_slot(
        &mut self,
        budget: &mut Budget,
        source_ready: &mut bool,
    ) -> Result<usize, NoSlot> {
        if self.current_slots == 0 {
            if self.is_idle() {
                return Err(NoSlot::Idle);
            }
            self.begin_turn(budget, source_ready)?;
        }
        let slot = self.current_slots.trailing_zeros() as usize;
        self.current_slots &= self.current_slots - 1;
        Ok(slot)
    }

    /// Begins the turn of the chunk that comes next: the first with refused children, or else the
    /// next one of this round or of a new one.
    #[inline(never)]
    fn begin_turn(&mut self, budget: &mut Budget, source_ready: &mut bool) -> Result<(), NoSlot> {
        while self.current_slots == 0 {
            if !self.current.is_null() {
                let chunk = mem::replace(&mut self.current, ptr::null_mut());
                self.free_if_empty(chunk);
            }
            if self.round_left == 0 && self.refused.is_empty() || self.check_stack {
                self.check_stack = false;
                if self.stack.has_woken() {
                    if budget.takes > 0 {
                        budget.takes -= 1;
                        self.take_woken(source_ready);
                    } else if self.queue.len == 0 {
                        return Err(NoSlot::NextPass);
                    }
                }
                if self.round_left == 0 {
                    self.round_left = self.queue.len;
                }
            }
            if !self.refused.is_empty() {
                self.begin_refused_turn();
                continue;
            }
            if self.round_left == 0 {
                return Err(NoSlot::Idle);
            }
            self.round_left -= 1;
            let chunk = self.queue.pop();
            // SAFETY: the set's chunk, no other reference to `owner`.
            let owner = unsafe { owner(chunk) };
            let mut slots = mem::take(&mut owner.requeued);
            let has_ready_bits = mem::take(&mut owner.has_ready_bits);
            self.current_unwoken = !has_ready_bits;
            if has_ready_bits {
                // The bits are cleared before the children are polled, so that a child which wakes
                // during its poll is polled again.
                // SAFETY: alive.
                slots |= unsafe { &(*chunk).header }.clear();
            }
            self.current = chunk;
            // Wakers outlive their children, so a bit may be of a vacant slot.
            self.current_slots = slots & owner.occupied;
        }
        Ok(())
    }

    /// Nothing is ready, and the last turn left no work.
    #[inline]
    fn is_idle(&self) -> bool {
        self.current.is_null()
            && self.queue.len | self.refused.len() == 0
            && !self.stack.has_woken()
    }

    /// How many items the child in `slot` of the current chunk may yield.
    #[inline]
    pub(super) fn items_left(&self, slot: usize) -> u32 {
        // SAFETY: the set's chunk, no other reference to `owner`.
        let owner = unsafe { owner(self.current) };
        if owner.refused & (1 << slot) == 0 {
            return TURN_ITEMS;
        }
        owner.items_left[slot].into()
    }

    /// Takes what has woken into the queue, in the order of the wakes.
    fn take_woken(&mut self, source_ready: &mut bool) {
        // SAFETY: the set frees no chunk that is on the stack.
        let mut link = unsafe { self.stack.take() };
        while !link.is_null() {
            // SAFETY: from the list just taken. The link of a chunk is not written while it has
            // ready bits, which are cleared below at the earliest.
            let next = unsafe { ReadyLink::next(link) };
            let chunk = link.cast::<Chunk>();
            if chunk == self.source {
                // SAFETY: alive.
                unsafe { &(*chunk).header }.clear();
                *source_ready = true;
            } else {
                // SAFETY: the set's chunk, no other reference to `owner`.
                let owner = unsafe { owner(chunk) };
                owner.has_ready_bits = true;
                // Refused children are served from the refused queue, the others from the queue.
                if owner.refused == 0 || self.queue_refused(chunk) {
                    self.queue.push(chunk);
                }
            }
            link = next;
        }
    }

    /// Queues the current chunk again for a child that may have more items when its turn is over.
    pub(super) fn requeue(&mut self, slot: usize) {
        // SAFETY: the set's chunk, no other reference to `owner`.
        let owner = unsafe { owner(self.current) };
        owner.requeued |= 1 << slot;
        owner.refused &= !(1 << slot);
        self.retry.succeeded |= self.current_unwoken;
        self.queue.push(self.current);
    }
}
