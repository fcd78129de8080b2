//! `aiter_forker`: any stream, many readers, each sees every item.
//!
//! | file | what it knows |
//! |---|---|
//! | [`mod@pull`] | what is shared: the source, who is woken when, how many are active |
//! | [`mod@bound`] | bounds on how far forks run apart, as users see them |
//! | [`mod@place`] | what a bound has to say in a fork's poll |
//! | [`mod@room`], [`mod@window`] | what it says: `wait` and `skip` |
//! | this one | what a fork does when it is polled |
//!
//! A fork is a reader of one push list (with `skip`: of a ring that the list feeds). An active one that comes to the list's end pulls the source: it appends one
//! item and reads it like all others. The source and the list's writer belong to whoever holds a
//! [baton](crate::handoff::lock), for one poll of the source, and nobody waits for it. The source is always polled with
//! one waker, that of the baton, whose wake wakes all active forks that wait.
//!
//! **The invariant**: whenever the baton lies on the table, either the source is *idle* (its last poll was pending, and
//! it has not woken since), so that its wake is still to come; or each active fork that waits has been woken. So nobody
//! depends on another fork's ever being polled again.
//!
//! What a fork does that finds nothing in the list:
//!
//! | fork | baton | source | it |
//! |---|---|---|---|
//! | active | held | | waits, leaves a note, and looks again: what comes later, the holder wakes it for |
//! | active | taken, but meanwhile there is something in the list | | takes that |
//! | active | taken | not idle | polls the source, if the bound has room for an item; else waits, as if it were idle |
//! | active | taken | idle | waits; but polls if it waits for this source's wake already, and comes without it |
//! | passive | | | waits, leaves a note, and looks again; or ends if there is no active fork |
//!
//! | the poll of the source | the puller | the source is | whoever waits |
//! |---|---|---|---|
//! | an item | appends it; keeps it if it is the only fork | not idle | is woken |
//! | the end | ends the list | dropped | the same |
//! | pending | waits | idle | waits on |
//! | a panic | ends the list, says why | dropped | is woken, and panics |

pub mod bound;
mod place;
mod pull;
mod skip;
mod wait;

use crate::{
    Statistics,
    handoff::Handle,
    list::list,
    wait::{task::TaskId, wait_set::Waiter, waker_ref::waker_ref},
};
use bound::{Bound, Unbounded, Wait, Yields, unbounded, wait};
use core::{
    fmt,
    marker::PhantomData,
    mem,
    pin::Pin,
    task::{Context, Poll},
};
use futures_core::{FusedStream, Stream};
use place::{Found, Place, PulledKind};
use pull::{ARRIVED, ActiveWaiter, ForkShared, Pulled, Source, follow, lock};

/// What a fork yields.
type Item<S, B> = <B as Yields>::Item<<S as Stream>::Item>;

/// Any stream, many readers: each [`Fork`] sees every item that the stream yields from where it was forked on.
///
/// The one returned is *active*: when it comes to the end of what was pulled it polls the stream. So are those that
/// [`Fork::fork`] makes, whoever is first pulls for all. [Passive](Fork::fork_passive) forks only see what an active
/// one pulled. Any number of each are made and dropped at any time, on any thread.
///
/// Nothing is read ahead: an item is pulled when a fork asks for one. While there is a single fork, items go through it
/// as they come; else they stand in a list until the slowest fork has passed them. A fork that is held and not polled
/// keeps all items from its place on.
///
/// The stream is dropped at its end, or with the last fork. Items have to be `Clone + Sync` from the first fork on.
///
/// # Panics
/// A panic of the stream reaches the fork that polled it, ends what can be pulled, and drops the stream. Every other
/// fork gets what was pulled before, then panics, once, rather than take it for the end.
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
///     // Nobody is left who pulls.
///     assert_eq!(statistics.collect::<Vec<_>>().await, [1, 2]);
/// });
/// ```
pub fn aiter_forker<S: Stream>(stream: S) -> Fork<S> {
    aiter_forker_with(unbounded(), stream)
}

/// Like [`aiter_forker`], with a bound on how far forks run apart: [`wait(n)`](bound::wait) or [`skip(n)`](bound::skip).
///
/// As long as there is a single fork no bound has any effect. A fork starts at the place of the one it was forked off:
/// as far behind as that is.
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
/// // A bound is part of a fork's type.
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
pub fn aiter_forker_with<S: Stream, B: Bound>(bound: B, stream: S) -> Fork<S, B> {
    let (writer, reader) = list();
    let handle = Handle::new(lock(), Source::new(stream, writer));
    let place = bound.first(reader, handle.lock());
    let waiter = Some(handle.lock().public().join());
    Fork {
        handle,
        place,
        waiter,
        follower: None,
        panic_reported: false,
        task: TaskId::NONE,
    }
}

