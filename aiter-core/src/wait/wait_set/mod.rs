//! A set of tasks that wait for the same event and are woken together. Each waiter also publishes a
//! position.
//!
//! This is a [`Registry`] whose contracts are kept by types: a waiter cannot be cloned, waits by
//! `&mut`, and keeps the slots alive.
#![allow(unsafe_code)]

use super::registry::{Follower, IsLast, Registry, SleepKind, SlotRef};
use crate::sync::Arc;
use core::{ops::Deref, task::Waker};

/// Wakes the waiters of a set, and adds waiters to it. Set and waiters share one value.
pub(crate) struct WaitSet<T = ()>(Arc<Shared<T>>);

/// A member of a set, which may wait. It keeps one waker, until it waits with another one, drops it
/// or is dropped itself.
pub(crate) struct Waiter<T = ()> {
    set: Arc<Shared<T>>,
    at: SlotRef,
    /// Another waiter that was seen behind this one.
    follower: Option<Follower>,
}

struct Shared<T> {
    registry: SharedRegistry,
    data: T,
}

struct SharedRegistry(Registry);

// SAFETY: the states of the slots hand wakers from thread to thread, and wakers are `Send` and
// `Sync`.
unsafe impl Send for SharedRegistry {}
// SAFETY: as above.
unsafe impl Sync for SharedRegistry {}
// SAFETY: the slot is this waiter's, whichever thread it is on, and the `Arc` keeps it. The bounds
// are those of the `Arc`.
unsafe impl<T: Send + Sync> Send for Waiter<T> {}
// SAFETY: a shared waiter only reads its slot, which is written by `&mut`. The bounds are those of
// the `Arc`.
unsafe impl<T: Send + Sync> Sync for Waiter<T> {}

impl WaitSet {
    pub(crate) fn new() -> Self {
        Self::with(())
    }
}

impl<T> WaitSet<T> {
    /// A set whose waiters share `data`.
    pub(crate) fn with(data: T) -> Self {
        let registry = SharedRegistry(Registry::new(0));
        // A set starts without a waiter.
        registry.0.unregister(registry.0.first());
        Self(Arc::new(Shared { registry, data }))
    }

    /// Adds a waiter at position 0. This is lock-free, and allocates once for several waiters.
    pub(crate) fn add(&self) -> Waiter<T> {
        self.add_at(0)
    }

    /// Adds a waiter at a position. Positions are even numbers, and wrap.
    pub(crate) fn add_at(&self, position: usize) -> Waiter<T> {
        let set = self.0.clone();
        let at = set.registry.0.register(position, 0);
        Waiter {
            set,
            at,
            follower: None,
        }
    }

    /// The position of the waiter that is furthest behind. This is lock-free: it looks again if a
    /// waiter was added meanwhile.
    pub(crate) fn min_position(&self) -> Option<usize> {
        self.registry().min_position_except(None)
    }

    /// Calls `look` with each waiter's position.
    pub(crate) fn positions(&self, mut look: impl FnMut(usize)) {
        self.registry().each(|position, _| look(position));
    }

    /// Wakes each waiter that waits, once. If a waker panics, the others are woken all the same.
    ///
    /// This wakes a waiter if its [`Waiter::wait`] happened before this call.
    pub(crate) fn wake_all(&self) {
        self.registry().wake_all();
    }

    /// Drops the wakers of waiters that left, or moved on, while they were woken. Every
    /// [`wake_all`](Self::wake_all) does so too, but may miss a waiter that leaves just then. Use
    /// this after the last one.
    pub(crate) fn sweep(&self) {
        self.registry().sweep();
    }

    /// How many segments the slots of the waiters are in.
    #[cfg(all(test, not(aiter_loom)))]
    pub(crate) fn segments(&self) -> usize {
        self.registry().segment_count()
    }

    fn registry(&self) -> &Registry {
        &self.0.registry.0
    }
}

impl<T> Waiter<T> {
    /// Has the next [`WaitSet::wake_all`] wake `waker`. That call has to happen after this one: a
    /// lock orders the two, or fences as in [`event`](crate::wait::event).
    pub(crate) fn wait(&mut self, waker: &Waker) {
        let Self { set, at, follower } = self;
        let registry = &set.registry.0;
        registry.arm(at, follower, waker, SleepKind::AtTail);
    }

    /// Whether this waiter waits with this waker already: the wake that ends that wait is still to
    /// come.
    #[inline]
    pub(crate) fn waits_with(&self, waker: &Waker) -> bool {
        self.set.registry.0.is_armed_with(self.at, waker)
    }

    /// Drops the waker. Nothing wakes this waiter until it waits again.
    pub(crate) fn forget(&mut self) {
        let Self { set, at, follower } = self;
        set.registry.0.drop_waker(at, follower);
    }

    /// Publishes another position.
    pub(crate) fn set_position(&mut self, position: usize) {
        self.set.registry.0.advance(self.at, position, 0);
    }

    /// Whether no other waiter is at or behind `position`. It looks at one of them, or at all if
    /// that one has moved on. This is lock-free: it looks again if a waiter was added meanwhile.
    pub(crate) fn is_last_at(&mut self, position: usize) -> bool {
        let registry = &self.set.registry.0;
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

impl<T> Drop for Waiter<T> {
    fn drop(&mut self) {
        let registry = &self.set.registry.0;
        registry.forget_follower(&mut self.follower);
        registry.unregister(self.at);
    }
}

impl<T> Deref for WaitSet<T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        &self.0.data
    }
}

impl<T> Deref for Waiter<T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        &self.set.data
    }
}

impl<T> Clone for WaitSet<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

#[cfg(all(test, aiter_loom))]
mod loom;
#[cfg(all(test, not(aiter_loom)))]
mod tests;
