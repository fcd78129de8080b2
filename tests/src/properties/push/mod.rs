//! The push list. Its model is a plain queue for each consumer.

mod op;

use super::{
    Pair,
    environment::{self, Caught, Item, Site, catch},
    handle::{Handle, Handles, Waits},
};
use aiter_core::{PushAiter, Pusher, Stopped, TryNextError, UntilStopped, WeakPusher, push_aiter};
use futures_core::{FusedStream, Stream};
use op::{Batch, BatchIter, Op, SizeHint};
use std::{
    cell::{Cell, RefCell},
    collections::{BTreeMap, BTreeSet, VecDeque},
    pin::Pin,
    task::Poll,
};

#[derive(Debug)]
struct Consumer {
    aiter: PushAiter<Item>,
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

/// The number of the first task that waits for the stop, higher than that of any consumer.
const FIRST_WAITER: usize = 1 << 16;

/// A task that waits until pushes are refused.
#[derive(Debug)]
struct Waiter {
    until: UntilStopped<Item>,
    waits: Waits,
    has_ended: bool,
}

impl Handle for Waiter {
    fn waits(&self) -> &Waits {
        &self.waits
    }
    fn has_ended(&self) -> bool {
        self.has_ended
    }
}

/// What a consumer has to yield. It carries the consumer's number.
#[derive(Clone, Debug, Default)]
struct Queue {
    items: VecDeque<usize>,
    /// An item was published since it began to wait.
    woken: bool,
    /// It subscribed after the end, and counts as no reader of the list.
    late: bool,
}

/// A push list.
#[derive(Debug)]
pub(super) struct List {
    pushers: Handles<Pusher<Item>>,
    /// How many pushers there are, including those in use.
    open: Cell<usize>,
    weak: Handles<WeakPusher<Item>>,
    waiters: Handles<Waiter>,
    consumers: Handles<Consumer>,
    queues: RefCell<BTreeMap<usize, Queue>>,
    stopped: Cell<bool>,
    pushed: Cell<usize>,
    clones: Cell<usize>,
    /// A batch is being pushed.
    in_batch: Cell<bool>,
}

impl List {
    fn is_closed(&self) -> bool {
        self.stopped.get() || self.queues.borrow().values().all(|queue| queue.late)
    }

    fn is_ended(&self, at: usize) -> bool {
        let queue = &self.queues.borrow()[&at];
        queue.items.is_empty() && (self.stopped.get() || queue.late)
    }

    /// Records that a slot is about to be published: consumers that sleep will be woken, once.
    fn publish(&self) {
        let mut queues = self.queues.borrow_mut();
        queues.values_mut().for_each(|queue| queue.woken = true);
    }

    fn publish_items(&self, items: &[usize]) {
        self.pushed.set(self.pushed.get() + items.len());
        for queue in self
            .queues
            .borrow_mut()
            .values_mut()
            .filter(|queue| !queue.late)
        {
            queue.items.extend(items);
        }
        if !items.is_empty() {
            self.publish();
        }
    }

    /// In the middle of a batch nothing is done with pushers: it is undefined where their items
    /// land among those that the batch's iterator did not announce.
    fn with_pusher(&self, n: u8, f: impl FnOnce(&mut Pusher<Item>)) {
        if self.in_batch.get() {
            return;
        }
        if let Some((at, mut pusher)) = self.pushers.pick_out(n) {
            f(&mut pusher);
            self.pushers.put(at, pusher);
        }
    }

    fn push(&self, times: usize, mut push: impl FnMut(Item) -> Result<(), Stopped<Item>>) {
        for _ in 0..times {
            let item = Item::new();
            let (id, closed) = (item.id(), self.is_closed());
            if !closed {
                self.publish_items(&[id]);
            }
            // A waker may panic after the item was pushed.
            match catch(|| push(item)) {
                // Within the drop of the last consumer the list may not be closed yet.
                Ok(Ok(())) => assert!(
                    !closed || environment::is_nested(),
                    "a closed list took an item"
                ),
                Ok(Err(Stopped(item))) => {
                    assert!(closed && item.id() == id, "an open list took no item");
                    environment::drop_value(item);
                }
                Err(_) => {}
            }
        }
    }

