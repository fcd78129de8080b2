//! `gated_aiter`: the source is polled with permission only, and an item that comes out spends its
//! permit.

use super::{
    Pair,
    environment::{self, Caught, Trap, catch},
    handle::{Handle, Handles, Waits},
    script::{Items, Source, SourceOp},
};
use aiter_core::{Gate, Gated, gated_aiter};
use arbitrary::{Arbitrary, Unstructured};
use futures_core::{FusedStream, Stream};
use std::{
    cell::{Cell, RefCell},
    pin::Pin,
    rc::Rc,
    task::Poll,
};

/// The operations on a gate and its stream.
#[derive(Debug)]
pub(super) enum Op {
    Poll { fresh: bool },
    Push(usize),
    PushUpTo(usize, usize),
    Open,
    Close,
    Stop,
    CloneGate,
    DropGate,
    Drop,
    Source(SourceOp),
    Trap(Trap),
}

impl<'a> Arbitrary<'a> for Op {
    fn arbitrary(u: &mut Unstructured<'a>) -> arbitrary::Result<Self> {
        let kind: u8 = u.int_in_range(0..=31)?;
        Ok(match kind {
            0..=9 => Op::Poll {
                fresh: u.int_in_range(0..=3)? == 3,
            },
            10..=11 => Op::Push(match u.int_in_range(0..=15)? {
                15 => usize::MAX,
                14 => Gate::MAX_PERMITS - 1,
                n => n % 3,
            }),
            12 => {
                let limit = |n| match n {
                    15 => usize::MAX,
                    n => n % 4,
                };
                Op::PushUpTo(
                    limit(u.int_in_range(0..=15)?),
                    limit(u.int_in_range(0..=15)?),
                )
            }
            13..=14 => Op::Open,
            15..=16 => Op::Close,
            17 => Op::Stop,
            18 => Op::CloneGate,
            19 => Op::DropGate,
            20 => match u.int_in_range(0..=3)? {
                3 => Op::Drop,
                _ => Op::Open,
            },
            21..=28 => Op::Source(u.arbitrary()?),
            _ => Op::Trap(u.arbitrary()?),
        })
    }
}

/// What the gates have authorised.
#[derive(Clone, Copy, Debug, Default)]
struct Word {
    permits: usize,
    open: bool,
    stopped: bool,
}

const OVER: Word = Word {
    permits: 0,
    open: false,
    stopped: true,
};

impl Word {
    fn may_pass(self) -> bool {
        self.open || self.permits > 0
    }
    fn is_over(self) -> bool {
        self.stopped && !self.may_pass()
    }
    /// How many permits a push of `n` adds where at most `max` may be unspent.
    fn room(self, n: usize, max: usize) -> usize {
        match self.stopped {
            true => 0,
            false => n.min(max.min(Gate::MAX_PERMITS).saturating_sub(self.permits)),
        }
    }
}

#[derive(Debug)]
struct Stands {
    aiter: Gated<Items>,
    ended: bool,
    /// The item that came when it could no longer pass.
    kept: Option<usize>,
    waits: Waits,
}

impl Handle for Stands {
    fn waits(&self) -> &Waits {
        &self.waits
    }
    fn has_ended(&self) -> bool {
        self.ended
    }
}

/// A gated source.
#[derive(Debug)]
pub(super) struct Gates {
    source: Rc<Source>,
    /// The only stream.
    aiter: Handles<Stands>,
    gates: RefCell<Vec<Gate>>,
    word: Rc<Cell<Word>>,
}

impl Gates {
    fn poll_with(&self, at: usize, fresh: bool) {
        let Some(mut stands) = self.aiter.take(at) else {
            return;
        };
        let source = &self.source;
        let yielded = source.yielded();
        let polled = stands
            .waits
            .poll(fresh, |cx| Pin::new(&mut stands.aiter).poll_next(cx));
        let mut came = source.since(yielded);
        assert!(
            came.len() <= 1 && (came.is_empty() || stands.kept.is_none()),
            "it reads ahead"
        );
        let next = stands.kept.or(came.pop());
        let mut word = self.word.get();
        let mut item = None;
        match polled {
            Ok(Poll::Ready(Some(found))) => {
                assert_eq!(Some(found.id()), next);
                assert!(word.may_pass(), "passes without a permit");
                if !word.open {
                    word.permits -= 1;
                }
                stands.kept = None;
                item = Some(found);
            }
            Ok(Poll::Ready(None)) => {
                assert!(word.is_over() || source.ended.get(), "ended too early");
                stands.ended = true;
                stands.kept = None;
                word = OVER;
            }
            Ok(Poll::Pending) => {
                assert!(!stands.ended, "pending after the end");
                stands.kept = next;
            }
            Err(Caught::Planned(_)) => {
                stands.kept = next.filter(|item| environment::alive(*item) > 0);
                // An item that a panic drops has not passed. An item that is dropped at the end may
                // be that one.
                assert!(stands.kept == next || word.is_over(), "an item is lost");
                if source.ended.get() && self.is_over() {
                    word = OVER;
                }
            }
            Err(Caught::Reported) => panic!("not a fork"),
        }
        self.word.set(word);
        self.aiter.put(at, stands);
        environment::drop_value(item);
    }

