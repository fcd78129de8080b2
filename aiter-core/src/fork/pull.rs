//! The source of a forked stream: the state around it that all forks share, and the requests to
//! its lock, which decide which forks are woken when.

use super::rooms::Rooms;
use crate::{
    handoff::{Combine, HandoffLock, REQUESTS},
    list::{ItemTail, Reader, Writer},
    ring::Ring,
    sync::{AtomicUsize, OnceBox, Ordering},
    util::fuse::Fused,
    wait::{
        spin::{AdaptiveSpin, Taking},
        wait_set::{LazyWaitSet, WaitSet, Waiter},
        waker_ref::WakeUp,
    },
};
use core::{
    pin::Pin,
    task::{Context, Poll, Waker, ready},
};
use futures_core::Stream;
use pin_project::pin_project;
use scopeguard::ScopeGuard;

/// Request: the source has woken, or there is room again under a bound.
pub(super) const WOKEN: usize = REQUESTS[0];
/// Request: an active fork has begun to wait.
pub(super) const ACTIVE_WAITS: usize = REQUESTS[1];
/// Request: a passive fork has begun to wait.
const PASSIVE_WAITS: usize = REQUESTS[2];

/// Owed before a pull: whether there is room; see [`Rooms`].
pub(super) const ROOM: usize = 1;
/// Owed after a pull: a transfer to the ring, if it has cursors.
pub(super) const RING: usize = 2;

/// Owed after a poll that gave an item, before that is pushed: the ring has to be fed from the
/// tail, because a fork came that has no reader.
pub(super) const FEED: usize = 4;

/// The state that all forks access without the lock.
pub(crate) struct ForkShared {
    /// The active forks.
    active_waiters: WaitSet,
    /// The passive forks that have waited.
    passive_waiters: WaitSet,
    /// The number of active forks. Each of them occupies memory in `active_waiters`, so the counter
    /// cannot overflow.
    active: AtomicUsize,
    /// The number of items that the only fork took without the list, for statistics. Wraps as those
    /// do. Written with the lock held.
    bypassed: AtomicUsize,
    /// What a pull owes to forks with bounds: [`ROOM`], [`RING`] and [`FEED`]. Only the last one is
    /// cleared again.
    owed: AtomicUsize,
    /// Made for the first `wait` fork.
    rooms: OnceBox<Rooms>,
    /// The tasks that wait until there is no active fork, and until there is one.
    pub(super) idle: LazyWaitSet,
    pub(super) occupied: LazyWaitSet,
    /// Not 0 once the source has panicked.
    panicked: AtomicUsize,
    /// Whether to look again, before waiting, while another fork pulls.
    pub(super) spin: AdaptiveSpin<Taking>,
}

/// The state that the lock guards. `waits` and `news` are sets of [`ACTIVE_WAITS`] and
/// [`PASSIVE_WAITS`]; the forks that are in both are to be woken.
pub(crate) struct PullState {
    /// Counts wakes of the source and items. May wrap: a fork that then finds its old version polls
    /// the source once more than it has to.
    version: usize,
    /// Forks of these kinds have begun to wait and have not been woken.
    waits: usize,
    /// For forks of these kinds something may have come. Without [`ACTIVE_WAITS`] the source is
    /// *idle*: its last poll was pending and it has not woken since, or a fork found no room and
    /// [`WOKEN`] has not been requested since. [`PASSIVE_WAITS`] is in it if something was pulled
    /// since the source last became idle, or since a passive fork last acquired the lock to
    /// register.
    news: usize,
}

const BOTH: usize = ACTIVE_WAITS | PASSIVE_WAITS;

pub(super) fn new_lock() -> HandoffLock<ForkShared> {
    let shared = ForkShared {
        active_waiters: WaitSet::new(),
        passive_waiters: WaitSet::new(),
        active: AtomicUsize::new(0),
        bypassed: AtomicUsize::new(0),
        owed: AtomicUsize::new(0),
        rooms: OnceBox::new(),
        idle: LazyWaitSet::new(),
        occupied: LazyWaitSet::new(),
        panicked: AtomicUsize::new(0),
        spin: AdaptiveSpin::new(),
    };
    let state = PullState {
        version: 1,
        waits: 0,
        news: ACTIVE_WAITS,
    };
    HandoffLock::new(shared, state)
}

