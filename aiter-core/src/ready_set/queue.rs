//! The lists that thread through the chunks of a set. They belong to the owner alone.
use super::chunk::{Chunk, OwnerState};
use core::ptr;

/// # Safety
/// `chunk` is alive and its set is owned by the caller, who holds no other reference to its `owner`.
#[inline]
#[allow(clippy::mut_from_ref)]
pub(super) unsafe fn owner<'a>(chunk: *mut Chunk) -> &'a mut OwnerState {
    // SAFETY: as the caller promises. Wakers look at the header only.
    unsafe { &mut (*chunk).owner }
}

/// How many queues a chunk can be in at once.
pub(super) const LISTS: usize = 2;
/// The queue of those that are to be served.
pub(super) const READY: usize = 0;
/// The list of those that were asked in vain.
pub(super) const ASKED: usize = 1;

/// Chunks, first in, first out. `LIST` says by which links.
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

    /// Puts a chunk at the end, unless it is there already.
    pub(super) fn push(&mut self, chunk: *mut Chunk) {
        // SAFETY: the set's chunks live until it lets them go, which it does not while they are queued.
        let owner = unsafe { owner(chunk) };
        if owner.listed[LIST] {
            return;
        }
        owner.listed[LIST] = true;
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
        owner.listed[LIST] = false;
        self.first = owner.next_queued[LIST];
        self.len -= 1;
        chunk
    }
}

/// All chunks of a set: those with a vacancy before the full ones.
pub(super) struct Roster {
    pub(super) front: *mut Chunk,
    back: *mut Chunk,
}

impl Roster {
    pub(super) const fn new() -> Self {
        Self {
            front: ptr::null_mut(),
            back: ptr::null_mut(),
        }
    }

    pub(super) fn push_front(&mut self, chunk: *mut Chunk) {
        // SAFETY: the set's chunks live until it lets them go, after unlinking them.
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
