//! A chunk: the memory of a few children, the word that says which of them have woken, and the
//! wakers that point to it.
//!
//! The children are in an allocation of their own, which belongs to the set. A waker that is kept
//! longer than the set, or than its child, keeps only the chunk itself, which is small.
//!
//! # The word
//!
//! | bits | meaning |
//! |---|---|
//! | `READY` (the low `SLOTS`) | slot *i* has woken since the owner last cleared the bits |
//! | the rest, in units of `ONE` | references: one of the set, and one of each waker cloned from a slot |
//!
//! | ready bits | references | state |
//! |---|---|---|
//! | none | set + wakers | *idle*: not on the stack; the next wake pushes it |
//! | some | set + wakers | *ready*: on the stack, or about to be pushed by the one waker that set the first bit, or taken by the owner |
//! | all | wakers | *retired*: the set has freed it; no wake pushes it again |
//! | any | none | freed by the thread that dropped the last reference |
//!
//! | step | by | transition | then |
//! |---|---|---|---|
//! | [`Header::wake`] | any thread | sets bit *i* | the thread that set the first bit pushes the chunk on the stack |
//! | [`Header::clear`] | the owner, for a chunk taken from the stack | ready → idle | polls the children whose bits it got |
//! | [`Header::retire`] | the owner, for a chunk without children | idle → retired | drops its reference |
//! | retain, release | wakers | ± `ONE` | the last release frees the memory |
//!
//! A waker's data is the chunk's address with the slot number in the low bits. The waker with which
//! a child is polled is *borrowed*: only a clone of it counts as a reference.
use super::ready_stack::{ReadyLink, ReadyStack};
use crate::sync::{Arc, AtomicUsize, Lifetime, Ordering};
use alloc::{
    alloc::{alloc, dealloc, handle_alloc_error},
    boxed::Box,
};
use core::{
    alloc::Layout,
    mem::ManuallyDrop,
    ptr::{self, NonNull},
    task::{RawWaker, RawWakerVTable, Waker},
};

/// The most children in a chunk: half of the bits of a 64-bit word, a quarter of a smaller one, so
/// that enough bits are left to count wakers.
pub(super) const SLOTS: usize = if cfg!(aiter_loom) {
    2
} else if usize::BITS == 64 {
    32
} else {
    usize::BITS as usize / 4
};
/// The most bytes for the children of a chunk that can have more than one. With fewer, chunks would
/// have few children of the sizes that are common for futures. With more, much memory would be kept
/// for a few children that are left.
const MAX_BYTES: usize = 16 << 10;
const READY: usize = (1 << SLOTS) - 1;
const ONE: usize = READY + 1;
/// The number of references above which cloning a waker panics: half of what the word can count.
/// The rest is room for clones that race with each other.
const MAX_REFERENCES: usize = usize::MAX / 2;
/// The address bits below this are free for the slot number.
const ALIGN: usize = align_of::<Chunk>();
const _: () = assert!(SLOTS <= ALIGN);

/// The part of a chunk that wakers reach.
#[repr(C)]
pub(super) struct Header {
    /// The first field, as the stack requires. Belongs to the waker that pushes the chunk, and then
    /// to the owner until it clears the ready bits.
    next_ready: ReadyLink,
    word: AtomicUsize,
    stack: Arc<ReadyStack>,
    /// For the models.
    lifetime: Lifetime,
}
const _: () = assert!(core::mem::offset_of!(Header, next_ready) == 0);

/// A set of slots of a chunk, one bit each.
pub(super) type Slots = u32;
const _: () = assert!(SLOTS <= Slots::BITS as usize);

/// How many [queues](super::queue::Queue) a chunk can be in at once.
pub(super) const LISTS: usize = 2;

