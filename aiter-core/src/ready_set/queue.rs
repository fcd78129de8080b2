//! The lists and queues of a set's chunks. Only the owner of the set reaches them.
use super::chunk::{Chunk, OwnerState, Slots};
use alloc::collections::BinaryHeap;
use core::{cmp::Ordering, ptr};

/// # Safety
/// `chunk` is alive and its set is owned by the caller, who holds no other reference to its
/// `owner`.
#[inline]
#[allow(clippy::mut_from_ref)]
pub(super) unsafe fn owner<'a>(chunk: *mut Chunk) -> &'a mut OwnerState {
    // SAFETY: as the caller promises. Wakers reach only the header.
    unsafe { &mut (*chunk).owner }
}

/// The queue of chunks that are to be served.
pub(super) const READY: usize = 0;
/// The list of chunks with children that were polled in vain in this pass.
pub(super) const TRIED: usize = 1;

/// A FIFO queue of chunks. `LIST` says which of a chunk's links it uses.
pub(super) struct Queue<const LIST: usize> {
    first: *mut Chunk,
    last: *mut Chunk,
    pub(super) len: usize,
}

impl<const LIST: usize> Queue<LIST> {
    pub(super) const fn new() -> Self {
        Self {
            first: ptr::null_mut(),
            last: ptr::null_mut(),
            len: 0,
        }
    }

    /// Appends a chunk unless it is in the queue.
    pub(super) fn push(&mut self, chunk: *mut Chunk) {
        // SAFETY: a chunk of the set lives until the set frees it, which it does not while the
        // chunk is queued.
        let owner = unsafe { owner(chunk) };
        if owner.is_queued[LIST] {
            return;
        }
        owner.is_queued[LIST] = true;
        if self.len == 0 {
            self.first = chunk;
        } else {
            // SAFETY: as above, and another chunk.
            unsafe { (*self.last).owner.next_queued[LIST] = chunk };
        }
        self.last = chunk;
        self.len += 1;
    }

    pub(super) fn pop(&mut self) -> *mut Chunk {
        debug_assert!(self.len > 0);
        let chunk = self.first;
        // SAFETY: as in `push`.
        let owner = unsafe { owner(chunk) };
        owner.is_queued[LIST] = false;
        self.first = owner.next_queued[LIST];
        self.len -= 1;
        chunk
    }
}

/// All chunks of a set. Those with a vacant slot come before the full ones.
pub(super) struct ChunkList {
    pub(super) front: *mut Chunk,
    back: *mut Chunk,
}

impl ChunkList {
    pub(super) const fn new() -> Self {
        Self {
            front: ptr::null_mut(),
            back: ptr::null_mut(),
        }
    }

    pub(super) fn push_front(&mut self, chunk: *mut Chunk) {
        // SAFETY: a chunk of the set lives until the set frees it, after it has unlinked it.
        let owner = unsafe { owner(chunk) };
        owner.prev = ptr::null_mut();
        owner.next = self.front;
        if self.front.is_null() {
            self.back = chunk;
        } else {
            // SAFETY: as above, and another chunk.
            unsafe { (*self.front).owner.prev = chunk };
        }
        self.front = chunk;
    }

    pub(super) fn push_back(&mut self, chunk: *mut Chunk) {
        // SAFETY: as in `push_front`.
        let owner = unsafe { owner(chunk) };
        owner.next = ptr::null_mut();
        owner.prev = self.back;
        if self.back.is_null() {
            self.front = chunk;
        } else {
            // SAFETY: as in `push_front`.
            unsafe { (*self.back).owner.next = chunk };
        }
        self.back = chunk;
    }

    pub(super) fn unlink(&mut self, chunk: *mut Chunk) {
        // SAFETY: as in `push_front`.
        let &mut OwnerState { prev, next, .. } = unsafe { owner(chunk) };
        if prev.is_null() {
            self.front = next;
        } else {
            // SAFETY: as in `push_front`.
            unsafe { (*prev).owner.next = next };
        }
        if next.is_null() {
            self.back = prev;
        } else {
            // SAFETY: as in `push_front`.
            unsafe { (*next).owner.prev = prev };
        }
    }
}

