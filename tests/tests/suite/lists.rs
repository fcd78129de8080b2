//! Push lists, also the one without an allocator.

use crate::{
    common::{ITEMS, collect, is_sorted, push_numbers},
    runtime::Runtime,
};
use aiter_core::{
    PushAiter, PushError, Pusher, Stopped, TryNextError,
    bound::{skip, unbounded},
    fixed, iter_to_aiter, push_aiter, push_aiter_bounded, push_aiter_with, push_hub,
};
use futures::SinkExt;
use futures_lite::{
    FutureExt, StreamExt,
    future::{poll_once, yield_now, zip},
};
use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering::SeqCst},
};

pub(crate) async fn each_pusher_keeps_its_order<R: Runtime>() {
    let (pusher, aiter) = push_aiter();
    let taker = collect::<R, _>(aiter);
    let pushers = [0, 1, 2].map(|k| push_numbers::<R>(pusher.clone(), k * ITEMS..(k + 1) * ITEMS));
    drop(pusher);
    for pusher in pushers {
        pusher.await;
    }
    let items = taker.await;
    assert_eq!(items.len(), 3 * ITEMS);
    for k in 0..3 {
        let own: Vec<_> = items.iter().copied().filter(|n| n / ITEMS == k).collect();
        assert!(is_sorted(&own) && own.len() == ITEMS);
    }
}

pub(crate) async fn a_batch_stays_together<R: Runtime>() {
    let (pusher, aiter) = push_aiter();
    let taker = collect::<R, _>(aiter);
    pusher.push(0).unwrap();
    let other = push_numbers::<R>(pusher.clone(), 1000..1100);
    pusher.push_all(1..100).unwrap();
    other.await;
    drop(pusher);
    let items = taker.await;
    let start = items.iter().position(|n| *n == 1).unwrap();
    assert!(items[start..start + 99].iter().copied().eq(1..100));
}

pub(crate) async fn stop_wakes_readers_and_refuses_pushes<R: Runtime>() {
    let (pusher, aiter) = push_aiter::<usize>();
    let taker = collect::<R, _>(aiter);
    yield_now().await;
    pusher.stop();
    assert!(taker.await.is_empty());
    assert!(pusher.is_stopped());
    assert_eq!(pusher.push(1), Err(Stopped(1)));
    let mut late = pusher.subscribe();
    assert_eq!(late.next().await, None);
}

pub(crate) async fn pushers_of_a_bounded_list_wait_for_room<R: Runtime>() {
    let (pusher, mut aiter) = push_aiter_bounded(3);
    let mut fork = aiter.fork();
    let pushers = [0, 1].map(|k| {
        let pusher = pusher.clone();
        R::spawn(async move {
            for n in k * ITEMS..(k + 1) * ITEMS {
                pusher.push(n).await.unwrap();
            }
        })
    });
    let taker = R::spawn(async move {
        let mut items = Vec::new();
        while let Some(item) = aiter.next().await {
            assert!(aiter.len() <= 3);
            items.push(item);
        }
        items
    });
    // The other one waits for this one, which counts too.
    for _ in 0..ITEMS {
        assert!(fork.next().await.is_some());
        assert!(fork.len() <= 3);
    }
    drop(fork);
    for pusher in pushers {
        pusher.await;
    }
    drop(pusher);
    let items = taker.await;
    assert_eq!(items.len(), 2 * ITEMS);
    for k in 0..2 {
        let own: Vec<_> = items.iter().copied().filter(|n| n / ITEMS == k).collect();
        assert!(is_sorted(&own) && own.len() == ITEMS);
    }
}

pub(crate) async fn first_come_is_first_served_with_a_place<R: Runtime>() {
    let (pusher, mut aiter) = push_aiter_bounded(1);
    pusher.push(0).await.unwrap();
    let mut waiting = [1, 2, 3].map(|n| Box::pin(pusher.push(n)));
    for push in &mut waiting {
        assert!(poll_once(push).await.is_none());
    }
    let [first, second, third] = waiting;
    let taking = R::spawn(async move { (aiter.next().await, aiter) });
    first.await.unwrap();
    let (taken, mut aiter) = taking.await;
    assert_eq!(taken, Some(0));
    assert_eq!(pusher.try_push(4), Err(PushError::Full(4)));
    let taken = async { [aiter.next().await, aiter.next().await, aiter.next().await] };
    // They are polled in another order than that in which they came.
    let (pushed, taken) = zip(zip(third, second), taken).await;
    assert_eq!(pushed, (Ok(()), Ok(())));
    assert_eq!(taken, [Some(1), Some(2), Some(3)]);
}

