//! A ring: a buffer of the latest items of a list, for readers that may miss some.
//!
//! | file | contents |
//! |---|---|
//! | [`mod@buffer`] | the buffer, which the lock guards |
//! | [`mod@cursor`] | a reader's place: the number of the item that it takes next |
//! | this file | the ring, its lock, and how a reader joins it |
//!
//! A ring has one reader of the list, its *feed*. The thread that holds the ring's [`HandoffLock`]
//! transfers what has come into the list. An item leaves the ring when every cursor has passed it,
//! or when it is the oldest and the ring is full. So nothing has to be done to a cursor for it to
//! miss items, and one that is never polled keeps no more items than the ring's capacity: the
//! largest `n` of its cursors. `aiter-core/docs/design/ring.md` has the states, the orderings and
//! the proofs.

mod buffer;
mod cursor;
mod hub;

pub(crate) use cursor::{Detached, Found, RingCursor};

use crate::{
    Statistics,
    handoff::{Combine, Deposits, Guard, HandoffLock, REQUESTS},
    list::{Observer, Reader, Writer, numbers_apart},
    sync::{Arc, AtomicUsize, AtomicWord, OnceBox, Ordering, Word, truncate},
    wait::wait_set::WaitSet,
};
use alloc::collections::VecDeque;
use buffer::{Join, RingBuffer};

/// Request: a cursor found the lock held and waits to be woken.
const SERVE: usize = REQUESTS[0];
/// Request: a cursor was dropped. Drop the items that every other one has passed.
const LEFT: usize = REQUESTS[1];
/// Request: something has come into the list, or a reader joins.
const TRANSFER: usize = REQUESTS[2];

/// An item's number as a waiter's position, which has to be even.
fn position(index: u64) -> usize {
    (index as usize) << 1
}

/// How many items the position `to` is ahead of `from`. Correct as long as that is less than a
/// quarter of the range of `usize`.
fn distance(from: usize, to: usize) -> usize {
    (to.wrapping_sub(from) as isize >> 1).max(0) as usize
}

/// The ring as pushing threads and joining readers see it.
pub(crate) struct Ring<T>(Arc<HandoffLock<RingShared<T>>>);

impl<T> Clone for Ring<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

/// The state that all threads access without the lock.
pub(crate) struct RingShared<T> {
    observer: Observer<T>,
    /// The number of cursors. Each of them occupies memory in `waiters`, so the counter cannot
    /// overflow.
    cursors: AtomicUsize,
    /// The number after that of the last item in the buffer. Written with the lock held.
    end: AtomicWord,
    /// The [registration](Reader::registration) of the feed, or 0. Written with the lock held.
    feed: AtomicUsize,
    /// All cursors, each at the number of the item that it takes next, with its `n` as the limit.
    waiters: WaitSet,
    /// The readers that join, and the limits that the capacity has to be raised to.
    joins: Deposits<Join<T>>,
    /// Not 0 if the thread that released the lock has to transfer once more.
    is_behind: AtomicUsize,
    /// How many of the latest items stay, also when every cursor has passed them. Set before there
    /// are cursors.
    retained: AtomicUsize,
    /// Set before there is a second cursor, or another reader of the list.
    ops: OnceBox<Ops<T>>,
}

/// What can be done only with items that are `Clone + Sync`.
struct Ops<T> {
    clone: fn(&T) -> T,
    fork: fn(&mut Reader<T>) -> Reader<T>,
    subscribe: fn(&Writer<T>) -> Reader<T>,
}

/// Work that is left for the time after the release.
pub(crate) struct FollowUp<T> {
    dropped: VecDeque<T>,
    feed: Option<Reader<T>>,
    wake: bool,
    is_behind: bool,
}

impl<T> Default for FollowUp<T> {
    fn default() -> Self {
        Self {
            dropped: VecDeque::new(),
            feed: None,
            wake: false,
            is_behind: false,
        }
    }
}

impl<T> Combine for RingShared<T> {
    type State = RingBuffer<T>;
    type FollowUp = FollowUp<T>;

    #[inline]
    fn nothing_due(&self, buffer: &RingBuffer<T>) -> bool {
        !buffer.wakes()
    }

    fn combine(&self, buffer: &mut RingBuffer<T>, requests: usize, follow_up: &mut FollowUp<T>) {
        if requests & LEFT != 0 {
            // Ordering: Relaxed. The last cursor to leave makes its request after all others have
            // left.
            if self.cursors.load(Ordering::Relaxed) == 0 {
                follow_up.feed = buffer.remove_feed(self).or(follow_up.feed.take());
            }
            follow_up.dropped.append(&mut buffer.split_off_unused(self));
        }
        follow_up.wake |= buffer.take_wakes();
        follow_up.wake |= requests & SERVE != 0;
        follow_up.is_behind = buffer.is_behind(self);
    }

