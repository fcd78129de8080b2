//! [`stoppable_aiter`] and [`Stopper`]: a switch that ends streams.
//!
//! The stopped flag goes one way, from 0 to 1. A stream loads it before it polls its source, and
//! again after it has begun to wait with a pending source. [`Stopper::stop`] sets the flag and then
//! notifies. The fences of [`LazyWaitSet`] order the two: a stop finds the wait, or the stream sees
//! the stop.
//!
//! All streams and waits of a stopper are in one wait set, from their first wait on until they end
//! or are dropped. So a drop costs the same however many there are, and the memory follows their
//! number.

use crate::{
    sync::{Arc, AtomicUsize, Ordering},
    util::fuse::Fused,
    wait::{
        task::TaskId,
        wait_set::{LazyWaitSet, Waiter},
    },
};
use core::{
    fmt,
    pin::Pin,
    task::{Context, Poll, Waker},
};
use futures_core::{FusedFuture, FusedStream, Stream};
use pin_project::pin_project;

/// Yields the items of `stream` until [`Stopper::stop`] ends it.
///
/// Use it to end a stream from another task, for example the accept loop of a server at shutdown.
/// To end several streams at once, make them with one [`Stopper`].
///
#[cfg_attr(doc, doc = include_str!("../../../docs/pictures/stop.svg"))]
///
/// A stop takes effect at once: items that the source still has are not polled. The source is
/// dropped in the first poll after the stop, at its own end, or with the stream. Dropping the
/// stopper has no effect.
///
/// # Panics
/// A panic of the source reaches the caller of `poll_next`, and the next poll polls the source
/// again.
///
/// # Cancel safety
/// Cancel safe: the stream holds no item between two polls. If a stop comes while a `next()` is
/// dropped, the next one sees it.
///
/// # Progress
/// Waits only for the source or a stop. A poll adds one atomic load to that of the source. If the
/// source is pending, it also registers its waker, which is lock-free.
///
/// ```
/// use aiter_core::{iter_to_aiter, stoppable_aiter};
/// use futures_lite::{StreamExt, future::block_on};
///
/// let (mut numbers, stopper) = stoppable_aiter(iter_to_aiter(1..));
/// assert_eq!(block_on(numbers.next()), Some(1));
/// stopper.stop();
/// assert_eq!(block_on(numbers.next()), None);
/// ```
pub fn stoppable_aiter<S: Stream>(stream: S) -> (Stoppable<S>, Stopper) {
    let stopper = Stopper::new();
    (stopper.stoppable(stream), stopper)
}

/// What a stopper, its streams and its waits share.
struct Stop {
    flag: AtomicUsize,
    waiters: LazyWaitSet,
}

impl Stop {
    #[inline]
    fn is_set(&self) -> bool {
        // Ordering: Acquire pairs with `Stopper::stop`: what was done before the stop is seen after
        // the end.
        self.flag.load(Ordering::Acquire) != 0
    }
}

/// The place of one task that may wait for the stop. It keeps the waker that it waited with last,
/// until it waits with another one or is [cleared](Self::clear).
struct Listener {
    stop: Arc<Stop>,
    waiter: Option<Waiter>,
    /// The task whose waker that is.
    task: TaskId,
}

impl Listener {
    #[inline]
    fn is_stopped(&self) -> bool {
        self.stop.is_set()
    }

    /// Waits for the stop.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let waiter = self.waiter.as_mut();
        if waiter.is_some_and(|waiter| waiter.waits_with(cx.waker())) {
            // Its fence is behind it: a stop finds it.
            return match self.stop.is_set() {
                true => Poll::Ready(()),
                false => Poll::Pending,
            };
        }
        self.register(cx)
    }

    /// Kept out of line, so that a poll by a task that waits already is short.
    #[inline(never)]
    fn register(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Self { stop, waiter, task } = self;
        *task = TaskId::of(cx.waker());
        stop.waiters.poll_until(waiter, || stop.is_set(), cx)
    }

    /// Drops the waker.
    #[cold]
    #[inline(never)]
    fn clear(&mut self) {
        self.task = TaskId::NONE;
        self.waiter = None;
    }

    /// Drops the waker if it belongs to another task than `waker` does.
    #[inline]
    fn clear_for(&mut self, waker: &Waker) {
        if self.task.is_another(waker) {
            self.clear();
        }
    }
}

