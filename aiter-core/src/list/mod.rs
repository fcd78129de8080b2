//! The lock-free push list: an unbounded queue of blocks that any number of writers extend and any number of readers
//! follow, each at a pace of its own.
//!
//! A ladder, one concern a rung: [`block`] (slots and their marks) ← this file (tail, reclamation) ← [`retired`] and [`cursor`]
//! (a place in the chain, and what is left behind it) ← [`reader`] and [`writer`] (the handles). `docs/DESIGN.md` has the states, the orderings and the
//! arguments; comments here name each access's partner.
#![allow(unsafe_code)]

mod block;
mod cursor;
mod drain;
mod free_list;
mod kept;
#[cfg(all(test, aiter_loom))]
mod loom;
mod peek;
mod reader;
mod retired;
#[cfg(all(test, not(aiter_loom)))]
mod tests;
mod writer;

pub(crate) use peek::Peek;
pub(crate) use reader::Reader;
pub(crate) use writer::Writer;

use crate::{
    Statistics,
    sync::{Arc, AtomicPtr, AtomicUsize, Ordering::*, fence},
    wait::{
        demand::Demand,
        notify::WakeSource,
        registry::Registry,
        spin::{AdaptiveSpin, Pushing, Reading},
    },
};
use alloc::alloc::handle_alloc_error;
use block::{
    Block, FIRST, FIRST_TAIL, FLAGS, Head, Next, Position, Tail, UNOBSERVED, ahead, as_tail,
    counted, distance, on_by, on_tail, to_reserved, to_tail,
};
use core::{
    marker::PhantomPinned,
    mem,
    ptr::{self, NonNull},
    task::{Context, Poll},
};
use drain::Drain;
use free_list::FreeList;
use kept::Kept;
use retired::free_from;

/// Flag in the tail word: no slot is reserved any more.
const CLOSED: usize = 1;
/// Flag in the tail word: readers may sleep that found nothing reserved.
const ASLEEP: usize = 2;

/// `end` of a list that has none yet.
const UNKNOWN: Tail = 1;

