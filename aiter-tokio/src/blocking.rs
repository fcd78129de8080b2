//! Back to plain iterators.
use aiter_core::adapter::{self, Wait};
use core::{
    future::Future,
    mem,
    sync::atomic::{AtomicU64, Ordering},
    task::{Context, Poll, Waker},
};
use futures_core::Stream;
use std::sync::Arc;
use tokio::{
    runtime::{EnterGuard, Handle, Runtime},
    task::coop::poll_proceed,
};

/// Turns a stream into a blocking [`Iterator`] on the current runtime: inside [`Runtime::enter`],
/// [`spawn_blocking`](tokio::task::spawn_blocking) or `block_in_place`.
///
/// A ready item is one poll: no park, no entry into the runtime. While the source is pending the thread is parked, and the
/// source's timers and I/O go on. On the thread that made the iterator, ready items are polled in that thread's own context:
/// keep the guard of [`Runtime::enter`] for as long as you iterate, or use [`aiter_to_iter_on`], which needs none. Dropping
/// the iterator drops the stream.
///
/// Nothing is pulled ahead of a `next()`.
///
/// A handle cannot drive a *current-thread* runtime: timers and I/O of its sources stand still unless a thread is in that
/// runtime's [`Runtime::block_on`], as one is around `spawn_blocking`. Where none is, give the runtime itself to
/// [`aiter_to_iter_on`].
///
/// # Panics
///
/// At the caller's line, if there is no current runtime, or if this thread runs async tasks, where
/// blocking would stop the very tasks it waits for. One message says so, also where a panic aborts
/// the process. (It is tokio's own, "Cannot start a runtime from within a runtime", inside
/// [`unconstrained`](tokio::task::unconstrained), where tokio does not tell before.) A panic of the
/// source comes out of `next()`.
///
/// # Example
///
/// ```
/// # let runtime = tokio::runtime::Runtime::new().unwrap();
/// # let stream = futures_lite::stream::iter(1..=3);
/// let _guard = runtime.enter();
/// let items: Vec<i32> = aiter_tokio::aiter_to_iter(stream).collect();
/// assert_eq!(items, [1, 2, 3]);
/// ```
#[track_caller]
pub fn aiter_to_iter<S: Stream>(stream: S) -> BlockingIter<S> {
    let wait = OnRuntime {
        runtime: Handle::current(),
        context_of: this_thread(),
    };
    BlockingIter::new(stream, wait)
}

/// Turns a stream into a blocking [`Iterator`] on the runtime given: a [`Handle`], a [`Runtime`], or a reference to one.
///
/// As [`aiter_to_iter`], but from any thread, inside a runtime's context or not: the iterator sets the context itself.
///
/// # Cost of a ready item
///
/// | loop | per ready item |
/// |---|---|
/// | `for_each`, `sum`, `fold` and the like, which set the context once | under 1 ns |
/// | [`aiter_to_iter`] while the caller holds the guard of [`Handle::enter`] | under 1 ns |
/// | `for`, or `next()` by hand, with [`read_ahead`](adapter::BlockingIter::read_ahead) | 1 to 2 ns with some 30 items ahead |
/// | the same without it, and nothing pulled ahead of a `next()` | some 20 ns, all of it [`Handle::enter`], which counts references |
///
/// No call of tokio sets the context, or tells which it is, for less than that; and a guard that an iterator keeps from one
/// `next()` to the other would panic when it is not the last one that is dropped.
///
/// # Which threads drive it
///
/// Given a [`Runtime`] it drives a current-thread runtime while it waits; given a [`Handle`] somebody else has to.
///
/// # Panics
///
/// At the caller's line, if this thread runs async tasks, as [`aiter_to_iter`]. A panic of the
/// source comes out of `next()`.
///
/// # Example
///
/// ```
/// use std::time::Duration;
///
/// let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
/// let ticks = futures_lite::stream::unfold(0, |n| async move {
///     tokio::time::sleep(Duration::from_millis(1)).await;
///     Some((n, n + 1))
/// });
/// let iter = aiter_tokio::aiter_to_iter_on(&runtime, ticks);
/// assert_eq!(iter.take(3).collect::<Vec<i32>>(), [0, 1, 2]);
///
/// // Ours alone and mostly ready: 32 items at one entry will do.
/// let mut sum = 0;
/// for n in aiter_tokio::aiter_to_iter_on(&runtime, futures_lite::stream::iter(0..1000)).read_ahead(32) {
///     sum += n;
/// }
/// assert_eq!(sum, 499_500);
/// ```
#[track_caller]
pub fn aiter_to_iter_on<R: BlockOn, S: Stream>(runtime: R, stream: S) -> BlockingIter<S, R> {
    let wait = OnRuntime {
        runtime,
        context_of: 0,
    };
    BlockingIter::new(stream, wait)
}

