//! `batch` and `batch_within`: the items come in order, and a batch that is not full has a reason.

use super::{
    Pair,
    environment::{self, Caught, Item, Trap},
    handle::{Handle, Handles, Waits},
    script::{Items, Source, SourceOp},
    time::{Time, Timer},
};
use aiter_core::{Batch, BatchWithin, Sleep, batch, batch_within};
use arbitrary::{Arbitrary, Unstructured};
use futures_core::{FusedStream, Stream};
use std::{
    cell::Cell,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll},
    time::Duration,
};

/// The operations on a stream of batches.
#[derive(Debug)]
pub(super) enum Op {
    Poll {
        fresh: bool,
    },
    Drop,
    Source(SourceOp),
    /// Moves the time on by this many ticks.
    Advance(u8),
    Trap(Trap),
}

impl<'a> Arbitrary<'a> for Op {
    fn arbitrary(u: &mut Unstructured<'a>) -> arbitrary::Result<Self> {
        Ok(match u.int_in_range(0..=63)? {
            0..=22_u8 => Self::Poll {
                fresh: u.int_in_range(0..=3)? == 3,
            },
            23 => match u.int_in_range(0..=3)? {
                3_u8 => Self::Drop,
                _ => Self::Poll { fresh: false },
            },
            24..=45 => Self::Source(u.arbitrary()?),
            46..=55 => Self::Advance(u.int_in_range(1..=WAIT)?),
            _ => Self::Trap(u.arbitrary()?),
        })
    }
}

/// The most items of a batch, and how many ticks the first one waits.
const N: usize = 3;
const WAIT: u8 = 4;

/// Makes timers that last this many seconds.
#[derive(Debug)]
struct Ticks(Rc<Time>);

impl Sleep for Ticks {
    type Sleep = Timer;

    fn sleep(&self, duration: Duration) -> Timer {
        self.0.timer(duration.as_secs())
    }
}

#[derive(Debug)]
enum Batches {
    Ready(Batch<Items>),
    Within(BatchWithin<Items, Ticks>),
}

impl Batches {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Vec<Item>>> {
        match self {
            Self::Ready(batches) => Pin::new(batches).poll_next(cx),
            Self::Within(batches) => Pin::new(batches).poll_next(cx),
        }
    }

    fn is_terminated(&self) -> bool {
        match self {
            Self::Ready(batches) => batches.is_terminated(),
            Self::Within(batches) => batches.is_terminated(),
        }
    }
}

#[derive(Debug)]
struct Consumer {
    batches: Batches,
    ended: bool,
    waits: Waits,
}

impl Handle for Consumer {
    fn waits(&self) -> &Waits {
        &self.waits
    }
    fn has_ended(&self) -> bool {
        self.ended
    }
}

/// A source whose items come in batches, which `WITHIN` says whether they wait for more items.
#[derive(Debug)]
pub(super) struct Batching<const WITHIN: bool> {
    source: Rc<Source>,
    consumer: Handles<Consumer>,
    time: Rc<Time>,
    /// How many items were given.
    given: Cell<usize>,
    /// When the batch that waits is to be given. It is not known after a trap.
    due: Cell<Option<u64>>,
    /// A panic of the source was caught, and comes next.
    owed: Cell<bool>,
    /// That may be so, because a trap was sprung in the poll that gave a batch.
    may_be_owed: Cell<bool>,
}

impl<const WITHIN: bool> Batching<WITHIN> {
    /// How many items wait in the stream.
    fn held(&self) -> usize {
        self.source.yielded() - self.given.get()
    }

