//! Blocking iterators over streams.
use aiter_core::adapter::{self, WaitAnywhere};
use core::future::Future;
use futures_core::Stream;
use futures_lite::future::block_on;

/// Turns a stream into a blocking [`Iterator`].
///
/// Use this in synchronous code. In an async task, take the items with `.next().await`, or move the
/// loop into a thread of its own.
///
/// A ready item costs one poll. While the source is pending, the thread is parked. Timers and I/O
/// go on, because a thread of their own drives them. No item is taken before a `next()` asks for
/// it. Dropping the iterator drops the stream.
///
/// # Panics
///
/// Panics at the caller's line inside a task, also one of [`block_on`](async_std::task::block_on),
/// because blocking its thread could stop the very tasks that it waits for. A panic of the source
/// comes out of `next()`.
///
/// # Example
///
/// ```
/// # let stream = futures_lite::stream::iter(1..=3);
/// assert!(aiter_async_std::aiter_to_iter(stream).eq(1..=3));
/// ```
#[track_caller]
pub fn aiter_to_iter<S: Stream>(stream: S) -> BlockingIter<S> {
    BlockingIter::new(stream, OnThread)
}

/// A blocking iterator over the items of a stream. [`aiter_to_iter`] returns it.
pub type BlockingIter<S> = adapter::BlockingIter<S, OnThread>;

/// Blocks a thread that runs no async tasks.
#[derive(Clone, Copy, Debug)]
pub struct OnThread;

impl WaitAnywhere for OnThread {
    const ELSEWHERE: &'static str = "in a thread of its own";

    fn runs_async_tasks() -> bool {
        async_std::task::try_current().is_some()
    }

    fn park_on<F: Future>(future: F) -> F::Output {
        block_on(future)
    }
}
