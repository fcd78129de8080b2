//! Tests of `join_aiters`: streams that join, wait, end and panic.

extern crate std;

use crate::test_support::{Source, Wakes, source};
use crate::{join_aiters, join_aiters_limited};
use alloc::{boxed::Box, rc::Rc, vec, vec::Vec};
use core::{
    cell::Cell,
    panic::AssertUnwindSafe,
    pin::pin,
    task::{Context, Poll, Waker},
};
use futures_core::{FusedStream, Stream};
use futures_lite::{StreamExt, future::block_on, stream};
use std::{panic::catch_unwind, thread};

fn poll<S: Stream + Unpin>(join: &mut S, waker: &Waker) -> Poll<Option<S::Item>> {
    join.poll_next(&mut Context::from_waker(waker))
}

/// Polls until there is an item or the end, or a pending poll without a wake.
fn settle<S: Stream + Unpin>(join: &mut S) -> Poll<Option<S::Item>> {
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

/// A stream of some items that counts how many of its kind are alive.
fn counted(alive: &Rc<Cell<usize>>, items: u32) -> impl Stream<Item = u32> + use<> {
    struct Alive(Rc<Cell<usize>>);
    impl Drop for Alive {
        fn drop(&mut self) {
            self.0.set(self.0.get() - 1);
        }
    }
    alive.set(alive.get() + 1);
    let alive = Alive(alive.clone());
    let stream = stream::unfold(0, move |k| async move {
        futures_lite::future::yield_now().await;
        (k < items).then_some((k, k + 1))
    });
    // Dropped with the stream, and not at its end.
    stream.inspect(move |_| _ = &alive)
}

#[test]
fn no_more_streams_than_the_limit_are_alive() {
    for limit in [1, 2, 3, 31, 32, 33, 99, 100, 101, usize::MAX] {
        let (alive, most) = (Rc::new(Cell::new(0)), Cell::new(0));
        let streams = stream::iter(0..100_u32).map(|k| {
            let stream = counted(&alive, k % 11);
            most.set(most.get().max(alive.get()));
            stream
        });
        let mut join = pin!(join_aiters_limited(limit, streams));
        let mut items = 0;
        while block_on(join.next()).is_some() {
            assert!(alive.get() <= limit);
            items += 1;
        }
        assert_eq!(items, (0..100).map(|k| k % 11).sum::<u32>());
        assert_eq!(alive.get(), 0);
        // Some have no item, and end before others join.
        assert!(most.get() == limit || limit > 40 && most.get() > 40);
    }
}

#[test]
fn the_source_is_not_polled_while_the_limit_is_reached() {
    let (incoming, streams) = source::<Source<u32>>([]);
    let mut join = join_aiters_limited(2, incoming);
    let (count, waker) = Wakes::new();
    let feeds: Vec<_> = (0..4)
        .map(|_| {
            let (stream, feeder) = source([]);
            streams.push(stream);
            feeder
        })
        .collect();
    assert_eq!(poll(&mut join, &waker), Poll::Pending);
    assert_eq!((streams.polls(), feeds[1].polls()), (2, 1));
    // Neither a poll nor an item changes that.
    assert_eq!(poll(&mut join, &waker), Poll::Pending);
    feeds[1].push(1);
    assert_eq!(poll(&mut join, &waker), Poll::Ready(Some(1)));
    assert_eq!(poll(&mut join, &waker), Poll::Pending);
    assert_eq!((streams.polls(), count.taken()), (2, 1));
    // The place of a stream that ends is taken in the same call.
    feeds[0].end();
    feeds[2].push(2);
    assert_eq!(count.taken(), 1);
    assert_eq!(poll(&mut join, &waker), Poll::Ready(Some(2)));
    assert!(feeds[0].is_dropped());
    assert_eq!(streams.polls(), 3);
    feeds[1].end();
    feeds[2].end();
    assert_eq!(settle(&mut join), Poll::Pending);
    assert_eq!((streams.polls(), feeds[3].polls()), (5, 1));
    streams.end();
    feeds[3].end();
    assert_eq!(settle(&mut join), Poll::Ready(None));
    assert!(join.is_terminated());
}

#[test]
fn a_panic_of_a_stream_leaves_its_place_to_the_next() {
    let alive = Rc::new(Cell::new(0));
    let streams = stream::iter(0..10).map(|k| {
        counted(&alive, 3).map(move |item| {
            assert!(k % 2 == 0 || item != 1, "stream");
            k
        })
    });
    let mut join = Box::pin(join_aiters_limited(1, streams));
    let (mut seen, mut panics) = (Vec::new(), 0);
    loop {
        match catch_unwind(AssertUnwindSafe(|| settle(&mut join))) {
            Ok(Poll::Ready(Some(k))) => seen.push(k),
            Ok(Poll::Ready(None)) => break,
            Ok(Poll::Pending) => unreachable!(),
            Err(_) => panics += 1,
        }
        assert!(alive.get() <= 1);
    }
    let expected = (0..10).flat_map(|k| [k; 3].into_iter().take(if k % 2 == 0 { 3 } else { 1 }));
    assert_eq!((seen, panics), (expected.collect(), 5));
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
