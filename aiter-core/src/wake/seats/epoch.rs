//! Floors of rows are compared with positions, and where words are short, those come round within minutes: a floor that nobody has
//! looked at meanwhile would look like one far ahead, and a reader in its row, which may be the one behind, would be passed over.
//!
//! So the first reader that comes to another epoch, an eighth of what a comparison tells apart either way, has all floors forgotten, and
//! says for which epoch. A floor that is noted after that is no older than the slowest reader was then. Readers are five eighths apart
//! at most, so no reader of that epoch is as far ahead of it as a comparison can tell. A reader that is made looks for that as well.

#[cfg(target_pointer_width = "64")]
pub(super) use wide::Epoch;

#[cfg(not(target_pointer_width = "64"))]
pub(super) use narrow::Epoch;

/// With 64 bits there is one epoch.
#[cfg(target_pointer_width = "64")]
mod wide {
    pub(in crate::wake::seats) struct Epoch;

    impl Epoch {
        pub(in crate::wake::seats) fn new() -> Self {
            Self
        }

        #[inline(always)]
        pub(in crate::wake::seats) fn enter(&self, _: usize, _: usize, _: impl FnOnce()) {}
    }
}

#[cfg(not(target_pointer_width = "64"))]
mod narrow {
    use crate::sync::{AtomicUsize, Ordering::*};

    /// The epoch in which all floors were forgotten last.
    pub(in crate::wake::seats) struct Epoch(AtomicUsize);

    /// Sixteen of them in a word: a comparison tells half of what it counts apart.
    const BITS: u32 = usize::BITS - 4;

    impl Epoch {
        pub(in crate::wake::seats) fn new() -> Self {
            Self(AtomicUsize::new(usize::MAX))
        }

        /// A reader goes from a position, an odd one if it is new, to another, and says so after this.
        #[inline(always)]
        pub(in crate::wake::seats) fn enter(&self, from: usize, to: usize, forget: impl FnOnce()) {
            if from & 1 != 0 || from >> BITS != to >> BITS {
                // Ordering: Acquire pairs with the Release below: what was forgotten is seen to be.
                if self.0.load(Acquire) != to >> BITS {
                    forget();
                    self.0.store(to >> BITS, Release);
                }
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
            let forgotten = Cell::new(0);
            let enter = |from, to| {
                forgotten.set(0);
                epoch.enter(from, to, || forgotten.set(1));
                forgotten.get()
            };
            let at = |n: usize| n << BITS;
            assert_eq!(enter(1, 0), 1, "the first reader");
            assert_eq!((enter(1, 2), enter(2, 4), enter(2, at(1) - 2)), (0, 0, 0));
            assert_eq!(
                (enter(at(1) - 2, at(1)), enter(at(1) - 2, at(1) + 2)),
                (1, 0)
            );
            assert_eq!((enter(at(15), 0), enter(at(16).wrapping_sub(2), 2)), (1, 0));
            assert_eq!((enter(1, at(1)), enter(at(1), at(2))), (1, 1));
        }
    }
}
