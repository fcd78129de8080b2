//! A fork's place among the items that were pulled.

use super::{lossless::Lossless, pull::ForkShared};
use crate::{
    Statistics,
    handoff::HandoffLock,
    list::{Observer, Reader},
    ring::{Ring, RingCursor},
    sync::{Arc, OnceBox},
};
use core::task::{Poll, Waker};

/// A fork's place among the items that were pulled. Each bound brings its own implementation.
pub(crate) trait ForkPlace<T>: Unpin {
    /// The items that the fork yields.
    type Item;

    /// Whether the fork reads from the ring, and so transfers to it what it has pulled.
    const READS_RING: bool = false;

    /// The place while no fork has a bound or early items, or where it does not
    /// [look empty](Self::looks_empty).
    type Plain: ForkPlace<T, Item = Self::Item>;

    /// See [`Plain`](Self::Plain).
    fn plain(&mut self) -> &mut Self::Plain;

    /// Whether there is no other fork. If so, the caller sees everything that the others did before
    /// they were dropped.
    fn is_alone(&self) -> bool;

    /// Takes an item that the place knows of without a search: the cheapest way, tried first.
    #[inline]
    fn next_fast(&mut self) -> Option<Self::Item> {
        None
    }

    /// Whether one load shows that there is nothing. May return `false` where there is nothing.
    #[inline]
    fn looks_empty(&self) -> bool {
        false
    }

    /// Takes the next item, or finds the end, after [`next_fast`](Self::next_fast) returned `None`.
    /// Registers `waker` only if another fork is in the way. Then this returns
    /// [`NextItem::Waiting`].
    fn next(&mut self, waker: &Waker) -> NextItem<Self::Item>;

    /// Takes the item that this fork has just put into the list.
    #[inline]
    fn next_pulled(&mut self, waker: &Waker) -> NextItem<Self::Item> {
        self.next(waker)
    }

    /// Whether there is neither an item nor the end. Exact while the caller holds the lock.
    fn at_tail(&self) -> bool;

    /// As [`at_tail`](Self::at_tail), for the fork that pulls next.
    #[inline]
    fn come_to_tail(&mut self) -> bool {
        self.at_tail()
    }

    /// Whether the end comes next.
    fn at_end(&self) -> bool;

    /// Converts an item that a fork which is alone has pulled without putting it into the list.
    fn bypass(&mut self, item: T) -> Self::Item;

    /// Whether the end has been pulled, so that no further item comes.
    fn is_closed(&self) -> bool;

    /// Drops a waker that was registered.
    #[inline]
    fn clear_waker(&mut self) {}

    /// How many items this fork has still to take, without those that it has missed. Exact while
    /// the caller holds the lock, and a lower bound where other forks may cause this one to miss
    /// some.
    fn lag(&self) -> usize;

    /// The least number of items that this fork sees of `items` further ones.
    fn at_least(&self, items: usize) -> usize {
        items
    }

    fn statistics(&self) -> Statistics;

    /// A handle on the list.
    fn observe(&self) -> Observer<T>;
}

/// The place of a fork, from which others are made.
pub(crate) trait MakesForks<T>: ForkPlace<T> {
    /// This place, for one that is made at the same position under another bound.
    fn parent(&mut self) -> Parent<'_, T>;

    /// Another place at the same position.
    fn fork(&mut self) -> Self
    where
        T: Clone + Sync;
}

/// Where a fork is made: at the place of another one, or at the tail.
pub(crate) enum Parent<'a, T> {
    Lossless(&'a mut Lossless<T>),
    Lossy(&'a mut RingCursor<T>),
    /// At the place of a reader that is the fork's own.
    Reader(Reader<T>),
    /// At the tail, or at the retained items if it `replays`. If nothing is retained, the caller
    /// has the ring fed before the next pull.
    Late {
        ring: &'a Ring<T>,
        replays: bool,
    },
}

/// What places know of their source.
pub(crate) struct SourceRef<'a, T> {
    pub(super) lock: &'a Arc<HandoffLock<ForkShared>>,
    pub(super) ring: &'a OnceBox<Ring<T>>,
}

/// The result of a fork's search for an item.
pub(crate) enum NextItem<I> {
    Item(I),
    /// The end of the stream.
    End,
    /// Nothing, and no active fork that could pull: a passive fork ends for now.
    EndForNow,
    /// Nothing. The waker is not registered, or the caller has to look once more.
    Nothing,
    /// Nothing. The waker is registered, and another fork or the source wakes this one.
    Waiting,
}

impl<I> NextItem<I> {
    #[inline]
    pub(super) fn is_nothing(&self) -> bool {
        matches!(self, Self::Nothing)
    }
}

impl<I> From<Poll<Option<I>>> for NextItem<I> {
    #[inline]
    fn from(polled: Poll<Option<I>>) -> Self {
        match polled {
            Poll::Ready(Some(item)) => Self::Item(item),
            Poll::Ready(None) => Self::End,
            Poll::Pending => Self::Nothing,
        }
    }
}
