//! How many blocks are kept. That the others are freed, and those with the list, `aiter-tests` and the sanitizers see.

extern crate std;

use super::*;
use alloc::{collections::BTreeSet, vec::Vec};

/// Blocks that are nobody's, and none of them twice.
fn blocks<T>(count: usize) -> Vec<NonNull<Block<T>>> {
    let root = Head::root();
    (0..count)
        .map(|_| Block::after(NonNull::from(&root)))
        .collect()
}

fn put<T>(free_list: &FreeList<T>, blocks: Vec<NonNull<Block<T>>>) {
    for block in blocks {
        // SAFETY: just made, and given away once.
        unsafe { free_list.put(block) };
    }
}

/// Takes and frees all; says how many there were.
fn drain<T>(free_list: &FreeList<T>) -> usize {
    let blocks: Vec<_> = core::iter::from_fn(|| free_list.take()).collect();
    assert_eq!(BTreeSet::from_iter(&blocks).len(), blocks.len());
    for &block in &blocks {
        // SAFETY: taken, each once.
        unsafe { Block::free(block) };
    }
    blocks.len()
}

#[test]
fn no_more_are_kept_than_may() {
    let free_list = FreeList::<u64>::new();
    assert_eq!(drain(&free_list), 0);
    for count in 1..=FreeList::<u64>::MOST + 3 {
        put(&free_list, blocks(count));
        assert_eq!(free_list.len(), count.min(FreeList::<u64>::MOST));
        assert_eq!(drain(&free_list), count.min(FreeList::<u64>::MOST));
    }
}

#[test]
fn as_many_may_be_kept_as_are_small() {
    assert_eq!(FreeList::<[u8; 4096]>::MOST, 1);
    #[cfg(all(feature = "std", target_pointer_width = "64"))]
    {
        assert_eq!(FreeList::<u64>::MOST, 15);
        // 2.1 KB each.
        assert_eq!(FreeList::<[u64; 4]>::MOST, 7);
    }
}

#[test]
fn all_but_one_are_freed_when_the_list_is_short() {
    for count in 0..4 {
        let free_list = FreeList::<u64>::new();
        put(&free_list, blocks(count));
        free_list.trim();
        assert_eq!(drain(&free_list), count.min(1));
    }
}

#[test]
fn chains_that_meet_are_joined() {
    for (first, second) in [(0, 2), (1, 1), (3, 1), (1, 3), (9, 9)] {
        let free_list = FreeList::<u64>::new();
        put(&free_list, blocks(first));
        let chain = free_list.take_all();
        put(&free_list, blocks(second));
        free_list.put_back(chain, FreeList::<u64>::MOST);
        assert_eq!(
            drain(&free_list),
            (first + second).min(FreeList::<u64>::MOST),
            "{first} and {second}"
        );
    }
}
