//! Blocks: where items stand, and the bytes that say which of them are there.
//!
//! Each slot has a *mark*: `EMPTY` until the slot's one writer, or the list's one closer, has published it. Nobody else does,
//! so publishing is a plain store. A writer that publishes several slots at once writes into each mark how many of them are
//! left from there on, and the first one's mark last: until then nobody looks at the others. A reader that found a longer run
//! may write its length there for others.

use crate::sync::{AtomicPtr, AtomicU8, AtomicUsize, Lifetime, Ordering::*, UnsafeCell, array_of};
use alloc::boxed::Box;
use core::{
    mem::MaybeUninit,
    ops::Range,
    ptr::{self, NonNull},
};

mod position;

pub(super) use position::*;

/// Slots of a block: 64 where words have 64 bits, 32 where they have 32. Models run on blocks of two.
pub(super) const SLOTS: usize = if cfg!(aiter_loom) {
    2
} else {
    usize::BITS as usize
};

/// Marks of a slot that is not published, and of the end of the list. Any other is the length of a run of published slots.
const EMPTY: u8 = 0;
const END: u8 = u8::MAX;

/// Marks of a run as long as a block, and so, at its end, those of any shorter one.
static RUNS: [u8; SLOTS] = {
    let mut runs = [0; SLOTS];
    let mut slot = 0;
    while slot < SLOTS {
        runs[slot] = (SLOTS - slot) as u8;
        slot += 1;
    }
    runs
};

/// `observed` of a block that the tail has not left yet. No position is odd.
pub(super) const UNOBSERVED: usize = 1;

/// Tag of `next` where there will never be a next block.
const ENDED: usize = 1;

/// What follows a block.
pub(super) enum Next<T> {
    /// Nothing yet.
    None,
    /// Nothing ever.
    Ended,
    Block(NonNull<Block<T>>),
}

/// The part of a block that the list's root has too: the root is a block without slots, whose place in the order is
/// before the first.
#[repr(C)]
pub(super) struct Head<T> {
    /// The position of the first slot.
    pub(super) start: Position,
    /// Readers in the block, and one for the link from the block before it until that one was retired.
    pub(super) refs: AtomicUsize,
    next: AtomicPtr<Block<T>>,
    /// The block before this one, as long as it is not freed. Writers walk it back to a slot of theirs; blocks that no
    /// reader needs any more stay linked by it until no writer can be there either.
    pub(super) prev: AtomicPtr<Head<T>>,
    /// The tail as it was after the tail block moved on from here: writers with slots from there on never come here.
    pub(super) observed: AtomicUsize,
    pub(super) lifetime: Lifetime,
}

#[repr(C)]
#[cfg_attr(target_pointer_width = "64", repr(align(16)))]
pub(super) struct Block<T> {
    head: Head<T>,
    state: State,
    slots: [UnsafeCell<MaybeUninit<T>>; SLOTS],
}

struct State {
    /// Published slots that hold no item: it was moved out, or there never was one.
    gone: AtomicUsize,
    marks: [AtomicU8; SLOTS],
}

/// What a reader finds at a slot.
pub(super) enum Found {
    /// Items, up to this slot.
    Items(usize),
    /// No item, but a published slot: there never was one, or it was moved out.
    Gone,
    /// The slot is not published.
    Empty,
    /// The list ends here.
    Ended,
}

impl<T> Head<T> {
    pub(super) fn root() -> Self {
        Self::new(ahead(FIRST, 0usize.wrapping_sub(SLOTS)), ptr::null_mut())
    }

    fn new(start: Position, prev: *mut Head<T>) -> Self {
        Self {
            start,
            refs: AtomicUsize::new(1),
            next: AtomicPtr::new(ptr::null_mut()),
            prev: AtomicPtr::new(prev),
            observed: AtomicUsize::new(UNOBSERVED),
            lifetime: Lifetime::new(),
        }
    }

    /// The position after the last slot.
    pub(super) fn end(&self) -> Position {
        ahead(self.start, SLOTS)
    }

    pub(super) fn next(&self) -> Next<T> {
        // Ordering: Acquire pairs with the Release in `link`: the block is seen as its maker left it.
        Self::untag(self.next.load(Acquire))
    }

    /// Whether the next block is there, and is the last one.
    pub(super) fn is_next_last(&self) -> bool {
        let Next::Block(next) = self.next() else {
            return false;
        };
        // SAFETY: kept by the link from this one.
        !matches!(unsafe { next.as_ref() }.head.next(), Next::Block(_))
    }

    fn untag(next: *mut Block<T>) -> Next<T> {
        match next.addr() {
            0 => Next::None,
            ENDED => Next::Ended,
            // SAFETY: not null.
            _ => Next::Block(unsafe { NonNull::new_unchecked(next) }),
        }
    }

    /// Links `fresh`, unless another block is there already, which then comes back.
    pub(super) fn link(&self, fresh: NonNull<Block<T>>) -> Result<(), NonNull<Block<T>>> {
        match self.set_next(fresh.as_ptr()) {
            Next::Block(other) => Err(other),
            _ => Ok(()),
        }
    }

