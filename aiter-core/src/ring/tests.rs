//! Tests of a ring that is fed by a list. The tests of forks cover what a fork makes of it.

extern crate std;

use super::*;
use crate::{list::list, test_support::panic_of};
use alloc::{sync::Arc as StdArc, vec::Vec};
use core::{
    sync::atomic::{AtomicBool, Ordering::Relaxed},
    task::Waker,
};

/// What is there for a cursor: the items, each with the number of those missed before it.
fn rest<T>(cursor: &mut RingCursor<T>) -> Vec<(usize, T)> {
    core::iter::from_fn(|| match cursor.next(Waker::noop()) {
        Found::Item(missed, item) => Some((missed, item)),
        Found::Nothing | Found::End => None,
        Found::Waiting => panic!("the lock is free"),
    })
    .collect()
}

fn next<T>(cursor: &mut RingCursor<T>) -> (usize, T) {
    match cursor.next(Waker::noop()) {
        Found::Item(missed, item) => (missed, item),
        _ => panic!("an item is there"),
    }
}

/// A cursor that is not polled may fall behind without a bound, and still has the latest items to
/// take.
#[test]
fn the_lag_is_correct_at_any_distance() {
    let (_writer, reader) = list::<u8>();
    let cursor = Ring::first_cursor(reader, 4);
    let shared = cursor.ring().shared();
    let lags = [1, 3, 4, 1 << 26, (1 << 26) + 1];
    #[cfg(target_pointer_width = "64")]
    let lags = lags.into_iter().chain([1 << 31, 1 << 32, 1 << 40, 1 << 59]);
    for lag in lags.into_iter() {
        shared.end.store(lag as Word, Relaxed);
        assert_eq!(cursor.lag(), lag.min(4_u64) as usize);
        assert!(!cursor.at_tail() && !cursor.at_end(), "{lag}");
    }
}

#[test]
fn each_cursor_misses_what_is_older_than_its_own_limit() {
    let (writer, reader) = list();
    let mut large = Ring::first_cursor(reader, 5);
    let mut small = large.fork_with(2);
    let mut larger = small.fork_with(7);
    for item in 0..9 {
        writer.push(item).unwrap();
        large.ring().transfer();
    }
    assert_eq!(large.kept(), 7);
    assert_eq!((large.lag(), small.lag(), larger.lag()), (5, 2, 7));
    assert_eq!(rest(&mut small), [(7, 7), (0, 8)]);
    assert_eq!(rest(&mut large), [(4, 4), (0, 5), (0, 6), (0, 7), (0, 8)]);
    assert_eq!(next(&mut larger), (2, 2));
    drop(larger);
    assert_eq!(large.kept(), 0, "it was the last one to need them");
}

#[test]
fn a_cursor_that_is_dropped_takes_its_limit_with_it() {
    let (writer, reader) = list();
    let mut small = Ring::first_cursor(reader, 2);
    let large = small.fork_with(100);
    (0..50).for_each(|item| writer.push(item).unwrap());
    small.ring().transfer();
    assert_eq!(small.kept(), 50);
    drop(large);
    assert_eq!(small.kept(), 2);
    (50..60).for_each(|item| writer.push(item).unwrap());
    assert_eq!(rest(&mut small), [(58, 58), (0, 59)]);
}

#[test]
fn a_fork_with_a_larger_limit_has_missed_what_its_parent_has_missed() {
    let (writer, reader) = list();
    let mut keeps = Ring::first_cursor(reader, 100);
    let mut small = keeps.fork_with(2);
    (0..10).for_each(|item| writer.push(item).unwrap());
    let mut larger = small.fork_with(50);
    (10..13).for_each(|item| writer.push(item).unwrap());
    let items = rest(&mut larger);
    assert_eq!(items, [(8, 8), (0, 9), (0, 10), (0, 11), (0, 12)]);
    assert_eq!(rest(&mut small), [(11, 11), (0, 12)]);
    assert_eq!(rest(&mut keeps).len(), 13);
}

/// The reader that joins is behind the ring, which has dropped what all its cursors have passed.
#[test]
fn a_reader_that_joins_brings_what_has_left_the_ring() {
    for (limit, ahead) in [(3, 2), (3, 3), (3, 8), (100, 8), (1, 8)] {
        let (writer, mut reader) = list();
        let mut first = Ring::first_cursor(reader.fork(), 2);
        first.ring().shared().allow_clones();
        (0..ahead).for_each(|item| writer.push(item).unwrap());
        assert_eq!(rest(&mut first).len(), ahead.min(2));
        let mut joined = first.ring().join(reader.fork(), VecDeque::new(), limit);
        assert_eq!(joined.lag(), ahead.min(limit));
        let missed = ahead.saturating_sub(limit);
        assert_eq!(next(&mut joined), (missed, missed));
        let items: Vec<_> = rest(&mut joined);
        assert!(
            items
                .into_iter()
                .eq((missed + 1..ahead).map(|item| (0, item)))
        );
        writer.push(ahead).unwrap();
        assert_eq!(
            (next(&mut first), next(&mut joined)),
            ((0, ahead), (0, ahead))
        );
        assert_eq!(first.kept(), 0);
    }
}