impl Combine for ForkShared {
    type State = PullState;
    /// The requests whose forks are to be woken after the release of the lock.
    type FollowUp = usize;

    #[inline]
    fn nothing_due(&self, state: &PullState) -> bool {
        state.waits & state.news == 0
    }

    fn combine(&self, state: &mut PullState, requests: usize, wake: &mut usize) {
        if requests & WOKEN != 0 {
            state.news |= ACTIVE_WAITS;
            state.version = state.version.wrapping_add(1);
        }
        state.waits |= requests & BOTH;
        *wake |= state.waits & state.news;
        state.waits &= !state.news;
    }

    fn follow_up(&self, wake: usize) {
        // The passive forks are woken last, also if a waker of an active one panics.
        let _passive = (wake & PASSIVE_WAITS != 0)
            .then(|| scopeguard::guard(&self.passive_waiters, |waiters| waiters.wake_all()));
        if wake & ACTIVE_WAITS != 0 {
            self.active_waiters.wake_all();
        }
    }
}

impl WakeUp for HandoffLock<ForkShared> {
    /// The wake of the source.
    fn wake_up(&self) {
        self.notify(WOKEN);
    }
}

impl ForkShared {
    /// Registers an active fork.
    pub(super) fn register_active(&self) -> ActiveWaiter {
        // Ordering: Relaxed, making a fork active publishes nothing.
        if self.active.fetch_add(1, Ordering::Relaxed) == 0 {
            self.occupied.notify();
        }
        ActiveWaiter {
            waiter: self.active_waiters.add(),
            seen_version: 0,
        }
    }

    /// Unregisters an active fork. If it was the last one, wakes the passive forks that wait,
    /// because nothing comes for now.
    pub(super) fn unregister_active(&self, waiter: ActiveWaiter) {
        // Ordering: Release, for the items that this fork pulled, pairs with the Acquire in
        // `active`. Acquire pairs with the Release in `recheck_active`: `wake_all` sees every
        // passive fork whose recheck came before this.
        if self.active.fetch_sub(1, Ordering::AcqRel) == 1 {
            // Also if a waker panics.
            let _idle = scopeguard::guard(&self.idle, |idle| idle.notify());
            self.passive_waiters.wake_all();
        }
        // Last, because it holds a waker, whose drop may panic.
        drop(waiter);
    }

    /// A waiter for a passive fork. Made when the fork has to wait for the first time.
    pub(super) fn passive_waiter(&self) -> Waiter {
        self.passive_waiters.add()
    }

    /// The number of active forks. If it is 0, the caller sees the items that the last one pulled.
    pub(super) fn active(&self) -> usize {
        // Ordering: Acquire pairs with the Release in `unregister_active`.
        self.active.load(Ordering::Acquire)
    }

    /// Whether there is an active fork. If not, the caller sees the items that the last one
    /// pulled.
    pub(super) fn has_active(&self) -> bool {
        self.active() != 0
    }

    /// Whether there is an active fork, for a passive fork that has registered its waker. If this
    /// returns `true`, the last active fork to be dropped will wake it.
    pub(super) fn recheck_active(&self) -> bool {
        // Ordering: AcqRel. A read-modify-write, and so ordered with the one in
        // `unregister_active`, with which each half pairs. Either this sees that no active fork is
        // left, or the last one to be dropped sees the registered waker.
        self.active.fetch_add(0, Ordering::AcqRel) != 0
    }

    /// Has each pull from here on do what it owes.
    pub(super) fn owe(&self, what: usize) {
        // Ordering: Relaxed, the ring and the rooms are published by themselves; see also `feed`.
        self.owed.fetch_or(what, Ordering::Relaxed);
    }

