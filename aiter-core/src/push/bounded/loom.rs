//! Models of a bounded list on several threads. A pusher that is not woken is a deadlock, which
//! loom reports.

use super::*;
use crate::{
    PushError,
    test_support::loom::{Task, block_on, large_model, model},
};
use ::loom::thread;
use core::{
    pin::pin,
    task::{Context, Poll, Waker},
};

fn full(n: usize) -> (BoundedPusher<usize>, BoundedAiter<usize>) {
    let (pusher, aiter) = push_aiter_bounded(n);
    for item in 0..n {
        pusher.try_push(item).unwrap();
    }
    (pusher, aiter)
}

#[test]
fn loom_a_take_races_a_push_that_begins_to_wait() {
    model(|| {
        let (pusher, mut aiter) = full(1);
        let pushing = thread::spawn(move || block_on(pusher.push(1)));
        assert_eq!(aiter.try_next(), Ok(0));
        assert_eq!(Task::new(aiter).next(), Some(1));
        pushing.join().unwrap().unwrap();
    });
}

#[test]
fn loom_two_pushers_begin_to_wait_while_two_items_are_taken() {
    large_model(|| {
        let (pusher, mut aiter) = full(2);
        let other = pusher.clone();
        let pushing = [(pusher.clone(), 2), (other, 3)]
            .map(|(pusher, item)| thread::spawn(move || block_on(pusher.push(item)).unwrap()));
        assert_eq!(aiter.try_next(), Ok(0));
        assert_eq!(aiter.try_next(), Ok(1));
        for pushing in pushing {
            pushing.join().unwrap();
        }
        assert!(pusher.try_push(4).is_err());
        assert_eq!(aiter.len(), 2);
    });
}

#[test]
fn loom_one_of_two_pushers_gets_the_last_place() {
    model(|| {
        let (pusher, aiter) = push_aiter_bounded(1);
        let other = pusher.clone();
        let pushing = thread::spawn(move || other.try_push(1).is_ok());
        let reserved = pusher.try_reserve();
        let pushed = pushing.join().unwrap();
        assert!(pushed != reserved.is_ok());
        drop(reserved);
        assert_eq!(aiter.len(), usize::from(pushed));
    });
}

#[test]
fn loom_a_try_push_races_a_take() {
    model(|| {
        let (pusher, mut aiter) = full(1);
        let pushing = thread::spawn(move || match pusher.try_push(1) {
            Ok(()) => 1,
            Err(PushError::Full(_)) => 0,
            Err(PushError::Stopped(_)) => panic!("it is open"),
        });
        assert_eq!(aiter.try_next(), Ok(0));
        let pushed = pushing.join().unwrap();
        assert_eq!(aiter.len(), pushed);
    });
}

/// The first of two pushers that wait is dropped before, while or after it gets its place.
#[test]
fn loom_a_wait_is_dropped_while_it_gets_its_place() {
    model(|| {
        let (pusher, mut aiter) = full(1);
        let other = pusher.clone();
        let taking = thread::spawn(move || {
            assert_eq!(aiter.try_next(), Ok(0));
            aiter
        });
        {
            let mut first = pin!(pusher.push(1));
            let poll = first.as_mut().poll(&mut Context::from_waker(Waker::noop()));
            if poll.is_ready() {
                drop(taking.join().unwrap());
                return;
            }
        }
        block_on(other.push(2)).unwrap();
        assert_eq!(taking.join().unwrap().try_next(), Ok(2));
    });
}

#[test]
fn loom_the_second_waits_while_the_first_is_dropped() {
    large_model(|| {
        let (pusher, mut aiter) = full(1);
        let other = pusher.clone();
        let first = pusher.reserve_owned();
        let mut first = alloc::boxed::Box::pin(first);
        let poll = first.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        assert!(poll.is_pending());
        let second = thread::spawn(move || block_on(other.push(2)).unwrap());
        let dropping = thread::spawn(move || drop(first));
        assert_eq!(aiter.try_next(), Ok(0));
        assert_eq!(Task::new(aiter).next(), Some(2));
        second.join().unwrap();
        dropping.join().unwrap();
    });
}

#[test]
fn loom_a_stop_races_a_wait() {
    model(|| {
        let (pusher, aiter) = full(1);
        let other = pusher.clone();
        let pushing = thread::spawn(move || block_on(other.push(1)));
        pusher.stop();
        assert_eq!(pushing.join().unwrap().unwrap_err().0, 1);
        drop(aiter);
    });
}

#[test]
fn loom_the_last_consumer_is_dropped_while_a_push_begins_to_wait() {
    model(|| {
        let (pusher, aiter) = full(1);
        let pushing = thread::spawn(move || block_on(pusher.push(1)));
        drop(aiter);
        assert_eq!(pushing.join().unwrap().unwrap_err().0, 1);
    });
}

#[test]
fn loom_a_permit_is_dropped_while_a_push_begins_to_wait() {
    model(|| {
        let (pusher, aiter) = push_aiter_bounded(1);
        let permit = pusher.try_reserve_owned().unwrap();
        let pushing = thread::spawn(move || block_on(pusher.push(1)).unwrap());
        drop(permit);
        pushing.join().unwrap();
        assert_eq!(aiter.len(), 1);
    });
}

#[test]
fn loom_the_slowest_consumer_goes_while_a_push_begins_to_wait() {
    large_model(|| {
        let (pusher, mut aiter) = full(1);
        let slow = aiter.fork();
        assert_eq!(aiter.try_next(), Ok(0));
        let pushing = thread::spawn(move || block_on(pusher.push(1)).unwrap());
        drop(slow);
        pushing.join().unwrap();
        assert_eq!(aiter.try_next(), Ok(1));
    });
}

