//! The steps of the tests of Python's `aiter`, and the results. `tests/python/seed.py` does the
//! same through the Python package and writes the same lines.

use aiter_core::{AiterExt, *};
use core::{fmt::Debug, pin::Pin, task::Context};
use futures_lite::{Stream, StreamExt, future::poll_fn};
use std::{
    cell::{Cell, RefCell},
    collections::BTreeMap,
    panic::{AssertUnwindSafe, catch_unwind},
    rc::Rc,
    task::{Poll, Waker},
};

/// The results, one line per step: `scenario / step: value`.
#[derive(Default)]
pub(crate) struct Record {
    scenario: &'static str,
    pub(crate) lines: Vec<String>,
}

impl Record {
    fn note(&mut self, step: &str, value: impl Debug) {
        self.lines
            .push(format!("{} / {step}: {value:?}", self.scenario));
    }
}

type Scenario = fn(&mut Record);

const SCENARIOS: [(&str, Scenario); 25] = [
    ("push", push),
    ("fork after partial reading", fork_after_partial_reading),
    ("two active forks wait", two_active_forks_wait),
    ("passive fork", passive_fork),
    ("passive fork alone", passive_fork_alone),
    ("cancelled wait", cancelled_wait),
    ("zip", zip),
    ("flatten", flatten),
    ("flatten flattened", flatten_flattened),
    ("filter pipeline", filter_pipeline),
    ("gate", gate),
    ("gate at rest", gate_at_rest),
    ("join", join),
    ("join that grows", join_that_grows),
    ("map async", map_with_futures),
    ("map sync", map_with_values),
    ("map in a pipe", map_in_a_pipe),
    ("map that fails", map_that_fails),
    ("map filter", map_filter),
    ("delayed pipeline", delayed_pipeline),
    ("preload", preload_of_50),
    ("active", active_aiter),
    ("share", share),
    ("stoppable", stoppable),
    ("to iter", to_iter),
];

/// Runs all scenarios.
pub(crate) fn run() -> Record {
    let mut record = Record::default();
    for (name, scenario) in SCENARIOS {
        record.scenario = name;
        scenario(&mut record);
    }
    record
}

fn poll<S: Stream + Unpin>(stream: &mut S) -> Poll<Option<S::Item>> {
    stream.poll_next(&mut Context::from_waker(Waker::noop()))
}

/// Takes up to `n` items. When the stream is pending, `idle` has to make something happen.
fn take_with<S: Stream + Unpin>(stream: &mut S, n: usize, mut idle: impl FnMut()) -> Vec<S::Item> {
    let mut items = Vec::new();
    while items.len() < n {
        match poll(stream) {
            Poll::Ready(Some(item)) => items.push(item),
            Poll::Ready(None) => break,
            Poll::Pending => idle(),
        }
    }
    items
}

fn take<S: Stream + Unpin>(stream: &mut S, n: usize) -> Vec<S::Item> {
    take_with(stream, n, || panic!("pending, and nothing can wake it"))
}

fn rest<S: Stream + Unpin>(stream: &mut S) -> Vec<S::Item> {
    take(stream, usize::MAX)
}

fn sorted(mut items: Vec<i32>) -> Vec<i32> {
    items.sort_unstable();
    items
}

/// A clock that advances when nothing else can happen.
#[derive(Clone, Default)]
struct Clock(Rc<RefCell<Timers>>);

#[derive(Default)]
struct Timers {
    now: u64,
    count: usize,
    wakers: BTreeMap<(u64, usize), Waker>,
}

impl Clock {
    fn sleep(&self, ticks: u64) -> impl Future<Output = ()> + use<> {
        let until = self.0.borrow().now + ticks;
        let clock = self.clone();
        poll_fn(move |cx| {
            let mut timers = clock.0.borrow_mut();
            if timers.now >= until {
                return Poll::Ready(());
            }
            timers.count += 1;
            let key = (until, timers.count);
            timers.wakers.insert(key, cx.waker().clone());
            Poll::Pending
        })
    }

    /// Advances to the moment that the next timer waits for.
    fn tick(&self) {
        let mut timers = self.0.borrow_mut();
        let ((until, _), waker) = timers.wakers.pop_first().expect("a reader sleeps");
        timers.now = until;
        drop(timers);
        waker.wake();
    }
}

