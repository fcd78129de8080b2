//! Streams that run in spawned tasks.

use crate::{Global, On};
#[doc(inline)]
pub use aiter_core::adapter::{
    ActiveAiter, JoinTasks, MapTasks, OrderedTasks, PreloadAiter, Spawned,
};
use aiter_core::{
    Driver, Watermarks,
    adapter::{self, Nested, Spawn},
};
use core::future::Future;
use futures_core::Stream;

/// Pulls the stream in one task as fast as it yields, into the push list that this returns.
///
/// The list is unbounded. For a limit, see [`preload_aiter`]. Dropping the list and all its forks
/// ends the task, and the task drops the source.
///
/// # Panics
///
/// If the source panics, the list yields the items before that, then its poll panics with the same
/// payload, and then it ends. Each fork of the list does the same; forks after the first panic with
/// the same message.
///
/// # Cancel safety
///
/// Dropping the future of a `next()` loses nothing. Dropping the list and all its forks drops the
/// items that wait in it.
///
/// # Progress
///
/// As [`PushAiter`](crate::PushAiter): a poll is lock-free and never waits for another thread.
///
/// # Example
///
/// ```
/// use futures_lite::{StreamExt, stream};
///
/// # smol::block_on(async {
/// let items = aiter_smol::active_aiter(stream::iter(1..=3));
/// assert_eq!(items.collect::<Vec<_>>().await, [1, 2, 3]);
/// # });
/// ```
#[track_caller]
pub fn active_aiter<S>(stream: S) -> ActiveAiter<S::Item>
where
    S: Stream + Send + 'static,
    S::Item: Send + 'static,
{
    adapter::active_aiter(&On(Global), stream)
}

/// Keeps up to `n` items of the stream ready. One task pulls them while the consumer is busy
/// elsewhere.
///
/// There are never more than `n` items that were pulled and not yet taken. Dropping the result ends
/// the task, and the task drops the source.
///
/// # Panics
///
/// Panics at the caller's line if `n` is 0.
///
/// If the source panics, the stream yields the items before that, then its poll panics with the
/// same payload, and then it ends.
///
/// # Cancel safety
///
/// Dropping the future of a `next()` loses nothing. Dropping the stream ends its task, and drops
/// the items that wait in it.
///
/// # Progress
///
/// As [`Preloaded`](crate::Preloaded): a poll is lock-free and never waits for another thread. A
/// poll that takes an item wakes the task if it waits for room.
///
/// # Example
///
/// ```
/// use futures_lite::{StreamExt, stream};
///
/// # smol::block_on(async {
/// let items = aiter_smol::preload_aiter(10, stream::iter(0..100));
/// assert_eq!(items.count().await, 100);
/// # });
/// ```
#[track_caller]
pub fn preload_aiter<S>(n: usize, stream: S) -> PreloadAiter<S::Item>
where
    S: Stream + Send + 'static,
    S::Item: Send + 'static,
{
    adapter::preload_aiter(&On(Global), n, stream)
}

/// Keeps items of the stream ready as [`preload_aiter`] does, and refills in batches: its task
/// pulls until `high` items wait, and then sleeps until at most `low` are left.
///
/// # Panics
///
/// Panics at the caller's line if `low` is not below `high`.
///
/// A panic of the source is passed on as by [`preload_aiter`].
///
/// # Cancel safety
///
/// As [`preload_aiter`].
///
/// # Progress
///
/// As [`preload_aiter`]. A poll wakes the task when only `low` items are left.
///
/// # Example
///
/// ```
/// use futures_lite::{StreamExt, stream};
/// use aiter_smol::{Watermarks, preload_aiter_with};
///
/// # smol::block_on(async {
/// let marks = Watermarks { low: 10, high: 100 };
/// let items = preload_aiter_with(marks, stream::iter(0..1000));
/// assert_eq!(items.count().await, 1000);
/// # });
/// ```
#[track_caller]
pub fn preload_aiter_with<S>(watermarks: Watermarks, stream: S) -> PreloadAiter<S::Item>
where
    S: Stream + Send + 'static,
    S::Item: Send + 'static,
{
    adapter::preload_aiter_with(&On(Global), watermarks, stream)
}

