//! Tests of `join_aiters`: streams that join, wait, end and panic.

extern crate std;

use crate::test_support::{Source, Wakes, source};
use crate::{JoinAiters, join_aiters};
use alloc::{vec, vec::Vec};
use core::{
    panic::AssertUnwindSafe,
    pin::pin,
    task::{Context, Poll, Waker},
};
use futures_core::{FusedStream, Stream};
use futures_lite::{StreamExt, future::block_on, stream};
use std::{panic::catch_unwind, thread};

fn poll<S>(join: &mut JoinAiters<S>, waker: &Waker) -> Poll<Option<<S::Item as Stream>::Item>>
where
    S: Stream + Unpin,
    S::Item: Stream,
{
    join.poll_next(&mut Context::from_waker(waker))
}

/// Polls until there is an item or the end, or a pending poll without a wake.
fn settle<S>(join: &mut JoinAiters<S>) -> Poll<Option<<S::Item as Stream>::Item>>
where
    S: Stream + Unpin,
    S::Item: Stream,
{
    let (count, waker) = Wakes::new();
    loop {
        let polled = poll(join, &waker);
        if polled.is_ready() || count.taken() == 0 {
            return polled;
        }
    }
}

#[test]
fn a_join_of_nothing_ends() {
    let mut join = join_aiters(stream::empty::<stream::Empty<u8>>());
    assert!(!join.is_terminated());
    assert_eq!(poll(&mut join, Waker::noop()), Poll::Ready(None));
    assert!(join.is_terminated());
    assert_eq!(poll(&mut join, Waker::noop()), Poll::Ready(None));

    let mut join = join_aiters(stream::iter((0..500).map(|_| stream::empty::<u8>())));
    assert_eq!(settle(&mut join), Poll::Ready(None));
}

#[test]
fn all_items_come_each_stream_in_order() {
    let streams = (0..1000_u32).map(|k| stream::iter((0..20_u32).map(move |i| (k, i))));
    let mut next = vec![0; 1000];
    block_on(join_aiters(stream::iter(streams)).for_each(|(k, i)| {
        assert_eq!(next[k as usize], i);
        next[k as usize] += 1;
    }));
    assert!(next.iter().all(|&n| n == 20));
}

#[test]
fn streams_join_while_others_are_pending() {
    let (incoming, streams) = source::<Source<u32>>([]);
    let mut join = join_aiters(incoming);
    let (count, waker) = Wakes::new();
    assert_eq!(poll(&mut join, &waker), Poll::Pending);
    let (stream, first) = source([]);
    streams.push(stream);
    assert_eq!(count.taken(), 1);
    assert_eq!(poll(&mut join, &waker), Poll::Pending);
    first.push(1);
    assert_eq!(count.taken(), 1);
    assert_eq!(poll(&mut join, &waker), Poll::Ready(Some(1)));
    assert_eq!(poll(&mut join, &waker), Poll::Pending);
    let (stream, second) = source([]);
    second.push(2);
    streams.push(stream);
    assert_eq!(count.taken(), 1);
    assert_eq!(poll(&mut join, &waker), Poll::Ready(Some(2)));
    streams.end();
    first.end();
    assert_eq!(poll(&mut join, &waker), Poll::Pending);
    assert!(!join.is_terminated());
    second.push(3);
    second.end();
    assert_eq!(poll(&mut join, &waker), Poll::Ready(Some(3)));
    assert_eq!(poll(&mut join, &waker), Poll::Ready(None));
    assert!(join.is_terminated());
}

#[test]
fn only_streams_that_woke_are_polled_and_the_source_likewise() {
    let (incoming, streams) = source::<Source<u32>>([]);
    let mut join = join_aiters(incoming);
    let feeds: Vec<_> = (0..1000)
        .map(|_| {
            let (stream, feeder) = source([]);
            streams.push(stream);
            feeder
        })
        .collect();
    assert_eq!(settle(&mut join), Poll::Pending);
    let polls = || feeds.iter().map(|feed| feed.polls()).sum::<usize>();
    assert_eq!(polls(), 1000);
    assert_eq!(streams.polls(), 1001);
    for k in [0, 999, 500] {
        feeds[k].push(5);
        assert_eq!(settle(&mut join), Poll::Ready(Some(5)));
        assert_eq!(settle(&mut join), Poll::Pending);
    }
    assert_eq!(polls(), 1006);
    assert_eq!(streams.polls(), 1001);
    // A poll without a wake polls no stream.
    assert_eq!(settle(&mut join), Poll::Pending);
    assert_eq!(polls(), 1006);
    assert_eq!(streams.polls(), 1001);
}

#[test]
fn nothing_is_read_ahead() {
    let (stream, feeder) = source([]);
    (0..10).for_each(|k| feeder.push(k));
    let mut join = join_aiters(stream::iter([stream]));
    for k in 0..10 {
        assert_eq!(settle(&mut join), Poll::Ready(Some(k)));
        assert_eq!(feeder.waiting(), 9 - k as usize);
    }
    drop(join);
    assert!(feeder.is_dropped());
}

#[test]
fn an_endless_stream_starves_neither_the_others_nor_the_source() {
    let (incoming, streams) = source::<stream::Boxed<u32>>([]);
    let mut join = join_aiters(incoming);
    streams.push(stream::repeat(0).boxed());
    assert_eq!(settle(&mut join), Poll::Ready(Some(0)));
    let mut feeds = Vec::new();
    for k in 1..1000 {
        let (stream, feeder) = source([]);
        feeder.push(k);
        streams.push(stream.boxed());
        feeds.push(feeder);
        let wait = (0..)
            .find(|_| settle(&mut join) == Poll::Ready(Some(k)))
            .unwrap();
        assert!(wait < 24, "stream {k} joined after {wait} items");
    }
}

