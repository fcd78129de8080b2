//! `map_workers` and `map_workers_ordered`: how many futures are in work, in which order results
//! come, and what a panic loses.

extern crate std;

use crate::test_support::{Wakes, source};
use crate::{map_workers, map_workers_by, map_workers_ordered};
use alloc::{boxed::Box, collections::VecDeque, rc::Rc, vec, vec::Vec};
use core::{
    cell::{Cell, RefCell},
    future::{Future, pending, poll_fn, ready},
    panic::AssertUnwindSafe,
    task::{Context, Poll, Waker},
};
use futures_core::{FusedStream, Stream};
use futures_lite::{
    StreamExt,
    future::{block_on, yield_now},
    stream,
};
use std::panic::catch_unwind;

/// Futures that the test completes by number.
#[derive(Clone, Default)]
pub(super) struct Controller(pub(super) Rc<ControllerState>);

#[derive(Default)]
pub(super) struct ControllerState {
    pub(super) work: RefCell<Vec<(u32, Option<Waker>, bool)>>,
    pub(super) started: Cell<usize>,
    pub(super) polls: Cell<usize>,
}

impl Controller {
    pub(super) fn start(&self, k: u32) -> impl Future<Output = u32> + use<> {
        let controller = self.clone();
        controller.0.started.set(controller.0.started.get() + 1);
        controller.0.work.borrow_mut().push((k, None, false));
        poll_fn(move |cx| {
            controller.0.polls.set(controller.0.polls.get() + 1);
            let mut work = controller.0.work.borrow_mut();
            let at = work.iter().position(|entry| entry.0 == k).unwrap();
            if work[at].2 {
                work.remove(at);
                return Poll::Ready(k);
            }
            work[at].1 = Some(cx.waker().clone());
            Poll::Pending
        })
    }

    pub(super) fn finish(&self, k: u32) {
        let mut work = self.0.work.borrow_mut();
        let entry = work.iter_mut().find(|entry| entry.0 == k).expect("in work");
        entry.2 = true;
        let waker = entry.1.take();
        drop(work);
        waker.expect("polled").wake();
    }

    pub(super) fn in_work(&self) -> usize {
        self.0.work.borrow().len()
    }
}

pub(super) fn poll_until_idle<S: Stream + Unpin>(stream: &mut S) -> Poll<Option<S::Item>> {
    let (count, waker) = Wakes::new();
    loop {
        let polled = stream.poll_next(&mut Context::from_waker(&waker));
        if polled.is_ready() || count.taken() == 0 {
            return polled;
        }
    }
}

#[test]
fn empty_and_single() {
    assert_eq!(
        poll_until_idle(&mut map_workers(1, ready::<u8>, stream::empty())),
        Poll::Ready(None)
    );
    assert_eq!(
        poll_until_idle(&mut map_workers_ordered(1, ready::<u8>, stream::empty())),
        Poll::Ready(None)
    );
    let mut one = map_workers(1, ready, stream::once(1));
    assert_eq!(one.size_hint(), (1, Some(1)));
    assert_eq!(poll_until_idle(&mut one), Poll::Ready(Some(1)));
    assert_eq!(poll_until_idle(&mut one), Poll::Ready(None));
    assert!(one.is_terminated());
    let mut one = map_workers_ordered(1, ready, stream::once(1));
    assert_eq!(one.size_hint(), (1, Some(1)));
    assert_eq!(poll_until_idle(&mut one), Poll::Ready(Some(1)));
    assert_eq!(poll_until_idle(&mut one), Poll::Ready(None));
    assert!(one.is_terminated());
}

