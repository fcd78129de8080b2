//! `skip(n)`: a ring buffer of the latest `n` items, from which all forks take.
//!
//! The list has a single reader then, which belongs to the buffer. A fork that acquires the
//! buffer's [`HandoffLock`] first transfers the list's items to the buffer, and drops the oldest if
//! there are more than `n`. Items are numbered from the first that went through the list; a fork's
//! place is the number of the item that it takes next. If the buffer begins at a later number, the
//! difference is how many items the fork has missed. So nothing has to be done to a fork for it to
//! miss items, and a fork that is never polled keeps at most those `n`. An item leaves the buffer
//! earlier if every fork has passed it.
//!
//! | the lock is | a fork |
//! |---|---|
//! | acquired | transfers, drops the items that are missed, takes its item; moves the item if it is the last to take it |
//! | held | registers its waker and requests `SERVE`: the holder transfers, and wakes it |
//!
//! | state | values |
//! |---|---|
//! | `items`, `first_index` | the buffer, and the number of its first item |
//! | `ended` | the list's end was transferred |
//!
//! The buffer has a lock of its own, apart from the source's. A source that takes long in its poll,
//! or is polled again at once, keeps no fork from the items in the buffer.

use super::{
    bound::{Bound, MakePlace, Seen, Skip, Yields},
    place::{ForkPlace, NextItem},
    pull::{ForkShared, PulledKind},
};
use crate::{
    Statistics,
    handoff::{Combine, Guard, HandoffLock, REQUESTS},
    list::Reader,
    sync::{Arc, AtomicUsize, AtomicWord, Ordering, Word, truncate},
    util::shrink::shrink,
    wait::wait_set::{WaitSet, Waiter},
};
use alloc::collections::VecDeque;
use core::{
    marker::PhantomData,
    mem,
    task::{Poll, Waker},
};

impl Bound for Skip {}

impl Yields for Skip {
    type Item<T> = Seen<T>;
}

impl MakePlace for Skip {
    type Place<T> = SkipCursor<T>;

    fn first_place<T>(self, reader: Reader<T>, _: &Arc<HandoffLock<ForkShared>>) -> SkipCursor<T> {
        SkipCursor::new(self.0, reader)
    }
}

/// Request: transfer, drop the items that every fork has passed, and wake the forks that wait. Made
/// by a fork that found the lock held, or is dropped.
const SERVE: usize = REQUESTS[0];

/// An item's number as a waiter's position, which has to be even.
fn position(index: u64) -> usize {
    (index as usize) << 1
}

/// How many items the position `to` is ahead of `from`. Correct as long as that is less than a
/// quarter of the range of `usize`.
fn distance(from: usize, to: usize) -> usize {
    (to.wrapping_sub(from) as isize >> 1).max(0) as usize
}

/// The state that all forks access without the lock.
pub(crate) struct SkipShared<T> {
    limit: usize,
    /// The number of forks. Each of them occupies memory in `waiters`, so the counter cannot
    /// overflow.
    forks: AtomicUsize,
    /// The number of items that were put into the list. Written with the source's lock held, as is
    /// `closed`.
    pulled: AtomicWord,
    /// Not 0 after the end of the list.
    closed: AtomicUsize,
    /// All forks, each at the position of the item that it takes next.
    waiters: WaitSet,
    _items: PhantomData<fn() -> T>,
}

/// The state that the lock guards.
pub(crate) struct SkipBuffer<T> {
    /// Reads the items that have come into the list and are not in the buffer yet.
    reader: Reader<T>,
    items: VecDeque<T>,
    /// The number of the first item in the buffer.
    first_index: u64,
    /// Whether the list's end was transferred.
    ended: bool,
}

/// The result of [`SkipBuffer::transfer`].
enum Transfer<T> {
    /// The list has nothing to transfer.
    Nothing,
    /// An item or the end was transferred.
    Done,
    /// An item was transferred, and this one, the oldest, had to leave the full buffer.
    Displaced(T),
}

