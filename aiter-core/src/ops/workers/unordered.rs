//! [`map_workers`]: several futures at once, with their results in the order in which they
//! complete.
use super::{Work, Workers};
use crate::ready_set::{Budget, ChildPoll};
use core::{
    fmt,
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};
use futures_core::{FusedStream, Stream};
use pin_project::pin_project;

/// Runs `f` on each item and up to `n` of the futures it returns at once. Yields their results as
/// they complete.
///
/// Use it for work that waits, such as requests to a server: `n` bounds how many wait at the same
/// time. All futures run in the task that polls this stream, so the adapters' `map_workers` is the
/// one for work that computes. No memory is allocated for `n` in advance, and `usize::MAX` is a
/// limit like any other. Use [`map_workers_by`](crate::map_workers_by) for work that has to be done
/// one after the other where it concerns the same key.
///
#[cfg_attr(doc, doc = include_str!("../../../docs/pictures/map_workers.svg"))]
///
/// As soon as one future completes, the next call of `poll_next` starts another one and polls it at
/// once. After that, a future is polled again when it wakes, and so is the source. Futures that are
/// ready at once do not starve those that woke: these are polled at least every 32 items. If a poll
/// stops after many futures in a row were pending, they may have run out of tokio's budget. Such
/// futures are polled once more, and come first, when the task runs again.
///
/// # Panics
/// At the caller's line if `n` is 0. A panic of `f` or of a future reaches the caller of
/// `poll_next`. Its item is lost, and the others continue. After a panic of the source no further
/// items are taken.
///
/// # Cancel safety
/// Cancel safe: a result is taken only when it is returned, and the stream keeps the futures in
/// work. Dropping the stream drops them.
///
/// # Progress
/// Waits only for the source and the futures. Waking a future is lock-free: it never waits and
/// never spins.
///
/// # Examples
/// A crawler fetches pages, at most four at a time, and the first page that arrives comes first:
/// ```
/// use aiter_core::map_workers;
/// use futures_lite::{StreamExt, future::{block_on, yield_now}, stream};
///
/// let fetch = async |path: &'static str| {
///     if path == "/archive" {
///         yield_now().await; // a slow page
///     }
///     format!("<h1>{path}</h1>")
/// };
/// let pages = map_workers(4, fetch, stream::iter(["/archive", "/news"]));
/// let pages: Vec<_> = block_on(pages.collect());
/// assert_eq!(pages, ["<h1>/news</h1>", "<h1>/archive</h1>"]);
/// ```
#[track_caller]
pub fn map_workers<S, F, Fut>(n: usize, f: F, stream: S) -> MapWorkers<S, F, Fut>
where
    S: Stream,
    F: FnMut(S::Item) -> Fut,
    Fut: Future,
{
    assert!(n > 0, "map_workers: n must be at least 1");
    MapWorkers {
        workers: Workers::new(stream),
        work: Unordered { f, n },
    }
}

/// The stream that [`map_workers`] returns.
#[pin_project]
#[must_use = "streams do nothing unless polled"]
pub struct MapWorkers<S, F, Fut> {
    #[pin]
    workers: Workers<S, Fut>,
    work: Unordered<F>,
}

struct Unordered<F> {
    f: F,
    n: usize,
}

impl<T, F, Fut> Work<T> for Unordered<F>
where
    F: FnMut(T) -> Fut,
    Fut: Future,
{
    type Child = Fut;
    type Output = Fut::Output;

    #[inline]
    fn has_room(&self, in_work: usize) -> bool {
        in_work < self.n
    }

    #[inline]
    fn start(&mut self, item: T) -> Option<Fut> {
        Some((self.f)(item))
    }

    #[inline]
    fn poll_fresh(&mut self, future: Pin<&mut Fut>, cx: &mut Context<'_>) -> Poll<Fut::Output> {
        future.poll(cx)
    }

    #[inline]
    fn poll_again(
        &mut self,
        future: Pin<&mut Fut>,
        cx: &mut Context<'_>,
    ) -> ChildPoll<Fut::Output> {
        future.poll(cx).into()
    }
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
        this.workers.poll(cx, &mut Budget::new(), this.work)
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
            .field("n", &self.work.n)
            .finish_non_exhaustive()
    }
}