/// The part of a chunk that only the owner of the set reaches.
#[repr(C)]
pub(super) struct OwnerState {
    /// Slots that hold a child.
    pub(super) occupied: Slots,
    /// Slots to be polled in the next turn without a wake: fresh children, and those that may have
    /// more items.
    pub(super) requeued: Slots,
    /// Slots whose children were refused, see [`fairness`](super::fairness).
    pub(super) refused: Slots,
    /// The chunk was taken from the stack, and its ready bits have not been cleared since.
    pub(super) has_ready_bits: bool,
    /// The number of the chunk's entries in the [`RefusedQueue`](super::queue::RefusedQueue).
    pub(super) refused_entries: u8,
    /// Whether the chunk is in each of the owner's queues, and the next chunk there.
    pub(super) is_queued: [bool; LISTS],
    pub(super) next_queued: [*mut Chunk; LISTS],
    /// The children.
    slots: *mut u8,
    /// All slots of this chunk.
    pub(super) all: Slots,
    /// Of the refused slots: those to be polled when the chunk's entry comes first, and those that
    /// were polled in vain in this pass.
    pub(super) due: Slots,
    pub(super) tried: Slots,
    /// The earliest stamp among the chunk's entries in the `RefusedQueue`.
    pub(super) first_entry: u32,
    /// Neighbours in the list of all chunks.
    pub(super) prev: *mut Chunk,
    pub(super) next: *mut Chunk,
    /// When each child was refused, and how many items it may still yield in its turn.
    pub(super) refused_at: [u32; SLOTS],
    pub(super) items_left: [u8; SLOTS],
}

/// A chunk. What a wake and a turn need of it is in one cache line.
#[cfg_attr(target_pointer_width = "64", repr(C, align(64)))]
#[cfg_attr(not(target_pointer_width = "64"), repr(C, align(16)))]
pub(super) struct Chunk {
    pub(super) header: Header,
    pub(super) owner: OwnerState,
}

// One cache line for a turn, and three more for fairness.
#[cfg(all(target_pointer_width = "64", not(aiter_loom)))]
const _: () = assert!(core::mem::offset_of!(Chunk, owner.all) == 64 && size_of::<Chunk>() == 256);

impl Chunk {
    /// How many children of this size a chunk can have, and whether an empty chunk is worth
    /// keeping.
    pub(super) fn capacity(child: Layout) -> (usize, bool) {
        let count = MAX_BYTES.checked_div(child.size()).unwrap_or(SLOTS);
        (count.clamp(1, SLOTS), count > 0)
    }

    /// A chunk with `count` vacant slots for children, and with one reference. Also a chunk without
    /// slots has a waker for slot 0.
    pub(super) fn new(count: usize, child: Layout, stack: Arc<ReadyStack>) -> *mut Self {
        debug_assert!(count <= SLOTS);
        let layout = Self::slots_layout(count, child);
        let slots = if layout.size() == 0 {
            NonNull::<u8>::dangling().as_ptr().with_addr(layout.align())
        } else {
            // SAFETY: the size is not 0.
            unsafe { alloc(layout) }
        };
        if slots.is_null() {
            handle_alloc_error(layout);
        }
        let header = Header {
            next_ready: ReadyLink::new(),
            word: AtomicUsize::new(ONE),
            stack,
            lifetime: Lifetime::new(),
        };
        let owner = OwnerState {
            occupied: 0,
            requeued: 0,
            refused: 0,
            has_ready_bits: false,
            refused_entries: 0,
            is_queued: [false; LISTS],
            next_queued: [ptr::null_mut(); LISTS],
            slots,
            all: ((1_u64 << count) - 1) as Slots,
            due: 0,
            tried: 0,
            first_entry: 0,
            prev: ptr::null_mut(),
            next: ptr::null_mut(),
            refused_at: [0; SLOTS],
            items_left: [0; SLOTS],
        };
        Box::into_raw(Box::new(Self { header, owner }))
    }

    fn slots_layout(count: usize, child: Layout) -> Layout {
        let size = child.size().checked_mul(count);
        size.and_then(|size| Layout::from_size_align(size, child.align()).ok())
            .expect("children larger than memory")
    }

