//! How slots are numbered: in a *position*, and in the tail word.
//!
//! Both wrap with the machine word. With 64 bits no list gets so far. With 32 bits they wrap within
//! minutes, and then only slots that exist at the same time have to be told apart. A list has at
//! most
//! [`MOST_BLOCKS`] blocks, whose slots are five eighths of what the tail word can count. Batches
//! reserve at most [`MOST_PROMISED`] slots beyond them, which is one more eighth, and each thread
//! one.
//!
//! | compared | how far apart | told apart |
//! |---|---|---|
//! | two positions, of readers and blocks | a little more than six, either way | eight, either way: [`distance`] |
//! | a block near the tail, and a slot that was just reserved | five after it, where the writer fell asleep before it looked for its block; a little more than one before it | six, and two: [`to_reserved`] |
//! | a reader's place or a writer's slot, and the tail | a little more than six behind it; a little before it, where the tail was read earlier | seven, and one: [`to_tail`] |
//!
//! (In eighths of 2³⁰ slots, with 32 bits.)

use super::SLOTS;
use crate::wait::registry::SHORTER;

/// A slot's number, counted from the list's first, shifted by [`UNIT`]: all positions are even.
/// Compare them by [`distance`] alone.
pub(in crate::list) type Position = usize;

/// What is reserved next, shifted by [`TAIL_UNIT`], with flags beside it.
pub(in crate::list) type Tail = usize;

const IS_WIDE: bool = usize::BITS >= 64;

const TAIL_UNIT: u32 = 2;

/// With 64 bits a position is a tail word without its flags. With 32 it counts twice as far.
const UNIT: u32 = TAIL_UNIT - SHORTER;

/// The bits that the tail word leaves free.
pub(in crate::list) const FLAGS: usize = (1 << TAIL_UNIT) - 1;

/// An eighth of the slots that the tail word tells apart.
const EIGHTH: usize = 1 << (usize::BITS - TAIL_UNIT - 3);

/// The most slots that batches may have reserved and not published.
pub(in crate::list) const MOST_PROMISED: usize = EIGHTH;

/// The most blocks of a list, with those that wait to be freed. With 64 bits no memory is so large.
#[cfg(any(all(test, not(aiter_loom)), not(target_pointer_width = "64")))]
pub(in crate::list) const MOST_BLOCKS: usize = 5 * (EIGHTH / SLOTS);

/// The first slot of a list. Tests begin a little before positions wrap.
pub(in crate::list) const FIRST: Position = if cfg!(test) {
    0usize.wrapping_sub((SLOTS + 1) << UNIT)
} else {
    0
};

pub(in crate::list) const FIRST_TAIL: Tail = FIRST << SHORTER;

/// How many slots `to` is ahead of `from`; negative if it is behind.
#[inline(always)]
pub(in crate::list) fn distance(from: Position, to: Position) -> isize {
    (to.wrapping_sub(from) as isize) >> UNIT
}

/// The position `slots` further on.
#[inline(always)]
pub(in crate::list) fn ahead(from: Position, slots: usize) -> Position {
    from.wrapping_add(slots << UNIT)
}

/// What `slots` add to the tail.
#[inline(always)]
pub(in crate::list) fn on_tail(slots: usize) -> Tail {
    slots << TAIL_UNIT
}

/// The position as it stands in the tail word: that of several with 32 bits.
#[inline(always)]
pub(in crate::list) fn as_tail(position: Position) -> Tail {
    position << SHORTER
}

/// How many slots the tail has gone on.
#[inline(always)]
pub(in crate::list) fn on_by(from: Tail, to: Tail) -> usize {
    to.wrapping_sub(from) >> TAIL_UNIT
}

/// What the tail word counts of a number of slots.
pub(in crate::list) fn counted(slots: usize) -> usize {
    slots & (usize::MAX >> TAIL_UNIT)
}

/// How many slots a reserved one is ahead of a block's first. Flags make no difference.
#[inline(always)]
pub(in crate::list) fn to_reserved(from: Position, reserved: Tail) -> isize {
    signed(from, reserved, 2 * EIGHTH)
}

/// How many slots the tail is ahead of a place in the list. Flags make no difference.
#[inline(always)]
pub(in crate::list) fn to_tail(from: Position, tail: Tail) -> isize {
    signed(from, tail, 7 * EIGHTH)
}

/// The distance, if it is below `ahead`, and not as far behind as that leaves.
#[inline(always)]
fn signed(from: Position, to: Tail, ahead: usize) -> isize {
    if IS_WIDE {
        return distance(from, to);
    }
    let follower = 8 * EIGHTH - ahead;
    let from_there = to
        .wrapping_sub(as_tail(from))
        .wrapping_add(on_tail(follower));
    (from_there >> TAIL_UNIT) as isize - follower as isize
}

#[cfg(all(test, not(aiter_loom)))]
mod tests {
    use super::*;

    /// What the table above says, from places all around.
    #[test]
    fn slots_that_are_there_are_told_apart() {
        // With 64 bits positions count no further than the tail word: that is enough, but not for
        // so many.
        let kept = if IS_WIDE { EIGHTH } else { MOST_BLOCKS * SLOTS } as isize;
        let beyond = (MOST_PROMISED + 1_000_000) as isize;
        let at = |slots: isize| ahead(FIRST, slots as usize);
        let tail_at = |slots: isize| FIRST_TAIL.wrapping_add(on_tail(slots as usize));
        for from in [0, 1, 63, kept, 2 * kept, isize::MAX / 8, -1] {
            for far in [0, 1, 2, beyond, kept, kept + beyond] {
                assert_eq!(distance(at(from), at(from.wrapping_add(far))), far);
                assert_eq!(distance(at(from), at(from.wrapping_sub(far))), -far);
                for flags in 0..=FLAGS {
                    let tail = |far| tail_at(from.wrapping_add(far)) | flags;
                    assert_eq!(to_tail(at(from), tail(far)), far);
                    assert_eq!(to_tail(at(from), tail(-1_000_000)), -1_000_000);
                    assert_eq!(to_reserved(at(from), tail(-far.min(kept))), -far.min(kept));
                    assert_eq!(to_reserved(at(from), tail(beyond)), beyond);
                }
                assert_eq!(
                    as_tail(at(from.wrapping_add(far))),
                    tail_at(from.wrapping_add(far))
                );
            }
        }
    }
}
