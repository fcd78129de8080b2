//! What a driver and its consumer tell each other: how many items wait, and when there is room for more.
//!
//! | `FULL` | the driver | an item taken |
//! |---|---|---|
//! | not set | pulls, or sleeps on its source | is counted |
//! | set | sleeps until `wake_at` items were taken | is counted; the one that brings the count to `wake_at` clears the flag and wakes |
//!
//! The driver sets the flag, with `wake_at` said before, by the operation that tells it the count: if that has got there
//! already it takes the flag back and goes on, else the consumer's count gets there later and finds the flag.

use super::notify::{WakeSink, WakeSource};
use crate::sync::{AtomicWord, Ordering::*, Word};
use core::task::Waker;

/// Flag in `taken`.
const FULL: Word = 1;
/// One item in `taken`.
const ONE: Word = 2;

/// What the consumer tells the driver, and the driver the consumer.
#[derive(Debug)]
pub(crate) struct Demand {
    /// Items taken, in units of [`ONE`], and [`FULL`]. It may wrap: what was brought is ahead of it by the items that wait, and
    /// there is no memory for half as many as a word counts. (On a processor with words of 32 bits that exchanges 64 at once, where
    /// there might be for items without a size, a word here has 64.)
    taken: AtomicWord,
    /// The count at which the driver is to be woken, in the same units. The driver's; looked at only if [`FULL`] is set.
    wake_at: AtomicWord,
}

impl WakeSource<Demand> {
    /// An item was taken. Wakes the driver if it waits for this one.
    pub(crate) fn take(&self) {
        // Ordering: Acquire. In one order with the driver's `fetch_or`: if that comes first, FULL and `wake_at` are seen here;
        // if it comes second, the driver sees the room, by the value alone.
        let before = self.taken.fetch_add(ONE, Acquire);
        if before & FULL == 0 {
            return;
        }
        // Ordering: Relaxed, written before FULL was set. A later value is right too: the driver went on by itself.
        if (before & !FULL).wrapping_add(ONE) == self.wake_at.load(Relaxed) {
            // Ordering: Relaxed. If it takes a flag away that was set again meanwhile, the wake makes the driver look again.
            self.taken.fetch_and(!FULL, Relaxed);
            self.wake();
        }
    }
}

/// How many items may wait to be taken.
///
/// A driver pulls until `high` items wait, then it rests until no more than `low` do, and fills up again. The closer
/// `low` is to `high`, the sooner there are items again; the farther, the more of them come in one go.
///
/// `low` has to be below `high`; 0 lets the consumer take everything before the next batch is pulled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Watermarks {
    /// With so many items waiting, or fewer, pulling begins.
    pub low: usize,
    /// With so many items waiting, pulling stops.
    pub high: usize,
}

/// The driver's side: what it has brought, and whether it may bring more.
#[derive(Debug)]
pub(crate) struct Producer {
    demand: WakeSink<Demand>,
    /// `None` for any number.
    marks: Option<Watermarks>,
    /// Items brought, in units of [`ONE`]. It may wrap.
    brought: Word,
    /// The high mark was not reached since the low one was.
    is_filling: bool,
}

impl Producer {
    pub(crate) fn new(marks: Option<Watermarks>) -> Self {
        let demand = WakeSink::new(Demand {
            taken: AtomicWord::new(0),
            wake_at: AtomicWord::new(0),
        });
        Self {
            demand,
            marks,
            brought: 0,
            is_filling: true,
        }
    }

    /// For the consumer to tell what it takes.
    pub(crate) fn wake_source(&self) -> WakeSource<Demand> {
        self.demand.wake_source()
    }

    /// `waker` is woken when there is room. To be called before [`has_room`](Self::has_room).
    pub(crate) fn register(&mut self, waker: &Waker) {
        self.demand.register(waker);
    }

    /// Forgets the registered waker.
    pub(crate) fn clear(&mut self) {
        self.demand.clear();
    }

    pub(crate) fn marks(&self) -> Option<Watermarks> {
        self.marks
    }

    /// An item was brought.
    pub(crate) fn produced(&mut self) {
        self.brought = self.brought.wrapping_add(ONE);
    }

