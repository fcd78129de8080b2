//! Futures made from the items of a stream, several at once, in the order in which they complete.
use super::Workers;
use crate::ready_set::Budget;
use core::{
    fmt,
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};
use futures_core::{FusedStream, Stream};
use pin_project::pin_project;

/// Runs `f` on each item and up to `n` of the futures it returns at once; results come as they complete.
///
/// As soon as one future completes, the next call of `poll_next` starts another. A fresh future is
/// polled at once where it stays. After that futures are polled when they woke, as is the source,
/// and once more if a call had to stop after many futures that were not done. Between fresh futures
/// that are ready at once those that woke have a turn, at least every 32 items. Futures that could
/// not go on for want of tokio's budget come first when the task runs again. Nothing is allocated
/// for `n` in advance, and `usize::MAX` is a limit like any other.
///
/// All futures run in the task that polls this stream: `n` bounds how many wait at the same time.
///
/// # Panics
/// At the caller if `n` is 0. A panic of `f` or of a future reaches the consumer from that call of `poll_next`; its item is
/// gone, the others go on. After a panic of the source no further items are taken.
///
/// # Cancel safety
/// `next()` may be dropped at any point: a result is taken only when it is handed out, and the futures in work stay.
/// Dropping the stream drops them.
///
/// # Progress
/// Waking a future is lock-free: nobody waits or spins.
///
/// # Examples
/// ```
/// use aiter_core::map_workers;
/// use futures_lite::{StreamExt, future::block_on, stream};
///
/// let squares = map_workers(4, |x| async move { x * x }, stream::iter(1..=3));
/// assert_eq!(block_on(squares.fold(0, |sum, x| sum + x)), 14);
/// ```
#[track_caller]
pub fn map_workers<S, F, Fut>(n: usize, f: F, s: S) -> MapWorkers<S, F, Fut>
where
    S: Stream,
    F: FnMut(S::Item) -> Fut,
    Fut: Future,
{
    assert!(n > 0, "map_workers needs at least one worker");
    MapWorkers {
        workers: Workers::new(s),
        f,
        n,
    }
}

/// The stream of [`map_workers`].
#[pin_project]
#[must_use = "streams do nothing unless polled"]
pub struct MapWorkers<S, F, Fut> {
    #[pin]
    workers: Workers<S, Fut>,
    f: F,
    n: usize,
}

impl<S, F, Fut> Stream for MapWorkers<S, F, Fut>
where
    S: Stream,
    F: FnMut(S::Item) -> Fut,
    Fut: Future,
{
    type Item = Fut::Output;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.project();
        let room = *this.n - this.workers.len();
        this.workers
            .poll(cx, &mut Budget::new(), room, this.f, Fut::poll)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let (low, high) = self.workers.source_hint();
        let work = self.workers.len();
        (
            low.saturating_add(work),
            high.and_then(|high| high.checked_add(work)),
        )
    }
}

impl<S, F, Fut> FusedStream for MapWorkers<S, F, Fut>
where
    S: Stream,
    F: FnMut(S::Item) -> Fut,
    Fut: Future,
{
    fn is_terminated(&self) -> bool {
        self.workers.is_terminated()
    }
}

impl<S: fmt::Debug, F, Fut> fmt::Debug for MapWorkers<S, F, Fut> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MapWorkers")
            .field("workers", &self.workers)
            .field("n", &self.n)
            .finish_non_exhaustive()
    }
}
