//! What is seen, and by whom: of an item, of the end, and of a reader that comes or goes while another one drops what all have
//! passed.

use super::*;
use crate::sync::{AtomicUsize, Ordering::Relaxed};
use futures_core::FusedStream;

/// What was done before a stop is seen by whoever learns of it, in each way there is to.
#[test]
fn loom_the_end_tells_what_came_before() {
    let ways: [fn(&mut Task<Reader<1, 1>>) -> bool; 4] = [
        |reader| matches!(reader.stream().try_next(), Err(TryNextError::Ended)),
        |reader| reader.stream().is_stopped(),
        |reader| reader.stream().aiter.is_terminated(),
        |reader| matches!(reader.poll(), Poll::Ready(None)),
    ];
    for knows_of_it in ways {
        model(move || {
            let list = Shared::<1, 1>::new();
            let mut reader = Task::new(list.aiter());
            let done = Arc::new(AtomicUsize::new(0));
            let before = done.clone();
            let looking = thread::spawn(move || {
                if knows_of_it(&mut reader) {
                    assert_eq!(before.load(Relaxed), 1);
                }
            });
            done.store(1, Relaxed);
            list.stop();
            looking.join().unwrap();
        });
    }
}

/// An item that is looked at, and not taken, has been written.
#[test]
fn loom_what_is_available_is_whole() {
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

/// A reader that only looks at an item leaves; another one moves the item out, and a push writes over it.
#[test]
fn loom_who_leaves_is_done_looking() {
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

/// A reader that leaves drops what all others have passed; one that comes meanwhile has yet to read what is pushed after it.
#[test]
fn loom_who_leaves_sees_who_came() {
    model(|| {
        let list = Shared::<1, 2>::new();
        let first = list.aiter();
        let leaving = thread::spawn(move || drop(first));
        let other = list.clone();
        let pushing = thread::spawn(move || other.push_all([1]));
        let mut gap_waiters = list.own(list.subscribe().unwrap());
        let pushed_before = gap_waiters.aiter.statistics().pushed;
        leaving.join().unwrap();
        assert_eq!(pushing.join().unwrap(), [1]);
        let seen = gap_waiters.available();
        assert!(pushed_before == 1 || seen == [1]);
    });
}

/// A push has taken away the reader's nap and has yet to call its waker. The reader, in the hands of another task by then,
/// cannot nap, and sleeps at the tail all the same: a stop has to look for it.
#[test]
fn loom_a_stop_wakes_who_could_not_nap() {
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