    /// Marks the end, in place of a block that would hold nothing else. `Err` if there is a next block.
    pub(super) fn end_here(&self) -> Result<(), NonNull<Block<T>>> {
        match self.set_next(ptr::without_provenance_mut(ENDED)) {
            Next::Block(other) => Err(other),
            _ => Ok(()),
        }
    }

    /// Sets what follows, once; gives what did before. The end is not followed: it has the last slot.
    fn set_next(&self, next: *mut Block<T>) -> Next<T> {
        // Ordering: Release publishes the block to the Acquire in `next`; Acquire, when it fails, as there.
        match self
            .next
            .compare_exchange(ptr::null_mut(), next, Release, Acquire)
        {
            Ok(_) => Next::None,
            Err(now) => Self::untag(now),
        }
    }
}

impl<T> Block<T> {
    /// A block that follows `prev`, in fresh memory.
    pub(super) fn after(prev: NonNull<Head<T>>) -> NonNull<Self> {
        let block = Box::into_raw(Box::<Self>::new_uninit()).cast::<Self>();
        #[cfg(aiter_loom)]
        for slot in 0..SLOTS {
            // SAFETY: in bounds of the memory just allocated.
            let slots = unsafe { &raw mut (*block).slots };
            // SAFETY: as above.
            let slot = unsafe { slots.cast::<UnsafeCell<MaybeUninit<T>>>().add(slot) };
            // SAFETY: as above.
            unsafe { slot.write(UnsafeCell::new(MaybeUninit::uninit())) };
        }
        // SAFETY: not null, as `Box` never is.
        let block = unsafe { NonNull::new_unchecked(block) };
        // SAFETY: allocated above; the slots need no initialization.
        unsafe { Self::reset(block, prev) };
        block
    }

    /// Makes the block as new, to follow `prev`.
    ///
    /// # Safety
    /// The memory is the caller's alone, and holds no items.
    pub(super) unsafe fn reset(block: NonNull<Self>, prev: NonNull<Head<T>>) {
        let block = block.as_ptr();
        // SAFETY: readers and writers are in `prev` or before it, so it is not freed: the caller holds a slot behind it.
        let start = unsafe { prev.as_ref() }.end();
        // SAFETY: the caller's own memory; the head comes first in it.
        unsafe {
            block
                .cast::<Head<T>>()
                .write(Head::new(start, prev.as_ptr()))
        };
        // SAFETY: as above.
        let state = unsafe { &raw mut (*block).state };
        // SAFETY: as above.
        unsafe {
            state.write(State {
                gone: AtomicUsize::new(0),
                marks: array_of![AtomicU8::new(EMPTY); SLOTS],
            })
        };
        // The cache lines of its first slots, which the last reader had, are fetched together. Each push would wait for its own.
        #[cfg(all(feature = "std", not(aiter_loom)))]
        {
            // SAFETY: as above.
            let slots = unsafe { &raw mut (*block).slots }.cast::<u8>();
            let len = size_of::<[T; SLOTS]>().min(1024);
            // SAFETY: as above; the slots hold nothing, and are as long.
            unsafe { slots.write_bytes(0, len) };
        }
    }

    /// # Safety
    /// The block is the caller's alone and holds no items.
    pub(super) unsafe fn free(block: NonNull<Self>) {
        // SAFETY: blocks come from `Box::into_raw` in `after`.
        drop(unsafe { Box::from_raw(block.as_ptr()) });
    }

    /// # Safety
    /// The slot was reserved by the caller, and not published yet.
    #[inline(always)]
    pub(super) unsafe fn write(&self, slot: usize, item: T) {
        self.slots[slot].with_mut(|cell| {
            // SAFETY: by the contract nobody else is at the slot.
            unsafe { (*cell).write(item) };
        });
    }

    /// # Safety
    /// `slot` is below `SLOTS`.
    #[inline(always)]
    unsafe fn slot(&self, slot: usize) -> &UnsafeCell<MaybeUninit<T>> {
        debug_assert!(slot < SLOTS);
        // SAFETY: by the contract.
        unsafe { self.slots.get_unchecked(slot) }
    }

    /// # Safety
    /// The slot was seen published, holds an item, and is nobody else's to read or move from here on.
    #[inline(always)]
    pub(super) unsafe fn take(&self, slot: usize) -> T {
        // SAFETY: a slot that was seen is one of the block's.
        unsafe { self.slot(slot) }.with_mut(|cell| {
            // SAFETY: by the contract nobody else is at the slot.
            let cell = unsafe { &*cell };
            // SAFETY: by the contract it holds an item, which is read this once.
            unsafe { cell.assume_init_read() }
        })
    }

    /// # Safety
    /// The slot was seen published, holds an item, and is moved out by nobody as long as the item is borrowed.
    #[inline(always)]
    pub(super) unsafe fn item<'a>(&self, slot: usize) -> &'a T {
        // SAFETY: a slot that was seen is one of the block's.
        unsafe { self.slot(slot) }.with(|cell| {
            // SAFETY: by the contract nobody writes to the slot.
            let cell = unsafe { &*cell };
            // SAFETY: by the contract it holds an item.
            unsafe { cell.assume_init_ref() }
        })
    }

