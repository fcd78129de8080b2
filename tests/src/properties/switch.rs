//! `switch_aiter`: the items are those of the newest stream, and no other is kept.

use super::{
    Pair,
    environment::{self, Caught, Trap},
    handle::{Handle, Handles, Waits},
    script::{Items, Script, Source, SourceOp},
};
use aiter_core::{SwitchAiter, switch_aiter};
use arbitrary::{Arbitrary, Unstructured};
use futures_core::{FusedStream, Stream};
use std::{cell::RefCell, pin::Pin, rc::Rc, task::Poll};

/// The operations on a stream of the newest of many. A number selects a stream, counted from the
/// newest, modulo their count.
#[derive(Debug)]
pub(super) enum Op {
    Poll {
        fresh: bool,
    },
    Drop,
    /// The source of streams.
    Streams(SourceOp),
    Stream(u8, SourceOp),
    Trap(Trap),
}

impl<'a> Arbitrary<'a> for Op {
    fn arbitrary(u: &mut Unstructured<'a>) -> arbitrary::Result<Self> {
        Ok(match u.int_in_range(0..=63)? {
            0..=20_u8 => Self::Poll {
                fresh: u.int_in_range(0..=3)? == 3,
            },
            21 => match u.int_in_range(0..=3)? {
                3_u8 => Self::Drop,
                _ => Self::Poll { fresh: false },
            },
            22..=33 => Self::Streams(u.arbitrary()?),
            34..=55 => Self::Stream(u.int_in_range(0..=1)?, u.arbitrary()?),
            _ => Self::Trap(u.arbitrary()?),
        })
    }
}

#[derive(Debug)]
struct Consumer {
    aiter: SwitchAiter<Script<Items>>,
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

/// A source of streams of which the newest counts.
#[derive(Debug)]
pub(super) struct Switch {
    /// The source of streams.
    source: Rc<Source>,
    /// All streams that it yielded, the newest last.
    streams: Rc<RefCell<Vec<Rc<Source>>>>,
    consumer: Handles<Consumer>,
}

/// The number of new streams that ends a poll.
const TURN: usize = 128;

impl Switch {
    fn newest(&self) -> Option<Rc<Source>> {
        self.streams.borrow().last().cloned()
    }

    fn yielded(&self) -> usize {
        let streams = self.streams.borrow();
        streams.iter().map(|stream| stream.yielded()).sum()
    }

    fn poll_with(&self, at: usize, fresh: bool) {
        let Some(mut consumer) = self.consumer.take(at) else {
            return;
        };
        let (yielded, count) = (self.yielded(), self.source.yielded());
        let polled = consumer
            .waits
            .poll(fresh, |cx| Pin::new(&mut consumer.aiter).poll_next(cx));
        let came = self.yielded() - yielded;
        let mut item = None;
        match polled {
            Ok(Poll::Ready(Some(found))) => {
                let newest = self.newest().expect("an item is of a stream");
                assert_eq!(came, 1, "one item a poll");
                assert_eq!(newest.log.borrow().last(), Some(&found.id()));
                item = Some(found);
            }
            Ok(Poll::Ready(None)) => {
                assert!(came == 0 && self.source.dropped.get(), "ended too early");
                assert!(self.newest().is_none_or(|newest| newest.dropped.get()));
                consumer.ended = true;
            }
            Ok(Poll::Pending) => {
                assert!(came == 0 && !consumer.ended, "pending with an item");
                assert!(self.source.yielded() - count <= TURN);
            }
            Err(Caught::Planned(_)) => assert_eq!(came, 0, "an item is lost"),
            Err(Caught::Reported) => panic!("not a fork"),
        }
        self.consumer.put(at, consumer);
        environment::drop_value(item);
    }
}

impl Pair for Switch {
    type Op = Op;

    fn new() -> Self {
        let source = Source::new();
        let streams = Rc::new(RefCell::<Vec<Rc<Source>>>::default());
        let (seen, made) = (streams.clone(), streams.clone());
        let look = move |_: &Source| {
            let seen = seen.borrow();
            let alive = seen.iter().filter(|stream| !stream.dropped.get());
            assert!(alive.count() <= 1, "an older stream is kept");
        };
        let script = Script::new(&source, look, move |all: &Source| {
            let source = Source::new();
            made.borrow_mut().push(source.clone());
            let number = made.borrow().len();
            all.log.borrow_mut().push(number);
            let others = made.clone();
            Items::items(&source, move |_| {
                assert_eq!(others.borrow().len(), number, "an older stream is polled");
            })
        });
        let consumer = Handles::new();
        consumer.add(|waits| Consumer {
            aiter: switch_aiter(script),
            ended: false,
            waits,
        });
        Self {
            source,
            streams,
            consumer,
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
            Op::Streams(op) => self.source.op(op),
            Op::Stream(n, op) => {
                let stream = {
                    let streams = self.streams.borrow();
                    let n = usize::from(n).checked_rem(streams.len());
                    n.map(|n| streams[streams.len() - 1 - n].clone())
                };
                if let Some(stream) = stream {
                    stream.op(op);
                }
            }
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
        assert_eq!(environment::all_alive(), 0, "an item is kept");
        let streams = self.streams.borrow();
        let mut there = false;
        self.consumer.each(|consumer| {
            there = true;
            let all = || streams.iter().chain([&self.source]);
            if consumer.waits.sleeps() {
                let waits = |source: &Rc<Source>| source.dropped.get() || source.idle.get();
                assert!(all().all(waits), "stranded");
            }
            let over = all().all(|source| source.dropped.get());
            assert_eq!(consumer.aiter.is_terminated(), over);
        });
        let is_over = |source: &Source| !there || source.ended.get() || source.panics.get() > 0;
        assert_eq!(self.source.dropped.get(), is_over(&self.source));
        for (n, stream) in streams.iter().enumerate() {
            let is_newest = n + 1 == streams.len();
            assert_eq!(stream.dropped.get(), !is_newest || is_over(stream));
        }
    }

    fn wind_up(&self) {
        self.source.end();
        self.consumer.run(|at| self.poll_one(at));
        if let Some(newest) = self.newest() {
            newest.end();
        }
        self.consumer.run(|at| self.poll_one(at));
    }
}
