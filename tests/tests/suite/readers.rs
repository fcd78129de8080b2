//! Many readers of any stream, and gates before it.

use crate::{
    common::{ITEMS, collect, comes_to, is_sorted, push_numbers},
    runtime::{Joined, Runtime},
};
use aiter_core::{
    AiterExt, Gate, Stopper, aiter_forker, aiter_forker_with,
    bound::{self, Seen},
    gated_aiter, iter_to_aiter, push_aiter, sharable_aiter, split_by, stoppable_aiter,
};
use futures_lite::{
    FutureExt, StreamExt,
    future::{poll_once, yield_now, zip},
    stream,
};
use std::{
    panic::AssertUnwindSafe,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
};

pub(crate) async fn forks_of_any_stream_see_the_same<R: Runtime>() {
    let (pusher, aiter) = push_aiter();
    let mut fork = aiter_forker(aiter.map_aiter(|n| n + 1));
    let forks = [fork.fork(), fork.fork_passive(), fork].map(|fork| collect::<R, _>(fork));
    push_numbers::<R>(pusher, 0..ITEMS).await;
    for fork in forks {
        assert_eq!(fork.await, Vec::from_iter(1..=ITEMS));
    }
}

pub(crate) async fn a_fork_that_is_dropped_while_it_polls_strands_nobody<R: Runtime>() {
    let (pusher, aiter) = push_aiter();
    let mut fork = aiter_forker(aiter);
    let other = collect::<R, _>(fork.fork());
    // It is pending, and the source would wake it.
    assert!(poll_once(fork.next()).await.is_none());
    drop(fork);
    push_numbers::<R>(pusher, 0..ITEMS).await;
    assert_eq!(other.await, Vec::from_iter(0..ITEMS));
}

pub(crate) async fn a_passive_fork_ends_without_an_active_one_and_can_become_one<R: Runtime>() {
    let mut fork = aiter_forker(iter_to_aiter(0..ITEMS));
    let mut passive = fork.fork_passive();
    assert_eq!(fork.next().await, Some(0));
    drop(fork);
    assert_eq!(collect::<R, _>(passive.fork_passive()).await, [0]);
    passive.activate();
    assert!(passive.is_active());
    assert_eq!(collect::<R, _>(passive).await, Vec::from_iter(0..ITEMS));
}

pub(crate) async fn every_fork_learns_of_a_panic<R: Runtime>() {
    let panics = stream::once_future(async { panic!("broken") });
    let mut fork = aiter_forker(Box::pin(iter_to_aiter([1, 2]).chain(panics)));
    let forks = [fork.fork(), fork].map(|mut fork| {
        R::spawn(async move {
            assert_eq!((fork.next().await, fork.next().await), (Some(1), Some(2)));
            AssertUnwindSafe(fork.next()).catch_unwind().await.is_err()
        })
    });
    for fork in forks {
        assert!(fork.await);
    }
}

pub(crate) async fn forks_wait_for_the_slowest<R: Runtime>() {
    let pulled = Arc::new(AtomicUsize::new(0));
    let count = pulled.clone();
    let source = iter_to_aiter(0..ITEMS).map_aiter(move |n| {
        count.fetch_add(1, SeqCst);
        n
    });
    let mut slow = aiter_forker_with(bound::wait(3), source);
    let fast = collect::<R, _>(slow.fork());
    for n in 0..ITEMS {
        // As far as it may, and no further: `n` were taken.
        let ahead = ITEMS.min(n + 3);
        comes_to(&pulled, ahead..=ahead).await;
        assert_eq!(slow.next().await, Some(n));
    }
    assert_eq!(fast.await, Vec::from_iter(0..ITEMS));
}

pub(crate) async fn a_fork_that_lags_loses_the_oldest_and_sees_how_many<R: Runtime>() {
    let mut fast = aiter_forker_with(bound::skip(10), iter_to_aiter(0..ITEMS));
    let slow = fast.fork();
    let fast = collect::<R, _>(fast).await;
    assert!(fast.iter().map(|seen| seen.item).eq(0..ITEMS));
    let mut slow = collect::<R, _>(slow).await.into_iter();
    let missed = ITEMS - 10;
    assert_eq!(
        slow.next(),
        Some(Seen {
            missed,
            item: missed
        })
    );
    assert!(slow.all(|seen| seen.missed == 0 && seen.item > missed));
}

