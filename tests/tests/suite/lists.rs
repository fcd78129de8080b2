//! Push lists, also the one without an allocator.

use crate::{
    common::{ITEMS, collect, is_sorted, push_numbers},
    runtime::Runtime,
};
use aiter_core::{PushAiter, Pusher, Stopped, TryNextError, fixed, push_aiter, push_aiter_with};
use futures_lite::{StreamExt, future::yield_now};
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

pub(crate) async fn forks_of_a_list_see_the_same<R: Runtime>() {
    let (pusher, mut aiter) = push_aiter();
    let forks = [aiter.fork(), aiter.fork(), aiter].map(|fork: PushAiter<_>| collect::<R, _>(fork));
    push_numbers::<R>(pusher, 0..ITEMS).await;
    for fork in forks {
        assert_eq!(fork.await, Vec::from_iter(0..ITEMS));
    }
}

pub(crate) async fn a_list_without_an_allocator_serves_tasks<R: Runtime>() {
    let list: &'static fixed::PushList<usize, 8, 2> = Box::leak(Box::new(fixed::PushList::new()));
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
    let list: &'static List = Box::leak(Box::new(List::new()));
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
    let list: &'static List = Box::leak(Box::new(List::new()));
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
    let list: &'static fixed::PushList<usize, 8, 2> = Box::leak(Box::new(fixed::PushList::new()));
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
