//! `map_workers_by`: which items are in work, which wait, and what a panic loses.

extern crate std;

use crate::{
    MapWorkersBy, map_workers_by,
    ops::workers::tests::{Controller, collect, poll_until_idle},
    test_support::{Item, Wakes, poll_noop, source},
};
use alloc::{boxed::Box, rc::Rc, vec, vec::Vec};
use core::{
    cell::{Cell, RefCell},
    cmp::Ordering,
    future::{Future, pending, ready},
    panic::AssertUnwindSafe,
    pin::Pin,
    task::{Context, Poll},
};
use futures_core::{FusedStream, Stream};
use futures_lite::{
    StreamExt,
    future::{block_on, yield_now},
    stream,
};
use std::panic::catch_unwind;

/// The tens are the key.
fn tens(k: &u32) -> u32 {
    k / 10
}

/// Nothing is kept of a key that has no future in work.
fn is_idle<S: Stream, K, G, F, Fut>(map: &MapWorkersBy<S, K, G, F, Fut>) -> bool {
    map.work.busy.queues.is_empty() && map.work.busy.waiting == 0 && map.work.interrupted.is_none()
}

#[test]
fn empty_and_single() {
    let mut none = map_workers_by(1, tens, ready, stream::empty());
    assert_eq!(poll_until_idle(&mut none), Poll::Ready(None));
    assert!(none.is_terminated());
    let mut one = map_workers_by(1, tens, ready, stream::once(1));
    assert_eq!(one.size_hint(), (1, Some(1)));
    assert_eq!(poll_until_idle(&mut one), Poll::Ready(Some(1)));
    assert!(!one.is_terminated());
    assert_eq!(poll_until_idle(&mut one), Poll::Ready(None));
    assert!(one.is_terminated());
    assert_eq!(poll_until_idle(&mut one), Poll::Ready(None));
}

#[test]
fn equal_keys_come_one_after_the_other_and_others_overtake() {
    let controller = Controller::default();
    let start = controller.clone();
    let items = stream::iter([10, 11, 20, 12, 30]);
    let mut map = map_workers_by(4, tens, move |k| start.start(k), items);
    assert_eq!(poll_until_idle(&mut map), Poll::Pending);
    let in_work = || {
        controller
            .0
            .work
            .borrow()
            .iter()
            .map(|w| w.0)
            .collect::<Vec<_>>()
    };
    assert_eq!(in_work(), [10, 20, 30]);
    assert_eq!(map.size_hint(), (5, Some(5)));
    controller.finish(30);
    assert_eq!(poll_until_idle(&mut map), Poll::Ready(Some(30)));
    assert_eq!(in_work(), [10, 20]);
    controller.finish(10);
    assert_eq!(poll_until_idle(&mut map), Poll::Ready(Some(10)));
    assert_eq!(
        in_work(),
        [20],
        "the result comes before the next item starts"
    );
    assert_eq!(map.size_hint(), (3, Some(3)));
    assert_eq!(poll_until_idle(&mut map), Poll::Pending);
    assert_eq!(in_work(), [20, 11]);
    controller.finish(11);
    controller.finish(20);
    assert_eq!(poll_until_idle(&mut map), Poll::Ready(Some(11)));
    assert_eq!(poll_until_idle(&mut map), Poll::Ready(Some(20)));
    assert_eq!(poll_until_idle(&mut map), Poll::Pending);
    assert_eq!(map.size_hint(), (1, Some(1)));
    controller.finish(12);
    assert_eq!(poll_until_idle(&mut map), Poll::Ready(Some(12)));
    assert!(is_idle(&map));
    assert_eq!(poll_until_idle(&mut map), Poll::Ready(None));
}

