//! Looks at the items that are available without taking any.

use super::block::{Block, BlockHeader, Next, Scan};
use core::{marker::PhantomData, ptr::NonNull};

/// An iterator over the items from a reader's position on, which takes none of them.
pub(crate) struct Peek<'a, T> {
    block: NonNull<BlockHeader<T>>,
    next_slot: usize,
    run_end: usize,
    /// How many items are still to be left out.
    skip: usize,
    _reader: PhantomData<&'a T>,
}

// SAFETY: a peek borrows items, as `&T` does, and the borrowed reader keeps them.
unsafe impl<T: Sync> Send for Peek<'_, T> {}
// SAFETY: as above.
unsafe impl<T: Sync> Sync for Peek<'_, T> {}

impl<T> Clone for Peek<'_, T> {
    fn clone(&self) -> Self {
        Self { ..*self }
    }
}

impl<'a, T> Peek<'a, T> {
    /// Starts at a slot that the borrowed reader keeps.
    pub(super) fn new(block: NonNull<BlockHeader<T>>, next_slot: usize) -> Self {
        Self {
            block,
            next_slot,
            run_end: next_slot,
            skip: 0,
            _reader: PhantomData,
        }
    }

    /// Leaves out the first `items`, also those that are not published yet.
    pub(super) fn skipping(self, items: usize) -> Self {
        Self {
            skip: items,
            ..self
        }
    }

    /// Moves on to the next run of items.
    fn next_run(&mut self) -> Scan {
        loop {
            if self.next_slot == Block::<T>::LEN {
                // SAFETY: the borrowed reader keeps its block and all that follow.
                match unsafe { self.block.as_ref() }.next() {
                    Next::None => return Scan::Unpublished,
                    Next::Ended => return Scan::Ended,
                    Next::Block(next) => {
                        (self.block, self.next_slot, self.run_end) = (next.cast(), 0, 0);
                    }
                }
            }
            match self.block().scan(self.next_slot) {
                Scan::Taken => {
                    self.next_slot += 1;
                    self.run_end = self.next_slot;
                }
                Scan::Items(run_end) if self.skip != 0 => {
                    let skipped = self.skip.min(run_end - self.next_slot);
                    self.skip -= skipped;
                    self.next_slot += skipped;
                    self.run_end = self.next_slot;
                }
                Scan::Items(run_end) => {
                    self.run_end = run_end;
                    return Scan::Items(run_end);
                }
                scan => return scan,
            }
        }
    }

    fn block(&self) -> &Block<T> {
        // SAFETY: the borrowed reader keeps the block. It is not the root, because `next_slot` is
        // below its length.
        unsafe { self.block.cast::<Block<T>>().as_ref() }
    }

    /// Whether the reader would find nothing now: neither an item nor the end.
    pub(crate) fn finds_nothing(mut self) -> bool {
        matches!(self.next_run(), Scan::Unpublished)
    }

    /// Whether nothing is left but the end.
    pub(crate) fn at_end(mut self) -> bool {
        matches!(self.next_run(), Scan::Ended)
    }

    /// Counts the items that are available, up to `limit`.
    pub(crate) fn count_to(mut self, limit: usize) -> usize {
        let mut count = 0;
        while count < limit && matches!(self.next_run(), Scan::Items(_)) {
            count += self.run_end - self.next_slot;
            self.next_slot = self.run_end;
        }
        count.min(limit)
    }
}

impl<'a, T> Iterator for Peek<'a, T> {
    type Item = &'a T;

    fn next(&mut self) -> Option<&'a T> {
        if self.next_slot == self.run_end && !matches!(self.next_run(), Scan::Items(_)) {
            return None;
        }
        let slot = self.next_slot;
        self.next_slot += 1;
        // SAFETY: the slot is published and holds an item. No thread moves out an item that the
        // borrowed reader has not passed.
        Some(unsafe { Block::item(self.block.cast(), slot) })
    }

    fn count(self) -> usize {
        let in_run = self.run_end - self.next_slot;
        let rest = Peek {
            next_slot: self.run_end,
            ..self
        };
        in_run + rest.count_to(usize::MAX)
    }
}
