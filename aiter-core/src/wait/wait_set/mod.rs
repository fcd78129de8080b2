//! A crowd: those who wait for the same thing, and are woken together. Each stands at a place, for who wants to know.
//!
//! [`Seats`] with the contracts kept by types: a member cannot be cloned, waits by `&mut`, and keeps its seats alive.
#![allow(unsafe_code)]

use super::registry::{Behind, Last, SeatRef, Seats, Sleep};
use crate::sync::Arc;
use core::task::Waker;

/// What wakes the members.
pub(crate) struct Crowd(Arc<Shared>);

/// One that may wait. It keeps one waker, until it waits with another one, forgets it or is
/// dropped.
pub(crate) struct Member {
    crowd: Arc<Shared>,
    at: SeatRef,
    /// Another member, seen behind this one.
    behind: Option<Behind>,
}

struct Shared(Seats);

// SAFETY: seats hand wakers from thread to thread by their states, and wakers are `Send` and `Sync`.
unsafe impl Send for Shared {}
// SAFETY: as above.
unsafe impl Sync for Shared {}
// SAFETY: the seat is this member's on whichever thread it is, and the `Arc` keeps it.
unsafe impl Send for Member {}
// SAFETY: nothing is done with a shared member.
unsafe impl Sync for Member {}

impl Crowd {
    pub(crate) fn new() -> Self {
        let seats = Seats::new(0);
        // Vacant like all others.
        seats.leave(seats.first());
        Self(Arc::new(Shared(seats)))
    }

    /// One more member. Lock-free; allocates for every few members.
    pub(crate) fn join(&self) -> Member {
        self.join_at(0)
    }

    /// One more member at a place: an even number, and places wrap.
    pub(crate) fn join_at(&self, place: usize) -> Member {
        let crowd = self.0.clone();
        let at = crowd.0.claim(place, 0);
        Member {
            crowd,
            at,
            behind: None,
        }
    }

    /// The place of the member that is furthest behind. Lock-free: looks again when a member came.
    pub(crate) fn slowest(&self) -> Option<usize> {
        self.0.0.slowest(None)
    }

    /// Looks at each member's place.
    pub(crate) fn places(&self, mut look: impl FnMut(usize)) {
        self.0.0.each(|place, _| look(place));
    }

    /// Wakes each member that waits, once. If a waker panics the others are woken all the same.
    ///
    /// A member is seen to wait if its [`Member::wait`] happened before this.
    pub(crate) fn wake_all(&self) {
        self.0.0.wake_all();
    }
}

impl Member {
    /// The next [`Crowd::wake_all`] that comes after this wakes `waker`.
    pub(crate) fn wait(&mut self, waker: &Waker) {
        let Self { crowd, at, behind } = self;
        crowd.0.arm(at, behind, waker, Sleep::AtTail);
    }

    /// Drops the waker. Nothing wakes this member until it waits again.
    pub(crate) fn forget(&mut self) {
        self.crowd.0.forget(&mut self.at, &mut self.behind);
    }

    /// The member stands at another place.
    pub(crate) fn step(&mut self, place: usize) {
        self.crowd.0.advance(self.at, place, 0);
    }

    /// Whether no other member stands at `place` or behind it. Looks at one of them, or at all if that has gone on.
    /// Lock-free: looks again when a member came.
    pub(crate) fn is_last_at(&mut self, place: usize) -> bool {
        let seats = &self.crowd.0;
        let is_behind = |other: &Behind| seats.is_behind(other, place);
        if self.behind.as_ref().is_some_and(is_behind) {
            return false;
        }
        loop {
            match seats.last_at(self.at, &mut self.behind, place) {
                Last::No => return false,
                Last::Yes(_) => return true,
                Last::Unknown => {}
            }
        }
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        self.crowd.0.let_go(&mut self.behind);
        self.crowd.0.leave(self.at);
    }
}

#[cfg(all(test, aiter_loom))]
mod loom;
#[cfg(all(test, not(aiter_loom)))]
mod tests;
