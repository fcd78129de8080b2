//! The work of a writer after a publication: it drains, wakes readers, and may pause. The close of
//! the list is such a publication too.

use super::{
    block::{Block, FLAGS, Tail, distance_to_reserved, tail_distance},
    shared::{ASLEEP, List},
};
use crate::sync::{Ordering::*, fence};
use scopeguard::defer;

impl<T> List<T> {
    /// Closes the list at the tail: items reserved before are still delivered, and then the end.
    /// Returns whether this call has closed it.
    pub(super) fn close(&self) -> bool {
        let Some(tail) = self.close_tail() else {
            return false;
        };
        // After the readers, also if one of their wakers panics.
        defer! { self.close_waiters.wake_all() };
        // SAFETY: the slot at the tail is the caller's: every push that was given it was refused.
        unsafe { self.publish_end(tail) };
        self.wake_after(tail);
        true
    }

    /// Publishes the end in the slot at the tail.
    ///
    /// # Safety
    /// As in [`List::locate`].
    pub(super) unsafe fn publish_end(&self, tail: Tail) {
        // Ordering: as in `locate`.
        let tail_block = self.tail_block.load(Acquire);
        // SAFETY: the slot was reserved before `tail_block` was read, so `observed_tail` keeps the
        // block.
        let header = unsafe { &*tail_block };
        header.lifetime.used();
        // Make no block for the end alone: the list may never have held an item.
        if distance_to_reserved(header.start, tail) == Block::<T>::LEN as isize
            && header.link_end().is_ok()
        {
            return;
        }
        // SAFETY: the slot at the tail is the caller's.
        let (block, slot) = unsafe { self.locate(tail, 0) };
        // SAFETY: the unpublished slot keeps the block.
        unsafe { block.as_ref() }.publish_end(slot);
    }

    /// Wakes the readers that wait for slots that were just published. `reserved` is the tail word
    /// with which they were reserved.
    #[inline]
    pub(super) fn wake_after(&self, reserved: Tail) {
        // Ordering: between the publication and the look for readers that sleep at a gap; pairs
        // with the heavy halves in `Reader::sleep_at_gap` and `Drainer::try_park`: either they see
        // what was published, or they are seen here.
        fence::light();
        if reserved & ASLEEP != 0 || self.registry.has_gap_waiters() {
            self.wake(reserved);
        }
    }

    /// As [`wake_after`](Self::wake_after), after a push of one item. Every eighth push also looks
    /// whether it has met another writer. Not every push does, because on some processors a load of
    /// the tail right after its exchange costs half as much as the exchange.
    #[inline]
    pub(super) fn wake_after_push(&self, reserved: Tail) {
        // Ordering: as in `wake_after`.
        fence::light();
        if reserved & ASLEEP != 0
            || self.registry.has_gap_waiters()
            || tail_distance(0, reserved) % 8 == 0
        {
            self.after_push_slow(reserved);
        }
    }

    /// One call for both slow paths: with a second call in each push, the loops around pushes were
    /// compiled to worse code.
    #[inline(never)]
    fn after_push_slow(&self, reserved: Tail) {
        if reserved & ASLEEP != 0 || self.registry.has_gap_waiters() {
            self.wake(reserved);
        } else {
            self.pause_if_contended(reserved);
        }
    }

    /// Pauses if another writer pushes at the same time, and if pauses have helped lately.
    #[cold]
    fn pause_if_contended(&self, reserved: Tail) {
        // Ordering: Relaxed, because it is a hint.
        let reserved_since = || tail_distance(reserved, self.tail.load(Relaxed));
        // If only this push has reserved a slot since, there is no other writer.
        if reserved_since() != 1 {
            self.pushing.spin_until(|| reserved_since() > 17);
        }
    }

    #[inline(never)]
    fn wake(&self, reserved: Tail) {
        // If the drop of a drained item panics, the readers are woken all the same.
        self.run_drain(move || self.wake_readers(reserved));
        self.wake_readers(reserved);
    }

    #[inline]
    fn wake_readers(&self, reserved: Tail) {
        if !self.registry.wake_sole_reader() {
            self.wake_readers_slow(reserved);
        }
    }

    #[inline(never)]
    fn wake_readers_slow(&self, reserved: Tail) {
        let slot = reserved & !FLAGS;
        if !self.registry.wake_at(slot) && reserved & ASLEEP != 0 {
            self.clear_asleep(slot);
        }
    }

    /// Clears [`ASLEEP`], because no reader waits for this slot: the readers that set the flag have
    /// been woken already.
    #[cold]
    fn clear_asleep(&self, slot: Tail) {
        // Ordering: Acquire pairs with the Release of the readers that set the flag before: their
        // slots in the registry are seen. Writers that reserve after this do not learn of those
        // readers, so all that wait for this slot or a later one are woken here. Nothing is
        // released here.
        self.tail.fetch_and(!ASLEEP, Acquire);
        self.registry.wake_from(slot);
    }
}
