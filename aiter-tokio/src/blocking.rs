//! Back to plain iterators.
use core::{
    cell::Cell,
    fmt,
    future::{Future, poll_fn, ready},
    iter::FusedIterator,
    panic::AssertUnwindSafe,
    pin::Pin,
    sync::atomic::{AtomicU64, Ordering},
    task::{Context, Poll, Waker},
};
use futures_core::{FusedStream, Stream};
use std::{
    panic::{catch_unwind, resume_unwind},
    sync::Arc,
};
use tokio::runtime::{Handle, Runtime};

/// Turns a stream into a blocking [`Iterator`] on the current runtime: inside [`Runtime::enter`],
/// [`spawn_blocking`](tokio::task::spawn_blocking) or `block_in_place`.
///
/// A ready item is one poll: no park, no entry into the runtime. While the source is pending the thread is parked, and the
/// source's timers and I/O go on. On the thread that made the iterator, ready items are polled in that thread's own context:
/// keep the guard of [`Runtime::enter`] for as long as you iterate, or use [`aiter_to_iter_on`], which needs none. Dropping the iterator drops the stream.
///
/// A handle cannot drive a *current-thread* runtime: timers and I/O of its sources stand still unless a thread is in that
/// runtime's [`Runtime::block_on`], as one is around `spawn_blocking`. Where none is, give the runtime itself to
/// [`aiter_to_iter_on`].
///
/// # Panics
///
/// At the caller's line, if there is no current runtime, or if this thread runs async tasks, where blocking would stop
/// the very tasks it waits for. A panic of the source comes out of `next()`.
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
    let mut iter = aiter_to_iter_on(Handle::current(), stream);
    iter.context_of = this_thread();
    iter
}

/// Turns a stream into a blocking [`Iterator`] on the runtime given: a [`Handle`], a [`Runtime`], or a reference to one.
///
/// As [`aiter_to_iter`], but from any thread, inside a runtime's context or not: each `next()` sets the context itself,
/// which costs two reference counts and is not an entry into the runtime; `for_each`, `sum` and the like set it once.
/// Given a [`Runtime`] it drives a current-thread runtime while it waits; given a [`Handle`] somebody else has to.
///
/// # Panics
///
/// At the caller's line, if this thread runs async tasks. A panic of the source comes out of `next()`.
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
/// ```
#[track_caller]
pub fn aiter_to_iter_on<R: BlockOn, S: Stream>(runtime: R, stream: S) -> BlockingIter<S, R> {
    block_on(&runtime, ready(()));
    BlockingIter {
        stream: Box::pin(stream),
        runtime,
        context_of: 0,
    }
}

/// A stream as a blocking iterator: see [`aiter_to_iter`].
#[must_use = "iterators do nothing unless consumed"]
pub struct BlockingIter<S, R = Handle> {
    stream: Pin<Box<S>>,
    runtime: R,
    /// The thread whose context is the runtime's already; 0 for none.
    context_of: u64,
}

impl<S: Stream, R: BlockOn> Iterator for BlockingIter<S, R> {
    type Item = S::Item;

    #[inline]
    #[track_caller]
    fn next(&mut self) -> Option<S::Item> {
        let mut nobody = Context::from_waker(Waker::noop());
        let now = if self.context_of == this_thread() {
            self.stream.as_mut().poll_next(&mut nobody)
        } else {
            let _context = self.runtime.handle().enter();
            self.stream.as_mut().poll_next(&mut nobody)
        };
        match now {
            Poll::Ready(item) => item,
            Poll::Pending => block_on(
                &self.runtime,
                poll_fn(|cx| self.stream.as_mut().poll_next(cx)),
            ),
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.stream.size_hint()
    }

    /// The context is set once, for `for_each`, `sum` and all others that are built on this.
    #[track_caller]
    fn fold<B, F: FnMut(B, S::Item) -> B>(mut self, mut accumulated: B, mut f: F) -> B {
        let handle = self.runtime.handle().clone();
        let _context = handle.enter();
        self.context_of = this_thread();
        for item in self {
            accumulated = f(accumulated, item);
        }
        accumulated
    }
}

impl<S: FusedStream, R: BlockOn> FusedIterator for BlockingIter<S, R> {}

impl<S: fmt::Debug, R> fmt::Debug for BlockingIter<S, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BlockingIter")
            .field("stream", &self.stream)
            .finish_non_exhaustive()
    }
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

/// Blocks this thread on the future, or says why it must not.
#[cold]
#[track_caller]
fn block_on<R: BlockOn, F: Future>(runtime: &R, future: F) -> F::Output {
    let started = Cell::new(false);
    let result = catch_unwind(AssertUnwindSafe(|| {
        runtime.block_on(async {
            started.set(true);
            future.await
        })
    }));
    match result {
        Ok(output) => output,
        Err(panic) if started.get() => resume_unwind(panic),
        Err(_) => panic!(
            "a blocking iterator was used on a thread that runs async tasks: it would wait for tasks that cannot run \
             meanwhile. Take the items with `.next().await` there, or iterate inside `tokio::task::spawn_blocking`"
        ),
    }
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
