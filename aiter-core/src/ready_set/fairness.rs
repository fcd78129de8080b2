//! The line: children that were polled in vain come first when they are ready again.
//!
//! # Why
//!
//! A runtime such as tokio gives each run of a task a budget. Once it is used up, every child that
//! obeys it returns `Pending`, whatever it has, and is woken: at once, or after the task has been
//! polled, the last one first. The set cannot see the budget. It cannot tell a child that was
//! refused from one that has nothing. If the refused children were queued behind those that had
//! just been served, or in the order of their wakes, the same children would be served in each pass
//! and the others never.
//!
//! # The order
//!
//! A child that is polled and has nothing gets a *place*. It consists of the time of that poll
//! (`since`) and of the number of items that are left of its turn (`left`). The child keeps both
//! until it has yielded `STAY` items in all. Then its turn is over, and it goes to the end of the
//! queue. Among the children that are ready, those with a place are served first, in the order of
//! their places; then the children in the queue are. The order is that of a ring: children that
//! were served stand behind those that were not, wherever a pass ends, and the next pass begins at
//! the first child that was refused, in the middle of its turn.
//!
//! Why this is fair if all children are ready but for the budget:
//!
//! - A child that has yielded `STAY` items goes behind every ready child: behind those with a place
//!   and behind those in the queue.
//! - A child that is refused stays in front of all that were served before it. They have no place,
//!   or they get a later one when they are refused in turn.
//! - So every child has its `STAY` items once before any child has them twice, however few items a
//!   pass allows for and whatever an item costs.
//!
//! # What could stand in the way
//!
//! - *A child that is ready again and again and has nothing* is polled first each time. That costs
//!   one poll: in a round each child is polled once from the line or from the queue. If more such
//!   children are in line than a call may poll in vain, the call ends and the next one goes on
//!   behind them.
//! - *A child that uses up the budget and yields nothing*, such as a future that works, looks like
//!   one that was refused. But the first child that is polled in a pass had the whole budget. If it
//!   has nothing, it gets a new place, the last one.
//! - *A child that is woken for each pass* and has fewer items than a turn allows keeps its place
//!   only until its turn is used up.
//!
//! # Children that did not wake
//!
//! A call ends when too many polls in a row were in vain. If there was an item in the pass before,
//! the children that were polled in vain may be refused ones whose wakes are still to come. They
//! are the first in the next pass whether they woke or not (`due`), as long as it pays: a child has
//! to have an item without having woken now and then (`Trust`). In all other cases only children
//! that woke are polled.
//!
//! A child that has nothing while no other child is to be served gets no place, because there is
//! nobody whom it could precede. This is the case of many children of which one wakes now and then;
//! it costs nothing.
use super::{
    chunk::{Chunk, OwnerState, Slots},
    queue::owner,
    slots::SetState,
    turns::{Pass, STAY},
};
use alloc::collections::BinaryHeap;
use core::{cmp::Ordering, mem, ptr};

/// The chunks that have children to be served before the queue.
pub(super) struct RefusedQueue {
    places: BinaryHeap<QueuedChunk>,
    /// How many places were given out.
    clock: u64,
}

/// A chunk, and since when the first of its children that are to be served waits.
struct QueuedChunk {
    since: u64,
    chunk: *mut Chunk,
}

/// The greatest is the one that has waited for the longest time.
impl Ord for QueuedChunk {
    fn cmp(&self, other: &Self) -> Ordering {
        other.since.cmp(&self.since)
    }
}

impl PartialOrd for QueuedChunk {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for QueuedChunk {
    fn eq(&self, other: &Self) -> bool {
        self.since == other.since
    }
}

impl Eq for QueuedChunk {}

impl RefusedQueue {
    /// Memory for as many places is kept.
    const SMALL: usize = 64;

    pub(super) const fn new() -> Self {
        Self {
            places: BinaryHeap::new(),
            clock: 0,
        }
    }

    #[inline]
    pub(super) fn len(&self) -> usize {
        self.places.len()
    }

    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// A place at the end.
    fn stamp(&mut self) -> u32 {
        self.clock += 1;
        self.clock as u32
    }

    /// When a stamp was given out. Of one that is older than 2³² others a younger one is made: that
    /// child comes later than it could.
    fn whole(&self, stamp: u32) -> u64 {
        self.clock - u64::from((self.clock as u32).wrapping_sub(stamp))
    }