    /// Frees the memory of the children, and drops the set's reference.
    ///
    /// # Safety
    /// The chunk was made for children of this layout. They have been dropped, and the set does not
    /// use the chunk any more.
    pub(super) unsafe fn free(chunk: *mut Self, child: Layout) {
        // SAFETY: the set's reference keeps it alive.
        let owner = unsafe { &(*chunk).owner };
        let layout = Self::slots_layout(owner.all.count_ones() as usize, child);
        if layout.size() > 0 {
            // SAFETY: allocated in `new` with this layout; the children have been dropped.
            unsafe { dealloc(owner.slots, layout) }
        }
        // SAFETY: the set's reference, which the caller gives up.
        unsafe { Header::release(chunk.cast()) }
    }

    /// The address of slot `slot`.
    ///
    /// # Safety
    /// `chunk` is alive and was made for children `C`, with more than `slot` slots.
    #[inline]
    pub(super) unsafe fn slot<C>(chunk: *mut Self, slot: usize) -> *mut C {
        // SAFETY: alive as the caller promises; `slots` is not written while it is.
        let first = unsafe { (*chunk).owner.slots }.cast::<C>();
        // SAFETY: in bounds as the caller promises.
        unsafe { first.add(slot) }
    }
}

/// The data of a slot's waker: the address of `chunk` with the slot number in the low bits.
#[inline]
pub(super) fn waker_data(chunk: *mut Chunk, slot: usize) -> *const () {
    debug_assert!(slot < SLOTS);
    chunk.cast::<u8>().wrapping_add(slot).cast_const().cast()
}

/// The slot number in a waker's data.
#[inline]
pub(super) fn slot_of(data: *const ()) -> usize {
    data.addr() & (ALIGN - 1)
}

#[inline]
fn header_of(data: *const ()) -> *mut Header {
    data.map_addr(|address| address & !(ALIGN - 1))
        .cast::<Header>()
        .cast_mut()
}

/// The waker of a slot, without a reference of its own: a child that keeps it has to clone it.
///
/// # Safety
/// `data` was made by [`waker_data`], and the chunk outlives the result.
#[inline]
pub(super) unsafe fn borrowed_waker(data: *const ()) -> ManuallyDrop<Waker> {
    // SAFETY: the table keeps the contract of `RawWaker`: it is thread-safe, and `clone` counts a
    // reference that `wake` and `drop` release. The result is never dropped, so it never releases a
    // reference that it did not count.
    ManuallyDrop::new(unsafe { Waker::new(data, &VTABLE) })
}

static VTABLE: RawWakerVTable = RawWakerVTable::new(
    |data| {
        // SAFETY: a waker that is being cloned is a reference, or is borrowed from one.
        unsafe { Header::retain(header_of(data)) };
        RawWaker::new(data, &VTABLE)
    },
    |data| {
        let held = Reference(header_of(data));
        // SAFETY: the reference keeps the chunk alive for the time of the call.
        unsafe { Header::wake(held.0, slot_of(data)) };
    },
    // SAFETY: the waker keeps the chunk alive for the time of the call, or is borrowed from one
    // that does.
    |data| unsafe { Header::wake(header_of(data), slot_of(data)) },
    |data| drop(Reference(header_of(data))),
);

/// The reference of a waker that is being consumed. Released also if the wake panics.
struct Reference(*mut Header);

impl Drop for Reference {
    fn drop(&mut self) {
        // SAFETY: made only where a waker is consumed, which is a reference.
        unsafe { Header::release(self.0) }
    }
}

impl Header {
    /// # Safety
    /// `this` is alive.
    unsafe fn retain(this: *mut Self) {
        // SAFETY: alive as the caller promises.
        let header = unsafe { &*this };
        // Ordering: Relaxed, a reference is made from one that exists. As a read-modify-write it
        // continues the release sequence of the wakes before it.
        if header.word.fetch_add(ONE, Ordering::Relaxed) > MAX_REFERENCES {
            // Ordering: Relaxed, undoes what was just counted; the caller's own reference remains.
            header.word.fetch_sub(ONE, Ordering::Relaxed);
            panic!("too many wakers of one chunk");
        }
    }