    fn push_all(&self, pusher: &Pusher<Item>, batch: Batch) {
        let items: Vec<_> = (0..batch.yields).map(|_| Item::new()).collect();
        let all: Vec<_> = items.iter().map(Item::id).collect();
        let items = BatchIter {
            batch,
            items: items.into_iter(),
        };
        let closed = self.is_closed();
        if !closed {
            // Slots that were promised wake the readers that wait for them even if no item comes.
            if matches!(batch.size_hint, SizeHint::Exactly(1..)) {
                self.publish();
            }
            self.publish_items(&all);
        }
        self.in_batch.set(true);
        let pushed = catch(|| pusher.push_all(items));
        self.in_batch.set(false);
        match pushed {
            Ok(result) => {
                assert!(!batch.panics, "the panic of the iterator was swallowed");
                let left = result.err().map_or(Vec::new(), |Stopped(items)| items);
                if !environment::is_nested() && environment::is_plain() {
                    let ids = left.iter().map(Item::id);
                    assert!(ids.eq(all.into_iter().filter(|_| closed)), "given back");
                }
                left.into_iter().for_each(environment::drop_value);
            }
            Err(Caught::Planned(site)) => {
                assert!(site != Site::Source || batch.panics);
                if site != Site::Source {
                    self.lose(&all);
                }
            }
            Err(Caught::Reported) => panic!("not a fork"),
        }
    }

    /// Records that a waker that panicked in the middle of a batch took the rest of it along.
    fn lose(&self, batch: &[usize]) {
        for queue in self.queues.borrow_mut().values_mut() {
            queue
                .items
                .retain(|item| !batch.contains(item) || environment::alive(*item) > 0);
        }
    }

    /// Takes the next item of a consumer, in one of the possible ways.
    fn take(
        &self,
        at: usize,
        take: impl FnOnce(&mut Consumer) -> Result<Poll<Option<Item>>, Caught>,
    ) {
        let Some(mut consumer) = self.consumers.take(at) else {
            return;
        };
        let sprung = environment::sprung();
        if let Some(queue) = self.queues.borrow_mut().get_mut(&at) {
            queue.woken = false;
        }
        let found = take(&mut consumer);
        let undisturbed = sprung == environment::sprung() && !environment::is_nested();
        let front = self.queues.borrow()[&at].items.front().copied();
        let mut item = None;
        match found {
            Ok(Poll::Ready(Some(found))) => {
                assert_eq!(front, Some(found.id()));
                self.taken(at);
                item = Some(found);
            }
            Ok(Poll::Ready(None)) => assert!(self.is_ended(at), "ended too early"),
            Ok(Poll::Pending) => {
                assert!(
                    !undisturbed || front.is_none() && !self.is_ended(at),
                    "pending"
                );
            }
            Err(Caught::Planned(Site::Clone)) => self.taken(at),
            Err(Caught::Planned(Site::Drop)) => {
                if consumer.aiter.len() < self.queues.borrow()[&at].items.len() {
                    self.taken(at);
                }
            }
            Err(_) => {}
        }
        self.consumers.put(at, consumer);
        environment::drop_value(item);
    }

    /// Records that the consumer took an item, or lost it to a panic.
    fn taken(&self, at: usize) {
        let mut queues = self.queues.borrow_mut();
        let item = queues
            .get_mut(&at)
            .and_then(|queue| queue.items.pop_front());
        let behind = |queue: &Queue| {
            !queue.late && queue.items.front().is_some_and(|next| Some(*next) <= item)
        };
        // Other consumers will read it.
        if queues.values().any(behind) {
            self.clones.set(self.clones.get() + 1);
        }
    }

    fn poll_with(&self, at: usize, fresh: bool) {
        self.take(at, |consumer| {
            let aiter = &mut consumer.aiter;
            consumer
                .waits
                .poll(fresh, |cx| Pin::new(aiter).poll_next(cx))
        });
    }

