//! `split_by`: one stream becomes a stream of parts, one for each key.
//!
//! | file | contents |
//! |---|---|
//! | [`mod@parts`] | the source, the items that wait in each part, and the item in hand |
//! | [`mod@waiters`] | the lock, the consumers that wait, and which of them are woken when |
//! | [`mod@consumer`] | the poll and the drop of a consumer: of the outer stream, or of a part |
//! | this file | the function, and the two streams |
//!
//! The page `docs/design/split.md` has the states, who moves them, and why no wake is lost.

mod consumer;
mod parts;
mod waiters;

use consumer::Consumer;
use core::{
    fmt,
    pin::Pin,
    task::{Context, Poll},
};
use futures_core::{FusedStream, Stream};
use parts::OUTER;

/// Splits a stream by a key: returns a stream of parts, one for each key, and each part is a stream
/// of the items with its key.
///
/// Use it to handle each customer, device or connection in its own task, with its own state, when
/// the items of all of them arrive in one stream. To run one function on each item, where only the
/// items of one key have to stay in order, [`map_workers_by`](crate::map_workers_by) is simpler and
/// costs less.
///
#[cfg_attr(doc, doc = include_str!("../../docs/pictures/split_by.svg"))]
///
/// The returned stream is the *outer stream*. It yields a part, with its key, when the first item
/// of that key has arrived. The part yields that item and all later items of the key. Parts can be
/// moved to other tasks and threads. The outer stream and all parts pull from the source: a poll
/// that finds nothing for its own stream polls the source, queues the items that are for other
/// parts, and wakes those parts.
///
/// # What holds the source back
/// At most `n` items wait in each part, and at most `n` parts wait in the outer stream. If there is
/// no room for the next item, it is kept in hand, and nothing else is pulled until there is: until
/// its part, or the outer stream if its key is new, yields something or is dropped. Until then
/// *every other part* gets only the items that already wait in it. So poll the outer stream and all
/// parts side by side, each in its own task or all of them joined, and drop the parts that you do
/// not need. Code that collects one part while nothing polls the others hangs as soon as one of
/// those is full. If some keys are slow at times, a larger `n` lets the other keys go on meanwhile.
///
/// Nothing else makes one consumer wait for another: a part that is not full may be forgotten,
/// leaked or left unpolled, and so may the outer stream while fewer than `n` parts wait in it.
///
/// # Dropping
/// Dropping a part drops the items that wait in it and forgets its key. The next item of that key
/// makes a new part. Dropping the outer stream also drops the parts that it has not yielded, and
/// from then on every item whose key has no part is dropped. The source is dropped when it ends, or
/// with the last of the outer stream and the parts.
///
/// # End
/// When the source ends, each part yields the items that wait in it and then ends, and the outer
/// stream yields the parts that wait in it and then ends.
///
/// # Panics
/// At the caller's line if `n` is 0.
///
/// A panic of the source, of `key` or of a comparison of keys reaches the caller that polled the
/// part or the outer stream. The source is dropped, and the item is lost. Every other part, and the
/// outer stream, first yields what waits in it and then panics once, so that no consumer takes the
/// panic for the end. A panic of a waker reaches the poll, wake or drop that calls the waker, after
/// all others have been woken. If that poll took an item, the item is dropped.
///
/// # Cancel safety
/// Cancel safe: an item is taken in the poll that returns it, and all state is in the parts and the
/// outer stream, so dropping `next()` loses nothing.
///
/// # Progress
/// No lock is held while the source is pending. A poll never waits for another part: if another
/// thread is pulling at that moment, the part is pending, and that thread wakes it. With `std`, the
/// part first tries again a few times, as a [taker](crate::sharable_aiter) does. Polls and drops
/// are lock-free, apart from what the source, the closure and the comparisons of keys do.
///
/// One poll pulls at most 64 items. Each item costs a search among the keys that have a part, and
/// wakes only the part that it is for, or the outer stream if its key is new. A wake of the source
/// wakes every consumer that waits, because a single one might never be polled again. The first one
/// that is polled pulls the items that have come, until the source is pending.
///
/// # Example
/// The readings of all devices come over one connection, and each device gets a log of its own.
/// ```
/// use aiter_core::{push_aiter, split_by};
/// use futures_lite::{StreamExt, future::{block_on, zip}};
///
/// let (connection, readings) = push_aiter();
/// let mut devices = split_by(16, |reading: &(&'static str, i32)| reading.0, readings);
/// connection.push_all([("attic", 31), ("cellar", 12), ("attic", 30)]).unwrap();
/// drop(connection);
/// block_on(async {
///     let (attic, readings) = devices.next().await.unwrap();
///     let (cellar, others) = devices.next().await.unwrap();
///     assert_eq!((attic, cellar), ("attic", "cellar"));
///     let logs = zip(readings.collect(), others.collect()).await;
///     assert_eq!(logs, (vec![("attic", 31), ("attic", 30)], vec![("cellar", 12)]));
///     assert!(devices.next().await.is_none());
/// });
/// ```
#[track_caller]
pub fn split_by<S, K, F>(n: usize, key: F, stream: S) -> SplitBy<S, K, F>
where
    S: Stream,
    K: Ord + Clone,
    F: FnMut(&S::Item) -> K,
{
    assert!(n > 0, "split_by: n must be at least 1");
    SplitBy(Consumer::new(OUTER, n, key, stream))
}

