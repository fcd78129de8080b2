//! The writing handle: it reserves a slot, writes the item and publishes it.

use super::{
    batch::{Batch, BatchQuota},
    block::{Block, BlockHeader, Tail, ahead, tail_units},
    cursor::Cursor,
    open::ReaderCount,
    reader::Reader,
    shared::{CLOSED, List, ODD, is_one_behind},
};
use crate::{
    Statistics,
    sync::{Arc, Ordering::*},
    wait::{demand::Demand, notify::WakeSource},
};
use core::ptr::NonNull;
use scopeguard::guard;

/// A list with its first two handles. If there is a `driver`, it is woken when the last reader is
/// dropped.
pub(crate) fn list_for<T>(driver: Option<WakeSource<Demand>>) -> (Writer<T>, Reader<T>) {
    let list = List::new(driver);
    (Writer::new(list.clone()), Reader::first(list))
}

/// One writer of a list.
pub(crate) struct Writer<T> {
    pub(super) list: Arc<List<T>>,
}

impl<T> Writer<T> {
    /// A writer that the list counts already.
    pub(super) fn new(list: Arc<List<T>>) -> Self {
        Self { list }
    }

    /// One more writer.
    fn another(list: Arc<List<T>>) -> Self {
        // Ordering: Relaxed, because making a handle publishes nothing.
        list.writers.fetch_add(1, Relaxed);
        Self::new(list)
    }

    /// Appends an item, or returns it if the list is closed.
    #[inline]
    pub(crate) fn push(&self, item: T) -> Result<(), T> {
        let Some(reserved) = self.reserve(1) else {
            return Err(item);
        };
        // SAFETY: the slot was reserved just now.
        let (block, slot) = unsafe { self.list.write(reserved, item) };
        // SAFETY: the unpublished slot keeps the block.
        unsafe { block.as_ref() }.publish(slot, 1);
        self.list.wake_after_push(reserved);
        Ok(())
    }

    /// As [`push`](Self::push), without a read-modify-write. The list must have no other writer,
    /// the caller must have a reader of it as well, and no reader may sleep in it: a sleeping
    /// reader would not be woken.
    #[inline]
    pub(crate) fn push_exclusive(&mut self, item: T) -> Result<(), T> {
        debug_assert_eq!(self.list.writers.load(Relaxed), 1, "there is one writer");
        let Some(reserved) = self.reserve_exclusive() else {
            return Err(item);
        };
        // SAFETY: the slot was reserved just now.
        let (block, slot) = unsafe { self.list.write(reserved, item) };
        // SAFETY: the unpublished slot keeps the block.
        unsafe { block.as_ref() }.publish(slot, 1);
        Ok(())
    }

    /// Reserves a slot for the only writer, as [`reserve`](Self::reserve) does.
    #[inline]
    fn reserve_exclusive(&mut self) -> Option<Tail> {
        let tail = self.list.tail.load(Relaxed);
        if tail & CLOSED != 0 {
            return None;
        }
        // No other thread stores to the tail: this is the only writer, and meanwhile no reader
        // sleeps, and the last one is not dropped.
        // Ordering: Release pairs with the Acquire in `List::item_tail`, which sees the slots that
        // were counted before. A thread that reserves later has got this writer from this thread,
        // and with it all that this thread did.
        self.list
            .tail
            .store(tail.wrapping_add(tail_units(1)), Release);
        Some(tail)
    }

    /// Appends the items of the iterator, in `len` consecutive slots. Fails if the list is closed.
    ///
    /// If the iterator yields fewer items or panics, the remaining slots are published without an
    /// item; the result says whether it yielded enough. If it yields more, the rest stays in it.
    ///
    /// # Panics
    /// If the slots of all batches under way, of this one too, would exceed
    /// [`MAX_BATCH_SLOTS`](super::block::MAX_BATCH_SLOTS).
    pub(crate) fn push_batch<I: Iterator<Item = T>>(
        &self,
        len: usize,
        items: &mut I,
    ) -> Result<bool, ()> {
        let Some(quota) = BatchQuota::new(&self.list, len) else {
            panic!("capacity overflow");
        };
        let reserved = self.reserve(len).ok_or(())?;
        // SAFETY: the slots were reserved just now.
        Ok(unsafe { Batch::new(quota, reserved, len) }.fill(items))
    }