    fn follow_up(&self, follow_up: FollowUp<T>) {
        if follow_up.is_behind {
            // Ordering: Relaxed, this thread reads it; see `catch_up`. A store would do. But loom
            // may order a store before an exchange of another thread that does not see it.
            self.is_behind.swap(1, Ordering::Relaxed);
        }
        // The items are dropped last, also if a waker panics.
        if follow_up.wake {
            self.waiters.wake_all();
        }
    }
}

impl<T> RingShared<T> {
    fn ops(&self) -> &Ops<T> {
        let ops = self.ops.get();
        ops.unwrap_or_else(|| unreachable!("set before there is a second reader"))
    }

    fn allow_clones(&self)
    where
        T: Clone + Sync,
    {
        self.ops.get_or_make(|| Ops {
            clone: T::clone,
            fork: Reader::fork,
            subscribe: Writer::subscribe_exact,
        });
    }

    #[inline]
    fn retained(&self) -> usize {
        // Ordering: Relaxed, it is set before there is another thread.
        self.retained.load(Ordering::Relaxed)
    }

    /// The full number of an item that has the lower bits `number`.
    fn widen(&self, number: usize) -> u64 {
        // Ordering: Relaxed. Any value will do that is near enough to tell the upper bits.
        let end = self.end.load(Ordering::Relaxed);
        let apart = numbers_apart(truncate(end), number);
        #[allow(clippy::unnecessary_cast, reason = "words may be shorter")]
        (end as u64).wrapping_add_signed(apart as i64)
    }

    /// How many items were pushed from the one numbered `next` on. Exact if the caller is the only
    /// one who may push; otherwise more may have been pushed by now.
    fn pushed_from(&self, next: u64) -> Word {
        // Ordering: Relaxed. An older value makes the other summand larger.
        let end = self.end.load(Ordering::Relaxed);
        let after = self.observer.item_tail().items_from(truncate(end));
        end.wrapping_add(after as Word).wrapping_sub(next as Word)
    }
}

impl<T> Ring<T> {
    /// A ring without a feed and without cursors, of a list that has come to this
    /// [number](Reader::number), roughly.
    pub(crate) fn new(observer: Observer<T>, number: usize) -> Self {
        let shared = RingShared {
            observer,
            cursors: AtomicUsize::new(0),
            end: AtomicWord::new(number as Word),
            feed: AtomicUsize::new(0),
            waiters: WaitSet::new(),
            joins: Deposits::new(),
            is_behind: AtomicUsize::new(0),
            retained: AtomicUsize::new(0),
            ops: OnceBox::new(),
        };
        let buffer = RingBuffer::new(number as u64);
        Self(Arc::new(HandoffLock::new(shared, buffer)))
    }

    /// A ring for cursors near the place of a reader.
    pub(crate) fn near(reader: &Reader<T>) -> Self {
        Self::new(reader.observe(), reader.number())
    }

    /// The first cursor, at the place of a reader that may be the list's only one.
    pub(crate) fn first(&self, reader: Reader<T>, limit: usize) -> RingCursor<T> {
        let next = self.shared().widen(reader.number());
        self.join_at(next, reader, VecDeque::new(), limit)
    }

    /// The first cursor of a new ring.
    #[cfg(test)]
    pub(crate) fn first_cursor(feed: Reader<T>, limit: usize) -> RingCursor<T> {
        Self::near(&feed).first(feed, limit)
    }

    /// A cursor at the place of a reader. `reader` is a fork of it, and `early` are the items that
    /// come before those of the reader.
    pub(crate) fn join(&self, reader: Reader<T>, early: VecDeque<T>, limit: usize) -> RingCursor<T>
    where
        T: Clone + Sync,
    {
        let shared = self.shared();
        shared.allow_clones();
        let next = shared.widen(reader.number().wrapping_sub(early.len()));
        self.join_at(next, reader, early, limit)
    }

    fn join_at(
        &self,
        next: u64,
        reader: Reader<T>,
        early: VecDeque<T>,
        limit: usize,
    ) -> RingCursor<T> {
        // First the cursor, so that what it has to take stays from here on, and then the reader,
        // which has what has left before.
        let cursor = RingCursor::at(self.clone(), next, limit);
        self.leave(Join {
            feed: Some((reader, early)),
            limit,
        });
        cursor
    }

    /// Keeps the latest `items`, from those of the reader on, for cursors that [come
    /// late](Self::late). To be called once, before there are cursors.
    pub(crate) fn retain(&self, reader: Reader<T>, items: usize)
    where
        T: Clone + Sync,
    {
        let shared = self.shared();
        shared.allow_clones();
        shared.retained.store(items, Ordering::Relaxed);
        // As a cursor that stays.
        shared.cursors.fetch_add(1, Ordering::Relaxed);
        self.leave(Join {
            feed: Some((reader, VecDeque::new())),
            limit: items,
        });
    }

