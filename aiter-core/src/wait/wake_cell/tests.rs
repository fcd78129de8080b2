extern crate std;

use super::super::notify::Sleeper;
use crate::test_support::{clones::waker_that_counts_clones, *};
use alloc::{
    sync::{Arc, Weak},
    task::Wake,
};
use core::{
    sync::atomic::{AtomicUsize, Ordering},
    task::Waker,
};
use std::sync::Mutex;

#[test]
fn wakes_the_last_waker_once() {
    let mut sleeper = Sleeper::new(());
    let alarm = sleeper.alarm();
    alarm.wake();
    let (first, first_waker) = Wakes::new();
    let (second, second_waker) = Wakes::new();
    sleeper.register(&first_waker);
    sleeper.register(&second_waker);
    alarm.wake();
    alarm.wake();
    assert_eq!((first.count(), second.count()), (0, 1));
    sleeper.register(&first_waker);
    sleeper.clear();
    alarm.wake();
    assert_eq!(first.count(), 0);
}

#[test]
fn keeps_one_waker() {
    let mut sleeper = Sleeper::new(());
    let alarm = sleeper.alarm();
    let (wakes, waker) = Wakes::new();
    for _ in 0..3 {
        sleeper.register(&waker);
        sleeper.register(&waker);
        assert_eq!(Arc::strong_count(&wakes), 3);
        alarm.wake();
    }
    let (other, other_waker) = Wakes::new();
    sleeper.register(&other_waker);
    assert_eq!(
        (Arc::strong_count(&wakes), Arc::strong_count(&other)),
        (2, 3)
    );
    drop(sleeper);
    assert_eq!(Arc::strong_count(&other), 2);
}

#[test]
fn clones_a_waker_it_does_not_hold() {
    static CLONES: AtomicUsize = AtomicUsize::new(0);
    let waker = waker_that_counts_clones(&CLONES);
    let mut sleeper = Sleeper::new(());
    let alarm = sleeper.alarm();
    for _ in 0..3 {
        sleeper.register(&waker);
        sleeper.register(&waker);
        alarm.wake();
    }
    assert_eq!(CLONES.load(Ordering::Relaxed), 1);
}

/// Does something in the middle of a wake.
struct InWake<F>(F);
impl<F: Fn() + Send + Sync + 'static> Wake for InWake<F> {
    fn wake(self: Arc<Self>) {
        (self.0)();
    }
}

#[test]
fn serves_a_wake_that_comes_during_a_wake() {
    // The waker registers another one, and that one is woken, all inside the first wake.
    let (wakes, other) = Wakes::new();
    let sleeper = Arc::new(Mutex::new(Sleeper::new(())));
    let alarm = sleeper.lock().unwrap().alarm();
    let (weak, inner) = (Arc::downgrade(&sleeper), alarm.clone());
    let count = wakes.clone();
    let waker = Waker::from(Arc::new(InWake(move || {
        Weak::upgrade(&weak)
            .unwrap()
            .lock()
            .unwrap()
            .register(&other);
        inner.wake();
        inner.wake();
        assert_eq!(count.count(), 0, "it is for the outer wake to serve them");
    })));
    sleeper.lock().unwrap().register(&waker);
    alarm.wake();
    assert_eq!(wakes.count(), 1);
    // The slot of the first is no longer in use.
    sleeper.lock().unwrap().register(Waker::noop());
    alarm.wake();
    assert_eq!(wakes.count(), 1);
}

#[test]
fn a_waker_stays_while_it_is_called() {
    /// Has another waker registered, in the middle of a wake.
    struct Changes(Mutex<Option<Sleeper<()>>>);
    impl Wake for Changes {
        fn wake(self: Arc<Self>) {
            self.wake_by_ref();
        }
        fn wake_by_ref(self: &Arc<Self>) {
            let before = Arc::strong_count(self);
            let mut sleeper = self.0.lock().unwrap();
            sleeper.as_mut().unwrap().register(Waker::noop());
            assert_eq!(Arc::strong_count(self), before);
        }
    }
    // In the one slot, and in the other.
    for turns in 0..2 {
        let mut sleeper = Sleeper::new(());
        let alarm = sleeper.alarm();
        let changes = Arc::new(Changes(None.into()));
        let waker = Waker::from(changes.clone());
        sleeper.register(&waker);
        *changes.0.lock().unwrap() = Some(sleeper);
        alarm.wake();
        if turns == 1 {
            let mut sleeper = changes.0.lock().unwrap();
            sleeper.as_mut().unwrap().register(&waker);
            drop(sleeper);
            alarm.wake();
        }
        drop(changes.0.lock().unwrap().take());
        assert_eq!(Arc::strong_count(&changes), 2);
    }
}

