//! Loom models of a split stream. The source's counter is relaxed, so that only the lock can order
//! what is taken. A task polls only when it was woken, so a lost wake is a deadlock.

extern crate std;

use super::*;
use crate::test_support::loom::{Last::*, Remote, Source, Task, large_model, model};
use ::loom::{sync::Arc, thread};
use alloc::boxed::Box;
use core::panic::AssertUnwindSafe;

type Key = fn(&usize) -> usize;
type Outer = Task<SplitBy<Source, usize, Key>>;
type One = Task<Part<Source, usize, Key>>;

/// Splits 1, 2, … into even and odd ones.
fn split(n: usize, remote: &Arc<Remote>) -> Outer {
    let key: Key = |item| item % 2;
    Task::new(split_by(n, key, Source::new(remote)))
}

/// Takes a part that is there already. Tasks belong to the thread that makes them.
fn take(outer: &mut Outer) -> Part<Source, usize, Key> {
    match outer.poll() {
        Poll::Ready(Some((_, part))) => part,
        _ => panic!("there is a part"),
    }
}

/// The parts of the odd and of the even items, which have taken 1 and 2.
fn two_parts(outer: &mut Outer, remote: &Remote) -> (One, Part<Source, usize, Key>) {
    remote.give(2);
    let mut odd = Task::new(take(outer));
    let mut even = Task::new(take(outer));
    assert_eq!(odd.next(), Some(1));
    assert_eq!(even.next(), Some(2));
    (odd, even.into_stream())
}

#[test]
fn two_parts_pull_for_each_other() {
    model(|| {
        let remote = Remote::endless();
        let mut outer = split(2, &remote);
        let (mut odd, even) = two_parts(&mut outer, &remote);
        drop(outer);
        let theirs = thread::spawn(move || Task::new(even).next());
        remote.give(2);
        assert_eq!(odd.next(), Some(3));
        assert_eq!(theirs.join().unwrap(), Some(4));
    });
}

#[test]
fn a_wake_races_the_polls_of_two_parts() {
    large_model(|| {
        let remote = Remote::endless();
        let mut outer = split(2, &remote);
        let (mut odd, even) = two_parts(&mut outer, &remote);
        drop(outer);
        let theirs = thread::spawn(move || Task::new(even).next());
        let giver = remote.clone();
        let given = thread::spawn(move || giver.give(2));
        assert_eq!(odd.next(), Some(3));
        given.join().unwrap();
        assert_eq!(theirs.join().unwrap(), Some(4));
    });
}

#[test]
fn the_part_that_polled_the_source_is_not_polled_again() {
    model(|| {
        let remote = Remote::endless();
        let mut outer = split(2, &remote);
        let (mut odd, even) = two_parts(&mut outer, &remote);
        drop(outer);
        assert!(odd.poll().is_pending());
        let theirs = thread::spawn(move || Task::new(even).next());
        remote.give(2);
        assert_eq!(theirs.join().unwrap(), Some(4));
    });
}

#[test]
fn a_part_is_dropped_while_another_pulls() {
    model(|| {
        let remote = Remote::endless();
        let mut outer = split(2, &remote);
        let (mut odd, even) = two_parts(&mut outer, &remote);
        let mut even = Task::new(even);
        assert!(even.poll().is_pending());
        drop(outer);
        let dropped = even.into_stream();
        let theirs = thread::spawn(move || drop(dropped));
        remote.give(3);
        assert_eq!(odd.next(), Some(3));
        // Found in the part, or dropped with its key.
        assert_eq!(odd.next(), Some(5));
        theirs.join().unwrap();
    });
}

/// Its key makes a new part as soon as the drop has returned.
#[test]
fn a_part_is_forgotten_whoever_has_the_lock() {
    model(|| {
        let remote = Remote::endless();
        let mut outer = split(2, &remote);
        let (mut odd, even) = two_parts(&mut outer, &remote);
        assert!(odd.poll().is_pending());
        let dropped = thread::spawn(move || drop(even));
        remote.give(1);
        assert_eq!(odd.next(), Some(3));
        dropped.join().unwrap();
        remote.give(1);
        let (key, part) = outer.next().unwrap();
        assert_eq!((key, Task::new(part).next()), (0, Some(4)));
    });
}

/// Unless the thread that has the lock wakes the source.
#[test]
fn a_part_that_is_dropped_while_another_is_polled_leaves_nothing() {
    model(|| {
        let remote = Remote::endless();
        let mut outer = split(2, &remote);
        let (mut odd, even) = two_parts(&mut outer, &remote);
        let dropped = thread::spawn(move || drop(even));
        assert!(odd.poll().is_pending());
        dropped.join().unwrap();
        assert!(odd.stream.0.has_forgotten_all());
    });
}