/// The chunks with refused children that are ready, ordered by when the first of those was refused.
/// A chunk can have several entries.
pub(super) struct RefusedQueue {
    entries: BinaryHeap<RefusedEntry>,
    /// How many stamps were given out.
    clock: u64,
}

/// A chunk, and when the first of its refused children that are ready was refused.
struct RefusedEntry {
    refused_at: u64,
    chunk: *mut Chunk,
}

/// The greatest entry is the earliest.
impl Ord for RefusedEntry {
    fn cmp(&self, other: &Self) -> Ordering {
        other.refused_at.cmp(&self.refused_at)
    }
}

impl PartialOrd for RefusedEntry {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for RefusedEntry {
    fn eq(&self, other: &Self) -> bool {
        self.refused_at == other.refused_at
    }
}

impl Eq for RefusedEntry {}

impl RefusedQueue {
    /// The capacity that is kept when the queue runs empty.
    const SMALL: usize = 64;

    pub(super) const fn new() -> Self {
        Self {
            entries: BinaryHeap::new(),
            clock: 0,
        }
    }

    #[inline]
    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// A stamp later than all before.
    pub(super) fn stamp(&mut self) -> u32 {
        self.clock += 1;
        self.clock as u32
    }

    /// The time of a stamp. A stamp that is older than 2³² others is taken for a younger one: that
    /// child comes later than it could.
    fn time_of(&self, stamp: u32) -> u64 {
        self.clock - u64::from((self.clock as u32).wrapping_sub(stamp))
    }

    /// Adds an entry for the first of `slots`, unless the chunk has one that is as early.
    pub(super) fn push(&mut self, chunk: *mut Chunk, slots: Slots) {
        // SAFETY: a chunk of the set lives until the set frees it, which it does not while the
        // chunk has an entry.
        let owner = unsafe { owner(chunk) };
        let refused_at = Bits(slots).map(|slot| self.time_of(owner.refused_at[slot]));
        let refused_at = refused_at.min().unwrap_or(self.clock);
        // With so many entries another one would hardly be better than those.
        let is_earlier =
            refused_at < self.time_of(owner.first_entry) && owner.refused_entries < u8::MAX;
        if owner.refused_entries == 0 || is_earlier {
            owner.first_entry = refused_at as u32;
            owner.refused_entries += 1;
            self.entries.push(RefusedEntry { refused_at, chunk });
        }
    }

    /// Of the slots that are due in a chunk that was just popped, those up to the first one that
    /// has to wait for another child: for a child of another chunk, or for one in a later slot,
    /// because a turn goes through the slots in order.
    pub(super) fn first_due(&self, owner: &OwnerState) -> Slots {
        let refused_at = |slot: usize| self.time_of(owner.refused_at[slot]);
        let next = self
            .entries
            .peek()
            .map_or(u64::MAX, |entry| entry.refused_at);
        let Some(first) = Bits(owner.due).min_by_key(|&slot| refused_at(slot)) else {
            return 0;
        };
        let (mut slots, mut last, mut before) = (0, refused_at(first), next);
        for slot in Bits(owner.due) {
            if slot >= first && refused_at(slot) >= last {
                slots |= 1 << slot;
                last = refused_at(slot);
            } else {
                before = before.min(refused_at(slot));
            }
        }
        if last > before {
            let slots_before = Bits(slots).filter(|&slot| refused_at(slot) <= before);
            slots = slots_before.fold(0, |slots, slot| slots | 1 << slot);
        }
        slots
    }

    pub(super) fn pop(&mut self) -> Option<*mut Chunk> {
        let RefusedEntry { chunk, .. } = self.entries.pop()?;
        if self.entries.is_empty() && self.entries.capacity() > Self::SMALL {
            self.entries = BinaryHeap::new();
        }
        // SAFETY: as in `push`.
        let owner = unsafe { owner(chunk) };
        owner.first_entry = self.clock as u32;
        owner.refused_entries -= 1;
        Some(chunk)
    }
}

/// Iterates over the numbers of slots in a set.
pub(super) struct Bits(pub(super) Slots);

impl Iterator for Bits {
    type Item = usize;

    fn next(&mut self) -> Option<usize> {
        let slot = (self.0 != 0).then(|| self.0.trailing_zeros() as usize)?;
        self.0 &= self.0 - 1;
        Some(slot)
    }
}
