//! Workers on an executor that is run by hand: how many tasks there are, and when.
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

/// An executor that polls its tasks when it is told to.
#[derive(Default)]
struct Hand {
    tasks: RefCell<Vec<(Task, Arc<Wakes>, Waker)>>,
    started: Cell<usize>,
    /// Refuses, with a panic, to start the task of this number.
    refuses: Cell<Option<usize>>,
}

impl Hand {
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

    /// Polls each task that was woken, until none is. Tasks may start others meanwhile.
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

struct On(Rc<Hand>);
struct Inside(alloc::rc::Weak<Hand>);

impl Nested for On {
    type Handle = Inside;

    fn handle(&self, _: usize) -> Inside {
        Inside(Rc::downgrade(&self.0))
    }
}

impl<T: Future<Output = ()> + 'static> Spawn<T> for On {
    fn spawn(&self, task: T) {
        self.0.start(Box::pin(task));
    }
}

impl<T: Future<Output = ()> + 'static> Spawn<T> for Inside {
    fn spawn(&self, task: T) {
        if let Some(hand) = self.0.upgrade() {
            hand.start(Box::pin(task));
        }
    }
}

fn workers<S, F, Fut>(hand: &Rc<Hand>, n: usize, f: F, stream: S) -> MapTasks<Fut::Output>
where
    S: Stream + 'static,
    F: Fn(S::Item) -> Fut + 'static,
    Fut: Future + 'static,
{
    map_workers(&On(hand.clone()), n, f, stream)
}

fn ordered<S, F, Fut>(hand: &Rc<Hand>, n: usize, f: F, stream: S) -> OrderedTasks<Fut::Output>
where
    S: Stream + 'static,
    F: Fn(S::Item) -> Fut + 'static,
    Fut: Future + 'static,
{
    map_workers_ordered(&On(hand.clone()), n, f, stream)
}

/// Takes the results that are there by now.
fn take<R: Stream + Unpin>(hand: &Hand, results: &mut R) -> Vec<R::Item> {
    let mut taken = vec![];
    loop {
        hand.run();
        match poll_noop(results) {
            Poll::Ready(Some(result)) => taken.push(result),
            _ => return taken,
        }
    }
}

/// An `f` whose futures are pending until their number is let go.
#[derive(Clone, Default)]
struct Doors(Rc<RefCell<Inner>>);

#[derive(Default)]
struct Inner {
    open: BTreeSet<u32>,
    wakers: Vec<Waker>,
}

impl Doors {
    fn open(&self, numbers: impl IntoIterator<Item = u32>) {
        self.0.borrow_mut().open.extend(numbers);
        let wakers = core::mem::take(&mut self.0.borrow_mut().wakers);
        wakers.into_iter().for_each(Waker::wake);
    }

    fn pass(&self) -> impl Fn(u32) -> Number + use<> {
        let doors = self.0.clone();
        move |n| {
            let doors = doors.clone();
            Box::pin(poll_fn(move |cx| {
                let mut doors = doors.borrow_mut();
                if doors.open.contains(&n) {
                    return Poll::Ready(n);
                }
                doors.wakers.push(cx.waker().clone());
                Poll::Pending
            }))
        }
    }
}

type Number = Pin<Box<dyn Future<Output = u32>>>;

#[test]
fn a_worker_is_started_for_an_item_that_nobody_is_free_for() {
    let (hand, doors) = (Hand::new(), Doors::default());
    let (source, remote) = source([]);
    let mut results = workers(&hand, usize::MAX, doors.pass(), source);
    hand.run();
    assert_eq!(hand.started.get(), 1, "the one that asks");
    for n in 0..100 {
        remote.push(n);
        hand.run();
        assert_eq!((hand.started.get(), remote.waiting()), (n as usize + 2, 0));
    }
    doors.open(0..1000);
    assert_eq!(take(&hand, &mut results).len(), 100);
    assert_eq!(hand.alive(), ASKING, "after a burst its tasks go");
    // One item after the other is work for those that are there.
    for n in 200..300 {
        remote.push(n);
        assert_eq!(take(&hand, &mut results), [n]);
    }
    assert_eq!((hand.started.get(), hand.alive()), (101, ASKING));
    remote.end();
    hand.run();
    assert_eq!(poll_noop(&mut results), Poll::Ready(None));
    assert!(results.is_terminated());
    assert_eq!(hand.alive(), 0);
}

