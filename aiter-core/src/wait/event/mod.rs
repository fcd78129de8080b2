//! [`Event`]: something that happens seldom, for which any number of tasks may wait.
//!
//! It is a [`WaitSet`] with the fences that order a change of its value and a wait for that change,
//! so that no lock has to. Use it where a wait is rare and no wake may be lost: for a stop, or for
//! the last reader of a hub that leaves. The wait set has the states.
//!
//! **No wake is lost** if a waiting task checks its condition after [`Listener::register`], and
//! the other side changes the condition before [`Event::notify`]. Each has a `SeqCst` fence between
//! its store and its load:
//!
//! | listener | notifier |
//! |---|---|
//! | arms its slot | changes the condition |
//! | fence | fence |
//! | checks the condition | looks for armed slots |
//!
//! One of the two fences comes first. If it is the listener's, the notifier finds the slot armed.
//! If it is the notifier's, the listener sees the condition changed.
//!
//! A listener that is armed with the same waker already has passed its fence, so it needs no second
//! one: whoever disarms it calls that waker.

use super::{
    task::TaskId,
    wait_set::{WaitSet, Waiter},
};
use crate::sync::{Ordering, fence};
use core::{fmt, ops::Deref, task::Waker};

/// The side that notifies, and that listeners are made from. Clones share one value.
pub(crate) struct Event<T>(WaitSet<T>);

/// The side of one task that may wait. It keeps the waker that it registered last, until it
/// registers another one or [clears](Self::clear) it.
pub(crate) struct Listener<T> {
    waiter: Waiter<T>,
    /// The task whose waker that is.
    task: TaskId,
}

impl<T> Event<T> {
    pub(crate) fn new(data: T) -> Self {
        Self(WaitSet::with(data))
    }

    /// Adds a listener. Lock-free; allocates once for several listeners.
    pub(crate) fn listener(&self) -> Listener<T> {
        Listener {
            waiter: self.0.add(),
            task: TaskId::NONE,
        }
    }

    /// Wakes each task that waits, once. Change the condition that they wait for before. If a waker
    /// panics, the others are woken all the same.
    pub(crate) fn notify(&self) {
        // Ordering: SeqCst, between the change of the condition and the loads of the slots, pairs
        // with the fence in `register`.
        fence(Ordering::SeqCst);
        self.0.wake_all();
    }

    /// As [`notify`](Self::notify), for a condition that does not change again: no waker is kept
    /// for a listener that left while it was woken.
    pub(crate) fn notify_last(&self) {
        let _sweep = scopeguard::guard(&self.0, |set| set.sweep());
        self.notify();
    }
}

impl<T> Listener<T> {
    /// Makes the next [`Event::notify`] wake `waker`, once. Check the awaited condition afterwards.
    /// Lock-free.
    pub(crate) fn register(&mut self, waker: &Waker) {
        if self.waiter.waits_with(waker) {
            return;
        }
        self.task = TaskId::of(waker);
        self.waiter.wait(waker);
        // Ordering: SeqCst, between the state of the slot and the caller's load of the condition,
        // pairs with the fence in `notify`.
        fence(Ordering::SeqCst);
    }

    /// Drops the registered waker.
    #[cold]
    #[inline(never)]
    pub(crate) fn clear(&mut self) {
        self.task = TaskId::NONE;
        self.waiter.forget();
    }

    /// Drops the registered waker if it belongs to another task than `waker` does.
    #[inline]
    pub(crate) fn clear_for(&mut self, waker: &Waker) {
        if self.task.is_another(waker) {
            self.clear();
        }
    }
}

#[cfg(all(test, not(aiter_loom)))]
impl<T> Event<T> {
    /// How many segments of slots the listeners have.
    pub(crate) fn segments(&self) -> usize {
        self.0.segments()
    }
}

impl<T> Clone for Event<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T> Deref for Event<T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T> Deref for Listener<T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        &self.waiter
    }
}

impl<T: fmt::Debug> fmt::Debug for Event<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Event").field(&**self).finish()
    }
}

impl<T: fmt::Debug> fmt::Debug for Listener<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Listener").field(&**self).finish()
    }
}

#[cfg(all(test, aiter_loom))]
mod loom;
