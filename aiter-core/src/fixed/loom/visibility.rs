//! What readers see of an item, of the end, and of a reader that is registered or dropped while
//! another one drops what all have passed.

use super::*;
use crate::sync::{AtomicUsize, Ordering::Relaxed};
use futures_core::FusedStream;

/// A reader that learns of a stop, in any way, sees what happened before it.
#[test]
fn loom_end_publishes_what_came_before() {
    let ways: [fn(&mut Task<Reader<1, 1>>) -> bool; 4] = [
        |reader| matches!(reader.stream().try_next(), Err(TryNextError::Ended)),
        |reader| reader.stream().is_stopped(),
        |reader| reader.stream().aiter.is_terminated(),
        |reader| matches!(reader.poll(), Poll::Ready(None)),
    ];
    for sees_the_end in ways {
        model(move || {
            let list = Shared::<1, 1>::new();
            let mut reader = Task::new(list.aiter());
            let done = Arc::new(AtomicUsize::new(0));
            let before = done.clone();
            let looking = thread::spawn(move || {
                if sees_the_end(&mut reader) {
                    assert_eq!(before.load(Relaxed), 1);
                }
            });
            done.store(1, Relaxed);
            list.stop();
            looking.join().unwrap();
        });
    }
}

/// An item that `available_iter` lends has been written completely.
#[test]
fn loom_available_items_are_written_completely() {
    model(|| {
        let list = Shared::<2, 1>::new();
        let reader = list.aiter();
        let looking = thread::spawn(move || {
            assert!(reader.available_iter().all(|item| number(item) == 1));
        });
        list.push_all([1]);
        looking.join().unwrap();
    });
}

/// One reader looks at an item and is dropped; another one moves the item out, and a push
/// overwrites it.
#[test]
fn loom_dropped_reader_no_longer_reads() {
    model(|| {
        let list = Shared::<1, 2>::new();
        let mut first = list.aiter();
        let second = first.fork();
        list.push_all([1]);
        let leaving = thread::spawn(move || {
            assert!(second.available_iter().map(number).eq([1]));
            drop(second);
        });
        assert_eq!(first.available(), [1]);
        list.push_all([2]);
        leaving.join().unwrap();
    });
}

/// A reader that is dropped drops the items that all others have passed. A reader that subscribes
/// meanwhile is still to read what is pushed after that.
#[test]
fn loom_dropped_reader_sees_a_subscriber() {
    model(|| {
        let list = Shared::<1, 2>::new();
        let first = list.aiter();
        let leaving = thread::spawn(move || drop(first));
        let other = list.clone();
        let pushing = thread::spawn(move || other.push_all([1]));
        let mut subscriber = list.own(list.subscribe().unwrap());
        let pushed_before = subscriber.aiter.statistics().pushed;
        leaving.join().unwrap();
        assert_eq!(pushing.join().unwrap(), [1]);
        let seen = subscriber.available();
        assert!(pushed_before == 1 || seen == [1]);
    });
}

/// A push has cleared the reader's flag and has still to call its waker. The reader, which another
/// task polls by then, cannot use its tail waker, and waits at the tail with its gap waker. A stop
/// has to find it.
#[test]
fn loom_stop_wakes_a_waiter_without_a_flag() {
    model(|| {
        let list = Shared::<2, 1>::new();
        let mut reader = Task::new(list.aiter());
        assert!(reader.poll().is_pending());
        let pushing = {
            let list = list.clone();
            thread::spawn(move || list.push_all([1]))
        };
        let stopping = thread::spawn(move || list.stop());
        let mut second = Task::new(reader.into_stream());
        while let Some(n) = next(&mut second) {
            assert_eq!(n, 1);
        }
        pushing.join().unwrap();
        stopping.join().unwrap();
    });
}
