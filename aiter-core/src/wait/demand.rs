//! Flow control between a driver and its consumer: how many items wait, and when there is room for
//! more.
//!
//! | `FULL` | the driver | the consumer takes an item |
//! |---|---|---|
//! | not set | pulls, or sleeps on its source | and counts it |
//! | set | sleeps until `wake_at` items were taken | and counts it; the item that brings the count to `wake_at` clears the flag and wakes the driver |
//!
//! The driver writes `wake_at` first. Then it sets the flag by a read-modify-write that returns the
//! count. If the count has already reached `wake_at`, the driver clears the flag and goes on.
//! Otherwise the consumer's count reaches it later and finds the flag.

use super::notify::{WakeSink, WakeSource};
use crate::sync::{AtomicUsize, AtomicWord, Ordering::*, Word};
use core::task::Waker;

/// Flag in `taken`.
const FULL: Word = 1;
/// One item in `taken`.
const ONE: Word = 2;

/// The words that the driver and the consumer share.
#[derive(Debug)]
pub(crate) struct Demand {
    /// Items taken, in units of [`ONE`], and [`FULL`]. It may wrap, because the count of produced
    /// items is ahead of it only by the items that wait, and there is no memory for half as many as
    /// a word counts. (A 32-bit processor that can exchange 64 bits at once might have memory for
    /// that many items of size zero. There the word has 64 bits.)
    taken: AtomicWord,
    /// The count at which the driver is to be woken, in the same units. The driver writes it, and
    /// the consumer reads it only if [`FULL`] is set.
    wake_at: AtomicWord,
    /// Not 0 if the driver was dropped before its first poll.
    dropped_unpolled: AtomicUsize,
}

impl WakeSource<Demand> {
    /// Panics if the driver was dropped before its first poll. To be called once the list has
    /// ended.
    pub(crate) fn check_driver(&self) {
        // Ordering: Relaxed. The driver writes it before it closes the list, and the end of the
        // list publishes it.
        assert!(
            self.dropped_unpolled.load(Relaxed) == 0,
            "the driver of this stream was dropped before its first poll: run it on an executor"
        );
    }

    /// Counts an item that was taken. Wakes the driver if it waits for this one.
    pub(crate) fn item_taken(&self) {
        // Ordering: Acquire. It is in one modification order with the driver's `fetch_or`. If that
        // comes first, this call sees FULL and `wake_at`. If it comes second, the driver sees the
        // room by the value alone.
        let before = self.taken.fetch_add(ONE, Acquire);
        if before & FULL == 0 {
            return;
        }
        // Ordering: Relaxed, because it was written before FULL was set. A later value is right
        // too: then the driver has gone on by itself.
        if (before & !FULL).wrapping_add(ONE) == self.wake_at.load(Relaxed) {
            // Ordering: Relaxed. If this clears a flag that was set again meanwhile, the wake makes
            // the driver look again.
            self.taken.fetch_and(!FULL, Relaxed);
            self.wake();
        }
    }
}

/// How many items [`preload_with`](crate::preload_with) may keep waiting for the consumer.
///
/// A driver pulls until `high` items wait. Then it rests until at most `low` items wait, and fills
/// up again. If `low` is close to `high`, the driver refills early and in small batches. If it is
/// far below, the driver refills late and in large batches.
///
/// `low` must be below `high`. With a `low` of 0 the consumer takes every item before the next
/// batch is pulled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Watermarks {
    /// Pulling begins again when this many items wait, or fewer.
    pub low: usize,
    /// Pulling stops when this many items wait.
    pub high: usize,
}

/// The driver's side: it counts the items that it has produced, and knows whether it may produce
/// more.
#[derive(Debug)]
pub(crate) struct Producer {
    demand: WakeSink<Demand>,
    /// `None` if any number of items may wait.
    marks: Option<Watermarks>,
    /// Items produced, in units of [`ONE`]. It may wrap.
    produced: Word,
    /// The high mark has not been reached since the low one was.
    is_filling: bool,
}

impl Producer {
    pub(crate) fn new(marks: Option<Watermarks>) -> Self {
        let demand = WakeSink::new(Demand {
            taken: AtomicWord::new(0),
            wake_at: AtomicWord::new(0),
            dropped_unpolled: AtomicUsize::new(0),
        });
        Self {
            demand,
            marks,
            produced: 0,
            is_filling: true,
        }
    }