/// One of the readers of a forked stream: see [`aiter_forker`]. `B` is the [`bound`] on how far forks run apart.
///
/// **The end** of the stream reaches every fork after what was pulled.
///
/// **When no active fork is left**, a passive one gets what was pulled, then `None`, which is provisional: nothing comes
/// *for now*. It [`is_terminated`](FusedStream::is_terminated) until it, or another passive fork, is
/// [made active](Self::activate); then it goes on where it was and misses nothing. A passive fork that waits at
/// that moment is woken. A fork that was leaked still counts.
///
/// **Whoever goes** (is dropped, forgotten, or simply not polled any more), and however far it got, strands nobody:
/// when the stream wakes, all active forks that wait are woken, and the first to be polled pulls. Forks of one task, as
/// in a `select`, are no exception. A fork that is polled inside the stream's own poll is pending, and woken
/// when that poll has given something.
///
/// A stream whose last poll was pending and that has not woken since is polled again only by a fork that has been left
/// pending since, not by every other one that comes.
///
/// # Panics
/// See [`aiter_forker`] for panics of the stream. When `Clone` of an item panics, the item is lost to the fork that was
/// polled and to no other. A waker that panics does so in the poll, wake or drop that calls it; all others are woken. If
/// that is a poll that took an item and so made room under the bound [`wait`](bound::wait), the item goes with the panic.
///
/// # Cancel safety
/// Cancel safe: an item is taken in the poll that returns it. All state is in the fork: a `next()`
/// that is dropped loses nothing and is owed nothing. A fork keeps the waker that it waited with
/// last, so that the same task need not clone it anew, until it ends, or another task polls it and
/// has to look for its item; one that was made active while it waited, or found another at the ring
/// of [`skip`](bound::skip), has two of them.
///
/// # Progress
/// No lock is held while the stream is pending. A poll never waits for another fork: if another thread
/// is polling the stream at that moment the fork goes to sleep, and that thread wakes it. With `std` it looks
/// again before that, as a [taker](crate::sharable_aiter) does. Polls, forks and drops are
/// lock-free, but for what the stream itself does. What the bounds add stands with them: [`wait`](bound::wait),
/// [`skip`](bound::skip).
///
/// # Example
/// An active fork pulls; a passive one that waits is woken by what comes.
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
    handle: Handle<ForkShared, Source<S>>,
    place: B::Place<S::Item>,
    /// There in active forks.
    waiter: Option<ActiveWaiter>,
    /// There in those that have waited as passive ones.
    follower: Option<Waiter>,
    /// It has been told that the source panicked, if it has.
    panic_reported: bool,
    /// Whose wakers it keeps: with the puller, with the follower, or with the place.
    task: TaskId,
}

impl<S: Stream, B: Bound> Fork<S, B> {
    /// An active fork at the place of this one, which may itself be passive.
    ///
    /// Items are cloned for all forks but the last to read them. Several may clone one item at once, each on its
    /// thread, hence the bounds: `Send` alone would not be sound ([RUSTSEC-2025-0023] tells of a channel that had no
    /// more).
    ///
    /// # Progress
    /// O(1), lock-free; allocates a few words for every few forks.
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

