//! `aiter_forker`: any stream, many readers, and each reader sees every item.
//!
//! | file | contents |
//! |---|---|
//! | [`mod@pull`] | the source, the state that all forks share, and which forks are woken when |
//! | [`mod@place`] | a fork's place: the part of a fork that depends on the bound |
//! | [`mod@bound`] | the bounds as users see them |
//! | [`mod@unbounded`], [`mod@wait`], [`mod@skip`] | the places under each bound |
//! | this file | the fork, and its poll |
//!
//! A fork reads from one list (with `skip`: from a ring buffer that the list feeds). An active fork
//! that comes to the end of the list pulls the source: it appends one item to the list and reads it
//! like any other. A [`HandoffLock`] guards the source and the list's writer. It is held for one
//! poll of the source, and no fork waits for it. The source is always polled with the same waker,
//! whose wake is the request `WOKEN` to the lock and wakes all active forks that wait.
//!
//! The source is *idle* in two cases: its last poll was pending and it has not woken since, or a
//! fork found no room and `WOKEN` has not been requested since. The fork that makes room requests
//! `WOKEN` too.
//!
//! **The invariant**: whenever the lock is free, either the source is idle, so that a request
//! `WOKEN` is still to come, or every active fork that waits has been woken. So no fork depends on
//! another one being polled again.
//!
//! A fork that finds nothing in the list continues as follows:
//!
//! | fork | lock | source | the fork |
//! |---|---|---|---|
//! | active | held | | registers its waker, makes a request, and looks again; the holder wakes it for a later item or the end |
//! | active | acquired, and there is something in the list now | | takes that |
//! | active | acquired | not idle | polls the source if the bound has room for an item; otherwise makes the source idle, and waits |
//! | active | acquired | idle | waits; a fork that was left waiting for this wake and is polled without it polls the source |
//! | passive | | | registers its waker, makes a request, and looks again; ends for now if there is no active fork |
//!
//! | the poll of the source | the fork that pulls | the source is then | forks that wait |
//! |---|---|---|---|
//! | an item | appends it; takes it directly if it is the only fork | not idle | are woken |
//! | the end | ends the list | dropped | are woken |
//! | pending | waits | idle | still wait |
//! | a panic | ends the list, passes the panic on | dropped | are woken, and panic |

pub mod bound;
mod hub;
mod lossless;
mod place;
mod pull;
mod rooms;
mod skip;
mod unbounded;
mod wait;

pub use hub::{Hub, HubIdle, HubOccupied};

use crate::{
    Statistics,
    handoff::{Guard, Handle, HandoffLock},
    list::open_list_with_reader,
    ring::Ring,
    sync::OnceBox,
    wait::{task::TaskId, wait_set::Waiter, waker_ref::waker_ref},
};
use bound::{Bound, MakePlace, SourceBound, Unbounded, Wait, Yields, unbounded};
use core::{
    fmt, mem,
    pin::Pin,
    task::{Context, Poll, Waker},
};
use futures_core::{FusedStream, Stream};
use place::{ForkPlace, MakesForks, NextItem, SourceRef};
use pull::{
    ACTIVE_WAITS, ActiveWaiter, ForkShared, ForkSource, Pulled, ROOM, new_lock, register_passive,
};

/// A fork's or a hub's handle on the source, with the ring beside it.
type SourceHandle<S> = Handle<ForkShared, ForkSource<S>, OnceBox<Ring<<S as Stream>::Item>>>;

/// The items that a fork yields.
type Item<S, B> = <B as Yields>::Item<<S as Stream>::Item>;

