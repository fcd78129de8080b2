//! Blocks: the memory of the slots that hold items, and a byte for each slot that says what it
//! holds.
//!
//! Each slot has a *mark*. The mark is [`UNPUBLISHED`] until the writer that reserved the slot, or
//! the thread that closes the list, publishes it. No other thread publishes that slot, so
//! publishing is a plain store. A writer that publishes several slots at once stores in each mark
//! how many of these slots are left from there on. It stores the first mark last: until then no
//! thread reads the others. A reader that has found a longer run may store the length of that run
//! in the mark it started at, for the other readers.

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
pub(crate) use position::{MAX_DISTANCE, Position};

/// The number of slots in a block, unless items are [large](Block::LEN): 64 where words have 64
/// bits, and 32 where they have 32. The loom models use blocks of two slots.
pub(super) const SLOTS: usize = if cfg!(aiter_loom) {
    2
} else {
    usize::BITS as usize
};

/// The mark of a slot that is not published.
const UNPUBLISHED: u8 = 0;
/// The mark of the slot that is the end of the list. Every other mark but [`UNPUBLISHED`] is the
/// length of a run of published slots.
const END: u8 = u8::MAX;

/// The marks of a run as long as a block. Its last bytes are the marks of a shorter run.
static RUN_MARKS: [u8; SLOTS] = {
    let mut marks = [0; SLOTS];
    let mut slot = 0;
    while slot < SLOTS {
        marks[slot] = (SLOTS - slot) as u8;
        slot += 1;
    }
    marks
};

/// The `observed_tail` of a block that the tail block has not left yet. It is no position, because
/// positions are even.
pub(super) const UNOBSERVED: usize = 1;

/// The tag in `next` that says that no block will ever follow.
const ENDED: usize = 1;

/// What follows a block.
pub(super) enum Next<T> {
    /// There is no next block yet.
    None,
    /// The list ends after this block.
    Ended,
    Block(NonNull<Block<T>>),
}

/// The header of a block. The root of the list is a header alone: it stands for a block before the
/// first, all slots of which count as taken.
#[repr(C)]
pub(super) struct BlockHeader<T> {
    /// The position of the first slot.
    pub(super) start: Position,
    /// The number of readers in the block, and one more for the link from the block before it until
    /// that one is retired.
    pub(super) refs: AtomicUsize,
    next: AtomicPtr<Block<T>>,
    /// The block before this one, unless that has been freed. Writers follow it back to a slot they
    /// have reserved. A block that no reader needs any more stays linked here until no writer can
    /// be in it either.
    pub(super) prev: AtomicPtr<BlockHeader<T>>,
    /// A writer whose slot is at this position or after it does not come to this block any more;
    /// see `List::advance_tail_block`. It is [`UNOBSERVED`] until the tail block has moved on.
    pub(super) observed_tail: AtomicUsize,
    pub(super) lifetime: Lifetime,
}

/// The most bytes that the slots of a block take together, unless two slots take more.
const MAX_BYTES: usize = 32 << 10;

/// A block. Its slots follow it in memory, [`Block::LEN`] of them: a reference to a block does not
/// cover them, so they are reached through the pointer to the block.
#[repr(C)]
#[cfg_attr(target_pointer_width = "64", repr(align(16)))]
pub(super) struct Block<T> {
    header: BlockHeader<T>,
    state: State,
    slots: [Slot<T>; 0],
}

type Slot<T> = UnsafeCell<MaybeUninit<T>>;

struct State {
    /// The published slots that hold no item, because it was moved out or there never was one.
    taken: AtomicUsize,
    marks: [AtomicU8; SLOTS],
}

/// What a scan from a slot on finds.
pub(super) enum Scan {
    /// The slots from there up to this one hold items.
    Items(usize),
    /// The slot is published and holds no item: there never was one, or it was moved out.
    Taken,
    /// The slot is not published.
    Unpublished,
    /// The list ends at this slot.
    Ended,
}

impl<T> BlockHeader<T> {
    pub(super) fn root() -> Self {
        let start = back(FIRST, Block::<T>::LEN);
        Self::new(start, ptr::null_mut())
    }

    fn new(start: Position, prev: *mut BlockHeader<T>) -> Self {
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
        // Ordering: Acquire pairs with the Release in `set_next`: the block is initialized.
        Self::untag(self.next.load(Acquire))
    }

    /// Whether there is a next block and it is the last one.
    pub(super) fn is_next_last(&self) -> bool {
        let Next::Block(next) = self.next() else {
            return false;
        };
        // SAFETY: the link from this block keeps the next one.
        !matches!(unsafe { next.as_ref() }.header.next(), Next::Block(_))
    }

