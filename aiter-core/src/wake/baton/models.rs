//! Loom models of the baton, and of what is held by one: put down each time, or kept.

extern crate std;

use super::{Baton, Guarded, NOTES, Settle};
use crate::modelling;
use loom::thread;
use std::cell::Cell;

std::thread_local! {
    static CALM: Cell<usize> = const { Cell::new(0) };
}

pub(super) fn calm() -> usize {
    CALM.get()
}

/// As [`modelling::model`], with batons that are kept by who has had them last, and with others that never are.
pub(crate) fn model(f: impl Fn() + Copy + Send + Sync + 'static) {
    either_way(|| modelling::model(f));
}

/// The same for what has too many interleavings.
pub(crate) fn large_model(f: impl Fn() + Copy + Send + Sync + 'static) {
    either_way(|| modelling::large_model(f));
}

fn either_way(check: impl Fn()) {
    for calm in [0, usize::MAX] {
        CALM.set(calm);
        check();
    }
}

/// Which notes were read.
struct Tally;

impl Settle for Tally {
    type State = usize;
    type After = ();

    fn is_settled(&self, _: &usize) -> bool {
        true
    }

    fn settle(&self, read: &mut usize, notes: usize, (): &mut ()) {
        *read |= notes;
    }

    fn follow_up(&self, (): ()) {}
}

fn guarded() -> Guarded<Tally, usize> {
    Guarded::new(Baton::new(Tally, 0), 0)
}

/// Counts up with the baton in hand, so often as it is to be had. Whether a note was left instead.
fn count(handle: &mut Guarded<Tally, usize>, times: usize, note: usize) -> (usize, bool) {
    let (mut counted, mut is_left) = (0, false);
    for _ in 0..times {
        match handle.take_or(|baton| baton.leave(note)) {
            Some(mut held) => {
                held.with_value(|mut value| *value += 1);
                counted += 1;
                held.keep();
            }
            None => is_left = true,
        }
    }
    (counted, is_left)
}

fn check(handle: Guarded<Tally, usize>, counted: usize, left: usize) {
    let mut held = handle.try_take().expect("nobody else is there");
    held.with_value(|value| assert_eq!(*value, counted));
    held.with(|_, read| assert_eq!(*read & left, left, "a note was lost"));
}

#[test]
fn a_keeper_and_one_who_asks() {
    model(|| {
        let mut keeper = guarded();
        let mut other = keeper.clone();
        count(&mut keeper, 1, 0);
        let asks = thread::spawn(move || count(&mut other, 2, NOTES[0]));
        let (mine, is_left) = count(&mut keeper, 2, NOTES[1]);
        let (theirs, has_left) = asks.join().unwrap();
        let left = [(is_left, NOTES[1]), (has_left, NOTES[0])];
        let left = left.iter().filter(|(left, _)| *left).map(|(_, note)| note);
        check(keeper, 1 + mine + theirs, left.sum());
    });
}

#[test]
fn a_keeper_and_two_who_ask() {
    large_model(|| {
        let mut keeper = guarded();
        let others = [NOTES[0], NOTES[1]].map(|note| (keeper.clone(), note));
        count(&mut keeper, 1, 0);
        let asking = others.map(|(mut other, note)| {
            thread::spawn(move || {
                let (counted, is_left) = count(&mut other, 1, note);
                (counted, if is_left { note } else { 0 })
            })
        });
        let (mut counted, _) = count(&mut keeper, 1, NOTES[2]);
        let mut left = 0;
        for asking in asking {
            let (theirs, note) = asking.join().unwrap();
            counted += theirs;
            left |= note;
        }
        check(keeper, 1 + counted, left);
    });
}

#[test]
fn a_keeper_that_goes_and_the_next_one() {
    model(|| {
        let mut keeper = guarded();
        let mut next = keeper.clone();
        let last = keeper.clone();
        count(&mut keeper, 1, 0);
        let goes = thread::spawn(move || drop(keeper));
        let (counted, is_left) = count(&mut next, 2, NOTES[0]);
        goes.join().unwrap();
        let (again, _) = count(&mut next, 1, NOTES[1]);
        assert_eq!(again, 1);
        check(last, 2 + counted, if is_left { NOTES[0] } else { 0 });
    });
}

#[test]
fn a_keeper_that_finds_nothing_puts_it_down() {
    model(|| {
        let mut keeper = guarded();
        let mut other = keeper.clone();
        count(&mut keeper, 1, 0);
        let asks = thread::spawn(move || count(&mut other, 1, NOTES[0]));
        // What a pending poll comes to.
        drop(keeper.take_or(|baton| baton.leave(NOTES[1])));
        let (theirs, has_left) = asks.join().unwrap();
        check(keeper, 1 + theirs, if has_left { NOTES[0] } else { 0 });
    });
}
