//! The two slots in which a reader leaves its waker.
//!
//! | slot | used while the reader waits | a context owns the waker once |
//! |---|---|---|
//! | [`TailWaker`] | at the tail of the list | it has cleared the reader's flag in the tail |
//! | [`GapWaker`] | at a gap, or where the fast slot is not available | its exchange of the slot's stamp has succeeded |
//!
//! See [`state`](super::state) for when a reader uses which slot, and why no wake is lost.

mod gap_waker;
mod tail_waker;

use crate::sync::const_new;
pub(super) use gap_waker::GapWaker;
pub(super) use tail_waker::TailWaker;

/// The waker slots of one reader.
#[repr(C)]
pub(super) struct WakerSlots {
    pub(super) tail_waker: TailWaker,
    pub(super) gap_waker: GapWaker,
}

impl WakerSlots {
    const_new! {
        pub(super) fn new() -> Self {
            Self {
                tail_waker: TailWaker::new(),
                gap_waker: GapWaker::new(),
            }
        }
    }
}
