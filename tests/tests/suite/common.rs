//! Helpers that the cases share.

use crate::runtime::{Joined, Runtime};
use aiter_core::Pusher;
use futures_lite::{Stream, StreamExt, future::yield_now};
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

pub(crate) const ITEMS: usize = 1000;

/// Spawns a task that collects a stream.
pub(crate) fn collect<R: Runtime, S>(stream: S) -> Joined<Vec<S::Item>>
where
    S: Stream<Item: Send> + Send + 'static,
{
    R::spawn(stream.collect())
}

/// Spawns a task that pushes numbers, and yields now and then.
pub(crate) fn push_numbers<R: Runtime>(
    pusher: Pusher<usize>,
    numbers: std::ops::Range<usize>,
) -> Joined<()> {
    R::spawn(async move {
        for n in numbers {
            pusher.push(n).unwrap();
            if n % 7 == 0 {
                yield_now().await;
            }
        }
    })
}

/// Waits until the count is in the range. It must not exceed that.
pub(crate) async fn comes_to(count: &AtomicUsize, range: std::ops::RangeInclusive<usize>) {
    loop {
        let now = count.load(SeqCst);
        assert!(now <= *range.end(), "{now}, not {range:?}");
        if range.contains(&now) {
            return;
        }
        yield_now().await;
    }
}

pub(crate) fn is_sorted(items: &[usize]) -> bool {
    items.iter().is_sorted()
}
