//! Smol's timer, and the operators that use it.

use aiter_core::{Clock, Sleep, adapter::since_epoch};
use core::time::Duration;
use std::time::Instant;

/// Smol's timer and clock, for operators that take a [`Sleep`] or a [`Clock`].
///
/// Those of this crate use it by themselves. [`smol::Timer::after`] is a [`Sleep`] as well; it has
/// no clock.
///
/// The clock counts from a moment long before the program was started, the same one for all copies,
/// and never goes back.
///
/// # Example
///
/// ```
/// use aiter_smol::{Clock, Sleep, Timer};
/// use std::time::Duration;
///
/// # smol::block_on(async {
/// let before = Timer.now();
/// Timer.sleep(Duration::from_millis(2)).await;
/// assert!(Timer.now() - before >= Duration::from_millis(2));
/// # });
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct Timer;

impl Sleep for Timer {
    type Sleep = smol::Timer;

    fn sleep(&self, duration: Duration) -> smol::Timer {
        smol::Timer::after(duration)
    }
}

impl Clock for Timer {
    fn now(&self) -> Duration {
        since_epoch(Instant::now())
    }
}
