//! `join_aiters`, also with a limit: each item is what one of the streams yields in that poll, only
//! streams that woke are polled, and the source only while there are fewer streams than the limit.

use super::{
    Pair,
    environment::{self, Caught, Trap},
    handle::{Handle, Handles, Waits},
    script::{Items, Script, Source, SourceOp},
};
use aiter_core::{JoinAiters, join_aiters_limited};
use arbitrary::{Arbitrary, Unstructured};
use futures_core::{FusedStream, Stream};
use std::{
    cell::{Cell, RefCell},
    pin::Pin,
    rc::Rc,
    task::Poll,
};

/// The operations on a join. A number selects a stream, modulo their count.
#[derive(Debug)]
pub(super) enum Op {
    Poll {
        fresh: bool,
    },
    /// The same, this many times.
    Drain(u8),
    Drop,
    /// The source of streams.
    Streams(SourceOp),
    Stream(u8, SourceOp),
    Trap(Trap),
}

impl<'a> Arbitrary<'a> for Op {
    fn arbitrary(u: &mut Unstructured<'a>) -> arbitrary::Result<Self> {
        Ok(match u.int_in_range(0..=63)? {
            0..=13_u8 => Self::Poll {
                fresh: u.int_in_range(0..=3)? == 3,
            },
            14..=17 => Self::Drain(u.int_in_range(1..=30)?),
            18 => match u.int_in_range(0..=3)? {
                3_u8 => Self::Drop,
                _ => Self::Poll { fresh: false },
            },
            19..=28 => Self::Streams(u.arbitrary()?),
            29..=55 => Self::Stream(u.arbitrary()?, u.arbitrary()?),
            _ => Self::Trap(u.arbitrary()?),
        })
    }
}

#[derive(Debug)]
struct Consumer {
    aiter: JoinAiters<Script<Items>>,
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

/// A stream that joined.
#[derive(Debug)]
struct Joined {
    source: Rc<Source>,
    /// Items that other streams yielded since its last turn, while it was ready.
    passed: Cell<usize>,
    /// How often it had been polled at that time.
    polls: Cell<usize>,
}

/// A join of at most `LIMIT` streams.
#[derive(Debug)]
pub(super) struct Join<const LIMIT: usize> {
    /// The source of streams.
    source: Rc<Source>,
    streams: Rc<RefCell<Vec<Joined>>>,
    /// The joined stream.
    aiter: Handles<Consumer>,
    /// How many streams may be polled without a wake: those that had nothing in the last pass, if
    /// that ended before all streams were polled. A budget may have refused them.
    excused: Rc<Cell<usize>>,
}

/// The number of polls in vain that ends a pass.
pub(super) const PASS: usize = 128;

/// Returns whether a stream may be polled: it was not pending last, or it woke since. A wake from
/// before it was pending may allow one poll more.
pub(super) fn is_awake(source: &Source) -> bool {
    !source.idle.get() || source.woke_early.take() > 0 || !environment::is_plain()
}

/// How many streams are there.
fn alive(streams: &RefCell<Vec<Joined>>) -> usize {
    let streams = streams.borrow();
    let there = streams.iter().filter(|stream| !stream.source.dropped.get());
    there.count()
}

impl<const LIMIT: usize> Join<LIMIT> {
    fn poll_with(&self, at: usize, fresh: bool) {
        let Some(mut consumer) = self.aiter.take(at) else {
            return;
        };
        let yielded = self.yielded();
        let polled = consumer
            .waits
            .poll(fresh, |cx| Pin::new(&mut consumer.aiter).poll_next(cx));
        let came = self.yielded() - yielded;
        let mut item = None;
        match polled {
            Ok(Poll::Ready(Some(found))) => {
                assert_eq!(came, 1, "one item a poll");
                self.turn();
                item = Some(found);
            }
            Ok(Poll::Ready(None)) => {
                assert!(came == 0 && self.source.dropped.get(), "ended too early");
                assert!(self.all_gone(), "ended before its streams");
                consumer.ended = true;
            }
            Ok(Poll::Pending) => {
                assert!(came == 0 && !consumer.ended, "pending with an item");
                let is_spent = consumer.waits.wakes() != Some(0);
                self.excused.set(if is_spent { PASS } else { 0 });
            }
            Err(Caught::Planned(_)) => assert_eq!(came, 0, "an item is lost"),
            Err(Caught::Reported) => panic!("not a fork"),
        }
        self.aiter.put(at, consumer);
        environment::drop_value(item);
    }

