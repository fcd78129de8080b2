//! How slots are numbered, in a *position* and in the tail word.
//!
//! Both wrap with the machine word. With 64 bits no list comes that far. With 32 bits they wrap
//! within minutes, and only slots that exist at the same time have to be told apart. A list has at
//! most `MAX_BLOCKS` blocks, whose slots are five eighths of what the tail word can count. Batches
//! reserve at most [`MAX_BATCH_SLOTS`] slots beyond them, which is one more eighth, and each thread
//! reserves one.
//!
//! | compared | how far apart they can be | what the comparison tells apart |
//! |---|---|---|
//! | two positions, of readers and blocks | a little more than six, either way | eight, either way: [`distance`] |
//! | a block near the tail, and a slot that was just reserved | the slot is five after the block, if its writer was suspended before it looked for the block; or a little more than one before it | six, and two: [`distance_to_reserved`] |
//! | the position of a reader or of a writer's slot, and the tail | the position is a little more than six behind the tail; or a little before it, if the tail was read earlier | seven, and one: [`distance_to_tail`] |
//!
//! (In eighths of 2²⁹ slots, with 32 bits.)

use super::SLOTS;
use crate::wait::registry::TAIL_SHIFT;

/// The number of a slot, counted from the first slot of the list and shifted by [`UNIT`]: all
/// positions are multiples of four. Compare positions by their [`distance`] only.
pub(crate) type Position = usize;

/// The number of the next slot to be reserved, shifted by [`TAIL_UNIT`], with flags below it.
pub(in crate::list) type Tail = usize;

const IS_WIDE: bool = usize::BITS >= 64;

const TAIL_UNIT: u32 = 3;

/// With 64 bits a position is a tail word without its flags. With 32 bits it counts twice as far.
const UNIT: u32 = TAIL_UNIT - TAIL_SHIFT;

/// The bits of the tail word that are free for flags.
pub(in crate::list) const FLAGS: usize = (1 << TAIL_UNIT) - 1;

/// An eighth of the slots that the tail word tells apart.
const EIGHTH: usize = 1 << (usize::BITS - TAIL_UNIT - 3);

/// The most slots that batches may have reserved and not published.
pub(in crate::list) const MAX_BATCH_SLOTS: usize = EIGHTH;

/// The most blocks of a list, those that wait to be freed included. With 64 bits no memory is large
/// enough for so many.
#[cfg(any(all(test, not(aiter_loom)), not(target_pointer_width = "64")))]
pub(in crate::list) const MAX_BLOCKS: usize = 5 * (EIGHTH / SLOTS);

/// A distance between two positions that is told from a negative one, with a quarter of the range
/// to spare. It is more than the items that a list can hold.
pub(crate) const MAX_DISTANCE: usize = (isize::MAX as usize >> (UNIT + 2)) * 3;

/// The position of the first slot of a list. In tests it is a little before positions wrap.
pub(in crate::list) const FIRST: Position = if cfg!(test) {
    0usize.wrapping_sub((SLOTS + 1) << UNIT)
} else {
    0
};

pub(in crate::list) const FIRST_TAIL: Tail = FIRST << TAIL_SHIFT;

/// How many slots `to` is ahead of `from`; negative if it is behind.
#[inline]
pub(in crate::list) fn distance(from: Position, to: Position) -> isize {
    (to.wrapping_sub(from) as isize) >> UNIT
}

/// The position `slots` ahead of `from`.
#[inline]
pub(in crate::list) fn ahead(from: Position, slots: usize) -> Position {
    from.wrapping_add(slots << UNIT)
}

/// The position `slots` behind `from`.
#[inline]
pub(in crate::list) fn back(from: Position, slots: usize) -> Position {
    from.wrapping_sub(slots << UNIT)
}

/// How many slots a position is from the first slot of the list. It wraps.
#[inline]
pub(in crate::list) fn number_of(position: Position) -> usize {
    position.wrapping_sub(FIRST) >> UNIT
}

/// What has to be added to the tail word to reserve `slots`.
#[inline]
pub(in crate::list) fn tail_units(slots: usize) -> Tail {
    slots << TAIL_UNIT
}

/// The tail word of a position. With 32 bits several positions have the same tail word.
#[inline]
pub(in crate::list) fn tail_at(position: Position) -> Tail {
    position << TAIL_SHIFT
}

/// How many slots were reserved between two tail words.
#[inline]
pub(in crate::list) fn tail_distance(from: Tail, to: Tail) -> usize {
    to.wrapping_sub(from) >> TAIL_UNIT
}

/// A number of slots, reduced to the range that the tail word counts.
pub(in crate::list) fn wrap_like_tail(slots: usize) -> usize {
    slots & (usize::MAX >> TAIL_UNIT)
}

/// How many slots a reserved slot is ahead of the first slot of a block. Flags are ignored.
#[inline]
pub(in crate::list) fn distance_to_reserved(from: Position, reserved: Tail) -> isize {
    signed_distance(from, reserved, 2 * EIGHTH)
}

/// How many slots the tail is ahead of a position. Flags are ignored.
#[inline]
pub(in crate::list) fn distance_to_tail(from: Position, tail: Tail) -> isize {
    signed_distance(from, tail, 7 * EIGHTH)
}

/// The distance from a position to a tail word that is less than `max_ahead` slots ahead of it, or
/// less than the rest of the range behind it.
#[inline]
fn signed_distance(from: Position, to: Tail, max_ahead: usize) -> isize {
    if IS_WIDE {
        return distance(from, to);
    }
    let max_behind = 8 * EIGHTH - max_ahead;
    let from_there = to
        .wrapping_sub(tail_at(from))
        .wrapping_add(tail_units(max_behind));
    (from_there >> TAIL_UNIT) as isize - max_behind as isize
}

#[cfg(all(test, not(aiter_loom)))]
mod tests {
    use super::*;

    /// Checks the table above, from positions all around the range.
    #[test]
    fn slots_that_exist_at_the_same_time_are_told_apart() {
        // With 64 bits a position counts no further than the tail word, so the range of the table
        // is smaller.
        let kept = if IS_WIDE { EIGHTH } else { MAX_BLOCKS * SLOTS } as isize;
        let beyond = (MAX_BATCH_SLOTS + 1_000_000) as isize;
        let at = |slots: isize| ahead(FIRST, slots as usize);
        let word_at = |slots: isize| FIRST_TAIL.wrapping_add(tail_units(slots as usize));
        for from in [0, 1, 63, kept, 2 * kept, isize::MAX / 8, -1] {
            for far in [0, 1, 2, beyond, kept, kept + beyond] {
                assert_eq!(distance(at(from), at(from.wrapping_add(far))), far);
                assert_eq!(distance(at(from), at(from.wrapping_sub(far))), -far);
                for flags in 0..=FLAGS {
                    let tail = |far| word_at(from.wrapping_add(far)) | flags;
                    assert_eq!(distance_to_tail(at(from), tail(far)), far);
                    assert_eq!(distance_to_tail(at(from), tail(-1_000_000)), -1_000_000);
                    assert_eq!(
                        distance_to_reserved(at(from), tail(-far.min(kept))),
                        -far.min(kept)
                    );
                    assert_eq!(distance_to_reserved(at(from), tail(beyond)), beyond);
                }
                assert_eq!(
                    tail_at(at(from.wrapping_add(far))),
                    word_at(from.wrapping_add(far))
                );
            }
        }
    }
}