#[test]
fn a_million_workers_for_three_items_are_four_tasks() {
    for n in [4, 1_000_000, usize::MAX] {
        let hand = Hand::new();
        let mut results = workers(&hand, n, ready, iter_to_aiter(0..3));
        assert_eq!(hand.started.get(), 1);
        assert_eq!(
            BTreeSet::from_iter(take(&hand, &mut results)),
            BTreeSet::from([0, 1, 2])
        );
        // Three that take an item, and one that finds the end.
        assert_eq!((hand.started.get(), hand.alive()), (4, 0));
    }
}

#[test]
fn there_are_never_more_than_n_and_all_of_them_are_used() {
    for n in 1..5 {
        let (hand, doors) = (Hand::new(), Doors::default());
        let (source, remote) = source((0..10).map(Item));
        let mut results = workers(&hand, n, doors.pass(), source);
        hand.run();
        assert_eq!((hand.started.get(), remote.polls()), (n, n));
        // The first item is stuck: the others go on.
        doors.open(1..10);
        let mut rest = take(&hand, &mut results);
        if n > 1 {
            remote.end();
            rest.extend(take(&hand, &mut results));
            rest.sort();
            assert!(rest.into_iter().eq(1..10), "n: {n}");
            assert_eq!(hand.alive(), 1);
        }
        doors.open([0]);
        assert_eq!(take(&hand, &mut results)[0], 0);
        assert!(hand.started.get() <= n + ASKING, "n: {n}");
    }
}

#[test]
fn a_worker_holds_one_result_and_takes_nothing_meanwhile() {
    let hand = Hand::new();
    let (source, remote) = source((0..10).map(Item));
    let mut results = workers(&hand, 3, ready, source);
    for taken in 0..=7 {
        hand.run();
        assert_eq!(remote.waiting(), 10 - 3 - taken);
        assert!(matches!(poll_noop(&mut results), Poll::Ready(Some(0..10))));
    }
}

#[test]
fn a_panic_costs_one_item_and_no_worker() {
    for n in [1, 2, 3, usize::MAX] {
        let hand = Hand::new();
        let f = |n: u32| {
            assert!(n % 5 != 2, "closure");
            async move {
                assert!(n % 5 != 4, "future");
                n
            }
        };
        let mut results = workers(&hand, n, f, iter_to_aiter(0..100));
        let (mut seen, mut panics) = (BTreeSet::new(), 0);
        loop {
            hand.run();
            let polled = catch(|| poll_noop(&mut results));
            match polled {
                Ok(Poll::Ready(Some(n))) => assert!(seen.insert(n)),
                Ok(Poll::Ready(None)) => break,
                Ok(Poll::Pending) => panic!("nobody works, of {n}"),
                Err(_) => panics += 1,
            }
        }
        assert_eq!((seen.len(), panics, hand.alive()), (60, 40, 0));
    }
}

#[test]
fn a_panic_of_the_source_is_the_end_behind_what_is_in_work() {
    for n in [1, 3, usize::MAX] {
        let (hand, doors) = (Hand::new(), Doors::default());
        let (source, _remote) = source([Item(0), Panic, Item(1)]);
        let mut results = workers(&hand, n, doors.pass(), source);
        hand.run();
        if n > 1 {
            assert_eq!(panic_of(|| poll_noop(&mut results)), "source");
        }
        doors.open([0]);
        hand.run();
        assert_eq!(poll_noop(&mut results), Poll::Ready(Some(0)));
        hand.run();
        if n == 1 {
            assert_eq!(panic_of(|| poll_noop(&mut results)), "source");
        }
        hand.run();
        assert_eq!(poll_noop(&mut results), Poll::Ready(None));
        assert_eq!(hand.alive(), 0);
    }
}

#[test]
fn an_executor_that_refuses_a_task_costs_no_item_and_no_worker() {
    for refused in 1..4 {
        let (hand, doors) = (Hand::new(), Doors::default());
        hand.refuses.set(Some(refused));
        let (source, remote) = source((0..20).map(Item));
        let mut results = workers(&hand, 4, doors.pass(), source);
        hand.run();
        assert_eq!((hand.alive(), 20 - remote.waiting()), (refused, refused));
        let panic = catch(|| poll_noop(&mut results)).unwrap_err();
        assert!(panic.is::<alloc::string::String>(), "the executor's own");
        hand.refuses.set(None);
        hand.run();
        assert_eq!((hand.alive(), 20 - remote.waiting()), (refused, refused));
        // The next worker that is free asks again.
        doors.open([0]);
        let mut taken = take(&hand, &mut results);
        assert_eq!((hand.alive(), 20 - remote.waiting()), (4, 5));
        doors.open(0..20);
        remote.end();
        taken.extend(take(&hand, &mut results));
        taken.sort();
        assert!(taken.into_iter().eq(0..20));
        assert_eq!(hand.alive(), 0);
    }
}