/// Work that is left for the time after the release.
pub(crate) struct FollowUp<T> {
    dropped: VecDeque<T>,
    wake: bool,
}

impl<T> Default for FollowUp<T> {
    fn default() -> Self {
        Self {
            dropped: VecDeque::new(),
            wake: false,
        }
    }
}

impl<T> Combine for SkipShared<T> {
    type State = SkipBuffer<T>;
    type FollowUp = FollowUp<T>;

    fn nothing_due(&self, _: &SkipBuffer<T>) -> bool {
        true
    }

    fn combine(&self, buffer: &mut SkipBuffer<T>, requests: usize, follow_up: &mut FollowUp<T>) {
        loop {
            match buffer.transfer(self.limit) {
                Transfer::Nothing => break,
                Transfer::Done => {}
                Transfer::Displaced(missed) => follow_up.dropped.push_back(missed),
            }
        }
        if requests & SERVE != 0 {
            let mut passed = buffer.split_off_passed(&self.waiters);
            follow_up.dropped.append(&mut passed);
            follow_up.wake = true;
        }
    }

    fn follow_up(&self, follow_up: FollowUp<T>) {
        // The items are dropped last, also if a waker panics.
        if follow_up.wake {
            self.waiters.wake_all();
        }
    }
}

impl<T> SkipBuffer<T> {
    /// Transfers one item, or the end, from the list.
    fn transfer(&mut self, limit: usize) -> Transfer<T> {
        let item = match self.reader.next() {
            Poll::Pending => return Transfer::Nothing,
            Poll::Ready(None) if self.ended => return Transfer::Nothing,
            Poll::Ready(None) => {
                self.ended = true;
                return Transfer::Done;
            }
            Poll::Ready(Some(item)) => item,
        };
        let is_full = self.items.len() == limit;
        let missed = if is_full { self.pop() } else { None };
        self.items.push_back(item);
        missed.map_or(Transfer::Done, Transfer::Displaced)
    }

    fn pop(&mut self) -> Option<T> {
        let item = self.items.pop_front()?;
        self.first_index += 1;
        shrink(&mut self.items);
        Some(item)
    }

    /// Removes the items that every fork has passed.
    fn split_off_passed(&mut self, waiters: &WaitSet) -> VecDeque<T> {
        let passed = match waiters.min_position() {
            Some(slowest) => distance(position(self.first_index), slowest).min(self.items.len()),
            None => self.items.len(),
        };
        self.first_index += passed as u64;
        let rest = self.items.split_off(passed);
        mem::replace(&mut self.items, rest)
    }
}

/// One fork's place: the number of the item that it takes next.
pub(crate) struct SkipCursor<T> {
    // In this order: the other forks are notified after this one has left the wait set.
    waiter: Waiter,
    shared: SharedRef<T>,
    /// The number of the item that it takes next.
    next_index: u64,
    /// Items that it has missed and not reported yet.
    missed: usize,
    /// How to clone an item. Set if there has been more than one fork.
    clone: Option<fn(&T) -> T>,
}

/// One fork's reference to the shared buffer.
struct SharedRef<T>(Arc<HandoffLock<SkipShared<T>>>);

impl<T> SharedRef<T> {
    fn shared(&self) -> &SkipShared<T> {
        self.0.shared()
    }
}

impl<T> Drop for SharedRef<T> {
    fn drop(&mut self) {
        // Ordering: Relaxed, see `is_alone`.
        if self.shared().forks.fetch_sub(1, Ordering::Relaxed) > 1 {
            // The request drops the items that only this fork had not passed.
            drop(self.0.delegate(SERVE));
        }
    }
}

