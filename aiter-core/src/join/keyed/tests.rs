//! Tests of `join_aiters_keyed`: which stream an item comes from, and one end for each stream.

extern crate std;

use crate::test_support::{Source, Wakes, poll, source};
use crate::{JoinAitersKeyed, PushAiter, join_aiters_keyed, push_aiter};
use alloc::{rc::Rc, vec, vec::Vec};
use core::{
    cell::Cell,
    panic::AssertUnwindSafe,
    pin::Pin,
    task::{Context, Poll, Waker},
};
use futures_core::{FusedStream, Stream};
use futures_lite::{StreamExt, future::block_on, stream};
use std::{panic::catch_unwind, thread};

/// Polls until there is an item or the end, or a pending poll without a wake.
fn settle<S: Stream + Unpin>(join: &mut S) -> Poll<Option<S::Item>> {
    let (wakes, waker) = Wakes::new();
    loop {
        let polled = poll(join, &waker);
        if polled.is_ready() || wakes.taken() == 0 {
            return polled;
        }
    }
}

/// All items until the end, and the number of panics.
fn all<S: Stream + Unpin>(join: &mut S) -> (Vec<S::Item>, usize) {
    let (mut items, mut panics) = (Vec::new(), 0);
    loop {
        match catch_unwind(AssertUnwindSafe(|| settle(join))) {
            Ok(Poll::Ready(Some(item))) => items.push(item),
            Ok(Poll::Ready(None)) => return (items, panics),
            Ok(Poll::Pending) => panic!("stuck"),
            Err(_) => panics += 1,
        }
    }
}

#[test]
fn no_stream_and_empty_streams() {
    let mut join = join_aiters_keyed(stream::empty::<(u8, stream::Empty<u8>)>());
    assert!(!join.is_terminated());
    assert_eq!(settle(&mut join), Poll::Ready(None));
    assert!(join.is_terminated());
    assert_eq!(settle(&mut join), Poll::Ready(None));

    let none = (0..500).map(|key| (key, stream::empty::<u8>()));
    let (items, _) = all(&mut join_aiters_keyed(stream::iter(none)));
    assert!(items.into_iter().eq((0..500).map(|key| (key, None))));
}

#[test]
fn each_item_has_its_key_and_each_end_comes_once_and_last() {
    let streams = (0..1000_u32).map(|key| (key, stream::iter(0..key % 20)));
    let mut next = vec![Some(0); 1000];
    let mut join = join_aiters_keyed(stream::iter(streams));
    let (items, _) = all(&mut join);
    for (key, item) in items {
        let expected = &mut next[key as usize];
        assert!(expected.is_some(), "{key} had ended");
        match item {
            Some(item) => {
                assert_eq!(Some(item), *expected);
                *expected = Some(item + 1);
            }
            None => assert_eq!(expected.take(), Some(key % 20)),
        }
    }
    assert_eq!(next, [None; 1000]);
}

#[test]
fn streams_may_have_equal_keys() {
    let streams = [("a", stream::iter([1, 2])), ("a", stream::iter([3, 4]))];
    let (mut items, _) = all(&mut join_aiters_keyed(stream::iter(streams)));
    items.sort_unstable();
    let expected = [None, None, Some(1), Some(2), Some(3), Some(4)];
    assert_eq!(items, expected.map(|item| ("a", item)));
}

#[test]
fn streams_join_through_a_push_list_while_the_join_is_pending() {
    let (join_it, incoming) = push_aiter::<(u8, PushAiter<u32>)>();
    let mut join = join_aiters_keyed(incoming);
    let (wakes, waker) = Wakes::new();
    assert_eq!(poll(&mut join, &waker), Poll::Pending);

    let (first, items) = push_aiter();
    thread::scope(|scope| {
        scope.spawn(|| join_it.push((1, items)).unwrap());
    });
    assert_eq!(wakes.taken(), 1);
    assert_eq!(poll(&mut join, &waker), Poll::Pending);
    first.push(10).unwrap();
    assert_eq!(wakes.taken(), 1);
    assert_eq!(poll(&mut join, &waker), Poll::Ready(Some((1, Some(10)))));
    assert_eq!(poll(&mut join, &waker), Poll::Pending);

    let (second, items) = push_aiter();
    second.push(20).unwrap();
    join_it.push((2, items)).unwrap();
    assert_eq!(wakes.taken(), 1);
    assert_eq!(poll(&mut join, &waker), Poll::Ready(Some((2, Some(20)))));

    // The list of streams is stopped. Those that have joined go on.
    join_it.stop();
    assert_eq!(poll(&mut join, &waker), Poll::Pending);
    second.push(21).unwrap();
    assert_eq!(poll(&mut join, &waker), Poll::Ready(Some((2, Some(21)))));
    second.stop();
    assert_eq!(poll(&mut join, &waker), Poll::Ready(Some((2, None))));
    assert_eq!(poll(&mut join, &waker), Poll::Pending);
    assert!(!join.is_terminated());
    drop(first);
    assert_eq!(poll(&mut join, &waker), Poll::Ready(Some((1, None))));
    assert_eq!(poll(&mut join, &waker), Poll::Ready(None));
    assert!(join.is_terminated());
}

