//! Streams that run in tasks: as functions, each with its example.

use crate::{Global, On};
#[doc(inline)]
pub use aiter_core::adapter::{
    ActiveAiter, JoinTasks, MapTasks, OrderedTasks, PreloadAiter, Spawned,
};
use aiter_core::{Watermarks, adapter};
use core::future::Future;
use futures_core::Stream;

/// Pulls the stream in one task as fast as it yields, and gives back a push list of its items.
///
/// The list is unbounded. For a limit, see [`preload_aiter`]. Dropping the list and all its forks
/// ends the task, and the task drops the source. A panic of the source comes out of the list
/// after the items before it.
///
/// # Example
///
/// ```
/// use futures_lite::{StreamExt, stream};
///
/// # async_std::task::block_on(async {
/// let items = aiter_async_std::active_aiter(stream::iter(1..=3));
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
/// There are never more than `n` items that were pulled and not yet taken. Dropping the result
/// ends the task, and the task drops the source. A panic of the source comes out after the items
/// before it.
///
/// # Panics
///
/// Panics at the caller's line if `n` is 0.
///
/// # Example
///
/// ```
/// use futures_lite::{StreamExt, stream};
///
/// # async_std::task::block_on(async {
/// let items = aiter_async_std::preload_aiter(10, stream::iter(0..100));
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
/// # Example
///
/// ```
/// use futures_lite::{StreamExt, stream};
/// use aiter_async_std::{Watermarks, preload_aiter_with};
///
/// # async_std::task::block_on(async {
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

/// Joins a stream of streams into one stream. Each inner stream runs in a task of its own, at
/// most one item ahead of the consumer.
///
/// This is [`join_aiters_buffered`] with `n` = 1. [`aiter_core::join_aiters`] joins streams
/// without any task.
///
/// # Example
///
/// ```
/// use futures_lite::{StreamExt, stream};
///
/// # async_std::task::block_on(async {
/// let streams = stream::iter([stream::iter(vec![1, 2]), stream::iter(vec![3])]);
/// let mut items: Vec<i32> = aiter_async_std::join_aiters(streams).collect().await;
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

/// Joins a stream of streams into one stream. Each inner stream runs in a task of its own, at
/// most `n` items ahead of the consumer.
///
/// The consumer polls the outer stream, and an inner stream joins as soon as the outer one yields
/// it. The items of one inner stream keep their order. A panic of an inner stream comes out after
/// the items that it had made, and the other streams go on. The result ends when the outer stream
/// and all inner streams have ended. Dropping the result ends the tasks.
///
/// # Panics
///
/// Panics at the caller's line if `n` is 0.
///
/// # Example
///
/// ```
/// use futures_lite::{StreamExt, stream};
///
/// # async_std::task::block_on(async {
/// let streams = stream::iter([stream::iter(0..50), stream::iter(50..100)]);
/// assert_eq!(aiter_async_std::join_aiters_buffered(10, streams).count().await, 100);
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
/// This call starts one task. A task that gets an item while no other task waits for one starts
/// the next task, up to `n`. Tasks that have nothing to do end, except for two of them. So time
/// and memory follow the items that are in work, not `n`, and `usize::MAX` is a limit like any
/// other.
///
/// Each task holds at most one result that was not yet taken, and takes no item meanwhile. A
/// panic of `f` or of its future costs one item: it comes out of the result, and the task goes on
/// with the next item. A panic of the source comes out and is the end. Dropping the result ends
/// the tasks.
///
/// # Panics
///
/// Panics at the caller's line if `n` is 0.
///
/// # Example
///
/// ```
/// use futures_lite::{StreamExt, stream};
///
/// # async_std::task::block_on(async {
/// let squares = aiter_async_std::map_workers(4, async |n: u64| n * n, stream::iter(1..=3));
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
/// At most `n` items are in work or wait for their turn: a slow item at the front holds back the
/// source, not the work on the items behind it. A panic of `f` or of its future comes out in the
/// place of that result, and the items behind it follow. A panic of the source comes out after
/// the results of the items before it, and is the end. Dropping the result ends the tasks.
///
/// # Panics
///
/// Panics at the caller's line if `n` is 0.
///
/// # Example
///
/// ```
/// use futures_lite::{StreamExt, stream};
///
/// # async_std::task::block_on(async {
/// let squares = aiter_async_std::map_workers_ordered(4, async |n| n * n, stream::iter(1..=3));
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
