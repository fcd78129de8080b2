//! A member that gets another's seat. All else is asked of those who make use of crowds.

extern crate std;

use super::*;
use crate::test_support::*;
use alloc::{task::Wake, vec::Vec};
use std::sync::Mutex;

#[test]
fn who_gets_the_seat_of_one_seen_behind_is_behind_nobody() {
    /// While the first is woken the other goes, and the first waits again: in the other's seat, as its own is at work.
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
        assert!(!waiter.is_last_at(0), "the other is there");
    }
    set.wake_all();
    assert!(waits.0.lock().unwrap().0.is_last_at(0), "nobody else is");
}

/// A member that is dropped while it is woken leaves its waker to the thread that wakes. The
/// waker's drop panics, after all other members were woken.
#[test]
fn a_waker_that_panics_in_its_drop_keeps_nobody_else_asleep() {
    struct Goes(Mutex<Option<Waiter>>);
    impl Wake for Goes {
        fn wake(self: alloc::sync::Arc<Self>) {
            self.wake_by_ref();
        }
        fn wake_by_ref(self: &alloc::sync::Arc<Self>) {
            let waiter = self.0.lock().unwrap().take();
            drop(waiter);
        }
    }
    impl Drop for Goes {
        fn drop(&mut self) {
            panic!("waker");
        }
    }
    // The seat in the crowd, those beside it, and those of several rows.
    for goes in [0, 1, 8, 9, 24, 25, 89] {
        let set = WaitSet::new();
        let (wakes, waker) = Wakes::new();
        let mut members: Vec<_> = (0..100).map(|_| set.add()).collect();
        let goes = alloc::sync::Arc::new(Goes(Mutex::new(Some(members.remove(goes)))));
        members.iter_mut().for_each(|waiter| waiter.wait(&waker));
        {
            let waker = Waker::from(goes.clone());
            goes.0.lock().unwrap().as_mut().unwrap().wait(&waker);
        }
        drop(goes);
        assert_eq!(panic_of(|| set.wake_all()), "waker");
        assert_eq!(wakes.count(), members.len());
        // Nothing of it is left.
        set.wake_all();
        assert_eq!(wakes.count(), members.len());
    }
}
