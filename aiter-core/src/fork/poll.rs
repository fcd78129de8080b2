//! What a fork does when it is polled: the tables are in `fork/mod.rs`.

use super::{
    Fork, SourceHandle,
    bound::{Bound, Yields},
    place::{ForkPlace, NextItem},
    pull::{ACTIVE_WAITS, ActiveWaiter, ForkShared, Pulled, ROOM, register_passive},
};
use crate::{
    handoff::{Guard, HandoffLock},
    ring::Ring,
    sync::OnceBox,
    wait::{task::TaskId, waker_ref::waker_ref},
};
use core::{
    mem,
    pin::Pin,
    task::{Context, Poll, Waker},
};
use futures_core::{FusedStream, Stream};

/// The items that a fork yields.
type Item<S, B> = <B as Yields>::Item<<S as Stream>::Item>;

impl<S: Stream, B: Bound> Stream for Fork<S, B> {
    type Item = B::Item<S::Item>;

    #[inline]
    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Item<S, B>>> {
        let this = self.get_mut();
        if let Some(item) = this.place.next_fast() {
            return Poll::Ready(Some(item));
        }
        if this.place.looks_empty() {
            return this.poll_slow(cx);
        }
        this.update_task(cx.waker());
        // A place with early items looks empty.
        match this.place.plain().next(cx.waker()) {
            NextItem::Item(item) => Poll::Ready(Some(item)),
            NextItem::End => Poll::Ready(this.end()),
            NextItem::Waiting => Poll::Pending,
            NextItem::Nothing | NextItem::EndForNow => this.poll_slow(cx),
        }
    }

    /// The number of items that were pulled for this fork. The only fork adds the size hint of the
    /// stream. A fork with siblings does not ask the stream, because that would keep them from
    /// polling it. Takes constant time, apart from that of the stream.
    fn size_hint(&self) -> (usize, Option<usize>) {
        let guard = match self.place.is_alone() {
            true => self.handle.try_lock(),
            false => None,
        };
        let is_over = self.place.is_closed();
        // Counted with the lock held: nothing is pulled between this and the hint of the stream.
        let pulled = self.place.lag();
        if is_over {
            return (pulled, Some(pulled));
        }
        let Some(mut guard) = guard else {
            return (pulled, None);
        };
        let (least, most) = guard.with_value(|source| source.as_ref().size_hint());
        let least = if self.is_active() { least } else { 0 };
        let most = most.and_then(|most| most.checked_add(pulled));
        (self.place.at_least(pulled.saturating_add(least)), most)
    }
}

/// A fork is terminated if its next poll would return `None`. For a passive fork that may change:
/// see [`Fork`].
impl<S: Stream, B: Bound> FusedStream for Fork<S, B> {
    fn is_terminated(&self) -> bool {
        // In this order: if no active fork is left, `at_tail` sees the items that the last one
        // pulled.
        let has_active = self.is_active() || self.shared().has_active();
        if self.place.at_end() {
            return self.panic_reported || !self.shared().has_panicked();
        }
        !has_active && self.place.at_tail()
    }
}

impl<S: Stream, B: Bound> Fork<S, B> {
    /// The poll of a fork whose place knows of no item.
    #[inline(never)]
    fn poll_slow(&mut self, cx: &mut Context<'_>) -> Poll<Option<Item<S, B>>> {
        if !self.shared().owes_nothing() {
            return self.poll_owing(cx);
        }
        self.poll_source::<false>(cx)
    }

    /// Kept out of line, so that forks of a source without bounds do not contain it.
    #[inline(never)]
    fn poll_owing(&mut self, cx: &mut Context<'_>) -> Poll<Option<Item<S, B>>> {
        self.poll_source::<true>(cx)
    }

