//! `AiterExt`: the functions of this crate as methods of every stream.

use crate::*;
use core::{future::Future, time::Duration};
use futures_core::Stream;

/// Each function of this crate that takes a stream, as a method of the same name: `f(…, stream)`
/// is `stream.f(…)`, and does the same in the same number of tasks.
///
/// It has all methods of [`aiter_core::AiterExt`], so you need to import this trait only. The
/// methods that take a timer there use the [`Timer`] of this crate. For another timer, call the
/// functions of [`aiter_core`].
///
/// No method name collides with one of `futures::StreamExt`, `futures_lite::StreamExt` or
/// `tokio_stream::StreamExt`, so all of them can be imported together.
///
/// ```
/// use aiter_async_std::{AiterExt, iter_to_aiter};
/// use futures_lite::StreamExt;
///
/// # async_std::task::block_on(async {
/// let squares = iter_to_aiter(1..7)
///     .map_filter_aiter(|n| (n % 2 == 0).then_some(n))
///     .map_workers_ordered(4, |n| async move { n * n });
/// assert_eq!(squares.collect::<Vec<u64>>().await, [4, 16, 36]);
/// # });
/// ```
pub trait AiterExt: Stream {
    /// Applies `f` to each item: see [`map_aiter`].
    fn map_aiter<F, T>(self, f: F) -> MapAiter<Self, F>
    where
        Self: Sized,
        F: FnMut(Self::Item) -> T,
    {
        map_aiter(f, self)
    }

    /// Awaits `f(item)` for one item after the other: see [`map_async`].
    fn map_async<F, Fut>(self, f: F) -> MapAsync<Self, F, Fut>
    where
        Self: Sized,
        F: FnMut(Self::Item) -> Fut,
        Fut: Future,
    {
        map_async(f, self)
    }

    /// Yields the items of `f(item)`, which may be an `Option`, for each item: see
    /// [`map_filter_aiter`].
    fn map_filter_aiter<F, I>(self, f: F) -> MapFilterAiter<Self, F>
    where
        Self: Sized,
        F: FnMut(Self::Item) -> I,
        I: IntoIterator,
    {
        map_filter_aiter(f, self)
    }

    /// Yields the items of each collection that this stream yields: see [`flatten_aiter`].
    fn flatten_aiter(self) -> FlattenAiter<Self>
    where
        Self: Sized,
        Self::Item: IntoIterator,
    {
        flatten_aiter(self)
    }

    /// Yields the items that are ready, up to `n` of them together in a `Vec`: see [`batch`].
    #[track_caller]
    fn batch(self, n: usize) -> Batch<Self>
    where
        Self: Sized,
    {
        batch(n, self)
    }

    /// Pairs the items of this stream with those of `other`: see [`azip`].
    fn azip<S>(self, other: S) -> Azip<(Self, S)>
    where
        Self: Sized,
        S: Stream,
    {
        azip((self, other))
    }

    /// Splits this stream into a list and the driver that fills it, for you to spawn: see
    /// [`active`]. [`active_aiter`](Self::active_aiter) spawns it.
    fn active(self) -> (PushAiter<Self::Item>, Driver<Self>)
    where
        Self: Sized,
    {
        active(self)
    }

    /// Splits this stream into a stream of items that are ready, up to `n` ahead, and the driver
    /// that pulls them, for you to spawn: see [`preload`]. [`preload_aiter`](Self::preload_aiter)
    /// spawns it.
    #[track_caller]
    fn preload(self, n: usize) -> (Preloaded<Self::Item>, Driver<Self>)
    where
        Self: Sized,
    {
        preload(n, self)
    }

    /// Splits this stream as [`preload`](Self::preload) does; the driver refills in batches: see
    /// [`preload_with`]. [`preload_aiter_with`](Self::preload_aiter_with) spawns it.
    #[track_caller]
    fn preload_with(self, watermarks: Watermarks) -> (Preloaded<Self::Item>, Driver<Self>)
    where
        Self: Sized,
    {
        preload_with(watermarks, self)
    }

