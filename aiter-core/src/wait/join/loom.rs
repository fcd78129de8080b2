//! Models of requests that the holder of a lock serves.

use super::*;
use crate::{
    handoff::{Combine, HandoffLock, REQUESTS},
    sync::Arc,
    test_support::loom::{block_on, model},
};
use ::loom::{alloc::Track, thread};
use core::future::poll_fn;

struct Shared(Joiners<Track<usize>>);

impl Combine for Shared {
    type State = usize;
    type FollowUp = Served<Track<usize>>;

    fn nothing_due(&self, _: &usize) -> bool {
        true
    }

    fn combine(&self, next: &mut usize, _: usize, served: &mut Served<Track<usize>>) {
        self.0.serve(served, || {
            *next += 1;
            Track::new(*next)
        });
    }

    fn follow_up(&self, served: Served<Track<usize>>) {
        drop(served);
    }
}

type Lock = HandoffLock<Shared>;

fn lock() -> Arc<Lock> {
    Arc::new(HandoffLock::new(Shared(Joiners::new()), 0))
}

fn join(lock: &Lock) -> Joining<Track<usize>> {
    let joining = lock.shared().0.request();
    drop(lock.delegate(REQUESTS[0]));
    joining
}

fn value(joining: &mut Joining<Track<usize>>) -> usize {
    block_on(poll_fn(|cx| joining.poll_served(cx)));
    *joining.get().expect("it was served").get_ref()
}

#[test]
fn loom_two_requests_get_a_value_each() {
    model(|| {
        let lock = lock();
        let other = lock.clone();
        let joining = thread::spawn(move || value(&mut join(&other)));
        let mine = value(&mut join(&lock));
        let theirs = joining.join().unwrap();
        assert!((mine, theirs) == (1, 2) || (mine, theirs) == (2, 1));
    });
}

#[test]
fn loom_clones_of_a_request_share_its_value() {
    model(|| {
        let lock = lock();
        let mut guard = lock.try_lock().unwrap();
        let mut joining = lock.shared().0.request();
        drop(lock.delegate(REQUESTS[0]));
        let mut clone = joining.clone();
        let waiting = thread::spawn(move || value(&mut clone));
        guard.with(|_, next| *next = 7);
        drop(guard);
        assert_eq!(value(&mut joining), 8);
        drop(joining);
        assert_eq!(waiting.join().unwrap(), 8);
    });
}

#[test]
fn loom_a_request_is_dropped_while_it_is_served() {
    model(|| {
        let lock = lock();
        let other = lock.clone();
        let joining = thread::spawn(move || drop(join(&other)));
        drop(join(&lock));
        joining.join().unwrap();
    });
}