/// A waker that stays the same is called by whoever comes, also while another is in the middle of a call.
#[test]
#[cfg_attr(
    miri,
    ignore = "Miri takes wakers that are made at two places for different ones"
)]
fn the_same_waker_is_not_left_to_who_is_calling_it() {
    struct Again(Mutex<Option<Sleeper<()>>>, AtomicUsize);
    impl Wake for Again {
        fn wake(self: Arc<Self>) {
            self.wake_by_ref();
        }
        fn wake_by_ref(self: &Arc<Self>) {
            if self.1.fetch_add(1, Ordering::Relaxed) == 0 {
                let mut sleeper = self.0.lock().unwrap();
                let sleeper = sleeper.as_mut().unwrap();
                sleeper.register(&self.clone().into());
                sleeper.alarm().wake();
                assert_eq!(self.1.load(Ordering::Relaxed), 2);
            }
        }
    }
    let mut sleeper = Sleeper::new(());
    let alarm = sleeper.alarm();
    let again = Arc::new(Again(None.into(), AtomicUsize::new(0)));
    sleeper.register(&again.clone().into());
    *again.0.lock().unwrap() = Some(sleeper);
    alarm.wake();
    assert_eq!(again.1.load(Ordering::Relaxed), 2);
    drop(again.0.lock().unwrap().take());
}

#[test]
fn changes_the_waker_twice_during_a_wake() {
    let (wakes, last) = Wakes::new();
    let sleeper = Arc::new(Mutex::new(Sleeper::new(())));
    let alarm = sleeper.lock().unwrap().alarm();
    let weak = Arc::downgrade(&sleeper);
    let waker = Waker::from(Arc::new(InWake(move || {
        let sleeper = Weak::upgrade(&weak).unwrap();
        let mut sleeper = sleeper.lock().unwrap();
        sleeper.register(&panicking_waker());
        sleeper.alarm().wake();
        sleeper.register(&last);
    })));
    sleeper.lock().unwrap().register(&waker);
    alarm.wake();
    // The wake that was owed went to a waker that no longer counts.
    assert_eq!(wakes.count(), 0);
    alarm.wake();
    assert_eq!(wakes.count(), 1);
}

#[test]
fn works_on_after_a_waker_that_panics() {
    let mut sleeper = Sleeper::new(());
    let alarm = sleeper.alarm();
    sleeper.register(&panicking_waker());
    assert_eq!(panic_of(|| alarm.wake()), "waker");
    let (wakes, waker) = Wakes::new();
    sleeper.register(&waker);
    alarm.wake();
    assert_eq!(wakes.count(), 1);
}

#[test]
fn a_sleeper_may_be_dropped_inside_its_own_wake() {
    let sleeper = Arc::new(Mutex::new(Some(Sleeper::new(()))));
    let alarm = sleeper.lock().unwrap().as_ref().unwrap().alarm();
    let mine = sleeper.clone();
    let waker = Waker::from(Arc::new(InWake(move || *mine.lock().unwrap() = None)));
    sleeper.lock().unwrap().as_mut().unwrap().register(&waker);
    alarm.wake();
    assert!(sleeper.lock().unwrap().is_none());
}

#[test]
fn the_waker_of_another_task_goes_and_the_own_one_stays() {
    let mut sleeper = Sleeper::new(());
    let alarm = sleeper.alarm();
    let ((own, own_waker), (_, other_waker)) = (Wakes::new(), Wakes::new());
    sleeper.register(&own_waker);
    sleeper.clear_for(&own_waker);
    assert_eq!(Arc::strong_count(&own), 3);
    alarm.wake();
    assert_eq!(own.count(), 1);
    // Also one that has been called is kept, for the task's next wait, until another task comes.
    sleeper.clear_for(&own_waker);
    assert_eq!(Arc::strong_count(&own), 3);
    sleeper.clear_for(&other_waker);
    assert_eq!(Arc::strong_count(&own), 2);
}

/// A waker cannot be dropped while it is called; the next poll by another task comes to it again.
#[test]
fn a_waker_that_is_called_goes_another_time() {
    let sleeper = Arc::new(Mutex::new(Sleeper::new(())));
    let alarm = sleeper.lock().unwrap().alarm();
    let weak = Arc::downgrade(&sleeper);
    let in_wake = Arc::new(InWake(move || {
        let sleeper = Weak::upgrade(&weak).unwrap();
        sleeper.lock().unwrap().clear_for(Waker::noop());
    }));
    // As `Waker::noop` has no data, any waker of an `Arc` is another task's.
    sleeper
        .lock()
        .unwrap()
        .register(&Waker::from(in_wake.clone()));
    alarm.wake();
    assert_eq!(Arc::strong_count(&in_wake), 2);
    sleeper.lock().unwrap().clear_for(Waker::noop());
    assert_eq!(Arc::strong_count(&in_wake), 1);
}
