//! A baton: state for whoever holds it, and nobody ever waits for it.
//!
//! Who finds it held leaves a note, and goes. Whoever puts the baton down reads the notes first, so what is asked of
//! a held baton is done by its holder.
//!
//! | word | means |
//! |---|---|
//! | 0 | on the table |
//! | `HELD` | held, no notes |
//! | notes, with `HELD` or without | held, and its holder may not put it down before it has read them |
//!
//! | call | 0 | else |
//! |---|---|---|
//! | `try_take` | `HELD`: taken | the same: not taken |
//! | `leave(notes)` | `HELD` and notes: taken | notes added: not taken |
//! | drop of [`Held`] | | less `HELD`: put down, if that was all; else, or to settle what is due, read the notes (→ `HELD`), settle, and try again |
//!
//! A call is one read-modify-write. A drop is one if there is nothing to settle, and else goes round once more for
//! each time that notes have come. It subtracts, which costs less than to compare and exchange: where notes have come the
//! word is not 0 after it, so the baton is still its holder's.
//!
//! A handle of a [`Guarded`] value that is the only one may keep the baton in hand from one use to the next: no other can
//! want it, and notes wait until it is put down. Before there is a second handle, it is.
#![allow(unsafe_code)]

use crate::sync::{Arc, AtomicUsize, Ordering, UnsafeCell};
use core::{
    mem::{self, ManuallyDrop},
    pin::Pin,
};

const HELD: usize = 1;

/// A bit for a note. There is room for others when they are needed.
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
        // Ordering: Acquire pairs with the release of the holder before.
        self.word
            .compare_exchange(0, HELD, Ordering::Acquire, Ordering::Relaxed)
            .ok()
            .map(|_| Held(self))
    }

    /// The holder puts it down, if there are no notes.
    #[inline]
    fn is_put_down(&self) -> bool {
        // Ordering: Release pairs with the acquire of the next holder.
        self.word.fetch_sub(HELD, Ordering::Release) == HELD
    }

    /// Leaves notes for the holder. If there is none it is the caller, who need only drop what it is given.
    pub(crate) fn leave(&self, notes: usize) -> Option<Held<'_, P>> {
        // Ordering: Release pairs with the acquire of the holder that reads the notes; Acquire as in `try_take`.
        match self.word.fetch_or(HELD | notes, Ordering::AcqRel) {
            0 => Some(Held(self)),
            _ => None,
        }
    }
}

/// The baton in hand. Dropping it, by a panic too, settles and puts it down.
pub(crate) struct Held<'a, P: Settle>(&'a Baton<P>);

impl<'a, P: Settle> Held<'a, P> {
    #[inline]
    pub(crate) fn with<R>(&mut self, f: impl FnOnce(&P, &mut P::State) -> R) -> R {
        self.0.state.with_mut(|state| {
            // SAFETY: only the holder gets here, and it is borrowed for itself.
            f(&self.0.public, unsafe { &mut *state })
        })
    }

    #[inline]
    fn is_settled(&mut self) -> bool {
        self.with(|public, state| public.is_settled(state))
    }

    /// Puts it down, when nothing is due but what notes may ask for.
    #[inline]
    fn put_down(self) {
        let baton = ManuallyDrop::new(self).0;
        if !baton.is_put_down() {
            Self::settle(baton);
        }
    }

    /// Reads notes and does what they ask for, and what is due, until the baton is down.
    #[cold]
    fn settle(baton: &'a Baton<P>) {
        let mut held = ManuallyDrop::new(Self(baton));
        let mut after = P::After::default();
        loop {
            // Ordering: Acquire pairs with the release of whoever left the notes.
            let notes = baton.word.swap(HELD, Ordering::Acquire);
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
            Held(self.0).put_down();
        } else {
            Self::settle(self.0);
        }
    }
}

/// A value that belongs to the holder of a baton, too. It stands outside, so that the baton does not know its type,
/// and can live on without it.
pub(crate) struct Guarded<P: Settle, V> {
    baton: Arc<Baton<P>>,
    value: Arc<Value<V>>,
    /// Not 0 if this handle, which is the only one then, has the baton in hand.
    kept: AtomicUsize,
}

struct Value<V>(UnsafeCell<V>);

// SAFETY: the value is reached by the holder of its baton only, one thread at a time.
unsafe impl<V: Send> Sync for Value<V> {}
// SAFETY: a value that moves is not shared.
unsafe impl<V: Send> Send for Value<V> {}

