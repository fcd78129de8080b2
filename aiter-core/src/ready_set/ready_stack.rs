//! The stack onto which wakers push what has woken, and the sleep of the owner that takes it.
//!
//! Whatever is pushed has a [`ReadyLink`] as its first field. The stack knows no more of it.
//!
//! # One word
//!
//! | `top` | meaning | a push |
//! |---|---|---|
//! | null | the owner is awake, nothing has woken | stores its link |
//! | a link | the owner is awake, or is being woken | stores its link, which points to the former top |
//! | a park slot, tagged `PARKED` | the owner sleeps, and the park slot holds its waker | replaces the tag by its link: it has *claimed* the park slot, and wakes |
//!
//! Only the owner parks (null → park slot), takes the stack (→ null) and unparks (park slot →
//! null). Each of these, and each push, is one read-modify-write of this word. So a push is either
//! seen by the owner before it sleeps, or sees that the owner sleeps: no wake is lost.
//!
//! # Park slots
//!
//! The pusher that claimed a park slot may read it long after the owner went on. The owner counts
//! the claims that have *begun* (it finds a link where it left a park slot), and pushers count the
//! claims that have *ended*. While the two counts differ, the waker in the park slot has to stay.
//! If the owner's waker changes meanwhile, the new one goes into another park slot, and no thread
//! waits. There are never more park slots than threads inside a wake, plus one.
use crate::{
    sync::{Arc, AtomicPtr, AtomicUsize, Ordering, UnsafeCell},
    wait::task::TaskId,
};
use alloc::boxed::Box;
use core::{mem, ptr, task::Waker};

const PARKED: usize = 1;

/// The link of what can be pushed. Has to be the first field of it.
pub(super) struct ReadyLink {
    /// What was pushed before this, or null. Belongs to the thread that pushes this, and then to
    /// the owner until this may be pushed again.
    next: UnsafeCell<*mut ReadyLink>,
}

impl ReadyLink {
    pub(super) fn new() -> Self {
        Self {
            next: UnsafeCell::new(ptr::null_mut()),
        }
    }

    /// The link after `this` in a list from [`StackOwner::take`].
    ///
    /// # Safety
    /// `this` is alive and in such a list, and cannot have been pushed again since.
    pub(super) unsafe fn next(this: *mut Self) -> *mut Self {
        // SAFETY: as the caller promises.
        let link = unsafe { &(*this).next };
        // SAFETY: no thread writes the link until it is pushed again.
        link.with(|next| unsafe { *next })
    }
}

#[repr(align(2))]
struct ParkSlot {
    waker: UnsafeCell<Option<Waker>>,
    /// Claims that have ended. Written by pushers. May wrap, as `begun` does: the two are only
    /// compared, and differ by at most the number of threads inside a wake.
    ended: AtomicUsize,
    /// Claims that have begun. Only the owner reaches it.
    begun: UnsafeCell<usize>,
    next: *mut ParkSlot,
}

fn park_tag(park_slot: *mut ParkSlot) -> *mut ReadyLink {
    park_slot.map_addr(|address| address | PARKED).cast()
}

fn is_parked(top: *mut ReadyLink) -> bool {
    top.addr() & PARKED != 0
}

/// What wakers share with the owner. Each chunk holds a reference to it.
pub(super) struct ReadyStack {
    top: AtomicPtr<ReadyLink>,
    /// All park slots, freed with the stack. Written only by the owner.
    park_slots: UnsafeCell<*mut ParkSlot>,
}

// SAFETY: a park slot belongs to the owner, or to the pusher that claimed it; wakers are `Send` and
// `Sync`.
unsafe impl Send for ReadyStack {}
// SAFETY: as above.
unsafe impl Sync for ReadyStack {}

impl ReadyStack {
    /// Pushes a link, and wakes the owner if it sleeps. Lock-free: tries again only if another
    /// push, or the owner, succeeded.
    ///
    /// # Safety
    /// `link` is alive for the time of the call, and until the owner has taken it from the stack or
    /// has been dropped. No other thread pushes it meanwhile.
    pub(super) unsafe fn push(&self, link: *mut ReadyLink) {
        // Ordering: Relaxed, the exchange below validates it.
        let mut top = self.top.load(Ordering::Relaxed);
        loop {
            let below = if is_parked(top) { ptr::null_mut() } else { top };
            // SAFETY: alive as the caller promises.
            let next = unsafe { &(*link).next };
            // SAFETY: only this thread reaches it until the exchange succeeds.
            next.with_mut(|next| unsafe { *next = below });
            // Ordering: AcqRel. Release: `take` sees the link. Acquire: pairs with the Release in
            // `park`, the waker can be read. Relaxed on failure: only the value counts.
            match self
                .top
                .compare_exchange_weak(top, link, Ordering::AcqRel, Ordering::Relaxed)
            {
                Ok(_) => break,
                Err(now) => top = now,
            }
        }
        if is_parked(top) {
            let park_slot: *mut ParkSlot = top.map_addr(|address| address & !PARKED).cast();
            // SAFETY: park slots live as long as the stack, which the caller's reference keeps.
            let _claim = Claim(unsafe { &(*park_slot).ended });
            // SAFETY: as above.
            let waker = unsafe { &(*park_slot).waker };
            // SAFETY: the owner leaves the waker alone until this claim has ended.
            waker.with(|waker| unsafe { (*waker).as_ref() }.map(Waker::wake_by_ref));
        }
    }
}

