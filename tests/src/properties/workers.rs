//! `map_workers_by`: items of one key are worked on one after the other, in their order, and the
//! source is polled only while there is room in work and among the items that wait.

use super::{
    Pair,
    environment::{self, Caught, Item, Site, Trap},
    handle::{Handle, Handles, Waits},
    join::{PASS, is_awake},
    script::{Move, Script, Source, SourceOp},
};
use aiter_core::{AiterExt, MapWorkersBy};
use arbitrary::{Arbitrary, Unstructured};
use futures_core::{FusedStream, Stream};
use std::{
    cell::{Cell, RefCell},
    cmp::Ordering,
    fmt,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll, ready},
};

/// The operations on the workers. A number selects a job, modulo their count.
#[derive(Debug)]
pub(super) enum Op {
    Poll {
        fresh: bool,
    },
    /// The same, this many times.
    Drain(u8),
    Drop,
    /// The source of jobs.
    Jobs(SourceOp),
    /// Counted from the newest.
    Job(u8, SourceOp),
    Trap(Trap),
}

impl<'a> Arbitrary<'a> for Op {
    fn arbitrary(u: &mut Unstructured<'a>) -> arbitrary::Result<Self> {
        Ok(match u.int_in_range(0..=63)? {
            0..=13_u8 => Self::Poll {
                fresh: u.int_in_range(0..=3)? == 3,
            },
            14..=19 => Self::Drain(u.int_in_range(1..=30)?),
            20 => match u.int_in_range(0..=3)? {
                3_u8 => Self::Drop,
                _ => Self::Poll { fresh: false },
            },
            21..=32 => Self::Jobs(u.arbitrary()?),
            33..=55 => Self::Job(u.int_in_range(0..=15)?, u.arbitrary()?),
            _ => Self::Trap(u.arbitrary()?),
        })
    }
}

/// An item of the source: its number, and what is done by its future.
struct Job {
    number: usize,
    item: Item,
    work: Script<()>,
}

/// The keys come in an order in which some follow themselves at once, and others later.
fn key_of(number: usize) -> usize {
    number * number / 2 % 3
}

/// A key that is counted, with traps in its clone and its drop.
#[derive(Clone)]
struct Key(
    usize,
    #[expect(dead_code, reason = "counts the keys that are alive")] Item,
);

impl Ord for Key {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.cmp(&other.0)
    }
}

impl PartialOrd for Key {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Key {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}

impl Eq for Key {}

/// Does the work of a job, and gives its item.
struct Work(Script<()>, Option<Item>);

impl Future for Work {
    type Output = Item;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Item> {
        ready!(Pin::new(&mut self.0).poll_next(cx));
        Poll::Ready(self.1.take().expect("polled after it was ready"))
    }
}

type By = MapWorkersBy<Script<Job>, Key, Box<dyn Fn(&Job) -> Key>, Box<dyn Fn(Job) -> Work>, Work>;

struct Consumer {
    aiter: By,
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

/// What the model knows of a job.
#[derive(Debug)]
struct Record {
    item: usize,
    work: Rc<Source>,
    started: Cell<bool>,
}

impl Record {
    /// Whether the item is in work or waits: it has not been returned, nor lost to a panic.
    fn is_held(&self) -> bool {
        environment::alive(self.item) > 0
    }
}

/// All jobs, in the order of the source.
#[derive(Debug, Default)]
struct Jobs(RefCell<Vec<Record>>);

impl Jobs {
    /// How many keys have a job, and how many more jobs there are.
    fn held(&self) -> (usize, usize) {
        let (mut keys, mut held) = ([false; 3], 0);
        for (number, job) in self.0.borrow().iter().enumerate() {
            if job.is_held() {
                keys[key_of(number)] = true;
                held += 1;
            }
        }
        let busy = keys.into_iter().filter(|busy| *busy).count();
        (busy, held - busy)
    }

    /// The future of a job is made: those before it with the same key are gone.
    fn start(&self, number: usize) {
        let jobs = self.0.borrow();
        let earlier = jobs[..number].iter().enumerate();
        let mut of_key = earlier.filter(|(other, _)| key_of(*other) == key_of(number));
        assert!(of_key.all(|(_, job)| !job.is_held()), "out of turn");
        assert!(!jobs[number].started.replace(true), "started twice");
    }

    fn done(&self) -> usize {
        let jobs = self.0.borrow();
        jobs.iter()
            .filter(|job| job.work.yielded() > 0 || job.work.ended.get())
            .count()
    }

    fn works(&self) -> Vec<Rc<Source>> {
        let jobs = self.0.borrow();
        jobs.iter().map(|job| job.work.clone()).collect()
    }
}

/// Up to `N` workers.
pub(super) struct Workers<const N: usize> {
    source: Rc<Source>,
    jobs: Rc<Jobs>,
    aiter: Handles<Consumer>,
    /// How many futures may be polled without a wake: see `Join`.
    excused: Rc<Cell<usize>>,
}

impl<const N: usize> Workers<N> {
    /// The source of jobs. Some are done at once.
    fn script(source: &Rc<Source>, jobs: &Rc<Jobs>, excused: &Rc<Cell<usize>>) -> Script<Job> {
        let (held, made, excused) = (jobs.clone(), jobs.clone(), excused.clone());
        let look = move |source: &Source| {
            assert!(is_awake(source), "polled without a wake");
            let (busy, waiting) = held.held();
            assert!(busy < N && waiting < N, "polled without room");
        };
        Script::new(source, look, move |all: &Source| {
            let (item, work) = (Item::new(), Source::new());
            let number = made.0.borrow().len();
            if number % 4 == 3 {
                work.feed(Move::Item, 1);
            }
            made.0.borrow_mut().push(Record {
                item: item.id(),
                work: work.clone(),
                started: Cell::new(false),
            });
            all.log.borrow_mut().push(item.id());
            let excused = excused.clone();
            let look = move |work: &Source| {
                if !is_awake(work) {
                    let left = excused.get().checked_sub(1);
                    excused.set(left.expect("polled without a wake"));
                }
            };
            let work = Script::new(&work, look, |work: &Source| {
                work.log.borrow_mut().push(0);
            });
            Job { number, item, work }
        })
    }

