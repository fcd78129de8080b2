//! Futures made from the items of a stream, several at once, their results in the order of the items.
use super::Workers;
use crate::{ready_set::Budget, util::shrink::shrink};
use alloc::collections::VecDeque;
use core::{
    fmt,
    future::Future,
    mem,
    pin::Pin,
    task::{Context, Poll, ready},
};
use futures_core::{FusedStream, Stream};
use pin_project::pin_project;

/// Runs `f` on each item and up to `n` of the futures it returns at once; results come in the order of the items.
///
/// At most `n` items are in work or held as results that wait for an earlier one. The memory for
/// results follows their number; that for 64 of them is kept. In all else as
/// [`map_workers`](crate::map_workers).
///
/// # Panics
/// At the caller if `n` is 0. A panic of `f` or of a future reaches the consumer at once, from the call of `poll_next` in which
/// it happens; its item is gone, the others come in order. After a panic of the source no further items are taken.
///
/// # Cancel safety
/// `next()` may be dropped at any point: a result is taken only when it is handed out, the futures in work and the results
/// held stay. Dropping the stream drops them.
///
/// # Progress
/// Waking a future is lock-free: nobody waits or spins.
///
/// # Examples
/// ```
/// use aiter_core::map_workers_ordered;
/// use futures_lite::{StreamExt, future::{block_on, yield_now}, stream};
///
/// let slow_odds = |x| async move {
///     if x % 2 == 1 {
///         yield_now().await;
///     }
///     x * 10
/// };
/// let tens: Vec<_> = block_on(map_workers_ordered(2, slow_odds, stream::iter(1..=4)).collect());
/// assert_eq!(tens, [10, 20, 30, 40]);
/// ```
#[track_caller]
pub fn map_workers_ordered<S, F, Fut>(n: usize, f: F, s: S) -> MapWorkersOrdered<S, F, Fut>
where
    S: Stream,
    F: FnMut(S::Item) -> Fut,
    Fut: Future,
{
    assert!(n > 0, "map_workers_ordered needs at least one worker");
    MapWorkersOrdered {
        workers: Workers::new(s),
        f,
        n,
        next: 0,
        wake_all: Ring {
            slots: VecDeque::new(),
            first: 0,
        },
    }
}

/// The stream of [`map_workers_ordered`].
#[pin_project]
#[must_use = "streams do nothing unless polled"]
pub struct MapWorkersOrdered<S, F, Fut: Future> {
    #[pin]
    workers: Workers<S, Numbered<Fut>>,
    f: F,
    n: usize,
    /// The number of the next item; it may wrap.
    next: usize,
    wake_all: Ring<Fut::Output>,
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

/// Results by number, from the first that was not yet handed out to the last that is there.
struct Ring<T> {
    slots: VecDeque<Slot<T>>,
    first: usize,
}

impl<T> Ring<T> {
    fn put(&mut self, number: usize, slot: Slot<T>) {
        let index = number.wrapping_sub(self.first);
        while self.slots.len() <= index {
            self.slots.push_back(Slot::Working);
        }
        self.slots[index] = slot;
    }

    /// Puts a result in its place, or gives it back if it is the first.
    #[inline]
    fn pass(&mut self, number: usize, result: T) -> Option<T> {
        if number != self.first {
            self.put(number, Slot::Done(result));
            return None;
        }
        self.pop_front();
        Some(result)
    }

    /// Takes the first result if it is there; those that were lost are skipped.
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

    /// Goes on to the next number. The slot of the first one, if there is any.
    #[inline]
    fn pop_front(&mut self) -> Option<Slot<T>> {
        self.first = self.first.wrapping_add(1);
        let slot = self.slots.pop_front();
        shrink(&mut self.slots);
        slot
    }
}

/// Gives up the item of a future that panics, in its poll or when it is dropped after it.
struct Poison<'a, T> {
    wake_all: &'a mut Ring<T>,
    /// The item at work, if any.
    number: Option<usize>,
}

impl<T> Drop for Poison<'_, T> {
    fn drop(&mut self) {
        if let Some(number) = self.number {
            self.wake_all.put(number, Slot::Lost);
        }
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
            if let Some(result) = this.wake_all.pop() {
                return Poll::Ready(Some(result));
            }
            let room = *this.n - this.next.wrapping_sub(this.wake_all.first);
            let start = |item| {
                let future = (this.f)(item);
                let number = *this.next;
                *this.next = number.wrapping_add(1);
                Numbered { future, number }
            };
            let mut poison = Poison {
                wake_all: this.wake_all,
                number: None,
            };
            let step = |child: Pin<&mut Numbered<Fut>>, cx: &mut Context<'_>| {
                let child = child.project();
                let number = *child.number;
                poison.number = Some(number);
                let polled = child.future.poll(cx);
                if polled.is_pending() {
                    poison.number = None;
                }
                polled.map(|result| (number, result))
            };
            let polled = this
                .workers
                .as_mut()
                .poll(cx, &mut budget, room, start, step);
            mem::forget(poison);
            match ready!(polled) {
                None => return Poll::Ready(None),
                Some((number, result)) => {
                    let first = this.wake_all.pass(number, result);
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
            .wake_all
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
                .wake_all
                .slots
                .iter()
                .any(|slot| matches!(slot, Slot::Done(_)))
    }
}

impl<S: fmt::Debug, F, Fut: Future> fmt::Debug for MapWorkersOrdered<S, F, Fut> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MapWorkersOrdered")
            .field("workers", &self.workers)
            .field("n", &self.n)
            .field("held", &self.wake_all.slots.len())
            .finish_non_exhaustive()
    }
}