pub(crate) async fn a_permit_keeps_room_for_an_item<R: Runtime>() {
    let (pusher, mut aiter) = push_aiter_bounded(2);
    let owned = pusher.reserve_owned().await.unwrap();
    let permit = pusher.reserve().await.unwrap();
    assert_eq!(pusher.try_push(0), Err(PushError::Full(0)));
    assert!(pusher.try_reserve().is_err() && pusher.try_reserve_owned().is_err());
    R::spawn(async move { owned.push(1).unwrap() }).await;
    permit.push(2).unwrap();
    assert_eq!((aiter.next().await, aiter.next().await), (Some(1), Some(2)));
    drop(pusher.try_reserve().unwrap());
    let both = [(); 2].map(|()| pusher.try_reserve_owned().unwrap());
    let waiting = R::spawn({
        let pusher = pusher.clone();
        async move { pusher.push(3).await }
    });
    yield_now().await;
    drop(both);
    assert_eq!(waiting.await, Ok(()));
    assert_eq!(aiter.next().await, Some(3));
}

pub(crate) async fn a_bounded_pusher_is_a_sink<R: Runtime>() {
    let (pusher, mut aiter) = push_aiter_bounded(2);
    let sink = pusher.clone().into_sink();
    let forwarding = futures::StreamExt::forward(iter_to_aiter((0..100).map(Ok)), sink);
    let forwarding = R::spawn(forwarding);
    for n in 0..100 {
        assert!(aiter.len() <= 2);
        assert_eq!(aiter.next().await, Some(n));
    }
    assert_eq!(forwarding.await, Ok(()));
    // The sink was closed by `forward`, and this pusher is the last one.
    assert!(!aiter.is_stopped());
    let mut sink = pusher.into_sink();
    sink.send(100).await.unwrap();
    drop(aiter);
    assert_eq!(sink.send(101).await, Err(Stopped(())));
}

pub(crate) async fn a_stop_refuses_pushers_that_wait<R: Runtime>() {
    let (pusher, mut aiter) = push_aiter_bounded(1);
    let permit = pusher.reserve().await.unwrap();
    let waiting = R::spawn({
        let pusher = pusher.clone();
        async move {
            let reserved = pusher.reserve_owned().await.is_ok();
            (reserved, pusher.push(1).await)
        }
    });
    yield_now().await;
    pusher.stop();
    assert_eq!(waiting.await, (false, Err(Stopped(1))));
    assert!(pusher.reserve().await.is_err());
    assert_eq!(permit.push(2), Err(Stopped(2)));
    assert_eq!(pusher.try_push(3), Err(PushError::Stopped(3)));
    assert_eq!(aiter.next().await, None);
}

pub(crate) async fn a_subscriber_sees_items_pushed_from_there_on<R: Runtime>() {
    let (pusher, aiter) = push_aiter();
    pusher.push(1).unwrap();
    let late = pusher.subscribe();
    pusher.push(2).unwrap();
    drop(pusher);
    let [early, late] = [aiter, late].map(|aiter| collect::<R, _>(aiter));
    assert_eq!((early.await, late.await), (vec![1, 2], vec![2]));
}

pub(crate) async fn available_items_are_seen_without_waiting<R: Runtime>() {
    let (pusher, mut aiter) = push_aiter();
    assert_eq!(aiter.try_next(), Err(TryNextError::Empty));
    R::spawn(async move { pusher.push_all(0..5).unwrap() }).await;
    assert!(aiter.available_iter().copied().eq(0..5));
    assert!(aiter.is_stopped() && aiter.is_item_available() && !aiter.is_empty());
    assert!(aiter.is_len_at_least(5) && !aiter.is_len_at_least(6));
    assert_eq!((aiter.len(), aiter.try_next()), (5, Ok(0)));
    let statistics = aiter.statistics();
    assert_eq!(
        (
            statistics.pushed,
            statistics.taken,
            statistics.waiting,
            statistics.lag
        ),
        (5, 1, 4, 4)
    );
    assert!((&mut aiter).collect::<Vec<_>>().await.into_iter().eq(1..5));
    assert_eq!(aiter.try_next(), Err(TryNextError::Ended));
}

pub(crate) async fn a_preflight_runs_for_each_requested_item<R: Runtime>() {
    let runs = Arc::new(AtomicUsize::new(0));
    let count = runs.clone();
    let (_pusher, aiter) = push_aiter_with(move |pusher: &Pusher<usize>| {
        let _ = pusher.push(count.fetch_add(1, SeqCst));
    });
    assert_eq!(
        collect::<R, _>(aiter.take(ITEMS)).await,
        Vec::from_iter(0..ITEMS)
    );
    assert_eq!(runs.load(SeqCst), ITEMS);
}

