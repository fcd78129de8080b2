//! What [`map_workers`], [`map_workers_ordered`] and [`map_workers_by`] share: futures made from
//! the items of a source, several at once.

mod keyed;
mod ordered;
mod unordered;

pub use keyed::{MapWorkersBy, map_workers_by};
pub use ordered::{MapWorkersOrdered, map_workers_ordered};
pub use unordered::{MapWorkers, map_workers};

use crate::ready_set::{Budget, ChildPoll, ReadySet, Served};
use core::{
    fmt,
    pin::Pin,
    task::{Context, Poll},
};
use futures_core::Stream;
use pin_project::pin_project;

/// How many fresh futures are polled in a row before one that woke is polled.
const MAX_FRESH: u32 = 32;

/// How [`Workers`] make futures of items, and poll them.
pub(crate) trait Work<T> {
    /// A future and its bookkeeping.
    type Child;
    type Output;

    /// Returns whether another item may be taken while `in_work` futures are in work.
    fn has_room(&self, in_work: usize) -> bool;

    /// Makes a future from an item. Keeps the item and returns `None` if it has to wait.
    fn start(&mut self, item: T) -> Option<Self::Child>;

    /// Polls a future for the first time.
    fn poll_fresh(
        &mut self,
        child: Pin<&mut Self::Child>,
        cx: &mut Context<'_>,
    ) -> Poll<Self::Output>;

    /// Polls a child that was pending when it was fresh.
    fn poll_again(
        &mut self,
        child: Pin<&mut Self::Child>,
        cx: &mut Context<'_>,
    ) -> ChildPoll<Self::Output>;
}

/// A source and the futures made from its items, each a `C`.
#[pin_project]
pub(crate) struct Workers<S, C> {
    #[pin]
    source: Option<S>,
    set: ReadySet<C>,
    fresh: u32,
}

impl<S: Stream, C> Workers<S, C> {
    pub(crate) fn new(source: S) -> Self {
        Self {
            source: Some(source),
            set: ReadySet::new(),
            fresh: 0,
        }
    }

    /// The number of futures in work.
    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.set.len()
    }

    pub(crate) fn is_terminated(&self) -> bool {
        self.source.is_none() && self.set.is_empty()
    }

    /// Returns the size hint of the source.
    pub(crate) fn source_hint(&self) -> (usize, Option<usize>) {
        self.source.as_ref().map_or((0, Some(0)), Stream::size_hint)
    }

    /// Adds a child without a poll.
    pub(crate) fn insert(self: Pin<&mut Self>, child: C) {
        self.project().set.insert(child);
    }

    /// Polls the child that gave the last result once more, if its turn is not over.
    #[inline]
    pub(crate) fn poll_current<W>(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        work: &mut W,
    ) -> Option<W::Output>
    where
        W: Work<S::Item, Child = C>,
    {
        let this = self.project();
        this.set.clear_waker_for(cx.waker());
        this.set
            .serve_current(&mut |child, cx| work.poll_again(child, cx))
    }

    /// Polls for the next result. First fresh futures are started while there is room, each polled
    /// at once. Then the futures that woke are polled.
    #[inline]
    pub(crate) fn poll<W>(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        budget: &mut Budget,
        work: &mut W,
    ) -> Poll<Option<W::Output>>
    where
        W: Work<S::Item, Child = C>,
    {
        let mut this = self.project();
        this.set.clear_waker_for(cx.waker());
        loop {
            let mut more = budget.is_left();
            while more
                && *this.fresh < MAX_FRESH
                && this.set.is_source_ready()
                && work.has_room(this.set.len())
            {
                if let Poll::Ready(Some(item)) = this.set.poll_source(this.source.as_mut()) {
                    *this.fresh += 1;
                    if let Some(child) = work.start(item) {
                        let step =
                            |child: Pin<&mut C>, cx: &mut Context<'_>| work.poll_fresh(child, cx);
                        if let Poll::Ready(result) = this.set.poll_and_insert(child, step) {
                            return Poll::Ready(Some(result));
                        }
                    }
                    more = budget.spend();
                }
            }
            let served = this
                .set
                .serve(budget, |child, cx| work.poll_again(child, cx));
            *this.fresh = 0;
            match served {
                Served::Item(result) => {
                    *this.fresh = fresh_after_pause(this.set);
                    return Poll::Ready(Some(result));
                }
                Served::Spent => {
                    *this.fresh = fresh_after_pause(this.set);
                    cx.waker().wake_by_ref();
                    return Poll::Pending;
                }
                Served::Idle if this.set.is_source_ready() && work.has_room(this.set.len()) => {}
                Served::Idle if this.set.is_empty() && this.source.is_none() => {
                    this.set.clear_waker();
                    return Poll::Ready(None);
                }
                Served::Idle if this.set.park(cx.waker()) => {
                    *this.fresh = fresh_after_pause(this.set);
                    return Poll::Pending;
                }
                Served::Idle => {}
            }
        }
    }
}

/// Returns how many fresh futures count as polled when the next poll starts. If some of the pending
/// ones may have run out of tokio's budget, they come before fresh ones.
fn fresh_after_pause<C>(set: &ReadySet<C>) -> u32 {
    if set.may_have_refused() { MAX_FRESH } else { 0 }
}

impl<S: fmt::Debug, C> fmt::Debug for Workers<S, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Workers")
            .field("source", &self.source)
            .field("set", &self.set)
            .finish_non_exhaustive()
    }
}

#[cfg(all(test, not(aiter_loom)))]
mod tests;
