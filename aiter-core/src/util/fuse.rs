//! [`Fused`]: a stream that is not polled again after its end.

use core::{
    pin::Pin,
    task::{Context, Poll, ready},
};
use futures_core::{FusedStream, Stream};
use pin_project::pin_project;

/// Drops the wrapped stream as soon as it has ended, and yields `None` from then on.
#[pin_project]
#[derive(Clone, Debug)]
pub(crate) struct Fused<S>(#[pin] Option<S>);

impl<S> Fused<S> {
    pub(crate) fn new(stream: S) -> Self {
        Self(Some(stream))
    }

    /// A stream that has ended.
    #[cfg(feature = "alloc")]
    pub(crate) fn ended() -> Self {
        Self(None)
    }

    /// Drops the wrapped stream, which ends this one.
    #[cfg(feature = "alloc")]
    pub(crate) fn end(self: Pin<&mut Self>) {
        self.project().0.set(None);
    }
}

impl<S: Stream> Stream for Fused<S> {
    type Item = S::Item;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<S::Item>> {
        let mut source = self.project().0;
        let Some(stream) = source.as_mut().as_pin_mut() else {
            return Poll::Ready(None);
        };
        let item = ready!(stream.poll_next(cx));
        if item.is_none() {
            source.set(None);
        }
        Poll::Ready(item)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        match &self.0 {
            Some(stream) => stream.size_hint(),
            None => (0, Some(0)),
        }
    }
}

impl<S: Stream> FusedStream for Fused<S> {
    fn is_terminated(&self) -> bool {
        self.0.is_none()
    }
}

#[cfg(all(test, feature = "alloc", not(aiter_loom)))]
mod tests {
    use super::*;
    use crate::test_support::*;

    #[test]
    fn drops_the_source_at_its_end_and_never_polls_it_again() {
        let (source, remote) = source([Item(1), Pending, End]);
        let mut stream = Fused::new(source);
        assert_eq!(poll_noop(&mut stream), Poll::Ready(Some(1)));
        assert_eq!(poll_noop(&mut stream), Poll::Pending);
        assert!(!stream.is_terminated() && !remote.is_dropped());
        assert_eq!(poll_noop(&mut stream), Poll::Ready(None));
        assert!(stream.is_terminated() && remote.is_dropped());
        assert_eq!(poll_noop(&mut stream), Poll::Ready(None));
        assert_eq!(stream.size_hint(), (0, Some(0)));
        assert_eq!(remote.polls(), 3);
    }
}