/// Lets several readers see every item of one stream. Returns the first [`Fork`], from which the
/// others are made.
///
/// Use it to consume a stream in several places at once, such as a handler, a log and a statistic,
/// each at its own pace. A fork sees every item from the place on at which it was forked.
///
/// The returned fork is *active*: when it has taken everything that was pulled, it polls the
/// stream. Forks made with [`Fork::fork`] are active too, and the first of them to be polled pulls
/// an item for all. [Passive](Fork::fork_passive) forks only see the items that active ones pull.
/// Forks of both kinds can be made and dropped at any time and on any thread.
///
/// Nothing is read ahead: an item is pulled when an active fork asks for it. While there is a
/// single fork, items pass through it directly. Otherwise they are kept in a list until the slowest
/// fork has taken them, so a fork that is held and not polled keeps all items from its place on.
/// Use [`aiter_forker_with`] to limit that.
///
/// The stream is dropped at its end, or with the last fork. Making a second fork requires items
/// that are `Clone + Sync`.
///
/// # Panics
/// A panic of the stream reaches the fork that polled it. The stream is dropped and nothing more is
/// pulled. Every other fork first yields what was pulled before, and then panics once, so that no
/// reader takes the panic for the end.
///
/// # Cancel safety
/// See [`Fork`].
///
/// # Progress
/// See [`Fork`].
///
/// # Example
/// ```
/// use aiter_core::{aiter_forker, iter_to_aiter};
/// use futures_lite::{StreamExt, future::block_on};
///
/// let mut one = aiter_forker(iter_to_aiter(1..4));
/// let mut other = one.fork();
/// let statistics = one.fork_passive();
/// block_on(async {
///     assert_eq!(one.next().await, Some(1));
///     assert_eq!(other.next().await, Some(1));
///     assert_eq!(other.next().await, Some(2));
///     drop((one, other));
///     // No active fork is left, so nothing more is pulled.
///     assert_eq!(statistics.collect::<Vec<_>>().await, [1, 2]);
/// });
/// ```
pub fn aiter_forker<S: Stream>(stream: S) -> Fork<S> {
    aiter_forker_with(unbounded(), stream)
}

/// Like [`aiter_forker`], with a bound on how far forks run apart and on how many items are kept:
/// [`wait(n)`](bound::wait) or [`skip(n)`](bound::skip).
///
/// The bound has no effect while there is a single fork. A new fork starts at the place of the fork
/// from which it is made, and is as far behind as that one.
///
/// # Panics
/// See [`aiter_forker`].
///
/// # Cancel safety
/// See [`Fork`].
///
/// # Progress
/// See [`Fork`] and the bound.
///
/// # Example
/// ```
/// use aiter_core::{Fork, aiter_forker_with, bound, iter_to_aiter};
/// use futures_lite::{StreamExt, future::block_on};
///
/// // The bound is part of a fork's type.
/// type Bounded<S> = Fork<S, bound::Skip>;
///
/// let mut fast: Bounded<_> = aiter_forker_with(bound::skip(100), iter_to_aiter(0..1000));
/// let slow = fast.fork();
/// block_on(async {
///     assert_eq!(fast.count().await, 1000);
///     let (missed, seen) = slow.fold((0, 0), |(m, n), seen| (m + seen.missed, n + 1)).await;
///     assert_eq!((missed, seen), (900, 100));
/// });
/// ```
pub fn aiter_forker_with<S: Stream, B: SourceBound<S::Item>>(
    bound: B,
    stream: S,
) -> Fork<S, <B as SourceBound<S::Item>>::Bound> {
    let (writer, mut reader) = open_list_with_reader();
    let handle = Handle::new(new_lock(), ForkSource::new(stream, writer), OnceBox::new());
    let source = || SourceRef {
        lock: handle.as_lock(),
        ring: handle.beside(),
    };
    let bound = bound.set_up(&mut reader, source());
    let place = bound.first_place(reader, source());
    let active = Some(handle.as_lock().shared().register_active());
    Fork {
        handle,
        place,
        active,
        passive: None,
        panic_reported: false,
        task: TaskId::NONE,
    }
}

