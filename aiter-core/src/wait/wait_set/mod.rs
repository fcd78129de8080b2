//! A set of tasks that wait for the same event and are woken together. Each waiter also publishes a
//! position, and a limit beside it.
//!
//! This is a [`Registry`] whose contracts are kept by types: a waiter cannot be cloned, waits by
//! `&mut`, and keeps the slots alive. A [`LazyWaitSet`] is one word until the first task waits.
#![allow(unsafe_code)]

mod lazy;

pub(crate) use lazy::LazyWaitSet;

use super::registry::{Follower, IsLast, Registry, SleepKind, SlotRef};
use crate::sync::{Arc, Lifetime, Ordering::*, fence};
use core::task::Waker;

/// Wakes the waiters of a set, and adds waiters to it.
pub(crate) struct WaitSet(Arc<Shared>);

/// A member of a set, which may wait. It keeps one waker, until it waits with another one, drops it
/// or is dropped itself.
pub(crate) struct Waiter {
    set: Arc<Shared>,
    at: SlotRef,
    /// Another waiter that was seen behind this one.
    follower: Option<Follower>,
}

struct Shared(Registry, Lifetime);

// SAFETY: the states of the slots hand wakers from thread to thread, and wakers are `Send` and
// `Sync`.
unsafe impl Send for Shared {}
// SAFETY: as above.
unsafe impl Sync for Shared {}
// SAFETY: the slot is this waiter's, whichever thread it is on, and the `Arc` keeps it.
unsafe impl Send for Waiter {}
// SAFETY: a shared waiter has no methods.
unsafe impl Sync for Waiter {}

impl WaitSet {
    pub(crate) fn new() -> Self {
        let registry = Registry::new(0);
        // A set starts without a waiter.
        registry.unregister(registry.first());
        Self(Arc::new(Shared(registry, Lifetime::new())))
    }

    /// Adds a waiter at position 0. This is lock-free, and allocates once for several waiters.
    pub(crate) fn add(&self) -> Waiter {
        self.add_at(0, 0)
    }

    /// Adds a waiter at a position, with a limit. Positions are even numbers, and wrap.
    pub(crate) fn add_at(&self, position: usize, limit: usize) -> Waiter {
        Waiter::new(self.0.clone(), position, limit)
    }

    /// Calls `look` with each waiter's position and limit.
    pub(crate) fn each(&self, look: impl FnMut(usize, usize)) {
        self.0.0.each(look);
    }

    /// Whether `look` returns `true` for the position and the limit of a waiter. It ends at the
    /// first one. A waiter that is added meanwhile may be missed.
    pub(crate) fn any(&self, look: impl FnMut(usize, usize) -> bool) -> bool {
        self.0.0.any(look)
    }

    /// Folds the positions and limits of all waiters. This is lock-free: it starts again if a
    /// waiter was added meanwhile.
    pub(crate) fn fold<R>(
        &self,
        start: impl Fn() -> R,
        mut look: impl FnMut(&mut R, usize, usize),
    ) -> R {
        loop {
            let mut result = start();
            let look = |position, limit| look(&mut result, position, limit);
            if self.0.0.each_unless_one_comes(look) {
                return result;
            }
        }
    }

    /// Sets the limit of all waiters, of which none ever [waits](Waiter::wait). Returns whether no
    /// waiter was added meanwhile. This thread has executed a `SeqCst` fence afterwards.
    pub(crate) fn set_limits(&self, limit: usize) -> bool {
        self.0.0.set_all_skipped(limit)
    }

    /// Wakes each waiter that waits, once. If a waker panics, the others are woken all the same.
    ///
    /// This wakes a waiter if its [`Waiter::wait`] happened before this call.
    pub(crate) fn wake_all(&self) {
        self.0.0.wake_all();
    }
}

#[cfg(all(test, not(aiter_loom)))]
impl WaitSet {
    /// How many segments the slots of the waiters are in.
    pub(crate) fn segments(&self) -> usize {
        self.0.0.segment_count()
    }
}

impl Waiter {
    fn new(set: Arc<Shared>, position: usize, limit: usize) -> Self {
        let at = set.0.register(position, limit);
        Self {
            set,
            at,
            follower: None,
        }
    }

    /// Adds a waiter at a position, with the limit that this one has. If [`WaitSet::set_limits`]
    /// changes that at the same time, it reaches both or returns `false`.
    pub(crate) fn another(&self, position: usize) -> Self {
        let mut limit = self.limit();
        let another = Self::new(self.set.clone(), position, limit);
        loop {
            // Ordering: SeqCst pairs with the fence in `set_limits`: either that sees that a waiter
            // came, or this sees the limit that it stored here.
            fence(SeqCst);
            let now = self.limit();
            if now == limit {
                return another;
            }
            // Ordering: Relaxed, because nothing but the limit is published. If the exchange fails,
            // the limit of the other one was set meanwhile.
            let theirs = another.set.0.skipped(another.at);
            let _ = theirs.compare_exchange(limit, now, Relaxed, Relaxed);
            limit = now;
        }
    }

    /// This waiter's limit.
    pub(crate) fn limit(&self) -> usize {
        // Ordering: Relaxed, because nothing but the limit is published.
        self.set.0.skipped(self.at).load(Relaxed)
    }

    /// Has the next [`WaitSet::wake_all`] wake `waker`.
    pub(crate) fn wait(&mut self, waker: &Waker) {
        let Self { set, at, follower } = self;
        set.0.arm(at, follower, waker, SleepKind::AtTail);
    }

    /// Whether this waiter waits with this waker already: the wake that ends that wait is still to
    /// come.
    #[inline]
    pub(crate) fn waits_with(&mut self, waker: &Waker) -> bool {
        self.set.0.is_armed_with(self.at, waker)
    }

    /// Drops the waker. Nothing wakes this waiter until it waits again.
    pub(crate) fn forget(&mut self) {
        self.set.0.drop_waker(&mut self.at, &mut self.follower);
    }

    /// Publishes another position.
    #[inline]
    pub(crate) fn set_position(&mut self, position: usize) {
        self.set.0.move_to(self.at, position);
    }

    /// Whether no other waiter is at or behind `position`. It looks at one of them, or at all if
    /// that one has moved on. This is lock-free: it looks again if a waiter was added meanwhile.
    #[inline]
    pub(crate) fn is_last_at(&mut self, position: usize) -> bool {
        let registry = &self.set.0;
        let is_behind = |other: &Follower| registry.is_behind(other, position);
        if self.follower.as_ref().is_some_and(is_behind) {
            return false;
        }
        self.find_last_at(position)
    }

    #[inline(never)]
    fn find_last_at(&mut self, position: usize) -> bool {
        loop {
            match self.set.0.check_last(self.at, &mut self.follower, position) {
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
