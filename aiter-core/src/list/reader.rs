//! The reading handle: a cursor with a seat.

use super::{
    ASLEEP, List, Peek, Statistics, Writer, ahead, as_tail,
    block::{Block, Found},
    cursor::Cursor,
    distance, to_tail,
};
use crate::{
    sync::{Arc, Ordering::*, fence},
    wait::{
        demand::Demand,
        notify::WakeSource,
        registry::{Follower, IsLast, Registry, SleepKind, SlotRef},
        task::TaskId,
    },
};
use core::{
    mem,
    task::{Context, Poll, Waker},
};

/// One reader of a list.
pub(crate) struct Reader<T> {
    list: Arc<List<T>>,
    cursor: Cursor<T>,
    registration: SlotRef,
    /// Another reader, seen at or behind this one's place. As long as it is there, items are cloned, not moved. While any are
    /// known that are to be cloned, it is not empty: but for one of them, which is cloned when it is found.
    follower: Option<Follower>,
    /// Whose waker its seat keeps.
    task: TaskId,
}

// SAFETY: a reader moves items to its thread (`T: Send`). Items are read by several threads at once only when there are
// several readers, and a second one is made for `T: Sync` alone.
unsafe impl<T: Send> Send for Reader<T> {}
// SAFETY: a shared reader lends items (`T: Sync`) and moves none.
unsafe impl<T: Send + Sync> Sync for Reader<T> {}

impl<T> Reader<T> {
    /// The first reader of a new list.
    pub(super) fn first(list: Arc<List<T>>) -> Self {
        let cursor = Cursor::new(list.root(), Block::<T>::LEN, 0, 0);
        let registration = list.registry.first();
        Self::new(list, cursor, registration)
    }

    /// A reader that is counted among the list's, at a place where it is counted, with a seat of its own.
    pub(super) fn new(list: Arc<List<T>>, cursor: Cursor<T>, registration: SlotRef) -> Self {
        Self {
            list,
            cursor,
            registration,
            follower: None,
            task: TaskId::NONE,
        }
    }

    /// Takes the next item, if it is there. Pending says only that there is nothing: nobody is going to be woken.
    ///
    /// When `T::clone` panics, the item is lost to this reader and to no other.
    #[inline]
    pub(crate) fn next(&mut self) -> Poll<Option<T>> {
        match self.next_known() {
            Some(item) => Poll::Ready(Some(item)),
            None => self.find_next(),
        }
    }

    /// The same, when no item is known.
    #[inline]
    pub(crate) fn find_next(&mut self) -> Poll<Option<T>> {
        if self.is_bare() {
            return Poll::Pending;
        }
        self.list.find()(self, None)
    }

    /// Whether a glance shows that there is nothing: a fork of any stream looks here before it
    /// pulls, in vain if it is the first to come.
    #[inline(always)]
    pub(crate) fn is_bare(&self) -> bool {
        self.cursor.is_bare()
    }

    /// The next item of a run that was found.
    #[inline(always)]
    pub(crate) fn next_known(&mut self) -> Option<T> {
        let is_known = self.cursor.at != self.cursor.end;
        if self.cursor.is_last {
            // SAFETY: before `end`, and the cursor moves.
            is_known.then(|| unsafe { self.move_next() })
        } else {
            // SAFETY: an item is known, and is to be cloned.
            let is_cloned = is_known && unsafe { self.is_still_followed() };
            // SAFETY: before `end`, and there is another reader.
            is_cloned.then(|| unsafe { self.list.clone_next()(self) })
        }
    }

    /// Moves the next item out: little enough code to stand wherever a reader is polled.
    ///
    /// # Safety
    /// The cursor is before the end of a run, and moves.
    #[inline(always)]
    unsafe fn move_next(&mut self) -> T {
        // SAFETY: by the contract.
        let item = unsafe { self.cursor.take() };
        self.list
            .registry
            .publish_position(self.registration, self.cursor.position());
        item
    }

