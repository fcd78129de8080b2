//! Tokio's timer, and the operators that use it.

use aiter_core::{Clock, Sleep, adapter::since_epoch};
use core::time::Duration;
use tokio::time::{self, Instant};

/// Tokio's timer and clock, for operators that take a [`Sleep`] or a [`Clock`].
///
/// Those of this crate use it by themselves. [`tokio::time::sleep`] is a [`Sleep`] as well; it has
/// no clock.
///
/// The clock is that of the current runtime, so it stands still while the runtime's time is
/// [paused](tokio::time::pause), and moves on with it. It counts from a moment long before the
/// program was started, the same one for all copies and runtimes. The clocks of two runtimes differ
/// if the time of one of them was paused.
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
