//! The buffer of a ring. Only the holder of the ring's lock reaches it.

use super::{Ops, RingShared, distance, position};
use crate::{
    list::{Reader, numbers_apart},
    sync::{Ordering, Word},
    util::shrink::shrink,
};
use alloc::collections::VecDeque;
use core::{mem, task::Poll};
use scopeguard::{ScopeGuard, guard};

/// The state that the lock guards.
pub(crate) struct RingBuffer<T> {
    /// Reads the items that have come into the list and are not in the buffer yet. `None` while
    /// there is no cursor.
    feed: Option<Reader<T>>,
    items: VecDeque<T>,
    /// The number of the first item in the buffer.
    first: u64,
    /// The largest limit of a cursor.
    capacity: usize,
    /// Whether the list's end was transferred.
    ended: bool,
    /// The number at which the feed began, or the first that a reader has joined at since. What is
    /// older never was in the ring.
    started: u64,
    /// A cursor of a hub sleeps. The thread that transfers what comes next wakes it.
    sleeps: bool,
    /// Something was transferred for which cursors slept. They are woken after the release.
    wakes: bool,
}

/// What a joining reader leaves for the holder of the lock.
pub(super) struct Join<T> {
    /// A reader of the list, and the items before its own.
    pub(super) feed: Option<(Reader<T>, VecDeque<T>)>,
    pub(super) limit: usize,
}

impl<T> RingBuffer<T> {
    pub(super) fn new(first: u64) -> Self {
        Self {
            feed: None,
            items: VecDeque::new(),
            first,
            capacity: 0,
            ended: false,
            started: first,
            sleeps: false,
            wakes: false,
        }
    }

    /// Transfers everything that has come into the list, and drops the items that have to leave the
    /// full buffer.
    #[inline]
    pub(super) fn transfer(&mut self, shared: &RingShared<T>) {
        if self.is_behind(shared) {
            self.transfer_all(shared);
        }
    }

    #[inline(never)]
    fn transfer_all(&mut self, shared: &RingShared<T>) {
        // If a clone panics, the feed has passed the item in hand.
        let mut this = guard(self, |this| this.lose_passed(shared));
        while this.transfer_one(shared) {}
        ScopeGuard::into_inner(this);
    }

    /// Returns whether there may be more.
    #[inline]
    fn transfer_one(&mut self, shared: &RingShared<T>) -> bool {
        let polled = match &mut self.feed {
            Some(feed) if !self.ended => feed.next(),
            _ => Poll::Pending,
        };
        // Only now: what a reader left before the item was pushed is seen once the item was read,
        // so the item displaces nothing that this reader has to take.
        let joined = !shared.joins.is_empty();
        if joined {
            let joins = shared.joins.take_all();
            joins.for_each(|join| self.admit(join, shared));
        }
        match polled {
            Poll::Pending => joined,
            Poll::Ready(None) => {
                self.ended = true;
                self.wake_sleepers();
                joined
            }
            Poll::Ready(Some(item)) => {
                let is_full = self.items.len() >= self.capacity;
                let displaced = if is_full { self.pop() } else { None };
                self.items.push_back(item);
                self.publish_end(shared);
                self.wake_sleepers();
                drop(displaced);
                true
            }
        }
    }

    /// Has the cursors that sleep woken after the release of the lock.
    #[inline]
    fn wake_sleepers(&mut self) {
        self.wakes |= mem::take(&mut self.sleeps);
    }

    /// A cursor has registered its waker.
    pub(super) fn set_sleeps(&mut self) {
        self.sleeps = true;
    }

    #[inline]
    pub(super) fn wakes(&self) -> bool {
        self.wakes
    }

    pub(super) fn take_wakes(&mut self) -> bool {
        mem::take(&mut self.wakes)
    }

    /// The full number of an item, as [`RingShared::widen`], exact also where counters have 32
    /// bits.
    fn widen(&self, number: usize) -> u64 {
        let apart = numbers_apart(self.end() as usize, number);
        self.end().wrapping_add_signed(apart as i64)
    }

