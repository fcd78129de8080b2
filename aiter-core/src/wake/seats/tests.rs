extern crate std;

use super::*;
use crate::{testing::*, wake::clones::waker_that_counts_clones};
use alloc::{rc::Rc, sync::Arc, vec::Vec};
use core::sync::atomic::AtomicUsize;

/// Seats for so many readers at 0, the first one's among them.
fn taken(readers: usize) -> (Rc<Seats>, Vec<SeatRef>) {
    let seats = Rc::new(Seats::new(0));
    let mut taken = std::vec![seats.first()];
    taken.extend((1..readers).map(|_| seats.claim(0, 0)));
    (seats, taken)
}

#[test]
fn a_seat_that_was_given_up_is_taken_again() {
    let (seats, first) = taken(9);
    for _ in 0..3 {
        first.iter().for_each(|at| seats.leave(*at));
        for at in &first {
            assert!(seats.claim(0, 0).standing() == at.standing());
        }
    }
    let rows: Vec<_> = seats.rows().map(|row| row.seats.len()).collect();
    assert_eq!(rows, [1, 4, 16]);
}

#[test]
fn a_reader_keeps_its_seat_and_its_waker() {
    static CLONES: AtomicUsize = AtomicUsize::new(0);
    let waker = waker_that_counts_clones(&CLONES);
    let (seats, readers) = taken(2);
    for at in readers {
        CLONES.store(0, Relaxed);
        for _ in 0..3 {
            let mut now = at;
            seats.arm(&mut now, &waker, Sleep::AtTail);
            seats.arm(&mut now, &waker, Sleep::AtTail);
            assert!(now.standing() == at.standing(), "moved for nothing");
            seats.wake_all();
        }
        assert_eq!(CLONES.load(Relaxed), 1);
    }
}

#[test]
fn wakers_go_with_the_seats() {
    let (wakes, waker) = Wakes::new();
    let (seats, readers) = taken(9);
    for mut at in readers {
        seats.arm(&mut at, &waker, Sleep::AtTail);
    }
    assert_eq!(Arc::strong_count(&wakes), 11);
    drop(seats);
    assert_eq!(Arc::strong_count(&wakes), 2);
}

#[test]
fn a_seat_stays_its_readers_when_its_waker_panics() {
    let (wakes, waker) = Wakes::new();
    let (seats, mut readers) = taken(7);
    for panics in 0..readers.len() {
        for (reader, at) in readers.iter_mut().enumerate() {
            let before = at.standing();
            let bomb = (reader == panics).then(panicking_waker);
            seats.arm(at, bomb.as_ref().unwrap_or(&waker), Sleep::AtTail);
            assert!(at.standing() == before, "moved for nothing");
        }
        panic_of(|| seats.wake_all());
        assert_eq!(wakes.taken(), 6);
    }
}
