//! Workers in tasks, which are started as there is work.
//!
//! A pool keeps two counts in one word: its workers, and those of them that are *asking*, that is
//! waiting for the source or polling it. All others have an item in work, or a result that was not
//! taken yet.
//!
//! | a worker | condition | workers | asking | and |
//! |---|---|---|---|---|
//! | gets an item | others are asking, or there are `n` workers | | -1 | sets to work |
//! | gets an item | nobody else is asking, and there are fewer than `n` workers | +1 | | starts a worker that asks, lets it go first, then sets to work |
//! | is free again | fewer than [`ASKING`] are asking | | +1 | asks |
//! | is free again | [`ASKING`] are asking | -1 | | ends |
//!
//! **The invariant**: while the source has not ended, somebody is asking, or `n` workers are busy.
//! So no item waits for a worker that is busy as long as there may be another one. And at most
//! [`ASKING`] workers have nothing to do: after a burst of items the tasks for it go, and an item
//! that comes wakes as many takers at most, however many workers there have been.
use super::{
    Place, Spawn,
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
pub type MapTasks<T, P = super::Free> = Spawned<JoinAiters<PushAiter<Ahead<T>>>, P>;

/// The task of a worker.
pub type WorkerTask<S, F, Fut, W> = Driver<Worker<S, F, Fut, W>>;

/// Joins up to `n` tasks, each of which takes an item of the shared source and awaits its
/// `f(item)`.
#[track_caller]
pub fn map_workers<R, S, F, Fut, P>(
    place: &R,
    n: usize,
    f: F,
    stream: S,
) -> MapTasks<Fut::Output, P>
where
    R: Place + Spawn<WorkerTask<S, F, Fut, R::Inside>>,
    R::Inside: Spawn<WorkerTask<S, F, Fut, R::Inside>>,
    S: Stream,
    F: Fn(S::Item) -> Fut,
    Fut: Future,
{
    assert!(n > 0, "map_workers: n must be at least 1");
    let (members, results) = push_aiter();
    let pool = Arc::new(Pool {
        f,
        place: place.inside(n - 1),
        spawn: R::Inside::spawn,
        members,
        counts: Counts::new(n),
    });
    let first = Worker {
        source: sharable_aiter(Caught::new(stream)),
        pool: pool.clone(),
        step: Step::Asking,
    };
    // The consumer is here, so the list is open.
    let _ = pool.members.push(ahead(place, preload(1, first)));
    Spawned::new(join_aiters(results))
}

/// What the workers share.
struct Pool<S, F, Fut, W>
where
    S: Stream,
    F: Fn(S::Item) -> Fut,
    Fut: Future,
{
    f: F,
    place: W,
    /// Starts a worker in the place. It is a pointer because a worker's own type cannot ask for a
    /// place that can start it: to know that a worker is a future, the compiler would have to know
    /// it already.
    spawn: fn(&W, WorkerTask<S, F, Fut, W>),
    /// Where the consumer finds the results of a worker that starts.
    members: Pusher<Ahead<Fut::Output>>,
    counts: Counts,
}

impl<S, F, Fut, W> Pool<S, F, Fut, W>
where
    S: Stream,
    F: Fn(S::Item) -> Fut,
    Fut: Future,
{
    /// Starts a worker, which was counted already.
    fn start(self: &Arc<Self>, source: &Sharable<Caught<S>>) -> Result<(), Panic> {
        let worker = Worker {
            source: source.clone(),
            pool: self.clone(),
            step: Step::Asking,
        };
        let (results, driver) = preload(1, worker);
        // The list is closed once the consumer is gone: then all workers end.
        if self.members.push(results).is_ok() {
            catch(|| (self.spawn)(&self.place, driver)).inspect_err(|_| self.counts.is_lost())?;
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

/// Takes an item of the shared source, awaits its `f(item)`, and takes the next. A panic costs one
/// item.
#[pin_project]
pub struct Worker<S, F, Fut, W>
where
    S: Stream,
    F: Fn(S::Item) -> Fut,
    Fut: Future,
{
    source: Sharable<Caught<S>>,
    pool: Arc<Pool<S, F, Fut, W>>,
    #[pin]
    step: Step<S::Item, Fut>,
}

/// What a worker is at.
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

impl<S, F, Fut, W> Stream for Worker<S, F, Fut, W>
where
    S: Stream,
    F: Fn(S::Item) -> Fut,
    Fut: Future,
{
    type Item = Result<Fut::Output, Panic>;

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
                        // The end is the next that the source gives.
                        Some(Err(panic)) => return Poll::Ready(Some(Err(panic))),
                        Some(Ok(item)) if !this.pool.counts.takes() => Some(item),
                        Some(Ok(item)) => {
                            this.step.set(Step::Holding(Some(item)));
                            if let Err(panic) = this.pool.start(this.source) {
                                this.step.set(Step::Free);
                                return Poll::Ready(Some(Err(panic)));
                            }
                            // A multi-thread executor may run what a task starts next on the same
                            // thread, and let no other thread have it (tokio does): if `f` kept
                            // this thread busy, the new worker would wait for it. This task may be
                            // had by any thread once it has been woken.
                            cx.waker().wake_by_ref();
                            return Poll::Pending;
                        }
                    }
                }
                StepProjection::Holding(item) => item.take(),
            };
            let item = item.expect("it is at hand until it is worked on");
            match catch(|| (this.pool.f)(item)) {
                Ok(future) => this.step.set(Step::Working(CaughtFuture::new(future))),
                Err(panic) => {
                    this.step.set(Step::Free);
                    return Poll::Ready(Some(Err(panic)));
                }
            }
        }
    }
}

impl<S, F, Fut, W> fmt::Debug for Worker<S, F, Fut, W>
where
    S: Stream,
    F: Fn(S::Item) -> Fut,
    Fut: Future,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Worker")
            .field("is_asking", &matches!(self.step, Step::Asking))
            .finish_non_exhaustive()
    }
}

#[cfg(all(test, not(aiter_loom)))]
mod tests;
