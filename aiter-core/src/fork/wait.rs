//! `wait(n)`: room for one more item, as long as the slowest fork has fewer than `n` to take.
//!
//! | word | values | written by |
//! |---|---|---|
//! | `limit` | `n` | whoever sets it |
//! | `full` | 0; 1: a fork found no room, and is to be told | the holder of the baton: 0 → 1; who makes room: 1 → 0 |
//!
//! Who finds no room counts as one whose source is idle: the source is left alone until the next note that it woke, which
//! is what the fork that made room leaves.

use super::{
    place::{Found, Place},
    pull::{ForkShared, WOKEN},
};
use crate::{
    Statistics,
    handoff::HandoffLock,
    list::Reader,
    sync::{Arc, AtomicUsize, Ordering, fence},
};
use core::{mem, task::Waker};

/// A place in the list, with room kept in mind.
pub(crate) struct WaitCursor<T> {
    // In this order: room is made when the reader is gone.
    reader: Reader<T>,
    room: Room,
}

struct Room(Arc<Shared>);

struct Shared {
    limit: AtomicUsize,
    full: AtomicUsize,
    shared: Arc<HandoffLock<ForkShared>>,
}

impl Room {
    fn limit(&self) -> usize {
        // Ordering: Relaxed, a new limit is followed by `made`.
        self.0.limit.load(Ordering::Relaxed)
    }

    /// Has the source looked at again, if a fork found no room. Called after what may have made room.
    fn made(&self, is_there: impl FnOnce() -> bool) {
        // Ordering: SeqCst, between what made room and the look at `full`, pairs with the fence in `has_room`: either
        // this sees that somebody found no room, or that one sees what was done.
        fence(Ordering::SeqCst);
        if self.0.full.load(Ordering::Relaxed) != 0
            && is_there()
            // Ordering: Relaxed, the note that follows orders it. Of several who make room one tells.
            && self.0.full.swap(0, Ordering::Relaxed) != 0
        {
            self.0.shared.tell(WOKEN);
        }
    }
}

/// A fork that goes makes room if it was the slowest.
impl Drop for Room {
    fn drop(&mut self) {
        self.made(|| true);
    }
}

impl<T> WaitCursor<T> {
    pub(super) fn new(
        limit: usize,
        reader: Reader<T>,
        shared: Arc<HandoffLock<ForkShared>>,
    ) -> Self {
        let handle = Shared {
            limit: AtomicUsize::new(limit),
            full: AtomicUsize::new(0),
            shared,
        };
        Self {
            reader,
            room: Room(Arc::new(handle)),
        }
    }

    pub(super) fn set_limit(&self, limit: usize) {
        self.room.0.limit.store(limit, Ordering::Relaxed);
        self.room.made(|| !self.is_full());
    }

    /// Whether the slowest fork has as many items to take as it may.
    pub(super) fn is_full(&self) -> bool {
        self.reader.statistics().lag >= self.room.limit()
    }
}

impl<T> Place<T> for WaitCursor<T> {
    type Item = T;

    fn is_alone(&self) -> bool {
        self.reader.is_alone()
    }

    #[inline]
    fn next(&mut self, waker: &Waker) -> Found<T> {
        /// Tells of the room that an item makes which is lost to a panic of its clone.
        struct OnUnwind<'a>(&'a Room);
        impl Drop for OnUnwind<'_> {
            fn drop(&mut self) {
                self.0.made(|| true);
            }
        }
        let unwind = OnUnwind(&self.room);
        let found = match self.reader.next_fast() {
            Some(item) => Found::Item(item),
            None => Place::next(&mut self.reader, waker),
        };
        mem::forget(unwind);
        if !self.reader.is_alone() {
            // Only the last one to pass an item makes room. Of several that pass it at once, the
            // last to execute the fence in `made` sees that all others have passed it.
            self.room
                .made(|| !self.reader.was_followed() && !self.is_full());
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
        // Ordering: SeqCst pairs with the fence in `Room::made`.
        fence(Ordering::SeqCst);
        let has_room = self.reader.lead() < self.room.limit();
        if has_room {
            // Who has seen it meanwhile has the source polled in vain; that is all.
            self.room.0.full.store(0, Ordering::Relaxed);
        }
        has_room
    }

    fn direct(&mut self, item: T) -> T {
        item
    }

    fn is_closed(&self) -> bool {
        self.reader.is_closed()
    }

    fn count(&self) -> usize {
        self.reader.count()
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
