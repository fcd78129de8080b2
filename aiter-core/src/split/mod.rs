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

/// Splits a stream by a key: returns a stream of parts, one for each key that comes, and each part
/// is a stream of the items with its key.
///
/// Use it to handle each customer, device or connection in a task of its own, with a state of its
/// own, where their items come mixed in one stream. To run one function on each item, with only the
/// items of one key in order, [`map_workers_by`](crate::map_workers_by) takes less.
///
#[cfg_attr(doc, doc = include_str!("../../docs/pictures/split_by.svg"))]
///
/// A part comes out of the outer stream, with its key, when the first item of that key has come. It
/// has that item and all that follow. Parts can be moved to other tasks and threads. The source is
/// polled by whichever of them is polled, the outer stream or a part, when there is nothing for it
/// yet. What it finds on the way for others waits for them in their parts, and they are woken.
///
/// # What holds the source back
/// At most `n` items wait in each part, and at most `n` parts wait for the outer stream to be
/// polled. An item for which there is no room is kept in hand: nothing else is pulled before it has
/// room, which is when that part or the outer stream takes something or is dropped. Until then
/// *every other part* gets only what waits in it already. So poll the outer stream and all parts
/// side by side, each in a task of its own or all of them joined, and drop the parts that you do
/// not need. To collect one part while nobody polls the others hangs as soon as one of them is
/// full. If some keys are slow at times, a larger `n` lets the others go on meanwhile.
///
/// Nothing else makes one consumer wait for another: a part that is not full may be forgotten,
/// leaked or not polled, and so may the outer stream while fewer than `n` parts wait in it.
///
/// # Dropping
/// A part that is dropped is forgotten with its key and its items. If another item of the key
/// comes, that makes a new part. When the outer stream is dropped, the parts that nobody took are
/// dropped too, and so is every item whose key has no part. The source is dropped at its end, or
/// with the last of the outer stream and the parts.
///
/// # End
/// When the source ends, each part yields what waits in it and then ends, and the outer stream
/// yields the parts that wait in it and then ends.
///
/// # Panics
/// At the caller's line if `n` is 0.
///
/// A panic of the source, of `key` or of a comparison of keys reaches the part or outer stream that
/// was polled. The source is dropped, and the item is lost. Every other one first yields what waits
/// for it, and then panics once, so that none takes the panic for the end. A panic of a waker
/// reaches the poll, wake or drop that calls the waker, after all others have been woken. If that
/// poll took an item, the item is dropped.
///
/// # Cancel safety
/// Cancel safe: an item is taken in the poll that returns it, and all state is in the parts and the
/// outer stream, so dropping `next()` loses nothing.
///
/// # Progress
/// No lock is held while the source is pending. A poll never waits for another part: if another
/// thread is pulling at that moment the part is pending, and that thread wakes it. With `std` the
/// part first tries again a few times, as a [taker](crate::sharable_aiter) does. Polls and drops
/// are lock-free, apart from what the source, the closure and the keys themselves do.
///
/// One poll pulls at most 64 items. An item costs a search among the keys that have a part, and
/// wakes nobody but its own part. A wake of the source wakes all that wait: any of them may never
/// be polled again, so one of them alone would not do. Whichever is polled first pulls what has
/// come, until the source is pending.
///
/// # Example
/// A log for each device, whose readings come over one connection.
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
