//! A reader's place in a ring.

use super::{LEFT, Ring, RingShared, SERVE, buffer::Join, position, transfer_all};
use crate::{
    handoff::Guard,
    list::{ItemTail, Reader, numbers_apart},
    sync::{Ordering, Word, truncate},
    wait::wait_set::Waiter,
};
use alloc::collections::VecDeque;
use core::{mem, task::Waker};

/// One reader's place: the number of the item that it takes next. It has missed what is older than
/// the latest `limit` items.
pub(crate) struct RingCursor<T> {
    // In this order: the others are notified after this one has left the wait set.
    pub(super) waiter: Waiter,
    ring: RingRef<T>,
    /// The number of the item that it takes next.
    pub(super) next: u64,
    pub(super) limit: usize,
    /// Items that it has missed and not reported yet.
    missed: usize,
    /// Whether the upper bits of `next` may be wrong, where counters have 32 bits.
    is_new: bool,
}

/// One cursor's reference to the ring.
struct RingRef<T>(Ring<T>);

impl<T> Drop for RingRef<T> {
    fn drop(&mut self) {
        // Ordering: Release pairs with the Acquire in `RingShared::combine`.
        self.0.shared().cursors.fetch_sub(1, Ordering::Release);
        // The request drops the items that only this one had not passed.
        drop(self.0.0.delegate(LEFT));
        self.0.catch_up();
    }
}

/// What a cursor found.
pub(crate) enum Found<T> {
    /// An item, and how many were missed just before it.
    Item(usize, T),
    End,
    Nothing,
    /// Another thread accesses the ring, and wakes this one.
    Waiting,
}

/// A cursor's place as a reader that misses nothing: a reader of the list, and the items before
/// those of the reader.
pub(crate) type Detached<T> = (Reader<T>, VecDeque<T>);

impl<T> RingCursor<T> {
    pub(super) fn at(ring: Ring<T>, next: u64, limit: usize) -> Self {
        let shared = ring.shared();
        // Ordering: Relaxed, see `combine`: a join that is not counted yet brings a reader.
        shared.cursors.fetch_add(1, Ordering::Relaxed);
        Self {
            waiter: shared.waiters.add_at(position(next), limit),
            ring: RingRef(ring),
            next,
            limit,
            missed: 0,
            is_new: true,
        }
    }

    /// Another cursor at the same place, with a limit of its own.
    pub(crate) fn fork_with(&mut self, limit: usize) -> Self
    where
        T: Clone + Sync,
    {
        let Self { ring, .. } = &*self;
        let shared = ring.0.shared();
        shared.allow_clones();
        let mut fork = Self::at(ring.0.clone(), self.next, limit);
        (fork.missed, fork.is_new) = (self.missed, self.is_new);
        if limit != self.limit {
            // What this one has missed by now, the other has missed too, whatever its limit.
            let lag = shared.pushed_from(self.next);
            let more = lag.saturating_sub(self.limit as Word);
            fork.miss(more as u64);
            // Every holder of the lock has to know the limit before it drops an item that was
            // pushed after this.
            fork.ring.0.leave(Join { feed: None, limit });
        }
        fork
    }

    fn miss(&mut self, more: u64) {
        if more > 0 {
            self.missed = self
                .missed
                .saturating_add(usize::try_from(more).unwrap_or(usize::MAX));
            self.next += more;
            self.waiter.set_position(position(self.next));
        }
    }

    /// Takes the next item. Registers the waker only if another thread accesses the ring.
    pub(crate) fn next(&mut self, waker: &Waker) -> Found<T> {
        self.next_for(Some(waker))
    }

