//! [`active`]: pulls a source as fast as it yields.

use crate::{Driver, PushAiter};
use futures_core::Stream;

/// Pulls `stream` into an unbounded list as fast as it yields, however slow the consumers are.
///
/// Use it for a source that must not be held back, such as a sensor or a socket whose peer times
/// out. Run the returned [`Driver`] on any executor; the adapter crates spawn it in `active_aiter`.
/// The aiter ends when the source does, or when the driver is dropped. Once the last consumer is
/// dropped, the driver completes and drops the source, even if that was pending.
///
#[cfg_attr(doc, doc = include_str!("../../docs/pictures/active.svg"))]
///
/// The list is unbounded. Use [`preload`](crate::preload) for a bound.
///
/// # Panics
/// A panic of the source reaches the caller that polls the driver. The aiter ends when the driver
/// is dropped.
///
/// # Cancel safety
/// Cancel safe, as [`PushAiter`] and [`Driver`] are: no item is lost.
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
