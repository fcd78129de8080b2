//! Many streams as one.
use crate::set::{Budget, ReadySet, Served, Turn};
use core::{
    pin::Pin,
    task::{Context, Poll},
};
use futures_core::{FusedStream, Stream};
use pin_project::pin_project;

/// Joins a stream of streams into one stream of all their items.
///
/// Streams join as the source yields them, also while the others are pending. Only those that woke are polled, and what an
/// item costs does not grow with their number. A stream that is ready is stayed on for eight items, then the others have
/// their turn: between two turns of one ready stream every other ready stream has one. The items of each stream keep
/// their order, and none is taken ahead of the consumer.
///
/// The source is polled like one more stream of them: at once, and then when it woke. Streams need not be `Unpin`, and are
/// dropped as soon as they end. The join ends when the source and every stream ended; a join of nothing ends at once.
///
/// One call of `poll_next` polls at most about a hundred streams that have nothing, then it wakes its task and lets others run.
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
        source: Some(streams),
        set: ReadySet::new(),
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
    source: Option<S>,
    set: ReadySet<S::Item>,
}

fn step<C: Stream>(stream: Pin<&mut C>, cx: &mut Context<'_>) -> Turn<C::Item> {
    match stream.poll_next(cx) {
        Poll::Ready(Some(item)) => Turn::Item(item),
        Poll::Ready(None) => Turn::End,
        Poll::Pending => Turn::Pending,
    }
}

impl<S> JoinAiters<S>
where
    S: Stream,
    S::Item: Stream,
{
    /// Lets streams join, and goes round those that are ready.
    fn go_round(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<<S::Item as Stream>::Item>> {
        let mut this = self.project();
        let mut budget = Budget::new();
        loop {
            if this.set.is_source_ready() {
                if let Poll::Ready(Some(stream)) = this.set.poll_source(this.source.as_mut()) {
                    this.set.insert(stream);
                }
            }
            let served = this.set.serve(&mut budget, step);
            match served {
                Served::Out(item) => return Poll::Ready(Some(item)),
                Served::Spent => {
                    cx.waker().wake_by_ref();
                    return Poll::Pending;
                }
                Served::Idle if this.set.is_source_ready() => {}
                Served::Idle if this.set.is_empty() && this.source.is_none() => {
                    return Poll::Ready(None);
                }
                Served::Idle if this.set.park(cx.waker()) => return Poll::Pending,
                Served::Idle => {}
            }
        }
    }
}

impl<S> Stream for JoinAiters<S>
where
    S: Stream,
    S::Item: Stream,
{
    type Item = <S::Item as Stream>::Item;

    #[inline]
    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.as_mut().project();
        if !this.set.is_source_ready() {
            if let Some(item) = this.set.stay(&mut step) {
                return Poll::Ready(Some(item));
            }
        }
        self.go_round(cx)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let closed = self
            .source
            .as_ref()
            .is_none_or(|source| source.size_hint().1 == Some(0));
        let mut hint = (0_usize, closed.then_some(0_usize));
        self.set.for_each(|stream| {
            let (low, high) = stream.size_hint();
            hint.0 = hint.0.saturating_add(low);
            hint.1 = hint
                .1
                .zip(high)
                .and_then(|(sum, high)| sum.checked_add(high));
        });
        hint
    }
}

impl<S> FusedStream for JoinAiters<S>
where
    S: Stream,
    S::Item: Stream,
{
    fn is_terminated(&self) -> bool {
        self.source.is_none() && self.set.is_empty()
    }
}

#[cfg(all(test, not(aiter_loom)))]
mod tests;
