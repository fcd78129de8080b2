//! Limits the number of a list's blocks where words have 32 bits: there memory can hold more slots
//! than positions tell apart.

#[cfg(target_pointer_width = "64")]
pub(super) use wide::BlockLimit;

#[cfg(not(target_pointer_width = "64"))]
pub(super) use narrow::BlockLimit;

/// With 64 bits no memory holds so many blocks that positions could not tell their slots apart.
#[cfg(target_pointer_width = "64")]
mod wide {
    pub(in crate::list) struct BlockLimit;

    impl BlockLimit {
        pub(in crate::list) fn new() -> Self {
            Self
        }

        pub(in crate::list) fn try_add(&self) -> bool {
            true
        }

        pub(in crate::list) fn remove(&self) {}
    }
}

#[cfg(not(target_pointer_width = "64"))]
mod narrow {
    use crate::{
        list::block::MAX_BLOCKS,
        sync::{AtomicUsize, Ordering::Relaxed},
    };

    /// The number of blocks that are linked, or about to be.
    pub(in crate::list) struct BlockLimit(AtomicUsize);

    impl BlockLimit {
        pub(in crate::list) fn new() -> Self {
            Self(AtomicUsize::new(0))
        }

        /// Counts one more block. Returns false if the list has as many blocks as it may have.
        /// Threads that call this at the same time may each count one block too many for a moment.
        pub(in crate::list) fn try_add(&self) -> bool {
            let is_allowed = self.0.fetch_add(1, Relaxed) < MAX_BLOCKS;
            if !is_allowed {
                self.remove();
            }
            is_allowed
        }

        pub(in crate::list) fn remove(&self) {
            self.0.fetch_sub(1, Relaxed);
        }
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        #[test]
        fn a_list_has_no_more_blocks_than_the_limit() {
            let limit = BlockLimit(AtomicUsize::new(MAX_BLOCKS - 1));
            assert!(limit.try_add());
            assert!(!limit.try_add() && !limit.try_add());
            limit.remove();
            assert!(limit.try_add() && !limit.try_add());
        }
    }
}
