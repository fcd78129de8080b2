//! [`Driver`]: the future that pulls a source into a push list, which [`active`](crate::active) and
//! [`preload`](crate::preload) share.

use super::pump::BUDGET;
use crate::{
    Pusher, Watermarks,
    list::Reader,
    wait::{
        demand::{Demand, Producer},
        notify::WakeSource,
    },
};
use core::{
    fmt,
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};
use futures_core::Stream;
use pin_project::{pin_project, pinned_drop};

/// A future that pulls a source into a list. Run it on any executor: in a spawned task, in an
/// Embassy task, or by hand in a test. [`active`](crate::active), [`preload`](crate::preload) and
/// [`preload_with`](crate::preload_with) return it.
///
/// It completes, and drops the source, once the source has ended or the list has no consumer left.
/// Dropping it earlier ends the list after the items that were pulled. A driver that is dropped
/// before its first poll was forgotten, most likely: the first poll of its stream panics and says
/// so.
///
/// It yields to the executor after every 64 items, so that a source that is always ready does not
/// keep other tasks from running.
///
/// # Panics
/// A panic of the source reaches the caller that polls the driver. Dropping the driver then ends
/// the list.
///
/// # Cancel safety
/// Cancel safe: each poll pushes every item that it pulled, so dropping the driver loses no item.
#[pin_project(PinnedDrop)]
#[must_use = "nothing is pulled unless the driver is polled"]
pub struct Driver<S: Stream> {
    /// `None` once the driver has completed.
    #[pin]
    source: Option<S>,
    pusher: Option<Pusher<S::Item>>,
    producer: Producer,
    is_started: bool,
}

impl<S: Stream> Driver<S> {
    /// Creates a driver and the reader that it fills. Without marks any number of items may wait
    /// there.
    pub(crate) fn new(source: S, marks: Option<Watermarks>) -> (Reader<S::Item>, Self) {
        let producer = Producer::new(marks);
        let (writer, reader) = crate::list::list_for(Some(producer.wake_source()));
        let pusher = Some(Pusher::new(writer));
        (
            reader,
            Self {
                source: Some(source),
                pusher,
                producer,
                is_started: false,
            },
        )
    }

    /// Takes the driver for one that is polled. An executor that was given a driver may drop it
    /// before the first poll, when it shuts down; then the stream ends.
    #[cfg(feature = "std")]
    pub(crate) fn assume_started(mut self) -> Self {
        self.is_started = true;
        self
    }

    /// The handle by which the consumer counts what it takes.
    pub(crate) fn wake_source(&self) -> WakeSource<Demand> {
        self.producer.wake_source()
    }
}

/// The result of polling the source.
enum Pulled {
    Item,
    Pending,
    Done,
}

impl<S: Stream> Driver<S> {
    fn pull(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Pulled {
        let this = self.project();
        let (Some(source), Some(pusher)) = (this.source.as_pin_mut(), this.pusher) else {
            return Pulled::Done;
        };
        if pusher.is_stopped() {
            return Pulled::Done;
        }
        if !this.producer.has_room() {
            return Pulled::Pending;
        }
        match source.poll_next(cx) {
            Poll::Ready(Some(item)) => {
                // Counted before the push, because a panic of the consumer's waker may end the
                // push.
                this.producer.produced();
                match pusher.push(item) {
                    Ok(()) => Pulled::Item,
                    Err(_) => Pulled::Done,
                }
            }
            Poll::Ready(None) => Pulled::Done,
            Poll::Pending => Pulled::Pending,
        }
    }
}

impl<S: Stream> Future for Driver<S> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        // The waker is registered before anything is checked, so a later change wakes this task.
        let this = self.as_mut().project();
        *this.is_started = true;
        this.producer.register(cx.waker());
        for _ in 0..BUDGET {
            match self.as_mut().pull(cx) {
                Pulled::Item => {}
                Pulled::Pending => return Poll::Pending,
                Pulled::Done => {
                    let mut this = self.project();
                    *this.pusher = None;
                    this.producer.clear();
                    this.source.set(None);
                    return Poll::Ready(());
                }
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

#[pinned_drop]
impl<S: Stream> PinnedDrop for Driver<S> {
    fn drop(self: Pin<&mut Self>) {
        // Before the fields are dropped, which closes the list.
        if !self.is_started {
            self.producer.note_dropped_unpolled();
        }
    }
}

impl<S: Stream> fmt::Debug for Driver<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Driver")
            .field("is_done", &self.pusher.is_none())
            .field("marks", &self.producer.marks())
            .finish_non_exhaustive()
    }
}

#[cfg(all(test, not(aiter_loom)))]
mod tests {
    use super::*;
    use crate::{active, iter_to_aiter, preload, test_support::*};
    use core::{cell::Cell, pin::pin, task::Waker};

