//! Panics of wakers and clones.

use super::*;
use crate::test_support::{panic_of, panicking_waker};

#[test]
fn a_clone_that_panics_makes_room_all_the_same() {
    struct Fails(bool);
    impl Clone for Fails {
        fn clone(&self) -> Self {
            assert!(!self.0, "clone");
            Self(self.0)
        }
    }
    let (pusher, mut first) = push_aiter_bounded(1);
    let mut other = first.fork();
    pusher.try_push(Fails(true)).ok().unwrap();
    assert_eq!(panic_of(|| first.try_next().is_ok()), "clone");
    let mut waiting = polled(pusher.push(Fails(false))).waiting();
    // The last one moves the item.
    assert!(other.try_next().is_ok());
    assert!(waiting.woken().is_ok());
}

#[test]
fn a_waker_that_panics_keeps_no_other_pusher_from_its_place() {
    let (pusher, mut aiter) = full(2, 0);
    let mut bad = Box::pin(pusher.push(1));
    let poll = bad
        .as_mut()
        .poll(&mut Context::from_waker(&panicking_waker()));
    assert!(poll.is_pending());
    let mut good = polled(pusher.push(2)).waiting();
    panic_of(|| aiter.try_next());
    aiter.try_next().unwrap();
    good.woken().unwrap();
    assert!(
        bad.as_mut()
            .poll(&mut Context::from_waker(Waker::noop()))
            .is_ready()
    );
    assert!(aiter.available_iter().eq(&[2, 1]));
}

#[test]
fn a_consumers_waker_that_panics_in_a_push_loses_neither_item_nor_place() {
    let (pusher, mut aiter) = push_aiter_bounded(1);
    for _ in 0..3 {
        assert!(poll(&mut aiter, &panicking_waker()).is_pending());
        panic_of(|| pusher.try_push(1));
        assert_eq!(pusher.try_push(2), Err(PushError::Full(2)));
        assert_eq!(aiter.try_next(), Ok(1));
        assert!(poll(&mut aiter, &panicking_waker()).is_pending());
        panic_of(|| pusher.try_reserve().unwrap().push(1));
        assert_eq!(aiter.try_next(), Ok(1));
    }
    pusher.try_push(2).unwrap();
}

#[test]
fn a_waker_that_panics_in_a_stop_leaves_nobody_waiting() {
    let (pusher, mut aiter) = push_aiter_bounded(1);
    let permit = pusher.try_reserve().unwrap();
    let mut waiting = polled(pusher.push(1)).waiting();
    assert!(poll(&mut aiter, &panicking_waker()).is_pending());
    panic_of(|| pusher.stop());
    assert_eq!(waiting.woken(), Err(Stopped(1)));
    drop(permit);
}

#[test]
fn a_clone_of_a_waker_that_panics_claims_no_place() {
    use core::task::{RawWaker, RawWakerVTable};
    static PANICS: RawWakerVTable =
        RawWakerVTable::new(|_| panic!("clone"), |_| (), |_| (), |_| ());
    let (pusher, mut aiter) = full(1, 0);
    #[allow(unsafe_code, reason = "a waker that panics when it is cloned")]
    // SAFETY: the functions of the table use no data.
    let waker = unsafe { Waker::from_raw(RawWaker::new(core::ptr::null(), &PANICS)) };
    let mut push = Box::pin(pusher.push(1));
    panic_of(|| push.as_mut().poll(&mut Context::from_waker(&waker)));
    drop(push);
    aiter.try_next().unwrap();
    pusher.try_push(2).unwrap();
    assert_eq!(pusher.try_push(3), Err(PushError::Full(3)));
}
