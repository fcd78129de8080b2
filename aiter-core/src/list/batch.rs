//! [`Batch`]: consecutive slots that a writer reserves at once and publishes a block at a time.

use super::{
    block::{Block, BlockHeader, FLAGS, MAX_BATCH_SLOTS, Position, Tail, ahead, back},
    shared::List,
};
use crate::sync::Ordering::*;
use core::ptr::NonNull;
use scopeguard::{ScopeGuard, guard};

/// The permission to reserve the slots of a batch. Positions have to tell all slots apart that are
/// reserved and not published. The iterator of a batch may run any code before it is published,
/// other batches included, so their slots are limited. A single push reserves one slot, and no
/// other code runs before it is published.
pub(super) struct BatchQuota<'a, T> {
    list: &'a List<T>,
    len: usize,
}

impl<'a, T> BatchQuota<'a, T> {
    pub(super) fn new(list: &'a List<T>, len: usize) -> Option<Self> {
        // Ordering: Relaxed, because only the sum counts.
        let counted = list.batch_slots.fetch_update(Relaxed, Relaxed, |slots| {
            slots
                .checked_add(len)
                .filter(|&slots| slots <= MAX_BATCH_SLOTS)
        });
        counted.is_ok().then(|| Self { list, len })
    }
}

impl<T> Drop for BatchQuota<'_, T> {
    fn drop(&mut self) {
        self.list.batch_slots.fetch_sub(self.len, Relaxed);
    }
}

/// Consecutive slots that are being written. When it is dropped, the slots that were not written
/// are published without an item, so that no reader waits for them.
pub(super) struct Batch<'a, T> {
    list: &'a List<T>,
    /// The tail word with which the slots were reserved. Its flags are removed once the sleeping
    /// readers have been woken.
    reserved: Tail,
    /// The position after the last slot.
    end: Position,
    /// The first slot that is not published, and its block. The slot may be the one after the end
    /// of the block.
    block: NonNull<Block<T>>,
    slot: usize,
    /// The number of slots that are not published.
    left: usize,
    /// The number of those that have been written. All of them are in the block.
    written: usize,
    _quota: BatchQuota<'a, T>,
}

impl<'a, T> Batch<'a, T> {
    /// # Safety
    /// The caller has reserved `len` slots from `reserved` on, at least one, and published none.
    pub(super) unsafe fn new(quota: BatchQuota<'a, T>, reserved: Tail, len: usize) -> Self {
        let list = quota.list;
        // SAFETY: by the contract.
        let (block, slot) = unsafe { list.locate(reserved, len) };
        // SAFETY: the unpublished slots keep the block.
        let start = unsafe { block.cast::<BlockHeader<T>>().as_ref() }.start;
        Self {
            list,
            reserved,
            end: ahead(start, slot + len),
            block,
            slot,
            left: len,
            written: 0,
            _quota: quota,
        }
    }

    /// Writes the items of the iterator into the slots and publishes them. Returns whether there
    /// were enough.
    #[inline]
    pub(super) fn fill(mut self, items: &mut impl Iterator<Item = T>) -> bool {
        while self.left != 0 {
            if !self.fill_block(items) {
                return false;
            }
            // If a waker panics, the rest is pushed all the same: a hub numbers its items by their
            // slots.
            let mut rest = guard((&mut self, &mut *items), |(batch, items)| {
                batch.fill_rest(items);
            });
            rest.0.wake();
            ScopeGuard::into_inner(rest);
        }
        true
    }

    #[cold]
    #[inline(never)]
    fn fill_rest(&mut self, items: &mut impl Iterator<Item = T>) {
        while self.left != 0 {
            if !self.fill_block(items) {
                return;
            }
        }
        self.wake();
    }

    /// Fills the slots of one block. Returns whether there were enough items.
    #[inline]
    fn fill_block(&mut self, items: &mut impl Iterator<Item = T>) -> bool {
        let len = self.len_in_block();
        while self.written < len {
            let Some(item) = items.next() else {
                return false;
            };
            // SAFETY: the slot is reserved, and not published.
            unsafe { Block::write(self.block, self.slot + self.written, item) };
            self.written += 1;
        }
        self.publish();
        true
    }

    /// How many of the unpublished slots are in the block of the first one.
    fn len_in_block(&mut self) -> usize {
        if self.slot == Block::<T>::LEN {
            let next = back(self.end, self.left);
            // Start at the batch's own last block, because other writers may have moved the tail
            // block far ahead.
            // SAFETY: the slots are reserved, and not published.
            (self.block, self.slot) = unsafe {
                self.list
                    .locate_from(self.block.cast().as_ptr(), next, self.left)
            };
        }
        self.left.min(Block::<T>::LEN - self.slot)
    }

    /// Publishes the slots that were written.
    #[inline]
    fn publish(&mut self) {
        if self.written != 0 {
            // SAFETY: the unpublished slots keep the block.
            unsafe { self.block.as_ref() }.publish(self.slot, self.written);
            self.advance(self.written);
        }
    }

    /// Counts slots that were published.
    fn advance(&mut self, slots: usize) {
        self.slot += slots;
        self.left -= slots;
        self.written = 0;
    }

    #[inline]
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
        // Ordering: as in `Writer::read_from`.
        self.list.skipped.fetch_add(self.left, Release);
        while self.left != 0 {
            let len = self.len_in_block();
            // SAFETY: the unpublished slots keep the block.
            unsafe { self.block.as_ref() }.skip(self.slot, len);
            self.advance(len);
        }
        // After all slots are published, because a waker may panic.
        self.wake();
    }
}
