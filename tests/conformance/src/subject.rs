//! An implementation as a probe sees it.

use futures_core::Stream;
use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll},
};

/// Which handles get an item.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Kind {
    /// Every handle.
    Fork,
    /// One of the handles.
    Take,
}

/// An implementation to probe.
#[derive(Clone, Copy, Debug)]
pub struct Subject {
    /// Its name in the table.
    pub name: &'static str,
    /// The package that it comes from.
    pub package: &'static str,
    /// Which handles get an item.
    pub kind: Kind,
    /// Whether it is ours, and so has to pass.
    pub is_ours: bool,
    /// Makes it, unless its package is not built in.
    pub build: Option<Build>,
}

/// Makes a source with this many handles.
pub type Build = fn(usize) -> Parts;

/// The side that feeds the handles, and the handles.
pub type Parts = (Box<dyn Feed>, Vec<Box<dyn Handle>>);

/// The side that items come from.
pub trait Feed {
    /// Sends one more item, and wakes whatever task has to be woken for it.
    fn send(&mut self, item: u64);
    /// Ends the stream.
    fn end(&mut self);
    /// Makes the next poll of the source panic. Returns false if there is no source whose code
    /// could.
    fn panic(&mut self) -> bool {
        false
    }
}

/// The side that a task waits on.
pub trait Handle {
    /// Waits for the next item, or goes on waiting for it.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<u64>>;
    /// Drops the future that waits, as `select!` does with the branches that it does not take. The
    /// handle stays.
    fn cancel(&mut self);
}

impl fmt::Debug for dyn Feed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Feed")
    }
}

impl fmt::Debug for dyn Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Handle")
    }
}

/// A handle that is a stream. The state of the wait is in the stream itself, so there is no future
/// to drop.
#[derive(Debug)]
pub struct OfStream<S>(pub Pin<Box<S>>);

impl<S: Stream<Item = u64>> Handle for OfStream<S> {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<u64>> {
        self.0.as_mut().poll_next(cx)
    }

    fn cancel(&mut self) {}
}

/// A future that waits for one item.
pub type Next = Pin<Box<dyn Future<Output = Option<u64>>>>;

/// A handle that makes a future for each item.
pub struct OfFuture<R> {
    /// Declared first, so that it is dropped before the receiver that it was made of.
    waiting: Option<Next>,
    receiver: R,
    next: fn(R) -> Next,
}

impl<R: Clone> OfFuture<R> {
    /// `next` makes the future that waits for an item, from a clone of the receiver.
    pub fn new(receiver: R, next: fn(R) -> Next) -> Self {
        let waiting = None;
        Self {
            waiting,
            receiver,
            next,
        }
    }
}

impl<R> fmt::Debug for OfFuture<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OfFuture")
            .field("waits", &self.waiting.is_some())
            .finish_non_exhaustive()
    }
}

impl<R: Clone> Handle for OfFuture<R> {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<u64>> {
        let waiting = self
            .waiting
            .get_or_insert_with(|| (self.next)(self.receiver.clone()));
        let polled = waiting.as_mut().poll(cx);
        if polled.is_ready() {
            self.waiting = None;
        }
        polled
    }

    fn cancel(&mut self) {
        self.waiting = None;
    }
}

/// Makes `count` handles: `first`, and others that `another` makes of it.
pub fn handles<T, H: Handle + 'static>(
    count: usize,
    mut first: T,
    mut another: impl FnMut(&mut T) -> T,
    handle: impl Fn(T) -> H,
) -> Vec<Box<dyn Handle>> {
    let others: Vec<T> = (1..count).map(|_| another(&mut first)).collect();
    let all = [first].into_iter().chain(others);
    all.map(|one| Box::new(handle(one)) as Box<dyn Handle>)
        .collect()
}

/// The same for handles that are streams.
pub fn streams<S: Stream<Item = u64> + 'static>(
    count: usize,
    first: S,
    another: impl FnMut(&mut S) -> S,
) -> Vec<Box<dyn Handle>> {
    handles(count, first, another, |stream| OfStream(Box::pin(stream)))
}
