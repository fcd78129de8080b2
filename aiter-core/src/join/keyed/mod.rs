//! `join_aiters_keyed`: many streams as one that says from which of them an item comes.
use super::members::Members;
use crate::ready_set::ChildPoll;
use core::{
    fmt,
    pin::Pin,
    task::{Context, Poll, ready},
};
use futures_core::{FusedStream, Stream};
use pin_project::pin_project;
use scopeguard::ScopeGuard;

/// Merges streams as [`join_aiters`](crate::join_aiters) does, each with a key that says from which
/// stream an item comes.
///
#[cfg_attr(doc, doc = include_str!("../../../docs/pictures/join_keyed.svg"))]
///
/// An item of a stream comes as `(key, Some(item))`. When a stream has ended, `(key, None)` comes
/// once, after its last item and after the stream was dropped. The key is cloned for each item, so
/// it should be cheap to clone, such as a number or an `Arc`. Several streams may have equal keys.
///
/// # Panics
/// A panic of a stream reaches the consumer from that call of `poll_next`. The stream is dropped,
/// the next call yields its `(key, None)`, and the others go on. After a panic of the source no
/// further stream joins.
///
/// # Cancel safety
/// Cancel safe: an item is taken from its stream in the poll that returns it.
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
        members: Members::new(streams, usize::MAX),
        ended: None,
    }
}

/// The stream of [`join_aiters_keyed`].
#[pin_project]
#[must_use = "streams do nothing unless polled"]
pub struct JoinAitersKeyed<S, K, T> {
    #[pin]
    members: Members<S, Keyed<K, T>>,
    /// The key of a stream that has ended or panicked, until the consumer has got it.
    ended: Option<K>,
}

/// A stream and its key. The key is `None` once the stream has ended.
#[pin_project]
struct Keyed<K, T> {
    key: Option<K>,
    #[pin]
    stream: T,
}

impl<K: Clone, T: Stream> Keyed<K, T> {
    /// The next item with its key. Moves the key of a stream that ends or panics to `ended`,
    /// because the drop of the stream, which follows, may panic as well.
    fn step(
        self: Pin<&mut Self>,
        ended: &mut Option<K>,
        cx: &mut Context<'_>,
    ) -> ChildPoll<Option<(K, T::Item)>> {
        let this = self.project();
        let key = scopeguard::guard(this.key, |key| *ended = key.take());
        let polled = match this.stream.poll_next(cx) {
            Poll::Ready(Some(item)) => {
                ChildPoll::Item(Option::<K>::clone(&key).map(|key| (key, item)))
            }
            Poll::Ready(None) => return ChildPoll::Last(None),
            Poll::Pending => ChildPoll::Pending,
        };
        ScopeGuard::into_inner(key);
        polled
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