/// Joins a stream of streams into one stream. Each inner stream runs in a task of its own, at most
/// one item ahead of the consumer.
///
/// This is [`join_aiters_buffered`] with `n` = 1. [`aiter_core::join_aiters`] joins streams without
/// any task.
///
/// # Panics
///
/// Panics of streams are passed on as by [`join_aiters_buffered`].
///
/// # Cancel safety
///
/// As [`join_aiters_buffered`].
///
/// # Progress
///
/// As [`join_aiters_buffered`].
///
/// # Example
///
/// ```
/// use futures_lite::{StreamExt, stream};
///
/// # smol::block_on(async {
/// let streams = stream::iter([stream::iter(vec![1, 2]), stream::iter(vec![3])]);
/// let mut items: Vec<i32> = aiter_smol::join_aiters(streams).collect().await;
/// items.sort();
/// assert_eq!(items, [1, 2, 3]);
/// # });
/// ```
#[track_caller]
pub fn join_aiters<SS>(streams: SS) -> JoinTasks<SS, On<Global>>
where
    SS: Stream,
    SS::Item: Stream + Send + 'static,
    <SS::Item as Stream>::Item: Send + 'static,
{
    join_aiters_buffered(1, streams)
}

/// Joins a stream of streams into one stream. Each inner stream runs in a task of its own, at most
/// `n` items ahead of the consumer.
///
/// The consumer polls the outer stream, and an inner stream joins as soon as the outer one yields
/// it. The items of one inner stream keep their order. The result ends when the outer stream and
/// all inner streams have ended. Dropping the result ends the tasks.
///
/// # Panics
///
/// Panics at the caller's line if `n` is 0.
///
/// If an inner stream panics, the result yields the items of that stream before that, then its poll
/// panics with the same payload, and then it goes on with the other streams. A panic of the outer
/// stream passes through the poll of the result; no further stream joins after that.
///
/// # Cancel safety
///
/// Dropping the future of a `next()` loses nothing. Dropping the stream ends its tasks, and drops
/// the items that wait in it.
///
/// # Progress
///
/// A poll never waits for another thread. It polls only the inner streams that have woken, as
/// [`aiter_core::join_aiters`] does, and a wake is lock-free.
///
/// # Example
///
/// ```
/// use futures_lite::{StreamExt, stream};
///
/// # smol::block_on(async {
/// let streams = stream::iter([stream::iter(0..50), stream::iter(50..100)]);
/// assert_eq!(aiter_smol::join_aiters_buffered(10, streams).count().await, 100);
/// # });
/// ```
#[track_caller]
pub fn join_aiters_buffered<SS>(n: usize, streams: SS) -> JoinTasks<SS, On<Global>>
where
    SS: Stream,
    SS::Item: Stream + Send + 'static,
    <SS::Item as Stream>::Item: Send + 'static,
{
    adapter::join_aiters_buffered(On(Global), n, streams)
}

