//! `unbounded()`: a fork's place is a reader of the list.

use super::{
    bound::{Bound, MakePlace, Unbounded, Yields},
    place::{ForkPlace, NextItem},
    pull::ForkShared,
};
use crate::{Statistics, handoff::HandoffLock, list::Reader, sync::Arc};
use core::task::Waker;

impl Bound for Unbounded {}

impl Yields for Unbounded {
    type Item<T> = T;
}

impl MakePlace for Unbounded {
    type Place<T> = Reader<T>;

    fn first_place<T>(self, reader: Reader<T>, _: &Arc<HandoffLock<ForkShared>>) -> Reader<T> {
        reader
    }
}

impl<T> ForkPlace<T> for Reader<T> {
    type Item = T;

    #[inline]
    fn is_alone(&self) -> bool {
        Self::is_alone(self)
    }

    #[inline]
    fn next_fast(&mut self) -> Option<T> {
        Self::next_fast(self)
    }

    #[inline]
    fn looks_empty(&self) -> bool {
        Self::looks_empty(self)
    }

    #[inline]
    fn next(&mut self, _: &Waker) -> NextItem<T> {
        self.next_slow().into()
    }

    #[inline]
    fn next_pulled(&mut self, _: &Waker) -> NextItem<T> {
        self.next_pushed().into()
    }

    #[inline]
    fn at_tail(&self) -> bool {
        self.is_unpublished()
    }

    fn at_end(&self) -> bool {
        self.is_ended()
    }

    #[inline]
    fn bypass(&mut self, item: T) -> T {
        item
    }

    fn is_closed(&self) -> bool {
        Self::is_closed(self)
    }

    fn lag(&self) -> usize {
        Self::lag(self)
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
