//! `wait(n)`: an item is pulled only while the fork has fewer than `n` items to take.

use super::{
    bound::{Bound, MakePlace, Wait, Yields},
    lossless::Lossless,
    place::{ForkPlace, MakesForks, NextItem, Parent, SourceRef},
    rooms::Room,
};
use crate::{
    Statistics,
    list::{Observer, Reader},
};
use core::task::Waker;
use scopeguard::{ScopeGuard, guard};

impl Bound for Wait {}

impl Yields for Wait {
    type Item<T> = T;
}

impl MakePlace for Wait {
    type Place<T> = WaitCursor<T>;

    fn first_place<T>(self, reader: Reader<T>, source: SourceRef<'_, T>) -> WaitCursor<T> {
        WaitCursor::new(self.0, Lossless::new(reader), source)
    }

    fn place_at<T: Clone + Sync>(
        self,
        parent: Parent<'_, T>,
        source: SourceRef<'_, T>,
    ) -> WaitCursor<T> {
        WaitCursor::new(self.0, Lossless::at(parent), source)
    }

    fn of_place<T>(place: &WaitCursor<T>) -> Self {
        Self(place.room.limit())
    }
}

/// A place in the list that also keeps account of room.
pub(crate) struct WaitCursor<T> {
    // In this order: room is announced after the reader has been dropped.
    place: Lossless<T>,
    room: Room,
}

impl<T> WaitCursor<T> {
    fn new(limit: usize, place: Lossless<T>, source: SourceRef<'_, T>) -> Self {
        let room = Room::new(source.lock, place.number(), limit);
        Self { place, room }
    }

    pub(super) fn set_limits(&self, limit: usize) {
        self.room.set_limits(limit, self.place.item_tail());
    }

    /// Whether a fork has as many items to take as its bound allows.
    pub(super) fn is_full(&self) -> bool {
        self.room.is_full(self.place.item_tail())
    }
}

impl<T> ForkPlace<T> for WaitCursor<T> {
    type Item = T;
    type Plain = Self;

    fn plain(&mut self) -> &mut Self {
        self
    }

    fn is_alone(&self) -> bool {
        self.place.is_alone()
    }

    #[inline]
    fn next(&mut self, waker: &Waker) -> NextItem<T> {
        // If the clone of an item panics, this fork has passed the item and may have made room.
        let mut this = guard(self, |this| this.room.pass_in_panic(this.place.number()));
        let found = match this.place.next_fast() {
            Some(item) => NextItem::Item(item),
            None => ForkPlace::next(&mut this.place, waker),
        };
        let Self { place, room } = ScopeGuard::into_inner(this);
        if matches!(found, NextItem::Item(_)) {
            room.pass(place.number(), || place.item_tail(), place.is_alone());
        }
        found
    }

    fn at_tail(&self) -> bool {
        self.place.at_tail()
    }

    fn at_end(&self) -> bool {
        self.place.at_end()
    }

    fn bypass(&mut self, item: T) -> T {
        item
    }

    fn is_closed(&self) -> bool {
        self.place.is_closed()
    }

    fn clear_waker(&mut self) {
        self.place.clear_waker();
    }

    fn lag(&self) -> usize {
        self.place.lag()
    }

    fn statistics(&self) -> Statistics {
        self.place.statistics()
    }

    fn observe(&self) -> Observer<T> {
        self.place.observe()
    }
}

impl<T> MakesForks<T> for WaitCursor<T> {
    fn parent(&mut self) -> Parent<'_, T> {
        Parent::Lossless(&mut self.place)
    }

    fn fork(&mut self) -> Self
    where
        T: Clone + Sync,
    {
        let place = self.place.fork();
        let room = self.room.fork(place.number());
        Self { place, room }
    }
}
