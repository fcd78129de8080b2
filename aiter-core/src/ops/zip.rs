//! [`azip`]: rows made of one item of each of several streams.

use core::{
    fmt,
    pin::Pin,
    task::{Context, Poll, ready},
};
use futures_core::{FusedStream, Stream};
use pin_project::pin_project;

/// Yields rows that each have the next item of every stream of a tuple of 1 to 12 streams.
///
#[cfg_attr(doc, doc = include_str!("../../docs/pictures/azip.svg"))]
///
/// Each poll polls all streams that have no item in the current row yet, so they make progress side
/// by side. No stream is polled for more than the row needs. The rows end as soon as one of the
/// streams ends. Then all streams are dropped, with the items of the current row.
///
/// # Panics
/// A panic of one of the streams reaches the caller of `poll_next`. The row keeps the items of the
/// others, and the next poll polls that stream again.
///
/// # Cancel safety
/// Cancel safe: the stream keeps an incomplete row, and the next poll completes it.
///
/// # Progress
/// Waits only for the streams.
///
/// ```
/// use aiter_core::{azip, iter_to_aiter};
/// use futures_lite::{StreamExt, future::block_on};
///
/// let rows = azip((iter_to_aiter(1..), iter_to_aiter(["one", "two"])));
/// assert_eq!(block_on(rows.collect::<Vec<_>>()), [(1, "one"), (2, "two")]);
/// ```
pub fn azip<T: ZipStreams>(streams: T) -> Azip<T> {
    Azip {
        parts: Some(streams.into_parts()),
    }
}

/// The stream that [`azip`] returns.
#[pin_project]
#[must_use = "streams do nothing unless polled"]
pub struct Azip<T: ZipStreams> {
    /// `None` once a stream has ended.
    #[pin]
    parts: Option<T::Parts>,
}

impl<T: ZipStreams> Stream for Azip<T> {
    type Item = T::Row;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<T::Row>> {
        let mut slot = self.project().parts;
        let Some(mut parts) = slot.as_mut().as_pin_mut() else {
            return Poll::Ready(None);
        };
        Poll::Ready(match ready!(parts.as_mut().poll_fill(cx)) {
            Fill::Full => Some(T::row(parts.take())),
            Fill::Ended => {
                slot.set(None);
                None
            }
        })
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        match &self.parts {
            Some(parts) => parts.size_hint(),
            None => (0, Some(0)),
        }
    }
}

impl<T: ZipStreams> FusedStream for Azip<T> {
    fn is_terminated(&self) -> bool {
        self.parts.is_none()
    }
}

impl<T: ZipStreams> fmt::Debug for Azip<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Azip")
            .field("ended", &self.parts.is_none())
            .finish_non_exhaustive()
    }
}

/// A tuple of 1 to 12 streams, which [`azip`] takes. It cannot be implemented elsewhere.
pub trait ZipStreams: sealed::Sealed {
    /// A tuple with an item of each stream.
    type Row;
    #[doc(hidden)]
    type Parts: Parts;
    #[doc(hidden)]
    fn into_parts(self) -> Self::Parts;
    #[doc(hidden)]
    fn row(items: <Self::Parts as Parts>::Items) -> Self::Row;
}

mod sealed {
    pub trait Sealed {}
}

/// The result of polling a row.
#[doc(hidden)]
#[derive(Debug)]
pub enum Fill {
    /// Every part holds an item.
    Full,
    /// A part has ended.
    Ended,
}

/// The parts of a row as a nested list, so that one projection serves tuples of any length.
#[doc(hidden)]
pub trait Parts {
    type Items;
    fn poll_fill(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Fill>;
    /// Takes the items of a full row.
    fn take(self: Pin<&mut Self>) -> Self::Items;
    fn size_hint(&self) -> (usize, Option<usize>);
}

#[doc(hidden)]
#[pin_project]
#[allow(missing_debug_implementations)]
pub struct Part<S: Stream, R> {
    #[pin]
    stream: S,
    item: Option<S::Item>,
    #[pin]
    rest: R,
}

impl<S: Stream, R: Parts> Parts for Part<S, R> {
    type Items = (S::Item, R::Items);

    fn poll_fill(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Fill> {
        let this = self.project();
        if this.item.is_none() {
            match this.stream.poll_next(cx) {
                Poll::Ready(None) => return Poll::Ready(Fill::Ended),
                Poll::Ready(item) => *this.item = item,
                Poll::Pending => {}
            }
        }
        match this.rest.poll_fill(cx) {
            Poll::Ready(Fill::Full) if this.item.is_none() => Poll::Pending,
            fill => fill,
        }
    }

    fn take(self: Pin<&mut Self>) -> Self::Items {
        let this = self.project();
        let item = this.item.take().expect("only a full row is taken");
        (item, this.rest.take())
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let held = usize::from(self.item.is_some());
        let (least, most) = self.stream.size_hint();
        let (rest_least, rest_most) = self.rest.size_hint();
        let most = most.and_then(|most| most.checked_add(held));
        (
            least.saturating_add(held).min(rest_least),
            match (most, rest_most) {
                (Some(a), Some(b)) => Some(a.min(b)),
                (a, b) => a.or(b),
            },
        )
    }
}

/// The end of the list of parts.
impl Parts for () {
    type Items = ();