/// How a reader takes an item that it clones. What forks are asked for, `T: Clone`, is not known where they are polled: so
/// they find the function here, with the clone compiled into it.
type CloneNext<T> = unsafe fn(&mut Reader<T>) -> T;
/// How it comes to an item that it does not know of yet, for the same reason; or has the task woken when there is one.
type Find<T> = fn(&mut Reader<T>, Option<&mut Context<'_>>) -> Poll<Option<T>>;

/// What all handles of a list share, in an order that keeps writers and readers out of each other's cache lines, wherever the
/// list begins: what changes with each push, or each item taken, is 64 bytes away from what the other side looks at as often.
#[repr(C)]
pub(crate) struct List<T> {
    /// The next slot to be reserved, [`CLOSED`] and [`ASLEEP`].
    tail: AtomicUsize,
    /// A block near the tail: where writers start to look for theirs.
    tail_block: AtomicPtr<Head<T>>,
    /// Slots published without an item, in all.
    skipped: AtomicUsize,
    /// The tail where the list ended, soon after `CLOSED`, and [`UNKNOWN`] before; see
    /// [`List::statistics`].
    end: AtomicUsize,
    /// Live writers. The last one closes the list.
    writers: AtomicUsize,
    /// Slots of batches that are reserved, and may not be published yet.
    promised: AtomicUsize,

    drain: Drain<T>,
    /// Live readers. The last one closes the list.
    readers: AtomicUsize,
    /// A [`CloneNext`], from the first fork on.
    clone: AtomicPtr<()>,
    /// A [`Find`].
    find: AtomicPtr<()>,
    root: Head<T>,
    /// Who is to know when the last reader is gone.
    driver: Option<WakeSource<Demand>>,

    registry: Registry,
    kept: Kept,
    free_list: FreeList<T>,
    /// Whether it pays for a reader to look again before it sleeps, and for a writer to pause when it meets another.
    spin: AdaptiveSpin<Reading>,
    pushing: AdaptiveSpin<Pushing>,
    /// Blocks point to the root, also when the list is dropped: its `&mut` is not the only way there.
    _pinned: PhantomPinned,
}

#[cfg(target_pointer_width = "64")]
const _: () = {
    const LINE: usize = 64;
    let tail = mem::offset_of!(List<u64>, tail);
    let registry = mem::offset_of!(List<u64>, registry);
    assert!(tail + LINE <= mem::offset_of!(List<u64>, readers));
    assert!(tail + LINE <= registry && Registry::SPAN >= LINE);
};

// SAFETY: items are moved between threads (`T: Send`), and shared only through readers, whose own bounds answer for it:
// forking asks for `T: Sync`. All else is atomics.
unsafe impl<T: Send> Send for List<T> {}
// SAFETY: as above.
unsafe impl<T: Send> Sync for List<T> {}

/// A list with its first two handles.
pub(crate) fn list<T>() -> (Writer<T>, Reader<T>) {
    list_for(None)
}

/// A list that sounds the alarm when its last reader is gone.
pub(crate) fn list_for<T>(driver: Option<WakeSource<Demand>>) -> (Writer<T>, Reader<T>) {
    let list = List::new(driver);
    (Writer::new(list.clone()), Reader::first(list))
}

impl<T> List<T> {
    /// A list that counts its first two handles, which the caller makes.
    fn new(driver: Option<WakeSource<Demand>>) -> Arc<Self> {
        fence::prepare();
        let list = Arc::new(Self {
            tail: AtomicUsize::new(FIRST_TAIL),
            tail_block: AtomicPtr::new(ptr::null_mut()),
            skipped: AtomicUsize::new(0),
            end: AtomicUsize::new(UNKNOWN),
            writers: AtomicUsize::new(1),
            promised: AtomicUsize::new(0),
            pushing: AdaptiveSpin::new(),
            readers: AtomicUsize::new(1),
            clone: AtomicPtr::new(ptr::null_mut()),
            find: AtomicPtr::new(Reader::<T>::find_alone as Find<T> as *mut ()),
            drain: Drain::new(),
            root: Head::root(),
            driver,
            registry: Registry::new(FIRST),
            kept: Kept::new(),
            free_list: FreeList::new(),
            spin: AdaptiveSpin::new(),
            _pinned: PhantomPinned,
        });
        list.tail_block.store(list.root().as_ptr(), Relaxed);
        list
    }

    fn root(&self) -> NonNull<Head<T>> {
        NonNull::from(&self.root)
    }

    /// Finds the block of a slot that was reserved, and the slot in it. Blocks on the way are made
    /// if need be; nobody is waited for.
    ///
    /// # Safety
    /// `len` slots from there on were reserved by the caller, with this tail word, and are not
    /// published yet: that keeps their blocks, and every block the way leads over, from being
    /// freed. The closer has no slot to fill: for it `len` is 0.
    #[inline(always)]
    unsafe fn locate(&self, reserved: Tail, len: usize) -> (NonNull<Block<T>>, usize) {
        // Ordering: Acquire pairs with the Release in `advance_tail`: the block is seen whole.
        let at = self.tail_block.load(Acquire);
        // SAFETY: reserved before `tail_block` was read, so `observed_tail` keeps the block (see `reclaim`).
        let head = unsafe { &*at };
        head.lifetime.used();
        let slot = to_reserved(head.start, reserved);
        if (0..Block::<T>::LEN as isize).contains(&slot) {
            // SAFETY: not null; and a head with a slot in reach is that of a block, as the root's are all taken.
            return (unsafe { NonNull::new_unchecked(at) }.cast(), slot as usize);
        }
        // SAFETY: by the contract.
        unsafe { self.locate_far(at, reserved, len) }
    }

    /// Walks from the tail block, as [`locate_from`](Self::locate_from).
    ///
    /// # Safety
    /// As in `locate`.
    #[cold]
    #[inline(never)]
    unsafe fn locate_far(
        &self,
        at: *mut Head<T>,
        reserved: Tail,
        len: usize,
    ) -> (NonNull<Block<T>>, usize) {
        // SAFETY: as in `locate`.
        let start = unsafe { &*at }.start;
        let position = ahead(start, to_reserved(start, reserved) as usize);
        // SAFETY: by the contract.
        unsafe { self.locate_from(at, position, len) }
    }

    /// Walks from a block to that of a position.
    ///
    /// # Safety
    /// As in `locate`. The block is the tail block as it was after the reservation, or one that had a slot of the same reservation.
    #[cold]
    unsafe fn locate_from(
        &self,
        mut at: *mut Head<T>,
        position: Position,
        len: usize,
    ) -> (NonNull<Block<T>>, usize) {
        loop {
            // SAFETY: `observed_tail` keeps the tail block, and what is between it and the position (see `reclaim`).
            let head = unsafe { &*at };
            head.lifetime.used();
            let slot = distance(head.start, position);
            if slot < 0 {
                at = head.prev.load(Relaxed);
            } else if (slot as usize) < Block::<T>::LEN {
                // SAFETY: as in `locate`.
                return (unsafe { NonNull::new_unchecked(at) }.cast(), slot as usize);
            } else {
                // SAFETY: not null, as it was just looked at.
                let block = unsafe { NonNull::new_unchecked(at) };
                // SAFETY: kept as above.
                at = unsafe { self.follow(block, position, len) }.cast().as_ptr();
            }
        }
    }

    /// The block after that of `at`, made if need be; and moves the tail block there. It takes the pointer and not a
    /// reference to the head, which would not reach the rest of the block.
    ///
    /// # Safety
    /// The block is kept by a slot of the caller's.
    #[cold]
    unsafe fn follow(
        &self,
        at: NonNull<Head<T>>,
        position: Position,
        len: usize,
    ) -> NonNull<Block<T>> {
        // SAFETY: by the contract.
        let head = unsafe { at.as_ref() };
        let next = match head.next() {
            Next::Block(next) => next,
            _ => {
                let fresh = self.fresh_block(at);
                match head.link(fresh) {
                    Ok(()) => fresh,
                    Err(other) => {
                        // SAFETY: `fresh` was not linked and holds nothing.
                        unsafe { self.recycle(fresh) };
                        other
                    }
                }
            }
        };
        self.advance_tail(head, next, position, len);
        next
    }

    /// Moves the tail block on, for a writer with `len` slots from a position on, the next it has to publish.
    fn advance_tail(
        &self,
        head: &Head<T>,
        next: NonNull<Block<T>>,
        position: Position,
        len: usize,
    ) {
        // Only compared, never stored.
        let from = ptr::from_ref(head).cast_mut();
        let to = next.cast().as_ptr();
        // Ordering: Release publishes the block to the Acquire in `locate`.
        if self
            .tail_block
            .compare_exchange(from, to, Release, Relaxed)
            .is_ok()
        {
            // Ordering: a read-modify-write, in one order with the reservations, and Release pairs with the Acquire of those
            // that come after it: they find the tail block moved on. So whoever finds `head` as the tail block holds a slot
            // before `observed_tail`.
            let mut tail = self.tail.fetch_add(0, Release);
            let is_closed = tail & CLOSED != 0;
            if is_closed {
                // Refused pushes have moved the tail on since. The closer says where the list
                // ended.
                tail = self.end.load(Relaxed);
                if tail == UNKNOWN {
                    // The closer has yet to say so. The block stays until the list is dropped.
                    return;
                }
            }
            let reserved = to_tail(position, tail) as usize;
            // Of a batch the caller's next slot is enough, if nobody has reserved after it: those
            // before are published, and the caller is past `head`, when that is. Else the blocks of
            // a batch would stay until all of it is read. In a list that was closed this does not
            // do: the closer has the slot after the batch, and may be at `head`.
            let is_next = reserved == len && !is_closed;
            let observed_tail = ahead(position, if is_next { 1 } else { reserved });
            // Ordering: Relaxed, see `reclaim`. It is stored before the caller publishes its own slot, or links the block
            // of its own slot when it closes the list.
            head.observed_tail.store(observed_tail, Relaxed);
        }
    }

    fn fresh_block(&self, prev: NonNull<Head<T>>) -> NonNull<Block<T>> {
        if !self.kept.one_more() {
            handle_alloc_error(Block::<T>::LAYOUT);
        }
        if let Some(spare) = self.free_list.take() {
            // SAFETY: a spare block holds nothing, and it is ours.
            unsafe { Block::reset(spare, prev) };
            return spare;
        }
        Block::after(prev)
    }

    /// Keeps the block for later, or frees it.
    ///
    /// # Safety
    /// Nobody else can reach the block, and it holds no items.
    unsafe fn recycle(&self, block: NonNull<Block<T>>) {
        // SAFETY: by the contract.
        unsafe { block.cast::<Head<T>>().as_ref() }.lifetime.over();
        self.kept.one_less();
        // SAFETY: by the contract.
        unsafe { self.free_list.put(block) };
    }

    /// Frees the retired blocks before `head` that no writer can be in: those whose `observed_tail` has been passed.
    ///
    /// A writer in such a block reserved a slot before `observed_tail` and has not published it; no reader passes it.
    ///
    /// # Safety
    /// Only the caller is in `head` or retires it; every slot of the list before `passed` was seen published.
    #[inline(never)]
    unsafe fn reclaim(&self, head: NonNull<Head<T>>, passed: Position) {
        // SAFETY: the caller keeps `head`.
        let mut link = unsafe { &head.as_ref().prev };
        // The latest first: while it has to stay, looking at all others each time would cost more than they do.
        let is_passed = |retired: NonNull<Head<T>>| {
            // SAFETY: a retired block is freed here alone. Ordering: Relaxed. Every writer that was in the block, the one that
            // stored this too, had a slot before `observed_tail`, and published it (Release) after it was done with the block. All
            // slots before `passed` were seen published (Acquire).
            let observed_tail = unsafe { retired.as_ref() }.observed_tail.load(Relaxed);
            observed_tail != UNOBSERVED && distance(observed_tail, passed) >= 0
        };
        if !NonNull::new(link.load(Relaxed)).is_some_and(is_passed) {
            return;
        }
        while let Some(retired) = NonNull::new(link.load(Relaxed)) {
            // SAFETY: a retired block is freed here alone.
            let block = unsafe { retired.as_ref() };
            if !is_passed(retired) {
                link = &block.prev;
                continue;
            }
            link.store(block.prev.load(Relaxed), Relaxed);
            if retired != self.root() {
                // SAFETY: no reader is there, no writer can be, and it was unlinked; its items went when it retired.
                unsafe { self.recycle(retired.cast()) };
            }
        }
    }

    /// Frees all retired blocks before `head`.
    ///
    /// # Safety
    /// No writer is left, and nobody else is in `head`.
    unsafe fn reclaim_all(&self, head: &Head<T>) {
        let mut next = head.prev.swap(ptr::null_mut(), Relaxed);
        while let Some(retired) = NonNull::new(next) {
            // SAFETY: a retired block is freed here alone, or by `reclaim`.
            next = unsafe { retired.as_ref() }.prev.load(Relaxed);
            if retired != self.root() {
                // SAFETY: no reader or writer can be there, and its items went when it retired.
                unsafe { Block::<T>::free(retired.cast()) };
            }
        }
    }

    /// Closes the list at the tail. Items reserved before are still delivered, then the end. True for who does it.
    fn close(&self) -> bool {
        let Some(tail) = self.close_tail() else {
            return false;
        };
        // SAFETY: the slot at the tail is the closer's: whoever else was given it was refused.
        unsafe { self.publish_end(tail) };
        self.wake_after(tail);
        true
    }

    /// Has all that come later refused. The tail, with its flags, for who does it.
    fn close_tail(&self) -> Option<Tail> {
        // Ordering: in one order with the reservations: who reserves before is delivered, who comes after is refused.
        let tail = self.tail.fetch_or(CLOSED, AcqRel);
        if tail & CLOSED != 0 {
            return None;
        }
        self.end.store(tail & !FLAGS, Relaxed);
        Some(tail)
    }

    /// Where the list ended. Before that is known, the tail: of a list that is open; or was closed
    /// just now, and then pushes that were refused may count for a moment.
    fn end_or(&self, tail: Tail) -> Tail {
        match self.end.load(Relaxed) {
            UNKNOWN => tail,
            end => end,
        }
    }

    /// Publishes the end in the slot at the tail.
    ///
    /// # Safety
    /// As in [`List::locate`].
    unsafe fn publish_end(&self, tail: Tail) {
        // Ordering: as in `locate`.
        let tail_block = self.tail_block.load(Acquire);
        // SAFETY: reserved before `tail_block` was read, so `observed_tail` keeps the block.
        let head = unsafe { &*tail_block };
        head.lifetime.used();
        // No block for the end alone: it may well be the end of a list that never held an item.
        if to_reserved(head.start, tail) == Block::<T>::LEN as isize && head.end_here().is_ok() {
            return;
        }
        // SAFETY: the caller's slot.
        let (block, slot) = unsafe { self.locate(tail, 0) };
        // SAFETY: kept by the unpublished slot.
        unsafe { block.as_ref() }.publish_end(slot);
    }

    /// Wakes those who wait for slots that were just published: `reserved` is the tail word they were reserved with.
    #[inline(always)]
    fn wake_after(&self, reserved: Tail) {
        // Ordering: between the publication and the look at who sleeps at a gap; pairs with the heavy halves in
        // `Reader::sleep_at_gap` and `Run::is_parked`: either they see what was published, or they are seen here.
        fence::light();
        if reserved & ASLEEP != 0 || self.registry.any_at_gap() {
            self.wake(reserved);
        }
    }

    /// The same after a push of one item. Every eighth also looks whether it has met another writer: to load the tail just after
    /// it was exchanged costs as much as half of the exchange on some processors.
    #[inline(always)]
    fn wake_after_push(&self, reserved: Tail) {
        // Ordering: as in `wake_after`.
        fence::light();
        if reserved & ASLEEP != 0 || self.registry.any_at_gap() || on_by(0, reserved) % 8 == 7 {
            self.look_around(reserved);
        }
    }

    /// Both looks in one call: a second one in each push had the loops around it compiled worse.
    #[inline(never)]
    fn look_around(&self, reserved: Tail) {
        if reserved & ASLEEP != 0 || self.registry.any_at_gap() {
            self.wake(reserved);
        } else {
            self.meet(reserved);
        }
    }

    /// Pauses if another writer pushes at the same time, and if pauses have paid lately.
    #[cold]
    fn meet(&self, reserved: Tail) {
        // Ordering: Relaxed, a hint.
        let on = || on_by(reserved, self.tail.load(Relaxed));
        // Else a reader has just gone to sleep.
        if on() != 1 {
            self.pushing.spin_until(|| on() > 17);
        }
    }

    #[inline(never)]
    fn wake(&self, reserved: Tail) {
        self.run_drain(reserved);
        self.wake_readers(reserved);
    }

    #[inline(always)]
    fn wake_readers(&self, reserved: Tail) {
        if !self.registry.wake_only() {
            self.wake_each(reserved);
        }
    }

    #[inline(never)]
    fn wake_each(&self, reserved: Tail) {
        let slot = reserved & !FLAGS;
        if !self.registry.wake_at(slot) && reserved & ASLEEP != 0 {
            self.clear_asleep(slot);
        }
    }

    /// Clears the flag, as no reader waits for this slot: those that set it have been woken
    /// already.
    #[cold]
    fn clear_asleep(&self, slot: Tail) {
        // Ordering: Acquire pairs with the Release of the readers that set the flag before: their seats are seen. Writers that
        // reserve after this do not know of those, so all from this slot on are woken here. Nothing of this writer's is told.
        self.tail.fetch_and(!ASLEEP, Acquire);
        self.registry.wake_from(slot);
    }

    /// From here on there may be several readers.
    fn allow_clones(&self)
    where
        T: Clone,
    {
        let clone: CloneNext<T> = Reader::pass_next;
        let find: Find<T> = Reader::find_among_others;
        // Ordering: Relaxed, they are functions, and nothing comes with them. A reader learns that it is not alone from a seat
        // claimed after this (Acquire), or from `readers` (Acquire), and then it finds them.
        self.clone.store(clone as *mut (), Relaxed);
        self.find.store(find as *mut (), Relaxed);
    }

    /// How a reader that is not alone takes an item that it is not the last to read.
    #[inline(always)]
    fn clone_next(&self) -> CloneNext<T> {
        // Ordering: Relaxed, see `allow_clones`.
        let clone = self.clone.load(Relaxed);
        debug_assert!(
            !clone.is_null(),
            "a second reader was made by `allow_clones`"
        );
        // SAFETY: there is another reader, so the pointer was stored, from a function of this type.
        unsafe { mem::transmute::<*mut (), CloneNext<T>>(clone) }
    }

    #[inline(always)]
    fn find(&self) -> Find<T> {
        // Ordering: Relaxed, see `allow_clones`. A reader that has not heard of another one finds either, and either will do.
        let find = self.find.load(Relaxed);
        // SAFETY: what is stored there are functions of this type.
        unsafe { mem::transmute::<*mut (), Find<T>>(find) }
    }

    /// No item is taken any more: the list was stopped, or has no reader left.
    pub(crate) fn is_closed(&self) -> bool {
        self.tail.load(Acquire) & CLOSED != 0
    }

    pub(crate) fn statistics(&self) -> Statistics {
        // Ordering: Acquire pairs with the Release of those who count a slot: the tail is seen past it.
        let skipped = self.skipped.load(Acquire);
        // Ordering: Relaxed, the Acquire above has the tail seen past each slot that is counted.
        let tail = self.end_or(self.tail.load(Relaxed));
        let mut lags = None;
        self.registry.each(|position, passed| {
            // Not negative but for a reader that moved on since the tail was looked at.
            let lag = to_tail(position, tail) - skipped.wrapping_sub(passed) as isize;
            let lag = lag.max(0) as usize;
            let (least, most) = lags.unwrap_or((lag, lag));
            lags = Some((lag.min(least), lag.max(most)));
        });
        let (waiting, lag) = lags.unwrap_or_default();
        // Both wrap, and the tail does so before the other.
        let pushed = counted(on_by(FIRST_TAIL, tail).wrapping_sub(skipped));
        Statistics {
            pushed,
            taken: pushed.saturating_sub(waiting),
            waiting,
            lag,
        }
    }
}

impl<T> Drop for List<T> {
    fn drop(&mut self) {
        // SAFETY: nobody else is left.
        if let Some(front) = unsafe { self.drain.take() } {
            // SAFETY: the orphan keeps its block.
            let head = unsafe { front.as_ref() };
            // SAFETY: nobody is left who could be in a block before this one.
            unsafe { self.reclaim_all(head) };
            // SAFETY: nor in one after it.
            unsafe { free_from(self, front) };
        }
    }
}