impl<T> SkipCursor<T> {
    pub(super) fn new(limit: usize, reader: Reader<T>) -> Self {
        let waiters = WaitSet::new();
        let waiter = waiters.add_at(position(0));
        let shared = SkipShared {
            limit,
            forks: AtomicUsize::new(1),
            pulled: AtomicWord::new(0),
            closed: AtomicUsize::new(0),
            waiters,
            _items: PhantomData,
        };
        let buffer = SkipBuffer {
            reader,
            items: VecDeque::new(),
            first_index: 0,
            ended: false,
        };
        Self {
            waiter,
            shared: SharedRef(Arc::new(HandoffLock::new(shared, buffer))),
            next_index: 0,
            missed: 0,
            clone: None,
        }
    }

    fn take(&mut self, waker: &Waker) -> NextItem<Seen<T>> {
        let Self {
            waiter,
            shared,
            next_index,
            missed,
            clone,
        } = self;
        let mut guard = match shared.0.try_lock() {
            Some(guard) => guard,
            None => {
                waiter.wait(waker);
                match shared.0.delegate(SERVE) {
                    Some(guard) => guard,
                    None => return NextItem::Waiting,
                }
            }
        };
        transfer_all(&mut guard);
        let found = guard.with(|_, buffer| {
            if let Some(more @ 1..) = buffer.first_index.checked_sub(*next_index) {
                *missed = missed.saturating_add(usize::try_from(more).unwrap_or(usize::MAX));
                *next_index = buffer.first_index;
            }
            let index = (*next_index - buffer.first_index) as usize;
            if index == buffer.items.len() {
                return match buffer.ended {
                    true => NextItem::End,
                    false => NextItem::Nothing,
                };
            }
            // Advance before the clone: if it panics the item is lost to this fork, and to no
            // other.
            let here = position(*next_index);
            *next_index += 1;
            waiter.set_position(position(*next_index));
            let moved = if index == 0 && waiter.is_last_at(here) {
                buffer.pop()
            } else {
                None
            };
            let item = match (moved, clone) {
                (Some(item), _) => item,
                (None, Some(clone)) => clone(&buffer.items[index]),
                (None, None) => unreachable!("`fork` sets `clone` in both forks"),
            };
            let missed = mem::take(missed);
            NextItem::Item(Seen { missed, item })
        });
        // Not left to the end of the function: a waker that panics there would leak `found`.
        drop(guard);
        found
    }

    /// How many items this fork has not taken yet, including those that have left the buffer.
    fn lag_with_missed(&self) -> usize {
        // Ordering: Relaxed. Exact for the holder of the source's lock, with which it is written.
        // For others `pulled` may lack one item that has been taken already, and no more: the fork
        // that puts the next item into the list has counted that one.
        let pulled = self.shared.shared().pulled.load(Ordering::Relaxed);
        match pulled.wrapping_sub(self.next_index as Word) {
            Word::MAX => 0,
            lag => truncate(lag.min(usize::MAX as Word)),
        }
    }

    /// How many items there are in the buffer and in the list.
    #[cfg(all(test, aiter_loom))]
    pub(super) fn kept(&self) -> usize {
        let guard = self.shared.0.try_lock();
        guard.map_or(usize::MAX, |mut guard| {
            guard.with(|_, buffer| buffer.items.len() + buffer.reader.peek().count_to(usize::MAX))
        })
    }
}

/// Transfers everything that has come into the list, and drops the items that leave the buffer.
fn transfer_all<T>(guard: &mut Guard<'_, SkipShared<T>>) {
    loop {
        match guard.with(|shared, buffer| buffer.transfer(shared.limit)) {
            Transfer::Nothing => break,
            Transfer::Done => {}
            Transfer::Displaced(missed) => drop(missed),
        }
    }
}

impl<T> ForkPlace<T> for SkipCursor<T> {
    type Item = Seen<T>;

    fn is_alone(&self) -> bool {
        // Ordering: Relaxed. The caller acquires the source's lock before it acts on this, and then
        // sees the items that a dropped fork had pulled.
        self.shared.shared().forks.load(Ordering::Relaxed) == 1
    }

    fn next(&mut self, waker: &Waker) -> NextItem<Seen<T>> {
        self.take(waker)
    }

