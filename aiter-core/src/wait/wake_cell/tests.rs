extern crate std;

use super::super::notify::WakeSink;
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
    let mut sink = WakeSink::new(());
    let wake_source = sink.wake_source();
    wake_source.wake();
    let (first, first_waker) = Wakes::new();
    let (second, second_waker) = Wakes::new();
    sink.register(&first_waker);
    sink.register(&second_waker);
    wake_source.wake();
    wake_source.wake();
    assert_eq!((first.count(), second.count()), (0, 1));
    sink.register(&first_waker);
    sink.clear();
    wake_source.wake();
    assert_eq!(first.count(), 0);
}

#[test]
fn keeps_one_waker() {
    let mut sink = WakeSink::new(());
    let wake_source = sink.wake_source();
    let (wakes, waker) = Wakes::new();
    for _ in 0..3 {
        sink.register(&waker);
        sink.register(&waker);
        assert_eq!(Arc::strong_count(&wakes), 3);
        wake_source.wake();
    }
    let (other, other_waker) = Wakes::new();
    sink.register(&other_waker);
    assert_eq!(
        (Arc::strong_count(&wakes), Arc::strong_count(&other)),
        (2, 3)
    );
    drop(sink);
    assert_eq!(Arc::strong_count(&other), 2);
}

#[test]
fn clones_a_waker_it_does_not_hold() {
    static CLONES: AtomicUsize = AtomicUsize::new(0);
    let waker = waker_that_counts_clones(&CLONES);
    let mut sink = WakeSink::new(());
    let wake_source = sink.wake_source();
    for _ in 0..3 {
        sink.register(&waker);
        sink.register(&waker);
        wake_source.wake();
    }
    assert_eq!(CLONES.load(Ordering::Relaxed), 1);
}

/// Runs a function in the middle of a wake.
struct InWake<F>(F);
impl<F: Fn() + Send + Sync + 'static> Wake for InWake<F> {
    fn wake(self: Arc<Self>) {
        (self.0)();
    }
}

#[test]
fn serves_a_wake_that_arrives_during_a_wake() {
    // The waker registers another one, and that one is woken, all inside the first wake.
    let (wakes, other) = Wakes::new();
    let sink = Arc::new(Mutex::new(WakeSink::new(())));
    let wake_source = sink.lock().unwrap().wake_source();
    let (weak, inner) = (Arc::downgrade(&sink), wake_source.clone());
    let count = wakes.clone();
    let waker = Waker::from(Arc::new(InWake(move || {
        Weak::upgrade(&weak)
            .unwrap()
            .lock()
            .unwrap()
            .register(&other);
        inner.wake();
        inner.wake();
        assert_eq!(count.count(), 0, "the outer wake serves them");
    })));
    sink.lock().unwrap().register(&waker);
    wake_source.wake();
    assert_eq!(wakes.count(), 1);
    // The slot of the first waker is no longer in use.
    sink.lock().unwrap().register(Waker::noop());
    wake_source.wake();
    assert_eq!(wakes.count(), 1);
}

#[test]
fn a_waker_stays_while_it_is_called() {
    /// Registers another waker in the middle of a wake.
    struct Changes(Mutex<Option<WakeSink<()>>>);
    impl Wake for Changes {
        fn wake(self: Arc<Self>) {
            self.wake_by_ref();
        }
        fn wake_by_ref(self: &Arc<Self>) {
            let before = Arc::strong_count(self);
            let mut sink = self.0.lock().unwrap();
            sink.as_mut().unwrap().register(Waker::noop());
            assert_eq!(Arc::strong_count(self), before);
        }
    }
    // Checks both slots.
    for slot in 0..2 {
        let mut sink = WakeSink::new(());
        let wake_source = sink.wake_source();
        let changes = Arc::new(Changes(None.into()));
        let waker = Waker::from(changes.clone());
        sink.register(&waker);
        *changes.0.lock().unwrap() = Some(sink);
        wake_source.wake();
        if slot == 1 {
            let mut sink = changes.0.lock().unwrap();
            sink.as_mut().unwrap().register(&waker);
            drop(sink);
            wake_source.wake();
        }
        drop(changes.0.lock().unwrap().take());
        assert_eq!(Arc::strong_count(&changes), 2);
    }
}

