//! Handles of a value that belongs to the holder of a baton.
//!
//! A handle that is the only one has the baton in hand, firmly, from one use to the next: no other can
//! want it, and notes wait until it is put down. Before there is a second handle, it is. Of several, the one that always comes
//! is the keeper.

use super::{Baton, FIRM, Held, KEPT, Settle};
use crate::sync::{Arc, AtomicUsize, Ordering::*, UnsafeCell, barrier};
use core::{mem::ManuallyDrop, pin::Pin, ptr};

/// A value that belongs to the holder of a baton, too. It stands outside, so that the baton does not know its type,
/// and can live on without it.
pub(crate) struct Guarded<P: Settle, V> {
    baton: Arc<Baton<P>>,
    value: Arc<Value<V>>,
    /// `FIRM` if this handle, which is the only one then, has the baton in hand; an era, if it is the keeper, or was.
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
        let held = match self.kept.load(Relaxed) {
            0 => None,
            FIRM => {
                // Ordering: Relaxed, as above.
                self.kept.store(0, Relaxed);
                Some(Held::firm(&*self.baton))
            }
            era => {
                let held = self.baton.resume(era);
                if held.as_ref().is_none_or(|held| held.era == 0) {
                    self.resign();
                }
                held
            }
        };
        let held = held
            .or_else(|| self.baton.try_take())
            .or_else(|| is_held(&self.baton))?;
        Some(HeldValue { held, handle: self })
    }

    #[cfg(all(test, not(aiter_loom)))]
    pub(crate) fn is_keeper(&self) -> bool {
        self.kept.load(Relaxed) & KEPT != 0
    }

    /// It was the keeper.
    #[cold]
    fn resign(&self) {
        // Ordering: Relaxed, as in `take_or`.
        self.kept.store(0, Relaxed);
        self.baton.resign();
    }

    /// Puts down what the only handle has in hand.
    fn let_go(&self) {
        // Ordering: Relaxed, whoever borrows the handle is ordered after its last use; of several that make another
        // handle at once, the exchange chooses the one that has the baton in hand.
        if self.kept.load(Relaxed) == FIRM
            && self
                .kept
                .compare_exchange(FIRM, 0, Relaxed, Relaxed)
                .is_ok()
        {
            drop(Held::firm(&self.baton));
        }
    }
}

impl<P: Settle, V> Drop for Guarded<P, V> {
    fn drop(&mut self) {
        // Ordering: Relaxed, as in `take_or`.
        let kept = self.kept.load(Relaxed);
        if kept & KEPT != 0 {
            // If somebody asked who could not be sure that it is not in use.
            drop(self.baton.resume(kept));
            self.resign();
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

    /// Puts the baton down; or keeps it until the handle is used again, if there is nothing to settle but, perhaps, notes, and
    /// the handle is the only one, or the one that always comes.
    #[inline(always)]
    pub(crate) fn keep(self) {
        let Self { mut held, handle } = self;
        if !held.is_settled() {
            return;
        }
        let held = ManuallyDrop::new(held);
        let baton = held.baton;
        if held.era != 0 {
            if !baton.lay_aside(held.era) {
                Held::settle(baton);
            }
        } else if Arc::strong_count(&handle.value) == 1 {
            // The count is not ordered with what a handle did that has gone: the word is, in which it left its notes.
            // Ordering: Relaxed, see `take_or`.
            handle.kept.store(FIRM, Relaxed);
        } else if !handle.stays() {
            Held::put_down(baton);
        }
    }
}

impl<P: Settle, V> Guarded<P, V> {
    /// The handle, which holds the baton firmly, becomes the keeper, if it has had it long enough.
    #[inline]
    fn stays(&self) -> bool {
        // A handle that moves begins anew, no more.
        let me = ptr::from_ref(self).addr();
        barrier::is_free() && self.baton.streak.goes_on(me) && self.stays_on()
    }

    #[cold]
    fn stays_on(&self) -> bool {
        let era = self.baton.keep();
        if let Some(era) = era {
            // Ordering: Relaxed, as in `take_or`.
            self.kept.store(era, Relaxed);
        }
        era.is_some()
    }
}
