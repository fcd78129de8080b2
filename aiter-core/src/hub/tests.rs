//! Tests of hubs on one thread, polled by hand.

extern crate std;

use super::*;
use crate::{TryNextError, bound::unbounded, test_support::Wakes};
use alloc::{sync::Arc, vec::Vec};
use core::{
    pin::{Pin, pin},
    task::{Context, Poll},
};
use futures_core::{FusedStream, Stream};

type Hub<T> = PushHub<T, Retain<Unbounded>>;

fn retaining<T>(items: usize) -> Hub<T> {
    push_hub(unbounded().retain(items))
}

fn available<T: Clone>(aiter: &PushAiter<T>) -> Vec<T> {
    aiter.available_iter().cloned().collect()
}

fn take_all<T>(aiter: &mut PushAiter<T>) -> Vec<T> {
    core::iter::from_fn(|| aiter.try_next().ok()).collect()
}

#[test]
fn a_hub_outlives_its_readers() {
    let hub = push_hub(unbounded());
    for round in 0..3 {
        hub.push(round * 10).unwrap();
        let mut reader = hub.subscribe();
        assert_eq!(reader.try_next(), Err(TryNextError::Empty));
        // Over the border of a block.
        for n in 0..100 {
            hub.push(round * 10 + n).unwrap();
        }
        assert_eq!(reader.try_next(), Ok(round * 10));
        assert_eq!(hub.readers(), 1);
    }
    assert_eq!(hub.readers(), 0);
    assert_eq!(hub.statistics().pushed, 303);
    assert_eq!(hub.statistics().waiting, 0);
}

#[test]
fn nothing_is_kept_without_readers() {
    let item = Arc::new(());
    let hub = push_hub(unbounded());
    hub.push(item.clone()).unwrap();
    assert_eq!(Arc::strong_count(&item), 1);
    let reader = hub.subscribe();
    hub.push_all(core::iter::repeat_n(item.clone(), 100))
        .unwrap();
    assert_eq!(Arc::strong_count(&item), 101);
    drop(reader);
    assert_eq!(Arc::strong_count(&item), 1);
    hub.push_all(core::iter::repeat_n(item.clone(), 100))
        .unwrap();
    assert_eq!(Arc::strong_count(&item), 1);
    assert_eq!(hub.statistics().pushed, 201);
    assert_eq!(hub.statistics().taken, 201);
}

#[test]
fn only_the_latest_are_retained() {
    for retain in [1, 2, 63, 64, 65, 200] {
        let hub = retaining(retain);
        let items: Vec<_> = (0..300).map(Arc::new).collect();
        for (n, item) in items.iter().enumerate() {
            hub.push(item.clone()).unwrap();
            let kept = items
                .iter()
                .filter(|item| Arc::strong_count(item) > 1)
                .count();
            assert_eq!(kept, retain.min(n + 1));
            if n % 7 == 0 {
                let expected = &items[(n + 1).saturating_sub(retain)..=n];
                assert!(hub.replay().available_iter().eq(expected));
                assert!(hub.subscribe().is_empty());
            }
        }
        drop(hub);
        assert!(items.iter().all(|item| Arc::strong_count(item) == 1));
    }
}

#[test]
fn retained_items_are_kept_for_readers_at_any_pace() {
    let item = Arc::new(());
    let hub = retaining(3);
    let mut slow = hub.subscribe();
    let mut fast = hub.replay();
    for _ in 0..1000 {
        hub.push(item.clone()).unwrap();
        fast.try_next().unwrap();
    }
    assert_eq!((slow.len(), fast.len()), (1000, 0));
    assert_eq!(Arc::strong_count(&item), 1001);
    assert_eq!(take_all(&mut slow).len(), 1000);
    // Those that two readers have passed at once may be in a block with later ones.
    assert!(Arc::strong_count(&item) <= 65);
    drop((slow, fast));
    hub.push_all(core::iter::repeat_n(item.clone(), 100))
        .unwrap();
    assert_eq!(Arc::strong_count(&item), 4);
}

#[test]
fn zero_is_retained_and_so_is_everything() {
    let hub = retaining(0);
    hub.push(1).unwrap();
    assert!(hub.replay().is_empty());
    let hub = retaining(usize::MAX);
    hub.push_all(0..1000).unwrap();
    assert_eq!(hub.replay().len(), 1000);
    assert_eq!(hub.readers(), 0);
}

