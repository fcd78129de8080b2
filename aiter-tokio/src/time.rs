//! Tokio's timer, and the operators that use it.

use aiter_core::{
    BatchWithin, Clock, Debounce, RateLimit, RateLimited, Sleep, adapter::since_epoch,
};
use core::time::Duration;
use futures_core::Stream;
use tokio::time::{self, Instant};

/// Tokio's timer and clock, for operators that take a [`Sleep`] or a [`Clock`].
///
/// The operators of this crate use it by themselves. Use it for operators of your own, and for
/// those of [`aiter_core`]. [`tokio::time::sleep`] is a [`Sleep`] as well, but no [`Clock`].
///
/// The clock is that of the current runtime. It stands still while the runtime's time is
/// [paused], and advances with it. It counts from a moment long before the program was started,
/// which is the same for all copies and runtimes. The clocks of two runtimes differ if the time of
/// one of them was paused.
///
/// [paused]: https://docs.rs/tokio/latest/tokio/time/fn.pause.html
///
/// # Panics
///
/// [`sleep`](Sleep::sleep) panics outside of a runtime, and where the runtime was made without
/// [`enable_time`](tokio::runtime::Builder::enable_time). The operators call it from their polls.
/// [`now`](Clock::now) never panics.
///
/// # Example
///
/// ```
/// use aiter_tokio::{Clock, Sleep, Timer};
/// use std::time::Duration;
///
/// # #[tokio::main(flavor = "current_thread", start_paused = true)]
/// # async fn main() {
/// let before = Timer.now();
/// Timer.sleep(Duration::from_secs(3600)).await;
/// assert_eq!(Timer.now() - before, Duration::from_secs(3600));
/// # }
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct Timer;

impl Sleep for Timer {
    type Sleep = time::Sleep;

    #[track_caller]
    fn sleep(&self, duration: Duration) -> time::Sleep {
        time::sleep(duration)
    }
}

impl Clock for Timer {
    fn now(&self) -> Duration {
        since_epoch(Instant::now().into_std())
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
/// Panics at the caller's line if `n` is 0. The first poll that sets a timer panics where [`Timer`]
/// does. A panic of the source comes after the items before it.
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
/// use aiter_tokio::{batch_within, push_aiter};
/// use futures_lite::StreamExt;
/// use std::{pin::pin, time::Duration};
///
/// # #[tokio::main(flavor = "current_thread", start_paused = true)]
/// # async fn main() {
/// // Up to a hundred rows are inserted together, and none waits longer than 10 ms.
/// let (rows, added) = push_aiter();
/// let mut inserts = pin!(batch_within(100, Duration::from_millis(10), added));
/// rows.push_all(["Ada", "Grace"]).unwrap();
/// assert_eq!(inserts.next().await, Some(vec!["Ada", "Grace"]));
/// rows.push("Edsger").unwrap();
/// drop(rows);
/// assert_eq!(inserts.next().await, Some(vec!["Edsger"]));
/// # }
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
/// The first poll that sets a timer panics where [`Timer`] does. A panic of the source comes after
/// the newest item before it.
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
/// use aiter_tokio::{debounce, push_aiter};
/// use futures_lite::StreamExt;
/// use std::{pin::pin, time::Duration};
///
/// # #[tokio::main(flavor = "current_thread", start_paused = true)]
/// # async fn main() {
/// let (keyboard, typed) = push_aiter();
/// let mut searches = pin!(debounce(Duration::from_millis(5), typed));
/// keyboard.push_all(["r", "ru", "rust"]).unwrap();
/// assert_eq!(searches.next().await, Some("rust"));
/// # }
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
/// The first poll that sets a timer panics where [`Timer`] does. A panic of the source reaches the
/// consumer, and spends no token.
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
/// use aiter_tokio::{Clock, RateLimit, Timer, iter_to_aiter, rate_limit};
/// use futures_lite::StreamExt;
/// use std::{pin::pin, time::Duration};
///
/// # #[tokio::main(flavor = "current_thread", start_paused = true)]
/// # async fn main() {
/// // Two requests at once, and one more every 5 ms.
/// let limit = RateLimit::new(1, Duration::from_millis(5)).burst(2);
/// let mut requests = pin!(rate_limit(limit, iter_to_aiter(["a", "b", "c", "d"])));
/// let start = Timer.now();
/// while requests.next().await.is_some() {}
/// assert!(Timer.now() - start >= Duration::from_millis(10));
/// # }
/// ```
pub fn rate_limit<S: Stream>(limit: RateLimit, stream: S) -> RateLimited<S, Timer> {
    aiter_core::rate_limit(limit, Timer, stream)
}