    /// The same. Without a waker, this says [`Found::Waiting`] and nothing wakes the caller.
    pub(crate) fn next_for(&mut self, waker: Option<&Waker>) -> Found<T> {
        let Self {
            waiter,
            ring,
            next,
            limit,
            missed,
            is_new,
        } = self;
        let Some(mut guard) = lock(waiter, &ring.0, waker) else {
            return Found::Waiting;
        };
        let found = guard.with(|shared, buffer| {
            settle(is_new, next, buffer.end());
            let oldest = oldest(buffer.first(), buffer.end(), *limit);
            if let Some(more @ 1..) = oldest.checked_sub(*next) {
                *missed = missed.saturating_add(usize::try_from(more).unwrap_or(usize::MAX));
                *next = oldest;
            }
            if *next >= buffer.end() {
                return match buffer.has_ended() {
                    true => Found::End,
                    false => Found::Nothing,
                };
            }
            // Advance before the clone: if it panics the item is lost to this cursor, and to no
            // other.
            let number = *next;
            *next += 1;
            waiter.set_position(position(*next));
            let moved = if number == buffer.first() && waiter.is_last_at(position(number)) {
                buffer.pop()
            } else {
                None
            };
            let item = moved.unwrap_or_else(|| (shared.ops().clone)(buffer.item(number)));
            Found::Item(mem::take(missed), item)
        });
        // Not left to the end of the function: a waker that panics there would leak `found`.
        drop(guard);
        ring.0.catch_up();
        found
    }

    /// The place as one of a reader that misses nothing. `None` if another thread accesses the
    /// ring; then the waker is registered. The cursor, whose limit has to be `usize::MAX`, is to be
    /// dropped.
    pub(crate) fn detach(&mut self, waker: &Waker) -> Option<Detached<T>> {
        let Self {
            waiter,
            ring,
            next,
            limit,
            is_new,
            ..
        } = self;
        let mut guard = lock(waiter, &ring.0, Some(waker))?;
        let detached = guard.with(|shared, buffer| {
            settle(is_new, next, buffer.end());
            let from = oldest(buffer.first(), buffer.end(), *limit).max(*next);
            buffer.copy_from(from.min(buffer.end()), shared.ops())
        });
        drop(guard);
        ring.0.catch_up();
        debug_assert!(detached.is_some(), "there is a cursor, and so a feed");
        detached
    }

    pub(crate) fn clear_waker(&mut self) {
        self.waiter.forget();
    }

    /// Whether there is no other cursor, and no other reader of the list but the ring's own. If so,
    /// and the caller is the only one who may push, this thread sees what the others did before they
    /// were dropped.
    pub(crate) fn is_alone(&self) -> bool {
        let shared = self.ring.0.shared();
        // Ordering: Relaxed. The caller acquires the source's lock before it acts on this, and then
        // sees the items that a dropped cursor had pulled.
        shared.cursors.load(Ordering::Relaxed) == 1 && shared.observer.readers() == 1
    }

    /// How many items this cursor has not taken yet, including those that have left the ring.
    fn lag_with_missed(&self) -> usize {
        let lag = self.ring.0.shared().pushed_from(self.next);
        truncate(lag.min(usize::MAX as Word))
    }

    /// How many items this cursor has still to take, without those that it has missed.
    pub(crate) fn lag(&self) -> usize {
        self.lag_with_missed().min(self.limit)
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
        self.ring.0.shared().observer.is_closed()
    }

    pub(crate) fn limit(&self) -> usize {
        self.limit
    }

    /// How many items were missed and not reported. They are reported then.
    pub(crate) fn take_missed(&mut self) -> usize {
        mem::take(&mut self.missed)
    }

    /// The number of the item that it takes next, as [`Reader::number`] counts.
    pub(crate) fn number(&self) -> usize {
        self.next as usize
    }

    /// The tail of the list.
    pub(crate) fn item_tail(&self) -> ItemTail {
        self.ring.0.shared().observer.item_tail()
    }

    pub(crate) fn ring(&self) -> &Ring<T> {
        &self.ring.0
    }

    /// How many items there are in the ring and in the list.
    #[cfg(test)]
    pub(crate) fn kept(&self) -> usize {
        let guard = self.ring.0.0.try_lock();
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
        None => {
            waiter.wait(waker?);
            ring.0.delegate(SERVE)?
        }
    };
    transfer_all(&mut guard);
    Some(guard)
}

/// The number of the oldest item that a cursor has not missed.
fn oldest(first: u64, end: u64, limit: usize) -> u64 {
    first.max(end.saturating_sub(limit as u64))
}

/// Corrects the number at which a cursor has joined, where counters have 32 bits.
#[inline]
fn settle(is_new: &mut bool, next: &mut u64, end: u64) {
    if Word::BITS < u64::BITS && mem::take(is_new) {
        let apart = numbers_apart(end as usize, *next as usize);
        *next = end.wrapping_add_signed(apart as i64);
    }
}