    /// Awaits `f(item)`, such as a send, for one item after the other, until the end or an error:
    /// see [`pump`](crate::pump).
    fn pump<F, Fut, E>(self, f: F) -> Pump<Self, F, Fut>
    where
        Self: Sized,
        F: FnMut(Self::Item) -> Fut,
        Fut: Future<Output = Result<(), E>>,
    {
        pump(f, self)
    }

    /// Pumps like [`pump`](Self::pump), with futures that may borrow from `f`: see
    /// [`pump_lending`].
    fn pump_lending<F, E>(self, f: F) -> impl Future<Output = Result<(), E>>
    where
        Self: Sized,
        F: AsyncFnMut(Self::Item) -> Result<(), E>,
    {
        pump_lending(f, self)
    }

    /// Merges the streams that this one yields, each with a key, which comes with its items: see
    /// [`join_aiters_keyed`].
    fn join_aiters_keyed<K, T>(self) -> JoinAitersKeyed<Self, K, T>
    where
        Self: Sized,
        Self: Stream<Item = (K, T)>,
        K: Clone,
        T: Stream,
    {
        join_aiters_keyed(self)
    }

    /// Yields the items in batches of up to `n`, each at most `d` after its first item: see
    /// [`batch_within`].
    #[track_caller]
    fn batch_within(self, n: usize, d: Duration) -> BatchWithin<Self, Timer>
    where
        Self: Sized,
    {
        batch_within(n, d, self)
    }

    /// Yields the newest item once no other has come for `d`: see [`debounce`].
    fn debounce(self, d: Duration) -> Debounce<Self, Timer>
    where
        Self: Sized,
    {
        debounce(d, self)
    }

    /// Yields the items no faster than `limit` allows: see [`rate_limit`].
    fn rate_limit(self, limit: RateLimit) -> RateLimited<Self, Timer>
    where
        Self: Sized,
    {
        rate_limit(limit, self)
    }

    /// Yields the items of the newest of the streams that this one yields: see [`switch_aiter`].
    fn switch_aiter(self) -> SwitchAiter<Self>
    where
        Self: Sized,
        Self::Item: Stream,
    {
        switch_aiter(self)
    }

    /// Merges the streams that this one yields, at most `n` at once, all polled in one
    /// task: see [`join_aiters_limited`].
    #[track_caller]
    fn join_aiters_limited(self, n: usize) -> JoinAiters<Self>
    where
        Self: Sized,
        Self::Item: Stream,
    {
        join_aiters_limited(n, self)
    }

    /// Awaits `f(item)` for up to `n` items at a time, but for only one of those with equal keys,
    /// all in one task: see [`map_workers_by`].
    #[track_caller]
    fn map_workers_by<K, G, F, Fut>(
        self,
        n: usize,
        key: G,
        f: F,
    ) -> MapWorkersBy<Self, K, G, F, Fut>
    where
        Self: Sized,
        K: Ord + Clone,
        G: FnMut(&Self::Item) -> K,
        F: FnMut(Self::Item) -> Fut,
        Fut: Future,
    {
        map_workers_by(n, key, f, self)
    }

    /// Adds a handle that ends this stream from outside: see [`stoppable_aiter`].
    fn stoppable_aiter(self) -> (Stoppable<Self>, Stopper)
    where
        Self: Sized,
    {
        stoppable_aiter(self)
    }

    /// Lets several tasks take from this stream, each item going to one of them: see
    /// [`sharable_aiter`].
    fn sharable_aiter(self) -> Sharable<Self>
    where
        Self: Sized,
    {
        sharable_aiter(self)
    }

    /// Splits this stream into parts, one for each key. Up to `n` items wait in each: see
    /// [`split_by`].
    #[track_caller]
    fn split_by<K, F>(self, n: usize, key: F) -> SplitBy<Self, K, F>
    where
        Self: Sized,
        K: Ord + Clone,
        F: FnMut(&Self::Item) -> K,
    {
        split_by(n, key, self)
    }

