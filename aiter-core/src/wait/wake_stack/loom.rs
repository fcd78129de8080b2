//! Loom models of the inbox: letters that are put in again while they are taken out.

use super::super::notify::Sleeper;
use super::*;
use crate::{sync::Arc, test_support::loom::model};
use ::loom::thread;

type Numbered = Letter<AtomicUsize>;

fn letter() -> (Sleeper<Numbered>, Alarm<Numbered>) {
    let sleeper = Sleeper::new(Letter::new(AtomicUsize::new(0)));
    let alarm = sleeper.alarm();
    (sleeper, alarm)
}

/// The numbers of all letters that are in.
fn take(inbox: &Inbox<AtomicUsize>) -> impl Iterator<Item = usize> {
    inbox.drain().map(|alarm| alarm.load(Ordering::Relaxed))
}

/// What was written before a letter is put in is seen by whoever takes it out, also if it was in already.
#[test]
fn a_letter_that_is_put_in_again_while_it_is_taken_out() {
    model(|| {
        let inbox = Arc::new(Inbox::new());
        let (_sleeper, alarm) = letter();
        let other = inbox.clone();
        let putting = thread::spawn(move || {
            for number in 1..3 {
                alarm.store(number, Ordering::Relaxed);
                other.put(alarm.clone());
            }
        });
        let early = take(&inbox).max();
        putting.join().unwrap();
        let last = take(&inbox).max().max(early);
        assert_eq!(last, Some(2));
    });
}

/// Links are one thread's at a time, and all letters come out.
#[test]
fn two_put_letters_in_while_they_are_taken_out() {
    model(|| {
        let inbox = Arc::new(Inbox::new());
        let (_one, first) = letter();
        let (_two, second) = letter();
        second.store(1, Ordering::Relaxed);
        inbox.put(first.clone());
        let putting = [first, second].map(|alarm| {
            let inbox = inbox.clone();
            thread::spawn(move || inbox.put(alarm))
        });
        let early: usize = take(&inbox).sum();
        for thread in putting {
            thread.join().unwrap();
        }
        let late: usize = take(&inbox).sum();
        assert_eq!(early + late, 1);
    });
}
