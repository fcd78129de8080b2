//! Forks of one source, each with a bound of its own, and a hub that makes further ones. Each fork
//! sees the log of the items that the source yielded, from its place on, less what its own bound
//! lets it miss.

use super::{
    Pair,
    environment::{self, Caught, Item, Site},
    event::{Event, EventWait, FIRST_WAIT, due},
    handle::{Handle, Handles, Waits},
    script::{Items, Source, SourceOp},
};
use aiter_core::{
    Fork, Hub, aiter_forker_with,
    bound::{self, Bound, Skip, Unbounded, Wait},
};
use arbitrary::{Arbitrary, Unstructured};
use futures_core::{FusedStream, Stream};
use std::{
    cell::Cell,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll},
};

/// The bound of a fork.
#[derive(Clone, Copy, Debug)]
pub(super) enum Own {
    Unbounded,
    Wait(usize),
    Skip(usize),
}

impl<'a> Arbitrary<'a> for Own {
    fn arbitrary(u: &mut Unstructured<'a>) -> arbitrary::Result<Self> {
        let n = u.int_in_range(1..=4)?;
        Ok(match u.int_in_range(0..=3_u8)? {
            0 => Own::Unbounded,
            1 => Own::Wait(n),
            _ => Own::Skip(n),
        })
    }
}

#[derive(Debug)]
pub(super) enum Op {
    Poll {
        fork: u8,
        fresh: bool,
    },
    PollAll,
    Fork {
        of: u8,
        active: bool,
    },
    ForkWith {
        of: u8,
        active: bool,
        own: Own,
    },
    Subscribe(Own),
    Replay(Own),
    SetWait {
        of: u8,
        n: u8,
    },
    Activate(u8),
    Drop(u8),
    /// A task waits until the hub has no active fork, or one.
    Wait {
        occupied: bool,
    },
    PollWait {
        wait: u8,
        fresh: bool,
    },
    DropWait(u8),
    Source(SourceOp),
}

impl<'a> Arbitrary<'a> for Op {
    fn arbitrary(u: &mut Unstructured<'a>) -> arbitrary::Result<Self> {
        let kind: u8 = u.int_in_range(0..=31)?;
        Ok(match kind {
            0..=8 => Op::Poll {
                fork: u.arbitrary()?,
                fresh: u.int_in_range(0..=3)? == 3,
            },
            9..=12 => Op::PollAll,
            13 => Op::Fork {
                of: u.arbitrary()?,
                active: u.arbitrary()?,
            },
            14..=16 => Op::ForkWith {
                of: u.arbitrary()?,
                active: u.arbitrary()?,
                own: u.arbitrary()?,
            },
            17 => Op::Subscribe(u.arbitrary()?),
            18 => Op::Replay(u.arbitrary()?),
            19 => Op::SetWait {
                of: u.arbitrary()?,
                n: u.int_in_range(1..=4)?,
            },
            20 => Op::Activate(u.arbitrary()?),
            21..=22 => Op::Drop(u.arbitrary()?),
            31 => match u.int_in_range(0..=4)? {
                0..=2_u8 => Op::Wait {
                    occupied: u.arbitrary()?,
                },
                3 => Op::PollWait {
                    wait: u.arbitrary()?,
                    fresh: u.arbitrary()?,
                },
                _ => Op::DropWait(u.arbitrary()?),
            },
            _ => Op::Source(u.arbitrary()?),
        })
    }
}

enum Any {
    Unbounded(Fork<Items, Unbounded>),
    Wait(Fork<Items, Wait>),
    Skip(Fork<Items, Skip>),
}

macro_rules! with_fork {
    ($any:expr, $fork:ident => $body:expr) => {
        match $any {
            Any::Unbounded($fork) => $body,
            Any::Wait($fork) => $body,
            Any::Skip($fork) => $body,
        }
    };
}

macro_rules! with_own {
    ($own:expr, $bound:ident => $body:expr) => {
        match $own {
            Own::Unbounded => {
                let $bound = bound::unbounded();
                Any::Unbounded($body)
            }
            Own::Wait(n) => {
                let $bound = bound::wait(n);
                Any::Wait($body)
            }
            Own::Skip(n) => {
                let $bound = bound::skip(n);
                Any::Skip($body)
            }
        }
    };
}

