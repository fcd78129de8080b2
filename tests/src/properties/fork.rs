//! `aiter_forker`: each fork sees the log of the items that the source yielded, from its place on.

use super::{
    Pair,
    environment::{self, Caught, Item, Site, Trap},
    handle::{Handle, Handles, Waits},
    kept::Kept,
    script::{Items, Source, SourceOp},
};
use aiter_core::{
    Fork, aiter_forker_with,
    bound::{self, Bound, Skip, Unbounded, Wait, Yields},
};
use arbitrary::{Arbitrary, Unstructured};
use futures_core::{FusedStream, Stream};
use std::{
    cell::{Cell, RefCell},
    pin::Pin,
    rc::Rc,
    task::Poll,
};

/// The operations on forks. A number selects a handle, modulo their count.
#[derive(Debug)]
pub(super) enum Op {
    Poll {
        fork: u8,
        fresh: bool,
    },
    PollAll,
    Fork(u8),
    ForkPassive(u8),
    Activate(u8),
    Drop(u8),
    /// The fork is neither polled nor dropped any more.
    Forget(u8),
    Source(SourceOp),
    Trap(Trap),
}

impl<'a> Arbitrary<'a> for Op {
    fn arbitrary(u: &mut Unstructured<'a>) -> arbitrary::Result<Self> {
        let kind: u8 = u.int_in_range(0..=31)?;
        Ok(match kind {
            0..=9 => Op::Poll {
                fork: u.arbitrary()?,
                fresh: u.int_in_range(0..=3)? == 3,
            },
            10..=11 => Op::PollAll,
            12..=13 => Op::Fork(u.arbitrary()?),
            14..=15 => Op::ForkPassive(u.arbitrary()?),
            16 => Op::Activate(u.arbitrary()?),
            17..=18 => Op::Drop(u.arbitrary()?),
            19 => Op::Forget(u.arbitrary()?),
            20..=28 => Op::Source(u.arbitrary()?),
            _ => Op::Trap(u.arbitrary()?),
        })
    }
}

/// A bound, and what forks yield under it.
pub(super) trait Bounded: Bound + Yields + 'static {
    /// How many items the forks may be apart.
    const MOST: usize;
    /// Whether forks further behind lose the oldest items. Otherwise the others wait for them.
    const LOSES: bool = false;
    fn new() -> Self;
    /// An item, and how many were missed before it.
    fn split(found: Self::Item<Item>) -> (usize, Item);
}

impl Bounded for Unbounded {
    const MOST: usize = usize::MAX;
    fn new() -> Self {
        bound::unbounded()
    }
    fn split(item: Item) -> (usize, Item) {
        (0, item)
    }
}

impl Bounded for Wait {
    const MOST: usize = 2;
    fn new() -> Self {
        bound::wait(Self::MOST)
    }
    fn split(item: Item) -> (usize, Item) {
        (0, item)
    }
}

impl Bounded for Skip {
    const MOST: usize = 2;
    const LOSES: bool = true;
    fn new() -> Self {
        bound::skip(Self::MOST)
    }
    fn split(seen: bound::Seen<Item>) -> (usize, Item) {
        (seen.missed, seen.item)
    }
}

struct Reader<B: Bound> {
    fork: Fork<Items, B>,
    /// How much of the log it has passed.
    at: usize,
    /// Items that it lost and has not reported, apart from those it is too far behind for now.
    /// `None` if the report may have been lost to a panic.
    missed: Option<usize>,
    active: bool,
    /// It has reported that the source panicked.
    panic_reported: bool,
    /// The source's version when it was left pending with an idle source.
    seen_version: Option<usize>,
    waits: Waits,
}

impl<B: Bounded> Handle for Reader<B> {
    fn waits(&self) -> &Waits {
        &self.waits
    }
    fn has_ended(&self) -> bool {
        self.fork.is_terminated()
    }
}

/// Forks of one source.
pub(super) struct Forks<B: Bound> {
    source: Rc<Source>,
    readers: Handles<Reader<B>>,
    forgotten: RefCell<Vec<Reader<B>>>,
    /// How many active forks there are, including those that are being polled.
    active: Cell<usize>,
    /// Whether the source ended with a panic.
    panicked: Cell<bool>,
    kept: Kept,
    checks: Cell<usize>,
}

impl<B: Bounded> Forks<B> {
    fn is_over(&self) -> bool {
        self.source.ended.get() || self.panicked.get()
    }

    /// Returns how much of the log a reader has passed or lost.
    fn at(&self, reader: &Reader<B>) -> usize {
        match B::LOSES {
            true => reader.at.max(self.source.yielded().saturating_sub(B::MOST)),
            false => reader.at,
        }
    }

    /// Returns what `next` of a reader has to yield, or `None` while it has to wait.
    fn expected(&self, reader: &Reader<B>) -> Option<Expected> {
        match self.source.log.borrow().get(self.at(reader)) {
            Some(item) => Some(Expected::Item(*item)),
            None if self.panicked.get() && !reader.panic_reported => Some(Expected::Panic),
            None if self.is_over() => Some(Expected::End),
            None if !reader.active && self.active.get() == 0 => Some(Expected::End),
            None => None,
        }
    }

