//! [`map_workers_by`]: several futures at once, but only one at a time for each key.
use super::{Work, Workers};
use crate::{
    ready_set::{Budget, ChildPoll},
    util::shrink::shrink,
};
use alloc::collections::{BTreeMap, VecDeque};
use core::{
    fmt,
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};
use futures_core::{FusedStream, Stream};
use pin_project::pin_project;
use scopeguard::ScopeGuard;

/// Runs `f` on each item, and up to `n` of the futures that it returns at once, but only one at a
/// time for items with equal keys, in the order of the items. Yields the results as they complete.
///
/// Use it for work that may run side by side, except where it concerns the same thing: the events
/// of one account, the messages of one partition, the writes to one file. All futures run in the
/// task that polls this stream. No memory is allocated for `n` or for keys in advance.
///
#[cfg_attr(doc, doc = include_str!("../../../../docs/pictures/map_workers_by.svg"))]
///
/// An item waits while a future of its key is in work. After that future has completed, the next
/// call of `poll_next` calls `f` for the item. Waiting items do not count towards the `n` in work,
/// and at most `n` of them wait. While `n` futures are in work or `n` items wait, the source is not
/// polled. So a slow key holds up the others only when `n` items wait. Nothing is kept for a key
/// that has no future in work. `usize::MAX` is a limit like any other.
///
/// As with [`map_workers`](crate::map_workers), futures that are ready at once do not starve those
/// that woke. A key with waiting items yields up to eight results in a row, and then the others
/// have their turn.
///
/// # How it compares
/// - The results of one key come in the order of its items, and those of different keys as they
///   complete. [`map_workers_ordered`](crate::map_workers_ordered) runs any `n` items side by side
///   and only puts the results in order. Here the work itself is in order, and no result waits for
///   that of another key.
/// - [`split_by`](crate::split_by) makes a stream for each key, for programs in which each key has
///   a task with a state of its own. Here all futures run in one task.
/// - Akka's `mapAsyncPartitioned` yields all results in the order of the items, and counts the
///   items that wait for their key among those in work. So a slow item holds back all results after
///   its own.
///
/// # Panics
/// At the caller's line if `n` is 0. A panic of `key`, of `f` or of a future reaches the caller of
/// `poll_next`. The item is lost, the next item of its key follows, and the other futures continue.
/// After a panic of the source no further items are taken.
///
/// # Cancel safety
/// Cancel safe: a result is taken only when it is returned, and the stream keeps the futures in
/// work and the items that wait. Dropping the stream drops them.
///
/// # Progress
/// Waits only for the source and the futures. Waking a future is lock-free: it never waits and
/// never spins. Each item costs a search for its key among the keys in work, of which there are at
/// most `n`. If its future is pending at the first poll, it costs a clone of the key and two more
/// searches. The number of keys that have ever come makes no difference.
///
/// # Examples
/// Transfers of several accounts are booked side by side, and those of one account in order:
/// ```
/// use aiter_core::map_workers_by;
/// use futures_lite::{StreamExt, future::{block_on, yield_now}, stream};
/// use std::{cell::RefCell, collections::HashMap};
///
/// struct Transfer { account: &'static str, amount: i64 }
/// let transfers = [
///     Transfer { account: "ada", amount: 100 },
///     Transfer { account: "ada", amount: -70 },
///     Transfer { account: "bob", amount: 5 },
///     Transfer { account: "ada", amount: -20 },
/// ];
///
/// let balances = RefCell::new(HashMap::new());
/// let book = async |Transfer { account, amount }| {
///     let before = balances.borrow().get(account).copied().unwrap_or(0);
///     yield_now().await; // asks another service whether the account may do this
///     balances.borrow_mut().insert(account, before + amount);
///     (account, before + amount)
/// };
/// let booked = map_workers_by(8, |transfer| transfer.account, book, stream::iter(transfers));
/// let booked: Vec<_> = block_on(booked.collect());
/// let of_ada: Vec<_> = booked.iter().filter(|booking| booking.0 == "ada").collect();
/// assert_eq!(of_ada, [&("ada", 100), &("ada", 30), &("ada", 10)]);
/// # assert_eq!(booked.len(), 4);
/// ```
#[track_caller]
pub fn map_workers_by<S, K, G, F, Fut>(
    n: usize,
    key: G,
    f: F,
    stream: S,
) -> MapWorkersBy<S, K, G, F, Fut>
where
    S: Stream,
    K: Ord + Clone,
    G: FnMut(&S::Item) -> K,
    F: FnMut(S::Item) -> Fut,
    Fut: Future,
{
    assert!(n > 0, "map_workers_by: n must be at least 1");
    MapWorkersBy {
        workers: Workers::new(stream),
        work: ByKey {
            n,
            key,
            f,
            busy: BusyKeys {
                queues: BTreeMap::new(),
                waiting: 0,
            },
            interrupted: None,
        },
    }
}

