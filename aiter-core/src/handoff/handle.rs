//! Handles of a value that belongs to the holder of a baton.
//!
//! A handle that is the only one keeps the baton in hand from one use to the next, which saves two read-modify-writes an
//! item: no other handle can want it, and notes wait until it is put down. Before a second handle exists, it is.
#![allow(unsafe_code)]

use super::lock::{Baton, Held, Settle};
use crate::sync::{Arc, AtomicUsize, Ordering::*, UnsafeCell};
use core::{mem::ManuallyDrop, pin::Pin};

/// A value that belongs to the holder of a baton, too. It stands outside, so that the baton does not know its type,
/// and can live on without it.
pub(crate) struct Guarded<P: Settle, V> {
    baton: Arc<Baton<P>>,
    value: Arc<Value<V>>,
    /// 1 if this handle, which is the only one then, has the baton in hand.
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
        let held = if self.kept.load(Relaxed) != 0 {
            // Ordering: Relaxed, as above.
            self.kept.store(0, Relaxed);
            Held { baton: &self.baton }
        } else {
            match self.baton.try_take() {
                Some(held) => held,
                None => is_held(&self.baton)?,
            }
        };
        Some(HeldValue { held, handle: self })
    }

    /// Puts down what the only handle has in hand.
    fn let_go(&self) {
        // Ordering: Relaxed, whoever borrows the handle is ordered after its last use; of several that make another
        // handle at once, the exchange chooses the one that has the baton in hand.
        if self.kept.load(Relaxed) != 0 && self.kept.swap(0, Relaxed) != 0 {
            drop(Held { baton: &self.baton });
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

    /// Puts the baton down. If the handle is the only one, and nothing is to be settled but, perhaps, notes, it keeps the baton
    /// until it is used again.
    #[inline(always)]
    pub(crate) fn keep(self) {
        let Self { mut held, handle } = self;
        if !held.is_settled() {
            return;
        }
        let held = ManuallyDrop::new(held);
        let baton = held.baton;
        if Arc::strong_count(&handle.value) == 1 {
            // The count is not ordered with what a handle did that has gone: the word is, in which it left its notes.
            // Ordering: Relaxed, see `take_or`.
            handle.kept.store(1, Relaxed);
        } else {
            Held::put_down(baton);
        }
    }
}
