//! `debounce` and `rate_limit`: which item comes out at which time, and what a pending stream waits
//! for.

use super::{
    Pair,
    environment::{self, Caught, Trap},
    handle::{Handle, Handles, Waits},
    script::{Items, Source, SourceOp},
    time::{Time, Timer},
};
use aiter_core::{Debounce, RateLimit, RateLimited, debounce, rate_limit};
use arbitrary::{Arbitrary, Unstructured};
use futures_core::{FusedStream, Stream};
use std::{
    cell::Cell,
    fmt,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll},
    time::Duration,
};

/// The operations on a stream and its time.
#[derive(Debug)]
pub(super) enum Op {
    Poll {
        fresh: bool,
    },
    /// Time passes, and the clock shows it.
    Advance(u64),
    /// The clock is set.
    Set(u64),
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
            10..=16 => Op::Advance(u.int_in_range(1..=7)?),
            17 => Op::Advance(u.int_in_range(1..=100)?),
            18..=19 => Op::Set(u.int_in_range(0..=50)?),
            20 => match u.int_in_range(0..=3)? {
                3 => Op::Drop,
                _ => Op::Advance(5),
            },
            21..=28 => Op::Source(u.arbitrary()?),
            _ => Op::Trap(u.arbitrary()?),
        })
    }
}

/// What a stream does beside its model. The two differ in their model alone.
pub(super) trait Model: 'static {
    type Stream: FusedStream<Item = environment::Item> + Unpin;

    fn new(source: &Rc<Source>, world: &World) -> (Self::Stream, Self);
    /// Checks the result of a poll: `came` are the items that the source has yielded in it.
    fn polled(&self, polled: &Polled, came: &[usize], before: Before, source: &Source, time: &Time);
    /// Checks that a stream that waits with this waker is going to be woken.
    fn check_waits(&self, waker: Option<usize>, source: &Source, time: &Time);
    /// How many items the stream keeps.
    fn keeps(&self) -> usize;
}

/// What a poll has found, an item by its number.
type Polled = Result<Poll<Option<usize>>, Caught>;

/// Counts before a poll.
#[derive(Clone, Copy)]
pub(super) struct Before {
    source_polls: usize,
    timers: usize,
    sprung: usize,
    panics: usize,
}

/// The time, and what the clock shows.
#[derive(Debug, Default)]
pub(super) struct World {
    time: Rc<Time>,
    clock: Rc<Cell<u64>>,
}

struct Stands<S> {
    aiter: S,
    ended: bool,
    waits: Waits,
}

impl<S> Handle for Stands<S> {
    fn waits(&self) -> &Waits {
        &self.waits
    }
    fn has_ended(&self) -> bool {
        self.ended
    }
}

/// A source behind a stream that waits for timers.
pub(super) struct Paced<M: Model> {
    source: Rc<Source>,
    /// The only stream.
    aiter: Handles<Stands<M::Stream>>,
    world: World,
    model: M,
}

impl<M: Model> Paced<M> {
    fn poll_with(&self, at: usize, fresh: bool) {
        let Some(mut stands) = self.aiter.take(at) else {
            return;
        };
        let (source, time) = (&*self.source, &*self.world.time);
        let yielded = source.yielded();
        let before = Before {
            source_polls: source.polls.get(),
            timers: time.made(),
            sprung: environment::sprung(),
            panics: source.panics.get(),
        };
        let poll = |cx: &mut Context<'_>| Pin::new(&mut stands.aiter).poll_next(cx);
        let mut item = None;
        let polled = stands.waits.poll(fresh, poll).map(|polled| {
            polled.map(|found| {
                item = found;
                item.as_ref().map(environment::Item::id)
            })
        });
        match polled {
            Ok(Poll::Ready(None)) => {
                assert!(source.ended.get(), "ended too early");
                stands.ended = true;
            }
            Err(Caught::Reported) => panic!("not a fork"),
            _ => assert!(!stands.ended, "goes on after the end"),
        }
        self.model
            .polled(&polled, &source.since(yielded), before, source, time);
        self.aiter.put(at, stands);
        environment::drop_value(item);
    }
}

