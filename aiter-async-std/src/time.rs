//! The timer of async-std, and the operators that use it.

use aiter_core::{Clock, Sleep, adapter::since_epoch};
use core::time::Duration;
use std::time::Instant;

/// The timer and clock of async-std, for operators that take a [`Sleep`] or a [`Clock`].
///
/// Those of this crate use it by themselves. The timer is that of async-io, on which async-std
/// stands: its own `sleep` returns a future without a name, which allocates.
///
/// The clock counts from a moment long before the program was started, the same one for all copies,
/// and never goes back.
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
