//! Loom models: no wake is lost, no item passes without authorization, and what happened before a
//! call of the gate is visible after the item has passed.

use super::*;
use crate::{
    iter_to_aiter,
    sync::{AtomicUsize, Ordering},
    test_support::loom::{Task, large_model, model},
};
use ::loom::thread;
use core::task::Waker;
use futures_lite::stream;

/// An endless source that checks that it sees `written`, a relaxed store, at least as large as its
/// number of polls.
struct Checked(Arc<AtomicUsize>, usize);

impl Stream for Checked {
    type Item = usize;

    fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<usize>> {
        self.1 += 1;
        assert!(self.0.load(Ordering::Relaxed) >= self.1);
        Poll::Ready(Some(self.1))
    }
}

fn checked() -> (Arc<AtomicUsize>, Checked) {
    let written = Arc::new(AtomicUsize::new(0));
    (written.clone(), Checked(written, 0))
}

/// Yields items once it has been fed. It never wakes.
struct Fed(Arc<AtomicUsize>);

impl Stream for Fed {
    type Item = ();

    fn poll_next(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<()>> {
        match self.0.load(Ordering::Acquire) {
            0 => Poll::Pending,
            _ => Poll::Ready(Some(())),
        }
    }
}

#[test]
fn a_push_racing_a_poll_wakes_it_and_is_seen() {
    model(|| {
        let (written, source) = checked();
        let (stream, gate) = gated_aiter(source);
        let pushed = thread::spawn(move || {
            for n in 1..3 {
                written.store(n, Ordering::Relaxed);
                gate.push(1);
            }
            gate
        });
        let mut task = Task::new(stream);
        assert_eq!((task.next(), task.next()), (Some(1), Some(2)));
        drop(pushed.join().unwrap());
        assert_eq!(task.next(), None);
    });
}

#[test]
fn two_pushes_racing_a_poll_both_count() {
    large_model(|| {
        let (stream, gate) = gated_aiter(iter_to_aiter(1..));
        let other = gate.clone();
        let pushed = thread::spawn(move || other.push(1));
        let mine = thread::spawn(move || gate.push(1));
        let mut task = Task::new(stream);
        // The thread that is last drops the last gate, which ends the stream after both pushes.
        assert_eq!((task.next(), task.next()), (Some(1), Some(2)));
        assert_eq!(task.next(), None);
        pushed.join().unwrap();
        mine.join().unwrap();
    });
}

#[test]
fn pushes_with_a_limit_never_exceed_it_and_return_what_they_added() {
    large_model(|| {
        const MAX: usize = 2;
        let (stream, gate) = gated_aiter(iter_to_aiter(1..));
        assert_eq!(gate.push_up_to(1, MAX), 1);
        let refill = |gate: Gate| {
            thread::spawn(move || {
                let added = gate.push_up_to(2, MAX);
                assert!(gate.permits() <= MAX);
                (added, gate)
            })
        };
        let (one, other) = (refill(gate.clone()), refill(gate.clone()));
        let mut task = Task::new(stream);
        // There is a permit, and each item that passes may let one more be added.
        let mut passed = 0;
        while passed < 2 && task.poll().is_ready() {
            passed += 1;
            assert!(gate.permits() <= MAX);
        }
        let added = 1 + one.join().unwrap().0 + other.join().unwrap().0;
        assert_eq!(added, passed + gate.permits());
        // The last one found room for what was missing then.
        assert!(added >= MAX && passed >= 1);
    });
}

#[test]
fn a_push_with_a_limit_racing_a_poll_wakes_it_and_is_seen() {
    model(|| {
        let (written, source) = checked();
        let (stream, gate) = gated_aiter(source);
        let pushed = thread::spawn(move || {
            written.store(1, Ordering::Relaxed);
            assert_eq!(gate.push_up_to(1, 1), 1);
            gate
        });
        let mut task = Task::new(stream);
        assert_eq!(task.next(), Some(1));
        drop(pushed.join().unwrap());
    });
}

#[test]
fn an_open_racing_a_poll_wakes_it_and_is_seen() {
    model(|| {
        let (written, source) = checked();
        let (stream, gate) = gated_aiter(source);
        let opened = thread::spawn(move || {
            written.store(1, Ordering::Relaxed);
            gate.open();
            gate
        });
        let mut task = Task::new(stream);
        assert_eq!(task.next(), Some(1));
        assert!(opened.join().unwrap().is_open());
    });
}

#[test]
fn a_push_racing_a_stop_counts_in_full_or_not_at_all() {
    model(|| {
        let (stream, gate) = gated_aiter(iter_to_aiter(1..));
        let other = gate.clone();
        let pushed = thread::spawn(move || other.push(2));
        gate.stop();
        let most = stream.size_hint();
        let mut task = Task::new(stream);
        let mut came = 0;
        while task.next().is_some() {
            came += 1;
        }
        assert!(came == 0 || came == 2);
        assert_eq!(most, (came, Some(came)));
        pushed.join().unwrap();
    });
}

#[test]
fn nothing_fed_after_a_close_passes_an_open_gate() {
    model(|| {
        let fed = Arc::new(AtomicUsize::new(0));
        let (stream, gate) = gated_aiter(Fed(fed.clone()));
        gate.open();
        let closed = thread::spawn(move || {
            assert!(gate.close());
            fed.store(1, Ordering::Release);
            gate
        });
        let mut task = Task::new(stream);
        assert!(task.poll().is_pending());
        let gate = closed.join().unwrap();
        assert!(task.poll().is_pending());
        gate.push(1);
        gate.stop();
        // The item is held back or still in the source. It is not lost, and the permit is spent on
        // it.
        assert_eq!((task.next(), task.next()), (Some(()), None));
    });
}

#[test]
fn a_close_and_a_push_racing_a_poll_lose_no_item() {
    model(|| {
        let (stream, gate) = gated_aiter(iter_to_aiter(1..));
        gate.open();
        let polled = thread::spawn(move || {
            let mut task = Task::new(stream);
            (task.next(), task)
        });
        gate.close();
        gate.push(1);
        let (first, mut task) = polled.join().unwrap();
        assert_eq!(first, Some(1));
        gate.stop();
        // The permit was spent on the first item, or is spent on the second.
        let second = task.next();
        assert!(second.is_none() || (second == Some(2) && task.next().is_none()));
    });
}

#[test]
fn close_and_stop_racing_a_pending_source_end_the_stream() {
    model(|| {
        let (stream, gate) = gated_aiter(stream::pending::<()>());
        gate.open();
        let other = gate.clone();
        let closed = thread::spawn(move || other.close());
        let stopped = thread::spawn(move || gate.stop());
        assert_eq!(Task::new(stream).next(), None);
        assert!(closed.join().unwrap());
        stopped.join().unwrap();
    });
}

#[test]
fn a_push_racing_a_change_of_the_waker() {
    model(|| {
        let (mut stream, gate) = gated_aiter(iter_to_aiter([1]));
        let pushed = thread::spawn(move || {
            gate.push(1);
            gate
        });
        // The first waker does nothing.
        let cx = &mut Context::from_waker(Waker::noop());
        let first = match Pin::new(&mut stream).poll_next(cx) {
            Poll::Ready(item) => item,
            Poll::Pending => Task::new(stream).next(),
        };
        assert_eq!(first, Some(1));
        drop(pushed.join().unwrap());
    });
}

#[test]
fn a_push_racing_the_drop_of_the_stream() {
    model(|| {
        let (written, source) = checked();
        let (stream, gate) = gated_aiter(source);
        let mut task = Task::new(stream);
        assert!(task.poll().is_pending());
        let other = gate.clone();
        let pushed = thread::spawn(move || other.push(1));
        written.store(7, Ordering::Relaxed);
        drop(task);
        pushed.join().unwrap();
        assert!(gate.is_stopped() && !gate.open());
    });
}

#[test]
fn a_gate_that_sees_the_end_sees_what_came_before() {
    model(|| {
        let written = Arc::new(AtomicUsize::new(0));
        let (stream, gate) = gated_aiter(iter_to_aiter(0..0));
        gate.push(1);
        let seen = written.clone();
        let checking = thread::spawn(move || {
            if gate.is_stopped() {
                assert_eq!(seen.load(Ordering::Relaxed), 1);
            }
        });
        written.store(1, Ordering::Relaxed);
        assert_eq!(Task::new(stream).next(), None);
        checking.join().unwrap();
    });
}
