//! Support for tokio's cooperative budget, which makes a task that has taken many items let other
//! tasks run.
use aiter_core::adapter::{Pace, paced};
use core::{
    pin::Pin,
    task::{Context, Poll},
};
use futures_core::{FusedStream, Stream};
use pin_project::pin_project;
use tokio::task::coop::{RestoreOnPending, poll_proceed};

/// Tokio's cooperative budget. An item costs one of the units that a task receives for each run.
#[derive(Clone, Copy, Debug)]
pub struct Budget;

impl Pace for Budget {
    type Leave = RestoreOnPending;

    fn ask(cx: &mut Context<'_>) -> Poll<RestoreOnPending> {
        poll_proceed(cx)
    }

    fn used(leave: RestoreOnPending) {
        leave.made_progress();
    }
}

/// Makes a stream take part in tokio's cooperative budget, as tokio's own channels do.
///
/// Use this for a stream that may be ready for a long time. A task that takes items from such a
/// stream in a loop keeps its thread to itself, and no other task of that thread runs. The stream
/// returned here is pending once the task has used up its budget, which is 128 items and other
/// operations of tokio; see [`tokio::task::coop`]. The task is woken at once, so it goes on after
/// the other tasks have run.
///
/// Inside [`unconstrained`](tokio::task::coop::unconstrained) and outside tokio there is no budget,
/// so the stream is pending only when its source is. Streams made of spawned tasks, which other
/// functions of this crate return, already take part in the budget and need no wrapper.
///
/// # Cancel safety
///
/// Dropping the future of a `next()` loses an item only if the source itself would lose one.
///
/// # Example
///
/// ```
/// use aiter_tokio::{cooperative, iter_to_aiter};
/// use futures_lite::StreamExt;
///
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// let other = tokio::spawn(async { "has run" });
/// let mut endless = cooperative(iter_to_aiter(0..));
/// while !other.is_finished() {
///     endless.next().await;
/// }
/// # });
/// ```
pub fn cooperative<S: Stream>(stream: S) -> Cooperative<S> {
    Cooperative(stream)
}

/// A stream that takes part in tokio's cooperative budget. [`cooperative`] returns it.
#[pin_project]
#[derive(Clone, Debug)]
#[must_use = "streams do nothing unless polled"]
pub struct Cooperative<S>(#[pin] S);

impl<S: Stream> Stream for Cooperative<S> {
    type Item = S::Item;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<S::Item>> {
        paced::<Budget, _>(cx, |cx| self.project().0.poll_next(cx))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.0.size_hint()
    }
}

impl<S: FusedStream> FusedStream for Cooperative<S> {
    fn is_terminated(&self) -> bool {
        self.0.is_terminated()
    }
}
