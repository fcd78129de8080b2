//! Places in a list of `N` slots: a *lap* and the slot in it, in one word that only grows, and wraps.
//!
//! ```text
//! | lap … | slot, as many bits as the length of a lap takes | TAKEN, or CLOSED | FULL, or NAPS |
//! ```
//! A position has the flags clear. Two are compared by their wrapping difference.

pub(super) type Position = usize;

/// A flag of a slot's word: the item of that position was published.
pub(super) const FULL: usize = 1;
/// A flag of a slot's word, beside [`FULL`]: the item is being dropped.
pub(super) const TAKEN: usize = 2;
/// A flag of the tail: the only reader sleeps at this very position.
pub(super) const NAPS: usize = 1;
/// A flag of the tail: no slot is given out any more. No slot's word has this flag alone: none looks free then.
pub(super) const CLOSED: usize = 2;

/// From a slot to the next.
const STEP: usize = 4;

/// The arithmetic of positions among `N` slots.
pub(super) struct Laps<const N: usize>;

impl<const N: usize> Laps<N> {
    /// How far it is from a position to the same slot a lap later. A lap has more positions than slots if `N` is no
    /// power of two; the last ones are skipped, so that no division is needed.
    pub(super) const LAP: usize = {
        assert!(N > 0, "a push list needs a slot");
        assert!(
            N <= usize::MAX / 64,
            "positions have to tell laps apart: so many slots are too many"
        );
        N.next_power_of_two() * STEP
    };

    #[inline(always)]
    pub(super) fn index(at: Position) -> usize {
        at % Self::LAP / STEP
    }

    /// The position without the slot: what a slot's word says, which knows its own index.
    #[inline(always)]
    pub(super) fn lap(at: Position) -> usize {
        at & !(Self::LAP - 1)
    }

    /// What the word of a slot says that is free for the position at the tail; nothing that it may say if the tail is
    /// closed.
    #[inline(always)]
    pub(super) fn free(tail: usize) -> usize {
        tail & !((Self::LAP - 1) ^ CLOSED)
    }

    pub(super) fn at(lap: usize, index: usize) -> Position {
        lap | (index * STEP)
    }

    /// The position after that of a word with flags.
    #[inline(always)]
    pub(super) fn next(at: usize) -> Position {
        if N.is_power_of_two() || Self::index(at) + 1 < N {
            (at | (STEP - 1)).wrapping_add(1)
        } else {
            Self::lap(at).wrapping_add(Self::LAP)
        }
    }

    /// The position of a word with flags.
    #[inline(always)]
    pub(super) fn position(word: usize) -> Position {
        word & !(STEP - 1)
    }

    /// How many slots come before a position, since the list was new.
    pub(super) fn count(at: Position) -> usize {
        at / Self::LAP * N + Self::index(at)
    }

    /// How many slots there are from one position up to a later one.
    pub(super) fn between(from: Position, to: Position) -> usize {
        // Laps are told apart modulo how many there are; so is the product.
        (Self::lap(to).wrapping_sub(Self::lap(from)) / Self::LAP * N + Self::index(to))
            .wrapping_sub(Self::index(from))
    }
}

/// Whether one position comes after another.
#[inline(always)]
pub(super) fn is_after(a: Position, b: Position) -> bool {
    a.wrapping_sub(b) as isize > 0
}

#[cfg(all(test, not(aiter_loom)))]
mod tests {
    use super::*;

    #[test]
    fn positions_visit_the_slots_in_turn_and_wrap() {
        fn check<const N: usize>() {
            for start in [0, Laps::<N>::LAP * 5, 0_usize.wrapping_sub(Laps::<N>::LAP)] {
                let mut at = start;
                for n in 0..3 * N {
                    assert_eq!(Laps::<N>::index(at), n % N);
                    assert_eq!(Laps::<N>::lap(at) % Laps::<N>::LAP, 0);
                    assert_eq!(Laps::<N>::between(start, at), n);
                    assert_eq!(is_after(at, start), n > 0);
                    assert!(!is_after(start, at));
                    let next = Laps::<N>::next(at);
                    assert!(is_after(next, at));
                    assert_eq!(Laps::<N>::between(at, next), 1);
                    at = next;
                }
            }
        }
        check::<1>();
        check::<2>();
        check::<3>();
        check::<7>();
        check::<8>();
    }
}