    fn poll_with(&self, at: usize, fresh: bool) {
        let Some(mut consumer) = self.consumer.take(at) else {
            return;
        };
        let source = &self.source;
        let (held, panics, sprung) = (self.held(), source.panics.get(), environment::sprung());
        let (polls, yielded) = (source.polls.get(), source.yielded());
        let now = self.time.now();
        let polled = consumer.waits.poll(fresh, |cx| consumer.batches.poll(cx));
        let panicked = source.panics.get() > panics;
        let was_pending = source.polls.get() - polls > source.yielded() - yielded;
        let undisturbed = sprung == environment::sprung() && !environment::is_nested();
        let (owed, may_be_owed) = (self.owed.take(), self.may_be_owed.take());
        let may_be_due = self.due.get().is_none_or(|due| due <= now);
        let mut items = None;
        match polled {
            Ok(Poll::Ready(Some(batch))) => {
                assert!(!owed, "a panic is lost");
                assert!((1..=N).contains(&batch.len()), "{} items", batch.len());
                let ids = batch.iter().map(Item::id);
                let expected = source.since(self.given.get());
                assert!(ids.eq(expected[..batch.len()].iter().copied()));
                self.given.set(self.given.get() + batch.len());
                assert!(self.held() == 0 || !undisturbed, "items are held back");
                let has_reason = batch.len() == N
                    || source.ended.get()
                    || panicked
                    || may_be_owed
                    || was_pending && (!WITHIN || held > 0 && may_be_due);
                assert!(has_reason || !undisturbed, "given too early");
                self.owed.set(panicked);
                self.may_be_owed.set(may_be_owed || !undisturbed);
                self.due.set(None);
                items = Some(batch);
            }
            Ok(Poll::Ready(None)) => {
                assert!(!owed && self.held() == 0, "ended with something to come");
                assert!(source.dropped.get(), "ended too early");
                consumer.ended = true;
            }
            Ok(Poll::Pending) => {
                assert!(!owed && !consumer.ended && !panicked);
                if self.held() > 0 {
                    assert!(WITHIN && self.held() < N, "pending with a batch");
                    let is_late = self.due.get().is_some_and(|due| due <= now);
                    assert!(!is_late || !undisturbed, "given too late");
                    if !undisturbed {
                        self.due.set(None);
                    } else if held == 0 {
                        self.due.set(Some(now + u64::from(WAIT)));
                    }
                }
            }
            Err(Caught::Planned(_)) => {
                let own = owed || may_be_owed || !undisturbed || panicked && held == 0;
                assert!(own, "a panic overtakes items");
                if self.held() > 0 {
                    self.due.set(None);
                    // A trap in the drop of the timer comes before the batch.
                    self.may_be_owed
                        .set(may_be_owed || panicked || !undisturbed);
                }
            }
            Err(Caught::Reported) => panic!("not a fork"),
        }
        self.consumer.put(at, consumer);
        environment::drop_value(items);
    }
}

impl<const WITHIN: bool> Pair for Batching<WITHIN> {
    type Op = Op;

    fn new() -> Self {
        let (source, time) = (Source::new(), Rc::<Time>::default());
        let items = Items::items(&source, |_| ());
        let batches = match WITHIN {
            false => Batches::Ready(batch(N, items)),
            true => {
                let wait = Duration::from_secs(WAIT.into());
                Batches::Within(batch_within(N, wait, Ticks(time.clone()), items))
            }
        };
        let consumer = Handles::new();
        consumer.add(|waits| Consumer {
            batches,
            ended: false,
            waits,
        });
        Self {
            source,
            consumer,
            time,
            given: Cell::new(0),
            due: Cell::new(None),
            owed: Cell::new(false),
            may_be_owed: Cell::new(false),
        }
    }

    fn op(&self, op: Op) {
        match op {
            Op::Poll { fresh } => {
                if let Some(at) = self.consumer.pick(0) {
                    self.poll_with(at, fresh);
                }
            }
            Op::Drop => self.drop_one(0),
            Op::Source(op) => self.source.op(op),
            Op::Advance(ticks) => self.time.advance(ticks.into()),
            Op::Trap(trap) => environment::set(trap),
        }
    }

    fn poll_one(&self, handle: usize) {
        self.poll_with(handle, false);
    }

    fn drop_one(&self, handle: usize) {
        let consumer = self.consumer.take(handle);
        environment::drop_value(consumer);
    }

    fn check(&self) {
        let (source, held) = (&self.source, self.held());
        let mut there = false;
        self.consumer.each(|consumer| {
            there = true;
            assert_eq!(environment::all_alive(), held, "items alive");
            if consumer.waits.sleeps() {
                assert!(source.idle.get(), "stranded");
                let waker = consumer.waits.waker_number();
                assert!(held == 0 || self.time.wakes(waker), "no timer wakes it");
            }
            if environment::is_plain() {
                let over = source.ended.get() && held == 0 && !self.owed.get();
                assert_eq!(consumer.batches.is_terminated(), over);
                assert!(held > 0 || self.time.live() == 0, "a timer is kept");
            }
        });
        if !there {
            assert_eq!(environment::all_alive(), 0, "an item is kept");
            assert_eq!(self.time.live(), 0, "a timer is kept");
        }
        assert_eq!(source.dropped.get(), !there || source.ended.get());
    }

    fn wind_up(&self) {
        self.source.end();
        self.consumer.run(|at| self.poll_one(at));
    }
}
