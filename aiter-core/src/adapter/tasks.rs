//! Streams whose items are made ahead, in tasks.
use super::{
    Spawn,
    panics::{Caught, CaughtFuture, Panic, Spawned},
};
use crate::{
    IterToAiter, JoinAiters, Preloaded, iter_to_aiter, join_aiters, map_async, preload,
    sharable_aiter,
};
use alloc::{
    sync::Arc,
    vec::{IntoIter, Vec},
};
use core::{
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
};
use futures_core::{FusedStream, Stream};
use pin_project::pin_project;
use std::panic::resume_unwind;

/// A stream that a task keeps ahead of its consumer.
pub type PreloadAiter<T> = Spawned<Ahead<T>>;
/// Streams joined, with a task each.
pub type JoinTasks<SS, R> = Spawned<JoinAiters<Tasks<SS, R>>>;
/// What workers made of a stream, in the order in which it was ready.
pub type MapTasks<T> = Spawned<JoinAiters<IterToAiter<IntoIter<Ahead<T>>>>>;

/// The items of one task.
type Ahead<T> = Preloaded<Result<T, Panic>>;

/// Spawns the driver of [`preload`].
#[track_caller]
pub fn preload_aiter<S>(spawn: &impl Spawn, n: usize, stream: S) -> PreloadAiter<S::Item>
where
    S: Stream + Send + 'static,
    S::Item: Send + 'static,
{
    Spawned(ahead(spawn, n, Caught::new(stream)))
}

/// [`join_aiters`] with a task for each stream, at most `n` items ahead in each.
#[track_caller]
pub fn join_aiters_buffered<SS, R>(spawn: R, n: usize, streams: SS) -> JoinTasks<SS, R>
where
    SS: Stream,
    SS::Item: Stream + Send + 'static,
    <SS::Item as Stream>::Item: Send + 'static,
    R: Spawn,
{
    assert!(
        n > 0,
        "a join with a buffer of 0 items would never yield one"
    );
    Spawned(join_aiters(Tasks { streams, n, spawn }))
}

/// Joins `n` tasks, each of which takes an item of the shared source and awaits its `f(item)`.
#[track_caller]
pub fn map_workers<S, F, Fut>(
    spawn: &impl Spawn,
    n: usize,
    f: F,
    stream: S,
) -> MapTasks<Fut::Output>
where
    S: Stream + Send + 'static,
    S::Item: Send + 'static,
    F: Fn(S::Item) -> Fut + Send + Sync + 'static,
    Fut: Future + Send + 'static,
    Fut::Output: Send + 'static,
{
    assert!(n > 0, "0 workers would never take an item");
    let f = Arc::new(f);
    let source = sharable_aiter(Caught::new(stream));
    let worker = |_| {
        let f = f.clone();
        let work = move |item: Result<S::Item, Panic>| {
            let f = f.clone();
            CaughtFuture::new(async move {
                match item {
                    Ok(item) => f(item).await,
                    Err(panic) => resume_unwind(panic),
                }
            })
        };
        ahead(spawn, 1, map_async(work, source.clone()))
    };
    let workers: Vec<_> = (0..n).map(worker).collect();
    Spawned(join_aiters(iter_to_aiter(workers)))
}

#[track_caller]
fn ahead<S>(spawn: &impl Spawn, n: usize, stream: S) -> Preloaded<S::Item>
where
    S: Stream + Send + 'static,
    S::Item: Send + 'static,
{
    let (items, driver) = preload(n, stream);
    spawn.spawn(driver);
    items
}

/// A stream of streams, each of which gets a task when it comes.
#[pin_project]
#[derive(Debug)]
#[must_use = "streams do nothing unless polled"]
pub struct Tasks<SS, R> {
    #[pin]
    streams: SS,
    n: usize,
    spawn: R,
}

impl<SS, R> Stream for Tasks<SS, R>
where
    SS: Stream,
    SS::Item: Stream + Send + 'static,
    <SS::Item as Stream>::Item: Send + 'static,
    R: Spawn,
{
    type Item = Ahead<<SS::Item as Stream>::Item>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.project();
        let stream = ready!(this.streams.poll_next(cx));
        Poll::Ready(stream.map(|stream| ahead(this.spawn, *this.n, Caught::new(stream))))
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
