//! Blocks: where items stand, and the bytes that say which of them are there.
//!
//! Each slot has a *mark*: `EMPTY` until the slot's one writer, or the list's one closer, has published it. Nobody else does,
//! so publishing is a plain store. A writer that publishes several slots at once writes into each mark how many of them are
//! left from there on, and the first one's mark last: until then nobody looks at the others. A reader that found a longer run
//! may write its length there for others.

use crate::sync::{AtomicPtr, AtomicU8, AtomicUsize, Lifetime, Ordering::*, UnsafeCell, array_of};
use alloc::alloc::handle_alloc_error;
use core::{
    alloc::Layout,
    mem::{MaybeUninit, needs_drop, offset_of},
    ops::Range,
    ptr::{self, NonNull},
};

mod position;

pub(super) use position::*;

/// Slots of a block, unless items are [large](Block::LEN): 64 where words have 64 bits, 32 where
/// they have 32. Models run on blocks of two.
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

/// `observed_tail` of a block that the tail has not left yet. No position is odd.
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
    pub(super) observed_tail: AtomicUsize,
    pub(super) lifetime: Lifetime,
}

/// Bytes that the slots of a block may take together, but for two of them.
const MOST_BYTES: usize = 32 << 10;

/// The slots come after it, [`Block::LEN`] of them: so a reference to a block does not reach them,
/// and they are found from the pointer to it.
#[repr(C)]
#[cfg_attr(target_pointer_width = "64", repr(align(16)))]
pub(super) struct Block<T> {
    head: Head<T>,
    state: State,
    slots: [Slot<T>; 0],
}

type Slot<T> = UnsafeCell<MaybeUninit<T>>;

struct State {
    /// Published slots that hold no item: it was moved out, or there never was one.
    taken: AtomicUsize,
    marks: [AtomicU8; SLOTS],
}

/// What a reader finds at a slot.
pub(super) enum Found {
    /// Items, up to this slot.
    Items(usize),
    /// No item, but a published slot: there never was one, or it was moved out.
    Taken,
    /// The slot is not published.
    Empty,
    /// The list ends here.
    Ended,
}

impl<T> Head<T> {
    pub(super) fn root() -> Self {
        let start = ahead(FIRST, 0usize.wrapping_sub(Block::<T>::LEN));
        Self::new(start, ptr::null_mut())
    }

    fn new(start: Position, prev: *mut Head<T>) -> Self {
        Self {
            start,
            refs: AtomicUsize::new(1),
            next: AtomicPtr::new(ptr::null_mut()),
            prev: AtomicPtr::new(prev),
            observed_tail: AtomicUsize::new(UNOBSERVED),
            lifetime: Lifetime::new(),
        }
    }