/// Awaits `f(item)` for the items of the stream in up to `n` tasks, so that `f` runs in parallel.
/// The results come in the order in which they are ready.
///
/// This call starts one task. A task that gets an item while no other task waits for one starts the
/// next task, up to `n`. Tasks that have nothing to do end, except for two of them. So time and
/// memory depend on how many items are in work, and `n` may be as large as `usize::MAX`.
///
/// Each task holds at most one result that was not yet taken, and takes no item meanwhile. Dropping
/// the result ends the tasks.
///
/// # Panics
///
/// Panics at the caller's line if `n` is 0.
///
/// If `f` or its future panics, a poll of the result panics with the same payload in place of that
/// item's result, and the results of other items follow. If the source panics, a poll panics with
/// the same payload, the results of the items before that follow as they are ready, and then the
/// stream ends.
///
/// # Cancel safety
///
/// Dropping the future of a `next()` loses nothing. Dropping the stream ends its tasks, and drops
/// the items in work and the results that wait.
///
/// # Progress
///
/// A poll never waits for another thread. The tasks share the source as the takers of
/// [`sharable_aiter`](crate::sharable_aiter) do.
///
/// # Example
///
/// ```
/// use futures_lite::{StreamExt, stream};
///
/// # smol::block_on(async {
/// let squares = aiter_smol::map_workers(4, async |n: u64| n * n, stream::iter(1..=3));
/// assert_eq!(squares.fold(0, |sum, square| sum + square).await, 14);
/// # });
/// ```
#[track_caller]
pub fn map_workers<S, F, Fut>(n: usize, f: F, stream: S) -> MapTasks<Fut::Output>
where
    S: Stream + Send + 'static,
    S::Item: Send + 'static,
    F: Fn(S::Item) -> Fut + Send + Sync + 'static,
    Fut: Future + Send + 'static,
    Fut::Output: Send + 'static,
{
    adapter::map_workers(&On(Global), n, f, stream)
}

/// Awaits `f(item)` for the items of the stream in up to `n` tasks, as [`map_workers`] does, and
/// yields the results in the order of the items.
///
/// At most `n` items are in work or have a result that was not yet taken. So a slow item at the
/// front holds back the source, and not the work on the items behind it. Dropping the result ends
/// the tasks.
///
/// # Panics
///
/// Panics at the caller's line if `n` is 0.
///
/// If `f` or its future panics, the poll that would yield that result panics with the same payload,
/// and the results of the later items follow. If the source panics, the stream yields the results
/// of the items before that, then its poll panics with the same payload, and then it ends.
///
/// # Cancel safety
///
/// As [`map_workers`].
///
/// # Progress
///
/// As [`map_workers`].
///
/// # Example
///
/// ```
/// use futures_lite::{StreamExt, stream};
///
/// # smol::block_on(async {
/// let squares = aiter_smol::map_workers_ordered(4, async |n| n * n, stream::iter(1..=3));
/// assert_eq!(squares.collect::<Vec<_>>().await, [1, 4, 9]);
/// # });
/// ```
#[track_caller]
pub fn map_workers_ordered<S, F, Fut>(n: usize, f: F, stream: S) -> OrderedTasks<Fut::Output>
where
    S: Stream + Send + 'static,
    S::Item: Send + 'static,
    F: Fn(S::Item) -> Fut + Send + Sync + 'static,
    Fut: Future + Send + 'static,
    Fut::Output: Send + 'static,
{
    adapter::map_workers_ordered(&On(Global), n, f, stream)
}

/// Does the same as [`active_aiter`], with its task on the given executor. [`On`] says which
/// executors there are.
///
/// # Panics
///
/// Panics at the caller's line if no task can be started there. Other panics are passed on as by
/// [`active_aiter`].
///
/// # Cancel safety
///
/// As [`active_aiter`].
///
/// # Progress
///
/// As [`active_aiter`].
///
/// # Example
///
/// ```
/// use futures_lite::{StreamExt, stream};
/// use std::rc::Rc;
///
/// # let executor = smol::LocalExecutor::new();
/// # smol::block_on(executor.run(async {
/// let items = aiter_smol::active_aiter_on(&executor, stream::iter([Rc::new(1)]));
/// assert_eq!(items.collect::<Vec<_>>().await, [Rc::new(1)]);
/// # }));
/// ```
#[track_caller]
pub fn active_aiter_on<R, S>(executor: R, stream: S) -> ActiveAiter<S::Item>
where
    S: Stream,
    On<R>: Spawn<Driver<adapter::Source<S>>>,
{
    adapter::active_aiter(&On(executor), stream)
}