    /// Reserves `len` slots, which the caller has to publish. Returns the old tail word: the number
    /// of the first slot, with [`ASLEEP`](super::shared::ASLEEP) if a reader may sleep there.
    /// `None` if the list is closed.
    #[inline]
    fn reserve(&self, len: usize) -> Option<Tail> {
        // Ordering: Acquire pairs with the Release of the thread that closed the list, of the
        // writer that moved the tail block on (in `advance_tail_block`), and of the readers that
        // went to sleep, also if other reservations came between: those continue the release
        // sequence. A reservation releases nothing itself: the mark of a slot publishes the item
        // there.
        let tail = self.list.tail.fetch_add(tail_units(len), Acquire);
        (tail & CLOSED == 0).then_some(tail)
    }

    /// Ends the list after the items that were pushed before. Returns whether this call has closed
    /// it.
    pub(crate) fn close(&self) -> bool {
        self.list.close()
    }

    #[cfg(all(test, not(aiter_loom)))]
    pub(super) fn batch_slots(&self) -> usize {
        self.list.batch_slots.load(Relaxed)
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.list.is_closed()
    }

    pub(crate) fn statistics(&self) -> Statistics {
        self.list.statistics()
    }

    /// A reader of the items that are pushed from here on. If the list is closed, the reader has
    /// ended.
    pub(crate) fn subscribe(&self) -> Reader<T>
    where
        T: Clone + Sync,
    {
        debug_assert!(self.list.open().is_none(), "see `subscribe_exact`");
        self.list.allow_clones();
        // Ordering: Acquire as in `reserve`. Release hands the functions that clone to the writers
        // of all later slots, also if other reservations come between.
        let tail = self.list.tail.fetch_add(tail_units(1), AcqRel);
        (tail & CLOSED == 0)
            .then_some(tail)
            .and_then(|reserved| {
                // Ordering: Release, after the reservation; see `List::statistics`.
                let skipped = self.list.skipped.fetch_add(1, Release) + 1;
                self.read_from(reserved, skipped, None)
            })
            .unwrap_or_else(Self::ended_reader)
    }

    /// Like [`subscribe`](Self::subscribe), but the [number](Reader::number) of the reader is
    /// exact, also if others subscribe at the same time, and so is [`List::item_tail`]. All
    /// subscribers of the list have to use this, and a batch that is pushed has to fill its slots,
    /// so that no other slot lacks an item.
    pub(crate) fn subscribe_exact(&self) -> Reader<T>
    where
        T: Clone + Sync,
    {
        self.list.allow_clones();
        // Before the slot is reserved; see `open.rs`.
        let count = self.list.open().is_some().then(|| self.count_reader());
        self.reserve_without_item()
            .and_then(|(reserved, skipped)| self.read_from(reserved, skipped, count))
            .unwrap_or_else(Self::ended_reader)
    }

    /// A reader of another list, whose only writer is dropped at once, which ends it.
    fn ended_reader() -> Reader<T> {
        list_for(None).1
    }

    /// Reserves a slot for a subscriber. Returns the old tail word, and how many such slots there
    /// are by now.
    ///
    /// `skipped` is at most one behind the number of reserved slots, and is behind if its parity
    /// differs from [`ODD`]. A subscriber that finds it behind counts the slot for the subscriber
    /// that reserved it.
    fn reserve_without_item(&self) -> Option<(Tail, usize)> {
        let List { tail, skipped, .. } = &*self.list;
        // Ordering: Acquire pairs with the Release of the last subscriber's exchange: what it found
        // in `skipped` or more is found here.
        let mut reserved = tail.load(Acquire);
        while reserved & CLOSED == 0 {
            // Ordering: Acquire pairs with the Release below: the slots that are counted are seen
            // in the tail.
            let counted = skipped.load(Acquire);
            let is_counted = |tail| !is_one_behind(counted, tail);
            // Ordering: Release, after the reservation; see `List::statistics`.
            let count =
                || skipped.compare_exchange(counted, counted.wrapping_add(1), Release, Relaxed);
            if !is_counted(reserved) {
                // Ordering: Acquire as above.
                reserved = tail.load(Acquire);
                if !is_counted(reserved) {
                    // The exchange fails if the slot has been counted meanwhile.
                    let _ = count();
                }
                continue;
            }
            let next = reserved.wrapping_add(tail_units(1)) ^ ODD;
            // Ordering: as in `subscribe`. Release also hands on the count of the reader, and what
            // was found in `skipped`.
            match tail.compare_exchange_weak(reserved, next, AcqRel, Acquire) {
                Ok(_) => {
                    // The exchange fails if another subscriber has counted the slot.
                    let _ = count();
                    return Some((reserved, counted.wrapping_add(1)));
                }
                Err(now) => reserved = now,
            }
        }
        None
    }

