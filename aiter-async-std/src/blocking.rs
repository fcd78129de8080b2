//! Back to plain iterators.
use aiter_core::adapter::{self, WaitAnywhere};
use core::future::Future;
use futures_core::Stream;
use futures_lite::future::block_on;

/// Turns a stream into a blocking [`Iterator`].
///
/// A ready item is one poll. While the source is pending the thread is parked; timers and I/O go on, as they are driven by a
/// thread of their own. Nothing is pulled ahead of a `next()`. Dropping the iterator drops the stream.
///
/// Not for async tasks: take the items with `.next().await` there, or move the loop into a thread of its own.
///
/// # Panics
///
/// At the caller's line, inside a task, which [`block_on`](async_std::task::block_on) makes as well: a loop that waits
/// could stop the very tasks it waits for. A panic of the source comes out of `next()`.
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

/// A stream as a blocking iterator: see [`aiter_to_iter`].
pub type BlockingIter<S> = adapter::BlockingIter<S, OnThread>;

/// Waits on a thread that runs no async tasks.
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
