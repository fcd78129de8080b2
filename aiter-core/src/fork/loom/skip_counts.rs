//! Models of the item counts of `skip`.

use super::super::{bound::skip, place::ForkPlace, pull::PulledKind, skip::SkipCursor};
use super::*;
use crate::list;
use futures_core::FusedStream;

/// A fork that sees the end sees all items before it.
#[test]
fn a_fork_behind_the_last_item_is_not_at_the_end() {
    model(|| {
        let remote = Remote::new(2, End);
        let mut one = bounded(skip(1), &remote);
        let other = one.fork();
        remote.give(2);
        let theirs = thread::spawn(move || {
            let is_over = other.is_terminated();
            assert!(!is_over, "it has not read the item");
        });
        let mut mine = Task::new(one);
        assert!(mine.next().is_some());
        assert!(mine.next().is_none());
        theirs.join().unwrap();
    });
}

/// The same without a list whose end orders it.
#[test]
fn the_end_of_the_buffer_publishes_the_count_of_items() {
    model(|| {
        let (_writer, reader) = list::list::<usize>();
        let mut one = SkipCursor::new(1, reader);
        let other = one.fork();
        let pulling = thread::spawn(move || {
            one.on_pulled(PulledKind::Item);
            one.on_pulled(PulledKind::End);
        });
        assert!(!other.at_end(), "it has not read the item");
        pulling.join().unwrap();
    });
}
