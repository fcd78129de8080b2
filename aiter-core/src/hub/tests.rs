//! Tests of hubs on one thread, polled by hand.

extern crate std;

use super::*;
use crate::{
    PushAiter, TryNextError,
    bound::{Retain, Seen, latest, skip, unbounded},
    test_support::{Wakes, panic_of, panicking_waker, poll},
};
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

fn seen<T>(aiter: &mut SkipAiter<T>) -> Vec<(usize, T)> {
    core::iter::from_fn(|| aiter.try_next().ok())
        .map(|Seen { missed, item }| (missed, item))
        .collect()
}

#[test]
fn a_reader_that_may_miss_items_is_told_how_many() {
    for retain in [0, 1, 5] {
        let hub = push_hub(skip(2).retain(retain));
        hub.push_all(0..10).unwrap();
        let mut reader = hub.subscribe();
        let mut slow = hub.subscribe();
        assert_eq!(reader.try_next(), Err(TryNextError::Empty));
        hub.push(10).unwrap();
        assert_eq!(seen(&mut reader), [(0, 10)]);
        hub.push_all(11..20).unwrap();
        // What came before its first item is not missed.
        assert_eq!(seen(&mut slow), [(0, 18), (0, 19)]);
        assert_eq!(seen(&mut reader), [(7, 18), (0, 19)]);
        hub.push_all([20, 21, 22]).unwrap();
        let mut fork = slow.fork();
        assert_eq!(seen(&mut fork), [(1, 21), (0, 22)]);
        drop(fork);
        hub.stop();
        assert_eq!(seen(&mut slow), [(1, 21), (0, 22)]);
        assert_eq!(slow.try_next(), Err(TryNextError::Ended));
        assert!(slow.is_terminated() && slow.is_stopped());
        assert_eq!(hub.readers(), 2);
        drop((slow, reader));
        assert_eq!(hub.readers(), 0);
    }
}

#[test]
fn a_replay_lags_by_no_more_than_its_bound() {
    let hub = push_hub(skip(3).retain(10));
    hub.push_all(0..20).unwrap();
    assert_eq!(seen(&mut hub.replay()), [(0, 17), (0, 18), (0, 19)]);
    assert!(
        hub.replay_with(unbounded())
            .available_iter()
            .copied()
            .eq(10..20)
    );
    let mut wide = hub.replay_with(skip(100));
    hub.push(20).unwrap();
    assert!(seen(&mut wide).into_iter().eq((10..21).map(|n| (0, n))));
    assert_eq!(seen(&mut hub.subscribe_with(skip(100))), []);
    hub.stop();
    assert_eq!(seen(&mut hub.replay()), [(0, 18), (0, 19), (0, 20)]);
    assert_eq!(hub.readers(), 1);
}

#[test]
fn the_latest_value_is_there_at_once() {
    let hub = push_hub(latest());
    let mut early = hub.replay();
    assert_eq!(early.try_next(), Err(TryNextError::Empty));
    for n in 0..100 {
        hub.push(n).unwrap();
        let replayed = hub.replay().try_next();
        assert_eq!(replayed, Ok(Seen { missed: 0, item: n }));
        if n % 10 == 9 {
            let missed = if n == 9 { 0 } else { 9 };
            assert_eq!(early.try_next(), Ok(Seen { missed, item: n }));
        }
    }
}

#[test]
fn a_hub_keeps_no_more_than_its_readers_may_read() {
    let item = Arc::new(());
    let kept = || Arc::strong_count(&item) - 1;
    let hub = push_hub(skip(5));
    let push = |items| {
        hub.push_all(core::iter::repeat_n(item.clone(), items))
            .unwrap()
    };
    push(100);
    assert_eq!(kept(), 0);
    // It is never polled.
    let idle = hub.subscribe();
    push(1000);
    assert_eq!(kept(), 5);
    let mut lossless = hub.subscribe_with(unbounded());
    push(50);
    assert_eq!((lossless.len(), take_all(&mut lossless).len()), (50, 50));
    assert!(kept() <= 5 + 64);
    drop((idle, lossless));
    assert_eq!(kept(), 0);
    push(100);
    assert_eq!(kept(), 0);
    assert_eq!(hub.statistics().pushed, 1250);
}

#[test]
fn readers_that_may_miss_items_are_woken() {
    for retain in [0, 2] {
        let hub = push_hub(skip(2).retain(retain));
        let (wakes, waker) = Wakes::new();
        let mut reader = hub.subscribe();
        let mut other = hub.subscribe();
        assert!(poll(&mut reader, &waker).is_pending());
        assert!(poll(&mut other, &waker).is_pending());
        hub.push('a').unwrap();
        assert_eq!(wakes.count(), 2);
        let a = Seen {
            missed: 0,
            item: 'a',
        };
        assert_eq!(poll(&mut reader, &waker), Poll::Ready(Some(a)));
        hub.push('b').unwrap();
        // Neither waits.
        assert_eq!(wakes.count(), 2);
        assert!(seen(&mut reader).into_iter().eq([(0, 'b')]));
        assert!(poll(&mut reader, &waker).is_pending());
        hub.stop();
        assert_eq!(wakes.count(), 3);
        assert_eq!(poll(&mut reader, &waker), Poll::Ready(None));
    }
}

