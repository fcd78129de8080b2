//! Models of the list on several threads, over all their interleavings: run them with `ci/loom.sh`.
//! Blocks have two slots here.

mod close;
mod drain;
mod end;
mod gap;
mod many;
mod open;
mod reclaim;
mod registry;
mod sleep;
mod statistics;

use super::{Reader, list};
use crate::{
    sync::Arc,
    test_support::loom::{block_on, large_model, model},
};
use ::loom::{
    alloc::Track,
    sync::atomic::{AtomicUsize, Ordering::Relaxed},
    thread,
};
use alloc::vec::Vec;
use core::{
    future::poll_fn,
    task::{Context, Poll, Waker},
};

fn next<T>(reader: &mut Reader<T>) -> Option<T> {
    block_on(poll_fn(|cx| reader.poll_next(cx)))
}

fn rest<T>(reader: &mut Reader<T>) -> Vec<T> {
    core::iter::from_fn(|| next(reader)).collect()
}

fn available<T>(reader: &mut Reader<T>) -> Vec<T> {
    core::iter::from_fn(|| {
        if let Poll::Ready(Some(item)) = reader.next() {
            Some(item)
        } else {
            None
        }
    })
    .collect()
}

/// Takes items that are known to be available.
fn take<T>(reader: &mut Reader<T>, count: usize) -> Vec<T> {
    let next = |_| match reader.next() {
        Poll::Ready(Some(item)) => item,
        _ => panic!("an item was missing"),
    };
    (0..count).map(next).collect()
}

/// An item that loom reports if it is leaked, and that fails on its second drop.
struct Item(Track<usize>);

impl core::fmt::Debug for Item {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        number(self).fmt(f)
    }
}

impl Clone for Item {
    fn clone(&self) -> Self {
        item(number(self))
    }
}

fn item(n: usize) -> Item {
    Item(Track::new(n))
}

fn number(item: &Item) -> usize {
    *item.0.get_ref()
}

fn numbers(items: &[Item]) -> Vec<usize> {
    items.iter().map(number).collect()
}

/// The first `count` items.
fn first<T>(reader: &mut Reader<T>, count: usize) -> Vec<T> {
    (0..count).map_while(|_| next(reader)).collect()
}

#[test]
fn loom_two_pushers_and_a_reader() {
    large_model(|| {
        let (writer, mut reader) = list();
        writer.push(item(0)).unwrap();
        take(&mut reader, 1);
        let other = writer.clone();
        // One pushes into the last slot of a block, and the other into the first slot of the next.
        let pushing = thread::spawn(move || other.push(item(10)).unwrap());
        let second = thread::spawn(move || writer.push(item(20)).unwrap());
        let items = numbers(&first(&mut reader, 2));
        assert!(items == [10, 20] || items == [20, 10]);
        pushing.join().unwrap();
        second.join().unwrap();
        assert!(next(&mut reader).is_none());
    });
}

#[test]
fn loom_one_of_two_pushers_finishes_while_a_reader_waits_for_the_other() {
    model(|| {
        let (writer, mut reader) = list();
        let other = writer.clone();
        let pushing = thread::spawn(move || {
            other.push(item(10)).unwrap();
            other.push(item(11)).unwrap();
        });
        writer.push(item(20)).unwrap();
        let items = numbers(&first(&mut reader, 3));
        assert!(items.iter().position(|n| *n == 10) < items.iter().position(|n| *n == 11));
        pushing.join().unwrap();
    });
}

#[test]
fn loom_push_races_stop() {
    model(|| {
        let (writer, mut reader) = list();
        writer.push(item(0)).unwrap();
        let other = writer.clone();
        let pushing = thread::spawn(move || {
            (1..3)
                .filter(|n| other.push(item(*n)).is_ok())
                .collect::<Vec<_>>()
        });
        writer.close();
        let delivered = numbers(&rest(&mut reader));
        let accepted = pushing.join().unwrap();
        assert_eq!(delivered[0], 0);
        assert_eq!(delivered[1..], accepted[..]);
        assert!(matches!(reader.next(), Poll::Ready(None)));
    });
}