    fn next_many(&self, at: usize, limit: usize) {
        let Some(mut consumer) = self.consumers.take(at) else {
            return;
        };
        let sprung = environment::sprung();
        let there = self.queues.borrow_mut().get_mut(&at).map_or(0, |queue| {
            queue.woken = false;
            queue.items.len()
        });
        let mut items = Vec::new();
        let (aiter, buf) = (&mut consumer.aiter, &mut items);
        let found = consumer.waits.poll(false, |cx| {
            Pin::new(&mut aiter.next_many(buf, limit)).poll(cx)
        });
        let undisturbed = sprung == environment::sprung() && !environment::is_nested();
        for item in &items {
            let front = self.queues.borrow()[&at].items.front().copied();
            assert_eq!(front, Some(item.id()));
            self.taken(at);
        }
        match found {
            Ok(Poll::Ready(0)) => assert!(self.is_ended(at) && items.is_empty(), "ended too early"),
            Ok(Poll::Ready(taken)) => {
                assert!(taken == items.len() && taken <= limit);
                assert!(!undisturbed || taken == there.min(limit), "too few");
            }
            Ok(Poll::Pending) => {
                assert!(items.is_empty(), "pending with items");
                assert!(!undisturbed || there == 0 && !self.is_ended(at), "pending");
            }
            Err(Caught::Planned(Site::Clone)) => self.taken(at),
            Err(Caught::Planned(Site::Drop)) => {
                if consumer.aiter.len() < self.queues.borrow()[&at].items.len() {
                    self.taken(at);
                }
            }
            Err(_) => {}
        }
        self.consumers.put(at, consumer);
        items.into_iter().for_each(environment::drop_value);
    }

    fn poll_waiter(&self, at: usize, fresh: bool) {
        let Some(mut waiter) = self.waiters.take(at) else {
            return;
        };
        let sprung = environment::sprung();
        let until = &mut waiter.until;
        let polled = waiter.waits.poll(fresh, |cx| Pin::new(until).poll(cx));
        let undisturbed = sprung == environment::sprung() && !environment::is_nested();
        match polled {
            Ok(Poll::Ready(())) => {
                assert!(self.is_closed(), "nothing has stopped the list");
                waiter.has_ended = true;
            }
            Ok(Poll::Pending) => {
                assert!(!undisturbed || !self.is_closed(), "pending after the stop");
            }
            Err(_) => {}
        }
        self.waiters.put(at, waiter);
    }

    fn upgrade(&self, weak: &WeakPusher<Item>) {
        self.pushers.try_add(|_| {
            let pusher = weak.upgrade();
            assert_eq!(pusher.is_some(), self.open.get() > 0);
            self.open
                .set(self.open.get() + usize::from(pusher.is_some()));
            pusher
        });
    }

    fn try_next(&self, at: usize) {
        self.take(at, |consumer| {
            consumer.waits.repoll();
            catch(|| match consumer.aiter.try_next() {
                Ok(item) => Poll::Ready(Some(item)),
                Err(TryNextError::Ended) => Poll::Ready(None),
                Err(TryNextError::Empty) => Poll::Pending,
            })
        });
    }

    fn peek(&self, at: usize, n: usize) {
        let Some(consumer) = self.consumers.take(at) else {
            return;
        };
        let (aiter, queue) = (&consumer.aiter, &self.queues.borrow()[&at].items);
        if !environment::is_nested() {
            assert!(
                aiter
                    .available_iter()
                    .map(Item::id)
                    .eq(queue.iter().copied())
            );
            assert_eq!(aiter.len(), queue.len());
            assert_eq!(aiter.is_empty(), queue.is_empty());
            assert_eq!(aiter.is_item_available(), !queue.is_empty());
            for n in [n, queue.len(), queue.len() + 1] {
                assert_eq!(aiter.is_len_at_least(n), queue.len() >= n);
            }
            let mut rest = aiter.available_iter();
            let passed = rest.by_ref().take(n).count();
            assert_eq!(rest.count(), queue.len() - passed);
            assert_eq!(aiter.size_hint().0, queue.len().min(1000));
        }
        self.consumers.put(at, consumer);
    }

    fn fork(&self, n: u8, fork: impl FnOnce(&mut PushAiter<Item>) -> PushAiter<Item>) {
        if let Some((at, mut parent)) = self.consumers.pick_out(n) {
            self.consumers.add(|waits| {
                let queue = self.queues.borrow()[&at].clone();
                self.queues.borrow_mut().insert(waits.owner(), queue);
                Consumer {
                    aiter: fork(&mut parent.aiter),
                    waits,
                }
            });
            self.consumers.put(at, parent);
        }
    }