/// Does the same as [`preload_aiter`], with its task on the given executor. [`On`] says which
/// executors there are.
///
/// # Panics
///
/// Panics at the caller's line if `n` is 0, or if no task can be started there. Other panics are
/// passed on as by [`preload_aiter`].
///
/// # Cancel safety
///
/// As [`preload_aiter`].
///
/// # Progress
///
/// As [`preload_aiter`].
///
/// # Example
///
/// ```
/// use futures_lite::{StreamExt, stream};
/// use std::rc::Rc;
///
/// # let executor = smol::LocalExecutor::new();
/// # smol::block_on(executor.run(async {
/// let items = aiter_smol::preload_aiter_on(&executor, 10, stream::repeat(Rc::new(1)));
/// assert_eq!(items.take(20).count().await, 20);
/// # }));
/// ```
#[track_caller]
pub fn preload_aiter_on<R, S>(executor: R, n: usize, stream: S) -> PreloadAiter<S::Item>
where
    S: Stream,
    On<R>: Spawn<Driver<adapter::Caught<S>>>,
{
    adapter::preload_aiter(&On(executor), n, stream)
}

/// Does the same as [`preload_aiter_with`], with its task on the given executor. [`On`] says which
/// executors there are.
///
/// # Panics
///
/// Panics at the caller's line if `low` is not below `high`, or if no task can be started there.
/// Other panics are passed on as by [`preload_aiter_with`].
///
/// # Cancel safety
///
/// As [`preload_aiter_with`].
///
/// # Progress
///
/// As [`preload_aiter_with`].
///
/// # Example
///
/// ```
/// use futures_lite::{StreamExt, stream};
/// use std::rc::Rc;
/// use aiter_smol::{Watermarks, preload_aiter_with_on};
///
/// # let executor = smol::LocalExecutor::new();
/// # smol::block_on(executor.run(async {
/// let marks = Watermarks { low: 5, high: 10 };
/// let items = preload_aiter_with_on(&executor, marks, stream::repeat(Rc::new(1)));
/// assert_eq!(items.take(20).count().await, 20);
/// # }));
/// ```
#[track_caller]
pub fn preload_aiter_with_on<R, S>(
    executor: R,
    watermarks: Watermarks,
    stream: S,
) -> PreloadAiter<S::Item>
where
    S: Stream,
    On<R>: Spawn<Driver<adapter::Caught<S>>>,
{
    adapter::preload_aiter_with(&On(executor), watermarks, stream)
}

/// Does the same as [`join_aiters`], with its tasks on the given executor. [`On`] says which
/// executors there are.
///
/// This is [`join_aiters_buffered_on`] with `n` = 1.
///
/// # Panics
///
/// Polling the result panics if no task can be started there. Other panics are passed on as by
/// [`join_aiters`].
///
/// # Cancel safety
///
/// As [`join_aiters`].
///
/// # Progress
///
/// As [`join_aiters`].
///
/// # Example
///
/// ```
/// use futures_lite::{StreamExt, stream};
/// use std::rc::Rc;
///
/// # let executor = smol::LocalExecutor::new();
/// # smol::block_on(executor.run(async {
/// let streams = stream::iter([stream::once(Rc::new(1)), stream::once(Rc::new(2))]);
/// assert_eq!(aiter_smol::join_aiters_on(&executor, streams).count().await, 2);
/// # }));
/// ```
#[track_caller]
pub fn join_aiters_on<R, SS>(executor: R, streams: SS) -> JoinTasks<SS, On<R>>
where
    SS: Stream,
    SS::Item: Stream,
    On<R>: Spawn<Driver<adapter::Caught<SS::Item>>>,
{
    join_aiters_buffered_on(executor, 1, streams)
}

