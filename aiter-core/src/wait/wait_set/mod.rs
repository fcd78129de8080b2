//! A crowd: those who wait for the same thing, and are woken together. Each stands at a place, for who wants to know.
//!
//! [`Registry`] with the contracts kept by types: a member cannot be cloned, waits by `&mut`, and keeps its seats alive.
#![allow(unsafe_code)]

use super::registry::{Follower, IsLast, Registry, SleepKind, SlotRef};
use crate::sync::Arc;
use core::task::Waker;

/// What wakes the members.
pub(crate) struct WaitSet(Arc<Shared>);

/// One that may wait. It keeps one waker, until it waits with another one, forgets it or is
/// dropped.
pub(crate) struct Waiter {
    set: Arc<Shared>,
    at: SlotRef,
    /// Another member, seen behind this one.
    follower: Option<Follower>,
}

struct Shared(Registry);

// SAFETY: seats hand wakers from thread to thread by their states, and wakers are `Send` and `Sync`.
unsafe impl Send for Shared {}
// SAFETY: as above.
unsafe impl Sync for Shared {}
// SAFETY: the seat is this member's on whichever thread it is, and the `Arc` keeps it.
unsafe impl Send for Waiter {}
// SAFETY: nothing is done with a shared member.
unsafe impl Sync for Waiter {}

impl WaitSet {
    pub(crate) fn new() -> Self {
        let registry = Registry::new(0);
        // Vacant like all others.
        registry.unregister(registry.first());
        Self(Arc::new(Shared(registry)))
    }

    /// One more member. Lock-free; allocates for every few members.
    pub(crate) fn add(&self) -> Waiter {
        self.add_at(0)
    }

    /// One more member at a place: an even number, and places wrap.
    pub(crate) fn add_at(&self, position: usize) -> Waiter {
        let set = self.0.clone();
        let at = set.0.register(position, 0);
        Waiter {
            set,
            at,
            follower: None,
        }
    }

    /// The place of the member that is furthest behind. Lock-free: looks again when a member came.
    pub(crate) fn min_position(&self) -> Option<usize> {
        self.0.0.min_position_except(None)
    }

    /// Looks at each member's place.
    pub(crate) fn positions(&self, mut look: impl FnMut(usize)) {
        self.0.0.each(|position, _| look(position));
    }

    /// Wakes each member that waits, once. If a waker panics the others are woken all the same.
    ///
    /// A member is seen to wait if its [`Waiter::wait`] happened before this.
    pub(crate) fn wake_all(&self) {
        self.0.0.wake_all();
    }
}

impl Waiter {
    /// The next [`WaitSet::wake_all`] that comes after this wakes `waker`.
    pub(crate) fn wait(&mut self, waker: &Waker) {
        let Self { set, at, follower } = self;
        set.0.arm(at, follower, waker, SleepKind::AtTail);
    }

    /// Drops the waker. Nothing wakes this member until it waits again.
    pub(crate) fn forget(&mut self) {
        self.set.0.forget(&mut self.at, &mut self.follower);
    }

    /// The member stands at another place.
    pub(crate) fn set_position(&mut self, position: usize) {
        self.set.0.advance(self.at, position, 0);
    }

    /// Whether no other member stands at `position` or behind it. Looks at one of them, or at all if that has gone on.
    /// Lock-free: looks again when a member came.
    pub(crate) fn is_last_at(&mut self, position: usize) -> bool {
        let registry = &self.set.0;
        let is_behind = |other: &Follower| registry.is_behind(other, position);
        if self.follower.as_ref().is_some_and(is_behind) {
            return false;
        }
        loop {
            match registry.check_last(self.at, &mut self.follower, position) {
                IsLast::No => return false,
                IsLast::Yes(_) => return true,
                IsLast::Unknown => {}
            }
        }
    }
}

impl Drop for Waiter {
    fn drop(&mut self) {
        self.set.0.forget_follower(&mut self.follower);
        self.set.0.unregister(self.at);
    }
}

#[cfg(all(test, aiter_loom))]
mod loom;
#[cfg(all(test, not(aiter_loom)))]
mod tests;
