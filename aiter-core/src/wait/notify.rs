//! A sleeper and its alarms: the ends of a [`WakeCell`] in one shared allocation, with room for data beside it.
//!
//! The contract of the cell, one registrar, holds by type: a [`WakeSink`] cannot be cloned and registers by `&mut`.
#![allow(unsafe_code)]

use super::{task::Task, wake_cell::WakeCell};
use crate::sync::Arc;
use core::{fmt, mem, ops::Deref, task::Waker};

pub(super) struct Inner<T> {
    cell: WakeCell,
    data: T,
}

/// The one that waits. It keeps the waker that it registered last, until another one comes or it is
/// told to forget it.
pub(crate) struct WakeSink<T> {
    inner: Arc<Inner<T>>,
    /// Whose waker that is.
    task: Task,
}

/// What wakes it.
pub(crate) struct WakeSource<T>(Arc<Inner<T>>);

impl<T> WakeSink<T> {
    pub(crate) fn new(data: T) -> Self {
        let cell = WakeCell::new();
        Self {
            inner: Arc::new(Inner { cell, data }),
            task: Task::NONE,
        }
    }

    pub(crate) fn wake_source(&self) -> WakeSource<T> {
        WakeSource(self.inner.clone())
    }

    /// The next [`WakeSource::wake`] wakes `waker`, once. Look at what is waited for afterwards.
    pub(crate) fn register(&mut self, waker: &Waker) {
        self.task = Task::of(waker);
        // SAFETY: this is the only sleeper of the cell, and it is borrowed for itself.
        unsafe { self.inner.cell.register(waker) }
    }

    /// Forgets the registered waker.
    #[cold]
    #[inline(never)]
    pub(crate) fn clear(&mut self) {
        let task = mem::replace(&mut self.task, Task::NONE);
        // SAFETY: as in `register`.
        if !unsafe { self.inner.cell.clear() } {
            // It is being called. Another time.
            self.task = task;
        }
    }

    /// Forgets the registered waker if it is not for the task of this one.
    #[inline(always)]
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
