//! `preload`, with watermarks too, and `active`: a driver pulls the source into a list, and a
//! consumer takes from it.

use super::{
    Pair,
    environment::{self, Caught, Item, Trap, catch},
    handle::{Handle, Handles, Waits},
    script::{Items, Source, SourceOp},
};
use aiter_core::{
    Driver, Preloaded, PushAiter, TryNextError, Watermarks, active, preload, preload_with,
};
use arbitrary::{Arbitrary, Unstructured};
use futures_core::Stream;
use std::{
    cell::Cell,
    future::Future,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll},
};

/// The operations on a source that is pulled ahead.
#[derive(Debug)]
pub(super) enum Op {
    Drive { fresh: bool },
    Poll { fresh: bool },
    TryNext,
    DropDriver,
    DropConsumer,
    Source(SourceOp),
    Trap(Trap),
}

impl<'a> Arbitrary<'a> for Op {
    fn arbitrary(u: &mut Unstructured<'a>) -> arbitrary::Result<Self> {
        Ok(match u.int_in_range(0..=63)? {
            0..=15_u8 => Self::Drive {
                fresh: u.int_in_range(0..=3)? == 3,
            },
            16..=29 => Self::Poll {
                fresh: u.int_in_range(0..=3)? == 3,
            },
            30..=33 => Self::TryNext,
            34 => Self::DropDriver,
            35 => Self::DropConsumer,
            36..=55 => Self::Source(u.arbitrary()?),
            _ => Self::Trap(u.arbitrary()?),
        })
    }
}

#[derive(Debug)]
enum Side {
    Driver(Pin<Box<Driver<Items>>>),
    Preloaded(Preloaded<Item>),
    Active(PushAiter<Item>),
}

impl Side {
    /// Reports the driver's completion as an end.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Item>> {
        match self {
            Self::Driver(driver) => driver.as_mut().poll(cx).map(|()| None),
            Self::Preloaded(aiter) => Pin::new(aiter).poll_next(cx),
            Self::Active(aiter) => Pin::new(aiter).poll_next(cx),
        }
    }

    fn try_next(&mut self) -> Poll<Option<Item>> {
        let found = match self {
            Self::Driver(_) => return Poll::Pending,
            Self::Preloaded(aiter) => aiter.try_next(),
            Self::Active(aiter) => aiter.try_next(),
        };
        match found {
            Ok(item) => Poll::Ready(Some(item)),
            Err(TryNextError::Ended) => Poll::Ready(None),
            Err(TryNextError::Empty) => Poll::Pending,
        }
    }

    fn len(&self) -> Option<usize> {
        match self {
            Self::Driver(_) => None,
            Self::Preloaded(aiter) => Some(aiter.len()),
            Self::Active(aiter) => Some(aiter.len()),
        }
    }
}

#[derive(Debug)]
struct End {
    side: Side,
    ended: bool,
    waits: Waits,
}

impl Handle for End {
    fn waits(&self) -> &Waits {
        &self.waits
    }
    fn has_ended(&self) -> bool {
        self.ended
    }
}

/// The handle of the driver, and that of the consumer.
const DRIVER: usize = 0;
const CONSUMER: usize = 1;

/// A source that is pulled until `HIGH` items wait, and again when at most `LOW` do. A `HIGH` of 0
/// means any number.
#[derive(Debug)]
pub(super) struct Driven<const LOW: usize, const HIGH: usize> {
    source: Rc<Source>,
    ends: Handles<End>,
    /// How many items the consumer has taken, or lost to a panic.
    taken: Rc<Cell<usize>>,
    /// The driver may not pull before at most `LOW` items wait.
    is_resting: Rc<Cell<bool>>,
    /// How often the driver was polled: in all, and before the consumer's current poll.
    driver_polls: Cell<usize>,
    driver_polls_before: Cell<usize>,
    /// The driver has seen how many items wait, because no panic ended its poll before that.
    counts: Cell<bool>,
    /// The driver has completed or was dropped.
    done: Cell<bool>,
    /// The driver was dropped before its first poll, which the consumer's polls report.
    dropped_unpolled: Cell<bool>,
    /// The consumer was dropped.
    consumer_dropped: Cell<bool>,
}

impl<const LOW: usize, const HIGH: usize> Driven<LOW, HIGH> {
    fn waiting(&self) -> usize {
        self.source.yielded() - self.taken.get()
    }

    /// Records that the consumer has taken an item, or lost it.
    fn take(&self) {
        // A driver that ran meanwhile had counted this item already.
        let is_full =
            self.waiting() >= HIGH && self.driver_polls.get() == self.driver_polls_before.get();
        if HIGH != 0 && is_full && self.counts.get() && !environment::is_nested() {
            self.is_resting.set(true);
        }
        self.taken.set(self.taken.get() + 1);
        if self.waiting() <= LOW {
            self.is_resting.set(false);
        }
    }

    fn drive(&self, fresh: bool) {
        let Some(mut end) = self.ends.take(DRIVER) else {
            return;
        };
        self.driver_polls.set(self.driver_polls.get() + 1);
        match end.waits.poll(fresh, |cx| end.side.poll(cx)) {
            Ok(Poll::Ready(_)) => {
                assert!(
                    self.source.ended.get() || self.consumer_dropped.get() || self.done.get(),
                    "done too early"
                );
                self.done.set(true);
                end.ended = true;
            }
            Ok(Poll::Pending) => self.counts.set(true),
            Err(Caught::Planned(_)) => {
                self.counts.set(false);
                // A driver drops its source last, and that may be what panicked.
                let dropped = self.source.dropped.get();
                self.done.set(self.done.get() || dropped);
            }
            Err(Caught::Reported) => panic!("not a fork"),
        }
        self.ends.put(DRIVER, end);
    }

