//! Blocking iterators over streams.
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

/// Turns a stream into a blocking [`Iterator`] on the current runtime.
///
/// Use this in synchronous code that has a current runtime: inside
/// [`spawn_blocking`](tokio::task::spawn_blocking) or `block_in_place`, or while you hold the guard
/// of [`Runtime::enter`].
///
/// A ready item costs one poll, without parking the thread and without entering the runtime. While
/// the source is pending, the thread is parked, and the source's timers and I/O go on. No item is
/// taken before a `next()` asks for it. Dropping the iterator drops the stream.
///
/// On the thread that made the iterator, ready items are polled in that thread's own context. So
/// keep the guard of [`Runtime::enter`] for as long as you iterate, or use [`aiter_to_iter_on`],
/// which needs no guard.
///
/// A handle cannot drive a *current-thread* runtime. The timers and I/O of such a runtime make no
/// progress unless a thread is inside its [`Runtime::block_on`], as is the case around
/// `spawn_blocking`. If no thread is, give the runtime itself to [`aiter_to_iter_on`].
///
/// # Panics
///
/// Panics at the caller's line if there is no current runtime, or if this thread runs async tasks,
/// because blocking it could stop the very tasks that it waits for. Only one panic message is
/// printed, also if panics abort the process. Inside [`unconstrained`](tokio::task::unconstrained),
/// which cannot be detected beforehand, the message is tokio's "Cannot start a runtime from within
/// a runtime".
///
/// A panic of the source comes out of `next()`.
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

/// Turns a stream into a blocking [`Iterator`] on a given runtime.
///
/// Use this on a thread that is not inside the context of the runtime. The runtime is a [`Handle`],
/// a [`Runtime`], or a reference or an [`Arc`] to one. Unlike [`aiter_to_iter`], the iterator
/// enters the context of the runtime itself.
///
/// # Cost of a ready item
///
/// | loop | per ready item |
/// |---|---|
/// | `for_each`, `sum`, `fold` and the like, which enter the context once | under 1 ns |
/// | [`aiter_to_iter`] while the caller holds the guard of [`Handle::enter`] | under 1 ns |
/// | `for` or calls of `next()`, with [`read_ahead`](adapter::BlockingIter::read_ahead) | 1 to 2 ns with a buffer of about 30 items |
/// | `for` or calls of `next()`, without `read_ahead` | about 20 ns, all of it in [`Handle::enter`], which counts references |
///
/// Tokio has no cheaper call that enters a context or identifies the current one. The iterator
/// cannot keep the guard of [`Handle::enter`] from one `next()` to the next, because tokio's guards
/// panic unless they are dropped in the reverse order of their creation.
///
/// # Current-thread runtimes
///
/// An iterator that was given a [`Runtime`] drives a current-thread runtime while it waits. One
/// that was given a [`Handle`] does not, so another thread has to be inside [`Runtime::block_on`].
///
/// # Panics
///
/// Panics at the caller's line if this thread runs async tasks, as [`aiter_to_iter`] does. A panic
/// of the source comes out of `next()`.
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
/// // No one else reads this stream, and it is mostly ready, so up to 32 items may be buffered.
/// let stream = futures_lite::stream::iter(0..1000);
/// let mut sum = 0;
/// for n in aiter_tokio::aiter_to_iter_on(&runtime, stream).read_ahead(32) {
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

/// A blocking iterator over the items of a stream. [`aiter_to_iter`] and [`aiter_to_iter_on`]
/// return it.
pub type BlockingIter<S, R = Handle> = adapter::BlockingIter<S, OnRuntime<R>>;

/// A blocking iterator with a buffer of ready items.
/// [`BlockingIter::read_ahead`](adapter::BlockingIter::read_ahead) returns it.
pub type ReadAhead<S, R = Handle> = adapter::ReadAhead<S, OnRuntime<R>>;

/// Blocks a thread inside a runtime.
#[derive(Debug)]
pub struct OnRuntime<R> {
    runtime: R,
    /// The number of the thread that is inside the runtime's context already, or 0.
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

/// The size of tokio's budget at the start of a poll. If a release of tokio enlarges it, a test
/// fails, because tokio's panic comes out instead of ours.
const BUDGET: usize = 128;

/// Returns `true` if this thread is inside a poll that has a budget, which is the poll of a task or
/// of a future in `block_on`. Such a thread must not block.
///
/// Tokio has no other call that reports this without a panic. A task's id and the current handle
/// are available in `spawn_blocking` and `block_in_place` too, where blocking is allowed, but a
/// budget is not. A future in [`unconstrained`](tokio::task::unconstrained) has no budget either,
/// so tokio itself panics there.
///
/// Without a budget the call takes about a quarter of a microsecond. It is made only before the
/// thread blocks.
fn has_budget() -> bool {
    let mut cx = Context::from_waker(Waker::noop());
    let Poll::Ready(before) = poll_proceed(&mut cx) else {
        return true;
    };
    // A budget is used up after at most `BUDGET` units. Without one, every call succeeds.
    let is_limited = (0..BUDGET).any(|_| poll_proceed(&mut cx).map(mem::forget).is_pending());
    // Restore the budget to what it was before the first call.
    drop(before);
    is_limited
}

/// Returns a number that is unique to this thread and never 0.
#[inline]
fn this_thread() -> u64 {
    static THREADS: AtomicU64 = AtomicU64::new(1);
    thread_local! {
        // Ordering: Relaxed. The number only has to be unique.
        static THIS: u64 = THREADS.fetch_add(1, Ordering::Relaxed);
    }
    THIS.with(|number| *number)
}

/// A runtime on which [`aiter_to_iter_on`] can block: a [`Handle`], a [`Runtime`], or a reference
/// or an [`Arc`] to one.
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
