//! [`Segment`]: a group of slots that is freed when it is empty, with a lower bound of its readers'
//! positions. [`Slots`]: any group of slots.
//!
//! The states of a group's slots are contiguous, so that a writer looks at one cache line for up to
//! 64 readers. A scan of a group, to wake or to compare positions, goes up to its last used slot; a
//! vacant one between is recognized by its state or by its position.

use super::slot::{FAR, IDLE, Occupancy, ReaderSlot};
use crate::sync::{AtomicPtr, AtomicU8, AtomicUsize, Lifetime, Ordering::*};
use alloc::boxed::Box;
use core::{
    iter,
    ptr::{self, NonNull},
    slice,
};

/// The values of [`Segment::floor`] that are no positions.
mod floor {
    /// A reader came, and its position is not known.
    pub(super) const UNKNOWN: usize = 1;
    /// The segment has no readers.
    pub(super) const NO_READERS: usize = usize::MAX;
}

/// What a segment's floor says about its readers and a position.
pub(super) enum Floor {
    /// All readers are past the position: none is before this floor.
    Above(usize),
    /// There are no readers.
    NoReaders,
    /// The readers have to be looked at.
    Unknown,
}

/// A group of slots that is freed when it is empty. It is linked from the segment before it until
/// then.
pub(super) struct Segment {
    occupancy: Occupancy,
    /// No reader in the segment is before this position. Otherwise [`floor::NO_READERS`], or an odd
    /// word if that is not known; see [`Self::begin_scan`].
    floor: AtomicUsize,
    /// The number of readers elsewhere whose follower is in this segment. They keep its memory, and
    /// nothing else.
    pub(super) holders: AtomicUsize,
    pub(super) next: AtomicPtr<Segment>,
    /// The next segment that waits to be freed. For the reclaiming thread.
    pub(super) retired: AtomicPtr<Segment>,
    states: Box<[AtomicU8]>,
    slots: Box<[ReaderSlot]>,
    pub(super) lifetime: Lifetime,
    /// The models report a segment that is never dropped.
    #[cfg(aiter_loom)]
    _leak: crate::sync::Arc<()>,
}

impl Segment {
    /// A segment of `len` slots, of which the first is in use.
    pub(super) fn new(len: usize) -> Box<Self> {
        Box::new(Self {
            occupancy: Occupancy::new(1),
            floor: AtomicUsize::new(floor::UNKNOWN),
            holders: AtomicUsize::new(0),
            next: AtomicPtr::new(ptr::null_mut()),
            retired: AtomicPtr::new(ptr::null_mut()),
            states: (0..len).map(|_| AtomicU8::new(IDLE)).collect(),
            slots: (0..len).map(|_| ReaderSlot::new(FAR)).collect(),
            lifetime: Lifetime::new(),
            #[cfg(aiter_loom)]
            _leak: crate::sync::Arc::new(()),
        })
    }

    /// Dereferences a pointer to a segment.
    ///
    /// # Safety
    /// The segment is not freed while the reference is used.
    #[inline]
    pub(super) unsafe fn get<'a>(segment: NonNull<Self>) -> &'a Self {
        // SAFETY: by the contract.
        let segment = unsafe { segment.as_ref() };
        segment.lifetime.used();
        segment
    }

    pub(super) fn slots(&self) -> Slots<'_> {
        Slots {
            occupancy: &self.occupancy,
            states: &self.states,
            slots: &self.slots,
            segment: Some(NonNull::from(self)),
        }
    }

    /// Closes the segment if it has no reader: no reader can claim a slot in it any more.
    pub(super) fn close(&self) -> bool {
        self.occupancy.close()
    }

    pub(super) fn is_closed(&self) -> bool {
        self.occupancy.is_closed()
    }

    /// Resets the floor, because a reader came to the segment, or because the floor is old.
    pub(super) fn reset_floor(&self) {
        // Ordering: Release, after the reader's position, pairs with the Acquire of the swap in
        // `begin_scan`. Both are read-modify-writes, so one of the two comes first, in models too.
        self.floor.swap(floor::UNKNOWN, Release);
    }

    /// Whether all readers in the segment are past `position`.
    #[inline]
    pub(super) fn floor(&self, position: usize) -> Floor {
        // Ordering: Acquire pairs with the Release in `finish`: this thread sees what that scan saw
        // of the readers.
        match self.floor.load(Acquire) {
            floor::NO_READERS => Floor::NoReaders,
            known if known & 1 == 0 && (known.wrapping_sub(position) as isize) > 0 => {
                Floor::Above(known)
            }
            _ => Floor::Unknown,
        }
    }

    /// Begins a scan of all readers' positions, by the reader whose slot is `me`. If the scan looks
    /// at all of them, [`FloorScan::finish`] stores the least as the new floor.
    ///
    /// | `floor` | means | how it changes |
    /// |---|---|---|
    /// | even | no reader is before this position | a reader that comes → `UNKNOWN`; a reader that scans → its scanner tag |
    /// | `NO_READERS` | there are no readers | as above |
    /// | `UNKNOWN` | a reader came | a reader that scans → its scanner tag |
    /// | a scanner tag, the address of a reader's slot plus 1 | that reader scans, or has ended its scan early | that reader → the least position that it saw; others as above |
    pub(super) fn begin_scan(&self, me: NonNull<ReaderSlot>) -> FloorScan<'_> {
        let tag = me.as_ptr().addr() | 1;
        // Ordering: Acquire pairs with the Release in `reset_floor`: the scan sees that reader, or
        // the reader comes later and replaces the scanner tag.
        self.floor.swap(tag, Acquire);
        FloorScan { segment: self, tag }
    }
}

