//! How a writer finds the block of the slot that it has reserved, and makes it if need be.

use super::{
    block::{
        Block, BlockHeader, Next, Position, Tail, ahead, distance, distance_to_reserved,
        distance_to_tail,
    },
    shared::{CLOSED, List},
};
use crate::sync::Ordering::*;
use alloc::alloc::handle_alloc_error;
use core::{
    hint,
    ptr::{self, NonNull},
};

impl<T> List<T> {
    /// Finds the block of a reserved slot, and the slot's index in it. Makes the blocks up to there
    /// if need be, and waits for no other thread.
    ///
    /// # Safety
    /// The caller has reserved `len` slots from there on, with this tail word, and has not
    /// published them yet: they keep their blocks, and every block on the way there, from being
    /// freed. The thread that closes the list has no slot to fill and passes a `len` of 0.
    #[inline]
    pub(super) unsafe fn locate(&self, reserved: Tail, len: usize) -> (NonNull<Block<T>>, usize) {
        // Ordering: Acquire pairs with the Release in `advance_tail_block`: the block is
        // initialized.
        let block = self.tail_block.load(Acquire);
        // SAFETY: the slot was reserved before `tail_block` was read, so `observed_tail` keeps the
        // block (see `reclaim`).
        let header = unsafe { &*block };
        header.lifetime.used();
        let slot = distance_to_reserved(header.start, reserved);
        if (0..Block::<T>::LEN as isize).contains(&slot) {
            // SAFETY: the pointer is not null. It points to a block and not to the root, because
            // all slots of the root count as taken.
            return (
                unsafe { NonNull::new_unchecked(block) }.cast(),
                slot as usize,
            );
        }
        // SAFETY: by the contract.
        let (block, slot) = unsafe { self.locate_far(block, reserved, len) };
        // SAFETY: the loop there returns a slot of the block. Without this, each push checks the
        // index once more.
        unsafe { hint::assert_unchecked(slot < Block::<T>::LEN) };
        (block, slot)
    }

    /// Walks from the tail block to a slot that is in another block.
    ///
    /// # Safety
    /// As in `locate`.
    #[cold]
    #[inline(never)]
    unsafe fn locate_far(
        &self,
        block: *mut BlockHeader<T>,
        reserved: Tail,
        len: usize,
    ) -> (NonNull<Block<T>>, usize) {
        // SAFETY: as in `locate`.
        let start = unsafe { &*block }.start;
        let position = ahead(start, distance_to_reserved(start, reserved) as usize);
        // SAFETY: by the contract.
        unsafe { self.locate_from(block, position, len) }
    }

    /// Walks from a block to the block of a position.
    ///
    /// # Safety
    /// As in `locate`. The block is the tail block as it was after the reservation, or one that has
    /// a slot of the same reservation.
    #[cold]
    pub(super) unsafe fn locate_from(
        &self,
        mut block: *mut BlockHeader<T>,
        position: Position,
        len: usize,
    ) -> (NonNull<Block<T>>, usize) {
        loop {
            // SAFETY: `observed_tail` keeps the tail block, and all blocks between it and the
            // position (see `reclaim`).
            let header = unsafe { &*block };
            header.lifetime.used();
            let slot = distance(header.start, position);
            if slot < 0 {
                block = header.prev.load(Relaxed);
            } else if (slot as usize) < Block::<T>::LEN {
                // SAFETY: as in `locate`.
                return (
                    unsafe { NonNull::new_unchecked(block) }.cast(),
                    slot as usize,
                );
            } else {
                // SAFETY: the pointer was dereferenced above, so it is not null.
                let before = unsafe { NonNull::new_unchecked(block) };
                // SAFETY: the block is kept as above.
                block = unsafe { self.follow(before, position, len) }
                    .cast()
                    .as_ptr();
            }
        }
    }

    /// Moves the tail block on from `block` to the next one, which it makes if need be, and returns
    /// that. It takes a pointer, because a reference to the header does not cover the rest of the
    /// block.
    ///
    /// # Safety
    /// A slot that the caller has reserved keeps the block.
    #[cold]
    unsafe fn follow(
        &self,
        block: NonNull<BlockHeader<T>>,
        position: Position,
        len: usize,
    ) -> NonNull<Block<T>> {
        // SAFETY: by the contract.
        let header = unsafe { block.as_ref() };
        let next = match header.next() {
            Next::Block(next) => next,
            Next::None => {
                let fresh = self.new_block(block);
                match header.link(fresh) {
                    Ok(()) => fresh,
                    Err(other) => {
                        // SAFETY: `fresh` was not linked and holds no items.
                        unsafe { self.recycle(fresh) };
                        other
                    }
                }
            }
            Next::Ended => unreachable!("no slot follows the end"),
        };
        self.advance_tail_block(header, next, position, len);
        next
    }

    /// Moves the tail block on from `header` to `next`, for a writer that has `len` slots to
    /// publish from a position on.
    fn advance_tail_block(
        &self,
        header: &BlockHeader<T>,
        next: NonNull<Block<T>>,
        position: Position,
        len: usize,
    ) {
        // This pointer is only compared, never stored.
        let from = ptr::from_ref(header).cast_mut();
        let to = next.cast().as_ptr();
        // Ordering: Release publishes the block to the Acquire in `locate`.
        if self
            .tail_block
            .compare_exchange(from, to, Release, Relaxed)
            .is_ok()
        {
            // Ordering: a read-modify-write, in one order with the reservations. Release pairs with
            // the Acquire of the reservations that come after it: those find that the tail block
            // has moved on. So a writer that finds `header` as the tail block has a slot before
            // `observed_tail`.
            let mut tail = self.tail.fetch_add(0, Release);
            let is_closed = tail & CLOSED != 0;
            if is_closed {
                // Refused pushes have moved the tail on since the close. The closing thread stores
                // where the list ended.
                let Some(end_tail) = self.end_tail() else {
                    // It has yet to do so. The block stays until the list is dropped.
                    return;
                };
                tail = end_tail;
            }
            let slots_to_tail = distance_to_tail(position, tail) as usize;
            // If the caller holds the last reserved slots, `position + 1` is enough: the caller has
            // published its earlier slots, and once this one is published too, it is past `header`.
            // Without this exception the blocks of a batch would stay until all of it is read. In a
            // closed list `position + 1` is not enough: the closing thread has the slot after the
            // batch, and may be at `header`.
            let holds_last = slots_to_tail == len && !is_closed;
            let observed_tail = ahead(position, if holds_last { 1 } else { slots_to_tail });
            // Ordering: Relaxed, see `reclaim`. It is stored before the caller publishes its own
            // slot, or links the block of its own slot when it closes the list.
            header.observed_tail.store(observed_tail, Relaxed);
        }
    }

    fn new_block(&self, prev: NonNull<BlockHeader<T>>) -> NonNull<Block<T>> {
        if !self.block_limit.try_add() {
            handle_alloc_error(Block::<T>::LAYOUT);
        }
        if let Some(block) = self.free_list.take() {
            // SAFETY: the caller owns a block from the free list, which holds no items.
            unsafe { Block::reset(block, prev) };
            return block;
        }
        Block::after(prev)
    }
}
