//! Tests of workers on an executor that is run by hand, so that the number of tasks is known at
//! each point.
use super::*;
use crate::{iter_to_aiter, test_support::*};
use alloc::{boxed::Box, collections::BTreeSet, rc::Rc, vec, vec::Vec};
use core::{
    cell::{Cell, RefCell},
    future::{poll_fn, ready},
    task::Waker,
};
use futures_core::FusedStream;
use std::panic::panic_any;

type Task = Pin<Box<dyn Future<Output = ()>>>;

/// An executor that polls its tasks only in a call of [`run`](Self::run).
#[derive(Default)]
struct ManualExecutor {
    tasks: RefCell<Vec<(Task, Arc<Wakes>, Waker)>>,
    started: Cell<usize>,
    /// The number of the task that `start` refuses with a panic.
    refuses: Cell<Option<usize>>,
}

impl ManualExecutor {
    fn new() -> Rc<Self> {
        Rc::new(Self::default())
    }

    fn start(&self, task: Task) {
        assert_ne!(self.refuses.get(), Some(self.started.get()), "refused");
        self.started.set(self.started.get() + 1);
        let (wakes, waker) = Wakes::new();
        waker.wake_by_ref();
        self.tasks.borrow_mut().push((task, wakes, waker));
    }

    fn alive(&self) -> usize {
        self.tasks.borrow().len()
    }

    /// Polls the tasks that were woken until there are none. Tasks may start other tasks.
    fn run(&self) {
        let mut progress = true;
        while progress {
            progress = false;
            for (mut task, wakes, waker) in self.tasks.take() {
                let woken = wakes.taken() > 0;
                progress |= woken;
                let mut cx = Context::from_waker(&waker);
                if !woken || task.as_mut().poll(&mut cx).is_pending() {
                    self.tasks.borrow_mut().push((task, wakes, waker));
                }
            }
        }
    }
}

struct Handle(Rc<ManualExecutor>);
struct WeakHandle(alloc::rc::Weak<ManualExecutor>);

impl Nested for Handle {
    type Handle = WeakHandle;

    fn handle(&self, _: usize) -> WeakHandle {
        WeakHandle(Rc::downgrade(&self.0))
    }
}

impl<T: Future<Output = ()> + 'static> Spawn<T> for Handle {
    fn spawn(&self, task: T) {
        self.0.start(Box::pin(task));
    }
}

impl<T: Future<Output = ()> + 'static> Spawn<T> for WeakHandle {
    fn spawn(&self, task: T) {
        if let Some(executor) = self.0.upgrade() {
            executor.start(Box::pin(task));
        }
    }
}

fn workers<S, F, Fut>(
    executor: &Rc<ManualExecutor>,
    n: usize,
    f: F,
    stream: S,
) -> MapTasks<Fut::Output>
where
    S: Stream + 'static,
    F: Fn(S::Item) -> Fut + 'static,
    Fut: Future + 'static,
{
    map_workers(&Handle(executor.clone()), n, f, stream)
}

fn ordered<S, F, Fut>(
    executor: &Rc<ManualExecutor>,
    n: usize,
    f: F,
    stream: S,
) -> OrderedTasks<Fut::Output>
where
    S: Stream + 'static,
    F: Fn(S::Item) -> Fut + 'static,
    Fut: Future + 'static,
{
    map_workers_ordered(&Handle(executor.clone()), n, f, stream)
}

/// Runs the executor and takes the results that are ready.
fn take<R: Stream + Unpin>(executor: &ManualExecutor, results: &mut R) -> Vec<R::Item> {
    let mut taken = vec![];
    loop {
        executor.run();
        match poll_noop(results) {
            Poll::Ready(Some(result)) => taken.push(result),
            _ => return taken,
        }
    }
}

/// Futures of numbers, each of which is pending until the latch of its number is opened.
#[derive(Clone, Default)]
struct Latches(Rc<RefCell<Inner>>);

#[derive(Default)]
struct Inner {
    open: BTreeSet<u32>,
    wakers: Vec<Waker>,
}

impl Latches {
    fn open(&self, numbers: impl IntoIterator<Item = u32>) {
        self.0.borrow_mut().open.extend(numbers);
        let wakers = core::mem::take(&mut self.0.borrow_mut().wakers);
        wakers.into_iter().for_each(Waker::wake);
    }