    /// Puts a chunk where the first of `slots` belongs.
    fn put(&mut self, chunk: *mut Chunk, slots: Slots) {
        // SAFETY: the set's chunks live until it lets them go, which it does not while they are in
        // line.
        let owner = unsafe { owner(chunk) };
        let since = Bits(slots).map(|slot| self.whole(owner.since[slot]));
        let since = since.min().unwrap_or(self.clock);
        // With so many places one more would hardly be better than those.
        let is_better = since < self.whole(owner.place) && owner.places < u8::MAX;
        if owner.places == 0 || is_better {
            owner.place = since as u32;
            owner.places += 1;
            self.places.push(QueuedChunk { since, chunk });
        }
    }

    /// Those that are due of a chunk that was just popped, up to the first that has to wait for
    /// another child: for one of another chunk, or for one in a later slot, as a turn goes through
    /// the slots in order.
    fn first_of(&self, owner: &OwnerState) -> Slots {
        let since = |slot: usize| self.whole(owner.since[slot]);
        let next = self.places.peek().map_or(u64::MAX, |place| place.since);
        let Some(first) = Bits(owner.due).min_by_key(|&slot| since(slot)) else {
            return 0;
        };
        let (mut bits, mut last, mut before) = (0, since(first), next);
        for slot in Bits(owner.due) {
            if slot >= first && since(slot) >= last {
                bits |= 1 << slot;
                last = since(slot);
            } else {
                before = before.min(since(slot));
            }
        }
        if last > before {
            let bits_before = Bits(bits).filter(|&slot| since(slot) <= before);
            bits = bits_before.fold(0, |bits, slot| bits | 1 << slot);
        }
        bits
    }

    fn pop(&mut self) -> Option<*mut Chunk> {
        let QueuedChunk { chunk, .. } = self.places.pop()?;
        if self.places.is_empty() && self.places.capacity() > Self::SMALL {
            self.places = BinaryHeap::new();
        }
        // SAFETY: as in `put`.
        let owner = unsafe { owner(chunk) };
        owner.place = self.clock as u32;
        owner.places -= 1;
        Some(chunk)
    }
}

/// Whether to poll children again that had nothing and did not wake.
pub(super) struct Trust {
    /// How often it may be tried in vain before it is tried no more.
    left: u8,
    /// Some were polled so, since it was settled last.
    tried: bool,
    /// One had an item without having woken.
    pub(super) paid: bool,
}

impl Trust {
    pub(super) const fn new() -> Self {
        Self {
            left: 0,
            tried: false,
            paid: false,
        }
    }

    /// A child that has an item without having woken is a reason to believe that others have one.
    /// That a few were tried in vain is none to the contrary: what had items may have been woken
    /// meanwhile, though late.
    fn settle(&mut self) -> bool {
        const TRIES: u8 = 4;
        let tried = mem::take(&mut self.tried);
        if mem::take(&mut self.paid) {
            self.left = TRIES;
        } else if tried {
            self.left = self.left.saturating_sub(1);
        }
        self.left > 0
    }
}

/// The numbers of slots.
struct Bits(Slots);

impl Iterator for Bits {
    type Item = usize;

    fn next(&mut self) -> Option<usize> {
        let slot = (self.0 != 0).then(|| self.0.trailing_zeros() as usize)?;
        self.0 &= self.0 - 1;
        Some(slot)
    }
}

impl SetState {
    /// Has a chunk that was taken from the stack stand in line, if children woke that have a place.
    /// Whether others woke.
    pub(super) fn line_up_ready(&mut self, chunk: *mut Chunk) -> bool {
        // SAFETY: alive.
        let ready = unsafe { &(*chunk).header }.ready();
        // SAFETY: the set's chunk, no other reference to `owner`.
        let waits = unsafe { owner(chunk) }.waits;
        if ready & waits != 0 {
            self.refused.put(chunk, ready & waits);
        }
        ready & !waits != 0
    }

