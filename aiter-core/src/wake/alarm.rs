//! A sleeper and its alarms: the ends of a [`WakeCell`] in one shared allocation, with room for data beside it.
//!
//! The contract of the cell, one registrar, holds by type: a [`Sleeper`] cannot be cloned and registers by `&mut`.
#![allow(unsafe_code)]

use super::cell::WakeCell;
use crate::sync::Arc;
use core::{fmt, ops::Deref, task::Waker};

pub(super) struct Inner<T> {
    cell: WakeCell,
    data: T,
}

/// The one that waits.
pub(crate) struct Sleeper<T>(Arc<Inner<T>>);

/// What wakes it.
pub(crate) struct Alarm<T>(Arc<Inner<T>>);

impl<T> Sleeper<T> {
    pub(crate) fn new(data: T) -> Self {
        let cell = WakeCell::new();
        Self(Arc::new(Inner { cell, data }))
    }

    pub(crate) fn alarm(&self) -> Alarm<T> {
        Alarm(self.0.clone())
    }

    /// The next [`Alarm::wake`] wakes `waker`, once. Look at what is waited for afterwards.
    pub(crate) fn register(&mut self, waker: &Waker) {
        // SAFETY: this is the only sleeper of the cell, and it is borrowed for itself.
        unsafe { self.0.cell.register(waker) }
    }

    /// Forgets the registered waker.
    pub(crate) fn clear(&mut self) {
        // SAFETY: as in `register`.
        unsafe { self.0.cell.clear() }
    }
}

impl<T> Drop for Sleeper<T> {
    fn drop(&mut self) {
        self.clear();
    }
}

impl<T> Alarm<T> {
    /// Wakes the sleeper if it has registered. Change what it waits for before.
    pub(crate) fn wake(&self) {
        self.0.cell.wake();
    }

    pub(super) fn as_ptr(&self) -> *const Inner<T> {
        Arc::as_ptr(&self.0)
    }

    /// # Safety
    /// `raw` comes from `as_ptr` of an alarm that was forgotten, and is given back once.
    pub(super) unsafe fn from_raw(raw: *const Inner<T>) -> Self {
        // SAFETY: passed on to the caller.
        Self(unsafe { Arc::from_raw(raw) })
    }
}

impl<T> Clone for Alarm<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T> Deref for Sleeper<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0.data
    }
}

impl<T> Deref for Alarm<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0.data
    }
}

impl<T: fmt::Debug> fmt::Debug for Sleeper<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Sleeper").field(&self.0.data).finish()
    }
}

impl<T: fmt::Debug> fmt::Debug for Alarm<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Alarm").field(&self.0.data).finish()
    }
}