    fn wait(&self) -> impl Fn(u32) -> Number + use<> {
        let latches = self.0.clone();
        move |n| {
            let latches = latches.clone();
            Box::pin(poll_fn(move |cx| {
                let mut latches = latches.borrow_mut();
                if latches.open.contains(&n) {
                    return Poll::Ready(n);
                }
                latches.wakers.push(cx.waker().clone());
                Poll::Pending
            }))
        }
    }
}

type Number = Pin<Box<dyn Future<Output = u32>>>;

#[test]
fn a_worker_is_started_for_an_item_if_no_worker_is_free() {
    let (executor, latches) = (ManualExecutor::new(), Latches::default());
    let (source, remote) = source([]);
    let mut results = workers(&executor, usize::MAX, latches.wait(), source);
    executor.run();
    assert_eq!(executor.started.get(), 1, "one worker asks");
    for n in 0..100 {
        remote.push(n);
        executor.run();
        assert_eq!(
            (executor.started.get(), remote.waiting()),
            (n as usize + 2, 0)
        );
    }
    latches.open(0..1000);
    assert_eq!(take(&executor, &mut results).len(), 100);
    assert_eq!(executor.alive(), ASKING, "tasks end after a burst");
    // The workers that remain are enough for one item after the other.
    for n in 200..300 {
        remote.push(n);
        assert_eq!(take(&executor, &mut results), [n]);
    }
    assert_eq!((executor.started.get(), executor.alive()), (101, ASKING));
    remote.end();
    executor.run();
    assert_eq!(poll_noop(&mut results), Poll::Ready(None));
    assert!(results.is_terminated());
    assert_eq!(executor.alive(), 0);
}

#[test]
fn a_limit_of_a_million_workers_starts_four_tasks_for_three_items() {
    for n in [4, 1_000_000, usize::MAX] {
        let executor = ManualExecutor::new();
        let mut results = workers(&executor, n, ready, iter_to_aiter(0..3));
        assert_eq!(executor.started.get(), 1);
        assert_eq!(
            BTreeSet::from_iter(take(&executor, &mut results)),
            BTreeSet::from([0, 1, 2])
        );
        // Three workers take an item each, and one finds the end.
        assert_eq!((executor.started.get(), executor.alive()), (4, 0));
    }
}

#[test]
fn there_are_never_more_than_n_workers_and_all_of_them_are_used() {
    for n in 1..5 {
        let (executor, latches) = (ManualExecutor::new(), Latches::default());
        let (source, remote) = source((0..10).map(Item));
        let mut results = workers(&executor, n, latches.wait(), source);
        executor.run();
        assert_eq!((executor.started.get(), remote.polls()), (n, n));
        // The future of the first item stays pending, and the other workers go on.
        latches.open(1..10);
        let mut rest = take(&executor, &mut results);
        if n > 1 {
            remote.end();
            rest.extend(take(&executor, &mut results));
            rest.sort();
            assert!(rest.into_iter().eq(1..10), "n: {n}");
            assert_eq!(executor.alive(), 1);
        }
        latches.open([0]);
        assert_eq!(take(&executor, &mut results)[0], 0);
        assert!(executor.started.get() <= n + ASKING, "n: {n}");
    }
}

#[test]
fn a_worker_with_an_untaken_result_takes_no_item() {
    let executor = ManualExecutor::new();
    let (source, remote) = source((0..10).map(Item));
    let mut results = workers(&executor, 3, ready, source);
    for taken in 0..=7 {
        executor.run();
        assert_eq!(remote.waiting(), 10 - 3 - taken);
        assert!(matches!(poll_noop(&mut results), Poll::Ready(Some(0..10))));
    }
}

#[test]
fn a_panic_loses_one_item_and_no_worker() {
    for n in [1, 2, 3, usize::MAX] {
        let executor = ManualExecutor::new();
        let f = |n: u32| {
            assert!(n % 5 != 2, "closure");
            async move {
                assert!(n % 5 != 4, "future");
                n
            }
        };
        let mut results = workers(&executor, n, f, iter_to_aiter(0..100));
        let (mut seen, mut panics) = (BTreeSet::new(), 0);
        loop {
            executor.run();
            let polled = catch(|| poll_noop(&mut results));
            match polled {
                Ok(Poll::Ready(Some(n))) => assert!(seen.insert(n)),
                Ok(Poll::Ready(None)) => break,
                Ok(Poll::Pending) => panic!("no worker makes progress, n: {n}"),
                Err(_) => panics += 1,
            }
        }
        assert_eq!((seen.len(), panics, executor.alive()), (60, 40, 0));
    }
}

