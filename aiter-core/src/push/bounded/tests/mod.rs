//! Tests on one thread, polled by hand.

extern crate std;

mod cancelled;
mod next_many;
mod panics;
mod random;
#[cfg(feature = "sink")]
mod sink;

use super::*;
use crate::{
    PushError, Stopped, TryNextError,
    test_support::{Wakes, poll},
};
use alloc::{boxed::Box, vec::Vec};
use core::{
    pin::Pin,
    task::{Context, Poll, Waker},
};

/// A future that is polled by hand, with a waker of its own.
struct Polled<F> {
    future: Pin<Box<F>>,
    wakes: alloc::sync::Arc<Wakes>,
    waker: Waker,
}

fn polled<F: Future>(future: F) -> Polled<F> {
    let (wakes, waker) = Wakes::new();
    Polled {
        future: Box::pin(future),
        wakes,
        waker,
    }
}

impl<F: Future> Polled<F> {
    fn poll(&mut self) -> Poll<F::Output> {
        self.future
            .as_mut()
            .poll(&mut Context::from_waker(&self.waker))
    }

    /// Polls it for the first time, and expects that it has to wait.
    fn waiting(mut self) -> Self {
        assert!(self.poll().is_pending());
        assert_eq!(self.wakes.taken(), 0);
        self
    }

    /// Expects that it was woken, and is ready.
    fn woken(&mut self) -> F::Output {
        assert_eq!(self.wakes.taken(), 1, "it is woken, once");
        match self.poll() {
            Poll::Ready(output) => output,
            Poll::Pending => panic!("it has to be ready"),
        }
    }

    fn assert_waits(&mut self) {
        assert_eq!(self.wakes.taken(), 0);
        assert!(self.poll().is_pending());
    }
}

fn full<T: Clone>(n: usize, item: T) -> (BoundedPusher<T>, BoundedAiter<T>) {
    let (pusher, aiter) = push_aiter_bounded(n);
    for _ in 0..n {
        pusher.try_push(item.clone()).unwrap();
    }
    assert!(matches!(pusher.try_push(item), Err(PushError::Full(_))));
    (pusher, aiter)
}

#[test]
fn no_more_than_n_items_wait_and_each_one_taken_makes_room() {
    for n in [1, 2, 63, 64, 65, 200] {
        let (pusher, mut aiter) = push_aiter_bounded(n);
        let (mut pushed, mut taken) = (0, 0);
        for round in 0..400 {
            while pusher.try_push(pushed).is_ok() {
                pushed += 1;
            }
            assert_eq!(pushed - taken, n);
            assert_eq!(pusher.try_push(7), Err(PushError::Full(7)));
            assert_eq!(aiter.len(), n);
            for _ in 0..=round % n {
                assert_eq!(aiter.try_next(), Ok(taken));
                taken += 1;
            }
        }
    }
}

#[test]
fn a_limit_of_usize_max_is_a_limit_like_any_other() {
    let (pusher, mut aiter) = push_aiter_bounded(usize::MAX);
    for n in 0..10_000 {
        pusher.try_push(n).unwrap();
    }
    let permits: Vec<_> = (0..10_000).map(|_| pusher.try_reserve().unwrap()).collect();
    drop(permits);
    for n in 0..10_000 {
        assert_eq!(aiter.try_next(), Ok(n));
    }
    assert_eq!(aiter.try_next(), Err(TryNextError::Empty));
}

#[test]
#[should_panic = "push_aiter_bounded: n must be at least 1"]
fn a_limit_of_zero_panics() {
    drop(push_aiter_bounded::<u8>(0));
}

#[test]
fn items_without_a_size_count_too() {
    let (pusher, mut aiter) = full(3, ());
    aiter.try_next().unwrap();
    pusher.try_push(()).unwrap();
    assert_eq!(pusher.try_push(()), Err(PushError::Full(())));
}