    fn poll_with(&self, at: usize, fresh: bool) {
        let Some(mut consumer) = self.aiter.take(at) else {
            return;
        };
        let done = self.jobs.done();
        let polled = consumer
            .waits
            .poll(fresh, |cx| Pin::new(&mut consumer.aiter).poll_next(cx));
        let came = self.jobs.done() - done;
        let mut item = None;
        match polled {
            Ok(Poll::Ready(Some(found))) => {
                assert_eq!(came, 1, "one result a poll");
                item = Some(found);
            }
            Ok(Poll::Ready(None)) => {
                assert!(came == 0 && self.source.dropped.get(), "ended too early");
                assert_eq!(self.jobs.held(), (0, 0), "ended before its items");
                consumer.ended = true;
            }
            Ok(Poll::Pending) => {
                assert!(came == 0 && !consumer.ended, "pending with a result");
                let is_spent = consumer.waits.wakes() != Some(0);
                self.excused.set(if is_spent { PASS } else { 0 });
            }
            // The drop of a key or of a future may panic after its work.
            Err(Caught::Planned(Site::Source)) => assert_eq!(came, 0, "a result is lost"),
            Err(Caught::Planned(_)) => assert!(came <= 1, "results are lost"),
            Err(Caught::Reported) => panic!("not a fork"),
        }
        self.aiter.put(at, consumer);
        environment::drop_value(item);
    }
}

impl<const N: usize> Pair for Workers<N> {
    type Op = Op;

    fn new() -> Self {
        let (source, jobs) = (Source::new(), Rc::<Jobs>::default());
        let excused = Rc::default();
        let script = Self::script(&source, &jobs, &excused);
        let starting = jobs.clone();
        let key: Box<dyn Fn(&Job) -> Key> = Box::new(|job| Key(key_of(job.number), Item::new()));
        let work: Box<dyn Fn(Job) -> Work> = Box::new(move |job| {
            starting.start(job.number);
            Work(job.work, Some(job.item))
        });
        let aiter = Handles::new();
        aiter.add(|waits| Consumer {
            aiter: script.map_workers_by(N, key, work),
            ended: false,
            waits,
        });
        Self {
            source,
            jobs,
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
            Op::Jobs(op) => self.source.op(op),
            Op::Job(back, op) => {
                let works = self.jobs.works();
                let job = usize::from(back).checked_rem(works.len());
                if let Some(back) = job {
                    works[works.len() - 1 - back].op(op);
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
        let (busy, waiting) = self.jobs.held();
        let mut there = false;
        self.aiter.each(|consumer| {
            there = true;
            let over = self.source.dropped.get() && busy == 0;
            assert_eq!(consumer.aiter.is_terminated(), over);
            let held = busy + waiting;
            assert!(consumer.aiter.size_hint().0 >= held);
            if consumer.waits.sleeps() {
                let waits = |source: &Source| source.dropped.get() || source.idle.get();
                assert!(
                    waits(&self.source) || busy == N || waiting == N,
                    "stranded by the source"
                );
                let jobs = self.jobs.0.borrow();
                for key in 0..3 {
                    let mut of_key = (jobs.iter().enumerate())
                        .filter(|(number, job)| key_of(*number) == key && job.is_held());
                    if let Some((_, first)) = of_key.next() {
                        assert!(first.started.get() && waits(&first.work), "stranded");
                    }
                }
            }
        });
        assert!(busy <= N && waiting <= N);
        if !there {
            assert_eq!((busy, waiting), (0, 0));
        }
        // Of each busy key there are two copies. After a panic those of one key are left until the
        // next poll.
        let keys = environment::all_alive() - (busy + waiting);
        let interrupted = usize::from(!environment::is_plain() || self.has_panicked());
        assert!(keys <= 2 * (busy + interrupted), "a key is kept");
        let source = &self.source;
        assert_eq!(
            source.dropped.get(),
            !there || source.ended.get() || source.panics.get() > 0
        );
    }

    fn wind_up(&self) {
        self.source.end();
        self.aiter.run(|at| self.poll_one(at));
        self.jobs.works().iter().for_each(|work| work.end());
        self.aiter.run(|at| self.poll_one(at));
        // Jobs of one key have come since that were not there before.
        assert_eq!(self.jobs.held(), (0, 0), "an item is left");
    }
}

impl<const N: usize> Workers<N> {
    fn has_panicked(&self) -> bool {
        self.jobs.works().iter().any(|work| work.panics.get() > 0)
    }
}

impl<const N: usize> fmt::Debug for Workers<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Workers").finish_non_exhaustive()
    }
}
