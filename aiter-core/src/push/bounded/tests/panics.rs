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

struct Bomb;

impl alloc::task::Wake for Bomb {
    fn wake(self: alloc::sync::Arc<Self>) {
        core::mem::forget(self);
    }
    fn wake_by_ref(self: &alloc::sync::Arc<Self>) {}
}

impl Drop for Bomb {
    fn drop(&mut self) {
        panic!("drop");
    }
}

/// A future that waits, and has a waker that panics when it is dropped.
fn with_bomb<F: Future>(future: F) -> Pin<Box<F>> {
    let mut future = Box::pin(future);
    let waker = Waker::from(alloc::sync::Arc::new(Bomb));
    let polled = future.as_mut().poll(&mut Context::from_waker(&waker));
    assert!(polled.is_pending());
    // It is dropped without its drop: the future has the last clone.
    let bomb = waker.data().cast::<Bomb>();
    core::mem::forget(waker);
    #[allow(unsafe_code, reason = "gives up one of two counts of the waker")]
    // SAFETY: the waker above had a count, and was forgotten.
    unsafe {
        alloc::sync::Arc::decrement_strong_count(bomb);
    }
    future
}

#[test]
fn a_waker_that_panics_when_it_is_dropped_loses_no_place() {
    // The future is dropped while it waits; when it has a place; and it is polled then.
    for step in 0..3 {
        let (pusher, mut aiter) = full(1, 0);
        let mut bad = with_bomb(pusher.reserve());
        let mut good = polled(pusher.push(1)).waiting();
        if step > 0 {
            assert_eq!(aiter.try_next(), Ok(0));
        }
        assert_eq!(
            panic_of(|| {
                if step == 2 {
                    let polled = bad.as_mut().poll(&mut Context::from_waker(Waker::noop()));
                    drop(polled);
                } else {
                    drop(bad);
                }
            }),
            "drop"
        );
        if step == 0 {
            assert_eq!(aiter.try_next(), Ok(0));
        }
        good.woken().unwrap();
        assert_eq!(aiter.try_next(), Ok(1));
    }
}

/// A consumer is dropped by its own waker, which a subscriber wakes and which panics then.
#[test]
fn a_subscriber_that_is_lost_to_a_panic_leaves_nobody_waiting() {
    struct DropsAndPanics(std::sync::Mutex<Option<BoundedAiter<usize>>>);
    impl alloc::task::Wake for DropsAndPanics {
        fn wake(self: alloc::sync::Arc<Self>) {
            drop(self.0.lock().unwrap().take());
            panic!("wake");
        }
    }
    let (pusher, mut aiter) = push_aiter_bounded(1);
    let permit = pusher.try_reserve().unwrap();
    let mut waiting = polled(pusher.push(1)).waiting();
    let owner = alloc::sync::Arc::new(DropsAndPanics(std::sync::Mutex::new(None)));
    assert!(poll(&mut aiter, &owner.clone().into()).is_pending());
    *owner.0.lock().unwrap() = Some(aiter);
    assert_eq!(panic_of(|| pusher.subscribe()), "wake");
    assert_eq!(waiting.woken(), Err(Stopped(1)));
    drop(permit);
}
