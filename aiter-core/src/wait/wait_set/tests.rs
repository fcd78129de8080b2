//! Tests of a waiter that takes the slot of another one, and of a waiter that is dropped while it
//! is woken. The tests of the wait set's users cover everything else.

extern crate std;

use super::*;
use crate::test_support::*;
use alloc::{task::Wake, vec::Vec};
use std::sync::Mutex;

#[test]
fn some_waiter_is_looked_for_by_its_position_and_limit() {
    let set = WaitSet::new();
    assert!(!set.any(|_, _| true), "there is none");
    let _near = set.add_at(2, 7);
    let far = set.add_at(8, 9);
    assert!(set.any(|at, limit| (at, limit) == (8, 9)));
    assert!(!set.any(|at, limit| (at, limit) == (2, 9)));
    drop(far);
    assert!(!set.any(|at, _| at == 8));
}

#[test]
fn a_waiter_knows_with_which_waker_it_waits() {
    let (set, (_, other)) = (WaitSet::new(), Wakes::new());
    let mut waiter = set.add();
    assert!(!waiter.waits_with(&other));
    waiter.wait(&other);
    assert!(waiter.waits_with(&other) && !waiter.waits_with(Waker::noop()));
    set.wake_all();
    assert!(!waiter.waits_with(&other), "it was woken");
}

#[test]
fn a_waiter_that_takes_the_slot_of_its_follower_does_not_follow_itself() {
    /// While the first waiter is woken, the other one is dropped and the first waits again: in the
    /// slot of the other one, because the wake uses its own.
    struct Waits(Mutex<(Waiter, Option<Waiter>)>);
    impl Wake for Waits {
        fn wake(self: alloc::sync::Arc<Self>) {
            let (waiter, other) = &mut *self.0.lock().unwrap();
            drop(other.take());
            waiter.wait(Waker::noop());
        }
    }
    let set = WaitSet::new();
    let (waiter, other) = (set.add(), set.add());
    let waits = alloc::sync::Arc::new(Waits(Mutex::new((waiter, Some(other)))));
    let waker = Waker::from(waits.clone());
    {
        let (waiter, _) = &mut *waits.0.lock().unwrap();
        waiter.wait(&waker);
        assert!(!waiter.is_last_at(0), "the other waiter is there");
    }
    set.wake_all();
    assert!(
        waits.0.lock().unwrap().0.is_last_at(0),
        "no other waiter is there"
    );
}

/// A waiter that is dropped while it is woken leaves its waker to the thread that wakes. The drop
/// of the waker panics, after all other waiters were woken.
#[test]
fn a_waker_that_panics_in_its_drop_keeps_no_other_waiter_asleep() {
    struct DropsItself(Mutex<Option<Waiter>>);
    impl Wake for DropsItself {
        fn wake(self: alloc::sync::Arc<Self>) {
            self.wake_by_ref();
        }
        fn wake_by_ref(self: &alloc::sync::Arc<Self>) {
            let waiter = self.0.lock().unwrap().take();
            drop(waiter);
        }
    }
    impl Drop for DropsItself {
        fn drop(&mut self) {
            panic!("waker");
        }
    }
    // The first slot, the slots beside it, and slots of several segments.
    for dropped in [0, 1, 8, 9, 24, 25, 89] {
        let set = WaitSet::new();
        let (wakes, waker) = Wakes::new();
        let mut waiters: Vec<_> = (0..100).map(|_| set.add()).collect();
        let owner = alloc::sync::Arc::new(DropsItself(Mutex::new(Some(waiters.remove(dropped)))));
        waiters.iter_mut().for_each(|waiter| waiter.wait(&waker));
        {
            let waker = Waker::from(owner.clone());
            owner.0.lock().unwrap().as_mut().unwrap().wait(&waker);
        }
        drop(owner);
        assert_eq!(panic_of(|| set.wake_all()), "waker");
        assert_eq!(wakes.count(), waiters.len());
        // It is not woken again.
        set.wake_all();
        assert_eq!(wakes.count(), waiters.len());
    }
}
