//! Push hubs: readers come and go, and the hub stays.
//!
//! A hub is a handle on a [list](crate::list) that stays open without readers. `retain` is a reader
//! that trails the end of that list, behind a lock ([`retained`]).

mod aiter;
mod bound;
mod parts;
mod retained;
mod waits;
#[cfg(not(aiter_loom))]
mod weak;

pub use aiter::SkipAiter;
pub use bound::{HubBound, HubReader};
pub use waits::{PushHubIdle, PushHubOccupied};
#[cfg(not(aiter_loom))]
pub use weak::WeakPushHub;

use crate::{
    Statistics, Stopped,
    fork::bound::Unbounded,
    push,
    sync::{Arc, Ordering},
};
use alloc::vec::Vec;
use core::fmt;
use parts::Core;
use scopeguard::guard;

/// Makes a hub: what is pushed goes to every reader that has subscribed, and the hub stays open
/// while there is none.
///
/// Use it where readers come and go while somebody publishes: clients of a server, parts of a
/// program that listen to events, dashboards. The bound says what a reader gets that is behind.
/// With [`unbounded()`](crate::bound::unbounded) it gets everything that was pushed since it
/// subscribed; with [`skip(n)`](crate::bound::skip) it misses what is older than the latest `n`
/// items, and is told so. With [`retain(m)`](Unbounded::retain) the hub keeps the latest `m` items
/// for readers that come later and [replay](PushHub::replay) them.
/// [`latest()`](crate::bound::latest) is the current value, and then the newest.
///
#[cfg_attr(doc, doc = include_str!("../../docs/pictures/push_hub.svg"))]
///
/// # Memory
/// An item is kept until every reader has taken it, and as long as `retain` says. A hub without
/// readers keeps nothing else: an item that is pushed then is dropped at once.
///
/// There are two exceptions. An item that `retain` gives up while a reader has still to take it
/// stays until its whole block, of up to 64 items, has been given up. And readers that may miss
/// items share a buffer, which holds as many items as the largest `n` among them.
///
/// # Progress
/// Lock-free: no operation waits for another thread. See each operation's docs.
///
/// # Example
/// Clients of a chat see the last two messages when they come, and then everything:
/// ```
/// use aiter_core::{bound, push_hub};
/// use futures_lite::{StreamExt, future::block_on};
///
/// let chat = push_hub(bound::unbounded().retain(2));
/// for message in ["hello", "anybody here?", "yes"] {
///     chat.push(message).unwrap();
/// }
/// let client = chat.replay();
/// chat.push("welcome").unwrap();
/// drop(chat);
/// assert_eq!(block_on(client.collect::<Vec<_>>()), ["anybody here?", "yes", "welcome"]);
/// ```
pub fn push_hub<T, B: HubBound>(bound: B) -> PushHub<T, B> {
    let core = Core::new(bound.retains());
    PushHub {
        inner: Arc::new(Inner { core, bound }),
    }
}

/// A handle to push items to the readers of a [hub](push_hub), and to make readers. Clone it to do
/// so from several places.
///
/// Dropping the last one stops the hub: its readers get what is there, and then the end.
pub struct PushHub<T, B: HubBound = Unbounded> {
    inner: Arc<Inner<T, B>>,
}

struct Inner<T, B> {
    core: Core<T>,
    bound: B,
}

impl<T, B: HubBound> PushHub<T, B> {
    /// Pushes an item to every reader, and wakes those that wait for it. Without readers the item
    /// is dropped, unless it is retained.
    ///
    /// # Errors
    /// Gives the item back after [`stop`](Self::stop). Every reader that is not dropped receives
    /// each accepted item.
    ///
    /// # Panics
    /// If the waker of a reader panics; the item is pushed all the same. And if readers may miss
    /// items, and the clone panics that this call may make for them: they miss that item and what
    /// they have still to take before it, and count both.
    ///
    /// # Progress
    /// As [`Pusher::push`](crate::Pusher::push). If the hub retains items, this call also drops the
    /// item that leaves them, or has another push do so that is under way.
    ///
    /// # Example
    /// ```
    /// let hub = aiter_core::push_hub(aiter_core::bound::unbounded());
    /// hub.push("nobody listens").unwrap();
    /// let mut reader = hub.subscribe();
    /// hub.push("hello").unwrap();
    /// assert_eq!(reader.try_next(), Ok("hello"));
    /// hub.stop();
    /// assert_eq!(hub.push("late").unwrap_err().0, "late");
    /// ```
    #[inline]
    pub fn push(&self, item: T) -> Result<(), Stopped<T>> {
        let core = &self.inner.core;
        if !core.writer.has_readers() {
            return self.push_unread(item);
        }
        // Also if the waker of a reader panics.
        let pushed = guard((), |()| core.pushed());
        let result = core.writer.push(item).map_err(Stopped);
        // As in `push_all`.
        drop(pushed);
        result
    }

