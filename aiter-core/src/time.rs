//! Time without a clock: the two traits with which an executor gives the operators its timer.

use core::{future::Future, time::Duration};

/// A timer: it makes futures that are ready after some time. [`batch_within`](crate::batch_within)
/// and [`debounce`](crate::debounce) take one.
///
/// This crate has no clock of its own. Each adapter has a `Timer` that implements this trait, and
/// so does every closure from a [`Duration`] to a future, such as
/// `|d| tokio::time::sleep(d)`, `async_io::Timer::after` or `embassy_time::Timer`.
///
/// The future is ready `duration` after the call of [`sleep`](Self::sleep), or after its first
/// poll; its output is ignored. It may be dropped before.
///
/// ```
/// use aiter_core::Sleep;
/// use std::time::Duration;
///
/// fn is_sleep<S: Sleep>(_: &S) {}
///
/// is_sleep(&|duration: Duration| async move { std::thread::sleep(duration) });
/// ```
pub trait Sleep {
    /// The future that waits.
    ///
    /// The type has a name so that an operator can say that it is `Send` if this future is.
    type Sleep: Future;

    /// Returns a future that is ready after `duration`.
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
/// A pair of closures `(sleep, now)` is a clock. The adapters' `Timer` is one too.
pub trait Clock: Sleep {
    /// The time since some moment, which is the same one in each call.
    ///
    /// The operators stand a clock that jumps, stands still or goes back: they never panic then,
    /// and never let more through than their limit per `Duration` that the clock has shown.
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
