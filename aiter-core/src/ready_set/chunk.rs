//! A chunk: a few children, the word that says which of them woke, and the wakers that point to it.
//!
//! The children are in an allocation of their own, which belongs to the set: a waker that is kept
//! for longer than the set, or than the child, keeps the chunk's own few words only.
//!
//! # The word
//!
//! | bits | meaning |
//! |---|---|
//! | `READY` (the low `SLOTS`) | slot *i* woke since the owner last cleared the bits |
//! | the rest, in units of `ONE` | references: one of the set, one of each waker cloned from a slot |
//!
//! | ready bits | references | state |
//! |---|---|---|
//! | none | set + wakers | *idle*: on nobody's stack; the next wake queues it |
//! | some | set + wakers | *queued*: on the stack, or about to be put there by the one waker that set the first bit, or taken by the owner |
//! | all | wakers | *retired*: the set let go of it; no wake queues it again |
//! | any | none | freed by whoever dropped the last reference |
//!
//! | step | by | transition | then |
//! |---|---|---|---|
//! | [`Header::wake`] | any thread | sets bit *i* | whoever set the first bit pushes the chunk on the stack |
//! | [`Header::clear`] | owner, chunk taken from the stack | queued → idle | polls the children whose bits it got |
//! | [`Header::retire`] | owner, no children | idle → retired | lets go of its reference |
//! | retain, release | wakers | ± `ONE` | the last one frees the memory |
//!
//! A waker is the chunk's address with the slot number in the low bits. It is a *borrowed* reference while a child is
//! being polled, and counts only once a child clones it.
use super::{queue::LISTS, ready_stack::ReadyStack};
use crate::sync::{Arc, AtomicUsize, Lifetime, Ordering, UnsafeCell};
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

/// Children in a chunk, at most: half of a 64-bit word, a quarter of a smaller one, so that enough is left to count wakers.
pub(super) const SLOTS: usize = if cfg!(aiter_loom) {
    2
} else if usize::BITS == 64 {
    32
} else {
    usize::BITS as usize / 4
};
/// Bytes for children in a chunk, at most, if there is more than one. Less would make chunks of few
/// children of what are common sizes for futures; more would be held for few children that are
/// left.
const BYTES: usize = 16 << 10;
const READY: usize = (1 << SLOTS) - 1;
const ONE: usize = READY + 1;
/// References beyond which cloning a waker panics: half of what the word can count, the rest is room for racing clones.
const MOST: usize = usize::MAX / 2;
/// The address bits below are free for the slot number.
const ALIGN: usize = align_of::<Chunk>();
const _: () = assert!(SLOTS <= ALIGN);

/// What wakers see of a chunk.
#[repr(C)]
pub(super) struct Header {
    word: AtomicUsize,
    /// The chunk below on the stack: the waker's that queues this one, then the owner's until it clears the bits.
    pub(super) next_ready: UnsafeCell<*mut Header>,
    stack: Arc<ReadyStack>,
    /// For the models.
    lifetime: Lifetime,
}

/// A set of slots of a chunk, a bit each.
pub(super) type Slots = u32;
const _: () = assert!(SLOTS <= Slots::BITS as usize);

/// What only the owner of the set sees of a chunk.
#[repr(C)]
pub(super) struct OwnerState {
    /// Slots that hold a child.
    pub(super) occupied: Slots,
    /// Slots to be polled in the next turn without having woken: fresh children, and those that had more items.
    pub(super) again: Slots,
    /// Slots whose children have a place in the line, see `refused`.
    pub(super) waits: Slots,
    /// It was taken from the stack and its ready bits still stand.
    pub(super) taken: bool,
    /// How many places it has in the line.
    pub(super) places: u8,
    /// Whether it is in each of the owner's queues, and what stands behind it there.
    pub(super) listed: [bool; LISTS],
    pub(super) next_queued: [*mut Chunk; LISTS],
    /// The children.
    slots: *mut u8,
    /// All slots of this chunk.
    pub(super) full: Slots,
    /// Of those that wait: to be polled when the line has come to them; asked in this pass.
    pub(super) due: Slots,
    pub(super) asked: Slots,
    /// The first of its places in the line.
    pub(super) place: u32,
    /// Neighbours in the owner's roster of all chunks.
    pub(super) prev: *mut Chunk,
    pub(super) next: *mut Chunk,
    /// Since when each child waits, and how many items it may still yield in its turn.
    pub(super) since: [u32; SLOTS],
    pub(super) left: [u8; SLOTS],
}

/// What a wake and a turn need of a chunk is in one cache line.
#[cfg_attr(target_pointer_width = "64", repr(C, align(64)))]
#[cfg_attr(not(target_pointer_width = "64"), repr(C, align(16)))]
pub(super) struct Chunk {
    pub(super) header: Header,
    pub(super) owner: OwnerState,
}