fn push(record: &mut Record) {
    let (pusher, mut aiter) = push_aiter();
    record.note("len of none", aiter.len());
    pusher.push_all([5, 4]).unwrap();
    record.note("len of two", aiter.len());
    pusher.push(3).unwrap();
    record.note("len of three", aiter.len());
    for n in [0, 3, 4] {
        record.note(&format!("is len at least {n}"), aiter.is_len_at_least(n));
    }
    record.note("is an item available", aiter.is_item_available());
    pusher.stop();
    record.note(
        "push after stop",
        pusher.push(2).map_or("refused", |()| "taken"),
    );
    record.note("is stopped, with items left", aiter.is_stopped());
    record.note("available", aiter.available_iter().collect::<Vec<_>>());
    record.note("items", rest(&mut aiter));
    record.note("is stopped at the end", aiter.is_stopped());
    record.note("is len at least 0 at the end", aiter.is_len_at_least(0));
}

fn fork_after_partial_reading(record: &mut Record) {
    let (pusher, aiter) = push_aiter();
    let mut forker = aiter_forker(aiter);
    pusher.push_all(1..=5).unwrap();
    record.note("first three", take(&mut forker, 3));
    let mut fork = forker.fork();
    pusher.push_all(7..14).unwrap();
    pusher.stop();
    record.note("the forker's rest", rest(&mut forker));
    record.note("the fork's", rest(&mut fork));
}

fn two_active_forks_wait(record: &mut Record) {
    let (pusher, aiter) = push_aiter();
    let mut forker = aiter_forker(aiter);
    let mut forks = [forker.fork(), forker.fork()];
    for fork in &mut forks {
        record.note("has an item before the push", poll(fork).is_ready());
    }
    pusher.push(1).unwrap();
    for fork in &mut forks {
        record.note("item", take(fork, 1));
    }
}

fn passive_fork(record: &mut Record) {
    let (pusher, aiter) = push_aiter();
    let mut forker = aiter_forker(aiter);
    let mut passive = forker.fork_passive();
    pusher.push_all([1, 2]).unwrap();
    record.note(
        "passive has an item before the active one asks",
        poll(&mut passive).is_ready(),
    );
    record.note("active", take(&mut forker, 1));
    record.note("passive", take(&mut passive, 1));
}

fn passive_fork_alone(record: &mut Record) {
    let (pusher, aiter) = push_aiter();
    let mut forker = aiter_forker(aiter);
    let mut passive = forker.fork_passive();
    pusher.push_all([1, 2]).unwrap();
    record.note("active", take(&mut forker, 1));
    drop(forker);
    record.note("passive", take(&mut passive, 1));
    record.note("passive waits on", poll(&mut passive).is_pending());
}

fn cancelled_wait(record: &mut Record) {
    let (pusher, mut aiter) = push_aiter();
    {
        let mut next = aiter.next();
        let poll = Pin::new(&mut next).poll(&mut Context::from_waker(Waker::noop()));
        assert!(poll.is_pending());
    }
    pusher.push(1).unwrap();
    record.note("items", take(&mut aiter, 1));
}

fn zip(record: &mut Record) {
    let rows = azip((
        iter_to_aiter("abcdefgh".chars()),
        iter_to_aiter(0..20),
        iter_to_aiter((0..20).map(|n| n.to_string())),
    ));
    let rows = rows.map_aiter(|(a, b, c)| format!("{a} {b} {c}"));
    record.note("rows", rest(&mut Box::pin(rows)));
}

fn flatten(record: &mut Record) {
    let (pusher, aiter) = push_aiter();
    let mut flat = Box::pin(aiter.flatten_aiter());
    pusher.push([0, 1, 2, 3]).unwrap();
    record.note("three", take(&mut flat, 3));
    pusher.push([4, 5, 6, 7]).unwrap();
    record.note("five more", take(&mut flat, 5));
    pusher.stop();
    record.note("rest", rest(&mut flat));
}

fn flatten_flattened(record: &mut Record) {
    let (pusher, aiter) = push_aiter();
    let mut flat = Box::pin(aiter.flatten_aiter().flatten_aiter());
    let rows = [
        [0, 0, 1, 0],
        [1, 1, 1, 1],
        [2, 0, 0, 1],
        [3, 1, 2, 0],
        [0, 0, 0, 7],
    ];
    pusher.push(rows).unwrap();
    record.note("eleven", take(&mut flat, 11));
    record.note("eight more", take(&mut flat, 8));
    pusher.stop();
    record.note("rest", rest(&mut flat));
}

