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
        members: Members::new(streams),
    }
}

/// The stream of [`join_aiters`].
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