// A line for a turn, and three for what comes with waiting in line.
#[cfg(all(target_pointer_width = "64", not(aiter_loom)))]
const _: () = assert!(core::mem::offset_of!(Chunk, owner.full) == 64 && size_of::<Chunk>() == 256);

impl Chunk {
    /// How many of so large children a chunk can have, and whether one without any is worth
    /// keeping.
    pub(super) fn most(child: Layout) -> (usize, bool) {
        let most = BYTES.checked_div(child.size()).unwrap_or(SLOTS);
        (most.clamp(1, SLOTS), most > 0)
    }

    /// A chunk with `count` vacant slots for children and one reference. A chunk without slots
    /// still has slot 0 to wake.
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
            word: AtomicUsize::new(ONE),
            next_ready: UnsafeCell::new(ptr::null_mut()),
            stack,
            lifetime: Lifetime::new(),
        };
        let owner = OwnerState {
            occupied: 0,
            again: 0,
            waits: 0,
            taken: false,
            places: 0,
            listed: [false; LISTS],
            next_queued: [ptr::null_mut(); LISTS],
            slots,
            full: ((1_u64 << count) - 1) as Slots,
            due: 0,
            asked: 0,
            place: 0,
            prev: ptr::null_mut(),
            next: ptr::null_mut(),
            since: [0; SLOTS],
            left: [0; SLOTS],
        };
        Box::into_raw(Box::new(Self { header, owner }))
    }

    fn slots_layout(count: usize, child: Layout) -> Layout {
        let size = child.size().checked_mul(count);
        size.and_then(|size| Layout::from_size_align(size, child.align()).ok())
            .expect("children larger than memory")
    }

    /// Gives the memory of the children back, and the set's reference.
    ///
    /// # Safety
    /// The chunk was made for children of this layout. They are gone, and the set does not use it
    /// any more.
    pub(super) unsafe fn let_go(chunk: *mut Self, child: Layout) {
        // SAFETY: the set's reference keeps it.
        let owner = unsafe { &(*chunk).owner };
        let layout = Self::slots_layout(owner.full.count_ones() as usize, child);
        if layout.size() > 0 {
            // SAFETY: allocated in `new` with this layout; the children are gone.
            unsafe { dealloc(owner.slots, layout) }
        }
        // SAFETY: the set's reference, which the caller gives up.
        unsafe { Header::release(chunk.cast()) }
    }

    /// Where slot `slot` is.
    ///
    /// # Safety
    /// `chunk` is alive and was made for children `C`, with more than `slot` slots.
    #[inline]
    pub(super) unsafe fn slot<C>(chunk: *mut Self, slot: usize) -> *mut C {
        // SAFETY: alive as the caller promises; never written while it is.
        let first = unsafe { (*chunk).owner.slots }.cast::<C>();
        // SAFETY: in bounds as the caller promises.
        unsafe { first.add(slot) }
    }
}

