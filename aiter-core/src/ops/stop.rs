//! [`stoppable_aiter`]: a stream with a switch that ends it.
//!
//! The stopped flag goes one way, from 0 to 1. The stream loads it before it polls the source, and
//! again after it has registered its waker with a pending source. See
//! [`wait::wake_cell`](crate::wait::wake_cell) for why no stop is missed.

use crate::{
    sync::{AtomicUsize, Ordering},
    util::fuse::Fused,
    wait::notify::{WakeSink, WakeSource},
};
use core::{
    fmt,
    pin::Pin,
    task::{Context, Poll},
};
use futures_core::{FusedStream, Stream};
use pin_project::pin_project;

/// Yields the items of `stream` until [`Stopper::stop`] ends it.
///
/// Use it to end a stream from another task, for example the accept loop of a server at shutdown. A
/// stop takes effect at once: items that the source still has are not polled. The source is dropped
/// in the first poll after the stop, at its own end, or with the stream. Dropping the stopper has
/// no effect.
///
/// # Panics
/// A panic of the source reaches the caller of `poll_next`, and the next poll polls the source
/// again.
///
/// # Cancel safety
/// Cancel safe: the stream holds no item between two polls. If a stop comes while a `next()` is
/// dropped, the next one sees it.
///
/// # Progress
/// Waits only for the source or a stop. A poll adds one atomic load to that of the source. If the
/// source is pending, it also registers its waker, which is wait-free.
///
/// ```
/// use aiter_core::{iter_to_aiter, stoppable_aiter};
/// use futures_lite::{StreamExt, future::block_on};
///
/// let (mut numbers, stopper) = stoppable_aiter(iter_to_aiter(1..));
/// assert_eq!(block_on(numbers.next()), Some(1));
/// stopper.stop();
/// assert_eq!(block_on(numbers.next()), None);
/// ```
pub fn stoppable_aiter<S: Stream>(stream: S) -> (Stoppable<S>, Stopper) {
    let sink = WakeSink::new(Stopped(AtomicUsize::new(0)));
    let stopper = Stopper(sink.wake_source());
    let source = Fused::new(stream);
    (Stoppable { source, sink }, stopper)
}

#[derive(Debug)]
struct Stopped(AtomicUsize);

impl Stopped {
    #[inline]
    fn get(&self) -> bool {
        // Ordering: Acquire pairs with `Stopper::stop`: what was done before the stop is seen after
        // the end.
        self.0.load(Ordering::Acquire) != 0
    }
}

/// The stream that [`stoppable_aiter`] returns.
#[pin_project]
#[derive(Debug)]
#[must_use = "streams do nothing unless polled"]
pub struct Stoppable<S> {
    #[pin]
    source: Fused<S>,
    sink: WakeSink<Stopped>,
}

impl<S: Stream> Stream for Stoppable<S> {
    type Item = S::Item;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<S::Item>> {
        let mut this = self.project();
        this.sink.clear_for(cx.waker());
        if !this.sink.get() {
            match this.source.as_mut().poll_next(cx) {
                Poll::Ready(Some(item)) => return Poll::Ready(Some(item)),
                Poll::Ready(None) => {}
                Poll::Pending => {
                    this.sink.register(cx.waker());
                    if !this.sink.get() {
                        return Poll::Pending;
                    }
                }
            }
        }
        this.source.end();
        this.sink.clear();
        Poll::Ready(None)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        match self.sink.get() {
            true => (0, Some(0)),
            // It may be stopped at any time.
            false => (0, self.source.size_hint().1),
        }
    }
}

impl<S: Stream> FusedStream for Stoppable<S> {
    fn is_terminated(&self) -> bool {
        self.source.is_terminated()
    }
}

/// Ends the [`Stoppable`] that it was created with. Clones end the same stream.
#[derive(Clone)]
pub struct Stopper(WakeSource<Stopped>);

impl Stopper {
    /// Ends the stream now, and wakes the task that waits for it. Further calls do nothing.
    ///
    /// # Panics
    /// If the waker of the waiting task panics. The stream is stopped all the same.
    ///
    /// # Progress
    /// Lock-free.
    pub fn stop(&self) {
        // Ordering: Release pairs with the acquire of the stream's loads.
        if self.0.0.swap(1, Ordering::Release) == 0 {
            self.0.wake();
        }
    }

    /// Whether [`stop`](Self::stop) was called. It stays `false` if the source ends by itself.
    pub fn is_stopped(&self) -> bool {
        self.0.get()
    }
}

impl fmt::Debug for Stopper {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stopper")
            .field("stopped", &self.is_stopped())
            .finish()
    }
}

#[cfg(all(test, not(aiter_loom)))]
mod tests {
    use super::*;
    use crate::{iter_to_aiter, test_support::*};
    use alloc::sync::Arc;

    #[test]
    fn stops_at_once_and_drops_the_source_at_the_next_poll() {
        let (source, remote) = source([Item(1), Item(2), Item(3)]);
        let (mut stream, stopper) = stoppable_aiter(source);
        assert_eq!(stream.size_hint(), (0, None));
        assert_eq!(poll_noop(&mut stream), Poll::Ready(Some(1)));
        stopper.clone().stop();
        assert!(stopper.is_stopped() && !remote.is_dropped() && !stream.is_terminated());
        assert_eq!(stream.size_hint(), (0, Some(0)));
        for _ in 0..2 {
            assert_eq!(poll_noop(&mut stream), Poll::Ready(None));
            assert!(remote.is_dropped() && stream.is_terminated());
        }
        assert_eq!(remote.polls(), 1);
        assert_eq!(stream.size_hint(), (0, Some(0)));
        stopper.stop();
    }

