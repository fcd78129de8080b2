//! [`Exclusive`]: a value that threads may share because none of them can look at it.

#![allow(unsafe_code)]

use core::fmt;

/// A value that is only reached by a mutable reference or by value, and so makes no type that owns
/// it lose `Sync`.
pub(crate) struct Exclusive<T>(T);

// SAFETY: a shared reference gives no access to the value.
unsafe impl<T> Sync for Exclusive<T> {}

impl<T> Exclusive<T> {
    pub(crate) fn new(value: T) -> Self {
        Self(value)
    }

    pub(crate) fn into_inner(self) -> T {
        self.0
    }
}

impl<T> fmt::Debug for Exclusive<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Exclusive").finish_non_exhaustive()
    }
}
