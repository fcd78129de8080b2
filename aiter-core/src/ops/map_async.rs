//! [`map_async`]: applies an async function to every item, one at a time.

use crate::util::{fuse::Fused, in_place::InPlace};
use core::{
    fmt,
    pin::Pin,
    task::{Context, Poll, ready},
};
use futures_core::{FusedStream, Stream};
use pin_project::pin_project;

/// Yields the output of `f(item)` for each item of `stream`, in order, and runs one future at a
/// time.
///
/// The source is polled for its next item once the current future has finished. Use
/// [`map_workers`](crate::map_workers) to run several futures at once. The source is dropped at its
/// end, and not polled again.
///
/// # Panics
/// A panic of `f`, or of a future that it returned, reaches the caller of `poll_next`. That future
/// is dropped, and the next poll continues with the next item.
///
/// # Cancel safety
/// Cancel safe: the stream keeps the current future, so dropping a `next()` does not drop that
/// future.
///
/// # Progress
/// Waits only for the source and the current future.
///
/// # Example
/// A device answers one request at a time:
/// ```
/// use aiter_core::{iter_to_aiter, map_async};
/// use futures_lite::{StreamExt, future::{block_on, yield_now}};
///
/// let ask = async |request: &'static str| {
///     yield_now().await; // the device is busy
///     format!("{request}: ok")
/// };
/// let answers = map_async(ask, iter_to_aiter(["open", "close"]));
/// assert_eq!(block_on(answers.collect::<Vec<_>>()), ["open: ok", "close: ok"]);
/// ```
pub fn map_async<S, F, Fut>(f: F, stream: S) -> MapAsync<S, F, Fut>
where
    S: Stream,
    F: FnMut(S::Item) -> Fut,
    Fut: Future,
{
    MapAsync {
        source: Fused::new(stream),
        f,
        current: InPlace::empty(),
    }
}

/// The stream that [`map_async`] returns.
#[pin_project]
#[must_use = "streams do nothing unless polled"]
pub struct MapAsync<S, F, Fut> {
    #[pin]
    source: Fused<S>,
    f: F,
    #[pin]
    current: InPlace<Fut>,
}

impl<S, F, Fut> Stream for MapAsync<S, F, Fut>
where
    S: Stream,
    F: FnMut(S::Item) -> Fut,
    Fut: Future,
{
    type Item = Fut::Output;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Fut::Output>> {
        let mut this = self.project();
        if this.current.is_empty() {
            let Some(item) = ready!(this.source.poll_next(cx)) else {
                return Poll::Ready(None);
            };
            this.current.as_mut().set((this.f)(item));
        }
        this.current.poll(cx).map(Some)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let (least, most) = self.source.size_hint();
        let current = usize::from(!self.current.is_empty());
        (
            least.saturating_add(current),
            most.and_then(|most| most.checked_add(current)),
        )
    }
}

impl<S, F, Fut> FusedStream for MapAsync<S, F, Fut>
where
    S: Stream,
    F: FnMut(S::Item) -> Fut,
    Fut: Future,
{
    fn is_terminated(&self) -> bool {
        // The source is polled only if there is no current future.
        self.source.is_terminated()
    }
}

impl<S: fmt::Debug, F, Fut> fmt::Debug for MapAsync<S, F, Fut> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MapAsync")
            .field("source", &self.source)
            .field("busy", &!self.current.is_empty())
            .finish_non_exhaustive()
    }
}

#[cfg(all(test, feature = "alloc", not(aiter_loom)))]
mod tests {
    use super::*;
    use crate::{iter_to_aiter, test_support::*};
    use alloc::{rc::Rc, vec::Vec};
    use core::cell::{Cell, RefCell};
    use futures_lite::{StreamExt, future};

    #[test]
    fn keeps_the_future_when_next_is_dropped_at_each_await() {
        let calls = Cell::new(0);
        let f = |n: u32| {
            calls.set(calls.get() + 1);
            async move {
                future::yield_now().await;
                future::yield_now().await;
                n * 10
            }
        };
        let (source, remote) = source([Pending, Item(1), Item(2), End]);
        let mut stream = core::pin::pin!(map_async(f, source));
        let mut seen = Vec::new();
        let mut pending = 0;
        loop {
            // Each poll has a `next()` of its own.
            let next = core::pin::pin!(stream.next());
            match next.poll(&mut Context::from_waker(core::task::Waker::noop())) {
                Poll::Pending => pending += 1,
                Poll::Ready(None) => break,
                Poll::Ready(Some(item)) => seen.push(item),
            }
        }
        assert_eq!(
            (seen.as_slice(), pending, calls.get()),
            (&[10, 20][..], 5, 2)
        );
        assert!(stream.is_terminated() && remote.is_dropped());
        assert_eq!(remote.polls(), 4);
    }

    #[test]
    fn counts_the_current_future_in_its_size() {
        let mut sum = 0;
        let f = |n: u32| {
            let mut waits = 1;
            sum += n;
            future::poll_fn(move |_| {
                waits -= 1;
                if waits < 0 {
                    Poll::Ready(n)
                } else {
                    Poll::Pending
                }
            })
        };
        let mut stream = map_async(f, iter_to_aiter([1, 2]));
        assert_eq!(stream.size_hint(), (2, Some(2)));
        assert_eq!(poll_noop(&mut stream), Poll::Pending);
        assert_eq!(stream.size_hint(), (2, Some(2)));
        assert_eq!(poll_noop(&mut stream), Poll::Ready(Some(1)));
        assert_eq!(stream.size_hint(), (1, Some(1)));
        let mut endless = map_async(
            |()| future::pending::<()>(),
            iter_to_aiter(core::iter::repeat(())),
        );
        assert_eq!(poll_noop(&mut endless), Poll::Pending);
        assert_eq!(endless.size_hint(), (usize::MAX, None));
        assert!(!endless.is_terminated());
    }

    #[test]
    fn drops_a_future_that_panicked_and_continues() {
        struct RecordDrop(u32, Rc<RefCell<Vec<u32>>>);
        impl Drop for RecordDrop {
            fn drop(&mut self) {
                self.1.borrow_mut().push(self.0);
            }
        }
        let dropped = Rc::new(RefCell::new(Vec::new()));
        let f = |n: u32| {
            let guard = RecordDrop(n, dropped.clone());
            assert!(n != 1, "f");
            future::poll_fn(move |_| {
                assert!(guard.0 != 2, "future");
                Poll::Ready(guard.0)
            })
        };
        let mut stream = map_async(f, iter_to_aiter([1, 2, 3]));
        assert_eq!(panic_of(|| poll_noop(&mut stream)), "f");
        assert_eq!(panic_of(|| poll_noop(&mut stream)), "future");
        assert_eq!(*dropped.borrow(), [1, 2]);
        assert_eq!(poll_noop(&mut stream), Poll::Ready(Some(3)));
        assert_eq!(poll_noop(&mut stream), Poll::Ready(None));
        assert_eq!(*dropped.borrow(), [1, 2, 3]);
    }
}