    fn subscribe(&self, pusher: &Pusher<Item>) {
        if environment::is_nested() {
            // It may happen in the middle of a batch that was partly pushed.
            return;
        }
        self.consumers.try_add(|waits| {
            let late = self.is_closed();
            if !late {
                // It reserves a slot, which every consumer that sleeps there has to pass.
                self.publish();
            }
            let queue = Queue {
                late,
                ..Queue::default()
            };
            let at = waits.owner();
            self.queues.borrow_mut().insert(at, queue);
            let aiter = catch(|| pusher.subscribe());
            if aiter.is_err() {
                self.queues.borrow_mut().remove(&at);
            }
            aiter.ok().map(|aiter| Consumer { aiter, waits })
        });
    }

    fn drop_pusher(&self, pusher: Pusher<Item>) {
        self.open.set(self.open.get() - 1);
        if self.open.get() == 0 {
            self.stop();
        }
        environment::drop_value(pusher);
    }

    fn stop(&self) {
        if !self.stopped.replace(true) {
            self.publish();
        }
    }
}

impl Pair for List {
    type Op = Op;

    fn new() -> Self {
        let (pusher, aiter) = push_aiter();
        let (pushers, consumers) = (Handles::new(), Handles::new());
        pushers.add(|_| pusher);
        consumers.add(|waits| Consumer { aiter, waits });
        Self {
            pushers,
            open: Cell::new(1),
            weak: Handles::new(),
            waiters: Handles::from_number(FIRST_WAITER),
            consumers,
            queues: RefCell::new(BTreeMap::from([(0, Queue::default())])),
            stopped: Cell::new(false),
            pushed: Cell::new(0),
            clones: Cell::new(0),
            in_batch: Cell::new(false),
        }
    }

    fn op(&self, op: Op) {
        let consumer = |n| self.consumers.pick(n);
        match op {
            Op::Push { pusher, times } => {
                self.with_pusher(pusher, |pusher| self.push(times, |item| pusher.push(item)));
            }
            Op::Extend { pusher, times } => self.with_pusher(pusher, |pusher| {
                let items = (0..times).map(|_| {
                    let item = Item::new();
                    if !self.is_closed() {
                        self.publish_items(&[item.id()]);
                    }
                    item
                });
                catch(|| pusher.extend(items)).ok();
            }),
            Op::PushAll(pusher, batch) => {
                self.with_pusher(pusher, |pusher| self.push_all(pusher, batch))
            }
            Op::Fork(n) => self.fork(n, PushAiter::fork),
            Op::ForkPassive(n) => self.fork(n, PushAiter::fork_passive),
            Op::Subscribe(n) => self.with_pusher(n, |pusher| self.subscribe(pusher)),
            Op::TryNext { consumer: n, times } => {
                if let Some(at) = consumer(n) {
                    (0..times).for_each(|_| self.try_next(at));
                }
            }
            Op::Poll { consumer: n, fresh } => {
                if let Some(at) = consumer(n) {
                    self.poll_with(at, fresh);
                }
            }
            Op::NextMany { consumer: n, limit } => {
                if let Some(at) = consumer(n) {
                    self.next_many(at, limit);
                }
            }
            Op::PollAll => {
                let waiters = self.waiters.numbers();
                let all = self.consumers.numbers().into_iter().chain(waiters);
                all.for_each(|at| self.poll_one(at));
            }
            Op::Peek { consumer: c, n } => {
                if let Some(at) = consumer(c) {
                    self.peek(at, n.into());
                }
            }
            Op::ClonePusher(n) => self.with_pusher(n, |pusher| {
                self.pushers.add(|_| {
                    self.open.set(self.open.get() + 1);
                    pusher.clone()
                });
            }),
            Op::DropPusher(n) => {
                if let Some((_, pusher)) = self.pushers.pick_out(n) {
                    self.drop_pusher(pusher);
                }
            }
            Op::DropConsumer(n) => {
                if let Some(at) = consumer(n) {
                    self.drop_one(at);
                }
            }
            Op::Downgrade(n) => {
                self.with_pusher(n, |pusher| self.weak.add(|_| pusher.downgrade()));
            }
            Op::Upgrade(n) => {
                if let Some((at, weak)) = self.weak.pick_out(n) {
                    self.upgrade(&weak);
                    self.weak.put(at, weak);
                }
            }
            Op::Stopped(n) => self.with_pusher(n, |pusher| {
                self.waiters.add(|waits| Waiter {
                    until: pusher.stopped(),
                    waits,
                    has_ended: false,
                });
            }),
            Op::PollStopped { waiter, fresh } => {
                if let Some(at) = self.waiters.pick(waiter) {
                    self.poll_waiter(at, fresh);
                }
            }
            Op::DropStopped(n) => {
                if let Some(at) = self.waiters.pick(n) {
                    self.drop_one(at);
                }
            }
            Op::Stop(n) => self.with_pusher(n, |pusher| {
                self.stop();
                catch(|| pusher.stop()).ok();
            }),
            Op::Trap(trap) => environment::set(trap),
        }
    }