#[test]
fn a_busy_key_stops_the_source_when_n_of_its_items_wait() {
    let (incoming, feeder) = source([]);
    let controller = Controller::default();
    let start = controller.clone();
    let mut map = map_workers_by(3, tens, move |k| start.start(k), incoming);
    feeder.add([10, 11, 12, 20, 13, 14, 30].map(Item));
    assert_eq!(poll_until_idle(&mut map), Poll::Pending);
    // 10 and 20 are in work, and 11 to 13 wait.
    assert_eq!((controller.in_work(), feeder.waiting()), (2, 2));
    controller.finish(20);
    assert_eq!(poll_until_idle(&mut map), Poll::Ready(Some(20)));
    assert_eq!(poll_until_idle(&mut map), Poll::Pending);
    assert_eq!((controller.in_work(), feeder.waiting()), (1, 2));
    controller.finish(10);
    assert_eq!(poll_until_idle(&mut map), Poll::Ready(Some(10)));
    assert_eq!(poll_until_idle(&mut map), Poll::Pending);
    // 11 is in work, and 14 waits.
    assert_eq!((controller.in_work(), feeder.waiting()), (1, 1));
    controller.finish(11);
    assert_eq!(poll_until_idle(&mut map), Poll::Ready(Some(11)));
    assert_eq!(poll_until_idle(&mut map), Poll::Pending);
    assert_eq!((controller.in_work(), feeder.waiting()), (2, 0));
    feeder.end();
    for k in [12, 13, 30, 14] {
        controller.finish(k);
        assert_eq!(poll_until_idle(&mut map), Poll::Ready(Some(k)));
        let _ = poll_until_idle(&mut map);
    }
    assert!(map.is_terminated() && is_idle(&map));
}

#[test]
fn the_source_is_not_polled_while_n_are_in_work() {
    let (incoming, feeder) = source([]);
    let controller = Controller::default();
    let start = controller.clone();
    let mut map = map_workers_by(2, tens, move |k| start.start(k), incoming);
    feeder.add([10, 20, 11, 30].map(Item));
    assert_eq!(poll_until_idle(&mut map), Poll::Pending);
    assert_eq!((controller.in_work(), feeder.polls()), (2, 2));
    controller.finish(20);
    assert_eq!(poll_until_idle(&mut map), Poll::Ready(Some(20)));
    assert_eq!(poll_until_idle(&mut map), Poll::Pending);
    // 11 waits, and 30 is in work.
    assert_eq!((controller.in_work(), feeder.polls()), (2, 4));
}

/// Before an item of another key does, although that one is ready.
#[test]
fn a_waiting_item_starts_in_the_next_call() {
    let controller = Controller::default();
    let start = controller.clone();
    let items = stream::iter([10, 11, 12, 20]);
    let mut map = map_workers_by(2, tens, move |k| start.start(k), items);
    assert_eq!(poll_until_idle(&mut map), Poll::Pending);
    controller.finish(10);
    assert_eq!(poll_until_idle(&mut map), Poll::Ready(Some(10)));
    assert_eq!(controller.0.started.get(), 1);
    assert_eq!(poll_noop(&mut map), Poll::Pending);
    let work = controller.0.work.borrow();
    assert_eq!(work.iter().map(|work| work.0).collect::<Vec<_>>(), [11, 20]);
}

#[test]
fn every_number_of_workers_and_keys_keeps_both_limits() {
    for (n, keys) in (1..20).flat_map(|n| [1, 2, 3, 7, 300].map(|keys| (n, keys))) {
        let most = Rc::new(Cell::new((0, 0)));
        let busy = Rc::new(RefCell::new(vec![false; keys as usize]));
        let work = |k: u32| {
            let (most, busy) = (most.clone(), busy.clone());
            let key = (k % keys) as usize;
            assert!(!busy.borrow()[key]);
            busy.borrow_mut()[key] = true;
            let now = most.get().0 + 1;
            most.set((now, most.get().1.max(now)));
            async move {
                for _ in 0..(k * 7 + n) % 5 {
                    yield_now().await;
                }
                most.set((most.get().0 - 1, most.get().1));
                busy.borrow_mut()[key] = false;
                k
            }
        };
        let mut map = Box::pin(map_workers_by(
            n as usize,
            |k| k % keys,
            work,
            stream::iter(0..300),
        ));
        let mut last = vec![None; keys as usize];
        let mut left = 300;
        while let Some(k) = block_on(map.next()) {
            let last = &mut last[(k % keys) as usize];
            assert!(*last < Some(k), "{k} after {last:?}");
            *last = Some(k);
            left -= 1;
            assert_eq!(map.size_hint(), (left, Some(left)));
        }
        assert_eq!(left, 0);
        assert!(most.get().1 <= n && is_idle(&map));
    }
}

