//! What a hub needs of a ring: cursors that sleep until an item is pushed, and cursors whose reader
//! comes later.
//!
//! | a cursor that finds nothing | a thread that has pushed and transferred |
//! |---|---|
//! | registers its waker | |
//! | sets `sleepers` | |
//! | fence | fence |
//! | looks once more | takes `sleepers`; if it was set, wakes all that have registered |
//!
//! One of the fences comes first: either the cursor finds the item, or the other thread finds the
//! flag, and with it the waker. So a push looks at one word if nobody sleeps, however many cursors
//! there are.

use super::{Ring, buffer::Join, cursor::RingCursor, position};
use crate::{
    list::{ItemTail, Reader},
    sync::{Ordering, Word, fence, truncate},
};
use alloc::collections::VecDeque;
use core::task::Waker;

impl<T> Ring<T> {
    /// Wakes the cursors that sleep. To be called after [`transfer`](Self::transfer).
    #[inline]
    pub(crate) fn wake(&self) {
        let shared = self.shared();
        // Ordering: SeqCst pairs with the fence in `sleep`.
        fence(Ordering::SeqCst);
        // Ordering: Relaxed, because of the fence. Acquire pairs with the Release in `sleep`, for
        // the waker.
        if shared.sleepers.load(Ordering::Relaxed) != 0
            && shared.sleepers.swap(0, Ordering::Acquire) != 0
        {
            shared.waiters.wake_all();
        }
    }

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
        self.wake();
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
    /// Has the next [`Ring::wake`] wake the task. Look once more afterwards.
    pub(crate) fn sleep(&mut self, waker: &Waker) {
        self.waiter.wait(waker);
        // Ordering: Release hands the waker to the Acquire in `wake`; SeqCst see the table above.
        self.ring().shared().sleepers.store(1, Ordering::Release);
        fence(Ordering::SeqCst);
    }

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
