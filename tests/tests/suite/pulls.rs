//! Operators that pull a stream, step by step or ahead of the reader.

use crate::{
    common::{ITEMS, collect, comes_to},
    runtime::Runtime,
};
use aiter_core::{
    AiterExt, Pusher, Stopped, Watermarks, active, aiter_forker, azip, batch, batch_within,
    flatten_aiter, iter_to_aiter, join_aiters, join_aiters_keyed, join_aiters_limited, map_aiter,
    map_async, map_filter_aiter, preload, preload_with, pump, pump_lending, push_aiter,
    sharable_aiter, switch_aiter,
};
use aiter_test::VirtualTime;
use futures_lite::{
    StreamExt,
    future::{poll_once, yield_now},
    stream,
};
use std::{
    future::Future,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};

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

pub(crate) async fn items_come_in_batches<R: Runtime>() {
    let (pusher, numbers) = push_aiter();
    let mut batches = batch(3, numbers);
    pusher.push_all(0..4).unwrap();
    assert_eq!(batches.next().await, Some(vec![0, 1, 2]));
    assert_eq!(batches.next().await, Some(vec![3]));
    assert!(poll_once(batches.next()).await.is_none());
    let reading = R::spawn(batches.collect::<Vec<_>>());
    pusher.push_all(4..ITEMS).unwrap();
    drop(pusher);
    let rest = reading.await;
    assert!(rest.iter().all(|batch| (1..=3).contains(&batch.len())));
    assert_eq!(rest.concat(), Vec::from_iter(4..ITEMS));
    // A source that is always ready hangs no poll.
    let mut endless = batch(usize::MAX, iter_to_aiter(0..));
    assert_eq!(endless.next().await.unwrap().len(), 4096);
}

pub(crate) async fn batches_wait_for_more_items<R: Runtime>() {
    let time = VirtualTime::new();
    let second = Duration::from_secs(1);
    let (pusher, numbers) = push_aiter();
    let mut batches = batch_within(3, second, time.clone(), numbers);
    pusher.push_all([0, 1]).unwrap();
    assert!(poll_once(batches.next()).await.is_none());
    time.advance(second - Duration::from_nanos(1));
    assert!(poll_once(batches.next()).await.is_none());
    let reading = R::spawn(async move {
        let first = batches.next().await;
        (first, batches)
    });
    time.advance(second);
    let (first, mut batches) = reading.await;
    assert_eq!(first, Some(vec![0, 1]));
    pusher.push_all(2..ITEMS).unwrap();
    drop(pusher);
    assert_eq!(batches.next().await, Some(vec![2, 3, 4]));
    let rest = batches.collect::<Vec<_>>().await.concat();
    assert_eq!(rest, Vec::from_iter(5..ITEMS));
    assert_eq!((time.timers(), time.timers_made()), (0, 1));
}

pub(crate) async fn the_newest_of_many_streams_counts<R: Runtime>() {
    let (streams, newest) = push_aiter();
    let mut newest = switch_aiter(newest);
    let (first, numbers) = push_aiter();
    first.push_all(0..ITEMS).unwrap();
    streams.push(numbers).unwrap();
    assert_eq!(newest.next().await, Some(0));
    let reading = R::spawn(async move {
        while newest.next().await != Some(ITEMS) {}
        newest
    });
    let (second, numbers) = push_aiter();
    streams.push(numbers).unwrap();
    second.push(ITEMS).unwrap();
    let mut newest = reading.await;
    assert!(first.push(1).is_err(), "the first one is dropped");
    drop(streams);
    second.push(7).unwrap();
    drop(second);
    assert_eq!(newest.next().await, Some(7));
    assert_eq!(newest.next().await, None);
    // Streams that come without an end let others run.
    let mut endless = switch_aiter(iter_to_aiter((0..).map(|n| iter_to_aiter([n]))));
    assert!(poll_once(endless.next()).await.is_none());
}

pub(crate) async fn nothing_is_taken_before_it_is_requested<R: Runtime>() {
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
        join_aiters_limited(1, iter_to_aiter([source()])).boxed(),
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
    // A pump holds one item.
    pulled.store(0, SeqCst);
    let count = pulled.clone();
    let in_hand = async move |n| {
        yield_now().await;
        assert_eq!(count.load(SeqCst), n + 1);
        Ok::<_, ()>(())
    };
    let lending = in_hand.clone();
    let plain = move |n| {
        let in_hand = in_hand.clone();
        async move { in_hand(n).await }
    };
    assert_eq!(R::spawn(pump(plain, source())).await, Ok(()));
    pulled.store(0, SeqCst);
    assert_eq!(R::spawn(pump_lending(lending, source())).await, Ok(()));
}

pub(crate) async fn one_poll_of_a_driver_or_pump_is_bounded<R: Runtime>() {
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
    let pumped = pump(async |_| Ok::<_, ()>(()), endless());
    let pumping = async { pumped.await.unwrap() };
    let lent = pump_lending(async |_| Ok::<_, ()>(()), endless());
    let lending = async { lent.await.unwrap() };
    let drivers: [std::pin::Pin<Box<dyn Future<Output = ()> + Send>>; 4] = [
        Box::pin(driver),
        Box::pin(preloading),
        Box::pin(pumping),
        Box::pin(lending),
    ];
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
            // Counted before the item is requested: `n` were taken, and the source is pulled again
            // when `low` are left.
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

pub(crate) async fn a_pump_passes_on_each_item_and_ends_with_the_first_error<R: Runtime>() {
    let (pusher, aiter) = push_aiter();
    let taker = collect::<R, _>(aiter);
    let ended = R::spawn(async move {
        let up_to_500 = async |n| {
            yield_now().await;
            if n == 500 {
                Err("full")
            } else {
                pusher.push(n).map_err(|_| "stopped")
            }
        };
        pump(up_to_500, iter_to_aiter(0..ITEMS)).await
    });
    assert_eq!(ended.await, Err("full"));
    assert_eq!(taker.await, Vec::from_iter(0..500));
}

pub(crate) async fn a_pump_in_a_task_borrows_from_it_and_moves_borrowing_items<R: Runtime>() {
    async fn write(word: &str, to: &Pusher<String>) -> Result<(), Stopped<String>> {
        yield_now().await;
        to.push(word.to_owned())
    }
    let (pusher, aiter) = push_aiter();
    let written = collect::<R, _>(aiter);
    R::spawn(async move {
        let to = &pusher;
        let words = || iter_to_aiter(["a", "b"]);
        pump(|word| write(word, to), words()).await?;
        pump(async |word| write(word, to).await, words()).await?;
        words()
            .pump(|word| async move { write(word, to).await })
            .await
    })
    .await
    .unwrap();
    assert_eq!(written.await, ["a", "b"].repeat(3));
}

pub(crate) async fn a_lending_pump_writes_to_a_value_of_its_closure<R: Runtime>() {
    let (pusher, aiter) = push_aiter();
    let written = collect::<R, _>(aiter);
    let mut text = String::new();
    let sink = async move |word: String| {
        text.push_str(&word);
        yield_now().await;
        pusher.push(text.clone())
    };
    let words = iter_to_aiter(["a", "b"]).map_aiter(String::from);
    R::spawn(pump_lending(sink, words)).await.unwrap();
    assert_eq!(written.await, ["a", "ab"]);
}