#[test]
fn a_stopped_hub_gives_what_is_retained_and_then_the_end() {
    let hub = retaining(2);
    let waiting = hub.subscribe();
    hub.push_all([1, 2, 3]).unwrap();
    hub.stop();
    hub.stop();
    assert!(hub.is_stopped());
    assert_eq!(hub.push(4).unwrap_err().0, 4);
    assert_eq!(hub.push_all([5, 6]).unwrap_err().0, [5, 6]);
    hub.push_all([]).unwrap();
    for (mut reader, expected) in [
        (waiting, &[1, 2, 3][..]),
        (hub.replay(), &[2, 3]),
        (hub.subscribe(), &[]),
    ] {
        assert!(reader.is_stopped());
        assert_eq!(take_all(&mut reader), expected);
        assert!(reader.is_terminated());
    }
    let hub = push_hub(unbounded());
    hub.stop();
    assert_eq!(hub.push(4).unwrap_err().0, 4);
    assert_eq!(hub.push_all([5, 6]).unwrap_err().0, [5, 6]);
    assert_eq!(hub.subscribe().try_next(), Err(TryNextError::Ended));
    assert_eq!(hub.readers(), 0);
}

#[test]
fn the_drop_of_the_last_handle_stops_the_hub() {
    let hub = retaining(1);
    let mut reader = hub.subscribe();
    let mut replayed = hub.replay();
    hub.push(1).unwrap();
    drop(hub.clone());
    assert!(!reader.is_stopped());
    let weak = hub.downgrade();
    drop(hub);
    assert!(weak.upgrade().is_none());
    for reader in [&mut reader, &mut replayed] {
        assert_eq!(reader.try_next(), Ok(1));
        assert_eq!(reader.try_next(), Err(TryNextError::Ended));
    }
}

#[test]
fn readers_are_woken() {
    let hub = retaining(1);
    let (wakes, waker) = Wakes::new();
    let mut cx = Context::from_waker(&waker);
    let mut reader = hub.subscribe();
    assert_eq!(Pin::new(&mut reader).poll_next(&mut cx), Poll::Pending);
    hub.push('a').unwrap();
    assert_eq!(wakes.count(), 1);
    assert_eq!(
        Pin::new(&mut reader).poll_next(&mut cx),
        Poll::Ready(Some('a'))
    );
    assert_eq!(Pin::new(&mut reader).poll_next(&mut cx), Poll::Pending);
    hub.stop();
    assert_eq!(wakes.count(), 2);
    assert_eq!(Pin::new(&mut reader).poll_next(&mut cx), Poll::Ready(None));
}

#[test]
fn idle_and_occupied_follow_the_users_readers() {
    for retain in [0, 1] {
        let hub = retaining::<u8>(retain);
        let (wakes, waker) = Wakes::new();
        let mut cx = Context::from_waker(&waker);
        assert!(pin!(hub.idle()).poll(&mut cx).is_ready());
        {
            let mut occupied = pin!(hub.occupied());
            assert!(occupied.as_mut().poll(&mut cx).is_pending());
            let reader = hub.replay();
            assert_eq!(wakes.count(), 1);
            // Another look may find that it has gone again.
            drop(reader);
            assert!(occupied.as_mut().poll(&mut cx).is_pending());
            let _reader = hub.subscribe();
            assert_eq!(wakes.count(), 2);
            assert!(occupied.as_mut().poll(&mut cx).is_ready());
        }
        let mut reader = hub.subscribe();
        let mut idle = pin!(hub.idle());
        assert!(idle.as_mut().poll(&mut cx).is_pending());
        let fork = reader.fork();
        drop(reader);
        assert_eq!(wakes.count(), 2);
        drop(fork);
        assert_eq!(wakes.count(), 3);
        assert!(idle.as_mut().poll(&mut cx).is_ready());
    }
}

#[test]
fn a_wait_that_is_dropped_keeps_no_waker() {
    let hub = retaining::<u8>(1);
    let (wakes, waker) = Wakes::new();
    let count = Arc::strong_count(&wakes);
    for _ in 0..2 {
        let mut occupied = hub.occupied();
        let mut cx = Context::from_waker(&waker);
        assert!(Pin::new(&mut occupied).poll(&mut cx).is_pending());
        drop(occupied);
        assert_eq!(Arc::strong_count(&wakes), count);
    }
}

#[test]
fn ten_thousand_readers_come_and_go() {
    let hub = retaining(2);
    hub.push_all([1, 2, 3]).unwrap();
    let mut readers: Vec<_> = (0..10_000).map(|_| hub.replay()).collect();
    hub.push(4).unwrap();
    assert_eq!(hub.readers(), 10_000);
    for reader in readers.iter_mut().rev() {
        assert_eq!(take_all(reader), [2, 3, 4]);
    }
    drop(readers);
    assert_eq!(hub.readers(), 0);
    assert_eq!(available(&hub.replay()), [3, 4]);
}
