//! Blocks: where items stand, and the words that say which of them are there.
//!
//! # A state word
//! Bit `k` is *ready*: slot `k` of the word was published. Bit `READY + k` is *awaited*: somebody may sleep on slot `k`.
//! The bit above those is *end*: the list was stopped, and the word's highest ready slot is the end, not an item.
//!
//! Bits are only ever set. Each ready bit is set by one writer, which learns from the same read-modify-write whether the
//! slot was awaited; each awaited bit by readers, which learn likewise whether the slot was ready. Of the two, one comes
//! first, so either the writer knows of the sleeper or the sleeper of the item.

use crate::sync::{AtomicPtr, AtomicUsize, Lifetime, Ordering::*, UnsafeCell};
use alloc::boxed::Box;
use core::{
    mem::MaybeUninit,
    ptr::{self, NonNull},
};

/// Twice the number of a slot, counted from the list's first. The low bit is free for a flag beside it in the tail
/// word, and positions wrap with the machine word: compare them by [`distance`] alone.
pub(super) type Position = usize;

/// How many slots `to` is ahead of `from`; negative if it is behind.
#[inline(always)]
pub(super) fn distance(from: Position, to: Position) -> isize {
    (to.wrapping_sub(from) as isize) >> 1
}

/// The position `slots` further on.
#[inline(always)]
pub(super) fn ahead(from: Position, slots: usize) -> Position {
    from.wrapping_add(slots << 1)
}

/// Slots under one state word. Models run on blocks of two.
pub(super) const READY: usize = if cfg!(aiter_loom) {
    1
} else {
    (usize::BITS as usize - 2) / 2
};
const WORDS: usize = 2;
/// Slots of a block: 62 where words have 64 bits, 30 where they have 32.
pub(super) const SLOTS: usize = READY * WORDS;

const READY_MASK: usize = (1 << READY) - 1;
const END: usize = 1 << (2 * READY);

/// The first slot of a list. Tests begin a little before positions wrap.
pub(super) const FIRST: Position = if cfg!(test) {
    0usize.wrapping_sub(2 * (SLOTS + 1))
} else {
    0
};

/// `observed` of a block that the tail has not left yet. No position is odd.
pub(super) const UNOBSERVED: usize = 1;

/// Tags of `next` while there is no next block: somebody waits for its first slot, or there will never be one.
const AWAITED: usize = 1;
const ENDED: usize = 2;

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
pub(super) struct Block<T> {
    head: Head<T>,
    words: Words,
    slots: [UnsafeCell<MaybeUninit<T>>; SLOTS],
}

struct Words {
    state: [AtomicUsize; WORDS],
    /// Published slots that hold no item: it was moved out, or there never was one.
    gone: AtomicUsize,
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

    fn untag(next: *mut Block<T>) -> Next<T> {
        match next.addr() {
            0 | AWAITED => Next::None,
            ENDED => Next::Ended,
            // SAFETY: neither null nor a tag.
            _ => Next::Block(unsafe { NonNull::new_unchecked(next) }),
        }
    }

    /// Waits for the next block's first slot. False if the next block is there, or never will be.
    pub(super) fn await_next(&self) -> bool {
        let awaited = ptr::without_provenance_mut(AWAITED);
        // Ordering: Release hands the armed seat to the writer that links the next block, and so, by that block's first
        // state word, to the writer of its first slot.
        match self
            .next
            .compare_exchange(ptr::null_mut(), awaited, AcqRel, Acquire)
        {
            Ok(_) => true,
            // Another read-modify-write, so that the writer sees this reader's seat and not only the first one's.
            Err(now) if now.addr() == AWAITED => self
                .next
                .compare_exchange(awaited, awaited, AcqRel, Acquire)
                .is_ok(),
            Err(_) => false,
        }
    }

    /// Links `fresh`, unless another block is there already, which then comes back.
    pub(super) fn link(&self, fresh: NonNull<Block<T>>) -> Result<(), NonNull<Block<T>>> {
        let mut now = self.next.load(Acquire);
        loop {
            if let Next::Block(other) = Self::untag(now) {
                return Err(other);
            }
            // SAFETY: `fresh` is not linked yet: the caller's alone.
            let first = unsafe { &fresh.as_ref().words.state[0] };
            first.store(if now.addr() == AWAITED { 1 << READY } else { 0 }, Relaxed);
            // Ordering: Release publishes the block; Acquire takes over the seats of those who wait for it.
            match self
                .next
                .compare_exchange(now, fresh.as_ptr(), AcqRel, Acquire)
            {
                Ok(_) => return Ok(()),
                Err(other) => now = other,
            }
        }
    }