/// A stream as a blocking iterator: see [`aiter_to_iter`].
pub type BlockingIter<S, R = Handle> = adapter::BlockingIter<S, OnRuntime<R>>;

/// A blocking iterator with items at hand: see [`BlockingIter::read_ahead`](adapter::BlockingIter::read_ahead).
pub type ReadAhead<S, R = Handle> = adapter::ReadAhead<S, OnRuntime<R>>;

/// Waits inside a runtime.
#[derive(Debug)]
pub struct OnRuntime<R> {
    runtime: R,
    /// The thread whose context is the runtime's already; 0 for none.
    context_of: u64,
}

impl<R: BlockOn> Wait for OnRuntime<R> {
    type Context<'a>
        = EnterGuard<'a>
    where
        R: 'a;

    const ELSEWHERE: &'static str = "inside `tokio::task::spawn_blocking`";

    #[inline]
    fn is_inside(&self) -> bool {
        self.context_of == this_thread()
    }

    fn enter(&self) -> EnterGuard<'_> {
        self.runtime.handle().enter()
    }

    #[track_caller]
    fn block_on<F: Future>(&self, future: F) -> Option<F::Output> {
        if has_budget() {
            return None;
        }
        Some(self.runtime.block_on(future))
    }
}

/// The units of tokio's budget at the begin of a poll. If they become more, tokio's panic will come
/// in place of ours, and a test will say so.
const BUDGET: usize = 128;

/// Whether this thread is in a poll that counts against a budget: that of a task, or of a future in
/// `block_on`.
///
/// There the thread must not block. Tokio has no call that says so, short of a panic: a task's id
/// and the current handle are also there in `spawn_blocking` and `block_in_place`, where it may. A
/// budget is not. A future in [`unconstrained`](tokio::task::unconstrained) has none either, so
/// there it is tokio that panics.
///
/// It takes about a quarter of a microsecond where there is no budget, and is asked before a thread
/// waits.
fn has_budget() -> bool {
    let mut cx = Context::from_waker(Waker::noop());
    let Poll::Ready(before) = poll_proceed(&mut cx) else {
        return true;
    };
    // A budget ends within that many units. Where there is none there is no end.
    let has_end = (0..BUDGET).any(|_| poll_proceed(&mut cx).map(mem::forget).is_pending());
    // Gives back what was taken for this.
    drop(before);
    has_end
}

/// A number of this thread's own, never 0.
#[inline]
fn this_thread() -> u64 {
    static THREADS: AtomicU64 = AtomicU64::new(1);
    thread_local! {
        // Ordering: only the number itself counts.
        static THIS: u64 = THREADS.fetch_add(1, Ordering::Relaxed);
    }
    THIS.with(|number| *number)
}

/// What [`aiter_to_iter_on`] can block on: a [`Handle`], a [`Runtime`], a reference or an [`Arc`] to one.
pub trait BlockOn: sealed::Runs {}
impl<R: sealed::Runs + ?Sized> BlockOn for R {}

mod sealed {
    use super::{Arc, Future, Handle, Runtime};

    pub trait Runs {
        fn handle(&self) -> &Handle;
        #[track_caller]
        fn block_on<F: Future>(&self, future: F) -> F::Output;
    }

    impl Runs for Handle {
        fn handle(&self) -> &Handle {
            self
        }
        fn block_on<F: Future>(&self, future: F) -> F::Output {
            self.block_on(future)
        }
    }

    impl Runs for Runtime {
        fn handle(&self) -> &Handle {
            self.handle()
        }
        fn block_on<F: Future>(&self, future: F) -> F::Output {
            self.block_on(future)
        }
    }

    impl<R: Runs> Runs for &R {
        fn handle(&self) -> &Handle {
            (**self).handle()
        }
        fn block_on<F: Future>(&self, future: F) -> F::Output {
            (**self).block_on(future)
        }
    }

    impl<R: Runs> Runs for Arc<R> {
        fn handle(&self) -> &Handle {
            (**self).handle()
        }
        fn block_on<F: Future>(&self, future: F) -> F::Output {
            (**self).block_on(future)
        }
    }
}
