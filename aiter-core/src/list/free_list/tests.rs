//! Tests of how many blocks are kept. `aiter-tests` and the sanitizers check that the others are
//! freed, and that the kept ones are freed with the list.

extern crate std;

use super::*;
use alloc::{collections::BTreeSet, vec::Vec};

/// Fresh blocks.
fn blocks<T>(count: usize) -> Vec<NonNull<Block<T>>> {
    let root = BlockHeader::root();
    (0..count)
        .map(|_| Block::after(NonNull::from(&root)))
        .collect()
}

fn put<T>(free_list: &FreeList<T>, blocks: Vec<NonNull<Block<T>>>) {
    for block in blocks {
        // SAFETY: the block was just made, and is put once.
        unsafe { free_list.put(block) };
    }
}

/// Takes and frees all blocks, and returns how many there were.
fn drain<T>(free_list: &FreeList<T>) -> usize {
    let blocks: Vec<_> = core::iter::from_fn(|| free_list.take()).collect();
    assert_eq!(BTreeSet::from_iter(&blocks).len(), blocks.len());
    for &block in &blocks {
        // SAFETY: the block was taken, and is freed once.
        unsafe { Block::free(block) };
    }
    blocks.len()
}

#[test]
fn no_more_blocks_are_kept_than_the_limit() {
    let free_list = FreeList::<u64>::new();
    assert_eq!(drain(&free_list), 0);
    for count in 1..=FreeList::<u64>::MAX_LEN + 3 {
        put(&free_list, blocks(count));
        assert_eq!(free_list.len(), count.min(FreeList::<u64>::MAX_LEN));
        assert_eq!(drain(&free_list), count.min(FreeList::<u64>::MAX_LEN));
    }
}

#[test]
fn the_limit_follows_the_size_of_a_block() {
    assert_eq!(FreeList::<[u8; 4096]>::MAX_LEN, 1);
    #[cfg(all(feature = "std", target_pointer_width = "64"))]
    {
        assert_eq!(FreeList::<u64>::MAX_LEN, 15);
        // A block takes 2.1 KB.
        assert_eq!(FreeList::<[u64; 4]>::MAX_LEN, 7);
    }
}

#[test]
fn trim_frees_all_blocks_but_one() {
    for count in 0..4 {
        let free_list = FreeList::<u64>::new();
        put(&free_list, blocks(count));
        free_list.trim();
        assert_eq!(drain(&free_list), count.min(1));
    }
}

#[test]
fn two_chains_that_are_put_back_are_joined() {
    for (first, second) in [(0, 2), (1, 1), (3, 1), (1, 3), (9, 9)] {
        let free_list = FreeList::<u64>::new();
        put(&free_list, blocks(first));
        let chain = free_list.take_all();
        put(&free_list, blocks(second));
        free_list.put_back(chain, FreeList::<u64>::MAX_LEN);
        assert_eq!(
            drain(&free_list),
            (first + second).min(FreeList::<u64>::MAX_LEN),
            "{first} and {second}"
        );
    }
}
