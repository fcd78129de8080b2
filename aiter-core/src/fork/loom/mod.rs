//! Loom models of forks. The source's flag is relaxed, so that only the lock can order what is
//! pulled, and so that the forks cannot rely on more than their wakes.

extern crate std;

mod bounds;
mod own;
mod skip_counts;

use super::{
    Fork, aiter_forker_with,
    bound::{Bound, unbounded},
};
use crate::test_support::loom::{Last::*, Remote, Source, Task, large_model, model};
use ::loom::{sync::Arc, thread};
use alloc::boxed::Box;
use core::{
    pin::Pin,
    task::{Context, Poll, Waker},
};
use futures_core::Stream;

fn forker(remote: &Arc<Remote>) -> Fork<Source> {
    bounded(unbounded(), remote)
}

fn bounded<B: Bound>(bound: B, remote: &Arc<Remote>) -> Fork<Source, B> {
    aiter_forker_with(bound, Source::new(remote))
}

fn next<B: Bound>(fork: Fork<Source, B>) -> Option<B::Item<usize>> {
    Task::new(fork).next()
}

#[test]
fn two_forks_see_the_same_item_and_pull_it_once() {
    model(|| {
        let remote = Remote::endless();
        let mut one = forker(&remote);
        let other = one.fork();
        // A second pull would find nothing.
        remote.give(1);
        let theirs = thread::spawn(move || next(other));
        assert_eq!(next(one), Some(1));
        assert_eq!(theirs.join().unwrap(), Some(1));
    });
}

#[test]
fn the_source_wakes_while_the_poll_of_a_fork_ends() {
    model(|| {
        let remote = Remote::endless();
        let one = forker(&remote);
        let giver = remote.clone();
        let given = thread::spawn(move || giver.give(1));
        assert_eq!(next(one), Some(1));
        given.join().unwrap();
    });
}

#[test]
fn the_source_wakes_while_another_fork_polls() {
    model(|| {
        let remote = Remote::endless();
        let mut one = forker(&remote);
        let other = one.fork();
        let mut mine = Task::new(one);
        assert!(mine.poll().is_pending());
        let theirs = thread::spawn(move || next(other));
        remote.give(1);
        assert_eq!(mine.woken(), Some(1));
        assert_eq!(theirs.join().unwrap(), Some(1));
    });
}

#[test]
fn a_fork_is_dropped_while_it_waits_or_is_woken() {
    model(|| {
        let remote = Remote::endless();
        let mut one = forker(&remote);
        let mut first = Task::new(one.fork());
        assert!(first.poll().is_pending());
        let mut second = Task::new(one);
        assert!(second.poll().is_pending());
        let giver = remote.clone();
        let given = thread::spawn(move || giver.give(1));
        // Before, while or after it is woken.
        drop(first);
        assert_eq!(second.woken(), Some(1));
        given.join().unwrap();
    });
}

#[test]
fn a_fork_is_polled_only_once_while_another_polls() {
    model(|| {
        let remote = Remote::endless();
        let mut one = forker(&remote);
        let mut first = Task::new(one.fork());
        let theirs = thread::spawn(move || next(one));
        let giver = remote.clone();
        let given = thread::spawn(move || giver.give(1));
        // It is not polled again, whatever it finds.
        let _ = first.poll();
        assert_eq!(theirs.join().unwrap(), Some(1));
        given.join().unwrap();
    });
}

#[test]
fn a_fork_that_finds_the_lock_held_sees_what_was_pulled_before() {
    model(|| {
        let remote = Remote::endless();
        let mut one = forker(&remote);
        let other = one.fork();
        remote.give(1);
        // The source yields nothing more, and so does not wake either.
        let theirs = thread::spawn(move || next(other));
        let mut mine = Task::new(one);
        assert_eq!(mine.next(), Some(1));
        assert!(mine.poll().is_pending());
        assert_eq!(theirs.join().unwrap(), Some(1));
    });
}

#[test]
fn a_late_request_is_served_after_a_third_fork_has_found_nothing() {
    model(|| {
        let remote = Remote::endless();
        let mut one = forker(&remote);
        let mut late = Task::new(one.fork());
        let mut third = Task::new(one.fork());
        remote.give(1);
        let others = thread::spawn(move || {
            let early = late.poll();
            thread::yield_now();
            let _ = third.poll();
            let _ = third.poll();
            if early.is_pending() {
                assert_eq!(late.woken(), Some(1));
            }
        });
        let _ = Task::new(one).poll();
        others.join().unwrap();
    });
}