#[test]
fn pushers_that_wait_get_their_places_in_order_and_nobody_overtakes_them() {
    let (pusher, mut aiter) = full(2, 0);
    let mut waiting: Vec<_> = (1..=100)
        .map(|n| polled(pusher.push(n)).waiting())
        .collect();
    for n in 1..=100 {
        aiter.try_next().unwrap();
        // The place belongs to the first one, before it is polled.
        assert_eq!(pusher.try_push(-1), Err(PushError::Full(-1)));
        assert!(pusher.try_reserve().is_err());
        if let Some(second) = waiting.get_mut(n) {
            second.assert_waits();
        }
        waiting[n - 1].woken().unwrap();
    }
    assert_eq!(aiter.len(), 2);
    assert_eq!(aiter.try_next(), Ok(99));
    assert_eq!(aiter.try_next(), Ok(100));
    pusher.try_push(101).unwrap();
}

#[test]
fn each_place_that_is_free_goes_to_one_of_those_who_wait() {
    let (pusher, mut aiter) = full(3, 0);
    let mut waiting: Vec<_> = (1..=5).map(|n| polled(pusher.push(n)).waiting()).collect();
    for _ in 0..3 {
        aiter.try_next().unwrap();
    }
    // Each has its place, in whatever order they are polled. Items come in the order of the pushes.
    for n in [3, 1, 2] {
        waiting[n - 1].woken().unwrap();
    }
    waiting[3].assert_waits();
    assert!(aiter.available_iter().eq(&[3, 1, 2]));
}

#[test]
fn a_place_that_waits_to_be_used_is_counted_and_others_go_beyond_it() {
    let (pusher, mut aiter) = full(3, 0);
    let mut first = polled(pusher.push(1)).waiting();
    for _ in 0..3 {
        aiter.try_next().unwrap();
    }
    // One place is for the first, and two are left.
    pusher.try_push(2).unwrap();
    pusher.try_push(3).unwrap();
    assert_eq!(pusher.try_push(4), Err(PushError::Full(4)));
    first.woken().unwrap();
    assert!(aiter.available_iter().eq(&[2, 3, 1]));
}

#[test]
fn permits_count_and_items_stand_in_the_order_of_their_pushes() {
    let (pusher, mut aiter) = push_aiter_bounded(3);
    let first = pusher.try_reserve().unwrap();
    let second = pusher.try_reserve_owned().unwrap();
    pusher.try_push(1).unwrap();
    assert_eq!(pusher.try_push(2), Err(PushError::Full(2)));
    assert_eq!(pusher.try_reserve().err(), Some(PushError::Full(())));
    second.push(2).unwrap();
    first.push(3).unwrap();
    for n in 1..=3 {
        assert_eq!(aiter.try_next(), Ok(n));
    }
    // All three places are free again.
    let permits: Vec<_> = (0..3).map(|_| pusher.try_reserve().unwrap()).collect();
    assert!(pusher.try_reserve().is_err());
    drop(permits);
    assert!(pusher.try_reserve().is_ok());
}

#[test]
fn a_permit_that_is_dropped_goes_to_the_next() {
    let (pusher, aiter) = push_aiter_bounded(1);
    let permit = pusher.try_reserve().unwrap();
    let mut first = polled(pusher.push(1)).waiting();
    let mut second = polled(pusher.reserve()).waiting();
    let mut third = polled(pusher.reserve_owned()).waiting();
    drop(permit);
    second.assert_waits();
    first.woken().unwrap();
    drop(aiter);
    assert!(matches!(second.woken(), Err(Stopped(()))));
    assert!(matches!(third.woken(), Err(Stopped(()))));
}

#[test]
fn reserve_waits_and_its_permit_keeps_the_place() {
    let (pusher, mut aiter) = full(1, 0);
    let mut permit = polled(pusher.reserve()).waiting();
    let mut owned = polled(pusher.reserve_owned()).waiting();
    aiter.try_next().unwrap();
    let permit = permit.woken().unwrap();
    owned.assert_waits();
    permit.push(1).unwrap();
    owned.assert_waits();
    assert_eq!(aiter.try_next(), Ok(1));
    owned.woken().unwrap().push(2).unwrap();
    assert_eq!(aiter.try_next(), Ok(2));
}

