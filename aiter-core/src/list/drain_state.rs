//! [`DrainState`]: the word by which threads agree on which of them drains the front of the list.
//! See [`drain`](super::drain) for what that is.
//!
//! | `state` | means | how it changes |
//! |---|---|---|
//! | `NONE` | there is no drain position, or it is drained for the first time | the thread that is about to park it → `RUNNING` |
//! | `RUNNING` | a thread drains it | that thread → `PARKED`, or → `NONE` when it gives the position up; a writer that has published → `AGAIN` |
//! | `AGAIN` | a thread drains it, and has to look again | that thread → `RUNNING`, or → `NONE` |
//! | `PARKED` | no thread drains it | a writer that has published → `RUNNING` |

use super::block::BlockHeader;
use crate::sync::{AtomicU8, Ordering::*, UnsafeCell};
use core::ptr::NonNull;

const NONE: u8 = 0;
const PARKED: u8 = 1;
const RUNNING: u8 = 2;
const AGAIN: u8 = 3;

/// The fields are as small as they can be, because every list has them.
pub(super) struct DrainState<T> {
    /// The block of the position. It is `Some` while the state is `PARKED`. Both cells are owned by
    /// the thread that moved the state to `RUNNING`.
    block: UnsafeCell<Option<NonNull<BlockHeader<T>>>>,
    /// The slot of the position. A block has at most as many slots as a word has bits.
    next_slot: UnsafeCell<u8>,
    state: AtomicU8,
}

/// A slot that is counted in its block's `refs`. All slots before it are published, and their items
/// are dropped.
pub(super) struct DrainPosition<T> {
    pub(super) block: NonNull<BlockHeader<T>>,
    pub(super) next_slot: usize,
}

impl<T> DrainState<T> {
    pub(super) fn new() -> Self {
        Self {
            block: UnsafeCell::new(None),
            next_slot: UnsafeCell::new(0),
            state: AtomicU8::new(NONE),
        }
    }

    /// Takes the parked position of a list that is dropped.
    ///
    /// # Safety
    /// No other thread uses the list.
    pub(super) unsafe fn take(&self) -> Option<DrainPosition<T>> {
        // SAFETY: by the contract.
        unsafe { self.take_position() }
    }

    /// Whether there may be a drain position.
    #[inline]
    pub(super) fn is_set(&self) -> bool {
        self.state.load(Relaxed) != NONE
    }

    /// Takes the parked position in order to drain it. If another thread drains it, that thread is
    /// asked to look again.
    pub(super) fn start(&self) -> Option<DrainPosition<T>> {
        let mut state = self.state.load(Relaxed);
        loop {
            let to = match state {
                PARKED => RUNNING,
                RUNNING => AGAIN,
                _ => return None,
            };
            // Ordering: Acquire pairs with the Release in `park`, for the position. The store of
            // `AGAIN` releases nothing: the caller has published its item before it executed the
            // fence.
            match self.state.compare_exchange(state, to, Acquire, Relaxed) {
                // SAFETY: this thread has just moved the state to RUNNING.
                Ok(PARKED) => return unsafe { self.take_position() },
                Ok(_) => return None,
                Err(now) => state = now,
            }
        }
    }

    /// Says that this thread drains the position.
    pub(super) fn set_running(&self) {
        // Ordering: Relaxed, because the fence that follows orders it.
        self.state.store(RUNNING, Relaxed);
    }

    /// Says that there is no drain position any more.
    pub(super) fn clear(&self) {
        // Ordering: Relaxed. It is stored before the count in `refs` is given up (Release), and the
        // next thread that parks a position has acquired that.
        self.state.store(NONE, Relaxed);
    }

    /// Parks the position. Returns false if a writer has asked to look again.
    ///
    /// # Safety
    /// The caller has moved the state to `RUNNING`.
    pub(super) unsafe fn park(&self, position: DrainPosition<T>) -> bool {
        // SAFETY: by the contract the cells are the caller's.
        self.block
            .with_mut(|block| unsafe { *block = Some(position.block) });
        // SAFETY: as above.
        self.next_slot
            .with_mut(|next_slot| unsafe { *next_slot = position.next_slot as u8 });
        // Ordering: Release hands the position on, to the Acquire in `start`.
        self.state
            .compare_exchange(RUNNING, PARKED, Release, Relaxed)
            .is_ok()
    }

    /// # Safety
    /// No other thread uses the list, or the caller has moved the state to `RUNNING`.
    unsafe fn take_position(&self) -> Option<DrainPosition<T>> {
        // SAFETY: by the contract no other thread accesses the cells.
        let block = self.block.with_mut(|block| unsafe { (*block).take() })?;
        // SAFETY: as above.
        let next_slot = self.next_slot.with(|next_slot| unsafe { *next_slot });
        Some(DrainPosition {
            block,
            next_slot: next_slot.into(),
        })
    }

    /// Whether a thread is said to drain a position.
    #[cfg(all(test, aiter_loom))]
    pub(super) fn is_running(&self) -> bool {
        self.state.load(Relaxed) == RUNNING
    }
}
