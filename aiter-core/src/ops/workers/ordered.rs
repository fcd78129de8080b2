//! [`map_workers_ordered`]: several futures at once, with their results in the order of the items.
use super::{Work, Workers};
use crate::{
    ready_set::{Budget, ChildPoll},
    util::shrink::shrink,
};
use alloc::collections::VecDeque;
use core::{
    fmt,
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
};
use futures_core::{FusedStream, Stream};
use pin_project::pin_project;
use scopeguard::ScopeGuard;

/// Runs `f` on each item and up to `n` of the futures it returns at once. Yields their results in
/// the order of the items.
///
/// Use it instead of [`map_workers`](crate::map_workers) where the order matters. A slow future
/// holds back the results after its own: at most `n` items are in work or held as results that wait
/// for an earlier one. The memory for held results follows their number, and room for 64 of them is
/// kept. Otherwise it behaves like [`map_workers`](crate::map_workers).
///
#[cfg_attr(doc, doc = include_str!("../../../docs/pictures/map_workers_ordered.svg"))]
///
/// # Panics
/// At the caller's line if `n` is 0. A panic of `f` or of a future reaches the caller of
/// `poll_next` at once. Its item is lost, and the other results come in order. After a panic of the
/// source no further items are taken.
///
/// # Cancel safety
/// Cancel safe: a result is taken only when it is returned, and the stream keeps the futures in
/// work and the results held. Dropping the stream drops them.
///
/// # Progress
/// Waits only for the source and the futures. Waking a future is lock-free: it never waits and
/// never spins.
///
/// # Examples
/// The chapters of a book are fetched two at a time, and arrive in order although the first is
/// slow:
/// ```
/// use aiter_core::map_workers_ordered;
/// use futures_lite::{StreamExt, future::{block_on, yield_now}, stream};
///
/// let fetch = async |chapter: &'static str| {
///     if chapter == "preface" {
///         yield_now().await; // a slow server
///     }
///     format!("<h1>{chapter}</h1>")
/// };
/// let chapters = stream::iter(["preface", "methods", "results"]);
/// let book: String = block_on(map_workers_ordered(2, fetch, chapters).collect());
/// assert_eq!(book, "<h1>preface</h1><h1>methods</h1><h1>results</h1>");
/// ```
#[track_caller]
pub fn map_workers_ordered<S, F, Fut>(n: usize, f: F, stream: S) -> MapWorkersOrdered<S, F, Fut>
where
    S: Stream,
    F: FnMut(S::Item) -> Fut,
    Fut: Future,
{
    assert!(n > 0, "map_workers_ordered: n must be at least 1");
    MapWorkersOrdered {
        workers: Workers::new(stream),
        work: Ordered {
            f,
            n,
            next: 0,
            polled: None,
            results: OrderedResults {
                slots: VecDeque::new(),
                first: 0,
            },
        },
    }
}

/// The stream that [`map_workers_ordered`] returns.
#[pin_project]
#[must_use = "streams do nothing unless polled"]
pub struct MapWorkersOrdered<S, F, Fut: Future> {
    #[pin]
    workers: Workers<S, Numbered<Fut>>,
    work: Ordered<F, Fut::Output>,
}

struct Ordered<F, T> {
    f: F,
    n: usize,
    /// The number of the next item, which may wrap.
    next: usize,
    /// The number of the future that is being polled, or dropped after its last poll.
    polled: Option<usize>,
    results: OrderedResults<T>,
}

/// A future and the number of its item.
#[pin_project]
struct Numbered<Fut> {
    #[pin]
    future: Fut,
    number: usize,
}

enum Slot<T> {
    Working,
    Done(T),
    Lost,
}

/// Results by number, from the first one that was not returned yet to the last one that is there.
struct OrderedResults<T> {
    slots: VecDeque<Slot<T>>,
    first: usize,
}

impl<T> OrderedResults<T> {
    fn put(&mut self, number: usize, slot: Slot<T>) {
        let index = number.wrapping_sub(self.first);
        while self.slots.len() <= index {
            self.slots.push_back(Slot::Working);
        }
        self.slots[index] = slot;
    }

