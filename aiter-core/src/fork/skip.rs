//! `skip(n)`: a ring of the latest `n` items, from which all forks take.
//!
//! The list has one reader then, which belongs to the ring. Who takes the ring's [baton](crate::handoff::lock) first
//! carries over what has come into the list, and drops the oldest items where there are more than `n`. Items are counted
//! from the first that went through the list; a fork is at a count, no more: what it has lost is how much further on the
//! ring begins. So nothing has to be done to a fork for it to lose items, and one that is never polled keeps none but those
//! `n`. An item leaves the ring before that when every fork has passed it.
//!
//! | the baton is | a fork |
//! |---|---|
//! | taken | carries over, drops what is lost, takes its item; moves it if it is the last to come to it |
//! | held | waits, and leaves `KNOCKED`: the holder carries over and wakes it |
//!
//! | state | values |
//! |---|---|
//! | `items`, `start` | the ring, and the count of its first item |
//! | `ended` | the list's end was carried over |
//!
//! A baton of its own, not that of the source: a source that takes long in its poll, or is polled again at once, keeps no
//! fork from the items that are there.

use super::{
    bound::Seen,
    place::{Found, Place, PulledKind},
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
    task::{Poll, Waker},
};

/// A fork found the baton held, or went.
const KNOCKED: usize = REQUESTS[0];

/// A count of items, as a place in the crowd.
fn place(count: u64) -> usize {
    (count as usize) << 1
}

/// How many items `to` is ahead of `from`, both places: right as long as that is fewer than a quarter of what a word counts.
fn ahead(from: usize, to: usize) -> usize {
    (to.wrapping_sub(from) as isize >> 1).max(0) as usize
}

/// What all forks share.
pub(crate) struct SkipShared<T> {
    limit: usize,
    /// How many there are. Each takes memory, in the crowd, so that the word is not too small.
    forks: AtomicUsize,
    /// Items that were put into the list. Written with the source's baton in hand, as is the next.
    pulled: AtomicWord,
    /// Not 0 after the end of the list.
    closed: AtomicUsize,
    /// All forks, each at the count of the item it comes to.
    waiters: WaitSet,
    _items: PhantomData<fn() -> T>,
}

/// What belongs to the holder of the baton.
pub(crate) struct SkipBuffer<T> {
    /// What has come, and is not in the ring yet.
    reader: Reader<T>,
    items: VecDeque<T>,
    start: u64,
    ended: bool,
}

/// What is left to do when the baton is down.
pub(crate) struct After<T> {
    lost: VecDeque<T>,
    wake: bool,
}

impl<T> Default for After<T> {
    fn default() -> Self {
        Self {
            lost: VecDeque::new(),
            wake: false,
        }
    }
}

impl<T> Combine for SkipShared<T> {
    type State = SkipBuffer<T>;
    type After = After<T>;

    fn nothing_due(&self, _: &SkipBuffer<T>) -> bool {
        true
    }

    fn combine(&self, ring: &mut SkipBuffer<T>, requests: usize, after: &mut After<T>) {
        while let Some(lost) = ring.carry(self.limit) {
            after.lost.extend(lost);
        }
        if requests & KNOCKED != 0 {
            let mut passed = ring.split_passed(&self.waiters);
            after.lost.append(&mut passed);
            after.wake = true;
        }
    }

    fn follow_up(&self, after: After<T>) {
        // The items are dropped last, and also if a waker panics.
        if after.wake {
            self.waiters.wake_all();
        }
    }
}

impl<T> SkipBuffer<T> {
    /// Carries one item over, or the end. `None` if there is nothing; else the item that is lost by it, if one is.
    fn carry(&mut self, limit: usize) -> Option<Option<T>> {
        let came = match self.reader.next() {
            Poll::Pending => return None,
            Poll::Ready(None) if self.ended => return None,
            Poll::Ready(None) => {
                self.ended = true;
                None
            }
            Poll::Ready(Some(item)) => Some(item),
        };
        let is_full = came.is_some() && self.items.len() == limit;
        let lost = if is_full { self.pop() } else { None };
        self.items.extend(came);
        Some(lost)
    }

