//! [`Observer`]: a handle that neither reads nor writes, and knows how much was pushed.
//!
//! Items are *numbered* from the first of the list. A number does not count slots without an item.
//! It wraps as positions do: compare numbers by [`numbers_apart`] only.

use super::{
    block::{
        FIRST, FIRST_TAIL, Position, Tail, ahead, distance, distance_to_tail, number_of,
        tail_distance, tail_units,
    },
    open::ReaderCount,
    reader::Reader,
    shared::{ASLEEP, CLOSED, List, is_one_behind},
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

/// The number of the item that a reader takes next.
#[inline]
fn number_at(position: Position, skipped: usize) -> usize {
    number_of(position).wrapping_sub(skipped)
}

#[cfg(all(test, not(aiter_loom)))]
mod tests {
    use super::*;

    #[test]
    fn numbers_wrap_as_positions_do() {
        let most = usize::MAX;
        // One of the numbers may have been counted with the whole word, and the other one made from
        // a position.
        let from_position = |number| number_at(ahead(FIRST, number), 0);
        for (from, to, apart) in [(0, 3, 3), (most, 2, 3), (most - 1, most, 1), (2, most, -3)] {
            for from in [from, from_position(from)] {
                for to in [to, from_position(to)] {
                    assert_eq!(numbers_apart(from, to), apart);
                }
            }
        }
        assert_eq!(number_at(ahead(FIRST, 1), 3), most - 1);
    }
}

/// A handle that is neither a reader nor a writer: it keeps the memory of the list, and neither its
/// items nor the list open.
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
        self.items_apart(number).max(0) as usize
    }

    /// The same, negative if the tail is before that item.
    pub(crate) fn items_apart(self, number: usize) -> isize {
        distance_to_tail(ahead(FIRST, number), self.0)
    }

    pub(super) fn new(tail: Tail) -> Self {
        Self(tail)
    }

    /// The number of the item that is pushed next.
    pub(crate) fn number(self) -> usize {
        tail_distance(FIRST_TAIL, self.0)
    }
}

impl<T> List<T> {
    /// The tail at some moment during this call, exact if all subscribers are
    /// ([`Writer::subscribe_exact`]). Lock-free: it looks again if a slot was reserved meanwhile.
    fn item_tail(&self) -> ItemTail {
        // Ordering: Acquire pairs with the Release of each reservation by a subscriber or an only
        // writer: of the slots without an item that were reserved before, all but the last one are
        // found counted.
        let mut tail = self.tail.load(Acquire);
        loop {
            // Ordering: Acquire pairs with the Release of the threads that count a slot without an
            // item: the load below finds the tail after that slot.
            let skipped = self.skipped.load(Acquire);
            // Ordering: Acquire as above.
            let now = self.tail.load(Acquire);
            if (tail ^ now) & !ASLEEP == 0 {
                let uncounted = usize::from(is_one_behind(skipped, tail));
                // Not if the list was still open then: the end may have come since.
                if tail & CLOSED != 0 {
                    tail = self.end_tail_or(tail);
                }
                return ItemTail(tail.wrapping_sub(tail_units(skipped.wrapping_add(uncounted))));
            }
            tail = now;
        }
    }
}

impl<T> Observer<T> {
    /// The tail at some moment during this call. A caller that is the only one who may push knows
    /// it until it pushes.
    pub(crate) fn item_tail(&self) -> ItemTail {
        self.0.item_tail()
    }

    /// Whether some reader has yet to take the item with this number. It looks at readers until it
    /// finds one, and may miss one that comes meanwhile.
    pub(crate) fn is_followed_at(&self, number: usize) -> bool {
        self.0
            .registry
            .any(|position, skipped| numbers_apart(number_at(position, skipped), number) >= 0)
    }

    /// Counts one more reader that is no user, and has no place yet.
    pub(crate) fn count_reader(&self) -> ReaderCount<T>
    where
        T: Clone + Sync,
    {
        self.0.allow_clones();
        ReaderCount::new(&self.0)
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.0.is_closed()
    }

    /// The number of the item that the slowest reader takes next. `None` without readers: then the
    /// list is closed. Lock-free: it looks at each reader, and again if one came meanwhile.
    ///
    /// A reader that is just passing a slot without an item may seem to be one item further behind
    /// than it is, until it has passed.
    pub(crate) fn slowest(&self) -> Option<usize> {
        loop {
            let mut slowest = None;
            let look = |position, skipped| {
                let number = number_at(position, skipped);
                if slowest.is_none_or(|slowest| numbers_apart(slowest, number) < 0) {
                    slowest = Some(number);
                }
            };
            if self.0.registry.each_unless_one_comes(look) {
                return slowest;
            }
        }
    }

    /// The number of readers.
    #[inline]
    pub(crate) fn readers(&self) -> usize {
        // Ordering: Relaxed, see `RingCursor::is_alone`.
        self.0.readers.load(Relaxed)
    }

    /// The statistics of the list, without the reader at a [registration](Reader::registration),
    /// and with the lags of others.
    pub(crate) fn statistics_with(
        &self,
        registration: usize,
        others: impl FnOnce(&mut dyn FnMut(usize)),
    ) -> Statistics {
        self.0.statistics_with(registration, others)
    }
}

impl<T> Writer<T> {
    pub(crate) fn observe(&self) -> Observer<T> {
        Observer(self.list.clone())
    }

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
        number_at(self.cursor.position(), self.cursor.skipped)
    }

    /// Tells this reader from all others of the list. It is never 0.
    pub(crate) fn registration(&self) -> usize {
        self.registration.address()
    }
}
