//! Positions in a list of `N` slots: a *lap* and the slot in it, in one word that only grows, and
//! wraps.
//!
//! A push that is interrupted between its load of the tail and its exchange is fooled if the tail
//! has wrapped to the same value meanwhile. So the word has 64 bits wherever the target can
//! exchange that many at once. See `aiter-core/docs/design/fixed.md` for how long a wrap takes with
//! 32.
//!
//! ```text
//! a position:    | lap … | slot: as many bits as the length of a lap needs | 0 …     | 0      |
//! the tail:      | the next position to reserve                            | flags … | CLOSED |
//! a slot's word: | lap … | 0 …, or a little less                                                 |
//! ```
//! Two positions are compared by their wrapping difference.

use crate::sync::{SignedWord, Word, truncate};

pub(super) type Position = Word;

/// A flag of the tail: no slot is reserved any more. Closing also moves the tail ahead by
/// [`CLOSED_OFFSET`], so that every slot looks as if it were in use, and pushes need not test the
/// flag.
pub(super) const CLOSED: Word = 1;
/// A quarter of all positions.
const CLOSED_OFFSET: Word = 1 << (Word::BITS - 2);
/// How many readers have a flag in the tail: the first ones, with a quarter of the word's bits at
/// most. The rest of the word tells laps apart.
const fn flag_count(readers: usize) -> usize {
    let most = Word::BITS as usize / 4;
    if readers < most { readers } else { most }
}

/// The flags of the tail. A reader's flag is set while it [waits](super::state) at this very
/// position.
pub(super) const fn tail_flags(readers: usize) -> Word {
    (1 << flag_count(readers) << 1) - 2
}

/// The flag of one reader, or 0 if it has none.
#[inline(always)]
pub(super) fn tail_flag(reader: usize, tail_flags: Word) -> Word {
    (2 << reader) & tail_flags
}

/// What a tail at this position becomes when it is closed. No reader's flag is set in it.
#[inline(always)]
pub(super) fn closed(at: Position) -> Word {
    at.wrapping_add(CLOSED_OFFSET | CLOSED)
}

/// The arithmetic of positions among `N` slots, in a list for `R` readers.
pub(super) struct Laps<const N: usize, const R: usize>;

impl<const N: usize, const R: usize> Laps<N, R> {
    /// From one slot to the next. The flags of the tail are below it.
    const STEP: Word = tail_flags(R) + 2;

    /// From a position to the same slot one lap later. If `N` is no power of two, a lap has more
    /// positions than slots, and the last ones are skipped, so that no division is needed.
    pub(super) const LAP: Word = {
        assert!(N > 0, "a push list needs a slot");
        assert!(
            N as Word <= Word::MAX / 16 / Self::STEP,
            "positions have to tell laps apart: so many slots are too many"
        );
        (N as Word).next_power_of_two() * Self::STEP
    };

    #[inline(always)]
    pub(super) fn index(at: Position) -> usize {
        truncate(at % Self::LAP / Self::STEP)
    }

    /// Where the slot of a position lies in an array: the index times the size, in the fewest
    /// instructions. The mask is applied to the index times the largest power of two in the size.
    /// The result is in two parts, to be added one by one, because a factor that is no power of two
    /// would need a register that Cortex-M0 does not have.
    #[inline(always)]
    pub(super) fn offset<Slot>(at: Position) -> [usize; 2] {
        let even = size_of::<Slot>() & size_of::<Slot>().wrapping_neg();
        let mask = truncate(Self::LAP / Self::STEP - 1) * even;
        let index = if even as Word > Self::STEP {
            at.wrapping_mul(even as Word / Self::STEP)
        } else {
            at / (Self::STEP / even as Word)
        };
        let unit = truncate(index) & mask;
        [unit, unit * (size_of::<Slot>() / even - 1)]
    }

    /// The position without the slot. A slot's word holds only this, because the slot knows its own
    /// index.
    #[inline(always)]
    pub(super) fn lap(at: Position) -> Word {
        at & !(Self::LAP - 1)
    }

    /// Whether the slot at the tail is still in use, judged by the slot's word, or the tail is
    /// closed. In both cases the tail is a lap or more ahead of the word. If the tail was moved on
    /// after it was loaded, this returns `false`: the push that reserved the position has found its
    /// slot free, and the word is at most two less than this lap.
    #[inline(always)]
    pub(super) fn is_in_use(word: Word, tail: Word) -> bool {
        // With two readers or more, the small word values and all flags could add up to a lap.
        let at = if R > 1 { tail & !tail_flags(R) } else { tail };
        let ahead = at.wrapping_sub(word);
        // Each form takes the fewest instructions on its targets, and tests the common case there
        // first.
        if cfg!(target_arch = "arm") {
            ahead as SignedWord >= Self::LAP as SignedWord
        } else {
            word != Self::lap(tail) && ahead.wrapping_sub(Self::LAP) as SignedWord >= 0
        }
    }

