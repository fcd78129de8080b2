//! Items that are taken many at once.

use super::*;
use crate::test_support::{panic_of, panicking_waker};

fn take<T>(aiter: &mut BoundedAiter<T>, buf: &mut Vec<T>, limit: usize) -> Poll<usize> {
    Pin::new(&mut aiter.next_many(buf, limit)).poll(&mut Context::from_waker(Waker::noop()))
}

#[test]
fn a_batch_makes_room_for_as_many_pushers() {
    for n in [1, 2, 63, 64, 65, 200] {
        for limit in [1, 2, 64, 100, usize::MAX] {
            for forked in [false, true] {
                let (pusher, mut aiter) = full(n, 0);
                let mut fork = forked.then(|| aiter.fork());
                let mut waiting: Vec<_> =
                    (1..=n).map(|n| polled(pusher.push(n)).waiting()).collect();
                let taken = n.min(limit);
                for aiter in fork.as_mut().into_iter().chain([&mut aiter]) {
                    // The first of two makes no room.
                    assert!(waiting.iter().all(|push| push.wakes.count() == 0));
                    let mut buf = Vec::from([7]);
                    assert_eq!(take(aiter, &mut buf, limit), Poll::Ready(taken));
                    assert_eq!(buf.len(), 1 + taken);
                }
                for push in &mut waiting[..taken] {
                    push.woken().unwrap();
                }
                for push in &mut waiting[taken..] {
                    push.assert_waits();
                }
                assert!(pusher.try_push(0).is_err());
            }
        }
    }
}

/// The first of two consumers is the slowest where it begins, and passes the other one.
#[test]
fn a_batch_that_overtakes_another_consumer_makes_room_up_to_that_one() {
    for ahead in 1..4 {
        let (pusher, mut aiter) = full(4, 0);
        let mut other = aiter.fork();
        assert_eq!(take(&mut other, &mut Vec::new(), ahead), Poll::Ready(ahead));
        let mut waiting: Vec<_> = (1..=4).map(|n| polled(pusher.push(n)).waiting()).collect();
        assert_eq!(take(&mut aiter, &mut Vec::new(), 4), Poll::Ready(4));
        for push in &mut waiting[..ahead] {
            push.woken().unwrap();
        }
        for push in &mut waiting[ahead..] {
            push.assert_waits();
        }
        assert_eq!(take(&mut other, &mut Vec::new(), 9), Poll::Ready(4));
        for push in &mut waiting[ahead..] {
            push.woken().unwrap();
        }
    }
}

#[test]
fn it_waits_for_the_first_item_only_and_gives_0_at_the_end() {
    let (pusher, mut aiter) = push_aiter_bounded(3);
    let mut buf = Vec::new();
    {
        let dropped = polled(aiter.next_many(&mut buf, 9)).waiting();
        pusher.try_push(1).unwrap();
        assert_eq!(dropped.wakes.taken(), 1);
        pusher.try_push(2).unwrap();
    }
    assert!(buf.is_empty());
    {
        let mut future = polled(aiter.next_many(&mut buf, 9));
        assert_eq!(future.poll(), Poll::Ready(2));
        let mut future = future.waiting();
        drop(pusher);
        assert_eq!(future.woken(), 0);
        assert_eq!(alloc::sync::Arc::strong_count(&future.wakes), 2);
    }
    assert_eq!(buf, [1, 2]);
}

#[test]
#[should_panic = "next_many: limit must be at least 1"]
fn a_batch_of_at_most_0_panics() {
    drop(push_aiter_bounded::<u8>(1).1.next_many(&mut Vec::new(), 0));
}

#[test]
fn a_clone_that_panics_in_a_batch_makes_the_room_of_what_was_passed() {
    struct Fails(usize);
    impl Clone for Fails {
        fn clone(&self) -> Self {
            assert!(self.0 != 2, "clone");
            Self(self.0)
        }
    }
    let (pusher, mut aiter) = push_aiter_bounded(4);
    for n in 0..4 {
        pusher.try_push(Fails(n)).ok().unwrap();
    }
    let mut other = aiter.fork();
    assert!(other.try_next().is_ok());
    let mut waiting: Vec<_> = (0..3)
        .map(|_| polled(pusher.push(Fails(7))).waiting())
        .collect();
    let mut buf = Vec::new();
    assert_eq!(panic_of(|| take(&mut aiter, &mut buf, 4)), "clone");
    assert!(buf.drain(..).map(|item| item.0).eq([0, 1]));
    assert!(waiting[0].woken().is_ok());
    // It has passed the item that panicked, and so the other one moves it.
    assert_eq!(take(&mut other, &mut buf, 2), Poll::Ready(2));
    assert!(buf.drain(..).map(|item| item.0).eq([1, 2]));
    for push in &mut waiting[1..] {
        assert!(push.woken().is_ok());
    }
    assert_eq!(take(&mut aiter, &mut buf, 9), Poll::Ready(4));
    assert!(buf.iter().map(|item| item.0).eq([3, 7, 7, 7]));
}

#[test]
fn a_pushers_waker_that_panics_loses_no_item_of_the_batch() {
    let (pusher, mut aiter) = full(2, 0);
    let mut bad = Box::pin(pusher.push(1));
    let poll = bad
        .as_mut()
        .poll(&mut Context::from_waker(&panicking_waker()));
    assert!(poll.is_pending());
    let mut good = polled(pusher.push(2)).waiting();
    let mut buf = Vec::new();
    panic_of(|| take(&mut aiter, &mut buf, 2));
    assert_eq!(buf, [0, 0]);
    good.woken().unwrap();
    drop(bad);
    assert_eq!(take(&mut aiter, &mut buf, 2), Poll::Ready(1));
    assert_eq!(buf, [0, 0, 2]);
}