    /// The handle by which the consumer counts what it takes.
    pub(crate) fn wake_source(&self) -> WakeSource<Demand> {
        self.demand.wake_source()
    }

    /// Makes the consumer wake `waker` when there is room. Call it before
    /// [`has_room`](Self::has_room).
    pub(crate) fn register(&mut self, waker: &Waker) {
        self.demand.register(waker);
    }

    /// Forgets the registered waker.
    pub(crate) fn clear(&mut self) {
        self.demand.clear();
    }

    /// Notes that the driver is dropped without having been polled. To be called before the list is
    /// closed.
    pub(crate) fn note_dropped_unpolled(&self) {
        // Ordering: Relaxed, see `check_driver`.
        self.demand.dropped_unpolled.store(1, Relaxed);
    }

    pub(crate) fn marks(&self) -> Option<Watermarks> {
        self.marks
    }

    /// Counts an item that was produced.
    pub(crate) fn produced(&mut self) {
        self.produced = self.produced.wrapping_add(ONE);
    }

    /// Whether one more item may be produced. If not, the consumer wakes the driver as soon as one
    /// may.
    pub(crate) fn has_room(&mut self) -> bool {
        let Some(Watermarks { low, high }) = self.marks else {
            return true;
        };
        let limit = if self.is_filling { high } else { low + 1 };
        let is_below =
            |taken: Word| self.produced.wrapping_sub(taken & !FULL) / ONE < limit as Word;
        // Ordering: Relaxed. An old count only makes more items seem to wait, and the count is read
        // again before the driver goes to sleep.
        self.is_filling = is_below(self.demand.taken.load(Relaxed)) || {
            // At least `limit` items wait, so the product is in range.
            let wake_at = self.produced.wrapping_sub(low as Word * ONE);
            // Ordering: Relaxed. The next operation publishes it.
            self.demand.wake_at.store(wake_at, Relaxed);
            // Ordering: Release publishes `wake_at` to the Acquire in `item_taken`.
            let is_below = is_below(self.demand.taken.fetch_or(FULL, Release));
            if is_below {
                // Ordering: Relaxed. The driver does not go to sleep, so no other write depends on
                // the flag.
                self.demand.taken.fetch_and(!FULL, Relaxed);
            }
            is_below
        };
        self.is_filling
    }
}

#[cfg(all(test, not(aiter_loom)))]
mod tests {
    use super::*;
    use crate::{Driver, iter_to_aiter, preload_with, test_support::*};
    use core::{
        cell::Cell,
        future::Future,
        pin::{Pin, pin},
        task::{Context, Poll},
    };
    use futures_core::Stream;

    /// Polls until the driver rests, and returns how often it was polled.
    fn drive_until_idle<S: Stream>(
        mut driver: Pin<&mut Driver<S>>,
        wakes: &Wakes,
        waker: &Waker,
    ) -> usize {
        let mut polls = 0;
        loop {
            polls += 1;
            let before = wakes.count();
            let polled = driver.as_mut().poll(&mut Context::from_waker(waker));
            if polled.is_ready() || wakes.count() == before {
                return polls;
            }
        }
    }

    #[test]
    fn batches_are_counted_exactly() {
        for (low, high) in [
            (0, 1),
            (0, 2),
            (1, 2),
            (0, 10),
            (3, 10),
            (9, 10),
            (1, 200),
            (199, 200),
        ] {
            let pulled = Cell::new(0);
            let source = iter_to_aiter((0..).inspect(|_| pulled.set(pulled.get() + 1)));
            let (mut items, driver) = preload_with(Watermarks { low, high }, source);
            let mut driver = pin!(driver);
            let (wakes, waker) = Wakes::new();
            drive_until_idle(driver.as_mut(), &wakes, &waker);
            let mut waiting = high;
            for taken in 0..3 * high {
                assert_eq!((pulled.get(), items.len()), (taken + waiting, waiting));
                let before = wakes.count();
                assert_eq!(poll_noop(&mut items), Poll::Ready(Some(taken)));
                waiting -= 1;
                let is_low = waiting == low;
                assert_eq!(wakes.count() - before, usize::from(is_low));
                // A driver that is polled needlessly must not start a batch early.
                drive_until_idle(driver.as_mut(), &wakes, &waker);
                if is_low {
                    waiting = high;
                }
            }
        }
    }

