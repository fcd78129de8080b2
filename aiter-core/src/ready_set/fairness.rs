//! Fairness under a budget: children that were polled in vain come first when they are ready again.
//!
//! # Why
//!
//! A runtime such as tokio gives each run of a task a budget. Once it is used up, every child that
//! obeys it returns `Pending`, whatever it has, and is woken: at once, or after the task has been
//! polled, the last one first. The set cannot see the budget. It cannot tell a child that was
//! refused by it from one that has nothing. If the refused children were queued behind those that
//! had just been served, or in the order of their wakes, the same children would be served in each
//! pass and the others never.
//!
//! # The order
//!
//! A child that is polled and has nothing counts as *refused*. It keeps the time of that poll
//! (`refused_at`) and the number of items that are left of its turn (`items_left`) until it has
//! yielded `TURN_ITEMS` items in all. Then its turn is over, and it goes to the end of the queue.
//! Among the children that are ready, the refused ones are served first, the one that was refused
//! first before all others; then the children in the queue are. The order is that of a ring:
//! children that were served stand behind those that were not, wherever a pass ends, and the next
//! pass begins at the first child that was refused, in the middle of its turn.
//!
//! Why this is fair if all children are ready but for the budget:
//!
//! - A child that has yielded `TURN_ITEMS` items goes behind every ready child: behind the refused
//!   ones and behind those in the queue.
//! - A child that is refused stays in front of all that were served before it. They are not
//!   refused, or they are refused later in their turn.
//! - So every child has its `TURN_ITEMS` items once before any child has them twice, however few
//!   items a pass allows for and whatever an item costs.
//!
//! # What could stand in the way
//!
//! - *A child that is ready again and again and has nothing* is polled first each time. That costs
//!   one poll: in a round each child is polled once, as a refused one or from the queue. If there
//!   are more such children than a call may poll in vain, the call ends and the next one goes on
//!   behind them.
//! - *A child that uses up the budget and yields nothing*, such as a future that works, looks like
//!   one that was refused. But the first child that is polled in a pass had the whole budget. If it
//!   has nothing, it counts as refused now, behind all others.
//! - *A child that is woken for each pass* and has fewer items than a turn allows keeps its place
//!   only until its turn is used up.
//!
//! # Children that did not wake
//!
//! A call ends when too many polls in a row were in vain. If there was an item in the pass before,
//! the children that were polled in vain may be refused ones whose wakes are still to come. They
//! are the first in the next pass whether they woke or not (`due`), as long as that succeeds: a
//! child has to have an item without having woken now and then (`RetryPolicy`). In all other cases
//! only children that woke are polled.
//!
//! A child that has nothing while no other child is to be served does not count as refused, because
//! there is no child before which it could come. This is the case of many children of which one
//! wakes now and then; it costs nothing.
use super::{
    chunk::Chunk,
    queue::{Bits, owner},
    round_robin::TURN_ITEMS,
    slots::{Pass, SetState},
};
use core::{mem, ptr};

impl SetState {
    /// Adds a chunk that was taken from the stack to the refused queue if refused children of it
    /// have woken. Returns whether others have woken.
    pub(super) fn queue_refused(&mut self, chunk: *mut Chunk) -> bool {
        // SAFETY: alive.
        let ready = unsafe { &(*chunk).header }.ready();
        // SAFETY: the set's chunk, no other reference to `owner`.
        let refused = unsafe { owner(chunk) }.refused;
        if ready & refused != 0 {
            self.refused.push(chunk, ready & refused);
        }
        ready & !refused != 0
    }

    /// Begins the turn of the first chunk of the refused queue, for those of its refused children
    /// that come before the next chunk.
    #[inline(never)]
    pub(super) fn begin_refused_turn(&mut self) {
        let Some(chunk) = self.refused.pop() else {
            return;
        };
        // SAFETY: the set's chunk, no other reference to `owner`.
        let owner = unsafe { owner(chunk) };
        let has_ready_bits = mem::take(&mut owner.has_ready_bits);
        if has_ready_bits {
            // SAFETY: alive. As in `begin_turn`.
            let woken = unsafe { &(*chunk).header }.clear();
            owner.due |= woken;
            owner.requeued |= woken & !owner.refused & owner.occupied;
            if owner.requeued != 0 {
                self.queue.push(chunk);
            }
        }
        owner.due &= owner.refused;
        self.current_slots = self.refused.first_due(owner);
        self.current = chunk;
        self.current_unwoken = !has_ready_bits;
        self.retry.tried |= !has_ready_bits && self.current_slots != 0;
        owner.due &= !self.current_slots;
        if owner.due != 0 {
            let due = owner.due;
            self.refused.push(chunk, due);
        }
    }

