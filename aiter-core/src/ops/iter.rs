//! [`iter_to_aiter`]: an iterator as a stream.

use core::{
    fmt,
    pin::Pin,
    task::{Context, Poll},
};
use futures_core::{FusedStream, Stream};

/// Makes a stream of an iterator. It is always ready.
///
/// The iterator is dropped at its end, and not asked again.
///
/// # Panics
/// A panic of the iterator reaches the caller of `poll_next`, and the next poll asks the iterator
/// for its next item.
///
/// # Cancel safety
/// Cancel safe: it never waits.
///
/// # Progress
/// Each poll takes one step of the iterator.
///
/// # Example
/// ```
/// use futures_lite::{StreamExt, future::block_on};
///
/// let lines = aiter_core::iter_to_aiter("[package]\nname = \"demo\"".lines());
/// assert_eq!(block_on(lines.last()), Some("name = \"demo\""));
/// ```
pub fn iter_to_aiter<I: IntoIterator>(iter: I) -> IterToAiter<I::IntoIter> {
    IterToAiter(Some(iter.into_iter()))
}

/// The stream that [`iter_to_aiter`] returns.
#[derive(Clone)]
#[must_use = "streams do nothing unless polled"]
pub struct IterToAiter<I>(Option<I>);

// The iterator is only accessed by `&mut`, and never pinned.
impl<I> Unpin for IterToAiter<I> {}

impl<I: Iterator> Stream for IterToAiter<I> {
    type Item = I::Item;

    fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<I::Item>> {
        let item = self.0.as_mut().and_then(Iterator::next);
        if item.is_none() {
            self.0 = None;
        }
        Poll::Ready(item)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        match &self.0 {
            Some(iter) => iter.size_hint(),
            None => (0, Some(0)),
        }
    }
}

impl<I: Iterator> FusedStream for IterToAiter<I> {
    fn is_terminated(&self) -> bool {
        self.0.is_none()
    }
}

impl<I> fmt::Debug for IterToAiter<I> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IterToAiter").finish_non_exhaustive()
    }
}

#[cfg(all(test, not(aiter_loom)))]
mod tests {
    use super::*;
    use crate::test_support::*;

    #[test]
    fn ends_even_if_the_iterator_would_continue() {
        let mut calls = 0;
        let unfused = core::iter::from_fn(|| {
            calls += 1;
            (calls != 2).then_some(calls)
        });
        let mut stream = iter_to_aiter(unfused);
        assert_eq!(poll_noop(&mut stream), Poll::Ready(Some(1)));
        assert!(!stream.is_terminated());
        for _ in 0..2 {
            assert_eq!(poll_noop(&mut stream), Poll::Ready(None));
            assert!(stream.is_terminated());
            assert_eq!(stream.size_hint(), (0, Some(0)));
        }
    }

    #[test]
    fn continues_after_a_panic() {
        let mut stream = iter_to_aiter((1..4).map(|n| if n == 2 { panic!("iterator") } else { n }));
        assert_eq!(stream.size_hint(), (3, Some(3)));
        assert_eq!(poll_noop(&mut stream), Poll::Ready(Some(1)));
        assert_eq!(panic_of(|| poll_noop(&mut stream)), "iterator");
        assert_eq!(poll_noop(&mut stream), Poll::Ready(Some(3)));
        assert_eq!(poll_noop(&mut stream), Poll::Ready(None));
    }
}
