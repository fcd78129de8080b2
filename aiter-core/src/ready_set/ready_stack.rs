//! The head of a set: the stack of chunks that woke, the owner's sleep, and the waker of the task that polls the set.
//!
//! # One word
//!
//! | `stack` | meaning | a wake that pushes |
//! |---|---|---|
//! | null | the owner is awake, nothing woke | puts its chunk there |
//! | a chunk | the owner is awake or being woken | puts its chunk on top |
//! | a record, tagged `PARKED` | the owner sleeps; the record holds its waker | replaces it by its chunk: it *claimed* the record, and wakes |
//!
//! Only the owner parks (null → record), takes the stack (→ null) and unparks (record → null). Each of these and each push is
//! one RMW on this word, so a push either is seen by the owner before it sleeps, or sees that it sleeps: no wake is lost.
//!
//! # Records
//!
//! A record may be read by the pusher that claimed it long after the owner went on. The owner counts the claims *begun* (it
//! finds a chunk where it left a record), the pushers the claims *ended*. While the two differ the waker in the record
//! must stay; a changed waker then goes into another record, and nobody waits. There are never more records than
//! threads inside a wake, plus one.
use super::chunk::Header;
use crate::{
    sync::{Arc, AtomicPtr, AtomicUsize, Ordering, UnsafeCell},
    wait::task::TaskId,
};
use alloc::boxed::Box;
use core::{ptr, task::Waker};

const PARKED: usize = 1;

#[repr(align(2))]
struct ParkSlot {
    waker: UnsafeCell<Option<Waker>>,
    /// Claims ended. Written by pushers. It may wrap, as `begun` does: the two are only compared, and are apart by as many as there
    /// are threads inside a wake.
    ended: AtomicUsize,
    /// Claims begun. The owner's alone.
    begun: UnsafeCell<usize>,
    next: *mut ParkSlot,
}

fn park_mark(park_slot: *mut ParkSlot) -> *mut Header {
    park_slot.map_addr(|address| address | PARKED).cast()
}

fn is_parked(top: *mut Header) -> bool {
    top.addr() & PARKED != 0
}

/// What wakers share with the owner; each chunk holds it.
pub(super) struct ReadyStack {
    stack: AtomicPtr<Header>,
    /// All records, for the last to leave. Written by the owner alone.
    park_slots: UnsafeCell<*mut ParkSlot>,
}

// SAFETY: the records are the owner's, and of a pusher those it claimed; wakers are `Send` and `Sync`.
unsafe impl Send for ReadyStack {}
// SAFETY: as above.
unsafe impl Sync for ReadyStack {}

impl ReadyStack {
    /// Puts a chunk on the stack, and wakes the owner if it sleeps. Lock-free: tries again only if another push succeeded.
    pub(super) fn push(&self, chunk: *mut Header) {
        // Ordering: Relaxed, the exchange below tells whether it still holds.
        let mut top = self.stack.load(Ordering::Relaxed);
        loop {
            let next_ready = if is_parked(top) { ptr::null_mut() } else { top };
            // SAFETY: the caller keeps the chunk for the time of the call.
            let link = unsafe { &(*chunk).next_ready };
            // SAFETY: ours alone until the exchange succeeds: we set the first ready bit.
            link.with_mut(|link| unsafe { *link = next_ready });
            // Ordering: AcqRel. Release: `take` sees the link. Acquire: pairs with `park`, the waker is there to be read.
            // Relaxed on failure: only the value counts.
            match self
                .stack
                .compare_exchange_weak(top, chunk, Ordering::AcqRel, Ordering::Relaxed)
            {
                Ok(_) => break,
                Err(now) => top = now,
            }
        }
        if is_parked(top) {
            let park_slot: *mut ParkSlot = top.map_addr(|address| address & !PARKED).cast();
            // SAFETY: records live as long as the head, which the caller's chunk holds.
            let _end = Claim(unsafe { &(*park_slot).ended });
            // SAFETY: as above.
            let waker = unsafe { &(*park_slot).waker };
            // SAFETY: the claim is ours and not ended: the owner leaves the waker alone.
            waker.with(|waker| unsafe { (*waker).as_ref() }.map(Waker::wake_by_ref));
        }
    }
}

