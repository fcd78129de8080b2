//! [`preload`]: keeps a few items ready ahead of the consumer.

use crate::{
    Driver, TryNextError, Watermarks,
    list::Reader,
    wait::{demand::Demand, notify::WakeSource},
};
use core::{
    fmt,
    pin::Pin,
    task::{Context, Poll, ready},
};
use futures_core::{FusedStream, Stream};

/// Keeps up to `n` items of `stream` ready ahead of the consumer.
///
/// Use it to overlap a slow source with slow consumption: the driver pulls while the consumer is
/// busy. Run the returned [`Driver`] on any executor; the adapter crates spawn it in
/// `preload_aiter`. At most `n` items are pulled and not yet taken. Each item that is taken lets
/// one more be pulled; use [`preload_with`] to pull several at once. The aiter ends when the source
/// does, or when the driver is dropped. Once the consumer is dropped, the driver completes and
/// drops the source, even if that was pending.
///
#[cfg_attr(doc, doc = include_str!("../../docs/pictures/preload.svg"))]
///
/// # Panics
/// At the caller's line if `n` is 0. A panic of the source reaches the caller that polls the
/// driver. The aiter ends when the driver is dropped; if that happens before the driver's first
/// poll, polling the aiter panics, because it would look like an empty stream.
///
/// # Cancel safety
/// Cancel safe, as [`Preloaded`] and [`Driver`] are: no item is lost.
///
/// # Example
/// ```
/// use aiter_core::{iter_to_aiter, preload};
/// use futures_lite::{StreamExt, future::block_on, future::zip};
///
/// let (items, driver) = preload(2, iter_to_aiter(0..5));
/// let (_, items) = block_on(zip(driver, items.collect::<Vec<_>>()));
/// assert_eq!(items, [0, 1, 2, 3, 4]);
/// ```
#[track_caller]
pub fn preload<S: Stream>(n: usize, stream: S) -> (Preloaded<S::Item>, Driver<S>) {
    assert!(n != 0, "preload: n must be at least 1");
    preload_with(
        Watermarks {
            low: n - 1,
            high: n,
        },
        stream,
    )
}

/// Keeps items of `stream` ready ahead of the consumer, and refills in batches.
///
/// It works like [`preload`] of `watermarks.high` items, except that the driver is not woken for
/// each item that is taken. The driver pulls until `high` items wait. Then it rests until at most
/// `low` items wait, and pulls again until `high` wait. A source that is pending in between does
/// not end the batch. So the driver wakes once in `high - low` items, and at most `high` items are
/// pulled and not yet taken. [`preload(n, …)`](preload) is the same as `low: n - 1, high: n`.
///
/// # Panics
/// At the caller's line if `low` is not below `high`, which includes a `high` of 0. Otherwise as
/// [`preload`].
///
/// # Cancel safety
/// Cancel safe, as [`Preloaded`] and [`Driver`] are: no item is lost.
///
/// # Example
/// ```
/// use aiter_core::{Watermarks, iter_to_aiter, preload_with};
/// use futures_lite::{StreamExt, future::{block_on, poll_once}};
///
/// let marks = Watermarks { low: 1, high: 4 };
/// let (mut items, mut driver) = preload_with(marks, iter_to_aiter(0..));
/// let mut ready_after = |taken: usize| {
///     (0..taken).for_each(|_| drop(items.try_next()));
///     block_on(poll_once(&mut driver));
///     items.len()
/// };
/// assert_eq!(ready_after(0), 4);
/// assert_eq!(ready_after(2), 2); // above `low`: no more is pulled yet
/// assert_eq!(ready_after(1), 4);
/// ```
#[track_caller]
pub fn preload_with<S: Stream>(
    watermarks: Watermarks,
    stream: S,
) -> (Preloaded<S::Item>, Driver<S>) {
    let Watermarks { low, high } = watermarks;
    assert!(
        low < high,
        "preload_with: low ({low}) must be below high ({high})"
    );
    let (reader, driver) = Driver::new(stream, Some(watermarks));
    (
        Preloaded {
            reader,
            demand: driver.wake_source(),
        },
        driver,
    )
}

/// The items that were pulled ahead, as a stream. [`preload`] and [`preload_with`] return it.
///
/// # Cancel safety
/// Cancel safe: all state is in the aiter, so dropping a future that waits for its next item loses
/// nothing.
///
/// # Progress
/// As [`PushAiter`](crate::PushAiter). Taking an item wakes the driver if it waits for room.
#[must_use = "streams do nothing unless polled"]
pub struct Preloaded<T> {
    reader: Reader<T>,
    demand: WakeSource<Demand>,
}

impl<T> Preloaded<T> {
    /// Takes the next item if one is ready, without waiting.
    ///
    /// # Errors
    /// [`TryNextError::Empty`] if no item is ready now, [`TryNextError::Ended`] if none will come
    /// any more.
    pub fn try_next(&mut self) -> Result<T, TryNextError> {
        match self.reader.next() {
            Poll::Ready(Some(item)) => {
                self.demand.item_taken();
                Ok(item)
            }
            Poll::Pending => Err(TryNextError::Empty),
            Poll::Ready(None) => Err(TryNextError::Ended),
        }
    }

    /// How many items are ready: at most `n`, or `high`.
    pub fn len(&self) -> usize {
        self.reader.peek().count_to(usize::MAX)
    }

    /// Whether no item is ready.
    pub fn is_empty(&self) -> bool {
        self.reader.peek().count_to(1) == 0
    }
}

impl<T> Stream for Preloaded<T> {
    type Item = T;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<T>> {
        let this = self.get_mut();
        let item = ready!(this.reader.poll_next(cx));
        if item.is_some() {
            this.demand.item_taken();
        }
        Poll::Ready(item)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.len(), self.is_terminated().then_some(0))
    }
}

impl<T> FusedStream for Preloaded<T> {
    fn is_terminated(&self) -> bool {
        self.reader.is_ended()
    }
}

impl<T> fmt::Debug for Preloaded<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Preloaded")
            .field("len", &self.len())
            .field("is_ended", &self.is_terminated())
            .finish()
    }
}
