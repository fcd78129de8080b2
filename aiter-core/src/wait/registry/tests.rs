extern crate std;

use super::*;
use crate::test_support::{clones::waker_that_counts_clones, *};
use alloc::{rc::Rc, sync::Arc, vec::Vec};
use core::sync::atomic::AtomicUsize;

/// Seats for so many readers at 0, the first one's among them.
fn taken(readers: usize) -> (Rc<Registry>, Vec<SlotRef>) {
    let slots = Rc::new(Registry::new(0));
    let mut taken = std::vec![slots.first()];
    taken.extend((1..readers).map(|_| slots.register(0, 0)));
    (slots, taken)
}

/// The lengths of all rows.
fn segments(slots: &Registry) -> Vec<usize> {
    let mut lens = std::vec![1];
    if let Some(others) = slots.others() {
        lens.push(others.slots.len());
        lens.extend(others.segments.lens());
    }
    lens
}

#[test]
fn a_seat_that_was_given_up_is_taken_again() {
    let (slots, mut all) = taken(12);
    for _ in 0..3 {
        // All but one on the heap, lest the row go.
        let kept = all.pop().unwrap();
        all.iter().for_each(|at| slots.unregister(*at));
        for at in &mut all {
            *at = slots.register(0, 0);
        }
        all.push(kept);
        assert_eq!(segments(&slots), [1, 8, 16]);
    }
}

#[test]
fn rows_go_with_their_readers() {
    for kept in [0, 1, 8, 9, 24, 25, 88, 500, 999] {
        let (slots, all) = taken(1000);
        let many = usize::BITS as usize;
        let seats_of_rows = 25 + (1000_usize - 25).div_ceil(many) * many;
        assert_eq!(segments(&slots).iter().sum::<usize>(), seats_of_rows);
        // Those that stay are scattered.
        let stays = |index: usize| index * 7 % 1000 < kept;
        let mut abandoned = 0;
        for (index, at) in all.iter().enumerate() {
            if !stays(index) {
                slots.unregister(*at);
                abandoned += 1;
            }
        }
        assert_eq!(abandoned, 1000 - kept);
        // No more than half of the rows are empty, however few readers each other one has.
        let segments = segments(&slots).len();
        assert!(
            segments <= 2 + 2 * kept,
            "{segments} segments for {kept} readers"
        );
        let mut readers = 0;
        slots.each(|_, _| readers += 1);
        assert_eq!(readers, kept);
        for (index, at) in all.iter().enumerate() {
            if stays(index) {
                slots.unregister(*at);
            }
        }
        assert_eq!(self::segments(&slots), [1, 8]);
    }
}

/// Readers come and go, as many as there are at a time: rows are used again.
#[test]
fn rows_are_used_again() {
    let (slots, mut all) = taken(1000);
    let mut random = 1_u64;
    for _ in 0..100_000 {
        random = random.wrapping_mul(6364136223846793005).wrapping_add(1);
        let index = (random >> 33) as usize % all.len();
        slots.unregister(all.swap_remove(index));
        all.push(slots.register(0, 0));
    }
    let seats_of_rows: usize = segments(&slots).iter().sum();
    assert!(seats_of_rows <= 1200, "{seats_of_rows} seats");
}

#[test]
fn a_remembered_reader_keeps_its_row_and_no_other() {
    let (slots, all) = taken(200);
    let mut follower = None;
    // All but the last one on the heap have passed.
    let last = all[150];
    for at in &all {
        if at.slot != last.slot {
            slots.publish_position(*at, 4);
        }
    }
    assert!(matches!(
        slots.check_last(all[0], &mut follower, 0),
        IsLast::No
    ));
    assert!(follower.as_ref().unwrap().slot == last.slot);
    all[1..].iter().for_each(|at| slots.unregister(*at));
    assert_eq!(segments(&slots), [1, 8]);
    // Its memory is there, and it is behind nobody.
    assert!(!slots.is_behind(follower.as_ref().unwrap(), 0));
    assert!(matches!(
        slots.check_last(all[0], &mut follower, 0),
        IsLast::Yes(None)
    ));
    assert!(follower.is_none());
    assert_eq!(slots.others().unwrap().segments.waiting(), 0);
}