#[test]
fn loom_push_races_the_drop_of_the_last_reader() {
    model(|| {
        let (writer, reader) = list();
        let counted = Arc::new(0);
        let items: Vec<_> = (0..2).map(|_| counted.clone()).collect();
        let pushing = thread::spawn(move || {
            items.into_iter().for_each(|item| drop(writer.push(item)));
            writer
        });
        drop(reader);
        let writer = pushing.join().unwrap();
        // No item stays until the writer is dropped: what was accepted is dropped by the reader, or
        // by the writer that published it.
        assert_eq!(Arc::strong_count(&counted), 1);
        assert!(writer.push(counted).is_err());
    });
}

#[test]
fn loom_reader_sleeps_while_a_push_publishes() {
    model(|| {
        let (writer, mut reader) = list();
        writer.push(item(0)).unwrap();
        take(&mut reader, 1);
        // One item comes at the end of a block, and one in the next block.
        let pushing = thread::spawn(move || {
            (1..3).for_each(|n| writer.push(item(n)).unwrap());
            writer
        });
        for n in 1..3 {
            assert_eq!(next(&mut reader).map(|item| number(&item)), Some(n));
        }
        drop(pushing.join().unwrap());
    });
}

#[test]
fn loom_batch_is_contiguous() {
    model(|| {
        let (writer, mut reader) = list();
        let other = writer.clone();
        let pushing = thread::spawn(move || other.push_batch(3, &mut (0..2).map(item)).unwrap());
        writer.push(item(9)).unwrap();
        let items = numbers(&first(&mut reader, 3));
        assert!(items == [0, 1, 9] || items == [9, 0, 1]);
        pushing.join().unwrap();
    });
}

#[test]
fn loom_fork_races_push_and_drop() {
    large_model(|| {
        let (writer, mut reader) = list();
        writer.push(item(0)).unwrap();
        let pushing = thread::spawn(move || {
            writer.push(item(1)).unwrap();
            writer
        });
        let mut fork = reader.fork();
        let dropping = thread::spawn(move || drop(reader));
        assert_eq!(numbers(&take(&mut fork, 1)), [0]);
        assert_eq!(next(&mut fork).map(|item| number(&item)), Some(1));
        dropping.join().unwrap();
        drop(pushing.join().unwrap());
    });
}

#[test]
fn loom_cursors_at_different_speeds() {
    large_model(|| {
        let (writer, mut fast) = list();
        let mut slow = fast.fork();
        (0..3).for_each(|n| writer.push(item(n)).unwrap());
        drop(writer);
        let reading = thread::spawn(move || numbers(&take(&mut fast, 3)));
        assert_eq!(numbers(&take(&mut slow, 3)), [0, 1, 2]);
        assert_eq!(reading.join().unwrap(), [0, 1, 2]);
    });
}

#[test]
fn loom_a_reader_relies_on_a_run_that_another_found() {
    large_model(|| {
        let (writer, mut reader) = list();
        let mut fork = reader.fork();
        let pushing = thread::spawn(move || {
            (0..2).for_each(|n| writer.push(item(n)).unwrap());
            writer
        });
        let finding = thread::spawn(move || (available(&mut fork).len(), fork));
        // It is spawned after the others, because then loom lets it come last without a preemption.
        let relying = thread::spawn(move || (numbers(&available(&mut reader)), reader));
        let _writer = pushing.join().unwrap();
        let (found, _fork) = finding.join().unwrap();
        let (items, _reader) = relying.join().unwrap();
        assert!(found <= 2 && [0, 1].starts_with(&items));
    });
}