    fn yielded(&self) -> usize {
        self.streams
            .borrow()
            .iter()
            .map(|stream| stream.source.yielded())
            .sum()
    }

    fn all_gone(&self) -> bool {
        alive(&self.streams) == 0
    }

    /// Records an item. Between two turns of a ready stream no other stream has more than two
    /// turns, of eight items each.
    fn turn(&self) {
        let streams = self.streams.borrow();
        for Joined {
            source,
            passed,
            polls,
        } in &*streams
        {
            let polled = polls.replace(source.polls.get()) != source.polls.get();
            if polled || source.idle.get() || source.dropped.get() {
                passed.set(0);
            } else {
                passed.set(passed.get() + 1);
            }
            assert!(
                passed.get() <= 2 * 8 * streams.len(),
                "a ready stream starves"
            );
        }
    }
}

impl<const LIMIT: usize> Pair for Join<LIMIT> {
    type Op = Op;

    fn new() -> Self {
        let source = Source::new();
        let streams = Rc::new(RefCell::<Vec<Joined>>::default());
        let joined = streams.clone();
        let excused = Rc::new(Cell::new(0_usize));
        let excuses = excused.clone();
        let members = streams.clone();
        let look = move |source: &Source| {
            assert!(is_awake(source), "polled without a wake");
            assert!(alive(&members) < LIMIT, "polled at the limit");
        };
        let script = Script::new(&source, look, move |all: &Source| {
            let source = Source::new();
            joined.borrow_mut().push(Joined {
                source: source.clone(),
                passed: Cell::default(),
                polls: Cell::default(),
            });
            all.log.borrow_mut().push(joined.borrow().len());
            let excuses = excuses.clone();
            Items::items(&source, move |source| {
                if !is_awake(source) {
                    let left = excuses.get().checked_sub(1);
                    excuses.set(left.expect("polled without a wake"));
                }
            })
        });
        let aiter = Handles::new();
        aiter.add(|waits| Consumer {
            aiter: join_aiters_limited(LIMIT, script),
            ended: false,
            waits,
        });
        Self {
            source,
            streams,
            aiter,
            excused,
        }
    }

    fn op(&self, op: Op) {
        match op {
            Op::Poll { fresh } => {
                if let Some(at) = self.aiter.pick(0) {
                    self.poll_with(at, fresh);
                }
            }
            Op::Drain(times) => (0..times).for_each(|_| self.poll_one(0)),
            Op::Drop => self.drop_one(0),
            Op::Streams(op) => self.source.op(op),
            Op::Stream(n, op) => {
                let stream = {
                    let streams = self.streams.borrow();
                    let n = usize::from(n).checked_rem(streams.len());
                    n.map(|n| streams[n].source.clone())
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
        let consumer = self.aiter.take(handle);
        environment::drop_value(consumer);
    }

    fn check(&self) {
        assert_eq!(environment::all_alive(), 0, "an item is kept");
        let mut there = false;
        self.aiter.each(|consumer| {
            there = true;
            if consumer.waits.sleeps() {
                let waits = |source: &Source| source.dropped.get() || source.idle.get();
                let all = self
                    .streams
                    .borrow()
                    .iter()
                    .all(|stream| waits(&stream.source));
                let full = alive(&self.streams) == LIMIT;
                assert!(all && (full || waits(&self.source)), "stranded");
            }
            let over = self.source.dropped.get() && self.all_gone();
            assert_eq!(consumer.aiter.is_terminated(), over);
        });
        let source = &self.source;
        assert_eq!(
            source.dropped.get(),
            !there || source.ended.get() || source.panics.get() > 0
        );
        for stream in &*self.streams.borrow() {
            let source = &stream.source;
            assert_eq!(
                source.dropped.get(),
                !there || source.ended.get() || source.panics.get() > 0
            );
        }
    }

    fn wind_up(&self) {
        self.source.end();
        self.aiter.run(|at| self.poll_one(at));
        let streams: Vec<_> = self
            .streams
            .borrow()
            .iter()
            .map(|stream| stream.source.clone())
            .collect();
        streams.iter().for_each(|stream| stream.end());
        self.aiter.run(|at| self.poll_one(at));
    }
}