    #[inline]
    fn poll_source<const OWES: bool>(&mut self, cx: &mut Context<'_>) -> Poll<Option<Item<S, B>>> {
        // Before there is an item that a panic of the waker's drop could lose.
        self.update_task(cx.waker());
        let found = match self.is_active() {
            true => self.pull::<OWES>(cx),
            false => self.find_passive::<OWES>(cx),
        };
        let found = match found {
            NextItem::Nothing => self.next::<OWES>(cx.waker()),
            found => found,
        };
        match found {
            NextItem::Item(item) => Poll::Ready(Some(item)),
            NextItem::End => Poll::Ready(self.end()),
            NextItem::EndForNow => {
                self.clear_wakers();
                Poll::Ready(None)
            }
            // The waker is registered in either case.
            NextItem::Nothing | NextItem::Waiting => Poll::Pending,
        }
    }

    /// Drops the registered wakers if they belong to another task than the one that polls, and
    /// remembers that task. Every poll that has to look for an item calls this, so it is a single
    /// comparison. For the same reason each new task is stored, also one that registers no waker.
    #[inline]
    fn update_task(&mut self, waker: &Waker) {
        if self.task != TaskId::of(waker) {
            self.change_task(TaskId::of(waker));
        }
    }

    #[cold]
    #[inline(never)]
    fn change_task(&mut self, task: TaskId) {
        self.clear_wakers();
        self.task = task;
    }

    /// The slow path of an active fork: pulls the source, or registers the waker. If this returns
    /// [`NextItem::Nothing`], the caller has to look at its place once more. Finding nothing there
    /// means pending, because the waker is registered then.
    ///
    /// While nothing is owed, no fork has a bound or early items, and the place is that of such a
    /// fork.
    #[inline]
    fn pull<const OWES: bool>(&mut self, cx: &mut Context<'_>) -> NextItem<Item<S, B>> {
        let Self {
            handle,
            place,
            active: Some(waiter),
            panic_reported,
            ..
        } = self
        else {
            return NextItem::Nothing;
        };
        if OWES {
            pull::<S, _, OWES>(handle, place, waiter, panic_reported, cx)
        } else {
            pull::<S, _, OWES>(handle, place.plain(), waiter, panic_reported, cx)
        }
    }

    #[inline]
    fn next<const OWES: bool>(&mut self, waker: &Waker) -> NextItem<Item<S, B>> {
        match OWES {
            true => self.place.next(waker),
            false => self.place.plain().next(waker),
        }
    }

    /// The slow path of a passive fork: registers the waker, or ends for now.
    fn find_passive<const OWES: bool>(&mut self, cx: &mut Context<'_>) -> NextItem<Item<S, B>> {
        if self.shared().has_active() {
            let lock = self.handle.as_lock();
            let waiter = self
                .passive
                .get_or_insert_with(|| lock.shared().passive_waiter());
            register_passive(lock, waiter, cx.waker());
            let found = self.next::<OWES>(cx.waker());
            if !found.is_nothing() {
                return found;
            }
            if self.shared().recheck_active() {
                return NextItem::Waiting;
            }
        }
        // Now the fork sees the items that the last active fork pulled before it was dropped.
        match self.next::<OWES>(cx.waker()) {
            NextItem::Nothing => NextItem::EndForNow,
            found => found,
        }
    }

    /// Drops the registered wakers: another task polls the fork now, or no task needs to be woken.
    #[cold]
    #[inline(never)]
    fn clear_wakers(&mut self) {
        if mem::replace(&mut self.task, TaskId::NONE) == TaskId::NONE {
            return;
        }
        if let Some(waiter) = &mut self.active {
            waiter.clear_waker();
        }
        if let Some(waiter) = &mut self.passive {
            waiter.forget();
        }
        self.place.clear_waker();
    }

    /// The list has ended.
    #[cold]
    #[inline(never)]
    fn end(&mut self) -> Option<Item<S, B>> {
        self.clear_wakers();
        if !self.panic_reported && self.shared().has_panicked() {
            self.panic_reported = true;
            panic!("the forked stream panicked, in a poll of another fork");
        }
        None
    }
}

