//! A panic travels through a task as an item: what came before it is delivered first, then it is raised where the items
//! are taken.
use super::pace::{Free, Pace, paced};
use alloc::boxed::Box;
use core::{
    any::Any,
    future::Future,
    marker::PhantomData,
    panic::AssertUnwindSafe,
    pin::Pin,
    task::{Context, Poll, ready},
};
use futures_core::{FusedStream, Stream};
use pin_project::pin_project;
use std::panic::{catch_unwind, resume_unwind};

/// What a panic carries.
pub type Panic = Box<dyn Any + Send>;

pub(super) fn catch<R>(f: impl FnOnce() -> R) -> Result<R, Panic> {
    // What panicked is dropped right after, or promises to be usable.
    catch_unwind(AssertUnwindSafe(f))
}

/// Catches a panic of the stream: it is the last item then. The stream is dropped as soon as it ended or panicked, and a
/// panic of its `Drop` is an item as well.
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
        // A panic may come instead of any item or after the last.
        let most = self
            .0
            .as_ref()
            .map_or(Some(0), |stream| stream.size_hint().1?.checked_add(1));
        (0, most)
    }
}

/// Catches a panic of the future, or of its `Drop` after it was ready: it is the output then.
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
/// A panic in a task comes out of `poll_next` as that panic, with its own payload, after the items that came before it.
/// Whoever catches it may go on with the items of other tasks; the stream never ends silently instead. A runtime that
/// shuts down drops its tasks: the stream yields what they had made, then ends.
///
/// Dropping the stream ends the tasks, and they drop their sources.
///
/// # Cancel safety
///
/// Nothing is lost when a `next()` is dropped.
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
