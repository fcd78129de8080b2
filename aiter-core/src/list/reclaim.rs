//! How blocks that no reader needs any more are retired, and reclaimed once no writer can be in
//! them.
//!
//! A block is *retired* when every slot in it is published, no reader is in it, and none can come.
//! The items that no reader moved out are dropped then. Writers may still be in a retired block on
//! their way to a later one, so it stays linked from the next block, by `prev`, until the position
//! in its `observed_tail` has been passed. Then it is *reclaimed*: freed, or kept for reuse.

use super::{
    block::{Block, BlockHeader, Next, Position, UNOBSERVED, distance},
    shared::List,
};
use crate::sync::Ordering::*;
use core::{
    mem,
    ptr::{self, NonNull},
};
use scopeguard::guard;

impl<T> List<T> {
    /// Retires a block: drops the items left in it. It stays linked from the next block until
    /// `reclaim` frees it.
    ///
    /// # Safety
    /// Every slot of the block, and of all blocks before it, is published. No reader is in the
    /// block or comes to it. The slots whose items were moved out are in `taken` or in `moved`.
    pub(super) unsafe fn retire(&self, block: NonNull<BlockHeader<T>>, moved: usize) {
        // SAFETY: a retired block is freed by the thread that is alone in the next one, or that
        // retires the next one: not before this call returns.
        let header = unsafe { block.as_ref() };
        // SAFETY: by the contract.
        unsafe { self.reclaim(block, header.end()) };
        if header.is_next_last() {
            // The list is short now, and may stay so.
            self.free_list.trim();
        }
        if block != self.root() {
            let block = block.cast::<Block<T>>();
            // SAFETY: the block is kept as above, and it is not the root.
            let taken = unsafe { block.as_ref() }.taken();
            let left = Block::<T>::ALL_SLOTS & !(taken | moved);
            // SAFETY: the slots are published and hold items, and no reader will come to them.
            unsafe { drop_items(block, left) };
        }
    }

    /// Frees the retired blocks before `header` that no writer can be in: those whose
    /// `observed_tail` has been passed.
    ///
    /// A writer in such a block would have reserved a slot before `observed_tail` and not published
    /// it yet, and no reader passes such a slot.
    ///
    /// # Safety
    /// No other thread is in the block of `header` or retires it. Every slot of the list before
    /// `passed` was seen published.
    #[inline(never)]
    pub(super) unsafe fn reclaim(&self, header: NonNull<BlockHeader<T>>, passed: Position) {
        // SAFETY: the caller keeps the block of `header`.
        let mut link = unsafe { &header.as_ref().prev };
        let is_passed = |retired: NonNull<BlockHeader<T>>| {
            // SAFETY: only this function frees a retired block. Ordering: Relaxed. Every writer
            // that was in the block, the one that stored this included, had a slot before
            // `observed_tail`, and published it (Release) after it was done with the block. All
            // slots before `passed` were seen published (Acquire).
            let observed_tail = unsafe { retired.as_ref() }.observed_tail.load(Relaxed);
            observed_tail != UNOBSERVED && distance(observed_tail, passed) >= 0
        };
        // Look at the latest block first. While that one has to stay, looking at all the others
        // each time would cost more than keeping them.
        if !NonNull::new(link.load(Relaxed)).is_some_and(is_passed) {
            return;
        }
        while let Some(retired) = NonNull::new(link.load(Relaxed)) {
            // SAFETY: only this function frees a retired block.
            let block = unsafe { retired.as_ref() };
            if !is_passed(retired) {
                link = &block.prev;
                continue;
            }
            link.store(block.prev.load(Relaxed), Relaxed);
            if retired != self.root() {
                // SAFETY: no reader is in the block, no writer can be, and it is unlinked. Its
                // items were dropped when it was retired.
                unsafe { self.recycle(retired.cast()) };
            }
        }
    }

    /// Keeps the block for reuse, or frees it.
    ///
    /// # Safety
    /// No other thread can reach the block, and it holds no items.
    pub(super) unsafe fn recycle(&self, block: NonNull<Block<T>>) {
        // SAFETY: by the contract.
        unsafe { block.cast::<BlockHeader<T>>().as_ref() }
            .lifetime
            .over();
        self.block_limit.remove();
        // SAFETY: by the contract.
        unsafe { self.free_list.put(block) };
    }

    /// Frees all retired blocks before `header`.
    ///
    /// # Safety
    /// No writer is left, and no other thread is in the block of `header`.
    unsafe fn free_before(&self, header: &BlockHeader<T>) {
        let mut next = header.prev.swap(ptr::null_mut(), Relaxed);
        while let Some(retired) = NonNull::new(next) {
            // SAFETY: only this function and `reclaim` free a retired block.
            next = unsafe { retired.as_ref() }.prev.load(Relaxed);
            if retired != self.root() {
                // SAFETY: no reader and no writer can be in the block. Its items were dropped when
                // it was retired.
                unsafe { Block::<T>::free(retired.cast()) };
            }
        }
    }

    /// Frees `block` and all blocks after it, with their items. If the drop of an item panics, it
    /// goes on with the next block.
    ///
    /// # Safety
    /// The caller owns the blocks.
    unsafe fn free_from(&self, block: Option<NonNull<BlockHeader<T>>>) {
        let mut rest = guard(block, |rest| {
            if rest.is_some() {
                // SAFETY: by the contract.
                unsafe { self.free_from(rest) };
            }
        });
        while let Some(header) = rest.take() {
            // SAFETY: the block was linked, and is not freed yet.
            if let Next::Block(next) = unsafe { header.as_ref() }.next() {
                *rest = Some(next.cast());
            }
            if header != self.root() {
                let block = guard(header.cast::<Block<T>>(), |block| {
                    // SAFETY: by the contract; its items have been dropped.
                    unsafe { Block::free(block) }
                });
                // SAFETY: the block is not freed yet, and it is not the root.
                let items = unsafe { block.as_ref() }.item_mask();
                // SAFETY: the caller owns the items.
                unsafe { drop_items(*block, items) };
            }
        }
    }
}

/// Drops the items in some slots. If the drop of one panics, the others are dropped all the same.
///
/// # Safety
/// The slots are published and hold items, which no other thread reads or drops any more.
pub(super) unsafe fn drop_items<T>(block: NonNull<Block<T>>, slots: usize) {
    if !mem::needs_drop::<T>() {
        return;
    }
    let mut left = guard(slots, |left| {
        if left != 0 {
            // SAFETY: by the contract.
            unsafe { drop_items(block, left) };
        }
    });
    while *left != 0 {
        let slot = left.trailing_zeros() as usize;
        *left &= *left - 1;
        // SAFETY: by the contract; each slot is taken once.
        drop(unsafe { Block::take(block, slot) });
    }
}

impl<T> Drop for List<T> {
    fn drop(&mut self) {
        // SAFETY: no handle is left.
        if let Some(front) = unsafe { self.drain.take() } {
            // SAFETY: the drain position keeps its block.
            let header = unsafe { front.block.as_ref() };
            // SAFETY: no handle is left that could be in a block before this one.
            unsafe { self.free_before(header) };
            // SAFETY: no handle is left that could be in this block or in a later one.
            unsafe { self.free_from(Some(front.block)) };
        }
    }
}
