//! A blocking iterator over the items of a stream.
//!
//! The source is first polled with a no-op waker. If it is pending, the thread blocks and polls it
//! again with a real waker. So a ready item costs one poll, without parking the thread and without
//! blocking on the runtime. No item is taken before a `next()` asks for it, so dropping the
//! iterator of a borrowed stream loses none of its items.
use alloc::boxed::Box;
use core::{
    fmt,
    future::{Future, poll_fn, ready},
    iter::FusedIterator,
    pin::Pin,
    task::{Context, Poll, Waker},
};
use futures_core::{FusedStream, Stream};

/// A runtime on which a thread can block.
pub trait Wait {
    /// A guard during whose life the runtime's timers and I/O can be used on this thread.
    type Context<'a>
    where
        Self: 'a;

    /// The place where blocking is allowed. It ends the sentence "Take the items with
    /// `.next().await` there, or iterate …".
    const ELSEWHERE: &'static str;

    /// Returns `true` if this thread is inside the runtime's context already, so that
    /// [`enter`](Self::enter) is not needed.
    fn is_inside(&self) -> bool;

    /// Enters the runtime's context.
    fn enter(&self) -> Self::Context<'_>;

    /// Blocks this thread on the future, inside the runtime. Returns `None` at once if this thread
    /// runs async tasks.
    fn block_on<F: Future>(&self, future: F) -> Option<F::Output>;
}

/// A runtime whose timers and I/O are driven by threads of their own, so that there is no context
/// to enter.
pub trait WaitAnywhere {
    /// See [`Wait::ELSEWHERE`].
    const ELSEWHERE: &'static str;

    /// Returns `true` if this thread is known to run async tasks.
    fn runs_async_tasks() -> bool;

    /// Parks this thread until the future is ready.
    fn park_on<F: Future>(future: F) -> F::Output;
}

impl<W: WaitAnywhere> Wait for W {
    type Context<'a>
        = ()
    where
        W: 'a;

    const ELSEWHERE: &'static str = W::ELSEWHERE;

    #[inline]
    fn is_inside(&self) -> bool {
        true
    }

    fn enter(&self) {}

    fn block_on<F: Future>(&self, future: F) -> Option<F::Output> {
        (!W::runs_async_tasks()).then(|| W::park_on(future))
    }
}

/// A blocking [`Iterator`] over the items of a stream. `aiter_to_iter` returns it.
///
/// # Panics
///
/// `next()` panics at the caller's line if it would have to block a thread that runs async tasks. A
/// panic of the source comes out of `next()`.
#[must_use = "iterators do nothing unless consumed"]
pub struct BlockingIter<S, W> {
    pub(super) stream: Pin<Box<S>>,
    pub(super) wait: W,
}

impl<S: Stream, W: Wait> BlockingIter<S, W> {
    /// Makes an iterator that blocks by means of `wait`.
    ///
    /// # Panics
    ///
    /// Panics at the caller's line if this thread runs async tasks.
    #[track_caller]
    pub fn new(stream: S, wait: W) -> Self {
        block_on(&wait, ready(()));
        Self {
            stream: Box::pin(stream),
            wait,
        }
    }
}

impl<S: Stream, W: Wait> Iterator for BlockingIter<S, W> {
    type Item = S::Item;

    #[inline]
    #[track_caller]
    fn next(&mut self) -> Option<S::Item> {
        let inside = self.wait.is_inside();
        next(&mut self.stream, &self.wait, inside)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.stream.size_hint()
    }

    /// Enters the context only once. `for_each`, `sum` and many other methods are built on this
    /// one.
    #[track_caller]
    fn fold<B, F: FnMut(B, S::Item) -> B>(self, mut accumulated: B, mut f: F) -> B {
        let Self { stream, wait } = self;
        let _context = wait.enter();
        // A local that is declared after the context is dropped before it.
        let mut stream = stream;
        while let Some(item) = next(&mut stream, &wait, true) {
            accumulated = f(accumulated, item);
        }
        accumulated
    }
}

#[inline]
#[track_caller]
fn next<S: Stream>(stream: &mut Pin<Box<S>>, wait: &impl Wait, inside: bool) -> Option<S::Item> {
    let mut noop = Context::from_waker(Waker::noop());
    let now = if inside {
        stream.as_mut().poll_next(&mut noop)
    } else {
        let _context = wait.enter();
        stream.as_mut().poll_next(&mut noop)
    };
    match now {
        Poll::Ready(item) => item,
        Poll::Pending => block_on(wait, poll_fn(|cx| stream.as_mut().poll_next(cx))),
    }
}

/// Blocks this thread on the future.
///
/// # Panics
///
/// Panics at the caller's line if this thread runs async tasks.
#[cold]
#[track_caller]
pub(super) fn block_on<W: Wait, F: Future>(wait: &W, future: F) -> F::Output {
    match wait.block_on(future) {
        Some(output) => output,
        None => panic!(
            "a blocking iterator was used on a thread that runs async tasks: it would wait for tasks that cannot run \
             meanwhile. Take the items with `.next().await` there, or iterate {}",
            W::ELSEWHERE
        ),
    }
}

impl<S: FusedStream, W: Wait> FusedIterator for BlockingIter<S, W> {}

impl<S: fmt::Debug, W> fmt::Debug for BlockingIter<S, W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BlockingIter")
            .field("stream", &self.stream)
            .finish_non_exhaustive()
    }
}
