//! Loom models of a shared stream. The source's flag is relaxed, so that only the lock can order
//! what is taken, and so that the takers cannot rely on more than their wakes.

extern crate std;

use super::*;
use crate::test_support::loom::{Last::*, Remote, Source, Task, model};
use ::loom::{sync::Arc, thread};
use alloc::boxed::Box;
use core::task::Waker;

fn shared(remote: &Arc<Remote>) -> Sharable<Source> {
    sharable_aiter(Source::new(remote))
}

#[test]
fn two_takers_get_an_item_each() {
    model(|| {
        let remote = Remote::endless();
        let one = shared(&remote);
        let other = one.clone();
        let theirs = thread::spawn(move || Task::new(other).next());
        remote.give(2);
        let mine = Task::new(one).next();
        let mut both = [mine, theirs.join().unwrap()];
        both.sort();
        assert_eq!(both, [Some(1), Some(2)]);
    });
}

#[test]
fn a_wake_racing_the_polls_of_two_takers() {
    model(|| {
        let remote = Remote::endless();
        let one = shared(&remote);
        let other = one.clone();
        let giver = remote.clone();
        let theirs = thread::spawn(move || Task::new(other).next());
        let given = thread::spawn(move || giver.give(2));
        let mine = Task::new(one).next();
        given.join().unwrap();
        assert_eq!(mine.unwrap() + theirs.join().unwrap().unwrap(), 3);
    });
}

#[test]
fn a_taker_is_dropped_while_it_waits_or_is_called() {
    model(|| {
        let remote = Remote::endless();
        let one = shared(&remote);
        let mut first = Task::new(one.clone());
        assert!(first.poll().is_pending());
        let theirs = thread::spawn(move || Task::new(one).next());
        let giver = remote.clone();
        let given = thread::spawn(move || giver.give(1));
        // Before, while or after it is called.
        drop(first);
        assert_eq!(theirs.join().unwrap(), Some(1));
        given.join().unwrap();
    });
}

#[test]
fn the_first_taker_is_not_polled_again() {
    model(|| {
        let remote = Remote::endless();
        let one = shared(&remote);
        let mut first = Task::new(one.clone());
        assert!(first.poll().is_pending());
        let theirs = thread::spawn(move || Task::new(one).next());
        remote.give(1);
        assert_eq!(theirs.join().unwrap(), Some(1));
    });
}

#[test]
fn a_taker_is_polled_only_once_while_another_polls() {
    model(|| {
        let remote = Remote::endless();
        let one = shared(&remote);
        let mut first = Task::new(one.clone());
        let theirs = thread::spawn(move || Task::new(one).next());
        remote.give(2);
        // It is not polled again, whatever it finds.
        let mine = first.poll();
        let theirs = theirs.join().unwrap();
        match mine {
            Poll::Pending => assert_eq!(theirs, Some(1)),
            mine => assert_eq!(
                mine.map(|mine| mine.unwrap() + theirs.unwrap()),
                Poll::Ready(3)
            ),
        }
    });
}

#[test]
fn a_waker_changes_while_its_ticket_is_collected() {
    model(|| {
        let remote = Remote::endless();
        let mut one = shared(&remote);
        let other = one.clone();
        remote.give(2);
        let theirs = thread::spawn(move || Task::new(other).next());
        // The first waker does nothing. Its ticket may still be in `arrivals`.
        let cx = &mut Context::from_waker(Waker::noop());
        let mine = match Pin::new(&mut one).poll_next(cx) {
            Poll::Ready(item) => item,
            Poll::Pending => Task::new(one).next(),
        };
        assert_eq!(mine.unwrap() + theirs.join().unwrap().unwrap(), 3);
    });
}

/// The only taker, which has taken an item and keeps the lock.
fn kept(remote: &Arc<Remote>) -> Sharable<Source> {
    let mut one = shared(remote);
    remote.give(1);
    let cx = &mut Context::from_waker(Waker::noop());
    assert_eq!(Pin::new(&mut one).poll_next(cx), Poll::Ready(Some(1)));
    one
}