    #[test]
    fn a_batch_continues_after_its_source_was_pending() {
        let (source, remote) = source((0..4).map(Item));
        let (mut items, driver) = preload_with(Watermarks { low: 0, high: 4 }, source);
        let mut driver = pin!(driver);
        let (wakes, waker) = Wakes::new();
        drive_until_idle(driver.as_mut(), &wakes, &waker);
        (0..4).for_each(|n| assert_eq!(items.try_next(), Ok(n)));
        assert_eq!(wakes.taken(), 1);
        remote.add_silently((4..6).map(Item));
        drive_until_idle(driver.as_mut(), &wakes, &waker);
        assert_eq!(items.len(), 2);
        assert_eq!(items.try_next(), Ok(4));
        assert_eq!(
            wakes.taken(),
            0,
            "the driver waits for its source, not for room"
        );
        remote.add((6..20).map(Item));
        assert_eq!(wakes.taken(), 1);
        drive_until_idle(driver.as_mut(), &wakes, &waker);
        assert_eq!((items.len(), remote.waiting()), (4, 11));
        remote.end();
        let taken: usize = (0..)
            .map_while(|_| {
                drive_until_idle(driver.as_mut(), &wakes, &waker);
                items.try_next().ok()
            })
            .count();
        assert_eq!((taken, remote.is_dropped()), (15, true));
    }

    #[test]
    fn the_driver_sleeps_through_a_batch() {
        let (mut items, driver) = preload_with(Watermarks { low: 2, high: 50 }, iter_to_aiter(0..));
        let mut driver = pin!(driver);
        let (wakes, waker) = Wakes::new();
        drive_until_idle(driver.as_mut(), &wakes, &waker);
        for n in 0..480 {
            assert_eq!(items.try_next(), Ok(n));
            if wakes.taken() > 0 {
                assert_eq!(drive_until_idle(driver.as_mut(), &wakes, &waker), 1);
                assert_eq!((n % 48, items.len()), (47, 50));
            }
        }
    }

    /// The counts may wrap between two batches.
    #[test]
    fn counts_wrap() {
        let mut producer = Producer::new(Some(Watermarks { low: 1, high: 3 }));
        let start = Word::MAX - 2 * ONE + 1;
        producer.produced = start;
        producer.demand.taken.store(start, Relaxed);
        let wake_source = producer.wake_source();
        let (wakes, waker) = Wakes::new();
        let mut fill = || {
            producer.register(&waker);
            let mut produced = 0;
            while producer.has_room() {
                producer.produced();
                produced += 1;
            }
            produced
        };
        assert_eq!(fill(), 3);
        for _ in 0..4 {
            wake_source.item_taken();
            assert_eq!((wakes.taken(), fill()), (0, 0));
            wake_source.item_taken();
            assert_eq!((wakes.taken(), fill()), (1, 2));
        }
    }

    #[test]
    #[should_panic(expected = "low (3) must be below high (3)")]
    fn equal_marks_are_refused() {
        drop(preload_with(
            Watermarks { low: 3, high: 3 },
            iter_to_aiter(0..1),
        ));
    }

    #[test]
    #[should_panic(expected = "low (0) must be below high (0)")]
    fn a_high_mark_of_zero_is_refused() {
        drop(preload_with(
            Watermarks { low: 0, high: 0 },
            iter_to_aiter(0..1),
        ));
    }
}

#[cfg(all(test, aiter_loom))]
mod loom {
    use super::*;
    use crate::test_support::loom::*;
    use ::loom::thread;
    use core::{future::poll_fn, task::Poll};

    #[test]
    fn the_low_mark_is_never_missed() {
        for low in 0..2 {
            model(move || {
                let mut producer = Producer::new(Some(Watermarks { low, high: 2 }));
                producer.produced();
                producer.produced();
                let wake_source = producer.wake_source();
                let consumer = thread::spawn(move || {
                    wake_source.item_taken();
                    wake_source.item_taken();
                });
                // Produces often enough that at most `low` items wait at the end, in whatever order
                // the threads run.
                for _ in 0..=low {
                    block_on(poll_fn(|cx| {
                        producer.register(cx.waker());
                        match producer.has_room() {
                            true => Poll::Ready(()),
                            false => Poll::Pending,
                        }
                    }));
                    producer.produced();
                }
                consumer.join().unwrap();
            });
        }
    }
}