    /// Stores a result under its number, or returns it if it is the first.
    #[inline]
    fn put_or_return(&mut self, number: usize, result: T) -> Option<T> {
        if number != self.first {
            self.put(number, Slot::Done(result));
            return None;
        }
        self.pop_front();
        Some(result)
    }

    /// Takes the first result if it is there, and skips those that were lost.
    #[inline]
    fn pop(&mut self) -> Option<T> {
        loop {
            if matches!(self.slots.front()?, Slot::Working) {
                return None;
            }
            if let Some(Slot::Done(result)) = self.pop_front() {
                return Some(result);
            }
        }
    }

    /// Goes on to the next number. Returns the slot of the first one, if there is any.
    #[inline]
    fn pop_front(&mut self) -> Option<Slot<T>> {
        self.first = self.first.wrapping_add(1);
        let slot = self.slots.pop_front();
        shrink(&mut self.slots);
        slot
    }
}

impl<T, F, Fut> Work<T> for Ordered<F, Fut::Output>
where
    F: FnMut(T) -> Fut,
    Fut: Future,
{
    type Child = Numbered<Fut>;
    /// The number of an item, and its result.
    type Output = (usize, Fut::Output);

    /// Results that are held count as well.
    #[inline]
    fn has_room(&self, _: usize) -> bool {
        self.next.wrapping_sub(self.results.first) < self.n
    }

    #[inline]
    fn start(&mut self, item: T) -> Option<Numbered<Fut>> {
        let future = (self.f)(item);
        let number = self.next;
        self.next = number.wrapping_add(1);
        Some(Numbered { future, number })
    }

    #[inline]
    fn poll_fresh(
        &mut self,
        child: Pin<&mut Numbered<Fut>>,
        cx: &mut Context<'_>,
    ) -> Poll<Self::Output> {
        let child = child.project();
        let number = *child.number;
        self.polled = Some(number);
        let polled = child.future.poll(cx);
        if polled.is_pending() {
            self.polled = None;
        }
        polled.map(|result| (number, result))
    }

    #[inline]
    fn poll_again(
        &mut self,
        child: Pin<&mut Numbered<Fut>>,
        cx: &mut Context<'_>,
    ) -> ChildPoll<Self::Output> {
        Work::poll_fresh(self, child, cx).into()
    }
}

impl<S, F, Fut> Stream for MapWorkersOrdered<S, F, Fut>
where
    S: Stream,
    F: FnMut(S::Item) -> Fut,
    Fut: Future,
{
    type Item = Fut::Output;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let mut this = self.project();
        let mut budget = Budget::new();
        loop {
            if let Some(result) = this.work.results.pop() {
                return Poll::Ready(Some(result));
            }
            // Gives up the item of a future that panics.
            let mut work = scopeguard::guard(&mut *this.work, |work| {
                if let Some(number) = work.polled.take() {
                    work.results.put(number, Slot::Lost);
                }
            });
            let polled = this.workers.as_mut().poll(cx, &mut budget, &mut **work);
            let work = ScopeGuard::into_inner(work);
            match ready!(polled) {
                None => return Poll::Ready(None),
                Some((number, result)) => {
                    work.polled = None;
                    let first = work.results.put_or_return(number, result);
                    if first.is_some() {
                        return Poll::Ready(first);
                    }
                    budget.spend();
                }
            }
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let (low, high) = self.workers.source_hint();
        let done = self
            .work
            .results
            .slots
            .iter()
            .filter(|slot| matches!(slot, Slot::Done(_)))
            .count();
        let held = self.workers.len() + done;
        (
            low.saturating_add(held),
            high.and_then(|high| high.checked_add(held)),
        )
    }
}

impl<S, F, Fut> FusedStream for MapWorkersOrdered<S, F, Fut>
where
    S: Stream,
    F: FnMut(S::Item) -> Fut,
    Fut: Future,
{
    fn is_terminated(&self) -> bool {
        self.workers.is_terminated()
            && !self
                .work
                .results
                .slots
                .iter()
                .any(|slot| matches!(slot, Slot::Done(_)))
    }
}

impl<S: fmt::Debug, F, Fut: Future> fmt::Debug for MapWorkersOrdered<S, F, Fut> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MapWorkersOrdered")
            .field("workers", &self.workers)
            .field("n", &self.work.n)
            .field("held", &self.work.results.slots.len())
            .finish_non_exhaustive()
    }
}
