//! Makes readers forget what they know of old rows, where positions of 32 bits wrap within minutes.
//!
//! A row's floor is compared with positions. A floor that no reader has looked at for long could
//! look as if it were far ahead, and a reader in that row, which may be the slowest, would be
//! passed over. So the positions are divided into sixteen *epochs*. A reader that comes to another
//! epoch than the reader before it resets all floors, and records the epoch. Each reader looks for
//! that whenever it leaves a block, and when it is made.
//!
//! A floor that is noted after the reset is no older than the slowest reader was then. Readers are
//! at most five eighths of a comparison's range apart, and an epoch is one eighth: so a floor and a
//! reader are never further apart than a comparison can tell.

#[cfg(target_pointer_width = "64")]
pub(super) use wide::Epoch;

#[cfg(not(target_pointer_width = "64"))]
pub(super) use narrow::Epoch;

/// With 64 bits there is one epoch.
#[cfg(target_pointer_width = "64")]
mod wide {
    pub(in crate::wait::registry) struct Epoch;

    impl Epoch {
        pub(in crate::wait::registry) fn new() -> Self {
            Self
        }

        #[inline(always)]
        pub(in crate::wait::registry) fn enter(&self, _: usize, _: impl FnOnce()) {}
    }
}

#[cfg(not(target_pointer_width = "64"))]
mod narrow {
    use crate::sync::{AtomicUsize, Ordering::*};

    /// The epoch in which all floors were forgotten last.
    pub(in crate::wait::registry) struct Epoch(AtomicUsize);

    /// Sixteen of them in a word: a comparison tells half of what it counts apart.
    const BITS: u32 = usize::BITS - 4;

    impl Epoch {
        pub(in crate::wait::registry) fn new() -> Self {
            Self(AtomicUsize::new(usize::MAX))
        }

        /// A reader that is new, or has left a block, comes to a position.
        #[inline(always)]
        pub(in crate::wait::registry) fn enter(&self, position: usize, forget: impl FnOnce()) {
            // Ordering: Acquire pairs with the Release below: what was forgotten is seen to be.
            if self.0.load(Acquire) != position >> BITS {
                forget();
                self.0.store(position >> BITS, Release);
            }
        }
    }

    #[cfg(test)]
    mod tests {
        use super::*;
        use core::cell::Cell;

        #[test]
        fn the_first_to_come_has_all_forgotten() {
            let epoch = Epoch::new();
            let enter = |position| {
                let forgotten = Cell::new(false);
                epoch.enter(position, || forgotten.set(true));
                forgotten.get()
            };
            let at = |n: usize| n << BITS;
            assert!(enter(0), "the first reader");
            assert!(!enter(2) && !enter(at(1) - 2));
            assert!(enter(at(1)) && !enter(at(1) + 2));
            assert!(enter(at(15)) && !enter(usize::MAX - 1) && enter(0));
            // One behind comes to an epoch that others have left.
            assert!(enter(at(2)) && enter(at(1)) && !enter(at(1)));
        }
    }
}