    fn drive<S: Stream>(driver: Pin<&mut Driver<S>>, waker: &Waker) -> Poll<()> {
        driver.poll(&mut Context::from_waker(waker))
    }

    #[test]
    fn an_active_source_is_pulled_whether_or_not_its_consumer_takes() {
        let (mut items, driver) = active(iter_to_aiter(0..10));
        assert!(drive(pin!(driver), Waker::noop()).is_ready());
        assert!(items.is_stopped());
        assert!((0..10).all(|n| items.try_next() == Ok(n)));
        assert_eq!(items.try_next(), Err(crate::TryNextError::Ended));
    }

    #[test]
    fn a_ready_source_yields_to_other_tasks() {
        let (items, driver) = active(iter_to_aiter(0..));
        let mut driver = pin!(driver);
        let (wakes, waker) = Wakes::new();
        for polls in 1..4 {
            assert!(drive(driver.as_mut(), &waker).is_pending());
            assert_eq!((items.len(), wakes.count()), (polls * BUDGET, polls));
        }
    }

    #[test]
    fn dropping_the_last_consumer_ends_the_driver_and_drops_the_source() {
        let (source, remote) = source([Item(1), Pending]);
        let (mut items, driver) = active(source);
        let mut driver = pin!(driver);
        let (wakes, waker) = Wakes::new();
        let fork = items.fork();
        assert!(drive(driver.as_mut(), &waker).is_pending());
        drop(items);
        assert_eq!(wakes.count(), 0);
        drop(fork);
        assert_eq!(wakes.count(), 1);
        assert!(!remote.is_dropped());
        assert!(drive(driver.as_mut(), &waker).is_ready());
        assert!(remote.is_dropped());
        assert!(drive(driver, &waker).is_ready());
    }

    #[test]
    fn an_item_that_panics_in_drop_does_not_block_the_driver() {
        struct Bomb;
        impl Drop for Bomb {
            fn drop(&mut self) {
                panic!("dropped");
            }
        }
        let (source, remote) = source([Item(Bomb), Pending]);
        let (items, driver) = active(source);
        let mut driver = pin!(driver);
        let (wakes, waker) = Wakes::new();
        assert!(drive(driver.as_mut(), &waker).is_pending());
        assert_eq!(panic_of(|| drop(items)), "dropped");
        assert_eq!(wakes.count(), 1);
        assert!(drive(driver, &waker).is_ready());
        assert!(remote.is_dropped());
    }

    #[test]
    fn a_dropped_driver_ends_the_aiter_after_what_was_pulled() {
        let (source, remote) = source([Item(1), Pending]);
        let (mut items, driver) = preload(3, source);
        {
            let mut driver = pin!(driver);
            assert!(drive(driver.as_mut(), Waker::noop()).is_pending());
            assert!(!remote.is_dropped());
        }
        assert!(remote.is_dropped());
        assert_eq!(items.try_next(), Ok(1));
        assert_eq!(items.try_next(), Err(crate::TryNextError::Ended));
    }

    const DROPPED_UNPOLLED: &str =
        "the driver of this stream was dropped before its first poll: run it on an executor";

    #[test]
    fn a_stream_whose_driver_was_never_polled_is_not_empty_in_silence() {
        let numbers = || iter_to_aiter(0..3);
        let (mut eager, _) = active(numbers());
        let mut fork = eager.fork();
        for _ in 0..2 {
            assert_eq!(panic_of(|| poll_noop(&mut eager)), DROPPED_UNPOLLED);
        }
        assert_eq!(panic_of(|| fork.try_next()), DROPPED_UNPOLLED);
        for make in [
            || preload(2, iter_to_aiter(0..3)),
            || crate::preload_with(crate::Watermarks { low: 0, high: 2 }, iter_to_aiter(0..3)),
        ] {
            let (mut ahead, _) = make();
            assert_eq!(panic_of(|| ahead.try_next()), DROPPED_UNPOLLED);
            assert_eq!(panic_of(|| poll_noop(&mut ahead)), DROPPED_UNPOLLED);
        }
        // Without a consumer there is nothing to say.
        let (items, driver) = preload(2, numbers());
        drop(items);
        drop(driver);
    }

