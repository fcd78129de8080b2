//! `preload`, with watermarks too, and `active`: a driver pulls the source into a list, of which a consumer takes.

use super::{
    Pair,
    handle::{Handle, Handles, Waits},
    script::{Items, Source, SourceOp},
    world::{self, Caught, Item, Trap, catch},
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

/// What can be done to a source that is pulled ahead.
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
    /// The driver's completion reads as an end.
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

/// The driver's number, and the consumer's.
const DRIVER: usize = 0;
const CONSUMER: usize = 1;

/// A source that is pulled until `HIGH` items wait, again when no more than `LOW` do; a `HIGH` of 0 stands for any number.
#[derive(Debug)]
pub(super) struct Driven<const LOW: usize, const HIGH: usize> {
    source: Rc<Source>,
    ends: Handles<End>,
    /// How many items the consumer has taken, or lost to a panic.
    taken: Rc<Cell<usize>>,
    /// The driver may not pull before no more than `LOW` items wait.
    rests: Rc<Cell<bool>>,
    /// How often the driver was polled: until now, and until the consumer's poll began.
    drives: Cell<usize>,
    drives_before: Cell<usize>,
    /// The driver has seen how many items wait: no panic ended its poll before.
    counts: Cell<bool>,
    /// The driver has completed, or is gone.
    done: Cell<bool>,
    /// The consumer is gone.
    gone: Cell<bool>,
}

impl<const LOW: usize, const HIGH: usize> Driven<LOW, HIGH> {
    fn waiting(&self) -> usize {
        self.source.yielded() - self.taken.get()
    }

    /// The consumer has taken an item, or lost it.
    fn take(&self) {
        // A driver that ran meanwhile had counted this one.
        let is_full = self.waiting() >= HIGH && self.drives.get() == self.drives_before.get();
        if HIGH != 0 && is_full && self.counts.get() && !world::is_nested() {
            self.rests.set(true);
        }
        self.taken.set(self.taken.get() + 1);
        if self.waiting() <= LOW {
            self.rests.set(false);
        }
    }

    fn drive(&self, fresh: bool) {
        let Some(mut end) = self.ends.take(DRIVER) else {
            return;
        };
        self.drives.set(self.drives.get() + 1);
        match end.waits.poll(fresh, |cx| end.side.poll(cx)) {
            Ok(Poll::Ready(_)) => {
                assert!(
                    self.source.ended.get() || self.gone.get() || self.done.get(),
                    "done too early"
                );
                self.done.set(true);
                end.ended = true;
            }
            Ok(Poll::Pending) => self.counts.set(true),
            Err(Caught::Planned(_)) => {
                self.counts.set(false);
                // The drop of the source, which is the last thing a driver does, may be what panicked.
                let dropped = self.source.dropped.get();
                self.done.set(self.done.get() || dropped);
            }
            Err(Caught::Told) => panic!("not a fork"),
        }
        self.ends.put(DRIVER, end);
    }

    fn next(&self, next: impl FnOnce(&mut End) -> Result<Poll<Option<Item>>, Caught>) {
        let Some(mut end) = self.ends.take(CONSUMER) else {
            return;
        };
        self.drives_before.set(self.drives.get());
        let sprung = world::sprung();
        let found = next(&mut end);
        let undisturbed = sprung == world::sprung() && !world::is_nested();
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
                end.ended = true;
            }
            Ok(Poll::Pending) => {
                assert!(
                    !undisturbed || expected.is_none() && !self.done.get(),
                    "pending"
                );
            }
            Err(Caught::Planned(_)) => {
                if expected.is_some_and(|item| world::alive(item) == 0) {
                    // It went with the panic of the driver's waker.
                    self.take();
                }
            }
            Err(Caught::Told) => panic!("not a fork"),
        }
        self.ends.put(CONSUMER, end);
        world::let_go(item);
    }
}

impl<const LOW: usize, const HIGH: usize> Pair for Driven<LOW, HIGH> {
    type Op = Op;

    fn new() -> Self {
        let (source, taken, rests) = (
            Source::new(),
            Rc::new(Cell::new(0)),
            Rc::new(Cell::new(false)),
        );
        let (taken_now, rests_now) = (taken.clone(), rests.clone());
        let items = Items::items(&source, move |source: &Source| {
            let waiting = source.yielded() - taken_now.get();
            // One that is just being taken may not be counted.
            let taking = usize::from(world::is_nested());
            assert!(HIGH == 0 || waiting < HIGH + taking, "pulled too far ahead");
            if taking > 0 {
                rests_now.set(false);
            }
            assert!(!rests_now.get(), "pulled before the low mark");
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
            rests,
            drives: Cell::new(0),
            drives_before: Cell::new(0),
            counts: Cell::new(true),
            done: Cell::new(false),
            gone: Cell::new(false),
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
            Op::Trap(trap) => world::set(trap),
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
                DRIVER => &self.done,
                _ => &self.gone,
            }
            .set(true);
            world::let_go(end);
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
                        let awaits_source = source.idle.get() && source.bell() == end.waits.bell();
                        assert!(
                            !self.gone.get(),
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
        if !self.gone.get() {
            assert_eq!(world::all_alive(), self.waiting(), "items alive");
        } else {
            assert_eq!(world::all_alive(), 0, "an item is kept");
        }
        if world::is_plain() {
            assert!(world::live_wakers() <= 6, "wakers are kept");
        }
    }

    fn wind_up(&self) {
        self.source.end();
        self.ends.run(|at| self.poll_one(at));
    }
}
