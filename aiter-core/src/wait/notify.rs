//! [`WakeSink`] and [`WakeSource`]: the two ends of a [`WakeCell`] in one shared allocation, with
//! room for data beside it.
//!
//! The cell requires that only one task registers. The types ensure it: a [`WakeSink`] cannot be
//! cloned, and registers by `&mut`.
#![allow(unsafe_code)]

use super::{task::TaskId, wake_cell::WakeCell};
use crate::sync::Arc;
use core::{fmt, mem, ops::Deref, task::Waker};

pub(super) struct Inner<T> {
    cell: WakeCell,
    data: T,
}

/// The end that waits. It keeps the waker that it registered last, until it registers another one
/// or [clears](Self::clear) it.
pub(crate) struct WakeSink<T> {
    inner: Arc<Inner<T>>,
    /// The task whose waker that is.
    task: TaskId,
}

/// The end that wakes.
pub(crate) struct WakeSource<T>(Arc<Inner<T>>);

impl<T> WakeSink<T> {
    pub(crate) fn new(data: T) -> Self {
        let cell = WakeCell::new();
        Self {
            inner: Arc::new(Inner { cell, data }),
            task: TaskId::NONE,
        }
    }

    pub(crate) fn wake_source(&self) -> WakeSource<T> {
        WakeSource(self.inner.clone())
    }

    /// Makes the next [`WakeSource::wake`] wake `waker`, once. Check the awaited condition
    /// afterwards.
    pub(crate) fn register(&mut self, waker: &Waker) {
        self.task = TaskId::of(waker);
        // SAFETY: this is the only sink of the cell, and it is borrowed mutably.
        unsafe { self.inner.cell.register(waker) }
    }

    /// Drops the registered waker.
    #[cold]
    #[inline(never)]
    pub(crate) fn clear(&mut self) {
        let task = mem::replace(&mut self.task, TaskId::NONE);
        // SAFETY: as in `register`.
        if !unsafe { self.inner.cell.clear() } {
            // The waker is being called. A later call drops it.
            self.task = task;
        }
    }

    /// Drops the registered waker if it belongs to another task than `waker` does.
    #[inline]
    pub(crate) fn clear_for(&mut self, waker: &Waker) {
        if self.task.is_another(waker) {
            self.clear();
        }
    }
}

impl<T> Drop for WakeSink<T> {
    fn drop(&mut self) {
        self.clear();
    }
}

impl<T> WakeSource<T> {
    /// Wakes the registered task, if there is one. Change the condition that it waits for before.
    pub(crate) fn wake(&self) {
        self.0.cell.wake();
    }

    pub(super) fn as_ptr(&self) -> *const Inner<T> {
        Arc::as_ptr(&self.0)
    }

    /// # Safety
    /// `raw` comes from `as_ptr` of a wake source that was forgotten, and is passed here once.
    pub(super) unsafe fn from_raw(raw: *const Inner<T>) -> Self {
        // SAFETY: passed on to the caller.
        Self(unsafe { Arc::from_raw(raw) })
    }
}

impl<T> Clone for WakeSource<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T> Deref for WakeSink<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.inner.data
    }
}

impl<T> Deref for WakeSource<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0.data
    }
}

impl<T: fmt::Debug> fmt::Debug for WakeSink<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("WakeSink").field(&self.inner.data).finish()
    }
}

impl<T: fmt::Debug> fmt::Debug for WakeSource<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("WakeSource").field(&self.0.data).finish()
    }
}
