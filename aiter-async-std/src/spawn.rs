//! Drivers, joins and maps in tasks.
use aiter_core::adapter::{self, Spawn};
#[doc(inline)]
pub use aiter_core::adapter::{ActiveAiter, JoinTasks, MapTasks, PreloadAiter, Spawned};
use core::future::Future;
use futures_core::Stream;

/// Starts tasks on the executor of async-std.
#[derive(Clone, Copy, Debug)]
pub struct OnAsyncStd;

impl Spawn for OnAsyncStd {
    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        async_std::task::spawn(task);
    }
}

/// Pulls the stream in a task, as fast as it yields, into a push list.
///
/// The list is unbounded: for a limit, [`preload_aiter`]. Dropping it and its forks ends the task; a panic of the source
/// comes out of the list after the items before it.
///
/// # Example
///
/// ```
/// use futures_lite::{StreamExt, stream};
///
/// let items = aiter_async_std::active_aiter(stream::iter(1..=3));
/// assert_eq!(async_std::task::block_on(items.collect::<Vec<_>>()), [1, 2, 3]);
/// ```
pub fn active_aiter<S>(stream: S) -> ActiveAiter<S::Item>
where
    S: Stream + Send + 'static,
    S::Item: Send + 'static,
{
    adapter::active_aiter(&OnAsyncStd, stream)
}

/// Keeps up to `n` items of the stream ready, pulled by a task while the consumer is busy elsewhere.
///
/// Never more than `n` items are pulled and not yet taken. Dropping the result ends the task; a panic of the source comes
/// out after the items before it.
///
/// # Panics
///
/// At the caller's line, if `n` is 0.
///
/// # Example
///
/// ```
/// use futures_lite::{StreamExt, stream};
///
/// let items = aiter_async_std::preload_aiter(10, stream::iter(0..100));
/// assert_eq!(async_std::task::block_on(items.count()), 100);
/// ```
#[track_caller]
pub fn preload_aiter<S>(n: usize, stream: S) -> PreloadAiter<S::Item>
where
    S: Stream + Send + 'static,
    S::Item: Send + 'static,
{
    adapter::preload_aiter(&OnAsyncStd, n, stream)
}

/// Joins a stream of streams into one, with a task for each stream: they run on every thread of the executor, at most one
/// item ahead each.
///
/// As [`join_aiters_buffered`] with `n` = 1.
pub fn join_aiters<SS>(streams: SS) -> JoinTasks<SS, OnAsyncStd>
where
    SS: Stream,
    SS::Item: Stream + Send + 'static,
    <SS::Item as Stream>::Item: Send + 'static,
{
    join_aiters_buffered(1, streams)
}

/// Joins a stream of streams into one, with a task for each stream and at most `n` items ahead in each.
///
/// Streams join as the outer stream yields them; the consumer polls that one. The items of a stream keep their order. A
/// panic of a stream comes out after the items it had made, and the others go on. The result ends when the outer stream
/// and every stream in it have ended; dropping it ends the tasks.
///
/// # Panics
///
/// At the caller's line, if `n` is 0.
///
/// # Example
///
/// ```
/// use futures_lite::{StreamExt, stream};
///
/// let streams = stream::iter([stream::iter(0..50), stream::iter(50..100)]);
/// assert_eq!(async_std::task::block_on(aiter_async_std::join_aiters_buffered(10, streams).count()), 100);
/// ```
#[track_caller]
pub fn join_aiters_buffered<SS>(n: usize, streams: SS) -> JoinTasks<SS, OnAsyncStd>
where
    SS: Stream,
    SS::Item: Stream + Send + 'static,
    <SS::Item as Stream>::Item: Send + 'static,
{
    adapter::join_aiters_buffered(OnAsyncStd, n, streams)
}

/// Awaits `f(item)` for the items of the stream, in `n` tasks that take from it: `f` runs in parallel.
///
/// Results come in the order in which they are ready. Each task holds at most one result that was not yet taken, and takes
/// no item meanwhile. A panic of `f` or of its future costs that item only: it comes out, and the task goes on with the
/// next one. A panic of the source comes out and is the end. Dropping the result ends the tasks.
///
/// # Panics
///
/// At the caller's line, if `n` is 0.
///
/// # Example
///
/// ```
/// use futures_lite::{StreamExt, stream};
///
/// let squares = aiter_async_std::map_workers(4, |n: u64| async move { n * n }, stream::iter(1..=3));
/// assert_eq!(async_std::task::block_on(squares.fold(0, |sum, square| sum + square)), 14);
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
    adapter::map_workers(&OnAsyncStd, n, f, stream)
}
