//! A stream as a blocking iterator.
//!
//! A ready item is one poll, with a waker that wakes nobody. Only when the source is pending is it polled again with a real
//! one, while the thread waits. So an item that is there costs neither a park nor an entry into the runtime, and nothing
//! is ever pulled ahead of a `next()`: who drops the iterator of a stream that was lent loses no item of it.
use alloc::boxed::Box;
use core::{
    fmt,
    future::{Future, poll_fn, ready},
    iter::FusedIterator,
    pin::Pin,
    task::{Context, Poll, Waker},
};
use futures_core::{FusedStream, Stream};

/// How a thread waits on one runtime.
pub trait Wait {
    /// The runtime's timers and I/O can be used while this lives.
    type Context<'a>
    where
        Self: 'a;

    /// Where to iterate instead: ends the sentence "take the items with `.next().await` there, or iterate …".
    const ELSEWHERE: &'static str;

    /// Whether this thread is in such a context without [`enter`](Self::enter).
    fn is_inside(&self) -> bool;

    /// Makes a context.
    fn enter(&self) -> Self::Context<'_>;

    /// Blocks this thread on the future, inside the runtime; `None`, at once, if the thread runs async tasks.
    fn block_on<F: Future>(&self, future: F) -> Option<F::Output>;
}

/// How a thread waits on a runtime whose timers and I/O are driven by threads of their own: there is nothing to enter.
pub trait WaitAnywhere {
    /// As [`Wait::ELSEWHERE`].
    const ELSEWHERE: &'static str;

    /// Whether this thread runs async tasks, if that can be known.
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

/// A stream as a blocking [`Iterator`]: what `aiter_to_iter` returns.
///
/// # Panics
///
/// `next()` panics at the caller's line if it would have to wait on a thread that runs async tasks; and where the source
/// panics, as that does.
#[must_use = "iterators do nothing unless consumed"]
pub struct BlockingIter<S, W> {
    pub(super) stream: Pin<Box<S>>,
    pub(super) wait: W,
}

impl<S: Stream, W: Wait> BlockingIter<S, W> {
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

    /// The context is made once, for `for_each`, `sum` and all others that are built on this.
    #[track_caller]
    fn fold<B, F: FnMut(B, S::Item) -> B>(self, mut accumulated: B, mut f: F) -> B {
        let Self { stream, wait } = self;
        let _context = wait.enter();
        // Dropped before the context.
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
    let mut nobody = Context::from_waker(Waker::noop());
    let now = if inside {
        stream.as_mut().poll_next(&mut nobody)
    } else {
        let _context = wait.enter();
        stream.as_mut().poll_next(&mut nobody)
    };
    match now {
        Poll::Ready(item) => item,
        Poll::Pending => block_on(wait, poll_fn(|cx| stream.as_mut().poll_next(cx))),
    }
}

/// Blocks this thread on the future, or says why it must not.
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
