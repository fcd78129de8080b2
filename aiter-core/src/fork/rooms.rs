//! The room that the `wait` forks of a source leave: an item is pulled only while each of them has
//! fewer items to take than its `n`.
//!
//! | word | values | written by |
//! |---|---|---|
//! | a fork's position | the number of the item that it takes next | the fork |
//! | a fork's limit | its `n` | the fork when it is made; `set_wait` |
//! | `limit` | the `n` of the first fork, or of the last `set_wait` | `set_wait` |
//! | `mixed` | 0; 1: there were two limits at a time | 0 → 1: a fork with another limit, before it is registered |
//! | `full` | 0; 1: a fork found no room and has to be woken | 0 → 1: the holder of the source's lock; 1 → 0: a fork that makes room |
//!
//! A fork that finds no room makes the source idle until the next request `WOKEN`. The fork that
//! makes room sends that request.

use super::pull::{ForkShared, WOKEN};
use crate::{
    handoff::HandoffLock,
    list::ItemTail,
    sync::{Arc, AtomicUsize, Ordering, fence},
    wait::wait_set::{WaitSet, Waiter},
};

/// The state that all forks of a source share.
pub(super) struct Rooms {
    /// The forks. None of them waits here.
    forks: WaitSet,
    limit: AtomicUsize,
    mixed: AtomicUsize,
    full: AtomicUsize,
}

/// An item's number as a position, which has to be even.
fn position(number: usize) -> usize {
    number << 1
}

impl Rooms {
    pub(super) fn new(limit: usize) -> Self {
        Self {
            forks: WaitSet::new(),
            limit: AtomicUsize::new(limit),
            mixed: AtomicUsize::new(0),
            full: AtomicUsize::new(0),
        }
    }

    /// Whether each fork has fewer items to take than its `n`. This is lock-free: it looks again if
    /// a fork came meanwhile.
    pub(super) fn is_room(&self, tail: ItemTail) -> bool {
        self.forks.fold(
            || true,
            |is_room, at, limit| *is_room &= tail.items_from(at >> 1) < limit,
        )
    }

    /// Whether an item may be pulled. If not, the fork that makes room has the source polled again.
    /// The caller holds the source's lock.
    pub(super) fn has_room(&self, tail: ItemTail) -> bool {
        if self.is_room(tail) {
            return true;
        }
        self.full.store(1, Ordering::Relaxed);
        // Ordering: SeqCst pairs with the fence in `Room::announce`.
        fence(Ordering::SeqCst);
        let has_room = self.is_room(tail);
        if has_room {
            // A fork that has seen `full` meanwhile has the source polled needlessly, which is
            // harmless.
            self.full.store(0, Ordering::Relaxed);
        }
        has_room
    }

    /// Sets the limit of all forks.
    fn set_limits(&self, limit: usize) {
        self.limit.store(limit, Ordering::Relaxed);
        // If two threads set it at once, the limit that comes later reaches all forks.
        loop {
            let limit = self.limit.load(Ordering::Relaxed);
            let is_set = self.forks.set_limits(limit);
            if is_set && self.limit.load(Ordering::Relaxed) == limit {
                return;
            }
        }
    }
}

/// A `wait` fork's place among those that leave room.
pub(super) struct Room {
    // In this order: a fork that is dropped makes room if it was the slowest, and announces that
    // after it has left the set.
    waiter: Waiter,
    announcer: Announcer,
}

struct Announcer(Arc<HandoffLock<ForkShared>>);

impl Room {
    /// The place of a fork that takes the item with this number next.
    pub(super) fn new(lock: &Arc<HandoffLock<ForkShared>>, number: usize, limit: usize) -> Self {
        let rooms = lock.shared().rooms_or_make(limit);
        if rooms.limit.load(Ordering::Relaxed) != limit {
            // Ordering: Relaxed. The registration that follows releases it to the forks that see
            // this one; see `makes_room`.
            rooms.mixed.store(1, Ordering::Relaxed);
        }
        Self {
            waiter: rooms.forks.add_at(position(number), limit),
            announcer: Announcer(lock.clone()),
        }
    }

    /// The place of another fork, with the same limit.
    pub(super) fn fork(&self, number: usize) -> Self {
        Self {
            waiter: self.waiter.another(position(number)),
            announcer: Announcer(self.announcer.0.clone()),
        }
    }

    /// The fork has taken the item before this number, and so it may have made room. `is_alone` if
    /// no other fork can wait for that.
    pub(super) fn pass(&mut self, number: usize, tail: impl FnOnce() -> ItemTail, is_alone: bool) {
        self.waiter.set_position(position(number));
        if is_alone {
            return;
        }
        let Self { waiter, announcer } = self;
        let was_at = position(number.wrapping_sub(1));
        announcer.announce(|rooms| makes_room(rooms, waiter, was_at) && rooms.is_room(tail()));
    }

    /// As [`pass`](Self::pass) after a panic, whatever the others do.
    pub(super) fn pass_in_panic(&mut self, number: usize) {
        self.waiter.set_position(position(number));
        self.announcer.announce(|_| true);
    }

    /// The fork's own limit.
    pub(super) fn limit(&self) -> usize {
        self.waiter.limit()
    }

    pub(super) fn is_full(&self, tail: ItemTail) -> bool {
        !self.announcer.rooms().is_room(tail)
    }

    pub(super) fn set_limits(&self, limit: usize, tail: ItemTail) {
        self.announcer.rooms().set_limits(limit);
        self.announcer.announce(|rooms| rooms.is_room(tail));
    }
}

/// Whether this fork, which has left the position `was_at`, may have been the last one to do so.
///
/// Only the last fork to pass an item makes room. If several pass it at once, the last of them to
/// execute the fence in `announce` sees that all others have passed it. That holds while all limits
/// are equal. A fork behind this one that has a larger limit is no reason not to look.
fn makes_room(rooms: &Rooms, waiter: &mut Waiter, was_at: usize) -> bool {
    if waiter.is_last_at(was_at) {
        return true;
    }
    // Ordering: Acquire pairs with the registration of the fork that was seen: if its limit differs
    // this thread sees `mixed`.
    fence(Ordering::Acquire);
    rooms.mixed.load(Ordering::Relaxed) != 0
}

impl Announcer {
    fn rooms(&self) -> &Rooms {
        let rooms = self.0.shared().rooms();
        rooms.unwrap_or_else(|| unreachable!("the first `wait` fork makes them"))
    }

    /// Has the source polled again if a fork found no room. Called after a step that may have made
    /// room; `is_there` tells whether it did.
    fn announce(&self, is_there: impl FnOnce(&Rooms) -> bool) {
        let rooms = self.rooms();
        // Ordering: SeqCst, between the step that made room and the load of `full`. Pairs with the
        // fence in `has_room`: either this thread sees that a fork found no room, or that fork sees
        // the room.
        fence(Ordering::SeqCst);
        if rooms.full.load(Ordering::Relaxed) != 0
            && is_there(rooms)
            // Ordering: Relaxed, the request that follows orders it. Of several forks that make
            // room, one sends the request.
            && rooms.full.swap(0, Ordering::Relaxed) != 0
        {
            self.0.notify(WOKEN);
        }
    }
}

/// A fork that is dropped makes room if it was the slowest.
impl Drop for Announcer {
    fn drop(&mut self) {
        self.announce(|_| true);
    }
}