/// A scan of all readers in a segment, see [`Segment::begin_scan`].
pub(super) struct FloorScan<'a> {
    segment: &'a Segment,
    /// The scanner tag.
    tag: usize,
}

impl FloorScan<'_> {
    /// Stores the least position of all readers as the floor, unless a reader came meanwhile.
    pub(super) fn finish(self, min: Option<usize>) {
        let floor = min.unwrap_or(floor::NO_READERS);
        // Ordering: Release pairs with the Acquire in `floor`.
        let _ = self
            .segment
            .floor
            .compare_exchange(self.tag, floor, Release, Relaxed);
    }
}

/// One group of slots: the first slot, the nearby ones, or those of a segment.
#[derive(Clone, Copy)]
pub(super) struct Slots<'a> {
    pub(super) occupancy: &'a Occupancy,
    pub(super) states: &'a [AtomicU8],
    pub(super) slots: &'a [ReaderSlot],
    /// The segment, if the group is one.
    pub(super) segment: Option<NonNull<Segment>>,
}

/// The least positions of a group's readers. `None` if there are no such readers.
pub(super) struct Minima {
    /// Of all readers.
    pub(super) all: Option<usize>,
    /// Of all readers but the one that asks.
    pub(super) others: Option<usize>,
}

impl<'a> Slots<'a> {
    /// The used slots, and the vacant ones between them.
    #[inline]
    pub(super) fn used(self) -> iter::Zip<slice::Iter<'a, AtomicU8>, slice::Iter<'a, ReaderSlot>> {
        let len = self.occupancy.used_len();
        let len = len.min(self.states.len()).min(self.slots.len());
        self.states[..len].iter().zip(&self.slots[..len])
    }

    /// The slots of readers, and their positions.
    #[inline]
    pub(super) fn readers(self) -> impl Iterator<Item = (NonNull<ReaderSlot>, usize)> + 'a {
        self.used().filter_map(|(_, slot)| {
            // Ordering: Acquire pairs with the Release in `publish_position`; and with that in
            // `unregister`: a scan that misses a reader that has moved to another slot sees the
            // claim of the new one.
            let position = slot.position.load(Acquire);
            // If it is odd, the slot is vacant, or its reader has yet to publish its position.
            (position & 1 == 0).then_some((NonNull::from(slot), position))
        })
    }

    /// Finds a reader at or behind `position` other than the one at `me`. If there is none, returns
    /// the least positions.
    #[inline]
    pub(super) fn find_follower(
        self,
        me: NonNull<ReaderSlot>,
        position: usize,
    ) -> Result<NonNull<ReaderSlot>, Minima> {
        let (mut all, mut others) = (None, None);
        for (slot, other) in self.readers() {
            if slot != me {
                if position.wrapping_sub(other) as isize >= 0 {
                    return Ok(slot);
                }
                others = least(others, Some(other));
            }
            all = least(all, Some(other));
        }
        Err(Minima { all, others })
    }

    /// Claims a vacant slot, if there is one.
    pub(super) fn claim(self) -> Option<SlotRef> {
        let (index, _) = self.occupancy.claim(self.slots.len())?;
        Some(self.get(index))
    }

    pub(super) fn get(self, index: usize) -> SlotRef {
        SlotRef {
            occupancy: NonNull::from(self.occupancy),
            state: NonNull::from(&self.states[index]),
            slot: NonNull::from(&self.slots[index]),
            segment: self.segment,
            index,
        }
    }
}

/// Refers to a reader's own slot. It is used with the registry that it was taken from, and not
/// after that is dropped.
#[derive(Clone, Copy)]
pub(crate) struct SlotRef {
    pub(super) occupancy: NonNull<Occupancy>,
    pub(super) state: NonNull<AtomicU8>,
    pub(super) slot: NonNull<ReaderSlot>,
    /// The segment, if the slot is in one.
    pub(super) segment: Option<NonNull<Segment>>,
    pub(super) index: usize,
}

impl SlotRef {
    /// The address of the slot, which is never 0.
    pub(crate) fn address(self) -> usize {
        self.slot.addr().get()
    }
}

/// The one of two positions that is further behind.
pub(super) fn least(one: Option<usize>, other: Option<usize>) -> Option<usize> {
    match (one, other) {
        (Some(a), Some(b)) if (a.wrapping_sub(b) as isize) < 0 => Some(a),
        (Some(_), Some(b)) => Some(b),
        (a, b) => a.or(b),
    }
}
