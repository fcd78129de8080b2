//! [`BoundedAiter`]: the end of a bounded list that yields the items.

use super::waiters::Shared;
use crate::{
    AvailableIter, Statistics, TryNextError,
    list::{Position, Reader},
    sync::{Arc, Ordering, fence},
};
use core::{
    fmt,
    pin::Pin,
    task::{Context, Poll},
};
use futures_core::{FusedStream, Stream};
use scopeguard::ScopeGuard;

/// The end of a [bounded list](super::push_aiter_bounded) that yields its items as a [`Stream`],
/// one by one or [many at once](Self::next_many).
///
/// It is a [`PushAiter`](crate::PushAiter) in all that this page does not say. An item that the
/// slowest consumer has taken makes room for another one, and wakes the first pusher that waits; so
/// does a consumer that is dropped, if the others are ahead of it. Dropping the last consumer stops
/// the list, and pushers that wait get their items back.
///
/// # Panics
/// If `T::clone` panics, the consumer has passed the item, as in an unbounded list, and the room is
/// made. A panic of a pusher's waker reaches the poll that made room for it, after all other wakes;
/// the item that this poll has taken is dropped.
///
/// # Cancel safety
/// Cancel safe, as a [`PushAiter`](crate::PushAiter).
///
/// # Progress
/// As a [`PushAiter`](crate::PushAiter). While pushers wait, an item that makes room costs two
/// read-modify-writes and the wake more.
///
/// # Example
/// ```
/// use aiter_core::push_aiter_bounded;
///
/// let (pusher, mut aiter) = push_aiter_bounded(1);
/// let mut slow = aiter.fork();
/// pusher.try_push("job").unwrap();
/// assert_eq!(aiter.try_next(), Ok("job"));
/// // The fork has yet to take it.
/// assert!(pusher.try_push("next").is_err());
/// assert_eq!(slow.try_next(), Ok("job"));
/// pusher.try_push("next").unwrap();
/// ```
#[must_use = "streams do nothing unless polled"]
pub struct BoundedAiter<T> {
    // In this order: room is announced after the reader has been dropped.
    reader: Reader<T>,
    room: Room<T>,
}

struct Room<T> {
    shared: Arc<Shared<T>>,
    /// The number of the item that the reader would have taken next when it was dropped.
    left_at: Option<usize>,
}

impl<T> Drop for BoundedAiter<T> {
    fn drop(&mut self) {
        self.room.left_at = Some(self.reader.number());
    }
}

/// A consumer that is dropped makes room if it was the slowest, and stops the list if it was the
/// last.
impl<T> Drop for Room<T> {
    fn drop(&mut self) {
        let Self { shared, left_at } = self;
        shared.announce(|| {
            // Ordering: SeqCst, between the end of the reader's registration and the look at the
            // others. If several of the slowest are dropped at once, the last of them to execute
            // this fence finds none of the others.
            fence(Ordering::SeqCst);
            !left_at.is_some_and(|number| shared.places().is_followed_at(number))
        });
    }
}

impl<T> Room<T> {
    fn new(shared: Arc<Shared<T>>) -> Self {
        let left_at = None;
        Self { shared, left_at }
    }

    /// Tells the pushers that wait that the reader may have made room since it was at `from`.
    #[inline]
    fn announce(&self, reader: &Reader<T>, from: Position) {
        self.shared.announce(|| may_make_room(reader, from));
    }
}

/// Whether the reader may have been the last to pass an item since it was at `from`. A reader that
/// it sees behind the *last* of several items that it has taken may have passed the first of them
/// meanwhile.
fn may_make_room<T>(reader: &Reader<T>, from: Position) -> bool {
    if reader.is_alone() {
        return true;
    }
    // Ordering: SeqCst, between the publication of this reader's position and the look at that of
    // another one. If several readers pass an item at once, the last of them to execute this fence
    // sees that the others have passed it.
    fence(Ordering::SeqCst);
    !reader.was_followed(from)
}

impl<T> BoundedAiter<T> {
    pub(super) fn new(reader: Reader<T>, shared: Arc<Shared<T>>) -> Self {
        let room = Room::new(shared);
        Self { reader, room }
    }

    /// Creates another consumer, which yields the same items from here on. Both count: at most `n`
    /// items wait for the slower of the two.
    ///
    /// See [`PushAiter::fork`](crate::PushAiter::fork) for the details.
    ///
    /// # Panics
    /// A panic of `T::clone` reaches the consumer that polled. That consumer loses the item, and
    /// the others still receive it.
    ///
    /// # Progress
    /// O(1) and lock-free. It allocates a few words for every few consumers.
    pub fn fork(&mut self) -> Self
    where
        T: Clone + Sync,
    {
        Self {
            reader: self.reader.fork(),
            room: Room::new(self.room.shared.clone()),
        }
    }