/// Streams that keep joining from several threads, each with items from the thread that sent it.
#[test]
fn streams_keep_joining_from_other_threads() {
    const THREADS: u32 = 3;
    const STREAMS: u32 = 200;
    let (join_it, incoming) = push_aiter();
    let mut join = join_aiters_keyed(incoming);
    thread::scope(|scope| {
        for thread in 0..THREADS {
            let join_it = join_it.clone();
            scope.spawn(move || {
                for n in 0..STREAMS {
                    let (items, stream) = push_aiter();
                    assert!(join_it.push((thread * STREAMS + n, stream)).is_ok());
                    (0..n % 5).for_each(|item| items.push(item).unwrap());
                }
            });
        }
        drop(join_it);
        let mut seen = vec![0; (THREADS * STREAMS) as usize];
        let mut ended = 0;
        while let Some((key, item)) = block_on(join.next()) {
            match item {
                Some(item) => {
                    assert_eq!(item, seen[key as usize]);
                    seen[key as usize] += 1;
                }
                None => {
                    assert_eq!(seen[key as usize], key % STREAMS % 5);
                    ended += 1;
                }
            }
        }
        assert_eq!(ended, THREADS * STREAMS);
    });
}

/// One stream is always ready; all others become ready at once, while it has its turn.
#[test]
fn every_ready_stream_is_served_within_one_round() {
    const STREAMS: usize = 1000;
    let (feeds, streams): (Vec<_>, Vec<_>) = (1..STREAMS)
        .map(|key| {
            let (stream, feed) = source([]);
            (feed, (key, stream.boxed()))
        })
        .unzip();
    let endless = stream::iter([(0, stream::repeat(0).boxed())]);
    let mut join = join_aiters_keyed(endless.chain(stream::iter(streams)));
    // Until each was polled and is pending.
    while feeds.iter().any(|feed| feed.polls() == 0) {
        assert_eq!(settle(&mut join), Poll::Ready(Some((0, Some(0)))));
    }
    for round in 0..5 {
        feeds.iter().for_each(|feed| feed.push(1));
        let mut served = vec![0; STREAMS];
        let mut items = 0;
        while served[1..].contains(&0) {
            let Poll::Ready(Some((key, Some(_)))) = settle(&mut join) else {
                panic!("a stream is ready");
            };
            served[key] += 1;
            items += 1;
        }
        // The rest of the turn in which they woke, and at most one turn between theirs.
        assert!(served[0] <= 16, "{} in round {round}", served[0]);
        assert!(served[1..].iter().all(|&served| served == 1));
        assert_eq!(items, STREAMS - 1 + served[0]);
    }
}

#[test]
fn streams_that_are_all_ready_have_eight_items_each_a_round() {
    const STREAMS: usize = 1000;
    let streams = (0..STREAMS).map(|key| (key, stream::repeat(0)));
    let mut join = join_aiters_keyed(stream::iter(streams));
    let mut round = || {
        let mut seen = vec![0; STREAMS];
        for _ in 0..8 * STREAMS {
            let Poll::Ready(Some((key, _))) = settle(&mut join) else {
                panic!("all are ready");
            };
            seen[key] += 1;
        }
        seen
    };
    // Streams join during the first rounds.
    (0..3).for_each(|_| drop(round()));
    for _ in 0..3 {
        let seen = round();
        assert_eq!(seen, [8; STREAMS]);
    }
}

/// A stream that panics when it is polled or dropped, or only ends.
struct Breaks {
    in_poll: bool,
    in_drop: bool,
}