    /// Begins the turn of the chunk that is the first in line: for those of its children that come
    /// before the next chunk.
    #[inline(never)]
    pub(super) fn resume(&mut self) {
        let Some(chunk) = self.refused.pop() else {
            return;
        };
        // SAFETY: the set's chunk, no other reference to `owner`.
        let owner = unsafe { owner(chunk) };
        let taken = mem::take(&mut owner.taken);
        if taken {
            // SAFETY: alive. As in `next_turn`.
            let woken = unsafe { &(*chunk).header }.clear();
            owner.due |= woken;
            owner.again |= woken & !owner.waits & owner.occupied;
            if owner.again != 0 {
                self.queue.push(chunk);
            }
        }
        owner.due &= owner.waits;
        self.bits = self.refused.first_of(owner);
        self.turn = chunk;
        self.unwoken = !taken;
        self.trust.tried |= !taken && self.bits != 0;
        owner.due &= !self.bits;
        if owner.due != 0 {
            let due = owner.due;
            self.refused.put(chunk, due);
        }
    }

    /// The child whose turn it is has nothing now. It gets a place, unless there is nobody whom it
    /// could come before.
    #[inline]
    pub(super) fn pending(&mut self, slot: usize, left: u8) {
        let others = self.queue.len | self.asked.len | self.refused.len();
        if self.bits != 0 || others != 0 || self.pass != Pass::Fruitful {
            self.wait(slot, left);
        } else {
            // The chunk is not empty, so there is nothing to give back.
            let chunk = mem::replace(&mut self.turn, ptr::null_mut());
            // SAFETY: the set's chunk, no other reference to `owner`.
            unsafe { owner(chunk) }.waits &= !(1 << slot);
        }
    }

    #[inline(never)]
    fn wait(&mut self, slot: usize, left: u8) {
        // SAFETY: the set's chunk, no other reference to `owner`.
        let owner = unsafe { owner(self.turn) };
        let bit = 1 << slot;
        let before = self.left(slot);
        // The first of a pass had the whole budget.
        let had_all = self.pass == Pass::Fresh;
        if had_all || owner.waits & bit == 0 {
            owner.waits |= bit;
            owner.since[slot] = self.refused.stamp();
        }
        self.trust.paid |= self.unwoken && left < before;
        owner.left[slot] = left;
        if had_all {
            self.pass = Pass::Barren;
        } else {
            owner.asked |= bit;
            self.asked.push(self.turn);
        }
    }

    /// A child has yielded an item.
    #[inline]
    pub(super) fn had_item(&mut self) {
        if self.pass != Pass::Fruitful {
            self.pass = Pass::Fruitful;
            self.forget();
        }
    }

    /// From now on those that were asked have to wake.
    #[inline]
    fn forget(&mut self) {
        while self.asked.len > 0 {
            self.forget_one();
        }
    }

    #[inline(never)]
    fn forget_one(&mut self) {
        let chunk = self.asked.pop();
        // SAFETY: the set's chunk, no other reference to `owner`.
        unsafe { owner(chunk) }.asked = 0;
        if chunk != self.turn {
            self.give_back(chunk);
        }
    }

    /// The pass ends, and nothing is ready.
    #[inline]
    pub(super) fn rest(&mut self) {
        self.pass = Pass::Fresh;
        if self.asked.len > 0 {
            self.look = true;
            self.forget();
        }
    }

    /// The pass ends while children are ready. Those that had nothing after the last item are due,
    /// unless everybody had a chance.
    #[cold]
    pub(super) fn pause(&mut self, everybody_was_asked: bool) {
        if everybody_was_asked {
            return self.rest();
        }
        let is_trusted = self.trust.settle();
        if mem::take(&mut self.pass) != Pass::Fruitful {
            return;
        }
        self.look = true;
        if !is_trusted {
            self.forget();
        }
        while self.asked.len > 0 {
            let chunk = self.asked.pop();
            // SAFETY: the set's chunk, no other reference to `owner`.
            let owner = unsafe { owner(chunk) };
            owner.due |= mem::take(&mut owner.asked) & owner.waits;
            let due = owner.due;
            self.refused.put(chunk, due);
        }
        if self.bits != 0 {
            self.put_off();
        }
    }

    /// The rest of a turn comes after those that were asked.
    fn put_off(&mut self) {
        let bits = mem::take(&mut self.bits);
        let chunk = mem::replace(&mut self.turn, ptr::null_mut());
        // SAFETY: the set's chunk, no other reference to `owner`.
        let owner = unsafe { owner(chunk) };
        for slot in Bits(bits & !owner.waits) {
            owner.since[slot] = self.refused.stamp();
            owner.left[slot] = STAY;
        }
        owner.waits |= bits;
        owner.due |= bits;
        self.refused.put(chunk, bits);
    }
}
