//! [`map_aiter`]: applies a function to every item.

use crate::util::fuse::Fused;
use core::{
    fmt,
    pin::Pin,
    task::{Context, Poll},
};
use futures_core::{FusedStream, Stream};
use pin_project::pin_project;

/// Yields `f(item)` for each item of `stream`, in order.
///
/// Each item of the source yields one item, and nothing is read ahead. The source is dropped at its
/// end, and not polled again.
///
/// # Panics
/// A panic of `f` reaches the caller of `poll_next`. The item that was passed to `f` is lost, and
/// the next poll continues with the next item.
///
/// # Cancel safety
/// Cancel safe: the stream holds no item between two polls.
///
/// # Progress
/// Waits only for the source.
///
/// # Example
/// A sensor gives tenths of a degree:
/// ```
/// use aiter_core::{iter_to_aiter, map_aiter};
/// use futures_lite::{StreamExt, future::block_on};
///
/// let degrees = map_aiter(|tenths| f64::from(tenths) / 10.0, iter_to_aiter([195, 200]));
/// assert_eq!(block_on(degrees.collect::<Vec<_>>()), [19.5, 20.0]);
/// ```
pub fn map_aiter<S, F, T>(f: F, stream: S) -> MapAiter<S, F>
where
    S: Stream,
    F: FnMut(S::Item) -> T,
{
    MapAiter {
        source: Fused::new(stream),
        f,
    }
}

/// The stream that [`map_aiter`] returns.
#[pin_project]
#[derive(Clone)]
#[must_use = "streams do nothing unless polled"]
pub struct MapAiter<S, F> {
    #[pin]
    source: Fused<S>,
    f: F,
}

impl<S, F, T> Stream for MapAiter<S, F>
where
    S: Stream,
    F: FnMut(S::Item) -> T,
{
    type Item = T;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<T>> {
        let this = self.project();
        this.source.poll_next(cx).map(|item| item.map(this.f))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.source.size_hint()
    }
}

impl<S, F, T> FusedStream for MapAiter<S, F>
where
    S: Stream,
    F: FnMut(S::Item) -> T,
{
    fn is_terminated(&self) -> bool {
        self.source.is_terminated()
    }
}

impl<S: fmt::Debug, F> fmt::Debug for MapAiter<S, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MapAiter")
            .field("source", &self.source)
            .finish_non_exhaustive()
    }
}

#[cfg(all(test, not(aiter_loom)))]
mod tests {
    use super::*;
    use crate::{iter_to_aiter, test_support::*};

    #[test]
    fn maps_waits_and_ends_with_the_source() {
        let (source, remote) = source([Item(1), Pending, Item(2), End]);
        let mut stream = map_aiter(|n| n * 10, source);
        assert_eq!(stream.size_hint(), (1, None));
        assert_eq!(poll_noop(&mut stream), Poll::Ready(Some(10)));
        assert_eq!(poll_noop(&mut stream), Poll::Pending);
        assert_eq!(stream.size_hint(), (1, Some(1)));
        assert_eq!(poll_noop(&mut stream), Poll::Ready(Some(20)));
        assert!(!stream.is_terminated());
        assert_eq!(poll_noop(&mut stream), Poll::Ready(None));
        assert!(stream.is_terminated());
        assert_eq!(poll_noop(&mut stream), Poll::Ready(None));
        assert_eq!(remote.polls(), 4);
    }

    #[test]
    fn continues_after_a_panic_of_the_function() {
        let f = |n| if n == 2 { panic!("f") } else { n };
        // Two levels deep: neither of them takes the panic for the end.
        let mut stream = map_aiter(|n| n, map_aiter(f, iter_to_aiter([1, 2, 3])));
        assert_eq!(poll_noop(&mut stream), Poll::Ready(Some(1)));
        assert_eq!(panic_of(|| poll_noop(&mut stream)), "f");
        assert_eq!(poll_noop(&mut stream), Poll::Ready(Some(3)));
        assert_eq!(poll_noop(&mut stream), Poll::Ready(None));
    }
}
