//! Taking part in tokio's budget: a task that has taken its share of items lets others run.
use aiter_core::adapter::{Pace, paced};
use core::{
    pin::Pin,
    task::{Context, Poll},
};
use futures_core::{FusedStream, Stream};
use pin_project::pin_project;
use tokio::task::coop::{RestoreOnPending, poll_proceed};

/// The pace of tokio: an item costs one of the units that a task has each time it is run.
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
/// A task that takes items in a loop from a stream that is always ready lets no other task of its thread run. This stream is
/// pending for once when the task has used up its budget (128 items and other operations of tokio, see
/// [`tokio::task::coop`]), so that the others have their turn, then goes on. In
/// [`unconstrained`](tokio::task::coop::unconstrained) and outside tokio it never is. What this crate gives out of tasks
/// needs no wrapping: it takes part by itself.
///
/// # Cancel safety
///
/// That of the stream.
///
/// # Example
///
/// ```
/// use aiter_tokio::{AiterExt, cooperative, iter_to_aiter};
/// use futures_lite::StreamExt;
///
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// let other = tokio::spawn(async { "had its turn" });
/// let mut endless = cooperative(iter_to_aiter([iter_to_aiter(0..)]).join_aiters());
/// while !other.is_finished() {
///     endless.next().await;
/// }
/// # });
/// ```
pub fn cooperative<S: Stream>(stream: S) -> Cooperative<S> {
    Cooperative(stream)
}

/// The stream of [`cooperative`].
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