    /// The same as [`fork`](Self::fork). A passive consumer causes no pushes, and a bounded list
    /// has no [preflight](crate::push_aiter_with) by which a consumer could. A passive fork holds
    /// pushers up as any other does.
    pub fn fork_passive(&mut self) -> Self
    where
        T: Clone + Sync,
    {
        self.fork()
    }

    /// Takes the next item if one is available, without waiting.
    ///
    /// # Errors
    /// [`TryNextError::Empty`] if no item is available now, [`TryNextError::Ended`] if none will
    /// come any more.
    ///
    /// # Progress
    /// As polling.
    #[inline]
    pub fn try_next(&mut self) -> Result<T, TryNextError> {
        if let Some(item) = self.take_moved() {
            return Ok(item);
        }
        match self.take(Reader::next) {
            Poll::Ready(Some(item)) => Ok(item),
            Poll::Pending => Err(TryNextError::Empty),
            Poll::Ready(None) => Err(TryNextError::Ended),
        }
    }

    /// Kept out of line, so that the fast path inlines into the caller.
    #[inline(never)]
    fn poll_slow(&mut self, cx: &mut Context<'_>) -> Poll<Option<T>> {
        self.take(|reader| reader.poll_next_inline(cx))
    }

    /// Takes an item that no other consumer has still to take, which makes room.
    #[inline]
    fn take_moved(&mut self) -> Option<T> {
        let item = self.reader.next_moved()?;
        self.room.shared.announce(|| true);
        Some(item)
    }

    /// Takes items, or passes one in a panic of its clone, and tells of the room.
    #[inline]
    pub(super) fn take<R>(&mut self, next: impl FnOnce(&mut Reader<T>) -> R) -> R {
        let Self { reader, room } = self;
        let from = reader.position();
        let mut reader = scopeguard::guard(reader, |reader| room.announce(reader, from));
        let taken = next(&mut reader);
        let reader = ScopeGuard::into_inner(reader);
        // Also if there was none: it may have passed slots without an item.
        room.announce(reader, from);
        taken
    }

    /// Iterates over the items that are available now, without taking them. It also yields items
    /// that are pushed while the iterator is in use.
    ///
    /// # Progress
    /// Each step is wait-free.
    pub fn available_iter(&self) -> AvailableIter<'_, T> {
        AvailableIter::new(self.reader.peek())
    }

    /// How many items are available now. See [`PushAiter::len`](crate::PushAiter::len).
    pub fn len(&self) -> usize {
        self.reader.peek().count_to(usize::MAX)
    }

    /// Whether no item is available now. More may come, unless the aiter [is
    /// terminated](FusedStream::is_terminated).
    pub fn is_empty(&self) -> bool {
        !self.is_item_available()
    }

    /// Whether an item is available now.
    pub fn is_item_available(&self) -> bool {
        self.is_len_at_least(1)
    }

    /// Whether at least `n` items are available now. It stops counting at `n`.
    pub fn is_len_at_least(&self, n: usize) -> bool {
        self.reader.peek().count_to(n) == n
    }

    /// Whether the list was [stopped](super::BoundedPusher::stop). Items that were pushed before
    /// may still be available.
    pub fn is_stopped(&self) -> bool {
        self.reader.is_closed()
    }

    /// A snapshot of the counters of the list, with all its consumers.
    pub fn statistics(&self) -> Statistics {
        self.reader.statistics()
    }
}

impl<T> Stream for BoundedAiter<T> {
    type Item = T;

    #[inline]
    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<T>> {
        let this = self.get_mut();
        match this.take_moved() {
            Some(item) => Poll::Ready(Some(item)),
            None => this.poll_slow(cx),
        }
    }

    /// The number of available items, up to a thousand: counting more would take too long.
    fn size_hint(&self) -> (usize, Option<usize>) {
        const MOST: usize = 1000;
        let len = self.reader.peek().count_to(MOST);
        (len, self.is_terminated().then_some(0))
    }
}

impl<T> FusedStream for BoundedAiter<T> {
    fn is_terminated(&self) -> bool {
        self.reader.is_ended()
    }
}

impl<T> fmt::Debug for BoundedAiter<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BoundedAiter")
            .field("is_stopped", &self.is_stopped())
            .field("statistics", &self.statistics())
            .finish()
    }
}
