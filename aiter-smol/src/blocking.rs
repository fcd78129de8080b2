//! Blocking iterators over streams.
use aiter_core::adapter::{self, WaitAnywhere};
use core::future::Future;
use futures_core::Stream;
use futures_lite::future::block_on;

/// Turns a stream into a blocking [`Iterator`].
///
/// Use this in synchronous code. In an async task, take the items with `.next().await`, or move the
/// loop into [`smol::unblock`].
///
/// A ready item costs one poll. While the source is pending, the thread is parked. Timers and I/O
/// go on, because a thread of their own drives them. No item is taken before a `next()` asks for
/// it. Dropping the iterator drops the stream.
///
/// # Panics
///
/// Panics at the caller's line on a thread of smol's global executor, because blocking that thread
/// could stop the very tasks that it waits for. Inside [`smol::block_on`] and on other executors a
/// running task cannot be detected, so the thread blocks there. A panic of the source comes out of
/// `next()`.
///
/// # Example
///
/// ```
/// # let stream = futures_lite::stream::iter(1..=3);
/// assert!(aiter_smol::aiter_to_iter(stream).eq(1..=3));
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
    const ELSEWHERE: &'static str = "inside `smol::unblock`";

    /// Recognizes the threads of the global executor by their name, because smol has no call for
    /// it.
    fn runs_async_tasks() -> bool {
        let thread = std::thread::current();
        let number = thread.name().and_then(|name| name.strip_prefix("smol-"));
        number.is_some_and(|number| number.parse::<usize>().is_ok())
    }

    fn park_on<F: Future>(future: F) -> F::Output {
        block_on(future)
    }
}