pub(crate) async fn each_fork_keeps_to_a_bound_of_its_own<R: Runtime>() {
    let mut main = aiter_forker(iter_to_aiter(0..ITEMS));
    let lossy = main.fork_passive_with(bound::skip(3));
    let waits = main.fork_with(bound::wait(5));
    let main = collect::<R, _>(main);
    let waits = collect::<R, _>(waits);
    assert_eq!(main.await, Vec::from_iter(0..ITEMS));
    assert_eq!(waits.await, Vec::from_iter(0..ITEMS));
    let lossy = collect::<R, _>(lossy).await;
    assert_eq!(
        lossy.iter().map(|seen| seen.missed + 1).sum::<usize>(),
        ITEMS
    );
    assert!(lossy.iter().map(|seen| seen.item).eq(ITEMS - 3..ITEMS));
}

pub(crate) async fn a_hub_makes_forks_that_replay_what_is_retained<R: Runtime>() {
    let mut first = aiter_forker_with(bound::skip(2).retain(4), iter_to_aiter(0..ITEMS));
    let hub = first.hub();
    hub.occupied().await;
    for _ in 0..10 {
        first.next().await;
    }
    let late = collect::<R, _>(hub.replay_with(bound::unbounded()));
    drop(first);
    assert_eq!(late.await, Vec::from_iter(6..ITEMS));
    hub.idle().await;
    assert_eq!(hub.readers(), 0);
    let newest = collect::<R, _>(hub.replay()).await;
    assert!(newest.iter().map(|seen| seen.item).eq(ITEMS - 2..ITEMS));
    assert_eq!(collect::<R, _>(hub.subscribe()).await.len(), 0);
}

pub(crate) async fn takers_share_each_item_once<R: Runtime>() {
    let (pusher, aiter) = push_aiter();
    let shared = sharable_aiter(aiter.map_aiter(|n| n));
    let takers = [(); 4].map(|()| collect::<R, _>(shared.clone()));
    drop(shared);
    push_numbers::<R>(pusher, 0..ITEMS).await;
    let mut all = Vec::new();
    for taker in takers {
        let own = taker.await;
        assert!(is_sorted(&own));
        all.extend(own);
    }
    all.sort_unstable();
    assert_eq!(all, Vec::from_iter(0..ITEMS));
}

pub(crate) async fn first_come_is_first_served<R: Runtime>() {
    let (pusher, aiter) = push_aiter();
    let [mut a, mut b, mut c, mut d] = {
        let shared = sharable_aiter(aiter);
        [(); 4].map(|()| shared.clone())
    };
    for taker in [&mut a, &mut b, &mut c, &mut d] {
        assert!(poll_once(taker.next()).await.is_none());
    }
    let pushing = push_numbers::<R>(pusher, 0..4);
    // They are polled in another order than that in which they came.
    let taken = zip(zip(d.next(), b.next()), zip(c.next(), a.next())).await;
    assert_eq!(taken, ((Some(3), Some(1)), (Some(2), Some(0))));
    pushing.await;
}

pub(crate) async fn a_cancelled_taker_strands_nobody<R: Runtime>() {
    let (pusher, aiter) = push_aiter();
    let mut shared = sharable_aiter(aiter);
    let mut other = shared.clone();
    assert!(poll_once(shared.next()).await.is_none());
    let taker = R::spawn(async move { other.next().await });
    yield_now().await;
    drop(shared);
    pusher.push(1).unwrap();
    assert_eq!(taker.await, Some(1));
}

pub(crate) async fn each_part_goes_to_a_task_of_its_own<R: Runtime>() {
    let (pusher, numbers) = push_aiter();
    let mut outer = split_by(3, |n| n % 7, numbers.map_aiter(|n: usize| n));
    let pushing = push_numbers::<R>(pusher, 0..ITEMS);
    let mut tasks = Vec::new();
    while let Some((key, part)) = outer.next().await {
        tasks.push((key, collect::<R, _>(part)));
    }
    pushing.await;
    assert_eq!(tasks.len(), 7);
    for (key, task) in tasks {
        assert_eq!(task.await, Vec::from_iter((key..ITEMS).step_by(7)));
    }
}

