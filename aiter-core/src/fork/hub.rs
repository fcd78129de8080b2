//! The hub of a forked stream: a handle that makes forks and holds no place itself.

use super::{
    Fork, SourceHandle,
    bound::{Bound, Unbounded},
    place::{ForkPlace, Parent, SourceRef},
    pull::{FEED, ForkShared, ForkSource, RING},
};
use crate::{ring::Ring, wait::wait_set::Waiter};
use core::{
    fmt,
    pin::Pin,
    task::{Context, Poll},
};
use futures_core::Stream;

/// A handle on a forked stream, from which forks are made at any time and on any thread: where
/// clients come and go, and late ones want the last items. See [`Fork::hub`].
///
/// A hub keeps the stream, holds no place in it and keeps no items. Cloning it is cheap.
///
/// `B` is the bound of the forks that [`subscribe`](Self::subscribe) and [`replay`](Self::replay)
/// make. It is the bound that the fork had when [`Fork::hub`] was called.
pub struct Hub<S: Stream, B: Bound = Unbounded> {
    handle: SourceHandle<S>,
    bound: B,
}

impl<S: Stream, B: Bound> Fork<S, B> {
    /// Returns a handle from which forks are made at the end of what was pulled, or at what is
    /// [retained](super::bound::Unbounded::retain).
    ///
    /// Use it where readers come and go: connections to a server, or windows of a program. It makes
    /// forks without another fork at hand, also after all others were dropped. The hub keeps the
    /// stream.
    ///
    /// The stream is pulled only when a fork is polled. To pull it from the start,
    /// [`pump`](crate::pump) it into a [push hub](crate::push_hub).
    ///
    /// # Progress
    /// Lock-free, allocates once per stream.
    ///
    /// # Example
    /// Pauses the stream some time after the last reader has left, and goes on with the next one:
    /// ```
    /// use aiter_core::{aiter_forker, gated_aiter, iter_to_aiter};
    /// use futures_lite::{StreamExt, future::{block_on, or, yield_now, zip}};
    ///
    /// let (gated, gate) = gated_aiter(iter_to_aiter(1..));
    /// let first = aiter_forker(gated);
    /// let hub = first.hub();
    /// drop(first);
    ///
    /// // In your program, a timer of five seconds.
    /// let grace_period = || yield_now();
    /// let watch = async {
    ///     loop {
    ///         hub.occupied().await;
    ///         gate.open();
    ///         loop {
    ///             hub.idle().await;
    ///             grace_period().await;
    ///             if hub.readers() == 0 {
    ///                 break;
    ///             }
    ///         }
    ///         gate.close();
    ///     }
    /// };
    /// let clients = async {
    ///     for n in 1..4 {
    ///         let mut client = hub.subscribe();
    ///         assert_eq!(client.next().await, Some(n));
    ///     }
    /// };
    /// block_on(or(watch, clients));
    /// ```
    pub fn hub(&self) -> Hub<S, B> {
        let handle = self.handle.clone();
        handle.beside().get_or_make(|| {
            let observer = self.place.observe();
            let number = observer.item_tail().number();
            Ring::new(observer, number)
        });
        let bound = B::of_place(&self.place);
        Hub { handle, bound }
    }
}

impl<S: Stream, B: Bound> Hub<S, B> {
    /// Makes an active fork that sees what is pulled from now on.
    ///
    /// If another thread is polling the stream at this moment, the fork sees the item of that poll.
    /// Items that were pulled before do not count as [missed](super::bound::Seen::missed).
    ///
    /// # Progress
    /// Lock-free. Allocates a few words.
    ///
    /// # Example
    /// ```
    /// use aiter_core::{aiter_forker, iter_to_aiter};
    /// use futures_lite::{StreamExt, future::block_on};
    ///
    /// let mut guest = aiter_forker(iter_to_aiter(["hello", "how are you?", "bye"]));
    /// let chat = guest.hub();
    /// block_on(async {
    ///     assert_eq!(guest.next().await, Some("hello"));
    ///     let late = chat.subscribe();
    ///     drop(guest);
    ///     assert_eq!(late.collect::<Vec<_>>().await, ["how are you?", "bye"]);
    /// });
    /// ```
    pub fn subscribe(&self) -> Fork<S, B>
    where
        S::Item: Clone + Sync,
    {
        self.subscribe_with(self.bound)
    }

