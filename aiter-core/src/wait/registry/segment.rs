//! Seats side by side: one in the list itself, a few beside it, and rows on the heap that come and go with their readers.
//!
//! # Bits of a row
//! | bit | set by | cleared by | while it is set |
//! |---|---|---|---|
//! | `used` | a new reader | the thread that vacates the seat | the seat is a reader's, or `abandoned` |
//! | `abandoned` | a reader that leaves a seat that is `WAKING` | the thread that finds the seat idle, and vacates it | no reader is there, but maybe a writer |
//!
//! All `used` bits together say that a row is [closed](Segment::close): nobody takes a seat in it any more.
//!
//! The states of a row's seats lie side by side, so that a writer looks at one cache line for up to 64 readers. A walk over a
//! row, to wake or to look, goes up to its last `used` seat: a vacant one between is known by its state, or by its
//! position.

use super::{IDLE, SlotRef};
use crate::sync::{AtomicPtr, AtomicU8, AtomicUsize, Lifetime, Ordering::*, UnsafeCell};
use alloc::boxed::Box;
use core::{
    iter,
    ptr::{self, NonNull},
    slice,
    task::Waker,
};

/// A vacant seat stands this far ahead, and so behind nobody: half of what a comparison tells
/// apart, as it is counted from a reader that may have been ahead itself. With 64 bits no two
/// readers are so far apart. It is odd, as no reader's position is.
pub(super) const FAR: usize = (isize::MAX as usize / 2) | 1;

/// `used` of a closed row.
const CLOSED: usize = usize::MAX;

/// One reader's place: its waker while it sleeps, and how far it has read.
#[repr(C)]
pub(super) struct ReaderSlot {
    pub(super) waker: UnsafeCell<Option<Waker>>,
    /// How many of the slots before `position` never held an item.
    pub(super) skipped: AtomicUsize,
    /// The reader's position; everything before it has been read.
    pub(super) position: AtomicUsize,
    /// For the models: from its last position on to the claim of the next reader.
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
    /// The seat is `WAKING`, by the caller: then nobody writes the waker.
    #[inline(always)]
    pub(super) unsafe fn call(&self) {
        self.waker.with(|waker| {
            // SAFETY: by the contract.
            if let Some(waker) = unsafe { &*waker } {
                waker.wake_by_ref();
            }
        });
    }
}

/// The part of a row that is the same wherever it is.
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

    /// Takes a vacant seat among the first `len`, if there is one. With it comes whether the row was empty.
    pub(super) fn claim(&self, len: usize) -> Option<(usize, bool)> {
        let mut used = self.used.load(Relaxed);
        loop {
            let slot = used.trailing_ones() as usize;
            if slot >= len {
                return None;
            }
            // Ordering: Acquire pairs with the Release in `release`: what the last reader did with the seat is over. A look that
            // sees the bit before the reader's position finds a vacant seat; the reader is counted when it stands there.
            match self
                .used
                .compare_exchange(used, used | 1 << slot, Acquire, Relaxed)
            {
                Ok(_) => return Some((slot, used == 0)),
                Err(now) => used = now,
            }
        }
    }

    /// Gives a seat back. True if it was the last one in use: then the row may be freed at any time.
    pub(super) fn release(&self, slot: usize) -> bool {
        // Ordering: Release pairs with the Acquire in `claim`, and with that in `Segment::close`.
        self.used.fetch_and(!(1 << slot), Release) == 1 << slot
    }
}

/// What a heap row knows about all its readers, see [`Segment::floor`].
mod floor {
    /// Nothing: a reader came.
    pub(super) const UNKNOWN: usize = 1;
    /// There is none.
    pub(super) const NOBODY: usize = usize::MAX;
}

/// What a look at a heap row's floor says about its readers.
pub(super) enum Floor {
    /// All are further on than the position that was asked about: none is before this one.
    Above(usize),
    /// There are none.
    Nobody,
    /// They have to be looked at.
    Unknown,
}

/// A row that is linked from the one before it, until it is empty.
pub(super) struct Segment {
    segment: Occupancy,
    /// No reader in the row is before this position; or [`floor::NOBODY`]; or an odd word: it is not known, see [`Self::scan`].
    floor: AtomicUsize,
    /// Readers elsewhere that remember one in this row. They keep its memory, nothing else.
    pub(super) holders: AtomicUsize,
    pub(super) next: AtomicPtr<Segment>,
    /// The next row that waits to be freed. For the thread that tidies up.
    pub(super) retired: AtomicPtr<Segment>,
    states: Box<[AtomicU8]>,
    slots: Box<[ReaderSlot]>,
    pub(super) lifetime: Lifetime,
    /// Models report one that is never dropped.
    #[cfg(aiter_loom)]
    _leak: crate::sync::Arc<()>,
}

