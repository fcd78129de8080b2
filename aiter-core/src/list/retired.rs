//! What no reader comes to any more: blocks that were left behind, and the items that nobody moved out of them.

use super::{
    List,
    block::{Block, Head, Next},
};
use core::{mem, ptr::NonNull};

/// Drops what is left in a block that no reader needs any more. It stays linked from the next one until `reclaim`.
///
/// # Safety
/// Every slot of the block, and of all before it, is published. No reader is in it or comes there; those of its slots that were
/// moved out are in `taken` or in `moved`.
pub(super) unsafe fn retire<T>(list: &List<T>, block: NonNull<Head<T>>, moved: usize) {
    // SAFETY: retired blocks are freed by whoever is alone in the next one, or retires it: not before this ends.
    let head = unsafe { block.as_ref() };
    // SAFETY: by the contract.
    unsafe { list.reclaim(block, head.end()) };
    if head.is_next_last() {
        // The list is short by now, and may stay so.
        list.free_list.trim();
    }
    if block != list.root() {
        let block = block.cast::<Block<T>>();
        // SAFETY: not the root.
        let taken = unsafe { block.as_ref() }.taken();
        let left = Block::<T>::ALL & !(taken | moved);
        // SAFETY: published, held, and of no reader's interest.
        unsafe { discard(block, left) };
    }
}

/// Drops the items of some slots.
///
/// # Safety
/// The slots are published, and hold items that nobody will read or drop any more.
pub(super) unsafe fn discard<T>(block: NonNull<Block<T>>, slots: usize) {
    /// Goes on with the others when the drop of one panics.
    struct Leftovers<T>(NonNull<Block<T>>, usize);
    impl<T> Drop for Leftovers<T> {
        fn drop(&mut self) {
            let Self(block, slots) = *self;
            if slots != 0 {
                // SAFETY: as in `discard`.
                unsafe { discard(block, slots) };
            }
        }
    }
    if mem::needs_drop::<T>() {
        let mut left = Leftovers(block, slots);
        while left.1 != 0 {
            let slot = left.1.trailing_zeros() as usize;
            left.1 &= left.1 - 1;
            // SAFETY: by the contract; each slot once.
            drop(unsafe { Block::take(block, slot) });
        }
    }
}

/// Frees all blocks from one on, with their items.
///
/// # Safety
/// They are nobody else's any more.
pub(super) unsafe fn free_from<T>(list: &List<T>, block: NonNull<Head<T>>) {
    /// Goes on with the others when the drop of an item panics.
    struct Rest<T> {
        root: NonNull<Head<T>>,
        next: Option<NonNull<Head<T>>>,
    }
    impl<T> Drop for Rest<T> {
        fn drop(&mut self) {
            self.free();
        }
    }
    impl<T> Rest<T> {
        fn free(&mut self) {
            while let Some(head) = self.next.take() {
                // SAFETY: linked, and not freed yet.
                if let Next::Block(next) = unsafe { head.as_ref() }.next() {
                    self.next = Some(next.cast());
                }
                if head != self.root {
                    let block = Owned(head.cast::<Block<T>>());
                    // SAFETY: as above; not the root.
                    let held = unsafe { block.0.as_ref() }.held();
                    // SAFETY: nobody else's, nor are its items.
                    unsafe { discard(block.0, held) };
                }
            }
        }
    }
    Rest {
        root: list.root(),
        next: Some(block),
    }
    .free();
}

/// A block that is freed when this is dropped; its items are seen to before.
struct Owned<T>(NonNull<Block<T>>);

impl<T> Drop for Owned<T> {
    fn drop(&mut self) {
        // SAFETY: made where the block is nobody else's.
        unsafe { Block::free(self.0) };
    }
}
