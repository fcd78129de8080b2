//! [`flatten_aiter`]: the items of the collections that a stream yields.

use crate::util::fuse::Fused;
use core::{
    fmt,
    pin::Pin,
    task::{Context, Poll, ready},
};
use futures_core::{FusedStream, Stream};
use pin_project::pin_project;

/// How many collections may turn out empty in one poll before the stream yields to the executor. It
/// is large enough to cost nothing per item, and small enough that a task next to a source that is
/// always ready runs again within microseconds.
pub(super) const EMPTY_RUN: usize = 128;

/// Yields the items of each collection that `stream` yields, one collection after the other.
///
/// Use it on a stream of batches, such as the `Vec`s of a paged query. An empty collection (`None`,
/// an empty `Vec`) adds no item. The source is polled for the next collection once the current one
/// is exhausted. It is dropped at its end, and not polled again.
///
/// After 128 collections in a row without an item, the stream wakes its task and yields to the
/// executor, so that a source of empty collections that is always ready does not keep other tasks
/// from running.
///
/// # Panics
/// A panic of an iterator reaches the caller of `poll_next`, and the next poll asks that iterator
/// for its next item. A panic of `into_iter` loses that collection, and the next poll continues
/// with the next one.
///
/// # Cancel safety
/// Cancel safe: the stream keeps the current collection.
///
/// # Progress
/// Waits only for the source.
///
/// # Example
/// The rows of a result that a database returns page by page:
/// ```
/// use aiter_core::{flatten_aiter, iter_to_aiter};
/// use futures_lite::{StreamExt, future::block_on};
///
/// let pages = iter_to_aiter([vec!["Ada", "Grace"], vec![], vec!["Edsger"]]);
/// let rows: Vec<_> = block_on(flatten_aiter(pages).collect());
/// assert_eq!(rows, ["Ada", "Grace", "Edsger"]);
/// ```
pub fn flatten_aiter<S>(stream: S) -> FlattenAiter<S>
where
    S: Stream,
    S::Item: IntoIterator,
{
    FlattenAiter {
        source: Fused::new(stream),
        current: None,
    }
}

/// The stream that [`flatten_aiter`] returns.
#[pin_project]
#[must_use = "streams do nothing unless polled"]
pub struct FlattenAiter<S>
where
    S: Stream,
    S::Item: IntoIterator,
{
    #[pin]
    source: Fused<S>,
    current: Option<<S::Item as IntoIterator>::IntoIter>,
}

impl<S> Stream for FlattenAiter<S>
where
    S: Stream,
    S::Item: IntoIterator,
{
    type Item = <S::Item as IntoIterator>::Item;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let mut this = self.project();
        for _ in 0..EMPTY_RUN {
            if let Some(items) = this.current {
                if let Some(item) = items.next() {
                    return Poll::Ready(Some(item));
                }
                *this.current = None;
            }
            let Some(items) = ready!(this.source.as_mut().poll_next(cx)) else {
                return Poll::Ready(None);
            };
            *this.current = Some(items.into_iter());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let (least, most) = match &self.current {
            Some(items) => items.size_hint(),
            None => (0, Some(0)),
        };
        match self.source.size_hint() {
            (_, Some(0)) => (least, most),
            _ => (least, None),
        }
    }
}

impl<S> FusedStream for FlattenAiter<S>
where
    S: Stream,
    S::Item: IntoIterator,
{
    fn is_terminated(&self) -> bool {
        // The source is polled only if there is no current collection.
        self.source.is_terminated()
    }
}

impl<S> fmt::Debug for FlattenAiter<S>
where
    S: Stream + fmt::Debug,
    S::Item: IntoIterator,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FlattenAiter")
            .field("source", &self.source)
            .finish_non_exhaustive()
    }
}

#[cfg(all(test, not(aiter_loom)))]
mod tests {
    use super::*;
    use crate::{ops::iter_to_aiter, test_support::*};
    use alloc::{vec, vec::Vec};

    #[test]
    fn flattens_skips_empties_waits_and_ends() {
        let (source, remote) = source([
            Item(vec![]),
            Item(vec![1, 2]),
            Pending,
            Item(vec![]),
            Item(vec![3]),
            End,
        ]);
        let mut stream = flatten_aiter(source);
        assert_eq!(poll_noop(&mut stream), Poll::Ready(Some(1)));
        assert_eq!(stream.size_hint(), (1, None));
        assert_eq!(poll_noop(&mut stream), Poll::Ready(Some(2)));
        assert_eq!(poll_noop(&mut stream), Poll::Pending);
        assert_eq!(poll_noop(&mut stream), Poll::Ready(Some(3)));
        assert!(!stream.is_terminated());
        assert_eq!(poll_noop(&mut stream), Poll::Ready(None));
        assert!(stream.is_terminated());
        assert_eq!(stream.size_hint(), (0, Some(0)));
        assert_eq!(poll_noop(&mut stream), Poll::Ready(None));
        assert_eq!(remote.polls(), 6);
    }

    #[test]
    fn knows_its_size_once_the_source_is_used_up() {
        let mut stream = flatten_aiter(iter_to_aiter([vec![1, 2, 3]]));
        assert_eq!(stream.size_hint(), (0, None));
        assert_eq!(poll_noop(&mut stream), Poll::Ready(Some(1)));
        assert_eq!(stream.size_hint(), (2, Some(2)));
        let mut none = flatten_aiter(iter_to_aiter(Vec::<Vec<u8>>::new()));
        assert_eq!(none.size_hint(), (0, Some(0)));
        assert_eq!(poll_noop(&mut none), Poll::Ready(None));
    }
}