    fn pop(&mut self) -> Option<T> {
        let item = self.items.pop_front()?;
        self.start += 1;
        shrink(&mut self.items);
        Some(item)
    }

    /// Takes those out that every fork has passed.
    fn split_passed(&mut self, waiters: &WaitSet) -> VecDeque<T> {
        let passed = match waiters.min_position() {
            Some(slowest) => ahead(place(self.start), slowest).min(self.items.len()),
            None => self.items.len(),
        };
        self.start += passed as u64;
        let rest = self.items.split_off(passed);
        core::mem::replace(&mut self.items, rest)
    }
}

/// One fork's place: a count of items.
pub(crate) struct SkipCursor<T> {
    // In this order: the others are told when it has left the crowd.
    waiter: Waiter,
    window: Counted<T>,
    /// The count of the item it comes to.
    at: u64,
    /// Items that it lost and has not told of.
    missed: usize,
    /// There where there are several forks.
    clone: Option<fn(&T) -> T>,
}

/// A fork's share in the window.
struct Counted<T>(Arc<HandoffLock<SkipShared<T>>>);

impl<T> Counted<T> {
    fn public(&self) -> &SkipShared<T> {
        self.0.public()
    }
}

impl<T> Drop for Counted<T> {
    fn drop(&mut self) {
        // Ordering: Relaxed, see `is_alone`.
        if self.public().forks.fetch_sub(1, Ordering::Relaxed) > 1 {
            // What only it had not passed is dropped.
            drop(self.0.leave(KNOCKED));
        }
    }
}

impl<T> SkipCursor<T> {
    pub(super) fn new(limit: usize, reader: Reader<T>) -> Self {
        let waiters = WaitSet::new();
        let waiter = waiters.add_at(place(0));
        let window = SkipShared {
            limit,
            forks: AtomicUsize::new(1),
            pulled: AtomicWord::new(0),
            closed: AtomicUsize::new(0),
            waiters,
            _items: PhantomData,
        };
        let ring = SkipBuffer {
            reader,
            items: VecDeque::new(),
            start: 0,
            ended: false,
        };
        Self {
            waiter,
            window: Counted(Arc::new(HandoffLock::new(window, ring))),
            at: 0,
            missed: 0,
            clone: None,
        }
    }

    fn take(&mut self, waker: &Waker) -> Found<Seen<T>> {
        let Self {
            waiter,
            window,
            at,
            missed,
            clone,
        } = self;
        let mut guard = match window.0.try_take() {
            Some(guard) => guard,
            None => {
                waiter.wait(waker);
                match window.0.leave(KNOCKED) {
                    Some(guard) => guard,
                    None => return Found::Busy,
                }
            }
        };
        carry_all(&mut guard);
        let found = guard.with(|_, ring| {
            if let Some(lost @ 1..) = ring.start.checked_sub(*at) {
                *missed = missed.saturating_add(usize::try_from(lost).unwrap_or(usize::MAX));
                *at = ring.start;
            }
            let index = (*at - ring.start) as usize;
            if index == ring.items.len() {
                return match ring.ended {
                    true => Found::Ended,
                    false => Found::Nothing,
                };
            }
            // Said before the clone: if that panics the item is lost to this fork, and to no other.
            let here = place(*at);
            *at += 1;
            waiter.set_position(place(*at));
            let moved = if index == 0 && waiter.is_last_at(here) {
                ring.pop()
            } else {
                None
            };
            let item = match (moved, clone) {
                (Some(item), _) => item,
                (None, Some(clone)) => clone(&ring.items[index]),
                (None, None) => unreachable!("a second fork is made with a function to clone by"),
            };
            let missed = core::mem::take(missed);
            Found::Item(Seen { missed, item })
        });
        // Not left to the end of the function: a waker that panics there would leak what is returned.
        drop(guard);
        found
    }

    /// How many items it has still to take, lost ones included.
    fn behind(&self) -> usize {
        // Ordering: Relaxed, exact for who holds the source's baton, with which it is written. For others one item may have been
        // taken before it is counted, and no more: who puts the next into the list has counted it.
        let pulled = self.window.public().pulled.load(Ordering::Relaxed);
        match pulled.wrapping_sub(self.at as Word) {
            Word::MAX => 0,
            behind => truncate(behind.min(usize::MAX as Word)),
        }
    }