/// One of the readers of a forked stream; see [`aiter_forker`]. `B` is the [`bound`] on how far
/// forks run apart.
///
/// **The end** of the stream reaches every fork after the items that were pulled.
///
/// **When no active fork is left**, a passive fork yields what was pulled and then `None`. That end
/// is provisional: the fork [`is_terminated`](FusedStream::is_terminated) until it, or another
/// passive fork, is [made active](Self::activate). Then it goes on where it was and misses nothing.
/// A passive fork that waits when the last active one is dropped is woken. A fork that was leaked
/// still counts as active.
///
/// **Dropping, forgetting or ignoring one fork never blocks the others.** When the stream wakes,
/// all active forks that wait are woken, and the first one to be polled pulls. This also holds for
/// several forks in one task, as in a `select`. Only under the bound [`wait`](bound::wait) do the
/// others wait for a slow fork, because the bound asks for that.
///
/// A fork that is polled inside the stream's own poll is pending, and is woken when that poll has
/// given an item or the end.
///
/// While the stream is pending and has not woken, it is polled again only by a fork that has been
/// left pending since then, and not by every other fork that comes.
///
/// # Panics
/// See [`aiter_forker`] for panics of the stream. If `Clone` of an item panics, the item is lost to
/// the fork that was polled and to no other. A panic of a waker reaches the poll, wake or drop that
/// calls the waker, after all other forks have been woken. If that poll took an item and thereby
/// made room under the bound [`wait`](bound::wait), the item is dropped.
///
/// # Cancel safety
/// Cancel safe: an item is taken in the poll that returns it, and all state is in the fork, so
/// dropping `next()` loses nothing. A fork keeps the waker with which it last waited, so that the
/// same task need not clone it again. It drops the waker at the end, or when another task polls the
/// fork and finds no item that is known already. A fork that was made active while it waited, or
/// that found another one accessing the buffer of [`skip`](bound::skip), keeps two wakers.
///
/// # Progress
/// No lock is held while the stream is pending. A poll never waits for another fork: if another
/// thread is polling the stream at that moment the fork is pending, and that thread wakes it. With
/// `std` the fork first looks a few times more, as a [taker](crate::sharable_aiter) does. Polls,
/// forks and drops are lock-free, apart from what the stream itself does. See
/// [`wait`](bound::wait) and [`skip`](bound::skip) for what the bounds add.
///
/// # Example
/// An active fork pulls, and each item wakes a passive one that waits.
/// ```
/// use aiter_core::{aiter_forker, iter_to_aiter};
/// use futures_lite::{StreamExt, future::{block_on, zip}};
///
/// let mut active = aiter_forker(iter_to_aiter("ab".chars()));
/// let mut passive = active.fork_passive();
/// block_on(async {
///     assert_eq!(zip(passive.next(), active.next()).await, (Some('a'), Some('a')));
///     drop(active);
///     assert_eq!(passive.next().await, None);
///     passive.activate();
///     assert_eq!(passive.next().await, Some('b'));
/// });
/// ```
#[must_use = "streams do nothing unless polled"]
pub struct Fork<S: Stream, B: Bound = Unbounded> {
    /// Beside the source is the ring of the forks with the bound `skip`, if there are any.
    handle: SourceHandle<S>,
    place: B::Place<S::Item>,
    /// `Some` in active forks.
    active: Option<ActiveWaiter>,
    /// `Some` in forks that have waited as passive ones.
    passive: Option<Waiter>,
    /// Whether this fork has reported a panic of the source.
    panic_reported: bool,
    /// The task that polled last and had to look for an item. The wakers that are registered, in
    /// `active`, `passive` or `place`, are its own.
    task: TaskId,
}

impl<S: Stream, B: Bound> Fork<S, B> {
    /// Makes an active fork at the place of this one, which may itself be passive.
    ///
    /// Items are cloned for all forks except the last one to take them. Several threads may clone
    /// one item at once, hence the bounds: `Send` without `Sync` would be unsound (see
    /// [RUSTSEC-2025-0023] for a channel that required no more).
    ///
    /// # Progress
    /// O(1), lock-free. Allocates a few words for every few forks.
    ///
    /// # Example
    /// See [`aiter_forker`].
    ///
    /// [RUSTSEC-2025-0023]: https://rustsec.org/advisories/RUSTSEC-2025-0023.html
    pub fn fork(&mut self) -> Self
    where
        S::Item: Clone + Sync,
    {
        let mut fork = self.fork_passive();
        fork.activate();
        fork
    }

