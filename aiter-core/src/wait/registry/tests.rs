//! Tests of registering, looking and waking on one thread.

extern crate std;

use super::*;
use crate::test_support::{clones::waker_that_counts_clones, *};
use alloc::{rc::Rc, sync::Arc, vec::Vec};
use core::sync::atomic::AtomicUsize;

/// A registry with a number of readers at position 0.
fn registered(readers: usize) -> (Rc<Registry>, Vec<SlotRef>) {
    let registry = Rc::new(Registry::new(0));
    let mut slots = std::vec![registry.first()];
    slots.extend((1..readers).map(|_| registry.register(0, 0)));
    (registry, slots)
}

/// The lengths of all groups of slots.
fn segment_lens(registry: &Registry) -> Vec<usize> {
    let mut lens = std::vec![1];
    if let Some(nearby) = registry.nearby() {
        lens.push(nearby.slots.len());
        lens.extend(nearby.segments.lens());
    }
    lens
}

#[test]
fn a_vacant_slot_is_claimed_again() {
    let (registry, mut all) = registered(12);
    for _ in 0..3 {
        // One reader in a segment stays, so that its segment is not freed.
        let kept = all.pop().unwrap();
        all.iter()
            .for_each(|slot_ref| registry.unregister(*slot_ref));
        for slot_ref in &mut all {
            *slot_ref = registry.register(0, 0);
        }
        all.push(kept);
        assert_eq!(segment_lens(&registry), [1, 8, 16]);
    }
}

#[test]
fn segments_are_freed_with_their_readers() {
    for kept in [0, 1, 8, 9, 24, 25, 88, 500, 999] {
        let (registry, all) = registered(1000);
        let many = usize::BITS as usize;
        let slots_in_segments = 25 + (1000_usize - 25).div_ceil(many) * many;
        assert_eq!(
            segment_lens(&registry).iter().sum::<usize>(),
            slots_in_segments
        );
        // The readers that stay are scattered.
        let stays = |index: usize| index * 7 % 1000 < kept;
        let mut dropped = 0;
        for (index, slot_ref) in all.iter().enumerate() {
            if !stays(index) {
                registry.unregister(*slot_ref);
                dropped += 1;
            }
        }
        assert_eq!(dropped, 1000 - kept);
        // At most half of the segments are empty, however few readers each other one has.
        let segments = segment_lens(&registry).len();
        assert!(
            segments <= 2 + 2 * kept,
            "{segments} segments for {kept} readers"
        );
        let mut readers = 0;
        registry.each(|_, _| readers += 1);
        assert_eq!(readers, kept);
        for (index, slot_ref) in all.iter().enumerate() {
            if stays(index) {
                registry.unregister(*slot_ref);
            }
        }
        assert_eq!(segment_lens(&registry), [1, 8]);
    }
}

/// While readers come and go, the vacant slots of existing segments are used.
#[test]
fn segments_are_used_again() {
    let (registry, mut all) = registered(1000);
    let mut random = 1_u64;
    for _ in 0..100_000 {
        random = random.wrapping_mul(6364136223846793005).wrapping_add(1);
        let index = (random >> 33) as usize % all.len();
        registry.unregister(all.swap_remove(index));
        all.push(registry.register(0, 0));
    }
    let slots_in_segments: usize = segment_lens(&registry).iter().sum();
    assert!(slots_in_segments <= 1200, "{slots_in_segments} slots");
}

#[test]
fn a_follower_keeps_its_segment_and_no_other() {
    let (registry, all) = registered(200);
    let mut follower = None;
    // All readers but one in a segment have passed the position.
    let last = all[150];
    for slot_ref in &all {
        if slot_ref.slot != last.slot {
            registry.publish_position(*slot_ref, 4);
        }
    }
    assert!(matches!(
        registry.check_last(all[0], &mut follower, 0),
        IsLast::No
    ));
    assert!(follower.as_ref().unwrap().slot == last.slot);
    all[1..]
        .iter()
        .for_each(|slot_ref| registry.unregister(*slot_ref));
    assert_eq!(segment_lens(&registry), [1, 8]);
    // Its memory is not freed, and it is at or behind no position.
    assert!(!registry.is_behind(follower.as_ref().unwrap(), 0));
    assert!(matches!(
        registry.check_last(all[0], &mut follower, 0),
        IsLast::Yes(None)
    ));
    assert!(follower.is_none());
    assert_eq!(registry.nearby().unwrap().segments.retired_len(), 0);
}