/// Does the same as [`join_aiters_buffered`], with its tasks on the given executor. [`On`] says
/// which executors there are.
///
/// A poll of the result starts the task of each inner stream that the outer one yields.
///
/// # Panics
///
/// Panics at the caller's line if `n` is 0. Polling the result panics if no task can be started
/// there. Other panics are passed on as by [`join_aiters_buffered`].
///
/// # Cancel safety
///
/// As [`join_aiters_buffered`].
///
/// # Progress
///
/// As [`join_aiters_buffered`].
///
/// # Example
///
/// ```
/// use futures_lite::{StreamExt, stream};
/// use std::rc::Rc;
///
/// # let executor = smol::LocalExecutor::new();
/// # smol::block_on(executor.run(async {
/// let streams = stream::iter([stream::once(Rc::new(1)), stream::once(Rc::new(2))]);
/// let items = aiter_smol::join_aiters_buffered_on(&executor, 10, streams);
/// assert_eq!(items.count().await, 2);
/// # }));
/// ```
#[track_caller]
pub fn join_aiters_buffered_on<R, SS>(executor: R, n: usize, streams: SS) -> JoinTasks<SS, On<R>>
where
    SS: Stream,
    SS::Item: Stream,
    On<R>: Spawn<Driver<adapter::Caught<SS::Item>>>,
{
    adapter::join_aiters_buffered(On(executor), n, streams)
}

/// Does the same as [`map_workers`], with its tasks on the given executor. [`On`] says which
/// executors there are.
///
/// # Panics
///
/// Panics at the caller's line if `n` is 0, or if no task can be started there. Other panics are
/// passed on as by [`map_workers`].
///
/// # Cancel safety
///
/// As [`map_workers`].
///
/// # Progress
///
/// As [`map_workers`].
///
/// # Example
///
/// ```
/// use futures_lite::{StreamExt, stream};
/// use std::rc::Rc;
///
/// # let executor = smol::LocalExecutor::new();
/// # smol::block_on(executor.run(async {
/// let numbers = stream::iter([Rc::new(1), Rc::new(2)]);
/// let squares = aiter_smol::map_workers_on(&executor, 2, async |n| *n * *n, numbers);
/// assert_eq!(squares.fold(0, |sum, square| sum + square).await, 5);
/// # }));
/// ```
#[track_caller]
pub fn map_workers_on<R, S, F, Fut>(executor: R, n: usize, f: F, stream: S) -> MapTasks<Fut::Output>
where
    S: Stream,
    F: Fn(S::Item) -> Fut,
    Fut: Future,
    On<R>: Nested + Spawn<adapter::WorkerTask<S, F, <On<R> as Nested>::Handle>>,
    <On<R> as Nested>::Handle: Spawn<adapter::WorkerTask<S, F, <On<R> as Nested>::Handle>>,
{
    adapter::map_workers(&On(executor), n, f, stream)
}

/// Does the same as [`map_workers_ordered`], with its tasks on the given executor. [`On`] says
/// which executors there are.
///
/// # Panics
///
/// Panics at the caller's line if `n` is 0, or if no task can be started there. Other panics are
/// passed on as by [`map_workers_ordered`].
///
/// # Cancel safety
///
/// As [`map_workers_ordered`].
///
/// # Progress
///
/// As [`map_workers_ordered`].
///
/// # Example
///
/// ```
/// use futures_lite::{StreamExt, stream};
/// use std::rc::Rc;
///
/// # let executor = smol::LocalExecutor::new();
/// # smol::block_on(executor.run(async {
/// let numbers = stream::iter([Rc::new(1), Rc::new(2)]);
/// let squares = aiter_smol::map_workers_ordered_on(&executor, 2, async |n| *n * *n, numbers);
/// assert_eq!(squares.collect::<Vec<i32>>().await, [1, 4]);
/// # }));
/// ```
#[track_caller]
pub fn map_workers_ordered_on<R, S, F, Fut>(
    executor: R,
    n: usize,
    f: F,
    stream: S,
) -> OrderedTasks<Fut::Output>
where
    S: Stream,
    F: Fn(S::Item) -> Fut,
    Fut: Future,
    On<R>: Nested + Spawn<adapter::OrderedTask<S, F, <On<R> as Nested>::Handle>>,
    <On<R> as Nested>::Handle: Spawn<adapter::OrderedTask<S, F, <On<R> as Nested>::Handle>>,
{
    adapter::map_workers_ordered(&On(executor), n, f, stream)
}
