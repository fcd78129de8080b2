//! Models of several threads that put and take blocks at once: none is lost, and none has two
//! owners.

use super::*;
use crate::{sync::Arc, test_support::loom::model};
use ::loom::thread;
use alloc::vec::Vec;

struct Shared(FreeList<u8>);

// SAFETY: the blocks hold no items, and change owners with the free list, as in a list.
unsafe impl Send for Shared {}
// SAFETY: as above.
unsafe impl Sync for Shared {}

impl Shared {
    fn put_fresh(&self) {
        let root = BlockHeader::root();
        self.put(Block::after(NonNull::from(&root)));
    }

    fn put(&self, block: NonNull<Block<u8>>) {
        used(block);
        // SAFETY: the block is fresh, or was taken.
        unsafe { self.0.put(block) };
    }

    fn take(&self) -> Option<NonNull<Block<u8>>> {
        self.0.take().inspect(|&block| used(block))
    }

    fn drain(&self) -> usize {
        let blocks: Vec<_> = core::iter::from_fn(|| self.take()).collect();
        for &block in &blocks {
            // SAFETY: the block was taken.
            unsafe { Block::free(block) };
        }
        blocks.len()
    }
}

/// Has loom report an owner that does not come after all others.
fn used(block: NonNull<Block<u8>>) {
    // SAFETY: the caller owns the block.
    unsafe { block.cast::<BlockHeader<u8>>().as_ref() }
        .lifetime
        .over();
}

#[test]
fn one_thread_puts_and_two_take() {
    model(|| {
        let shared = Arc::new(Shared(FreeList::new()));
        shared.put_fresh();
        shared.put_fresh();
        let takers: Vec<_> = (0..2)
            .map(|_| {
                let shared = shared.clone();
                thread::spawn(move || {
                    if let Some(block) = shared.take() {
                        shared.put(block);
                    }
                })
            })
            .collect();
        shared.put_fresh();
        takers.into_iter().for_each(|taker| taker.join().unwrap());
        assert_eq!(shared.drain(), 3);
    });
}

#[test]
fn a_reader_trims_while_a_writer_takes() {
    model(|| {
        let shared = Arc::new(Shared(FreeList::new()));
        shared.put_fresh();
        shared.put_fresh();
        let writer = {
            let shared = shared.clone();
            thread::spawn(move || shared.drain())
        };
        shared.0.trim();
        let taken = writer.join().unwrap();
        let left = shared.drain();
        assert!((1..=2).contains(&(taken + left)) && left <= 1);
    });
}
