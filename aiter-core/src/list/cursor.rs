//! [`Cursor`]: a reader's place in the chain of blocks. It finds runs of items, takes them, moves
//! on to the next block and leaves the old one behind.

use super::{
    block::{Block, BlockHeader, Next, Position, Scan, ahead, slot_mask},
    peek::Peek,
    shared::List,
};
use crate::sync::Ordering::*;
use core::{mem, ptr::NonNull};

/// A place in the chain. It keeps its block, and with that all blocks that follow.
pub(super) struct Cursor<T> {
    block: NonNull<BlockHeader<T>>,
    /// The next slot to look at, or the number of slots at the end of the block.
    pub(super) next_slot: usize,
    /// The slots from `next_slot` up to this one are known to hold items that this cursor may take.
    pub(super) run_end: usize,
    /// Whether the cursor moves those items out, because no other reader will read them.
    pub(super) is_last: bool,
    /// While `is_last`: the items in the slots from here up to `next_slot` were moved out, and
    /// `taken` does not say so yet.
    moved: usize,
    /// The number of slots without an item that were passed.
    pub(super) skipped: usize,
    /// The slot of the block that the cursor started at. The slots before it were not seen
    /// published.
    started_at: u8,
}

impl<T> Cursor<T> {
    /// A cursor in `block` at `next_slot`. The slots from `started_at` up to there were seen
    /// published. The caller has counted the cursor in the block's `refs`.
    pub(super) fn new(
        block: NonNull<BlockHeader<T>>,
        next_slot: usize,
        started_at: usize,
        skipped: usize,
    ) -> Self {
        Self {
            block,
            next_slot,
            run_end: next_slot,
            is_last: false,
            moved: next_slot,
            skipped,
            started_at: started_at as u8,
        }
    }

    fn header(&self) -> &BlockHeader<T> {
        // SAFETY: the cursor is counted in the block's `refs`.
        let header = unsafe { self.block.as_ref() };
        header.lifetime.used();
        header
    }

    /// The block. To be called only with `next_slot` below the block's length: then the block is
    /// not the root, where cursors are always at the end.
    #[inline]
    fn block(&self) -> &Block<T> {
        // SAFETY: the cursor is counted in the block's `refs`, and the block is not the root.
        unsafe { self.block.cast::<Block<T>>().as_ref() }
    }

    #[inline]
    pub(super) fn position(&self) -> Position {
        ahead(self.header().start, self.next_slot)
    }

    /// Scans the block from `next_slot` on. `None` at a slot without an item and at the end of a
    /// block: then [`scan_far`](Self::scan_far) has to look.
    #[inline]
    pub(super) fn scan(&self) -> Option<Scan> {
        if self.next_slot >= Block::<T>::LEN {
            return None;
        }
        match self.block().scan(self.next_slot) {
            Scan::Taken => None,
            scan => Some(scan),
        }
    }

    /// Looks for items from `next_slot` on, past slots without an item and into the next block.
    pub(super) fn scan_far(&mut self, list: &List<T>) -> Scan {
        loop {
            if self.next_slot == Block::<T>::LEN {
                match self.header().next() {
                    Next::None => return Scan::Unpublished,
                    Next::Ended => return Scan::Ended,
                    Next::Block(next) => self.enter(list, next),
                }
            }
            match self.block().scan(self.next_slot) {
                // No reader moves out an item that this cursor has not passed, so this slot never
                // held one.
                Scan::Taken => {
                    self.next_slot += 1;
                    self.run_end = self.next_slot;
                    self.skipped += 1;
                }
                scan => return scan,
            }
        }
    }

    /// Decides that the items up to `run_end` are moved out.
    #[inline]
    pub(super) fn move_run(&mut self, list: &List<T>, run_end: usize) {
        if !self.is_last {
            self.moved = self.next_slot;
        }
        // Ordering: Acquire pairs with the Release of the readers that have left the block.
        if !self.header().prev.load(Relaxed).is_null() && self.header().refs.load(Acquire) == 1 {
            // SAFETY: `refs` says that no other reader is in the block.
            unsafe { self.reclaim(list) };
        }
        self.is_last = true;
        self.run_end = run_end;
    }