    /// Marks the end, in place of a block that would hold nothing else. `Err` if there is a next block; otherwise
    /// whether somebody waits.
    pub(super) fn end_here(&self) -> Result<bool, NonNull<Block<T>>> {
        let mut now = self.next.load(Acquire);
        loop {
            if let Next::Block(block) = Self::untag(now) {
                return Err(block);
            }
            // Ordering: as in `link`.
            match self.next.compare_exchange(
                now,
                ptr::without_provenance_mut(ENDED),
                AcqRel,
                Acquire,
            ) {
                Ok(_) => return Ok(now.addr() == AWAITED),
                Err(other) => now = other,
            }
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
            let slot = unsafe {
                (&raw mut (*block).slots)
                    .cast::<UnsafeCell<MaybeUninit<T>>>()
                    .add(slot)
            };
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
        let words = unsafe { &raw mut (*block).words };
        let zero = || AtomicUsize::new(0);
        // SAFETY: as above.
        unsafe {
            words.write(Words {
                state: [zero(), zero()],
                gone: zero(),
            })
        };
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

    /// Publishes the slots of a mask, all under the word of its lowest bit. True if any of them is awaited.
    ///
    /// This is `fetch_add`, not `fetch_or`: the bits are known to be clear, and on x86 only an addition gives the old
    /// value without a loop.
    #[inline(always)]
    pub(super) fn publish(&self, word: usize, mask: usize) -> bool {
        // Ordering: Release publishes the items to the Acquire in `run` and `await_slot`; Acquire takes over the armed
        // seats of those who await them.
        let old = self.words.state[word].fetch_add(mask, AcqRel);
        old >> READY & mask != 0
    }

    /// Publishes a slot of a list in which nobody sleeps, and that has one writer: nobody else writes the word.
    #[inline(always)]
    pub(super) fn publish_unawaited(&self, word: usize, mask: usize) {
        let word = &self.words.state[word];
        // Ordering: Release as in `publish`.
        word.store(word.load(Relaxed) | mask, Release);
    }

    /// Says that the slots of a mask hold no item. A writer does so before it publishes them.
    pub(super) fn mark_gone(&self, mask: usize) {
        // Ordering: readers acquire the publication; who drops what is left acquires the block's `refs`, which those
        // who moved items out have released since.
        self.words.gone.fetch_or(mask, Relaxed);
    }

    /// A bit for each slot that was marked so.
    pub(super) fn gone(&self) -> usize {
        self.words.gone.load(Relaxed)
    }

    /// Publishes a slot as the end of the list. True if it is awaited.
    pub(super) fn publish_end(&self, slot: usize) -> bool {
        let (word, bit) = place(slot);
        // Ordering: as in `publish`.
        let old = self.words.state[word].fetch_add(1 << bit | END, AcqRel);
        old >> READY & 1 << bit != 0
    }

    /// What stands at `slot`, and after it in the same word.
    #[inline(always)]
    pub(super) fn find(&self, slot: usize) -> Found {
        let (word, bit) = place(slot);
        // Ordering: Acquire pairs with the Release in `publish`.
        let word = self.words.state[word].load(Acquire);
        let mut run = published_run(word, bit);
        if run == 0 {
            return Found::Empty;
        }
        if word & END != 0 {
            // The end was the word's last slot to be given out; those before it may be published later.
            let end = (word & READY_MASK).ilog2() as usize;
            if end == bit {
                return Found::Ended;
            }
            run = run.min(end - bit);
        }
        // Ordering: a slot that never held an item was marked before it was published.
        let gone = self.gone() >> slot;
        match gone.trailing_zeros() as usize {
            0 => Found::Gone,
            held => Found::Items(slot + run.min(held)),
        }
    }

    /// Marks the slot as awaited. False if it is published.
    pub(super) fn await_slot(&self, slot: usize) -> bool {
        let (word, bit) = place(slot);
        // Ordering: Release hands the reader's armed seat to the publisher; Acquire pairs with `publish`.
        let old = self.words.state[word].fetch_or(1 << (READY + bit), AcqRel);
        published_run(old, bit) == 0
    }

    /// A bit for each slot that holds an item. For when no writer is left.
    pub(super) fn held(&self) -> usize {
        let mut held = 0;
        for (n, word) in self.words.state.iter().enumerate() {
            let word = word.load(Relaxed);
            let ready = word & READY_MASK;
            held |= ready << (n * READY);
            if word & END != 0 {
                held &= !(1 << (n * READY + ready.ilog2() as usize));
            }
        }
        held & !self.gone()
    }
}

/// The state word of a slot, and its bit there.
#[inline(always)]
pub(super) fn place(slot: usize) -> (usize, usize) {
    if slot < READY {
        (0, slot)
    } else {
        (1, slot - READY)
    }
}

#[inline(always)]
fn published_run(word: usize, bit: usize) -> usize {
    ((word & READY_MASK) >> bit).trailing_ones() as usize
}
