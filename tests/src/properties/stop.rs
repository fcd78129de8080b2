//! `stoppable_aiter`: the items of the source until it is stopped, and then the end at once.

use super::{
    Pair,
    environment::{self, Caught, Trap, catch},
    handle::{Handle, Handles, Waits},
    script::{Items, Source, SourceOp},
};
use aiter_core::{Stoppable, Stopper, stoppable_aiter};
use arbitrary::{Arbitrary, Unstructured};
use futures_core::{FusedStream, Stream};
use std::{
    cell::{Cell, RefCell},
    pin::Pin,
    rc::Rc,
    task::Poll,
};

/// The operations on a stream that can be stopped.
#[derive(Debug)]
pub(super) enum Op {
    Poll { fresh: bool },
    Stop,
    CloneStopper,
    DropStopper,
    Drop,
    Source(SourceOp),
    Trap(Trap),
}

impl<'a> Arbitrary<'a> for Op {
    fn arbitrary(u: &mut Unstructured<'a>) -> arbitrary::Result<Self> {
        Ok(match u.int_in_range(0..=31)? {
            0..=11_u8 => Self::Poll {
                fresh: u.int_in_range(0..=3)? == 3,
            },
            12..=13 => match u.int_in_range(0..=3)? {
                3_u8 => Self::Stop,
                _ => Self::Poll { fresh: false },
            },
            14 => Self::CloneStopper,
            15 => Self::DropStopper,
            16 => match u.int_in_range(0..=3)? {
                3_u8 => Self::Drop,
                _ => Self::Stop,
            },
            17..=26 => Self::Source(u.arbitrary()?),
            _ => Self::Trap(u.arbitrary()?),
        })
    }
}

#[derive(Debug)]
struct Stops {
    aiter: Stoppable<Items>,
    ended: bool,
    waits: Waits,
}

impl Handle for Stops {
    fn waits(&self) -> &Waits {
        &self.waits
    }
    fn has_ended(&self) -> bool {
        self.ended
    }
}

/// A source that can be stopped.
#[derive(Debug)]
pub(super) struct Stopping {
    source: Rc<Source>,
    /// The only stream.
    aiter: Handles<Stops>,
    stoppers: RefCell<Vec<Stopper>>,
    stopped: Rc<Cell<bool>>,
}

impl Stopping {
    fn poll_with(&self, at: usize, fresh: bool) {
        let Some(mut stops) = self.aiter.take(at) else {
            return;
        };
        let source = &self.source;
        let yielded = source.yielded();
        let polled = stops
            .waits
            .poll(fresh, |cx| Pin::new(&mut stops.aiter).poll_next(cx));
        let came = source.since(yielded);
        let mut item = None;
        match polled {
            Ok(Poll::Ready(Some(found))) => {
                assert_eq!(came, [found.id()]);
                item = Some(found);
            }
            Ok(Poll::Ready(None)) => {
                assert!(self.stopped.get() || source.ended.get(), "ended too early");
                stops.ended = true;
            }
            Ok(Poll::Pending) => assert!(!stops.ended && came.is_empty(), "pending with an item"),
            Err(Caught::Planned(_)) => assert!(came.is_empty(), "an item is lost"),
            Err(Caught::Reported) => panic!("not a fork"),
        }
        self.aiter.put(at, stops);
        environment::drop_value(item);
    }
}

impl Pair for Stopping {
    type Op = Op;

    fn new() -> Self {
        let (source, stopped) = (Source::new(), Rc::new(Cell::new(false)));
        let is_stopped = stopped.clone();
        let (aiter, stopper) = stoppable_aiter(Items::items(&source, move |_| {
            assert!(!is_stopped.get(), "polled after the stop");
        }));
        let handles = Handles::new();
        handles.add(|waits| Stops {
            aiter,
            ended: false,
            waits,
        });
        Self {
            source,
            aiter: handles,
            stoppers: RefCell::new(vec![stopper]),
            stopped,
        }
    }

    fn op(&self, op: Op) {
        match op {
            Op::Poll { fresh } => {
                if let Some(at) = self.aiter.pick(0) {
                    self.poll_with(at, fresh);
                }
            }
            Op::Stop => {
                let stopper = self.stoppers.borrow().last().cloned();
                if let Some(stopper) = stopper {
                    self.stopped.set(true);
                    catch(move || stopper.stop()).ok();
                }
            }
            Op::CloneStopper => {
                let stopper = self.stoppers.borrow().last().cloned();
                self.stoppers.borrow_mut().extend(stopper);
            }
            Op::DropStopper => {
                let stopper = self.stoppers.borrow_mut().pop();
                environment::drop_value(stopper);
            }
            Op::Drop => {
                if let Some(at) = self.aiter.pick(0) {
                    self.drop_one(at);
                }
            }
            Op::Source(op) => self.source.op(op),
            Op::Trap(trap) => environment::set(trap),
        }
    }

    fn poll_one(&self, handle: usize) {
        self.poll_with(handle, false);
    }

    fn drop_one(&self, handle: usize) {
        let aiter = self.aiter.take(handle);
        environment::drop_value(aiter);
    }

    fn check(&self) {
        let source = &self.source;
        self.aiter.each(|stops| {
            if stops.waits.sleeps() {
                assert!(!self.stopped.get(), "stranded at the stop");
                assert!(
                    source.idle.get() && source.waker_number() == stops.waits.waker_number(),
                    "stranded"
                );
            }
            assert!(
                source.dropped.get() || !stops.ended,
                "a source is kept after the end"
            );
            assert_eq!(stops.aiter.is_terminated(), source.dropped.get());
        });
        assert_eq!(environment::all_alive(), 0, "an item is kept");
        for stopper in &*self.stoppers.borrow() {
            assert_eq!(stopper.is_stopped(), self.stopped.get());
        }
        if environment::is_plain() {
            assert!(environment::live_wakers() <= 5, "wakers are kept");
        }
    }

    fn wind_up(&self) {
        self.source.end();
        self.aiter.run(|at| self.poll_one(at));
    }
}
