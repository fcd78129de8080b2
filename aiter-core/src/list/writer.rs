//! The writing handle: reserve a slot, write the item, publish it.

use super::{
    CLOSED, List, OPEN, Reader, SLOTS, Statistics, ahead,
    block::{Block, Position, READY, place},
    cursor::Cursor,
    list,
};
use crate::sync::{Arc, Ordering::*};
use core::ptr::NonNull;

/// One writer of a list.
pub(crate) struct Writer<T> {
    list: Arc<List<T>>,
}

impl<T> Writer<T> {
    /// The first writer of a new list, which counts it already.
    pub(super) fn new(list: Arc<List<T>>) -> Self {
        Self { list }
    }

    /// One more writer.
    pub(super) fn join(list: Arc<List<T>>) -> Self {
        list.writers.fetch_add(1, Relaxed);
        Self { list }
    }

    /// Lets readers make writers.
    pub(crate) fn open(&self) {
        self.list.writers.fetch_or(OPEN, Relaxed);
    }

    /// Appends an item; gives it back if the list is closed.
    #[inline]
    pub(crate) fn push(&self, item: T) -> Result<(), T> {
        let Some(position) = self.reserve(1) else {
            return Err(item);
        };
        // SAFETY: reserved just now.
        unsafe { self.list.put(position, item) };
        Ok(())
    }

    /// The same without a read-modify-write for the reservation, if this is the only writer.
    #[inline]
    pub(crate) fn push_mut(&mut self, item: T) -> Result<(), T> {
        // Ordering: Acquire pairs with the Release of a writer that left: its reservations are seen by the plain load.
        if self.list.writers.load(Acquire) != 1 {
            return self.push_beside_others(item);
        }
        let Some(position) = self.reserve_alone() else {
            return Err(item);
        };
        // SAFETY: reserved just now.
        unsafe { self.list.put(position, item) };
        Ok(())
    }

    /// The same without a read-modify-write at all, for a list with one writer, used by who has a reader too, and with
    /// readers that never sleep in it: one that does is not woken.
    #[inline]
    pub(crate) fn push_unawaited(&mut self, item: T) -> Result<(), T> {
        debug_assert_eq!(self.list.writers.load(Relaxed), 1, "there is one writer");
        let Some(position) = self.reserve_alone() else {
            return Err(item);
        };
        // SAFETY: reserved just now.
        let (block, slot) = unsafe { self.list.write(position, item) };
        let (word, bit) = place(slot);
        // SAFETY: kept by the unpublished slot.
        unsafe { block.as_ref() }.publish_unawaited(word, 1 << bit);
        Ok(())
    }

    /// The position of a slot, for the only writer. `None` if the list is closed.
    #[inline(always)]
    fn reserve_alone(&mut self) -> Option<Position> {
        let tail = self.list.tail.load(Relaxed);
        if tail & CLOSED != 0 || self.list.readers.load(Relaxed) == 0 {
            return None;
        }
        // No other thread writes the tail: writers are made, and the list is closed, by writers alone.
        self.list.tail.store(ahead(tail, 1), Release);
        Some(tail)
    }

    #[inline(never)]
    fn push_beside_others(&self, item: T) -> Result<(), T> {
        self.push(item)
    }

    /// Appends what the iterator yields in consecutive slots, `len` of them. Gives the iterator back if the list is
    /// closed.
    ///
    /// An iterator that yields fewer, or panics, leaves slots without an item; the result says whether it yielded all. One
    /// that yields more is left with the rest.
    ///
    /// # Panics
    /// If positions could not tell so many items apart, which only items without a size can be.
    pub(crate) fn push_batch<I: Iterator<Item = T>>(
        &self,
        len: usize,
        items: &mut I,
    ) -> Result<bool, ()> {
        assert!(len <= usize::MAX >> 3, "capacity overflow");
        let position = self.reserve(len).ok_or(())?;
        // SAFETY: reserved just now.
        Ok(unsafe { Batch::new(&self.list, position, len) }.fill(items))
    }

    /// The position of `len` slots that are the caller's to publish. `None` if the list is closed.
    #[inline(always)]
    fn reserve(&self, len: usize) -> Option<Position> {
        if self.list.readers.load(Relaxed) == 0 {
            return None;
        }
        // Ordering: Acquire and Release put reservations in one order with `close` and with the looks at the tail in
        // `advance_tail`.
        let tail = self.list.tail.fetch_add(len << 1, AcqRel);
        (tail & CLOSED == 0).then_some(tail)
    }

    /// Ends the list after what was pushed. True for who does it.
    pub(crate) fn close(&self) -> bool {
        self.list.close()
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.list.is_closed()
    }

    pub(crate) fn statistics(&self) -> Statistics {
        self.list.statistics()
    }

    /// A reader of what is pushed from here on; one that has ended if the list is closed.
    pub(crate) fn subscribe(&self) -> Reader<T>
    where
        T: Clone + Sync,
    {
        self.list.allow_clones();
        self.reserve(1)
            .and_then(|position| self.read_from(position))
            .unwrap_or_else(|| list().1)
    }