impl fmt::Debug for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Listener")
            .field("stopped", &self.is_stopped())
            .finish()
    }
}

/// The stream that [`stoppable_aiter`] and [`Stopper::stoppable`] return.
#[pin_project]
#[derive(Debug)]
#[must_use = "streams do nothing unless polled"]
pub struct Stoppable<S> {
    #[pin]
    source: Fused<S>,
    stop: Listener,
}

impl<S: Stream> Stream for Stoppable<S> {
    type Item = S::Item;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<S::Item>> {
        let mut this = self.project();
        this.stop.clear_for(cx.waker());
        if !this.stop.is_stopped() {
            match this.source.as_mut().poll_next(cx) {
                Poll::Ready(Some(item)) => return Poll::Ready(Some(item)),
                Poll::Ready(None) => {}
                Poll::Pending => {
                    if this.stop.poll(cx).is_pending() {
                        return Poll::Pending;
                    }
                }
            }
        }
        this.source.end();
        this.stop.clear();
        Poll::Ready(None)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        match self.stop.is_stopped() {
            true => (0, Some(0)),
            // It may be stopped at any time.
            false => (0, self.source.size_hint().1),
        }
    }
}

impl<S: Stream> FusedStream for Stoppable<S> {
    fn is_terminated(&self) -> bool {
        self.source.is_terminated()
    }
}

/// A switch that ends any number of streams at once, and tells tasks that they should end too.
///
/// Use it for the shutdown of a service: one stopper, a stream from it for each listener and each
/// connection, and [`stopped`](Self::stopped) wherever a task waits for something that is no
/// stream. Streams can be made from it at any time. [`stoppable_aiter`] makes one for a single
/// stream.
///
/// ```
/// use aiter_core::{Stopper, push_aiter};
/// use futures_lite::{StreamExt, future::{block_on, zip}};
///
/// // Each client of a chat server is served by a task of its own, until the server shuts down.
/// let shutdown = Stopper::new();
/// let serve = |name| {
///     let (client, lines) = push_aiter();
///     client.push(format!("{name} says hello")).unwrap();
///     let mut lines = shutdown.stoppable(lines);
///     let task = async move {
///         while let Some(line) = lines.next().await {
///             println!("{line}");
///         }
///         format!("{name} is told goodbye")
///     };
///     (client, task)
/// };
/// let ((_one, alice), (_other, bob)) = (serve("Alice"), serve("Bob"));
///
/// let shutting_down = async { shutdown.stop() };
/// let (goodbyes, ()) = block_on(zip(zip(alice, bob), shutting_down));
/// assert_eq!(goodbyes, ("Alice is told goodbye".into(), "Bob is told goodbye".into()));
/// ```
///
/// Clones are the same switch. A stop cannot be undone. Dropping the last clone stops nothing:
/// streams go on to the end of their sources.
///
/// # Progress
/// Nothing here waits for another thread. Making a stream and dropping it is lock-free, and costs
/// the same however many there are. A stop wakes each stream and task that waits; it costs them all
/// the same, and no other stream anything. The memory for a stream goes back when it is dropped, in
/// groups of up to 64.
#[derive(Clone)]
pub struct Stopper(Arc<Stop>);

impl Stopper {
    /// Makes a switch that is not stopped, without streams.
    ///
    /// ```
    /// use aiter_core::Stopper;
    ///
    /// let stopper = Stopper::new();
    /// assert!(!stopper.is_stopped());
    /// ```
    pub fn new() -> Self {
        Self(Arc::new(Stop {
            flag: AtomicUsize::new(0),
            waiters: LazyWaitSet::new(),
        }))
    }