#[test]
fn a_reader_joins_with_items_before_its_own() {
    for limit in 1..9 {
        for is_empty in [false, true] {
            let (writer, mut reader) = list();
            let mut first = Ring::first_cursor(reader.fork(), 1);
            first.ring().shared().allow_clones();
            (0..6).for_each(|item| writer.push(item).unwrap());
            assert_eq!(rest(&mut first).len(), 1);
            let early: VecDeque<_> = (0..4).map(|_| reader.next()).map(item_of).collect();
            let ring = first.ring().clone();
            // Without a cursor the ring has no feed.
            let first = (!is_empty).then_some(first);
            let mut joined = ring.join(reader.fork(), early, limit);
            let missed = 6_usize.saturating_sub(limit);
            assert_eq!(next(&mut joined), (missed, missed));
            assert_eq!(rest(&mut joined).len(), 5 - missed);
            drop(first);
        }
    }
}

fn item_of<T>(found: core::task::Poll<Option<T>>) -> T {
    match found {
        core::task::Poll::Ready(Some(item)) => item,
        _ => panic!("an item is there"),
    }
}

#[test]
fn a_ring_without_cursors_keeps_nothing_and_can_be_joined_again() {
    let live = StdArc::new(());
    let (writer, mut reader) = list();
    let cursor = Ring::first_cursor(reader.fork(), 10);
    let ring = cursor.ring().clone();
    (0..5).for_each(|_| writer.push(live.clone()).unwrap());
    ring.transfer();
    drop(cursor);
    assert!(!ring.has_cursors() && reader.is_alone());
    (0..5).for_each(|_| drop(item_of(reader.next())));
    assert_eq!(StdArc::strong_count(&live), 1);
    let mut late = ring.join(reader.fork(), VecDeque::new(), 10);
    writer.push(live.clone()).unwrap();
    assert_eq!(rest(&mut late).len(), 1);
    assert_eq!(late.lag(), 0);
}

#[test]
fn a_cursor_becomes_a_reader_that_misses_nothing() {
    for ahead in [0_usize, 1, 3, 9] {
        let (writer, reader) = list();
        let mut lossy = Ring::first_cursor(reader, 3);
        (0..ahead).for_each(|item| writer.push(item).unwrap());
        let mut pin = lossy.fork_with(usize::MAX);
        (ahead..ahead + 9).for_each(|item| writer.push(item).unwrap());
        lossy.ring().transfer();
        let Detached::Reader(mut reader, early) = pin.detach(Waker::noop()) else {
            panic!("the lock is free");
        };
        drop(pin);
        let first = ahead.saturating_sub(3);
        assert!(early.into_iter().eq(first..ahead + 9));
        assert!(reader.next().is_pending());
        writer.push(100).unwrap();
        assert_eq!(item_of(reader.next()), 100);
        assert_eq!(rest(&mut lossy).len(), 3);
    }
}

struct Fragile(usize, StdArc<AtomicBool>);

impl Clone for Fragile {
    fn clone(&self) -> Self {
        assert!(!self.1.load(Relaxed), "clone");
        Self(self.0, self.1.clone())
    }
}

/// With another reader of the list, items are cloned into the ring.
#[test]
fn an_item_whose_clone_panics_is_missed_and_the_lock_released() {
    let flag = StdArc::new(AtomicBool::new(false));
    let (writer, mut reader) = list();
    let mut cursor = Ring::first_cursor(reader.fork(), 5);
    let push = |item| assert!(writer.push(Fragile(item, flag.clone())).is_ok());
    push(0);
    push(1);
    cursor.ring().transfer();
    push(2);
    flag.store(true, Relaxed);
    panic_of(|| cursor.ring().transfer());
    flag.store(false, Relaxed);
    push(3);
    let items: Vec<_> = rest(&mut cursor);
    let numbers: Vec<_> = items
        .iter()
        .map(|(missed, item)| (*missed, item.0))
        .collect();
    assert_eq!(numbers, [(3, 3)]);
    let others = core::iter::from_fn(|| match reader.next() {
        core::task::Poll::Ready(item) => item,
        core::task::Poll::Pending => None,
    });
    assert!(
        others.map(|item| item.0).eq(0..4),
        "the reader lost nothing"
    );
    drop(items);
    assert_eq!(StdArc::strong_count(&flag), 1);
}