/// Whatever they have read, and whoever asks: the answer is that of a look at all of them.
#[test]
fn the_last_one_is_told_from_all_others() {
    let mut random = 1_u64;
    let mut random = move |below: usize| {
        random = random.wrapping_mul(6364136223846793005).wrapping_add(1);
        (random >> 33) as usize % below
    };
    for readers in [1, 2, 9, 10, 25, 26, 300] {
        let slots = Registry::new(0);
        let mut all = std::vec![(slots.first(), 0_usize, None)];
        all.extend((1..readers).map(|_| (slots.register(0, 0), 0, None)));
        for _ in 0..3000 {
            let reader = random(all.len());
            match random(8) {
                0 if all.len() > 1 => {
                    let (at, _, mut follower) = all.swap_remove(reader);
                    slots.forget_follower(&mut follower);
                    slots.unregister(at);
                }
                0 | 1 if all.len() < readers => {
                    let place = all[reader].1;
                    all.push((slots.register(place, 0), place, None));
                }
                _ => {
                    let place = all[reader].1;
                    let others = || {
                        let others = all.iter().enumerate();
                        others
                            .filter(|(other, _)| *other != reader)
                            .map(|(_, at)| at.1)
                    };
                    let expected = others().min();
                    let is_last = expected.is_none_or(|least| least > place);
                    let (at, place, follower) = &mut all[reader];
                    match slots.check_last(*at, follower, *place) {
                        IsLast::No => {
                            assert!(!is_last);
                            assert!(slots.is_behind(follower.as_ref().unwrap(), *place));
                        }
                        IsLast::Yes(least) => {
                            assert!(is_last);
                            assert_eq!(least.is_some(), expected.is_some());
                            assert!(least.is_none_or(|at| at > *place && Some(at) <= expected));
                        }
                        IsLast::Unknown => unreachable!("nobody came"),
                    }
                    *place += 4;
                    slots.publish_position(*at, *place);
                }
            }
        }
        for (at, _, mut follower) in all {
            slots.forget_follower(&mut follower);
            slots.unregister(at);
        }
        let others = slots.others();
        assert!(others.is_none_or(|others| others.segments.lens().is_empty()));
        assert!(others.is_none_or(|others| others.segments.waiting() == 0));
    }
}

#[test]
fn a_reader_keeps_its_seat_and_its_waker() {
    static CLONES: AtomicUsize = AtomicUsize::new(0);
    let waker = waker_that_counts_clones(&CLONES);
    let (slots, readers) = taken(2);
    for at in readers {
        CLONES.store(0, Relaxed);
        for _ in 0..3 {
            let mut now = at;
            slots.arm(&mut now, &mut None, &waker, SleepKind::AtTail);
            slots.arm(&mut now, &mut None, &waker, SleepKind::AtTail);
            assert!(now.slot == at.slot, "moved for nothing");
            slots.wake_all();
        }
        assert_eq!(CLONES.load(Relaxed), 1);
    }
}

#[test]
fn wakers_go_with_the_seats() {
    let (wakes, waker) = Wakes::new();
    let (slots, readers) = taken(9);
    for mut at in readers {
        slots.arm(&mut at, &mut None, &waker, SleepKind::AtTail);
    }
    assert_eq!(Arc::strong_count(&wakes), 11);
    drop(slots);
    assert_eq!(Arc::strong_count(&wakes), 2);
}

#[test]
fn a_seat_stays_its_readers_when_its_waker_panics() {
    let (wakes, waker) = Wakes::new();
    let (slots, mut readers) = taken(7);
    for panics in 0..readers.len() {
        for (reader, at) in readers.iter_mut().enumerate() {
            let before = at.slot;
            let bomb = (reader == panics).then(panicking_waker);
            slots.arm(
                at,
                &mut None,
                bomb.as_ref().unwrap_or(&waker),
                SleepKind::AtTail,
            );
            assert!(at.slot == before, "moved for nothing");
        }
        panic_of(|| slots.wake_all());
        assert_eq!(wakes.taken(), 6);
    }
}

/// A reader comes to another epoch by the last item of a block. When it has entered the next,
/// nothing old is known of any row.
#[cfg(not(target_pointer_width = "64"))]
#[test]
fn floors_are_forgotten_when_a_reader_comes_to_another_epoch() {
    use super::segment::Floor;

    let (slots, all) = taken(30);
    let walk = slots.segments().and_then(Segments::walk).unwrap();
    let segment = walk.all().next().unwrap();
    let is_known = |position| {
        // SAFETY: the walk goes on.
        let floor = unsafe { Segment::at(segment) }.floor(position);
        !matches!(floor, Floor::Unknown)
    };
    for epoch in 1..=17_usize {
        let boundary = epoch << (usize::BITS - 4);
        let before = boundary.wrapping_sub(2);
        for at in &all {
            slots.step(*at, before);
        }
        assert!(matches!(
            slots.last_at(all[0], &mut None, before.wrapping_sub(2)),
            IsLast::Yes(_)
        ));
        assert!(is_known(before.wrapping_sub(2)));
        slots.step(all[0], boundary);
        slots.advance(all[0], boundary, 0);
        assert!(!is_known(before.wrapping_sub(2)), "{epoch}");
    }
}