    /// Returns whether all other readers have passed the item that this one reads next.
    fn is_last(&self, reader: &Reader<B>) -> bool {
        let mut last = self
            .forgotten
            .borrow()
            .iter()
            .all(|other| other.at > self.at(reader));
        self.readers
            .each(|other| last &= other.at > self.at(reader));
        last
    }

    fn poll_with(&self, at: usize, fresh: bool) {
        let Some(mut reader) = self.readers.take(at) else {
            return;
        };
        let source = &self.source;
        let before = self.at(&reader);
        let (polls, version) = (source.polls.get(), source.version.get());
        let idle = self.kept.is_idle(source);
        let (sprung, clones, last) = (
            environment::sprung(),
            environment::clones(),
            self.is_last(&reader),
        );
        let waited =
            reader.active && reader.at == source.yielded() && reader.seen_version == Some(version);
        let polled = reader
            .waits
            .poll(fresh, |cx| Pin::new(&mut reader.fork).poll_next(cx));
        let undisturbed = sprung == environment::sprung() && !environment::is_nested();
        let polled_source = source.polls.get() != polls;
        if idle && environment::is_plain() && B::MOST == usize::MAX {
            // An idle source is polled by a fork that has waited for this very wake already, and
            // waits again.
            assert_eq!(
                polled_source, waited,
                "only a fork that waited polls an idle source"
            );
        }
        // The source ended with a panic if its drop panicked.
        let source_panicked = matches!(
            polled,
            Err(Caught::Planned(Site::Source | Site::SourceDrop))
        );
        if source_panicked {
            self.panicked.set(true);
        }
        let expected = self.expected(&reader);
        reader.seen_version = None;
        let mut item = None;
        match polled {
            Ok(Poll::Ready(Some(found))) => {
                let (missed, found) = B::split(found);
                let at = self.at(&reader);
                let taken = source.since(0).iter().rposition(|id| *id == found.id());
                let taken = taken.expect("an item of the source");
                // More items may have come since this one was taken, and cost this fork the next
                // one.
                let lagged = B::LOSES && !undisturbed && (before..at).contains(&taken);
                assert!(lagged || expected == Some(Expected::Item(found.id())));
                if environment::is_plain() {
                    assert_eq!(
                        environment::clones() == clones,
                        last,
                        "the last reader moves"
                    );
                }
                if let Some(untold) = reader.missed {
                    assert_eq!(missed, untold + taken - reader.at, "missed");
                }
                (reader.at, reader.missed) = (taken + 1, Some(0));
                item = Some(found);
            }
            Ok(Poll::Ready(None)) => {
                // A passive fork drops its waker when it has found that no fork is active. A step
                // within its poll may make one active.
                let had_none = !reader.active && !undisturbed;
                assert!(
                    expected == Some(Expected::End) || had_none,
                    "ended too early"
                );
            }
            Ok(Poll::Pending) => {
                reader.seen_version = source.idle.get().then(|| source.version.get());
                if undisturbed {
                    assert_eq!(expected, None, "pending");
                }
            }
            Err(Caught::Reported) => {
                assert_eq!(expected, Some(Expected::Panic));
                reader.panic_reported = true;
            }
            Err(Caught::Planned(_)) if source_panicked => reader.panic_reported = true,
            Err(Caught::Planned(Site::Clone)) => {
                assert!(matches!(expected, Some(Expected::Item(_))));
                let at = self.at(&reader);
                let is_sure = !environment::is_nested() && environment::sprung() == sprung + 1;
                let untold = reader.missed.filter(|_| is_sure || !B::LOSES);
                reader.missed = untold.map(|untold| untold + at - reader.at);
                reader.at = match B::LOSES {
                    true => source.yielded() - reader.fork.size_hint().0,
                    false => at + 1,
                };
            }
            // A fork that takes an item may wake others that wait for room or for the lock, and
            // drop what others lose. A panic there takes the item along.
            Err(Caught::Planned(site))
                if matches!(site, Site::Wake | Site::WakerDrop)
                    || B::LOSES && matches!(site, Site::Drop) =>
            {
                reader.at = source.yielded() - reader.fork.size_hint().0;
                reader.missed = None;
            }
            Err(Caught::Planned(_)) => {}
        }
        if polled_source {
            let is_alone = self.readers.numbers().is_empty() && self.forgotten.borrow().is_empty();
            self.kept.polled(source, item.is_some() && is_alone);
        }
        self.readers.put(at, reader);
        environment::drop_value(item);
    }

    /// Counting the items needs the hand-off lock, so a handle that kept it has to release it.
    /// Therefore this does not run in each step.
    fn look(&self) {
        self.kept.release();
        self.readers.each(|reader| {
            let there = self.source.yielded() - self.at(reader);
            assert_eq!(reader.fork.size_hint().0, there, "items there");
        });
    }

