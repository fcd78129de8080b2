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

fn put<T>(spares: &Spares<T>, blocks: Vec<NonNull<Block<T>>>) {
    for block in blocks {
        // SAFETY: just made, and given away once.
        unsafe { spares.put(block) };
    }
}

/// Takes and frees all; says how many there were.
fn drain<T>(spares: &Spares<T>) -> usize {
    let blocks: Vec<_> = core::iter::from_fn(|| spares.take()).collect();
    assert_eq!(BTreeSet::from_iter(&blocks).len(), blocks.len());
    for &block in &blocks {
        // SAFETY: taken, each once.
        unsafe { Block::free(block) };
    }
    blocks.len()
}

#[test]
fn no_more_are_kept_than_may() {
    let spares = Spares::<u64>::new();
    assert_eq!(drain(&spares), 0);
    for count in 1..=Spares::<u64>::MOST + 3 {
        put(&spares, blocks(count));
        assert_eq!(spares.len(), count.min(Spares::<u64>::MOST));
        assert_eq!(drain(&spares), count.min(Spares::<u64>::MOST));
    }
}

#[test]
fn as_many_may_be_kept_as_are_small() {
    assert_eq!(Spares::<[u8; 4096]>::MOST, 1);
    #[cfg(all(feature = "std", target_pointer_width = "64"))]
    {
        assert_eq!(Spares::<u64>::MOST, 15);
        // 2.1 KB each.
        assert_eq!(Spares::<[u64; 4]>::MOST, 7);
    }
}

#[test]
fn all_but_one_are_freed_when_the_list_is_short() {
    for count in 0..4 {
        let spares = Spares::<u64>::new();
        put(&spares, blocks(count));
        spares.trim();
        assert_eq!(drain(&spares), count.min(1));
    }
}

#[test]
fn chains_that_meet_are_joined() {
    for (first, second) in [(0, 2), (1, 1), (3, 1), (1, 3), (9, 9)] {
        let spares = Spares::<u64>::new();
        put(&spares, blocks(first));
        let chain = spares.take_all();
        put(&spares, blocks(second));
        spares.put_back(chain, Spares::<u64>::MOST);
        assert_eq!(
            drain(&spares),
            (first + second).min(Spares::<u64>::MOST),
            "{first} and {second}"
        );
    }
}
