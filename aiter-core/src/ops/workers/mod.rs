//! What [`map_workers`] and [`map_workers_ordered`] share: futures made from the items of a source,
//! several at once.

mod ordered;
mod unordered;

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

    /// How many items the source will still yield.
    pub(crate) fn source_hint(&self) -> (usize, Option<usize>) {
        self.source.as_ref().map_or((0, Some(0)), Stream::size_hint)
    }

    /// Polls for the next result. First up to `room` fresh futures are started, each polled at
    /// once. Then the futures that woke are polled.
    #[inline]
    pub(crate) fn poll<R>(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        budget: &mut Budget,
        mut room: usize,
        mut start: impl FnMut(S::Item) -> C,
        mut step: impl FnMut(Pin<&mut C>, &mut Context<'_>) -> Poll<R>,
    ) -> Poll<Option<R>> {
        let mut this = self.project();
        this.set.clear_waker_for(cx.waker());
        loop {
            let mut more = budget.is_left();
            while more && room > 0 && *this.fresh < MAX_FRESH && this.set.is_source_ready() {
                if let Poll::Ready(Some(item)) = this.set.poll_source(this.source.as_mut()) {
                    *this.fresh += 1;
                    room -= 1;
                    if let Poll::Ready(result) = this.set.poll_and_insert(start(item), &mut step) {
                        return Poll::Ready(Some(result));
                    }
                    more = budget.spend();
                }
            }
            let served = this.set.serve(budget, |child, cx| match step(child, cx) {
                Poll::Ready(result) => ChildPoll::Last(result),
                Poll::Pending => ChildPoll::Pending,
            });
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
                Served::Idle if room > 0 && this.set.is_source_ready() => {}
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

/// Futures that could make no progress for want of budget come before fresh ones.
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