#[test]
fn usize_max_is_a_limit() {
    let mix = |k: u32| async move {
        for _ in 0..k % 4 {
            yield_now().await;
        }
        k
    };
    for keys in [1, 3, 1000, 10_000] {
        let items = stream::iter(0..10_000);
        let map = map_workers_by(usize::MAX, |k| k % keys, mix, items);
        assert!(core::mem::size_of_val(&map) < 512);
        let mut all: Vec<_> = block_on(map.collect());
        if keys == 1 {
            assert!(all.is_sorted());
        }
        all.sort_unstable();
        assert_eq!(all, (0..10_000).collect::<Vec<_>>());
    }
}

#[test]
fn an_unlimited_map_with_one_busy_key_lets_other_tasks_run() {
    let (count, waker) = Wakes::new();
    let mut map = map_workers_by(usize::MAX, |_| (), |_| pending::<()>(), stream::repeat(0));
    for polls in 1..10 {
        assert_eq!(
            map.poll_next(&mut Context::from_waker(&waker)),
            Poll::Pending
        );
        assert_eq!(count.taken(), 1, "yields");
        assert!(map.work.busy.waiting <= polls * 200);
    }
}

/// A key that counts what is done with it.
struct Counted<'a>(u32, &'a Counts);

#[derive(Default)]
struct Counts {
    made: Cell<usize>,
    compared: Cell<usize>,
    cloned: Cell<usize>,
    alive: Cell<usize>,
    /// Comparisons, clones and drops until one panics, or 0 for never.
    panic_in: Cell<usize>,
}

impl Counts {
    fn key(&self, k: u32) -> Counted<'_> {
        self.made.set(self.made.get() + 1);
        self.alive.set(self.alive.get() + 1);
        Counted(k, self)
    }

    fn step(&self) {
        let left = self.panic_in.get();
        self.panic_in.set(left.saturating_sub(1));
        assert!(left != 1 || std::thread::panicking(), "key");
    }
}

impl Clone for Counted<'_> {
    fn clone(&self) -> Self {
        self.1.step();
        self.1.cloned.set(self.1.cloned.get() + 1);
        self.1.alive.set(self.1.alive.get() + 1);
        Self(self.0, self.1)
    }
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.1.alive.set(self.1.alive.get() - 1);
        self.1.step();
    }
}

impl Ord for Counted<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.1.step();
        self.1.compared.set(self.1.compared.get() + 1);
        self.0.cmp(&other.0)
    }
}

impl PartialOrd for Counted<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Counted<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Counted<'_> {}

#[test]
fn the_key_of_a_future_that_is_ready_at_once_is_neither_kept_nor_cloned() {
    let counts = Counts::default();
    let mut map = map_workers_by(4, |k: &u32| counts.key(k % 3), ready, stream::iter(0..1000));
    for k in 0..1000 {
        assert_eq!(poll_until_idle(&mut map), Poll::Ready(Some(k)));
        assert_eq!(counts.alive.get(), 0);
    }
    assert_eq!((counts.compared.get(), counts.cloned.get()), (0, 0));
    assert_eq!(counts.made.get(), 1000);
}

#[test]
fn a_key_is_made_once_for_each_item_and_cloned_once_while_it_is_busy() {
    let counts = Counts::default();
    let controller = Controller::default();
    let start = controller.clone();
    let items = stream::iter([1, 1, 1, 2, 1]);
    let mut number = 0;
    let work = move |_| {
        number += 1;
        start.start(number)
    };
    let mut map = map_workers_by(9, |&k: &u32| counts.key(k), work, items);
    assert_eq!(poll_until_idle(&mut map), Poll::Pending);
    assert_eq!((counts.made.get(), counts.cloned.get()), (5, 2));
    assert_eq!(
        counts.alive.get(),
        4,
        "two keys in work, and the map has each"
    );
    for k in [1, 3, 4, 2, 5] {
        controller.finish(k);
        assert_eq!(poll_until_idle(&mut map), Poll::Ready(Some(k)));
        let _ = poll_until_idle(&mut map);
    }
    assert_eq!((counts.cloned.get(), counts.alive.get()), (2, 0));
    assert!(map.is_terminated());
}