impl<P: Settle, V> Guarded<P, V> {
    /// One value to a baton.
    pub(crate) fn new(baton: Baton<P>, value: V) -> Self {
        Self::handle(Arc::new(baton), Arc::new(Value(UnsafeCell::new(value))))
    }

    fn handle(baton: Arc<Baton<P>>, value: Arc<Value<V>>) -> Self {
        let kept = AtomicUsize::new(0);
        Self { baton, value, kept }
    }

    pub(crate) fn baton(&self) -> &Arc<Baton<P>> {
        &self.baton
    }

    /// Takes the baton, for a look: what was kept is put down.
    pub(crate) fn try_take(&self) -> Option<HeldValue<'_, P, V>> {
        self.let_go();
        let held = self.baton.try_take()?;
        Some(HeldValue { held, handle: self })
    }

    /// The baton, kept or taken; but if another has it, what comes of that.
    #[inline]
    pub(crate) fn take_or<'a>(
        &'a mut self,
        is_held: impl FnOnce(&'a Baton<P>) -> Option<Held<'a, P>>,
    ) -> Option<HeldValue<'a, P, V>> {
        // Ordering: Relaxed, the handle is borrowed for itself, and whatever it did before is ordered.
        let held = if self.kept.load(Ordering::Relaxed) == 0 {
            self.baton.try_take().or_else(|| is_held(&self.baton))?
        } else {
            // Ordering: Relaxed, as above.
            self.kept.store(0, Ordering::Relaxed);
            Held(&self.baton)
        };
        Some(HeldValue { held, handle: self })
    }

    /// See [`Baton::leave`].
    pub(crate) fn leave(&self, notes: usize) -> Option<HeldValue<'_, P, V>> {
        let held = self.baton.leave(notes)?;
        Some(HeldValue { held, handle: self })
    }

    /// Puts down what was kept.
    fn let_go(&self) {
        // Ordering: Relaxed, whoever borrows the handle is ordered after its last use; of several that make another
        // handle at once, the exchange chooses the one that has the baton in hand.
        if self.kept.load(Ordering::Relaxed) != 0 && self.kept.swap(0, Ordering::Relaxed) != 0 {
            drop(Held(&self.baton));
        }
    }
}

impl<P: Settle, V> Clone for Guarded<P, V> {
    fn clone(&self) -> Self {
        self.let_go();
        Self::handle(self.baton.clone(), self.value.clone())
    }
}

/// The baton in hand, and the value with it.
pub(crate) struct HeldValue<'a, P: Settle, V> {
    held: Held<'a, P>,
    handle: &'a Guarded<P, V>,
}

impl<'a, P: Settle, V> HeldValue<'a, P, V> {
    #[inline]
    pub(crate) fn with<R>(&mut self, f: impl FnOnce(&P, &mut P::State) -> R) -> R {
        self.held.with(f)
    }

    #[inline]
    pub(crate) fn with_value<R>(&mut self, f: impl FnOnce(Pin<&mut V>) -> R) -> R {
        self.handle.value.0.with_mut(|value| {
            // SAFETY: only the holder of the value's own baton gets here, and it is borrowed for itself.
            let value = unsafe { &mut *value };
            // SAFETY: the value lies in an `Arc` that is never taken apart, so it does not move until it is dropped.
            f(unsafe { Pin::new_unchecked(value) })
        })
    }

    /// Goes on without the value, and with it again if the baton is still in hand.
    #[inline]
    pub(crate) fn and_then(
        self,
        f: impl FnOnce(Held<'a, P>) -> Option<Held<'a, P>>,
    ) -> Option<Self> {
        let held = f(self.held)?;
        Some(Self { held, ..self })
    }

    /// The baton of the handle.
    pub(crate) fn baton(&self) -> &'a Arc<Baton<P>> {
        &self.handle.baton
    }

    /// Puts the baton down, or keeps it until the handle is used again, if that is the only handle and there is nothing to
    /// settle but, perhaps, notes.
    #[inline]
    pub(crate) fn keep(self) {
        let Self { mut held, handle } = self;
        if !held.is_settled() {
            return;
        }
        // The count is not ordered with what a handle did that has gone: the word is, in which it left its notes.
        if Arc::strong_count(&handle.value) == 1 {
            // Ordering: Relaxed, see `take_or`.
            handle.kept.store(1, Ordering::Relaxed);
            mem::forget(held);
        } else {
            held.put_down();
        }
    }
}