    pub(super) fn at(lap: Word, index: usize) -> Position {
        lap | (index as Word * Self::STEP)
    }

    /// The position after this one.
    #[inline(always)]
    pub(super) fn next(at: Position) -> Position {
        if N.is_power_of_two() || Self::index(at) + 1 < N {
            at.wrapping_add(Self::STEP)
        } else {
            Self::lap(at).wrapping_add(Self::LAP)
        }
    }

    /// The position after that of a tail, which is in this lap.
    #[inline(always)]
    pub(super) fn next_in(lap: Word, tail: Word) -> Position {
        if N.is_power_of_two() {
            // Computed from a lap that is at hand, and the bits that tell the slot.
            lap.wrapping_add(tail & (Self::LAP - Self::STEP))
                .wrapping_add(Self::STEP)
        } else {
            Self::next(tail & !(Self::STEP - 1))
        }
    }

    /// The position of a tail.
    #[inline(always)]
    pub(super) fn position(tail: Word) -> Position {
        (tail & !(Self::STEP - 1)).wrapping_sub((tail & CLOSED) * CLOSED_OFFSET)
    }

    /// The oldest position whose item may still be there, if the list may be overwritten: one lap
    /// before the tail.
    #[inline(always)]
    pub(super) fn oldest(tail: Position) -> Position {
        tail.wrapping_sub(Self::LAP)
    }

    /// How many slots come before a position, since the list was created.
    pub(super) fn count(at: Position) -> usize {
        // There are fewer than positions. A word may count more of them than an address does.
        truncate(at / Self::LAP * N as Word).wrapping_add(Self::index(at))
    }

    /// How many slots there are from one position up to a later one.
    pub(super) fn between(from: Position, to: Position) -> usize {
        // Laps are told apart modulo their number, and so is the product.
        let laps = Self::lap(to).wrapping_sub(Self::lap(from)) / Self::LAP;
        truncate(laps * N as Word)
            .wrapping_add(Self::index(to))
            .wrapping_sub(Self::index(from))
    }
}

/// Whether position `a` comes after position `b`.
#[inline(always)]
pub(super) fn is_after(a: Position, b: Position) -> bool {
    a.wrapping_sub(b) as SignedWord > 0
}

#[cfg(all(test, not(aiter_loom)))]
mod tests {
    use super::*;

    #[test]
    fn positions_visit_the_slots_in_turn_and_wrap() {
        fn check<const N: usize, const R: usize>() {
            let lap = Laps::<N, R>::LAP;
            for start in [0, lap * 5, (0 as Word).wrapping_sub(lap)] {
                let mut at = start;
                for n in 0..3 * N {
                    assert_eq!(Laps::<N, R>::index(at), n % N);
                    assert_eq!(Laps::<N, R>::lap(at) % lap, 0);
                    assert_eq!(at & (tail_flags(R) | CLOSED), 0);
                    assert_eq!(Laps::<N, R>::between(start, at), n);
                    assert_eq!(is_after(at, start), n > 0);
                    assert!(!is_after(start, at));
                    let next = Laps::<N, R>::next(at);
                    assert!(is_after(next, at));
                    assert_eq!(Laps::<N, R>::between(at, next), 1);
                    at = next;
                }
            }
        }
        check::<1, 1>();
        check::<2, 2>();
        check::<3, 1>();
        check::<7, 4>();
        check::<8, 64>();
    }
    #[test]
    fn a_slot_is_in_use_by_words_of_an_earlier_lap_alone() {
        fn check<const N: usize, const R: usize>() {
            let length = Laps::<N, R>::LAP;
            // Being written, published, or being emptied, which takes two readers.
            let words = |lap: Word| [0, 1, if R > 1 { 2 } else { 1 }].map(|n| lap.wrapping_sub(n));
            for lap in [0, length * 5, (0 as Word).wrapping_sub(length)] {
                for index in 0..N {
                    let at = Laps::<N, R>::at(lap, index);
                    for tail in [at, at | tail_flags(R)] {
                        let is_in_use = |word: Word| Laps::<N, R>::is_in_use(word, tail);
                        assert!(words(lap.wrapping_sub(length)).into_iter().all(is_in_use));
                        assert!(!words(lap).into_iter().any(is_in_use));
                        assert!(!words(lap.wrapping_add(length)).into_iter().any(is_in_use));
                        let closed = closed(at);
                        assert!(Laps::<N, R>::is_in_use(lap, closed));
                        assert_eq!(Laps::<N, R>::position(closed), at);
                    }
                }
            }
        }
        check::<1, 1>();
        check::<3, 1>();
        check::<4, 2>();
        check::<7, 4>();
        check::<8, 64>();
    }
}
