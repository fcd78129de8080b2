//! The cooperative budget of a runtime: it says how many items a task may take in a row.
use core::task::{Context, Poll, ready};

/// A budget that a task asks before it takes an item.
pub trait Pace {
    /// The permission to take one item.
    type Leave;

    /// Gives the permission, or returns `Pending` and wakes the task when it may ask again.
    fn ask(cx: &mut Context<'_>) -> Poll<Self::Leave>;

    /// An item was taken with the permission. A permission that is dropped goes back to the budget.
    fn used(leave: Self::Leave);
}

/// The budget of a runtime that has none.
#[derive(Clone, Copy, Debug)]
pub struct Free;

impl Pace for Free {
    type Leave = ();

    fn ask(_: &mut Context<'_>) -> Poll<()> {
        Poll::Ready(())
    }

    fn used((): ()) {}
}

/// Polls within the budget `P`.
#[inline]
pub fn paced<P: Pace, T>(
    cx: &mut Context<'_>,
    poll: impl FnOnce(&mut Context<'_>) -> Poll<T>,
) -> Poll<T> {
    let leave = ready!(P::ask(cx));
    let polled = poll(cx);
    if polled.is_ready() {
        P::used(leave);
    }
    polled
}