/// The stream that [`map_workers_by`] returns.
#[pin_project]
#[must_use = "streams do nothing unless polled"]
pub struct MapWorkersBy<S: Stream, K, G, F, Fut> {
    #[pin]
    workers: Workers<S, Lane<K, S::Item, Fut>>,
    work: ByKey<K, S::Item, G, F>,
}

/// A key that has a child in the ready set.
#[pin_project]
struct Lane<K, T, Fut> {
    /// Moved to [`ByKey::interrupted`] if the future panics.
    key: Option<K>,
    #[pin]
    task: Task<T, Fut>,
}

/// The work of a lane.
#[pin_project(project = TaskProj)]
enum Task<T, Fut> {
    /// An item, of which the next poll makes a future.
    Next(Option<T>),
    /// The future that is in work.
    Running(#[pin] Fut),
}

struct ByKey<K, T, G, F> {
    n: usize,
    key: G,
    f: F,
    busy: BusyKeys<K, T>,
    /// The key of an item that was lost to a panic, if that key was busy.
    interrupted: Option<K>,
}

/// The keys that have a pending future, with the items that wait for it.
struct BusyKeys<K, T> {
    queues: BTreeMap<K, VecDeque<T>>,
    /// The number of items that wait.
    waiting: usize,
}

impl<K: Ord, T> BusyKeys<K, T> {
    /// Keeps the item if its key is busy, or returns it.
    #[inline]
    fn wait_or_return(&mut self, key: &K, item: T) -> Option<T> {
        let Some(queue) = self.queues.get_mut(key) else {
            return Some(item);
        };
        queue.push_back(item);
        self.waiting += 1;
        None
    }