    fn poll_fill(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Fill> {
        Poll::Ready(Fill::Full)
    }

    fn take(self: Pin<&mut Self>) {}

    fn size_hint(&self) -> (usize, Option<usize>) {
        (usize::MAX, None)
    }
}

macro_rules! nested {
    (type) => { () };
    (type $S:ident $($rest:ident)*) => { Part<$S, nested!(type $($rest)*)> };
    (value) => { () };
    (value $s:ident $($rest:ident)*) => { Part { stream: $s, item: None, rest: nested!(value $($rest)*) } };
    (items) => { () };
    (items $s:ident $($rest:ident)*) => { ($s, nested!(items $($rest)*)) };
}

macro_rules! zip_streams {
    ($($S:ident $s:ident),+) => {
        impl<$($S: Stream),+> sealed::Sealed for ($($S,)+) {}

        impl<$($S: Stream),+> ZipStreams for ($($S,)+) {
            type Row = ($($S::Item,)+);
            type Parts = nested!(type $($S)+);

            fn into_parts(self) -> Self::Parts {
                let ($($s,)+) = self;
                nested!(value $($s)+)
            }

            fn row(items: <Self::Parts as Parts>::Items) -> Self::Row {
                let nested!(items $($s)+) = items;
                ($($s,)+)
            }
        }
    };
}

zip_streams!(A a);
zip_streams!(A a, B b);
zip_streams!(A a, B b, C c);
zip_streams!(A a, B b, C c, D d);
zip_streams!(A a, B b, C c, D d, E e);
zip_streams!(A a, B b, C c, D d, E e, F f);
zip_streams!(A a, B b, C c, D d, E e, F f, G g);
zip_streams!(A a, B b, C c, D d, E e, F f, G g, H h);
zip_streams!(A a, B b, C c, D d, E e, F f, G g, H h, I i);
zip_streams!(A a, B b, C c, D d, E e, F f, G g, H h, I i, J j);
zip_streams!(A a, B b, C c, D d, E e, F f, G g, H h, I i, J j, K k);
zip_streams!(A a, B b, C c, D d, E e, F f, G g, H h, I i, J j, K k, L l);

#[cfg(all(test, not(aiter_loom)))]
mod tests {
    use super::*;
    use crate::{iter_to_aiter, test_support::*};

    #[test]
    fn keeps_an_incomplete_row_and_polls_for_no_more() {
        let (a, a_remote) = source([Item('a'), Item('b')]);
        let (b, b_remote) = source([Pending]);
        let (c, c_remote) = source([Item(1.5)]);
        let mut rows = azip((a, b, c));
        assert_eq!(rows.size_hint(), (0, None));
        assert_eq!(poll_noop(&mut rows), Poll::Pending);
        // All were polled although the second had no item, and their items count.
        assert_eq!(
            (a_remote.polls(), b_remote.polls(), c_remote.polls()),
            (1, 1, 1)
        );
        b_remote.add([Item(7), Item(8)]);
        assert_eq!(rows.size_hint(), (1, None));
        assert_eq!(poll_noop(&mut rows), Poll::Ready(Some(('a', 7, 1.5))));
        assert_eq!(
            (a_remote.polls(), b_remote.polls(), c_remote.polls()),
            (1, 2, 1)
        );
        assert_eq!(poll_noop(&mut rows), Poll::Pending);
        assert_eq!(
            (a_remote.polls(), b_remote.polls(), c_remote.polls()),
            (2, 3, 2)
        );
        assert!(!rows.is_terminated());
    }

    #[test]
    fn ends_with_the_shortest_even_while_others_are_pending() {
        let (a, a_remote) = source::<()>([]);
        let (b, b_remote) = source([Item(1), End]);
        let mut rows = azip((a, b));
        assert_eq!(poll_noop(&mut rows), Poll::Pending);
        a_remote.add([Item(())]);
        assert_eq!(poll_noop(&mut rows), Poll::Ready(Some(((), 1))));
        assert!(!rows.is_terminated());
        for _ in 0..2 {
            assert_eq!(poll_noop(&mut rows), Poll::Ready(None));
            assert!(rows.is_terminated());
            assert_eq!(rows.size_hint(), (0, Some(0)));
        }
        assert!(a_remote.is_dropped() && b_remote.is_dropped());
        assert_eq!((a_remote.polls(), b_remote.polls()), (3, 2));
    }

    #[test]
    fn keeps_the_row_through_a_panic_of_one_stream() {
        let (a, _) = source([Item(1), Item(2), End]);
        let (b, _) = source([Panic, Item(10), Panic, Item(20)]);
        let mut rows = azip((a, b));
        assert_eq!(panic_of(|| poll_noop(&mut rows)), "source");
        assert_eq!(poll_noop(&mut rows), Poll::Ready(Some((1, 10))));
        assert_eq!(panic_of(|| poll_noop(&mut rows)), "source");
        assert_eq!(poll_noop(&mut rows), Poll::Ready(Some((2, 20))));
        assert_eq!(poll_noop(&mut rows), Poll::Ready(None));
    }

    #[test]
    fn takes_one_and_twelve() {
        let n = || iter_to_aiter(1..3);
        let mut one = azip((n(),));
        assert_eq!(poll_noop(&mut one), Poll::Ready(Some((1,))));
        let mut twelve = azip((
            n(),
            n(),
            n(),
            n(),
            n(),
            n(),
            n(),
            n(),
            n(),
            n(),
            n(),
            iter_to_aiter("ab".chars()),
        ));
        assert_eq!(twelve.size_hint(), (1, Some(2)));
        assert_eq!(
            poll_noop(&mut twelve),
            Poll::Ready(Some((1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 'a')))
        );
        assert_eq!(twelve.size_hint(), (1, Some(1)));
    }
}