/// Ends a claim, also if the waker panics.
struct Claim<'a>(&'a AtomicUsize);

impl Drop for Claim<'_> {
    fn drop(&mut self) {
        // Ordering: Release, pairs with the owner's load in `is_quiet`: the waker is no longer read.
        self.0.fetch_add(1, Ordering::Release);
    }
}

impl Drop for ReadyStack {
    fn drop(&mut self) {
        // SAFETY: nobody else is left.
        ParkSlots(self.park_slots.with(|first| unsafe { *first })).free();
    }
}

/// Records that are nobody else's any more. Goes on with the others when the drop of a waker panics.
struct ParkSlots(*mut ParkSlot);

impl ParkSlots {
    fn free(&mut self) {
        while !self.0.is_null() {
            // SAFETY: made by `Box::into_raw`, and in no other list.
            let park_slot = unsafe { Box::from_raw(self.0) };
            self.0 = park_slot.next;
        }
    }
}

impl Drop for ParkSlots {
    fn drop(&mut self) {
        self.free();
    }
}

/// The owner's side of the head.
pub(super) struct Owner {
    stack: Arc<ReadyStack>,
    /// The record used last; null before the first sleep.
    park_slot: *mut ParkSlot,
    /// The record was left on the stack, and was not yet seen to be gone.
    parked: bool,
    /// Whose waker it slept with last.
    task: TaskId,
}

impl Owner {
    pub(super) fn new() -> Self {
        Self {
            stack: Arc::new(ReadyStack {
                stack: AtomicPtr::new(ptr::null_mut()),
                park_slots: UnsafeCell::new(ptr::null_mut()),
            }),
            park_slot: ptr::null_mut(),
            parked: false,
            task: TaskId::NONE,
        }
    }

    pub(super) fn stack(&self) -> &Arc<ReadyStack> {
        &self.stack
    }

    /// Whether something woke.
    #[inline]
    pub(super) fn has_woken(&self) -> bool {
        // Ordering: Relaxed, whoever acts on it takes the stack or parks, which synchronize.
        let top = self.stack.stack.load(Ordering::Relaxed);
        !top.is_null() && !is_parked(top)
    }

    /// Takes what woke, last first, linked by `next_ready`. To be called only if something [`has_woken`](Self::has_woken).
    pub(super) fn take(&mut self) -> *mut Header {
        // Ordering: Acquire, pairs with every push on the stack: their links are seen.
        let top = self.stack.stack.swap(ptr::null_mut(), Ordering::Acquire);
        if self.parked {
            self.parked = false;
            if is_parked(top) {
                return ptr::null_mut();
            }
            self.count_claim();
        }
        top
    }

    /// The record that was left on the stack is gone from there.
    fn count_claim(&mut self) {
        // SAFETY: it was parked, so there is a record.
        let begun = unsafe { &(*self.park_slot).begun };
        begun.with_mut(|begun| {
            // SAFETY: the owner's alone.
            let begun = unsafe { &mut *begun };
            *begun = begun.wrapping_add(1);
        });
    }

    /// Goes to sleep with `waker` to be woken. `false` if something woke first: then the caller takes it.
    pub(super) fn park(&mut self, waker: &Waker) -> bool {
        self.task = TaskId::of(waker);
        let same = self.has(waker);
        if self.parked {
            let mark = park_mark(self.park_slot);
            if same {
                // Ordering: Relaxed. If the mark is there, the next push finds it; else the caller takes the stack.
                return self.stack.stack.load(Ordering::Relaxed) == mark;
            }
            let stack = &self.stack.stack;
            // Ordering: Relaxed. On success nobody has claimed the record, and the next park publishes what follows.
            if stack
                .compare_exchange(mark, ptr::null_mut(), Ordering::Relaxed, Ordering::Relaxed)
                .is_err()
            {
                return false;
            }
            self.parked = false;
        }
        // A waker that is let go may run foreign code: not before all is in order.
        let _old = if same {
            None
        } else {
            self.remember(waker.clone())
        };
        let mark = park_mark(self.park_slot);
        // Ordering: Release, pairs with the push that finds the mark: it sees the waker. Relaxed on failure: the caller takes.
        self.parked = self
            .stack
            .stack
            .compare_exchange(ptr::null_mut(), mark, Ordering::Release, Ordering::Relaxed)
            .is_ok();
        self.parked
    }