    /// The child whose turn it is has nothing now. It counts as refused, unless there is no child
    /// before which it could come.
    #[inline]
    pub(super) fn child_pending(&mut self, slot: usize, items_left: u32) {
        let others = self.queue.len | self.tried.len | self.refused.len();
        if self.current_slots != 0 || others != 0 || self.pass != Pass::HadItem {
            self.refuse(slot, items_left);
        } else {
            // The chunk has a child, so it need not be freed.
            let chunk = mem::replace(&mut self.current, ptr::null_mut());
            // SAFETY: the set's chunk, no other reference to `owner`.
            unsafe { owner(chunk) }.refused &= !(1 << slot);
        }
    }

    #[inline(never)]
    fn refuse(&mut self, slot: usize, items_left: u32) {
        // SAFETY: the set's chunk, no other reference to `owner`.
        let owner = unsafe { owner(self.current) };
        let bit = 1 << slot;
        let before = self.items_left(slot);
        // The first child of a pass had the whole budget.
        let had_budget = self.pass == Pass::Fresh;
        if had_budget || owner.refused & bit == 0 {
            owner.refused |= bit;
            owner.refused_at[slot] = self.refused.stamp();
        }
        self.retry.succeeded |= self.current_unwoken && items_left < before;
        owner.items_left[slot] = items_left as u8;
        if had_budget {
            self.pass = Pass::NoItem;
        } else {
            owner.tried |= bit;
            self.tried.push(self.current);
        }
    }

    /// A child has yielded an item.
    #[inline]
    pub(super) fn child_yielded(&mut self) {
        if self.pass != Pass::HadItem {
            self.pass = Pass::HadItem;
            self.clear_tried();
        }
    }

    /// Forgets which children were polled in vain in this pass: from now on they are polled only if
    /// they wake.
    #[inline]
    fn clear_tried(&mut self) {
        while self.tried.len > 0 {
            self.clear_tried_chunk();
        }
    }

    #[inline(never)]
    fn clear_tried_chunk(&mut self) {
        let chunk = self.tried.pop();
        // SAFETY: the set's chunk, no other reference to `owner`.
        unsafe { owner(chunk) }.tried = 0;
        if chunk != self.current {
            self.free_if_empty(chunk);
        }
    }

    /// Ends a pass in which every child that was ready had a turn.
    #[inline]
    pub(super) fn end_pass(&mut self) {
        self.pass = Pass::Fresh;
        if self.tried.len > 0 {
            self.check_stack = true;
            self.clear_tried();
        }
    }

    /// Ends a pass while children are ready. Those that had nothing after the last item are due in
    /// the next pass, unless all children had a turn.
    #[cold]
    pub(super) fn interrupt_pass(&mut self, all_had_a_turn: bool) {
        if all_had_a_turn {
            return self.end_pass();
        }
        let retries = self.retry.decide();
        if mem::take(&mut self.pass) != Pass::HadItem {
            return;
        }
        self.check_stack = true;
        if !retries {
            self.clear_tried();
        }
        while self.tried.len > 0 {
            let chunk = self.tried.pop();
            // SAFETY: the set's chunk, no other reference to `owner`.
            let owner = unsafe { owner(chunk) };
            owner.due |= mem::take(&mut owner.tried) & owner.refused;
            let due = owner.due;
            self.refused.push(chunk, due);
        }
        if self.current_slots != 0 {
            self.postpone_turn();
        }
    }

    /// Lets the rest of the current turn come after the children that were polled in vain.
    fn postpone_turn(&mut self) {
        let slots = mem::take(&mut self.current_slots);
        let chunk = mem::replace(&mut self.current, ptr::null_mut());
        // SAFETY: the set's chunk, no other reference to `owner`.
        let owner = unsafe { owner(chunk) };
        for slot in Bits(slots & !owner.refused) {
            owner.refused_at[slot] = self.refused.stamp();
            owner.items_left[slot] = TURN_ITEMS as u8;
        }
        owner.refused |= slots;
        owner.due |= slots;
        self.refused.push(chunk, slots);
    }
}
