//! The writing handle: reserve a slot, write the item, publish it.

use super::{
    CLOSED, List, Reader, Statistics, Tail, ahead,
    block::{Block, FLAGS, Head, MOST_PROMISED, Position},
    cursor::Cursor,
    list, on_tail,
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

    /// Appends an item; gives it back if the list is closed.
    #[inline]
    pub(crate) fn push(&self, item: T) -> Result<(), T> {
        let Some(reserved) = self.reserve(1) else {
            return Err(item);
        };
        // SAFETY: reserved just now.
        let (block, slot) = unsafe { self.list.write(reserved, item) };
        // SAFETY: kept by the unpublished slot.
        unsafe { block.as_ref() }.publish(slot, 1);
        self.list.wake_after_push(reserved);
        Ok(())
    }

    /// The same without a read-modify-write, for a list with one writer, used by who has a reader too, and with
    /// readers that never sleep in it: one that does is not woken.
    #[inline]
    pub(crate) fn push_unawaited(&mut self, item: T) -> Result<(), T> {
        debug_assert_eq!(self.list.writers.load(Relaxed), 1, "there is one writer");
        let Some(reserved) = self.reserve_alone() else {
            return Err(item);
        };
        // SAFETY: reserved just now.
        let (block, slot) = unsafe { self.list.write(reserved, item) };
        // SAFETY: kept by the unpublished slot.
        unsafe { block.as_ref() }.publish(slot, 1);
        Ok(())
    }

    /// A slot for the only writer, as in [`reserve`](Self::reserve).
    #[inline(always)]
    fn reserve_alone(&mut self) -> Option<Tail> {
        let tail = self.list.tail.load(Relaxed);
        if tail & CLOSED != 0 {
            return None;
        }
        // No other thread writes the tail: this is the only writer, and readers neither sleep nor leave last meanwhile.
        // Ordering: Relaxed. Who reserves later got this writer from here, and with it all that was done by it.
        self.list.tail.store(tail.wrapping_add(on_tail(1)), Relaxed);
        Some(tail)
    }

    /// Appends what the iterator yields in consecutive slots, `len` of them. Gives the iterator back if the list is
    /// closed.
    ///
    /// An iterator that yields fewer, or panics, leaves slots without an item; the result says whether it yielded all. One
    /// that yields more is left with the rest.
    ///
    /// # Panics
    /// If positions could not tell so many items apart, those of other batches under way included, which only items without a size
    /// can be.
    pub(crate) fn push_batch<I: Iterator<Item = T>>(
        &self,
        len: usize,
        items: &mut I,
    ) -> Result<bool, ()> {
        let Some(promise) = Promise::new(&self.list, len) else {
            panic!("capacity overflow");
        };
        let reserved = self.reserve(len).ok_or(())?;
        // SAFETY: reserved just now.
        Ok(unsafe { Batch::new(promise, reserved, len) }.fill(items))
    }

    /// Where `len` slots stand that are the caller's to publish, and [`ASLEEP`](super::ASLEEP) if
    /// somebody may sleep on the first. `None` if the list is closed.
    #[inline(always)]
    fn reserve(&self, len: usize) -> Option<Tail> {
        // Ordering: Acquire pairs with the Release of who closed the list, of who moved the tail block on (in `advance_tail`), and
        // of the readers that went to sleep, also where other reservations came between: those keep up what was released
        // before them. A reservation itself tells nothing: what was written in the slot is told by its mark.
        let tail = self.list.tail.fetch_add(on_tail(len), Acquire);
        (tail & CLOSED == 0).then_some(tail)
    }

    /// Ends the list after what was pushed. True for who does it.
    pub(crate) fn close(&self) -> bool {
        self.list.close()
    }

    #[cfg(all(test, not(aiter_loom)))]
    pub(super) fn promised(&self) -> usize {
        self.list.promised.load(Relaxed)
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
            .and_then(|reserved| self.read_from(reserved))
            .unwrap_or_else(|| list().1)
    }

    /// A reader that starts after a slot that was reserved, which keeps the place until the reader is counted there.
    fn read_from(&self, reserved: Tail) -> Option<Reader<T>> {
        let list = &*self.list;
        // SAFETY: reserved by the caller, and published below.
        let (block, slot) = unsafe { list.locate(reserved, 1) };
        // SAFETY: kept by the unpublished slot.
        let head = unsafe { block.cast::<Head<T>>().as_ref() };
        head.refs.fetch_add(1, Relaxed);
        // Ordering: Release, after the reservation; and below: see `List::statistics`.
        let skipped = list.skipped.fetch_add(1, Release) + 1;
        let registration = list.registry.register(ahead(head.start, slot + 1), skipped);
        // Ordering: Release, with the publication below: who reads past the slot sees this reader.
        let counted = list.readers.fetch_update(Release, Relaxed, |readers| {
            (readers != 0).then_some(readers + 1)
        });
        // SAFETY: kept by the unpublished slot; and then by the count.
        let publish = || unsafe { block.as_ref() }.skip(slot, 1);
        let reader = if counted.is_ok() {
            publish();
            let cursor = Cursor::new(block.cast(), slot + 1, slot + 1, skipped);
            Some(Reader::new(self.list.clone(), cursor, registration))
        } else {
            // What is pushed after this returns is refused.
            list.close_tail();
            list.registry.unregister(registration);
            // Before the place is left: the drop of an item that is found there may panic.
            publish();
            // SAFETY: counted above.
            unsafe { list.depart(block.cast()) };
            None
        };
        list.wake_after(reserved);
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
        // Ordering: the close comes after the pushes of all.
        if self.list.writers.fetch_sub(1, AcqRel) == 1 {
            self.list.close();
        }
    }
}

