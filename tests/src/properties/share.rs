//! `sharable_aiter`: each item of the source goes to one taker, in the poll in which the source
//! yields it.

use super::{
    Pair,
    environment::{self, Caught, Site, Trap},
    handle::{Handle, Handles, Waits},
    kept::Kept,
    script::{Items, Source, SourceOp},
};
use aiter_core::{Sharable, sharable_aiter};
use arbitrary::{Arbitrary, Unstructured};
use futures_core::{FusedStream, Stream};
use std::{
    cell::{Cell, RefCell},
    pin::Pin,
    rc::Rc,
    task::Poll,
};

/// The operations on takers. A number selects a handle, modulo their count.
#[derive(Debug)]
pub(super) enum Op {
    Poll {
        taker: u8,
        fresh: bool,
    },
    PollAll,
    Clone(u8),
    Drop(u8),
    /// The taker is neither polled nor dropped any more.
    Forget(u8),
    Source(SourceOp),
    Trap(Trap),
}

impl<'a> Arbitrary<'a> for Op {
    fn arbitrary(u: &mut Unstructured<'a>) -> arbitrary::Result<Self> {
        let kind: u8 = u.int_in_range(0..=31)?;
        Ok(match kind {
            0..=11 => Op::Poll {
                taker: u.arbitrary()?,
                fresh: u.int_in_range(0..=3)? == 3,
            },
            12 => Op::PollAll,
            13..=15 => Op::Clone(u.arbitrary()?),
            16..=17 => Op::Drop(u.arbitrary()?),
            18 => Op::Forget(u.arbitrary()?),
            19..=27 => Op::Source(u.arbitrary()?),
            _ => Op::Trap(u.arbitrary()?),
        })
    }
}

#[derive(Debug)]
struct Taker {
    aiter: Sharable<Items>,
    ended: bool,
    /// When it queued up: its first poll in vain since it got an item.
    arrived: Option<usize>,
    /// When it was last left pending.
    visit: usize,
    /// Another taker has passed it since.
    passed: Cell<bool>,
    /// The visit of the taker that it gave way to last.
    gave_way_to: Option<usize>,
    waits: Waits,
}

impl Handle for Taker {
    fn waits(&self) -> &Waits {
        &self.waits
    }
    fn has_ended(&self) -> bool {
        self.ended
    }
}

/// Takers of one source.
#[derive(Debug)]
pub(super) struct Takers {
    source: Rc<Source>,
    takers: Handles<Taker>,
    forgotten: RefCell<Vec<Taker>>,
    /// Counts polls.
    now: Cell<usize>,
    kept: Kept,
}

impl Takers {
    fn poll_with(&self, at: usize, fresh: bool) {
        let Some(mut taker) = self.takers.take(at) else {
            return;
        };
        let source = &self.source;
        let (yielded, polls) = (source.yielded(), source.polls.get());
        let idle = self.kept.is_idle(source);
        let sprung = environment::sprung();
        let polled = taker
            .waits
            .poll(fresh, |cx| Pin::new(&mut taker.aiter).poll_next(cx));
        let undisturbed = sprung == environment::sprung() && !environment::is_nested();
        let polled_source = polls != source.polls.get();
        self.now.set(self.now.get() + 1);
        if polled_source && environment::is_plain() {
            let (passed, before) = self.pass(&taker);
            assert!(before.is_none() && !(idle && passed), "out of turn");
        }
        if polled_source {
            let has_item = matches!(polled, Ok(Poll::Ready(Some(_))));
            self.kept.polled(source, has_item && self.has_no_other());
        }
        let mut item = None;
        match polled {
            Ok(Poll::Ready(Some(found))) => {
                // Steps within this poll may take more items, before and after its own poll of the
                // source.
                assert!(
                    source.since(yielded).contains(&found.id()),
                    "yielded in this poll"
                );
                assert!(
                    source.yielded() == yielded + 1 || !undisturbed,
                    "an item is lost"
                );
                taker.arrived = None;
                taker.gave_way_to = None;
                item = Some(found);
            }
            Ok(Poll::Ready(None)) => {
                assert!(source.ended.get(), "ended too early");
                taker.ended = true;
            }
            Ok(Poll::Pending) => {
                assert!(!taker.ended, "pending after the end");
                if undisturbed {
                    assert!(
                        source.idle.get() || !taker.waits.sleeps(),
                        "sleeps while there may be something"
                    );
                    assert_eq!(source.yielded(), yielded, "an item is lost");
                }
                taker.visit = self.now.get();
                taker.arrived.get_or_insert(self.now.get());
                taker.passed.set(false);
                if !polled_source && environment::is_plain() {
                    assert!(
                        !self.before(&taker).is_empty(),
                        "waits for no taker before it"
                    );
                    // It has woken itself if it has to be polled again.
                    if !taker.waits.sleeps() {
                        (_, taker.gave_way_to) = self.pass(&taker);
                    }
                }
            }
            Err(Caught::Planned(site)) => match site {
                // The item that it had taken, or the end, was lost to the panic of a waker.
                Site::Wake | Site::WakerDrop => {
                    taker.ended = taker.aiter.is_terminated();
                    assert!(source.ended.get() || !taker.ended, "ended too early");
                }
                _ => assert!(
                    source.yielded() == yielded || !undisturbed,
                    "an item is lost"
                ),
            },
            Err(Caught::Reported) => panic!("not a fork"),
        }

        self.takers.put(at, taker);
        environment::drop_value(item);
    }

