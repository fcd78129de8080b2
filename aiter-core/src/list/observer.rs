//! [`Observer`]: a handle that neither reads nor writes, and knows how much was pushed.
//!
//! Items are *numbered* from the first of the list. A number does not count slots without an item.
//! It wraps as positions do: compare numbers by [`numbers_apart`] only.

use super::{
    block::{
        FIRST, FIRST_TAIL, Tail, ahead, distance, distance_to_tail, number_of, tail_distance,
        tail_units,
    },
    open::ReaderCount,
    reader::Reader,
    shared::List,
    writer::Writer,
};
use crate::{
    Statistics,
    sync::{Arc, Ordering::*},
};

/// How many numbers `to` is after `from`; negative if it is before it.
pub(crate) fn numbers_apart(from: usize, to: usize) -> isize {
    distance(ahead(0, from), ahead(0, to))
}

pub(crate) struct Observer<T>(Arc<List<T>>);

impl<T> Clone for Observer<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

/// The tail of a list, less the slots without an item.
#[derive(Clone, Copy)]
pub(crate) struct ItemTail(Tail);

impl ItemTail {
    /// How many items there are from the one with this number on.
    pub(crate) fn items_from(self, number: usize) -> usize {
        distance_to_tail(ahead(FIRST, number), self.0).max(0) as usize
    }

    /// The number of the item that is pushed next.
    pub(crate) fn number(self) -> usize {
        tail_distance(FIRST_TAIL, self.0)
    }
}

impl<T> List<T> {
    fn item_tail(&self) -> ItemTail {
        // Ordering: as in `List::statistics`.
        let skipped = self.skipped.load(Acquire);
        let tail = self.end_tail_or(self.tail.load(Relaxed));
        ItemTail(tail.wrapping_sub(tail_units(skipped)))
    }
}

impl<T> Observer<T> {
    /// Exact if the caller is the only one who may push.
    pub(crate) fn item_tail(&self) -> ItemTail {
        self.0.item_tail()
    }

    /// Counts one more reader of an open list, which has no place yet.
    pub(crate) fn count_reader(&self) -> ReaderCount<T>
    where
        T: Clone + Sync,
    {
        ReaderCount::new(&self.0)
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.0.is_closed()
    }

    /// The number of readers. If it is 1, this thread sees what the others did before they were
    /// dropped.
    #[inline]
    pub(crate) fn readers(&self) -> usize {
        // Ordering: as in `Reader::is_alone`.
        self.0.readers.load(Acquire)
    }

    /// The statistics of the list, without the reader at a [registration](Reader::registration), and
    /// with the lags of others.
    pub(crate) fn statistics_with(
        &self,
        registration: usize,
        others: impl FnOnce(&mut dyn FnMut(usize)),
    ) -> Statistics {
        self.0.statistics_with(registration, others)
    }
}

impl<T> Writer<T> {
    /// As [`Observer::item_tail`].
    pub(crate) fn item_tail(&self) -> ItemTail {
        self.list.item_tail()
    }
}

impl<T> Reader<T> {
    /// As [`Observer::item_tail`].
    pub(crate) fn item_tail(&self) -> ItemTail {
        self.list.item_tail()
    }

    pub(crate) fn observe(&self) -> Observer<T> {
        Observer(self.list.clone())
    }

    /// The number of the item that this reader takes next.
    #[inline]
    pub(crate) fn number(&self) -> usize {
        number_of(self.cursor.position()).wrapping_sub(self.cursor.skipped)
    }

    /// Tells this reader from all others of the list. It is never 0.
    pub(crate) fn registration(&self) -> usize {
        self.registration.address()
    }
}