impl Any {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<(usize, Item)>> {
        match self {
            Any::Unbounded(fork) => Pin::new(fork).poll_next(cx).map(|item| Some((0, item?))),
            Any::Wait(fork) => Pin::new(fork).poll_next(cx).map(|item| Some((0, item?))),
            Any::Skip(fork) => Pin::new(fork).poll_next(cx).map(|seen| {
                let seen = seen?;
                Some((seen.missed, seen.item))
            }),
        }
    }

    fn fork(&mut self) -> Self {
        match self {
            Any::Unbounded(fork) => Any::Unbounded(fork.fork_passive()),
            Any::Wait(fork) => Any::Wait(fork.fork_passive()),
            Any::Skip(fork) => Any::Skip(fork.fork_passive()),
        }
    }

    fn fork_with(&mut self, own: Own) -> Self {
        fn fork<B: Bound, C: Bound>(fork: &mut Fork<Items, B>, bound: C) -> Fork<Items, C> {
            fork.fork_passive_with(bound)
        }
        with_own!(own, bound => with_fork!(self, parent => fork(parent, bound)))
    }
}

struct Reader {
    fork: Any,
    own: Own,
    /// How much of the log it has passed, or had missed when it was made.
    at: usize,
    /// Items that it missed and has not reported, apart from those it is too far behind for now.
    missed: usize,
    active: bool,
    panic_reported: bool,
    waits: Waits,
}

impl Handle for Reader {
    fn waits(&self) -> &Waits {
        &self.waits
    }
    fn has_ended(&self) -> bool {
        with_fork!(&self.fork, fork => fork.is_terminated())
    }
}

/// Forks of one source that retains `M` items.
pub(super) struct Mixed<const M: usize> {
    source: Rc<Source>,
    hub: Hub<Items, Unbounded>,
    readers: Handles<Reader>,
    active: Cell<usize>,
    waits: Handles<EventWait<Hub<Items, Unbounded>>>,
    panicked: Cell<bool>,
}

impl<const M: usize> Mixed<M> {
    fn is_over(&self) -> bool {
        self.source.ended.get() || self.panicked.get()
    }

    fn is(&self, event: Event) -> bool {
        (self.active.get() > 0) == (event == Event::Occupied)
    }

    /// Counts an active fork.
    fn activated(&self) {
        self.active.set(self.active.get() + 1);
        if self.active.get() == 1 {
            due(&self.waits, Event::Occupied);
        }
    }

    fn wait(&self, occupied: bool) {
        self.waits.add(|waits| {
            let hub = self.hub.clone();
            match occupied {
                true => EventWait::new(Event::Occupied, waits, async move {
                    hub.occupied().await;
                    Some(hub)
                }),
                false => EventWait::new(Event::Idle, waits, async move {
                    hub.idle().await;
                    Some(hub)
                }),
            }
        });
    }

    fn poll_wait(&self, number: usize, fresh: bool) {
        if let Some(mut wait) = self.waits.take(number) {
            let polled = wait.poll(fresh, |event| self.is(event));
            assert!(polled.is_ok(), "no trap is set");
            self.waits.put(number, wait);
        }
    }

    /// How much of the log a fork at `at` has passed or missed, with that much yielded.
    fn place(own: Own, at: usize, yielded: usize) -> usize {
        match own {
            Own::Skip(n) => at.max(yielded.saturating_sub(n)),
            _ => at,
        }
    }

    fn at(&self, reader: &Reader) -> usize {
        Self::place(reader.own, reader.at, self.source.yielded())
    }

    /// Whether a fork that waits has as many items to take as its bound allows.
    fn is_full(&self, reader: &Reader) -> bool {
        matches!(reader.own, Own::Wait(n) if self.source.yielded() - reader.at >= n)
    }

    fn is_stalled(&self) -> bool {
        let mut is_stalled = false;
        self.readers
            .each(|reader| is_stalled |= self.is_full(reader));
        is_stalled
    }