    /// Frees retired blocks before this one.
    ///
    /// # Safety
    /// No other reader is in the block, or can come to it.
    #[inline(never)]
    unsafe fn reclaim(&mut self, list: &List<T>) {
        let passed = if self.saw_all() {
            self.position()
        } else {
            self.header().start
        };
        // SAFETY: by the contract all blocks before this one are retired: every slot in them was
        // published. The cursor has seen the slots of this block before `passed` published.
        unsafe { list.reclaim(self.block, passed) };
        if !matches!(self.header().next(), Next::Block(_)) {
            // As in `List::retire`; the block before this one has come to the free list since.
            list.free_list.trim();
        }
    }

    /// Whether all slots of the block before `next_slot` were seen published.
    #[inline]
    fn saw_all(&mut self) -> bool {
        self.started_at == 0 || self.saw_all_slow()
    }

    #[cold]
    fn saw_all_slow(&mut self) -> bool {
        if self.block().published_until(0) >= usize::from(self.started_at) {
            self.started_at = 0;
        }
        self.started_at == 0
    }

    /// Decides that the items up to `run_end` are cloned, and tells the readers behind this one,
    /// which then need not look for the run slot by slot.
    #[inline]
    pub(super) fn clone_run(&mut self, run_end: usize) {
        self.clone_until(run_end);
        self.block().note_run(self.next_slot, run_end);
    }

    /// As [`clone_run`](Self::clone_run), for a run of one item, whose length need not be told to
    /// other readers.
    #[inline]
    pub(super) fn clone_one(&mut self) {
        self.clone_until(self.next_slot + 1);
    }

    #[inline]
    fn clone_until(&mut self, run_end: usize) {
        if self.is_last {
            self.give_up_run();
        }
        self.run_end = run_end;
    }

    /// Forgets the items that were found and not taken, so that another cursor may start here.
    #[cold]
    pub(super) fn give_up_run(&mut self) {
        self.flush_moved();
        self.is_last = false;
        self.run_end = self.next_slot;
    }

    /// Records in `taken` which items were moved out.
    fn flush_moved(&mut self) {
        if self.is_last && self.moved < self.next_slot {
            self.block()
                .mark_taken(slot_mask(self.moved..self.next_slot));
        }
        self.moved = self.next_slot;
    }

    /// Moves the item at `next_slot` out.
    ///
    /// # Safety
    /// `next_slot` is below `run_end`, and `is_last` is set.
    #[inline]
    pub(super) unsafe fn take(&mut self) -> T {
        let slot = self.next_slot;
        self.next_slot += 1;
        // SAFETY: by the contract the slot is published and holds an item, and this cursor is the
        // last one to read it.
        unsafe { Block::take(self.block.cast(), slot) }
    }

    /// Moves the next `len` items out, to the memory at `to`.
    ///
    /// # Safety
    /// `len` is at least 1, `next_slot + len` is at most `run_end`, and `is_last` is set. There is
    /// room for `len` items at `to`, outside of the list.
    #[inline]
    pub(super) unsafe fn take_run(&mut self, len: usize, to: *mut T) {
        let slot = self.next_slot;
        self.next_slot += len;
        // SAFETY: by the contract the slots are published and hold items, and this cursor is the
        // last one to read them.
        unsafe { Block::take_run(self.block.cast(), slot, len, to) };
    }

    /// Passes the item at `next_slot` and returns it.
    ///
    /// # Safety
    /// `next_slot` is below `run_end`. The item may be moved out as soon as another reader sees
    /// that this one has passed it.
    #[inline]
    pub(super) unsafe fn pass<'a>(&mut self) -> &'a T {
        let slot = self.next_slot;
        self.next_slot += 1;
        // SAFETY: by the contract.
        unsafe { Block::item(self.block.cast(), slot) }
    }

