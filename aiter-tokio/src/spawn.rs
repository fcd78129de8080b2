//! Drivers, joins and maps in tasks.
use aiter_core::adapter::{self, Spawn};
#[doc(inline)]
pub use aiter_core::adapter::{ActiveAiter, JoinTasks, MapTasks, PreloadAiter, Spawned};
use core::future::Future;
use futures_core::Stream;
use tokio::runtime::Handle;

/// Starts tasks on the runtime that was current.
#[derive(Clone, Debug)]
pub struct OnTokio(Handle);

impl OnTokio {
    #[track_caller]
    fn current() -> Self {
        Self(Handle::current())
    }
}

impl Spawn for OnTokio {
    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.0.spawn(task);
    }
}

/// Pulls the stream in a task, as fast as it yields, into a push list.
///
/// The list is unbounded: for a limit, [`preload_aiter`]. Dropping it and its forks ends the task; a panic of the source
/// comes out of the list after the items before it; if the runtime shuts down the list ends.
///
/// # Panics
///
/// Outside a tokio runtime, at the caller's line.
///
/// # Example
///
/// ```
/// use futures_lite::{StreamExt, stream};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let items = aiter_tokio::active_aiter(stream::iter(1..=3));
/// assert_eq!(items.collect::<Vec<_>>().await, [1, 2, 3]);
/// # }
/// ```
#[track_caller]
pub fn active_aiter<S>(stream: S) -> ActiveAiter<S::Item>
where
    S: Stream + Send + 'static,
    S::Item: Send + 'static,
{
    adapter::active_aiter(&OnTokio::current(), stream)
}

/// Keeps up to `n` items of the stream ready, pulled by a task while the consumer is busy elsewhere.
///
/// Never more than `n` items are pulled and not yet taken. Dropping the result ends the task; a panic of the source comes
/// out after the items before it; if the runtime shuts down the stream ends.
///
/// # Panics
///
/// At the caller's line, if `n` is 0 or there is no tokio runtime.
///
/// # Example
///
/// ```
/// use futures_lite::{StreamExt, stream};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let items = aiter_tokio::preload_aiter(10, stream::iter(0..100));
/// assert_eq!(items.count().await, 100);
/// # }
/// ```
#[track_caller]
pub fn preload_aiter<S>(n: usize, stream: S) -> PreloadAiter<S::Item>
where
    S: Stream + Send + 'static,
    S::Item: Send + 'static,
{
    adapter::preload_aiter(&OnTokio::current(), n, stream)
}

/// Joins a stream of streams into one, with a task for each stream: they run on every core, at most one item ahead each.
///
/// As [`join_aiters_buffered`] with `n` = 1.
///
/// # Panics
///
/// Outside a tokio runtime, at the caller's line.
///
/// # Example
///
/// ```
/// use futures_lite::{StreamExt, stream};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let streams = stream::iter([stream::iter(vec![1, 2]), stream::iter(vec![3])]);
/// let mut items: Vec<i32> = aiter_tokio::join_aiters(streams).collect().await;
/// items.sort();
/// assert_eq!(items, [1, 2, 3]);
/// # }
/// ```
#[track_caller]
pub fn join_aiters<SS>(streams: SS) -> JoinTasks<SS, OnTokio>
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
/// panic of a stream comes out after the items it had made, and the others go on. The result ends when the outer stream and
/// every stream in it have ended; dropping it ends the tasks.
///
/// # Panics
///
/// At the caller's line, if `n` is 0 or there is no tokio runtime.
///
/// # Example
///
/// ```
/// use futures_lite::{StreamExt, stream};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let streams = stream::iter([stream::iter(0..50), stream::iter(50..100)]);
/// assert_eq!(aiter_tokio::join_aiters_buffered(10, streams).count().await, 100);
/// # }
/// ```
#[track_caller]
pub fn join_aiters_buffered<SS>(n: usize, streams: SS) -> JoinTasks<SS, OnTokio>
where
    SS: Stream,
    SS::Item: Stream + Send + 'static,
    <SS::Item as Stream>::Item: Send + 'static,
{
    adapter::join_aiters_buffered(OnTokio::current(), n, streams)
}

/// Awaits `f(item)` for the items of the stream, in `n` tasks that take from it: `f` runs in parallel.
///
/// Results come in the order in which they are ready. Each task holds at most one result that was not yet taken, and takes
/// no item meanwhile. A panic of `f` or of its future costs that item only: it comes out, and the task goes on with the
/// next one. A panic of the source comes out and is the end. Dropping the result ends the tasks.
///
/// # Panics
///
/// At the caller's line, if `n` is 0 or there is no tokio runtime.
///
/// # Example
///
/// ```
/// use futures_lite::{StreamExt, stream};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let squares = aiter_tokio::map_workers(4, |n: u64| async move { n * n }, stream::iter(1..=3));
/// assert_eq!(squares.fold(0, |sum, square| sum + square).await, 14);
/// # }
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
    adapter::map_workers(&OnTokio::current(), n, f, stream)
}
