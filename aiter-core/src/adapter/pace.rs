//! How many items a task may take in a row: a runtime that counts is asked before each.
use core::task::{Context, Poll, ready};

/// What a runtime says to a task that takes one item more.
pub trait Pace {
    /// Leave to take an item.
    type Leave;

    /// `Pending`, having seen to it that the task is woken, if others have to run first.
    fn ask(cx: &mut Context<'_>) -> Poll<Self::Leave>;

    /// The leave was used. One that is dropped was not.
    fn used(leave: Self::Leave);
}

/// The pace of runtimes that do not count.
#[derive(Clone, Copy, Debug)]
pub struct Free;

impl Pace for Free {
    type Leave = ();

    fn ask(_: &mut Context<'_>) -> Poll<()> {
        Poll::Ready(())
    }

    fn used((): ()) {}
}

/// Polls at the pace `P`.
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