#[test]
fn a_waker_changes_while_the_source_wakes() {
    model(|| {
        let remote = Remote::endless();
        let mut one = forker(&remote);
        let mut other = Task::new(one.fork());
        assert!(other.poll().is_pending());
        // The first waker does nothing.
        let cx = &mut Context::from_waker(Waker::noop());
        assert!(Pin::new(&mut one).poll_next(cx).is_pending());
        let giver = remote.clone();
        let given = thread::spawn(move || giver.give(1));
        assert_eq!(next(one), Some(1));
        assert_eq!(other.woken(), Some(1));
        given.join().unwrap();
    });
}

#[test]
fn a_waker_changes_while_another_fork_pulls() {
    model(|| {
        let remote = Remote::endless();
        let mut one = forker(&remote);
        let other = one.fork();
        remote.give(1);
        let theirs = thread::spawn(move || next(other));
        let cx = &mut Context::from_waker(Waker::noop());
        let mine = match Pin::new(&mut one).poll_next(cx) {
            Poll::Ready(item) => item,
            Poll::Pending => next(one),
        };
        assert_eq!((mine, theirs.join().unwrap()), (Some(1), Some(1)));
    });
}

#[test]
fn an_item_found_without_a_wake_wakes_the_forks_that_wait() {
    model(|| {
        let remote = Remote::endless();
        let mut one = forker(&remote);
        let mut theirs = Task::new(one.fork());
        let mut mine = Task::new(one);
        assert!(theirs.poll().is_pending() && mine.poll().is_pending());
        // The source does not wake, but both forks are polled again. One of them pulls.
        remote.give_without_a_wake(1);
        let theirs = thread::spawn(move || theirs.next());
        assert_eq!(mine.next(), Some(1));
        assert_eq!(theirs.join().unwrap(), Some(1));
    });
}

#[test]
fn the_end_reaches_every_fork_and_one_made_meanwhile() {
    large_model(|| {
        let remote = Remote::new(1, End);
        let mut one = forker(&remote);
        let mut other = one.fork();
        let theirs = thread::spawn(move || {
            let late = other.fork_passive();
            let late = thread::spawn(move || next(late));
            assert_eq!(next(other), None);
            late.join().unwrap()
        });
        remote.give(1);
        assert_eq!(next(one), None);
        assert_eq!(theirs.join().unwrap(), None);
    });
}

#[test]
fn a_passive_fork_sees_what_was_pulled_and_ends_with_the_last_active_one() {
    model(|| {
        let remote = Remote::endless();
        let mut one = forker(&remote);
        let passive = one.fork_passive();
        remote.give(1);
        let theirs = thread::spawn(move || {
            let mut task = Task::new(passive);
            [task.next(), task.next()]
        });
        assert_eq!(next(one), Some(1));
        assert_eq!(theirs.join().unwrap(), [Some(1), None]);
    });
}

#[test]
fn a_passive_fork_is_made_active_while_the_last_active_one_is_dropped() {
    model(|| {
        let remote = Remote::endless();
        let mut one = forker(&remote);
        let mut passive = one.fork_passive();
        remote.give(1);
        let theirs = thread::spawn(move || {
            passive.activate();
            next(passive)
        });
        drop(one);
        assert_eq!(theirs.join().unwrap(), Some(1));
    });
}

#[test]
fn a_fork_that_is_alone_again_has_seen_what_others_pulled() {
    model(|| {
        let remote = Remote::endless();
        let mut one = forker(&remote);
        let other = one.fork();
        remote.give(2);
        let theirs = thread::spawn(move || next(other));
        let mut mine = Task::new(one);
        assert_eq!([mine.next(), mine.next()], [Some(1), Some(2)]);
        assert_eq!(theirs.join().unwrap(), Some(1));
    });
}

#[test]
fn a_panic_of_the_source_reaches_every_fork() {
    // Loom cannot catch a panic of the code under test everywhere, so the caller catches it.
    fn panics_once(fork: Fork<Source>) -> [bool; 2] {
        let mut task = Task::new(fork);
        let first = std::panic::catch_unwind(core::panic::AssertUnwindSafe(|| task.next()));
        [first.is_err(), task.next().is_none()]
    }
    std::panic::set_hook(Box::new(|_| {}));
    model(|| {
        let remote = Remote::new(1, Panic);
        let mut one = forker(&remote);
        let other = one.fork();
        remote.give(1);
        let theirs = thread::spawn(move || panics_once(other));
        assert_eq!(panics_once(one), [true, true]);
        assert_eq!(theirs.join().unwrap(), [true, true]);
    });
    drop(std::panic::take_hook());
}