    /// Makes a passive fork at the place of this one: it never polls the stream, and sees what
    /// active forks pull.
    ///
    /// # Progress
    /// As [`fork`](Self::fork).
    ///
    /// # Example
    /// ```
    /// use aiter_core::{aiter_forker, iter_to_aiter};
    /// use futures_lite::{StreamExt, future::{block_on, poll_once}};
    ///
    /// let mut active = aiter_forker(iter_to_aiter(1..4));
    /// let mut passive = active.fork_passive();
    /// assert_eq!(block_on(poll_once(passive.next())), None, "nothing was pulled");
    /// assert_eq!(block_on(active.next()), Some(1));
    /// assert_eq!(block_on(passive.next()), Some(1));
    /// ```
    pub fn fork_passive(&mut self) -> Self
    where
        S::Item: Clone + Sync,
    {
        Self {
            handle: self.handle.clone(),
            place: self.place.fork(),
            active: None,
            passive: None,
            panic_reported: self.panic_reported,
            task: TaskId::NONE,
        }
    }

    /// Makes an active fork at the place of this one, with a bound of its own.
    ///
    /// Use it for readers of one stream that differ in what they need: a log that loses nothing
    /// beside dashboards that show the newest, or one slow reader that the others should wait for.
    ///
    /// | bound of the new fork | it |
    /// |---|---|
    /// | [`unbounded`](bound::unbounded) | sees every item from its place on, and holds nobody up |
    /// | [`wait(n)`](bound::wait) | sees every item from its place on; nothing is pulled while it has `n` to take |
    /// | [`skip(n)`](bound::skip) | sees the latest `n` items at least, and holds nobody up |
    ///
    /// Each fork keeps to its own bound only. The stream is held up by forks with `wait`, by each at
    /// its own `n`, whichever forks pull. The forks with `skip` share one buffer, as large as the
    /// largest `n`.
    ///
    /// A fork that is made from one with `skip` starts with the oldest item that this one can still
    /// see. If the new one is lossless, it loses nothing from there on; the items that are in the
    /// buffer are cloned for it.
    ///
    /// # Panics
    /// If `Clone` of an item panics. No fork is affected.
    ///
    /// # Progress
    /// Lock-free, and as [`fork`](Self::fork) between forks that lose nothing. From or to `skip`, up
    /// to `n` items are cloned. A lossless fork that is made while another thread accesses the
    /// buffer clones them when it is polled first.
    ///
    /// # Example
    /// A main reader that loses nothing, and a dashboard that may.
    /// ```
    /// use aiter_core::{aiter_forker, bound, iter_to_aiter};
    /// use futures_lite::{StreamExt, future::block_on};
    ///
    /// let mut main = aiter_forker(iter_to_aiter(1..=100));
    /// let dashboard = main.fork_passive_with(bound::skip(2));
    /// block_on(async {
    ///     assert_eq!(main.count().await, 100);
    ///     let seen: Vec<_> = dashboard.map(|seen| (seen.missed, seen.item)).collect().await;
    ///     assert_eq!(seen, [(98, 99), (0, 100)]);
    /// });
    /// ```
    pub fn fork_with<C: Bound>(&mut self, bound: C) -> Fork<S, C>
    where
        S::Item: Clone + Sync,
    {
        let mut fork = self.fork_passive_with(bound);
        fork.activate();
        fork
    }

    /// Makes a [passive](Self::fork_passive) fork at the place of this one, with a bound of its own;
    /// see [`fork_with`](Self::fork_with).
    ///
    /// # Panics
    /// As [`fork_with`](Self::fork_with).
    ///
    /// # Progress
    /// As [`fork_with`](Self::fork_with).
    ///
    /// # Example
    /// See [`fork_with`](Self::fork_with).
    pub fn fork_passive_with<C: Bound>(&mut self, bound: C) -> Fork<S, C>
    where
        S::Item: Clone + Sync,
    {
        let handle = self.handle.clone();
        let source = SourceRef {
            lock: handle.as_lock(),
            ring: handle.beside(),
        };
        let place = bound.place_at(self.place.parent(), source);
        Fork {
            handle,
            place,
            active: None,
            passive: None,
            panic_reported: self.panic_reported,
            task: TaskId::NONE,
        }
    }

