//! [`BoundedPusher`]: the end of a bounded list that items are pushed into.

use super::{
    BoundedAiter, BoundedPush, OwnedPermit, Permit, Reserve, ReserveOwned, waiters::Shared,
};
use crate::{PushError, Statistics, error::Stopped, list::Writer, sync::Arc};
use core::fmt;
use scopeguard::{ScopeGuard, guard};

/// The end of a [bounded list](super::push_aiter_bounded) that items are pushed into. Clone it to
/// push from several places.
///
/// Dropping the last one stops the list, once no [`OwnedPermit`] and no [`ReserveOwned`] is left
/// either: those keep it open as a pusher does.
pub struct BoundedPusher<T> {
    pub(super) writer: Writer<T>,
    pub(super) shared: Arc<Shared<T>>,
}

impl<T> BoundedPusher<T> {
    pub(super) fn new(writer: Writer<T>, shared: Arc<Shared<T>>) -> Self {
        Self { writer, shared }
    }

    pub(super) fn shared(&self) -> &Shared<T> {
        &self.shared
    }

    /// Appends an item for which a place was taken. The place of an item that is refused is of no
    /// use to anybody, because a list that was stopped stays so.
    #[inline]
    pub(super) fn push_admitted(&self, item: T) -> Result<(), Stopped<T>> {
        self.writer.push(item).map_err(Stopped)
    }