const ROWS: [[u64; 4]; 6] = [
    [0, 0, 0, 7],
    [5, 0, 0, 0],
    [0, 0, 1, 0],
    [1, 1, 1, 1],
    [2, 0, 0, 1],
    [3, 1, 2, 0],
];

fn filter_pipeline(record: &mut Record) {
    let (pusher, aiter) = push_aiter();
    let not_zero = async |rows: [[u64; 4]; 6]| {
        let numbers = rows.into_iter().flatten();
        numbers.filter(|&n| n != 0).collect::<Vec<_>>()
    };
    let mut numbers = Box::pin(aiter.map_async(not_zero).flatten_aiter());
    pusher.push(ROWS).unwrap();
    pusher.stop();
    record.note("numbers", take(&mut numbers, 12));
}

fn gate(record: &mut Record) {
    let (gated, gate) = iter_to_aiter(0..3_000_000_000_u64).gated_aiter();
    let mut gated = Box::pin(gated);
    gate.push(9);
    record.note("three", take(&mut gated, 3));
    record.note("four more", take(&mut gated, 4));
    gate.push(11);
    gate.stop();
    record.note("rest", rest(&mut gated));
}

fn gate_at_rest(record: &mut Record) {
    let pulled = Rc::new(Cell::new(0));
    let count = pulled.clone();
    let numbers = (0..100).inspect(move |_| count.set(count.get() + 1));
    let (gated, gate) = iter_to_aiter(numbers).gated_aiter();
    let mut gated = Box::pin(gated);
    gate.push(9);
    record.note("nine", take(&mut gated, 9));
    let is_open = poll(&mut gated).is_ready();
    record.note("passes a tenth", is_open);
    record.note("pulled from the source", pulled.get());
}

fn join(record: &mut Record) {
    let streams = [1..=4, 11..=17].map(iter_to_aiter);
    let joined = rest(&mut Box::pin(join_aiters(iter_to_aiter(streams))));
    let (low, high): (Vec<_>, _) = joined.into_iter().partition(|n| *n < 10);
    record.note("the first's", low);
    record.note("the second's", high);
}

fn join_that_grows(record: &mut Record) {
    let (main, streams) = push_aiter();
    let mut joined = Box::pin(join_aiters(streams));
    let mut children: Vec<Pusher<i32>> = Vec::new();
    let add = |children: &mut Vec<_>| {
        let (child, aiter) = push_aiter();
        children.push(child);
        aiter
    };

    let aiter = add(&mut children);
    children[0].push(100).unwrap();
    main.push(aiter).unwrap();
    record.note("one stream", take(&mut joined, 1));

    let aiter = add(&mut children);
    children[0].push(101).unwrap();
    children[1].push_all([200, 201]).unwrap();
    main.push(aiter).unwrap();
    record.note("two streams", sorted(take(&mut joined, 3)));

    for _ in 0..3 {
        main.push(add(&mut children)).unwrap();
    }
    for (child, hundred) in children.iter().zip((100..).step_by(100)) {
        child.push_all([hundred, hundred + 1]).unwrap();
    }
    record.note("five streams", sorted(take(&mut joined, 10)));

    children[4].push(5000).unwrap();
    main.stop();
    record.note("after the main stream stopped", take(&mut joined, 1));

    for child in &children {
        child.push(99).unwrap();
        child.stop();
    }
    record.note("rest", rest(&mut joined));
}

fn map_with_futures(record: &mut Record) {
    let seen = RefCell::new(Vec::new());
    let (pusher, aiter) = push_aiter();
    pusher.push_all([5, 4, 3]).unwrap();
    pusher.stop();
    record.note("available", aiter.available_iter().collect::<Vec<_>>());
    let seen_by = &seen;
    let mut mapped = Box::pin(aiter.map_async(async |item| {
        seen_by.borrow_mut().push(item);
        item + 1
    }));
    record.note("items", rest(&mut mapped));
    record.note("seen", seen.borrow());
}

fn map_with_values(record: &mut Record) {
    let mut seen = Vec::new();
    let (pusher, aiter) = push_aiter();
    pusher.push_all([5, 4, 3]).unwrap();
    pusher.stop();
    let items = rest(&mut Box::pin(aiter.map_aiter(|item| {
        seen.push(item);
        item + 1
    })));
    record.note("items", items);
    record.note("seen", seen);
}

