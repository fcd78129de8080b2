//! Loom models: a stop ends each stream and each wait, whatever races it, and what came before the
//! stop is seen after the end.

use super::*;
use crate::{
    sync::Arc,
    test_support::loom::{Task, block_on, large_model, model},
};
use ::loom::thread;
use alloc::task::Wake;
use core::task::Waker;
use futures_lite::stream;

#[test]
fn a_stop_racing_a_poll_wakes_it() {
    model(|| {
        let (stream, stopper) = stoppable_aiter(stream::pending::<()>());
        let other = stopper.clone();
        let stop = thread::spawn(move || other.stop());
        assert_eq!(Task::new(stream).next(), None);
        assert!(stopper.is_stopped());
        stop.join().unwrap();
    });
}

#[test]
fn the_end_publishes_what_came_before_the_stop() {
    type SeesTheStop = fn(&mut Stoppable<stream::Pending<()>>) -> bool;
    let ways: [SeesTheStop; 2] = [
        |stream| stream.stop.is_stopped(),
        |stream| matches!(Task::new(stream).poll(), Poll::Ready(None)),
    ];
    for sees_the_stop in ways {
        model(move || {
            let (mut stream, stopper) = stoppable_aiter(stream::pending());
            let done = Arc::new(AtomicUsize::new(0));
            let before = done.clone();
            let look = thread::spawn(move || {
                if sees_the_stop(&mut stream) {
                    assert_eq!(before.load(Ordering::Relaxed), 1);
                }
            });
            done.store(1, Ordering::Relaxed);
            stopper.stop();
            look.join().unwrap();
        });
    }
}

#[test]
fn two_stops_racing_a_drop() {
    model(|| {
        let (stream, stopper) = stoppable_aiter(stream::pending::<()>());
        let mut task = Task::new(stream);
        assert!(task.poll().is_pending());
        let other = stopper.clone();
        let stop = thread::spawn(move || other.stop());
        drop(task);
        stopper.stop();
        stop.join().unwrap();
    });
}

#[test]
fn a_stop_wakes_each_stream_and_wait_of_several_tasks() {
    large_model(|| {
        let stopper = Stopper::new();
        let stream = stopper.stoppable(stream::pending::<()>());
        let wait = stopper.stopped();
        let streaming = thread::spawn(move || assert_eq!(Task::new(stream).next(), None));
        let waiting = thread::spawn(move || block_on(wait));
        stopper.stop();
        streaming.join().unwrap();
        waiting.join().unwrap();
    });
}

#[test]
fn a_stream_that_is_made_during_the_stop_ends() {
    model(|| {
        let stopper = Stopper::new();
        let first = stopper.stopped();
        let other = stopper.clone();
        let stop = thread::spawn(move || other.stop());
        // The slots beside the first one are made here.
        let late = stopper.stoppable(stream::pending::<()>());
        drop(first);
        assert_eq!(Task::new(late).next(), None);
        stop.join().unwrap();
    });
}

#[test]
fn a_stop_racing_a_change_of_the_waker() {
    model(|| {
        let stopper = Stopper::new();
        let mut wait = stopper.stopped();
        let stop = thread::spawn(move || stopper.stop());
        // The first waker does nothing.
        let cx = &mut Context::from_waker(Waker::noop());
        if Pin::new(&mut wait).poll(cx).is_pending() {
            block_on(wait);
        }
        stop.join().unwrap();
    });
}

#[test]
fn a_wait_that_sees_the_stop_sees_what_came_before() {
    model(|| {
        let stopper = Stopper::new();
        let wait = stopper.stopped();
        let done = Arc::new(AtomicUsize::new(0));
        let before = done.clone();
        let look = thread::spawn(move || {
            block_on(wait);
            assert_eq!(before.load(Ordering::Relaxed), 1);
        });
        done.store(1, Ordering::Relaxed);
        stopper.stop();
        look.join().unwrap();
    });
}

/// Counts the references to it, which are wakers.
struct Counted;

impl Wake for Counted {
    fn wake(self: alloc::sync::Arc<Self>) {}
}

#[test]
fn a_stop_leaves_no_waker_of_a_wait_that_ends_or_is_dropped_meanwhile() {
    let ways: [fn(StopperStopped); 2] = [drop, |mut wait| {
        // Another task polls it.
        let cx = &mut Context::from_waker(Waker::noop());
        let _ = Pin::new(&mut wait).poll(cx);
    }];
    for leave in ways {
        for others in [0, 1] {
            model(move || {
                let stopper = Stopper::new();
                let poll = |counted: &alloc::sync::Arc<Counted>| {
                    let mut wait = stopper.stopped();
                    let waker = Waker::from(counted.clone());
                    let cx = &mut Context::from_waker(&waker);
                    assert!(Pin::new(&mut wait).poll(cx).is_pending());
                    wait
                };
                let other = (others == 1).then(|| poll(&alloc::sync::Arc::new(Counted)));
                let counted = alloc::sync::Arc::new(Counted);
                let wait = poll(&counted);
                let stopping = stopper.clone();
                let stop = thread::spawn(move || stopping.stop());
                leave(wait);
                stop.join().unwrap();
                assert_eq!(
                    alloc::sync::Arc::strong_count(&counted),
                    1,
                    "a waker is kept"
                );
                drop(other);
            });
        }
    }
}