    fn poll_one(&self, handle: usize) {
        if self.waiters.has_number(handle) {
            self.poll_waiter(handle, false);
        } else {
            self.poll_with(handle, false);
        }
    }

    fn drop_one(&self, handle: usize) {
        if let Some(waiter) = self.waiters.take(handle) {
            environment::drop_value(waiter);
        } else if let Some(consumer) = self.consumers.take(handle) {
            self.queues.borrow_mut().remove(&handle);
            environment::drop_value(consumer);
        }
    }

    fn check(&self) {
        let queues = self.queues.borrow();
        let readers = || queues.values().filter(|queue| !queue.late);
        let waiting: BTreeSet<_> = readers().flat_map(|queue| &queue.items).collect();
        assert!(
            waiting.iter().all(|item| environment::alive(**item) > 0),
            "an item is lost"
        );
        if readers().next().is_none() {
            assert_eq!(
                environment::all_alive(),
                0,
                "items outlive the last consumer"
            );
        }
        if environment::is_plain() {
            self.check_exactly(&queues, waiting.len());
        }
        self.pushers
            .each(|pusher| assert_eq!(pusher.is_stopped(), self.is_closed()));
        self.waiters.each(|waiter| {
            assert!(!waiter.waits.sleeps() || !self.is_closed(), "stranded");
        });
        for at in self.consumers.numbers() {
            let ended = self.is_ended(at);
            let queue = &queues[&at];
            self.consumers.look(at, |consumer| {
                if consumer.waits.sleeps() {
                    assert!(queue.items.is_empty() && !ended, "stranded");
                }
                assert_eq!(consumer.aiter.len(), queue.items.len());
                assert_eq!(consumer.aiter.is_terminated(), ended);
                assert_eq!(
                    consumer.aiter.is_stopped(),
                    self.stopped.get() || queue.late
                );
            });
        }
    }

    fn wind_up(&self) {
        self.consumers
            .numbers()
            .into_iter()
            .for_each(|at| self.peek(at, 1));
        while let Some((_, pusher)) = self.pushers.pick_out(0) {
            self.drop_pusher(pusher);
        }
        self.consumers.run(|at| self.poll_one(at));
        self.waiters.run(|at| self.poll_one(at));
    }
}

impl List {
    /// Checks what holds as long as no trap was sprung.
    fn check_exactly(&self, queues: &BTreeMap<usize, Queue>, waiting: usize) {
        assert_eq!(environment::all_alive(), waiting, "items alive");
        assert_eq!(environment::clones(), self.clones.get(), "clones made");
        let lags = || {
            queues
                .values()
                .filter(|queue| !queue.late)
                .map(|queue| queue.items.len())
        };
        let (least, most) = (lags().min().unwrap_or(0), lags().max().unwrap_or(0));
        let expected = (self.pushed.get(), self.pushed.get() - least, least, most);
        let check = |now: aiter_core::Statistics| {
            assert_eq!(
                (now.pushed, now.taken, now.waiting, now.lag),
                expected,
                "statistics"
            );
        };
        self.pushers.each(|pusher| check(pusher.statistics()));
        for at in self.consumers.numbers() {
            let queue = &queues[&at];
            self.consumers.look(at, |consumer| {
                if !queue.late {
                    check(consumer.aiter.statistics());
                }
                if let Some(wakes) = consumer.waits.wakes() {
                    assert_eq!(wakes, usize::from(queue.woken), "wakes");
                }
            });
        }
        let mut waiting = 0;
        self.waiters.each(|waiter| {
            waiting += usize::from(!waiter.has_ended);
            if let Some(wakes) = waiter.waits.wakes() {
                assert_eq!(wakes, usize::from(self.is_closed()), "wakes");
            }
        });
        assert!(
            environment::live_wakers() <= 2 * queues.len() + waiting,
            "wakers are kept"
        );
    }
}
