//! The timer of async-std, and the operators that use it.

use aiter_core::{
    BatchWithin, Clock, Debounce, RateLimit, RateLimited, Sleep, adapter::since_epoch,
};
use core::time::Duration;
use futures_core::Stream;
use std::time::Instant;

/// The timer and clock of async-std, for operators that take a [`Sleep`] or a [`Clock`].
///
/// The operators of this crate use it by themselves. Use it for operators of your own, and for
/// those of [`aiter_core`]. The timer is that of async-io, which async-std is built on. The `sleep`
/// of async-std itself returns a future without a name, and allocates.
///
/// The clock counts from a moment long before the program was started, which is the same for all
/// copies. It never goes back.
///
/// # Example
///
/// ```
/// use aiter_async_std::{Clock, Sleep, Timer};
/// use std::time::Duration;
///
/// # async_std::task::block_on(async {
/// let before = Timer.now();
/// Timer.sleep(Duration::from_millis(2)).await;
/// assert!(Timer.now() - before >= Duration::from_millis(2));
/// # });
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct Timer;

impl Sleep for Timer {
    type Sleep = async_io::Timer;

    fn sleep(&self, duration: Duration) -> async_io::Timer {
        async_io::Timer::after(duration)
    }
}

impl Clock for Timer {
    fn now(&self) -> Duration {
        since_epoch(Instant::now())
    }
}

/// Yields the items of `stream` in batches of up to `n`, each at most `d` after its first item.
///
/// This is [`aiter_core::batch_within`] with the [`Timer`] of this crate, in the task that polls.
/// Use it where many items cost little more than one, and each may be a little late: rows for a
/// database, metrics for a collector. A batch is yielded when it has `n` items, or `d` after its
/// first item. When the source ends, the last batch is yielded at once.
///
/// # Panics
///
/// Panics at the caller's line if `n` is 0. A panic of the source comes after the items before it.
///
/// # Cancel safety
///
/// Cancel safe: the stream keeps the unfinished batch and its timer.
///
/// # Progress
///
/// Waits only for the source and the timer, of which there is at most one.
///
/// # Example
///
/// ```
/// use aiter_async_std::{batch_within, push_aiter};
/// use futures_lite::StreamExt;
/// use std::{pin::pin, time::Duration};
///
/// # async_std::task::block_on(async {
/// // Up to a hundred rows are inserted together, and none waits longer than 10 ms.
/// let (rows, added) = push_aiter();
/// let mut inserts = pin!(batch_within(100, Duration::from_millis(10), added));
/// rows.push_all(["Ada", "Grace"]).unwrap();
/// assert_eq!(inserts.next().await, Some(vec!["Ada", "Grace"]));
/// rows.push("Edsger").unwrap();
/// drop(rows);
/// assert_eq!(inserts.next().await, Some(vec!["Edsger"]));
/// # });
/// ```
#[track_caller]
pub fn batch_within<S: Stream>(n: usize, d: Duration, stream: S) -> BatchWithin<S, Timer> {
    aiter_core::batch_within(n, d, Timer, stream)
}

/// Yields the newest item of `stream` once no other has come for `d`.
///
/// This is [`aiter_core::debounce`] with the [`Timer`] of this crate, in the task that polls. Use
/// it where only the last of a group of items matters: search when the user has stopped typing,
/// read a button whose contact bounces. When the source ends, the last item is yielded at once.
///
/// # Panics
///
/// A panic of the source comes after the newest item before it.
///
/// # Cancel safety
///
/// Cancel safe: the stream keeps the newest item and the timer.
///
/// # Progress
///
/// Waits only for the source and the timer, of which there is at most one.
///
/// # Example
///
/// ```
/// use aiter_async_std::{debounce, push_aiter};
/// use futures_lite::StreamExt;
/// use std::{pin::pin, time::Duration};
///
/// # async_std::task::block_on(async {
/// let (keyboard, typed) = push_aiter();
/// let mut searches = pin!(debounce(Duration::from_millis(5), typed));
/// keyboard.push_all(["r", "ru", "rust"]).unwrap();
/// assert_eq!(searches.next().await, Some("rust"));
/// # });
/// ```
pub fn debounce<S: Stream>(d: Duration, stream: S) -> Debounce<S, Timer> {
    aiter_core::debounce(d, Timer, stream)
}

/// Yields the items of `stream` no faster than `limit` allows, and loses none.
///
/// This is [`aiter_core::rate_limit`] with the [`Timer`] of this crate, in the task that polls. Use
/// it in front of a server that accepts so many requests a minute. The source is not polled while
/// there is no token. If it is bounded, its producers then have to wait as well.
///
/// # Panics
///
/// A panic of the source reaches the consumer, and spends no token.
///
/// # Cancel safety
///
/// Cancel safe: an item that has not been returned is still in the source.
///
/// # Progress
///
/// Waits for a token, then for the source.
///
/// # Example
///
/// ```
/// use aiter_async_std::{Clock, RateLimit, Timer, iter_to_aiter, rate_limit};
/// use futures_lite::StreamExt;
/// use std::{pin::pin, time::Duration};
///
/// # async_std::task::block_on(async {
/// // Two requests at once, and one more every 5 ms.
/// let limit = RateLimit::new(1, Duration::from_millis(5)).burst(2);
/// let mut requests = pin!(rate_limit(limit, iter_to_aiter(["a", "b", "c", "d"])));
/// let start = Timer.now();
/// while requests.next().await.is_some() {}
/// assert!(Timer.now() - start >= Duration::from_millis(10));
/// # });
/// ```
pub fn rate_limit<S: Stream>(limit: RateLimit, stream: S) -> RateLimited<S, Timer> {
    aiter_core::rate_limit(limit, Timer, stream)
}
