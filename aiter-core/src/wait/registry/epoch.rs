//! Resets the floors of segments from time to time, where positions have 32 bits and wrap within
//! minutes.
//!
//! A segment's floor is compared with positions. A floor that no reader has compared for a long
//! time could seem far ahead, and then a reader in that segment, which may be the slowest, would be
//! missed. So positions are divided into sixteen *epochs*. A reader that comes to another epoch
//! than the reader before it resets all floors and records the epoch. Each reader checks this when
//! it is made and whenever it leaves a block.
//!
//! A floor that is stored after the reset is not older than the slowest reader was then. Readers
//! are at most five eighths of a comparison's range apart, and an epoch is one eighth: so a floor
//! and a reader are never further apart than a comparison can tell.

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

        #[inline]
        pub(in crate::wait::registry) fn enter(&self, _: usize, _: impl FnOnce()) {}
    }
}

#[cfg(not(target_pointer_width = "64"))]
mod narrow {
    use crate::sync::{AtomicUsize, Ordering::*};

    /// The epoch in which all floors were reset last.
    pub(in crate::wait::registry) struct Epoch(AtomicUsize);

    /// A word has sixteen epochs. A comparison tells apart half of what a word counts.
    const BITS: u32 = usize::BITS - 4;

    impl Epoch {
        pub(in crate::wait::registry) fn new() -> Self {
            Self(AtomicUsize::new(usize::MAX))
        }

        /// To be called when a reader at `position` is made, or leaves a block. Calls `reset` if
        /// the position is in another epoch than the last one.
        #[inline]
        pub(in crate::wait::registry) fn enter(&self, position: usize, reset: impl FnOnce()) {
            // Ordering: Acquire pairs with the Release below: this thread sees the floors reset.
            if self.0.load(Acquire) != position >> BITS {
                reset();
                self.0.store(position >> BITS, Release);
            }
        }
    }

    #[cfg(test)]
    mod tests {
        use super::*;
        use core::cell::Cell;

        #[test]
        fn the_first_reader_in_an_epoch_resets_the_floors() {
            let epoch = Epoch::new();
            let enter = |position| {
                let is_reset = Cell::new(false);
                epoch.enter(position, || is_reset.set(true));
                is_reset.get()
            };
            let at = |n: usize| n << BITS;
            assert!(enter(0), "the first reader");
            assert!(!enter(2) && !enter(at(1) - 2));
            assert!(enter(at(1)) && !enter(at(1) + 2));
            assert!(enter(at(15)) && !enter(usize::MAX - 1) && enter(0));
            // A slow reader comes to an epoch that others have left.
            assert!(enter(at(2)) && enter(at(1)) && !enter(at(1)));
        }
    }
}