#[test]
fn two_threads_clone_the_taker_that_keeps_the_lock() {
    model(|| {
        let remote = Remote::endless();
        let one = Arc::new(kept(&remote));
        let same = one.clone();
        let theirs = thread::spawn(move || Task::new(Sharable::clone(&same)).next());
        let mut mine = Task::new(Sharable::clone(&one));
        remote.give(2);
        let mut both = [mine.next(), theirs.join().unwrap()];
        both.sort();
        assert_eq!(both, [Some(2), Some(3)]);
    });
}

#[test]
fn a_wake_comes_while_the_lock_is_kept() {
    model(|| {
        let remote = Remote::endless();
        let mut mine = Task::new(shared(&remote));
        assert!(mine.poll().is_pending());
        let giver = remote.clone();
        let given = thread::spawn(move || {
            giver.give(1);
            giver.give(1);
        });
        // It is polled without a wake. The wake may come after it has its item.
        let first = match mine.poll() {
            Poll::Ready(item) => item,
            Poll::Pending => mine.woken(),
        };
        assert_eq!(first, Some(1));
        assert_eq!(mine.next(), Some(2));
        given.join().unwrap();
    });
}

#[test]
fn a_second_taker_is_made_while_the_source_wakes() {
    model(|| {
        let remote = Remote::endless();
        let mut one = Task::new(shared(&remote));
        assert!(one.poll().is_pending());
        let giver = remote.clone();
        let given = thread::spawn(move || giver.give(1));
        if one.poll().is_ready() {
            // It may keep the lock, and the wake may be a pending request.
            let mut other = Task::new(one.stream.clone());
            given.join().unwrap();
            assert!(other.poll().is_pending());
            remote.give(1);
            assert_eq!(other.woken(), Some(2));
        } else {
            assert_eq!(one.woken(), Some(1));
            given.join().unwrap();
        }
    });
}

#[test]
fn the_first_of_two_takers_is_dropped_while_the_second_takes() {
    model(|| {
        let remote = Remote::endless();
        let mut one = Task::new(shared(&remote));
        let mut other = Task::new(one.stream.clone());
        assert!(one.poll().is_pending());
        let dropped = thread::spawn(move || drop(one));
        remote.give(2);
        // The other may or may not be the only one by now.
        assert_eq!(other.next(), Some(1));
        assert_eq!(other.next(), Some(2));
        dropped.join().unwrap();
    });
}

#[test]
fn the_end_reaches_every_taker() {
    model(|| {
        let remote = Remote::new(1, End);
        let one = shared(&remote);
        let other = one.clone();
        let theirs = thread::spawn(move || Task::new(other).next());
        let giver = remote.clone();
        let given = thread::spawn(move || giver.give(1));
        assert_eq!(Task::new(one).next(), None);
        assert_eq!(theirs.join().unwrap(), None);
        given.join().unwrap();
    });
}

#[test]
fn a_panic_of_the_source_does_not_block_the_others() {
    // Loom cannot catch a panic of the code under test everywhere, so the caller catches it.
    fn next(taker: Sharable<Source>) -> Option<usize> {
        let mut task = Task::new(taker);
        loop {
            let polled = std::panic::catch_unwind(core::panic::AssertUnwindSafe(|| task.next()));
            if let Ok(item) = polled {
                return item;
            }
        }
    }
    std::panic::set_hook(Box::new(|_| {}));
    model(|| {
        let remote = Remote::new(1, Panic);
        let one = shared(&remote);
        let other = one.clone();
        let theirs = thread::spawn(move || next(other));
        remote.give(3);
        let mine = next(one);
        assert_eq!(mine.unwrap() + theirs.join().unwrap().unwrap(), 5);
    });
    drop(std::panic::take_hook());
}

/// A taker that is dropped leaves neither a ticket nor an entry, whether or not others come after
/// it.
#[test]
fn a_taker_is_dropped_while_another_polls() {
    model(|| {
        let remote = Remote::endless();
        let mut one = Task::new(shared(&remote));
        let mut other = Task::new(one.stream.clone());
        assert!(one.poll().is_pending());
        remote.give_without_a_wake(1);
        let polling = thread::spawn(move || {
            let _ = other.poll();
            other
        });
        let last = one.stream.clone();
        drop(one);
        drop(polling.join().unwrap());
        let mut guard = last.handle.try_lock().expect("nobody else is there");
        guard.with(|shared, queue| assert!(queue.admits_at_once(shared)));
    });
}
