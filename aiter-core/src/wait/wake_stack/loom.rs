//! Loom models of the inbox: letters that are put in again while they are taken out.

use super::super::notify::WakeSink;
use super::*;
use crate::{sync::Arc, test_support::loom::model};
use ::loom::thread;

type Numbered = Node<AtomicUsize>;

fn node() -> (WakeSink<Numbered>, WakeSource<Numbered>) {
    let sink = WakeSink::new(Node::new(AtomicUsize::new(0)));
    let wake_source = sink.wake_source();
    (sink, wake_source)
}

/// The numbers of all letters that are in.
fn take(stack: &WakeStack<AtomicUsize>) -> impl Iterator<Item = usize> {
    stack
        .take_all()
        .map(|wake_source| wake_source.load(Ordering::Relaxed))
}

/// What was written before a letter is put in is seen by whoever takes it out, also if it was in already.
#[test]
fn a_letter_that_is_put_in_again_while_it_is_taken_out() {
    model(|| {
        let stack = Arc::new(WakeStack::new());
        let (_sleeper, wake_source) = node();
        let other = stack.clone();
        let putting = thread::spawn(move || {
            for number in 1..3 {
                wake_source.store(number, Ordering::Relaxed);
                other.push(wake_source.clone());
            }
        });
        let early = take(&stack).max();
        putting.join().unwrap();
        let last = take(&stack).max().max(early);
        assert_eq!(last, Some(2));
    });
}

/// Links are one thread's at a time, and all letters come out.
#[test]
fn two_put_letters_in_while_they_are_taken_out() {
    model(|| {
        let stack = Arc::new(WakeStack::new());
        let (_one, first) = node();
        let (_two, second) = node();
        second.store(1, Ordering::Relaxed);
        stack.push(first.clone());
        let putting = [first, second].map(|wake_source| {
            let stack = stack.clone();
            thread::spawn(move || stack.push(wake_source))
        });
        let early: usize = take(&stack).sum();
        for thread in putting {
            thread.join().unwrap();
        }
        let late: usize = take(&stack).sum();
        assert_eq!(early + late, 1);
    });
}