    /// A reader that starts after the slot at `position`, which keeps the place until the reader is counted there.
    fn read_from(&self, position: Position) -> Option<Reader<T>> {
        let list = &*self.list;
        // SAFETY: reserved by the caller, and published below.
        let (block, slot) = unsafe { list.locate(position) };
        // SAFETY: kept by the unpublished slot.
        let refs = unsafe { &block.cast::<super::Head<T>>().as_ref().refs };
        refs.fetch_add(1, Relaxed);
        // Ordering: Release, after the reservation; and below: see `List::statistics`.
        let skipped = list.skipped.fetch_add(1, Release) + 1;
        let seat = list.seats.claim(ahead(position, 1), skipped);
        // Ordering: Release, with the publication below: who reads past the slot sees this reader.
        let counted = list.readers.fetch_update(Release, Relaxed, |readers| {
            (readers != 0).then_some(readers + 1)
        });
        let reader = match counted {
            Ok(_) => Some(Reader::new(
                self.list.clone(),
                Cursor::new(block.cast(), slot + 1, skipped),
                seat,
            )),
            Err(_) => {
                list.seats.leave(seat);
                // Never the last: the orphaned cursor, at this block or before it, keeps the chain.
                refs.fetch_sub(1, Release);
                None
            }
        };
        // SAFETY: the caller's slot.
        unsafe { list.skip(block, slot) };
        reader
    }
}

impl<T> Clone for Writer<T> {
    fn clone(&self) -> Self {
        Self::join(self.list.clone())
    }
}

impl<T> Drop for Writer<T> {
    fn drop(&mut self) {
        // Ordering: Release pairs with the Acquire in `push_mut`; Acquire for the close.
        if self.list.writers.fetch_sub(1, AcqRel) & !OPEN == 1 {
            self.list.close();
        }
    }
}

impl<T> List<T> {
    /// Writes and publishes an item.
    ///
    /// # Safety
    /// The position was reserved by the caller, and not published yet.
    #[inline(always)]
    unsafe fn put(&self, position: Position, item: T) {
        // SAFETY: by the contract.
        let (block, slot) = unsafe { self.write(position, item) };
        let (word, bit) = place(slot);
        // SAFETY: kept by the unpublished slot.
        if unsafe { block.as_ref() }.publish(word, 1 << bit) {
            self.wake();
        }
    }

    /// Writes an item, and gives its block and slot.
    ///
    /// # Safety
    /// As in [`List::put`].
    #[inline(always)]
    unsafe fn write(&self, position: Position, item: T) -> (NonNull<Block<T>>, usize) {
        // SAFETY: by the contract.
        let (block, slot) = unsafe { self.locate(position) };
        // SAFETY: kept by the unpublished slot.
        let at = unsafe { block.as_ref() };
        // SAFETY: by the contract.
        unsafe { at.write(slot, item) };
        (block, slot)
    }

    /// Publishes a slot without an item.
    ///
    /// # Safety
    /// As in [`List::put`], of which this is the block and slot.
    unsafe fn skip(&self, block: NonNull<Block<T>>, slot: usize) {
        // SAFETY: kept by the unpublished slot.
        let block = unsafe { block.as_ref() };
        block.mark_gone(1 << slot);
        let (word, bit) = place(slot);
        if block.publish(word, 1 << bit) {
            self.wake();
        }
    }
}

/// Consecutive slots that are being written, published a state word at a time. On drop, those that were not written are
/// published without an item, so that nobody waits for them.
struct Batch<'a, T> {
    list: &'a List<T>,
    /// The first slot that is not published, and its block.
    block: NonNull<Block<T>>,
    slot: usize,
    /// How many slots are not published.
    left: usize,
    /// How many of those, all in the first's state word, have been written.
    written: usize,
    /// The position after the last slot.
    end: Position,
}

impl<'a, T> Batch<'a, T> {
    /// # Safety
    /// `len` positions from `position` on were reserved by the caller and are not published. There is at least one.
    unsafe fn new(list: &'a List<T>, position: Position, len: usize) -> Self {
        // SAFETY: by the contract.
        let (block, slot) = unsafe { list.locate(position) };
        Self {
            list,
            block,
            slot,
            left: len,
            written: 0,
            end: ahead(position, len),
        }
    }

    #[inline(always)]
    fn fill(mut self, items: &mut impl Iterator<Item = T>) -> bool {
        while self.left != 0 {
            let len = self.in_word();
            // SAFETY: kept by the slots, which are not published.
            let block = unsafe { self.block.as_ref() };
            while self.written < len {
                let Some(item) = items.next() else {
                    return false;
                };
                // SAFETY: reserved, and not published.
                unsafe { block.write(self.slot + self.written, item) };
                self.written += 1;
            }
            if self.publish(len) {
                self.list.wake();
            }
        }
        true
    }

    /// How many of the slots are in the first's state word.
    fn in_word(&self) -> usize {
        let word_end = if self.slot < READY { READY } else { SLOTS };
        self.left.min(word_end - self.slot)
    }

    /// Publishes `len` slots, all in one state word. True if one of them is awaited.
    fn publish(&mut self, len: usize) -> bool {
        // SAFETY: kept by the slots, which are not published.
        let block = unsafe { self.block.as_ref() };
        let (word, bit) = place(self.slot);
        self.written = 0;
        self.left -= len;
        self.slot += len;
        let next = ahead(self.end, self.left.wrapping_neg());
        if self.left != 0 && self.slot == SLOTS {
            // SAFETY: reserved, and not published.
            (self.block, self.slot) = unsafe { self.list.locate(next) };
        }
        block.publish(word, ((1 << len) - 1) << bit)
    }
}

impl<T> Drop for Batch<'_, T> {
    fn drop(&mut self) {
        let mut awaited = false;
        while self.left != 0 {
            let len = self.in_word();
            let empty = len - self.written;
            // Ordering: as in `read_from`.
            self.list.skipped.fetch_add(empty, Release);
            // SAFETY: kept by the slots, which are not published.
            let block = unsafe { self.block.as_ref() };
            block.mark_gone(((1 << empty) - 1) << (self.slot + self.written));
            awaited |= self.publish(len);
        }
        // When all are published: a waker may panic.
        if awaited {
            self.list.wake();
        }
    }
}