    /// A passive fork at the place of this one: it never polls the stream, and sees what active ones pull.
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
            waiter: None,
            follower: None,
            panic_reported: self.panic_reported,
            task: TaskId::NONE,
        }
    }

    /// Whether this fork polls the stream when it comes to the end of what was pulled.
    pub fn is_active(&self) -> bool {
        self.waiter.is_some()
    }

    /// Makes a passive fork active; an active one stays so. It has to be polled to have an effect on others.
    ///
    /// # Progress
    /// As [`fork`](Self::fork).
    ///
    /// # Example
    /// See [`Fork`].
    pub fn activate(&mut self) {
        if self.waiter.is_none() {
            self.waiter = Some(self.shared().join());
        }
    }

    /// How the forks stand: items pulled, taken by the fork that is furthest ahead, waiting for that one, and waiting
    /// for the slowest. Looks at one word for each fork.
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
        let direct = self.shared().direct();
        let mut statistics = self.place.statistics();
        statistics.pushed = statistics.pushed.wrapping_add(direct);
        statistics.taken = statistics.taken.wrapping_add(direct);
        statistics
    }

    fn shared(&self) -> &ForkShared {
        self.handle.lock().public()
    }

    /// Takes what there is. `None` if there is nothing.
    #[inline]
    fn look(&mut self, cx: &mut Context<'_>) -> Option<Poll<Option<Item<S, B>>>> {
        let found = self.place.next(cx.waker());
        self.tell(found)
    }

    #[inline]
    fn tell(&mut self, found: Found<Item<S, B>>) -> Option<Poll<Option<Item<S, B>>>> {
        match found {
            Found::Item(item) => Some(Poll::Ready(Some(item))),
            Found::Ended => Some(Poll::Ready(self.end())),
            Found::Busy => Some(Poll::Pending),
            Found::Nothing => None,
        }
    }

    /// A poll that found nothing.
    #[inline(never)]
    fn poll_apart(&mut self, cx: &mut Context<'_>) -> Poll<Option<Item<S, B>>> {
        // Before there is an item that a panic could cost.
        if self.task.is_another(cx.waker()) {
            self.forget_task();
        }
        let polled = if self.is_active() {
            let mut found = Found::Nothing;
            self.pull(cx, &mut found)
                .or_else(|| self.tell(found))
                .or_else(|| self.look(cx))
                .unwrap_or(Poll::Pending)
        } else {
            self.follow(cx)
        };
        if polled.is_pending() {
            self.task = TaskId::of(cx.waker());
        }
        polled
    }

    /// An active fork that found nothing. `None` if it has `found` something while another pulled; or is to look again, which is no
    /// more than that: it waits already if there is nothing.
    #[inline]
    fn pull(
        &mut self,
        cx: &mut Context<'_>,
        found: &mut Found<Item<S, B>>,
    ) -> Option<Poll<Option<Item<S, B>>>> {
        let (place, waiter) = (&mut self.place, self.waiter.as_mut()?);
        let alone = place.is_alone();
        let mut guard = self.handle.lock_or(|lock| {
            let comes = || {
                *found = place.next(cx.waker());
                !matches!(*found, Found::Nothing)
            };
            if lock.public().spin.spin_until(comes) {
                return None;
            }
            waiter.wait_outside(cx.waker());
            // What was pulled before the note is left may have come after the look, and is no news to who reads it.
            lock.leave(ARRIVED)
        })?;
        // Another may have pulled since this one looked, but cannot any more.
        if self.place.at_tail() {
            if !guard.with(|_, pull| pull.begin(waiter)) {
                guard.with(|_, pull| pull.wait(waiter, cx.waker()));
                return Some(Poll::Pending);
            }
            if !alone && !self.place.has_room() {
                guard.with(|_, pull| {
                    pull.wait(waiter, cx.waker());
                    pull.rest();
                });
                return Some(Poll::Pending);
            }
            let lock = guard.lock();
            let (waker, panic_reported) = (waker_ref(lock), &mut self.panic_reported);
            let cx_of_all = &mut Context::from_waker(&waker);
            let unwind = OnUnwind(&self.place, PhantomData);
            let pulled = guard
                .with_value(|source| source.pull(lock.public(), alone, panic_reported, cx_of_all));
            mem::forget(unwind);
            match pulled {
                Poll::Pending => {
                    guard.with(|_, pull| {
                        pull.wait(waiter, cx.waker());
                        pull.rest();
                    });
                    return Some(Poll::Pending);
                }
                Poll::Ready(Pulled::Item(item)) => {
                    guard.with(|shared, pull| {
                        pull.has_news(alone);
                        shared.count_direct();
                    });
                    let item = self.place.direct(item);
                    // Not left to the return: a waker that panics there would leak the item.
                    guard.keep_locked();
                    return Some(Poll::Ready(Some(item)));
                }
                Poll::Ready(Pulled::InList(what)) => {
                    guard.with(|_, pull| pull.has_news(alone));
                    self.place.pulled(what);
                    // Before the item is cloned.
                    guard.keep_locked();
                    if what == PulledKind::Item {
                        let found = self.place.next_pulled(cx.waker());
                        return self.tell(found);
                    }
                }
            }
        }
        None
    }

    /// A passive fork that found nothing.
    fn follow(&mut self, cx: &mut Context<'_>) -> Poll<Option<Item<S, B>>> {
        if self.shared().has_active() {
            let lock = self.handle.lock();
            let follower = self
                .follower
                .get_or_insert_with(|| lock.public().follower());
            follow(lock, follower, cx.waker());
            if let Some(found) = self.look(cx) {
                return found;
            }
            if self.shared().recheck_active() {
                return Poll::Pending;
            }
        }
        // What the last active fork pulled before it went is seen now.
        self.look(cx).unwrap_or_else(|| {
            self.forget_task();
            Poll::Ready(None)
        })
    }

    /// Another task polls than the one that waited last, or nobody has to any more.
    #[cold]
    #[inline(never)]
    fn forget_task(&mut self) {
        if mem::replace(&mut self.task, TaskId::NONE) == TaskId::NONE {
            return;
        }
        if let Some(waiter) = &mut self.waiter {
            waiter.forget();
        }
        if let Some(follower) = &mut self.follower {
            follower.forget();
        }
        self.place.forget();
    }

    /// The list has ended.
    #[cold]
    #[inline(never)]
    fn end(&mut self) -> Option<Item<S, B>> {
        self.forget_task();
        if !self.panic_reported && self.shared().has_panicked() {
            self.panic_reported = true;
            panic!("the forked stream panicked, in a poll of another fork");
        }
        None
    }
}

