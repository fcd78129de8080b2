//! A push list with a limit. Its model is the log of the items that were pushed, a place in it for
//! each consumer, and the queue of the pushers that wait.
//!
//! A step that runs within another one pushes nothing and does not begin to wait, so that the model
//! knows the order of the items and of the pushers.

use super::{
    Pair,
    environment::{self, Caught, Item, Trap, catch},
    handle::{Handle, Handles, Waits},
};
use aiter_core::{
    BoundedAiter, BoundedPusher, BoundedSink, OwnedPermit, PushError, ReserveOwned, Stopped,
    push_aiter_bounded,
};
use arbitrary::{Arbitrary, Unstructured};
use futures_core::{FusedStream, Stream};
use futures_sink::Sink;
use std::{
    cell::{Cell, RefCell},
    collections::{BTreeSet, VecDeque},
    pin::Pin,
    task::{Context, Poll},
};

/// The operations on a bounded list. A number selects a handle, modulo their count.
#[derive(Debug)]
pub(super) enum Op {
    TryPush,
    TryReserve,
    /// Pushes with a place that was reserved.
    PushHeld(u8),
    DropHeld(u8),
    Wait(Kind),
    PollWait(u8, bool),
    DropWait(u8),
    Poll(u8, bool),
    NextMany(u8, u8),
    PollAll,
    Fork(u8),
    Subscribe,
    DropConsumer(u8),
    Stop,
    Trap(Trap),
}

impl<'a> Arbitrary<'a> for Op {
    fn arbitrary(u: &mut Unstructured<'a>) -> arbitrary::Result<Self> {
        let kind: u8 = u.int_in_range(0..=63)?;
        let mut number = || u.arbitrary::<u8>();
        Ok(match kind {
            0..=7 => Op::TryPush,
            8..=10 => Op::TryReserve,
            11..=13 => Op::PushHeld(number()?),
            14..=15 => Op::DropHeld(number()?),
            16..=25 => Op::Wait(*u.choose(&[Kind::Push, Kind::Reserve, Kind::Sink])?),
            26..=31 => Op::PollWait(number()?, number()? % 4 == 3),
            32..=34 => Op::DropWait(number()?),
            35..=44 => Op::Poll(number()?, number()? % 4 == 3),
            45..=48 => Op::NextMany(number()?, number()?),
            49..=51 => Op::PollAll,
            52..=53 => Op::Fork(number()?),
            54..=55 => Op::Subscribe,
            56..=57 => Op::DropConsumer(number()?),
            // Seldom, because it ends the sequence.
            58 if number()? % 4 == 0 => Op::Stop,
            _ => Op::Trap(u.arbitrary()?),
        })
    }
}

/// How a pusher waits for a place.
#[derive(Clone, Copy, Debug)]
pub(super) enum Kind {
    Push,
    Reserve,
    Sink,
}

struct Consumer {
    aiter: BoundedAiter<Item>,
    /// How much of the log it has passed.
    at: usize,
    waits: Waits,
}

impl Handle for Consumer {
    fn waits(&self) -> &Waits {
        &self.waits
    }
    fn has_ended(&self) -> bool {
        self.aiter.is_terminated()
    }
}

/// A place that was taken and holds no item.
enum Held {
    Permit(OwnedPermit<Item>),
    Sink(BoundedSink<Item>),
}

impl Held {
    fn push(self, item: Item) -> Result<(), Stopped<()>> {
        match self {
            Held::Permit(permit) => permit.push(item).map_err(|refused| {
                environment::drop_value(refused);
                Stopped(())
            }),
            Held::Sink(mut sink) => Pin::new(&mut sink).start_send(item),
        }
    }
}

enum Waiting {
    Push {
        item: usize,
        future: Pin<Box<dyn Future<Output = Result<(), Stopped<Item>>>>>,
    },
    Reserve(ReserveOwned<Item>),
    Sink(Option<BoundedSink<Item>>),
}

impl Waiting {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Held>, ()>> {
        match self {
            Waiting::Push { future, .. } => future.as_mut().poll(cx).map(|pushed| {
                let pushed = pushed.map(|()| None);
                pushed.map_err(environment::drop_value)
            }),
            Waiting::Reserve(future) => Pin::new(future).poll(cx).map(|permit| {
                permit
                    .map(|permit| Some(Held::Permit(permit)))
                    .map_err(drop)
            }),
            Waiting::Sink(sink) => {
                let ready = Pin::new(sink.as_mut().expect("it waits")).poll_ready(cx);
                ready.map(|ready| ready.map(|()| sink.take().map(Held::Sink)).map_err(drop))
            }
        }
    }
}

/// The number of the first pusher that waits, higher than that of any consumer.
const FIRST_WAIT: usize = 1 << 16;

