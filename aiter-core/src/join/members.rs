//! What the two forms of `join_aiters` share: a source of streams, and the streams that have
//! joined.
use crate::ready_set::{Budget, ChildPoll, ReadySet, Served};
use core::{
    fmt,
    pin::Pin,
    task::{Context, Poll},
};
use futures_core::Stream;
use pin_project::pin_project;

/// A source, and the members of type `C` that were made from its items.
#[pin_project]
pub(crate) struct Members<S, C> {
    #[pin]
    source: Option<S>,
    set: ReadySet<C>,
    /// The source is not polled while there are this many members.
    limit: usize,
}

impl<S: Stream, C> Members<S, C> {
    pub(crate) fn new(source: S, limit: usize) -> Self {
        Self {
            source: Some(source),
            set: ReadySet::new(),
            limit,
        }
    }

    pub(crate) fn is_terminated(&self) -> bool {
        self.source.is_none() && self.set.is_empty()
    }

    /// The next item: of the member whose turn it is, or of the next one that is ready.
    #[inline]
    pub(crate) fn poll<R>(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        join: impl FnMut(S::Item) -> C,
        mut step: impl FnMut(Pin<&mut C>, &mut Context<'_>) -> ChildPoll<R>,
    ) -> Poll<Option<R>> {
        let this = self.as_mut().project();
        if !this.set.is_source_ready() {
            if let Some(item) = this.set.serve_current(&mut step) {
                return Poll::Ready(Some(item));
            }
        }
        self.poll_slow(cx, join, step)
    }

    /// Lets members join, and serves those that are ready.
    fn poll_slow<R>(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        mut join: impl FnMut(S::Item) -> C,
        mut step: impl FnMut(Pin<&mut C>, &mut Context<'_>) -> ChildPoll<R>,
    ) -> Poll<Option<R>> {
        let mut this = self.project();
        let mut budget = Budget::new();
        this.set.clear_waker_for(cx.waker());
        loop {
            if can_join(this.set, *this.limit) {
                if let Poll::Ready(Some(item)) = this.set.poll_source(this.source.as_mut()) {
                    this.set.insert(join(item));
                }
            }
            match this.set.serve(&mut budget, &mut step) {
                Served::Item(item) => return Poll::Ready(Some(item)),
                Served::Spent => {
                    cx.waker().wake_by_ref();
                    return Poll::Pending;
                }
                Served::Idle if can_join(this.set, *this.limit) => {}
                Served::Idle if this.set.is_empty() && this.source.is_none() => {
                    this.set.clear_waker();
                    return Poll::Ready(None);
                }
                Served::Idle if this.set.park(cx.waker()) => return Poll::Pending,
                Served::Idle => {}
            }
        }
    }

    /// The sum of the members' hints. It has an upper bound only if the source yields no further
    /// member.
    pub(crate) fn size_hint(
        &self,
        of: impl Fn(&C) -> (usize, Option<usize>),
    ) -> (usize, Option<usize>) {
        let closed = self
            .source
            .as_ref()
            .is_none_or(|source| source.size_hint().1 == Some(0));
        let mut sum = (0_usize, closed.then_some(0_usize));
        self.set.for_each(|member| {
            let (low, high) = of(member);
            sum.0 = sum.0.saturating_add(low);
            sum.1 = sum
                .1
                .zip(high)
                .and_then(|(sum, high)| sum.checked_add(high));
        });
        sum
    }
}

/// Returns whether the source has to be polled.
#[inline]
fn can_join<C>(set: &ReadySet<C>, limit: usize) -> bool {
    set.is_source_ready() && set.len() < limit
}

impl<S: fmt::Debug, C> fmt::Debug for Members<S, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Members")
            .field("source", &self.source)
            .field("set", &self.set)
            .finish()
    }
}
