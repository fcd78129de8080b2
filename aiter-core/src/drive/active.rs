//! Pulling a source as fast as it yields.

use crate::{Driver, PushAiter};
use futures_core::Stream;

/// Pulls `stream` into a list as fast as it yields, however slow the consumers are.
///
/// Whoever has an executor runs the [`Driver`]; the adapter crates do so in `active_aiter`. The aiter ends where the
/// source does, or where the driver was dropped. Once the last consumer is dropped the driver completes and drops the
/// source, also if it was pending.
///
/// The list is unbounded: for a bound use [`preload`](crate::preload).
///
/// # Panics
/// A panic of the source goes to whoever polls the driver; the aiter ends when the driver is dropped.
///
/// # Cancel safety
/// As [`PushAiter`] and [`Driver`]: nothing is lost.
///
/// # Example
/// ```
/// use aiter_core::{active, iter_to_aiter};
/// use futures_lite::{StreamExt, future::block_on, future::zip};
///
/// let (items, driver) = active(iter_to_aiter(0..3));
/// let (_, items) = block_on(zip(driver, items.collect::<Vec<_>>()));
/// assert_eq!(items, [0, 1, 2]);
/// ```
pub fn active<S: Stream>(stream: S) -> (PushAiter<S::Item>, Driver<S>) {
    let (reader, driver) = Driver::new(stream, None);
    (PushAiter::new(reader, None), driver)
}