struct Wait {
    future: Waiting,
    /// It was polled before.
    is_started: bool,
    waits: Waits,
}

impl Handle for Wait {
    fn waits(&self) -> &Waits {
        &self.waits
    }
    fn has_ended(&self) -> bool {
        false
    }
}

/// A list in which at most `N` items wait.
pub(super) struct Bounded<const N: usize> {
    pusher: BoundedPusher<Item>,
    consumers: Handles<Consumer>,
    /// How many consumers there are, including those that are being polled.
    readers: Cell<usize>,
    waits: Handles<Wait>,
    held: RefCell<Vec<Held>>,
    log: RefCell<Vec<usize>>,
    /// The pushers that wait for a place, by their numbers.
    waiting: RefCell<VecDeque<usize>>,
    /// Those that have a place and do not know it yet.
    granted: RefCell<BTreeSet<usize>>,
    stopped: Cell<bool>,
}

impl<const N: usize> Bounded<N> {
    fn is_closed(&self) -> bool {
        self.stopped.get() || self.readers.get() == 0
    }

    /// How many items wait for the slowest consumer.
    fn lag(&self) -> usize {
        let (mut lag, pushed) = (0, self.log.borrow().len());
        self.consumers
            .each(|consumer| lag = lag.max(pushed - consumer.at));
        lag
    }

    /// How many places are taken.
    fn taken(&self) -> usize {
        self.lag() + self.held.borrow().len() + self.granted.borrow().len()
    }

    fn has_room(&self) -> bool {
        self.taken() < N
    }

    /// Gives the places that are free to those that wait.
    fn settle(&self) {
        if self.is_closed() {
            self.waiting.borrow_mut().clear();
            self.granted.borrow_mut().clear();
        }
        while self.has_room() {
            let Some(first) = self.waiting.borrow_mut().pop_front() else {
                break;
            };
            self.granted.borrow_mut().insert(first);
        }
    }

    fn forget(&self, at: usize) {
        self.waiting.borrow_mut().retain(|waiting| *waiting != at);
        self.granted.borrow_mut().remove(&at);
    }

    /// Corrects the log after an item was lost to a panic before it was pushed, or was pushed
    /// because a step within made room.
    fn correct_log(&self, item: usize) {
        let pushed = self.pusher.statistics().pushed;
        let mut log = self.log.borrow_mut();
        log.truncate(pushed);
        if log.len() < pushed {
            log.push(item);
        }
    }

    /// Runs an operation that takes a place or fails, and checks which. `None` if it panics, after
    /// it has taken the place.
    fn try_take<T, U>(
        &self,
        take: impl FnOnce() -> Result<T, PushError<U>>,
    ) -> Option<Result<T, U>> {
        let (had_room, was_closed) = (self.has_room(), self.is_closed());
        let result = catch(take).ok()?;
        match &result {
            Ok(_) => assert!(had_room && !was_closed, "too many"),
            Err(PushError::Full(_)) => assert!(!had_room && !was_closed, "seems full"),
            Err(PushError::Stopped(_)) => assert!(was_closed, "seems stopped"),
        }
        Some(result.map_err(PushError::into_inner))
    }

    fn try_push(&self) {
        let item = Item::new();
        let pushed = self.try_take(|| {
            if self.has_room() && !self.is_closed() {
                self.log.borrow_mut().push(item.id());
            }
            self.pusher.try_push(item)
        });
        environment::drop_value(pushed);
    }

    fn push_held(&self, n: u8) {
        let Some(held) = self.pick_held(n) else {
            return;
        };
        let item = Item::new();
        let is_closed = self.is_closed();
        if !is_closed {
            self.log.borrow_mut().push(item.id());
        }
        if let Ok(pushed) = catch(|| held.push(item)) {
            assert_eq!(pushed.is_err(), is_closed);
        }
    }

    fn pick_held(&self, n: u8) -> Option<Held> {
        let mut held = self.held.borrow_mut();
        let n = usize::from(n).checked_rem(held.len())?;
        Some(held.swap_remove(n))
    }

    fn wait(&self, kind: Kind) {
        let mut number = None;
        self.waits.add(|waits| {
            number = Some(waits.owner());
            let pusher = self.pusher.clone();
            let future = match kind {
                Kind::Push => {
                    let item = Item::new();
                    Waiting::Push {
                        item: item.id(),
                        future: Box::pin(async move { pusher.push(item).await }),
                    }
                }
                Kind::Reserve => Waiting::Reserve(pusher.reserve_owned()),
                Kind::Sink => Waiting::Sink(Some(pusher.into_sink())),
            };
            Wait {
                future,
                is_started: false,
                waits,
            }
        });
        if let Some(at) = number {
            self.poll_wait(at, false);
        }
    }