    fn untag(next: *mut Block<T>) -> Next<T> {
        match next.addr() {
            0 => Next::None,
            ENDED => Next::Ended,
            // SAFETY: the pointer is not null.
            _ => Next::Block(unsafe { NonNull::new_unchecked(next) }),
        }
    }

    /// Links `fresh` as the next block. Fails with the block that another thread has linked first.
    pub(super) fn link(&self, fresh: NonNull<Block<T>>) -> Result<(), NonNull<Block<T>>> {
        match self.set_next(fresh.as_ptr()) {
            Next::None => Ok(()),
            Next::Block(other) => Err(other),
            Next::Ended => unreachable!("no slot follows the end"),
        }
    }

    /// Ends the list here, instead of in a block that would hold nothing else. Fails with the next
    /// block if there is one.
    pub(super) fn link_end(&self) -> Result<(), NonNull<Block<T>>> {
        match self.set_next(ptr::without_provenance_mut(ENDED)) {
            Next::Block(other) => Err(other),
            _ => Ok(()),
        }
    }

    /// Sets what follows, unless that is set already, and returns what followed before. No block
    /// follows the end, because the end has the last slot.
    fn set_next(&self, next: *mut Block<T>) -> Next<T> {
        // Ordering: Release publishes the block to the Acquire in `next`. If the exchange fails,
        // Acquire pairs with that Release.
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
    /// How many slots a block has. Blocks of large items have fewer, because an idle list would
    /// otherwise take memory for many of them.
    pub(super) const LEN: usize = {
        let fit = match size_of::<T>() {
            0 => SLOTS,
            bytes => MAX_BYTES / bytes,
        };
        match fit {
            0 | 1 => 2,
            fit if fit < SLOTS => fit,
            _ => SLOTS,
        }
    };

    /// A mask with a bit for each slot.
    pub(super) const ALL_SLOTS: usize = usize::MAX >> (usize::BITS as usize - Self::LEN);

    /// The layout of a block together with its slots.
    pub(super) const LAYOUT: Layout = {
        let bytes = offset_of!(Self, slots) + Self::LEN * size_of::<Slot<T>>();
        match Layout::from_size_align(bytes, align_of::<Self>()) {
            Ok(layout) => layout.pad_to_align(),
            Err(_) => panic!("no memory is so large"),
        }
    };

    /// Allocates a block that follows `prev`.
    pub(super) fn after(prev: NonNull<BlockHeader<T>>) -> NonNull<Self> {
        // SAFETY: the size of a block is not 0.
        let memory = unsafe { alloc::alloc::alloc(Self::LAYOUT) };
        let Some(block) = NonNull::new(memory.cast::<Self>()) else {
            handle_alloc_error(Self::LAYOUT);
        };
        #[cfg(aiter_loom)]
        for slot in 0..Self::LEN {
            // SAFETY: it is one of the block's slots.
            let slot = unsafe { Self::slot(block, slot) };
            // SAFETY: the memory was just allocated.
            unsafe { slot.write(UnsafeCell::new(MaybeUninit::uninit())) };
        }
        // SAFETY: the memory was just allocated, and slots need no initialization.
        unsafe { Self::reset(block, prev) };
        block
    }

    /// The pointer to a slot.
    ///
    /// # Safety
    /// The block is not freed, and has that slot.
    #[inline]
    unsafe fn slot(block: NonNull<Self>, slot: usize) -> NonNull<Slot<T>> {
        debug_assert!(slot < Self::LEN);
        // SAFETY: by the contract.
        let slots = unsafe { block.byte_add(offset_of!(Self, slots)) };
        // SAFETY: by the contract, and the slots are contiguous.
        unsafe { slots.cast::<Slot<T>>().add(slot) }
    }

    /// Initializes the block to follow `prev`.
    ///
    /// # Safety
    /// The caller owns the memory, which holds no items.
    pub(super) unsafe fn reset(block: NonNull<Self>, prev: NonNull<BlockHeader<T>>) {
        // SAFETY: `prev` is not freed, because the caller has reserved a slot after it.
        let start = unsafe { prev.as_ref() }.end();
        let header = block.cast::<BlockHeader<T>>();
        // SAFETY: the caller owns the memory, and the header is its first field.
        unsafe { header.write(BlockHeader::new(start, prev.as_ptr())) };
        // SAFETY: the caller owns the memory.
        let state = unsafe { &raw mut (*block.as_ptr()).state };
        // SAFETY: the caller owns the memory.
        unsafe {
            state.write(State {
                taken: AtomicUsize::new(0),
                marks: array_of![AtomicU8::new(UNPUBLISHED); SLOTS],
            })
        };
        // Touch the first KiB of slots now: their cache lines, which the block's previous reader
        // owns, arrive in one burst instead of one miss per push.
        #[cfg(all(feature = "std", not(aiter_loom)))]
        {
            // SAFETY: a block has more than one slot.
            let slots = unsafe { Self::slot(block, 0) }.cast::<u8>();
            let len = (Self::LEN * size_of::<T>()).min(1024);
            // SAFETY: the slots take at least `len` bytes, and hold no items.
            unsafe { slots.write_bytes(0, len) };
        }
    }

    /// Frees a block.
    ///
    /// # Safety
    /// The caller owns the block, which holds no items.
    pub(super) unsafe fn free(block: NonNull<Self>) {
        if needs_drop::<Slot<T>>() {
            for slot in 0..Self::LEN {
                // SAFETY: it is one of the block's slots.
                let slot = unsafe { Self::slot(block, slot) };
                // SAFETY: by the contract.
                unsafe { slot.drop_in_place() };
            }
        }
        // SAFETY: by the contract.
        unsafe { block.drop_in_place() };
        // SAFETY: `after` has allocated the block with this layout.
        unsafe { alloc::alloc::dealloc(block.as_ptr().cast(), Self::LAYOUT) };
    }

    /// Writes an item into a slot.
    ///
    /// # Safety
    /// The caller has reserved the slot and not published it yet.
    #[inline]
    pub(super) unsafe fn write(block: NonNull<Self>, slot: usize, item: T) {
        // SAFETY: the reserved slot keeps the block.
        let slot = unsafe { Self::slot(block, slot) };
        // SAFETY: the reserved slot keeps the block.
        unsafe { slot.as_ref() }.with_mut(|cell| {
            // SAFETY: by the contract no other thread accesses the slot.
            unsafe { (*cell).write(item) };
        });
    }

    /// Moves the item out of a slot.
    ///
    /// # Safety
    /// The caller has seen the slot published and keeps the block. The slot holds an item, and from
    /// here on no other thread reads it or moves it.
    #[inline]
    pub(super) unsafe fn take(block: NonNull<Self>, slot: usize) -> T {
        // SAFETY: by the contract.
        let slot = unsafe { Self::slot(block, slot) };
        // SAFETY: by the contract.
        unsafe { slot.as_ref() }.with_mut(|cell| {
            // SAFETY: by the contract no other thread accesses the slot.
            let cell = unsafe { &*cell };
            // SAFETY: by the contract the slot holds an item, which is read only this once.
            unsafe { cell.assume_init_read() }
        })
    }

    /// Moves the items of `len` slots out, to the memory at `to`.
    ///
    /// # Safety
    /// As for [`take`](Self::take), for each of the slots. There is room for `len` items at `to`,
    /// outside of the block.
    #[inline]
    pub(super) unsafe fn take_run(block: NonNull<Self>, slot: usize, len: usize, to: *mut T) {
        #[cfg(not(aiter_loom))]
        {
            // SAFETY: by the contract.
            let from = unsafe { Self::slot(block, slot) }.cast::<T>();
            // SAFETY: by the contract. A slot has the layout of an item, the slots are contiguous,
            // and no other thread accesses them.
            unsafe { from.as_ptr().copy_to_nonoverlapping(to, len) };
        }
        #[cfg(aiter_loom)]
        for n in 0..len {
            // SAFETY: by the contract.
            let item = unsafe { Self::take(block, slot + n) };
            // SAFETY: by the contract.
            let to = unsafe { to.add(n) };
            // SAFETY: by the contract.
            unsafe { to.write(item) };
        }
    }

    /// The item in a slot.
    ///
    /// # Safety
    /// The caller has seen the slot published and keeps the block. The slot holds an item, and no
    /// thread moves it out while it is borrowed.
    #[inline]
    pub(super) unsafe fn item<'a>(block: NonNull<Self>, slot: usize) -> &'a T {
        // SAFETY: by the contract.
        let slot = unsafe { Self::slot(block, slot) };
        // SAFETY: by the contract.
        unsafe { slot.as_ref() }.with(|cell| {
            // SAFETY: by the contract no thread writes to the slot.
            let cell = unsafe { &*cell };
            // SAFETY: by the contract the slot holds an item.
            unsafe { cell.assume_init_ref() }
        })
    }

    /// Publishes `len` slots that the caller has reserved.
    #[inline]
    pub(super) fn publish(&self, slot: usize, len: usize) {
        let marks = &self.state.marks[slot..slot + len];
        // SAFETY: the caller has reserved the slots, and no thread reads a mark that follows an
        // UNPUBLISHED one.
        unsafe { write_unshared(&marks[1..], &RUN_MARKS[SLOTS + 1 - len..]) };
        // Ordering: Release publishes items and marks to the Acquire in `mark`.
        marks[0].store(len as u8, Release);
    }

    /// Publishes `len` slots without items.
    pub(super) fn skip(&self, slot: usize, len: usize) {
        self.mark_taken(slot_mask(slot..slot + len));
        self.publish(slot, len);
    }

    /// Records that the slots of a mask hold no item. A writer does so before it publishes them.
    pub(super) fn mark_taken(&self, mask: usize) {
        // Ordering: Relaxed. Readers acquire the publication. The thread that drops the remaining
        // items acquires the block's `refs`, which readers release after they have moved items out.
        self.state.taken.fetch_or(mask, Relaxed);
    }

    /// A mask of the slots that were marked as taken.
    pub(super) fn taken(&self) -> usize {
        self.state.taken.load(Relaxed)
    }

    /// Publishes a slot as the end of the list.
    pub(super) fn publish_end(&self, slot: usize) {
        // Ordering: Release publishes what the closing thread did before. Items of other writers
        // before the end have been published by those.
        self.state.marks[slot].store(END, Release);
    }

    #[inline]
    fn mark(&self, slot: usize) -> u8 {
        // Ordering: Acquire pairs with the Release in `publish`.
        self.state.marks[slot].load(Acquire)
    }

    /// Whether the slot is not published.
    pub(super) fn is_unpublished(&self, slot: usize) -> bool {
        self.mark(slot) == UNPUBLISHED
    }

    /// Stores the length of a run of published slots in its first mark, for other readers.
    #[inline]
    pub(super) fn note_run(&self, slot: usize, end: usize) {
        let (mark, len) = (&self.state.marks[slot], (end - slot) as u8);
        if mark.load(Relaxed) < len {
            // Ordering: Release passes on what was acquired from the writers of the run.
            mark.store(len, Release);
        }
    }

    /// Scans the slots from `slot` on for a run of items.
    #[inline]
    pub(super) fn scan(&self, slot: usize) -> Scan {
        let mut end = match self.mark(slot) {
            UNPUBLISHED => return Scan::Unpublished,
            END => return Scan::Ended,
            run => slot + run as usize,
        };
        while end < Self::LEN {
            match self.mark(end) {
                // Scan single-slot runs in their own loop: the next index does not depend on the
                // loaded mark, so the loads can overlap.
                1 => {
                    end += 1;
                    while end < Self::LEN && self.mark(end) == 1 {
                        end += 1;
                    }
                }
                UNPUBLISHED | END => break,
                run => end += run as usize,
            }
        }
        // Ordering: a slot that never held an item was marked as taken before it was published.
        match self.taken() >> slot {
            0 => Scan::Items(end),
            taken => match taken.trailing_zeros() as usize {
                0 => Scan::Taken,
                items => Scan::Items(end.min(slot + items)),
            },
        }
    }

    /// The first slot, from `slot` on, that is not published or is the end of the list.
    pub(super) fn published_until(&self, mut slot: usize) -> usize {
        while slot < Self::LEN {
            match self.mark(slot) {
                UNPUBLISHED | END => break,
                run => slot += run as usize,
            }
        }
        slot
    }

    /// A mask of the slots that hold an item. To be called when no writer is left.
    pub(super) fn item_mask(&self) -> usize {
        let published =
            (0..Self::LEN).filter(|&slot| !matches!(self.mark(slot), UNPUBLISHED | END));
        published.fold(0, |mask, slot| mask | 1 << slot) & !self.taken()
    }
}

/// A mask with a bit for each slot of a range.
pub(super) fn slot_mask(slots: Range<usize>) -> usize {
    if slots.is_empty() {
        0
    } else {
        (usize::MAX >> (usize::BITS as usize - slots.len())) << slots.start
    }
}

/// Writes bytes that no other thread accesses yet. Where that is faster it copies them at once.
///
/// # Safety
/// No other thread accesses the bytes meanwhile. Both slices have the same length.
#[inline]
unsafe fn write_unshared(bytes: &[AtomicU8], values: &[u8]) {
    debug_assert_eq!(bytes.len(), values.len());
    #[cfg(not(aiter_loom))]
    // SAFETY: by the contract, and an `AtomicU8` has the layout of a `u8`.
    unsafe {
        let to = bytes.as_ptr().cast_mut().cast::<u8>();
        ptr::copy_nonoverlapping(values.as_ptr(), to, bytes.len());
    }
    #[cfg(aiter_loom)]
    for (byte, value) in bytes.iter().zip(values) {
        byte.store(*value, Relaxed);
    }
}
