//! A lock that no thread ever waits for.
//!
//! The lock guards a state. A thread that finds the lock held delegates: it adds a *request* and
//! goes on. The holder serves the requests before it releases the lock, as in flat combining.
//!
//! | `word` | meaning |
//! |---|---|
//! | 0 | free |
//! | `LOCKED` | held, without requests |
//! | requests, with `LOCKED` or for a moment without | held, and the holder has to serve the requests before it releases the lock |
//!
//! | call | `word` is 0 | `word` is anything else |
//! |---|---|---|
//! | `try_lock` | → `LOCKED`: acquired | not acquired |
//! | `delegate(requests)` | → `LOCKED` and the requests: acquired | the requests are added: not acquired |
//! | release | | subtract `LOCKED`: free if that leaves 0; else take the requests (→ `LOCKED`), serve them, and try again |
//! | `notify(requests)` that acquired the lock | | serve the requests, then → 0 if no other bit was added; else as above |
//! | `request(requests)` | → `LOCKED`: acquired; serve the requests, then release as above | the requests are added |
//!
//! *Why no request is lost*: the read-modify-write that adds a request is the one that would have
//! acquired the lock. It either acquires the lock, or the request is in the word before the holder
//! can make the word 0.
//!
//! *Why `notify` may serve a request before it clears it*: a request of the same kind that arrives
//! in between is cleared unread. It asks for what has just been done, and the state has not changed
//! since: only the holder changes the state, and a request of another kind is another bit.
#![allow(unsafe_code)]

use crate::sync::{AtomicUsize, Ordering::*, UnsafeCell};
use core::mem::ManuallyDrop;

const LOCKED: usize = 1;

/// The bits of the word that stand for requests.
pub(crate) const REQUESTS: [usize; 3] = [2, 4, 8];

/// What a [`HandoffLock`] guards, and how its holder serves requests. The implementing type holds
/// what all threads share without the lock.
pub(crate) trait Combine {
    /// What only the holder of the lock reaches.
    type State;
    /// Work that is left for the time after the release.
    type FollowUp: Default;

    /// Whether there is no work due apart from requests. Separate from `combine` because it is on
    /// the fast path.
    fn nothing_due(&self, state: &Self::State) -> bool;

    /// Serves `requests` and does the work that the holder's own changes made due. Must not run
    /// users' code.
    fn combine(&self, state: &mut Self::State, requests: usize, follow_up: &mut Self::FollowUp);

    /// Does the work that was left for the time after the release. May run users' code, because the
    /// lock is not held.
    fn follow_up(&self, follow_up: Self::FollowUp);
}

pub(crate) struct HandoffLock<P: Combine> {
    word: AtomicUsize,
    state: UnsafeCell<P::State>,
    shared: P,
}

// SAFETY: only the holder reaches the state, one thread at a time.
unsafe impl<P: Combine + Sync> Sync for HandoffLock<P> where P::State: Send {}
// SAFETY: a lock that is being moved is not shared, and its parts move with it.
unsafe impl<P: Combine + Send> Send for HandoffLock<P> where P::State: Send {}

impl<P: Combine> HandoffLock<P> {
    pub(crate) fn new(shared: P, state: P::State) -> Self {
        Self {
            word: AtomicUsize::new(0),
            state: UnsafeCell::new(state),
            shared,
        }
    }

    /// What is shared without the lock.
    pub(crate) fn shared(&self) -> &P {
        &self.shared
    }

