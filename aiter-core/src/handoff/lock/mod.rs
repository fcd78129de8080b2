//! A baton: a lock for which nobody ever waits.
//!
//! The state in it belongs to whoever holds the baton. A thread that finds it held leaves a *note* and goes on; the holder
//! reads the notes before it puts the baton down. So a request made of a held baton is served by its holder, as with flat
//! combining.
//!
//! | `word` | means |
//! |---|---|
//! | 0 | free |
//! | `HELD` | held, without notes |
//! | notes, with `HELD` or for a moment without | held, and its holder may not put it down before it has read them |
//!
//! | call | 0 | anything else |
//! |---|---|---|
//! | `try_take` | → `HELD`: taken | not taken |
//! | `leave(notes)` | → `HELD` and the notes: taken | the notes are added: not taken |
//! | putting it down | | less `HELD`: free if that leaves 0; else the notes are read (→ `HELD`), settled, and it tries again |
//! | `tell(notes)`, taken by its own notes | | after those are settled: → 0 if no other bit was added; else as above |
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

const HELD: usize = 1;

/// The bits of the notes.
pub(crate) const NOTES: [usize; 3] = [2, 4, 8];

/// What is shared by all, beside the state that belongs to the holder.
pub(crate) trait Settle {
    type State;
    /// What is left to do when the baton has been put down.
    type After: Default;

    /// Whether there is nothing to do without notes. Kept apart from `settle` for the sake of speed.
    fn is_settled(&self, state: &Self::State) -> bool;

    /// Does what the notes ask for, and what is due after the holder's work. It runs no code of users.
    fn settle(&self, state: &mut Self::State, notes: usize, after: &mut Self::After);

    /// Does what was left to do. Users' code may run here: nothing is held.
    fn follow_up(&self, after: Self::After);
}

pub(crate) struct Baton<P: Settle> {
    word: AtomicUsize,
    state: UnsafeCell<P::State>,
    public: P,
}

// SAFETY: the state is reached by the holder only, one thread at a time.
unsafe impl<P: Settle + Sync> Sync for Baton<P> where P::State: Send {}
// SAFETY: a baton that moves is not shared, its parts move with it.
unsafe impl<P: Settle + Send> Send for Baton<P> where P::State: Send {}

impl<P: Settle> Baton<P> {
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
    pub(crate) fn try_take(&self) -> Option<Held<'_, P>> {
        // Ordering: Acquire pairs with the Release of the previous holder.
        self.word
            .compare_exchange(0, HELD, Acquire, Relaxed)
            .ok()
            .map(|_| Held { baton: self })
    }

    /// Leaves notes for the holder. If nobody holds the baton the caller does from here on; dropping what it is given serves
    /// the notes.
    pub(crate) fn leave(&self, notes: usize) -> Option<Held<'_, P>> {
        // Ordering: Release pairs with the Acquire of the holder that reads the notes; Acquire as in `try_take`.
        let was = self.word.fetch_or(HELD | notes, AcqRel);
        (was == 0).then(|| Held { baton: self })
    }

    /// Leaves notes that ask for the same however often they are left, and serves them if nobody holds the baton.
    #[inline]
    pub(crate) fn tell(&self, notes: usize) {
        if let Some(held) = self.leave(notes) {
            held.settle_own(notes);
        }
    }

    /// Puts down what the caller holds, if there are no notes.
    #[inline]
    fn is_put_down(&self) -> bool {
        // Ordering: Release pairs with the Acquire of the next holder.
        let before = self.word.fetch_sub(HELD, Release);
        debug_assert!(before & HELD != 0, "it is held");
        before == HELD
    }
}

/// The baton in hand. Dropping it, by a panic too, settles and puts it down.
pub(crate) struct Held<'a, P: Settle> {
    pub(super) baton: &'a Baton<P>,
}

impl<'a, P: Settle> Held<'a, P> {
    #[inline]
    pub(crate) fn with<R>(&mut self, f: impl FnOnce(&P, &mut P::State) -> R) -> R {
        self.baton.state.with_mut(|state| {
            // SAFETY: only the holder gets here, and it is borrowed for itself.
            f(&self.baton.public, unsafe { &mut *state })
        })
    }

    #[inline]
    pub(super) fn is_settled(&mut self) -> bool {
        self.with(|public, state| public.is_settled(state))
    }

    /// Puts the baton down when nothing is due but what notes may ask for.
    #[inline(always)]
    pub(super) fn put_down(baton: &'a Baton<P>) {
        if !baton.is_put_down() {
            Self::settle(baton, P::After::default());
        }
    }

    /// Settles the notes that the caller took the baton with, and puts it down: one exchange in place of three.
    #[inline]
    fn settle_own(self, notes: usize) {
        let mut held = ManuallyDrop::new(self);
        let baton = held.baton;
        let mut after = P::After::default();
        held.with(|public, state| public.settle(state, notes, &mut after));
        // Ordering: Release as in `is_put_down`; Acquire takes over what was done before a note of the same kind.
        match baton
            .word
            .compare_exchange(HELD | notes, 0, AcqRel, Relaxed)
        {
            Ok(_) => baton.public.follow_up(after),
            Err(_) => Self::settle(baton, after),
        }
    }

    /// Reads notes, does what they ask for and what is due, until the baton is down; then what is left to do.
    #[cold]
    fn settle(baton: &'a Baton<P>, mut after: P::After) {
        let mut held = ManuallyDrop::new(Self { baton });
        loop {
            // Ordering: Acquire pairs with the Release of the threads that left the notes.
            let notes = baton.word.swap(HELD, Acquire);
            held.with(|public, state| public.settle(state, notes, &mut after));
            if baton.is_put_down() {
                return baton.public.follow_up(after);
            }
        }
    }
}

impl<P: Settle> Drop for Held<'_, P> {
    #[inline]
    fn drop(&mut self) {
        if self.is_settled() {
            Held::put_down(self.baton);
        } else {
            Held::settle(self.baton, P::After::default());
        }
    }
}

#[cfg(all(test, aiter_loom))]
mod loom;
