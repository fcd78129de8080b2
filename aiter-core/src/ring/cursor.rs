//! A reader's place in a ring.

use super::{
    LEFT, Ring, RingShared, SERVE,
    buffer::{Join, RingBuffer},
    position,
};
use crate::{
    handoff::Guard,
    list::{ItemTail, Observer, Reader, ReaderCount, numbers_apart},
    sync::{Ordering, Word, fence, truncate},
    wait::wait_set::Waiter,
};
use alloc::collections::VecDeque;
use core::{mem, task::Waker};

/// One reader's place: the number of the item that it takes next. It has missed what is older than
/// the latest `limit` items.
pub(crate) struct RingCursor<T> {
    // In this order: what only this one had to take is dropped after it has left the wait set.
    pub(super) waiter: Waiter,
    pub(super) at: Place<T>,
    /// Items that it has missed and not reported yet.
    missed: usize,
    /// Whether the cursor has still to compare `next` with the ring; see `settle`.
    is_new: bool,
    /// Whether a thread that pushes sees this cursor, unless its item is seen here; see `sleep`.
    is_known: bool,
    /// Counts this cursor among the readers of the list, until the ring has a feed.
    count: Option<ReaderCount<T>>,
}

pub(super) struct Place<T> {
    ring: Ring<T>,
    /// The number of the item that it takes next.
    pub(super) next: u64,
    pub(super) limit: usize,
}

impl<T> Drop for Place<T> {
    fn drop(&mut self) {
        let shared = self.ring.shared();
        // Ordering: AcqRel, after this cursor has left the wait set: of several that leave at once,
        // the last to count itself out sees that all others have left.
        let was_only = shared.cursors.fetch_sub(1, Ordering::AcqRel) == 1;
        let here = position(self.next);
        let is_followed = |at| (here.wrapping_sub(at) as isize) >= 0;
        // Two searches that end at the first cursor they find, so that it costs one of many nothing
        // to leave.
        if was_only
            || !shared.waiters.any(|at, _| is_followed(at))
            || !shared.waiters.any(|_, limit| limit >= self.limit)
        {
            drop(self.ring.0.delegate(LEFT));
            self.ring.catch_up();
        }
    }
}

/// What a cursor found.
pub(crate) enum Found<T> {
    /// An item, and how many were missed just before it.
    Item(usize, T),
    End,
    Nothing,
    /// Nothing, and another thread wakes this one.
    Waiting,
}

/// A cursor's place as one of a reader that misses nothing.
pub(crate) enum Detached<T> {
    /// A reader of the list, and the items before those of the reader.
    Reader(Reader<T>, VecDeque<T>),
    /// The ring has no feed, so nothing was pushed since the cursor was made.
    Unfed,
    /// As `Unfed`, and nothing will be pushed.
    End,
    /// Another thread accesses the ring, and wakes this one.
    Waiting,
}

impl<T> RingCursor<T> {
    pub(super) fn at(ring: Ring<T>, next: u64, limit: usize) -> Self {
        let shared = ring.shared();
        // Ordering: Relaxed, see `combine`: a join that is not counted yet brings a reader.
        shared.cursors.fetch_add(1, Ordering::Relaxed);
        Self {
            waiter: shared.waiters.add_at(position(next), limit),
            at: Place { ring, next, limit },
            missed: 0,
            is_new: true,
            is_known: false,
            count: None,
        }
    }

    /// Has the readers of the list know that they are not alone, although the ring may have no
    /// feed.
    pub(super) fn count_as_reader(&mut self)
    where
        T: Clone + Sync,
    {
        self.count = Some(self.at.ring.shared().observer.count_reader());
    }

    /// Another cursor at the same place, with a limit of its own.
    pub(crate) fn fork_with(&mut self, limit: usize) -> Self
    where
        T: Clone + Sync,
    {
        let Place { ring, next, .. } = &self.at;
        let shared = ring.shared();
        shared.allow_clones();
        let mut fork = Self::at(ring.clone(), *next, limit);
        (fork.missed, fork.is_new, fork.is_known) = (self.missed, self.is_new, self.is_known);
        if self.count.is_some() {
            fork.count_as_reader();
        }
        if limit != self.at.limit {
            // What this one has missed by now, the other has missed too, whatever its limit.
            let lag = shared.pushed_from(*next);
            let more = lag.saturating_sub(self.at.limit as Word);
            fork.miss(more as u64);
            // Every holder of the lock has to know the limit before it drops an item that was
            // pushed after this.
            fork.at.ring.leave(Join { feed: None, limit });
        }
        fork
    }