impl Stream for Breaks {
    type Item = u8;
    fn poll_next(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<u8>> {
        assert!(!self.in_poll, "poll");
        Poll::Ready(None)
    }
}

impl Drop for Breaks {
    fn drop(&mut self) {
        assert!(!self.in_drop, "drop");
    }
}

#[test]
fn a_stream_that_panics_has_ended() {
    let streams = (0..30).map(|key| {
        let breaks = Breaks {
            in_poll: key % 3 == 0,
            in_drop: key % 3 == 1,
        };
        (key, breaks)
    });
    let mut join = join_aiters_keyed(stream::iter(streams));
    let (mut items, panics) = all(&mut join);
    items.sort_unstable();
    assert!(items.into_iter().eq((0..30).map(|key| (key, None))));
    assert_eq!(panics, 20);
    assert!(join.is_terminated());
}

#[test]
fn a_key_that_panics_in_clone_ends_its_stream() {
    #[derive(Debug, PartialEq)]
    struct Key(u8);
    impl Clone for Key {
        fn clone(&self) -> Self {
            assert!(self.0 != 1, "clone");
            Self(self.0)
        }
    }
    let streams = [0, 1, 2].map(|key| (Key(key), stream::iter([7])));
    let mut join = join_aiters_keyed(stream::iter(streams));
    let (items, panics) = all(&mut join);
    let of = |key| {
        let items = items.iter().filter(|item| item.0 == Key(key));
        items.map(|item| item.1).collect::<Vec<_>>()
    };
    assert_eq!(of(0), [Some(7), None]);
    assert_eq!(of(1), [None]);
    assert_eq!(of(2), [Some(7), None]);
    assert_eq!(panics, 1);
}

#[test]
fn a_stream_is_dropped_before_its_end_is_reported() {
    let (stream, feed) = source([]);
    let mut join = join_aiters_keyed(stream::iter([((), stream)]));
    feed.push(1);
    feed.end();
    assert_eq!(settle(&mut join), Poll::Ready(Some(((), Some(1)))));
    assert!(!feed.is_dropped());
    assert_eq!(settle(&mut join), Poll::Ready(Some(((), None))));
    assert!(feed.is_dropped());
}

#[test]
fn a_drop_at_any_point_drops_keys_and_streams() {
    let token = Rc::new(Cell::new(0));
    for items in 0..20 {
        let streams = (0..5).map(|_| {
            let held = token.clone();
            (
                token.clone(),
                stream::iter(0..2).inspect(move |_| held.set(held.get() + 1)),
            )
        });
        let mut join = join_aiters_keyed(stream::iter(streams));
        token.set(0);
        let mut given = 0;
        for _ in 0..items {
            if let Poll::Ready(Some((_, Some(_)))) = settle(&mut join) {
                given += 1;
            }
        }
        assert_eq!(token.get(), given, "nothing is read ahead");
        drop(join);
        assert_eq!(Rc::strong_count(&token), 1);
    }
}

#[test]
fn size_hint_counts_the_ends() {
    let mut join: JoinAitersKeyed<_, u8, stream::Iter<core::ops::Range<u32>>> =
        join_aiters_keyed(stream::iter([
            (0, stream::iter(0..5)),
            (1, stream::iter(0..7)),
        ]));
    assert_eq!(join.size_hint(), (0, None));
    assert!(settle(&mut join).is_ready());
    while join.size_hint().1.is_none() {
        assert!(settle(&mut join).is_ready());
    }
    let (low, high) = join.size_hint();
    assert_eq!(high, Some(low));
    for left in (0..low).rev() {
        assert!(settle(&mut join).is_ready());
        assert_eq!(join.size_hint(), (left, Some(left)));
    }
    assert_eq!(settle(&mut join), Poll::Ready(None));
}

#[test]
fn only_streams_that_woke_are_polled() {
    let (feeds, streams): (Vec<_>, Vec<(usize, Source<u8>)>) = (0..100)
        .map(|key| {
            let (stream, feed) = source([]);
            (feed, (key, stream))
        })
        .unzip();
    let mut join = join_aiters_keyed(stream::iter(streams));
    assert_eq!(settle(&mut join), Poll::Pending);
    feeds[42].push(1);
    assert_eq!(settle(&mut join), Poll::Ready(Some((42, Some(1)))));
    assert_eq!(poll(&mut join, Waker::noop()), Poll::Pending);
    let polls: usize = feeds.iter().map(|feed| feed.polls()).sum();
    assert_eq!(polls, 102);
}
