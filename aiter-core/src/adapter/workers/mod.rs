//! Workers in tasks. Tasks are started as there is work for them.
//!
//! A pool keeps two counts in one word: the number of workers, and how many of them are *asking*,
//! which means that they wait for the source or poll it. All other workers have an item in work, or
//! a result that has not been taken yet.
//!
//! | a worker | condition | workers | asking | and |
//! |---|---|---|---|---|
//! | gets an item | others are asking, or there are `n` workers | | -1 | sets to work |
//! | gets an item | nobody else is asking, and there are fewer than `n` workers | +1 | | starts a worker that asks, lets it go first, then sets to work |
//! | is free again | fewer than [`ASKING`] are asking | | +1 | asks |
//! | is free again | [`ASKING`] are asking | -1 | | ends |
//!
//! **The invariant**: while the source has not ended, some worker is asking, or `n` workers are
//! busy. So no item waits for a busy worker while another worker could be started. And at most
//! [`ASKING`] workers have nothing to do: after a burst of items its tasks end, and the next item
//! wakes at most that many takers, however many workers there have been.

mod ordered;

pub use ordered::{OrderedTask, OrderedTasks, map_workers_ordered};

use super::{
    Nested, Spawn,
    panics::{Caught, CaughtFuture, Panic, Spawned, catch},
    tasks::{Ahead, ahead},
};
use crate::{
    Driver, JoinAiters, PushAiter, Pusher, Sharable, join_aiters, preload, push_aiter,
    sharable_aiter,
    sync::{AtomicUsize, Ordering::Relaxed},
};
use alloc::sync::Arc;
use core::{
    fmt,
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
};
use futures_core::Stream;
use pin_project::pin_project;

/// Workers that may wait for an item at the same time: one that gets the next item, and one in
/// reserve, so that a stream which keeps one or two workers busy starts no task for each item.
const ASKING: usize = 2;

/// What workers made of a stream, in the order in which it was ready.
pub type MapTasks<T, P = super::Free> = Spawned<Results<T>, P>;

/// The results of all workers. Each worker brings a stream of its own.
pub type Results<T> = JoinAiters<PushAiter<Ahead<T>>>;

/// The task of a worker.
pub type WorkerTask<S, K, H> = Driver<Worker<S, K, H>>;

/// What a worker does with an item.
pub trait Work<T> {
    /// The future that a worker awaits.
    type Future: Future;

    /// Makes the future of an item.
    fn start(&self, item: T) -> Self::Future;
}

impl<T, F, Fut> Work<T> for F
where
    F: Fn(T) -> Fut,
    Fut: Future,
{
    type Future = Fut;

    fn start(&self, item: T) -> Fut {
        self(item)
    }
}

/// Joins up to `n` tasks. Each of them takes an item of the shared source and awaits the future
/// that `work` makes of it.
#[track_caller]
pub fn map_workers<R, S, K, P>(
    executor: &R,
    n: usize,
    work: K,
    stream: S,
) -> MapTasks<<K::Future as Future>::Output, P>
where
    R: Nested + Spawn<WorkerTask<S, K, R::Handle>>,
    R::Handle: Spawn<WorkerTask<S, K, R::Handle>>,
    S: Stream,
    K: Work<S::Item>,
{
    assert!(n > 0, "map_workers: n must be at least 1");
    Spawned::new(results(executor, n, work, stream))
}

/// The results of the workers, in the order in which they are ready.
#[track_caller]
fn results<R, S, K>(
    executor: &R,
    n: usize,
    work: K,
    stream: S,
) -> Results<<K::Future as Future>::Output>
where
    R: Nested + Spawn<WorkerTask<S, K, R::Handle>>,
    R::Handle: Spawn<WorkerTask<S, K, R::Handle>>,
    S: Stream,
    K: Work<S::Item>,
{
    let (members, results) = push_aiter();
    let pool = Arc::new(Pool {
        work,
        executor: executor.handle(n - 1),
        spawn: R::Handle::spawn,
        members,
        counts: Counts::new(n),
    });
    let first = Worker {
        source: sharable_aiter(Caught::new(stream)),
        pool: pool.clone(),
        step: Step::Asking,
    };
    // The consumer is here, so the list is open.
    let _ = pool.members.push(ahead(executor, preload(1, first)));
    join_aiters(results)
}

/// What the workers share.
struct Pool<S, K, H>
where
    S: Stream,
    K: Work<S::Item>,
{
    work: K,
    executor: H,
    /// Starts a worker on the executor. It is a function pointer because a bound on the worker's
    /// own type would be circular: to know that a worker is a future, the compiler would already
    /// have to know it.
    spawn: fn(&H, WorkerTask<S, K, H>),
    /// Tells the consumer of the results of a new worker.
    members: Pusher<Ahead<<K::Future as Future>::Output>>,
    counts: Counts,
}

impl<S, K, H> Pool<S, K, H>
where
    S: Stream,
    K: Work<S::Item>,
{
    /// Starts a worker that has already been counted.
    fn start(self: &Arc<Self>, source: &Sharable<Caught<S>>) -> Result<(), Panic> {
        let worker = Worker {
            source: source.clone(),
            pool: self.clone(),
            step: Step::Asking,
        };
        let (results, driver) = preload(1, worker);
        // The list is closed once the consumer is gone. Then all workers end.
        if self.members.push(results).is_ok() {
            catch(|| (self.spawn)(&self.executor, driver.assume_started()))
                .inspect_err(|_| self.counts.is_lost())?;
        }
        Ok(())
    }
}