#[test]
fn after_a_panic_of_the_source_items_in_work_are_finished_before_the_end() {
    for n in [1, 3, usize::MAX] {
        let (executor, latches) = (ManualExecutor::new(), Latches::default());
        let (source, _remote) = source([Item(0), Panic, Item(1)]);
        let mut results = workers(&executor, n, latches.wait(), source);
        executor.run();
        if n > 1 {
            assert_eq!(panic_of(|| poll_noop(&mut results)), "source");
        }
        latches.open([0]);
        executor.run();
        assert_eq!(poll_noop(&mut results), Poll::Ready(Some(0)));
        executor.run();
        if n == 1 {
            assert_eq!(panic_of(|| poll_noop(&mut results)), "source");
        }
        executor.run();
        assert_eq!(poll_noop(&mut results), Poll::Ready(None));
        assert_eq!(executor.alive(), 0);
    }
}

#[test]
fn an_executor_that_refuses_a_task_loses_no_item_and_no_worker() {
    for refused in 1..4 {
        let (executor, latches) = (ManualExecutor::new(), Latches::default());
        executor.refuses.set(Some(refused));
        let (source, remote) = source((0..20).map(Item));
        let mut results = workers(&executor, 4, latches.wait(), source);
        executor.run();
        assert_eq!(
            (executor.alive(), 20 - remote.waiting()),
            (refused, refused)
        );
        let panic = catch(|| poll_noop(&mut results)).unwrap_err();
        assert!(
            panic.is::<alloc::string::String>(),
            "the payload is that of the executor"
        );
        executor.refuses.set(None);
        executor.run();
        assert_eq!(
            (executor.alive(), 20 - remote.waiting()),
            (refused, refused)
        );
        // The next worker that is free tries again to start one.
        latches.open([0]);
        let mut taken = take(&executor, &mut results);
        assert_eq!((executor.alive(), 20 - remote.waiting()), (4, 5));
        latches.open(0..20);
        remote.end();
        taken.extend(take(&executor, &mut results));
        taken.sort();
        assert!(taken.into_iter().eq(0..20));
        assert_eq!(executor.alive(), 0);
    }
}

#[test]
fn when_the_executor_is_dropped_the_results_end() {
    let executor = ManualExecutor::new();
    let (source, remote) = source([Item(0), Item(1)]);
    let mut results = workers(&executor, 3, ready, source);
    executor.run();
    assert_eq!(
        Rc::strong_count(&executor),
        1,
        "the tasks hold no strong reference"
    );
    drop(executor);
    assert!(remote.is_dropped());
    assert_eq!(poll_noop(&mut results), Poll::Ready(Some(0)));
    assert_eq!(poll_noop(&mut results), Poll::Ready(Some(1)));
    assert_eq!(poll_noop(&mut results), Poll::Ready(None));
}

/// Drops the results after each number of polls. All tasks must end, and all that they held must be
/// dropped.
#[test]
fn all_tasks_end_at_whichever_point_the_results_are_dropped() {
    for n in [1, 2, 3, usize::MAX] {
        for polls in 0..30 {
            let (executor, latches) = (ManualExecutor::new(), Latches::default());
            let held = Rc::new(());
            let items = (0..10).map({
                let held = held.clone();
                move |n| (n, held.clone())
            });
            let wait = latches.wait();
            let f = move |(n, held)| {
                let work = wait(n);
                async move {
                    let n = work.await;
                    (n, held)
                }
            };
            latches.open((0..10).filter(|n| n % 3 > 0));
            let mut results = workers(&executor, n, f, iter_to_aiter(items));
            for _ in 0..polls {
                // Poll one task that was woken. The tasks take turns.
                let mut tasks = executor.tasks.take();
                let next = tasks.iter().position(|(_, wakes, _)| wakes.count() > 0);
                if let Some(next) = next {
                    let (mut task, wakes, waker) = tasks.remove(next);
                    executor.tasks.borrow_mut().extend(tasks);
                    wakes.taken();
                    let polled = task.as_mut().poll(&mut Context::from_waker(&waker));
                    if polled.is_pending() {
                        executor.tasks.borrow_mut().push((task, wakes, waker));
                    }
                } else {
                    executor.tasks.replace(tasks);
                    let _ = poll_noop(&mut results);
                }
            }
            drop(results);
            executor.run();
            assert_eq!(executor.alive(), 0, "n: {n}, after {polls} polls");
            assert_eq!(Rc::strong_count(&held), 1, "n: {n}, after {polls} polls");
        }
    }
}

