//! Models of the item counts of `skip`.

use super::super::bound::skip;
use super::*;
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
