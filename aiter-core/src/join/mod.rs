//! `join_aiters`: many streams as one.

mod keyed;
mod members;

pub use keyed::{JoinAitersKeyed, join_aiters_keyed};

use crate::ready_set::ChildPoll;
use core::{
    pin::Pin,
    task::{Context, Poll},
};
use futures_core::{FusedStream, Stream};
use members::Members;
use pin_project::pin_project;

/// Merges a stream of streams into one stream of all their items, in the order in which they are
/// ready.
///
/// Use it for a set of streams that changes while it runs, such as the connections of a server.
/// Streams join as the source yields them, also while others are pending. The items of each stream
/// keep their order, and none is taken before the consumer asks for it.
///
#[cfg_attr(doc, doc = include_str!("../../docs/pictures/join.svg"))]
///
/// Only streams that have woken are polled, and what an item costs does not grow with the number of
/// streams. The source is polled like one more stream: at once, and then when it has woken. Streams
/// need not be `Unpin`, and each is dropped as soon as it ends.
///
/// **Fairness.** A stream that is ready yields up to eight items in a row, and then the others have
/// their turn: between two turns of one ready stream every other ready stream has one. This also
/// holds under tokio's budget: streams that are pending because the task has used up its budget are
/// polled first when the task runs again.
///
/// One call of `poll_next` polls at most about a hundred streams that have nothing. Then it wakes
/// its task and returns, so that other tasks can run. If there were items before, the streams that
/// had none are polled once more in the next call, also if they did not wake. A call that finds an
/// item returns it. So a consumer that takes items in a loop decides how many to take before it
/// lets other tasks run, as with any stream that is ready.
///
/// **The end** comes when the source and all streams have ended. A join of no streams ends at once.
///
/// Use [`join_aiters_keyed`] to learn from which stream an item comes,
/// and which stream has ended.
///
/// # Panics
/// A panic of a stream reaches the consumer from that call of `poll_next`. The stream is dropped,
/// and the others go on. After a panic of the source no further stream joins.
///
/// # Cancel safety
/// Cancel safe: an item is taken from its stream in the poll that returns it.
///
/// # Progress
/// Waking a stream is lock-free: no thread waits or spins. Streams share memory in groups of up to
/// 32. If two streams of one group wake at once, the wake that came first wakes the join for both.
///
/// # Examples
/// ```
/// use aiter_core::join_aiters;
/// use futures_lite::{StreamExt, future::block_on, stream};
///
/// let lines = stream::iter([stream::iter(vec!["a1", "a2"]), stream::iter(vec!["b1"])]);
/// let mut all: Vec<_> = block_on(join_aiters(lines).collect());
/// all.sort();
/// assert_eq!(all, ["a1", "a2", "b1"]);
/// ```
pub fn join_aiters<S>(streams: S) -> JoinAiters<S>
where
    S: Stream,
    S::Item: Stream,
{
    JoinAiters {
        members: Members::new(streams, usize::MAX),
    }
}

/// Merges a stream of streams as [`join_aiters`] does, with at most `n` of the streams open at
/// once.
///
/// Use it where a stream costs something while it is open, such as a connection or a file. While
/// `n` streams are open, the source is not polled. A stream that ends is dropped at once, and then
/// the source is polled for the next one. So a stream that never ends keeps its place for ever, and
/// `n` such streams keep all others out. With `usize::MAX` there is no limit, as in
/// [`join_aiters`].
///
#[cfg_attr(doc, doc = include_str!("../../docs/pictures/join_limited.svg"))]
///
/// # Panics
/// At the caller's line if `n` is 0. A panic of a stream or of the source is handled as in
/// [`join_aiters`]; the next stream takes the place of one that panicked.
///
/// # Cancel safety
/// Cancel safe: an item is taken from its stream in the poll that returns it.
///
/// # Progress
/// As [`join_aiters`].
///
/// # Examples
/// The lines of many files are merged, and at most two files are open at a time:
/// ```
/// use aiter_core::{AiterExt, iter_to_aiter, join_aiters_limited};
/// use futures_lite::{StreamExt, future::block_on, stream};
/// use std::cell::Cell;
///
/// let (open, most) = (Cell::new(0), Cell::new(0));
/// let read = |name: &'static str| {
///     open.set(open.get() + 1);
///     most.set(most.get().max(open.get()));
///     let close = stream::poll_fn(|_| {
///         open.set(open.get() - 1);
///         None.into()
///     });
///     iter_to_aiter(name.chars()).chain(close)
/// };
/// let files = iter_to_aiter(["ab", "cde", "f", "gh"]).map_aiter(read);
/// let lines: Vec<_> = block_on(join_aiters_limited(2, files).collect());
/// assert_eq!((lines.len(), most.get()), (8, 2));
/// ```
#[track_caller]
pub fn join_aiters_limited<S>(n: usize, streams: S) -> JoinAiters<S>
where
    S: Stream,
    S::Item: Stream,
{
    assert!(n > 0, "join_aiters_limited: n must be at least 1");
    JoinAiters {
        members: Members::new(streams, n),
    }
}

/// The stream of [`join_aiters`] and [`join_aiters_limited`].
#[pin_project]
#[derive(Debug)]
#[must_use = "streams do nothing unless polled"]
pub struct JoinAiters<S>
where
    S: Stream,
{
    #[pin]
    members: Members<S, S::Item>,
}

fn step<C: Stream>(stream: Pin<&mut C>, cx: &mut Context<'_>) -> ChildPoll<C::Item> {
    match stream.poll_next(cx) {
        Poll::Ready(Some(item)) => ChildPoll::Item(item),
        Poll::Ready(None) => ChildPoll::End,
        Poll::Pending => ChildPoll::Pending,
    }
}

impl<S> Stream for JoinAiters<S>
where
    S: Stream,
    S::Item: Stream,
{
    type Item = <S::Item as Stream>::Item;

    #[inline]
    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.project().members.poll(cx, |stream| stream, step)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.members.size_hint(Stream::size_hint)
    }
}

impl<S> FusedStream for JoinAiters<S>
where
    S: Stream,
    S::Item: Stream,
{
    fn is_terminated(&self) -> bool {
        self.members.is_terminated()
    }
}

#[cfg(all(test, not(aiter_loom)))]
mod tests;
