//! A baton: a lock for which nobody ever waits.
//!
//! The state in it belongs to whoever holds the baton. A thread that finds it held leaves a *note* and goes on; the holder
//! reads the notes before it puts the baton down. So a request made of a held baton is served by its holder, as with flat
//! combining.
//!
//! | `word` | means |
//! |---|---|
//! | 0 | free |
//! | `LOCKED` | held, without notes |
//! | notes, with `LOCKED` or for a moment without | held, and its holder may not put it down before it has read them |
//!
//! | call | 0 | anything else |
//! |---|---|---|
//! | `try_take` | → `LOCKED`: taken | not taken |
//! | `leave(requests)` | → `LOCKED` and the notes: taken | the notes are added: not taken |
//! | putting it down | | less `LOCKED`: free if that leaves 0; else the notes are read (→ `LOCKED`), settled, and it tries again |
//! | `tell(requests)`, taken by its own notes | | after those are settled: → 0 if no other bit was added; else as above |
//!
//! *Why no note is lost*: a note is added by the same read-modify-write that would have taken the baton. It either takes
//! it, or is in the word before the holder can make that 0.
//!
//! *Why `tell` may settle a note before it clears it*: a note of the same kind that arrives in between is cleared unread. It asks
//! for what has just been done, and no state has changed since: only the holder changes that, and any other request is
//! another bit.
#![allow(unsafe_code)]

use crate::sync::{AtomicUsize, Ordering::*, UnsafeCell};
use core::mem::ManuallyDrop;

const LOCKED: usize = 1;

/// The bits of the notes.
pub(crate) const REQUESTS: [usize; 3] = [2, 4, 8];

/// What is shared by all, beside the state that belongs to the holder.
pub(crate) trait Combine {
    type State;
    /// What is left to do when the baton has been put down.
    type After: Default;

    /// Whether there is nothing to do without notes. Kept apart from `settle` for the sake of speed.
    fn nothing_due(&self, state: &Self::State) -> bool;

    /// Does what the notes ask for, and what is due after the holder's work. It runs no code of users.
    fn combine(&self, state: &mut Self::State, requests: usize, after: &mut Self::After);

    /// Does what was left to do. Users' code may run here: nothing is held.
    fn follow_up(&self, after: Self::After);
}

pub(crate) struct HandoffLock<P: Combine> {
    word: AtomicUsize,
    state: UnsafeCell<P::State>,
    public: P,
}

// SAFETY: the state is reached by the holder only, one thread at a time.
unsafe impl<P: Combine + Sync> Sync for HandoffLock<P> where P::State: Send {}
// SAFETY: a baton that moves is not shared, its parts move with it.
unsafe impl<P: Combine + Send> Send for HandoffLock<P> where P::State: Send {}

impl<P: Combine> HandoffLock<P> {
    pub(crate) fn new(public: P, state: P::State) -> Self {
        Self {
            word: AtomicUsize::new(0),
            state: UnsafeCell::new(state),
            public,
        }
    }

    pub(crate) fn public(&self) -> &P {
        &self.public
    }

    #[inline]
    pub(crate) fn try_take(&self) -> Option<Guard<'_, P>> {
        // Ordering: Acquire pairs with the Release of the previous holder.
        self.word
            .compare_exchange(0, LOCKED, Acquire, Relaxed)
            .ok()
            .map(|_| Guard { lock: self })
    }

    /// Leaves notes for the holder. If nobody holds the baton the caller does from here on; dropping what it is given serves
    /// the notes.
    pub(crate) fn leave(&self, requests: usize) -> Option<Guard<'_, P>> {
        // Ordering: Release pairs with the Acquire of the holder that reads the notes; Acquire as in `try_take`.
        let was = self.word.fetch_or(LOCKED | requests, AcqRel);
        (was == 0).then(|| Guard { lock: self })
    }

    /// Leaves notes that ask for the same however often they are left, and serves them if nobody holds the baton.
    #[inline]
    pub(crate) fn tell(&self, requests: usize) {
        if let Some(guard) = self.leave(requests) {
            guard.settle_own(requests);
        }
    }

    /// Puts down what the caller holds, if there are no notes.
    #[inline]
    fn is_put_down(&self) -> bool {
        // Ordering: Release pairs with the Acquire of the next holder.
        let before = self.word.fetch_sub(LOCKED, Release);
        debug_assert!(before & LOCKED != 0, "it is held");
        before == LOCKED
    }
}

/// The baton in hand. Dropping it, by a panic too, settles and puts it down.
pub(crate) struct Guard<'a, P: Combine> {
    pub(super) lock: &'a HandoffLock<P>,
}

impl<'a, P: Combine> Guard<'a, P> {
    #[inline]
    pub(crate) fn with<R>(&mut self, f: impl FnOnce(&P, &mut P::State) -> R) -> R {
        self.lock.state.with_mut(|state| {
            // SAFETY: only the holder gets here, and it is borrowed for itself.
            f(&self.lock.public, unsafe { &mut *state })
        })
    }

    #[inline]
    pub(super) fn nothing_due(&mut self) -> bool {
        self.with(|public, state| public.nothing_due(state))
    }

    /// Puts the baton down when nothing is due but what notes may ask for.
    #[inline(always)]
    pub(super) fn put_down(lock: &'a HandoffLock<P>) {
        if !lock.is_put_down() {
            Self::combine(lock, P::After::default());
        }
    }

    /// Settles the notes that the caller took the baton with, and puts it down: one exchange in place of three.
    #[inline]
    fn settle_own(self, requests: usize) {
        let mut guard = ManuallyDrop::new(self);
        let lock = guard.lock;
        let mut after = P::After::default();
        guard.with(|public, state| public.combine(state, requests, &mut after));
        // Ordering: Release as in `is_put_down`; Acquire takes over what was done before a note of the same kind.
        match lock
            .word
            .compare_exchange(LOCKED | requests, 0, AcqRel, Relaxed)
        {
            Ok(_) => lock.public.follow_up(after),
            Err(_) => Self::combine(lock, after),
        }
    }

    /// Reads notes, does what they ask for and what is due, until the baton is down; then what is left to do.
    #[cold]
    fn combine(lock: &'a HandoffLock<P>, mut after: P::After) {
        let mut guard = ManuallyDrop::new(Self { lock });
        loop {
            // Ordering: Acquire pairs with the Release of the threads that left the notes.
            let requests = lock.word.swap(LOCKED, Acquire);
            guard.with(|public, state| public.combine(state, requests, &mut after));
            if lock.is_put_down() {
                return lock.public.follow_up(after);
            }
        }
    }
}

impl<P: Combine> Drop for Guard<'_, P> {
    #[inline]
    fn drop(&mut self) {
        if self.nothing_due() {
            Guard::put_down(self.lock);
        } else {
            Guard::combine(self.lock, P::After::default());
        }
    }
}

#[cfg(all(test, aiter_loom))]
mod loom;