    /// Makes an active fork that sees what is [retained](super::bound::Unbounded::retain), and then
    /// what is pulled from here on. If nothing is retained, this is
    /// [`subscribe`](Self::subscribe).
    ///
    /// The fork sees the last items as they are at some moment during this call, and everything
    /// that comes after them, as far as its bound allows. After the end of the stream it sees what
    /// is retained, and then the end.
    ///
    /// # Progress
    /// As [`subscribe`](Self::subscribe). The retained items are cloned when the fork takes them;
    /// one that is lossless clones them in this call, or in its first poll if another thread
    /// accesses the buffer.
    ///
    /// # Example
    /// See [`retain`](super::bound::Unbounded::retain).
    pub fn replay(&self) -> Fork<S, B>
    where
        S::Item: Clone + Sync,
    {
        self.replay_with(self.bound)
    }

    /// As [`subscribe`](Self::subscribe), with a bound of the fork's own.
    ///
    /// # Progress
    /// As [`subscribe`](Self::subscribe).
    ///
    /// # Example
    /// ```
    /// use aiter_core::{aiter_forker, bound, iter_to_aiter};
    /// use futures_lite::{StreamExt, future::block_on};
    ///
    /// let log = aiter_forker(iter_to_aiter(["19 °C", "20 °C", "22 °C"]));
    /// let dashboard = log.hub().subscribe_with(bound::skip(1));
    /// block_on(async {
    ///     assert_eq!(log.count().await, 3);
    ///     let seen: Vec<_> = dashboard.map(|seen| (seen.missed, seen.item)).collect().await;
    ///     assert_eq!(seen, [(2, "22 °C")]);
    /// });
    /// ```
    pub fn subscribe_with<C: Bound>(&self, bound: C) -> Fork<S, C>
    where
        S::Item: Clone + Sync,
    {
        self.join(false, bound)
    }

    /// As [`replay`](Self::replay), with a bound of the fork's own.
    ///
    /// # Progress
    /// As [`replay`](Self::replay).
    ///
    /// # Example
    /// ```
    /// use aiter_core::{aiter_forker_with, bound, iter_to_aiter};
    /// use futures_lite::{StreamExt, future::block_on};
    ///
    /// let lines = iter_to_aiter(["boot", "listening", "client connected", "client gone"]);
    /// let mut newest = aiter_forker_with(bound::skip(1).retain(2), lines);
    /// block_on(async {
    ///     while newest.next().await.is_some() {}
    ///     let log = newest.hub().replay_with(bound::unbounded());
    ///     assert_eq!(log.collect::<Vec<_>>().await, ["client connected", "client gone"]);
    /// });
    /// ```
    pub fn replay_with<C: Bound>(&self, bound: C) -> Fork<S, C>
    where
        S::Item: Clone + Sync,
    {
        self.join(true, bound)
    }

    fn join<C: Bound>(&self, replays: bool, bound: C) -> Fork<S, C>
    where
        S::Item: Clone + Sync,
    {
        let handle = self.handle.clone();
        let source = SourceRef {
            lock: handle.as_lock(),
            ring: handle.beside(),
        };
        let ring = handle
            .beside()
            .get()
            .unwrap_or_else(|| unreachable!("made with the first hub"));
        // After the end there is no place in the list.
        let reader = if ring.retained() > 0 || ring.is_closed() {
            None
        } else {
            let guard = handle.try_lock();
            guard.and_then(|mut guard| guard.with_value(ForkSource::subscribe))
        };
        let place = match reader {
            Some(reader) => bound.place_at(Parent::Reader(reader), source),
            None => {
                // First, because the place may have early items.
                self.shared().owe(RING);
                let place = bound.place_at(Parent::Late { ring, replays }, source);
                if ring.retained() == 0 {
                    // The holder of the source's lock gives the ring a reader before it pulls. Not
                    // asked for earlier: it could be done and undone before the place is there.
                    self.shared().owe(FEED);
                }
                place
            }
        };
        let active = Some(self.shared().register_active());
        Fork::new(handle, place, active)
    }