    #[test]
    fn a_consumer_that_waits_learns_that_the_driver_is_dropped_unpolled() {
        let (mut items, driver) = preload(1, iter_to_aiter(0..3));
        let (wakes, waker) = Wakes::new();
        assert!(poll(&mut items, &waker).is_pending());
        drop(driver);
        assert_eq!(wakes.count(), 1);
        assert_eq!(panic_of(|| poll(&mut items, &waker)), DROPPED_UNPOLLED);
        assert_eq!(
            alloc::sync::Arc::strong_count(&wakes),
            2,
            "no waker is kept"
        );
    }

    #[test]
    fn a_driver_that_was_polled_once_may_be_dropped() {
        let (source, _remote) = source::<u8>([Pending]);
        let (mut items, driver) = active(source);
        assert!(drive(pin!(driver), Waker::noop()).is_pending());
        assert_eq!(poll_noop(&mut items), Poll::Ready(None));
    }

    #[test]
    fn a_panic_of_the_source_reaches_the_driver() {
        let (source, _remote) = source([Item(1), Panic]);
        let (mut items, driver) = active(source);
        let mut driver = alloc::boxed::Box::pin(driver);
        panic_of(|| drive(driver.as_mut(), Waker::noop()));
        assert_eq!(items.try_next(), Ok(1));
        assert_eq!(items.try_next(), Err(crate::TryNextError::Empty));
        drop(driver);
        assert_eq!(items.try_next(), Err(crate::TryNextError::Ended));
    }

    #[test]
    fn an_item_whose_consumers_waker_panics_is_counted() {
        let (mut items, driver) = preload(1, iter_to_aiter(0..));
        let mut driver = alloc::boxed::Box::pin(driver);
        assert_eq!(poll(&mut items, &panicking_waker()), Poll::Pending);
        assert_eq!(panic_of(|| drive(driver.as_mut(), Waker::noop())), "waker");
        for n in 0..3 {
            assert!(drive(driver.as_mut(), Waker::noop()).is_pending());
            assert_eq!((items.len(), items.try_next()), (1, Ok(n)));
        }
    }

    #[test]
    fn items_pulled_ahead_are_counted_exactly() {
        for n in [1, 2, 50, BUDGET, 3 * BUDGET] {
            let pulled = Cell::new(0);
            let source = iter_to_aiter((0..).inspect(|_| pulled.set(pulled.get() + 1)));
            let (mut items, driver) = preload(n, source);
            let mut driver = pin!(driver);
            let (wakes, waker) = Wakes::new();
            let mut drive_until_idle = || {
                let mut woken = wakes.count();
                while drive(driver.as_mut(), &waker).is_pending() && wakes.count() > woken {
                    woken = wakes.count();
                }
            };
            drive_until_idle();
            for taken in 0..3 * n {
                assert_eq!((pulled.get(), items.len()), (taken + n, n));
                let before = wakes.count();
                assert_eq!(poll_noop(&mut items), Poll::Ready(Some(taken)));
                assert_eq!(wakes.count(), before + 1, "the driver waited for room");
                // A second item that is taken before the driver runs does not wake it again.
                drive_until_idle();
            }
        }
    }

    #[test]
    fn the_driver_is_woken_once_for_the_room_it_waits_for() {
        let (mut items, driver) = preload(4, iter_to_aiter(0..));
        let mut driver = pin!(driver);
        let (wakes, waker) = Wakes::new();
        assert!(drive(driver.as_mut(), &waker).is_pending());
        (0..4).for_each(|n| assert_eq!(items.try_next(), Ok(n)));
        assert_eq!(wakes.count(), 1);
        assert!(drive(driver.as_mut(), &waker).is_pending());
        assert_eq!(items.len(), 4);
    }

    #[test]
    #[should_panic(expected = "n must be at least 1")]
    fn a_limit_of_zero_is_refused() {
        drop(preload(0, iter_to_aiter(0..1)));
    }
}

#[cfg(all(test, aiter_loom))]
mod loom {
    use super::*;
    use crate::{iter_to_aiter, preload, test_support::loom::*};
    use ::loom::thread;

    #[test]
    fn room_is_never_missed() {
        large_model(|| {
            let (mut items, driver) = preload(1, iter_to_aiter(0..2));
            let driving = thread::spawn(move || block_on(driver));
            for n in 0..2 {
                let next = core::future::poll_fn(|cx| Pin::new(&mut items).poll_next(cx));
                assert_eq!(block_on(next), Some(n));
            }
            driving.join().unwrap();
        });
    }

    #[test]
    fn the_last_consumer_ends_the_driver() {
        model(|| {
            let (items, driver) = crate::active(crate::join_aiters(
                crate::push_aiter::<crate::PushAiter<u8>>().1,
            ));
            let driving = thread::spawn(move || block_on(driver));
            drop(items);
            driving.join().unwrap();
        });
    }
}