    /// Appends an item, as soon as there is room for it.
    ///
    /// # Errors
    /// The future gives the item back after [`stop`](Self::stop), or if no consumer is left, also
    /// if it was waiting.
    ///
    /// # Cancel safety
    /// A future that is dropped before it is ready has pushed nothing: the item is dropped with it,
    /// its place in the queue is given up, and the next pusher does not wait for it. To keep the
    /// item, [`reserve`](Self::reserve) first. A future that waits and is neither polled nor
    /// dropped keeps its turn, and those behind it wait.
    ///
    /// # Progress
    /// Without a wait as [`try_push`](Self::try_push). A wait allocates a few words. With the
    /// feature `std`, a push that finds no room may look up to four times more, 40 [spin-loop
    /// hints](core::hint::spin_loop) apart, if that has helped on this list lately.
    ///
    /// # Example
    /// ```
    /// # use futures_lite::future::{block_on, poll_once};
    /// let (pusher, mut aiter) = aiter_core::push_aiter_bounded(1);
    /// block_on(async {
    ///     pusher.push('a').await.unwrap();
    ///     let mut second = Box::pin(pusher.push('b'));
    ///     assert!(poll_once(&mut second).await.is_none());
    ///     assert_eq!(aiter.try_next(), Ok('a'));
    ///     second.await.unwrap();
    /// });
    /// assert_eq!(aiter.try_next(), Ok('b'));
    /// ```
    #[inline]
    pub fn push(&self, item: T) -> BoundedPush<'_, T> {
        BoundedPush::new(self, item)
    }

    /// Appends an item if there is room for it now, and nobody waits for that room.
    ///
    /// # Errors
    /// [`PushError::Full`] if `n` items wait or are reserved for, or if the room that is there is
    /// for pushers that wait. [`PushError::Stopped`] after [`stop`](Self::stop), or if no consumer
    /// is left. Both give the item back. The room of a pusher that is cancelled while it waits may
    /// seem to be taken a moment longer, if another thread serves the queue just then.
    ///
    /// # Progress
    /// Lock-free. If the list looks full, it looks at the position of each consumer. For the rest
    /// see [`Pusher::push`](crate::Pusher::push).
    ///
    /// # Example
    /// ```
    /// # use aiter_core::PushError;
    /// let (pusher, mut aiter) = aiter_core::push_aiter_bounded(1);
    /// assert_eq!(pusher.try_push(1), Ok(()));
    /// assert_eq!(pusher.try_push(2), Err(PushError::Full(2)));
    /// assert_eq!(aiter.try_next(), Ok(1));
    /// assert_eq!(pusher.try_push(3), Ok(()));
    /// drop(aiter);
    /// assert_eq!(pusher.try_push(4), Err(PushError::Stopped(4)));
    /// ```
    #[inline]
    pub fn try_push(&self, item: T) -> Result<(), PushError<T>> {
        if self.shared.places().try_take() {
            self.push_admitted(item)
                .map_err(|Stopped(item)| PushError::Stopped(item))
        } else {
            Err(self.refused(item))
        }
    }

    /// The error of a push that found no place.
    #[cold]
    fn refused<U>(&self, item: U) -> PushError<U> {
        if self.is_stopped() {
            PushError::Stopped(item)
        } else {
            PushError::Full(item)
        }
    }

    /// Waits for room for one item, and keeps it free until the returned [`Permit`] is used or
    /// dropped.
    ///
    /// Use it where an item should be made only when there is room for it, or must not be lost if
    /// the wait is cancelled: `select!` on the permit, and push the item then.
    ///
    /// # Errors
    /// As [`push`](Self::push), without an item.
    ///
    /// # Cancel safety
    /// As [`push`](Self::push), and there is no item to lose. A permit that was already given to a
    /// future that is dropped goes to the next.
    ///
    /// # Progress
    /// As [`push`](Self::push).
    ///
    /// # Example
    /// ```
    /// # use futures_lite::future::block_on;
    /// let (pusher, aiter) = aiter_core::push_aiter_bounded(1);
    /// let permit = block_on(pusher.reserve()).unwrap();
    /// // Nobody else can take that place.
    /// assert!(pusher.try_push("other").is_err());
    /// permit.push("mine").unwrap();
    /// assert!(aiter.available_iter().eq(&["mine"]));
    /// ```
    #[inline]
    pub fn reserve(&self) -> Reserve<'_, T> {
        Reserve::new(self)
    }

    /// Reserves room for one item if there is room now, and nobody waits for it.
    ///
    /// # Errors
    /// As [`try_push`](Self::try_push), without an item. A permit that was given before the list
    /// was stopped, or to a call that runs at that moment, may still be refused when it is used.
    ///
    /// # Progress
    /// As [`try_push`](Self::try_push).
    #[inline]
    pub fn try_reserve(&self) -> Result<Permit<'_, T>, PushError<()>> {
        self.take_place().map(|()| Permit::new(self))
    }

    /// As [`reserve`](Self::reserve), with a future and a permit that borrow nothing: for permits
    /// that are stored, or sent to another task. They keep the list open as a pusher does.
    ///
    /// # Errors
    /// As [`reserve`](Self::reserve).
    ///
    /// # Cancel safety
    /// As [`reserve`](Self::reserve).
    ///
    /// # Progress
    /// As [`push`](Self::push), and it clones the pusher.
    ///
    /// # Example
    /// ```
    /// # use futures_lite::future::block_on;
    /// let (pusher, aiter) = aiter_core::push_aiter_bounded(8);
    /// // At most eight connections are open or wait to be served.
    /// let slot = block_on(pusher.reserve_owned()).unwrap();
    /// std::thread::spawn(move || slot.push("connection").unwrap()).join().unwrap();
    /// assert_eq!(aiter.len(), 1);
    /// ```
    pub fn reserve_owned(&self) -> ReserveOwned<T> {
        ReserveOwned::new(self.clone())
    }

    /// As [`try_reserve`](Self::try_reserve), with a permit that borrows nothing.
    ///
    /// # Errors
    /// As [`try_reserve`](Self::try_reserve).
    ///
    /// # Progress
    /// As [`try_push`](Self::try_push).
    pub fn try_reserve_owned(&self) -> Result<OwnedPermit<T>, PushError<()>> {
        self.take_place().map(|()| OwnedPermit::new(self.clone()))
    }

    #[inline]
    fn take_place(&self) -> Result<(), PushError<()>> {
        if !self.shared.places().try_take() {
            return Err(self.refused(()));
        }
        if self.is_stopped() {
            return Err(PushError::Stopped(()));
        }
        Ok(())
    }

    /// Ends the list, and wakes the consumers and the pushers that wait. Consumers receive the
    /// items that were pushed before, then the end; pushers get their items back.
    ///
    /// A stop does not wait for permits: to [push](Permit::push) with one is refused from then on.
    /// It is linearizable against pushes, as [`Pusher::stop`](crate::Pusher::stop) is.
    ///
    /// # Progress
    /// Lock-free. It looks at each pusher that waits, unless another thread does so at this moment
    /// and wakes them.
    ///
    /// # Example
    /// ```
    /// # use aiter_core::TryNextError;
    /// let (pusher, mut aiter) = aiter_core::push_aiter_bounded(2);
    /// pusher.try_push(1).unwrap();
    /// let permit = pusher.try_reserve().unwrap();
    /// pusher.stop();
    /// assert_eq!(permit.push(2).unwrap_err().0, 2);
    /// assert_eq!(aiter.try_next(), Ok(1));
    /// assert_eq!(aiter.try_next(), Err(TryNextError::Ended));
    /// ```
    pub fn stop(&self) {
        // Also if a consumer's waker panics.
        let _announce = guard(&self.shared, |shared| shared.announce(|| true));
        self.writer.close();
    }

    /// Whether the list refuses pushes: it was [stopped](Self::stop), or has no consumer left.
    ///
    /// # Progress
    /// Wait-free.
    pub fn is_stopped(&self) -> bool {
        self.writer.is_closed()
    }

    /// Creates a consumer, which receives the items that are pushed from here on, and holds pushers
    /// up from here on.
    ///
    /// See [`Pusher::subscribe`](crate::Pusher::subscribe) for the details.
    ///
    /// # Progress
    /// As [`try_push`](Self::try_push). It allocates a few words for every few consumers.
    ///
    /// # Example
    /// ```
    /// let (pusher, first) = aiter_core::push_aiter_bounded(2);
    /// pusher.try_push(1).unwrap();
    /// let late = pusher.subscribe();
    /// pusher.try_push(2).unwrap();
    /// assert!(first.available_iter().eq(&[1, 2]));
    /// assert!(late.available_iter().eq(&[2]));
    /// ```
    pub fn subscribe(&self) -> BoundedAiter<T>
    where
        T: Clone + Sync,
    {
        // If the waker of another consumer panics, this consumer is dropped, and may be the last.
        let announce = guard(&self.shared, |shared| shared.announce(|| true));
        let reader = self.writer.subscribe_exact();
        let shared = ScopeGuard::into_inner(announce).clone();
        BoundedAiter::new(reader, shared)
    }

    /// A snapshot of the list's counters, for metrics. Permits are not in it.
    ///
    /// # Progress
    /// Wait-free; it loads one word for each consumer.
    pub fn statistics(&self) -> Statistics {
        self.writer.statistics()
    }
}

impl<T> Clone for BoundedPusher<T> {
    fn clone(&self) -> Self {
        Self::new(self.writer.clone(), self.shared.clone())
    }
}

impl<T> fmt::Debug for BoundedPusher<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BoundedPusher")
            .field("is_stopped", &self.is_stopped())
            .field("statistics", &self.statistics())
            .finish()
    }
}