    /// Feeds the ring from the tail of the list, if that is owed. The caller holds the lock.
    #[cold]
    #[inline(never)]
    pub(super) fn feed<T>(&self, ring: &OnceBox<Ring<T>>, writer: &Writer<T>) {
        if let Some(ring) = ring.get().filter(|_| self.owes(FEED)) {
            // Ordering: Relaxed. A fork sets the bit after it has asked for the ring's lock, and
            // the transfer that follows here asks for the lock later. So that transfer sees the
            // cursor of each fork whose bit this clears, and does not take the feed away. A fork
            // that comes later sets the bit again.
            self.owed.fetch_and(!FEED, Ordering::Relaxed);
            ring.feed_from(writer);
        }
    }

    /// Whether nothing is owed. Then no fork has a bound, and none has early items.
    #[inline]
    pub(super) fn owes_nothing(&self) -> bool {
        !self.owes(ROOM | RING | FEED)
    }

    /// Whether a pull owes something.
    #[inline]
    pub(super) fn owes(&self, what: usize) -> bool {
        // Ordering: Relaxed. What a fork with a bound does before it is seen is as if it came after
        // this pull.
        self.owed.load(Ordering::Relaxed) & what != 0
    }

    pub(super) fn rooms(&self) -> Option<&Rooms> {
        self.rooms.get()
    }

    /// The rooms, which the first `wait` fork makes with its limit.
    pub(super) fn rooms_or_make(&self, limit: usize) -> &Rooms {
        let rooms = self.rooms.get_or_make(|| Rooms::new(limit));
        self.owe(ROOM);
        rooms
    }

    /// Whether an item may be pulled, of a list with this tail. The caller has to hold the lock.
    #[cold]
    #[inline(never)]
    pub(super) fn has_room(&self, tail: ItemTail) -> bool {
        self.rooms().is_none_or(|rooms| rooms.has_room(tail))
    }

    pub(super) fn has_panicked(&self) -> bool {
        // Ordering: Relaxed, the end of the list publishes it.
        self.panicked.load(Ordering::Relaxed) != 0
    }

    /// Counts an item that does not go through the list. The caller has to hold the lock.
    #[inline]
    pub(super) fn count_bypassed(&self) {
        // Ordering: Relaxed, the lock orders the writers, and for statistics any value will do.
        let bypassed = self.bypassed.load(Ordering::Relaxed);
        self.bypassed
            .store(bypassed.wrapping_add(1), Ordering::Relaxed);
    }

    pub(super) fn bypassed(&self) -> usize {
        // Ordering: Relaxed, as above.
        self.bypassed.load(Ordering::Relaxed)
    }
}

/// An active fork's own part.
pub(super) struct ActiveWaiter {
    waiter: Waiter,
    /// The version when the fork was last left waiting.
    seen_version: usize,
}

/// Registers the waker of a passive fork. The fork has to look for an item again afterwards.
pub(super) fn register_passive(lock: &HandoffLock<ForkShared>, waiter: &mut Waiter, waker: &Waker) {
    waiter.wait(waker);
    if let Some(mut guard) = lock.delegate(PASSIVE_WAITS) {
        // The fork looks again, and finds everything that earlier holders produced. Nothing has
        // been produced since this acquired the lock.
        guard.with(|_, state| state.news &= !PASSIVE_WAITS);
    }
}

impl ActiveWaiter {
    /// Registers a waker while another fork holds the lock. The caller has to make the request
    /// [`ACTIVE_WAITS`] afterwards.
    pub(super) fn register_contended(&mut self, waker: &Waker) {
        self.waiter.wait(waker);
    }

    /// Drops the registered waker.
    pub(super) fn clear_waker(&mut self) {
        self.waiter.forget();
    }
}

impl PullState {
    /// Whether the fork polls the source. An idle source is polled only by a fork that was left
    /// waiting at the current version, and so is polled again without a wake.
    #[inline]
    pub(super) fn begin_poll(&mut self, waiter: &ActiveWaiter) -> bool {
        // Skip a redundant store, because the release of the lock has to wait for it.
        if self.news != BOTH {
            let is_idle = self.news & ACTIVE_WAITS == 0;
            if is_idle && waiter.seen_version != self.version {
                return false;
            }
            // Assume that the coming poll produces something or panics; `set_idle` undoes this if
            // it is pending.
            self.news = BOTH;
        }
        true
    }