impl Segment {
    /// A row of `len` seats. The first is taken.
    pub(super) fn new(len: usize) -> Box<Self> {
        Box::new(Self {
            segment: Occupancy::new(1),
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

    /// # Safety
    /// The row is not freed as long as the reference is used.
    #[inline(always)]
    pub(super) unsafe fn at<'a>(segment: NonNull<Self>) -> &'a Self {
        // SAFETY: by the contract.
        let segment = unsafe { segment.as_ref() };
        segment.lifetime.used();
        segment
    }

    pub(super) fn seating(&self) -> Slots<'_> {
        Slots {
            segment: &self.segment,
            states: &self.states,
            slots: &self.slots,
            heap: Some(NonNull::from(self)),
        }
    }

    /// Has nobody take a seat here any more, if none is taken.
    pub(super) fn close(&self) -> bool {
        // Ordering: Acquire pairs with the Release in `release`: the readers are done with the row.
        self.segment.used.load(Relaxed) == 0
            && self
                .segment
                .used
                .compare_exchange(0, CLOSED, Acquire, Relaxed)
                .is_ok()
    }

    pub(super) fn is_closed(&self) -> bool {
        // Ordering: Relaxed. If it is missed, the row was linked when the walk that asks began.
        self.segment.used.load(Relaxed) == CLOSED
    }

    /// Resets the floor: a reader came to the row, or what is known of the row is old.
    pub(super) fn joined(&self) {
        // Ordering: Release, after the reader's position, pairs with the Acquire of the swap in `scan`. A read-modify-write, as
        // that is: of the two one comes first, in models too.
        self.floor.swap(floor::UNKNOWN, Release);
    }

    /// Whether all readers in the row are further on than `position`.
    #[inline(always)]
    pub(super) fn floor(&self, position: usize) -> Floor {
        // Ordering: Acquire pairs with the Release in `scan`: this sees what that saw of the readers.
        match self.floor.load(Acquire) {
            floor::NOBODY => Floor::Nobody,
            known if known & 1 == 0 && (known.wrapping_sub(position) as isize) > 0 => {
                Floor::Above(known)
            }
            _ => Floor::Unknown,
        }
    }

    /// Has `look` look at all readers, and notes the least of their positions that it returns, unless a reader comes meanwhile; or
    /// gives what it found, for which it did not look at all.
    ///
    /// | `floor` | means | moved on by |
    /// |---|---|---|
    /// | even | no reader stands before it | a reader that comes → `UNKNOWN`; one that looks → its own mark |
    /// | `NOBODY` | there are no readers | the same |
    /// | `UNKNOWN` | a reader came | one that looks → its own mark |
    /// | a mark | the reader whose seat is there looks, or has found what it looked for | that reader → what it saw; and the same |
    pub(super) fn scan<F>(
        &self,
        me: NonNull<ReaderSlot>,
        look: impl FnOnce() -> Result<F, Option<usize>>,
    ) -> Result<F, Option<usize>> {
        let mark = me.as_ptr().addr() | 1;
        // Ordering: Acquire pairs with the Release in `joined`: that reader is seen, or comes later and replaces the mark.
        self.floor.swap(mark, Acquire);
        let least = match look() {
            Ok(found) => return Ok(found),
            Err(least) => least,
        };
        let floor = least.unwrap_or(floor::NOBODY);
        // Ordering: Release pairs with the Acquire in `floor`.
        let _ = self.floor.compare_exchange(mark, floor, Release, Relaxed);
        Err(least)
    }
}

/// A row with its seats.
#[derive(Clone, Copy)]
pub(super) struct Slots<'a> {
    pub(super) segment: &'a Occupancy,
    pub(super) states: &'a [AtomicU8],
    pub(super) slots: &'a [ReaderSlot],
    /// The same row, if it may be freed.
    pub(super) heap: Option<NonNull<Segment>>,
}

impl<'a> Slots<'a> {
    /// The seats that are used, and vacant ones between them.
    #[inline(always)]
    pub(super) fn used(self) -> iter::Zip<slice::Iter<'a, AtomicU8>, slice::Iter<'a, ReaderSlot>> {
        // Ordering: Acquire pairs with the Release in `release`: a look that misses a reader that changed its seat sees the
        // claim of the new one.
        let len = (usize::BITS - self.segment.used.load(Acquire).leading_zeros()) as usize;
        let len = len.min(self.states.len()).min(self.slots.len());
        self.states[..len].iter().zip(&self.slots[..len])
    }

    /// The seats of readers, and their positions.
    #[inline(always)]
    pub(super) fn readers(self) -> impl Iterator<Item = (NonNull<ReaderSlot>, usize)> + 'a {
        self.used().filter_map(|(_, slot)| {
            // Ordering: Acquire pairs with the Release in `step`; and with that in `leave`: a look that misses a reader that
            // changed its seat sees the claim of the new one.
            let position = slot.position.load(Acquire);
            // Else the seat is vacant, or its reader has yet to say where it stands.
            (position & 1 == 0).then_some((NonNull::from(slot), position))
        })
    }

    /// A reader at `position` or behind it, but for the one at `me`; or else the least of all positions, and of all but that of `me`.
    #[inline(always)]
    pub(super) fn follower(
        self,
        me: NonNull<ReaderSlot>,
        position: usize,
    ) -> Result<NonNull<ReaderSlot>, (Option<usize>, Option<usize>)> {
        let (mut all, mut others) = (None, None);
        for (slot, at) in self.readers() {
            if slot != me {
                if position.wrapping_sub(at) as isize >= 0 {
                    return Ok(slot);
                }
                others = least(others, Some(at));
            }
            all = least(all, Some(at));
        }
        Err((all, others))
    }

    pub(super) fn at(self, index: usize) -> SlotRef {
        SlotRef {
            segment: NonNull::from(self.segment),
            state: NonNull::from(&self.states[index]),
            slot: NonNull::from(&self.slots[index]),
            heap: self.heap,
            index,
        }
    }
}

/// The one that is further behind.
pub(super) fn least(one: Option<usize>, other: Option<usize>) -> Option<usize> {
    match (one, other) {
        (Some(a), Some(b)) if (a.wrapping_sub(b) as isize) < 0 => Some(a),
        (Some(_), Some(b)) => Some(b),
        (a, b) => a.or(b),
    }
}