    fn clear_waker(&mut self) {
        self.waiter.forget();
    }

    fn at_tail(&self) -> bool {
        !self.is_closed() && self.lag_with_missed() == 0
    }

    fn at_end(&self) -> bool {
        self.is_closed() && self.lag_with_missed() == 0
    }

    fn on_pulled(&self, kind: PulledKind) {
        let shared = self.shared.shared();
        match kind {
            PulledKind::Item => {
                // Ordering: Relaxed, as in `lag_with_missed`. The source's lock orders the writers.
                let pulled = shared.pulled.load(Ordering::Relaxed);
                shared
                    .pulled
                    .store(pulled.wrapping_add(1), Ordering::Relaxed);
            }
            // Ordering: see `is_closed`.
            PulledKind::End => shared.closed.store(1, Ordering::Release),
        }
    }

    fn bypass(&mut self, item: T) -> Seen<T> {
        let missed = mem::take(&mut self.missed);
        Seen { missed, item }
    }

    fn is_closed(&self) -> bool {
        // Ordering: Acquire pairs with the Release in `on_pulled`: all items before the end have
        // been counted.
        self.shared.shared().closed.load(Ordering::Acquire) != 0
    }

    fn lag(&self) -> usize {
        self.lag_with_missed().min(self.shared.shared().limit)
    }

    fn at_least(&self, items: usize) -> usize {
        items.min(self.shared.shared().limit)
    }

    fn statistics(&self) -> Statistics {
        let shared = self.shared.shared();
        let pulled = truncate(shared.pulled.load(Ordering::Relaxed));
        let mut lags = None;
        shared.waiters.positions(|at| {
            let lag = distance(at, pulled << 1).min(shared.limit);
            let (least, most) = lags.unwrap_or((lag, lag));
            lags = Some((lag.min(least), lag.max(most)));
        });
        let (waiting, lag) = lags.unwrap_or_default();
        Statistics {
            pushed: pulled,
            taken: pulled.wrapping_sub(waiting),
            waiting,
            lag,
        }
    }

    fn fork(&mut self) -> Self
    where
        T: Clone + Sync,
    {
        let shared = self.shared.shared();
        self.clone = Some(T::clone);
        shared.forks.fetch_add(1, Ordering::Relaxed);
        Self {
            waiter: shared.waiters.add_at(position(self.next_index)),
            shared: SharedRef(self.shared.0.clone()),
            next_index: self.next_index,
            missed: self.missed,
            clone: self.clone,
        }
    }
}

#[cfg(all(test, not(aiter_loom)))]
mod tests {
    use super::*;

    /// A fork that is not polled may fall behind without a bound, and still has the latest items to
    /// take.
    #[test]
    fn the_lag_is_correct_at_any_distance() {
        let (_writer, reader) = crate::list::list();
        let place = SkipCursor::<u8>::new(4, reader);
        let shared = place.shared.shared();
        let lags = [
            1,
            3,
            4,
            1 << 29,
            1 << 30,
            (1 << 30) + 1,
            1 << 31,
            (1 << 32) - 2,
        ];
        #[cfg(target_has_atomic = "64")]
        let lags = lags
            .into_iter()
            .chain([(1 << 32) - 1, 1 << 32, 1 << 33, 1 << 62]);
        for lag in lags.into_iter() {
            shared.pulled.store(lag as Word, Ordering::Relaxed);
            assert_eq!(place.lag(), lag.min(4_u64) as usize);
            assert!(!place.at_tail(), "{lag}");
            shared.closed.store(1, Ordering::Relaxed);
            assert!(!place.at_end(), "{lag}");
            shared.closed.store(0, Ordering::Relaxed);
        }
        // Another fork has put an item into the list, which this one has taken, and has not counted
        // it yet.
        shared
            .pulled
            .store((0 as Word).wrapping_sub(1), Ordering::Relaxed);
        assert!(place.at_tail() && place.lag() == 0);
    }
}
