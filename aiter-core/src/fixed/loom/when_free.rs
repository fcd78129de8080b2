//! Pushes that wait for a free slot, beside readers that free slots, pushes that take them, waits
//! that are dropped, and a stop.

use super::*;
use crate::{fixed::PushWhenFree, test_support::loom::block_on};
use core::task::Waker;

/// A list on which two tasks may wait.
type List<const N: usize, const R: usize> = PushList<Item, N, R, 2>;

fn full<const N: usize, const R: usize>() -> Arc<List<N, R>> {
    let list = Arc::new(List::new());
    for n in 0..N {
        assert!(list.push(item(n)).is_ok());
    }
    list
}

fn push<const N: usize, const R: usize>(list: &List<N, R>, n: usize) -> Result<(), usize> {
    block_on(list.push_when_free(item(n))).map_err(|stopped| number(&stopped.0))
}

/// Polls once, and leaves a waker that is called without effect.
fn poll_once<const N: usize, const R: usize>(push: &mut PushWhenFree<'_, Item, N, R, 2>) -> bool {
    let push = Pin::new(push);
    push.poll(&mut Context::from_waker(Waker::noop()))
        .is_ready()
}

fn take<const N: usize, const R: usize>(aiter: &mut PushAiter<'_, Item, N, R, 2>) -> Option<usize> {
    aiter.try_next().ok().map(|item| number(&item))
}

#[test]
fn loom_wait_for_a_slot_races_the_reader_that_frees_it() {
    model(|| {
        let list = full::<1, 1>();
        let other = list.clone();
        let pushing = thread::spawn(move || assert_eq!(push(&other, 1), Ok(())));
        let mut reader = list.aiter().unwrap();
        assert_eq!(take(&mut reader), Some(0));
        pushing.join().unwrap();
        assert_eq!(take(&mut reader), Some(1));
    });
}

/// Neither the wait that a reader wakes nor the one behind it is stranded, whichever runs first.
#[test]
fn loom_two_waits_for_two_slots() {
    large_model(|| {
        let list = full::<2, 1>();
        let pushing = [2, 3].map(|n| {
            let list = list.clone();
            thread::spawn(move || assert_eq!(push(&list, n), Ok(())))
        });
        let mut reader = list.aiter().unwrap();
        assert_eq!([take(&mut reader), take(&mut reader)], [Some(0), Some(1)]);
        for pushing in pushing {
            pushing.join().unwrap();
        }
        let mut taken = [take(&mut reader), take(&mut reader)];
        taken.sort_unstable();
        assert_eq!(taken, [Some(2), Some(3)]);
    });
}

/// The first wait is dropped while a reader wakes it: the second one gets the slot.
#[test]
fn loom_wait_is_dropped_while_it_is_woken() {
    model(|| {
        let list = full::<1, 1>();
        let mut first = list.push_when_free(item(8));
        assert!(!poll_once(&mut first));
        let other = list.clone();
        let pushing = thread::spawn(move || assert_eq!(push(&other, 1), Ok(())));
        let reading = {
            let list = list.clone();
            thread::spawn(move || assert_eq!(take(&mut list.aiter().unwrap()), Some(0)))
        };
        drop(first);
        pushing.join().unwrap();
        reading.join().unwrap();
        assert_eq!(take(&mut list.aiter().unwrap()), Some(1));
    });
}

/// The first wait has taken its slot by itself when a reader wakes it for another one.
#[test]
fn loom_wait_pushes_by_itself_while_it_is_woken() {
    model(|| {
        let list = full::<2, 1>();
        let mut first = list.push_when_free(item(2));
        let mut second = list.push_when_free(item(3));
        assert!(!poll_once(&mut first));
        let reading = {
            let list = list.clone();
            thread::spawn(move || {
                let mut reader = list.aiter().unwrap();
                assert_eq!([take(&mut reader), take(&mut reader)], [Some(0), Some(1)]);
            })
        };
        let pushing = {
            let woken = poll_once(&mut first);
            if woken { None } else { Some(first) }
        };
        assert_eq!(block_on(&mut second).map_err(drop), Ok(()));
        reading.join().unwrap();
        drop(pushing);
        assert!(list.statistics().waiting <= 2);
    });
}

#[test]
fn loom_wait_for_a_slot_races_a_stop() {
    model(|| {
        let list = full::<1, 1>();
        let other = list.clone();
        let pushing = thread::spawn(move || push(&other, 1));
        let reading = {
            let list = list.clone();
            thread::spawn(move || assert_eq!(take(&mut list.aiter().unwrap()), Some(0)))
        };
        list.stop();
        let pushed = pushing.join().unwrap();
        reading.join().unwrap();
        let rest = take(&mut list.aiter().unwrap());
        assert_eq!(rest, pushed.map_or(None, |()| Some(1)));
    });
}

/// Nobody reads, so nobody else wakes it.
#[test]
fn loom_stop_wakes_a_wait_for_a_slot() {
    model(|| {
        let list = full::<1, 1>();
        let other = list.clone();
        let pushing = thread::spawn(move || assert_eq!(push(&other, 1), Err(1)));
        list.stop();
        pushing.join().unwrap();
    });
}

/// An interrupt takes the slot for which a task was woken.
#[test]
fn loom_push_takes_the_slot_of_a_wait() {
    model(|| {
        let list = full::<1, 1>();
        let waiting = {
            let list = list.clone();
            thread::spawn(move || assert_eq!(push(&list, 1), Ok(())))
        };
        let pushing = {
            let list = list.clone();
            thread::spawn(move || list.push(item(9)).is_ok())
        };
        let mut reader = list.aiter().unwrap();
        assert_eq!(take(&mut reader), Some(0));
        if pushing.join().unwrap() {
            let first = take(&mut reader);
            waiting.join().unwrap();
            let rest = first.or_else(|| take(&mut reader));
            assert!(rest == Some(9) || rest == Some(1));
        } else {
            waiting.join().unwrap();
            assert_eq!(take(&mut reader), Some(1));
        }
    });
}

/// Two readers free the slot of an item together: the last one wakes.
#[test]
fn loom_last_of_two_readers_wakes_a_wait() {
    large_model(|| {
        let list = full::<1, 2>();
        let mut first = list.aiter().unwrap();
        // It has still to read the item, as a fork.
        let second = first.fork().unwrap();
        // SAFETY: the list is kept beside the reader, and dropped after it.
        let mut second = unsafe {
            mem::transmute::<PushAiter<'_, Item, 1, 2, 2>, PushAiter<'static, Item, 1, 2, 2>>(
                second,
            )
        };
        let other = list.clone();
        let reading = thread::spawn(move || {
            assert_eq!(take(&mut second), Some(0));
            drop(second);
            drop(other);
        });
        let pushing = {
            let list = list.clone();
            thread::spawn(move || assert_eq!(push(&list, 1), Ok(())))
        };
        assert_eq!(take(&mut first), Some(0));
        pushing.join().unwrap();
        reading.join().unwrap();
        assert_eq!(take(&mut first), Some(1));
    });
}