pub(crate) async fn a_full_part_holds_the_source_back<R: Runtime>() {
    let pulled = Arc::new(AtomicUsize::new(0));
    let count = pulled.clone();
    let source = iter_to_aiter(0..).map_aiter(move |n: usize| {
        count.fetch_add(1, SeqCst);
        n
    });
    let mut outer = split_by(5, |n| n % 2, source);
    let (_, mut even) = outer.next().await.unwrap();
    let (_, odd) = outer.next().await.unwrap();
    let taker = R::spawn(async move {
        let items: Vec<_> = odd.take(6).collect().await;
        items
    });
    // The even part has five items, and the sixth is in hand.
    comes_to(&pulled, 11..=11).await;
    yield_now().await;
    assert_eq!(pulled.load(SeqCst), 11);
    assert_eq!(even.next().await, Some(0));
    assert_eq!(taker.await, [1, 3, 5, 7, 9, 11]);
    drop(even);
    let (key, even) = outer.next().await.unwrap();
    assert_eq!((key, even.take(2).count().await), (0, 2));
}

pub(crate) async fn a_part_that_is_dropped_comes_again<R: Runtime>() {
    let (pusher, numbers) = push_aiter();
    let parts = split_by(1, |_| (), numbers.map_aiter(|n: usize| n));
    let pushing = push_numbers::<R>(pusher, 0..ITEMS);
    // Each of them is dropped after its first item.
    let firsts = parts.map_async(|((), mut part)| async move { part.next().await });
    let firsts = collect::<R, _>(firsts).await;
    pushing.await;
    let firsts: Vec<usize> = firsts.into_iter().flatten().collect();
    assert!(is_sorted(&firsts) && firsts.first() == Some(&0));
}

pub(crate) async fn a_gate_lets_through_what_is_permitted<R: Runtime>() {
    let polled = Arc::new(AtomicUsize::new(0));
    let count = polled.clone();
    let source = iter_to_aiter(0..).map_aiter(move |n| {
        count.fetch_add(1, SeqCst);
        n
    });
    let (mut gated, gate) = gated_aiter(source);
    let owner: Joined<Gate> = R::spawn(async move {
        for _ in 0..ITEMS / 10 {
            gate.push(10);
            yield_now().await;
        }
        gate
    });
    let items: Vec<usize> = (&mut gated).take(ITEMS).collect().await;
    assert_eq!(items, Vec::from_iter(0..ITEMS));
    let gate = owner.await;
    assert!(poll_once(gated.next()).await.is_none());
    assert_eq!(polled.load(SeqCst), ITEMS);
    assert!(gate.open() && !gate.open());
    assert_eq!(gated.next().await, Some(ITEMS));
    assert!(gate.close());
    assert_eq!((gate.push_up_to(3, 1), gate.push_up_to(3, 1)), (1, 0));
    assert_eq!(gate.permits(), 1);
    gate.stop();
    assert_eq!(collect::<R, _>(gated).await, [ITEMS + 1]);
}

pub(crate) async fn a_stopper_ends_a_stream_that_waits<R: Runtime>() {
    let (stoppable, stopper) = stoppable_aiter(stream::pending::<()>());
    let taker = collect::<R, _>(stoppable);
    yield_now().await;
    stopper.stop();
    assert!(taker.await.is_empty());
}

pub(crate) async fn one_stopper_ends_all_streams_on_all_tasks<R: Runtime>() {
    let stopper = Stopper::new();
    let started = Arc::new(AtomicUsize::new(0));
    let (pusher, numbers) = push_aiter();
    let counted = numbers.map_aiter({
        let started = started.clone();
        move |n| {
            started.fetch_add(1, SeqCst);
            n
        }
    });
    let takers: Vec<_> = (0..99)
        .map(|_| collect::<R, _>(stopper.stoppable(stream::pending::<usize>())))
        .collect();
    let counting = collect::<R, _>(stopper.stoppable(counted));
    let waits: Vec<_> = (0..10).map(|_| R::spawn(stopper.stopped())).collect();
    pusher.push(1).unwrap();
    comes_to(&started, 1..=1).await;
    assert!(!stopper.is_stopped());
    stopper.clone().stop();
    for taker in takers {
        assert!(taker.await.is_empty());
    }
    assert_eq!(counting.await, [1]);
    for wait in waits {
        wait.await;
    }
    // The source was dropped with its stream.
    assert!(pusher.push(2).is_err());
    assert!(
        collect::<R, _>(stopper.stoppable(iter_to_aiter(0..)))
            .await
            .is_empty()
    );
}
