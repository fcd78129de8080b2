//! The traits through which an executor gives operators its timer and its clock.

use core::{future::Future, time::Duration};

/// A timer: it makes futures that complete after some time. [`batch_within`](crate::batch_within)
/// and [`debounce`](crate::debounce) take one.
///
/// This crate has no timer of its own. Each adapter has a `Timer` that implements this trait. So
/// does every closure or function that takes a [`Duration`] and returns a future:
///
/// | on | pass |
/// |---|---|
/// | tokio | `tokio::time::sleep` |
/// | smol and async-std | `async_io::Timer::after` |
/// | Embassy | a closure that makes an `embassy_time::Timer`: see `tests/firmware/src/bin/paced.rs` |
/// | JavaScript | a closure over `setTimeout`: see `tests/wasm` |
/// | in tests | `VirtualTime` of the crate `aiter-test` |
///
/// The future completes `duration` after the call of [`sleep`](Self::sleep), or after its own first
/// poll. Its output is ignored. It may be dropped before it completes.
///
/// # Example
///
/// ```
/// use aiter_core::{debounce, iter_to_aiter};
/// use futures_lite::{StreamExt, future::block_on};
/// use std::time::Duration;
///
/// let keys = iter_to_aiter(["r", "ru", "rust"]);
/// let mut searches = debounce(Duration::from_millis(300), async_io::Timer::after, keys);
/// assert_eq!(block_on(searches.next()), Some("rust"));
/// ```
pub trait Sleep {
    /// The future that [`sleep`](Self::sleep) returns.
    ///
    /// It is an associated type so that an operator is `Send` if this future is.
    type Sleep: Future;

    /// Returns a future that completes after `duration`.
    fn sleep(&self, duration: Duration) -> Self::Sleep;
}

impl<F, Fut> Sleep for F
where
    F: Fn(Duration) -> Fut,
    Fut: Future,
{
    type Sleep = Fut;

    fn sleep(&self, duration: Duration) -> Fut {
        self(duration)
    }
}

/// A timer that also tells the time. [`rate_limit`](crate::rate_limit) takes one.
///
/// A pair of closures `(sleep, now)` is a clock, and so is the `Timer` of each adapter.
///
/// # Example
///
/// ```
/// use aiter_core::{RateLimit, iter_to_aiter, rate_limit};
/// use futures_lite::{StreamExt, future::block_on};
/// use std::time::{Duration, Instant};
///
/// let start = Instant::now();
/// let clock = (async_io::Timer::after, move || start.elapsed());
/// let hundred_a_second = RateLimit::new(100, Duration::from_secs(1));
/// let mut requests = rate_limit(hundred_a_second, clock, iter_to_aiter(["first", "second"]));
/// assert_eq!(block_on(requests.next()), Some("first"));
/// ```
pub trait Clock: Sleep {
    /// Returns the time since some moment, which is the same for all calls.
    ///
    /// Operators tolerate a clock that jumps, stands still or goes back. They do not panic then,
    /// and let no more items through than their limit allows for the time by which the clock has
    /// moved forward.
    fn now(&self) -> Duration;
}

impl<S, N> Sleep for (S, N)
where
    S: Sleep,
{
    type Sleep = S::Sleep;

    fn sleep(&self, duration: Duration) -> S::Sleep {
        self.0.sleep(duration)
    }
}

impl<S, N> Clock for (S, N)
where
    S: Sleep,
    N: Fn() -> Duration,
{
    fn now(&self) -> Duration {
        self.1()
    }
}