fn map_in_a_pipe(record: &mut Record) {
    let clock = Clock::default();
    let (pusher, aiter) = push_aiter();
    let mut squares = Box::pin(aiter.map_async(|n: u64| {
        let pause = clock.sleep(n);
        async move {
            pause.await;
            n * n
        }
    }));
    pusher.push_all((0..4).chain(3..9)).unwrap();
    record.note("ten", take_with(&mut squares, 10, || clock.tick()));
    pusher.stop();
    record.note("rest", rest(&mut squares));
}

fn map_that_fails(record: &mut Record) {
    let mut mapped = Box::pin(iter_to_aiter([1, 0, 2]).map_aiter(|n| 10 / n));
    record.note("first", take(&mut mapped, 1));
    let second = catch_unwind(AssertUnwindSafe(|| take(&mut mapped, 1)));
    record.note("after a failure", second.unwrap_or_default());
    record.note("rest", rest(&mut mapped));
}

fn map_filter(record: &mut Record) {
    let numbers = iter_to_aiter(0..4).map_filter_aiter(|n| vec![n; n]);
    record.note("as often as they say", rest(&mut Box::pin(numbers)));
}

fn delayed_pipeline(record: &mut Record) {
    let clock = Clock::default();
    let pause = |at: usize| {
        let clock = clock.clone();
        move |row: [u64; 4]| {
            let pause = clock.sleep(row[at]);
            async move {
                pause.await;
                row
            }
        }
    };
    let (pusher, aiter) = push_aiter();
    let rows = map_workers(10, pause(3), aiter);
    let rows = map_workers(10, pause(2), rows);
    let rows = map_workers(10, pause(1), rows);
    let mut rows = Box::pin(map_workers(10, pause(0), rows));
    pusher.push_all(ROWS).unwrap();
    pusher.stop();
    record.note("rows", take_with(&mut rows, usize::MAX, || clock.tick()));
}

fn preload_of_50(record: &mut Record) {
    let (pusher, aiter) = push_aiter();
    pusher.push_all(0..1000).unwrap();
    pusher.stop();
    let left = || pusher.statistics().waiting;
    record.note("left before", left());
    let (preloaded, driver) = preload(50, aiter);
    let (mut preloaded, mut driver) = (Box::pin(preloaded), Box::pin(driver));
    // The driver is a task that runs when the others have nothing to do.
    let mut drive = || drive(driver.as_mut());
    record.note("left when it is made", left());
    record.note("one", take_with(&mut preloaded, 1, &mut drive));
    drive();
    record.note("left after one", left());
    record.note("ten", take_with(&mut preloaded, 10, &mut drive));
    drive();
    record.note("left after eleven", left());
    let others = take_with(&mut preloaded, usize::MAX, &mut drive);
    record.note("the others are all there", others.into_iter().eq(11..1000));
    record.note("left", left());
}

fn drive(driver: Pin<&mut impl Future<Output = ()>>) {
    let _ = driver.poll(&mut Context::from_waker(Waker::noop()));
}

fn active_aiter(record: &mut Record) {
    let (pusher, source) = push_aiter();
    let (mut aiter, driver) = active(source);
    let mut driver = Box::pin(driver);
    pusher.push_all([1, 2, 3]).unwrap();
    drive(driver.as_mut());
    record.note("pulled unasked", pusher.statistics().waiting == 0);
    pusher.stop();
    record.note("items", take_with(&mut aiter, 9, || drive(driver.as_mut())));
}

fn share(record: &mut Record) {
    let mut takers = [(); 3].map({
        let shared = sharable_aiter(iter_to_aiter(0..7));
        move |()| shared.clone()
    });
    for round in 0..3 {
        let row: Vec<_> = takers.iter_mut().flat_map(|taker| take(taker, 1)).collect();
        record.note(&format!("round {round}"), row);
    }
}

fn stoppable(record: &mut Record) {
    let (pusher, aiter) = push_aiter();
    let (mut stoppable, stopper) = stoppable_aiter(aiter);
    pusher.push_all([1, 2]).unwrap();
    record.note("one", take(&mut stoppable, 1));
    stopper.stop();
    record.note("after stop", rest(&mut stoppable));

    let (_pusher, aiter) = push_aiter::<i32>();
    let (mut stoppable, stopper) = stoppable_aiter(aiter);
    assert!(poll(&mut stoppable).is_pending());
    stopper.stop();
    record.note(
        "a waiting task is woken",
        poll(&mut stoppable) == Poll::Ready(None),
    );
}

fn to_iter(record: &mut Record) {
    let items = aiter_smol::aiter_to_iter(iter_to_aiter(0..5));
    record.note("items", items.collect::<Vec<_>>());
}