    fn poll_with(&self, at: usize, fresh: bool) {
        let Some(mut reader) = self.readers.take(at) else {
            return;
        };
        let source = &self.source;
        let (before, yielded) = (self.at(&reader), source.yielded());
        let sprung = environment::sprung();
        let steps = source.polls.get();
        let is_stalled = self.is_stalled() || self.is_full(&reader);
        let is_alone = self.readers.numbers().is_empty() && M == 0;
        let polled = reader.waits.poll(fresh, |cx| reader.fork.poll(cx));
        let undisturbed = sprung == environment::sprung() && !environment::is_nested();
        if is_stalled && !is_alone && undisturbed {
            assert_eq!(source.polls.get(), steps, "there is no room");
        }
        match polled {
            Ok(Poll::Ready(Some((missed, item)))) => {
                let taken = source.since(0).iter().rposition(|id| *id == item.id());
                let taken = taken.expect("an item of the source");
                let now = self.at(&reader);
                assert!((before..=now).contains(&taken), "{before} {taken} {now}");
                match reader.own {
                    Own::Skip(_) => {
                        assert_eq!(missed, reader.missed + taken - reader.at, "missed");
                    }
                    _ => assert_eq!(taken, reader.at),
                }
                (reader.at, reader.missed) = (taken + 1, 0);
                environment::drop_value(item);
            }
            Ok(Poll::Ready(None)) => {
                let is_led = reader.active || self.active.get() > 0;
                assert_eq!(before, yielded, "ended too early");
                assert!(self.is_over() || !is_led, "ended");
                assert!(
                    !self.panicked.get() || reader.panic_reported || !self.is_over(),
                    "the panic was not reported"
                );
            }
            Ok(Poll::Pending) => {
                if undisturbed {
                    assert_eq!(before, source.yielded(), "pending");
                    assert!(!self.is_over());
                }
            }
            Err(Caught::Reported) => {
                assert!(self.panicked.get() && !reader.panic_reported);
                assert_eq!(before, yielded, "reported too early");
                reader.panic_reported = true;
            }
            Err(Caught::Planned(Site::Source | Site::SourceDrop)) => {
                self.panicked.set(true);
                reader.panic_reported = true;
            }
            Err(Caught::Planned(_)) => unreachable!("no trap is set"),
        }
        self.readers.put(at, reader);
    }

    fn add(&self, make: impl FnOnce() -> (Any, Own, usize, usize, bool), active: bool) {
        self.readers.add(|waits| {
            let (mut fork, own, at, missed, panic_reported) = make();
            if active {
                with_fork!(&mut fork, fork => fork.activate());
                self.activated();
            }
            Reader {
                fork,
                own,
                at,
                missed,
                active,
                panic_reported,
                waits,
            }
        });
    }

    fn fork(&self, of: u8, active: bool, own: Option<Own>) {
        let Some((number, mut reader)) = self.readers.pick_out(of) else {
            return;
        };
        self.add(
            || {
                let Reader {
                    own: of, missed, ..
                } = reader;
                match own {
                    None => {
                        let fork = reader.fork.fork();
                        (fork, of, reader.at, missed, reader.panic_reported)
                    }
                    Some(own) => {
                        // It starts with what the other one can still see.
                        let fork = reader.fork.fork_with(own);
                        let place = self.at(&reader);
                        let is_same = matches!((of, own), (Own::Skip(a), Own::Skip(b)) if a == b);
                        let at = if is_same { reader.at } else { place };
                        let missed = match (of, own) {
                            (Own::Skip(_), Own::Skip(_)) => missed + at - reader.at,
                            _ => 0,
                        };
                        (fork, own, at, missed, reader.panic_reported)
                    }
                }
            },
            active,
        );
        self.readers.put(number, reader);
    }

    fn late(&self, own: Own, replays: bool) {
        self.add(
            || {
                let yielded = self.source.yielded();
                let n = match own {
                    Own::Skip(n) => n,
                    _ => usize::MAX,
                };
                let replayed = if replays { M.min(n).min(yielded) } else { 0 };
                let fork = with_own!(own, bound => match replays {
                    true => self.hub.replay_with(bound),
                    false => self.hub.subscribe_with(bound),
                });
                (fork, own, yielded - replayed, 0, false)
            },
            true,
        );
    }
}

impl<const M: usize> Pair for Mixed<M> {
    type Op = Op;

    fn new() -> Self {
        let source = Source::new();
        let fork = aiter_forker_with(bound::unbounded().retain(M), Items::items(&source, |_| {}));
        let this = Self {
            source,
            hub: fork.hub(),
            readers: Handles::new(),
            active: Cell::new(0),
            waits: Handles::from_number(FIRST_WAIT),
            panicked: Cell::new(false),
        };
        this.add(
            || (Any::Unbounded(fork), Own::Unbounded, 0, 0, false),
            false,
        );
        this.active.set(1);
        let (number, mut reader) = this.readers.pick_out(0).expect("it was added just now");
        reader.active = true;
        this.readers.put(number, reader);
        this
    }

