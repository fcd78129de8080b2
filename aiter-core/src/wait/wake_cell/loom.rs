//! Loom models of the wake cell.

use super::super::notify::{WakeSink, WakeSource};
use crate::{
    sync::{AtomicUsize, Ordering},
    test_support::loom::model,
};
use ::loom::thread;
use alloc::{sync::Arc, task::Wake};
use core::task::Waker;

/// Counts wakes. As an executor does, it orders a wake before the poll that follows it.
struct Count(AtomicUsize);
impl Wake for Count {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }
    fn wake_by_ref(self: &Arc<Self>) {
        self.0.fetch_add(1, Ordering::Release);
    }
}

fn counting() -> (Arc<Count>, Waker) {
    let count = Arc::new(Count(AtomicUsize::new(0)));
    (count.clone(), Waker::from(count))
}

fn count(count: &Count) -> usize {
    count.0.load(Ordering::Acquire)
}

fn set(flags: WakeSource<AtomicUsize>) {
    flags.fetch_add(1, Ordering::Relaxed);
    flags.wake();
}

#[test]
fn register_racing_a_wake() {
    model(|| {
        let mut sink = WakeSink::new(AtomicUsize::new(0));
        let wake_source = sink.wake_source();
        let setter = thread::spawn(move || set(wake_source));
        let (wakes, waker) = counting();
        sink.register(&waker);
        let seen = sink.load(Ordering::Relaxed);
        setter.join().unwrap();
        assert!(seen == 1 || count(&wakes) == 1);
    });
}

#[test]
fn register_racing_two_wakes() {
    model(|| {
        let mut sink = WakeSink::new(AtomicUsize::new(0));
        let setters =
            [sink.wake_source(), sink.wake_source()].map(|a| thread::spawn(move || set(a)));
        let (wakes, waker) = counting();
        // As a task does: it looks once for each wake, with the same waker.
        let mut woken = 0;
        let mut seen;
        loop {
            sink.register(&waker);
            seen = sink.load(Ordering::Relaxed);
            match count(&wakes) {
                now if now > woken => woken = now,
                _ => break,
            }
        }
        for setter in setters {
            setter.join().unwrap();
        }
        assert!(seen == 2 || count(&wakes) > woken);
    });
}

#[test]
fn a_changed_waker_racing_two_wakes() {
    model(|| {
        let mut sink = WakeSink::new(AtomicUsize::new(0));
        let (_, first) = counting();
        sink.register(&first);
        let setters =
            [sink.wake_source(), sink.wake_source()].map(|a| thread::spawn(move || set(a)));
        let (_, second) = counting();
        sink.register(&second);
        let (wakes, third) = counting();
        sink.register(&third);
        let seen = sink.load(Ordering::Relaxed);
        for setter in setters {
            setter.join().unwrap();
        }
        assert!(seen == 2 || count(&wakes) > 0);
    });
}

#[test]
fn register_again_racing_a_wake_keeps_the_armed_slot() {
    model(|| {
        let mut sink = WakeSink::new(AtomicUsize::new(0));
        let (wakes, waker) = counting();
        sink.register(&waker);
        let wake_source = sink.wake_source();
        let setter = thread::spawn(move || set(wake_source));
        sink.register(&waker);
        let seen = sink.load(Ordering::Relaxed);
        setter.join().unwrap();
        assert!(seen == 1 || count(&wakes) > 0);
    });
}

#[test]
fn drop_racing_two_wakes() {
    model(|| {
        let mut sink = WakeSink::new(AtomicUsize::new(0));
        let (wakes, waker) = counting();
        sink.register(&waker);
        let setters =
            [sink.wake_source(), sink.wake_source()].map(|a| thread::spawn(move || set(a)));
        sink.register(Waker::noop());
        drop(sink);
        for setter in setters {
            setter.join().unwrap();
        }
        drop(waker);
        assert_eq!(Arc::strong_count(&wakes), 1, "no waker outlives the cell");
    });
}