    /// Lets a reader join: its items are in the buffer from here on, as far as its limit allows.
    fn admit(&mut self, join: Join<T>, shared: &RingShared<T>) {
        self.capacity = self.capacity.max(join.limit);
        let Some((reader, mut early)) = join.feed else {
            return;
        };
        let from = self.widen(reader.number().wrapping_sub(early.len()));
        if self.feed.is_none() {
            // Ordering: Relaxed, for statistics any value will do.
            shared.feed.store(reader.registration(), Ordering::Relaxed);
            (self.feed, self.items, self.first) = (Some(reader), early, from);
            (self.ended, self.started) = (false, from);
            self.publish_end(shared);
            self.wake_sleepers();
            while self.items.len() > self.capacity {
                drop(self.pop());
            }
            return;
        }
        self.started = self.started.min(from);
        // What has left the buffer already is added at its front.
        let missing = usize::try_from(self.first.saturating_sub(from)).unwrap_or(usize::MAX);
        let added = missing.min(join.limit.saturating_sub(self.items.len()));
        let (mut skipped, early_len) = (missing - added, early.len());
        drop(early.drain(..skipped.min(early_len)));
        skipped -= skipped.min(early_len);
        early.truncate(added);
        let rest = added - early.len();
        if rest > 0 {
            let clone = shared.ops().clone;
            early.extend(reader.peek().skip(skipped).take(rest).map(clone));
        }
        debug_assert_eq!(
            early.len(),
            added,
            "the reader has everything from its place on"
        );
        self.first -= added as u64;
        early.append(&mut self.items);
        self.items = early;
    }

    /// Removes the feed, and the items that nobody will read.
    pub(super) fn remove_feed(&mut self, shared: &RingShared<T>) -> Option<Reader<T>> {
        shared.feed.store(0, Ordering::Relaxed);
        self.feed.take()
    }

    /// Whether there is something to transfer. May return `true` where there is nothing.
    #[inline]
    pub(super) fn is_behind(&self, shared: &RingShared<T>) -> bool {
        let comes = |feed: &Reader<T>| !self.ended && !feed.looks_empty();
        !shared.joins.is_empty() || self.feed.as_ref().is_some_and(comes)
    }

    #[inline]
    pub(super) fn pop(&mut self) -> Option<T> {
        let item = self.items.pop_front()?;
        self.first += 1;
        shrink(&mut self.items);
        Some(item)
    }

    /// Removes the items that every cursor has passed, and those beyond the capacity, which is the
    /// largest limit of the cursors that are left.
    pub(super) fn split_off_unused(&mut self, shared: &RingShared<T>) -> VecDeque<T> {
        let first = position(self.first);
        let len = self.items.len();
        let (passed, capacity) = shared.waiters.fold(
            || (len, 0),
            |(passed, capacity), at, limit| {
                *passed = distance(first, at).min(*passed);
                *capacity = limit.max(*capacity);
            },
        );
        // What is retained stays until it is displaced.
        let retained = shared.retained();
        self.capacity = capacity.max(retained);
        let (passed, capacity) = if retained == 0 {
            (passed, capacity)
        } else {
            (0, self.capacity)
        };
        let unused = passed.max(len.saturating_sub(capacity));
        self.first += unused as u64;
        let rest = self.items.split_off(unused);
        mem::replace(&mut self.items, rest)
    }

    /// After a panic in the feed: an item that it has passed is missed, and so are those before it,
    /// because the buffer holds consecutive items.
    fn lose_passed(&mut self, shared: &RingShared<T>) {
        let Some(feed) = &self.feed else { return };
        let next = self.widen(feed.number());
        if next != self.end() {
            self.first = next;
            let lost = mem::take(&mut self.items);
            self.publish_end(shared);
            drop(lost);
        }
    }

    #[inline]
    fn publish_end(&self, shared: &RingShared<T>) {
        // Ordering: Relaxed, see `RingShared::pushed_from`.
        shared.end.store(self.end() as Word, Ordering::Relaxed);
    }

    #[inline]
    pub(super) fn first(&self) -> u64 {
        self.first
    }

    /// The number after that of the last item.
    #[inline]
    pub(super) fn end(&self) -> u64 {
        self.first + self.items.len() as u64
    }

    #[inline]
    pub(super) fn has_ended(&self) -> bool {
        self.ended
    }

    /// The number at which the feed has begun. `None` if there is no feed.
    #[inline]
    pub(super) fn started(&self) -> Option<u64> {
        self.feed.as_ref().map(|_| self.started)
    }

    /// The item with a number that is in the buffer.
    #[inline]
    pub(super) fn item(&self, number: u64) -> &T {
        &self.items[(number - self.first) as usize]
    }

    /// A reader of what comes after the buffer, and copies of the items from a number on.
    pub(super) fn copy_from(
        &mut self,
        number: u64,
        ops: &Ops<T>,
    ) -> Option<(Reader<T>, VecDeque<T>)> {
        let reader = (ops.fork)(self.feed.as_mut()?);
        let skipped = (number - self.first) as usize;
        Some((
            reader,
            self.items.iter().skip(skipped).map(ops.clone).collect(),
        ))
    }

    /// How many items there are in the buffer and in the list.
    #[cfg(test)]
    pub(super) fn kept(&self) -> usize {
        let unread = self
            .feed
            .as_ref()
            .map(|feed| feed.peek().count_to(usize::MAX));
        self.items.len() + unread.unwrap_or(0)
    }
}