/// If the waker stays the same, every thread calls it itself, also while another thread is calling
/// it.
#[test]
#[cfg_attr(
    miri,
    ignore = "Miri takes wakers that are made at two places for different ones"
)]
fn a_waker_that_stays_the_same_is_not_delegated() {
    struct Again(Mutex<Option<WakeSink<()>>>, AtomicUsize);
    impl Wake for Again {
        fn wake(self: Arc<Self>) {
            self.wake_by_ref();
        }
        fn wake_by_ref(self: &Arc<Self>) {
            if self.1.fetch_add(1, Ordering::Relaxed) == 0 {
                let mut sink = self.0.lock().unwrap();
                let sink = sink.as_mut().unwrap();
                sink.register(&self.clone().into());
                sink.wake_source().wake();
                assert_eq!(self.1.load(Ordering::Relaxed), 2);
            }
        }
    }
    let mut sink = WakeSink::new(());
    let wake_source = sink.wake_source();
    let again = Arc::new(Again(None.into(), AtomicUsize::new(0)));
    sink.register(&again.clone().into());
    *again.0.lock().unwrap() = Some(sink);
    wake_source.wake();
    assert_eq!(again.1.load(Ordering::Relaxed), 2);
    drop(again.0.lock().unwrap().take());
}

#[test]
fn changes_the_waker_twice_during_a_wake() {
    let (wakes, last) = Wakes::new();
    let sink = Arc::new(Mutex::new(WakeSink::new(())));
    let wake_source = sink.lock().unwrap().wake_source();
    let weak = Arc::downgrade(&sink);
    let waker = Waker::from(Arc::new(InWake(move || {
        let sink = Weak::upgrade(&weak).unwrap();
        let mut sink = sink.lock().unwrap();
        sink.register(&panicking_waker());
        sink.wake_source().wake();
        sink.register(&last);
    })));
    sink.lock().unwrap().register(&waker);
    wake_source.wake();
    // The wake that was owed went to a waker that has been replaced.
    assert_eq!(wakes.count(), 0);
    wake_source.wake();
    assert_eq!(wakes.count(), 1);
}

#[test]
fn still_works_after_a_waker_panicked() {
    let mut sink = WakeSink::new(());
    let wake_source = sink.wake_source();
    sink.register(&panicking_waker());
    assert_eq!(panic_of(|| wake_source.wake()), "waker");
    let (wakes, waker) = Wakes::new();
    sink.register(&waker);
    wake_source.wake();
    assert_eq!(wakes.count(), 1);
}

#[test]
fn a_sink_may_be_dropped_inside_its_own_wake() {
    let sink = Arc::new(Mutex::new(Some(WakeSink::new(()))));
    let wake_source = sink.lock().unwrap().as_ref().unwrap().wake_source();
    let mine = sink.clone();
    let waker = Waker::from(Arc::new(InWake(move || *mine.lock().unwrap() = None)));
    sink.lock().unwrap().as_mut().unwrap().register(&waker);
    wake_source.wake();
    assert!(sink.lock().unwrap().is_none());
}

#[test]
fn clear_for_drops_the_waker_of_another_task_only() {
    let mut sink = WakeSink::new(());
    let wake_source = sink.wake_source();
    let ((own, own_waker), (_, other_waker)) = (Wakes::new(), Wakes::new());
    sink.register(&own_waker);
    sink.clear_for(&own_waker);
    assert_eq!(Arc::strong_count(&own), 3);
    wake_source.wake();
    assert_eq!(own.count(), 1);
    // A waker that has been called is also kept for the task's next wait, until another task comes.
    sink.clear_for(&own_waker);
    assert_eq!(Arc::strong_count(&own), 3);
    sink.clear_for(&other_waker);
    assert_eq!(Arc::strong_count(&own), 2);
}

/// A waker cannot be dropped while it is called. The next poll by another task drops it.
#[test]
fn a_waker_that_is_being_called_is_dropped_later() {
    let sink = Arc::new(Mutex::new(WakeSink::new(())));
    let wake_source = sink.lock().unwrap().wake_source();
    let weak = Arc::downgrade(&sink);
    let in_wake = Arc::new(InWake(move || {
        let sink = Weak::upgrade(&weak).unwrap();
        sink.lock().unwrap().clear_for(Waker::noop());
    }));
    // `Waker::noop` has no data, so any waker made of an `Arc` belongs to another task.
    sink.lock().unwrap().register(&Waker::from(in_wake.clone()));
    wake_source.wake();
    assert_eq!(Arc::strong_count(&in_wake), 2);
    sink.lock().unwrap().clear_for(Waker::noop());
    assert_eq!(Arc::strong_count(&in_wake), 1);
}
