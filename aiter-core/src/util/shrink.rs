//! [`shrink`]: ring buffers whose memory follows their length.
use alloc::collections::VecDeque;

/// Memory for this many items is always kept.
const SMALL: usize = 64;

/// Frees memory after an item was taken, if less than half of it is in use.
///
/// Each call frees at most a quarter. Before the next quarter is freed, or more is allocated, a
/// proportional number of items has to be taken or added, so an item costs a constant number of
/// moves on average.
#[inline]
pub(crate) fn shrink<T>(ring: &mut VecDeque<T>) {
    let capacity = ring.capacity();
    if capacity > SMALL && ring.len() < capacity / 2 {
        free_down_to(ring, capacity / 4 * 3);
    }
}

#[cold]
fn free_down_to<T>(ring: &mut VecDeque<T>, capacity: usize) {
    ring.shrink_to(capacity.max(SMALL));
}

#[cfg(all(test, not(aiter_loom)))]
mod tests {
    use super::*;

    /// Grows the ring to a length and takes all items but some. Returns how many items were moved,
    /// and checks the memory after each step.
    fn fill_and_take(ring: &mut VecDeque<u8>, full: usize, rest: usize) -> usize {
        while ring.len() < full {
            ring.push_back(0);
        }
        let mut moves = 0;
        while ring.len() > rest {
            ring.pop_front();
            let before = ring.capacity();
            shrink(ring);
            if ring.capacity() != before {
                moves += ring.len();
            }
            assert!(ring.capacity() <= SMALL.max(2 * ring.len() + 2));
        }
        moves
    }

    #[test]
    fn unused_memory_is_freed_with_few_moves() {
        let mut ring = VecDeque::new();
        for full in [1, 64, 65, 1_000, 100_000] {
            for rest in [0, 1, 60, 70, 40_000] {
                let moves = fill_and_take(&mut ring, full, rest);
                assert!(moves <= 4 * full, "{moves} moves, {full} to {rest}");
            }
        }
    }

    #[test]
    fn no_length_makes_each_item_resize_the_ring() {
        for length in [64, 96, 128, 1_000, 1_500, 2_000] {
            let mut ring = VecDeque::new();
            fill_and_take(&mut ring, 4_000, length);
            let mut resized = 0;
            for _ in 0..10_000 {
                let before = ring.capacity();
                ring.push_back(0);
                ring.pop_front();
                shrink(&mut ring);
                resized += usize::from(ring.capacity() != before);
            }
            assert!(resized <= 2, "{resized} times at {length}");
        }
    }

    #[test]
    fn a_small_ring_keeps_its_memory() {
        let mut ring = VecDeque::with_capacity(SMALL);
        let capacity = ring.capacity();
        fill_and_take(&mut ring, SMALL, 0);
        assert_eq!(ring.capacity(), capacity);
    }
}