impl<M: Model> Pair for Paced<M> {
    type Op = Op;

    fn new() -> Self {
        let (source, world) = (Source::new(), World::default());
        let (aiter, model) = M::new(&source, &world);
        let handles = Handles::new();
        handles.add(|waits| Stands {
            aiter,
            ended: false,
            waits,
        });
        Self {
            source,
            aiter: handles,
            world,
            model,
        }
    }

    fn op(&self, op: Op) {
        match op {
            Op::Poll { fresh } => {
                if let Some(at) = self.aiter.pick(0) {
                    self.poll_with(at, fresh);
                }
            }
            Op::Advance(by) => {
                let World { time, clock } = &self.world;
                clock.set(clock.get() + by);
                time.advance(by);
            }
            Op::Set(to) => self.world.clock.set(to),
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
        environment::drop_value(self.aiter.take(handle));
    }

    fn check(&self) {
        let mut kept = 0;
        self.aiter.each(|stands| {
            kept = self.model.keeps();
            if stands.waits.sleeps() {
                let waker = stands.waits.waker_number();
                self.model
                    .check_waits(waker, &self.source, &self.world.time);
            }
            assert!(!stands.ended || stands.aiter.is_terminated() && kept == 0);
            assert!(!stands.aiter.is_terminated() || self.source.dropped.get());
        });
        assert_eq!(environment::all_alive(), kept, "items alive");
        if environment::is_plain() {
            // The source has up to four wakers, and the timer one, or two while it is replaced.
            assert!(environment::live_wakers() <= 6, "wakers are kept");
        }
    }

    fn wind_up(&self) {
        const FAR: u64 = 1_000;
        let World { time, clock } = &self.world;
        clock.set(clock.get().max(FAR) + FAR);
        time.advance(FAR);
        self.source.end();
        self.aiter.run(|at| self.poll_one(at));
    }
}

type Timers = Box<dyn Fn(Duration) -> Timer>;

fn nanos(duration: Duration) -> u64 {
    duration.as_nanos() as u64
}

const QUIET: u64 = 10;

/// The newest item, when the timer that was made last is due, and whether a panic of the source is
/// kept until the item was given.
#[derive(Debug, Default)]
pub(super) struct Newest {
    item: Cell<Option<usize>>,
    due: Rc<Cell<u64>>,
    keeps_panic: Cell<bool>,
}

impl Model for Newest {
    type Stream = Debounce<Items, Timers>;

    fn new(source: &Rc<Source>, world: &World) -> (Self::Stream, Self) {
        let model = Self::default();
        let (time, due) = (world.time.clone(), model.due.clone());
        let sleep = move |duration| {
            due.set(time.now() + nanos(duration));
            time.timer(nanos(duration))
        };
        let items = Items::items(source, |_| ());
        let quiet = Duration::from_nanos(QUIET);
        (debounce(quiet, Box::new(sleep), items), model)
    }

    fn polled(
        &self,
        polled: &Polled,
        came: &[usize],
        before: Before,
        source: &Source,
        time: &Time,
    ) {
        let newest = came.last().copied().or(self.item.get());
        let timers = time.made() - before.timers;
        assert!(timers <= 1, "it makes a timer for each item");
        if let Ok(Poll::Ready(Some(item))) = polled {
            assert_eq!(Some(*item), newest);
            let is_due = self.due.get() <= time.now();
            let looked = source.polls.get() > before.source_polls;
            let panicked =
                source.panics.get() > before.panics || environment::sprung() > before.sprung;
            assert!(
                is_due && timers == usize::from(looked)
                    || source.ended.get()
                    || panicked
                    || self.keeps_panic.get(),
                "it comes before the quiet"
            );
            assert!(source.ended.get() || looked || is_due || self.keeps_panic.get());
            self.item.set(None);
            self.keeps_panic.set(false);
            return;
        }
        if let Ok(Poll::Ready(None)) = polled {
            assert_eq!(newest, None, "the last item is lost");
        }
        self.item.set(newest);
        // The drop of a timer panicked too, before the item could be given.
        if newest.is_some() && source.panics.get() > before.panics {
            self.keeps_panic.set(true);
        }
    }

