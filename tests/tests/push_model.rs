//! Random sequences of everything the push list offers, on one thread, against a plain queue for each consumer: order,
//! exactly once, empty and ended told apart, wakes, statistics, clones, and which items are alive after every step.

use aiter_core::{PushAiter, Pusher, Stopped, TryNextError, push_aiter};
use futures_core::{FusedStream, Stream};
use proptest::prelude::*;
use std::{
    collections::{BTreeSet, VecDeque},
    panic::{AssertUnwindSafe, catch_unwind, panic_any},
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    task::{Context, Poll, Wake, Waker},
};

/// Counts clones made and values alive.
#[derive(Debug, Default)]
struct Counts {
    live: AtomicUsize,
    clones: AtomicUsize,
}

/// An item that counts itself. The list borrows the counts: items need not be `'static`.
#[derive(Debug)]
struct Item<'a> {
    n: usize,
    counts: &'a Counts,
}

impl<'a> Item<'a> {
    fn new(n: usize, counts: &'a Counts) -> Self {
        counts.live.fetch_add(1, Relaxed);
        Self { n, counts }
    }
}

impl Clone for Item<'_> {
    fn clone(&self) -> Self {
        self.counts.clones.fetch_add(1, Relaxed);
        Self::new(self.n, self.counts)
    }
}

impl Drop for Item<'_> {
    fn drop(&mut self) {
        self.counts.live.fetch_sub(1, Relaxed);
    }
}

#[derive(Debug, Default)]
struct Wakes(AtomicUsize);

impl Wake for Wakes {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Relaxed);
    }
}

/// What an iterator says about its length.
#[derive(Clone, Copy, Debug)]
enum Says {
    Nothing,
    AtMost(usize),
    Exactly(usize),
}

/// A batch's iterator: yields so many, then ends or panics.
#[derive(Clone, Copy, Debug)]
struct Batch {
    says: Says,
    yields: usize,
    panics: bool,
}

/// What the iterator of a batch panics with.
struct Planned;

struct BatchIter<'a> {
    batch: Batch,
    next: usize,
    end: usize,
    counts: &'a Counts,
}

impl<'a> Iterator for BatchIter<'a> {
    type Item = Item<'a>;

    fn next(&mut self) -> Option<Item<'a>> {
        if self.next < self.end {
            self.next += 1;
            return Some(Item::new(self.next - 1, self.counts));
        }
        if self.batch.panics {
            // Not `panic!`, which would print a line for every case.
            std::panic::resume_unwind(Box::new(Planned));
        }
        None
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        match self.batch.says {
            Says::Nothing => (0, None),
            Says::AtMost(most) => (0, Some(most)),
            Says::Exactly(len) => (len, Some(len)),
        }
    }
}

/// A step. Handles are named by any number, modulo how many there are.
#[derive(Clone, Debug)]
enum Step {
    Push(usize, usize),
    PushMut(usize, usize),
    Extend(usize, usize),
    PushAll(usize, Batch),
    Fork(usize),
    ForkPassive(usize),
    Subscribe(usize),
    TryNext(usize, usize),
    Poll(usize, usize),
    PollAll(usize),
    Peek(usize, usize),
    ClonePusher(usize),
    DropPusher(usize),
    DropConsumer(usize),
    Stop(usize),
}

