//! [`batch_within`]: batches that wait some time for more items.

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
/// Use it where items are cheaper together and may be a little late: rows for a database, metrics
/// for a collector, clicks for a statistic. A batch is given as soon as it has `n` items, or `d`
/// after its first one. `sleep` is the timer: see [`Sleep`]. To wait for no item but the first, take
/// [`batch`](crate::batch); `d` of zero does the same.
///
#[cfg_attr(doc, doc = include_str!("../../../docs/pictures/batch_within.svg"))]
///
/// The time counts from the poll that takes the first item of a batch. A consumer that comes back
/// later than `d` after that poll gets the batch at once, with what is ready by then. Between two
/// batches no timer runs, and nothing is pulled ahead of the consumer.
///
/// No batch is empty, and the items keep their order. When the source ends, the items before its
/// end come at once, as the last batch; the source is dropped then, and not polled again. One poll
/// takes at most 4096 items and then gives the batch, so that it returns also if `n` is larger and
/// the source is always ready.
///
/// Memory is allocated as items come, so a large `n` costs nothing. Each `Vec` belongs to the
/// consumer. The next one begins with room for as many items as the last one had, but not for more
/// than 4096.
///
/// # Panics
/// At the caller's line if `n` is 0. A panic of the source comes after the items before it: if
/// there are any, this poll gives them, and the next one resumes the panic. Without the feature
/// `std` panics cannot be kept: the panic comes at once, and the items before it stay in their
/// batch. Either way, a later poll polls the source again. A panic of the timer reaches the caller
/// of `poll_next`; the batch stays, and the next poll starts a new timer for it.
///
/// # Cancel safety
/// Cancel safe: the stream keeps the batch that is not given yet, and the time that it has waited.
/// Dropping the stream drops its items.
///
/// # Progress
/// Waits only for the source and the timer. There is at most one timer, in place. It is made when a
/// poll ends with a batch that is not full, so while items are ready none is made.
///
/// # Examples
/// Rows are inserted into a database together, up to a hundred at a time, and none waits longer
/// than 10 ms:
/// ```
/// use aiter_core::{batch_within, push_aiter};
/// use futures_lite::{StreamExt, future::block_on};
/// use std::{pin::pin, thread, time::Duration};
///
/// // A thread is a timer too. With tokio it is `tokio::time::sleep`, elsewhere
/// // `async_io::Timer::after`.
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
    /// The timer of this batch is over.
    is_due: bool,
}

impl<S: Stream, T: Sleep> Stream for BatchWithin<S, T> {
    type Item = Vec<S::Item>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Vec<S::Item>>> {
        let mut this = self.project();
        // The timer comes first: a source may use up the budget that tokio gives a task, and a
        // timer that is polled after that never ends.
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
