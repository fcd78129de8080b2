//! Models of a ring: what is requested of a thread that holds its lock, and readers that join.

use super::*;
use crate::{
    list::list,
    test_support::loom::{large_model, model},
};
use ::loom::thread;
use core::{mem, task::Waker};

/// The next item, if the lock is free and there is one.
fn try_next(cursor: &mut RingCursor<usize>) -> Option<(usize, usize)> {
    match cursor.next(Waker::noop()) {
        Found::Item(missed, item) => Some((missed, item)),
        _ => None,
    }
}

/// The holder of the lock is suspended while another thread pushes on. Whichever thread releases
/// the lock last, the ring has everything afterwards, and no more than its capacity.
#[test]
fn what_is_pushed_while_the_lock_is_held_is_transferred_afterwards() {
    model(|| {
        let (writer, reader) = list();
        let mut one = Ring::first_cursor(reader, 1);
        let other = one.fork_with(1);
        let ring = one.ring().clone();
        let pushing = thread::spawn(move || {
            for item in 1..3 {
                writer.push(item).unwrap();
                ring.transfer();
            }
            writer
        });
        let _ = try_next(&mut one);
        drop(pushing.join().unwrap());
        assert_eq!(other.kept(), 1);
    });
}

/// A cursor with a larger limit comes before the second item is pushed, so the first is still
/// there.
#[test]
fn no_item_is_displaced_that_a_cursor_has_to_take_which_came_before_the_push() {
    large_model(|| {
        let (writer, reader) = list();
        let mut one = Ring::first_cursor(reader, 1);
        let mut polled = one.fork_with(1);
        writer.push(1).unwrap();
        let polling = thread::spawn(move || {
            let _ = try_next(&mut polled);
            polled
        });
        let mut large = one.fork_with(2);
        writer.push(2).unwrap();
        one.ring().transfer();
        drop(polling.join().unwrap());
        assert_eq!(try_next(&mut large), Some((0, 1)));
        assert_eq!(try_next(&mut large), Some((0, 2)));
    });
}

/// A reader joins while another cursor passes the item at its place.
#[test]
fn a_reader_joins_while_items_leave_the_ring() {
    large_model(|| {
        let (writer, mut reader) = list();
        let mut one = Ring::first_cursor(reader.fork(), 2);
        one.ring().shared().allow_clones();
        let ring = one.ring().clone();
        writer.push(1).unwrap();
        writer.push(2).unwrap();
        let taking = thread::spawn(move || {
            let _ = try_next(&mut one);
            let _ = try_next(&mut one);
            one
        });
        let mut joined = ring.join(reader.fork(), VecDeque::new(), 2);
        let one = taking.join().unwrap();
        assert_eq!(try_next(&mut joined), Some((0, 1)));
        assert_eq!(try_next(&mut joined), Some((0, 2)));
        drop(one);
    });
}

/// The last cursor leaves, and takes the feed with it, while another reader joins.
#[test]
fn a_reader_joins_while_the_last_cursor_leaves() {
    large_model(|| {
        let (writer, mut reader) = list();
        let one = Ring::first_cursor(reader.fork(), 1);
        let ring = one.ring().clone();
        ring.shared().allow_clones();
        let leaving = thread::spawn(move || drop(one));
        let mut joined = ring.join(reader.fork(), VecDeque::new(), 1);
        writer.push(1).unwrap();
        ring.transfer();
        leaving.join().unwrap();
        assert_eq!(try_next(&mut joined), Some((0, 1)));
    });
}

/// The place of a cursor that becomes a lossless one keeps what is pushed from then on, whatever
/// thread holds the lock.
#[test]
fn a_cursor_becomes_lossless_while_another_thread_holds_the_lock() {
    large_model(|| {
        let (writer, reader) = list();
        let mut one = Ring::first_cursor(reader, 1);
        let mut polled = one.fork_with(1);
        writer.push(1).unwrap();
        let polling = thread::spawn(move || {
            let _ = try_next(&mut polled);
            polled
        });
        let mut pin = one.fork_with(usize::MAX);
        writer.push(2).unwrap();
        let mut detached = pin.detach(Waker::noop());
        let polled = polling.join().unwrap();
        if !matches!(detached, Detached::Reader(..)) {
            detached = pin.detach(Waker::noop());
        }
        let Detached::Reader(_, early) = detached else {
            panic!("the lock is free");
        };
        assert!(early.into_iter().eq([1, 2]));
        drop(polled);
    });
}

/// Two cursors that are equally slow leave at once: the last one finds that nobody is behind it,
/// and has what they kept dropped. The first cursor of a ring has its slot beside none of the
/// others.
#[test]
fn two_slow_cursors_leave_at_once() {
    for is_first in [false, true] {
        model(move || {
            let (writer, reader) = list();
            let mut first = Ring::first_cursor(reader, 1);
            let [mut fast, other] = [first.fork_with(1), first.fork_with(1)];
            let mut slow = first;
            if !is_first {
                mem::swap(&mut slow, &mut fast);
            }
            writer.push(1).unwrap();
            assert_eq!(try_next(&mut fast), Some((0, 1)));
            let leaving = thread::spawn(move || drop(slow));
            drop(other);
            leaving.join().unwrap();
            assert_eq!(fast.kept(), 0);
        });
    }
}

/// A reader joins and leaves while another thread holds the lock. The ring keeps neither the reader
/// nor its items.
#[test]
fn a_reader_joins_and_leaves_while_another_thread_holds_the_lock() {
    large_model(|| {
        let (writer, mut reader) = list();
        let ring = Ring::near(&reader);
        ring.shared().allow_clones();
        writer.push(1).unwrap();
        let one = ring.join(reader.fork(), VecDeque::new(), 1);
        let holding = thread::spawn(move || drop(one));
        drop(ring.join(reader.fork(), VecDeque::new(), 1));
        holding.join().unwrap();
        let mut guard = ring.0.try_lock().unwrap();
        assert!(guard.with(|_, buffer| buffer.started().is_none() && buffer.kept() == 0));
    });
}