    /// The [`CloneNext`] of a list that may have several readers: all that is done for an item that is cloned, in one function.
    ///
    /// # Safety
    /// The cursor is before the end of a run.
    pub(super) unsafe fn pass_next(&mut self) -> T
    where
        T: Clone,
    {
        /// Says that the reader has passed the item, after the clone, also when that panics.
        struct Pass<'a, T>(&'a mut Reader<T>);
        impl<T> Drop for Pass<'_, T> {
            #[inline(always)]
            fn drop(&mut self) {
                let position = self.0.cursor.position();
                self.0
                    .list
                    .registry
                    .publish_position(self.0.registration, position);
            }
        }
        let pass = Pass(self);
        // SAFETY: by the contract.
        let item = unsafe { pass.0.cursor.pass() };
        item.clone()
    }

    /// The [`Find`] of a list that has never had a second reader.
    pub(super) fn find_alone(&mut self, cx: Option<&mut Context<'_>>) -> Poll<Option<T>> {
        match self.look() {
            Found::Items(end) if self.is_alone() => {
                self.let_others_go(cx);
                self.cursor.move_on(&self.list, end);
                // SAFETY: the run has an item, and the cursor moves.
                Poll::Ready(Some(unsafe { self.move_next() }))
            }
            // By now it has another one.
            Found::Items(_) => self.list.find()(self, cx),
            Found::Ended => self.end(cx.is_some()),
            Found::Empty | Found::Taken => self.wait_with(cx),
        }
    }

    /// The [`Find`] of a list that may have several readers.
    pub(super) fn find_among_others(&mut self, mut cx: Option<&mut Context<'_>>) -> Poll<Option<T>>
    where
        T: Clone,
    {
        // Before anything is known, which may be that another reader is behind: a waker's drop may
        // have this one forget it.
        self.let_others_go(cx.as_deref_mut());
        match self.refill() {
            Found::Items(_) => {
                Poll::Ready(Some(if self.cursor.is_last {
                    // SAFETY: the run has an item, and the cursor moves.
                    unsafe { self.move_next() }
                } else {
                    // SAFETY: the run has an item.
                    unsafe { self.pass_next() }
                }))
            }
            Found::Ended => self.end(cx.is_some()),
            Found::Empty | Found::Taken => self.wait_with(cx),
        }
    }

    /// The same as [`next`](Self::next), for who has put an item there itself: others will come to it, so nobody asks who.
    #[inline]
    pub(crate) fn next_pushed(&mut self) -> Poll<Option<T>> {
        if self.cursor.at == Block::<T>::LEN || self.is_alone() {
            return self.next();
        }
        self.cursor.clone_on(self.cursor.at + 1);
        // SAFETY: the slot is published, and holds an item: nobody moves one out that this reader has not passed. There
        // is another reader, or has been.
        Poll::Ready(Some(unsafe { self.list.clone_next()(self) }))
    }

    /// The same as [`is_followed`](Self::is_followed), for who knows that another was seen.
    ///
    /// # Safety
    /// `follower` is not empty.
    #[inline(always)]
    unsafe fn is_still_followed(&self) -> bool {
        debug_assert!(self.follower.is_some());
        // SAFETY: by the contract.
        let other = unsafe { self.follower.as_ref().unwrap_unchecked() };
        self.list.registry.is_behind(other, self.cursor.position())
    }

    /// Whether the other reader, once seen behind, still is.
    #[inline(always)]
    fn is_followed(&self) -> bool {
        self.follower
            .as_ref()
            .is_some_and(|other| self.list.registry.is_behind(other, self.cursor.position()))
    }

    /// Whether the other reader is known to have yet to pass the slot that this one has passed
    /// last. Two that ask this of each other, each with a `SeqCst` fence before, are not both told
    /// so.
    pub(crate) fn was_followed(&self) -> bool {
        let passed = ahead(self.cursor.position(), 1_usize.wrapping_neg());
        self.follower
            .as_ref()
            .is_some_and(|other| self.list.registry.is_behind(other, passed))
    }

    /// Looks for items, and settles whether they are moved out or cloned.
    #[inline(always)]
    fn refill(&mut self) -> Found {
        let found = self.look();
        if let Found::Items(end) = found {
            if self.is_alone() {
                self.cursor.move_on(&self.list, end);
            } else if self.is_followed() {
                self.cursor.clone_on(end);
            } else {
                self.decide(end);
            }
        }
        found
    }

    #[inline(always)]
    fn look(&mut self) -> Found {
        match self.cursor.glance() {
            Some(found) => found,
            None => self.look_on(),
        }
    }

    /// Over slots without an item, and into the next block.
    #[inline(never)]
    fn look_on(&mut self) -> Found {
        /// Says where the reader has come to, also when the drop of an item in the block it left panics: writers wake who
        /// sleeps at exactly their slot.
        struct Say<'a, T>(&'a mut Reader<T>);
        impl<T> Drop for Say<'_, T> {
            #[inline(always)]
            fn drop(&mut self) {
                let Reader {
                    list,
                    cursor,
                    registration,
                    ..
                } = &*self.0;
                list.registry
                    .advance(*registration, cursor.position(), cursor.skipped);
            }
        }
        let say = Say(self);
        let Reader { cursor, list, .. } = &mut *say.0;
        cursor.look(list)
    }

    /// Settles up to where the items before `end` are moved out, if this is the last of several readers to come to them;
    /// or cloned, if there is one that is to come.
    ///
    /// All others are past an item that is moved. A reader that comes meanwhile is forked from one that is past it
    /// too, or subscribed at a slot published after those found: neither reads the item.
    #[inline(never)]
    fn decide(&mut self, end: usize) {
        let position = self.cursor.position();
        let registry = &self.list.registry;
        match registry.check_last(self.registration, &mut self.follower, position) {
            IsLast::No => self.cursor.clone_on(end),
            IsLast::Yes(None) => self.cursor.move_on(&self.list, end),
            IsLast::Yes(Some(least)) => {
                let lead = distance(position, least) as usize;
                self.cursor
                    .move_on(&self.list, end.min(self.cursor.at + lead));
            }
            // Look again at the next item.
            IsLast::Unknown => self.cursor.clone_on(self.cursor.at + 1),
        }
    }

    /// Takes the next item, or has the task woken when there is one.
    #[inline]
    pub(crate) fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<T>> {
        match self.next_known() {
            Some(item) => Poll::Ready(Some(item)),
            None => self.poll_find(cx),
        }
    }

    /// No more than a jump, but out of the way: then what is known goes straight to the caller.
    #[inline(never)]
    fn poll_find(&mut self, cx: &mut Context<'_>) -> Poll<Option<T>> {
        self.list.find()(self, Some(cx))
    }

    /// If another task polls than the one that waited last, that one's waker goes. Anything may
    /// happen in its drop.
    #[inline(always)]
    fn let_others_go(&mut self, cx: Option<&mut Context<'_>>) {
        if cx.is_some_and(|cx| self.task.is_another(cx.waker())) {
            self.forget_task();
        }
    }

    /// The list has ended for this reader. If a poll finds that, no task waits any more. If
    /// `try_next` does, a task may still wait, and the closer is about to wake it.
    #[cold]
    #[inline(never)]
    fn end(&mut self, is_polled: bool) -> Poll<Option<T>> {
        if is_polled || self.list.registry.is_idle(self.registration) {
            self.forget_task();
        }
        Poll::Ready(None)
    }

    /// Drops the waker of the task that waited last.
    #[cold]
    #[inline(never)]
    fn forget_task(&mut self) {
        if mem::replace(&mut self.task, TaskId::NONE) != TaskId::NONE {
            self.list
                .registry
                .forget(&mut self.registration, &mut self.follower);
        }
    }

    #[inline(always)]
    fn wait_with(&mut self, cx: Option<&mut Context<'_>>) -> Poll<Option<T>> {
        cx.map_or(Poll::Pending, |cx| self.wait(cx))
    }

    /// The wait of a reader that has waited here before with the same waker, and that is not to look again first. Any other
    /// case is [`wait_slow`](Self::wait_slow).
    #[inline(never)]
    fn wait(&mut self, cx: &mut Context<'_>) -> Poll<Option<T>> {
        let list = &*self.list;
        let tail = list.tail.load(Relaxed);
        if tail & !ASLEEP == as_tail(self.cursor.position())
            && list.spin.consume_skip()
            && list.registry.rearm(self.registration, cx.waker())
            // Ordering: as in `sleep`.
            && list.tail.compare_exchange(tail, tail | ASLEEP, Release, Relaxed).is_ok()
        {
            return Poll::Pending;
        }
        self.wait_slow(cx)
    }

    #[inline(never)]
    fn wait_slow(&mut self, cx: &mut Context<'_>) -> Poll<Option<T>> {
        self.list.registry.disarm(self.registration);
        // What the probe sees is taken without arming.
        if !self.list.spin.spin_until(|| !self.peek().at_tail()) && self.sleep(cx.waker()) {
            return Poll::Pending;
        }
        self.wait_on(cx)
    }

    /// Takes what came in the meantime, or sleeps.
    #[cold]
    fn wait_on(&mut self, cx: &mut Context<'_>) -> Poll<Option<T>> {
        loop {
            // Else it was a slot without an item.
            if let ready @ Poll::Ready(_) = self.next() {
                return ready;
            }
            if self.sleep(cx.waker()) {
                return Poll::Pending;
            }
        }
    }

    /// Has the task woken when there is something at the cursor. False if there may be by now.
    #[inline(always)]
    fn sleep(&mut self, waker: &Waker) -> bool {
        let tail = self.list.tail.load(Relaxed);
        let sleeps = if tail & !ASLEEP == as_tail(self.cursor.position()) {
            // First the seat, then the word: a writer that knows of a sleeper sees the waker.
            self.arm(waker, SleepKind::AtTail);
            // Ordering: Release hands the armed seat to the writer that reserves the slot, or to one that takes the flag away
            // and then wakes all that are further on than itself.
            self.list
                .tail
                .compare_exchange(tail, tail | ASLEEP, Release, Relaxed)
                .is_ok()
        } else {
            self.sleep_at_gap(waker)
        };
        if !sleeps {
            self.list.registry.disarm(self.registration);
        }
        sleeps
    }

    /// The same, where a writer has the slot and has yet to publish it.
    #[cold]
    fn sleep_at_gap(&mut self, waker: &Waker) -> bool {
        self.arm(waker, SleepKind::AtGap);
        // Ordering: between the seat and the look at the slot; pairs with the light half in `List::wake_after`.
        if !fence::heavy() {
            // The writer of the slot may be about to publish it without seeing the seat.
            waker.wake_by_ref();
        }
        self.cursor.is_at_gap()
    }

    #[inline(always)]
    fn arm(&mut self, waker: &Waker, sleep: SleepKind) {
        self.task = TaskId::of(waker);
        let Self {
            list,
            registration,
            follower,
            ..
        } = self;
        list.registry.arm(registration, follower, waker, sleep);
    }

    /// Another reader at the same place.
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
        Self::new(self.list.clone(), cursor, registration)
    }

    /// Whether there is no other reader. If so, what others did before they left has been done.
    #[inline]
    pub(crate) fn is_alone(&self) -> bool {
        // Ordering: Acquire pairs with the Release of a reader that left.
        self.list.readers.load(Acquire) == 1
    }

    /// How many slots the slowest other reader is behind this one's place; 0 without one. Lock-free: looks again when a
    /// reader came.
    pub(crate) fn lead(&self) -> usize {
        let lead = |at| distance(at, self.cursor.position()).max(0) as usize;
        self.list
            .registry
            .min_position_except(Some(self.registration))
            .map_or(0, lead)
    }

    /// How many items it has still to take of a list in which each slot gets one, but for those
    /// that are skipped already. With those that are not published yet.
    pub(crate) fn lag(&self) -> usize {
        // Ordering: as in `List::statistics`.
        let skipped = self.list.skipped.load(Acquire);
        let tail = self.list.end_or(self.list.tail.load(Relaxed));
        let passed = skipped.wrapping_sub(self.cursor.skipped) as isize;
        (to_tail(self.cursor.position(), tail) - passed).max(0) as usize
    }

    /// The items that are there.
    pub(crate) fn peek(&self) -> Peek<'_, T> {
        self.cursor.peek()
    }

    /// Whether the slot it comes to is not published.
    #[inline(always)]
    pub(crate) fn is_at_gap(&self) -> bool {
        self.cursor.is_at_gap()
    }

    /// Whether the end is all that is left.
    pub(crate) fn is_ended(&self) -> bool {
        self.cursor.peek().at_end()
    }

    pub(crate) fn is_stopped(&self) -> bool {
        self.list.is_closed()
    }

    pub(crate) fn statistics(&self) -> Statistics {
        self.list.statistics()
    }

    /// One more writer.
    pub(crate) fn writer(&self) -> Writer<T> {
        Writer::join(self.list.clone())
    }

    /// Drops the items that only this reader still was to read: those before the place of the slowest other one, however far
    /// that gets meanwhile, and no further than pushes have come by now. Alone it leaves them: the list is closed first, lest
    /// pushers add to them for as long as they are dropped.
    fn discard(&mut self) {
        let limit = self.list.tail.load(Relaxed);
        while !self.is_alone() && to_tail(self.cursor.position(), limit) > 0 {
            if !(self.cursor.is_last && self.cursor.at < self.cursor.end) {
                match self.refill() {
                    Found::Items(_) if self.cursor.is_last => {}
                    _ => return,
                }
            }
            self.cursor.discard();
        }
    }

    fn leave(&mut self) {
        /// Leaves the seat last: the drop of the waker in it may panic.
        struct Vacate<'a>(&'a Registry, SlotRef);
        impl Drop for Vacate<'_> {
            fn drop(&mut self) {
                self.0.unregister(self.1);
            }
        }
        /// Tells the driver in the end, also when the drop of an item panics.
        struct Tell<'a>(Option<&'a WakeSource<Demand>>);
        impl Drop for Tell<'_> {
            fn drop(&mut self) {
                if let Some(driver) = self.0 {
                    driver.wake();
                }
            }
        }
        self.list.registry.forget_follower(&mut self.follower);
        // Ordering: Release for what this reader read and moved; Acquire so that the last one takes over all others'.
        let is_last = self.list.readers.fetch_sub(1, AcqRel) == 1;
        let _seat = Vacate(&self.list.registry, self.registration);
        let _tell = is_last.then(|| Tell(self.list.driver.as_ref()));
        if is_last {
            // First, lest pushers add items for as long as they are dropped.
            self.list.close_tail();
        }
        self.cursor.leave(&self.list);
    }
}

impl<T> Drop for Reader<T> {
    fn drop(&mut self) {
        /// Leaves, also when the drop of an item panics.
        struct Leave<'a, T>(&'a mut Reader<T>);
        impl<T> Drop for Leave<'_, T> {
            fn drop(&mut self) {
                self.0.leave();
            }
        }
        let leave = Leave(self);
        leave.0.discard();
        mem::drop(leave);
    }
}
