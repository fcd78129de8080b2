//! Results of workers in the order of their items.
//!
//! The items are numbered before the workers share them, and the consumer puts the results in
//! order. A gate with `n` permits stands before the workers. An item spends a permit when it is
//! pulled, and the consumer gives it back when it has taken the result. So at most `n` items are in
//! work or wait for their turn, whatever the workers do.

use super::{
    super::{
        Nested, Spawn,
        pace::Free,
        panics::{Caught, CaughtFuture, Panic, Spawned, catch},
    },
    Results, Work, WorkerTask, results,
};
use crate::{
    Azip, Gate, Gated, IterToAiter, azip, gated_aiter, iter_to_aiter, ready_set::Budget,
    util::shrink::shrink,
};
use alloc::collections::VecDeque;
use core::{
    fmt,
    future::Future,
    ops::RangeFrom,
    pin::Pin,
    task::{Context, Poll, ready},
};
use futures_core::{FusedStream, Stream};
use pin_project::pin_project;

/// What workers made of a stream, in the order of its items.
pub type OrderedTasks<T, P = Free> = Spawned<InOrder<T>, P>;

/// The task of a worker whose result has a number.
pub type OrderedTask<S, F, H> = WorkerTask<NumberedItems<S>, Numbering<F>, H>;

/// The items with their numbers, behind a gate. A panic of the source has a number too.
type NumberedItems<S> = Gated<Azip<(IterToAiter<RangeFrom<u64>>, Caught<S>)>>;

/// Joins up to `n` tasks as [`map_workers`](super::map_workers) does, and puts the results in
/// order.
#[track_caller]
pub fn map_workers_ordered<R, S, F, Fut, P>(
    executor: &R,
    n: usize,
    f: F,
    stream: S,
) -> OrderedTasks<Fut::Output, P>
where
    R: Nested + Spawn<OrderedTask<S, F, R::Handle>>,
    R::Handle: Spawn<OrderedTask<S, F, R::Handle>>,
    S: Stream,
    F: Fn(S::Item) -> Fut,
    Fut: Future,
{
    assert!(n > 0, "map_workers_ordered: n must be at least 1");
    let (items, gate) = gated_aiter(azip((iter_to_aiter(0..), Caught::new(stream))));
    // Permits saturate, at more items than memory has room for.
    gate.push(n);
    Spawned::new(InOrder {
        results: results(executor, n, Numbering(f), items),
        waiting: VecDeque::new(),
        first: 0,
        gate,
        is_over: false,
    })
}

/// Makes the future of an item keep the item's number, also when the closure or the source panics.
#[derive(Debug)]
pub struct Numbering<F>(F);

impl<T, F, Fut> Work<(u64, Result<T, Panic>)> for Numbering<F>
where
    F: Fn(T) -> Fut,
    Fut: Future,
{
    type Future = Numbered<Fut>;

    fn start(&self, (number, item): (u64, Result<T, Panic>)) -> Numbered<Fut> {
        match item.and_then(|item| catch(|| self.0(item))) {
            Ok(future) => Numbered {
                number,
                future: Some(CaughtFuture::new(future)),
                panic: None,
            },
            Err(panic) => Numbered {
                number,
                future: None,
                panic: Some(panic),
            },
        }
    }
}

/// The future of an item. Its output is the number with the result, or with the panic.
#[pin_project]
pub struct Numbered<Fut> {
    number: u64,
    #[pin]
    future: Option<CaughtFuture<Fut>>,
    /// The panic that there is in place of a future.
    panic: Option<Panic>,
}

impl<Fut: Future> Future for Numbered<Fut> {
    type Output = (u64, Result<Fut::Output, Panic>);

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let result = match this.future.as_pin_mut() {
            Some(future) => ready!(future.poll(cx)),
            None => Err(this.panic.take().expect("polled after it was ready")),
        };
        Poll::Ready((*this.number, result))
    }
}

impl<Fut> fmt::Debug for Numbered<Fut> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Numbered")
            .field("number", &self.number)
            .finish_non_exhaustive()
    }
}

/// Puts numbered results in order.
#[must_use = "streams do nothing unless polled"]
pub struct InOrder<T> {
    results: Results<(u64, Result<T, Panic>)>,
    /// From the next result on: those that are there.
    waiting: VecDeque<Option<Result<T, Panic>>>,
    /// The number of the next result.
    first: u64,
    gate: Gate,
    /// All tasks have ended.
    is_over: bool,
}

impl<T> InOrder<T> {
    fn put(&mut self, number: u64, result: Result<T, Panic>) {
        // Less than the number of items in work, which is a `usize`.
        let at = (number - self.first) as usize;
        while self.waiting.len() <= at {
            self.waiting.push_back(None);
        }
        self.waiting[at] = Some(result);
    }

    /// Takes the next result, if it is there.
    fn pop(&mut self) -> Option<Result<T, Panic>> {
        let result = self.waiting.front_mut()?.take()?;
        self.waiting.pop_front();
        shrink(&mut self.waiting);
        self.first += 1;
        self.gate.push(1);
        Some(result)
    }
}

/// A result is moved, never pinned.
impl<T> Unpin for InOrder<T> {}

impl<T> Stream for InOrder<T> {
    type Item = Result<T, Panic>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        let mut budget = Budget::new();
        loop {
            if let Some(result) = this.pop() {
                return Poll::Ready(Some(result));
            }
            if this.is_over {
                // A task that its executor has dropped leaves a gap in the results.
                if this.waiting.pop_front().is_none() {
                    return Poll::Ready(None);
                }
                this.first += 1;
                continue;
            }
            if !budget.is_left() {
                // Results that are not next come as fast as they are taken. Other tasks run first.
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            match ready!(Pin::new(&mut this.results).poll_next(cx)) {
                Some(Ok((number, result))) => this.put(number, result),
                // The executor has refused to start a task. The panic belongs to no item.
                Some(Err(panic)) => return Poll::Ready(Some(Err(panic))),
                None => this.is_over = true,
            }
            budget.spend();
        }
    }
}

impl<T> FusedStream for InOrder<T> {
    fn is_terminated(&self) -> bool {
        self.is_over && self.waiting.is_empty()
    }
}

impl<T> fmt::Debug for InOrder<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InOrder")
            .field("first", &self.first)
            .field("waiting", &self.waiting.len())
            .finish_non_exhaustive()
    }
}