const WAKERS: usize = 3;

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let handle = || 0..16_usize;
    // Past the ends of words and blocks, whose length depends on the target.
    let burst = || prop_oneof![3 => 1..4_usize, 1 => 1..140_usize];
    let yields = || prop_oneof![1 => Just(0), 3 => 1..5_usize, 1 => 1..140_usize];
    let batch = (
        yields(),
        prop_oneof![Just(false), Just(false), Just(true)],
        0..5,
        yields(),
    )
        .prop_map(|(yields, panics, says, other)| Batch {
            says: match says {
                0 => Says::Nothing,
                1 => Says::AtMost(yields + 1),
                2 => Says::Exactly(other),
                _ => Says::Exactly(yields),
            },
            yields,
            panics,
        });
    let step = prop_oneof![
        6 => (handle(), burst()).prop_map(|(p, n)| Step::Push(p, n)),
        3 => (handle(), burst()).prop_map(|(p, n)| Step::PushMut(p, n)),
        1 => (handle(), burst()).prop_map(|(p, n)| Step::Extend(p, n)),
        6 => (handle(), batch).prop_map(|(p, batch)| Step::PushAll(p, batch)),
        3 => handle().prop_map(Step::Fork),
        1 => handle().prop_map(Step::ForkPassive),
        3 => handle().prop_map(Step::Subscribe),
        6 => (handle(), burst()).prop_map(|(c, n)| Step::TryNext(c, n)),
        8 => (handle(), 0..WAKERS).prop_map(|(c, w)| Step::Poll(c, w)),
        4 => (0..WAKERS).prop_map(Step::PollAll),
        1 => (handle(), 0..200_usize).prop_map(|(c, n)| Step::Peek(c, n)),
        1 => handle().prop_map(Step::ClonePusher),
        1 => handle().prop_map(Step::DropPusher),
        3 => handle().prop_map(Step::DropConsumer),
        1 => prop_oneof![4 => Just(None), 1 => handle().prop_map(Some)]
            .prop_map(|stop| stop.map_or(Step::PollAll(0), Step::Stop)),
    ];
    prop::collection::vec(step, 1..80)
}

/// A consumer, and what it is to yield.
struct Consumer<'a> {
    aiter: PushAiter<Item<'a>>,
    queue: VecDeque<usize>,
    /// The waker it sleeps with.
    sleeps: Option<usize>,
    /// It subscribed after the end, and stands for no reader of the list.
    late: bool,
}

/// The list beside its model.
struct Pair<'a> {
    counts: &'a Counts,
    wakes: [Arc<Wakes>; WAKERS],
    wakers: [Waker; WAKERS],
    pushers: Vec<Pusher<Item<'a>>>,
    consumers: Vec<Consumer<'a>>,
    stopped: bool,
    /// Items made, which is the number of the next one.
    made: usize,
    pushed: usize,
    clones: usize,
    woken: [usize; WAKERS],
}

impl<'a> Pair<'a> {
    fn new(counts: &'a Counts) -> Self {
        let (pusher, aiter) = push_aiter();
        let wakes: [Arc<Wakes>; WAKERS] = Default::default();
        Self {
            counts,
            wakers: wakes.each_ref().map(|wakes| wakes.clone().into()),
            wakes,
            pushers: vec![pusher],
            consumers: vec![Consumer {
                aiter,
                queue: VecDeque::new(),
                sleeps: None,
                late: false,
            }],
            stopped: false,
            made: 0,
            pushed: 0,
            clones: 0,
            woken: [0; WAKERS],
        }
    }