#[test]
fn when_the_executor_is_gone_the_results_end() {
    let hand = Hand::new();
    let (source, remote) = source([Item(0), Item(1)]);
    let mut results = workers(&hand, 3, ready, source);
    hand.run();
    assert_eq!(Rc::strong_count(&hand), 1, "its tasks keep it");
    drop(hand);
    assert!(remote.is_dropped());
    assert_eq!(poll_noop(&mut results), Poll::Ready(Some(0)));
    assert_eq!(poll_noop(&mut results), Poll::Ready(Some(1)));
    assert_eq!(poll_noop(&mut results), Poll::Ready(None));
}

/// The results are dropped after each number of polls of tasks: all tasks end, and what they held
/// goes.
#[test]
fn dropped_at_each_point_all_tasks_end() {
    for n in [1, 2, 3, usize::MAX] {
        for polls in 0..30 {
            let (hand, doors) = (Hand::new(), Doors::default());
            let held = Rc::new(());
            let items = (0..10).map({
                let held = held.clone();
                move |n| (n, held.clone())
            });
            let pass = doors.pass();
            let f = move |(n, held)| {
                let work = pass(n);
                async move {
                    let n = work.await;
                    (n, held)
                }
            };
            doors.open((0..10).filter(|n| n % 3 > 0));
            let mut results = workers(&hand, n, f, iter_to_aiter(items));
            for _ in 0..polls {
                // One task that was woken, whose turn comes round.
                let mut tasks = hand.tasks.take();
                let next = tasks.iter().position(|(_, wakes, _)| wakes.count() > 0);
                if let Some(next) = next {
                    let (mut task, wakes, waker) = tasks.remove(next);
                    hand.tasks.borrow_mut().extend(tasks);
                    wakes.taken();
                    let polled = task.as_mut().poll(&mut Context::from_waker(&waker));
                    if polled.is_pending() {
                        hand.tasks.borrow_mut().push((task, wakes, waker));
                    }
                } else {
                    hand.tasks.replace(tasks);
                    let _ = poll_noop(&mut results);
                }
            }
            drop(results);
            hand.run();
            assert_eq!(hand.alive(), 0, "n: {n}, after {polls} polls");
            assert_eq!(Rc::strong_count(&held), 1, "n: {n}, after {polls} polls");
        }
    }
}

#[test]
fn a_payload_comes_out_as_it_is() {
    let hand = Hand::new();
    let f = |_: u8| -> core::future::Ready<u8> { panic_any(42_u64) };
    let mut results = workers(&hand, usize::MAX, f, iter_to_aiter([0]));
    hand.run();
    let panic = catch(|| poll_noop(&mut results)).unwrap_err();
    assert_eq!(panic.downcast_ref(), Some(&42_u64));
}

#[test]
#[should_panic(expected = "map_workers: n must be at least 1")]
fn no_workers_make_no_sense() {
    drop(workers(&Hand::new(), 0, ready, iter_to_aiter(0..3)));
}

/// Every state that the counts can come to, by any order of what workers do.
#[test]
fn somebody_asks_or_all_are_busy() {
    for n in 1..6 {
        let counts = Counts::new(n);
        let at = |word| counts.word.store(word, Relaxed);
        let now = || counts.word.load(Relaxed);
        let (mut seen, mut to_do) = (BTreeSet::new(), vec![now()]);
        while let Some(word) = to_do.pop() {
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
                at(word);
                counts.takes();
                to_do.push(now());
            }
            if workers > asking {
                at(word);
                counts.asks();
                to_do.push(now());
            }
        }
    }
}

#[test]
fn results_in_order_wait_for_the_first() {
    for n in [1, 2, 3, 5] {
        let (hand, doors) = (Hand::new(), Doors::default());
        let (source, remote) = source((0..20).map(Item));
        let mut results = ordered(&hand, n, doors.pass(), source);
        doors.open(1..20);
        assert_eq!(take(&hand, &mut results), [], "the first is in work");
        // The work behind it goes on, and the source is held back.
        assert_eq!(20 - remote.waiting(), n);
        doors.open([0]);
        remote.end();
        assert!(take(&hand, &mut results).into_iter().eq(0..20), "n: {n}");
        assert!(results.is_terminated());
        assert_eq!(hand.alive(), 0);
    }
}

