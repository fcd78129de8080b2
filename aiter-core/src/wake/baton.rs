//! A baton: state for whoever holds it, and nobody ever waits for it.
//!
//! Who finds it held leaves a note, and goes. Whoever puts the baton down reads the notes first, so what is asked of
//! a held baton is done by its holder.
//!
//! | word | means |
//! |---|---|
//! | 0 | on the table |
//! | `HELD` | held, no notes |
//! | `HELD` and notes | held, and its holder may not put it down before it has read them |
//!
//! | call | 0 | `HELD` (and notes) |
//! |---|---|---|
//! | `try_take` | `HELD`: taken | the same: not taken |
//! | `leave(notes)` | `HELD`: taken, with notes to read | notes added: not taken |
//! | drop of [`Held`] | | settle, then `HELD` → 0; if there are notes, read them (→ `HELD`) and settle again |
//!
//! All calls are wait-free, but for a drop, which goes round once more for each time that notes have come.
#![allow(unsafe_code)]

use crate::sync::{Arc, AtomicUsize, Ordering, UnsafeCell};
use core::pin::Pin;

const HELD: usize = 1;

/// A bit for a note. There is room for others when they are needed.
pub(crate) const NOTES: [usize; 2] = [2, 4];

/// What is shared by all, beside the state that belongs to the holder.
pub(crate) trait Settle {
    type State;
    /// What is left to do when the baton has been put down; done by dropping it.
    type After: Default;

    /// Does what the notes ask for, and what is due after the holder's work. It runs no code of users.
    fn settle(&self, state: &mut Self::State, notes: usize, after: &mut Self::After);
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
    fn try_take(&self) -> Option<Held<'_, P>> {
        // Ordering: Acquire pairs with the release of the holder before.
        self.word
            .compare_exchange(0, HELD, Ordering::Acquire, Ordering::Relaxed)
            .ok()
            .map(|_| Held {
                baton: self,
                notes: 0,
            })
    }

    /// Leaves notes for the holder. If there is none it is the caller, who need only drop what it is given.
    pub(crate) fn leave(&self, notes: usize) -> Option<Held<'_, P>> {
        if let Some(mut held) = self.try_take() {
            held.notes = notes;
            return Some(held);
        }
        // Ordering: Release pairs with the acquire of the holder that reads the notes; Acquire as in `try_take`.
        match self.word.fetch_or(HELD | notes, Ordering::AcqRel) {
            0 => Some(Held {
                baton: self,
                notes: 0,
            }),
            _ => None,
        }
    }
}

/// The baton in hand. Dropping it, by a panic too, settles and puts it down.
pub(crate) struct Held<'a, P: Settle> {
    baton: &'a Baton<P>,
    notes: usize,
}

impl<P: Settle> Held<'_, P> {
    #[inline]
    pub(crate) fn with<R>(&mut self, f: impl FnOnce(&P, &mut P::State) -> R) -> R {
        self.baton.state.with_mut(|state| {
            // SAFETY: only the holder gets here, and it is borrowed for itself.
            f(&self.baton.public, unsafe { &mut *state })
        })
    }
}

impl<P: Settle> Drop for Held<'_, P> {
    #[inline]
    fn drop(&mut self) {
        let mut after = P::After::default();
        let mut notes = self.notes;
        loop {
            self.with(|public, state| public.settle(state, notes, &mut after));
            // Ordering: Release pairs with the acquire of the next holder.
            let down =
                self.baton
                    .word
                    .compare_exchange(HELD, 0, Ordering::Release, Ordering::Relaxed);
            if down.is_ok() {
                return;
            }
            // Ordering: Acquire pairs with the release of whoever left the notes.
            notes = self.baton.word.swap(HELD, Ordering::Acquire) & !HELD;
        }
    }
}

/// A value that belongs to the holder of a baton, too. It stands outside, so that the baton does not know its type,
/// and can live on without it.
pub(crate) struct Guarded<P: Settle, V>(Arc<Parts<P, V>>);

struct Parts<P: Settle, V> {
    baton: Arc<Baton<P>>,
    value: UnsafeCell<V>,
}

// SAFETY: the value is reached by the holder of the baton only, one thread at a time.
unsafe impl<P: Settle, V: Send> Sync for Parts<P, V> where Arc<Baton<P>>: Sync {}
// SAFETY: what moves is not shared, its parts move with it.
unsafe impl<P: Settle, V: Send> Send for Parts<P, V> where Arc<Baton<P>>: Send {}

impl<P: Settle, V> Guarded<P, V> {
    pub(crate) fn new(baton: Baton<P>, value: V) -> Self {
        Self(Arc::new(Parts {
            baton: Arc::new(baton),
            value: UnsafeCell::new(value),
        }))
    }

    pub(crate) fn baton(&self) -> &Arc<Baton<P>> {
        &self.0.baton
    }

    #[inline]
    pub(crate) fn try_take(&self) -> Option<HeldValue<'_, P, V>> {
        let held = self.0.baton.try_take()?;
        let value = &self.0.value;
        Some(HeldValue { held, value })
    }

    /// See [`Baton::leave`].
    pub(crate) fn leave(&self, notes: usize) -> Option<HeldValue<'_, P, V>> {
        let held = self.0.baton.leave(notes)?;
        let value = &self.0.value;
        Some(HeldValue { held, value })
    }
}

impl<P: Settle, V> Clone for Guarded<P, V> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

/// The baton in hand, and the value with it.
pub(crate) struct HeldValue<'a, P: Settle, V> {
    held: Held<'a, P>,
    value: &'a UnsafeCell<V>,
}

impl<P: Settle, V> HeldValue<'_, P, V> {
    #[inline]
    pub(crate) fn with<R>(&mut self, f: impl FnOnce(&P, &mut P::State) -> R) -> R {
        self.held.with(f)
    }

    #[inline]
    pub(crate) fn with_value<R>(&mut self, f: impl FnOnce(Pin<&mut V>) -> R) -> R {
        self.value.with_mut(|value| {
            // SAFETY: only the holder of the value's own baton gets here, and it is borrowed for itself.
            let value = unsafe { &mut *value };
            // SAFETY: the value lies in an `Arc` that is never taken apart, so it does not move until it is dropped.
            f(unsafe { Pin::new_unchecked(value) })
        })
    }
}