    fn readers(&self) -> impl Iterator<Item = &Consumer<'a>> {
        self.consumers.iter().filter(|consumer| !consumer.late)
    }

    fn closed(&self) -> bool {
        self.stopped || self.readers().next().is_none()
    }

    /// Something was published: who slept is woken, once.
    fn published(&mut self) {
        for consumer in &mut self.consumers {
            if let Some(waker) = consumer.sleeps.take() {
                self.woken[waker] += 1;
            }
        }
    }

    fn pushed(&mut self, items: std::ops::Range<usize>) {
        self.pushed += items.len();
        for consumer in self.consumers.iter_mut().filter(|consumer| !consumer.late) {
            consumer.queue.extend(items.clone());
        }
        if !items.is_empty() {
            self.published();
        }
    }

    fn push(
        &mut self,
        times: usize,
        push: impl Fn(&mut Self, Item<'a>) -> Result<(), Stopped<Item<'a>>>,
    ) {
        for _ in 0..times {
            let n = self.made;
            self.made += 1;
            let item = Item::new(n, self.counts);
            let closed = self.closed();
            match push(self, item) {
                Ok(()) => {
                    assert!(!closed, "a closed list took an item");
                    self.pushed(n..n + 1);
                }
                Err(Stopped(item)) => {
                    assert!(closed, "an open list took no item");
                    assert_eq!(item.n, n);
                }
            }
        }
    }

    fn push_all(&mut self, pusher: usize, batch: Batch) {
        let all = self.made..self.made + batch.yields;
        self.made = all.end;
        let items = BatchIter {
            batch,
            next: all.start,
            end: all.end,
            counts: self.counts,
        };
        let closed = self.closed();
        let pusher = &self.pushers[pusher];
        let result = catch_unwind(AssertUnwindSafe(|| pusher.push_all(items)));
        match result {
            Err(payload) => {
                if !payload.is::<Planned>() {
                    panic_any(payload);
                }
                assert!(batch.panics);
            }
            Ok(result) => {
                assert!(!batch.panics, "the panic of the iterator was swallowed");
                let left = result.err().map(|Stopped(items)| items);
                let left = left.unwrap_or_default().into_iter().map(|item| item.n);
                assert!(left.eq(if closed { all.clone() } else { 0..0 }));
            }
        }
        if !closed {
            // Slots that were promised wake their sleepers also when no item comes.
            if matches!(batch.says, Says::Exactly(1..)) {
                self.published();
            }
            self.pushed(all);
        }
    }

    /// What the next item of a consumer is to be, and whether it is cloned.
    fn taken(&mut self, at: usize, item: &Item<'a>) {
        assert_eq!(self.consumers[at].queue.pop_front(), Some(item.n));
        if self
            .readers()
            .any(|other| other.queue.front().is_some_and(|n| *n <= item.n))
        {
            self.clones += 1;
        }
    }

    fn is_ended(&self, at: usize) -> bool {
        let consumer = &self.consumers[at];
        consumer.queue.is_empty() && (self.stopped || consumer.late)
    }

    fn try_next(&mut self, at: usize) {
        match self.consumers[at].aiter.try_next() {
            Ok(item) => self.taken(at, &item),
            Err(reason) => {
                assert_eq!(self.consumers[at].queue.front(), None);
                assert_eq!(reason == TryNextError::Ended, self.is_ended(at));
            }
        }
    }

    fn poll(&mut self, at: usize, waker: usize) {
        let mut cx = Context::from_waker(&self.wakers[waker]);
        match Pin::new(&mut self.consumers[at].aiter).poll_next(&mut cx) {
            Poll::Ready(Some(item)) => self.taken(at, &item),
            Poll::Ready(None) => assert!(self.is_ended(at), "ended too early"),
            Poll::Pending => {
                assert_eq!(self.consumers[at].queue.front(), None);
                assert!(!self.is_ended(at), "it sleeps at the end");
                self.consumers[at].sleeps = Some(waker);
            }
        }
    }

    fn peek(&self, at: usize, n: usize) {
        let Consumer { aiter, queue, .. } = &self.consumers[at];
        assert!(
            aiter
                .available_iter()
                .map(|item| item.n)
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
        assert_eq!(aiter.size_hint().0, queue.len());
        assert_eq!(aiter.is_terminated(), self.is_ended(at));
    }

    fn fork(&mut self, at: usize, fork: impl Fn(&mut PushAiter<Item<'a>>) -> PushAiter<Item<'a>>) {
        let consumer = &mut self.consumers[at];
        let fork = Consumer {
            aiter: fork(&mut consumer.aiter),
            queue: consumer.queue.clone(),
            sleeps: None,
            late: consumer.late,
        };
        self.consumers.push(fork);
    }

    fn subscribe(&mut self, pusher: usize) {
        let late = self.closed();
        self.consumers.push(Consumer {
            aiter: self.pushers[pusher].subscribe(),
            queue: VecDeque::new(),
            sleeps: None,
            late,
        });
        if !late {
            // It takes a slot, which whoever sleeps on it has to pass.
            self.published();
        }
    }

    fn stop(&mut self) {
        if !self.stopped {
            self.stopped = true;
            self.published();
        }
    }

    fn step(&mut self, step: &Step) {
        let pusher = |pair: &Self, p: usize| p.checked_rem(pair.pushers.len());
        let consumer = |pair: &Self, c: usize| c.checked_rem(pair.consumers.len());
        match *step {
            Step::Push(p, times) => {
                if let Some(p) = pusher(self, p) {
                    self.push(times, |pair, item| pair.pushers[p].push(item));
                }
            }
            Step::PushMut(p, times) => {
                if let Some(p) = pusher(self, p) {
                    self.push(times, |pair, item| pair.pushers[p].push_mut(item));
                }
            }
            Step::Extend(p, times) => {
                if let Some(p) = pusher(self, p) {
                    let items = self.made..self.made + times;
                    self.made = items.end;
                    let counts = self.counts;
                    self.pushers[p].extend(items.clone().map(|n| Item::new(n, counts)));
                    if !self.closed() {
                        self.pushed(items);
                    }
                }
            }
            Step::PushAll(p, batch) => {
                if let Some(p) = pusher(self, p) {
                    self.push_all(p, batch);
                }
            }
            Step::Fork(c) => {
                if let Some(c) = consumer(self, c) {
                    self.fork(c, PushAiter::fork);
                }
            }
            Step::ForkPassive(c) => {
                if let Some(c) = consumer(self, c) {
                    self.fork(c, PushAiter::fork_passive);
                }
            }
            Step::Subscribe(p) => {
                if let Some(p) = pusher(self, p) {
                    self.subscribe(p);
                }
            }
            Step::TryNext(c, times) => {
                if let Some(c) = consumer(self, c) {
                    (0..times).for_each(|_| self.try_next(c));
                }
            }
            Step::Poll(c, waker) => {
                if let Some(c) = consumer(self, c) {
                    self.poll(c, waker);
                }
            }
            Step::PollAll(waker) => (0..self.consumers.len()).for_each(|c| self.poll(c, waker)),
            Step::Peek(c, n) => {
                if let Some(c) = consumer(self, c) {
                    self.peek(c, n);
                }
            }
            Step::ClonePusher(p) => {
                if let Some(p) = pusher(self, p) {
                    self.pushers.push(self.pushers[p].clone());
                }
            }
            Step::DropPusher(p) => {
                if let Some(p) = pusher(self, p) {
                    drop(self.pushers.swap_remove(p));
                    if self.pushers.is_empty() {
                        self.stop();
                    }
                }
            }
            Step::DropConsumer(c) => {
                if let Some(c) = consumer(self, c) {
                    drop(self.consumers.swap_remove(c));
                }
            }
            Step::Stop(p) => {
                if let Some(p) = pusher(self, p) {
                    self.pushers[p].stop();
                    self.stop();
                }
            }
        }
    }

    /// What holds between any two steps.
    fn check(&self) {
        let waiting: BTreeSet<_> = self.readers().flat_map(|reader| &reader.queue).collect();
        assert_eq!(self.counts.live.load(Relaxed), waiting.len(), "items alive");
        assert_eq!(self.counts.clones.load(Relaxed), self.clones, "clones made");
        let woken = self.wakes.each_ref().map(|wakes| wakes.0.load(Relaxed));
        assert_eq!(woken, self.woken, "wakes");
        let lags = || self.readers().map(|reader| reader.queue.len());
        let (least, most) = (lags().min().unwrap_or(0), lags().max().unwrap_or(0));
        let expected = (self.pushed, self.pushed - least, least, most);
        let pushers = self.pushers.iter().map(Pusher::statistics);
        let readers = self.readers().map(|reader| reader.aiter.statistics());
        for now in pushers.chain(readers) {
            assert_eq!(
                (now.pushed, now.taken, now.waiting, now.lag),
                expected,
                "statistics"
            );
        }
        for pusher in &self.pushers {
            assert_eq!(pusher.is_stopped(), self.closed());
        }
        for consumer in &self.consumers {
            assert_eq!(consumer.aiter.is_stopped(), self.stopped || consumer.late);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 2 * ProptestConfig::default().cases,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn the_list_does_as_its_model(steps in steps(), pushers_first in any::<bool>()) {
        let counts = Counts::default();
        let mut pair = Pair::new(&counts);
        pair.check();
        for step in &steps {
            pair.step(step);
            pair.check();
        }
        (0..pair.consumers.len()).for_each(|c| pair.peek(c, 1));
        let Pair { pushers, consumers, wakers, wakes, .. } = pair;
        if pushers_first {
            drop(pushers);
            drop(consumers);
        } else {
            drop(consumers);
            prop_assert_eq!(counts.live.load(Relaxed), 0, "items outlive the last consumer");
            drop(pushers);
        }
        prop_assert_eq!(counts.live.load(Relaxed), 0, "items outlive the list");
        drop(wakers);
        prop_assert!(wakes.iter().all(|wakes| Arc::strong_count(wakes) == 1), "a waker is kept");
    }
}
