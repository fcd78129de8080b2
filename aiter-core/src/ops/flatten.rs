//! `flatten_aiter`: the items of the collections a stream yields.

use crate::util::fuse::Fused;
use core::{
    fmt,
    pin::Pin,
    task::{Context, Poll, ready},
};
use futures_core::{FusedStream, Stream};
use pin_project::pin_project;

/// How many collections may turn out empty in one poll before the executor gets its turn. Large enough to cost
/// nothing per item, small enough that a task next to an always ready source is served within microseconds.
const EMPTY_RUN: usize = 128;

/// The items of each collection that `stream` yields, one after the other.
///
/// An empty collection (`None`, an empty `Vec`) adds nothing. The next collection is asked for when the one before
/// is used up. After 128 collections in a row without an item the stream wakes its task and yields to the executor,
/// so that an always ready source of empty collections cannot hold the thread. The source is dropped at its end, and
/// not polled again.
///
/// # Panics
/// A panic in an iterator reaches whoever polls; the next poll asks that iterator for its next item. A panic in
/// `into_iter` loses that collection; the next poll goes on with the next one.
///
/// # Cancel safety
/// Cancel safe: the collection under way is kept in the stream.
///
/// # Progress
/// Never waits for anything but the source.
///
/// ```
/// use futures_lite::{StreamExt, future::block_on};
///
/// let lists = aiter_core::iter_to_aiter([vec![1, 2], vec![], vec![3]]);
/// assert_eq!(block_on(aiter_core::flatten_aiter(lists).collect::<Vec<_>>()), [1, 2, 3]);
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

/// The stream [`flatten_aiter`] returns.
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
        // The source is asked again only when nothing is under way.
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
    use crate::{iter_to_aiter, map_filter_aiter, test_support::*};
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

    #[test]
    fn yields_to_the_executor_in_a_long_run_of_empties() {
        let mut asked = 0;
        let mut stream = map_filter_aiter(
            |n| {
                asked += 1;
                (n == 3 * EMPTY_RUN).then_some(n)
            },
            iter_to_aiter(1..),
        );
        let (wakes, waker) = Wakes::new();
        // The result of each of these polls is its last, so the fourth finds the item of the one before it.
        for turn in 1..=3 {
            assert_eq!(poll(&mut stream, &waker), Poll::Pending);
            assert_eq!(wakes.count(), turn);
        }
        assert_eq!(poll(&mut stream, &waker), Poll::Ready(Some(3 * EMPTY_RUN)));
        assert_eq!(wakes.count(), 3);
        drop(stream);
        assert_eq!(asked, 3 * EMPTY_RUN);
    }

    #[test]
    fn goes_on_after_the_panic_of_an_iterator() {
        let step = |n| if n == 2 { panic!("iterator") } else { n };
        let mut stream = map_filter_aiter(
            |list: [u32; 3]| list.into_iter().map(step),
            iter_to_aiter([[1, 2, 3]]),
        );
        assert_eq!(poll_noop(&mut stream), Poll::Ready(Some(1)));
        assert_eq!(panic_of(|| poll_noop(&mut stream)), "iterator");
        assert_eq!(poll_noop(&mut stream), Poll::Ready(Some(3)));
        assert_eq!(poll_noop(&mut stream), Poll::Ready(None));
    }

    #[test]
    fn goes_on_after_a_panic_of_the_function_or_of_into_iter() {
        struct Bad(u32);
        impl IntoIterator for Bad {
            type Item = u32;
            type IntoIter = core::iter::Once<u32>;
            fn into_iter(self) -> Self::IntoIter {
                assert!(self.0 != 2, "into_iter");
                core::iter::once(self.0)
            }
        }
        let f = |n| if n == 1 { panic!("f") } else { Bad(n) };
        let mut stream = map_filter_aiter(f, iter_to_aiter([1, 2, 3]));
        assert_eq!(panic_of(|| poll_noop(&mut stream)), "f");
        assert_eq!(panic_of(|| poll_noop(&mut stream)), "into_iter");
        assert_eq!(poll_noop(&mut stream), Poll::Ready(Some(3)));
        assert_eq!(poll_noop(&mut stream), Poll::Ready(None));
    }
}