#[test]
fn an_owned_permit_keeps_the_list_open() {
    let (pusher, mut aiter) = push_aiter_bounded(2);
    let permit = pusher.try_reserve_owned().unwrap();
    let mut waiting = polled(pusher.reserve_owned());
    drop(pusher);
    assert_eq!(aiter.try_next(), Err(TryNextError::Empty));
    permit.push(1).unwrap();
    let Poll::Ready(Ok(permit)) = waiting.poll() else {
        panic!("there is room");
    };
    drop(waiting);
    assert_eq!(aiter.try_next(), Ok(1));
    assert_eq!(aiter.try_next(), Err(TryNextError::Empty));
    drop(permit);
    assert_eq!(aiter.try_next(), Err(TryNextError::Ended));
}

#[test]
fn stop_gives_back_what_waits_and_does_not_wait_for_permits() {
    let (pusher, mut aiter) = push_aiter_bounded(2);
    pusher.try_push(1).unwrap();
    let permit = pusher.try_reserve().unwrap();
    let mut waiting: Vec<_> = (2..100).map(|n| polled(pusher.push(n)).waiting()).collect();
    pusher.clone().stop();
    for (n, waiting) in (2..).zip(&mut waiting) {
        assert_eq!(waiting.woken(), Err(Stopped(n)));
    }
    assert!(pusher.is_stopped() && aiter.is_stopped());
    assert_eq!(permit.push(5), Err(Stopped(5)));
    assert_eq!(pusher.try_push(6), Err(PushError::Stopped(6)));
    assert_eq!(pusher.try_reserve().err(), Some(PushError::Stopped(())));
    assert_eq!(polled(pusher.push(7)).poll(), Poll::Ready(Err(Stopped(7))));
    assert!(matches!(
        polled(pusher.reserve()).poll(),
        Poll::Ready(Err(_))
    ));
    assert_eq!(aiter.try_next(), Ok(1));
    assert_eq!(aiter.try_next(), Err(TryNextError::Ended));
}

#[test]
fn a_full_list_that_is_stopped_says_so() {
    let (pusher, _aiter) = full(1, 0);
    pusher.stop();
    assert_eq!(pusher.try_push(1), Err(PushError::Stopped(1)));
}

#[test]
fn a_place_that_was_given_before_a_stop_is_refused_when_it_is_used() {
    let (pusher, mut aiter) = full(1, 0);
    let mut push = polled(pusher.push(1)).waiting();
    let mut reserve = polled(pusher.reserve()).waiting();
    aiter.try_next().unwrap();
    pusher.stop();
    assert_eq!(push.woken(), Err(Stopped(1)));
    assert!(reserve.woken().is_err());
    assert_eq!(aiter.try_next(), Err(TryNextError::Ended));
}

#[test]
fn the_slowest_consumer_counts_and_one_that_goes_makes_room() {
    let (pusher, mut first) = push_aiter_bounded(2);
    let mut slow = first.fork();
    let mut late = first.fork_passive();
    pusher.try_push(1).unwrap();
    pusher.try_push(2).unwrap();
    assert_eq!((first.try_next(), first.try_next()), (Ok(1), Ok(2)));
    let mut waiting = polled(pusher.push(3)).waiting();
    assert_eq!(slow.try_next(), Ok(1));
    waiting.assert_waits();
    assert_eq!(late.try_next(), Ok(1));
    waiting.woken().unwrap();
    let mut waiting = polled(pusher.push(4)).waiting();
    assert_eq!(late.try_next(), Ok(2));
    waiting.assert_waits();
    // It is the only one that has not taken 2.
    drop(slow);
    waiting.woken().unwrap();
    let mut waiting = polled(pusher.push(5)).waiting();
    drop(first);
    waiting.assert_waits();
    drop(late);
    assert_eq!(waiting.woken(), Err(Stopped(5)));
}