    /// How many items are retained.
    pub(crate) fn retained(&self) -> usize {
        self.shared().retained()
    }

    /// A cursor that starts with what is pushed from now on, or with the last of the retained
    /// items, as many as `limit` allows. If nothing is retained, the ring may have no feed; it has
    /// to be [fed](Self::feed_from) before the next push then, which the caller has to see to.
    pub(crate) fn late(&self, replays: bool, limit: usize) -> RingCursor<T>
    where
        T: Clone + Sync,
    {
        let shared = self.shared();
        shared.allow_clones();
        #[allow(clippy::unnecessary_cast, reason = "words may be shorter")]
        let tail = shared.pushed_from(0) as u64;
        let replayed = if replays {
            self.retained().min(limit)
        } else {
            0
        };
        let mut cursor = RingCursor::at(self.clone(), tail.saturating_sub(replayed as u64), limit);
        if self.retained() == 0 {
            cursor.count_as_reader();
        }
        self.leave(Join { feed: None, limit });
        cursor
    }

    /// Whether the list has ended.
    pub(crate) fn is_closed(&self) -> bool {
        self.shared().observer.is_closed()
    }

    /// Gives the ring a feed at the tail of the list. The caller is the only one who may push, and
    /// [transfers](Self::transfer) after its next push.
    pub(crate) fn feed_from(&self, writer: &Writer<T>) {
        let shared = self.shared();
        if let Some(ops) = shared.ops.get() {
            shared.joins.push(Join {
                feed: Some(((ops.subscribe)(writer), VecDeque::new())),
                limit: 0,
            });
        }
    }

    /// Leaves something for the holder of the lock, who has to look at it before it drops an item
    /// that was pushed later.
    fn leave(&self, join: Join<T>) {
        self.shared().joins.push(join);
        self.transfer();
    }

    /// Whether there are cursors. Without them nothing has to be transferred.
    #[inline]
    pub(crate) fn has_cursors(&self) -> bool {
        // Ordering: Relaxed. What a cursor that is missed has to take, it brings with it. It sees
        // that before it sleeps: see `RingCursor::sleep`.
        self.shared().cursors.load(Ordering::Relaxed) != 0
    }

    /// Transfers what has come into the list, or has the holder of the lock do that. To be called
    /// after each push.
    #[inline]
    pub(crate) fn transfer(&self) {
        self.transfer_once();
        self.catch_up();
    }

    #[inline]
    fn transfer_once(&self) {
        let guard = self.0.try_lock().or_else(|| self.0.delegate(TRANSFER));
        if let Some(mut guard) = guard {
            guard.with(|shared, buffer| buffer.transfer(shared));
            // A reader may have joined whose cursor was dropped meanwhile.
            // Ordering: Relaxed. If the drop made its request before this thread had the lock, this
            // sees the count, and otherwise that request is still to be handled.
            if self.shared().cursors.load(Ordering::Relaxed) == 0 {
                Self::remove_all(guard);
            }
        }
    }

    #[cold]
    #[inline(never)]
    fn remove_all(mut guard: Guard<'_, RingShared<T>>) {
        let unwanted = guard
            .with(|shared, buffer| (buffer.remove_feed(shared), buffer.split_off_unused(shared)));
        drop(guard);
        drop(unwanted);
    }

    /// Does what was requested of this thread while it held the lock, after it has released it. It
    /// is not done with the lock held, because it may run users' code.
    #[inline]
    fn catch_up(&self) {
        let is_behind = &self.shared().is_behind;
        // Ordering: Relaxed. The thread that stored it comes here afterwards; if another one takes
        // the mark, that one acquires the lock in its place.
        while is_behind.load(Ordering::Relaxed) != 0 && is_behind.swap(0, Ordering::Relaxed) != 0 {
            self.transfer_once();
        }
    }

    /// The statistics of the list and its readers, with the cursors in place of the feed.
    pub(crate) fn statistics(&self) -> Statistics {
        let shared = self.shared();
        // Ordering: Relaxed, for statistics any value will do.
        let feed = shared.feed.load(Ordering::Relaxed);
        shared.observer.statistics_with(feed, |include| {
            let tail = shared.observer.item_tail();
            let mut include = |at: usize, limit| include(tail.items_from(at >> 1).min(limit));
            shared.waiters.each(&mut include);
        })
    }

    #[inline]
    fn shared(&self) -> &RingShared<T> {
        self.0.shared()
    }
}

#[cfg(all(test, aiter_loom))]
mod loom;
#[cfg(all(test, not(aiter_loom)))]
mod tests;
