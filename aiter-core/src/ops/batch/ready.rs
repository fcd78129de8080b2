//! [`batch`]: the items that are ready, as one batch.

use super::Collector;
use alloc::vec::Vec;
use core::{
    fmt,
    pin::Pin,
    task::{Context, Poll},
};
use futures_core::{FusedStream, Stream};
use pin_project::pin_project;

/// Yields the items of `stream` that are ready, up to `n` of them together in a `Vec`.
///
/// Use it where many items cost little more than one: rows for a database, lines for a file,
/// messages for a network. It waits only for the first item of a batch, so batching delays no item.
/// While items are rare, each batch has one; under load, the batches grow. To wait some time for
/// more items, use [`batch_within`](crate::batch_within).
///
#[cfg_attr(doc, doc = include_str!("../../../docs/pictures/batch.svg"))]
///
/// No batch is empty, and the items keep their order. When the source ends, the items before the
/// end are yielded at once as the last batch, and the source is dropped. A poll takes at most 4096
/// items, and then yields them, so that it returns even if `n` is larger and the source is always
/// ready.
///
/// Memory is allocated as items come, so a large `n` costs nothing. The consumer owns each `Vec`.
/// The next one starts with the capacity for as many items as the last one had, up to 4096.
///
/// # Panics
/// At the caller's line if `n` is 0. A panic of the source comes after the items before it: the
/// poll in which it happens yields those items, if there are any, and the next poll resumes the
/// panic. Without the feature `std`, a panic cannot be caught. It then reaches the caller at once,
/// and the items before it are the first of the next batch. In both cases a later poll polls the
/// source again.
///
/// # Cancel safety
/// Cancel safe: items are yielded by the poll that took them, so the stream holds none between two
/// polls. The exception is a panic of the source without `std`, after which the items before it
/// stay in the stream.
///
/// # Progress
/// Waits only for the source. Each batch is one allocation, or a few while batches grow.
///
/// # Examples
/// A task writes the lines of a log to a file. The lines that arrive during a write are written
/// together by the next one:
/// ```
/// use aiter_core::{batch, push_aiter};
/// use futures_lite::{StreamExt, future::block_on};
/// use std::io::Write;
///
/// let (log, lines) = push_aiter();
/// log.push_all(["started\n", "listening\n", "ready\n"])?;
/// drop(log);
///
/// let (mut file, mut writes) = (Vec::new(), 0);
/// block_on(batch(100, lines).for_each(|lines| {
///     file.write_all(lines.concat().as_bytes()).unwrap();
///     writes += 1;
/// }));
/// assert_eq!((file.as_slice(), writes), (&b"started\nlistening\nready\n"[..], 1));
/// # Ok::<(), aiter_core::Stopped<Vec<&str>>>(())
/// ```
#[track_caller]
pub fn batch<S: Stream>(n: usize, stream: S) -> Batch<S> {
    assert!(n > 0, "batch: n must be at least 1");
    Batch(Collector::new(n, stream))
}

/// The stream that [`batch`] returns.
#[pin_project]
#[must_use = "streams do nothing unless polled"]
pub struct Batch<S: Stream>(#[pin] Collector<S>);

impl<S: Stream> Stream for Batch<S> {
    type Item = Vec<S::Item>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Vec<S::Item>>> {
        let mut items = self.project().0;
        if items.as_mut().collect(cx).is_pending() && items.is_empty() {
            return Poll::Pending;
        }
        Poll::Ready(items.take())
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.0.size_hint()
    }
}

impl<S: Stream> FusedStream for Batch<S> {
    fn is_terminated(&self) -> bool {
        self.0.is_terminated()
    }
}

impl<S: Stream + fmt::Debug> fmt::Debug for Batch<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Batch").field(&self.0).finish()
    }
}