/// `check_last` gives the same answer as a comparison with all readers.
#[test]
fn check_last_agrees_with_a_scan_of_all_readers() {
    let mut random = 1_u64;
    let mut random = move |below: usize| {
        random = random.wrapping_mul(6364136223846793005).wrapping_add(1);
        (random >> 33) as usize % below
    };
    for readers in [1, 2, 9, 10, 25, 26, 300] {
        let registry = Registry::new(0);
        let mut all = std::vec![(registry.first(), 0_usize, None)];
        all.extend((1..readers).map(|_| (registry.register(0, 0), 0, None)));
        for _ in 0..3000 {
            let reader = random(all.len());
            match random(8) {
                0 if all.len() > 1 => {
                    let (slot_ref, _, mut follower) = all.swap_remove(reader);
                    registry.forget_follower(&mut follower);
                    registry.unregister(slot_ref);
                }
                0 | 1 if all.len() < readers => {
                    let place = all[reader].1;
                    all.push((registry.register(place, 0), place, None));
                }
                _ => {
                    let place = all[reader].1;
                    let others = || {
                        let others = all.iter().enumerate();
                        others
                            .filter(|(other, _)| *other != reader)
                            .map(|(_, other)| other.1)
                    };
                    let expected = others().min();
                    let is_last = expected.is_none_or(|least| least > place);
                    let (slot_ref, place, follower) = &mut all[reader];
                    match registry.check_last(*slot_ref, follower, *place) {
                        IsLast::No => {
                            assert!(!is_last);
                            assert!(registry.is_behind(follower.as_ref().unwrap(), *place));
                        }
                        IsLast::Yes(least) => {
                            assert!(is_last);
                            assert_eq!(least.is_some(), expected.is_some());
                            assert!(least.is_none_or(|p| p > *place && Some(p) <= expected));
                        }
                        IsLast::Unknown => unreachable!("no reader came"),
                    }
                    *place += 4;
                    registry.publish_position(*slot_ref, *place);
                }
            }
        }
        for (slot_ref, _, mut follower) in all {
            registry.forget_follower(&mut follower);
            registry.unregister(slot_ref);
        }
        let nearby = registry.nearby();
        assert!(nearby.is_none_or(|nearby| nearby.segments.lens().is_empty()));
        assert!(nearby.is_none_or(|nearby| nearby.segments.retired_len() == 0));
    }
}

#[test]
fn a_reader_keeps_its_slot_and_its_waker() {
    static CLONES: AtomicUsize = AtomicUsize::new(0);
    let waker = waker_that_counts_clones(&CLONES);
    let (registry, readers) = registered(2);
    for slot_ref in readers {
        CLONES.store(0, Relaxed);
        for _ in 0..3 {
            let mut now = slot_ref;
            registry.arm(&mut now, &mut None, &waker, SleepKind::AtTail);
            registry.arm(&mut now, &mut None, &waker, SleepKind::AtTail);
            assert!(
                now.slot == slot_ref.slot,
                "the reader has moved to another slot"
            );
            registry.wake_all();
        }
        assert_eq!(CLONES.load(Relaxed), 1);
    }
}

#[test]
fn wakers_are_dropped_with_the_registry() {
    let (wakes, waker) = Wakes::new();
    let (registry, readers) = registered(9);
    for mut slot_ref in readers {
        registry.arm(&mut slot_ref, &mut None, &waker, SleepKind::AtTail);
    }
    assert_eq!(Arc::strong_count(&wakes), 11);
    drop(registry);
    assert_eq!(Arc::strong_count(&wakes), 2);
}

#[test]
fn a_reader_keeps_its_slot_when_its_waker_panics() {
    let (wakes, waker) = Wakes::new();
    let (registry, mut readers) = registered(7);
    for panics in 0..readers.len() {
        for (reader, slot_ref) in readers.iter_mut().enumerate() {
            let before = slot_ref.slot;
            let bomb = (reader == panics).then(panicking_waker);
            registry.arm(
                slot_ref,
                &mut None,
                bomb.as_ref().unwrap_or(&waker),
                SleepKind::AtTail,
            );
            assert!(
                slot_ref.slot == before,
                "the reader has moved to another slot"
            );
        }
        panic_of(|| registry.wake_all());
        assert_eq!(wakes.taken(), 6);
    }
}

/// A reader comes to another epoch by the last item of a block. When it has entered the next block,
/// the floors of all segments are reset.
#[cfg(not(target_pointer_width = "64"))]
#[test]
fn floors_are_reset_when_a_reader_comes_to_another_epoch() {
    use super::segment::Floor;

    let (registry, all) = registered(30);
    let walk = registry.segments().and_then(Segments::walk).unwrap();
    let segment = walk.all().next().unwrap();
    let is_known = |position| {
        // SAFETY: the walk has not ended.
        let floor = unsafe { Segment::get(segment) }.floor(position);
        !matches!(floor, Floor::Unknown)
    };
    for epoch in 1..=17_usize {
        let boundary = epoch << (usize::BITS - 4);
        let before = boundary.wrapping_sub(2);
        for slot_ref in &all {
            registry.publish_position(*slot_ref, before);
        }
        assert!(matches!(
            registry.check_last(all[0], &mut None, before.wrapping_sub(2)),
            IsLast::Yes(_)
        ));
        assert!(is_known(before.wrapping_sub(2)));
        registry.publish_position(all[0], boundary);
        registry.advance(all[0], boundary, 0);
        assert!(!is_known(before.wrapping_sub(2)), "{epoch}");
    }
}
