//! What the set knows of its chunks, whatever the type of its children, and which slots are vacant.
use super::{
    chunk::{Chunk, LISTS, SLOTS, Slots},
    queue::{ChunkList, Queue, READY, RefusedQueue, TRIED, owner},
    ready_stack::StackOwner,
};
use core::{alloc::Layout, mem, ptr};

/// The part of a set that does not depend on the type of its children.
pub(super) struct SetState {
    pub(super) stack: StackOwner,
    pub(super) chunks: ChunkList,
    pub(super) queue: Queue<READY>,
    /// The number of turns until the round is over.
    pub(super) round_left: usize,
    /// The chunk whose turn it is, or null, and its ready children that were not polled yet.
    pub(super) current: *mut Chunk,
    pub(super) current_slots: Slots,
    /// Chunks with refused children, which are served before the queue.
    pub(super) refused: RefusedQueue,
    /// Chunks with children that were polled in vain in this pass.
    pub(super) tried: Queue<TRIED>,
    /// A new pass begins. Refused children may have woken, so the stack is checked before any child
    /// is served.
    pub(super) check_stack: bool,
    pub(super) pass: Pass,
    /// Nothing of the current chunk had woken when its turn began.
    pub(super) current_unwoken: bool,
    pub(super) retry: RetryPolicy,
    /// A chunk without slots whose waker is the source's; null until it is needed.
    pub(super) source: *mut Chunk,
    /// The number of children, of slots, and of chunks without a child.
    pub(super) len: usize,
    pub(super) slots: usize,
    pub(super) empty: usize,
    /// The layout of a child.
    pub(super) child: Layout,
}

/// What the polls of the current pass have given.
#[derive(Clone, Copy, Default, PartialEq)]
pub(super) enum Pass {
    /// No poll yet.
    #[default]
    Fresh,
    /// No item.
    NoItem,
    /// An item.
    HadItem,
}

/// Whether to poll children again that had nothing and did not wake.
pub(super) struct RetryPolicy {
    /// How many passes may try it without success before it is not tried any more.
    tries_left: u8,
    /// Some children were polled so since the last [`decide`](Self::decide).
    pub(super) tried: bool,
    /// A child had an item without having woken.
    pub(super) succeeded: bool,
}

impl RetryPolicy {
    pub(super) const fn new() -> Self {
        Self {
            tries_left: 0,
            tried: false,
            succeeded: false,
        }
    }

    /// A child that has an item without having woken is a reason to believe that others have one. A
    /// few tries without success are no reason against it: the children that have items may have
    /// been woken meanwhile, though late.
    pub(super) fn decide(&mut self) -> bool {
        const TRIES: u8 = 4;
        let tried = mem::take(&mut self.tried);
        if mem::take(&mut self.succeeded) {
            self.tries_left = TRIES;
        } else if tried {
            self.tries_left = self.tries_left.saturating_sub(1);
        }
        self.tries_left > 0
    }
}

impl SetState {
    pub(super) const fn new(stack: StackOwner, child: Layout) -> Self {
        Self {
            stack,
            chunks: ChunkList::new(),
            queue: Queue::new(),
            round_left: 0,
            current: ptr::null_mut(),
            current_slots: 0,
            refused: RefusedQueue::new(),
            tried: Queue::new(),
            check_stack: false,
            pass: Pass::Fresh,
            current_unwoken: false,
            retry: RetryPolicy::new(),
            source: ptr::null_mut(),
            len: 0,
            slots: 0,
            empty: 0,
            child,
        }
    }

    /// A vacant slot. Allocates a chunk if there is none.
    #[inline]
    pub(super) fn vacant_slot(&mut self) -> (*mut Chunk, usize) {
        let mut chunk = self.chunks.front;
        // SAFETY: the list holds live chunks; no other reference to `owner`.
        if chunk.is_null() || unsafe { owner(chunk) }.occupied == unsafe { owner(chunk) }.all {
            chunk = self.add_chunk();
        }
        // SAFETY: as above.
        (
            chunk,
            unsafe { owner(chunk) }.occupied.trailing_ones() as usize,
        )
    }

    #[cold]
    fn add_chunk(&mut self) -> *mut Chunk {
        let (capacity, _) = Chunk::capacity(self.child);
        let slots = self.slots.clamp(4.min(SLOTS), SLOTS).min(capacity);
        let chunk = Chunk::new(slots, self.child, self.stack.stack().clone());
        self.slots += slots;
        self.empty += 1;
        self.chunks.push_front(chunk);
        chunk
    }

    /// Marks a slot into which a child was put as occupied.
    pub(super) fn occupy(&mut self, chunk: *mut Chunk, slot: usize) {
        // SAFETY: the set's chunk, no other reference to `owner`.
        let owner = unsafe { owner(chunk) };
        self.len += 1;
        self.empty -= usize::from(owner.occupied == 0);
        owner.occupied |= 1 << slot;
        if owner.occupied == owner.all {
            self.chunks.unlink(chunk);
            self.chunks.push_back(chunk);
        }
    }

    /// Marks a slot of the current chunk, whose child is about to be dropped, as vacant.
    pub(super) fn vacate(&mut self, slot: usize) {
        // SAFETY: the set's chunk, no other reference to `owner`.
        let owner = unsafe { owner(self.current) };
        let was_full = owner.occupied == owner.all;
        owner.occupied &= !(1 << slot);
        owner.refused &= !(1 << slot);
        self.len -= 1;
        self.empty += usize::from(owner.occupied == 0);
        if was_full {
            self.chunks.unlink(self.current);
            self.chunks.push_front(self.current);
        }
    }

    /// Frees a chunk after its turn if it has no child and is in no queue. One empty chunk is kept
    /// unless its children are large.
    pub(super) fn free_if_empty(&mut self, chunk: *mut Chunk) {
        // SAFETY: the set's chunk, no other reference to `owner`.
        let owner = unsafe { owner(chunk) };
        let is_queued = owner.refused_entries != 0 || owner.is_queued != [false; LISTS];
        if owner.occupied != 0 || is_queued {
            return;
        }
        if self.empty < 2 && Chunk::capacity(self.child).1 {
            return;
        }
        // SAFETY: alive.
        if !unsafe { &(*chunk).header }.retire() {
            return; // It has woken: it comes from the stack, and is checked again after its turn.
        }
        self.empty -= 1;
        self.slots -= owner.all.count_ones() as usize;
        self.chunks.unlink(chunk);
        // SAFETY: it has no child, and is in none of the lists.
        unsafe { Chunk::free(chunk, self.child) }
    }
}
