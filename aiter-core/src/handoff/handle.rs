//! Handles to a value that a [`HandoffLock`] guards.
//!
//! The only handle keeps the lock from one use to the next, which saves two read-modify-writes per
//! item: no other handle can want the lock, and requests wait until it is released. `Clone`
//! releases the lock before a second handle exists.
#![allow(unsafe_code)]

use super::lock::{Combine, Guard, HandoffLock};
use crate::sync::{Arc, AtomicUsize, Ordering::*, UnsafeCell};
use core::{mem::ManuallyDrop, pin::Pin};

/// A handle to a lock and to a value of type `V` that the lock guards. The value is stored beside
/// the lock, so that the type of the lock does not depend on `V` and the lock can outlive the
/// value. What handles share without the lock, and what depends on the types in `V`, is an `X`.
pub(crate) struct Handle<P: Combine, V, X = ()> {
    lock: Arc<HandoffLock<P>>,
    value: Arc<Value<V, X>>,
    /// 1 if this handle, which is then the only one, keeps the lock between two uses.
    kept: AtomicUsize,
}

struct Value<V, X> {
    guarded: UnsafeCell<V>,
    beside: X,
}

// SAFETY: only the holder of the lock reaches the guarded value, one thread at a time. What is
// beside it is shared (`X: Sync`), and dropped by one thread (`X: Send`).
unsafe impl<V: Send, X: Send + Sync> Sync for Value<V, X> {}
// SAFETY: a value that is being moved is not shared.
unsafe impl<V: Send, X: Send> Send for Value<V, X> {}

impl<P: Combine, V, X> Handle<P, V, X> {
    /// The first handle. A lock guards a single value.
    pub(crate) fn new(lock: HandoffLock<P>, value: V, beside: X) -> Self {
        let value = Value {
            guarded: UnsafeCell::new(value),
            beside,
        };
        Self::from_parts(Arc::new(lock), Arc::new(value))
    }

    fn from_parts(lock: Arc<HandoffLock<P>>, value: Arc<Value<V, X>>) -> Self {
        let kept = AtomicUsize::new(0);
        Self { lock, value, kept }
    }

    /// The lock, without acquiring it.
    pub(crate) fn as_lock(&self) -> &Arc<HandoffLock<P>> {
        &self.lock
    }

    /// What is shared without the lock.
    pub(crate) fn beside(&self) -> &X {
        &self.value.beside
    }

    /// Acquires the lock through a shared reference. Releases it first if this handle keeps it.
    pub(crate) fn try_lock(&self) -> Option<ValueGuard<'_, P, V, X>> {
        self.release_kept();
        let guard = self.lock.try_lock()?;
        Some(ValueGuard {
            guard,
            handle: self,
        })
    }

    /// Acquires the lock, or resumes with it if this handle keeps it. If the lock is held, the
    /// outcome is that of `on_contention`.
    #[inline]
    pub(crate) fn lock_or<'a, E>(
        &'a mut self,
        on_contention: impl FnOnce(&'a HandoffLock<P>) -> Result<Guard<'a, P>, E>,
    ) -> Result<ValueGuard<'a, P, V, X>, E> {
        // Ordering: Relaxed, the exclusive borrow orders this after every earlier use of the
        // handle.
        let guard = if self.kept.load(Relaxed) != 0 {
            // Ordering: Relaxed, as above.
            self.kept.store(0, Relaxed);
            Guard { lock: &self.lock }
        } else {
            match self.lock.try_lock() {
                Some(guard) => guard,
                None => on_contention(&self.lock)?,
            }
        };
        Ok(ValueGuard {
            guard,
            handle: self,
        })
    }

    /// Releases the lock if this handle keeps it.
    fn release_kept(&self) {
        // Ordering: Relaxed. The borrow orders this after the last exclusive use of the handle. If
        // several threads clone the handle at once, the exchange decides which of them releases.
        if self.kept.load(Relaxed) != 0 && self.kept.swap(0, Relaxed) != 0 {
            drop(Guard { lock: &self.lock });
        }
    }
}

impl<P: Combine, V, X> Clone for Handle<P, V, X> {
    fn clone(&self) -> Self {
        self.release_kept();
        Self::from_parts(self.lock.clone(), self.value.clone())
    }
}

/// A guard of the lock that also gives access to the value.
pub(crate) struct ValueGuard<'a, P: Combine, V, X> {
    guard: Guard<'a, P>,
    handle: &'a Handle<P, V, X>,
}

impl<'a, P: Combine, V, X> ValueGuard<'a, P, V, X> {
    #[inline]
    pub(crate) fn with<R>(&mut self, f: impl FnOnce(&P, &mut P::State) -> R) -> R {
        self.guard.with(f)
    }

    #[inline]
    pub(crate) fn with_value<R>(&mut self, f: impl FnOnce(Pin<&mut V>) -> R) -> R {
        self.handle.value.guarded.with_mut(|value| {
            // SAFETY: only the holder of the value's own lock gets here, and the guard is borrowed
            // exclusively.
            let value = unsafe { &mut *value };
            // SAFETY: the value lies in an `Arc` that is never taken apart, so it does not move
            // until it is dropped.
            f(unsafe { Pin::new_unchecked(value) })
        })
    }

    /// Passes the guard of the lock to `f`. Has the value again if `f` returns the guard.
    #[inline]
    pub(crate) fn and_then(
        self,
        f: impl FnOnce(Guard<'a, P>) -> Option<Guard<'a, P>>,
    ) -> Option<Self> {
        let guard = f(self.guard)?;
        Some(Self { guard, ..self })
    }

    /// What is shared without the lock.
    #[inline]
    pub(crate) fn beside(&self) -> &'a X {
        self.handle.beside()
    }

    /// The lock that is held.
    pub(crate) fn as_lock(&self) -> &'a Arc<HandoffLock<P>> {
        &self.handle.lock
    }

    /// Releases the lock. But if the handle is the only one, and no work is due except what pending
    /// requests may ask for, the handle keeps the lock until its next use.
    #[inline]
    pub(crate) fn keep_locked(self) {
        let Self { mut guard, handle } = self;
        if !guard.nothing_due() {
            return;
        }
        let guard = ManuallyDrop::new(guard);
        let lock = guard.lock;
        if Arc::strong_count(&handle.value) == 1 {
            // The count is not ordered with the last use of a dropped handle. The lock's word is,
            // and pending requests are in that word.
            // Ordering: Relaxed, see `lock_or`.
            handle.kept.store(1, Relaxed);
        } else {
            Guard::unlock(lock);
        }
    }
}
