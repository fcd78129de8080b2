//! What every executor has to make of core: the cases, written once.

use crate::runtime::{Joined, Runtime};
use aiter_core::{
    AiterExt, Gate, PushAiter, Pusher, TryNextError, Watermarks,
    bound::{self, Seen},
    fixed, *,
};
use futures_lite::{
    FutureExt, Stream, StreamExt,
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

const ITEMS: usize = 1000;

/// A task that collects a stream.
fn collect<R: Runtime, S>(stream: S) -> Joined<Vec<S::Item>>
where
    S: Stream<Item: Send> + Send + 'static,
{
    R::spawn(stream.collect())
}

/// A task that pushes numbers, and gives way now and then.
fn push_numbers<R: Runtime>(pusher: Pusher<usize>, numbers: std::ops::Range<usize>) -> Joined<()> {
    R::spawn(async move {
        for n in numbers {
            pusher.push(n).unwrap();
            if n % 7 == 0 {
                yield_now().await;
            }
        }
    })
}

/// Waits until the count is in the range; it must not be above.
async fn comes_to(count: &AtomicUsize, range: std::ops::RangeInclusive<usize>) {
    loop {
        let now = count.load(SeqCst);
        assert!(now <= *range.end(), "{now}, not {range:?}");
        if range.contains(&now) {
            return;
        }
        yield_now().await;
    }
}

fn is_sorted(items: &[usize]) -> bool {
    items.iter().is_sorted()
}

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

pub(crate) async fn a_batch_stays_together_and_the_only_pusher_may_push_mut<R: Runtime>() {
    let (mut pusher, aiter) = push_aiter();
    let taker = collect::<R, _>(aiter);
    pusher.push_mut(0).unwrap();
    let other = push_numbers::<R>(pusher.clone(), 1000..1100);
    pusher.push_all(1..100).unwrap();
    other.await;
    drop(pusher);
    let items = taker.await;
    let start = items.iter().position(|n| *n == 1).unwrap();
    assert!(items[start..start + 99].iter().copied().eq(1..100));
}

pub(crate) async fn stop_wakes_who_waits_and_refuses_who_comes<R: Runtime>() {
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

pub(crate) async fn a_subscriber_sees_what_is_pushed_from_there_on<R: Runtime>() {
    let (pusher, aiter) = push_aiter();
    pusher.push(1).unwrap();
    let late = pusher.subscribe();
    pusher.push(2).unwrap();
    drop(pusher);
    let [early, late] = [aiter, late].map(|aiter| collect::<R, _>(aiter));
    assert_eq!((early.await, late.await), (vec![1, 2], vec![2]));
}

pub(crate) async fn what_is_there_is_seen_without_waiting<R: Runtime>() {
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

pub(crate) async fn a_preflight_runs_for_each_item_asked_for<R: Runtime>() {
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
    // Pending, and the one that the source would wake.
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
    // Polled in another order than that in which they came.
    let taken = zip(zip(d.next(), b.next()), zip(c.next(), a.next())).await;
    assert_eq!(taken, ((Some(3), Some(1)), (Some(2), Some(0))));
    pushing.await;
}

pub(crate) async fn a_taker_that_gives_up_strands_nobody<R: Runtime>() {
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

pub(crate) async fn a_gate_lets_through_what_is_permitted<R: Runtime>() {
    let polled = Arc::new(AtomicUsize::new(0));
    let count = polled.clone();
    let source = iter_to_aiter(0..).map_aiter(move |n| {
        count.fetch_add(1, SeqCst);
        n
    });
    let (mut gated, gate) = gated_aiter(source);
    let keeper: Joined<Gate> = R::spawn(async move {
        for _ in 0..ITEMS / 10 {
            gate.push(10);
            yield_now().await;
        }
        gate
    });
    let items: Vec<usize> = (&mut gated).take(ITEMS).collect().await;
    assert_eq!(items, Vec::from_iter(0..ITEMS));
    let gate = keeper.await;
    assert!(poll_once(gated.next()).await.is_none());
    assert_eq!(polled.load(SeqCst), ITEMS);
    assert!(gate.open() && !gate.open());
    assert_eq!(gated.next().await, Some(ITEMS));
    assert!(gate.close());
    gate.push(1);
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

pub(crate) async fn a_driver_pulls_and_ends_with_its_consumer<R: Runtime>() {
    let (held, mut dropped) = push_aiter::<()>();
    let source = stream::iter(0..ITEMS)
        .chain(stream::pending())
        .map(move |n| {
            let _ = &held;
            n
        });
    let (mut aiter, driver) = active(Box::pin(source));
    let driver = R::spawn(driver);
    let items: Vec<_> = (&mut aiter).take(ITEMS).collect().await;
    assert_eq!(items, Vec::from_iter(0..ITEMS));
    drop(aiter);
    driver.await;
    assert_eq!(dropped.next().await, None);
}

pub(crate) async fn a_preload_holds_no_more_than_it_may<R: Runtime>() {
    for watermarks in [
        Watermarks { low: 4, high: 5 },
        Watermarks { low: 1, high: 5 },
    ] {
        let pulled = Arc::new(AtomicUsize::new(0));
        let count = pulled.clone();
        let source = iter_to_aiter(0..ITEMS).map_aiter(move |n| {
            count.fetch_add(1, SeqCst);
            n
        });
        let (mut preloaded, driver) = preload_with(watermarks, source);
        let driver = R::spawn(driver);
        for n in 0..ITEMS {
            // Counted before the item is asked for: `n` were taken, and it is pulled again when `low` are left.
            let [least, most] =
                [watermarks.low + 1, watermarks.high].map(|held| ITEMS.min(n + held));
            comes_to(&pulled, least..=most).await;
            assert_eq!(preloaded.next().await, Some(n));
        }
        assert_eq!(preloaded.next().await, None);
        driver.await;
    }
    let (preloaded, driver) = preload(1, iter_to_aiter(0..ITEMS));
    let driver = R::spawn(driver);
    assert_eq!(collect::<R, _>(preloaded).await, Vec::from_iter(0..ITEMS));
    driver.await;
}

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
    // Each stream is stayed on for eight items, and has one turn a round.
    let is_fair = |items: Vec<usize>| {
        for round in items.chunks(1000 * 8) {
            let mut turns: Vec<_> = round.chunks(8).collect();
            turns.sort_unstable();
            assert!(turns.into_iter().eq((0..1000).map(|k| [k; 8])));
        }
    };
    let streams = || iter_to_aiter((0..1000).map(stream::repeat));
    // All have joined before the first round is over, those that came last too.
    let joined = join_aiters(streams()).skip(1000 * 8);
    is_fair(collect::<R, _>(joined.take(3 * 1000 * 8)).await);
    let keyed = join_aiters_keyed(streams().map_aiter(|stream| ((), stream)))
        .map_filter_aiter(|((), item)| item)
        .skip(1000 * 8);
    is_fair(collect::<R, _>(keyed.take(3 * 1000 * 8)).await);
}

pub(crate) async fn who_wakes_is_served_in_the_next_round<R: Runtime>() {
    // One stream is always ready, the others have one item each that a task pushes.
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
    // The rest of the turn that was begun, one more at most, and all that woke.
    let mut items: Vec<_> = joined.take(999 + 7 + 8).collect().await;
    items.retain(|k| *k > 0);
    items.sort_unstable();
    assert!(items.into_iter().eq(1..1000));
}

pub(crate) async fn nothing_is_taken_ahead_of_who_asks<R: Runtime>() {
    let pulled = Arc::new(AtomicUsize::new(0));
    let count = &pulled;
    let source = move || {
        let count = count.clone();
        iter_to_aiter(0..ITEMS).map_aiter(move |n| {
            count.fetch_add(1, SeqCst);
            n
        })
    };
    let mut passive = aiter_forker(source());
    let fork = passive.fork();
    passive = passive.fork_passive();
    let streams = [
        fork.boxed(),
        sharable_aiter(source()).boxed(),
        map_async(async |n| n, source()).boxed(),
        map_filter_aiter(Some, source()).boxed(),
        flatten_aiter(source().map_aiter(|n| [n])).boxed(),
        azip((source(),)).map_aiter(|(n,)| n).boxed(),
        join_aiters(iter_to_aiter([source()])).boxed(),
        join_aiters_keyed(iter_to_aiter([((), source())]))
            .map_filter_aiter(|((), item)| item)
            .boxed(),
    ];
    for mut stream in streams {
        pulled.store(0, SeqCst);
        pulled.store(
            R::spawn({
                let pulled = pulled.clone();
                async move {
                    for n in 0..ITEMS {
                        assert_eq!(pulled.load(SeqCst), n);
                        assert_eq!(stream.next().await, Some(n));
                    }
                    pulled.load(SeqCst)
                }
            })
            .await,
            SeqCst,
        );
        assert_eq!(pulled.load(SeqCst), ITEMS);
    }
    assert_eq!(passive.collect::<Vec<_>>().await, Vec::from_iter(0..ITEMS));
    // A pump has one item in hand.
    pulled.store(0, SeqCst);
    let count = pulled.clone();
    let pumped = R::spawn(pump(source(), async move |n| {
        yield_now().await;
        assert_eq!(count.load(SeqCst), n + 1);
        Ok::<_, ()>(())
    }));
    assert_eq!(pumped.await, Ok(()));
}

pub(crate) async fn one_poll_of_who_pulls_for_others_is_bounded<R: Runtime>() {
    let pulled = Arc::new(AtomicUsize::new(0));
    let count = pulled.clone();
    let endless = move || {
        let count = count.clone();
        count.store(0, SeqCst);
        iter_to_aiter(0..).map_aiter(move |n: usize| {
            count.fetch_add(1, SeqCst);
            n
        })
    };
    let (_aiter, driver) = active(endless());
    let (_preloaded, preloading) = preload(usize::MAX, endless());
    let pumped = pump(endless(), async |_| Ok::<_, ()>(()));
    let pumping = async { pumped.await.unwrap() };
    let drivers: [std::pin::Pin<Box<dyn Future<Output = ()> + Send>>; 3] =
        [Box::pin(driver), Box::pin(preloading), Box::pin(pumping)];
    for mut driver in drivers {
        let pulled = pulled.clone();
        R::spawn(async move {
            for polls in 1..5 {
                pulled.store(0, SeqCst);
                assert!(poll_once(&mut driver).await.is_none());
                assert_eq!(pulled.load(SeqCst), 64, "in poll {polls}");
            }
        })
        .await;
    }
}

pub(crate) async fn a_keyed_join_says_whose_and_when_it_ended<R: Runtime>() {
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

pub(crate) async fn maps_filters_and_zips<R: Runtime>() {
    let numbers = || iter_to_aiter(0..10);
    assert!(
        collect::<R, _>(map_aiter(|n| n * 2, numbers()))
            .await
            .into_iter()
            .eq((0..20).step_by(2))
    );
    let later = map_async(
        |n| async move {
            yield_now().await;
            n + 1
        },
        numbers(),
    );
    assert!(collect::<R, _>(later).await.into_iter().eq(1..11));
    let odd = map_filter_aiter(|n| (n % 2 == 1).then_some(n), numbers());
    assert_eq!(collect::<R, _>(odd).await, [1, 3, 5, 7, 9]);
    let flat = flatten_aiter(numbers().map_aiter(|n| vec![n; n]));
    assert_eq!(collect::<R, _>(flat).await.len(), 45);
    let rows = azip((
        numbers(),
        iter_to_aiter("abc".chars()),
        numbers().map_aiter(|n| n * n),
    ));
    assert_eq!(
        collect::<R, _>(rows).await,
        [(0, 'a', 0), (1, 'b', 1), (2, 'c', 4)]
    );
}

pub(crate) async fn workers_are_as_many_as_may_be<R: Runtime>() {
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

pub(crate) async fn who_wakes_is_served_among_fresh_futures<R: Runtime>() {
    let mapped = map_workers(
        2,
        async |n| {
            if n == 0 {
                yield_now().await;
            }
            n
        },
        iter_to_aiter(0..),
    );
    // Thirty-two fresh ones in a row, of which it was the first; then those that woke.
    let items: Vec<usize> = collect::<R, _>(mapped.take(40)).await;
    assert_eq!(items.iter().position(|n| *n == 0), Some(31));
}

pub(crate) async fn a_pump_brings_each_item_and_ends_with_the_first_error<R: Runtime>() {
    let (pusher, aiter) = push_aiter();
    let taker = collect::<R, _>(aiter);
    let ended = R::spawn(pump(iter_to_aiter(0..ITEMS), async move |n| {
        yield_now().await;
        if n == 500 {
            Err("full")
        } else {
            pusher.push(n).map_err(|_| "stopped")
        }
    }));
    assert_eq!(ended.await, Err("full"));
    assert_eq!(taker.await, Vec::from_iter(0..500));
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