#[test]
fn loom_blocks_are_freed_under_writers() {
    model(|| {
        let (writer, mut reader) = list();
        let other = writer.clone();
        let pushing = thread::spawn(move || (0..3).for_each(|n| other.push(item(n)).unwrap()));
        let reading = thread::spawn(move || {
            let items = numbers(&available(&mut reader));
            (items, reader)
        });
        (0..3).for_each(|n| writer.push(item(10 + n)).unwrap());
        let (mut items, mut reader) = reading.join().unwrap();
        pushing.join().unwrap();
        drop(writer);
        items.extend(numbers(&rest(&mut reader)));
        assert_eq!(items.len(), 6);
    });
}

#[test]
fn loom_a_reader_is_about_to_leave_the_previous_block() {
    model(|| {
        let (writer, mut fast) = list();
        let slow = fast.fork();
        (0..3).for_each(|n| writer.push(item(n)).unwrap());
        take(&mut fast, 2);
        // Once it is not counted as a reader any more, the other reader moves items out, and all
        // readers have passed the block that it is in.
        let leaving = thread::spawn(move || drop(slow));
        assert_eq!(numbers(&take(&mut fast, 1)), [2]);
        writer.push(item(3)).unwrap();
        assert_eq!(numbers(&take(&mut fast, 1)), [3]);
        leaving.join().unwrap();
    });
}

#[test]
fn loom_subscriber_sees_all_that_follows() {
    large_model(|| {
        let (writer, mut reader) = list();
        let other = writer.clone();
        let subscribing = thread::spawn(move || {
            let mut late = other.subscribe();
            other.push(item(1)).unwrap();
            drop(other);
            numbers(&rest(&mut late))
        });
        writer.push(item(0)).unwrap();
        drop(writer);
        let all = numbers(&rest(&mut reader));
        let late = subscribing.join().unwrap();
        assert!(all == [0, 1] || all == [1, 0]);
        assert!(late == [1] || late == all);
    });
}

#[test]
fn loom_subscriber_races_the_drop_of_the_last_reader() {
    model(|| {
        let (writer, reader) = list();
        writer.push(item(0)).unwrap();
        let other = writer.clone();
        let subscribing = thread::spawn(move || {
            let mut late = other.subscribe();
            let accepted = other.push(item(1)).is_ok();
            drop(other);
            (accepted, numbers(&rest(&mut late)))
        });
        drop(reader);
        drop(writer);
        match subscribing.join().unwrap() {
            (true, seen) => assert_eq!(seen, [1]),
            (false, seen) => assert!(seen.is_empty()),
        }
    });
}

#[test]
fn loom_waiter_is_cancelled_while_woken() {
    large_model(|| {
        let (writer, mut reader) = list();
        let mut other = reader.fork();
        let poll = other.poll_next(&mut Context::from_waker(Waker::noop()));
        assert!(poll.is_pending());
        let pushing = thread::spawn(move || {
            writer.push(item(0)).unwrap();
            writer
        });
        let cancelled = thread::spawn(move || drop(other));
        assert!(next(&mut reader).is_some());
        cancelled.join().unwrap();
        drop(pushing.join().unwrap());
    });
}

#[test]
fn loom_waker_changes_while_woken() {
    model(|| {
        let (writer, mut reader) = list();
        let pushing = thread::spawn(move || {
            writer.push(item(0)).unwrap();
            writer.push(item(1)).unwrap();
            writer
        });
        // Each poll has a waker of its own, and a wake of an old one has no effect.
        for n in 0..2 {
            assert_eq!(next(&mut reader).map(|item| number(&item)), Some(n));
        }
        drop(pushing.join().unwrap());
        assert!(next(&mut reader).is_none());
    });
}

/// A reader that keeps its waker for some waits and changes it later comes after each writer that
/// called it, not only after the last one.
#[test]
fn loom_waker_is_kept_while_woken_and_changes_later() {
    model(|| {
        let (writer, mut reader) = list();
        let other = writer.clone();
        let pushing = thread::spawn(move || other.push(item(0)).unwrap());
        let mut poll = |waker: &Waker, times| {
            let cx = &mut Context::from_waker(waker);
            (0..times)
                .filter(|_| reader.poll_next(cx).is_ready())
                .count()
        };
        let mut taken = poll(Waker::noop(), 3);
        writer.push(item(1)).unwrap();
        taken += poll(Waker::noop(), 2);
        taken += block_on(poll_fn(|cx| Poll::Ready(poll(cx.waker(), 1))));
        pushing.join().unwrap();
        taken += poll(Waker::noop(), 2);
        assert_eq!(taken, 2);
    });
}