#[test]
fn loom_two_consumers_pass_an_item_while_a_push_begins_to_wait() {
    large_model(|| {
        let (pusher, mut aiter) = full(1);
        let mut fork = aiter.fork();
        let pushing = thread::spawn(move || block_on(pusher.push(1)).unwrap());
        let taking = thread::spawn(move || {
            assert_eq!(fork.try_next(), Ok(0));
            fork
        });
        assert_eq!(aiter.try_next(), Ok(0));
        pushing.join().unwrap();
        let mut fork = taking.join().unwrap();
        assert_eq!((aiter.try_next(), fork.try_next()), (Ok(1), Ok(1)));
    });
}

/// The same where the push waits already, so that both consumers find that it does.
#[test]
fn loom_two_consumers_pass_an_item_while_a_push_waits() {
    large_model(|| {
        let (pusher, mut aiter) = full(1);
        let mut fork = aiter.fork();
        let mut push = alloc::boxed::Box::pin(pusher.reserve_owned());
        let poll = push.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        assert!(poll.is_pending());
        let taking = thread::spawn(move || {
            assert_eq!(fork.try_next(), Ok(0));
            fork
        });
        assert_eq!(aiter.try_next(), Ok(0));
        let _fork = taking.join().unwrap();
        // The place is the push's, without a further look.
        assert!(pusher.try_reserve().is_err());
        drop(push);
        assert!(pusher.try_reserve().is_ok());
    });
}

/// Readers stop reporting once nobody waits. A push that begins to wait at that moment has them
/// report again.
#[test]
fn loom_readers_stop_reporting_while_a_push_begins_to_wait() {
    large_model(|| {
        let (pusher, mut aiter) = full(2);
        {
            let mut gone = pin!(pusher.push(9));
            let poll = gone.as_mut().poll(&mut Context::from_waker(Waker::noop()));
            assert!(poll.is_pending());
        }
        let other = pusher.clone();
        let pushing = thread::spawn(move || {
            block_on(other.push(2)).unwrap();
            block_on(other.push(3)).unwrap();
        });
        assert_eq!(aiter.try_next(), Ok(0));
        assert_eq!(aiter.try_next(), Ok(1));
        let mut task = Task::new(aiter);
        assert_eq!((task.next(), task.next()), (Some(2), Some(3)));
        pushing.join().unwrap();
    });
}

/// Two places become free at once, and the first push that waits gets one of them. The next one to
/// arrive finds the other.
#[test]
fn loom_a_take_and_a_permit_make_room_at_once() {
    large_model(|| {
        let (pusher, mut aiter) = push_aiter_bounded(2);
        pusher.try_push(0).unwrap();
        let permit = pusher.try_reserve_owned().unwrap();
        let mut first = alloc::boxed::Box::pin(pusher.reserve_owned());
        let poll = first.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        assert!(poll.is_pending());
        let taking = thread::spawn(move || {
            assert_eq!(aiter.try_next(), Ok(0));
            aiter
        });
        let dropping = thread::spawn(move || drop(permit));
        block_on(pusher.push(1)).unwrap();
        drop(first);
        dropping.join().unwrap();
        assert_eq!(taking.join().unwrap().try_next(), Ok(1));
    });
}

/// A batch begins beside another consumer and ends ahead of it, so each of the two may be the last
/// to pass the first item.
#[test]
fn loom_a_batch_and_another_consumer_pass_an_item_while_a_push_waits() {
    large_model(|| {
        let (pusher, mut aiter) = full(2);
        let mut fork = aiter.fork();
        let mut push = alloc::boxed::Box::pin(pusher.reserve_owned());
        let mut cx = Context::from_waker(Waker::noop());
        assert!(push.as_mut().poll(&mut cx).is_pending());
        let taking = thread::spawn(move || {
            assert_eq!(fork.try_next(), Ok(0));
            fork
        });
        let mut taken = alloc::vec::Vec::new();
        let batch = pin!(aiter.next_many(&mut taken, 2)).poll(&mut cx);
        assert_eq!((batch, taken), (Poll::Ready(2), [0, 1].into()));
        let _fork = taking.join().unwrap();
        // It does not look at the consumers again.
        assert!(push.as_mut().poll(&mut cx).is_ready());
    });
}

/// Each of them may be the slowest consumer afterwards, and the only one. Their slots are no items,
/// and each has to know how many such slots are before its own.
#[test]
fn loom_subscribers_that_come_at_once_keep_to_the_limit() {
    for stays in 0..3 {
        subscribers_come_at_once(move |subscriber| stays == 2 || stays == subscriber);
    }
}

fn subscribers_come_at_once(stays: impl Fn(usize) -> bool + Copy + Send + Sync + 'static) {
    model(move || {
        let (pusher, aiter) = push_aiter_bounded(1);
        let others = [(); 2].map(|()| {
            let pusher = pusher.clone();
            thread::spawn(move || pusher.subscribe())
        });
        let readers = others.map(|other| other.join().unwrap());
        let readers = readers.into_iter().enumerate();
        let readers = readers.filter_map(|(n, reader)| stays(n).then_some(reader));
        let mut readers: alloc::vec::Vec<_> = readers.collect();
        drop(aiter);
        for item in 0..2 {
            assert_eq!(pusher.try_push(item), Ok(()));
            assert_eq!(pusher.try_push(9), Err(PushError::Full(9)));
            for reader in &mut readers {
                assert_eq!(reader.try_next(), Ok(item));
            }
        }
    });
}