    /// Releases one reference, and frees the chunk with the last one.
    ///
    /// # Safety
    /// The caller holds that reference. If it is the set's, the children have been dropped and
    /// their memory has been freed.
    unsafe fn release(this: *mut Self) {
        // SAFETY: alive until the reference is released.
        let Self { word, lifetime, .. } = unsafe { &*this };
        lifetime.used();
        // Ordering: AcqRel. Release: what this holder did with the chunk is over. Acquire: the last
        // holder sees that of every other one, through the release sequence of read-modify-writes.
        if word.fetch_sub(ONE, Ordering::AcqRel) / ONE != 1 {
            return;
        }
        lifetime.over();
        // SAFETY: made by `Box::into_raw`, and this was the last reference.
        drop(unsafe { Box::from_raw(this.cast::<Chunk>()) });
    }

    /// Sets the ready bit of `slot`. Pushes the chunk on the stack if it is the first bit.
    ///
    /// # Safety
    /// `this` is alive for the time of the call, and points to the whole chunk.
    unsafe fn wake(this: *mut Self, slot: usize) {
        // SAFETY: alive as the caller promises.
        let header = unsafe { &*this };
        header.lifetime.used();
        // Ordering: AcqRel. Release: the poll after `clear` sees what happened before the wake,
        // also if this bit was set already. Acquire pairs with the Release in `clear`: the owner
        // has read `next_ready` before the push writes it.
        if header.word.fetch_or(1 << slot, Ordering::AcqRel) & READY == 0 {
            // SAFETY: alive as the caller promises, and only the thread that sets the first bit
            // pushes. The owner frees a chunk when it is not on the stack, or when the set is
            // dropped.
            unsafe { header.stack.push(this.cast()) };
        }
    }

    /// The slots that have woken, of a chunk that was taken from the stack.
    pub(super) fn ready(&self) -> Slots {
        // Ordering: Relaxed. The bit with which the chunk was pushed is seen, by way of the stack;
        // later ones may or may not be.
        (self.word.load(Ordering::Relaxed) & READY) as Slots
    }

    /// Clears and returns the ready bits. The chunk must have been taken from the stack since the
    /// last call: while there are bits, no wake pushes it a second time.
    #[inline]
    pub(super) fn clear(&self) -> Slots {
        // Ordering: AcqRel. Acquire pairs with the Release of every `wake` whose bit is returned:
        // the child sees what happened before. Release pairs with the `wake` that pushes the chunk
        // next.
        (self.word.fetch_and(!READY, Ordering::AcqRel) & READY) as Slots
    }

    /// Prevents later wakes from pushing the chunk. Returns `false` if a wake has pushed it: then
    /// the chunk comes from the stack.
    pub(super) fn retire(&self) -> bool {
        // Ordering: Relaxed, publishes nothing. A later wake finds a bit set and does nothing, and
        // the release of the reference synchronizes with the thread that frees the memory.
        self.word.fetch_or(READY, Ordering::Relaxed) & READY == 0
    }
}

#[cfg(all(test, not(aiter_loom)))]
mod tests {
    use super::*;
    use crate::ready_set::ready_stack::StackOwner;
    use crate::test_support::panic_of;

    /// With 32 bits, more wakers than the word can count can be cloned and forgotten.
    #[test]
    fn cloning_too_many_wakers_panics() {
        let owner = StackOwner::new();
        let child = Layout::new::<u8>();
        let chunk = Chunk::new(1, child, owner.stack().clone());
        // SAFETY: alive until the end.
        let header = unsafe { &(*chunk).header };
        // SAFETY: the chunk outlives it.
        let waker = unsafe { borrowed_waker(waker_data(chunk, 0)) };
        let most = MAX_REFERENCES / ONE * ONE;
        header.word.fetch_add(most - ONE, Ordering::Relaxed);
        // The last one that can be counted.
        drop(Waker::clone(&waker));
        let last = Waker::clone(&waker);
        let message = panic_of(|| Waker::clone(&waker));
        assert_eq!(message, "too many wakers of one chunk");
        drop(last);
        assert_eq!(header.word.load(Ordering::Relaxed), most);
        waker.wake_by_ref();
        assert_eq!(header.clear(), 1);
        header.word.fetch_sub(most - ONE, Ordering::Relaxed);
        drop(owner);
        // SAFETY: the last reference; there is no child.
        unsafe { Chunk::free(chunk, child) };
    }
}