    /// A reader that starts after a reserved slot, up to which there are `skipped` slots without an
    /// item. The unpublished slot keeps the block until the reader is counted there.
    fn read_from(
        &self,
        reserved: Tail,
        skipped: usize,
        count: Option<ReaderCount<T>>,
    ) -> Option<Reader<T>> {
        let list = &*self.list;
        // SAFETY: the caller has reserved the slot, and it is published below.
        let (block, slot) = unsafe { list.locate(reserved, 1) };
        // SAFETY: the unpublished slot keeps the block.
        let header = unsafe { block.cast::<BlockHeader<T>>().as_ref() };
        // Ordering: Relaxed, because the publication of the slot below publishes the count: no
        // thread retires the block before it has seen that slot published.
        header.refs.fetch_add(1, Relaxed);
        let registration = list
            .registry
            .register(ahead(header.start, slot + 1), skipped);
        // Ordering: Release, as is the publication below: a reader that has read past the slot sees
        // this one.
        let count_now = || {
            list.readers.fetch_update(Release, Relaxed, |readers| {
                (readers != 0).then_some(readers + 1)
            })
        };
        let is_counted = count.is_some() || count_now().is_ok();
        // They are woken last, also when the drop of an item panics.
        let mut closes = guard(false, |closes| {
            if closes {
                list.close_waiters.wake_all();
            }
        });
        // SAFETY: the unpublished slot keeps the block, and then the count does.
        let publish = || unsafe { block.as_ref() }.skip(slot, 1);
        let reader = if is_counted {
            publish();
            let cursor = Cursor::new(block.cast(), slot + 1, slot + 1, skipped);
            let reader = |list| Reader::new(list, cursor, registration);
            Some(match count {
                Some(count) => count.pass_to(reader),
                None => reader(self.list.clone()),
            })
        } else {
            // The last reader was dropped. Pushes that begin after this call returns are refused.
            *closes = list.close_tail().is_some();
            list.registry.unregister(registration);
            // Before the block is left, because the drop of an item that is found there may panic.
            publish();
            // SAFETY: the reader was counted above.
            unsafe { list.depart(block.cast()) };
            None
        };
        list.wake_after(reserved);
        reader
    }
}

impl<T> Clone for Writer<T> {
    fn clone(&self) -> Self {
        Self::another(self.list.clone())
    }
}

impl<T> Drop for Writer<T> {
    fn drop(&mut self) {
        // Ordering: AcqRel, so that the close comes after the pushes of all writers.
        if self.list.writers.fetch_sub(1, AcqRel) == 1 {
            self.list.close();
        }
    }
}

impl<T> Reader<T> {
    /// One more writer of the same list.
    pub(crate) fn writer(&self) -> Writer<T> {
        Writer::another(self.list.clone())
    }
}

impl<T> List<T> {
    /// Writes an item, and returns its block and slot.
    ///
    /// # Safety
    /// As in [`List::locate`], with a `len` of 1.
    #[inline]
    pub(super) unsafe fn write(&self, reserved: Tail, item: T) -> (NonNull<Block<T>>, usize) {
        // SAFETY: by the contract.
        let (block, slot) = unsafe { self.locate(reserved, 1) };
        // SAFETY: by the contract.
        unsafe { Block::write(block, slot, item) };
        (block, slot)
    }
}
