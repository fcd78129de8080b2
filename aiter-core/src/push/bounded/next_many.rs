//! [`BoundedNextMany`]: takes many items of a bounded list at once.

use super::BoundedAiter;
use crate::push::next_many::{append, most};
use alloc::vec::Vec;
use core::{
    fmt,
    pin::Pin,
    task::{Context, Poll, ready},
};

/// The future that [`BoundedAiter::next_many`] returns.
#[must_use = "futures do nothing unless polled"]
pub struct BoundedNextMany<'a, T> {
    aiter: &'a mut BoundedAiter<T>,
    buf: &'a mut Vec<T>,
    limit: usize,
}

impl<T> BoundedAiter<T> {
    /// Waits for the next item, and appends it to `buf` together with those that are there behind
    /// it, up to `limit` items in all. Use it where items are cheaper to handle in batches: rows
    /// for a database, lines for a file, samples to add up.
    ///
    /// Returns how many items were appended: at least 1, or 0 at the end of the stream. It waits
    /// only for the first item. `buf` keeps what it held before, and grows as items are taken, so a
    /// large `limit` costs nothing.
    ///
    /// The items make room for as many others as soon as every consumer has taken them. Pushers
    /// that wait hear of it once, after the last item of the batch. A `limit` of at least the `n`
    /// of the list takes all that is there; pushers that run meanwhile may add to it. Beyond 4096
    /// items, it takes only those that were there when it found the first one.
    ///
    /// # Panics
    /// If `limit` is 0. If `T::clone` panics: the items that were appended until then stay in
    /// `buf`, and those behind them in the list. A panic of a pusher's waker comes out of the poll
    /// after the items were appended; they stay in `buf` too.
    ///
    /// # Cancel safety
    /// Cancel safe: items are taken only in the poll that completes. A future that is dropped
    /// before has appended nothing.
    ///
    /// # Progress
    /// As polling. While pushers wait, a batch that makes room costs two read-modify-writes and the
    /// wakes more. A run of items that are moved costs one copy for each block of 64 (32 where
    /// words have 32 bits).
    ///
    /// # Example
    /// A task writes rows in batches. The task that makes them is at most a hundred rows
    /// ahead:
    /// ```
    /// use aiter_core::push_aiter_bounded;
    /// use futures_lite::future::{block_on, zip};
    ///
    /// let (pusher, mut rows) = push_aiter_bounded(100);
    /// let produce = async move {
    ///     for row in 0..1_000 {
    ///         pusher.push(row).await.unwrap();
    ///     }
    /// };
    /// let (mut table, mut transactions) = (Vec::new(), 0);
    /// let consume = async {
    ///     while rows.next_many(&mut table, 50).await != 0 {
    ///         transactions += 1;
    ///     }
    /// };
    /// block_on(zip(produce, consume));
    /// assert_eq!((table.len(), transactions), (1_000, 20));
    /// ```
    #[track_caller]
    pub fn next_many<'a>(
        &'a mut self,
        buf: &'a mut Vec<T>,
        limit: usize,
    ) -> BoundedNextMany<'a, T> {
        assert!(limit != 0, "next_many: limit must be at least 1");
        BoundedNextMany {
            aiter: self,
            buf,
            limit,
        }
    }
}

impl<T> Future for BoundedNextMany<'_, T> {
    type Output = usize;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<usize> {
        let Self { aiter, buf, limit } = self.get_mut();
        aiter.take(|reader| {
            let Some(item) = ready!(reader.poll_next(cx)) else {
                return Poll::Ready(0);
            };
            buf.push(item);
            let behind = most(reader, *limit) - 1;
            Poll::Ready(1 + append(reader, buf, behind))
        })
    }
}

impl<T> fmt::Debug for BoundedNextMany<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BoundedNextMany")
            .field("limit", &self.limit)
            .finish_non_exhaustive()
    }
}
