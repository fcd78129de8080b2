//! `AiterExt`: the functions of this crate as methods of every stream.

use crate::*;
use futures_core::Stream;

/// Each function of this crate that takes a stream, as a method of the same name: `f(…, stream)` is `stream.f(…)`.
///
/// No name is one of a method of `futures::StreamExt`, `futures_lite::StreamExt` or `tokio_stream::StreamExt`, so
/// that all of them can be imported together.
///
/// ```
/// use aiter_core::{AiterExt, iter_to_aiter};
/// use futures_lite::{StreamExt, future::block_on};
///
/// let even = iter_to_aiter(1..7).map_filter_aiter(|n| (n % 2 == 0).then_some(n)).map_aiter(|n| n * 10);
/// assert_eq!(block_on(even.collect::<Vec<_>>()), [20, 40, 60]);
/// ```
pub trait AiterExt: Stream {
    /// See [`map_aiter`].
    fn map_aiter<F, T>(self, f: F) -> MapAiter<Self, F>
    where
        Self: Sized,
        F: FnMut(Self::Item) -> T,
    {
        map_aiter(f, self)
    }

    /// See [`map_async`].
    fn map_async<F, Fut>(self, f: F) -> MapAsync<Self, F, Fut>
    where
        Self: Sized,
        F: FnMut(Self::Item) -> Fut,
        Fut: Future,
    {
        map_async(f, self)
    }

    /// See [`map_filter_aiter`].
    fn map_filter_aiter<F, I>(self, f: F) -> MapFilterAiter<Self, F>
    where
        Self: Sized,
        F: FnMut(Self::Item) -> I,
        I: IntoIterator,
    {
        map_filter_aiter(f, self)
    }

    /// See [`flatten_aiter`].
    fn flatten_aiter(self) -> FlattenAiter<Self>
    where
        Self: Sized,
        Self::Item: IntoIterator,
    {
        flatten_aiter(self)
    }

    /// See [`azip`]: rows of two streams.
    fn azip<S>(self, other: S) -> Azip<(Self, S)>
    where
        Self: Sized,
        S: Stream,
    {
        azip((self, other))
    }

    /// See [`active`].
    fn active(self) -> (PushAiter<Self::Item>, Driver<Self>)
    where
        Self: Sized,
    {
        active(self)
    }

    /// See [`preload`].
    #[track_caller]
    fn preload(self, n: usize) -> (Preloaded<Self::Item>, Driver<Self>)
    where
        Self: Sized,
    {
        preload(n, self)
    }

    /// See [`preload_with`].
    #[track_caller]
    fn preload_with(self, watermarks: Watermarks) -> (Preloaded<Self::Item>, Driver<Self>)
    where
        Self: Sized,
    {
        preload_with(watermarks, self)
    }

    /// See [`pump`].
    fn pump<F, Fut, E>(self, f: F) -> Pump<Self, F, Fut>
    where
        Self: Sized,
        F: FnMut(Self::Item) -> Fut,
        Fut: Future<Output = Result<(), E>>,
    {
        pump(f, self)
    }

    /// See [`pump_lending`].
    fn pump_lending<F, E>(self, f: F) -> impl Future<Output = Result<(), E>>
    where
        Self: Sized,
        F: AsyncFnMut(Self::Item) -> Result<(), E>,
    {
        pump_lending(f, self)
    }

    /// See [`join_aiters`].
    fn join_aiters(self) -> JoinAiters<Self>
    where
        Self: Sized,
        Self::Item: Stream,
    {
        join_aiters(self)
    }

    /// See [`join_aiters_keyed`].
    fn join_aiters_keyed<K, T>(self) -> JoinAitersKeyed<Self, K, T>
    where
        Self: Sized + Stream<Item = (K, T)>,
        K: Clone,
        T: Stream,
    {
        join_aiters_keyed(self)
    }

    /// See [`map_workers`].
    #[track_caller]
    fn map_workers<F, Fut>(self, n: usize, f: F) -> MapWorkers<Self, F, Fut>
    where
        Self: Sized,
        F: FnMut(Self::Item) -> Fut,
        Fut: Future,
    {
        map_workers(n, f, self)
    }

    /// See [`map_workers_ordered`].
    #[track_caller]
    fn map_workers_ordered<F, Fut>(self, n: usize, f: F) -> MapWorkersOrdered<Self, F, Fut>
    where
        Self: Sized,
        F: FnMut(Self::Item) -> Fut,
        Fut: Future,
    {
        map_workers_ordered(n, f, self)
    }

    /// See [`stoppable_aiter`].
    fn stoppable_aiter(self) -> (Stoppable<Self>, Stopper)
    where
        Self: Sized,
    {
        stoppable_aiter(self)
    }

    /// See [`sharable_aiter`].
    fn sharable_aiter(self) -> Sharable<Self>
    where
        Self: Sized,
    {
        sharable_aiter(self)
    }

    /// See [`gated_aiter`].
    fn gated_aiter(self) -> (Gated<Self>, Gate)
    where
        Self: Sized,
    {
        gated_aiter(self)
    }

    /// See [`aiter_forker`].
    fn aiter_forker(self) -> Fork<Self>
    where
        Self: Sized,
    {
        aiter_forker(self)
    }

    /// See [`aiter_forker_with`].
    fn aiter_forker_with<B: bound::Bound>(self, bound: B) -> Fork<Self, B>
    where
        Self: Sized,
    {
        aiter_forker_with(bound, self)
    }
}

impl<S: Stream + ?Sized> AiterExt for S {}