/// The batch is in several blocks, and the readers sleep at its first slot.
#[test]
fn a_batch_is_pushed_whole_also_if_a_waker_panics() {
    for retained in [0, 1, 100] {
        let hub = retaining(retained);
        let (mut first, mut second) = (hub.subscribe(), hub.subscribe());
        let (wakes, waker) = Wakes::new();
        assert!(poll(&mut first, &panicking_waker()).is_pending());
        assert!(poll(&mut second, &waker).is_pending());
        assert_eq!(panic_of(|| hub.push_all(0..200)), "waker");
        assert_eq!(wakes.taken(), 1);
        let late = hub.replay();
        let all = Vec::from_iter(0..200);
        assert_eq!([available(&first), available(&second)], [&*all, &*all]);
        assert_eq!(available(&late), all[200 - retained..]);
        // Those that come later know where they start.
        hub.push(200).unwrap();
        assert_eq!(take_all(&mut hub.subscribe()), []);
        assert_eq!(available(&late).len(), retained + 1);
        assert_eq!(take_all(&mut first).len(), 201);
    }
}

#[test]
fn readers_that_may_miss_items_are_woken_also_if_the_waker_of_another_panics() {
    for retain in [0, 2] {
        let hub = push_hub(skip(2).retain(retain));
        let calls: [fn(&PushHub<u8, _>); 3] = [
            |hub| hub.push(1).unwrap(),
            |hub| hub.push_all([2, 3]).unwrap(),
            |hub| hub.stop(),
        ];
        for call in calls {
            let (wakes, waker) = Wakes::new();
            let mut reader = hub.subscribe();
            let mut panics = hub.subscribe_with(unbounded());
            assert!(poll(&mut reader, &waker).is_pending());
            assert!(poll(&mut panics, &panicking_waker()).is_pending());
            assert_eq!(panic_of(|| call(&hub)), "waker");
            assert_eq!(wakes.count(), 1);
        }
    }
}

#[test]
fn a_reader_keeps_no_waker_after_the_end_or_of_another_task() {
    let hub = push_hub::<u8, _>(skip(2));
    let mut reader = hub.subscribe();
    let (first, waker) = Wakes::new();
    let count = Arc::strong_count(&first);
    assert!(poll(&mut reader, &waker).is_pending());
    let (second, other) = Wakes::new();
    let other_count = Arc::strong_count(&second);
    assert!(poll(&mut reader, &other).is_pending());
    assert_eq!(Arc::strong_count(&first), count);
    hub.stop();
    assert_eq!(poll(&mut reader, &other), Poll::Ready(None));
    assert_eq!(Arc::strong_count(&second), other_count);
}

#[test]
fn a_stopped_hub_has_ended_readers_with_any_bound() {
    let hub = push_hub::<u8, _>(skip(2));
    hub.stop();
    assert_eq!(hub.subscribe().try_next(), Err(TryNextError::Ended));
    assert_eq!(
        hub.subscribe_with(unbounded()).try_next(),
        Err(TryNextError::Ended)
    );
    assert_eq!(hub.readers(), 0);
}

/// Readers of each kind in any order, at their own pace, against a model.
#[test]
fn each_reader_sees_what_its_bound_says() {
    let hub = push_hub(skip(3).retain(4));
    let mut pushed = 0;
    let mut lossy: Vec<(SkipAiter<u32>, usize, u32, bool)> = Vec::new();
    let mut lossless: Vec<(PushAiter<u32>, u32)> = Vec::new();
    let mut random = 12345_u32;
    let mut next = |n: u32| {
        random = random.wrapping_mul(1664525).wrapping_add(1013904223);
        (random >> 16) % n
    };
    for _ in 0..crate::test_support::many(20_000) {
        match next(10) {
            0..4 => {
                hub.push(pushed).unwrap();
                pushed += 1;
            }
            4 => {
                let items = next(8);
                hub.push_all(pushed..pushed + items).unwrap();
                pushed += items;
            }
            5 if lossy.len() < 8 => {
                let limit = 1 + next(6) as usize;
                lossy.push(match next(2) {
                    0 => (hub.subscribe_with(skip(limit)), limit, pushed, true),
                    _ => (
                        hub.replay_with(skip(limit)),
                        limit,
                        pushed.saturating_sub(4),
                        true,
                    ),
                });
            }
            6 if lossless.len() < 4 => lossless.push(match next(2) {
                0 => (hub.subscribe_with(unbounded()), pushed),
                _ => (hub.replay_with(unbounded()), pushed.saturating_sub(4)),
            }),
            7 if !lossy.is_empty() => {
                let at = next(lossy.len() as u32) as usize;
                drop(lossy.swap_remove(at));
            }
            8 if !lossless.is_empty() => {
                let at = next(lossless.len() as u32) as usize;
                drop(lossless.swap_remove(at));
            }
            _ => {
                for (reader, limit, at, is_first) in &mut lossy {
                    if next(2) == 0 {
                        continue;
                    }
                    let oldest = pushed.saturating_sub(*limit as u32).max(*at);
                    let expected = (oldest < pushed).then(|| Seen {
                        missed: if *is_first {
                            0
                        } else {
                            (oldest - *at) as usize
                        },
                        item: oldest,
                    });
                    assert_eq!(reader.try_next().ok(), expected);
                    if expected.is_some() {
                        (*at, *is_first) = (oldest + 1, false);
                    }
                }
                for (reader, at) in &mut lossless {
                    let expected = (*at < pushed).then_some(*at);
                    assert_eq!(reader.try_next().ok(), expected);
                    *at += u32::from(expected.is_some());
                }
            }
        }
        assert_eq!(hub.readers(), lossy.len() + lossless.len());
        assert_eq!(hub.statistics().pushed, pushed as usize);
    }
}
