//! How a reader that finds nothing goes to sleep, and which waker it keeps.
//!
//! A reader sleeps *at the tail* if no writer has reserved the slot that it comes to: the writer
//! that reserves it learns of the reader from the flag in the tail word. It sleeps *at a gap* if a
//! writer has reserved the slot and not published it yet: then it is counted in the registry, and a
//! fence on both sides has one of the two see the other.

use super::{
    block::{Tail, tail_at},
    reader::Reader,
    shared::{ASLEEP, ODD},
};
use crate::{
    sync::{Ordering::*, fence},
    wait::{registry::SleepKind, task::TaskId},
};
use core::{
    mem,
    task::{Context, Poll, Waker},
};

impl<T> Reader<T> {
    /// Drops the kept waker if it belongs to another task than the one that polls. The drop of a
    /// waker may run any code.
    #[inline]
    pub(super) fn drop_stale_waker(&mut self, cx: Option<&mut Context<'_>>) {
        if let Some(cx) = cx {
            // A single comparison, because it is executed for each item that wakes a reader: so
            // each new task is noted, also one that has stored no waker so far.
            if self.task != TaskId::of(cx.waker()) {
                self.change_task(TaskId::of(cx.waker()));
            }
        }
    }

    #[cold]
    #[inline(never)]
    fn change_task(&mut self, task: TaskId) {
        self.drop_waker();
        self.task = task;
    }

    /// Handles the end of the list: drops the kept waker, unless a task may still wait. If a poll
    /// finds the end, no task waits any more. If `try_next` finds it, a task may still wait, and
    /// the closing thread is about to wake it.
    ///
    /// # Panics
    /// If the driver that should have filled the list was dropped before its first poll.
    #[cold]
    #[inline(never)]
    pub(super) fn on_end(&mut self, is_polled: bool) -> Poll<Option<T>> {
        if is_polled || self.list.registry.is_idle(self.registration) {
            self.drop_waker();
        }
        if let Some(driver) = self.list.driver() {
            driver.check_driver();
        }
        Poll::Ready(None)
    }

    /// Drops the waker of the task that waited last.
    #[cold]
    #[inline(never)]
    fn drop_waker(&mut self) {
        if mem::replace(&mut self.task, TaskId::NONE) != TaskId::NONE {
            self.list
                .registry
                .drop_waker(&mut self.registration, &mut self.follower);
        }
    }

    #[inline]
    pub(super) fn wait_if_polled(&mut self, cx: Option<&mut Context<'_>>) -> Poll<Option<T>> {
        cx.map_or(Poll::Pending, |cx| self.wait(cx))
    }

    /// Sleeps at the tail at once, if the reader slot already holds this waker and no spin is due.
    /// Otherwise see [`wait_slow`](Self::wait_slow).
    #[inline(never)]
    fn wait(&mut self, cx: &mut Context<'_>) -> Poll<Option<T>> {
        let list = &*self.list;
        let tail = list.tail.load(Relaxed);
        if self.is_at(tail)
            && list.reading.consume_skip()
            && list.registry.rearm(self.registration, cx.waker())
            // Ordering: as in `sleep`.
            && list.tail.compare_exchange(tail, tail | ASLEEP, Release, Relaxed).is_ok()
        {
            return Poll::Pending;
        }
        self.wait_slow(cx)
    }

    /// Looks again for a while if a spin is due, and sleeps if there is still nothing.
    #[inline(never)]
    fn wait_slow(&mut self, cx: &mut Context<'_>) -> Poll<Option<T>> {
        self.list.registry.disarm(self.registration);
        // An item that is found while spinning is taken without arming.
        if !self
            .list
            .reading
            .spin_until(|| !self.peek().finds_nothing())
            && self.sleep(cx.waker())
        {
            return Poll::Pending;
        }
        self.take_or_sleep(cx)
    }

    /// Takes what has been published meanwhile, or sleeps.
    #[cold]
    fn take_or_sleep(&mut self, cx: &mut Context<'_>) -> Poll<Option<T>> {
        loop {
            if let ready @ Poll::Ready(_) = self.next() {
                return ready;
            }
            // Only a slot without an item was published.
            if self.sleep(cx.waker()) {
                return Poll::Pending;
            }
        }
    }

    /// Whether the reader is at this tail, and the list is open.
    #[inline]
    fn is_at(&self, tail: Tail) -> bool {
        tail & !(ASLEEP | ODD) == tail_at(self.cursor.position())
    }

    /// Has the task woken when something is published at the cursor. Returns false if that may have
    /// happened by now.
    #[inline]
    fn sleep(&mut self, waker: &Waker) -> bool {
        let tail = self.list.tail.load(Relaxed);
        let sleeps = if self.is_at(tail) {
            // Arm the reader slot before the flag is set: a writer that finds the flag sees the
            // waker.
            self.arm(waker, SleepKind::AtTail);
            // Ordering: Release hands the armed reader slot to the writer that reserves the slot at
            // the tail, or to one that clears the flag and then wakes all readers further on.
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

    /// As [`sleep`](Self::sleep), if a writer has reserved the slot and not published it yet.
    #[cold]
    fn sleep_at_gap(&mut self, waker: &Waker) -> bool {
        self.arm(waker, SleepKind::AtGap);
        // Ordering: between the armed reader slot and the look at the mark; pairs with the light
        // half in `List::wake_after`.
        if !fence::heavy() {
            // The writer may be about to publish the slot without seeing this reader.
            waker.wake_by_ref();
        }
        self.cursor.is_unpublished()
    }

    #[inline]
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
}
