//! Loom models of the baton, and of a value that belongs to its holder.

use super::{Combine, HandoffLock, REQUESTS};
use crate::handoff::Handle;
use crate::{
    sync::{Arc, AtomicUsize, Ordering::*},
    test_support::loom::{large_model, model},
};
use ::loom::thread;
use alloc::vec::Vec;

/// Sees what was said before each note: `said` is relaxed, so that it is the note that has to order it.
struct Tally {
    said: AtomicUsize,
    /// What the holder knows when the baton has been put down.
    heard: AtomicUsize,
}

impl Combine for Tally {
    /// The notes that were read.
    type State = usize;
    type After = ();

    fn nothing_due(&self, _: &usize) -> bool {
        true
    }

    fn combine(&self, read: &mut usize, requests: usize, (): &mut ()) {
        *read |= requests;
    }

    fn follow_up(&self, (): ()) {
        self.heard.fetch_max(self.said.load(Relaxed), Relaxed);
    }
}

fn lock() -> HandoffLock<Tally> {
    let tally = Tally {
        said: AtomicUsize::new(0),
        heard: AtomicUsize::new(0),
    };
    HandoffLock::new(tally, 0)
}

fn guarded() -> Handle<Tally, usize> {
    Handle::new(lock(), 0)
}

/// Counts up with the baton in hand, each time it is to be had. How often, and whether a note was left instead.
fn count(handle: &mut Handle<Tally, usize>, times: usize, note: usize) -> (usize, bool) {
    let (mut counted, mut is_left) = (0, false);
    for _ in 0..times {
        match handle.lock_or(|lock| lock.leave(note)) {
            Some(mut guard) => {
                guard.with_value(|mut value| *value += 1);
                counted += 1;
                guard.keep_locked();
            }
            None => is_left = true,
        }
    }
    (counted, is_left)
}

/// Nothing was counted by two at a time, and no note was lost.
fn check(handle: &Handle<Tally, usize>, counted: usize, left: usize) {
    let mut guard = handle.try_lock().expect("nobody else is there");
    guard.with_value(|value| assert_eq!(*value, counted));
    guard.with(|_, read| assert_eq!(*read & left, left, "a note was lost"));
}

#[test]
fn two_holders_and_their_notes() {
    model(|| {
        let mut one = guarded();
        let mut other = one.clone();
        let counting = thread::spawn(move || count(&mut other, 2, REQUESTS[0]));
        let (mine, is_left) = count(&mut one, 2, REQUESTS[1]);
        let (theirs, has_left) = counting.join().unwrap();
        let left = [(is_left, REQUESTS[1]), (has_left, REQUESTS[0])];
        let left = left.iter().filter(|(left, _)| *left).map(|(_, note)| note);
        check(&one, mine + theirs, left.sum());
    });
}

#[test]
fn three_holders_and_their_notes() {
    large_model(|| {
        let mut one = guarded();
        let others = [REQUESTS[0], REQUESTS[1]].map(|note| (one.clone(), note));
        let counting = others.map(|(mut other, note)| {
            thread::spawn(move || {
                let (counted, is_left) = count(&mut other, 1, note);
                (counted, if is_left { note } else { 0 })
            })
        });
        let (mut counted, _) = count(&mut one, 1, REQUESTS[2]);
        let mut left = 0;
        for counting in counting {
            let (theirs, note) = counting.join().unwrap();
            counted += theirs;
            left |= note;
        }
        check(&one, counted, left);
    });
}

#[test]
fn the_only_handle_is_cloned_by_two_threads_while_it_holds() {
    model(|| {
        let mut one = guarded();
        assert_eq!(count(&mut one, 1, 0), (1, false));
        let one = Arc::new(one);
        let counting: Vec<_> = [REQUESTS[0], REQUESTS[1]]
            .into_iter()
            .map(|note| {
                let one = one.clone();
                thread::spawn(move || {
                    let mut clone = Handle::clone(&*one);
                    let (counted, is_left) = count(&mut clone, 1, note);
                    (counted, if is_left { note } else { 0 })
                })
            })
            .collect();
        let (mut counted, mut left) = (1, 0);
        for counting in counting {
            let (theirs, note) = counting.join().unwrap();
            counted += theirs;
            left |= note;
        }
        check(&one, counted, left);
    });
}

#[test]
fn a_note_comes_while_the_only_handle_holds_and_is_read_when_it_is_cloned() {
    model(|| {
        let mut one = guarded();
        assert_eq!(count(&mut one, 1, 0), (1, false));
        let lock = one.lock().clone();
        let noting = thread::spawn(move || lock.tell(REQUESTS[0]));
        let mut clone = one.clone();
        let (mine, is_left) = count(&mut clone, 1, REQUESTS[1]);
        noting.join().unwrap();
        check(
            &one,
            1 + mine,
            REQUESTS[0] + if is_left { REQUESTS[1] } else { 0 },
        );
    });
}

#[test]
fn of_several_handles_the_last_one_holds_what_the_others_left() {
    model(|| {
        let mut one = guarded();
        let mut other = one.clone();
        let gone = thread::spawn(move || count(&mut other, 1, REQUESTS[0]));
        let (mine, _) = count(&mut one, 2, REQUESTS[1]);
        let (theirs, has_left) = gone.join().unwrap();
        let (again, is_left) = count(&mut one, 2, REQUESTS[2]);
        assert!((again, is_left) == (2, false), "it is the only one");
        check(
            &one,
            mine + theirs + again,
            if has_left { REQUESTS[0] } else { 0 },
        );
    });
}

#[test]
fn the_same_note_twice_says_what_both_knew() {
    model(|| {
        let lock = Arc::new(lock());
        let telling = [1, 2].map(|bit| {
            let lock = lock.clone();
            thread::spawn(move || {
                lock.public().said.fetch_add(bit, Relaxed);
                lock.tell(REQUESTS[0]);
            })
        });
        let [(), ()] = telling.map(|telling| telling.join().unwrap());
        assert_eq!(lock.public().heard.load(Relaxed), 3);
        let mut guard = lock.try_take().expect("it was put down");
        guard.with(|_, read| assert_eq!(*read & REQUESTS[0], REQUESTS[0]));
    });
}

#[test]
fn another_note_beside_one_that_is_settled() {
    model(|| {
        let lock = Arc::new(lock());
        let asking = lock.clone();
        let asking = thread::spawn(move || {
            asking.public().said.fetch_add(1, Relaxed);
            drop(asking.leave(REQUESTS[1]));
        });
        lock.tell(REQUESTS[0]);
        asking.join().unwrap();
        assert_eq!(lock.public().heard.load(Relaxed), 1);
        let mut guard = lock.try_take().expect("it was put down");
        guard.with(|_, read| {
            assert_eq!(
                *read & (REQUESTS[0] | REQUESTS[1]),
                REQUESTS[0] | REQUESTS[1]
            )
        });
    });
}