    /// The source's poll gave an item, or the end. If the fork is `alone`, no other active fork
    /// waits, and this one has its item.
    #[inline]
    pub(super) fn finish_poll(&mut self, alone: bool) {
        self.version = self.version.wrapping_add(1);
        // As above: skip a redundant store.
        if alone && self.waits & ACTIVE_WAITS != 0 {
            self.waits &= !ACTIVE_WAITS;
        }
    }

    /// The source's poll was pending, or there is no room.
    pub(super) fn set_idle(&mut self) {
        self.news = 0;
    }

    /// Registers the waker of an active fork.
    pub(super) fn register(&mut self, waiter: &mut ActiveWaiter, waker: &Waker) {
        waiter.waiter.wait(waker);
        waiter.seen_version = self.version;
        self.waits |= ACTIVE_WAITS;
    }
}

/// The stream that is forked, and the list into which it is pulled. Guarded by the lock.
#[pin_project]
pub(super) struct ForkSource<S: Stream> {
    #[pin]
    stream: Fused<S>,
    writer: Writer<S::Item>,
}

/// The result of a poll of the source that was not pending.
pub(super) enum Pulled<T> {
    /// An item that was not put into the list, because no other fork would read it there.
    Item(T),
    /// An item that was put into the list.
    InList,
    /// The end, which was put into the list.
    End,
}

impl<S: Stream> ForkSource<S> {
    pub(super) fn new(stream: S, writer: Writer<S::Item>) -> Self {
        Self {
            stream: Fused::new(stream),
            writer,
        }
    }

    /// Polls the source once, and puts an item or the end into the list. A fork that is alone gets
    /// the item directly. This is asked only after the poll: a fork that came meanwhile sees the
    /// item. If something is owed, `feed` is called before the item is pushed. No other fork can
    /// have pulled since the caller acquired the lock, so nothing is left in the list then. If the
    /// source panics, this sets `panic_reported`, ends the list, and drops the source.
    #[inline]
    pub(super) fn poll_into_list(
        self: Pin<&mut Self>,
        shared: &ForkShared,
        is_alone: impl FnOnce() -> bool,
        feed: impl FnOnce(&Writer<S::Item>),
        panic_reported: &mut bool,
        cx: &mut Context<'_>,
    ) -> Poll<Pulled<S::Item>> {
        let mut source = scopeguard::guard(self, |source| {
            *panic_reported = true;
            // Ordering: Relaxed, the end of the list publishes it.
            shared.panicked.store(1, Ordering::Relaxed);
            let this = source.project();
            this.writer.close();
            this.stream.end();
        });
        let polled = source.as_mut().project().stream.poll_next(cx);
        let this = ScopeGuard::into_inner(source).project();
        let polled = ready!(polled);
        Poll::Ready(match polled {
            Some(item) if is_alone() => Pulled::Item(item),
            Some(item) => {
                // A fork that came without a reader is counted, so the caller is not alone.
                if !shared.owes_nothing() {
                    feed(this.writer);
                }
                // The list is closed only at its end, and no reader ever sleeps in it: forks wait
                // in the wait sets.
                let pushed = this.writer.push_exclusive(item);
                debug_assert!(pushed.is_ok(), "the list is open");
                Pulled::InList
            }
            None => {
                this.writer.close();
                Pulled::End
            }
        })
    }

    /// A reader at the tail of the list. `None` if that has ended.
    pub(super) fn subscribe(self: Pin<&mut Self>) -> Option<Reader<S::Item>>
    where
        S::Item: Clone + Sync,
    {
        (!self.writer.is_closed()).then(|| self.writer.subscribe_exact())
    }

    /// The tail of the list, exact.
    pub(super) fn item_tail(self: Pin<&mut Self>) -> ItemTail {
        self.writer.item_tail()
    }

    pub(super) fn size_hint(self: Pin<&Self>) -> (usize, Option<usize>) {
        self.project_ref().stream.size_hint()
    }
}