    /// The number of active forks. Passive ones only watch, and do not count.
    ///
    /// # Progress
    /// Wait-free.
    ///
    /// # Example
    /// ```
    /// use aiter_core::{aiter_forker, iter_to_aiter};
    ///
    /// let first = aiter_forker(iter_to_aiter(["hello", "bye"]));
    /// let chat = first.hub();
    /// let _second = chat.subscribe();
    /// assert_eq!(chat.readers(), 2);
    /// drop(first);
    /// assert_eq!(chat.readers(), 1);
    /// ```
    pub fn readers(&self) -> usize {
        self.shared().active()
    }

    /// Waits until there is no active fork.
    ///
    /// The future is ready if there is none in that poll. A fork may be made right after that, so
    /// check [`readers`](Self::readers) again before you act on it. Any number of tasks may wait,
    /// and all are woken.
    ///
    /// # Cancel safety
    /// Cancel safe: dropping the future loses nothing. It keeps the waker of its last pending poll
    /// until it completes or is dropped.
    ///
    /// # Progress
    /// Lock-free. The tasks are woken inside the call that drops the last active fork.
    ///
    /// # Example
    /// See [`Fork::hub`].
    pub fn idle(&self) -> HubIdle<'_, S, B> {
        HubIdle {
            hub: self,
            waiter: None,
        }
    }

    /// Waits until there is an active fork; see [`idle`](Self::idle).
    ///
    /// # Cancel safety
    /// As [`idle`](Self::idle).
    ///
    /// # Progress
    /// Lock-free. The tasks are woken inside the call that makes the first active fork.
    ///
    /// # Example
    /// See [`Fork::hub`].
    pub fn occupied(&self) -> HubOccupied<'_, S, B> {
        HubOccupied {
            hub: self,
            waiter: None,
        }
    }

    fn shared(&self) -> &ForkShared {
        self.handle.as_lock().shared()
    }
}

impl<S: Stream, B: Bound> Clone for Hub<S, B> {
    fn clone(&self) -> Self {
        Self {
            handle: self.handle.clone(),
            bound: self.bound,
        }
    }
}

impl<S: Stream, B: Bound> fmt::Debug for Hub<S, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hub")
            .field("readers", &self.readers())
            .finish_non_exhaustive()
    }
}

/// The future that [`Hub::idle`] returns.
#[must_use = "futures do nothing unless polled"]
pub struct HubIdle<'a, S: Stream, B: Bound = Unbounded> {
    hub: &'a Hub<S, B>,
    /// From the first pending poll on.
    waiter: Option<Waiter>,
}

/// The future that [`Hub::occupied`] returns.
#[must_use = "futures do nothing unless polled"]
pub struct HubOccupied<'a, S: Stream, B: Bound = Unbounded> {
    hub: &'a Hub<S, B>,
    /// From the first pending poll on.
    waiter: Option<Waiter>,
}

impl<S: Stream, B: Bound> Future for HubIdle<'_, S, B> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let Self { hub, waiter } = self.get_mut();
        let shared = hub.shared();
        shared.idle.poll_until(waiter, || shared.active() == 0, cx)
    }
}

impl<S: Stream, B: Bound> Future for HubOccupied<'_, S, B> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let Self { hub, waiter } = self.get_mut();
        let shared = hub.shared();
        let is_occupied = || shared.active() != 0;
        shared.occupied.poll_until(waiter, is_occupied, cx)
    }
}

impl<S: Stream, B: Bound> fmt::Debug for HubIdle<'_, S, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HubIdle").field("hub", self.hub).finish()
    }
}

impl<S: Stream, B: Bound> fmt::Debug for HubOccupied<'_, S, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HubOccupied")
            .field("hub", self.hub)
            .finish()
    }
}