    fn miss(&mut self, more: u64) {
        if more > 0 {
            self.missed = self
                .missed
                .saturating_add(usize::try_from(more).unwrap_or(usize::MAX));
            self.at.next += more;
            self.waiter.set_position(position(self.at.next));
        }
    }

    /// Takes the next item. Registers the waker only if another thread accesses the ring.
    pub(crate) fn next(&mut self, waker: &Waker) -> Found<T> {
        self.find(Some(waker), false)
    }

    /// Takes the next item, or has the task woken when there is one, as [`Found::Waiting`] says.
    /// Without a waker nothing wakes the caller.
    #[inline]
    pub(crate) fn next_or_sleep(&mut self, waker: Option<&Waker>) -> Found<T> {
        let found = self.find(waker, self.is_known);
        match (found, waker) {
            (Found::Nothing, Some(waker)) => self.sleep(waker),
            (found, _) => found,
        }
    }

    /// The first time that a cursor, or the one that it was forked from, has to sleep.
    #[cold]
    #[inline(never)]
    fn sleep(&mut self, waker: &Waker) -> Found<T> {
        // Ordering: between the count of this cursor and the look at the list; pairs with the light
        // half in `List::wake_after`, which comes after the publication of an item and before
        // `Ring::has_cursors`: either that sees the cursor, or the item is seen here.
        self.is_known = fence::heavy();
        if !self.is_known {
            // The thread that pushes may be about to publish an item without seeing this cursor.
            waker.wake_by_ref();
        }
        self.find(Some(waker), true)
    }

    #[inline]
    fn find(&mut self, waker: Option<&Waker>, sleeps: bool) -> Found<T> {
        let Self {
            waiter,
            at: Place { ring, next, limit },
            missed,
            is_new,
            count,
            ..
        } = self;
        let Some(mut guard) = lock(waiter, ring, waker) else {
            return Found::Waiting;
        };
        let found = guard.with(|shared, buffer| {
            settle(is_new, count, next, buffer);
            let oldest = oldest(buffer.first(), buffer.end(), *limit);
            if let Some(more @ 1..) = oldest.checked_sub(*next) {
                *missed = missed.saturating_add(usize::try_from(more).unwrap_or(usize::MAX));
                *next = oldest;
            }
            if *next >= buffer.end() {
                if buffer.has_ended() || has_ended_unfed(shared, next, buffer) {
                    return Found::End;
                }
                let Some(waker) = waker.filter(|_| sleeps) else {
                    return Found::Nothing;
                };
                // What comes is transferred with the lock held, by a thread that sees this.
                waiter.wait(waker);
                buffer.set_sleeps();
                return Found::Waiting;
            }
            // Advance before the clone: if it panics the item is lost to this cursor, and to no
            // other.
            let number = *next;
            *next += 1;
            waiter.set_position(position(*next));
            let is_first = number == buffer.first() && shared.retained() == 0;
            // Ordering: Relaxed. Another cursor that this misses brings a reader, or was made by
            // one that has passed the item with the lock held since.
            let mut is_last = || {
                shared.cursors.load(Ordering::Relaxed) == 1 || waiter.is_last_at(position(number))
            };
            let moved = if is_first && is_last() {
                buffer.pop()
            } else {
                None
            };
            let item = moved.unwrap_or_else(|| (shared.ops().clone)(buffer.item(number)));
            Found::Item(mem::take(missed), item)
        });
        // Not left to the end of the function: a waker that panics there would leak `found`.
        drop(guard);
        ring.catch_up();
        found
    }

    /// The place as one of a reader that misses nothing. The cursor, whose limit has to be
    /// `usize::MAX`, is to be dropped then.
    pub(crate) fn detach(&mut self, waker: &Waker) -> Detached<T> {
        let Self {
            waiter,
            at: Place { ring, next, limit },
            is_new,
            count,
            ..
        } = self;
        let Some(mut guard) = lock(waiter, ring, Some(waker)) else {
            return Detached::Waiting;
        };
        let detached = guard.with(|shared, buffer| {
            settle(is_new, count, next, buffer);
            let from = oldest(buffer.first(), buffer.end(), *limit).max(*next);
            match buffer.copy_from(from.min(buffer.end()), shared.ops()) {
                Some((reader, items)) => Detached::Reader(reader, items),
                None if has_ended_unfed(shared, next, buffer) => Detached::End,
                None => Detached::Unfed,
            }
        });
        drop(guard);
        ring.catch_up();
        detached
    }

    pub(crate) fn clear_waker(&mut self) {
        self.waiter.forget();
    }

