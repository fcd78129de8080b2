//! Many streams as one that says which of them an item came from.
use super::members::Members;
use crate::ready_set::Turn;
use core::{
    fmt, mem,
    pin::Pin,
    task::{Context, Poll, ready},
};
use futures_core::{FusedStream, Stream};
use pin_project::pin_project;

/// Joins streams as [`join_aiters`](crate::join_aiters) does, each with a key, and says what came from which.
///
/// An item of a stream comes as `(key, Some(item))`. When a stream has ended `(key, None)` comes, once, after its last
/// item and after the stream was dropped. A key is cloned for each item, so a number or an `Arc` is a good one; streams may
/// have equal keys.
///
/// # Panics
/// A panic of a stream reaches the consumer from that call of `poll_next`. The stream is dropped, and the next call says that
/// it ended; the others go on. After a panic of the source no stream joins any more.
///
/// # Cancel safety
/// `next()` may be dropped at any point: an item is taken from its stream only when it is handed out.
///
/// # Progress
/// As [`join_aiters`](crate::join_aiters).
///
/// # Examples
/// ```
/// use aiter_core::join_aiters_keyed;
/// use futures_lite::{StreamExt, future::block_on, stream};
///
/// let lines = stream::iter([("a", stream::iter(vec![1, 2])), ("b", stream::iter(vec![]))]);
/// let mut all: Vec<_> = block_on(join_aiters_keyed(lines).collect());
/// all.sort_by_key(|&(key, _)| key);
/// assert_eq!(all, [("a", Some(1)), ("a", Some(2)), ("a", None), ("b", None)]);
/// ```
pub fn join_aiters_keyed<S, K, T>(streams: S) -> JoinAitersKeyed<S, K, T>
where
    S: Stream<Item = (K, T)>,
    K: Clone,
    T: Stream,
{
    JoinAitersKeyed {
        members: Members::new(streams),
        ended: None,
    }
}

/// The stream of [`join_aiters_keyed`].
#[pin_project]
#[must_use = "streams do nothing unless polled"]
pub struct JoinAitersKeyed<S, K, T> {
    #[pin]
    members: Members<S, Keyed<K, T>>,
    /// The key of a stream that ended or panicked, until that is said.
    ended: Option<K>,
}

/// A stream and its key; `None` once the stream is over.
#[pin_project]
struct Keyed<K, T> {
    key: Option<K>,
    #[pin]
    stream: T,
}

/// Notes that a stream is over.
struct Over<'a, K> {
    key: &'a mut Option<K>,
    ended: &'a mut Option<K>,
}

impl<K> Drop for Over<'_, K> {
    fn drop(&mut self) {
        *self.ended = self.key.take();
    }
}

impl<K: Clone, T: Stream> Keyed<K, T> {
    /// An item and its key. The key of a stream that ends or panics is left in `ended`: also the drop of the stream may panic.
    fn step(
        self: Pin<&mut Self>,
        ended: &mut Option<K>,
        cx: &mut Context<'_>,
    ) -> Turn<Option<(K, T::Item)>> {
        let this = self.project();
        let over = Over {
            key: this.key,
            ended,
        };
        let turn = match this.stream.poll_next(cx) {
            Poll::Ready(Some(item)) => Turn::Item(over.key.clone().map(|key| (key, item))),
            Poll::Ready(None) => return Turn::Last(None),
            Poll::Pending => Turn::Pending,
        };
        mem::forget(over);
        turn
    }
}

impl<S, K, T> Stream for JoinAitersKeyed<S, K, T>
where
    S: Stream<Item = (K, T)>,
    K: Clone,
    T: Stream,
{
    type Item = (K, Option<T::Item>);

    #[inline]
    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.project();
        if this.ended.is_none() {
            let join = |(key, stream)| Keyed {
                key: Some(key),
                stream,
            };
            let step =
                |member: Pin<&mut Keyed<K, T>>, cx: &mut Context<'_>| member.step(this.ended, cx);
            match ready!(this.members.poll(cx, join, step)) {
                Some(Some((key, item))) => return Poll::Ready(Some((key, Some(item)))),
                Some(None) => {}
                None => return Poll::Ready(None),
            }
        }
        Poll::Ready(this.ended.take().map(|key| (key, None)))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let (low, high) = self.members.size_hint(|member| {
            let (low, high) = member.stream.size_hint();
            (
                low.saturating_add(1),
                high.and_then(|high| high.checked_add(1)),
            )
        });
        let ended = usize::from(self.ended.is_some());
        (
            low.saturating_add(ended),
            high.and_then(|high| high.checked_add(ended)),
        )
    }
}

impl<S, K, T> FusedStream for JoinAitersKeyed<S, K, T>
where
    S: Stream<Item = (K, T)>,
    K: Clone,
    T: Stream,
{
    fn is_terminated(&self) -> bool {
        self.ended.is_none() && self.members.is_terminated()
    }
}

impl<S: fmt::Debug, K, T> fmt::Debug for JoinAitersKeyed<S, K, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JoinAitersKeyed")
            .field("members", &self.members)
            .finish_non_exhaustive()
    }
}

#[cfg(all(test, not(aiter_loom)))]
mod tests;
