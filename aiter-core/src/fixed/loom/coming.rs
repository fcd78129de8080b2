//! Readers that come while another one looks whether all have passed an item: it must not take for the last copy what they are
//! still to read.

use super::*;

/// A look at the seats goes from the first to the last. Here a seat that was looked at already, and was nobody's, becomes that
/// of a fork, whose parent then moves on before it is looked at.
#[test]
fn loom_fork_into_a_seat_before_its_parents() {
    model(|| {
        let list = Shared::<1, 3>::new();
        let mut first = list.aiter();
        let between = first.fork();
        let mut parent = first.fork();
        drop(between);
        list.push_all([1]);
        let forking = thread::spawn(move || {
            let mut fork = parent.fork();
            assert_eq!(parent.available(), [1]);
            assert_eq!(fork.available(), [1]);
        });
        assert_eq!(first.available(), [1]);
        forking.join().unwrap();
        assert_eq!(list.push_all([2]), [2]);
    });
}

/// Whoever reads what was pushed after a subscriber has come sees it stand.
#[test]
fn loom_subscribe_before_a_push_that_is_read_at_once() {
    model(|| {
        let list = Shared::<1, 2>::new();
        let mut first = list.aiter();
        let subscribing = {
            let list = list.clone();
            thread::spawn(move || list.own(list.subscribe().unwrap()))
        };
        assert_eq!(list.push_all([1]), [1]);
        assert_eq!(first.available(), [1]);
        let mut gap_waiters = subscribing.join().unwrap();
        assert!([1].ends_with(&gap_waiters.available()));
        assert_eq!(list.push_all([2]), [2]);
        assert_eq!(gap_waiters.available(), [2]);
        assert_eq!(first.available(), [2]);
    });
}

/// Two forks one after the other, each into a seat before its parent's: a look that was repeated because of the first one must
/// not miss the second.
#[test]
fn loom_fork_of_a_fork_into_seats_before_its_parents() {
    model(|| {
        let list = Shared::<1, 5>::new();
        let mut lowest = list.aiter();
        let lower = lowest.fork();
        let mut parent = lowest.fork();
        let mut first = lowest.fork();
        drop(lower);
        list.push_all([1]);
        let reading = thread::spawn(move || assert_eq!(first.available(), [1]));
        let leaving = thread::spawn(move || drop(lowest));
        let mut child = parent.fork();
        assert_eq!(parent.available(), [1]);
        let mut grandchild = child.fork();
        assert_eq!(child.available(), [1]);
        reading.join().unwrap();
        leaving.join().unwrap();
        assert_eq!(grandchild.available(), [1]);
    });
}