#[test]
fn loom_two_sleeping_readers_and_two_pushers() {
    large_model(|| {
        let (writer, mut reader) = list();
        let mut fork = reader.fork();
        let other = writer.clone();
        let pushing = thread::spawn(move || other.push(0).unwrap());
        let sleeping = thread::spawn(move || (next(&mut fork).is_some(), fork));
        writer.push(1).unwrap();
        assert!(next(&mut reader).is_some());
        let (woken, _fork) = sleeping.join().unwrap();
        assert!(woken);
        pushing.join().unwrap();
    });
}

#[test]
fn loom_two_readers_that_are_dropped_leak_nothing() {
    large_model(|| {
        let (writer, mut reader) = list();
        let mut fork = reader.fork();
        let counted = Arc::new(0);
        (0..2).for_each(|_| writer.push(counted.clone()).unwrap());
        let reading = thread::spawn(move || drop(take(&mut fork, 1)));
        // Both may have cloned the first item; then neither of them moves it out.
        drop(take(&mut reader, 1));
        drop(reader);
        reading.join().unwrap();
        assert_eq!(Arc::strong_count(&counted), 1);
        drop(writer);
    });
}

/// An item that loom reports when one reader drops it while another clones it.
struct Cloned(::loom::cell::UnsafeCell<usize>, Arc<AtomicUsize>);

// SAFETY: loom checks every access.
unsafe impl Sync for Cloned {}
impl Clone for Cloned {
    fn clone(&self) -> Self {
        // SAFETY: `with` reports a writer.
        let n = self.0.with(|n| unsafe { *n });
        self.1.fetch_add(1, Relaxed);
        Self(::loom::cell::UnsafeCell::new(n), self.1.clone())
    }
}
impl Drop for Cloned {
    fn drop(&mut self) {
        // SAFETY: `with_mut` reports a reader.
        self.0.with_mut(|n| unsafe { *n = 0 });
    }
}

/// No reader moves an item out while another one clones it: loom checks the accesses to the cell.
#[test]
fn loom_no_reader_moves_what_another_clones() {
    large_model(|| {
        let (writer, mut reader) = list();
        let mut fork = reader.fork();
        let clones = Arc::new(AtomicUsize::new(0));
        let item = Cloned(::loom::cell::UnsafeCell::new(1), clones.clone());
        assert!(writer.push(item).is_ok());
        drop(writer);
        let reading = thread::spawn(move || take(&mut fork, 1));
        let mut second = reader.fork();
        take(&mut reader, 1);
        drop(reader);
        take(&mut second, 1);
        reading.join().unwrap();
        // One of the three may have moved it.
        assert!(clones.load(Relaxed) >= 2);
    });
}

/// A scan of the registry that looks at the slot of a new fork before the fork, and at the slot of
/// its parent after it, does not count.
#[test]
fn loom_a_scan_does_not_miss_a_fork() {
    large_model(|| {
        let (writer, mut first) = list();
        // The fork will get the first slot, which a scan looks at before the slot of its parent.
        let mut parent = first.fork();
        let mut other = first.fork();
        drop(first);
        let clones = Arc::new(AtomicUsize::new(0));
        (1..3).for_each(|n| {
            let item = Cloned(::loom::cell::UnsafeCell::new(n), clones.clone());
            assert!(writer.push(item).is_ok());
        });
        let forking = thread::spawn(move || {
            let mut fork = parent.fork();
            take(&mut parent, 1);
            take(&mut fork, 1);
        });
        // For the second item it scans again.
        take(&mut other, 2);
        forking.join().unwrap();
    });
}