    /// Whether there is no other cursor, and no other reader of the list but the ring's own. If so,
    /// and the caller is the only one who may push, this thread sees what the others did before
    /// they were dropped.
    pub(crate) fn is_alone(&self) -> bool {
        let shared = self.at.ring.shared();
        // Ordering: Relaxed. The caller acquires the source's lock before it acts on this, and then
        // sees the items that a dropped cursor had pulled.
        shared.cursors.load(Ordering::Relaxed) == 1 && shared.observer.readers() == 1
    }

    /// How many items this cursor has not taken yet, including those that have left the ring.
    fn lag_with_missed(&self) -> usize {
        let lag = self.at.ring.shared().pushed_from(self.at.next);
        truncate(lag.min(usize::MAX as Word))
    }

    /// How many items this cursor has still to take, without those that it has missed.
    pub(crate) fn lag(&self) -> usize {
        self.lag_with_missed().min(self.at.limit)
    }

    /// Whether there is neither an item nor the end. Exact if the caller is the only one who may
    /// push.
    pub(crate) fn at_tail(&self) -> bool {
        !self.is_closed() && self.lag_with_missed() == 0
    }

    /// Whether the end comes next.
    pub(crate) fn at_end(&self) -> bool {
        self.is_closed() && self.lag_with_missed() == 0
    }

    /// Whether the end was pushed, so that no further item comes.
    pub(crate) fn is_closed(&self) -> bool {
        self.at.ring.shared().observer.is_closed()
    }

    /// A handle on the list.
    pub(crate) fn observe(&self) -> Observer<T> {
        self.at.ring.shared().observer.clone()
    }

    pub(crate) fn limit(&self) -> usize {
        self.at.limit
    }

    /// How many items were missed and not reported. They are reported then.
    pub(crate) fn take_missed(&mut self) -> usize {
        mem::take(&mut self.missed)
    }

    /// The number of the item that it takes next, as [`Reader::number`] counts.
    pub(crate) fn number(&self) -> usize {
        self.at.next as usize
    }

    /// The tail of the list.
    pub(crate) fn item_tail(&self) -> ItemTail {
        self.at.ring.shared().observer.item_tail()
    }

    pub(crate) fn ring(&self) -> &Ring<T> {
        &self.at.ring
    }

    /// How many items there are in the ring and in the list.
    #[cfg(test)]
    pub(crate) fn kept(&self) -> usize {
        let guard = self.at.ring.0.try_lock();
        guard.map_or(usize::MAX, |mut guard| {
            guard.with(|_, buffer| buffer.kept())
        })
    }
}

/// Acquires the ring's lock, and transfers what has come. If another thread holds the lock, has
/// that one wake this one.
#[inline]
fn lock<'a, T>(
    waiter: &mut Waiter,
    ring: &'a Ring<T>,
    waker: Option<&Waker>,
) -> Option<Guard<'a, RingShared<T>>> {
    let mut guard = match ring.0.try_lock() {
        Some(guard) => guard,
        None => lock_contended(waiter, ring, waker)?,
    };
    guard.with(|shared, buffer| buffer.transfer(shared));
    Some(guard)
}

#[cold]
#[inline(never)]
fn lock_contended<'a, T>(
    waiter: &mut Waiter,
    ring: &'a Ring<T>,
    waker: Option<&Waker>,
) -> Option<Guard<'a, RingShared<T>>> {
    waiter.wait(waker?);
    ring.0.delegate(SERVE)
}

/// The number of the oldest item that a cursor has not missed.
#[inline]
fn oldest(first: u64, end: u64, limit: usize) -> u64 {
    first.max(end.saturating_sub(limit as u64))
}

/// Compares the place at which a cursor was made with the ring, once it has a feed. What the ring
/// never had came before the cursor's first item. And where counters have 32 bits, the upper bits
/// are known only now.
#[inline]
fn settle<T>(
    is_new: &mut bool,
    count: &mut Option<ReaderCount<T>>,
    next: &mut u64,
    buffer: &RingBuffer<T>,
) {
    if *is_new {
        if let Some(started) = buffer.started() {
            (*is_new, *count) = (false, None);
            if Word::BITS < u64::BITS {
                let apart = numbers_apart(buffer.end() as usize, *next as usize);
                *next = buffer.end().wrapping_add_signed(apart as i64);
            }
            *next = started.max(*next);
        }
    }
}

/// Whether the list has ended before the ring got a feed. Then there is nothing to take.
#[cold]
fn has_ended_unfed<T>(shared: &RingShared<T>, next: &mut u64, buffer: &RingBuffer<T>) -> bool {
    let has_ended = buffer.started().is_none() && shared.observer.is_closed();
    if has_ended {
        *next += u64::try_from(shared.pushed_from(*next)).unwrap_or(0);
    }
    has_ended
}