    /// Whether the slot that the cursor comes to next is not published.
    #[inline]
    pub(super) fn is_unpublished(&self) -> bool {
        if self.next_slot < Block::<T>::LEN {
            return self.block().is_unpublished(self.next_slot);
        }
        self.is_next_block_unpublished()
    }

    /// The cheap half of [`is_unpublished`](Self::is_unpublished). It returns false at the end of a
    /// block that has a next one, which has to be entered first.
    #[inline]
    pub(super) fn looks_empty(&self) -> bool {
        if self.next_slot < Block::<T>::LEN {
            return self.block().is_unpublished(self.next_slot);
        }
        matches!(self.header().next(), Next::None)
    }

    #[cold]
    fn is_next_block_unpublished(&self) -> bool {
        match self.header().next() {
            Next::None => true,
            Next::Ended => false,
            // SAFETY: the block before it keeps it.
            Next::Block(next) => unsafe { next.as_ref() }.is_unpublished(0),
        }
    }

    /// Moves from the end of a block into the next one.
    #[inline(never)]
    fn enter(&mut self, list: &List<T>, next: NonNull<Block<T>>) {
        let left = self.block;
        // SAFETY: the cursor is in `left`, whose link keeps `next`.
        let next_header = unsafe { next.cast::<BlockHeader<T>>().as_ref() };
        // Ordering: Acquire pairs with the Release of the readers that have left the block.
        if self.saw_all() && self.header().refs.load(Acquire) == 1 {
            // No other reader is in the block, and none can come. The count of the link becomes the
            // count of this cursor.
            let moved = if self.is_last {
                slot_mask(self.moved..Block::<T>::LEN)
            } else {
                0
            };
            self.set_block(next.cast());
            // SAFETY: all slots are published, no reader is left in the block, and `moved` names
            // the items that were moved out.
            unsafe { list.retire(left, moved) };
        } else {
            self.flush_moved();
            next_header.refs.fetch_add(1, Relaxed);
            self.set_block(next.cast());
            // SAFETY: the cursor was counted in the block, and has recorded what it moved out.
            unsafe { list.depart(left) };
        }
    }

    /// Places the cursor at the first slot of a block.
    fn set_block(&mut self, block: NonNull<BlockHeader<T>>) {
        (self.block, self.next_slot, self.run_end, self.moved) = (block, 0, 0, 0);
        self.started_at = 0;
    }

    /// Another cursor at the same place.
    pub(super) fn fork(&mut self) -> Self {
        self.give_up_run();
        self.another()
    }

    /// Another cursor at the same place. To be called while this one has found no run.
    pub(super) fn another(&self) -> Self {
        debug_assert!(self.next_slot == self.run_end && !self.is_last);
        Self::new(
            self.count_in_block(),
            self.next_slot,
            self.started_at.into(),
            self.skipped,
        )
    }

    /// Counts one more reader in the block, which it has to leave by `List::depart`.
    pub(super) fn count_in_block(&self) -> NonNull<BlockHeader<T>> {
        self.header().refs.fetch_add(1, Relaxed);
        self.block
    }

    /// Drops the items up to `run_end`, which this cursor may move out.
    pub(super) fn discard(&mut self) {
        debug_assert!(self.is_last);
        if !mem::needs_drop::<T>() {
            self.next_slot = self.run_end;
        }
        while self.next_slot < self.run_end {
            // SAFETY: `next_slot` is below `run_end`, and `is_last` is set.
            drop(unsafe { self.take() });
        }
    }

    /// Removes the cursor from the chain. It must not be used afterwards.
    pub(super) fn detach(&mut self, list: &List<T>) {
        self.flush_moved();
        // SAFETY: the cursor was counted in the block, has recorded what it moved out, and is not
        // used afterwards.
        unsafe { list.depart(self.block) };
    }

    /// Looks at the items from here on.
    pub(super) fn peek(&self) -> Peek<'_, T> {
        Peek::new(self.block, self.next_slot)
    }
}