    /// Publishes `len` slots that are the caller's.
    #[inline(always)]
    pub(super) fn publish(&self, slot: usize, len: usize) {
        let marks = &self.state.marks[slot..slot + len];
        // SAFETY: the slots are the caller's, and nobody looks at marks behind one that is EMPTY.
        unsafe { write_unshared(&marks[1..], &RUNS[SLOTS + 1 - len..]) };
        // Ordering: Release publishes items and marks to the Acquire in `mark`.
        marks[0].store(len as u8, Release);
    }

    /// Publishes `len` slots without items.
    pub(super) fn skip(&self, slot: usize, len: usize) {
        self.mark_gone(ones(slot..slot + len));
        self.publish(slot, len);
    }

    /// Says that the slots of a mask hold no item. A writer does so before it publishes them.
    pub(super) fn mark_gone(&self, mask: usize) {
        // Ordering: readers acquire the publication; who drops what is left acquires the block's `refs`, which those
        // who moved items out have released since.
        self.state.gone.fetch_or(mask, Relaxed);
    }

    /// A bit for each slot that was marked so.
    pub(super) fn gone(&self) -> usize {
        self.state.gone.load(Relaxed)
    }

    /// Publishes a slot as the end of the list.
    pub(super) fn publish_end(&self, slot: usize) {
        // Ordering: Release: items of other writers before it were published by themselves; this is for the end's own.
        self.state.marks[slot].store(END, Release);
    }

    #[inline(always)]
    fn mark(&self, slot: usize) -> u8 {
        // Ordering: Acquire pairs with the Release in `publish`.
        self.state.marks[slot].load(Acquire)
    }

    /// Whether the slot is not published.
    pub(super) fn is_vacant(&self, slot: usize) -> bool {
        self.mark(slot) == EMPTY
    }

    /// Notes that a run of published slots was found, for other readers.
    #[inline(always)]
    pub(super) fn note_run(&self, slot: usize, end: usize) {
        let (mark, len) = (&self.state.marks[slot], (end - slot) as u8);
        if mark.load(Relaxed) < len {
            // Ordering: Release passes on what was acquired from those who published the run.
            mark.store(len, Release);
        }
    }

    /// What stands at `slot`, and after it.
    #[inline(always)]
    pub(super) fn find(&self, slot: usize) -> Found {
        let mut end = match self.mark(slot) {
            EMPTY => return Found::Empty,
            END => return Found::Ended,
            run => slot + run as usize,
        };
        while end < SLOTS {
            match self.mark(end) {
                // Apart from longer runs: which slot to look at next does not wait for what this one says.
                1 => {
                    end += 1;
                    while end < SLOTS && self.mark(end) == 1 {
                        end += 1;
                    }
                }
                EMPTY | END => break,
                run => end += run as usize,
            }
        }
        // Ordering: a slot that never held an item was marked before it was published.
        match self.gone() >> slot {
            0 => Found::Items(end),
            gone => match gone.trailing_zeros() as usize {
                0 => Found::Gone,
                held => Found::Items(end.min(slot + held)),
            },
        }
    }

    /// The first slot from one on that is not published, or is the end of the list.
    pub(super) fn published_to(&self, mut slot: usize) -> usize {
        while slot < SLOTS {
            match self.mark(slot) {
                EMPTY | END => break,
                run => slot += run as usize,
            }
        }
        slot
    }

    /// A bit for each slot that holds an item. For when no writer is left.
    pub(super) fn held(&self) -> usize {
        let ready = (0..SLOTS).filter(|&slot| !matches!(self.mark(slot), EMPTY | END));
        ready.fold(0, |held, slot| held | 1 << slot) & !self.gone()
    }
}

/// A bit for each slot of a block.
pub(super) const ALL: usize = usize::MAX >> (usize::BITS as usize - SLOTS);

/// A bit for each slot of a range.
pub(super) fn ones(slots: Range<usize>) -> usize {
    if slots.is_empty() {
        0
    } else {
        (ALL >> (SLOTS - slots.len())) << slots.start
    }
}

/// Writes bytes that no other thread looks at yet, all at once where that is faster.
///
/// # Safety
/// Nobody else accesses them meanwhile. There are as many of both.
#[inline(always)]
unsafe fn write_unshared(bytes: &[AtomicU8], values: &[u8]) {
    debug_assert_eq!(bytes.len(), values.len());
    #[cfg(not(aiter_loom))]
    // SAFETY: by the contract; an `AtomicU8` is laid out as a `u8`.
    unsafe {
        let to = bytes.as_ptr().cast_mut().cast::<u8>();
        ptr::copy_nonoverlapping(values.as_ptr(), to, bytes.len());
    }
    #[cfg(aiter_loom)]
    for (byte, value) in bytes.iter().zip(values) {
        byte.store(*value, Relaxed);
    }
}