    #[test]
    fn wakes_the_waker_registered_last_once() {
        let (source, _remote) = source::<()>([]);
        let (mut stream, stopper) = stoppable_aiter(source);
        let (first, waker) = Wakes::new();
        assert_eq!(poll(&mut stream, &waker), Poll::Pending);
        let (second, waker) = Wakes::new();
        assert_eq!(poll(&mut stream, &waker), Poll::Pending);
        assert_eq!(poll(&mut stream, &waker), Poll::Pending);
        stopper.stop();
        stopper.stop();
        assert_eq!((first.count(), second.count()), (0, 1));
        assert_eq!(poll(&mut stream, &waker), Poll::Ready(None));
    }

    #[test]
    fn sees_a_stop_made_while_the_source_is_polled() {
        struct StopsIt(Option<Stopper>);
        impl Stream for StopsIt {
            type Item = ();
            fn poll_next(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<()>> {
                self.0.as_ref().unwrap().stop();
                Poll::Pending
            }
        }
        let (mut stream, stopper) = stoppable_aiter(StopsIt(None));
        stream.source = Fused::new(StopsIt(Some(stopper)));
        assert_eq!(poll_noop(&mut stream), Poll::Ready(None));
    }

    #[test]
    fn ends_with_its_source_and_works_without_a_stopper() {
        let (mut stream, stopper) = stoppable_aiter(iter_to_aiter([1]));
        assert_eq!(stream.size_hint(), (0, Some(1)));
        drop(stopper);
        assert_eq!(poll_noop(&mut stream), Poll::Ready(Some(1)));
        assert_eq!(poll_noop(&mut stream), Poll::Ready(None));
        assert!(stream.is_terminated());

        let (mut stream, stopper) = stoppable_aiter(iter_to_aiter(0..0));
        assert_eq!(poll_noop(&mut stream), Poll::Ready(None));
        assert!(!stopper.is_stopped());
    }

    #[test]
    fn keeps_no_waker_once_it_has_ended_or_is_dropped() {
        for stop in [false, true] {
            let (source, remote) = source::<()>([]);
            let (mut stream, stopper) = stoppable_aiter(source);
            let (wakes, waker) = Wakes::new();
            assert_eq!(poll(&mut stream, &waker), Poll::Pending);
            if stop {
                stopper.stop();
            } else {
                remote.add([End]);
            }
            assert_eq!(poll(&mut stream, &waker), Poll::Ready(None));
            drop(waker);
            assert_eq!(Arc::strong_count(&wakes), 1);
        }
        let (source, _remote) = source::<()>([]);
        let (mut stream, stopper) = stoppable_aiter(source);
        let (wakes, waker) = Wakes::new();
        assert_eq!(poll(&mut stream, &waker), Poll::Pending);
        drop((stream, waker));
        assert_eq!(Arc::strong_count(&wakes), 1);
        stopper.stop();
        assert_eq!(wakes.count(), 0);
    }

    #[test]
    fn is_as_sendable_as_its_source() {
        fn stopper<T: Send + Sync + Unpin + Clone>() {}
        fn stream<T: Send + Sync + Unpin>() {}
        stopper::<Stopper>();
        stream::<Stoppable<u8>>();
    }
}

#[cfg(all(test, aiter_loom))]
mod loom {
    use super::*;
    use crate::{
        sync::Arc,
        test_support::loom::{Task, model},
    };
    use ::loom::thread;
    use futures_lite::stream;

    #[test]
    fn a_stop_racing_a_poll_wakes_it() {
        model(|| {
            let (stream, stopper) = stoppable_aiter(stream::pending::<()>());
            let other = stopper.clone();
            let stop = thread::spawn(move || other.stop());
            assert_eq!(Task::new(stream).next(), None);
            assert!(stopper.is_stopped());
            stop.join().unwrap();
        });
    }

    #[test]
    fn the_end_publishes_what_came_before_the_stop() {
        type SeesTheStop = fn(&mut Stoppable<stream::Pending<()>>) -> bool;
        let ways: [SeesTheStop; 2] = [
            |stream| stream.sink.get(),
            |stream| matches!(Task::new(stream).poll(), Poll::Ready(None)),
        ];
        for sees_the_stop in ways {
            model(move || {
                let (mut stream, stopper) = stoppable_aiter(stream::pending());
                let done = Arc::new(AtomicUsize::new(0));
                let before = done.clone();
                let look = thread::spawn(move || {
                    if sees_the_stop(&mut stream) {
                        assert_eq!(before.load(Ordering::Relaxed), 1);
                    }
                });
                done.store(1, Ordering::Relaxed);
                stopper.stop();
                look.join().unwrap();
            });
        }
    }

    #[test]
    fn two_stops_racing_a_drop() {
        model(|| {
            let (stream, stopper) = stoppable_aiter(stream::pending::<()>());
            let mut task = Task::new(stream);
            assert!(task.poll().is_pending());
            let other = stopper.clone();
            let stop = thread::spawn(move || other.stop());
            drop(task);
            stopper.stop();
            stop.join().unwrap();
        });
    }
}
