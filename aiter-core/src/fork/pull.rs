//! Pulling the source: what all forks share, what belongs to the one that pulls, and who is woken when.

use super::place::PulledKind;
use crate::{
    handoff::{Combine, HandoffLock, REQUESTS},
    list::Writer,
    sync::{AtomicUsize, Ordering},
    util::fuse::Fused,
    wait::{
        spin::{AdaptiveSpin, Taking},
        wait_set::{WaitSet, Waiter},
        waker_ref::WakeUp,
    },
};
use core::{
    mem,
    pin::Pin,
    task::{Context, Poll, Waker, ready},
};
use futures_core::Stream;
use pin_project::pin_project;

/// The source has woken.
pub(super) const WOKEN: usize = REQUESTS[0];
/// An active fork has begun to wait.
pub(super) const ARRIVED: usize = REQUESTS[1];
/// A passive fork has.
const FOLLOWS: usize = REQUESTS[2];

/// What all forks share.
pub(crate) struct ForkShared {
    /// The active forks.
    actives: WaitSet,
    /// The passive ones that have waited.
    followers: WaitSet,
    /// How many there are. Each takes memory, in the crowd of those, so that no word is too small.
    active: AtomicUsize,
    /// Items that went to the only fork without the list, for statistics. It wraps as these do. Written with the baton in hand.
    direct: AtomicUsize,
    /// Not 0 once the source has panicked.
    panicked: AtomicUsize,
    /// Whether to look again while another fork pulls.
    pub(super) spin: AdaptiveSpin<Taking>,
}

/// What belongs to the holder of the baton.
pub(crate) struct PullState {
    /// The source's last poll was pending, and it has not woken since.
    idle: bool,
    /// How often there was news: a wake of the source, or an item. It may wrap: a fork that comes again to an old count polls the
    /// source once more than it has to.
    version: usize,
    /// An active fork began to wait, and has not been woken.
    awaited: bool,
    /// A passive one did.
    followed: bool,
    /// The last poll of the source gave something, or a panic.
    given: bool,
}

pub(super) fn lock() -> HandoffLock<ForkShared> {
    let shared = ForkShared {
        actives: WaitSet::new(),
        followers: WaitSet::new(),
        active: AtomicUsize::new(0),
        direct: AtomicUsize::new(0),
        panicked: AtomicUsize::new(0),
        spin: AdaptiveSpin::new(),
    };
    let pull = PullState {
        idle: false,
        version: 1,
        awaited: false,
        followed: false,
        given: false,
    };
    HandoffLock::new(shared, pull)
}

impl Combine for ForkShared {
    type State = PullState;
    type After = Wake;

    #[inline]
    fn nothing_due(&self, pull: &PullState) -> bool {
        (pull.idle || !pull.awaited) && !(pull.given && pull.followed)
    }

    fn combine(&self, pull: &mut PullState, requests: usize, wake: &mut Wake) {
        if requests & WOKEN != 0 {
            pull.idle = false;
            pull.version = pull.version.wrapping_add(1);
        }
        pull.awaited |= requests & ARRIVED != 0;
        pull.followed |= requests & FOLLOWS != 0;
        if !pull.idle {
            wake.actives |= mem::take(&mut pull.awaited);
        }
        if pull.given {
            wake.followers |= mem::take(&mut pull.followed);
        }
    }

    fn follow_up(&self, wake: Wake) {
        /// Wakes them in the end, also if a waker panics before.
        struct Followers<'a>(&'a WaitSet);
        impl Drop for Followers<'_> {
            fn drop(&mut self) {
                self.0.wake_all();
            }
        }
        let _followers = wake.followers.then(|| Followers(&self.followers));
        if wake.actives {
            self.actives.wake_all();
        }
    }
}

/// Who is to be woken.
#[derive(Default)]
pub(crate) struct Wake {
    actives: bool,
    followers: bool,
}

impl WakeUp for HandoffLock<ForkShared> {
    /// The wake of the source.
    fn wake_up(&self) {
        self.tell(WOKEN);
    }
}

impl ForkShared {
    /// One more active fork.
    pub(super) fn join(&self) -> ActiveWaiter {
        // Ordering: Relaxed, who is made active by another, or by itself, orders nothing with it.
        self.active.fetch_add(1, Ordering::Relaxed);
        ActiveWaiter {
            waiter: self.actives.add(),
            seen_version: 0,
        }
    }

    /// One less. If it was the last, the passive ones that wait are woken: nothing comes for now.
    pub(super) fn leave(&self, waiter: ActiveWaiter) {
        // Ordering: Release, for what this fork pulled, pairs with `has_active`. Acquire pairs with the Release in
        // `recheck_active`: who went to sleep before this is seen by who wakes it after.
        if self.active.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.followers.wake_all();
        }
        // Last, for it has a waker, whose drop may panic.
        drop(waiter);
    }

    /// A passive fork's part, for when it has to wait.
    pub(super) fn follower(&self) -> Waiter {
        self.followers.add()
    }

    /// Whether there is an active fork. If not, what the last one pulled is seen from here on.
    pub(super) fn has_active(&self) -> bool {
        // Ordering: Acquire pairs with the Release in `leave`.
        self.active.load(Ordering::Acquire) != 0
    }

    /// The same, for who is ready to sleep: if it says yes, the last active fork to go will wake it.
    pub(super) fn recheck_active(&self) -> bool {
        // Ordering: a read-modify-write, in one order with that in `leave`, with which each half pairs: either this
        // sees that nobody is left, or who leaves last sees the sleeper.
        self.active.fetch_add(0, Ordering::AcqRel) != 0
    }

    pub(super) fn has_panicked(&self) -> bool {
        // Ordering: Relaxed, the end of the list publishes it.
        self.panicked.load(Ordering::Relaxed) != 0
    }

    /// Counts an item that does not go through the list. To be called with the baton in hand.
    #[inline]
    pub(super) fn count_direct(&self) {
        // Ordering: Relaxed, the baton orders the writers, and readers take what they find.
        let direct = self.direct.load(Ordering::Relaxed);
        self.direct.store(direct.wrapping_add(1), Ordering::Relaxed);
    }

    pub(super) fn direct(&self) -> usize {
        // Ordering: Relaxed, as above.
        self.direct.load(Ordering::Relaxed)
    }
}