    /// How many items there are, in the ring or on their way.
    #[cfg(all(test, aiter_loom))]
    pub(super) fn kept(&self) -> usize {
        let guard = self.window.0.try_take();
        guard.map_or(usize::MAX, |mut guard| {
            guard.with(|_, ring| ring.items.len() + ring.reader.peek().count_to(usize::MAX))
        })
    }
}

/// Carries over all that has come. What is lost is dropped here.
fn carry_all<T>(guard: &mut Guard<'_, SkipShared<T>>) {
    while let Some(lost) = guard.with(|window, ring| ring.carry(window.limit)) {
        drop(lost);
    }
}

impl<T> Place<T> for SkipCursor<T> {
    type Item = Seen<T>;

    fn is_alone(&self) -> bool {
        // Ordering: Relaxed. What a fork that left had pulled is seen by who takes the source's baton after it; and whoever
        // acts on this takes that first.
        self.window.public().forks.load(Ordering::Relaxed) == 1
    }

    fn next(&mut self, waker: &Waker) -> Found<Seen<T>> {
        self.take(waker)
    }

    fn forget(&mut self) {
        self.waiter.forget();
    }

    fn at_tail(&self) -> bool {
        !self.is_closed() && self.behind() == 0
    }

    fn at_end(&self) -> bool {
        self.is_closed() && self.behind() == 0
    }

    fn pulled(&self, what: PulledKind) {
        let window = self.window.public();
        match what {
            PulledKind::Item => {
                // Ordering: Relaxed, as in `behind`. The baton orders the writers.
                let pulled = window.pulled.load(Ordering::Relaxed);
                window
                    .pulled
                    .store(pulled.wrapping_add(1), Ordering::Relaxed);
            }
            // Ordering: see `is_closed`.
            PulledKind::End => window.closed.store(1, Ordering::Release),
        }
    }

    fn direct(&mut self, item: T) -> Seen<T> {
        let missed = core::mem::take(&mut self.missed);
        Seen { missed, item }
    }

    fn is_closed(&self) -> bool {
        // Ordering: Acquire pairs with the Release in `pulled`: all that came before the end is
        // counted.
        self.window.public().closed.load(Ordering::Acquire) != 0
    }

    fn count(&self) -> usize {
        self.behind().min(self.window.public().limit)
    }

    fn at_least(&self, items: usize) -> usize {
        items.min(self.window.public().limit)
    }

    fn statistics(&self) -> Statistics {
        let window = self.window.public();
        let pulled = truncate(window.pulled.load(Ordering::Relaxed));
        let mut lags = None;
        window.waiters.positions(|at| {
            let lag = ahead(at, pulled << 1).min(window.limit);
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
        let window = self.window.public();
        self.clone = Some(T::clone);
        window.forks.fetch_add(1, Ordering::Relaxed);
        Self {
            waiter: window.waiters.add_at(place(self.at)),
            window: Counted(self.window.0.clone()),
            at: self.at,
            missed: self.missed,
            clone: self.clone,
        }
    }
}

#[cfg(all(test, not(aiter_loom)))]
mod tests {
    use super::*;

    /// A fork that nobody polls falls behind without a bound, and has the latest items to take all the same.
    #[test]
    fn a_fork_is_behind_by_however_many_there_were() {
        let (_writer, reader) = crate::list::list();
        let place = SkipCursor::<u8>::new(4, reader);
        let window = place.window.public();
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
            window.pulled.store(lag as Word, Ordering::Relaxed);
            assert_eq!(place.count(), lag.min(4_u64) as usize);
            assert!(!place.at_tail(), "{lag}");
            window.closed.store(1, Ordering::Relaxed);
            assert!(!place.at_end(), "{lag}");
            window.closed.store(0, Ordering::Relaxed);
        }
        // Another fork has just put it into the list, and not counted it yet.
        window
            .pulled
            .store((0 as Word).wrapping_sub(1), Ordering::Relaxed);
        assert!(place.at_tail() && place.count() == 0);
    }
}