    #[inline]
    pub(crate) fn try_lock(&self) -> Option<Guard<'_, P>> {
        // Ordering: Acquire pairs with the Release of the previous holder.
        self.word
            .compare_exchange(0, LOCKED, Acquire, Relaxed)
            .ok()
            .map(|_| Guard { lock: self })
    }

    /// Adds requests for the holder. If nobody holds the lock the caller acquires it, and dropping
    /// the returned guard serves the requests.
    pub(crate) fn delegate(&self, requests: usize) -> Option<Guard<'_, P>> {
        // Ordering: Release pairs with the Acquire of the holder that takes the requests; Acquire
        // as in `try_lock`.
        let was = self.word.fetch_or(LOCKED | requests, AcqRel);
        (was == 0).then(|| Guard { lock: self })
    }

    /// Adds requests, and serves them if nobody holds the lock. The requests must be idempotent:
    /// made twice, they may be served once.
    #[inline]
    pub(crate) fn notify(&self, requests: usize) {
        if let Some(guard) = self.delegate(requests) {
            guard.serve_own_and_unlock(requests);
        }
    }

    /// As [`notify`](Self::notify), for requests that may not be served once if they are made
    /// twice: each of them is served after it was made.
    pub(crate) fn request(&self, requests: usize) {
        match self.try_lock() {
            Some(guard) => guard.serve(requests),
            None => drop(self.delegate(requests)),
        }
    }

    /// Releases the lock if there are no requests. Returns whether it did.
    #[inline]
    fn try_unlock(&self) -> bool {
        // Ordering: Release pairs with the Acquire of the next holder.
        let before = self.word.fetch_sub(LOCKED, Release);
        debug_assert!(before & LOCKED != 0, "it is held");
        before == LOCKED
    }
}

/// The lock while it is held. Dropping the guard, also in a panic, serves requests and releases the
/// lock.
pub(crate) struct Guard<'a, P: Combine> {
    pub(super) lock: &'a HandoffLock<P>,
}

impl<'a, P: Combine> Guard<'a, P> {
    #[inline]
    pub(crate) fn with<R>(&mut self, f: impl FnOnce(&P, &mut P::State) -> R) -> R {
        self.lock.state.with_mut(|state| {
            // SAFETY: only the holder gets here, and the guard is borrowed exclusively.
            f(&self.lock.shared, unsafe { &mut *state })
        })
    }

    #[inline]
    pub(super) fn nothing_due(&mut self) -> bool {
        self.with(|shared, state| shared.nothing_due(state))
    }

    /// Releases a lock of which only requests may be due.
    #[inline]
    pub(super) fn unlock(lock: &'a HandoffLock<P>) {
        if !lock.try_unlock() {
            Self::serve_and_unlock(lock, P::FollowUp::default());
        }
    }

    /// Serves the requests with which the caller acquired the lock, and releases it: one exchange
    /// in place of three.
    #[inline]
    fn serve_own_and_unlock(self, requests: usize) {
        let mut guard = ManuallyDrop::new(self);
        let lock = guard.lock;
        let mut follow_up = P::FollowUp::default();
        guard.with(|shared, state| shared.combine(state, requests, &mut follow_up));
        // Ordering: Release as in `try_unlock`. Acquire pairs with the Release of a thread that
        // added a request of the same kind meanwhile: `follow_up` sees what that thread did before.
        match lock
            .word
            .compare_exchange(LOCKED | requests, 0, AcqRel, Relaxed)
        {
            Ok(_) => lock.shared.follow_up(follow_up),
            Err(_) => Self::serve_and_unlock(lock, follow_up),
        }
    }

    /// Serves the caller's own requests, which are not in the word, and releases the lock.
    fn serve(self, requests: usize) {
        let mut guard = ManuallyDrop::new(self);
        let lock = guard.lock;
        let mut follow_up = P::FollowUp::default();
        guard.with(|shared, state| shared.combine(state, requests, &mut follow_up));
        if lock.try_unlock() {
            lock.shared.follow_up(follow_up);
        } else {
            Self::serve_and_unlock(lock, follow_up);
        }
    }

    /// Serves requests, and does other work that is due, until the lock is released. Then follows
    /// up.
    #[cold]
    fn serve_and_unlock(lock: &'a HandoffLock<P>, mut follow_up: P::FollowUp) {
        let mut guard = ManuallyDrop::new(Self { lock });
        loop {
            // Ordering: Acquire pairs with the Release of the threads that added the requests.
            let requests = lock.word.swap(LOCKED, Acquire);
            guard.with(|shared, state| shared.combine(state, requests, &mut follow_up));
            if lock.try_unlock() {
                return lock.shared.follow_up(follow_up);
            }
        }
    }
}

impl<P: Combine> Drop for Guard<'_, P> {
    #[inline]
    fn drop(&mut self) {
        if self.nothing_due() {
            Guard::unlock(self.lock);
        } else {
            Guard::serve_and_unlock(self.lock, P::FollowUp::default());
        }
    }
}

#[cfg(all(test, aiter_loom))]
mod loom;
