//! [`batch_within`]: batches that wait a limited time for more items.

use super::Collector;
use crate::{Sleep, util::in_place::InPlace};
use alloc::vec::Vec;
use core::{
    fmt,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};
use futures_core::{FusedStream, Stream};
use pin_project::pin_project;

/// Yields the items of `stream` in batches of up to `n`, each at most `d` after its first item.
///
/// Use it where many items cost little more than one, and each may be a little late: rows for a
/// database, metrics for a collector, clicks for a statistic. A batch is yielded when it has `n`
/// items, or `d` after its first item. `sleep` is the timer: see [`Sleep`]. If no item should wait
/// for others, use [`batch`](crate::batch), which does the same as a `d` of zero.
///
#[cfg_attr(doc, doc = include_str!("../../../docs/pictures/batch_within.svg"))]
///
/// The time counts from the poll that takes the first item of a batch. A consumer that polls again
/// only after `d` has passed gets the batch at once, with the items that are ready by then. Between
/// two batches no timer runs, and nothing is pulled ahead of the consumer.
///
/// No batch is empty, and the items keep their order. When the source ends, the items before the
/// end are yielded at once as the last batch, and the source is dropped. A poll takes at most 4096
/// items, and then yields the batch, so that it returns even if `n` is larger and the source is
/// always ready.
///
/// Memory is allocated as items come, so a large `n` costs nothing. The consumer owns each `Vec`.
/// The next one starts with the capacity for as many items as the last one had, up to 4096.
///
/// # Panics
/// At the caller's line if `n` is 0. A panic of the source comes after the items before it: the
/// poll in which it happens yields those items, if there are any, and the next poll resumes the
/// panic. Without the feature `std`, a panic cannot be caught. It then reaches the caller at once,
/// and the items before it stay in their batch. In both cases a later poll polls the source again.
/// A panic of the timer reaches the caller of `poll_next`. The batch stays, and the next poll
/// starts a new timer for it.
///
/// # Cancel safety
/// Cancel safe: the stream keeps the unfinished batch and its timer. Dropping the stream drops the
/// items of that batch.
///
/// # Progress
/// Waits only for the source and the timer. There is at most one timer, which is kept in the
/// stream. It is made when a poll ends with a batch that is not full, so none is made while items
/// are ready.
///
/// # Examples
/// Rows are inserted into a database together, up to a hundred at a time, and none waits longer
/// than 10 ms:
/// ```
/// use aiter_core::{batch_within, push_aiter};
/// use futures_lite::{StreamExt, future::block_on};
/// use std::{pin::pin, thread, time::Duration};
///
/// // This timer is a thread. Take `tokio::time::sleep` on tokio, and `async_io::Timer::after`
/// // elsewhere.
/// let sleep = |d| {
///     let (alarm, mut rings) = push_aiter::<()>();
///     thread::spawn(move || {
///         thread::sleep(d);
///         drop(alarm);
///     });
///     async move { rings.next().await }
/// };
/// let (rows, added) = push_aiter();
/// let mut batches = pin!(batch_within(100, Duration::from_millis(10), sleep, added));
///
/// rows.push_all(["Ada", "Grace"]).unwrap();
/// assert_eq!(block_on(batches.next()), Some(vec!["Ada", "Grace"]));
/// rows.push("Edsger").unwrap();
/// drop(rows);
/// assert_eq!(block_on(batches.next()), Some(vec!["Edsger"]));
/// assert_eq!(block_on(batches.next()), None);
/// ```
#[track_caller]
pub fn batch_within<S, T>(n: usize, d: Duration, sleep: T, stream: S) -> BatchWithin<S, T>
where
    S: Stream,
    T: Sleep,
{
    assert!(n > 0, "batch_within: n must be at least 1");
    BatchWithin {
        items: Collector::new(n, stream),
        d,
        sleep,
        timer: InPlace::empty(),
        is_due: false,
    }
}

/// The stream that [`batch_within`] returns.
#[pin_project]
#[must_use = "streams do nothing unless polled"]
pub struct BatchWithin<S: Stream, T: Sleep> {
    #[pin]
    items: Collector<S>,
    d: Duration,
    sleep: T,
    /// Runs while a batch waits for more items.
    #[pin]
    timer: InPlace<T::Sleep>,
    /// Whether the timer of this batch has completed.
    is_due: bool,
}

impl<S: Stream, T: Sleep> Stream for BatchWithin<S, T> {
    type Item = Vec<S::Item>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Vec<S::Item>>> {
        let mut this = self.project();
        // The timer is polled first. A source may use up the budget that tokio gives a task, and a
        // timer that is polled after that never completes.
        if !this.timer.is_empty() {
            *this.is_due = this.timer.as_mut().poll(cx).is_ready();
        }
        if this.items.as_mut().collect(cx).is_pending() {
            if this.items.is_empty() {
                return Poll::Pending;
            }
            if !*this.is_due && !this.d.is_zero() {
                if !this.timer.is_empty() {
                    return Poll::Pending;
                }
                this.timer.as_mut().set(this.sleep.sleep(*this.d));
                ready!(this.timer.as_mut().poll(cx));
            }
        }
        this.timer.clear();
        *this.is_due = false;
        Poll::Ready(this.items.take())
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.items.size_hint()
    }
}

impl<S: Stream, T: Sleep> FusedStream for BatchWithin<S, T> {
    fn is_terminated(&self) -> bool {
        self.items.is_terminated()
    }
}

impl<S: Stream + fmt::Debug, T: Sleep> fmt::Debug for BatchWithin<S, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BatchWithin")
            .field("items", &self.items)
            .field("d", &self.d)
            .field("waits", &!self.timer.is_empty())
            .finish_non_exhaustive()
    }
}