    fn check_waits(&self, waker: Option<usize>, source: &Source, time: &Time) {
        assert!(
            source.idle.get() && source.waker_number() == waker,
            "stranded at the source"
        );
        assert!(
            self.item.get().is_none() || time.wakes(waker),
            "stranded with an item"
        );
    }

    fn keeps(&self) -> usize {
        usize::from(self.item.get().is_some())
    }
}

/// A token comes every 5 ns: 2 per 10 ns. The bucket holds three.
const TOKEN: u64 = 5;
const PER: u64 = 10;
const FULL: u64 = 3 * TOKEN;

/// What has come in, and when the clock was read last.
#[derive(Clone, Copy, Debug)]
struct Level {
    level: u64,
    seen: u64,
}

impl Level {
    fn read(&mut self, now: u64) {
        if let Some(elapsed) = now.checked_sub(self.seen) {
            self.level = FULL.min(self.level + elapsed);
            self.seen = now;
        } else if self.seen - now > PER {
            self.seen = now;
        }
    }

    fn has_token(&self) -> bool {
        self.level >= TOKEN
    }
}

pub(super) struct Tokens(Rc<Cell<Level>>);

impl Model for Tokens {
    type Stream = RateLimited<Items, (Timers, Box<dyn Fn() -> Duration>)>;

    fn new(source: &Rc<Source>, world: &World) -> (Self::Stream, Self) {
        let model = Rc::new(Cell::new(Level {
            level: FULL,
            seen: 0,
        }));
        let (time, clock) = (world.time.clone(), world.clock.clone());
        let level = model.clone();
        let sleep = move |duration| {
            let Level { level, seen } = level.get();
            let left = TOKEN.checked_sub(level).expect("there is a token");
            let behind = seen.saturating_sub(clock.get());
            assert_eq!(nanos(duration), left + behind, "a wrong time to sleep");
            time.timer(nanos(duration))
        };
        let (clock, level) = (world.clock.clone(), model.clone());
        let now = move || {
            let mut read = level.get();
            read.read(clock.get());
            level.set(read);
            Duration::from_nanos(clock.get())
        };
        let level = model.clone();
        let items = Items::items(source, move |_| {
            assert!(level.get().has_token(), "polled without a token");
        });
        let limit = RateLimit::new((PER / TOKEN) as usize, Duration::from_nanos(PER));
        let limit = limit.burst((FULL / TOKEN) as usize);
        let clock: (Timers, Box<dyn Fn() -> Duration>) = (Box::new(sleep), Box::new(now));
        (rate_limit(limit, clock, items), Self(model))
    }

    fn polled(&self, polled: &Polled, came: &[usize], _: Before, _: &Source, _: &Time) {
        match polled {
            Ok(Poll::Ready(Some(item))) => {
                assert_eq!(came, [*item]);
                let mut level = self.0.get();
                level.level -= TOKEN;
                self.0.set(level);
            }
            _ => assert_eq!(came, [0; 0], "an item is lost"),
        }
    }

    fn check_waits(&self, waker: Option<usize>, source: &Source, time: &Time) {
        let is_woken = match self.0.get().has_token() {
            true => source.idle.get() && source.waker_number() == waker,
            false => time.wakes(waker),
        };
        assert!(is_woken, "stranded");
    }

    fn keeps(&self) -> usize {
        0
    }
}

impl<M: Model> fmt::Debug for Paced<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Paced").finish_non_exhaustive()
    }
}
