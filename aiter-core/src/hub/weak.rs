//! [`WeakPushHub`]: a handle that does not keep its hub open.

use super::{HubBound, Inner, PushHub};
use crate::sync::Weak;
use core::fmt;

/// A [`PushHub`] that does not keep the hub open. Use it where something that may push now and then
/// must not keep the readers from their end, such as a registry of hubs by topic.
///
/// [`PushHub::downgrade`] makes one. To push or subscribe, [upgrade](Self::upgrade) it. It keeps no
/// items.
///
/// # Example
/// A registry finds the hub of a topic while somebody publishes there:
/// ```
/// use aiter_core::{WeakPushHub, bound, push_hub};
///
/// let weather = push_hub(bound::unbounded().retain(1));
/// weather.push("sunny").unwrap();
/// let registered: WeakPushHub<&str, _> = weather.downgrade();
///
/// let reader = registered.upgrade().expect("it is open").replay();
/// assert!(reader.available_iter().eq(&["sunny"]));
/// drop(weather);
/// assert!(registered.upgrade().is_none());
/// ```
pub struct WeakPushHub<T, B: HubBound> {
    inner: Weak<Inner<T, B>>,
}

impl<T, B: HubBound> WeakPushHub<T, B> {
    /// Makes a [`PushHub`], which keeps the hub open like any other. Returns `None` once the last
    /// one was dropped.
    ///
    /// # Progress
    /// Lock-free: it tries again if another thread made or dropped a handle at the same time.
    pub fn upgrade(&self) -> Option<PushHub<T, B>> {
        let inner = self.inner.upgrade()?;
        Some(PushHub { inner })
    }
}

impl<T, B: HubBound> PushHub<T, B> {
    /// Makes a [`WeakPushHub`], which does not keep the hub open.
    ///
    /// # Progress
    /// Wait-free.
    pub fn downgrade(&self) -> WeakPushHub<T, B> {
        let inner = crate::sync::Arc::downgrade(&self.inner);
        WeakPushHub { inner }
    }
}

impl<T, B: HubBound> Clone for WeakPushHub<T, B> {
    fn clone(&self) -> Self {
        let inner = self.inner.clone();
        Self { inner }
    }
}

impl<T, B: HubBound> fmt::Debug for WeakPushHub<T, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WeakPushHub").finish_non_exhaustive()
    }
}