impl<S: Stream> Fork<S, Wait> {
    /// Whether the bound is reached: nothing is pulled until the slowest fork, which may be this one, takes an item or is
    /// dropped. Looks at one word for each fork.
    ///
    /// # Progress
    /// Wait-free.
    ///
    /// # Example
    /// See [`wait`](bound::wait).
    pub fn is_stalled(&self) -> bool {
        self.place.is_full()
    }

    /// From now on forks of this stream run up to `n` items ahead of the slowest. Those that waited for room are woken if
    /// there is some now. With a smaller `n` nothing is taken back: forks that are further ahead wait.
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
    /// // It will not be heard of any more, and counts.
    /// std::mem::forget(fork.fork());
    /// assert_eq!(block_on(fork.next()), Some('a'));
    /// assert_eq!(block_on(poll_once(fork.next())), None);
    /// fork.set_wait(usize::MAX);
    /// assert_eq!(block_on(fork.next()), Some('b'));
    /// ```
    #[track_caller]
    pub fn set_wait(&self, n: usize) {
        self.place.set_limit(wait(n).0);
    }
}

/// Tells the place of the end that a panic of the source is.
struct OnUnwind<'a, T, P: Place<T>>(&'a P, PhantomData<fn(T)>);

impl<T, P: Place<T>> Drop for OnUnwind<'_, T, P> {
    fn drop(&mut self) {
        self.0.pulled(PulledKind::End);
    }
}

impl<S: Stream, B: Bound> Stream for Fork<S, B> {
    type Item = B::Item<S::Item>;

    #[inline]
    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Item<S, B>>> {
        let this = self.get_mut();
        if let Some(item) = this.place.next_known() {
            return Poll::Ready(Some(item));
        }
        if this.place.is_bare() {
            return this.poll_apart(cx);
        }
        if this.task.is_another(cx.waker()) {
            this.forget_task();
        }
        match this.place.next(cx.waker()) {
            Found::Item(item) => Poll::Ready(Some(item)),
            Found::Ended => Poll::Ready(this.end()),
            Found::Busy => {
                this.task = TaskId::of(cx.waker());
                Poll::Pending
            }
            Found::Nothing => this.poll_apart(cx),
        }
    }

    /// The number of items that were pulled for this fork. A fork without siblings adds what the
    /// stream itself promises. One with siblings does not ask the stream, because that would keep
    /// them from polling it. Takes constant time, beside that of the stream.
    fn size_hint(&self) -> (usize, Option<usize>) {
        let guard = self.place.is_alone().then(|| self.handle.try_lock());
        let is_over = self.place.is_closed();
        // Counted with the baton in hand: nothing is pulled between the two.
        let pulled = self.place.count();
        if is_over {
            return (pulled, Some(pulled));
        }
        let Some(mut guard) = guard.flatten() else {
            return (pulled, None);
        };
        let (least, most) = guard.with_value(|source| source.as_ref().size_hint());
        let least = if self.is_active() { least } else { 0 };
        let most = most.and_then(|most| most.checked_add(pulled));
        (self.place.at_least(pulled.saturating_add(least)), most)
    }
}

/// Terminated is a fork whose next poll would give `None`. For a passive fork that may change: see [`Fork`].
impl<S: Stream, B: Bound> FusedStream for Fork<S, B> {
    fn is_terminated(&self) -> bool {
        // In this order, for what the last active fork pulled.
        let has_active = self.is_active() || self.shared().has_active();
        if self.place.at_end() {
            return self.panic_reported || !self.shared().has_panicked();
        }
        !has_active && self.place.at_tail()
    }
}

impl<S: Stream, B: Bound> Drop for Fork<S, B> {
    fn drop(&mut self) {
        if let Some(waiter) = self.waiter.take() {
            self.shared().leave(waiter);
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