#[test]
fn a_subscriber_counts_from_the_next_item_on() {
    let (pusher, mut first) = full(2, 0);
    let mut late = pusher.subscribe();
    assert_eq!(late.try_next(), Err(TryNextError::Empty));
    first.try_next().unwrap();
    first.try_next().unwrap();
    pusher.try_push(1).unwrap();
    pusher.try_push(2).unwrap();
    assert_eq!(first.try_next(), Ok(1));
    let mut waiting = polled(pusher.push(3)).waiting();
    assert_eq!(late.try_next(), Ok(1));
    waiting.woken().unwrap();
    assert!(late.available_iter().eq(&[2, 3]));
}

/// The slots that subscribers reserve hold no items.
#[test]
fn ten_thousand_subscribers_take_no_place() {
    let (pusher, mut aiter) = push_aiter_bounded(1);
    for n in 0..10_000 {
        let late = pusher.subscribe();
        pusher.try_push(n).unwrap();
        assert_eq!(pusher.try_push(n), Err(PushError::Full(n)));
        drop(late);
        assert_eq!(aiter.try_next(), Ok(n));
    }
}

#[test]
fn ten_thousand_consumers_and_pushers() {
    const MANY: usize = if cfg!(miri) { 30 } else { 10_000 };
    let (pusher, mut first) = full(1, 0);
    let mut forks: Vec<_> = (0..MANY).map(|_| first.fork()).collect();
    let mut waiting: Vec<_> = (0..MANY)
        .map(|n| polled(pusher.push(n)).waiting())
        .collect();
    first.try_next().unwrap();
    for fork in &mut forks {
        assert_eq!(waiting[0].wakes.taken(), 0);
        fork.try_next().unwrap();
    }
    waiting[0].woken().unwrap();
    drop(forks);
    for (n, waiting) in waiting.iter_mut().enumerate() {
        if n != 0 {
            waiting.woken().unwrap();
        }
        assert_eq!(first.try_next(), Ok(n));
    }
}

#[test]
fn a_consumer_that_waits_is_woken_by_every_way_to_push() {
    let (pusher, mut aiter) = push_aiter_bounded(1);
    let (wakes, waker) = Wakes::new();
    let pushes: [&dyn Fn(); 4] = [
        &|| pusher.try_push(0).unwrap(),
        &|| pusher.try_reserve().unwrap().push(0).unwrap(),
        &|| pusher.try_reserve_owned().unwrap().push(0).unwrap(),
        &|| assert!(polled(pusher.push(0)).poll().is_ready()),
    ];
    for push in pushes {
        assert!(poll(&mut aiter, &waker).is_pending());
        push();
        assert_eq!(wakes.taken(), 1);
        assert_eq!(poll(&mut aiter, &waker), Poll::Ready(Some(0)));
    }
}

#[test]
fn a_push_keeps_only_the_last_waker_and_none_when_it_is_ready() {
    let (pusher, mut aiter) = full(1, 0);
    let mut push = polled(pusher.push(1)).waiting();
    let (other, waker) = Wakes::new();
    let strong = alloc::sync::Arc::strong_count;
    assert_eq!(strong(&push.wakes), 3);
    let poll = push.future.as_mut().poll(&mut Context::from_waker(&waker));
    assert!(poll.is_pending());
    assert_eq!((strong(&push.wakes), strong(&other)), (2, 3));
    aiter.try_next().unwrap();
    assert_eq!((push.wakes.taken(), other.taken()), (0, 1));
    assert!(push.poll().is_ready());
    assert_eq!((strong(&push.wakes), strong(&other)), (2, 2));
}

#[test]
#[should_panic = "polled after it was ready"]
fn a_push_that_is_polled_after_it_was_ready_panics() {
    let (pusher, _aiter) = push_aiter_bounded(2);
    let mut push = polled(pusher.push(1));
    assert!(push.poll().is_ready());
    let _ = push.poll();
}

#[test]
fn the_queue_gives_memory_back_and_readers_stop_reporting() {
    let (pusher, mut aiter) = full(1, 0);
    let waiting: Vec<_> = (0..1000)
        .map(|_| polled(pusher.push(0)).waiting())
        .collect();
    drop(waiting);
    assert!(pusher.shared().places().is_watched());
    aiter.try_next().unwrap();
    assert!(!pusher.shared().places().is_watched());
    pusher.try_push(0).unwrap();
}