    fn poll_wait(&self, at: usize, fresh: bool) {
        let Some(mut wait) = self.waits.take(at) else {
            return;
        };
        let pushes = match &wait.future {
            Waiting::Push { item, .. } => Some(*item),
            _ => None,
        };
        if environment::is_nested() && (pushes.is_some() || !wait.is_started) {
            self.waits.put(at, wait);
            return;
        }
        let is_due = match wait.is_started {
            true => self.granted.borrow().contains(&at),
            false => self.has_room(),
        };
        let was_closed = self.is_closed();
        let logs = pushes.filter(|_| is_due && !was_closed);
        self.log.borrow_mut().extend(logs);
        let sprung = environment::sprung();
        let Wait { future, waits, .. } = &mut wait;
        let polled = waits.poll(fresh, |cx| future.poll(cx));
        let undisturbed = sprung == environment::sprung() && !environment::is_nested();
        match polled {
            Ok(Poll::Pending) => {
                assert!(!undisturbed || !is_due && !was_closed, "pending");
                if !wait.is_started {
                    self.waiting.borrow_mut().push_back(at);
                }
                wait.is_started = true;
                self.waits.put(at, wait);
                return;
            }
            Ok(Poll::Ready(Ok(held))) => {
                assert!(!undisturbed || is_due && !was_closed, "out of turn");
                self.held.borrow_mut().extend(held);
            }
            Ok(Poll::Ready(Err(()))) => assert!(self.is_closed(), "refused"),
            Err(_) => {}
        }
        self.forget(at);
        environment::drop_value(wait);
        if let Some(item) = pushes {
            self.correct_log(item);
        }
    }

    /// Takes items from a consumer, and checks that they are those that come next.
    fn take(
        &self,
        at: usize,
        limit: usize,
        take: impl FnOnce(&mut Consumer, &mut Vec<Item>) -> Result<Poll<bool>, Caught>,
    ) {
        let Some(mut consumer) = self.consumers.take(at) else {
            return;
        };
        let sprung = environment::sprung();
        let mut items = Vec::new();
        let there = self.log.borrow().len() - consumer.at;
        let polled = take(&mut consumer, &mut items);
        let undisturbed = sprung == environment::sprung() && !environment::is_nested();
        for item in &items {
            let mut log = self.log.borrow_mut();
            if log.len() == consumer.at && !undisturbed {
                // The pusher that it comes from has not returned yet.
                log.push(item.id());
            }
            assert_eq!(log.get(consumer.at), Some(&item.id()));
            consumer.at += 1;
        }
        match polled {
            Ok(Poll::Ready(true)) => {
                assert!(!undisturbed || items.len() == there.min(limit), "too few");
            }
            Ok(Poll::Ready(false)) => {
                assert!(self.stopped.get() && items.is_empty(), "ended too early");
            }
            Ok(Poll::Pending) => {
                assert!(items.is_empty(), "pending with items");
                assert!(!undisturbed || there == 0 && !self.stopped.get(), "pending");
            }
            // It has passed what was lost to the panic. The log may name an item that is about to
            // be pushed.
            Err(_) => consumer.at = self.pusher.statistics().pushed - consumer.aiter.len(),
        }
        self.consumers.put(at, consumer);
        items.into_iter().for_each(environment::drop_value);
    }

    fn poll_consumer(&self, at: usize, fresh: bool) {
        self.take(at, 1, |consumer, items| {
            let Consumer { aiter, waits, .. } = consumer;
            let polled = waits.poll(fresh, |cx| Pin::new(aiter).poll_next(cx))?;
            Ok(polled.map(|item| {
                items.extend(item);
                !items.is_empty()
            }))
        });
    }

    fn next_many(&self, at: usize, limit: usize) {
        self.take(at, limit, |consumer, items| {
            let Consumer { aiter, waits, .. } = consumer;
            let polled = waits.poll(false, |cx| {
                Pin::new(&mut aiter.next_many(items, limit)).poll(cx)
            })?;
            Ok(polled.map(|taken| taken > 0))
        });
    }

    fn add_consumer(&self, at: usize, make: impl FnOnce() -> BoundedAiter<Item>) {
        self.consumers.try_add(|waits| {
            let aiter = catch(make).ok()?;
            self.readers.set(self.readers.get() + 1);
            Some(Consumer { aiter, at, waits })
        });
    }
}

impl<const N: usize> Pair for Bounded<N> {
    type Op = Op;

    fn new() -> Self {
        let (pusher, aiter) = push_aiter_bounded(N);
        let pair = Self {
            pusher,
            consumers: Handles::new(),
            readers: Cell::new(0),
            waits: Handles::from_number(FIRST_WAIT),
            held: RefCell::default(),
            log: RefCell::default(),
            waiting: RefCell::default(),
            granted: RefCell::default(),
            stopped: Cell::new(false),
        };
        pair.add_consumer(0, || aiter);
        pair
    }