pub(crate) async fn many_items_are_taken_at_once<R: Runtime>() {
    const LIMIT: usize = 100;
    let (pusher, mut aiter) = push_aiter();
    let takers = [aiter.fork(), aiter].map(|mut aiter| {
        R::spawn(async move {
            let (mut all, mut most) = (Vec::new(), 0);
            loop {
                match aiter.next_many(&mut all, LIMIT).await {
                    0 => return (all, most),
                    taken => most = most.max(taken),
                }
                yield_now().await;
            }
        })
    });
    pusher.push_all(0..LIMIT + 1).unwrap();
    push_numbers::<R>(pusher, LIMIT + 1..ITEMS).await;
    for taker in takers {
        let (all, most) = taker.await;
        assert_eq!(all, Vec::from_iter(0..ITEMS));
        assert!((1..=LIMIT).contains(&most));
    }

    let (pusher, mut aiter) = push_aiter_bounded(LIMIT);
    let takers = [aiter.fork(), aiter].map(|mut aiter| {
        R::spawn(async move {
            let mut all = Vec::new();
            while aiter.next_many(&mut all, LIMIT / 3).await != 0 {}
            all
        })
    });
    for n in 0..ITEMS {
        pusher.push(n).await.unwrap();
    }
    drop(pusher);
    for taker in takers {
        assert_eq!(taker.await, Vec::from_iter(0..ITEMS));
    }
}

pub(crate) async fn who_pushes_learns_that_nobody_takes_any_more<R: Runtime>() {
    let (pusher, aiter) = push_aiter();
    let pushing = R::spawn({
        let pusher = pusher.clone();
        async move {
            let endless = async {
                loop {
                    pusher.push(1).ok();
                    yield_now().await;
                }
            };
            pusher.stopped().or(endless).await;
            pusher.push(2)
        }
    });
    let waiting = [(); 3].map(|()| R::spawn(pusher.stopped()));
    drop(pusher);
    assert!(collect::<R, _>(aiter.take(10)).await.len() == 10);
    assert_eq!(pushing.await, Err(Stopped(2)));
    for waiting in waiting {
        waiting.await;
    }
}

pub(crate) async fn a_weak_pusher_keeps_no_list_open<R: Runtime>() {
    let (pusher, aiter) = push_aiter();
    let (weak, taker) = (pusher.downgrade(), collect::<R, _>(aiter));
    push_numbers::<R>(weak.upgrade().unwrap(), 0..ITEMS).await;
    drop(pusher);
    assert_eq!(taker.await, Vec::from_iter(0..ITEMS));
    assert!(weak.upgrade().is_none());

    let (pusher, aiter) = push_aiter_bounded(ITEMS);
    let (weak, until) = (pusher.downgrade(), R::spawn(pusher.stopped()));
    weak.upgrade().unwrap().push(1).await.unwrap();
    drop(pusher);
    until.await;
    assert!(weak.upgrade().is_none());
    assert_eq!(collect::<R, _>(aiter).await, [1]);
}

pub(crate) async fn forks_of_a_list_see_the_same<R: Runtime>() {
    let (pusher, mut aiter) = push_aiter();
    let forks = [aiter.fork(), aiter.fork(), aiter].map(|fork: PushAiter<_>| collect::<R, _>(fork));
    push_numbers::<R>(pusher, 0..ITEMS).await;
    for fork in forks {
        assert_eq!(fork.await, Vec::from_iter(0..ITEMS));
    }
}

/// Stands for a `static`: tasks of every runtime can borrow the list.
fn for_ever<T>(list: T) -> &'static T {
    Box::leak(Box::new(list))
}

pub(crate) async fn a_list_without_an_allocator_serves_tasks<R: Runtime>() {
    let list = for_ever(fixed::PushList::<usize, 8, 2>::new());
    let aiter = list.aiter().unwrap();
    let subscriber = list.subscribe().unwrap();
    assert!(list.subscribe().is_none());
    let takers = [aiter, subscriber].map(|aiter| collect::<R, _>(aiter));
    R::spawn(async move {
        for mut n in 0..ITEMS {
            while let Err(full) = list.push(n) {
                n = full.into_inner();
                yield_now().await;
            }
        }
        list.stop();
    })
    .await;
    for taker in takers {
        assert_eq!(taker.await, Vec::from_iter(0..ITEMS));
    }
    assert!(matches!(list.push(1), Err(fixed::PushError::Stopped(1))));
}