/// The slow path of an active fork; see [`Fork::pull`].
#[inline]
fn pull<S: Stream, P: ForkPlace<S::Item>, const OWES: bool>(
    handle: &mut SourceHandle<S>,
    place: &mut P,
    waiter: &mut ActiveWaiter,
    panic_reported: &mut bool,
    cx: &mut Context<'_>,
) -> NextItem<P::Item> {
    let mut guard = match handle.lock_or(|lock| lock_contended(lock, place, waiter, cx.waker())) {
        Ok(guard) => guard,
        Err(found) => return found,
    };
    // Another fork may have pulled since this one looked. It cannot while the lock is held.
    if place.come_to_tail() {
        if !guard.with(|_, state| state.begin_poll(waiter)) {
            guard.with(|_, state| state.register(waiter, cx.waker()));
            return NextItem::Waiting;
        }
        let shared = guard.as_lock().shared();
        if OWES
            && shared.owes(ROOM)
            && !place.is_alone()
            && !shared.has_room(guard.with_value(|source| source.item_tail()))
        {
            guard.with(|_, state| {
                state.register(waiter, cx.waker());
                state.set_idle();
            });
            return NextItem::Waiting;
        }
        let lock = guard.as_lock();
        let (waker, panic_reported) = (waker_ref(lock), panic_reported);
        let source_cx = &mut Context::from_waker(&waker);
        let handle = guard.handle();
        let is_alone = || place.is_alone();
        let feed = |writer: &_| shared.feed(handle.beside(), writer);
        let pulled = guard.with_value(|source| {
            source.poll_into_list(shared, is_alone, feed, panic_reported, source_cx)
        });
        match pulled {
            Poll::Pending => {
                guard.with(|_, state| {
                    state.register(waiter, cx.waker());
                    state.set_idle();
                });
                return NextItem::Waiting;
            }
            Poll::Ready(Pulled::Item(item)) => {
                guard.with(|shared, state| {
                    state.finish_poll(true);
                    shared.count_bypassed();
                });
                let item = place.bypass(item);
                // Not left to the return: a waker that panics there would leak the item.
                guard.keep_locked();
                return NextItem::Item(item);
            }
            Poll::Ready(Pulled::InList) => {
                guard.with(|_, state| state.finish_poll(false));
                // Before the item is cloned, which may panic.
                guard.keep_locked();
                if !P::READS_RING && !shared.owes_nothing() {
                    transfer(handle.beside());
                    // The ring has passed the item.
                    return place.next(cx.waker());
                }
                return place.next_pulled(cx.waker());
            }
            Poll::Ready(Pulled::End) => {
                let alone = place.is_alone();
                guard.with(|_, state| state.finish_poll(alone));
                guard.keep_locked();
            }
        }
    }
    NextItem::Nothing
}

/// The slow path of an active fork that found the lock held. Looks again for a moment, then
/// registers the waker. Returns the lock if it is released meanwhile.
#[inline(never)]
fn lock_contended<'a, T, P: ForkPlace<T>>(
    lock: &'a HandoffLock<ForkShared>,
    place: &mut P,
    waiter: &mut ActiveWaiter,
    waker: &Waker,
) -> Result<Guard<'a, ForkShared>, NextItem<P::Item>> {
    let mut found = NextItem::Nothing;
    let finds = || {
        found = place.next(waker);
        !found.is_nothing()
    };
    if lock.shared().spin.spin_until(finds) {
        return Err(found);
    }
    waiter.register_contended(waker);
    // The caller has to look again: an item that came between its last look and this request causes
    // no wake.
    lock.delegate(ACTIVE_WAITS).ok_or(NextItem::Nothing)
}

/// Transfers to the ring what was pulled, if there are forks that read from it.
#[cold]
#[inline(never)]
fn transfer<T>(ring: &OnceBox<Ring<T>>) {
    if let Some(ring) = ring.get().filter(|ring| ring.has_cursors()) {
        ring.transfer();
    }
}