/// A claim of a park slot. Ends when it is dropped, also if the waker panics.
struct Claim<'a>(&'a AtomicUsize);

impl Drop for Claim<'_> {
    fn drop(&mut self) {
        // Ordering: Release pairs with the owner's load in `is_unclaimed`: the waker is not read
        // any more.
        self.0.fetch_add(1, Ordering::Release);
    }
}

impl Drop for ReadyStack {
    fn drop(&mut self) {
        // SAFETY: this was the last reference.
        ParkSlots(self.park_slots.with(|first| unsafe { *first })).free();
    }
}

/// A list of park slots that no other thread reaches. Frees the rest if the drop of a waker panics.
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

/// The owner's side of the stack.
pub(super) struct StackOwner {
    stack: Arc<ReadyStack>,
    /// The park slot that was used last; null before the first sleep.
    park_slot: *mut ParkSlot,
    /// The park slot was left on the stack, and has not been seen to be replaced.
    parked: bool,
    /// The task whose waker it slept with last.
    task: TaskId,
}

impl StackOwner {
    pub(super) fn new() -> Self {
        Self {
            stack: Arc::new(ReadyStack {
                top: AtomicPtr::new(ptr::null_mut()),
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

    /// Whether something has woken.
    #[inline]
    pub(super) fn has_woken(&self) -> bool {
        // Ordering: Relaxed, the caller takes the stack or parks, both of which synchronize.
        let top = self.stack.top.load(Ordering::Relaxed);
        !top.is_null() && !is_parked(top)
    }

    /// Takes what has woken, linked in the order of the pushes. To be called only if something
    /// [`has_woken`](Self::has_woken).
    ///
    /// # Safety
    /// All links on the stack are alive.
    pub(super) unsafe fn take(&mut self) -> *mut ReadyLink {
        let mut rest = self.take_top();
        let mut first: *mut ReadyLink = ptr::null_mut();
        while !rest.is_null() {
            // SAFETY: alive as the caller promises.
            let next = unsafe { &(*rest).next };
            // SAFETY: the link was taken from the stack, and is not pushed again yet.
            let below = next.with_mut(|next| mem::replace(unsafe { &mut *next }, first));
            first = mem::replace(&mut rest, below);
        }
        first
    }

    /// Takes the whole stack: the link that was pushed last, or null.
    fn take_top(&mut self) -> *mut ReadyLink {
        // Ordering: Acquire pairs with the Release of every push on the stack: their links are
        // seen.
        let top = self.stack.top.swap(ptr::null_mut(), Ordering::Acquire);
        if self.parked {
            self.parked = false;
            if is_parked(top) {
                return ptr::null_mut();
            }
            self.count_claim();
        }
        top
    }

    /// A push has replaced the park slot that was left on the stack.
    fn count_claim(&mut self) {
        // SAFETY: the owner has parked, so there is a park slot.
        let begun = unsafe { &(*self.park_slot).begun };
        begun.with_mut(|begun| {
            // SAFETY: only the owner reaches it.
            let begun = unsafe { &mut *begun };
            *begun = begun.wrapping_add(1);
        });
    }

    /// Goes to sleep until a push wakes `waker`. Returns `false` if something has woken: then the
    /// caller has to take it.
    pub(super) fn park(&mut self, waker: &Waker) -> bool {
        self.task = TaskId::of(waker);
        let is_same = self.holds(waker);
        if self.parked {
            let tag = park_tag(self.park_slot);
            if is_same {
                // Ordering: Relaxed. If the tag is there, the next push finds it. Otherwise the
                // caller takes the stack.
                return self.stack.top.load(Ordering::Relaxed) == tag;
            }
            let top = &self.stack.top;
            // Ordering: Relaxed. On success no push has claimed the park slot, and the exchange
            // below publishes what follows.
            if top
                .compare_exchange(tag, ptr::null_mut(), Ordering::Relaxed, Ordering::Relaxed)
                .is_err()
            {
                return false;
            }
            self.parked = false;
        }
        // The drop of the old waker may run any code, so it waits until the end.
        let _old = if is_same {
            None
        } else {
            self.store_waker(waker.clone())
        };
        let tag = park_tag(self.park_slot);
        // Ordering: Release pairs with the Acquire of the push that finds the tag: it sees the
        // waker. Relaxed on failure: the caller takes the stack.
        self.parked = self
            .stack
            .top
            .compare_exchange(ptr::null_mut(), tag, Ordering::Release, Ordering::Relaxed)
            .is_ok();
        self.parked
    }

    /// Drops the waker that it slept with last if it is for another task than `waker` is.
    #[inline]
    pub(super) fn clear_waker_for(&mut self, waker: &Waker) {
        if self.task.is_another(waker) {
            self.clear_waker();
        }
    }

    /// Drops the waker that it slept with last, and all earlier ones. Wakers that are being called
    /// are kept, and dropped by a later call.
    #[cold]
    #[inline(never)]
    pub(super) fn clear_waker(&mut self) {
        if self.task == TaskId::NONE {
            return;
        }
        if self.parked {
            let tag = park_tag(self.park_slot);
            // Ordering: Relaxed, as in `park`.
            let unparked = self.stack.top.compare_exchange(
                tag,
                ptr::null_mut(),
                Ordering::Relaxed,
                Ordering::Relaxed,
            );
            self.parked = false;
            if unparked.is_err() {
                self.count_claim();
            }
        }
        if self.drop_unclaimed() {
            self.task = TaskId::NONE;
        }
    }

    /// Drops the wakers that no pusher is reading. Returns whether these were all.
    fn drop_unclaimed(&mut self) -> bool {
        let mut all = true;
        // SAFETY: only the owner writes the list.
        let mut park_slot = self.stack.park_slots.with(|first| unsafe { *first });
        while !park_slot.is_null() {
            if Self::is_unclaimed(park_slot) {
                // SAFETY: park slots live as long as the stack.
                let held = unsafe { &(*park_slot).waker };
                // SAFETY: no claim is open, and none can begin: the park slot is not on the stack.
                drop(held.with_mut(|held| unsafe { (*held).take() }));
            } else {
                all = false;
            }
            // SAFETY: park slots live as long as the stack.
            park_slot = unsafe { (*park_slot).next };
        }
        all
    }

    /// Whether the park slot that was used last holds `waker`.
    fn holds(&self, waker: &Waker) -> bool {
        if self.park_slot.is_null() {
            return false;
        }
        // SAFETY: park slots live as long as the stack.
        let held = unsafe { &(*self.park_slot).waker };
        // SAFETY: only the owner writes it, and pushers only read it.
        held.with(|held| unsafe { (*held).as_ref() }.is_some_and(|held| held.will_wake(waker)))
    }

    /// Stores `waker` in a park slot that no pusher reads, and makes that the one to use. Returns
    /// the waker that was there.
    fn store_waker(&mut self, waker: Waker) -> Option<Waker> {
        // SAFETY: only the owner writes the list.
        let first = self.stack.park_slots.with(|first| unsafe { *first });
        let mut park_slot = first;
        while !park_slot.is_null() {
            if Self::is_unclaimed(park_slot) {
                self.park_slot = park_slot;
                // SAFETY: park slots live as long as the stack.
                let held = unsafe { &(*park_slot).waker };
                // SAFETY: no claim is open and the park slot is not on the stack, so no other
                // thread reads it.
                return held.with_mut(|held| unsafe { (*held).replace(waker) });
            }
            // SAFETY: park slots live as long as the stack.
            park_slot = unsafe { (*park_slot).next };
        }
        self.park_slot = Box::into_raw(Box::new(ParkSlot {
            waker: UnsafeCell::new(Some(waker)),
            ended: AtomicUsize::new(0),
            begun: UnsafeCell::new(0),
            next: first,
        }));
        // SAFETY: only the owner reaches the list.
        self.stack
            .park_slots
            .with_mut(|first| unsafe { *first = self.park_slot });
        None
    }

    /// Whether every claim of a park slot has ended.
    fn is_unclaimed(park_slot: *mut ParkSlot) -> bool {
        // SAFETY: park slots live as long as the stack.
        let begun = unsafe { &(*park_slot).begun };
        // SAFETY: only the owner reaches it.
        let begun = begun.with(|begun| unsafe { *begun });
        // SAFETY: as above.
        let ended = unsafe { &(*park_slot).ended };
        // Ordering: Acquire pairs with the Release at the end of each claim: the waker is not read
        // any more.
        ended.load(Ordering::Acquire) == begun
    }
}

impl Drop for StackOwner {
    /// Later pushes wake no task. Drops the wakers that no pusher is reading; the others are
    /// dropped with the stack.
    fn drop(&mut self) {
        // Not `take`: what is on the stack may have been freed.
        self.take_top();
        self.drop_unclaimed();
    }
}