/// Three tasks push into two slots, and each pushes as often as the others until it is done.
pub(crate) async fn a_push_waits_for_a_free_slot<R: Runtime>() {
    type List = fixed::PushList<usize, 2, 1, 3>;
    let list = for_ever(List::new());
    let mut aiter = list.aiter().unwrap();
    let pushers = [0, 1, 2].map(|pusher| {
        R::spawn(async move {
            for n in 0..ITEMS {
                list.push_when_free(n * 3 + pusher).await.unwrap();
            }
        })
    });
    let mut next = [0; 3];
    for _ in 0..3 * ITEMS {
        let item = aiter.next().await.unwrap();
        assert_eq!(item / 3, next[item % 3], "each in its order");
        next[item % 3] += 1;
    }
    for pusher in pushers {
        pusher.await;
    }
    list.push(0).unwrap();
    list.push(0).unwrap();
    let waiting = R::spawn(async move { list.push_when_free(7).await });
    list.stop();
    assert_eq!(waiting.await, Err(Stopped(7)));
}

pub(crate) async fn a_push_drops_the_oldest_item<R: Runtime>() {
    type List = fixed::PushList<usize, 4, 2, 0, true>;
    let list = for_ever(List::new());
    let mut slow = list.aiter().unwrap();
    let mut fast = list.subscribe().unwrap();
    for n in 0..ITEMS {
        list.push_overwriting(n).unwrap();
        assert_eq!(fast.next().await, Some(n));
    }
    list.stop();
    assert_eq!((fast.missed(), slow.missed()), (0, ITEMS - 4));
    assert_eq!(slow.next().await, Some(ITEMS - 4));
    assert_eq!(
        collect::<R, _>(slow).await,
        Vec::from_iter(ITEMS - 3..ITEMS)
    );
    assert_eq!(fast.next().await, None);
}

pub(crate) async fn a_list_without_an_allocator_has_as_many_items_as_slots<R: Runtime>() {
    let list = for_ever(fixed::PushList::<usize, 8, 2>::new());
    let mut slow = list.aiter().unwrap();
    let mut fast = list.subscribe().unwrap();
    for n in 0..ITEMS {
        list.push(n).unwrap();
        assert_eq!(fast.next().await, Some(n));
        if n >= 7 {
            assert!(matches!(list.push(n), Err(fixed::PushError::Full(_))));
            assert_eq!(slow.next().await, Some(n - 7));
        }
    }
    list.stop();
    assert_eq!(collect::<R, _>(slow).await.len(), 7);
    assert_eq!(fast.next().await, None);
}

/// A task pushes while there is a reader, and pauses while there is none. It ends with the hub: an
/// item that it counts as pushed may have come while the last reader left.
pub(crate) async fn readers_of_a_push_hub_come_and_go<R: Runtime>() {
    let hub = push_hub(unbounded());
    hub.push(usize::MAX).unwrap();
    let source = hub.clone();
    let pushing = R::spawn(async move {
        let mut next = 0;
        while !source.is_stopped() {
            source.occupied().or(source.stopped()).await;
            while source.readers() > 0 && source.push(next).is_ok() {
                next += 1;
                yield_now().await;
            }
        }
    });
    let mut seen = Vec::new();
    for _ in 0..ITEMS / 5 {
        let mut reader = hub.subscribe();
        let others = [(); 3].map(|()| hub.subscribe());
        let leaving = R::spawn(async move {
            yield_now().await;
            drop(others);
        });
        for _ in 0..5 {
            seen.push(reader.next().await.unwrap());
        }
        drop(reader);
        hub.idle().await;
        assert_eq!(hub.readers(), 0);
        leaving.await;
    }
    hub.stop();
    pushing.await;
    assert!(seen.is_sorted_by(|one, next| one < next));
}

pub(crate) async fn a_push_hub_replays_what_it_retains<R: Runtime>() {
    let hub = push_hub(skip(2).retain(3));
    let weak = hub.downgrade();
    let log = collect::<R, _>(hub.subscribe_with(unbounded()));
    hub.push_all(0..10).unwrap();
    let late = collect::<R, _>(hub.replay());
    let all = collect::<R, _>(hub.replay_with(unbounded()));
    let upgraded = weak.upgrade().unwrap();
    R::spawn(async move { upgraded.push(10).unwrap() }).await;
    drop(hub);
    assert!(weak.upgrade().is_none());
    assert!(log.await.into_iter().eq(0..11));
    assert!(all.await.into_iter().eq(7..11));
    let late = late.await;
    assert_eq!(late[0].missed, 0);
    assert_eq!(late.last().map(|seen| seen.item), Some(10));
    assert!((1..4).contains(&late.len()));
}
