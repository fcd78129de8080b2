//! Blocks to be used again, so that a writer and a reader on two threads do not meet in the allocator, where one waits for the
//! other's lock. When the readers come to the last block all spare ones but one are freed.
//!
//! They are a chain, which is taken and put back as a whole:
//!
//! | the word | the chain belongs to | who moves it on |
//! |---|---|---|
//! | null | whoever took it; or there is none | who puts one back, by a compare-exchange → that one |
//! | its first block, and in the low bits how many there are | nobody | who takes it, by a swap → null |
//!
//! So nobody follows a link of blocks that another may take. Who finds that a chain was put back meanwhile takes that one
//! as well, and joins the two.

use super::block::{Block, Head};
use crate::sync::{AtomicPtr, Ordering::*};
use core::{
    mem,
    ptr::{self, NonNull},
};

pub(super) struct FreeList<T>(AtomicPtr<Block<T>>);

impl<T> FreeList<T> {
    /// The bits that a pointer to a block leaves free.
    const COUNT: usize = align_of::<Block<T>>() - 1;

    /// How many are kept at most: one, and with `std` as many as the bits can count and 16 KiB can hold.
    const MOST: usize = {
        let fit = (16 << 10) / Block::<T>::LAYOUT.size();
        match cfg!(feature = "std") {
            true if fit > Self::COUNT => Self::COUNT,
            true if fit > 1 => fit,
            _ => 1,
        }
    };

    pub(super) fn new() -> Self {
        Self(AtomicPtr::new(ptr::null_mut()))
    }

    /// A block that is nobody else's and holds nothing.
    pub(super) fn take(&self) -> Option<NonNull<Block<T>>> {
        let mut chain = self.take_all();
        let block = chain.pop();
        self.put_back(chain, Self::MOST);
        block
    }

    /// Keeps the block, or frees it.
    ///
    /// # Safety
    /// Nobody else can reach the block, and it holds no items.
    pub(super) unsafe fn put(&self, block: NonNull<Block<T>>) {
        // Of a long list that is drained there are enough, most of the time.
        if self.len() >= Self::MOST {
            // SAFETY: by the contract.
            return unsafe { Block::free(block) };
        }
        let mut chain = self.take_all();
        // SAFETY: by the contract.
        unsafe { chain.push(block) };
        self.put_back(chain, Self::MOST);
    }

    /// Frees all but one.
    #[inline(always)]
    pub(super) fn trim(&self) {
        if self.len() > 1 {
            self.free_others();
        }
    }

    #[cold]
    fn free_others(&self) {
        self.put_back(self.take_all(), 1);
    }

    fn len(&self) -> usize {
        self.0.load(Relaxed).addr() & Self::COUNT
    }

    fn take_all(&self) -> Chain<T> {
        if self.0.load(Relaxed).is_null() {
            return Chain::new();
        }
        // Ordering: Acquire pairs with the Release in `put_back`: the blocks are seen as they were left.
        let word = self.0.swap(ptr::null_mut(), Acquire);
        let first = NonNull::new(word.map_addr(|addr| addr & !Self::COUNT));
        let len = word.addr() & Self::COUNT;
        Chain { first, len }
    }

    /// Lock-free: goes round again when another has put one back meanwhile.
    fn put_back(&self, mut chain: Chain<T>, most: usize) {
        while let Some(first) = chain.cut(most) {
            let word = first.as_ptr().map_addr(|addr| addr | chain.len);
            // Ordering: Release pairs with the Acquire in `take_all`.
            match self
                .0
                .compare_exchange(ptr::null_mut(), word, Release, Relaxed)
            {
                Ok(_) => return mem::forget(chain),
                Err(_) => chain.join(self.take_all()),
            }
        }
    }
}

impl<T> Drop for FreeList<T> {
    fn drop(&mut self) {
        drop(self.take_all());
    }
}

/// Blocks that are the holder's alone, and hold no items. What is left is freed with the chain.
struct Chain<T> {
    first: Option<NonNull<Block<T>>>,
    len: usize,
}

impl<T> Chain<T> {
    fn new() -> Self {
        let (first, len) = (None, 0);
        Self { first, len }
    }

    /// # Safety
    /// Nobody else can reach the block, and it holds no items.
    unsafe fn push(&mut self, block: NonNull<Block<T>>) {
        // The last block's link is neither written nor read: its cache line is another thread's, most of the time.
        if let Some(next) = self.first.replace(block) {
            // SAFETY: by the contract.
            let head = unsafe { block.cast::<Head<T>>().as_ref() };
            head.prev.store(next.cast().as_ptr(), Relaxed);
        }
        self.len += 1;
    }

    fn pop(&mut self) -> Option<NonNull<Block<T>>> {
        let block = self.first.take()?;
        self.len -= 1;
        if self.len != 0 {
            // SAFETY: the chain's own.
            let head = unsafe { block.cast::<Head<T>>().as_ref() };
            self.first = NonNull::new(head.prev.load(Relaxed).cast());
        }
        Some(block)
    }

    /// Adds the blocks of the other chain.
    fn join(&mut self, mut other: Self) {
        while let Some(block) = other.pop() {
            // SAFETY: it was the other chain's, and no more.
            unsafe { self.push(block) };
        }
    }

    /// Frees blocks until no more than `most` are left, and gives the first of those.
    fn cut(&mut self, most: usize) -> Option<NonNull<Block<T>>> {
        while self.len > most {
            let block = self.pop()?;
            // SAFETY: the chain's own.
            unsafe { Block::free(block) };
        }
        self.first
    }
}

impl<T> Drop for Chain<T> {
    fn drop(&mut self) {
        self.cut(0);
    }
}

#[cfg(all(test, aiter_loom))]
mod loom;
#[cfg(all(test, not(aiter_loom)))]
mod tests;