#[test]
fn results_come_as_they_complete_and_workers_are_refilled() {
    let controller = Controller::default();
    let start = controller.clone();
    let mut map = map_workers(3, move |k| start.start(k), stream::iter(0..6));
    assert_eq!(poll_until_idle(&mut map), Poll::Pending);
    assert_eq!((controller.in_work(), controller.0.polls.get()), (3, 3));
    assert_eq!(map.size_hint(), (6, Some(6)));
    controller.finish(2);
    assert_eq!(poll_until_idle(&mut map), Poll::Ready(Some(2)));
    assert_eq!(poll_until_idle(&mut map), Poll::Pending);
    assert_eq!(
        (
            controller.in_work(),
            controller.0.started.get(),
            controller.0.polls.get()
        ),
        (3, 4, 5)
    );
    controller.finish(0);
    controller.finish(3);
    assert_eq!(poll_until_idle(&mut map), Poll::Ready(Some(0)));
    assert_eq!(poll_until_idle(&mut map), Poll::Ready(Some(3)));
    assert_eq!(poll_until_idle(&mut map), Poll::Pending);
    for k in [5, 1, 4] {
        controller.finish(k);
        assert_eq!(poll_until_idle(&mut map), Poll::Ready(Some(k)));
    }
    assert_eq!(poll_until_idle(&mut map), Poll::Ready(None));
    assert_eq!(controller.0.polls.get(), 12);
}

#[test]
fn ordered_results_wait_for_earlier_ones_within_the_limit() {
    let controller = Controller::default();
    let start = controller.clone();
    let mut map = map_workers_ordered(3, move |k| start.start(k), stream::iter(0..6));
    assert_eq!(poll_until_idle(&mut map), Poll::Pending);
    controller.finish(2);
    controller.finish(1);
    assert_eq!(poll_until_idle(&mut map), Poll::Pending);
    // Two results are held and one future is in work, which together reach the limit.
    assert_eq!((controller.in_work(), controller.0.started.get()), (1, 3));
    assert_eq!(map.size_hint(), (6, Some(6)));
    controller.finish(0);
    for k in 0..3 {
        assert_eq!(poll_until_idle(&mut map), Poll::Ready(Some(k)));
    }
    assert_eq!(poll_until_idle(&mut map), Poll::Pending);
    assert_eq!(controller.in_work(), 3);
    for k in [5, 3, 4] {
        controller.finish(k);
    }
    for k in 3..6 {
        assert_eq!(poll_until_idle(&mut map), Poll::Ready(Some(k)));
    }
    assert_eq!(poll_until_idle(&mut map), Poll::Ready(None));
    assert!(map.is_terminated());
}

#[test]
fn usize_max_is_a_limit() {
    let mix = |k: u32| async move {
        for _ in 0..k % 4 {
            yield_now().await;
        }
        k
    };
    let mut all: Vec<_> = block_on(map_workers(usize::MAX, mix, stream::iter(0..1000)).collect());
    all.sort_unstable();
    assert_eq!(all, (0..1000).collect::<Vec<_>>());
    let all: Vec<_> =
        block_on(map_workers_ordered(usize::MAX, mix, stream::iter(0..1000)).collect());
    assert_eq!(all, (0..1000).collect::<Vec<_>>());
    assert!(core::mem::size_of_val(&map_workers(usize::MAX, ready, stream::iter(0..9))) < 512);
}

#[test]
fn every_number_of_workers_yields_all_results() {
    for n in 1..40 {
        let limit = Rc::new(Cell::new((0, 0)));
        let work = |k: u32| {
            let limit = limit.clone();
            let now = limit.get().0 + 1;
            limit.set((now, limit.get().1.max(now)));
            async move {
                for _ in 0..(k * 7 + n as u32) % 5 {
                    yield_now().await;
                }
                limit.set((limit.get().0 - 1, limit.get().1));
                k
            }
        };
        let all: Vec<_> = block_on(map_workers_ordered(n, work, stream::iter(0..200)).collect());
        assert_eq!(all, (0..200).collect::<Vec<_>>());
        assert!(limit.get().1 <= n);
        let mut all: Vec<_> = block_on(map_workers(n, work, stream::iter(0..200)).collect());
        all.sort_unstable();
        assert_eq!(all, (0..200).collect::<Vec<_>>());
        assert!(limit.get().1 <= n);
    }
}