    fn op(&self, op: Op) {
        let is_nested = environment::is_nested();
        if !is_nested {
            self.settle();
        }
        match op {
            Op::TryPush | Op::TryReserve | Op::PushHeld(_) | Op::Wait(_) | Op::Subscribe
                if is_nested => {}
            Op::TryPush => self.try_push(),
            Op::TryReserve => {
                let permit = self.try_take(|| self.pusher.try_reserve_owned());
                let permit = permit.and_then(Result::ok);
                self.held.borrow_mut().extend(permit.map(Held::Permit));
            }
            Op::PushHeld(n) => self.push_held(n),
            Op::DropHeld(n) => environment::drop_value(self.pick_held(n)),
            Op::Wait(kind) => self.wait(kind),
            Op::PollWait(n, fresh) => {
                if let Some(at) = self.waits.pick(n) {
                    self.poll_wait(at, fresh);
                }
            }
            Op::DropWait(n) => {
                if let Some(at) = self.waits.pick(n) {
                    self.drop_one(at);
                }
            }
            Op::Poll(n, fresh) => {
                if let Some(at) = self.consumers.pick(n) {
                    self.poll_consumer(at, fresh);
                }
            }
            Op::NextMany(n, limit) => {
                if let Some(at) = self.consumers.pick(n) {
                    self.next_many(at, 1 + usize::from(limit % 4));
                }
            }
            Op::PollAll => {
                let waits = self.waits.numbers();
                let all = self.consumers.numbers().into_iter().chain(waits);
                all.for_each(|at| {
                    if !environment::is_nested() {
                        self.settle();
                    }
                    self.poll_one(at);
                });
            }
            Op::Fork(n) => {
                if let Some((at, mut parent)) = self.consumers.pick_out(n) {
                    self.add_consumer(parent.at, || parent.aiter.fork());
                    self.consumers.put(at, parent);
                }
            }
            Op::Subscribe => {
                if !self.is_closed() {
                    let at = self.log.borrow().len();
                    self.add_consumer(at, || self.pusher.subscribe());
                }
            }
            Op::DropConsumer(n) => {
                if let Some(at) = self.consumers.pick(n) {
                    self.drop_one(at);
                }
            }
            Op::Stop => {
                self.stopped.set(true);
                catch(|| self.pusher.stop()).ok();
            }
            Op::Trap(trap) => environment::set(trap),
        }
    }

    fn poll_one(&self, handle: usize) {
        if self.waits.has_number(handle) {
            self.poll_wait(handle, false);
        } else {
            self.poll_consumer(handle, false);
        }
    }

    fn drop_one(&self, handle: usize) {
        if let Some(wait) = self.waits.take(handle) {
            self.forget(handle);
            environment::drop_value(wait);
        } else if let Some(consumer) = self.consumers.take(handle) {
            self.readers.set(self.readers.get() - 1);
            environment::drop_value(consumer);
        }
    }

    fn check(&self) {
        self.settle();
        let (is_closed, lag) = (self.is_closed(), self.lag());
        assert!(is_closed || self.taken() <= N, "too many places are taken");
        assert_eq!(self.pusher.is_stopped(), is_closed);
        let pushed = self.log.borrow().len();
        let ended = |consumer: &Consumer| self.stopped.get() && consumer.at == pushed;
        let (mut consumers, mut waits, mut pushes) = (0, 0, 0);
        self.consumers.each(|consumer| {
            consumers += 1;
            assert_eq!(consumer.aiter.len(), pushed - consumer.at);
            assert_eq!(consumer.aiter.is_terminated(), ended(consumer));
            assert!(
                !consumer.waits.sleeps() || consumer.at == pushed && !ended(consumer),
                "stranded"
            );
        });
        for at in self.waits.numbers() {
            let is_waiting = self.waiting.borrow().contains(&at);
            self.waits.look(at, |wait| {
                waits += 1;
                pushes += usize::from(matches!(wait.future, Waiting::Push { .. }));
                assert!(!wait.waits.sleeps() || is_waiting, "stranded");
                if let Some(wakes) = wait.waits.wakes().filter(|_| environment::is_plain()) {
                    assert_eq!(wakes, usize::from(!is_waiting), "wakes");
                }
            });
        }
        if environment::is_plain() {
            assert_eq!(environment::all_alive(), lag + pushes, "items alive");
            assert!(
                environment::live_wakers() <= 2 * consumers + waits,
                "wakers are kept"
            );
        }
    }

    fn wind_up(&self) {
        self.held
            .take()
            .into_iter()
            .for_each(environment::drop_value);
        self.stopped.set(true);
        self.pusher.stop();
        self.waits.run(|at| self.poll_one(at));
        self.consumers.run(|at| self.poll_one(at));
    }
}