#[test]
fn of_results_in_order_no_more_than_n_are_pulled_and_not_taken() {
    for n in [1, 2, 7] {
        let hand = Hand::new();
        let (source, remote) = source((0..30).map(Item));
        let mut results = ordered(&hand, n, ready, source);
        for taken in 0..10 {
            hand.run();
            assert!(30 - remote.waiting() <= n + taken, "n: {n}, {taken} taken");
            assert_eq!(poll_noop(&mut results), Poll::Ready(Some(taken as u32)));
        }
    }
}

#[test]
fn ten_thousand_results_come_in_order_whatever_the_limit() {
    for n in [1, 3, 10_000, usize::MAX] {
        let hand = Hand::new();
        // Every third result is late by some polls.
        let f = |number: u32| {
            let mut late = number % 3;
            poll_fn(move |cx| {
                if late == 0 {
                    return Poll::Ready(number);
                }
                late -= 1;
                cx.waker().wake_by_ref();
                Poll::Pending
            })
        };
        let items = many(10_000);
        let mut results = ordered(&hand, n, f, iter_to_aiter(0..items));
        assert!(take(&hand, &mut results).into_iter().eq(0..items), "n: {n}");
        assert_eq!(poll_noop(&mut results), Poll::Ready(None));
        assert_eq!(hand.alive(), 0);
    }
}

#[test]
fn a_panic_comes_in_the_place_of_its_result() {
    for n in [1, 2, 3, usize::MAX] {
        let hand = Hand::new();
        let f = |number: u32| {
            assert!(number % 5 != 2, "closure");
            async move {
                assert!(number % 5 != 4, "future");
                number
            }
        };
        let mut results = ordered(&hand, n, f, iter_to_aiter(0..50));
        for number in 0..50 {
            hand.run();
            let polled = catch(|| poll_noop(&mut results));
            match number % 5 {
                2 | 4 => assert!(polled.is_err(), "{number}"),
                _ => assert_eq!(polled.ok(), Some(Poll::Ready(Some(number)))),
            }
        }
        hand.run();
        assert_eq!(poll_noop(&mut results), Poll::Ready(None));
        assert_eq!(hand.alive(), 0);
    }
}

#[test]
fn a_panic_of_the_source_comes_after_the_results_before_it() {
    for n in [1, 2, 3, usize::MAX] {
        let (hand, doors) = (Hand::new(), Doors::default());
        let (source, _remote) = source([Item(0), Item(1), Panic, Item(2)]);
        let mut results = ordered(&hand, n, doors.pass(), source);
        doors.open([1]);
        assert_eq!(take(&hand, &mut results), []);
        doors.open([0]);
        assert_eq!(poll_after(&hand, &mut results), Poll::Ready(Some(0)));
        assert_eq!(poll_after(&hand, &mut results), Poll::Ready(Some(1)));
        // A worker has room for the end only when its last result was taken.
        let said = panic_of(|| {
            for _ in 0..4 {
                assert_eq!(poll_after(&hand, &mut results), Poll::Pending);
            }
        });
        assert_eq!(said, "source");
        assert_eq!(poll_after(&hand, &mut results), Poll::Ready(None));
        assert_eq!(hand.alive(), 0);
    }
}

fn poll_after<R: Stream + Unpin>(hand: &Hand, results: &mut R) -> Poll<Option<R::Item>> {
    hand.run();
    poll_noop(results)
}

#[test]
fn dropped_at_each_point_all_ordered_tasks_end() {
    for n in [1, 2, 3, usize::MAX] {
        for polls in 0..30 {
            let (hand, doors) = (Hand::new(), Doors::default());
            let (source, remote) = source((0..10).map(Item));
            doors.open((0..10).filter(|n| n % 3 > 0));
            let mut results = ordered(&hand, n, doors.pass(), source);
            for _ in 0..polls {
                hand.run();
                let _ = poll_noop(&mut results);
            }
            drop(results);
            hand.run();
            assert_eq!(hand.alive(), 0, "n: {n}, after {polls} polls");
            assert!(remote.is_dropped());
        }
    }
}

#[test]
#[should_panic(expected = "map_workers_ordered: n must be at least 1")]
fn no_ordered_workers_make_no_sense() {
    drop(ordered(&Hand::new(), 0, ready, iter_to_aiter(0..3)));
}
