//! What a hub needs of a ring: cursors that start ahead of a reader, and cursors whose reader comes
//! later.

use super::{Ring, buffer::Join, cursor::RingCursor, position};
use crate::{
    list::{ItemTail, Reader},
    sync::{Ordering, Word, truncate},
};
use alloc::collections::VecDeque;

impl<T> Ring<T> {
    /// A cursor that starts some items after the place of `reader`.
    pub(crate) fn join_ahead(&self, reader: Reader<T>, items: usize, limit: usize) -> RingCursor<T>
    where
        T: Clone + Sync,
    {
        let shared = self.shared();
        shared.allow_clones();
        let next = shared.widen(reader.number().wrapping_add(items));
        self.join_at(next, reader, VecDeque::new(), limit)
    }

    /// A cursor `items` before a tail, or before the end of the ring, whose reader another thread
    /// will [bring](Self::bring).
    pub(crate) fn expect(&self, tail: Option<ItemTail>, items: usize, limit: usize) -> RingCursor<T>
    where
        T: Clone + Sync,
    {
        self.shared().allow_clones();
        RingCursor::at(self.clone(), self.number_before(tail, items), limit)
    }

    /// Brings the reader of a cursor that expects it.
    pub(crate) fn bring(&self, reader: Reader<T>, limit: usize) {
        self.leave(Join {
            feed: Some((reader, VecDeque::new())),
            limit,
        });
    }

    /// The number of the last but `items` item before a tail.
    fn number_before(&self, tail: Option<ItemTail>, items: usize) -> u64 {
        // Ordering: Relaxed. Any value will do that is near enough to tell the upper bits.
        let end = self.shared().end.load(Ordering::Relaxed);
        let apart = tail.map_or(0, |tail| tail.items_apart(truncate(end)));
        let number = end.wrapping_add_signed(apart as _);
        #[allow(clippy::unnecessary_cast, reason = "words may be shorter")]
        (number.saturating_sub(items as Word) as u64)
    }
}

impl<T> RingCursor<T> {
    /// Moves a cursor that [expects](Ring::expect) its reader on to `items` before a tail.
    pub(crate) fn move_to(&mut self, tail: ItemTail, items: usize) {
        let next = self.ring().number_before(Some(tail), items);
        self.at.next = next;
        self.waiter.set_position(position(next));
    }

    /// Lets a cursor that has taken nothing read at most `items` of those that are there.
    pub(crate) fn limit_to(&mut self, items: usize) {
        self.at.limit = self.at.limit.min(items);
    }
}