    /// Not inlined, because the drop of an item may be much code.
    fn push_unread(&self, item: T) -> Result<(), Stopped<T>> {
        if self.is_stopped() {
            return Err(Stopped(item));
        }
        self.inner.core.count_unread(1);
        Ok(())
    }

    /// Pushes a batch of items. No other push comes in between. The iterator first runs to its end,
    /// and its items are pushed then.
    ///
    /// # Errors
    /// Gives back all items after [`stop`](Self::stop). An empty batch is never refused.
    ///
    /// # Panics
    /// If the iterator panics; the items that it had yielded are pushed. And as
    /// [`Pusher::push_all`](crate::Pusher::push_all).
    ///
    /// # Progress
    /// As [`push`](Self::push), with one reservation for the whole batch.
    ///
    /// # Example
    /// ```
    /// let chat = aiter_core::push_hub(aiter_core::bound::unbounded().retain(2));
    /// chat.push_all(["hello", "is Ada here?", "not yet"]).unwrap();
    /// assert!(chat.replay().available_iter().eq(&["is Ada here?", "not yet"]));
    /// ```
    pub fn push_all(&self, items: impl IntoIterator<Item = T>) -> Result<(), Stopped<Vec<T>>> {
        let core = &self.inner.core;
        if !core.writer.has_readers() && !self.is_stopped() {
            // Those that were dropped are counted also if the iterator or a drop panics.
            let mut unread = guard(0, |unread| core.count_unread(unread));
            for item in items {
                *unread += 1;
                drop(item);
            }
            return Ok(());
        }
        // Not while the iterator runs: a list that retains items has no slots without an item.
        let pushed = guard((), |()| core.pushed());
        let result = push::push_collected(&core.writer, items.into_iter());
        // Not left to the end of the function: a waker that panics there would leak the result.
        drop(pushed);
        result
    }

    /// Makes a reader, which receives what is pushed from here on.
    ///
    /// After [`stop`](Self::stop) the reader has ended from the start.
    ///
    /// Items are cloned for every reader except the last one to take them. Several readers may
    /// clone one item at once, hence the bounds.
    ///
    /// # Progress
    /// Lock-free. If the hub retains items, and another thread is busy with those, that thread
    /// hands the reader its place; until then the reader finds no item.
    ///
    /// # Example
    /// ```
    /// let hub = aiter_core::push_hub(aiter_core::bound::unbounded().retain(1));
    /// hub.push(1).unwrap();
    /// let reader = hub.subscribe();
    /// hub.push(2).unwrap();
    /// assert!(reader.available_iter().eq(&[2]));
    /// ```
    pub fn subscribe(&self) -> B::Reader<T>
    where
        T: Clone + Sync,
    {
        self.inner.bound.reader(&self.inner.core, 0)
    }

    /// Makes a reader, which receives what is [retained](Unbounded::retain), and then what is
    /// pushed from here on. If nothing is retained, this is [`subscribe`](Self::subscribe).
    ///
    /// The reader sees the last items as they are at some moment during this call, and everything
    /// that comes after them, whatever is pushed meanwhile. After [`stop`](Self::stop) it receives
    /// what is retained, and then the end.
    ///
    /// # Progress
    /// As [`subscribe`](Self::subscribe).
    ///
    /// # Example
    /// ```
    /// # use aiter_core::TryNextError;
    /// let hub = aiter_core::push_hub(aiter_core::bound::unbounded().retain(2));
    /// hub.push_all(["a", "b", "c"]).unwrap();
    /// hub.stop();
    /// let mut late = hub.replay();
    /// assert_eq!(late.try_next(), Ok("b"));
    /// assert_eq!(late.try_next(), Ok("c"));
    /// assert_eq!(late.try_next(), Err(TryNextError::Ended));
    /// ```
    pub fn replay(&self) -> B::Reader<T>
    where
        T: Clone + Sync,
    {
        self.inner.bound.reader(&self.inner.core, self.retains())
    }

    /// Makes a reader with a bound of its own, which receives what is pushed from here on. Use it
    /// for a main reader that loses nothing beside others that may, or the other way round. What
    /// `bound` says to retain is ignored: that is the hub's.
    ///
    /// # Progress
    /// As [`subscribe`](Self::subscribe).
    ///
    /// # Example
    /// ```
    /// use aiter_core::{bound, push_hub};
    ///
    /// let hub = push_hub(bound::skip(2));
    /// let (mut dashboard, log) = (hub.subscribe(), hub.subscribe_with(bound::unbounded()));
    /// hub.push_all([19, 20, 22, 23, 21]).unwrap(); // temperatures
    /// // The first item that a reader sees never counts earlier ones as missed.
    /// assert_eq!(dashboard.try_next().unwrap().item, 23);
    /// assert!(log.available_iter().eq(&[19, 20, 22, 23, 21]));
    /// ```
    pub fn subscribe_with<R: HubBound>(&self, bound: R) -> R::Reader<T>
    where
        T: Clone + Sync,
    {
        bound.reader(&self.inner.core, 0)
    }