    /// Yields the items of `stream` until [`stop`](Self::stop) ends it, and all other streams of
    /// this stopper. See [`stoppable_aiter`] for what the stream does.
    ///
    /// A stream that is made after the stop ends at its first poll, and drops `stream` there
    /// without having polled it. Dropping a stream has no effect on others.
    ///
    /// ```
    /// use aiter_core::{Stopper, iter_to_aiter};
    /// use futures_lite::{StreamExt, future::block_on};
    ///
    /// let stopper = Stopper::new();
    /// let mut odd = stopper.stoppable(iter_to_aiter((1..).step_by(2)));
    /// let mut even = stopper.stoppable(iter_to_aiter((0..).step_by(2)));
    /// assert_eq!(block_on(odd.next()), Some(1));
    /// assert_eq!(block_on(even.next()), Some(0));
    /// stopper.stop();
    /// assert_eq!(block_on(odd.next()), None);
    /// assert_eq!(block_on(even.next()), None);
    /// assert_eq!(block_on(stopper.stoppable(iter_to_aiter(0..)).next()), None);
    /// ```
    pub fn stoppable<S: Stream>(&self, stream: S) -> Stoppable<S> {
        Stoppable {
            source: Fused::new(stream),
            stop: self.listener(),
        }
    }

    /// Ends all streams of this stopper now, and wakes each task that waits for one of them or for
    /// [`stopped`](Self::stopped). Further calls do nothing, and return at once.
    ///
    /// # Panics
    /// If the waker of a waiting task panics. Everything is stopped all the same, and all other
    /// tasks are woken.
    ///
    /// # Progress
    /// Lock-free. The time is that of as many wakes as tasks wait.
    pub fn stop(&self) {
        // Ordering: Release pairs with the Acquire of `Stop::is_set`.
        if self.0.flag.swap(1, Ordering::Release) == 0 {
            self.0.waiters.notify_last();
        }
    }

    /// Whether [`stop`](Self::stop) was called. It stays `false` if the sources end by themselves.
    pub fn is_stopped(&self) -> bool {
        self.0.is_set()
    }

    /// Waits until [`stop`](Self::stop) is called. Use it where a task waits for something that is
    /// no stream, for example to leave a `select!`, or to clean up after a stop.
    ///
    /// It is ready at once if the stop has been. Otherwise it waits for ever if all stoppers are
    /// dropped. The future borrows nothing, so a spawned task can own it.
    ///
    /// # Cancel safety
    /// Cancel safe: dropping the future has no effect on others, and a new one sees a stop that
    /// came meanwhile.
    ///
    /// # Progress
    /// Waits only for a stop. A poll is lock-free.
    ///
    /// ```
    /// use aiter_core::Stopper;
    /// use futures_lite::future::{block_on, or, pending, zip};
    ///
    /// let shutdown = Stopper::new();
    /// let request = async {
    ///     let answer = pending::<&str>(); // a peer that never answers
    ///     let given_up = async {
    ///         shutdown.stopped().await;
    ///         "the server shuts down"
    ///     };
    ///     or(answer, given_up).await
    /// };
    /// let shutting_down = async { shutdown.stop() };
    /// assert_eq!(block_on(zip(request, shutting_down)).0, "the server shuts down");
    /// ```
    pub fn stopped(&self) -> StopperStopped {
        StopperStopped {
            stop: self.listener(),
            is_done: false,
        }
    }

    fn listener(&self) -> Listener {
        Listener {
            stop: self.0.clone(),
            waiter: None,
            task: TaskId::NONE,
        }
    }
}

impl Default for Stopper {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Stopper {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stopper")
            .field("stopped", &self.is_stopped())
            .finish()
    }
}

/// The future that [`Stopper::stopped`] returns. It is ready once the stopper is stopped, and stays
/// so.
#[derive(Debug)]
#[must_use = "futures do nothing unless polled"]
pub struct StopperStopped {
    stop: Listener,
    is_done: bool,
}

impl Future for StopperStopped {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = &mut *self;
        this.stop.clear_for(cx.waker());
        if !this.stop.is_stopped() && this.stop.poll(cx).is_pending() {
            return Poll::Pending;
        }
        this.is_done = true;
        this.stop.clear();
        Poll::Ready(())
    }
}

impl FusedFuture for StopperStopped {
    fn is_terminated(&self) -> bool {
        self.is_done
    }
}

#[cfg(all(test, aiter_loom))]
mod loom;
#[cfg(all(test, not(aiter_loom)))]
mod tests;
