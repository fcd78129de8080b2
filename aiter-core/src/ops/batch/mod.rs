//! What [`batch`] and [`batch_within`] share: a source, and the batch that is made of its items.

mod ready;
mod within;

pub use ready::{Batch, batch};
pub use within::{BatchWithin, batch_within};

use super::caught::CaughtPanic;
use crate::util::fuse::Fused;
use alloc::vec::Vec;
use core::{
    fmt, mem,
    pin::Pin,
    task::{Context, Poll, ready},
};
use futures_core::{FusedStream, Stream};
use pin_project::pin_project;

/// How many items one poll takes before it gives them, full or not. A source that is always ready
/// would keep it for ever if `n` is large. Up to this many, a batch gets memory for as many items
/// as the one before it had.
const MANY: usize = 4096;

/// A source, and the items that were taken from it for the next batch.
#[pin_project]
struct Collector<S: Stream> {
    #[pin]
    source: Fused<S>,
    n: usize,
    items: Vec<S::Item>,
    /// The length of the batch before this one.
    last_len: usize,
    /// What the source did after the items that were given last.
    panic: CaughtPanic,
}

impl<S: Stream> Collector<S> {
    fn new(n: usize, source: S) -> Self {
        Self {
            source: Fused::new(source),
            n,
            items: Vec::new(),
            last_len: 0,
            panic: CaughtPanic::default(),
        }
    }

    /// Takes what is ready. Returns `Pending` if the source is pending and the batch has room;
    /// otherwise the batch is to be given now. An empty one stands for the end.
    fn collect(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let mut this = self.project();
        let items = this.items;
        let most = items.len().saturating_add(MANY).min(*this.n);
        if items.is_empty() {
            this.panic.resume();
            // A panic before the first item has nothing to wait for.
            let Some(item) = ready!(this.source.as_mut().poll_next(cx)) else {
                return Poll::Ready(());
            };
            *items = Vec::with_capacity((*this.last_len).clamp(1, MANY));
            items.push(item);
        } else if this.panic.is_some() {
            // They were to be given before it, and the drop of a timer panicked in between.
            return Poll::Ready(());
        }
        let source = this.source;
        let filled = this.panic.keep(move || fill(items, most, source, cx));
        filled.unwrap_or(Poll::Ready(()))
    }

    fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// Takes the batch. An empty one is the end.
    fn take(self: Pin<&mut Self>) -> Option<Vec<S::Item>> {
        let this = self.project();
        if this.items.is_empty() {
            return None;
        }
        *this.last_len = this.items.len();
        Some(mem::take(this.items))
    }

    fn is_terminated(&self) -> bool {
        self.is_empty() && self.source.is_terminated() && !self.panic.is_some()
    }

    /// How many batches there will be: as few as there can be of `n` items each, and at most one
    /// for each item that comes.
    fn size_hint(&self) -> (usize, Option<usize>) {
        let (least, most) = self.source.size_hint();
        let least = least.saturating_add(self.items.len());
        let begun = usize::from(!self.is_empty());
        (
            least.div_ceil(self.n),
            most.and_then(|most| most.checked_add(begun)),
        )
    }
}

/// Adds what is ready, until there are `most` items. Returns `Pending` if the source is pending.
///
/// It is never inlined: from its arguments the compiler knows that the items and the source do not
/// overlap, and keeps the state of a simple source in registers. Ready items take 0.97 ns in place
/// of 2.1.
#[inline(never)]
fn fill<S: Stream>(
    items: &mut Vec<S::Item>,
    most: usize,
    mut source: Pin<&mut Fused<S>>,
    cx: &mut Context<'_>,
) -> Poll<()> {
    while items.len() < most {
        match ready!(source.as_mut().poll_next(cx)) {
            Some(item) => items.push(item),
            None => break,
        }
    }
    Poll::Ready(())
}

impl<S: Stream + fmt::Debug> fmt::Debug for Collector<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Collector")
            .field("source", &self.source)
            .field("n", &self.n)
            .field("len", &self.items.len())
            .finish_non_exhaustive()
    }
}

#[cfg(all(test, not(aiter_loom)))]
mod tests;