#[test]
fn fresh_ready_futures_do_not_starve_those_that_woke() {
    let controller = Controller::default();
    let start = controller.clone();
    let work = move |k: u32| {
        let waits = (k == 0).then(|| start.start(k));
        async move {
            match waits {
                Some(future) => future.await,
                None => k,
            }
        }
    };
    let mut map = Box::pin(map_workers(2, work, stream::iter(0..)));
    assert_eq!(poll_until_idle(&mut map), Poll::Ready(Some(1)));
    controller.finish(0);
    let wait = (0..)
        .find(|_| poll_until_idle(&mut map) == Poll::Ready(Some(0)))
        .unwrap();
    assert!(wait <= 32, "waited for {wait} items");
}

#[test]
fn a_slow_first_future_holds_results_up_to_the_limit() {
    let controller = Controller::default();
    let start = controller.clone();
    let taken = Rc::new(Cell::new(0));
    let count = taken.clone();
    let work = move |k: u32| {
        count.set(count.get() + 1);
        let waits = (k == 0).then(|| start.start(k));
        async move {
            match waits {
                Some(future) => future.await,
                None => k,
            }
        }
    };
    let mut map = Box::pin(map_workers_ordered(100, work, stream::iter(0..)));
    assert_eq!(poll_until_idle(&mut map), Poll::Pending);
    assert_eq!(taken.get(), 100);
    controller.finish(0);
    for k in 0..1000 {
        assert_eq!(poll_until_idle(&mut map), Poll::Ready(Some(k)));
    }
}

#[test]
fn an_unlimited_ordered_map_yields_and_polls_the_first() {
    let (count, waker) = Wakes::new();
    let work = |k: u32| async move {
        if k == 0 {
            yield_now().await;
        }
        k
    };
    let mut map = Box::pin(map_workers_ordered(usize::MAX, work, stream::iter(0..)));
    let mut polls = 0;
    while map.poll_next(&mut Context::from_waker(&waker)) != Poll::Ready(Some(0)) {
        assert_eq!(count.taken(), 1, "yields");
        polls += 1;
        assert!(polls < 10);
    }
}

#[test]
fn a_panic_loses_its_item_only() {
    for pending in [false, true] {
        let work = move |k: u32| async move {
            if pending {
                yield_now().await;
            }
            assert!(k % 10 != 3, "future {k}");
            k
        };
        let expected: Vec<_> = (0..100).filter(|k| k % 10 != 3).collect();

        let mut map = Box::pin(map_workers_ordered(4, work, stream::iter(0..100)));
        let (seen, panics) = collect(&mut map);
        assert_eq!((&seen, panics), (&expected, 10));
        assert!(map.is_terminated());

        let mut map = Box::pin(map_workers(4, work, stream::iter(0..100)));
        let (mut seen, panics) = collect(&mut map);
        seen.sort_unstable();
        assert_eq!((&seen, panics), (&expected, 10));
    }
}

pub(super) fn collect<S: Stream + Unpin>(map: &mut S) -> (Vec<S::Item>, usize) {
    let (mut seen, mut panics) = (Vec::new(), 0);
    loop {
        match catch_unwind(AssertUnwindSafe(|| poll_until_idle(map))) {
            Ok(Poll::Ready(Some(k))) => seen.push(k),
            Ok(Poll::Ready(None)) => return (seen, panics),
            Ok(Poll::Pending) => panic!("stuck"),
            Err(_) => panics += 1,
        }
    }
}

#[test]
fn a_panic_of_the_closure_loses_its_item_only() {
    let work = |k: u32| {
        assert!(k % 10 != 3, "closure {k}");
        ready(k)
    };
    let expected: Vec<_> = (0..100).filter(|k| k % 10 != 3).collect();
    assert_eq!(
        collect(&mut map_workers_ordered(4, work, stream::iter(0..100))),
        (expected.clone(), 10)
    );
    assert_eq!(
        collect(&mut map_workers(4, work, stream::iter(0..100))),
        (expected, 10)
    );
}

