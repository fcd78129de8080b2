//! Back to plain iterators.
use core::pin::Pin;
use futures_core::Stream;
use futures_lite::stream::{self, BlockOn};

/// Turns a stream into a blocking [`Iterator`].
///
/// A ready item is one poll. While the source is pending the thread is parked; timers and I/O go on, as they are driven by a
/// thread of their own. Dropping the iterator drops the stream.
///
/// Not for async tasks: they block a thread of the executor, and wait for ever if it was the last one. Take the items with
/// `.next().await` there, or move the loop into a thread of its own. No call of the runtime tells one thread from the
/// other, so that this cannot be reported.
///
/// # Panics
///
/// A panic of the source comes out of `next()`.
///
/// # Example
///
/// ```
/// # let stream = futures_lite::stream::iter(1..=3);
/// assert!(aiter_async_std::aiter_to_iter(stream).eq(1..=3));
/// ```
pub fn aiter_to_iter<S: Stream>(stream: S) -> BlockOn<Pin<Box<S>>> {
    stream::block_on(Box::pin(stream))
}