    /// Returns the visits of the takers that arrived before and that nobody has passed since.
    fn before(&self, taker: &Taker) -> Vec<usize> {
        let mut before = Vec::new();
        self.each(|other| match other.arrived {
            Some(arrived)
                if !other.passed.get() && taker.arrived.is_none_or(|this| arrived < this) =>
            {
                before.push((arrived, other.visit));
            }
            _ => {}
        });
        before.sort_unstable();
        before.into_iter().map(|(_, visit)| visit).collect()
    }

    /// Passes the first of those that arrived before, if the taker has given way to that one.
    /// Returns whether it did, and the visit of the next taker that it has to give way to.
    fn pass(&self, taker: &Taker) -> (bool, Option<usize>) {
        let before = self.before(taker);
        let mut visits = before.into_iter().peekable();
        let passed = visits.next_if(|visit| taker.gave_way_to == Some(*visit));
        self.each(|other| {
            if other.arrived.is_some() && passed == Some(other.visit) {
                other.passed.set(true);
            }
        });
        (passed.is_some(), visits.next())
    }

    /// Returns whether all takers were dropped, except one that is being polled.
    fn has_no_other(&self) -> bool {
        self.takers.numbers().is_empty() && self.forgotten.borrow().is_empty()
    }

    fn each(&self, mut look: impl FnMut(&Taker)) {
        self.takers.each(&mut look);
        self.forgotten.borrow().iter().for_each(look);
    }
}

impl Pair for Takers {
    type Op = Op;

    fn new() -> Self {
        let source = Source::new();
        let takers = Handles::new();
        takers.add(|waits| Taker {
            aiter: sharable_aiter(Items::items(&source, |_| {})),
            ended: false,
            arrived: None,
            visit: 0,
            passed: Cell::new(false),
            gave_way_to: None,
            waits,
        });
        Self {
            source,
            takers,
            forgotten: RefCell::default(),
            now: Cell::new(0),
            kept: Kept::default(),
        }
    }

    fn op(&self, op: Op) {
        let pick = |n| self.takers.pick(n);
        match op {
            Op::Poll { taker, fresh } => {
                if let Some(at) = pick(taker) {
                    self.poll_with(at, fresh);
                }
            }
            Op::PollAll => self
                .takers
                .numbers()
                .into_iter()
                .for_each(|at| self.poll_one(at)),
            Op::Clone(n) => {
                if let Some((at, taker)) = self.takers.pick_out(n) {
                    self.kept.release();
                    self.takers.add(|waits| Taker {
                        aiter: taker.aiter.clone(),
                        ended: taker.ended,
                        arrived: None,
                        visit: 0,
                        passed: Cell::new(false),
                        gave_way_to: None,
                        waits,
                    });
                    self.takers.put(at, taker);
                }
            }
            Op::Drop(n) => {
                if let Some(at) = pick(n) {
                    self.drop_one(at);
                }
            }
            Op::Forget(n) => {
                let taker = pick(n).and_then(|at| self.takers.take(at));
                self.forgotten.borrow_mut().extend(taker);
            }
            Op::Source(op) => self.source.op(op),
            Op::Trap(trap) => environment::set(trap),
        }
    }

    fn poll_one(&self, handle: usize) {
        self.poll_with(handle, false);
    }

    fn drop_one(&self, handle: usize) {
        if let Some(taker) = self.takers.take(handle) {
            environment::drop_value(taker);
        }
    }

    fn check(&self) {
        assert_eq!(environment::all_alive(), 0, "an item is kept");
        let source = &self.source;
        let mut count = self.forgotten.borrow().len();
        self.takers.each(|taker| {
            count += 1;
            if taker.waits.sleeps() {
                assert!(source.idle.get(), "stranded");
            }
            assert_eq!(taker.aiter.is_terminated(), taker.ended);
        });
        assert_eq!(
            source.dropped.get(),
            source.ended.get() || count == 0,
            "the source lives as long as it is needed"
        );
        if environment::is_plain() {
            assert!(environment::live_wakers() <= 2 * count, "wakers are kept");
        }
    }

    fn wind_up(&self) {
        self.source.end();
        self.takers.run(|at| self.poll_one(at));
    }
}