#[test]
fn a_key_with_waiting_items_lets_others_have_their_turn() {
    let controller = Controller::default();
    let start = controller.clone();
    let work = move |k: u32| {
        let waits = (k % 100 == 0).then(|| start.start(k));
        async move {
            match waits {
                Some(future) => future.await,
                None => k,
            }
        }
    };
    let items = (0..100).chain(100..200);
    let mut map = Box::pin(map_workers_by(200, |k| k / 100, work, stream::iter(items)));
    assert_eq!(poll_until_idle(&mut map), Poll::Pending);
    controller.finish(0);
    controller.finish(100);
    let mut last = [0_u32, 0];
    for _ in 0..200 {
        let Poll::Ready(Some(k)) = poll_until_idle(&mut map) else {
            panic!("stuck")
        };
        last[k as usize / 100] += 1;
        assert!(last[0].abs_diff(last[1]) <= 8 || last.contains(&100));
    }
    assert!(is_idle(&map));
}

#[test]
fn fresh_ready_futures_do_not_starve_those_that_woke() {
    let controller = Controller::default();
    let start = controller.clone();
    let work = move |k: u32| {
        let waits = (k % 1000 == 0).then(|| start.start(k));
        async move {
            match waits {
                Some(future) => future.await,
                None => k,
            }
        }
    };
    let mut map = Box::pin(map_workers_by(3, |k| k % 10, work, stream::iter(0..)));
    assert_eq!(poll_until_idle(&mut map), Poll::Ready(Some(1)));
    controller.finish(0);
    let wait = (0..)
        .find(|_| poll_until_idle(&mut map) == Poll::Ready(Some(0)))
        .unwrap();
    assert!(wait <= 32, "waited for {wait} items");
}

#[test]
fn a_panic_loses_its_item_only() {
    #[derive(Clone, Copy, PartialEq)]
    enum In {
        Key,
        Closure,
        FirstPoll,
        LaterPoll,
        Drop,
    }
    /// A future, and whether its drop panics.
    struct Bomb<F>(Pin<Box<F>>, bool);
    impl<F: Future> Future for Bomb<F> {
        type Output = F::Output;
        fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
            self.0.as_mut().poll(cx)
        }
    }
    impl<F> Drop for Bomb<F> {
        fn drop(&mut self) {
            assert!(!self.1, "drop");
        }
    }
    let is_lost = |k: u32| k % 10 == 3 || k % 10 == 4;
    for place in [In::Key, In::Closure, In::FirstPoll, In::LaterPoll, In::Drop] {
        for (n, keys, yields) in [(1, 1, 1), (4, 1, 0), (4, 2, 1), (4, 7, 2), (200, 3, 1)] {
            let key = |&k: &u32| {
                assert!(place != In::Key || !is_lost(k), "key of {k}");
                k % keys
            };
            let work = |k: u32| {
                assert!(place != In::Closure || !is_lost(k), "closure {k}");
                let future = async move {
                    assert!(place != In::FirstPoll || !is_lost(k), "first poll of {k}");
                    for _ in 0..yields {
                        yield_now().await;
                    }
                    assert!(place != In::LaterPoll || !is_lost(k), "later poll of {k}");
                    k
                };
                Bomb(Box::pin(future), place == In::Drop && is_lost(k))
            };
            let mut map = Box::pin(map_workers_by(n, key, work, stream::iter(0..100)));
            let (mut seen, panics) = collect(&mut map);
            assert!(map.is_terminated() && is_idle(&map));
            for key in 0..keys {
                let of_key = seen.iter().filter(|&k| k % keys == key);
                assert!(of_key.is_sorted());
            }
            seen.sort_unstable();
            let expected: Vec<_> = (0..100).filter(|&k| !is_lost(k)).collect();
            assert_eq!((seen, panics), (expected, 20));
        }
    }
}

