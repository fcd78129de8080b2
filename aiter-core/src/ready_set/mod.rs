//! The ready set: many pinned children, of which only those that have woken are polled.
//!
//! - `chunk`: the memory of up to 32 children, their ready bits and their wakers
//! - `ready_stack`: the stack of chunks that have woken, and the sleep of the owner
//! - `queue`: the owner's lists and queues of chunks
//! - `slots`: the owner's state, and which slots are vacant
//! - `round_robin`: which child is polled next
//! - `fairness`: children that were polled in vain, which are served first
//! - `serve`: polling the children that are ready
//! - `source`: the stream from which further children come
//! - this file: adding and dropping children
#![allow(unsafe_code)]
mod chunk;
mod fairness;
#[cfg(all(test, aiter_loom))]
mod loom;
mod queue;
mod ready_stack;
mod round_robin;
mod serve;
mod slots;
mod source;
#[cfg(all(test, not(aiter_loom)))]
mod tests;

use chunk::{Chunk, borrowed_waker, waker_data};
use core::{
    alloc::Layout,
    fmt,
    marker::PhantomData,
    mem,
    pin::Pin,
    ptr,
    task::{Context, Poll, Waker},
};
use queue::owner;
use ready_stack::StackOwner;
pub(crate) use round_robin::Budget;
use scopeguard::ScopeGuard;
pub(crate) use serve::{ChildPoll, Served};
use slots::SetState;

/// Children that are polled when they have woken, and the readiness of a source of further ones.
pub(crate) struct ReadySet<C> {
    /// The child whose turn it is: its slot, and the data of its waker. Valid while `items_left` is
    /// not 0.
    child: *mut C,
    data: *const (),
    /// How many items it may still yield in this turn. A whole register wide: where each item
    /// counts it down, some processors forward the stored value to the next load only from such a
    /// word.
    items_left: u32,
    source_ready: bool,
    state: SetState,
    children: PhantomData<C>,
}

// SAFETY: the children move with the set. Wakers on other threads reach only the chunks' headers,
// which are atomic.
unsafe impl<C: Send> Send for ReadySet<C> {}
// SAFETY: a shared set gives access to its children only in `for_each`, as shared references.
unsafe impl<C: Sync> Sync for ReadySet<C> {}
impl<C> Unpin for ReadySet<C> {}

impl<C> ReadySet<C> {
    pub(crate) fn new() -> Self {
        Self {
            child: ptr::null_mut(),
            data: ptr::null(),
            items_left: 0,
            source_ready: true,
            state: SetState::new(StackOwner::new(), Layout::new::<C>()),
            children: PhantomData,
        }
    }

    /// The number of children in the set.
    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.state.len
    }

    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.state.len == 0
    }

    /// Adds a child, which is polled in a coming turn.
    pub(crate) fn insert(&mut self, child: C) {
        let (chunk, slot) = self.state.vacant_slot();
        // SAFETY: a vacant slot of a chunk of the set.
        let place = unsafe { Chunk::slot::<C>(chunk, slot) };
        // SAFETY: as above.
        unsafe { place.write(child) };
        self.state.occupy(chunk, slot);
        // SAFETY: the set's chunk, no other reference to `owner`.
        unsafe { owner(chunk) }.requeued |= 1 << slot;
        self.state.queue.push(chunk);
    }

    /// Polls a fresh child in its slot, and adds it only if it is pending.
    #[inline]
    pub(crate) fn poll_and_insert<R>(
        &mut self,
        child: C,
        step: impl FnOnce(Pin<&mut C>, &mut Context<'_>) -> Poll<R>,
    ) -> Poll<R> {
        let (chunk, slot) = self.state.vacant_slot();
        // SAFETY: a vacant slot of a chunk of the set.
        let place = unsafe { Chunk::slot::<C>(chunk, slot) };
        // SAFETY: as above.
        unsafe { place.write(child) };
        // SAFETY: the child is in the slot, which counts as vacant unless the child is added.
        let fresh = scopeguard::guard(place, |place| unsafe { place.drop_in_place() });
        // SAFETY: the chunk outlives this call.
        let waker = unsafe { borrowed_waker(waker_data(chunk, slot)) };
        // SAFETY: it was just written there.
        let child = unsafe { &mut *place };
        // SAFETY: the child stays in its slot until it is dropped there.
        let child = unsafe { Pin::new_unchecked(child) };
        let polled = step(child, &mut Context::from_waker(&waker));
        if polled.is_pending() {
            ScopeGuard::into_inner(fresh);
            self.state.occupy(chunk, slot);
        } else {
            // Here, and not where the function ends: if the drop of the child panicked there, the
            // result would be leaked (rust-lang/rust#47949).
            drop(fresh);
        }
        polled
    }

    /// Drops the waker with which it was parked last if it is for another task than `waker` is.
    #[inline]
    pub(crate) fn clear_waker_for(&mut self, waker: &Waker) {
        self.state.stack.clear_waker_for(waker);
    }

    /// Drops the waker with which it was parked last.
    pub(crate) fn clear_waker(&mut self) {
        self.state.stack.clear_waker();
    }

    /// Registers `waker`, which is woken when a child or the source wakes. Returns `false` if one
    /// has woken: then the caller has to serve again.
    pub(crate) fn park(&mut self, waker: &Waker) -> bool {
        let parked = self.state.stack.park(waker);
        if parked {
            self.state.end_pass();
        }
        parked
    }

    /// Calls `f` with every child.
    pub(crate) fn for_each(&self, mut f: impl FnMut(&C)) {
        let mut chunk = self.state.chunks.front;
        while !chunk.is_null() {
            // SAFETY: the list holds live chunks, and nothing is written while the set is shared.
            let owner = unsafe { &(*chunk).owner };
            let mut bits = owner.occupied;
            while bits != 0 {
                // SAFETY: an occupied slot.
                let child = unsafe { Chunk::slot::<C>(chunk, bits.trailing_zeros() as usize) };
                // SAFETY: as above.
                f(unsafe { &*child });
                bits &= bits - 1;
            }
            chunk = owner.next;
        }
    }

    /// Drops the children and frees the chunks. Can be called again after a child has panicked.
    fn drain(&mut self) {
        while !self.state.chunks.front.is_null() {
            let chunk = self.state.chunks.front;
            // SAFETY: the set's chunk, and each access on its own.
            while unsafe { owner(chunk) }.occupied != 0 {
                // SAFETY: as above.
                let owner = unsafe { owner(chunk) };
                let slot = owner.occupied.trailing_zeros() as usize;
                owner.occupied &= owner.occupied - 1;
                // SAFETY: it was occupied until now.
                let child = unsafe { Chunk::slot::<C>(chunk, slot) };
                // SAFETY: as above.
                unsafe { child.drop_in_place() };
            }
            self.state.chunks.unlink(chunk);
            // SAFETY: the children have been dropped, and the set's other lists are not used any
            // more.
            unsafe { Chunk::free(chunk, self.state.child) };
        }
    }
}

impl<C> Drop for ReadySet<C> {
    fn drop(&mut self) {
        // If the drop of a child panics, the others are dropped all the same.
        let mut set = scopeguard::guard(self, |set| {
            set.drain();
            let source = mem::replace(&mut set.state.source, ptr::null_mut());
            if !source.is_null() {
                // SAFETY: the chunk has no slots, and the set does not use it any more.
                unsafe { Chunk::free(source, set.state.child) }
            }
        });
        set.drain();
    }
}

impl<C> fmt::Debug for ReadySet<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReadySet")
            .field("len", &self.state.len)
            .finish_non_exhaustive()
    }
}