    /// Lets go the waker that it slept with last, unless that is for the task of this one.
    #[inline(always)]
    pub(super) fn forget_for(&mut self, waker: &Waker) {
        if self.task.is_another(waker) {
            self.forget();
        }
    }

    /// Lets go the waker that it slept with last, and all before, but for those that are being
    /// called: they go another time.
    #[cold]
    #[inline(never)]
    pub(super) fn forget(&mut self) {
        if self.task == TaskId::NONE {
            return;
        }
        if self.parked {
            let mark = park_mark(self.park_slot);
            // Ordering: Relaxed, as in `park`.
            let unparked = self.stack.stack.compare_exchange(
                mark,
                ptr::null_mut(),
                Ordering::Relaxed,
                Ordering::Relaxed,
            );
            self.parked = false;
            if unparked.is_err() {
                self.count_claim();
            }
        }
        if self.is_clear() {
            self.task = TaskId::NONE;
        }
    }

    /// Drops the wakers that nobody is reading. False if there are others.
    fn is_clear(&self) -> bool {
        let mut all = true;
        // SAFETY: the owner alone writes the list.
        let mut park_slot = self.stack.park_slots.with(|first| unsafe { *first });
        while !park_slot.is_null() {
            if Self::is_quiet(park_slot) {
                // SAFETY: records live as long as the head.
                let held = unsafe { &(*park_slot).waker };
                // SAFETY: no claim is open, and none can begin: the record is not on the stack.
                drop(held.with_mut(|held| unsafe { (*held).take() }));
            } else {
                all = false;
            }
            // SAFETY: records live as long as the head.
            park_slot = unsafe { (*park_slot).next };
        }
        all
    }

    /// Whether the record used last holds `waker`.
    fn has(&self, waker: &Waker) -> bool {
        if self.park_slot.is_null() {
            return false;
        }
        // SAFETY: records live as long as the head.
        let held = unsafe { &(*self.park_slot).waker };
        // SAFETY: only the owner writes it, and lends it to nobody who does.
        held.with(|held| unsafe { (*held).as_ref() }.is_some_and(|held| held.will_wake(waker)))
    }

    /// Puts `waker` in a record that nobody reads, and makes it the one to use. Gives back what that held.
    fn remember(&mut self, waker: Waker) -> Option<Waker> {
        // SAFETY: the owner alone writes the list, and it is not yet gone.
        let first = self.stack.park_slots.with(|first| unsafe { *first });
        let mut park_slot = first;
        while !park_slot.is_null() {
            if Self::is_quiet(park_slot) {
                self.park_slot = park_slot;
                // SAFETY: records live as long as the head.
                let held = unsafe { &(*park_slot).waker };
                // SAFETY: no claim is open and the record is not on the stack: nobody else reads it.
                return held.with_mut(|held| unsafe { (*held).replace(waker) });
            }
            // SAFETY: records live as long as the head.
            park_slot = unsafe { (*park_slot).next };
        }
        self.park_slot = Box::into_raw(Box::new(ParkSlot {
            waker: UnsafeCell::new(Some(waker)),
            ended: AtomicUsize::new(0),
            begun: UnsafeCell::new(0),
            next: first,
        }));
        // SAFETY: the owner alone writes the list.
        self.stack
            .park_slots
            .with_mut(|first| unsafe { *first = self.park_slot });
        None
    }

    /// Whether every claim of a record has ended.
    fn is_quiet(park_slot: *mut ParkSlot) -> bool {
        // SAFETY: records live as long as the head.
        let begun = unsafe { &(*park_slot).begun };
        // SAFETY: the owner's alone.
        let begun = begun.with(|begun| unsafe { *begun });
        // SAFETY: as above.
        let ended = unsafe { &(*park_slot).ended };
        // Ordering: Acquire, pairs with the end of each claim: its reading of the waker is over.
        ended.load(Ordering::Acquire) == begun
    }
}

impl Drop for Owner {
    /// Wakes no one any more, and lets the wakers go that nobody is reading; the rest goes with the head.
    fn drop(&mut self) {
        self.take();
        self.is_clear();
    }
}