    fn next(&self, next: impl FnOnce(&mut End) -> Result<Poll<Option<Item>>, Caught>) {
        let Some(mut end) = self.ends.take(CONSUMER) else {
            return;
        };
        self.driver_polls_before.set(self.driver_polls.get());
        let sprung = environment::sprung();
        let found = next(&mut end);
        let undisturbed = sprung == environment::sprung() && !environment::is_nested();
        let expected = self.source.log.borrow().get(self.taken.get()).copied();
        let mut item = None;
        match found {
            Ok(Poll::Ready(Some(found))) => {
                assert_eq!(Some(found.id()), expected);
                self.take();
                item = Some(found);
            }
            Ok(Poll::Ready(None)) => {
                let over = self.done.get() || self.source.ended.get();
                assert!(over && expected.is_none(), "ended too early");
                assert!(!self.dropped_unpolled.get(), "ended without a report");
                end.ended = true;
            }
            Ok(Poll::Pending) => {
                assert!(
                    !undisturbed || expected.is_none() && !self.done.get(),
                    "pending"
                );
            }
            Err(Caught::Planned(_)) => {
                if expected.is_some_and(|item| environment::alive(item) == 0) {
                    // The item was lost to the panic of the driver's waker.
                    self.take();
                }
            }
            Err(Caught::Reported) => {
                assert!(self.dropped_unpolled.get(), "the driver was polled");
                end.ended = true;
            }
        }
        self.ends.put(CONSUMER, end);
        environment::drop_value(item);
    }
}

impl<const LOW: usize, const HIGH: usize> Pair for Driven<LOW, HIGH> {
    type Op = Op;

    fn new() -> Self {
        let (source, taken, is_resting) = (
            Source::new(),
            Rc::new(Cell::new(0)),
            Rc::new(Cell::new(false)),
        );
        let (taken_now, is_resting_now) = (taken.clone(), is_resting.clone());
        let items = Items::items(&source, move |source: &Source| {
            let waiting = source.yielded() - taken_now.get();
            // An item that is being taken may not be counted yet.
            let taking = usize::from(environment::is_nested());
            assert!(HIGH == 0 || waiting < HIGH + taking, "pulled too far ahead");
            if taking > 0 {
                is_resting_now.set(false);
            }
            assert!(!is_resting_now.get(), "pulled before the low mark");
        });
        let (consumer, driver) = if HIGH == 0 {
            let (consumer, driver) = active(items);
            (Side::Active(consumer), driver)
        } else {
            let (consumer, driver) = match HIGH - LOW {
                1 => preload(HIGH, items),
                _ => preload_with(
                    Watermarks {
                        low: LOW,
                        high: HIGH,
                    },
                    items,
                ),
            };
            (Side::Preloaded(consumer), driver)
        };
        let ends = Handles::new();
        for side in [Side::Driver(Box::pin(driver)), consumer] {
            ends.add(|waits| End {
                side,
                ended: false,
                waits,
            });
        }
        Self {
            source,
            ends,
            taken,
            is_resting,
            driver_polls: Cell::new(0),
            driver_polls_before: Cell::new(0),
            counts: Cell::new(true),
            done: Cell::new(false),
            dropped_unpolled: Cell::new(false),
            consumer_dropped: Cell::new(false),
        }
    }

    fn op(&self, op: Op) {
        match op {
            Op::Drive { fresh } => self.drive(fresh),
            Op::Poll { fresh } => self.next(|end| end.waits.poll(fresh, |cx| end.side.poll(cx))),
            Op::TryNext => self.next(|end| catch(|| end.side.try_next())),
            Op::DropDriver => self.drop_one(DRIVER),
            Op::DropConsumer => self.drop_one(CONSUMER),
            Op::Source(op) => self.source.op(op),
            Op::Trap(trap) => environment::set(trap),
        }
    }

    fn poll_one(&self, handle: usize) {
        match handle {
            DRIVER => self.drive(false),
            _ => self.next(|end| end.waits.poll(false, |cx| end.side.poll(cx))),
        }
    }

    fn drop_one(&self, handle: usize) {
        if let Some(end) = self.ends.take(handle) {
            match handle {
                DRIVER => {
                    self.dropped_unpolled.set(self.driver_polls.get() == 0);
                    self.done.set(true);
                }
                _ => self.consumer_dropped.set(true),
            }
            environment::drop_value(end);
        }
    }

    fn check(&self) {
        let source = &self.source;
        let full = HIGH != 0 && self.waiting() > LOW;
        self.ends.each(|end| {
            if let Some(len) = end.side.len() {
                assert_eq!(len, self.waiting());
            }
            if end.waits.sleeps() {
                match end.side {
                    Side::Driver(_) => {
                        let awaits_source =
                            source.idle.get() && source.waker_number() == end.waits.waker_number();
                        assert!(
                            !self.consumer_dropped.get(),
                            "the driver is stranded without a consumer"
                        );
                        assert!(full || awaits_source, "the driver is stranded");
                    }
                    _ => assert!(
                        self.waiting() == 0 && !self.done.get(),
                        "the consumer is stranded"
                    ),
                }
            }
        });
        assert_eq!(source.dropped.get(), self.done.get());
        if !self.consumer_dropped.get() {
            assert_eq!(environment::all_alive(), self.waiting(), "items alive");
        } else {
            assert_eq!(environment::all_alive(), 0, "an item is kept");
        }
        if environment::is_plain() {
            assert!(environment::live_wakers() <= 6, "wakers are kept");
        }
    }

    fn wind_up(&self) {
        self.source.end();
        self.ends.run(|at| self.poll_one(at));
    }
}