#[test]
fn the_last_in_order_may_panic() {
    let controller = Controller::default();
    let start = controller.clone();
    let work = move |k: u32| {
        let future = start.start(k);
        async move {
            let k = future.await;
            assert!(k == 0);
            k
        }
    };
    let mut map = Box::pin(map_workers_ordered(3, work, stream::iter(0..3)));
    assert_eq!(poll_until_idle(&mut map), Poll::Pending);
    for k in [2, 1] {
        controller.finish(k);
        assert!(catch_unwind(AssertUnwindSafe(|| poll_until_idle(&mut map))).is_err());
        assert_eq!(poll_until_idle(&mut map), Poll::Pending);
    }
    assert_eq!(map.size_hint(), (1, Some(1)));
    controller.finish(0);
    assert_eq!(poll_until_idle(&mut map), Poll::Ready(Some(0)));
    assert_eq!(poll_until_idle(&mut map), Poll::Ready(None));
    assert!(map.is_terminated());
}

#[test]
fn the_source_is_polled_when_it_woke_and_there_is_room() {
    let (incoming, feeder) = source([]);
    let controller = Controller::default();
    let start = controller.clone();
    let mut map = map_workers(2, move |k| start.start(k), incoming);
    assert_eq!(poll_until_idle(&mut map), Poll::Pending);
    assert_eq!(feeder.polls(), 1);
    feeder.push(0);
    assert_eq!(poll_until_idle(&mut map), Poll::Pending);
    assert_eq!(feeder.polls(), 3);
    controller.finish(0);
    assert_eq!(poll_until_idle(&mut map), Poll::Ready(Some(0)));
    assert_eq!(poll_until_idle(&mut map), Poll::Pending);
    assert_eq!(feeder.polls(), 3, "the source did not wake");
    (1..4).for_each(|k| feeder.push(k));
    assert_eq!(poll_until_idle(&mut map), Poll::Pending);
    assert_eq!(
        (feeder.polls(), feeder.waiting()),
        (5, 1),
        "no room for the third"
    );
    controller.finish(2);
    assert_eq!(poll_until_idle(&mut map), Poll::Ready(Some(2)));
    assert_eq!(poll_until_idle(&mut map), Poll::Pending);
    assert_eq!(feeder.waiting(), 0);
    feeder.end();
    drop(map);
    assert!(feeder.is_dropped());
}

#[test]
fn dropping_drops_futures_and_results() {
    let token = Rc::new(());
    for ordered in [false, true] {
        for items in 0..20 {
            let work = |k: u32| {
                let token = token.clone();
                async move {
                    if k % 3 == 0 {
                        yield_now().await;
                    }
                    if k == 15 {
                        pending::<()>().await;
                    }
                    token
                }
            };
            let source = stream::iter(0..100);
            if ordered {
                let mut map = Box::pin(map_workers_ordered(5, work, source));
                (0..items).for_each(|_| drop(poll_until_idle(&mut map)));
            } else {
                let mut map = Box::pin(map_workers(5, work, source));
                (0..items).for_each(|_| drop(poll_until_idle(&mut map)));
            }
            assert_eq!(Rc::strong_count(&token), 1);
        }
    }
}

#[test]
fn a_pending_future_is_polled_again_by_its_own_wake_only() {
    let wakers = Rc::new(RefCell::new(VecDeque::new()));
    let polls = Rc::new(Cell::new(0));
    let work = |_: u32| {
        let (wakers, polls) = (wakers.clone(), polls.clone());
        poll_fn(move |cx| {
            polls.set(polls.get() + 1);
            wakers.borrow_mut().push_back(cx.waker().clone());
            Poll::<()>::Pending
        })
    };
    let mut map = map_workers(100, work, stream::iter(0..100));
    assert_eq!(poll_until_idle(&mut map), Poll::Pending);
    assert_eq!(polls.get(), 100);
    for _ in 0..300 {
        let waker = wakers.borrow_mut().pop_front().unwrap();
        waker.wake();
        assert_eq!(poll_until_idle(&mut map), Poll::Pending);
    }
    assert_eq!(polls.get(), 400);
}