#[test]
fn a_panic_keeps_its_payload() {
    let executor = ManualExecutor::new();
    let f = |_: u8| -> core::future::Ready<u8> { panic_any(42_u64) };
    let mut results = workers(&executor, usize::MAX, f, iter_to_aiter([0]));
    executor.run();
    let panic = catch(|| poll_noop(&mut results)).unwrap_err();
    assert_eq!(panic.downcast_ref(), Some(&42_u64));
}

#[test]
#[should_panic(expected = "map_workers: n must be at least 1")]
fn zero_workers_panic() {
    drop(workers(
        &ManualExecutor::new(),
        0,
        ready,
        iter_to_aiter(0..3),
    ));
}

/// Visits every state that the counts can reach, in any order of the workers' steps.
#[test]
fn some_worker_asks_or_all_are_busy() {
    for n in 1..6 {
        let counts = Counts::new(n);
        let set = |word| counts.word.store(word, Relaxed);
        let now = || counts.word.load(Relaxed);
        let (mut seen, mut unvisited) = (BTreeSet::new(), vec![now()]);
        while let Some(word) = unvisited.pop() {
            let (workers, asking) = (word / ONE_WORKER, word % ONE_WORKER);
            assert!(asking <= ASKING && asking <= workers && workers <= n);
            assert!(
                asking > 0 || workers == n,
                "{asking} of {workers} ask, n: {n}"
            );
            if !seen.insert(word) {
                continue;
            }
            if asking > 0 {
                set(word);
                counts.takes();
                unvisited.push(now());
            }
            if workers > asking {
                set(word);
                counts.asks();
                unvisited.push(now());
            }
        }
    }
}

#[test]
fn ordered_results_wait_for_the_first() {
    for n in [1, 2, 3, 5] {
        let (executor, latches) = (ManualExecutor::new(), Latches::default());
        let (source, remote) = source((0..20).map(Item));
        let mut results = ordered(&executor, n, latches.wait(), source);
        latches.open(1..20);
        assert_eq!(
            take(&executor, &mut results),
            [],
            "the first result is not ready"
        );
        // The other items are worked on, and no further item is taken from the source.
        assert_eq!(20 - remote.waiting(), n);
        latches.open([0]);
        remote.end();
        assert!(
            take(&executor, &mut results).into_iter().eq(0..20),
            "n: {n}"
        );
        assert!(results.is_terminated());
        assert_eq!(executor.alive(), 0);
    }
}

#[test]
fn at_most_n_items_are_pulled_ahead_of_the_ordered_results() {
    for n in [1, 2, 7] {
        let executor = ManualExecutor::new();
        let (source, remote) = source((0..30).map(Item));
        let mut results = ordered(&executor, n, ready, source);
        for taken in 0..10 {
            executor.run();
            assert!(30 - remote.waiting() <= n + taken, "n: {n}, {taken} taken");
            assert_eq!(poll_noop(&mut results), Poll::Ready(Some(taken as u32)));
        }
    }
}

#[test]
fn a_thousand_results_come_in_order_with_any_limit() {
    for n in [1, 3, 1_000, usize::MAX] {
        let executor = ManualExecutor::new();
        // Two of three results are delayed by some polls.
        let f = |number: u32| {
            let mut delay = number % 3;
            poll_fn(move |cx| {
                if delay == 0 {
                    return Poll::Ready(number);
                }
                delay -= 1;
                cx.waker().wake_by_ref();
                Poll::Pending
            })
        };
        let items = many(1_000);
        let mut results = ordered(&executor, n, f, iter_to_aiter(0..items));
        assert!(
            take(&executor, &mut results).into_iter().eq(0..items),
            "n: {n}"
        );
        assert_eq!(poll_noop(&mut results), Poll::Ready(None));
        assert_eq!(executor.alive(), 0);
    }
}

#[test]
fn other_tasks_run_while_results_come_that_are_not_next() {
    const N: u32 = 300;
    let (executor, latches) = (ManualExecutor::new(), Latches::default());
    let mut results = ordered(&executor, N as usize, latches.wait(), iter_to_aiter(0..N));
    let (wakes, waker) = Wakes::new();
    assert!(poll(&mut results, &waker).is_pending());
    executor.run();
    wakes.taken();
    latches.open(1..N);
    executor.run();
    wakes.taken();
    // Each poll takes a limited number of the results that are there, and asks for another one.
    let mut polls = 1;
    while poll(&mut results, &waker).is_pending() && wakes.taken() > 0 {
        polls += 1;
    }
    assert!((3..10).contains(&polls), "{polls}");
    latches.open([0]);
    assert!(take(&executor, &mut results).into_iter().eq(0..N));
}