/// The counts of a pool: see the table of this module.
///
/// A word holds all workers that memory has room for, and how many of them are asking in its lowest
/// bits. Ordering: Relaxed everywhere, as nothing but the word itself is said by it; what a worker
/// that starts has to see comes to it with its task.
struct Counts {
    word: AtomicUsize,
    n: usize,
}

/// One worker that is asking, in [`Counts`].
const ONE_ASKING: usize = 1;
/// One worker, in [`Counts`].
const ONE_WORKER: usize = (ASKING + 1).next_power_of_two();

impl Counts {
    /// One worker, which asks.
    fn new(n: usize) -> Self {
        Self {
            word: AtomicUsize::new(ONE_WORKER + ONE_ASKING),
            n,
        }
    }

    /// A worker that was asking got an item. Whether it has to start another one.
    fn takes(&self) -> bool {
        let step = |word| {
            let is_last = word % ONE_WORKER == ONE_ASKING;
            let starts = is_last && word / ONE_WORKER < self.n;
            (
                starts,
                if starts {
                    word + ONE_WORKER
                } else {
                    word - ONE_ASKING
                },
            )
        };
        self.update(step)
    }

    /// A worker is free again. Whether it asks; else it has to end.
    fn asks(&self) -> bool {
        self.update(|word| {
            let asks = word % ONE_WORKER < ASKING;
            (
                asks,
                if asks {
                    word + ONE_ASKING
                } else {
                    word - ONE_WORKER
                },
            )
        })
    }

    /// A worker that was to ask could not be started.
    fn is_lost(&self) {
        self.word.fetch_sub(ONE_WORKER + ONE_ASKING, Relaxed);
    }

    fn update(&self, step: impl Fn(usize) -> (bool, usize)) -> bool {
        let mut word = self.word.load(Relaxed);
        loop {
            let (result, next) = step(word);
            match self
                .word
                .compare_exchange_weak(word, next, Relaxed, Relaxed)
            {
                Ok(_) => return result,
                Err(now) => word = now,
            }
        }
    }
}

/// Takes an item of the shared source, awaits its future, and takes the next item. A panic of the
/// future costs that item only.
#[pin_project]
pub struct Worker<S, K, H>
where
    S: Stream,
    K: Work<S::Item>,
{
    source: Sharable<Caught<S>>,
    pool: Arc<Pool<S, K, H>>,
    #[pin]
    step: Step<S::Item, K::Future>,
}

/// What a worker is doing.
#[pin_project(project = StepProjection)]
enum Step<T, Fut> {
    /// It waits for an item.
    Asking,
    /// It has an item, and lets the worker that it has started go first.
    Holding(Option<T>),
    Working(#[pin] CaughtFuture<Fut>),
    /// It has given out a result.
    Free,
}

impl<S, K, H> Stream for Worker<S, K, H>
where
    S: Stream,
    K: Work<S::Item>,
{
    type Item = Result<<K::Future as Future>::Output, Panic>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let mut this = self.project();
        loop {
            let item = match this.step.as_mut().project() {
                StepProjection::Working(future) => {
                    let result = ready!(future.poll(cx));
                    this.step.set(Step::Free);
                    return Poll::Ready(Some(result));
                }
                StepProjection::Free => {
                    if !this.pool.counts.asks() {
                        return Poll::Ready(None);
                    }
                    this.step.set(Step::Asking);
                    continue;
                }
                StepProjection::Asking => {
                    match ready!(Pin::new(&mut *this.source).poll_next(cx)) {
                        None => return Poll::Ready(None),
                        // The next thing that the source gives is its end.
                        Some(Err(panic)) => return Poll::Ready(Some(Err(panic))),
                        Some(Ok(item)) if !this.pool.counts.takes() => Some(item),
                        Some(Ok(item)) => {
                            this.step.set(Step::Holding(Some(item)));
                            if let Err(panic) = this.pool.start(this.source) {
                                // This worker goes on with the item after that.
                                return Poll::Ready(Some(Err(panic)));
                            }
                            // A multi-thread executor may run the task that was started last on
                            // this very thread, and keep other threads from stealing it (tokio
                            // does). Then the new worker would wait while `work` keeps this thread
                            // busy. Any thread may take this task once it has been woken.
                            cx.waker().wake_by_ref();
                            return Poll::Pending;
                        }
                    }
                }
                StepProjection::Holding(item) => item.take(),
            };
            let item = item.expect("an item stays until its future is made");
            match catch(|| this.pool.work.start(item)) {
                Ok(future) => this.step.set(Step::Working(CaughtFuture::new(future))),
                Err(panic) => {
                    this.step.set(Step::Free);
                    return Poll::Ready(Some(Err(panic)));
                }
            }
        }
    }
}

impl<S, K, H> fmt::Debug for Worker<S, K, H>
where
    S: Stream,
    K: Work<S::Item>,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Worker")
            .field("is_asking", &matches!(self.step, Step::Asking))
            .finish_non_exhaustive()
    }
}

#[cfg(all(test, not(aiter_loom)))]
mod tests;