/// A worker is refilled before the next result is returned. Whenever the stream is pending, `n`
/// futures are in work.
#[test]
fn a_worker_is_refilled_as_soon_as_it_is_free() {
    let controller = Controller::default();
    let start = controller.clone();
    let mut map = map_workers(3, move |k| start.start(k), stream::iter(0..9));
    assert_eq!(poll_until_idle(&mut map), Poll::Pending);
    [0, 1, 2].into_iter().for_each(|k| controller.finish(k));
    for k in 0..3 {
        assert_eq!(poll_until_idle(&mut map), Poll::Ready(Some(k)));
        assert_eq!(controller.0.started.get(), 3 + k as usize);
    }
    assert_eq!(poll_until_idle(&mut map), Poll::Pending);
    let mut work = vec![5, 3, 4];
    for fresh in 6..12 {
        assert_eq!(controller.in_work(), work.len());
        let k = work.remove(fresh % work.len());
        controller.finish(k);
        assert_eq!(poll_until_idle(&mut map), Poll::Ready(Some(k)));
        work.extend((fresh < 9).then_some(fresh as u32));
        let expected = match work.is_empty() {
            true => Poll::Ready(None),
            false => Poll::Pending,
        };
        assert_eq!(poll_until_idle(&mut map), expected);
    }
}

#[test]
fn a_future_that_panics_when_it_is_dropped_loses_its_item_only() {
    struct Bomb(u32, bool);
    impl Future for Bomb {
        type Output = u32;
        fn poll(mut self: core::pin::Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<u32> {
            if core::mem::take(&mut self.1) {
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            Poll::Ready(self.0)
        }
    }
    impl Drop for Bomb {
        fn drop(&mut self) {
            assert!(self.0 % 10 != 3, "drop of {}", self.0);
        }
    }
    let expected: Vec<_> = (0..100).filter(|k| k % 10 != 3).collect();
    for pending in [false, true] {
        let work = move |k| Bomb(k, pending);
        for n in [1, 4, 200] {
            let mut map = map_workers_ordered(n, work, stream::iter(0..100));
            assert_eq!(collect(&mut map), (expected.clone(), 10));
            assert!(map.is_terminated());

            let mut map = map_workers(n, work, stream::iter(0..100));
            let (mut seen, panics) = collect(&mut map);
            seen.sort_unstable();
            assert_eq!((&seen, panics), (&expected, 10));
        }
    }
}

/// The result goes with the future whose drop panics.
#[test]
fn the_result_of_a_future_that_panics_when_it_is_dropped_is_dropped() {
    struct Bomb(Rc<()>);
    impl Future for Bomb {
        type Output = Rc<()>;
        fn poll(self: core::pin::Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Rc<()>> {
            Poll::Ready(self.0.clone())
        }
    }
    impl Drop for Bomb {
        fn drop(&mut self) {
            panic!("drop");
        }
    }
    let token = Rc::new(());
    let work = |_| Bomb(token.clone());
    let mut map = map_workers(4, work, stream::iter(0..10));
    assert_eq!(collect(&mut map), (vec![], 10));
    let mut ordered = map_workers_ordered(4, work, stream::iter(0..10));
    assert_eq!(collect(&mut ordered), (vec![], 10));
    let mut by_key = map_workers_by(4, |k| k % 2, work, stream::iter(0..10));
    assert_eq!(collect(&mut by_key), (vec![], 10));
    assert_eq!(Rc::strong_count(&token), 1);
}