#[test]
fn a_panic_comes_in_the_place_of_its_result() {
    for n in [1, 2, 3, usize::MAX] {
        let executor = ManualExecutor::new();
        let f = |number: u32| {
            assert!(number % 5 != 2, "closure");
            async move {
                assert!(number % 5 != 4, "future");
                number
            }
        };
        let mut results = ordered(&executor, n, f, iter_to_aiter(0..50));
        for number in 0..50 {
            executor.run();
            let polled = catch(|| poll_noop(&mut results));
            match number % 5 {
                2 | 4 => assert!(polled.is_err(), "{number}"),
                _ => assert_eq!(polled.ok(), Some(Poll::Ready(Some(number)))),
            }
        }
        executor.run();
        assert_eq!(poll_noop(&mut results), Poll::Ready(None));
        assert_eq!(executor.alive(), 0);
    }
}

#[test]
fn a_panic_of_the_source_comes_after_the_results_before_it() {
    for n in [1, 2, 3, usize::MAX] {
        let (executor, latches) = (ManualExecutor::new(), Latches::default());
        let (source, _remote) = source([Item(0), Item(1), Panic, Item(2)]);
        let mut results = ordered(&executor, n, latches.wait(), source);
        latches.open([1]);
        assert_eq!(take(&executor, &mut results), []);
        latches.open([0]);
        assert_eq!(poll_after(&executor, &mut results), Poll::Ready(Some(0)));
        assert_eq!(poll_after(&executor, &mut results), Poll::Ready(Some(1)));
        // A worker has room for the end only when its last result was taken.
        let message = panic_of(|| {
            for _ in 0..4 {
                assert_eq!(poll_after(&executor, &mut results), Poll::Pending);
            }
        });
        assert_eq!(message, "source");
        assert_eq!(poll_after(&executor, &mut results), Poll::Ready(None));
        assert_eq!(executor.alive(), 0);
    }
}

fn poll_after<R: Stream + Unpin>(
    executor: &ManualExecutor,
    results: &mut R,
) -> Poll<Option<R::Item>> {
    executor.run();
    poll_noop(results)
}

#[test]
fn all_ordered_tasks_end_at_whichever_point_the_results_are_dropped() {
    for n in [1, 2, 3, usize::MAX] {
        for polls in 0..30 {
            let (executor, latches) = (ManualExecutor::new(), Latches::default());
            let (source, remote) = source((0..10).map(Item));
            latches.open((0..10).filter(|n| n % 3 > 0));
            let mut results = ordered(&executor, n, latches.wait(), source);
            for _ in 0..polls {
                executor.run();
                let _ = poll_noop(&mut results);
            }
            drop(results);
            executor.run();
            assert_eq!(executor.alive(), 0, "n: {n}, after {polls} polls");
            assert!(remote.is_dropped());
        }
    }
}

#[test]
#[should_panic(expected = "map_workers_ordered: n must be at least 1")]
fn zero_ordered_workers_panic() {
    drop(ordered(
        &ManualExecutor::new(),
        0,
        ready,
        iter_to_aiter(0..3),
    ));
}

#[test]
fn ordered_results_report_an_executor_that_refuses_a_task_at_once() {
    let (executor, latches) = (ManualExecutor::new(), Latches::default());
    executor.refuses.set(Some(1));
    let (source, remote) = source((0..20).map(Item));
    let mut results = ordered(&executor, 4, latches.wait(), source);
    executor.run();
    assert!(catch(|| poll_noop(&mut results)).is_err());
    executor.refuses.set(None);
    latches.open(0..20);
    remote.end();
    assert!(take(&executor, &mut results).into_iter().eq(0..20));
}

#[test]
fn ordered_results_skip_what_a_dropped_task_had_in_work() {
    let (executor, latches) = (ManualExecutor::new(), Latches::default());
    let (source, _remote) = source((0..4).map(Item));
    let mut results = ordered(&executor, 4, latches.wait(), source);
    latches.open([1, 3]);
    executor.run();
    drop(executor);
    assert_eq!(poll_noop(&mut results), Poll::Ready(Some(1)));
    assert_eq!(poll_noop(&mut results), Poll::Ready(Some(3)));
    assert_eq!(poll_noop(&mut results), Poll::Ready(None));
    assert!(results.is_terminated());
}