#[test]
fn an_endless_source_starves_no_stream() {
    let mut join = join_aiters(stream::iter((0..).map(|k| stream::iter([k, k]))));
    let mut seen = [0; 100];
    for _ in 0..100_000 {
        if let Poll::Ready(Some(k)) = settle(&mut join) {
            if k < 100 {
                seen[k] += 1;
            }
        }
    }
    assert_eq!(seen, [2; 100]);
}

#[test]
fn an_endless_source_of_pending_streams_lets_other_tasks_run() {
    let (count, waker) = Wakes::new();
    let mut join = join_aiters(stream::repeat(()).map(|()| stream::pending::<u8>()));
    for _ in 0..10 {
        assert_eq!(poll(&mut join, &waker), Poll::Pending);
        assert_eq!(count.taken(), 1);
    }
}

#[test]
fn a_panic_drops_its_stream_and_the_others_go_on() {
    let panicking = stream::once_future(async { panic!("stream") });
    let streams = [
        stream::iter([1, 2]).boxed_local(),
        panicking.boxed_local(),
        stream::iter([3]).boxed_local(),
    ];
    let mut join = join_aiters(stream::iter(streams));
    let mut seen = Vec::new();
    let mut panics = 0;
    loop {
        match catch_unwind(AssertUnwindSafe(|| settle(&mut join))) {
            Ok(Poll::Ready(Some(item))) => seen.push(item),
            Ok(Poll::Ready(None)) => break,
            Ok(Poll::Pending) => unreachable!(),
            Err(_) => panics += 1,
        }
    }
    seen.sort_unstable();
    assert_eq!((seen, panics), (vec![1, 2, 3], 1));
}

#[test]
fn after_a_panic_of_the_source_the_streams_go_on() {
    let (stream, feeder) = source([]);
    let mut first = Some(stream);
    let source = stream::iter(0..).map(move |_| first.take().expect("source"));
    let mut join = join_aiters(source);
    assert!(catch_unwind(AssertUnwindSafe(|| settle(&mut join))).is_err());
    feeder.push(1);
    assert_eq!(settle(&mut join), Poll::Ready(Some(1)));
    feeder.end();
    assert_eq!(settle(&mut join), Poll::Ready(None));
}

#[test]
fn a_drop_at_any_point_drops_every_stream_once() {
    for items in 0..30 {
        let feeds: Vec<_> = (0..5).map(|_| source([])).collect();
        let (streams, feeders): (Vec<_>, Vec<_>) = feeds.into_iter().unzip();
        for feeder in &feeders {
            (0..5).for_each(|k| feeder.push(k));
        }
        let mut join = join_aiters(stream::iter(streams));
        for _ in 0..items {
            let _ = settle(&mut join);
        }
        let taken: usize = feeders.iter().map(|feeder| 5 - feeder.waiting()).sum();
        assert_eq!(taken, items.min(25));
        drop(join);
        assert!(feeders.iter().all(|feeder| feeder.is_dropped()));
        // Their wakers still exist.
        feeders.iter().for_each(|feeder| feeder.push(0));
    }
}

#[test]
fn streams_need_not_be_unpin() {
    let streams = stream::iter(0..100).map(|k| {
        stream::unfold(k, |k| async move {
            futures_lite::future::yield_now().await;
            (k < 100).then_some((k, k + 50))
        })
    });
    let mut join = pin!(join_aiters(streams));
    let mut sum = 0;
    while let Some(k) = block_on(join.next()) {
        sum += k;
    }
    assert_eq!(sum, (0..100).sum::<i32>() + (50..100).sum::<i32>());
}

#[test]
fn size_hint_is_the_sum_of_the_streams() {
    let (incoming, streams) = source::<stream::Iter<core::ops::Range<u32>>>([]);
    let mut join = join_aiters(incoming);
    assert_eq!(join.size_hint(), (0, None));
    streams.push(stream::iter(0..5));
    streams.push(stream::iter(0..7));
    assert!(settle(&mut join).is_ready());
    assert!(settle(&mut join).is_ready());
    assert_eq!(join.size_hint(), (10, None));
    streams.end();
    while settle(&mut join).is_ready() && !join.is_terminated() {
        let (low, high) = join.size_hint();
        assert!(high.is_none_or(|high| high == low));
    }
    assert_eq!(join.size_hint(), (0, Some(0)));
}

/// With threads: many wakes, where the models have two.
#[test]
fn threads_feed_many_streams() {
    const STREAMS: usize = 100;
    const ITEMS: u32 = 200;
    let (incoming, streams) = source::<Source<(usize, u32)>>([]);
    thread::scope(|scope| {
        for half in 0..2 {
            let streams = &streams;
            scope.spawn(move || {
                let feeders: Vec<_> = (0..STREAMS)
                    .map(|_| {
                        let (stream, feeder) = source([]);
                        streams.push(stream);
                        feeder
                    })
                    .collect();
                for k in 0..ITEMS {
                    for (i, feeder) in feeders.iter().enumerate() {
                        feeder.push((half * STREAMS + i, k));
                    }
                }
                feeders.iter().for_each(|feeder| feeder.end());
            });
        }
        let mut join = join_aiters(incoming);
        let mut next = vec![0; 2 * STREAMS];
        for _ in 0..2 * STREAMS as u32 * ITEMS {
            let (stream, k) = block_on(join.next()).unwrap();
            assert_eq!(next[stream], k);
            next[stream] += 1;
        }
        streams.end();
        assert_eq!(block_on(join.next()), None);
    });
}
