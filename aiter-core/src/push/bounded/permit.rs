//! [`Permit`] and [`OwnedPermit`]: room for one item.

use super::BoundedPusher;
use crate::error::Stopped;
use core::{fmt, mem};

/// Room for one item in a bounded list; see [`BoundedPusher::reserve`]. Dropping it gives the room
/// to the next pusher.
///
/// A permit that is forgotten ([`mem::forget`]) keeps its room for good.
#[must_use = "a permit that is dropped gives its room back"]
pub struct Permit<'a, T> {
    pusher: &'a BoundedPusher<T>,
}

impl<'a, T> Permit<'a, T> {
    /// The caller has taken a place.
    pub(super) fn new(pusher: &'a BoundedPusher<T>) -> Self {
        Self { pusher }
    }

    /// Appends an item, without waiting.
    ///
    /// The item stands where it is pushed, and not where its room was reserved.
    ///
    /// # Errors
    /// Gives the item back if the list was stopped meanwhile, or if no consumer is left: a stop
    /// does not wait for permits.
    ///
    /// # Progress
    /// As [`Pusher::push`](crate::Pusher::push).
    #[inline]
    pub fn push(self, item: T) -> Result<(), Stopped<T>> {
        let pusher = self.pusher;
        // The item has the place from here on.
        mem::forget(self);
        pusher.push_admitted(item)
    }
}

impl<T> Drop for Permit<'_, T> {
    fn drop(&mut self) {
        self.pusher.shared().give_back();
    }
}

impl<T> fmt::Debug for Permit<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Permit").finish_non_exhaustive()
    }
}

/// A [`Permit`] that borrows nothing; see [`BoundedPusher::reserve_owned`].
#[must_use = "a permit that is dropped gives its room back"]
pub struct OwnedPermit<T> {
    /// `None` once the permit is used.
    pusher: Option<BoundedPusher<T>>,
}

impl<T> OwnedPermit<T> {
    /// The caller has taken a place.
    pub(super) fn new(pusher: BoundedPusher<T>) -> Self {
        Self {
            pusher: Some(pusher),
        }
    }

    /// As [`Permit::push`].
    ///
    /// # Errors
    /// As [`Permit::push`].
    pub fn push(mut self, item: T) -> Result<(), Stopped<T>> {
        match self.pusher.take() {
            Some(pusher) => pusher.push_admitted(item),
            None => unreachable!("a permit is used once"),
        }
    }
}

impl<T> Drop for OwnedPermit<T> {
    fn drop(&mut self) {
        if let Some(pusher) = &self.pusher {
            pusher.shared().give_back();
        }
    }
}

impl<T> fmt::Debug for OwnedPermit<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OwnedPermit").finish_non_exhaustive()
    }
}
