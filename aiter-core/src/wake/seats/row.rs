//! Seats side by side: a row in the list itself, and rows on the heap.
//!
//! # Bits of a row
//! | bit | set by | cleared by | while it is set |
//! |---|---|---|---|
//! | `used` | a new reader | who vacates the seat | the seat is a reader's, or `left` |
//! | `left` | a reader that leaves a seat that is `WAKING` | whoever finds the seat idle, and vacates it | no reader is there, but maybe a writer |
//!
//! The states of a row's seats lie side by side, so that a writer looks at one cache line for up to 64 readers. Who walks a
//! row, to wake or to look, goes up to its last `used` seat: a vacant one between is known by its state, or by its
//! position.

use super::{IDLE, SeatRef, Standing};
use crate::sync::{AtomicPtr, AtomicU8, AtomicUsize, Lifetime, Ordering::*, UnsafeCell};
use alloc::boxed::Box;
use core::{
    iter,
    ptr::{self, NonNull},
    slice,
    task::Waker,
};

/// Further away than any two readers can be: a vacant seat stands this far ahead, and is behind nobody. No further than
/// half of what a comparison tells apart, as it is counted from a reader that may have been ahead itself. It is odd, as no
/// reader's position is.
pub(super) const FAR: usize = (isize::MAX as usize / 2) | 1;

/// One reader's place: its waker while it sleeps, and how far it has read.
#[repr(C)]
pub(super) struct Seat {
    pub(super) waker: UnsafeCell<Option<Waker>>,
    /// How many of the slots before `position` never held an item.
    pub(super) skipped: AtomicUsize,
    /// The reader's position; everything before it has been read.
    pub(super) position: AtomicUsize,
    /// For the models: from its last position on to the claim of the next reader.
    pub(super) lifetime: Lifetime,
}

impl Seat {
    pub(super) fn new(position: usize) -> Self {
        Self {
            waker: UnsafeCell::new(None),
            skipped: AtomicUsize::new(0),
            position: AtomicUsize::new(position),
            lifetime: Lifetime::new(),
        }
    }
}

impl Seat {
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

/// The part of a row that is the same for the one inside the list and for those on the heap.
pub(super) struct Row {
    pub(super) used: AtomicUsize,
    pub(super) left: AtomicUsize,
    pub(super) next: AtomicPtr<HeapRow>,
}

pub(super) struct HeapRow {
    pub(super) row: Row,
    pub(super) states: Box<[AtomicU8]>,
    pub(super) seats: Box<[Seat]>,
}

impl HeapRow {
    pub(super) fn new(len: usize) -> Box<Self> {
        Box::new(Self {
            row: Row::new(0),
            states: (0..len).map(|_| AtomicU8::new(IDLE)).collect(),
            seats: (0..len).map(|_| Seat::new(FAR)).collect(),
        })
    }
}

impl Row {
    pub(super) fn new(used: usize) -> Self {
        Self {
            used: AtomicUsize::new(used),
            left: AtomicUsize::new(0),
            next: AtomicPtr::new(ptr::null_mut()),
        }
    }

    /// Takes a vacant seat among the first `len`, if there is one.
    pub(super) fn claim(&self, len: usize) -> Option<usize> {
        let mut used = self.used.load(Relaxed);
        loop {
            let seat = used.trailing_ones() as usize;
            if seat >= len {
                return None;
            }
            // Ordering: Acquire pairs with the Release in `vacate`: what the last reader did with the seat is over. Who sees the
            // bit before the reader's position finds a vacant seat; the reader is counted when it stands there.
            match self
                .used
                .compare_exchange(used, used | 1 << seat, Acquire, Relaxed)
            {
                Ok(_) => return Some(seat),
                Err(now) => used = now,
            }
        }
    }

    pub(super) fn vacate(&self, seat: usize) {
        // Ordering: Release pairs with the Acquire in `claim`.
        self.used.fetch_and(!(1 << seat), Release);
    }
}

/// A row with its seats.
#[derive(Clone, Copy)]
pub(super) struct Seating<'a> {
    pub(super) row: &'a Row,
    pub(super) states: &'a [AtomicU8],
    pub(super) seats: &'a [Seat],
}

impl<'a> Seating<'a> {
    /// The next row; it lives as long as this one.
    pub(super) fn next(self) -> Option<Seating<'a>> {
        // Ordering: Acquire pairs with the Release that linked the row in `claim`.
        let next = self.row.next.load(Acquire);
        // SAFETY: a linked row is freed only with the seats, and is never borrowed mutably before.
        let next = unsafe { next.as_ref()? };
        Some(Seating {
            row: &next.row,
            states: &next.states,
            seats: &next.seats,
        })
    }

    /// The seats that are used, and vacant ones between them.
    #[inline(always)]
    pub(super) fn used(self) -> iter::Zip<slice::Iter<'a, AtomicU8>, slice::Iter<'a, Seat>> {
        // Ordering: Acquire pairs with the Release in `vacate`: who misses a reader that changed its seat sees the claim of
        // the new one.
        let len = (usize::BITS - self.row.used.load(Acquire).leading_zeros()) as usize;
        let len = len.min(self.states.len()).min(self.seats.len());
        self.states[..len].iter().zip(&self.seats[..len])
    }

    pub(super) fn at(self, index: usize) -> SeatRef {
        SeatRef {
            row: self.row,
            state: &self.states[index],
            seat: Standing(NonNull::from(&self.seats[index])),
            index,
        }
    }
}