/// A waker's data: `chunk` with the slot number in the low bits.
#[inline]
pub(super) fn tag(chunk: *mut Chunk, slot: usize) -> *const () {
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

/// The waker of a slot, without a reference of its own: a child that wants to keep it clones it.
///
/// # Safety
/// `data` was made by [`tag`], and the chunk outlives the result.
#[inline]
pub(super) unsafe fn lend(data: *const ()) -> ManuallyDrop<Waker> {
    // SAFETY: the table keeps the contract of `RawWaker`: thread-safe, `clone` counts a reference that `wake` and
    // `drop` give back. The result is never dropped, hence never gives back what it did not count.
    ManuallyDrop::new(unsafe { Waker::new(data, &VTABLE) })
}

static VTABLE: RawWakerVTable = RawWakerVTable::new(
    |data| {
        // SAFETY: whoever clones the waker holds a reference or the owner's loan.
        unsafe { Header::retain(header_of(data)) };
        RawWaker::new(data, &VTABLE)
    },
    |data| {
        let held = Reference(header_of(data));
        // SAFETY: the reference keeps the chunk for the time of the call.
        unsafe { Header::wake(held.0, slot_of(data)) };
    },
    // SAFETY: whoever lends the waker keeps the chunk for the time of the call.
    |data| unsafe { Header::wake(header_of(data), slot_of(data)) },
    |data| drop(Reference(header_of(data))),
);

/// The reference of a waker that is being consumed: given back also if waking panics.
struct Reference(*mut Header);

impl Drop for Reference {
    fn drop(&mut self) {
        // SAFETY: made where a waker is consumed, which holds a reference.
        unsafe { Header::release(self.0) }
    }
}

impl Header {
    /// # Safety
    /// `this` is alive.
    unsafe fn retain(this: *mut Self) {
        // SAFETY: alive as the caller promises.
        let header = unsafe { &*this };
        // Ordering: Relaxed, a reference is made from one that exists. Being an RMW it stays in the release sequence of
        // the wakes before it.
        if header.word.fetch_add(ONE, Ordering::Relaxed) > MOST {
            // Ordering: Relaxed, gives back what was just counted; the caller's own reference remains.
            header.word.fetch_sub(ONE, Ordering::Relaxed);
            panic!("too many wakers of one chunk");
        }
    }

    /// Gives one reference back, and the memory with the last one.
    ///
    /// # Safety
    /// The caller holds that reference. The children and their memory are gone if it is the set's.
    unsafe fn release(this: *mut Self) {
        // SAFETY: alive until the reference is given back.
        let Self { word, lifetime, .. } = unsafe { &*this };
        lifetime.used();
        // Ordering: AcqRel. Release: what this holder did with the chunk is over; Acquire: the last holder sees that of
        // every other, through the release sequence of RMWs.
        if word.fetch_sub(ONE, Ordering::AcqRel) / ONE != 1 {
            return;
        }
        lifetime.over();
        // SAFETY: made by `Box::into_raw`, and the last reference is gone, nobody else looks.
        drop(unsafe { Box::from_raw(this.cast::<Chunk>()) });
    }

    /// Marks `slot` ready; the first mark queues the chunk.
    ///
    /// # Safety
    /// `this` is alive for the time of the call, and points to the whole chunk.
    unsafe fn wake(this: *mut Self, slot: usize) {
        // SAFETY: alive as the caller promises.
        let header = unsafe { &*this };
        header.lifetime.used();
        // Ordering: AcqRel. Release: what happened before the wake is seen by the poll after `clear`, also if this bit was
        // set already. Acquire: pairs with `clear`, whose owner has done with `next_ready` before we write it.
        if header.word.fetch_or(1 << slot, Ordering::AcqRel) & READY == 0 {
            header.stack.push(this);
        }
    }

    /// The slots that woke, of a chunk that was taken from the stack.
    pub(super) fn ready(&self) -> Slots {
        // Ordering: Relaxed. The bit that had the chunk queued is seen, by way of the stack; others
        // may be.
        (self.word.load(Ordering::Relaxed) & READY) as Slots
    }

    /// Takes the ready bits. The chunk must have been taken from the stack since it was last cleared: while the bits stand
    /// nobody queues it a second time.
    #[inline]
    pub(super) fn clear(&self) -> Slots {
        // Ordering: AcqRel. Acquire: pairs with every `wake` whose bit is taken, the child sees what happened before.
        // Release: pairs with the `wake` that queues the chunk next.
        (self.word.fetch_and(!READY, Ordering::AcqRel) & READY) as Slots
    }

    /// Sees to it that no wake queues the chunk any more, unless one has: then `false`, and it comes by the stack.
    pub(super) fn retire(&self) -> bool {
        // Ordering: Relaxed. Nothing is handed over: who wakes later finds a bit set and goes away, and giving the reference
        // back synchronizes with whoever frees the memory.
        self.word.fetch_or(READY, Ordering::Relaxed) & READY == 0
    }
}

#[cfg(all(test, not(aiter_loom)))]
mod tests {
    use super::*;
    use crate::ready_set::ready_stack::Owner;
    use crate::test_support::panic_of;

    /// Where words have 32 bits, so many wakers can be made, and forgotten.
    #[test]
    fn wakers_that_could_not_be_counted_are_not_made() {
        let owner = Owner::new();
        let child = Layout::new::<u8>();
        let chunk = Chunk::new(1, child, owner.stack().clone());
        // SAFETY: alive until the end.
        let header = unsafe { &(*chunk).header };
        // SAFETY: the chunk outlives it.
        let waker = unsafe { lend(tag(chunk, 0)) };
        let most = MOST / ONE * ONE;
        header.word.fetch_add(most - ONE, Ordering::Relaxed);
        // The last one that there is room for.
        drop(Waker::clone(&waker));
        let last = Waker::clone(&waker);
        let said = panic_of(|| Waker::clone(&waker));
        assert_eq!(said, "too many wakers of one chunk");
        drop(last);
        assert_eq!(header.word.load(Ordering::Relaxed), most);
        waker.wake_by_ref();
        assert_eq!(header.clear(), 1);
        header.word.fetch_sub(most - ONE, Ordering::Relaxed);
        drop(owner);
        // SAFETY: the one reference that is left; there is no child.
        unsafe { Chunk::let_go(chunk, child) };
    }
}
