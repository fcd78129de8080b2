//! The ready set: many pinned children, of which only those that woke are polled.
//!
//! - `chunk`: the memory of up to 32 children, their ready bits, their wakers
//! - `stack`: the stack of chunks that woke, the sleep of the owner
//! - `queue`: the owner's lists of chunks
//! - `state`: which slots are free
//! - `turns`: whose turn it is
//! - `refused`: the children that were polled in vain, which are served first
//! - `serve`: polling those that are ready
//! - `source`: where further children come from
//! - this file: children come and go
#![allow(unsafe_code)]
mod chunk;
mod fairness;
#[cfg(all(test, aiter_loom))]
mod loom;
mod queue;
mod ready_stack;
mod serve;
mod slots;
mod source;
#[cfg(all(test, not(aiter_loom)))]
mod tests;
mod turns;

use chunk::{Chunk, lend, tag};
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
use ready_stack::Owner;
pub(crate) use serve::{Served, Turn};
use slots::SetState;
pub(crate) use turns::Budget;

/// Children that are polled when they woke, and a source of further ones with a waker of its own.
pub(crate) struct ReadySet<C> {
    /// The child whose turn it is: its slot and its waker's data. Valid while `stay` is not 0.
    child: *mut C,
    data: *const (),
    /// Items it may still yield in this turn.
    stay: u8,
    source_ready: bool,
    state: SetState,
    children: PhantomData<C>,
}

// SAFETY: the children go where the set goes; wakers on other threads never touch them, only headers, which are atomic.
unsafe impl<C: Send> Send for ReadySet<C> {}
// SAFETY: a shared set shows its children to `for_each` only, as shared references.
unsafe impl<C: Sync> Sync for ReadySet<C> {}
impl<C> Unpin for ReadySet<C> {}

impl<C> ReadySet<C> {
    pub(crate) fn new() -> Self {
        Self {
            child: ptr::null_mut(),
            data: ptr::null(),
            stay: 0,
            source_ready: true,
            state: SetState::new(Owner::new(), Layout::new::<C>()),
            children: PhantomData,
        }
    }

    /// Children in the set.
    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.state.len
    }

    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.state.len == 0
    }

    /// Adds a child, to be polled in a coming turn.
    pub(crate) fn insert(&mut self, child: C) {
        let (chunk, slot) = self.state.vacancy();
        // SAFETY: a vacant slot of a chunk of ours.
        let place = unsafe { Chunk::slot::<C>(chunk, slot) };
        // SAFETY: as above.
        unsafe { place.write(child) };
        self.state.occupy(chunk, slot);
        // SAFETY: the set's chunk, no other reference to `owner`.
        unsafe { owner(chunk) }.again |= 1 << slot;
        self.state.queue.push(chunk);
    }

    /// Polls a fresh child where it is to stay, and adds it only if it is not done at once.
    #[inline]
    pub(crate) fn admit<R>(
        &mut self,
        child: C,
        step: impl FnOnce(Pin<&mut C>, &mut Context<'_>) -> Poll<R>,
    ) -> Poll<R> {
        let (chunk, slot) = self.state.vacancy();
        // SAFETY: a vacant slot of a chunk of ours.
        let place = unsafe { Chunk::slot::<C>(chunk, slot) };
        // SAFETY: as above.
        unsafe { place.write(child) };
        let guest = Guest(place);
        // SAFETY: the chunk outlives this call.
        let waker = unsafe { lend(tag(chunk, slot)) };
        // SAFETY: it was just written there.
        let child = unsafe { &mut *place };
        // SAFETY: the child stays in its slot until it is dropped there.
        let child = unsafe { Pin::new_unchecked(child) };
        let polled = step(child, &mut Context::from_waker(&waker));
        if polled.is_pending() {
            mem::forget(guest);
            self.state.occupy(chunk, slot);
        }
        polled
    }

    /// Forgets the waker that it slept with last, unless that is for the task of this one.
    #[inline(always)]
    pub(crate) fn forget_for(&mut self, waker: &Waker) {
        self.state.owner.forget_for(waker);
    }

    /// Forgets the waker that it slept with last.
    pub(crate) fn forget(&mut self) {
        self.state.owner.forget();
    }

    /// Goes to sleep: `waker` is woken when a child or the source wakes. `false` if one has: then serve again.
    pub(crate) fn park(&mut self, waker: &Waker) -> bool {
        let parked = self.state.owner.park(waker);
        if parked {
            self.state.rest();
        }
        parked
    }

    /// Shows every child.
    pub(crate) fn for_each(&self, mut f: impl FnMut(&C)) {
        let mut chunk = self.state.roster.front;
        while !chunk.is_null() {
            // SAFETY: the roster holds live chunks; nobody writes while the set is shared.
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

    /// Drops the children and lets the chunks go. Can be called again after a child panicked.
    fn drain(&mut self) {
        while !self.state.roster.front.is_null() {
            let chunk = self.state.roster.front;
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
            self.state.roster.unlink(chunk);
            // SAFETY: the children are gone, and the set's lists with the set.
            unsafe { Chunk::let_go(chunk, self.state.child) };
        }
    }
}

/// A fresh child that is being polled: dropped in its slot unless it stays.
struct Guest<C>(*mut C);

impl<C> Drop for Guest<C> {
    fn drop(&mut self) {
        // SAFETY: the child is in the slot, which counts as vacant.
        unsafe { self.0.drop_in_place() }
    }
}

impl<C> Drop for ReadySet<C> {
    fn drop(&mut self) {
        /// Goes on with the other children if one panics.
        struct Rest<'a, C>(&'a mut ReadySet<C>);
        impl<C> Drop for Rest<'_, C> {
            fn drop(&mut self) {
                self.0.drain();
                let source = mem::replace(&mut self.0.state.source, ptr::null_mut());
                if !source.is_null() {
                    // SAFETY: the set goes. It has no slots.
                    unsafe { Chunk::let_go(source, self.0.state.child) }
                }
            }
        }
        let rest = Rest(self);
        rest.0.drain();
    }
}

impl<C> fmt::Debug for ReadySet<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReadySet")
            .field("len", &self.state.len)
            .finish_non_exhaustive()
    }
}