    fn fork(&self, n: u8, active: bool) {
        let Some((at, mut reader)) = self.readers.pick_out(n) else {
            return;
        };
        self.kept.release();
        self.readers.add(|waits| {
            if active {
                self.active.set(self.active.get() + 1);
            }
            Reader {
                fork: if active {
                    reader.fork.fork()
                } else {
                    reader.fork.fork_passive()
                },
                at: reader.at,
                missed: reader.missed,
                active,
                panic_reported: reader.panic_reported,
                seen_version: None,
                waits,
            }
        });
        self.readers.put(at, reader);
    }

    fn activate(&self, n: u8) {
        if let Some((at, mut reader)) = self.readers.pick_out(n) {
            reader.fork.activate();
            if !reader.active {
                self.active.set(self.active.get() + 1);
                reader.active = true;
                reader.seen_version = None;
                // It slept as a passive fork. The code that makes it active has to poll it.
                reader.waits.repoll();
            }
            self.readers.put(at, reader);
        }
    }

    fn drop_value(&self, reader: Reader<B>) {
        self.active
            .set(self.active.get() - usize::from(reader.active));
        environment::drop_value(reader);
    }
}

#[derive(Debug, PartialEq)]
enum Expected {
    Item(usize),
    End,
    Panic,
}

impl<B: Bounded> Pair for Forks<B> {
    type Op = Op;

    fn new() -> Self {
        let source = Source::new();
        let readers = Handles::new();
        readers.add(|waits| Reader {
            fork: aiter_forker_with(B::new(), Items::items(&source, |_| {})),
            at: 0,
            missed: Some(0),
            active: true,
            panic_reported: false,
            seen_version: None,
            waits,
        });
        Self {
            source,
            readers,
            forgotten: RefCell::default(),
            active: Cell::new(1),
            panicked: Cell::new(false),
            kept: Kept::default(),
            checks: Cell::new(0),
        }
    }

    fn op(&self, op: Op) {
        let pick = |n| self.readers.pick(n);
        match op {
            Op::Poll { fork, fresh } => {
                if let Some(at) = pick(fork) {
                    self.poll_with(at, fresh);
                }
            }
            Op::PollAll => self
                .readers
                .numbers()
                .into_iter()
                .for_each(|at| self.poll_one(at)),
            Op::Fork(n) => self.fork(n, true),
            Op::ForkPassive(n) => self.fork(n, false),
            Op::Activate(n) => self.activate(n),
            Op::Drop(n) => {
                if let Some(at) = pick(n) {
                    self.drop_one(at);
                }
            }
            Op::Forget(n) => {
                let reader = pick(n).and_then(|at| self.readers.take(at));
                self.forgotten.borrow_mut().extend(reader);
            }
            Op::Source(op) => self.source.op(op),
            Op::Trap(trap) => environment::set(trap),
        }
    }

    fn poll_one(&self, handle: usize) {
        self.poll_with(handle, false);
    }

    fn drop_one(&self, handle: usize) {
        if let Some(reader) = self.readers.take(handle) {
            self.drop_value(reader);
        }
    }

    fn check(&self) {
        let (log, source) = (self.source.log.borrow(), &self.source);
        let (mut least, mut most, mut count) = (usize::MAX, 0, 0);
        let mut look = |reader: &Reader<B>| {
            let waiting = log.len() - self.at(reader);
            (least, most) = (least.min(waiting), most.max(waiting));
            count += 1;
        };
        self.readers.each(&mut look);
        self.forgotten.borrow().iter().for_each(&mut look);
        assert!(most <= B::MOST, "too far apart");
        if count > 0 {
            // Each item that some fork still has to read exists once.
            assert!(
                log[log.len() - most..]
                    .iter()
                    .all(|item| environment::alive(*item) > 0),
                "an item is lost"
            );
            if environment::is_plain() {
                assert_eq!(environment::all_alive(), most, "items alive");
            }
        }
        self.readers.each(|reader| {
            let expected = self.expected(reader);
            if reader.waits.sleeps() {
                assert_eq!(expected, None, "stranded");
                // A fork without room waits for the slowest.
                let may_wait = source.idle.get() || !B::LOSES && most >= B::MOST;
                assert!(
                    !reader.active || may_wait,
                    "stranded, while the source is not idle"
                );
            }
            assert_eq!(reader.fork.is_terminated(), expected == Some(Expected::End));
            assert_eq!(reader.fork.is_active(), reader.active);
            if environment::is_plain() {
                let now = reader.fork.statistics();
                let expected = (log.len(), log.len() - least, least, most);
                assert_eq!((now.pushed, now.taken, now.waiting, now.lag), expected);
            }
        });
        self.checks.set(self.checks.get() + 1);
        if self.checks.get().is_multiple_of(4) {
            self.look();
        }
        assert_eq!(
            source.dropped.get(),
            self.is_over() || count == 0,
            "the source lives as long as it is needed"
        );
        if environment::is_plain() {
            assert!(environment::live_wakers() <= 2 * count, "wakers are kept");
        }
    }

    fn wind_up(&self) {
        self.source.end();
        self.readers.run(|at| self.poll_one(at));
    }
}
