//! Many streams, or futures, as one stream.

use crate::{
    common::{ITEMS, collect, is_sorted, push_numbers},
    runtime::{Joined, Runtime},
};
use aiter_core::{
    AiterExt, iter_to_aiter, join_aiters, join_aiters_keyed, join_aiters_limited, map_workers,
    map_workers_by, map_workers_ordered, push_aiter,
};
use futures_lite::{StreamExt, future::yield_now, stream};
use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering::SeqCst},
};

pub(crate) async fn streams_join_at_any_time<R: Runtime>() {
    let (main, streams) = push_aiter();
    let taker = collect::<R, _>(join_aiters(streams));
    let mut pushers = Vec::new();
    for k in 0..10 {
        let (pusher, aiter) = push_aiter();
        main.push(aiter).unwrap();
        pushers.push(push_numbers::<R>(pusher, k * 100..(k + 1) * 100));
        yield_now().await;
    }
    drop(main);
    for pusher in pushers {
        pusher.await;
    }
    let mut items = taker.await;
    for k in 0..10 {
        let own: Vec<_> = items.iter().copied().filter(|n| n / 100 == k).collect();
        assert!(is_sorted(&own));
    }
    items.sort_unstable();
    assert_eq!(items, Vec::from_iter(0..1000));
}

pub(crate) async fn no_stream_of_a_join_starves_the_others<R: Runtime>() {
    // Each stream is polled for up to eight items in a row, and has one turn in each round.
    let is_fair = |items: Vec<usize>| {
        for round in items.chunks(1000 * 8) {
            let mut turns: Vec<_> = round.chunks(8).collect();
            turns.sort_unstable();
            assert!(turns.into_iter().eq((0..1000).map(|k| [k; 8])));
        }
    };
    let streams = || iter_to_aiter((0..1000).map(stream::repeat));
    // All streams have joined before the first round is over, also those that came last.
    let joined = join_aiters(streams()).skip(1000 * 8);
    is_fair(collect::<R, _>(joined.take(3 * 1000 * 8)).await);
    let limited = join_aiters_limited(1000, streams()).skip(1000 * 8);
    is_fair(collect::<R, _>(limited.take(3 * 1000 * 8)).await);
    let keyed = join_aiters_keyed(streams().map_aiter(|stream| ((), stream)))
        .map_filter_aiter(|((), item)| item)
        .skip(1000 * 8);
    is_fair(collect::<R, _>(keyed.take(3 * 1000 * 8)).await);
}

pub(crate) async fn a_stream_that_wakes_is_served_in_the_next_round<R: Runtime>() {
    // One stream is always ready, and the others have one item each, which a task pushes.
    let (pushers, aiters): (Vec<_>, Vec<_>) = (1..1000).map(|_| push_aiter()).unzip();
    let always = stream::repeat(0);
    let streams = aiters.into_iter().map(Some).chain([None]);
    let mut joined = join_aiters(iter_to_aiter(streams.map(move |aiter| match aiter {
        Some(aiter) => aiter.boxed(),
        None => always.clone().boxed(),
    })));
    assert_eq!(joined.next().await, Some(0));
    R::spawn(async move {
        for (k, pusher) in (1..).zip(pushers) {
            pusher.push(k).unwrap();
        }
    })
    .await;
    // The rest of the current turn, at most one more turn, and all streams that woke.
    let mut items: Vec<_> = joined.take(999 + 7 + 8).collect().await;
    items.retain(|k| *k > 0);
    items.sort_unstable();
    assert!(items.into_iter().eq(1..1000));
}

pub(crate) async fn a_keyed_join_tells_keys_and_ends<R: Runtime>() {
    let streams = [('a', 2), ('b', 0), ('c', 3)].map(|(key, len)| (key, iter_to_aiter(0..len)));
    let items = collect::<R, _>(join_aiters_keyed(iter_to_aiter(streams))).await;
    for (key, len) in [('a', 2), ('b', 0), ('c', 3)] {
        let own: Vec<_> = items
            .iter()
            .filter(|(k, _)| *k == key)
            .map(|(_, item)| *item)
            .collect();
        assert!(own.into_iter().eq((0..len).map(Some).chain([None])));
    }
}

