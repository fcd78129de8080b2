//! Readers that are registered while another one scans whether all have passed an item. The
//! scanning reader must not take an item that they are still to read for its last copy.

use super::*;

/// A scan goes from the first cell to the last. Here a fork claims a cell that was scanned already,
/// and its parent moves on before its own cell is scanned.
#[test]
fn loom_fork_into_a_cell_before_its_parents() {
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

/// A reader of an item that was pushed after a subscription sees the position of the subscriber.
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
        let mut subscriber = subscribing.join().unwrap();
        assert!([1].ends_with(&subscriber.available()));
        assert_eq!(list.push_all([2]), [2]);
        assert_eq!(subscriber.available(), [2]);
        assert_eq!(first.available(), [2]);
    });
}

/// Two forks, one after the other, each in a cell before its parent's. A scan that was repeated
/// because of the first fork must not miss the second one.
#[test]
fn loom_fork_of_a_fork_into_cells_before_its_parents() {
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
