//! Many streams as one.

mod keyed;
mod members;

pub use keyed::{JoinAitersKeyed, join_aiters_keyed};

use crate::ready_set::Turn;
use core::{
    pin::Pin,
    task::{Context, Poll},
};
use futures_core::{FusedStream, Stream};
use members::Members;
use pin_project::pin_project;

/// Joins a stream of streams into one stream of all their items.
///
/// Streams join as the source yields them, also while the others are pending. Only those that woke are polled, and what an
/// item costs does not grow with their number. A stream that is ready is stayed on for eight items, then the others have
/// their turn: between two turns of one ready stream every other ready stream has one. That holds
/// under tokio's budget too: streams that are pending because the task has used it up are the first
/// to be polled when it runs again. The items of each stream keep their order, and none is taken
/// ahead of the consumer.
///
/// The source is polled like one more stream of them: at once, and then when it woke. Streams need not be `Unpin`, and are
/// dropped as soon as they end. The join ends when the source and every stream ended; a join of nothing ends at once.
///
/// One call of `poll_next` polls at most about a hundred streams that have nothing, then it wakes its task and lets others run.
/// If others had items before, those that had none are asked once more in the next call, also
/// without having woken.
/// A call that finds an item returns it: whoever takes items in a loop decides how many to take before it lets others run, as
/// with any stream that is ready.
///
/// [`join_aiters_keyed`](crate::join_aiters_keyed) also says which stream an item came from, and which one ended.
///
/// # Panics
/// A panic of a stream reaches the consumer from that call of `poll_next`. The stream is dropped, the others go on. After a
/// panic of the source no stream joins any more.
///
/// # Cancel safety
/// `next()` may be dropped at any point: an item is taken from its stream only when it is handed out.
///
/// # Progress
/// Waking a stream is lock-free: nobody waits or spins. Where two streams share a chunk and both wakers run at once, the join
/// is woken by the one that came first.
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

fn step<C: Stream>(stream: Pin<&mut C>, cx: &mut Context<'_>) -> Turn<C::Item> {
    match stream.poll_next(cx) {
        Poll::Ready(Some(item)) => Turn::Item(item),
        Poll::Ready(None) => Turn::End,
        Poll::Pending => Turn::Pending,
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