pub(crate) async fn a_limited_join_has_no_more_streams_than_its_limit<R: Runtime>() {
    struct Open(Arc<AtomicUsize>);
    impl Drop for Open {
        fn drop(&mut self) {
            self.0.fetch_sub(1, SeqCst);
        }
    }
    let (open, most) = (Arc::new(AtomicUsize::new(0)), Arc::default());
    let streams = (0..100_usize).map({
        let (open, most) = (open.clone(), Arc::<AtomicUsize>::clone(&most));
        move |k| {
            most.fetch_max(open.fetch_add(1, SeqCst) + 1, SeqCst);
            let open = Open(open.clone());
            iter_to_aiter(0..k % 7).map_async(move |n| {
                let _open = &open;
                async move {
                    yield_now().await;
                    n
                }
            })
        }
    });
    let items = collect::<R, _>(join_aiters_limited(4, iter_to_aiter(streams))).await;
    assert_eq!(items.len(), (0..100).map(|k| k % 7).sum());
    assert_eq!((open.load(SeqCst), most.load(SeqCst)), (0, 4));
}

pub(crate) async fn workers_by_key_work_on_one_item_of_each_key<R: Runtime>() {
    const KEYS: usize = 7;
    let (busy, most) = (
        Arc::new([(); KEYS].map(|()| AtomicUsize::new(0))),
        Arc::new(AtomicUsize::new(0)),
    );
    let work = {
        let (busy, most) = (busy.clone(), most.clone());
        move |n: usize| {
            let (busy, most) = (busy.clone(), most.clone());
            async move {
                assert_eq!(busy[n % KEYS].fetch_add(1, SeqCst), 0);
                most.fetch_max(busy.iter().map(|key| key.load(SeqCst)).sum(), SeqCst);
                for _ in 0..n % 5 {
                    yield_now().await;
                }
                busy[n % KEYS].fetch_sub(1, SeqCst);
                n
            }
        }
    };
    let mapped = map_workers_by(4, |n| n % KEYS, work, iter_to_aiter(0..ITEMS));
    let mut items = collect::<R, _>(mapped).await;
    for key in 0..KEYS {
        assert!(items.iter().filter(|&n| n % KEYS == key).is_sorted());
    }
    items.sort_unstable();
    assert_eq!((items, most.load(SeqCst)), (Vec::from_iter(0..ITEMS), 4));
}

pub(crate) async fn workers_reach_their_limit<R: Runtime>() {
    fn work(
        at_work: &Arc<AtomicUsize>,
        most: &Arc<AtomicUsize>,
    ) -> impl FnMut(usize) -> Joined<usize> + use<> {
        let (at_work, most) = (at_work.clone(), most.clone());
        move |n| {
            let (at_work, most) = (at_work.clone(), most.clone());
            Box::pin(async move {
                most.fetch_max(at_work.fetch_add(1, SeqCst) + 1, SeqCst);
                for _ in 0..n % 5 {
                    yield_now().await;
                }
                at_work.fetch_sub(1, SeqCst);
                n
            })
        }
    }
    let (at_work, most) = (Arc::default(), Arc::default());
    let mapped = map_workers(4, work(&at_work, &most), iter_to_aiter(0..ITEMS));
    let mut items = collect::<R, _>(mapped).await;
    items.sort_unstable();
    assert_eq!((items, most.swap(0, SeqCst)), (Vec::from_iter(0..ITEMS), 4));
    let mapped = map_workers_ordered(4, work(&at_work, &most), iter_to_aiter(0..ITEMS));
    assert_eq!(collect::<R, _>(mapped).await, Vec::from_iter(0..ITEMS));
    assert_eq!(most.load(SeqCst), 4);
}

pub(crate) async fn a_future_that_wakes_is_served_among_fresh_ones<R: Runtime>() {
    let slow_0 = async |n| {
        if n == 0 {
            yield_now().await;
        }
        n
    };
    // Thirty-two fresh ones in a row, of which it was the first; then those that woke.
    let mapped = map_workers(2, slow_0, iter_to_aiter(0..));
    let items: Vec<usize> = collect::<R, _>(mapped.take(40)).await;
    assert_eq!(items.iter().position(|n| *n == 0), Some(31));
    let by_key = map_workers_by(2, |n| *n, slow_0, iter_to_aiter(0..));
    let items: Vec<usize> = collect::<R, _>(by_key.take(40)).await;
    assert_eq!(items.iter().position(|n| *n == 0), Some(31));
}