    /// Lets as many items through as the returned [`Gate`] has permits: see [`gated_aiter`].
    fn gated_aiter(self) -> (Gated<Self>, Gate)
    where
        Self: Sized,
    {
        gated_aiter(self)
    }

    /// Lets several readers see each item of this stream: see [`aiter_forker`].
    fn aiter_forker(self) -> Fork<Self>
    where
        Self: Sized,
    {
        aiter_forker(self)
    }

    /// Lets several readers see each item, with a bound on how far they run apart: see
    /// [`aiter_forker_with`].
    fn aiter_forker_with<B: bound::SourceBound<Self::Item>>(
        self,
        bound: B,
    ) -> Fork<Self, <B as bound::SourceBound<Self::Item>>::Bound>
    where
        Self: Sized,
    {
        aiter_forker_with(bound, self)
    }

    /// Runs this stream in one task, which fills a list: see [`active_aiter`].
    #[track_caller]
    fn active_aiter(self) -> ActiveAiter<Self::Item>
    where
        Self: Sized,
        Self: Send + 'static,
        Self::Item: Send + 'static,
    {
        active_aiter(self)
    }

    /// Runs this stream in one task, up to `n` items ahead: see [`preload_aiter`].
    #[track_caller]
    fn preload_aiter(self, n: usize) -> PreloadAiter<Self::Item>
    where
        Self: Sized,
        Self: Send + 'static,
        Self::Item: Send + 'static,
    {
        preload_aiter(n, self)
    }

    /// Runs this stream in one task that refills in batches: see [`preload_aiter_with`].
    #[track_caller]
    fn preload_aiter_with(self, watermarks: Watermarks) -> PreloadAiter<Self::Item>
    where
        Self: Sized,
        Self: Send + 'static,
        Self::Item: Send + 'static,
    {
        preload_aiter_with(watermarks, self)
    }

    /// Merges the streams that this one yields, each run in a task of its own: see [`join_aiters`].
    #[track_caller]
    fn join_aiters(self) -> JoinTasks<Self, On<Global>>
    where
        Self: Sized,
        Self::Item: Stream + Send + 'static,
        <Self::Item as Stream>::Item: Send + 'static,
    {
        join_aiters(self)
    }

    /// Merges the streams that this one yields, each run in a task of its own, up to `n` items
    /// ahead: see [`join_aiters_buffered`].
    #[track_caller]
    fn join_aiters_buffered(self, n: usize) -> JoinTasks<Self, On<Global>>
    where
        Self: Sized,
        Self::Item: Stream + Send + 'static,
        <Self::Item as Stream>::Item: Send + 'static,
    {
        join_aiters_buffered(n, self)
    }

    /// Awaits `f(item)` in up to `n` tasks, and yields the results as they are ready: see
    /// [`map_workers`].
    #[track_caller]
    fn map_workers<F, Fut>(self, n: usize, f: F) -> MapTasks<Fut::Output>
    where
        Self: Sized,
        Self: Send + 'static,
        Self::Item: Send + 'static,
        F: Fn(Self::Item) -> Fut + Send + Sync + 'static,
        Fut: Future + Send + 'static,
        Fut::Output: Send + 'static,
    {
        map_workers(n, f, self)
    }

    /// Awaits `f(item)` in up to `n` tasks, and yields the results in the order of the items: see
    /// [`map_workers_ordered`].
    #[track_caller]
    fn map_workers_ordered<F, Fut>(self, n: usize, f: F) -> OrderedTasks<Fut::Output>
    where
        Self: Sized,
        Self: Send + 'static,
        Self::Item: Send + 'static,
        F: Fn(Self::Item) -> Fut + Send + Sync + 'static,
        Fut: Future + Send + 'static,
        Fut::Output: Send + 'static,
    {
        map_workers_ordered(n, f, self)
    }

    /// Makes a blocking iterator of this stream, without any task: see [`aiter_to_iter`].
    #[track_caller]
    fn aiter_to_iter(self) -> BlockingIter<Self>
    where
        Self: Sized,
    {
        aiter_to_iter(self)
    }
}

impl<S: Stream + ?Sized> AiterExt for S {}
