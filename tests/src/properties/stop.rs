//! `Stopper` and `stoppable_aiter`: each stream yields the items of its source until the stopper
//! stops all of them, and then ends at once. Tasks that wait for the stop alone are woken too.

use super::{
    Pair,
    environment::{self, Caught, Trap, catch},
    handle::{Handle, Handles, Waits},
    script::{Items, Source, SourceOp},
};
use aiter_core::{Stoppable, Stopper, StopperStopped, stoppable_aiter};
use arbitrary::{Arbitrary, Unstructured};
use futures_core::{FusedFuture, FusedStream, Stream};
use std::{
    cell::{Cell, RefCell},
    future::Future,
    pin::Pin,
    rc::Rc,
    task::Poll,
};

/// The operations on streams that one stopper ends. A number selects a handle, modulo their count.
#[derive(Debug)]
pub(super) enum Op {
    Poll {
        handle: u8,
        fresh: bool,
    },
    /// Makes another stream.
    Stoppable,
    /// Makes a future that waits for the stop.
    Stopped,
    Stop,
    CloneStopper,
    DropStopper,
    Drop(u8),
    Source(u8, SourceOp),
    Trap(Trap),
}

impl<'a> Arbitrary<'a> for Op {
    fn arbitrary(u: &mut Unstructured<'a>) -> arbitrary::Result<Self> {
        let kind: u8 = u.int_in_range(0..=31)?;
        Ok(match kind {
            0..=10 => Self::Poll {
                handle: u.arbitrary()?,
                fresh: u.int_in_range(0..=3)? == 3,
            },
            11 => match u.int_in_range(0..=5)? {
                5_u8 => Self::Stop,
                _ => Self::Stopped,
            },
            12..=13 => Self::Stoppable,
            14 => Self::CloneStopper,
            15 => Self::DropStopper,
            16..=17 => Self::Drop(u.arbitrary()?),
            18..=27 => Self::Source(u.arbitrary()?, u.arbitrary()?),
            _ => Self::Trap(u.arbitrary()?),
        })
    }
}

#[derive(Debug)]
enum Stops {
    Stream(Stoppable<Items>, Rc<Source>),
    Wait(StopperStopped),
}

#[derive(Debug)]
struct Stopped {
    stops: Stops,
    ended: bool,
    waits: Waits,
}

impl Handle for Stopped {
    fn waits(&self) -> &Waits {
        &self.waits
    }
    fn has_ended(&self) -> bool {
        self.ended
    }
}

/// Sources that are stopped together, and tasks that wait for that.
#[derive(Debug)]
pub(super) struct Stopping {
    handles: Handles<Stopped>,
    stoppers: RefCell<Vec<Stopper>>,
    stopped: Rc<Cell<bool>>,
}

impl Stopping {
    fn items(&self, source: &Rc<Source>) -> Items {
        let is_stopped = self.stopped.clone();
        Items::items(source, move |_| {
            assert!(!is_stopped.get(), "polled after the stop");
        })
    }

    fn add(&self, stops: impl FnOnce() -> Stops) {
        self.handles.add(|waits| Stopped {
            stops: stops(),
            ended: false,
            waits,
        });
    }

    fn stopper(&self) -> Option<Stopper> {
        self.stoppers.borrow().last().cloned()
    }

    fn poll_with(&self, at: usize, fresh: bool) {
        let Some(mut handle) = self.handles.take(at) else {
            return;
        };
        let Stopped { stops, waits, .. } = &mut handle;
        let mut item = None;
        handle.ended = match stops {
            Stops::Stream(aiter, source) => {
                let yielded = source.yielded();
                let polled = waits.poll(fresh, |cx| Pin::new(aiter).poll_next(cx));
                let came = source.since(yielded);
                match polled {
                    Ok(Poll::Ready(Some(found))) => {
                        assert_eq!(came, [found.id()]);
                        item = Some(found);
                        false
                    }
                    Ok(Poll::Ready(None)) => {
                        assert!(self.stopped.get() || source.ended.get(), "ended too early");
                        true
                    }
                    Ok(Poll::Pending) => {
                        assert!(!handle.ended && came.is_empty(), "pending with an item");
                        false
                    }
                    Err(Caught::Planned(_)) => {
                        assert!(came.is_empty(), "an item is lost");
                        handle.ended
                    }
                    Err(Caught::Reported) => panic!("not a fork"),
                }
            }
            Stops::Wait(wait) => match waits.poll(fresh, |cx| Pin::new(wait).poll(cx)) {
                Ok(Poll::Ready(())) => {
                    assert!(self.stopped.get(), "ready too early");
                    true
                }
                Ok(Poll::Pending) => {
                    assert!(!handle.ended, "pending after the stop");
                    false
                }
                Err(Caught::Planned(_)) => handle.ended,
                Err(Caught::Reported) => panic!("not a fork"),
            },
        };
        self.handles.put(at, handle);
        environment::drop_value(item);
    }
}