/// The outer stream that [`split_by`] returns. It yields each key with its [`Part`].
#[must_use = "streams do nothing unless polled"]
pub struct SplitBy<S: Stream, K: Ord, F>(Consumer<S, K, F>);

/// The items of one key: see [`split_by`].
#[must_use = "a part that is neither polled nor dropped holds the source back once it is full"]
pub struct Part<S: Stream, K: Ord, F>(Consumer<S, K, F>);

impl<S, K, F> Stream for SplitBy<S, K, F>
where
    S: Stream,
    K: Ord + Clone,
    F: FnMut(&S::Item) -> K,
{
    type Item = (K, Part<S, K, F>);

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.get_mut().0.poll(cx, |handle, parts, _| {
            let (key, number) = parts.take_part()?;
            Some((key, Part(Consumer::from_handle(handle.clone(), number))))
        })
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (0, self.0.is_ended().then_some(0))
    }
}

impl<S, K, F> Stream for Part<S, K, F>
where
    S: Stream,
    K: Ord + Clone,
    F: FnMut(&S::Item) -> K,
{
    type Item = S::Item;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<S::Item>> {
        self.get_mut()
            .0
            .poll(cx, |_, parts, number| parts.take_item(number))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (0, self.0.is_ended().then_some(0))
    }
}

impl<S, K, F> FusedStream for SplitBy<S, K, F>
where
    S: Stream,
    K: Ord + Clone,
    F: FnMut(&S::Item) -> K,
{
    fn is_terminated(&self) -> bool {
        self.0.is_ended()
    }
}

impl<S, K, F> FusedStream for Part<S, K, F>
where
    S: Stream,
    K: Ord + Clone,
    F: FnMut(&S::Item) -> K,
{
    fn is_terminated(&self) -> bool {
        self.0.is_ended()
    }
}

impl<S: Stream, K: Ord, F> fmt::Debug for SplitBy<S, K, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SplitBy")
            .field("ended", &self.0.is_ended())
            .finish_non_exhaustive()
    }
}

impl<S: Stream, K: Ord, F> fmt::Debug for Part<S, K, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Part")
            .field("ended", &self.0.is_ended())
            .finish_non_exhaustive()
    }
}

#[cfg(all(test, aiter_loom))]
mod loom;
#[cfg(all(test, not(aiter_loom)))]
mod tests;
