//! [`Fork`]: how forks are made, and what they tell about their stream.

use super::{
    SourceHandle,
    bound::{Bound, Unbounded, Wait},
    place::{ForkPlace, MakesForks, SourceRef},
    pull::{ActiveWaiter, ForkShared},
};
use crate::{
    Statistics,
    wait::{task::TaskId, wait_set::Waiter},
};
use core::fmt;
use futures_core::{FusedStream, Stream};

/// One of the readers of a forked stream; see [`aiter_forker`](super::aiter_forker). `B` is the
/// [`bound`](super::bound) on how far forks run apart.
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
/// several forks in one task, as in a `select`. Only under the bound [`wait`](super::bound::wait)
/// do the others wait for a slow fork, because the bound asks for that.
///
/// A fork that is polled inside the stream's own poll is pending, and is woken when that poll has
/// given an item or the end.
///
/// While the stream is pending and has not woken, it is polled again only by a fork that has been
/// left pending since then, and not by every other fork that comes.
///
/// # Panics
/// See [`aiter_forker`](super::aiter_forker) for panics of the stream. If `Clone` of an item
/// panics, the item is lost to the fork that was polled and to no other. A panic of a waker reaches
/// the poll, wake or drop that calls the waker, after all other forks have been woken. If that poll
/// took an item and thereby made room under the bound [`wait`](super::bound::wait), the item is
/// dropped.
///
/// # Cancel safety
/// Cancel safe: an item is taken in the poll that returns it, and all state is in the fork, so
/// dropping `next()` loses nothing. A fork keeps the waker with which it last waited, so that the
/// same task need not clone it again. It drops the waker at the end, or when another task polls the
/// fork and finds no item that is known already. A fork that was made active while it waited, or
/// that found another one accessing the buffer of [`skip`](super::bound::skip), keeps two wakers.
///
/// # Progress
/// No lock is held while the stream is pending. A poll never waits for another fork: if another
/// thread is polling the stream at that moment the fork is pending, and that thread wakes it. With
/// `std` the fork first looks a few times more, as a [taker](crate::sharable_aiter) does. Polls,
/// forks and drops are lock-free, apart from what the stream itself does. See
/// [`wait`](super::bound::wait) and [`skip`](super::bound::skip) for what the bounds add.
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
    pub(super) handle: SourceHandle<S>,
    pub(super) place: B::Place<S::Item>,
    /// `Some` in active forks.
    pub(super) active: Option<ActiveWaiter>,
    /// `Some` in forks that have waited as passive ones.
    pub(super) passive: Option<Waiter>,
    /// Whether this fork has reported a panic of the source.
    pub(super) panic_reported: bool,
    /// The task that polled last and had to look for an item. The wakers that are registered, in
    /// `active`, `passive` or `place`, are its own.
    pub(super) task: TaskId,
}

impl<S: Stream, B: Bound> Fork<S, B> {
    /// A fork at a place. It is active if it is registered as such.
    pub(super) fn new(
        handle: SourceHandle<S>,
        place: B::Place<S::Item>,
        active: Option<ActiveWaiter>,
    ) -> Self {
        Self {
            handle,
            place,
            active,
            passive: None,
            panic_reported: false,
            task: TaskId::NONE,
        }
    }

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
    /// See [`aiter_forker`](super::aiter_forker).
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
    #[cfg_attr(doc, doc = include_str!("../../docs/pictures/fork_passive.svg"))]
    ///
    /// # Progress
    /// As [`fork`](Self::fork).
    ///
    /// # Example
    /// A monitor sees the requests that a server handles, and takes none from the connection
    /// itself.
    /// ```
    /// use aiter_core::{aiter_forker, iter_to_aiter};
    /// use futures_lite::{StreamExt, future::{block_on, poll_once}};
    ///
    /// let mut server = aiter_forker(iter_to_aiter(["GET /", "GET /news"]));
    /// let mut monitor = server.fork_passive();
    /// assert_eq!(block_on(poll_once(monitor.next())), None, "nothing was pulled");
    /// assert_eq!(block_on(server.next()), Some("GET /"));
    /// assert_eq!(block_on(monitor.next()), Some("GET /"));
    /// ```
    pub fn fork_passive(&mut self) -> Self
    where
        S::Item: Clone + Sync,
    {
        let mut fork = Self::new(self.handle.clone(), self.place.fork(), None);
        fork.panic_reported = self.panic_reported;
        fork
    }

