//! `wait(n)`: an item is pulled only while the slowest fork has fewer than `n` items to take.
//!
//! | word | values | written by |
//! |---|---|---|
//! | `limit` | `n` | `set_wait` |
//! | `full` | 0; 1: a fork found no room and has to be woken | 0 → 1: the holder of the lock; 1 → 0: a fork that makes room |
//!
//! A fork that finds no room makes the source idle until the next request `WOKEN`. The fork that
//! makes room sends that request.

use super::{
    bound::{Bound, MakePlace, Wait, Yields},
    place::{ForkPlace, NextItem},
    pull::{ForkShared, WOKEN},
};
use crate::{
    Statistics,
    handoff::HandoffLock,
    list::Reader,
    sync::{Arc, AtomicUsize, Ordering, fence},
};
use core::task::Waker;
use scopeguard::ScopeGuard;

impl Bound for Wait {}

impl Yields for Wait {
    type Item<T> = T;
}

impl MakePlace for Wait {
    type Place<T> = WaitCursor<T>;

    fn first_place<T>(
        self,
        reader: Reader<T>,
        lock: &Arc<HandoffLock<ForkShared>>,
    ) -> WaitCursor<T> {
        WaitCursor::new(self.0, reader, lock.clone())
    }
}

/// A place in the list that also keeps account of room.
pub(crate) struct WaitCursor<T> {
    // In this order: room is announced after the reader has been dropped.
    reader: Reader<T>,
    room: Room,
}

struct Room(Arc<WaitShared>);

/// The state that all forks share.
struct WaitShared {
    limit: AtomicUsize,
    full: AtomicUsize,
    lock: Arc<HandoffLock<ForkShared>>,
}

impl Room {
    fn limit(&self) -> usize {
        // Ordering: Relaxed, a store of a new limit is followed by `announce`.
        self.0.limit.load(Ordering::Relaxed)
    }

    /// Has the source polled again if a fork found no room. Called after a step that may have made
    /// room; `is_there` tells whether it did.
    fn announce(&self, is_there: impl FnOnce() -> bool) {
        // Ordering: SeqCst, between the step that made room and the load of `full`. Pairs with the
        // fence in `has_room`: either this thread sees that a fork found no room, or that fork sees
        // the room.
        fence(Ordering::SeqCst);
        if self.0.full.load(Ordering::Relaxed) != 0
            && is_there()
            // Ordering: Relaxed, the request that follows orders it. Of several forks that make
            // room, one sends the request.
            && self.0.full.swap(0, Ordering::Relaxed) != 0
        {
            self.0.lock.notify(WOKEN);
        }
    }
}

/// A fork that is dropped makes room if it was the slowest.
impl Drop for Room {
    fn drop(&mut self) {
        self.announce(|| true);
    }
}

impl<T> WaitCursor<T> {
    fn new(limit: usize, reader: Reader<T>, lock: Arc<HandoffLock<ForkShared>>) -> Self {
        let shared = WaitShared {
            limit: AtomicUsize::new(limit),
            full: AtomicUsize::new(0),
            lock,
        };
        Self {
            reader,
            room: Room(Arc::new(shared)),
        }
    }

    pub(super) fn set_limit(&self, limit: usize) {
        self.room.0.limit.store(limit, Ordering::Relaxed);
        self.room.announce(|| !self.is_full());
    }

    /// Whether the slowest fork has as many items to take as the bound allows.
    pub(super) fn is_full(&self) -> bool {
        self.reader.statistics().lag >= self.room.limit()
    }
}

impl<T> ForkPlace<T> for WaitCursor<T> {
    type Item = T;

    fn is_alone(&self) -> bool {
        self.reader.is_alone()
    }

    #[inline]
    fn next(&mut self, waker: &Waker) -> NextItem<T> {
        // If the clone of an item panics, this fork has passed the item and may have made room.
        let unwind = scopeguard::guard(&self.room, |room| room.announce(|| true));
        let found = match self.reader.next_fast() {
            Some(item) => NextItem::Item(item),
            None => ForkPlace::next(&mut self.reader, waker),
        };
        ScopeGuard::into_inner(unwind);
        if !self.reader.is_alone() {
            // Only the last fork to pass an item makes room. If several pass it at once, the last
            // of them to execute the fence in `announce` sees that all others have passed it.
            self.room
                .announce(|| !self.reader.was_followed() && !self.is_full());
        }
        found
    }

    fn at_tail(&self) -> bool {
        self.reader.at_tail()
    }

    fn at_end(&self) -> bool {
        self.reader.at_end()
    }

    fn has_room(&mut self) -> bool {
        if self.reader.lead() < self.room.limit() {
            return true;
        }
        self.room.0.full.store(1, Ordering::Relaxed);
        // Ordering: SeqCst pairs with the fence in `Room::announce`.
        fence(Ordering::SeqCst);
        let has_room = self.reader.lead() < self.room.limit();
        if has_room {
            // A fork that has seen `full` meanwhile has the source polled needlessly, which is
            // harmless.
            self.room.0.full.store(0, Ordering::Relaxed);
        }
        has_room
    }

    fn bypass(&mut self, item: T) -> T {
        item
    }

    fn is_closed(&self) -> bool {
        self.reader.is_closed()
    }

    fn lag(&self) -> usize {
        self.reader.lag()
    }

    fn statistics(&self) -> Statistics {
        self.reader.statistics()
    }

    fn fork(&mut self) -> Self
    where
        T: Clone + Sync,
    {
        Self {
            reader: self.reader.fork(),
            room: Room(self.room.0.clone()),
        }
    }
}
