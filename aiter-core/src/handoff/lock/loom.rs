//! Loom models of the lock, and of a value that it guards.

use super::{Combine, HandoffLock, REQUESTS};
use crate::handoff::Handle;
use crate::{
    sync::{Arc, AtomicUsize, Ordering::*},
    test_support::loom::{large_model, model},
};
use ::loom::thread;
use alloc::vec::Vec;

/// Checks that a holder sees what was written before each request. `written` is relaxed, so that
/// only the request can order it.
struct Tally {
    written: AtomicUsize,
    /// What `follow_up`, which runs after the release, has seen of it.
    seen: AtomicUsize,
}

impl Combine for Tally {
    /// The requests that were served.
    type State = usize;
    type FollowUp = ();

    fn nothing_due(&self, _: &usize) -> bool {
        true
    }

    fn combine(&self, served: &mut usize, requests: usize, (): &mut ()) {
        *served |= requests;
    }

    fn follow_up(&self, (): ()) {
        self.seen.fetch_max(self.written.load(Relaxed), Relaxed);
    }
}

fn new_lock() -> HandoffLock<Tally> {
    let tally = Tally {
        written: AtomicUsize::new(0),
        seen: AtomicUsize::new(0),
    };
    HandoffLock::new(tally, 0)
}

fn handle() -> Handle<Tally, usize> {
    Handle::new(new_lock(), 0, ())
}

/// Tries `times` times to acquire the lock and to increment the value. Returns how often that
/// succeeded, and whether a request was delegated instead.
fn count(handle: &mut Handle<Tally, usize>, times: usize, request: usize) -> (usize, bool) {
    let (mut counted, mut delegated) = (0, false);
    for _ in 0..times {
        match handle.lock_or(|lock| lock.delegate(request).ok_or(())) {
            Ok(mut guard) => {
                guard.with_value(|mut value| *value += 1);
                counted += 1;
                guard.keep_locked();
            }
            Err(()) => delegated = true,
        }
    }
    (counted, delegated)
}

/// Checks that no two threads held the lock at a time, and that no request was lost.
fn check(handle: &Handle<Tally, usize>, counted: usize, requests: usize) {
    let mut guard = handle.try_lock().expect("nobody else is there");
    guard.with_value(|value| assert_eq!(*value, counted));
    guard.with(|_, served| assert_eq!(*served & requests, requests, "a request was lost"));
}

#[test]
fn two_threads_acquire_or_delegate() {
    model(|| {
        let mut one = handle();
        let mut other = one.clone();
        let counting = thread::spawn(move || count(&mut other, 2, REQUESTS[0]));
        let (mine, delegated) = count(&mut one, 2, REQUESTS[1]);
        let (theirs, other_delegated) = counting.join().unwrap();
        let requests = [(delegated, REQUESTS[1]), (other_delegated, REQUESTS[0])];
        let requests = requests.iter().filter(|(made, _)| *made);
        check(&one, mine + theirs, requests.map(|(_, bit)| bit).sum());
    });
}

#[test]
fn three_threads_acquire_or_delegate() {
    large_model(|| {
        let mut one = handle();
        let others = [REQUESTS[0], REQUESTS[1]].map(|request| (one.clone(), request));
        let counting = others.map(|(mut other, request)| {
            thread::spawn(move || {
                let (counted, delegated) = count(&mut other, 1, request);
                (counted, if delegated { request } else { 0 })
            })
        });
        let (mut counted, _) = count(&mut one, 1, REQUESTS[2]);
        let mut requests = 0;
        for counting in counting {
            let (theirs, request) = counting.join().unwrap();
            counted += theirs;
            requests |= request;
        }
        check(&one, counted, requests);
    });
}

#[test]
fn two_threads_clone_the_only_handle_while_it_keeps_the_lock() {
    model(|| {
        let mut one = handle();
        assert_eq!(count(&mut one, 1, 0), (1, false));
        let one = Arc::new(one);
        let counting: Vec<_> = [REQUESTS[0], REQUESTS[1]]
            .into_iter()
            .map(|request| {
                let one = one.clone();
                thread::spawn(move || {
                    let mut clone = Handle::clone(&*one);
                    let (counted, delegated) = count(&mut clone, 1, request);
                    (counted, if delegated { request } else { 0 })
                })
            })
            .collect();
        let (mut counted, mut requests) = (1, 0);
        for counting in counting {
            let (theirs, request) = counting.join().unwrap();
            counted += theirs;
            requests |= request;
        }
        check(&one, counted, requests);
    });
}

#[test]
fn a_request_made_while_the_only_handle_keeps_the_lock_is_served_by_its_clone() {
    model(|| {
        let mut one = handle();
        assert_eq!(count(&mut one, 1, 0), (1, false));
        let lock = one.as_lock().clone();
        let notifying = thread::spawn(move || lock.notify(REQUESTS[0]));
        let mut clone = one.clone();
        let (mine, delegated) = count(&mut clone, 1, REQUESTS[1]);
        notifying.join().unwrap();
        check(
            &one,
            1 + mine,
            REQUESTS[0] + if delegated { REQUESTS[1] } else { 0 },
        );
    });
}

#[test]
fn the_last_of_two_handles_keeps_the_lock_and_serves_what_the_other_delegated() {
    model(|| {
        let mut one = handle();
        let mut other = one.clone();
        let dropped = thread::spawn(move || count(&mut other, 1, REQUESTS[0]));
        let (mine, _) = count(&mut one, 2, REQUESTS[1]);
        let (theirs, other_delegated) = dropped.join().unwrap();
        let (again, delegated) = count(&mut one, 2, REQUESTS[2]);
        assert!((again, delegated) == (2, false), "it is the only handle");
        check(
            &one,
            mine + theirs + again,
            if other_delegated { REQUESTS[0] } else { 0 },
        );
    });
}

#[test]
fn a_request_made_twice_is_ordered_after_both_threads() {
    model(|| {
        let lock = Arc::new(new_lock());
        let notifying = [1, 2].map(|bit| {
            let lock = lock.clone();
            thread::spawn(move || {
                lock.shared().written.fetch_add(bit, Relaxed);
                lock.notify(REQUESTS[0]);
            })
        });
        let [(), ()] = notifying.map(|notifying| notifying.join().unwrap());
        assert_eq!(lock.shared().seen.load(Relaxed), 3);
        let mut guard = lock.try_lock().expect("it was released");
        guard.with(|_, served| assert_eq!(*served & REQUESTS[0], REQUESTS[0]));
    });
}

#[test]
fn a_request_made_while_another_one_is_served() {
    model(|| {
        let lock = Arc::new(new_lock());
        let other = lock.clone();
        let delegating = thread::spawn(move || {
            other.shared().written.fetch_add(1, Relaxed);
            drop(other.delegate(REQUESTS[1]));
        });
        lock.notify(REQUESTS[0]);
        delegating.join().unwrap();
        assert_eq!(lock.shared().seen.load(Relaxed), 1);
        let mut guard = lock.try_lock().expect("it was released");
        guard.with(|_, served| {
            assert_eq!(
                *served & (REQUESTS[0] | REQUESTS[1]),
                REQUESTS[0] | REQUESTS[1]
            )
        });
    });
}