    /// The position after the last slot.
    pub(super) fn end(&self) -> Position {
        ahead(self.start, Block::<T>::LEN)
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
    /// How many slots a block has: fewer where items are so large that an idle list would take
    /// memory for many of them.
    pub(super) const LEN: usize = {
        let fit = match size_of::<T>() {
            0 => SLOTS,
            bytes => MOST_BYTES / bytes,
        };
        match fit {
            0 | 1 => 2,
            fit if fit < SLOTS => fit,
            _ => SLOTS,
        }
    };

    /// A bit for each slot.
    pub(super) const ALL: usize = usize::MAX >> (usize::BITS as usize - Self::LEN);

    /// What a block takes, with its slots.
    pub(super) const LAYOUT: Layout = {
        let bytes = offset_of!(Self, slots) + Self::LEN * size_of::<Slot<T>>();
        match Layout::from_size_align(bytes, align_of::<Self>()) {
            Ok(layout) => layout.pad_to_align(),
            Err(_) => panic!("no memory is so large"),
        }
    };

    /// A block that follows `prev`, in fresh memory.
    pub(super) fn after(prev: NonNull<Head<T>>) -> NonNull<Self> {
        // SAFETY: a block is not of size 0.
        let memory = unsafe { alloc::alloc::alloc(Self::LAYOUT) };
        let Some(block) = NonNull::new(memory.cast::<Self>()) else {
            handle_alloc_error(Self::LAYOUT);
        };
        #[cfg(aiter_loom)]
        for slot in 0..Self::LEN {
            // SAFETY: one of the block's slots.
            let slot = unsafe { Self::slot(block, slot) };
            // SAFETY: memory just allocated.
            unsafe { slot.write(UnsafeCell::new(MaybeUninit::uninit())) };
        }
        // SAFETY: allocated above; the slots need no initialization.
        unsafe { Self::reset(block, prev) };
        block
    }

    /// Where a slot is.
    ///
    /// # Safety
    /// The block is not freed, and has the slot.
    #[inline(always)]
    unsafe fn slot(block: NonNull<Self>, slot: usize) -> NonNull<Slot<T>> {
        debug_assert!(slot < Self::LEN);
        // SAFETY: by the contract.
        let slots = unsafe { block.byte_add(offset_of!(Self, slots)) };
        // SAFETY: as above; the slots are side by side.
        unsafe { slots.cast::<Slot<T>>().add(slot) }
    }

    /// Makes the block as new, to follow `prev`.
    ///
    /// # Safety
    /// The memory is the caller's alone, and holds no items.
    pub(super) unsafe fn reset(block: NonNull<Self>, prev: NonNull<Head<T>>) {
        // SAFETY: readers and writers are in `prev` or before it, so it is not freed: the caller holds a slot behind it.
        let start = unsafe { prev.as_ref() }.end();
        let head = block.cast::<Head<T>>();
        // SAFETY: the caller's own memory; the head comes first in it.
        unsafe { head.write(Head::new(start, prev.as_ptr())) };
        // SAFETY: as above.
        let state = unsafe { &raw mut (*block.as_ptr()).state };
        // SAFETY: as above.
        unsafe {
            state.write(State {
                taken: AtomicUsize::new(0),
                marks: array_of![AtomicU8::new(EMPTY); SLOTS],
            })
        };
        // The cache lines of its first slots, which the last reader had, are fetched together. Each push would wait for its own.
        #[cfg(all(feature = "std", not(aiter_loom)))]
        {
            // SAFETY: there is more than one slot.
            let slots = unsafe { Self::slot(block, 0) }.cast::<u8>();
            let len = (Self::LEN * size_of::<T>()).min(1024);
            // SAFETY: as above; the slots hold nothing, and are as long.
            unsafe { slots.write_bytes(0, len) };
        }
    }

    /// # Safety
    /// The block is the caller's alone and holds no items.
    pub(super) unsafe fn free(block: NonNull<Self>) {
        if needs_drop::<Slot<T>>() {
            for slot in 0..Self::LEN {
                // SAFETY: one of the block's slots.
                let slot = unsafe { Self::slot(block, slot) };
                // SAFETY: by the contract.
                unsafe { slot.drop_in_place() };
            }
        }
        // SAFETY: by the contract.
        unsafe { block.drop_in_place() };
        // SAFETY: blocks come from `after`.
        unsafe { alloc::alloc::dealloc(block.as_ptr().cast(), Self::LAYOUT) };
    }

    /// # Safety
    /// The slot was reserved by the caller, and not published yet.
    #[inline(always)]
    pub(super) unsafe fn write(block: NonNull<Self>, slot: usize, item: T) {
        // SAFETY: the block is kept by the slot.
        let slot = unsafe { Self::slot(block, slot) };
        // SAFETY: as above.
        unsafe { slot.as_ref() }.with_mut(|cell| {
            // SAFETY: by the contract nobody else is at the slot.
            unsafe { (*cell).write(item) };
        });
    }

    /// # Safety
    /// The slot was seen published, holds an item, and is nobody else's to read or move from here on.
    #[inline(always)]
    pub(super) unsafe fn take(block: NonNull<Self>, slot: usize) -> T {
        // SAFETY: a slot that was seen is one of the block's, which the caller keeps.
        let slot = unsafe { Self::slot(block, slot) };
        // SAFETY: as above.
        unsafe { slot.as_ref() }.with_mut(|cell| {
            // SAFETY: by the contract nobody else is at the slot.
            let cell = unsafe { &*cell };
            // SAFETY: by the contract it holds an item, which is read this once.
            unsafe { cell.assume_init_read() }
        })
    }

    /// # Safety
    /// The slot was seen published, holds an item, and is moved out by nobody as long as the item is borrowed.
    #[inline(always)]
    pub(super) unsafe fn item<'a>(block: NonNull<Self>, slot: usize) -> &'a T {
        // SAFETY: a slot that was seen is one of the block's, which the caller keeps.
        let slot = unsafe { Self::slot(block, slot) };
        // SAFETY: as above.
        unsafe { slot.as_ref() }.with(|cell| {
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
        self.mark_taken(ones(slot..slot + len));
        self.publish(slot, len);
    }

    /// Says that the slots of a mask hold no item. A writer does so before it publishes them.
    pub(super) fn mark_taken(&self, mask: usize) {
        // Ordering: readers acquire the publication; who drops what is left acquires the block's `refs`, which those
        // who moved items out have released since.
        self.state.taken.fetch_or(mask, Relaxed);
    }

    /// A bit for each slot that was marked so.
    pub(super) fn taken(&self) -> usize {
        self.state.taken.load(Relaxed)
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
        while end < Self::LEN {
            match self.mark(end) {
                // Apart from longer runs: which slot to look at next does not wait for what this one says.
                1 => {
                    end += 1;
                    while end < Self::LEN && self.mark(end) == 1 {
                        end += 1;
                    }
                }
                EMPTY | END => break,
                run => end += run as usize,
            }
        }
        // Ordering: a slot that never held an item was marked before it was published.
        match self.taken() >> slot {
            0 => Found::Items(end),
            taken => match taken.trailing_zeros() as usize {
                0 => Found::Taken,
                held => Found::Items(end.min(slot + held)),
            },
        }
    }

    /// The first slot from one on that is not published, or is the end of the list.
    pub(super) fn published_to(&self, mut slot: usize) -> usize {
        while slot < Self::LEN {
            match self.mark(slot) {
                EMPTY | END => break,
                run => slot += run as usize,
            }
        }
        slot
    }

    /// A bit for each slot that holds an item. For when no writer is left.
    pub(super) fn held(&self) -> usize {
        let ready = (0..Self::LEN).filter(|&slot| !matches!(self.mark(slot), EMPTY | END));
        ready.fold(0, |held, slot| held | 1 << slot) & !self.taken()
    }
}

/// A bit for each slot of a range.
pub(super) fn ones(slots: Range<usize>) -> usize {
    if slots.is_empty() {
        0
    } else {
        (usize::MAX >> (usize::BITS as usize - slots.len())) << slots.start
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