    /// Whether one more item may be brought. If not, the consumer wakes the driver when it may.
    pub(crate) fn has_room(&mut self) -> bool {
        let Some(Watermarks { low, high }) = self.marks else {
            return true;
        };
        let limit = if self.is_filling { high } else { low + 1 };
        let is_below = |taken: Word| self.brought.wrapping_sub(taken & !FULL) / ONE < limit as Word;
        // Ordering: Relaxed, an old count is one of more items that wait: it is read again before going to sleep.
        self.is_filling = is_below(self.demand.taken.load(Relaxed)) || {
            // At least `limit` items wait, so the product is in range.
            let wake_at = self.brought.wrapping_sub(low as Word * ONE);
            // Ordering: Relaxed, the next operation publishes it.
            self.demand.wake_at.store(wake_at, Relaxed);
            // Ordering: Release, for `wake_at`, see `WakeSource::take`.
            let is_below = is_below(self.demand.taken.fetch_or(FULL, Release));
            if is_below {
                // Ordering: Relaxed, nobody waits for it.
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

    /// Polls until the driver rests; how often it was polled.
    fn settle<S: Stream>(mut driver: Pin<&mut Driver<S>>, wakes: &Wakes, waker: &Waker) -> usize {
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
            settle(driver.as_mut(), &wakes, &waker);
            let mut waiting = high;
            for taken in 0..3 * high {
                assert_eq!((pulled.get(), items.len()), (taken + waiting, waiting));
                let before = wakes.count();
                assert_eq!(poll_noop(&mut items), Poll::Ready(Some(taken)));
                waiting -= 1;
                let is_low = waiting == low;
                assert_eq!(wakes.count() - before, usize::from(is_low));
                // Also a driver that is polled for nothing does not begin before its time.
                settle(driver.as_mut(), &wakes, &waker);
                if is_low {
                    waiting = high;
                }
            }
        }
    }

    #[test]
    fn a_batch_goes_on_after_its_source_paused() {
        let (source, remote) = source((0..4).map(Item));
        let (mut items, driver) = preload_with(Watermarks { low: 0, high: 4 }, source);
        let mut driver = pin!(driver);
        let (wakes, waker) = Wakes::new();
        settle(driver.as_mut(), &wakes, &waker);
        (0..4).for_each(|n| assert_eq!(items.try_next(), Ok(n)));
        assert_eq!(wakes.taken(), 1);
        remote.add_silently((4..6).map(Item));
        settle(driver.as_mut(), &wakes, &waker);
        assert_eq!(items.len(), 2);
        assert_eq!(items.try_next(), Ok(4));
        assert_eq!(wakes.taken(), 0, "it waits for its source, not for room");
        remote.add((6..20).map(Item));
        assert_eq!(wakes.taken(), 1);
        settle(driver.as_mut(), &wakes, &waker);
        assert_eq!((items.len(), remote.waiting()), (4, 11));
        remote.end();
        let taken: usize = (0..)
            .map_while(|_| {
                settle(driver.as_mut(), &wakes, &waker);
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
        settle(driver.as_mut(), &wakes, &waker);
        for n in 0..480 {
            assert_eq!(items.try_next(), Ok(n));
            if wakes.taken() > 0 {
                assert_eq!(settle(driver.as_mut(), &wakes, &waker), 1);
                assert_eq!((n % 48, items.len()), (47, 50));
            }
        }
    }

    /// A count that is about to wrap is a count like any other.
    #[test]
    fn counts_wrap() {
        let mut supply = Producer::new(Some(Watermarks { low: 1, high: 3 }));
        let start = Word::MAX - 2 * ONE + 1;
        supply.brought = start;
        supply.demand.taken.store(start, Relaxed);
        let wake_source = supply.wake_source();
        let (wakes, waker) = Wakes::new();
        let mut fill = || {
            supply.register(&waker);
            let mut brought = 0;
            while supply.has_room() {
                supply.produced();
                brought += 1;
            }
            brought
        };
        assert_eq!(fill(), 3);
        for _ in 0..4 {
            wake_source.take();
            assert_eq!((wakes.taken(), fill()), (0, 0));
            wake_source.take();
            assert_eq!((wakes.taken(), fill()), (1, 2));
        }
    }

    #[test]
    #[should_panic(expected = "low (3) must be below high (3)")]
    fn marks_that_meet_make_no_sense() {
        drop(preload_with(
            Watermarks { low: 3, high: 3 },
            iter_to_aiter(0..1),
        ));
    }

    #[test]
    #[should_panic(expected = "low (0) must be below high (0)")]
    fn nothing_ahead_makes_no_sense() {
        drop(preload_with(
            Watermarks { low: 0, high: 0 },
            iter_to_aiter(0..1),
        ));
    }
}

#[cfg(all(test, aiter_loom))]
mod models {
    use super::*;
    use crate::test_support::loom::*;
    use ::loom::thread;
    use core::{future::poll_fn, task::Poll};

    #[test]
    fn loom_the_low_mark_is_never_missed() {
        for low in 0..2 {
            model(move || {
                let mut supply = Producer::new(Some(Watermarks { low, high: 2 }));
                supply.produced();
                supply.produced();
                let wake_source = supply.wake_source();
                let consumer = thread::spawn(move || {
                    wake_source.take();
                    wake_source.take();
                });
                // So often that no more than `low` items wait at last, whatever comes first.
                for _ in 0..=low {
                    block_on(poll_fn(|cx| {
                        supply.register(cx.waker());
                        match supply.has_room() {
                            true => Poll::Ready(()),
                            false => Poll::Pending,
                        }
                    }));
                    supply.produced();
                }
                consumer.join().unwrap();
            });
        }
    }
}