    /// Makes a reader with a bound of its own, which receives what is retained, and then what is
    /// pushed from here on. As [`replay`](Self::replay) and
    /// [`subscribe_with`](Self::subscribe_with).
    ///
    /// # Example
    /// ```
    /// use aiter_core::{bound, push_hub};
    ///
    /// let hub = push_hub(bound::unbounded().retain(3));
    /// hub.push_all([19, 20, 22, 23, 21]).unwrap(); // temperatures
    /// let mut newest = hub.replay_with(bound::skip(1));
    /// assert_eq!(newest.try_next().unwrap().item, 21);
    /// assert!(hub.replay().available_iter().eq(&[22, 23, 21]));
    /// ```
    pub fn replay_with<R: HubBound>(&self, bound: R) -> R::Reader<T>
    where
        T: Clone + Sync,
    {
        bound.reader(&self.inner.core, self.retains())
    }

    fn retains(&self) -> usize {
        self.inner.bound.retains()
    }

    /// The number of readers, their forks included. What is pushed after a reader was found here is
    /// for that reader, also if the call that makes it is still under way.
    ///
    /// # Progress
    /// Wait-free.
    ///
    /// # Example
    /// ```
    /// let hub = aiter_core::push_hub::<u8, _>(aiter_core::bound::unbounded());
    /// let mut reader = hub.subscribe();
    /// let fork = reader.fork();
    /// assert_eq!(hub.readers(), 2);
    /// drop((reader, fork));
    /// assert_eq!(hub.readers(), 0);
    /// ```
    pub fn readers(&self) -> usize {
        self.inner.core.writer.users()
    }

    /// Ends the hub, and wakes the readers that wait. They receive the items that were pushed
    /// before, then the end.
    ///
    /// A stop is linearizable against pushes: each push is either accepted, before the stop, or
    /// gives its item back. Stopping again does nothing.
    ///
    /// # Progress
    /// As [`push`](Self::push).
    pub fn stop(&self) {
        self.inner.core.stop();
    }

    /// Whether the hub was [stopped](Self::stop).
    ///
    /// # Progress
    /// Wait-free.
    pub fn is_stopped(&self) -> bool {
        self.inner.core.writer.is_closed()
    }

    /// A snapshot of the hub's counters, for metrics. It loads one word for each reader.
    ///
    /// An item that was pushed without readers counts as pushed and taken. Retained items count as
    /// waiting, and as the lag of a reader, because the hub itself keeps a place at the oldest of
    /// them.
    ///
    /// # Progress
    /// Wait-free.
    ///
    /// # Example
    /// ```
    /// let hub = aiter_core::push_hub(aiter_core::bound::unbounded());
    /// hub.push(1).unwrap();
    /// let _reader = hub.subscribe();
    /// hub.push_all([2, 3]).unwrap();
    /// let now = hub.statistics();
    /// assert_eq!((now.pushed, now.taken, now.waiting, now.lag), (3, 1, 2, 2));
    /// ```
    pub fn statistics(&self) -> Statistics {
        let unread = self.inner.core.unread.load(Ordering::Relaxed);
        let mut statistics = self.inner.core.statistics();
        statistics.pushed = statistics.pushed.wrapping_add(unread);
        statistics.taken = statistics.taken.wrapping_add(unread);
        statistics
    }
}

impl<T, B: HubBound> Clone for PushHub<T, B> {
    fn clone(&self) -> Self {
        let inner = self.inner.clone();
        Self { inner }
    }
}

/// Pushes each item. Once the hub is stopped, the items are dropped.
impl<T, B: HubBound> Extend<T> for PushHub<T, B> {
    fn extend<I: IntoIterator<Item = T>>(&mut self, items: I) {
        for item in items {
            if self.push(item).is_err() {
                return;
            }
        }
    }
}

impl<T, B: HubBound> fmt::Debug for PushHub<T, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PushHub")
            .field("is_stopped", &self.is_stopped())
            .field("readers", &self.readers())
            .field("statistics", &self.statistics())
            .finish()
    }
}

#[cfg(all(test, aiter_loom))]
mod loom;
#[cfg(all(test, not(aiter_loom)))]
mod tests;