/// A full part makes room, or is dropped, while another one waits for that.
fn room_is_made(give_way: fn(One)) {
    let remote = Remote::endless();
    let mut outer = split(1, &remote);
    remote.give(5);
    let mut odd = Task::new(take(&mut outer));
    let even = take(&mut outer);
    // The even part is full with 2; odd takes 1 and 3, and finds 4 in hand.
    assert_eq!(odd.next(), Some(1));
    assert_eq!(odd.next(), Some(3));
    assert!(odd.poll().is_pending());
    drop(outer);
    let theirs = thread::spawn(move || give_way(Task::new(even)));
    assert_eq!(odd.woken(), Some(5));
    theirs.join().unwrap();
}

#[test]
fn a_full_part_takes_an_item() {
    model(|| room_is_made(|mut even| assert_eq!(even.next(), Some(2))));
}

#[test]
fn a_full_part_is_dropped() {
    model(|| room_is_made(drop));
}

/// The wake of the source may have the lock when the full part leaves its number.
#[test]
fn a_full_part_is_dropped_while_the_source_wakes() {
    model(|| {
        let remote = Remote::endless();
        let mut outer = split(1, &remote);
        remote.give(2);
        let mut odd = Task::new(take(&mut outer));
        let even = take(&mut outer);
        assert_eq!(odd.next(), Some(1));
        // Its waker stays with the source.
        assert!(odd.poll().is_pending());
        remote.give_without_a_wake(3);
        assert_eq!(odd.next(), Some(3));
        assert!(odd.poll().is_pending());
        drop(outer);
        let giver = remote.clone();
        let woken = thread::spawn(move || giver.give(0));
        let dropped = thread::spawn(move || drop(even));
        assert_eq!(odd.woken(), Some(5));
        woken.join().unwrap();
        dropped.join().unwrap();
    });
}

#[test]
fn the_outer_stream_is_dropped_while_a_part_pulls() {
    model(|| {
        let remote = Remote::endless();
        let mut outer = split(1, &remote);
        remote.give(3);
        let mut odd = Task::new(take(&mut outer));
        assert_eq!(odd.next(), Some(1));
        // The even part is found while it is dropped, and nobody takes it.
        let dropped = outer.into_stream();
        let theirs = thread::spawn(move || drop(dropped));
        assert_eq!(odd.next(), Some(3));
        theirs.join().unwrap();
    });
}

#[test]
fn a_part_is_taken_while_another_waits_for_that() {
    model(|| {
        let remote = Remote::endless();
        let key: Key = |item| *item % 4;
        let mut outer = Task::new(split_by(1, key, Source::new(&remote)));
        remote.give(5);
        let mut one = Task::new(take(&mut outer));
        assert_eq!(one.next(), Some(1));
        // The part of 2 waits, and 3 is in hand.
        assert!(one.poll().is_pending());
        let outer = outer.into_stream();
        let theirs = thread::spawn(move || {
            let mut outer = Task::new(outer);
            for key in [2, 3, 0] {
                assert_eq!(outer.next().unwrap().0, key);
            }
        });
        assert_eq!(one.woken(), Some(5));
        theirs.join().unwrap();
    });
}

#[test]
fn the_end_reaches_every_part() {
    model(|| {
        let remote = Remote::new(3, End);
        let mut outer = split(1, &remote);
        let (mut odd, even) = two_parts(&mut outer, &remote);
        let theirs = thread::spawn(move || Task::new(even).next());
        let giver = remote.clone();
        let given = thread::spawn(move || giver.give(1));
        assert_eq!(odd.next(), None);
        assert_eq!(theirs.join().unwrap(), None);
        assert!(outer.next().is_none());
        given.join().unwrap();
    });
}

#[test]
fn a_panic_of_the_source_reaches_every_part() {
    fn panics(part: &mut One) -> bool {
        std::panic::catch_unwind(AssertUnwindSafe(|| part.next())).is_err()
    }
    std::panic::set_hook(Box::new(|_| {}));
    model(|| {
        let remote = Remote::new(3, Panic);
        let mut outer = split(1, &remote);
        let (mut odd, even) = two_parts(&mut outer, &remote);
        drop(outer);
        let theirs = thread::spawn(move || {
            let mut even = Task::new(even);
            assert!(panics(&mut even));
            assert_eq!(even.next(), None);
        });
        remote.give(1);
        assert!(panics(&mut odd));
        assert_eq!(odd.next(), None);
        theirs.join().unwrap();
    });
    drop(std::panic::take_hook());
}
