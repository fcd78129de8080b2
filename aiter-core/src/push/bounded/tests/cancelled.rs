//! Waits that are dropped, at any moment.

use super::*;

#[test]
fn a_wait_that_is_dropped_strands_nobody() {
    for gone in 0..3 {
        let (pusher, mut aiter) = full(1, 0);
        let mut waiting: Vec<_> = (1..=3)
            .map(|n| Some(polled(pusher.push(n)).waiting()))
            .collect();
        waiting[gone] = None;
        for mut left in waiting.into_iter().flatten() {
            assert!(aiter.try_next().is_ok());
            left.woken().unwrap();
        }
        aiter.try_next().unwrap();
        pusher.try_push(4).unwrap();
    }
}

#[test]
fn a_wait_that_is_dropped_after_it_got_its_place_hands_it_on() {
    let (pusher, mut aiter) = full(1, 0);
    let first = polled(pusher.push(1)).waiting();
    let second = polled(pusher.reserve()).waiting();
    let third = polled(pusher.reserve_owned()).waiting();
    let mut fourth = polled(pusher.push(4)).waiting();
    aiter.try_next().unwrap();
    assert_eq!(first.wakes.taken(), 1);
    drop(first);
    assert_eq!(second.wakes.taken(), 1);
    drop(second);
    assert_eq!(third.wakes.taken(), 1);
    drop(third);
    fourth.woken().unwrap();
    assert!(aiter.available_iter().eq(&[4]));
}

#[test]
fn the_last_wait_that_is_dropped_leaves_its_place_free() {
    let (pusher, mut aiter) = full(1, 0);
    let first = polled(pusher.push(1)).waiting();
    aiter.try_next().unwrap();
    assert_eq!(pusher.try_push(2), Err(PushError::Full(2)));
    drop(first);
    pusher.try_push(2).unwrap();
}

#[test]
fn all_waits_are_dropped_in_any_order_and_the_list_is_as_before() {
    for seed in 0..6 {
        let (pusher, mut aiter) = full(2, 0);
        let mut waiting: Vec<_> = (0..3).map(|n| polled(pusher.push(n)).waiting()).collect();
        aiter.try_next().unwrap();
        drop(waiting.remove(seed % 3));
        drop(waiting.remove(seed / 3));
        drop(waiting);
        pusher.try_push(9).unwrap();
        assert_eq!(pusher.try_push(9), Err(PushError::Full(9)));
        assert!(aiter.available_iter().eq(&[0, 9]));
    }
}

#[test]
fn a_wait_that_is_dropped_after_a_stop_gives_nothing_back() {
    let (pusher, aiter) = full(1, 0);
    let first = polled(pusher.push(1)).waiting();
    let second = polled(pusher.reserve()).waiting();
    pusher.stop();
    drop(first);
    drop(aiter);
    drop(second);
    assert_eq!(pusher.try_push(1), Err(PushError::Stopped(1)));
}

/// A push that is forgotten before it waits is as if it had not been made.
#[test]
fn a_future_that_was_never_polled_takes_nothing() {
    let (pusher, _aiter) = push_aiter_bounded(1);
    core::mem::forget(pusher.push(1));
    core::mem::forget(pusher.reserve());
    drop(pusher.push(2));
    pusher.try_push(3).unwrap();
}

#[test]
fn a_permit_that_is_forgotten_keeps_its_place() {
    let (pusher, mut aiter) = push_aiter_bounded(2);
    core::mem::forget(pusher.try_reserve().unwrap());
    for n in 0..5 {
        pusher.try_push(n).unwrap();
        assert_eq!(pusher.try_push(n), Err(PushError::Full(n)));
        assert_eq!(aiter.try_next(), Ok(n));
    }
}
