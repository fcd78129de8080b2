//! Tells whether the task that polls is another one than the task whose waker is stored.

use core::task::Waker;

/// A task, identified by the address of its waker's data. Comparing it does not touch the stored
/// waker, which may be in use. Two tasks with the same address count as one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TaskId(usize);

impl TaskId {
    /// No waker is stored, or it has no data and keeps nothing alive.
    pub(crate) const NONE: Self = Self(0);

    #[inline]
    pub(crate) fn of(waker: &Waker) -> Self {
        Self(waker.data().addr())
    }

    /// Whether a waker is stored that belongs to another task than `waker` does.
    #[inline]
    pub(crate) fn is_another(self, waker: &Waker) -> bool {
        self != Self::NONE && self != Self::of(waker)
    }
}
