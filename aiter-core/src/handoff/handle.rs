//! Handles of a value that belongs to the holder of a baton.
//!
//! A handle that is the only one keeps the baton in hand from one use to the next, which saves two read-modify-writes an
//! item: no other handle can want it, and notes wait until it is put down. Before a second handle exists, it is.
#![allow(unsafe_code)]

use super::lock::{Combine, Guard, HandoffLock};
use crate::sync::{Arc, AtomicUsize, Ordering::*, UnsafeCell};
use core::{mem::ManuallyDrop, pin::Pin};

/// A value that belongs to the holder of a baton, too. It stands outside, so that the baton does not know its type,
/// and can live on without it.
pub(crate) struct Handle<P: Combine, V> {
    lock: Arc<HandoffLock<P>>,
    value: Arc<Value<V>>,
    /// 1 if this handle, which is the only one then, has the baton in hand.
    kept: AtomicUsize,
}

struct Value<V>(UnsafeCell<V>);

// SAFETY: the value is reached by the holder of its baton only, one thread at a time.
unsafe impl<V: Send> Sync for Value<V> {}
// SAFETY: a value that moves is not shared.
unsafe impl<V: Send> Send for Value<V> {}

impl<P: Combine, V> Handle<P, V> {
    /// One value to a baton.
    pub(crate) fn new(lock: HandoffLock<P>, value: V) -> Self {
        Self::handle(Arc::new(lock), Arc::new(Value(UnsafeCell::new(value))))
    }

    fn handle(lock: Arc<HandoffLock<P>>, value: Arc<Value<V>>) -> Self {
        let kept = AtomicUsize::new(0);
        Self { lock, value, kept }
    }

    pub(crate) fn lock(&self) -> &Arc<HandoffLock<P>> {
        &self.lock
    }

    /// Takes the baton, for a look: what was kept is put down.
    pub(crate) fn try_lock(&self) -> Option<ValueGuard<'_, P, V>> {
        self.release_kept();
        let guard = self.lock.try_take()?;
        Some(ValueGuard {
            guard,
            handle: self,
        })
    }

    /// The baton, kept or taken; but if another has it, what comes of that.
    #[inline]
    pub(crate) fn lock_or<'a>(
        &'a mut self,
        is_held: impl FnOnce(&'a HandoffLock<P>) -> Option<Guard<'a, P>>,
    ) -> Option<ValueGuard<'a, P, V>> {
        // Ordering: Relaxed, the handle is borrowed for itself, and whatever it did before is ordered.
        let guard = if self.kept.load(Relaxed) != 0 {
            // Ordering: Relaxed, as above.
            self.kept.store(0, Relaxed);
            Guard { lock: &self.lock }
        } else {
            match self.lock.try_take() {
                Some(guard) => guard,
                None => is_held(&self.lock)?,
            }
        };
        Some(ValueGuard {
            guard,
            handle: self,
        })
    }

    /// Puts down what the only handle has in hand.
    fn release_kept(&self) {
        // Ordering: Relaxed, whoever borrows the handle is ordered after its last use; of several that make another
        // handle at once, the exchange chooses the one that has the baton in hand.
        if self.kept.load(Relaxed) != 0 && self.kept.swap(0, Relaxed) != 0 {
            drop(Guard { lock: &self.lock });
        }
    }
}

impl<P: Combine, V> Clone for Handle<P, V> {
    fn clone(&self) -> Self {
        self.release_kept();
        Self::handle(self.lock.clone(), self.value.clone())
    }
}

/// The baton in hand, and the value with it.
pub(crate) struct ValueGuard<'a, P: Combine, V> {
    guard: Guard<'a, P>,
    handle: &'a Handle<P, V>,
}

impl<'a, P: Combine, V> ValueGuard<'a, P, V> {
    #[inline]
    pub(crate) fn with<R>(&mut self, f: impl FnOnce(&P, &mut P::State) -> R) -> R {
        self.guard.with(f)
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
        f: impl FnOnce(Guard<'a, P>) -> Option<Guard<'a, P>>,
    ) -> Option<Self> {
        let guard = f(self.guard)?;
        Some(Self { guard, ..self })
    }

    /// The baton of the handle.
    pub(crate) fn lock(&self) -> &'a Arc<HandoffLock<P>> {
        &self.handle.lock
    }

    /// Puts the baton down. If the handle is the only one, and nothing is to be settled but, perhaps, notes, it keeps the baton
    /// until it is used again.
    #[inline(always)]
    pub(crate) fn keep_locked(self) {
        let Self { mut guard, handle } = self;
        if !guard.nothing_due() {
            return;
        }
        let guard = ManuallyDrop::new(guard);
        let lock = guard.lock;
        if Arc::strong_count(&handle.value) == 1 {
            // The count is not ordered with what a handle did that has gone: the word is, in which it left its notes.
            // Ordering: Relaxed, see `take_or`.
            handle.kept.store(1, Relaxed);
        } else {
            Guard::put_down(lock);
        }
    }
}
