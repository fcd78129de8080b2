//! Loom models of the wake stack: nodes that are pushed again while they are taken.

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

/// The numbers of all nodes on the stack.
fn take(stack: &WakeStack<AtomicUsize>) -> impl Iterator<Item = usize> {
    stack
        .take_all()
        .map(|wake_source| wake_source.load(Ordering::Relaxed))
}

/// The thread that takes a node sees what was written before the push, also if the node was on the
/// stack already.
#[test]
fn a_node_pushed_again_while_it_is_taken() {
    model(|| {
        let stack = Arc::new(WakeStack::new());
        let (_sink, wake_source) = node();
        let other = stack.clone();
        let pushing = thread::spawn(move || {
            for number in 1..3 {
                wake_source.store(number, Ordering::Relaxed);
                other.push(wake_source.clone());
            }
        });
        let early = take(&stack).max();
        pushing.join().unwrap();
        let last = take(&stack).max().max(early);
        assert_eq!(last, Some(2));
    });
}

/// A link belongs to one thread at a time, and every node comes out.
#[test]
fn two_threads_push_while_nodes_are_taken() {
    model(|| {
        let stack = Arc::new(WakeStack::new());
        let (_one, first) = node();
        let (_two, second) = node();
        second.store(1, Ordering::Relaxed);
        stack.push(first.clone());
        let pushing = [first, second].map(|wake_source| {
            let stack = stack.clone();
            thread::spawn(move || stack.push(wake_source))
        });
        let early: usize = take(&stack).sum();
        for thread in pushing {
            thread.join().unwrap();
        }
        let rest: usize = take(&stack).sum();
        assert_eq!(early + rest, 1);
    });
}
