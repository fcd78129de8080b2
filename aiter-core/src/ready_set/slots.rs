//! What the set knows of its chunks, whatever the children are, and which slots are free.
use super::{
    chunk::{Chunk, SLOTS, Slots},
    fairness::{RefusedQueue, Trust},
    queue::{ASKED, LISTS, Queue, READY, Roster, owner},
    ready_stack::Owner,
    turns::Pass,
};
use core::{alloc::Layout, ptr};

/// All that does not depend on what the children are.
pub(super) struct SetState {
    pub(super) owner: Owner,
    pub(super) roster: Roster,
    pub(super) queue: Queue<READY>,
    /// Turns until the round is over.
    pub(super) round: usize,
    /// The chunk whose turn it is, or null, and its ready children that were not yet polled.
    pub(super) turn: *mut Chunk,
    pub(super) bits: Slots,
    /// Chunks with children that are served before the queue.
    pub(super) refused: RefusedQueue,
    /// Chunks with children that were asked in vain in this pass.
    pub(super) asked: Queue<ASKED>,
    /// A new pass begins: children in line may have woken, which is looked at before any child is
    /// served.
    pub(super) look: bool,
    pub(super) pass: Pass,
    /// Nothing of the chunk whose turn it is had woken when the turn began.
    pub(super) unwoken: bool,
    pub(super) trust: Trust,
    /// A chunk without slots whose waker is the source's; null before it is needed.
    pub(super) source: *mut Chunk,
    /// Children, slots, and chunks without a child.
    pub(super) len: usize,
    pub(super) slots: usize,
    pub(super) empty: usize,
    /// Of a child.
    pub(super) child: Layout,
}

impl SetState {
    pub(super) const fn new(owner: Owner, child: Layout) -> Self {
        Self {
            owner,
            roster: Roster::new(),
            queue: Queue::new(),
            round: 0,
            turn: ptr::null_mut(),
            bits: 0,
            refused: RefusedQueue::new(),
            asked: Queue::new(),
            look: false,
            pass: Pass::Fresh,
            unwoken: false,
            trust: Trust::new(),
            source: ptr::null_mut(),
            len: 0,
            slots: 0,
            empty: 0,
            child,
        }
    }

    /// A vacant slot, of a new chunk if need be.
    #[inline]
    pub(super) fn vacancy(&mut self) -> (*mut Chunk, usize) {
        let mut chunk = self.roster.front;
        // SAFETY: the roster holds live chunks; no other reference to `owner`.
        if chunk.is_null() || unsafe { owner(chunk) }.occupied == unsafe { owner(chunk) }.full {
            chunk = self.grow();
        }
        // SAFETY: as above.
        (
            chunk,
            unsafe { owner(chunk) }.occupied.trailing_ones() as usize,
        )
    }

    #[cold]
    fn grow(&mut self) -> *mut Chunk {
        let (most, _) = Chunk::most(self.child);
        let slots = self.slots.clamp(4.min(SLOTS), SLOTS).min(most);
        let chunk = Chunk::new(slots, self.child, self.owner.stack().clone());
        self.slots += slots;
        self.empty += 1;
        self.roster.push_front(chunk);
        chunk
    }

    /// A child was put in a vacant slot.
    pub(super) fn occupy(&mut self, chunk: *mut Chunk, slot: usize) {
        // SAFETY: the set's chunk, no other reference to `owner`.
        let owner = unsafe { owner(chunk) };
        self.len += 1;
        self.empty -= usize::from(owner.occupied == 0);
        owner.occupied |= 1 << slot;
        if owner.occupied == owner.full {
            self.roster.unlink(chunk);
            self.roster.push_back(chunk);
        }
    }

    /// The child whose turn it is leaves its slot.
    pub(super) fn vacate(&mut self, slot: usize) {
        // SAFETY: the set's chunk, no other reference to `owner`.
        let owner = unsafe { owner(self.turn) };
        let was_full = owner.occupied == owner.full;
        owner.occupied &= !(1 << slot);
        owner.waits &= !(1 << slot);
        self.len -= 1;
        self.empty += usize::from(owner.occupied == 0);
        if was_full {
            self.roster.unlink(self.turn);
            self.roster.push_front(self.turn);
        }
    }

    /// Frees a chunk after its turn if it has no child, and is not the only such, or is large.
    pub(super) fn give_back(&mut self, chunk: *mut Chunk) {
        // SAFETY: the set's chunk, no other reference to `owner`.
        let owner = unsafe { owner(chunk) };
        if owner.occupied != 0 || owner.places != 0 || owner.listed != [false; LISTS] {
            return;
        }
        if self.empty < 2 && Chunk::most(self.child).1 {
            return;
        }
        // SAFETY: alive.
        if !unsafe { &(*chunk).header }.retire() {
            return; // It woke: it comes by the stack, and back here.
        }
        self.empty -= 1;
        self.slots -= owner.full.count_ones() as usize;
        self.roster.unlink(chunk);
        // SAFETY: it has no child, and is in none of the lists.
        unsafe { Chunk::let_go(chunk, self.child) }
    }
}
