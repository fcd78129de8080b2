//! Streams whose items are made ahead, in tasks.
use super::{
    Spawn,
    pace::Free,
    panics::{Caught, CaughtFuture, Panic, Spawned, catch},
};
use crate::{
    Driver, IterToAiter, JoinAiters, Preloaded, Sharable, Watermarks, iter_to_aiter, join_aiters,
    preload, preload_with, sharable_aiter,
};
use alloc::{
    sync::Arc,
    vec::{IntoIter, Vec},
};
use core::{
    fmt,
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
};
use futures_core::{FusedStream, Stream};
use pin_project::pin_project;

/// A stream that a task keeps ahead of its consumer.
pub type PreloadAiter<T, P = Free> = Spawned<Ahead<T>, P>;
/// Streams joined, with a task each.
pub type JoinTasks<SS, R, P = Free> = Spawned<JoinAiters<Tasks<SS, R>>, P>;
/// What workers made of a stream, in the order in which it was ready.
pub type MapTasks<T, P = Free> = Spawned<JoinAiters<IterToAiter<IntoIter<Ahead<T>>>>, P>;

/// The items of one task.
type Ahead<T> = Preloaded<Result<T, Panic>>;

/// Spawns the driver of [`preload`].
#[track_caller]
pub fn preload_aiter<S, P>(
    place: &impl Spawn<Driver<Caught<S>>>,
    n: usize,
    stream: S,
) -> PreloadAiter<S::Item, P>
where
    S: Stream,
{
    Spawned::new(ahead(place, preload(n, Caught::new(stream))))
}

/// Spawns the driver of [`preload_with`].
#[track_caller]
pub fn preload_aiter_with<S, P>(
    place: &impl Spawn<Driver<Caught<S>>>,
    watermarks: Watermarks,
    stream: S,
) -> PreloadAiter<S::Item, P>
where
    S: Stream,
{
    Spawned::new(ahead(place, preload_with(watermarks, Caught::new(stream))))
}

/// [`join_aiters`] with a task for each stream, at most `n` items ahead in each.
#[track_caller]
pub fn join_aiters_buffered<SS, R, P>(place: R, n: usize, streams: SS) -> JoinTasks<SS, R, P>
where
    SS: Stream,
    SS::Item: Stream,
    R: Spawn<Driver<Caught<SS::Item>>>,
{
    assert!(
        n > 0,
        "a join with a buffer of 0 items would never yield one"
    );
    Spawned::new(join_aiters(Tasks { streams, n, place }))
}

/// Joins `n` tasks, each of which takes an item of the shared source and awaits its `f(item)`.
#[track_caller]
pub fn map_workers<S, F, Fut, P>(
    place: &impl Spawn<Driver<Worker<S, F, Fut>>>,
    n: usize,
    f: F,
    stream: S,
) -> MapTasks<Fut::Output, P>
where
    S: Stream,
    F: Fn(S::Item) -> Fut,
    Fut: Future,
{
    assert!(n > 0, "0 workers would never take an item");
    let f = Arc::new(f);
    let source = sharable_aiter(Caught::new(stream));
    let mut workers = Vec::with_capacity(n);
    // A plain loop: the panic of a place that cannot spawn stands at the caller's line.
    for _ in 0..n {
        let worker = Worker {
            source: source.clone(),
            f: f.clone(),
            working: None,
        };
        workers.push(ahead(place, preload(1, worker)));
    }
    Spawned::new(join_aiters(iter_to_aiter(workers)))
}

#[track_caller]
fn ahead<S: Stream>(
    place: &impl Spawn<Driver<S>>,
    (items, driver): (Preloaded<S::Item>, Driver<S>),
) -> Preloaded<S::Item> {
    place.spawn(driver);
    items
}

/// Takes an item of the shared source, awaits its `f(item)`, and takes the next. A panic costs one item.
#[pin_project]
pub struct Worker<S: Stream, F, Fut> {
    source: Sharable<Caught<S>>,
    f: Arc<F>,
    #[pin]
    working: Option<CaughtFuture<Fut>>,
}

impl<S, F, Fut> Stream for Worker<S, F, Fut>
where
    S: Stream,
    F: Fn(S::Item) -> Fut,
    Fut: Future,
{
    type Item = Result<Fut::Output, Panic>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let mut this = self.project();
        loop {
            if let Some(working) = this.working.as_mut().as_pin_mut() {
                let result = ready!(working.poll(cx));
                this.working.set(None);
                return Poll::Ready(Some(result));
            }
            let Some(item) = ready!(Pin::new(&mut *this.source).poll_next(cx)) else {
                return Poll::Ready(None);
            };
            match item.and_then(|item| catch(|| (this.f)(item))) {
                Ok(future) => this.working.set(Some(CaughtFuture::new(future))),
                Err(panic) => return Poll::Ready(Some(Err(panic))),
            }
        }
    }
}

impl<S: Stream, F, Fut> fmt::Debug for Worker<S, F, Fut> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Worker")
            .field("is_working", &self.working.is_some())
            .finish_non_exhaustive()
    }
}

/// A stream of streams, each of which gets a task when it comes.
#[pin_project]
#[derive(Debug)]
#[must_use = "streams do nothing unless polled"]
pub struct Tasks<SS, R> {
    #[pin]
    streams: SS,
    n: usize,
    place: R,
}

impl<SS, R> Stream for Tasks<SS, R>
where
    SS: Stream,
    SS::Item: Stream,
    R: Spawn<Driver<Caught<SS::Item>>>,
{
    type Item = Ahead<<SS::Item as Stream>::Item>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.project();
        let stream = ready!(this.streams.poll_next(cx));
        Poll::Ready(stream.map(|stream| ahead(this.place, preload(*this.n, Caught::new(stream)))))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.streams.size_hint()
    }
}

impl<SS, R> FusedStream for Tasks<SS, R>
where
    Self: Stream,
    SS: FusedStream,
{
    fn is_terminated(&self) -> bool {
        self.streams.is_terminated()
    }
}
