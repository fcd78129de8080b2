//! Rings whose memory follows what they hold.
use alloc::collections::VecDeque;

/// Memory for as many items is always kept.
const SMALL: usize = 64;

/// Gives memory back after an item was taken, if less than half of it is in use.
///
/// A quarter goes at a time. Before the next quarter goes, or more is asked for, a number of items
/// in proportion has to be taken or put in: so an item costs no more than a few moves.
#[inline]
pub(crate) fn shrink<T>(ring: &mut VecDeque<T>) {
    let capacity = ring.capacity();
    if capacity > SMALL && ring.len() < capacity / 2 {
        give_back(ring, capacity / 4 * 3);
    }
}

#[cold]
fn give_back<T>(ring: &mut VecDeque<T>, capacity: usize) {
    ring.shrink_to(capacity.max(SMALL));
}

#[cfg(all(test, not(aiter_loom)))]
mod tests {
    use super::*;

    /// How much memory there is, and how often it was given back, as the ring grows to a length,
    /// and loses all but some.
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
    fn what_is_not_used_is_given_back_and_little_is_moved() {
        let mut ring = VecDeque::new();
        for full in [1, 64, 65, 1_000, 100_000] {
            for rest in [0, 1, 60, 70, 40_000] {
                let moves = fill_and_take(&mut ring, full, rest);
                assert!(moves <= 4 * full, "{moves} moves, {full} to {rest}");
            }
        }
    }

    #[test]
    fn at_no_length_each_item_moves_all() {
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
    fn a_small_ring_stays_as_it_is() {
        let mut ring = VecDeque::with_capacity(SMALL);
        let capacity = ring.capacity();
        fill_and_take(&mut ring, SMALL, 0);
        assert_eq!(ring.capacity(), capacity);
    }
}