    /// Whether this fork is active: it polls the stream when it has taken everything that was
    /// pulled.
    pub fn is_active(&self) -> bool {
        self.active.is_some()
    }

    /// Makes a passive fork active. Does nothing if the fork is active.
    ///
    /// The fork has to be polled before it has an effect on others.
    ///
    /// # Progress
    /// As [`fork`](Self::fork).
    ///
    /// # Example
    /// See [`Fork`].
    pub fn activate(&mut self) {
        if self.active.is_none() {
            self.active = Some(self.shared().register_active());
        }
    }

    /// How many items were pulled, how many the fastest fork has taken, and how many wait for the
    /// fastest and for the slowest fork. Loads one word per fork.
    ///
    /// # Progress
    /// Wait-free.
    ///
    /// # Example
    /// ```
    /// use aiter_core::{aiter_forker, iter_to_aiter};
    /// use futures_lite::{StreamExt, future::block_on};
    ///
    /// let mut one = aiter_forker(iter_to_aiter(1..10));
    /// let _slow = one.fork_passive();
    /// block_on(one.next());
    /// block_on(one.next());
    /// let now = one.statistics();
    /// assert_eq!((now.pushed, now.taken, now.waiting, now.lag), (2, 2, 0, 2));
    /// ```
    pub fn statistics(&self) -> Statistics {
        let bypassed = self.shared().bypassed();
        let mut statistics = match self.handle.beside().get() {
            Some(ring) => ring.statistics(),
            None => self.place.statistics(),
        };
        statistics.pushed = statistics.pushed.wrapping_add(bypassed);
        statistics.taken = statistics.taken.wrapping_add(bypassed);
        statistics
    }

    fn shared(&self) -> &ForkShared {
        self.handle.as_lock().shared()
    }

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

impl<S: Stream> Fork<S, Wait> {
    /// Whether the bound is reached: nothing is pulled until the slowest fork, which may be this
    /// one, takes an item or is dropped. Loads one word per fork.
    ///
    /// # Progress
    /// Wait-free.
    ///
    /// # Example
    /// See [`wait`](bound::wait).
    pub fn is_stalled(&self) -> bool {
        self.place.is_full()
    }

    /// Changes the bound for all forks of this stream: from now on they run up to `n` items ahead
    /// of the slowest.
    ///
    /// Forks that waited for room are woken if there is some now. A smaller `n` takes nothing back:
    /// forks that are further ahead wait.
    ///
    /// # Panics
    /// If `n` is 0.
    ///
    /// # Progress
    /// Lock-free.
    ///
    /// # Example
    /// ```
    /// use aiter_core::{aiter_forker_with, bound, iter_to_aiter};
    /// use futures_lite::{StreamExt, future::{block_on, poll_once}};
    ///
    /// let mut fork = aiter_forker_with(bound::wait(1), iter_to_aiter('a'..));
    /// // A leaked fork is never polled again, and still counts.
    /// std::mem::forget(fork.fork());
    /// assert_eq!(block_on(fork.next()), Some('a'));
    /// assert_eq!(block_on(poll_once(fork.next())), None);
    /// fork.set_wait(usize::MAX);
    /// assert_eq!(block_on(fork.next()), Some('b'));
    /// ```
    #[track_caller]
    pub fn set_wait(&self, n: usize) {
        assert!(n > 0, "set_wait: n must be at least 1");
        self.place.set_limits(n);
    }
}

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

impl<S: Stream, B: Bound> Drop for Fork<S, B> {
    fn drop(&mut self) {
        if let Some(waiter) = self.active.take() {
            self.shared().unregister_active(waiter);
        }
    }
}

impl<S: Stream, B: Bound> fmt::Debug for Fork<S, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fork")
            .field("is_active", &self.is_active())
            .field("is_terminated", &self.is_terminated())
            .field("statistics", &self.statistics())
            .finish_non_exhaustive()
    }
}

#[cfg(all(test, aiter_loom))]
mod loom;
#[cfg(all(test, not(aiter_loom)))]
mod tests;
