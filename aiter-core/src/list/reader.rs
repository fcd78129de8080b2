//! The reading handle: a cursor, and a slot in the registry that says how far it has read.
//!
//! A reader takes an item in one of two ways. On the *fast* path ([`Reader::next_fast`]) the item
//! belongs to a run that was found before. On the *slow* path (`next_slow`) the reader finds the
//! next run, *decides* ([`Reader::decide`]) whether its items are moved out or cloned, and takes
//! the first of them; or it registers the task's waker (`sleep.rs`). Both paths come in a variant
//! that clones items. This code is reached through [`ErasedOps`], because `T: Clone` is known only
//! where a reader is forked.
//!
//! `inline(always)` here saves a tenth of the instructions of an item that wakes eight readers
//! (`ci/instructions.sh`, list-wakes-8).

use super::{
    block::{Block, Position, Scan, distance, distance_to_tail},
    cursor::Cursor,
    peek::Peek,
    shared::List,
};
use crate::{
    Statistics,
    sync::{Arc, Ordering::*},
    wait::{
        registry::{Follower, IsLast, SlotRef},
        task::TaskId,
    },
};
use alloc::vec::Vec;
use core::{
    mem,
    task::{Context, Poll},
};
use scopeguard::{defer, guard};

type CloneNext<T> = unsafe fn(&mut Reader<T>) -> T;
type NextSlow<T> = fn(&mut Reader<T>, Option<&mut Context<'_>>) -> Poll<Option<T>>;

/// The functions through which a reader takes an item unless it can simply move it out. Polls have
/// no `T: Clone` bound, so the first `fork` or `subscribe`, which has it, stores the table that
/// clones.
struct ErasedOps<T> {
    /// Clones the next item of a run.
    ///
    /// Safety: the cursor is before the end of the run, and the list has had a second reader.
    clone_next: CloneNext<T>,
    /// The slow path. With a context it has the task woken if there is nothing to take.
    next_slow: NextSlow<T>,
}

impl<T> ErasedOps<T> {
    /// For a list that has never had a second reader.
    const UNFORKED: Self = Self {
        clone_next: |_| unreachable!("a second reader is made after `allow_clones`"),
        next_slow: Reader::next_slow_unforked,
    };
}

impl<T: Clone> ErasedOps<T> {
    /// For a list that may have several readers.
    const FORKED: Self = Self {
        clone_next: Reader::clone_next,
        next_slow: Reader::next_slow_forked,
    };
}

impl<T> List<T> {
    /// Allows a second reader: from here on readers find the functions that clone.
    pub(super) fn allow_clones(&self)
    where
        T: Clone,
    {
        // Ordering: see `set_ops`. A reader learns that it is not alone from a slot of the registry
        // that was claimed after this (Acquire), or from `readers` (Acquire), and then it finds
        // these functions.
        self.set_ops(&ErasedOps::FORKED);
    }

    fn set_ops(&self, ops: &ErasedOps<T>) {
        // Ordering: Relaxed, because nothing but the functions themselves is published.
        self.clone_next.store(ops.clone_next as *mut (), Relaxed);
        self.next_slow.store(ops.next_slow as *mut (), Relaxed);
    }

    #[inline]
    fn clone_next(&self) -> CloneNext<T> {
        // Ordering: Relaxed, see `allow_clones`.
        let clone_next = self.clone_next.load(Relaxed);
        // SAFETY: since the first reader was made it is a function of one of the tables for `T`.
        unsafe { mem::transmute::<*mut (), CloneNext<T>>(clone_next) }
    }

    #[inline]
    fn next_slow(&self) -> NextSlow<T> {
        // Ordering: Relaxed, see `allow_clones`. A reader that does not know of another one finds
        // either function, and either will do.
        let next_slow = self.next_slow.load(Relaxed);
        // SAFETY: as in `clone_next`.
        unsafe { mem::transmute::<*mut (), NextSlow<T>>(next_slow) }
    }
}

/// One reader of a list.
pub(crate) struct Reader<T> {
    pub(super) list: Arc<List<T>>,
    pub(super) cursor: Cursor<T>,
    pub(super) registration: SlotRef,
    /// Another reader that was seen at or behind this one's position. While it is there, items are
    /// cloned and not moved. Invariant: it is `Some` while the current run is to be cloned, except
    /// when that run is a single item that is cloned as soon as it is found.
    pub(super) follower: Option<Follower>,
    /// The task that polled last and found no item of a run. The waker that the registration holds,
    /// if there is one, is its own.
    pub(super) task: TaskId,
    /// Whether an open list counts it as a user.
    pub(super) is_user: bool,
}

// SAFETY: a reader moves items to its thread (`T: Send`). Several threads read an item at once only
// if there are several readers, and making a second one requires `T: Sync`.
unsafe impl<T: Send> Send for Reader<T> {}
// SAFETY: a shared reader lends items (`T: Sync`) and moves none.
unsafe impl<T: Send + Sync> Sync for Reader<T> {}

impl<T> Reader<T> {
    /// The first reader of a new list.
    pub(super) fn first(list: Arc<List<T>>) -> Self {
        list.set_ops(&ErasedOps::UNFORKED);
        let cursor = Cursor::new(list.root(), Block::<T>::LEN, 0, 0);
        let registration = list.registry.first();
        Self::new(list, cursor, registration)
    }

    /// A reader that the list, the cursor's block and the registry already count.
    pub(super) fn new(list: Arc<List<T>>, cursor: Cursor<T>, registration: SlotRef) -> Self {
        Self {
            list,
            cursor,
            registration,
            follower: None,
            task: TaskId::NONE,
            is_user: false,
        }
    }

    /// Takes the next item if it is available. `Pending` says only that there is none: no task will
    /// be woken.
    ///
    /// If `T::clone` panics, the item is lost to this reader and to no other.
    #[inline]
    pub(crate) fn next(&mut self) -> Poll<Option<T>> {
        match self.next_fast() {
            Some(item) => Poll::Ready(Some(item)),
            None => self.next_slow(),
        }
    }

    /// Takes the next item, or has the task woken when there is one.
    #[inline]
    pub(crate) fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<T>> {
        match self.next_fast() {
            Some(item) => Poll::Ready(Some(item)),
            None => self.poll_slow(cx),
        }
    }

    /// As [`poll_next`](Self::poll_next), inlined into a caller that keeps it out of line itself.
    #[inline]
    pub(crate) fn poll_next_inline(&mut self, cx: &mut Context<'_>) -> Poll<Option<T>> {
        match self.next_fast() {
            Some(item) => Poll::Ready(Some(item)),
            None => self.list.next_slow()(self, Some(cx)),
        }
    }

    /// Takes the next item of the current run if it is to be moved out. No other reader has still
    /// to read it then, and nothing here runs users' code.
    #[inline]
    pub(crate) fn next_moved(&mut self) -> Option<T> {
        let is_in_run = self.cursor.next_slot != self.cursor.run_end;
        // SAFETY: the cursor is before the end of the run, and `is_last` is set.
        (self.cursor.is_last && is_in_run).then(|| unsafe { self.move_next() })
    }

    /// Takes the next item of the current run. `None` at its end.
    #[inline]
    pub(crate) fn next_fast(&mut self) -> Option<T> {
        let is_in_run = self.cursor.next_slot != self.cursor.run_end;
        if self.cursor.is_last {
            // SAFETY: the cursor is before the end of the run, and `is_last` is set.
            is_in_run.then(|| unsafe { self.move_next() })
        } else {
            // SAFETY: a run that is to be cloned has a follower (see the field).
            let is_cloned = is_in_run && unsafe { self.is_still_followed() };
            // SAFETY: the cursor is before the end of the run, and there is another reader.
            is_cloned.then(|| unsafe { self.list.clone_next()(self) })
        }
    }

    /// Finds the next run and takes its first item. As in [`next`](Self::next), no task will be
    /// woken.
    #[inline]
    pub(crate) fn next_slow(&mut self) -> Poll<Option<T>> {
        if self.looks_empty() {
            return Poll::Pending;
        }
        self.list.next_slow()(self, None)
    }

    /// Kept out of line (it compiles to a tail call) so that the fast path inlines into the caller.
    #[inline(never)]
    fn poll_slow(&mut self, cx: &mut Context<'_>) -> Poll<Option<T>> {
        self.list.next_slow()(self, Some(cx))
    }

    /// Whether one load shows that there is nothing to take. A fork of any stream asks this before
    /// it polls the source: if it is the first one to read the next item, there is nothing.
    #[inline]
    pub(crate) fn looks_empty(&self) -> bool {
        self.cursor.looks_empty()
    }

    /// Moves the next item out. The code is small, as it is inlined wherever a reader is polled.
    ///
    /// # Safety
    /// The cursor is before the end of a run, and `is_last` is set.
    #[inline]
    unsafe fn move_next(&mut self) -> T {
        // SAFETY: by the contract.
        let item = unsafe { self.cursor.take() };
        self.publish_position();
        item
    }

    /// Appends what is left of the current run to `buf`, but no more than `limit` items, if they
    /// are to be moved out and not cloned. Returns how many they are.
    ///
    /// # Panics
    /// If `buf` cannot grow. Then no item is taken.
    pub(crate) fn move_run(&mut self, buf: &mut Vec<T>, limit: usize) -> usize {
        let left = self.cursor.run_end - self.cursor.next_slot;
        let len = if self.cursor.is_last {
            left.min(limit)
        } else {
            0
        };
        if len != 0 {
            buf.reserve(len);
            let to = buf.spare_capacity_mut().as_mut_ptr().cast();
            // SAFETY: the run has so many items, `is_last` is set, and there is room for them.
            unsafe { self.cursor.take_run(len, to) };
            // SAFETY: the items were moved there.
            unsafe { buf.set_len(buf.len() + len) };
            self.publish_position();
        }
        len
    }

    /// Clones the next item. This is one function with all that is done for an item that is cloned.
    ///
    /// # Safety
    /// The cursor is before the end of a run.
    unsafe fn clone_next(&mut self) -> T
    where
        T: Clone,
    {
        // The reader says that it has passed the item only after the clone, also when that panics.
        let mut this = guard(self, |this| this.publish_position());
        // SAFETY: by the contract.
        let item = unsafe { this.cursor.pass() };
        item.clone()
    }

    #[inline]
    pub(super) fn publish_position(&self) {
        self.list
            .registry
            .publish_position(self.registration, self.cursor.position());
    }

    /// The slow path of a list that has never had a second reader.
    fn next_slow_unforked(&mut self, cx: Option<&mut Context<'_>>) -> Poll<Option<T>> {
        match self.scan() {
            Scan::Items(end) if self.is_alone() => {
                self.drop_stale_waker(cx);
                self.cursor.move_run(&self.list, end);
                // SAFETY: the run has an item, and `is_last` is set.
                Poll::Ready(Some(unsafe { self.move_next() }))
            }
            // Another reader has come, so the list has the other table now.
            Scan::Items(_) => self.list.next_slow()(self, cx),
            Scan::Ended => self.on_end(cx.is_some()),
            Scan::Unpublished | Scan::Taken => self.wait_if_polled(cx),
        }
    }

    /// The slow path of a list that may have several readers.
    fn next_slow_forked(&mut self, mut cx: Option<&mut Context<'_>>) -> Poll<Option<T>>
    where
        T: Clone,
    {
        // Before a run is found, because the drop of a waker may make this reader forget its
        // follower.
        self.drop_stale_waker(cx.as_deref_mut());
        match self.next_run() {
            Scan::Items(_) => {
                Poll::Ready(Some(if self.cursor.is_last {
                    // SAFETY: the run has an item, and `is_last` is set.
                    unsafe { self.move_next() }
                } else {
                    // SAFETY: the run has an item.
                    unsafe { self.clone_next() }
                }))
            }
            Scan::Ended => self.on_end(cx.is_some()),
            Scan::Unpublished | Scan::Taken => self.wait_if_polled(cx),
        }
    }

    /// As [`next`](Self::next), for a caller that has just pushed the item itself: other readers
    /// will read it too, so it is cloned without a look at their positions.
    #[inline]
    pub(crate) fn next_pushed(&mut self) -> Poll<Option<T>> {
        if self.cursor.next_slot == Block::<T>::LEN || self.is_alone() {
            return self.next();
        }
        self.cursor.clone_one();
        // SAFETY: the slot is published and holds an item, because no reader moves out an item that
        // this one has not passed. There is another reader, or there has been one.
        Poll::Ready(Some(unsafe { self.list.clone_next()(self) }))
    }

    /// Finds the next run of items, and decides how they are taken.
    #[inline(always)]
    pub(super) fn next_run(&mut self) -> Scan {
        let scan = self.scan();
        if let Scan::Items(end) = scan {
            self.decide(end);
        }
        scan
    }

    #[inline]
    fn scan(&mut self) -> Scan {
        match self.cursor.scan() {
            Some(scan) => scan,
            None => self.scan_far(),
        }
    }

    /// Scans past slots without an item, and into the next block.
    #[inline(never)]
    fn scan_far(&mut self) -> Scan {
        // The reader publishes its new position also when the drop of an item in the block that it
        // left panics: writers wake the readers that sleep at exactly their slot.
        let mut this = guard(self, |this| {
            let Reader { list, cursor, .. } = &*this;
            list.registry
                .advance(this.registration, cursor.position(), cursor.skipped);
        });
        let Reader { cursor, list, .. } = &mut **this;
        cursor.scan_far(list)
    }

    /// Decides whether the items up to `end` are moved out, because no other reader will read them,
    /// or cloned.
    #[inline(always)]
    fn decide(&mut self, end: usize) {
        if self.is_alone() {
            self.cursor.move_run(&self.list, end);
        } else if self.is_followed() {
            self.cursor.clone_run(end);
        } else {
            self.decide_by_positions(end);
        }
    }

    /// Decides by the positions of the other readers. If all of them are past some of the items,
    /// those are moved out.
    ///
    /// A reader that comes meanwhile is forked from one that is past these items too, or has
    /// subscribed at a slot that was published after them. It reads none of them.
    #[inline(never)]
    fn decide_by_positions(&mut self, end: usize) {
        let position = self.cursor.position();
        let registry = &self.list.registry;
        match registry.check_last(self.registration, &mut self.follower, position) {
            IsLast::No => self.cursor.clone_run(end),
            IsLast::Yes(None) => self.cursor.move_run(&self.list, end),
            IsLast::Yes(Some(slowest)) => {
                let until_slowest = distance(position, slowest) as usize;
                let end = end.min(self.cursor.next_slot + until_slowest);
                self.cursor.move_run(&self.list, end);
            }
            // Decide again at the next item.
            IsLast::Unknown => self.cursor.clone_one(),
        }
    }

    /// As [`is_followed`](Self::is_followed), for a caller that knows that `follower` is `Some`.
    ///
    /// # Safety
    /// `follower` is `Some`.
    #[inline]
    unsafe fn is_still_followed(&self) -> bool {
        debug_assert!(self.follower.is_some());
        // SAFETY: by the contract.
        let follower = unsafe { self.follower.as_ref().unwrap_unchecked() };
        self.list
            .registry
            .is_behind(follower, self.cursor.position())
    }

    /// Whether the reader that was seen at or behind this one's position still is.
    #[inline]
    fn is_followed(&self) -> bool {
        self.is_followed_at(self.cursor.position())
    }

    #[inline]
    fn is_followed_at(&self, position: usize) -> bool {
        self.follower
            .as_ref()
            .is_some_and(|follower| self.list.registry.is_behind(follower, position))
    }

    /// The slot that the reader comes to next.
    #[inline]
    pub(crate) fn position(&self) -> Position {
        self.cursor.position()
    }

    /// Whether the follower is known still to be at or before `from`, the first of the slots that
    /// this reader has just passed. If two readers that have passed the same slot ask this of each
    /// other, each after a `SeqCst` fence, at most one gets `true`.
    pub(crate) fn was_followed(&self, from: Position) -> bool {
        self.is_followed_at(from)
    }

    /// Another reader at the same position.
    pub(crate) fn fork(&mut self) -> Self
    where
        T: Clone + Sync,
    {
        self.list.allow_clones();
        let cursor = self.cursor.fork();
        self.list.readers.fetch_add(1, Relaxed);
        let registration = self
            .list
            .registry
            .register(self.cursor.position(), self.cursor.skipped);
        let mut fork = Self::new(self.list.clone(), cursor, registration);
        if self.is_user {
            self.list.add_user();
            fork.is_user = true;
        }
        fork
    }

    /// Whether there is no other reader. If so, this thread sees what the others did before they
    /// were dropped.
    #[inline]
    pub(crate) fn is_alone(&self) -> bool {
        // Ordering: Acquire pairs with the Release of the readers that were dropped.
        self.list.readers.load(Acquire) == 1
    }

    /// How many items this reader has still to take, the items in slots that are reserved and not
    /// published included. A slot that will be published without an item counts until it is.
    pub(crate) fn lag(&self) -> usize {
        // Ordering: as in `List::statistics`.
        let skipped = self.list.skipped.load(Acquire);
        let tail = self.list.end_tail_or(self.list.tail.load(Relaxed));
        let passed = skipped.wrapping_sub(self.cursor.skipped) as isize;
        (distance_to_tail(self.cursor.position(), tail) - passed).max(0) as usize
    }

    /// Looks at the items that are available.
    pub(crate) fn peek(&self) -> Peek<'_, T> {
        self.cursor.peek()
    }

    /// Whether the slot that the reader comes to next is not published.
    #[inline]
    pub(crate) fn is_unpublished(&self) -> bool {
        self.cursor.is_unpublished()
    }

    /// Whether nothing is there, neither an item nor the end. If so, the reader has passed the
    /// slots without an item, so that it reads the next slot that is pushed.
    #[cold]
    pub(crate) fn pass_itemless(&mut self) -> bool {
        let is_at_tail = self.peek().finds_nothing();
        if is_at_tail {
            self.scan();
        }
        is_at_tail
    }

    /// Whether the end is all that is left.
    pub(crate) fn is_ended(&self) -> bool {
        self.cursor.peek().at_end()
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.list.is_closed()
    }

    pub(crate) fn statistics(&self) -> Statistics {
        self.list.statistics()
    }

    /// Drops the items that only this reader had still to read: those before the position of the
    /// slowest other reader, however far that one gets meanwhile, and not past the tail as it is
    /// now. A reader that is alone drops none, because the list has to be closed first: otherwise
    /// pushers could add items for as long as this drops them.
    pub(super) fn discard(&mut self) {
        let limit = self.list.tail.load(Relaxed);
        while !self.is_alone() && distance_to_tail(self.cursor.position(), limit) > 0 {
            if !(self.cursor.is_last && self.cursor.next_slot < self.cursor.run_end) {
                match self.next_run() {
                    Scan::Items(_) if self.cursor.is_last => {}
                    _ => return,
                }
            }
            self.cursor.discard();
        }
    }

    /// Removes the reader from the list, and from `readers` if it is counted there. It must not be
    /// used afterwards.
    pub(super) fn detach(&mut self, is_counted: bool) {
        let Self {
            list,
            cursor,
            registration,
            follower,
            is_user,
            ..
        } = self;
        list.registry.forget_follower(follower);
        // Ordering: Release for what this reader has read and moved; Acquire so that the last
        // reader to be dropped takes over from all others.
        let left = is_counted.then(|| list.readers.fetch_sub(1, AcqRel) - 1);
        let was_only = left == Some(0);
        // Before the items are dropped: otherwise pushers could add items for as long as that
        // takes.
        let closes = was_only && list.open().is_none() && list.close_tail().is_some();
        // The registration ends last, because the drop of its waker may panic.
        defer! { list.registry.unregister(*registration) };
        // Other tasks are woken before that, also when the drop of an item panics.
        defer! { if closes { list.close_waiters.wake_all() } };
        defer! { if *is_user { list.remove_user() } };
        let driver = list.driver().filter(|_| was_only);
        defer! { driver.into_iter().for_each(|driver| driver.wake()) };
        cursor.detach(list);
    }
}

impl<T> Drop for Reader<T> {
    fn drop(&mut self) {
        // The reader is removed also when the drop of an item panics.
        let mut this = guard(self, |this| this.detach(true));
        this.discard();
    }
}