    fn op(&self, op: Op) {
        match op {
            Op::Poll { fork, fresh } => {
                if let Some(at) = self.readers.pick(fork) {
                    self.poll_with(at, fresh);
                }
            }
            Op::PollAll => {
                let waits = self.waits.numbers();
                let all = self.readers.numbers().into_iter().chain(waits);
                all.for_each(|at| self.poll_one(at));
            }
            Op::Fork { of, active } => self.fork(of, active, None),
            Op::ForkWith { of, active, own } => self.fork(of, active, Some(own)),
            Op::Subscribe(own) => self.late(own, false),
            Op::Replay(own) => self.late(own, true),
            Op::SetWait { of, n } => {
                // While a fork is polled it cannot be told from outside which bound it has.
                if environment::is_nested() {
                    return;
                }
                let Some((number, reader)) = self.readers.pick_out(of) else {
                    return;
                };
                let n = usize::from(n);
                let Any::Wait(fork) = &reader.fork else {
                    return self.readers.put(number, reader);
                };
                fork.set_wait(n);
                self.readers.put(number, reader);
                for at in self.readers.numbers() {
                    if let Some(mut reader) = self.readers.take(at) {
                        if let Own::Wait(_) = reader.own {
                            reader.own = Own::Wait(n);
                        }
                        self.readers.put(at, reader);
                    }
                }
            }
            Op::Activate(n) => {
                if let Some((at, mut reader)) = self.readers.pick_out(n) {
                    if !reader.active {
                        with_fork!(&mut reader.fork, fork => fork.activate());
                        self.activated();
                        reader.active = true;
                        reader.waits.repoll();
                    }
                    self.readers.put(at, reader);
                }
            }
            Op::Drop(n) => {
                if let Some(at) = self.readers.pick(n) {
                    self.drop_one(at);
                }
            }
            Op::Wait { occupied } => self.wait(occupied),
            Op::PollWait { wait, fresh } => {
                if let Some(at) = self.waits.pick(wait) {
                    self.poll_wait(at, fresh);
                }
            }
            Op::DropWait(n) => {
                if let Some(at) = self.waits.pick(n) {
                    self.drop_one(at);
                }
            }
            Op::Source(op) => self.source.op(op),
        }
    }

    fn poll_one(&self, handle: usize) {
        if self.waits.has_number(handle) {
            self.poll_wait(handle, false);
        } else {
            self.poll_with(handle, false);
        }
    }

    fn drop_one(&self, handle: usize) {
        if let Some(wait) = self.waits.take(handle) {
            environment::drop_value(wait);
        } else if let Some(reader) = self.readers.take(handle) {
            self.active
                .set(self.active.get() - usize::from(reader.active));
            if reader.active && self.active.get() == 0 {
                due(&self.waits, Event::Idle);
            }
            environment::drop_value(reader);
        }
    }

    fn check(&self) {
        let (log, source) = (self.source.log.borrow(), &self.source);
        assert_eq!(self.hub.readers(), self.active.get());
        self.waits.each(|wait| wait.check(|event| self.is(event)));
        let is_stalled = self.is_stalled();
        self.readers.each(|reader| {
            let at = self.at(reader);
            if reader.waits.sleeps() {
                assert_eq!(at, log.len(), "stranded");
                assert!(!self.is_over(), "stranded after the end");
                assert!(
                    !reader.active || source.idle.get() || is_stalled,
                    "stranded, while the source is not idle"
                );
                assert!(
                    reader.active || self.active.get() > 0,
                    "stranded without an active fork"
                );
            }
            assert!(
                log[at..].iter().all(|item| environment::alive(*item) > 0),
                "an item is lost"
            );
            let is_over = self.is_over() && (reader.panic_reported || !self.panicked.get());
            let is_led = reader.active || self.active.get() > 0;
            let has_ended = at == log.len() && (is_over || !is_led && !self.is_over());
            assert_eq!(reader.has_ended(), has_ended, "terminated");
            let (items, _) = with_fork!(&reader.fork, fork => fork.size_hint());
            assert!(
                items >= log.len() - at || matches!(reader.own, Own::Skip(_)),
                "items there"
            );
        });
        let retained = log.len().saturating_sub(M);
        assert!(
            log[retained..]
                .iter()
                .all(|item| environment::alive(*item) > 0),
            "a retained item is lost"
        );
    }

    fn wind_up(&self) {
        // Forks that hold the others up, and are not polled, would keep the source from its end.
        self.source.end();
        self.readers.run(|at| self.poll_one(at));
    }
}
