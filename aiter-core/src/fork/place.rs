//! Where a fork stands among what was pulled: what the bounds have to say in a fork's poll.

use super::{
    bound::{Skip, Unbounded, Wait, Yields},
    pull::ForkShared,
    skip::SkipCursor,
    wait::WaitCursor,
};
use crate::{Statistics, handoff::HandoffLock, list::Reader, sync::Arc};
use core::task::{Poll, Waker};

/// What a bound does: it says what the places of forks are.
pub(crate) trait Places: Yields {
    type Place<T>: Place<T, Item = Self::Item<T>>;

    /// The place of the first fork, the only reader of a new list.
    fn first<T>(self, reader: Reader<T>, shared: &Arc<HandoffLock<ForkShared>>) -> Self::Place<T>;
}

/// Where a fork stands among what was pulled.
pub(crate) trait Place<T>: Unpin {
    /// What it finds there.
    type Item;

    /// Whether there is no other fork. If so, what others did before they left has been done.
    fn is_alone(&self) -> bool;

    /// Takes an item that this fork knows of, which takes least.
    #[inline(always)]
    fn next_known(&mut self) -> Option<Self::Item> {
        None
    }

    /// Whether a glance shows that there is nothing.
    #[inline(always)]
    fn is_bare(&self) -> bool {
        false
    }

    /// Takes what is there, if none is known. The waker is left only with what is [`Found::Busy`].
    fn next(&mut self, waker: &Waker) -> Found<Self::Item>;

    /// Takes what this fork has just put into the list.
    #[inline(always)]
    fn next_pulled(&mut self, waker: &Waker) -> Found<Self::Item> {
        self.next(waker)
    }

    /// Whether there is nothing: neither an item nor the end. Exact with the baton in hand.
    fn at_tail(&self) -> bool;

    /// Whether the end is all there is.
    fn at_end(&self) -> bool;

    /// Whether an item may be pulled. If not, who makes room has the source's waker woken. Asked at the tail with the
    /// baton in hand, and not by a fork that is alone.
    #[inline(always)]
    fn has_room(&mut self) -> bool {
        true
    }

    /// An item, or the end, was put into the list. Said with the baton in hand.
    #[inline(always)]
    fn pulled(&self, _: PulledKind) {}

    /// An item that was pulled past all this by a fork that is alone.
    fn direct(&mut self, item: T) -> Self::Item;

    /// Whether nothing more is pulled: what there is is all.
    fn is_closed(&self) -> bool;

    /// Drops a waker that was left.
    #[inline(always)]
    fn forget(&mut self) {}

    /// How many items there are, or are about to be: exact with the baton in hand, and fewer if
    /// others may cost this fork some.
    fn count(&self) -> usize;

    /// At least how many of so many more it would see.
    fn at_least(&self, items: usize) -> usize {
        items
    }

    fn statistics(&self) -> Statistics;

    /// Another one at the same place.
    fn fork(&mut self) -> Self
    where
        T: Clone + Sync;
}

/// What was put into the list.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum PulledKind {
    Item,
    End,
}

/// What a fork finds at its place.
pub(crate) enum Found<I> {
    Item(I),
    Ended,
    Nothing,
    /// Another fork is at it, and wakes this one.
    Busy,
}

impl<T> From<Poll<Option<T>>> for Found<T> {
    #[inline(always)]
    fn from(look: Poll<Option<T>>) -> Self {
        match look {
            Poll::Ready(Some(item)) => Self::Item(item),
            Poll::Ready(None) => Self::Ended,
            Poll::Pending => Self::Nothing,
        }
    }
}

impl Places for Unbounded {
    type Place<T> = Reader<T>;

    fn first<T>(self, reader: Reader<T>, _: &Arc<HandoffLock<ForkShared>>) -> Reader<T> {
        reader
    }
}

impl Places for Wait {
    type Place<T> = WaitCursor<T>;

    fn first<T>(self, reader: Reader<T>, shared: &Arc<HandoffLock<ForkShared>>) -> WaitCursor<T> {
        WaitCursor::new(self.0, reader, shared.clone())
    }
}

impl Places for Skip {
    type Place<T> = SkipCursor<T>;

    fn first<T>(self, reader: Reader<T>, _: &Arc<HandoffLock<ForkShared>>) -> SkipCursor<T> {
        SkipCursor::new(self.0, reader)
    }
}

/// A place in the list itself.
impl<T> Place<T> for Reader<T> {
    type Item = T;

    #[inline(always)]
    fn is_alone(&self) -> bool {
        Self::is_alone(self)
    }

    #[inline(always)]
    fn next_known(&mut self) -> Option<T> {
        Self::next_fast(self)
    }

    #[inline(always)]
    fn is_bare(&self) -> bool {
        Self::looks_empty(self)
    }

    #[inline(always)]
    fn next(&mut self, _: &Waker) -> Found<T> {
        self.next_slow().into()
    }

    #[inline(always)]
    fn next_pulled(&mut self, _: &Waker) -> Found<T> {
        self.next_pushed().into()
    }

    #[inline(always)]
    fn at_tail(&self) -> bool {
        self.is_at_gap()
    }

    fn at_end(&self) -> bool {
        self.is_ended()
    }

    #[inline(always)]
    fn direct(&mut self, item: T) -> T {
        item
    }

    fn is_closed(&self) -> bool {
        self.is_stopped()
    }

    fn count(&self) -> usize {
        self.lag()
    }

    fn statistics(&self) -> Statistics {
        Self::statistics(self)
    }

    fn fork(&mut self) -> Self
    where
        T: Clone + Sync,
    {
        Self::fork(self)
    }
}