impl<T> List<T> {
    /// Writes an item, and gives its block and slot.
    ///
    /// # Safety
    /// As in [`List::locate`].
    #[inline(always)]
    pub(super) unsafe fn write(&self, reserved: Tail, item: T) -> (NonNull<Block<T>>, usize) {
        // SAFETY: by the contract.
        let (block, slot) = unsafe { self.locate(reserved, 1) };
        // SAFETY: by the contract.
        unsafe { Block::write(block, slot, item) };
        (block, slot)
    }
}

/// Slots that a batch may reserve: positions have to tell all slots apart that are reserved and not published, whatever happens
/// between. Single pushes have one each, and no other code runs before it is published.
struct Promise<'a, T> {
    list: &'a List<T>,
    len: usize,
}

impl<'a, T> Promise<'a, T> {
    fn new(list: &'a List<T>, len: usize) -> Option<Self> {
        // Ordering: Relaxed, only the sum counts.
        let counted = list.promised.fetch_update(Relaxed, Relaxed, |promised| {
            promised
                .checked_add(len)
                .filter(|&promised| promised <= MOST_PROMISED)
        });
        counted.is_ok().then(|| Self { list, len })
    }
}

impl<T> Drop for Promise<'_, T> {
    fn drop(&mut self) {
        self.list.promised.fetch_sub(self.len, Relaxed);
    }
}

/// Consecutive slots that are being written, published a block at a time. On drop, those that were not written are
/// published without an item, so that nobody waits for them.
struct Batch<'a, T> {
    list: &'a List<T>,
    /// The tail word that the slots were reserved with. The flag goes once the sleepers were woken.
    reserved: Tail,
    /// The position after the last slot.
    end: Position,
    /// The first slot that is not published, and its block, unless that is past its end.
    block: NonNull<Block<T>>,
    slot: usize,
    /// How many slots are not published.
    left: usize,
    /// How many of those, all in the block, have been written.
    written: usize,
    _promise: Promise<'a, T>,
}

impl<'a, T> Batch<'a, T> {
    /// # Safety
    /// `len` slots from `reserved` on were reserved by the caller and are not published. There is
    /// at least one.
    unsafe fn new(promise: Promise<'a, T>, reserved: Tail, len: usize) -> Self {
        let list = promise.list;
        // SAFETY: by the contract.
        let (block, slot) = unsafe { list.locate(reserved, len) };
        // SAFETY: kept by the unpublished slots.
        let start = unsafe { block.cast::<Head<T>>().as_ref() }.start;
        Self {
            list,
            reserved,
            end: ahead(start, slot + len),
            block,
            slot,
            left: len,
            written: 0,
            _promise: promise,
        }
    }

    #[inline(always)]
    fn fill(mut self, items: &mut impl Iterator<Item = T>) -> bool {
        while self.left != 0 {
            let len = self.in_block();
            while self.written < len {
                let Some(item) = items.next() else {
                    return false;
                };
                // SAFETY: reserved, and not published.
                unsafe { Block::write(self.block, self.slot + self.written, item) };
                self.written += 1;
            }
            self.publish();
            self.wake();
        }
        true
    }

    /// How many of the slots are in one block: that of the first one.
    fn in_block(&mut self) -> usize {
        if self.slot == Block::<T>::LEN {
            let next = ahead(self.end, self.left.wrapping_neg());
            // From the last block of its own: others may have moved the tail block far ahead.
            // SAFETY: reserved, and not published.
            (self.block, self.slot) = unsafe {
                self.list
                    .locate_from(self.block.cast().as_ptr(), next, self.left)
            };
        }
        self.left.min(Block::<T>::LEN - self.slot)
    }

    /// Publishes what was written.
    #[inline(always)]
    fn publish(&mut self) {
        if self.written != 0 {
            // SAFETY: kept by the slots, which are not published.
            unsafe { self.block.as_ref() }.publish(self.slot, self.written);
            self.pass(self.written);
        }
    }

    fn pass(&mut self, slots: usize) {
        self.slot += slots;
        self.left -= slots;
        self.written = 0;
    }

    #[inline(always)]
    fn wake(&mut self) {
        let reserved = self.reserved;
        self.reserved &= !FLAGS;
        self.list.wake_after(reserved);
    }
}

impl<T> Drop for Batch<'_, T> {
    fn drop(&mut self) {
        if self.left == 0 {
            return;
        }
        self.publish();
        // Ordering: as in `read_from`.
        self.list.skipped.fetch_add(self.left, Release);
        while self.left != 0 {
            let len = self.in_block();
            // SAFETY: kept by the slots, which are not published.
            unsafe { self.block.as_ref() }.skip(self.slot, len);
            self.pass(len);
        }
        // When all are published: a waker may panic.
        self.wake();
    }
}
