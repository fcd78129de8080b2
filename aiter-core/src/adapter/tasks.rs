//! Streams whose items are made ahead of their consumer, in tasks.
use super::{
    Spawn,
    pace::Free,
    panics::{Caught, Panic, Spawned},
};
use crate::{Driver, JoinAiters, Preloaded, Watermarks, join_aiters, preload, preload_with};
use core::{
    pin::Pin,
    task::{Context, Poll, ready},
};
use futures_core::{FusedStream, Stream};
use pin_project::pin_project;

/// A stream that a task keeps ahead of its consumer.
pub type PreloadAiter<T, P = Free> = Spawned<Ahead<T>, P>;
/// Joined streams, each with a task of its own.
pub type JoinTasks<SS, R, P = Free> = Spawned<JoinAiters<Tasks<SS, R>>, P>;

/// The items of one task.
pub type Ahead<T> = Preloaded<Result<T, Panic>>;

/// Spawns the driver of [`preload`].
#[track_caller]
pub fn preload_aiter<S, P>(
    executor: &impl Spawn<Driver<Caught<S>>>,
    n: usize,
    stream: S,
) -> PreloadAiter<S::Item, P>
where
    S: Stream,
{
    assert!(n > 0, "preload_aiter: n must be at least 1");
    Spawned::new(ahead(executor, preload(n, Caught::new(stream))))
}

/// Spawns the driver of [`preload_with`].
#[track_caller]
pub fn preload_aiter_with<S, P>(
    executor: &impl Spawn<Driver<Caught<S>>>,
    watermarks: Watermarks,
    stream: S,
) -> PreloadAiter<S::Item, P>
where
    S: Stream,
{
    let Watermarks { low, high } = watermarks;
    assert!(
        low < high,
        "preload_aiter_with: low ({low}) must be below high ({high})"
    );
    Spawned::new(ahead(
        executor,
        preload_with(watermarks, Caught::new(stream)),
    ))
}

/// [`join_aiters`] with a task for each stream, at most `n` items ahead in each.
#[track_caller]
pub fn join_aiters_buffered<SS, R, P>(executor: R, n: usize, streams: SS) -> JoinTasks<SS, R, P>
where
    SS: Stream,
    SS::Item: Stream,
    R: Spawn<Driver<Caught<SS::Item>>>,
{
    assert!(n > 0, "join_aiters_buffered: n must be at least 1");
    Spawned::new(join_aiters(Tasks {
        streams,
        n,
        executor,
    }))
}

/// Spawns the driver, and returns the stream that it fills.
#[track_caller]
pub(super) fn ahead<S: Stream>(
    executor: &impl Spawn<Driver<S>>,
    (items, driver): (Preloaded<S::Item>, Driver<S>),
) -> Preloaded<S::Item> {
    executor.spawn(driver.assume_started());
    items
}

/// A stream of streams. Each inner stream gets a task of its own as soon as the outer one yields
/// it.
#[pin_project]
#[derive(Debug)]
#[must_use = "streams do nothing unless polled"]
pub struct Tasks<SS, R> {
    #[pin]
    streams: SS,
    n: usize,
    executor: R,
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
        Poll::Ready(
            stream.map(|stream| ahead(this.executor, preload(*this.n, Caught::new(stream)))),
        )
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
