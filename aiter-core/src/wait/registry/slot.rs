//! [`ReaderSlot`]: the place of one reader in a registry. [`Occupancy`]: which slots of a group are
//! in use.
//!
//! # States of a slot
//! | state | who owns the waker | how it changes |
//! |---|---|---|
//! | `IDLE` | the slot's reader | the reader → `ARMED` or `AT_GAP` |
//! | `ARMED` | the thread that moves the state on | the reader → `IDLE`, to change the waker or to leave; any writer → `WAKING` |
//! | `AT_GAP` | as above | as above, and that thread also subtracts 1 from `gap_waiters` |
//! | `WAKING` | the writer that moved the state to it, which calls the waker | that writer → `IDLE` |
//!
//! The waker is called where it is, and stays there between waits: a task that waits again and
//! again clones it once. A reader that wants to sleep while its slot is `WAKING` does not wait for
//! the writer, which may be preempted or in a system call: it leaves the slot and takes another
//! one.
//!
//! # Bits of a group of slots
//! | bit | set by | cleared by | while it is set |
//! |---|---|---|---|
//! | `used` | a new reader | the thread that vacates the slot | the slot is a reader's, or `abandoned` |
//! | `abandoned` | a reader that leaves a slot that is `WAKING` | the thread that finds the slot idle, and vacates it | the slot has no reader, but a writer may use it |
//!
//! All `used` bits together say that a segment is [closed](super::segment::Segment::close): no
//! reader takes a slot in it any more.
//!
//! The writer ends `WAKING` with a plain store, and looks for `abandoned` bits once it has woken
//! all readers. It may miss a bit that is set later. Then the slot stays in use, with its waker,
//! until some thread wakes again. That costs a slot for a while, and saves a read-modify-write for
//! every wake. After the last wake there is none that could make up for it, so the caller
//! [sweeps](super::Registry::sweep) once more. A reader that looks for a slot does not sweep
//! abandoned ones: the drop of a waker may panic, and a panic of one reader's waker must not reach
//! another reader.

use crate::sync::{AtomicUsize, Lifetime, Ordering::*, UnsafeCell};
use core::task::Waker;

pub(super) const IDLE: u8 = 0;
pub(super) const ARMED: u8 = 1;
pub(super) const WAKING: u8 = 2;
/// Armed by a reader whose next list slot is already reserved. The writer of that one cannot learn
/// of the reader from the tail word, so it checks `gap_waiters`.
pub(super) const AT_GAP: u8 = 3;

/// A vacant slot has a position this far ahead of its previous reader, and so it is behind no
/// reader. It is half of the range that a comparison tells apart, because the comparing reader may
/// be behind that previous reader itself. With 64 bits no two readers are so far apart. It is odd,
/// as no reader's position is.
pub(super) const FAR: usize = (isize::MAX as usize / 2) | 1;

/// The `used` bits of a closed segment.
const CLOSED: usize = usize::MAX;

/// The waker of one reader while it sleeps, and how far it has read.
#[repr(C)]
pub(super) struct ReaderSlot {
    pub(super) waker: UnsafeCell<Option<Waker>>,
    /// How many list slots before `position` never held an item.
    pub(super) skipped: AtomicUsize,
    /// The reader's position; it has read everything before it.
    pub(super) position: AtomicUsize,
    /// For the models: from the previous reader's last position to the next reader's claim.
    pub(super) lifetime: Lifetime,
}

impl ReaderSlot {
    pub(super) fn new(position: usize) -> Self {
        Self {
            waker: UnsafeCell::new(None),
            skipped: AtomicUsize::new(0),
            position: AtomicUsize::new(position),
            lifetime: Lifetime::new(),
        }
    }

    /// Calls the waker.
    ///
    /// # Safety
    /// The caller has moved the slot to `WAKING`: then no thread writes the waker.
    #[inline]
    pub(super) unsafe fn call(&self) {
        self.waker.with(|waker| {
            // SAFETY: by the contract.
            if let Some(waker) = unsafe { &*waker } {
                waker.wake_by_ref();
            }
        });
    }
}

/// Which slots of a group are in use.
pub(super) struct Occupancy {
    used: AtomicUsize,
    pub(super) abandoned: AtomicUsize,
}

impl Occupancy {
    pub(super) fn new(used: usize) -> Self {
        Self {
            used: AtomicUsize::new(used),
            abandoned: AtomicUsize::new(0),
        }
    }

    /// Claims a vacant slot among the first `len`, if there is one. Returns its index, and whether
    /// no slot was in use before.
    pub(super) fn claim(&self, len: usize) -> Option<(usize, bool)> {
        let mut used = self.used.load(Relaxed);
        loop {
            let slot = used.trailing_ones() as usize;
            if slot >= len {
                return None;
            }
            // Ordering: Acquire pairs with the Release in `release`: the previous reader is done
            // with the slot. A scan that sees the bit before the reader's position finds a vacant
            // slot; the reader is counted once it has a position.
            match self
                .used
                .compare_exchange(used, used | 1 << slot, Acquire, Relaxed)
            {
                Ok(_) => return Some((slot, used == 0)),
                Err(now) => used = now,
            }
        }
    }

    /// Vacates a slot. Returns whether it was the last one in use: then a segment may be freed at
    /// any time.
    pub(super) fn release(&self, slot: usize) -> bool {
        // Ordering: Release pairs with the Acquire in `claim`, and with that in `close`.
        self.used.fetch_and(!(1 << slot), Release) == 1 << slot
    }

    /// How many slots there are up to the last one in use.
    #[inline]
    pub(super) fn used_len(&self) -> usize {
        // Ordering: Acquire pairs with the Release in `release`: a scan that misses a reader that
        // has moved to another slot sees the claim of the new one.
        (usize::BITS - self.used.load(Acquire).leading_zeros()) as usize
    }

    /// Closes the segment if no slot is in use: no reader can claim one any more.
    pub(super) fn close(&self) -> bool {
        // Ordering: Acquire pairs with the Release in `release`: the readers are done with the
        // segment.
        self.used.load(Relaxed) == 0
            && self
                .used
                .compare_exchange(0, CLOSED, Acquire, Relaxed)
                .is_ok()
    }

    pub(super) fn is_closed(&self) -> bool {
        // Ordering: Relaxed. If the close is missed, the segment was still linked when the walk
        // that asks this began.
        self.used.load(Relaxed) == CLOSED
    }
}
