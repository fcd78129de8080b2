//! Keeps freed blocks for reuse, so that a writer and a reader on two threads do not meet in the
//! allocator, where one waits for the lock of the other. When the readers come to the last block,
//! all kept blocks but one are freed.
//!
//! The blocks form a chain, which is taken and put back as a whole:
//!
//! | the word | who owns the chain | how the word changes |
//! |---|---|---|
//! | null | the thread that took it; or there is none | a thread that puts a chain back stores it with a compare-exchange |
//! | the first block, with the length of the chain in the low bits | no thread | a thread that takes the chain swaps in null |
//!
//! So no thread follows the link of a block that another thread may take. A thread that finds that
//! another one has put a chain back meanwhile takes that chain as well and joins the two.

use super::block::{Block, BlockHeader};
use crate::sync::{AtomicPtr, Ordering::*};
use core::{
    mem,
    ptr::{self, NonNull},
};

/// The blocks that a list keeps for reuse.
pub(super) struct FreeList<T>(AtomicPtr<Block<T>>);

impl<T> FreeList<T> {
    /// The bits of a block's address that are always 0.
    const LEN_MASK: usize = align_of::<Block<T>>() - 1;

    /// The most blocks that are kept: one, and with `std` as many as the low bits can count and
    /// 16 KiB can hold.
    const MAX_LEN: usize = {
        let fit = (16 << 10) / Block::<T>::LAYOUT.size();
        match cfg!(feature = "std") {
            true if fit > Self::LEN_MASK => Self::LEN_MASK,
            true if fit > 1 => fit,
            _ => 1,
        }
    };

    pub(super) fn new() -> Self {
        Self(AtomicPtr::new(ptr::null_mut()))
    }

    /// Takes a block. The caller owns it, and it holds no items.
    pub(super) fn take(&self) -> Option<NonNull<Block<T>>> {
        let mut chain = self.take_all();
        let block = chain.pop();
        self.put_back(chain, Self::MAX_LEN);
        block
    }

    /// Keeps the block, or frees it if enough blocks are kept.
    ///
    /// # Safety
    /// The caller owns the block, which holds no items.
    pub(super) unsafe fn put(&self, block: NonNull<Block<T>>) {
        // While a long list is drained the chain is full most of the time.
        if self.len() >= Self::MAX_LEN {
            // SAFETY: by the contract.
            return unsafe { Block::free(block) };
        }
        let mut chain = self.take_all();
        // SAFETY: by the contract.
        unsafe { chain.push(block) };
        self.put_back(chain, Self::MAX_LEN);
    }

    /// Frees all blocks but one.
    #[inline]
    pub(super) fn trim(&self) {
        if self.len() > 1 {
            self.trim_slow();
        }
    }

    #[cold]
    fn trim_slow(&self) {
        self.put_back(self.take_all(), 1);
    }

    fn len(&self) -> usize {
        self.0.load(Relaxed).addr() & Self::LEN_MASK
    }

    fn take_all(&self) -> Chain<T> {
        if self.0.load(Relaxed).is_null() {
            return Chain::new();
        }
        // Ordering: Acquire pairs with the Release in `put_back`: the blocks are as that thread
        // left them.
        let word = self.0.swap(ptr::null_mut(), Acquire);
        let first = NonNull::new(word.map_addr(|addr| addr & !Self::LEN_MASK));
        let len = word.addr() & Self::LEN_MASK;
        Chain { first, len }
    }

    /// Puts a chain back, cut to at most `max_len` blocks. This is lock-free: it repeats only if
    /// another thread has put a chain back meanwhile.
    fn put_back(&self, mut chain: Chain<T>, max_len: usize) {
        while let Some(first) = chain.truncate(max_len) {
            let word = first.as_ptr().map_addr(|addr| addr | chain.len);
            // Ordering: Release pairs with the Acquire in `take_all`.
            match self
                .0
                .compare_exchange(ptr::null_mut(), word, Release, Relaxed)
            {
                Ok(_) => return mem::forget(chain),
                Err(_) => chain.append(self.take_all()),
            }
        }
    }
}

impl<T> Drop for FreeList<T> {
    fn drop(&mut self) {
        drop(self.take_all());
    }
}

/// Blocks that the holder owns and that hold no items. Dropping the chain frees them.
struct Chain<T> {
    first: Option<NonNull<Block<T>>>,
    len: usize,
}

impl<T> Chain<T> {
    fn new() -> Self {
        let (first, len) = (None, 0);
        Self { first, len }
    }

    /// Adds a block in front.
    ///
    /// # Safety
    /// The caller owns the block, which holds no items.
    unsafe fn push(&mut self, block: NonNull<Block<T>>) {
        // The link of the last block is neither written nor read, because another thread owns its
        // cache line most of the time.
        if let Some(next) = self.first.replace(block) {
            // SAFETY: by the contract.
            let header = unsafe { block.cast::<BlockHeader<T>>().as_ref() };
            header.prev.store(next.cast().as_ptr(), Relaxed);
        }
        self.len += 1;
    }

    fn pop(&mut self) -> Option<NonNull<Block<T>>> {
        let block = self.first.take()?;
        self.len -= 1;
        if self.len != 0 {
            // SAFETY: the chain owns the block.
            let header = unsafe { block.cast::<BlockHeader<T>>().as_ref() };
            self.first = NonNull::new(header.prev.load(Relaxed).cast());
        }
        Some(block)
    }

    /// Moves the blocks of the other chain into this one.
    fn append(&mut self, mut other: Self) {
        while let Some(block) = other.pop() {
            // SAFETY: the other chain owned the block and has given it up.
            unsafe { self.push(block) };
        }
    }

    /// Frees blocks until at most `max_len` are left, and returns the first of those.
    fn truncate(&mut self, max_len: usize) -> Option<NonNull<Block<T>>> {
        while self.len > max_len {
            let block = self.pop()?;
            // SAFETY: the chain owned the block.
            unsafe { Block::free(block) };
        }
        self.first
    }
}

impl<T> Drop for Chain<T> {
    fn drop(&mut self) {
        self.truncate(0);
    }
}

#[cfg(all(test, aiter_loom))]
mod loom;
#[cfg(all(test, not(aiter_loom)))]
mod tests;