    /// Takes the next item of a busy key. If there is none, the key is no longer busy.
    fn next(&mut self, key: &K) -> Option<T> {
        if self.waiting > 0 {
            if let Some(queue) = self.queues.get_mut(key) {
                if let Some(item) = queue.pop_front() {
                    self.waiting -= 1;
                    shrink(queue);
                    return Some(item);
                }
            }
        }
        // Not `remove`, which leaks the queue if the drop of the key panics.
        if let Some((_key, queue)) = self.queues.remove_entry(key) {
            drop(queue);
        }
        None
    }
}

impl<K: Ord, T, G, F> ByKey<K, T, G, F> {
    /// Makes a new lane for the key of an item that was lost, if more of its items wait.
    fn resume<Fut>(&mut self) -> Option<Lane<K, T, Fut>> {
        let item = self.busy.next(self.interrupted.as_ref()?);
        let key = self.interrupted.take();
        item.map(|item| Lane {
            key,
            task: Task::Next(Some(item)),
        })
    }
}

impl<T, Fut: Future> Task<T, Fut> {
    #[inline]
    fn poll(
        mut self: Pin<&mut Self>,
        f: &mut impl FnMut(T) -> Fut,
        cx: &mut Context<'_>,
    ) -> Poll<Fut::Output> {
        if let TaskProj::Next(item) = self.as_mut().project() {
            if let Some(item) = item.take() {
                self.set(Self::Running(f(item)));
            }
        }
        match self.project() {
            TaskProj::Running(future) => future.poll(cx),
            TaskProj::Next(_) => unreachable!("a lane without an item is dropped"),
        }
    }
}

impl<K, T, G, F, Fut> Work<T> for ByKey<K, T, G, F>
where
    K: Ord + Clone,
    G: FnMut(&T) -> K,
    F: FnMut(T) -> Fut,
    Fut: Future,
{
    type Child = Lane<K, T, Fut>;
    type Output = Fut::Output;

    #[inline]
    fn has_room(&self, in_work: usize) -> bool {
        in_work < self.n && self.busy.waiting < self.n
    }

    #[inline]
    fn start(&mut self, item: T) -> Option<Self::Child> {
        let key = (self.key)(&item);
        let item = self.busy.wait_or_return(&key, item)?;
        Some(Lane {
            key: Some(key),
            task: Task::Running((self.f)(item)),
        })
    }

    /// The key of a future that is ready at once never becomes busy.
    #[inline]
    fn poll_fresh(
        &mut self,
        lane: Pin<&mut Self::Child>,
        cx: &mut Context<'_>,
    ) -> Poll<Self::Output> {
        let lane = lane.project();
        let polled = lane.task.poll(&mut self.f, cx);
        if polled.is_pending() {
            if let Some(key) = lane.key {
                self.busy.queues.insert(key.clone(), VecDeque::new());
            }
        }
        polled
    }

    #[inline]
    fn poll_again(
        &mut self,
        lane: Pin<&mut Self::Child>,
        cx: &mut Context<'_>,
    ) -> ChildPoll<Self::Output> {
        let mut lane = lane.project();
        let key = scopeguard::guard(lane.key, |key| self.interrupted = key.take());
        let Poll::Ready(result) = lane.task.as_mut().poll(&mut self.f, cx) else {
            ScopeGuard::into_inner(key);
            return ChildPoll::Pending;
        };
        // The drop of the future may panic, so it comes before the next item is taken.
        lane.task.set(Task::Next(None));
        let item = key.as_ref().and_then(|key| self.busy.next(key));
        ScopeGuard::into_inner(key);
        if item.is_none() {
            return ChildPoll::Last(result);
        }
        lane.task.set(Task::Next(item));
        ChildPoll::Item(result)
    }
}

impl<S, K, G, F, Fut> Stream for MapWorkersBy<S, K, G, F, Fut>
where
    S: Stream,
    K: Ord + Clone,
    G: FnMut(&S::Item) -> K,
    F: FnMut(S::Item) -> Fut,
    Fut: Future,
{
    type Item = Fut::Output;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let mut this = self.project();
        if let Some(lane) = this.work.resume() {
            this.workers.as_mut().insert(lane);
        }
        // The key of the last result goes on first, if more of its items wait.
        if let Some(result) = this.workers.as_mut().poll_current(cx, this.work) {
            return Poll::Ready(Some(result));
        }
        this.workers.poll(cx, &mut Budget::new(), this.work)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let (low, high) = self.workers.source_hint();
        let held = self.workers.len().saturating_add(self.work.busy.waiting);
        (
            low.saturating_add(held),
            high.and_then(|high| high.checked_add(held)),
        )
    }
}

impl<S, K, G, F, Fut> FusedStream for MapWorkersBy<S, K, G, F, Fut>
where
    S: Stream,
    K: Ord + Clone,
    G: FnMut(&S::Item) -> K,
    F: FnMut(S::Item) -> Fut,
    Fut: Future,
{
    fn is_terminated(&self) -> bool {
        self.workers.is_terminated() && self.work.busy.waiting == 0
    }
}

impl<S: Stream + fmt::Debug, K, G, F, Fut> fmt::Debug for MapWorkersBy<S, K, G, F, Fut> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MapWorkersBy")
            .field("workers", &self.workers)
            .field("n", &self.work.n)
            .field("waiting", &self.work.busy.waiting)
            .finish_non_exhaustive()
    }
}

#[cfg(all(test, not(aiter_loom)))]
mod tests;