#[test]
fn after_a_panic_of_the_source_the_items_that_wait_come() {
    let controller = Controller::default();
    let start = controller.clone();
    let items = stream::iter(10..).map(|k| {
        assert!(k < 13, "source");
        k
    });
    let mut map = map_workers_by(5, tens, move |k| start.start(k), items);
    assert!(catch_unwind(AssertUnwindSafe(|| poll_until_idle(&mut map))).is_err());
    assert_eq!(map.size_hint(), (3, Some(3)));
    for k in 10..13 {
        assert_eq!(poll_until_idle(&mut map), Poll::Pending);
        controller.finish(k);
        assert_eq!(poll_until_idle(&mut map), Poll::Ready(Some(k)));
    }
    assert_eq!(poll_until_idle(&mut map), Poll::Ready(None));
}

#[test]
fn the_end_waits_for_an_item_whose_key_was_interrupted_by_a_panic() {
    let items = stream::iter([10, 11]);
    let work = |k| async move {
        yield_now().await;
        assert!(k != 10, "future");
        k
    };
    let mut map = Box::pin(map_workers_by(2, tens, work, items));
    assert!(catch_unwind(AssertUnwindSafe(|| poll_until_idle(&mut map))).is_err());
    assert!(!map.is_terminated());
    assert_eq!(map.size_hint(), (1, Some(1)));
    assert_eq!(poll_until_idle(&mut map), Poll::Ready(Some(11)));
    assert_eq!(poll_until_idle(&mut map), Poll::Ready(None));
    assert!(map.is_terminated());
}

/// A panic of a comparison, a clone or a drop of a key loses one item at most, wherever it comes.
#[test]
fn a_key_that_panics_leaves_nothing_hanging() {
    for panic_in in 1..200 {
        let counts = Counts::default();
        let work = |k: u32| async move {
            for _ in 0..k % 3 {
                yield_now().await;
            }
            k
        };
        let key = |k: &u32| counts.key(k % 4);
        let mut map = Box::pin(map_workers_by(6, key, work, stream::iter(0..40)));
        counts.panic_in.set(panic_in);
        let (seen, panics) = collect(&mut map);
        assert!(
            panics <= 1 && seen.len() >= 40 - panics,
            "{panic_in}: {seen:?}"
        );
        assert!(is_idle(&map) && map.is_terminated());
        assert_eq!(counts.alive.get(), 0);
    }
}

#[test]
fn dropping_drops_futures_and_waiting_items() {
    let token = Rc::new(());
    for items in 0..20 {
        let work = |(k, token): (u32, Rc<()>)| async move {
            if k % 3 == 0 {
                yield_now().await;
            }
            if k == 15 {
                pending::<()>().await;
            }
            token
        };
        let source = stream::iter(0..100).map(|k| (k, token.clone()));
        let mut map = Box::pin(map_workers_by(5, |(k, _)| k % 4, work, source));
        (0..items).for_each(|_| drop(poll_until_idle(&mut map)));
        drop(map);
        assert_eq!(Rc::strong_count(&token), 1);
    }
}

/// A future is dropped before the next one of its key is made.
#[test]
fn a_future_is_dropped_before_the_next_of_its_key_is_made() {
    struct Alive(Rc<Cell<u32>>, bool);
    impl Future for Alive {
        type Output = ();
        fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
            if core::mem::replace(&mut self.1, true) {
                return Poll::Ready(());
            }
            cx.waker().wake_by_ref();
            Poll::Pending
        }
    }
    impl Drop for Alive {
        fn drop(&mut self) {
            self.0.set(self.0.get() - 1);
        }
    }
    let alive = Rc::new(Cell::new(0));
    let work = |_| {
        assert_eq!(alive.replace(1), 0);
        Alive(alive.clone(), false)
    };
    let map = map_workers_by(100, |_| (), work, stream::iter(0..100));
    assert_eq!(block_on(map.count()), 100);
}
