//! `skip(n)`: a fork's place is a cursor of the [ring](crate::ring) of the latest items.
//!
//! All `skip` forks of a source take from one ring. It has a lock of its own, apart from the
//! source's. A source that takes long in its poll, or is polled again at once, keeps no fork from
//! the items in the ring.

use super::{
    bound::{Bound, MakePlace, Seen, Skip, Yields},
    lossless::ForkParts,
    place::{ForkPlace, MakesForks, NextItem, Parent, SourceRef},
    pull::RING,
};
use crate::{
    Statistics,
    list::{Observer, Reader},
    ring::{Found, Ring, RingCursor},
};
use alloc::collections::VecDeque;
use core::task::Waker;

impl Bound for Skip {}

impl Yields for Skip {
    type Item<T> = Seen<T>;
}

impl MakePlace for Skip {
    type Place<T> = RingCursor<T>;

    fn first_place<T>(self, reader: Reader<T>, source: SourceRef<'_, T>) -> RingCursor<T> {
        let ring = source.ring.get_or_make(|| Ring::near(&reader));
        source.lock.shared().owe(RING);
        ring.first(reader, self.0)
    }

    fn place_at<T: Clone + Sync>(
        self,
        parent: Parent<'_, T>,
        source: SourceRef<'_, T>,
    ) -> RingCursor<T> {
        let parts = match parent {
            Parent::Lossless(place) => place.fork_parts(),
            Parent::Lossy(cursor) => ForkParts::Cursor(cursor),
            Parent::Reader(reader) => ForkParts::Reader(reader, VecDeque::new()),
            Parent::Late { ring, replays } => return ring.late(replays, self.0),
        };
        match parts {
            ForkParts::Cursor(cursor) => cursor.fork_with(self.0),
            ForkParts::Reader(reader, early) => {
                let ring = source.ring.get_or_make(|| Ring::near(&reader));
                source.lock.shared().owe(RING);
                ring.join(reader, early, self.0)
            }
        }
    }

    fn of_place<T>(place: &RingCursor<T>) -> Self {
        Self(place.limit())
    }
}

impl<T> ForkPlace<T> for RingCursor<T> {
    type Item = Seen<T>;
    type Plain = Self;
    const READS_RING: bool = true;

    fn plain(&mut self) -> &mut Self {
        self
    }

    fn is_alone(&self) -> bool {
        Self::is_alone(self)
    }

    fn next(&mut self, waker: &Waker) -> NextItem<Seen<T>> {
        match Self::next(self, waker) {
            Found::Item(missed, item) => NextItem::Item(Seen { missed, item }),
            Found::End => NextItem::End,
            Found::Nothing => NextItem::Nothing,
            Found::Waiting => NextItem::Waiting,
        }
    }

    fn clear_waker(&mut self) {
        Self::clear_waker(self);
    }

    fn at_tail(&self) -> bool {
        Self::at_tail(self)
    }

    fn at_end(&self) -> bool {
        Self::at_end(self)
    }

    fn bypass(&mut self, item: T) -> Seen<T> {
        let missed = self.take_missed();
        Seen { missed, item }
    }

    fn is_closed(&self) -> bool {
        Self::is_closed(self)
    }

    fn lag(&self) -> usize {
        Self::lag(self)
    }

    fn at_least(&self, items: usize) -> usize {
        items.min(self.limit())
    }

    fn statistics(&self) -> Statistics {
        self.ring().statistics()
    }

    fn observe(&self) -> Observer<T> {
        Self::observe(self)
    }
}

impl<T> MakesForks<T> for RingCursor<T> {
    fn parent(&mut self) -> Parent<'_, T> {
        Parent::Lossy(self)
    }

    fn fork(&mut self) -> Self
    where
        T: Clone + Sync,
    {
        self.fork_with(self.limit())
    }
}