impl Pair for Stopping {
    type Op = Op;

    fn new() -> Self {
        let this = Self {
            handles: Handles::new(),
            stoppers: RefCell::default(),
            stopped: Rc::default(),
        };
        let source = Source::new();
        let (aiter, stopper) = stoppable_aiter(this.items(&source));
        this.stoppers.borrow_mut().push(stopper);
        this.add(|| Stops::Stream(aiter, source));
        this
    }

    fn op(&self, op: Op) {
        match op {
            Op::Poll { handle, fresh } => {
                if let Some(at) = self.handles.pick(handle) {
                    self.poll_with(at, fresh);
                }
            }
            Op::Stoppable => {
                if let Some(stopper) = self.stopper() {
                    self.add(|| {
                        let source = Source::new();
                        let aiter = stopper.stoppable(self.items(&source));
                        Stops::Stream(aiter, source)
                    });
                }
            }
            Op::Stopped => {
                if let Some(stopper) = self.stopper() {
                    self.add(|| Stops::Wait(stopper.stopped()));
                }
            }
            Op::Stop => {
                if let Some(stopper) = self.stopper() {
                    self.stopped.set(true);
                    catch(move || stopper.stop()).ok();
                }
            }
            Op::CloneStopper => {
                let stopper = self.stopper();
                self.stoppers.borrow_mut().extend(stopper);
            }
            Op::DropStopper => {
                let stopper = self.stoppers.borrow_mut().pop();
                environment::drop_value(stopper);
            }
            Op::Drop(handle) => {
                if let Some(at) = self.handles.pick(handle) {
                    self.drop_one(at);
                }
            }
            Op::Source(handle, op) => {
                let mut source = None;
                if let Some(at) = self.handles.pick(handle) {
                    self.handles.look(at, |handle| {
                        if let Stops::Stream(_, its) = &handle.stops {
                            source = Some(its.clone());
                        }
                    });
                }
                if let Some(source) = source {
                    source.op(op);
                }
            }
            Op::Trap(trap) => environment::set(trap),
        }
    }

    fn poll_one(&self, handle: usize) {
        self.poll_with(handle, false);
    }

    fn drop_one(&self, handle: usize) {
        let handle = self.handles.take(handle);
        environment::drop_value(handle);
    }

    fn check(&self) {
        let mut wakers = 0;
        self.handles.each(|handle| {
            let sleeps = handle.waits.sleeps();
            assert!(!sleeps || !self.stopped.get(), "stranded at the stop");
            match &handle.stops {
                Stops::Stream(aiter, source) => {
                    assert!(
                        !sleeps
                            || source.idle.get()
                                && source.waker_number() == handle.waits.waker_number(),
                        "stranded"
                    );
                    assert!(
                        source.dropped.get() || !handle.ended,
                        "a source is kept after the end"
                    );
                    assert_eq!(aiter.is_terminated(), source.dropped.get());
                    // The source has up to four, one of which may be that of the stream.
                    wakers += match source.dropped.get() {
                        true => 0,
                        false => 5,
                    };
                }
                Stops::Wait(wait) => {
                    assert!(wait.is_terminated() || !handle.ended);
                    wakers += usize::from(!handle.ended);
                }
            }
        });
        assert_eq!(environment::all_alive(), 0, "an item is kept");
        for stopper in &*self.stoppers.borrow() {
            assert_eq!(stopper.is_stopped(), self.stopped.get());
        }
        if environment::is_plain() {
            assert!(environment::live_wakers() <= wakers, "wakers are kept");
        }
    }

    fn wind_up(&self) {
        self.handles.each(|handle| {
            if let Stops::Stream(_, source) = &handle.stops {
                source.end();
            }
        });
        self.handles.run(|at| self.poll_one(at));
    }
}