/// An active fork's part.
pub(super) struct ActiveWaiter {
    waiter: Waiter,
    /// The news there had been when it was last left waiting.
    seen_version: usize,
}

/// A passive fork waits, and looks again after this.
pub(super) fn follow(lock: &HandoffLock<ForkShared>, follower: &mut Waiter, waker: &Waker) {
    follower.wait(waker);
    if let Some(mut guard) = lock.leave(FOLLOWS) {
        // Nothing since it has looked; else it sees that when it looks again.
        guard.with(|_, pull| pull.given = false);
    }
}

impl ActiveWaiter {
    /// Waits by a note, which has to follow.
    pub(super) fn wait_outside(&mut self, waker: &Waker) {
        self.waiter.wait(waker);
    }

    /// Drops the waker that it waited with last.
    pub(super) fn forget(&mut self) {
        self.waiter.forget();
    }
}

impl PullState {
    /// Whether the source is to be polled. Not if it is idle, unless the fork was told so and comes all the same.
    #[inline]
    pub(super) fn begin(&mut self, waiter: &ActiveWaiter) -> bool {
        if self.idle && waiter.seen_version != self.version {
            return false;
        }
        // What holds unless the poll to come is pending, and if it panics. Written only where it changes: to put the baton
        // down waits for all that was.
        if self.idle || !self.given {
            (self.idle, self.given) = (false, true);
        }
        true
    }

    /// The source's poll gave an item, or the end. If the fork is `alone` nobody else waits, and it has what it came for.
    #[inline]
    pub(super) fn has_news(&mut self, alone: bool) {
        self.version = self.version.wrapping_add(1);
        if alone {
            self.awaited = false;
        }
    }

    /// The source's poll was pending.
    pub(super) fn rest(&mut self) {
        (self.idle, self.given) = (true, false);
    }

    /// The fork waits.
    pub(super) fn wait(&mut self, waiter: &mut ActiveWaiter, waker: &Waker) {
        waiter.waiter.wait(waker);
        waiter.seen_version = self.version;
        self.awaited = true;
    }
}

/// The stream that is forked, and the list it is pulled into. It belongs to the holder of the baton, too.
#[pin_project]
pub(super) struct Source<S: Stream> {
    #[pin]
    stream: Fused<S>,
    writer: Writer<S::Item>,
}

/// What was pulled.
pub(super) enum Pulled<T> {
    /// It is in the list.
    InList(PulledKind),
    /// It is here: nobody else would read it there.
    Item(T),
}

impl<S: Stream> Source<S> {
    pub(super) fn new(stream: S, writer: Writer<S::Item>) -> Self {
        Self {
            stream: Fused::new(stream),
            writer,
        }
    }

    /// Pulls an item, or the end, into the list; past it for a fork that is alone. If the source panics, the fork is
    /// `panic_reported` so.
    #[inline]
    pub(super) fn pull(
        self: Pin<&mut Self>,
        shared: &ForkShared,
        alone: bool,
        panic_reported: &mut bool,
        cx: &mut Context<'_>,
    ) -> Poll<Pulled<S::Item>> {
        let this = self.project();
        let mut unwind = OnUnwind {
            stream: this.stream,
            writer: &*this.writer,
            shared,
            panic_reported,
        };
        let polled = unwind.stream.as_mut().poll_next(cx);
        mem::forget(unwind);
        Poll::Ready(match ready!(polled) {
            Some(item) if alone => Pulled::Item(item),
            Some(item) => {
                // It is closed at the end only, and whoever pulls reads.
                let pushed = this.writer.push_exclusive(item);
                debug_assert!(pushed.is_ok(), "the list is open");
                Pulled::InList(PulledKind::Item)
            }
            None => {
                this.writer.close();
                Pulled::InList(PulledKind::End)
            }
        })
    }

    pub(super) fn size_hint(self: Pin<&Self>) -> (usize, Option<usize>) {
        self.project_ref().stream.size_hint()
    }
}

/// Ends the list if the source panics, and drops the source.
struct OnUnwind<'a, S: Stream> {
    stream: Pin<&'a mut Fused<S>>,
    writer: &'a Writer<S::Item>,
    shared: &'a ForkShared,
    panic_reported: &'a mut bool,
}

impl<S: Stream> Drop for OnUnwind<'_, S> {
    #[cold]
    fn drop(&mut self) {
        *self.panic_reported = true;
        // Ordering: Relaxed, the end of the list publishes it.
        self.shared.panicked.store(1, Ordering::Relaxed);
        self.writer.close();
        self.stream.as_mut().end();
    }
}
