//! Tells whether another task polls than the one whose waker is kept.

use core::task::Waker;

/// A task, identified by the address of its waker's data. To compare it does not touch the waker
/// that is kept, which may be in use. Two tasks with the same address are taken for one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Task(usize);

impl Task {
    /// No waker is kept; or one without data, which keeps nothing.
    pub(crate) const NONE: Self = Self(0);

    #[inline(always)]
    pub(crate) fn of(waker: &Waker) -> Self {
        Self(waker.data().addr())
    }

    /// Whether a waker is kept that is not this one's task.
    #[inline(always)]
    pub(crate) fn is_another(self, waker: &Waker) -> bool {
        self != Self::NONE && self != Self::of(waker)
    }
}
