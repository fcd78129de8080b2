//! Panics that travel through a task as items: the items before a panic are delivered first, and
//! then the panic is raised in the consumer.
use super::pace::{Free, Pace, paced};
use core::{
    future::Future,
    marker::PhantomData,
    pin::Pin,
    task::{Context, Poll, ready},
};
use futures_core::{FusedStream, Stream};
use pin_project::pin_project;
use std::panic::resume_unwind;

pub use crate::util::catch::Panic;
pub(super) use crate::util::catch::catch;

/// Catches a panic of the stream, and yields it as the last item. The stream is dropped as soon as
/// it has ended or panicked; a panic of its `Drop` becomes an item too.
#[pin_project]
#[derive(Debug)]
pub struct Caught<S>(#[pin] Option<S>);

impl<S> Caught<S> {
    /// Guards a stream.
    pub fn new(stream: S) -> Self {
        Self(Some(stream))
    }
}

impl<S: Stream> Stream for Caught<S> {
    type Item = Result<S::Item, Panic>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let mut stream = self.project().0;
        let Some(running) = stream.as_mut().as_pin_mut() else {
            return Poll::Ready(None);
        };
        let end = match catch(|| running.poll_next(cx)) {
            Ok(polled) => match ready!(polled) {
                Some(item) => return Poll::Ready(Some(Ok(item))),
                None => Ok(()),
            },
            Err(panic) => Err(panic),
        };
        let dropped = catch(|| stream.set(None));
        Poll::Ready(end.and(dropped).err().map(Err))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        // A panic may replace any item, or come after the last one.
        let most = self
            .0
            .as_ref()
            .map_or(Some(0), |stream| stream.size_hint().1?.checked_add(1));
        (0, most)
    }
}

/// Catches a panic of the future, or of its `Drop` once it is ready, and makes it the output.
#[pin_project]
#[derive(Debug)]
pub struct CaughtFuture<F>(#[pin] Option<F>);

impl<F> CaughtFuture<F> {
    /// Guards a future.
    pub fn new(future: F) -> Self {
        Self(Some(future))
    }
}

impl<F: Future> Future for CaughtFuture<F> {
    type Output = Result<F::Output, Panic>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut future = self.project().0;
        let running = future
            .as_mut()
            .as_pin_mut()
            .expect("polled after it was ready");
        let output = match catch(|| running.poll(cx)) {
            Ok(polled) => Ok(ready!(polled)),
            Err(panic) => Err(panic),
        };
        let dropped = catch(|| future.set(None));
        Poll::Ready(output.and_then(|output| dropped.map(|()| output)))
    }
}

/// A stream whose items are made in spawned tasks.
///
/// A panic in a task comes out of `poll_next` with its own payload, after the items that came
/// before it. A caller that catches the panic can go on with the items of other tasks. When a
/// runtime shuts down, it drops its tasks; the stream then yields the items that they had made, and
/// ends.
///
/// Dropping the stream ends the tasks, and the tasks drop their sources.
///
/// # Cancel safety
///
/// Dropping a `next()` loses nothing.
#[pin_project]
#[derive(Debug)]
#[must_use = "the tasks stop when their stream is dropped"]
pub struct Spawned<S, P = Free>(#[pin] S, PhantomData<fn() -> P>);

impl<S, P> Spawned<S, P> {
    pub(super) fn new(items: S) -> Self {
        Self(items, PhantomData)
    }
}

impl<S, T, P> Stream for Spawned<S, P>
where
    S: Stream<Item = Result<T, Panic>>,
    P: Pace,
{
    type Item = T;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<T>> {
        match ready!(paced::<P, _>(cx, |cx| self.project().0.poll_next(cx))) {
            Some(Ok(item)) => Poll::Ready(Some(item)),
            Some(Err(panic)) => resume_unwind(panic),
            None => Poll::Ready(None),
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (0, self.0.size_hint().1)
    }
}

impl<S, T, P> FusedStream for Spawned<S, P>
where
    S: FusedStream<Item = Result<T, Panic>>,
    P: Pace,
{
    fn is_terminated(&self) -> bool {
        self.0.is_terminated()
    }
}