    /// Makes an active fork at the place of this one, with a bound of its own.
    ///
    /// Use it for readers of one stream that differ in what they need: a log that loses nothing
    /// beside dashboards that show the newest, or one slow reader that the others should wait for.
    ///
    /// | bound of the new fork | it |
    /// |---|---|
    /// | [`unbounded`](super::bound::unbounded) | sees every item from its place on, and holds nobody up |
    /// | [`wait(n)`](super::bound::wait) | sees every item from its place on; nothing is pulled while it has `n` to take |
    /// | [`skip(n)`](super::bound::skip) | sees the latest `n` items at least, and holds nobody up |
    ///
    /// Each fork keeps to its own bound only. The stream is held up by forks with `wait`, by each
    /// at its own `n`, whichever forks pull. The forks with `skip` share one buffer, as large as
    /// the largest `n`.
    ///
    /// A fork that is made from one with `skip` starts with the oldest item that this one can still
    /// see. If the new one is lossless, it loses nothing from there on; the items that are in the
    /// buffer are cloned for it.
    ///
    /// # Panics
    /// If `Clone` of an item panics. No fork is affected.
    ///
    /// # Progress
    /// Lock-free, and as [`fork`](Self::fork) between forks that lose nothing. From or to `skip`,
    /// up to `n` items are cloned. A lossless fork that is made while another thread accesses the
    /// buffer clones them when it is polled first.
    ///
    /// # Example
    /// A log gets every temperature, and a dashboard that is slow shows the latest two.
    /// ```
    /// use aiter_core::{aiter_forker, bound, iter_to_aiter};
    /// use futures_lite::{StreamExt, future::block_on};
    ///
    /// let mut log = aiter_forker(iter_to_aiter([19, 20, 22, 23, 21]));
    /// let dashboard = log.fork_passive_with(bound::skip(2));
    /// block_on(async {
    ///     assert_eq!(log.count().await, 5);
    ///     let seen: Vec<_> = dashboard.map(|seen| (seen.missed, seen.item)).collect().await;
    ///     assert_eq!(seen, [(3, 23), (0, 21)]);
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

    /// Makes a [passive](Self::fork_passive) fork at the place of this one, with a bound of its
    /// own; see [`fork_with`](Self::fork_with).
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
        let mut fork = Fork::new(handle, place, None);
        fork.panic_reported = self.panic_reported;
        fork
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
    /// Lock-free: it looks again if an item was pulled meanwhile.
    ///
    /// # Example
    /// ```
    /// use aiter_core::{aiter_forker, iter_to_aiter};
    /// use futures_lite::{StreamExt, future::block_on};
    ///
    /// let mut server = aiter_forker(iter_to_aiter(["GET /", "GET /news", "GET /about"]));
    /// let _monitor = server.fork_passive();
    /// block_on(server.next());
    /// block_on(server.next());
    /// let now = server.statistics();
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

    pub(super) fn shared(&self) -> &ForkShared {
        self.handle.as_lock().shared()
    }
}

impl<S: Stream> Fork<S, Wait> {
    /// Whether the bound is reached: nothing is pulled until the slowest fork, which may be this
    /// one, takes an item or is dropped. Loads one word per fork.
    ///
    /// # Progress
    /// Lock-free: it looks again if an item was pulled meanwhile.
    ///
    /// # Example
    /// See [`wait`](super::bound::wait).
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