    /// Updates the model, and then calls one of the gates.
    fn change(&self, change: impl FnOnce(&mut Word), call: impl FnOnce(&Gate)) {
        let Some(gate) = self.gates.borrow().last().cloned() else {
            return;
        };
        let mut word = self.word.get();
        change(&mut word);
        self.word.set(word);
        catch(|| call(&gate)).ok();
        let alone = self.gates.borrow().is_empty();
        if alone {
            // A step within this one dropped it.
            self.stop();
        }
        environment::drop_value(gate);
    }

    /// Returns whether the gates report the end.
    fn is_over(&self) -> bool {
        self.gates
            .borrow()
            .last()
            .is_none_or(|gate| gate.is_stopped() && !gate.is_open() && gate.permits() == 0)
    }

    fn stop(&self) {
        let mut word = self.word.get();
        word.stopped = true;
        self.word.set(word);
    }
}

impl Pair for Gates {
    type Op = Op;

    fn new() -> Self {
        let source = Source::new();
        let word = Rc::new(Cell::new(Word::default()));
        let leave = word.clone();
        let (aiter, gate) = gated_aiter(Items::items(&source, move |_| {
            assert!(leave.get().may_pass(), "polled without a permit");
        }));
        let handles = Handles::new();
        handles.add(|waits| Stands {
            aiter,
            ended: false,
            kept: None,
            waits,
        });
        Self {
            source,
            aiter: handles,
            gates: RefCell::new(vec![gate]),
            word,
        }
    }

    fn op(&self, op: Op) {
        match op {
            Op::Poll { fresh } => {
                if let Some(at) = self.aiter.pick(0) {
                    self.poll_with(at, fresh);
                }
            }
            Op::Push(n) => self.change(
                |word| word.permits += word.room(n, usize::MAX),
                |gate| gate.push(n),
            ),
            Op::PushUpTo(n, max) => {
                let room = self.word.get().room(n, max);
                self.change(
                    |word| word.permits += room,
                    |gate| assert!(gate.push_up_to(n, max) == room || environment::is_nested()),
                );
            }
            Op::Open => {
                let old = self.word.get();
                self.change(
                    |word| word.open |= !word.stopped,
                    |gate| {
                        assert!(
                            gate.open() == (!old.stopped && !old.open) || environment::is_nested()
                        )
                    },
                );
            }
            Op::Close => {
                let old = self.word.get();
                self.change(
                    |word| word.open = false,
                    |gate| assert!(gate.close() == old.open || environment::is_nested()),
                );
            }
            Op::Stop => self.change(|word| word.stopped = true, Gate::stop),
            Op::CloneGate => {
                let gate = self.gates.borrow().last().cloned();
                self.gates.borrow_mut().extend(gate);
            }
            Op::DropGate => {
                let gate = self.gates.borrow_mut().pop();
                if self.gates.borrow().is_empty() {
                    self.stop();
                }
                environment::drop_value(gate);
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
        if let Some(stands) = self.aiter.take(handle) {
            self.word.set(OVER);
            environment::drop_value(stands);
        }
    }

    fn check(&self) {
        let (source, word) = (&self.source, self.word.get());
        let mut kept = 0;
        self.aiter.each(|stands| {
            kept = usize::from(stands.kept.is_some());
            if stands.waits.sleeps() {
                assert!(!word.is_over(), "stranded at the end");
                let awaits_source =
                    source.idle.get() && source.waker_number() == stands.waits.waker_number();
                assert!(!word.may_pass() || awaits_source && kept == 0, "stranded");
            }
            assert_eq!(stands.aiter.is_terminated(), source.dropped.get());
        });
        assert_eq!(environment::all_alive(), kept, "items alive");
        for gate in &*self.gates.borrow() {
            assert_eq!(
                (gate.is_open(), gate.is_stopped(), gate.permits()),
                (word.open, word.stopped, word.permits)
            );
        }
        if environment::is_plain() {
            // The stream has one waker, or two while one is replaced, and the source has others.
            assert!(environment::live_wakers() <= 5, "wakers are kept");
        }
    }

    fn wind_up(&self) {
        // It takes a permit to see the end.
        let more = usize::from(!self.word.get().stopped && !self.word.get().may_pass());
        self.change(|word| word.permits += more, |gate| gate.push(more));
        self.source.end();
        self.aiter.run(|at| self.poll_one(at));
    }
}
