//! Streams whose items are made ahead, in tasks.
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
/// Streams joined, with a task each.
pub type JoinTasks<SS, R, P = Free> = Spawned<JoinAiters<Tasks<SS, R>>, P>;

/// The items of one task.
pub type Ahead<T> = Preloaded<Result<T, Panic>>;

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

/// Spawns the driver, and gives what it is ahead with.
#[track_caller]
pub(super) fn ahead<S: Stream>(
    place: &impl Spawn<Driver<S>>,
    (items, driver): (Preloaded<S::Item>, Driver<S>),
) -> Preloaded<S::Item> {
    place.spawn(driver);
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
