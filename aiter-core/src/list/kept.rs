//! Limits the number of a list's blocks where words have 32 bits: memory can hold more slots there
//! than positions tell apart.

#[cfg(target_pointer_width = "64")]
pub(super) use wide::Kept;

#[cfg(not(target_pointer_width = "64"))]
pub(super) use narrow::Kept;

/// With 64 bits no memory holds so many blocks that positions could not tell their slots apart.
#[cfg(target_pointer_width = "64")]
mod wide {
    pub(in crate::list) struct Kept;

    impl Kept {
        pub(in crate::list) fn new() -> Self {
            Self
        }

        pub(in crate::list) fn one_more(&self) -> bool {
            true
        }

        pub(in crate::list) fn one_less(&self) {}
    }
}

#[cfg(not(target_pointer_width = "64"))]
mod narrow {
    use crate::{
        list::block::MOST_BLOCKS,
        sync::{AtomicUsize, Ordering::Relaxed},
    };

    /// Blocks that are linked, or about to be.
    pub(in crate::list) struct Kept(AtomicUsize);

    impl Kept {
        pub(in crate::list) fn new() -> Self {
            Self(AtomicUsize::new(0))
        }

        /// False if there are as many as there may be. Threads that come at once may each be one
        /// too many for a moment.
        pub(in crate::list) fn one_more(&self) -> bool {
            let may = self.0.fetch_add(1, Relaxed) < MOST_BLOCKS;
            if !may {
                self.one_less();
            }
            may
        }

        pub(in crate::list) fn one_less(&self) {
            self.0.fetch_sub(1, Relaxed);
        }
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        #[test]
        fn a_list_keeps_so_many_blocks_and_no_more() {
            let kept = Kept(AtomicUsize::new(MOST_BLOCKS - 1));
            assert!(kept.one_more());
            assert!(!kept.one_more() && !kept.one_more());
            kept.one_less();
            assert!(kept.one_more() && !kept.one_more());
        }
    }
}
