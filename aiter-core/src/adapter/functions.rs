//! The functions of the adapters that start tasks. What they do is in the files beside this one; here stand their
//! signatures and their docs, once for all runtimes, with an example for each.
//!
//! Each adapter calls `functions!` for tasks in the one place its users mean unless they say otherwise, and where there is
//! a choice `functions_on!`, whose functions take the place as an argument. `outside` says what a function does where no
//! runtime is; the code around an example is what its doctest needs.

/// `active_aiter` and its like on `$place`: streams and items have to be `Send`.
#[doc(hidden)]
#[macro_export]
macro_rules! __functions {
    (
        place: $Place:ty = $place:expr,
        $(outside: $outside:literal,)?
        example: $krate:literal, $before:literal, $after:literal,
    ) => {
        /// Pulls the stream in a task, as fast as it yields, into a push list.
        ///
        /// The list is unbounded: for a limit, [`preload_aiter`]. Dropping it and its forks ends the task, which drops the
        /// source; a panic of the source comes out of the list after the items before it; where tasks are dropped by a
        /// runtime that shuts down, the list ends.
        $(
            ///
            /// # Panics
            ///
            #[doc = concat!("At the caller's line, ", $outside, ".")]
        )?
        ///
        /// # Example
        ///
        /// ```
        /// use futures_lite::{StreamExt, stream};
        ///
        #[doc = concat!("# ", $before)]
        #[doc = concat!("let items = ", $krate, "::active_aiter(stream::iter(1..=3));")]
        /// assert_eq!(items.collect::<Vec<_>>().await, [1, 2, 3]);
        #[doc = concat!("# ", $after)]
        /// ```
        #[track_caller]
        pub fn active_aiter<S>(stream: S) -> ActiveAiter<S::Item>
        where
            S: Stream + Send + 'static,
            S::Item: Send + 'static,
        {
            $crate::adapter::active_aiter(&$place, stream)
        }

        /// Keeps up to `n` items of the stream ready, pulled by a task while the consumer is busy elsewhere.
        ///
        /// Never more than `n` items are pulled and not yet taken. Dropping the result ends the task, which drops the
        /// source; a panic of the source comes out after the items before it; where tasks are dropped by a runtime that
        /// shuts down, the stream ends.
        ///
        /// # Panics
        ///
        #[doc = concat!("At the caller's line, if `n` is 0", $(", or ", $outside,)? ".")]
        ///
        /// # Example
        ///
        /// ```
        /// use futures_lite::{StreamExt, stream};
        ///
        #[doc = concat!("# ", $before)]
        #[doc = concat!("let items = ", $krate, "::preload_aiter(10, stream::iter(0..100));")]
        /// assert_eq!(items.count().await, 100);
        #[doc = concat!("# ", $after)]
        /// ```
        #[track_caller]
        pub fn preload_aiter<S>(n: usize, stream: S) -> PreloadAiter<S::Item>
        where
            S: Stream + Send + 'static,
            S::Item: Send + 'static,
        {
            $crate::adapter::preload_aiter(&$place, n, stream)
        }

        /// Keeps items of the stream ready as [`preload_aiter`] does, and refills in batches: the task pulls until `high`
        /// items wait, then it sleeps until no more than `low` do.
        ///
        /// # Panics
        ///
        #[doc = concat!("At the caller's line, if `low` is not below `high`", $(", or ", $outside,)? ".")]
        ///
        /// # Example
        ///
        /// ```
        /// use futures_lite::{StreamExt, stream};
        ///
        #[doc = concat!("use ", $krate, "::{Watermarks, preload_aiter_with};")]
        ///
        #[doc = concat!("# ", $before)]
        /// let marks = Watermarks { low: 10, high: 100 };
        /// let items = preload_aiter_with(marks, stream::iter(0..1000));
        /// assert_eq!(items.count().await, 1000);
        #[doc = concat!("# ", $after)]
        /// ```
        #[track_caller]
        pub fn preload_aiter_with<S>(watermarks: $crate::Watermarks, stream: S) -> PreloadAiter<S::Item>
        where
            S: Stream + Send + 'static,
            S::Item: Send + 'static,
        {
            $crate::adapter::preload_aiter_with(&$place, watermarks, stream)
        }

        /// Joins a stream of streams into one, with a task for each stream: they run on every thread that runs tasks, at
        /// most one item ahead each.
        ///
        /// As [`join_aiters_buffered`] with `n` = 1.
        $(
            ///
            /// # Panics
            ///
            #[doc = concat!("At the caller's line, ", $outside, ".")]
        )?
        ///
        /// # Example
        ///
        /// ```
        /// use futures_lite::{StreamExt, stream};
        ///
        #[doc = concat!("# ", $before)]
        /// let streams = stream::iter([stream::iter(vec![1, 2]), stream::iter(vec![3])]);
        #[doc = concat!("let mut items: Vec<i32> = ", $krate, "::join_aiters(streams).collect().await;")]
        /// items.sort();
        /// assert_eq!(items, [1, 2, 3]);
        #[doc = concat!("# ", $after)]
        /// ```
        #[track_caller]
        pub fn join_aiters<SS>(streams: SS) -> JoinTasks<SS, $Place>
        where
            SS: Stream,
            SS::Item: Stream + Send + 'static,
            <SS::Item as Stream>::Item: Send + 'static,
        {
            join_aiters_buffered(1, streams)
        }

        /// Joins a stream of streams into one, with a task for each stream and at most `n` items ahead in each.
        ///
        /// Streams join as the outer stream yields them; the consumer polls that one. The items of a stream keep their
        /// order. A panic of a stream comes out after the items it had made, and the others go on. The result ends when
        /// the outer stream and every stream in it have ended; dropping it ends the tasks.
        ///
        /// # Panics
        ///
        #[doc = concat!("At the caller's line, if `n` is 0", $(", or ", $outside,)? ".")]
        ///
        /// # Example
        ///
        /// ```
        /// use futures_lite::{StreamExt, stream};
        ///
        #[doc = concat!("# ", $before)]
        /// let streams = stream::iter([stream::iter(0..50), stream::iter(50..100)]);
        #[doc = concat!("assert_eq!(", $krate, "::join_aiters_buffered(10, streams).count().await, 100);")]
        #[doc = concat!("# ", $after)]
        /// ```
        #[track_caller]
        pub fn join_aiters_buffered<SS>(n: usize, streams: SS) -> JoinTasks<SS, $Place>
        where
            SS: Stream,
            SS::Item: Stream + Send + 'static,
            <SS::Item as Stream>::Item: Send + 'static,
        {
            $crate::adapter::join_aiters_buffered($place, n, streams)
        }

        /// Awaits `f(item)` for the items of the stream, in up to `n` tasks that take from it: `f`
        /// runs in parallel.
        ///
        /// One task is started by this call. It starts another when it gets an item while no other
        /// task waits for one, and so do the others, up to `n`. Tasks that have nothing to do end,
        /// all but two of them. So time and memory follow the items that are in work and not `n`:
        /// `usize::MAX` is a limit like any other.
        ///
        /// Results come in the order in which they are ready. Each task holds at most one result that was not yet taken,
        /// and takes no item meanwhile. A panic of `f` or of its future costs that item only: it comes out, and the task
        /// goes on with the next one. A panic of the source comes out and is the end. Dropping the result ends the tasks.
        ///
        /// # Panics
        ///
        #[doc = concat!("At the caller's line, if `n` is 0", $(", or ", $outside,)? ".")]
        ///
        /// # Example
        ///
        /// ```
        /// use futures_lite::{StreamExt, stream};
        ///
        #[doc = concat!("# ", $before)]
        #[doc = concat!("let squares = ", $krate, "::map_workers(4, async |n: u64| n * n, stream::iter(1..=3));")]
        /// assert_eq!(squares.fold(0, |sum, square| sum + square).await, 14);
        #[doc = concat!("# ", $after)]
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
            $crate::adapter::map_workers(&$place, n, f, stream)
        }
    };
}

/// `active_aiter_on` and its like: the first argument is the place, and what has to be `Send` depends on it. Wants
/// `functions!` and a type `On` beside it.
#[doc(hidden)]
#[macro_export]
macro_rules! __functions_on {
    (example: $krate:literal, $before:literal, $place:literal, $after:literal,) => {
        /// [`active_aiter`] with its task in the place given: see [`On`].
        ///
        /// # Panics
        ///
        /// At the caller's line, if no task can be started there.
        ///
        /// # Example
        ///
        /// ```
        /// use futures_lite::{StreamExt, stream};
        /// use std::rc::Rc;
        ///
        #[doc = concat!("# ", $before)]
        #[doc = concat!("let items = ", $krate, "::active_aiter_on(", $place, ", stream::iter([Rc::new(1)]));")]
        /// assert_eq!(items.collect::<Vec<_>>().await, [Rc::new(1)]);
        #[doc = concat!("# ", $after)]
        /// ```
        #[track_caller]
        pub fn active_aiter_on<R, S>(place: R, stream: S) -> ActiveAiter<S::Item>
        where
            S: Stream,
            On<R>: Spawn<Driver<adapter::Source<S>>>,
        {
            adapter::active_aiter(&On(place), stream)
        }

        /// [`preload_aiter`] with its task in the place given: see [`On`].
        ///
        /// # Panics
        ///
        /// At the caller's line, if `n` is 0 or no task can be started there.
        ///
        /// # Example
        ///
        /// ```
        /// use futures_lite::{StreamExt, stream};
        /// use std::rc::Rc;
        ///
        #[doc = concat!("# ", $before)]
        #[doc = concat!("let items = ", $krate, "::preload_aiter_on(", $place, ", 10, stream::repeat(Rc::new(1)));")]
        /// assert_eq!(items.take(20).count().await, 20);
        #[doc = concat!("# ", $after)]
        /// ```
        #[track_caller]
        pub fn preload_aiter_on<R, S>(place: R, n: usize, stream: S) -> PreloadAiter<S::Item>
        where
            S: Stream,
            On<R>: Spawn<Driver<adapter::Caught<S>>>,
        {
            adapter::preload_aiter(&On(place), n, stream)
        }

        /// [`preload_aiter_with`] with its task in the place given: see [`On`].
        ///
        /// # Panics
        ///
        /// At the caller's line, if `low` is not below `high` or no task can be started there.
        ///
        /// # Example
        ///
        /// ```
        #[doc = concat!("use ", $krate, "::{Watermarks, preload_aiter_with_on};")]
        /// use futures_lite::{StreamExt, stream};
        /// use std::rc::Rc;
        ///
        #[doc = concat!("# ", $before)]
        /// let marks = Watermarks { low: 5, high: 10 };
        #[doc = concat!("let items = preload_aiter_with_on(", $place, ", marks, stream::repeat(Rc::new(1)));")]
        /// assert_eq!(items.take(20).count().await, 20);
        #[doc = concat!("# ", $after)]
        /// ```
        #[track_caller]
        pub fn preload_aiter_with_on<R, S>(place: R, watermarks: $crate::Watermarks, stream: S) -> PreloadAiter<S::Item>
        where
            S: Stream,
            On<R>: Spawn<Driver<adapter::Caught<S>>>,
        {
            adapter::preload_aiter_with(&On(place), watermarks, stream)
        }

        /// [`join_aiters`] with its tasks in the place given: see [`On`].
        ///
        /// As [`join_aiters_buffered_on`] with `n` = 1.
        ///
        /// # Panics
        ///
        /// As [`join_aiters_buffered_on`].
        ///
        /// # Example
        ///
        /// ```
        /// use futures_lite::{StreamExt, stream};
        /// use std::rc::Rc;
        ///
        #[doc = concat!("# ", $before)]
        /// let streams = stream::iter([stream::once(Rc::new(1)), stream::once(Rc::new(2))]);
        #[doc = concat!("assert_eq!(", $krate, "::join_aiters_on(", $place, ", streams).count().await, 2);")]
        #[doc = concat!("# ", $after)]
        /// ```
        #[track_caller]
        pub fn join_aiters_on<R, SS>(place: R, streams: SS) -> JoinTasks<SS, On<R>>
        where
            SS: Stream,
            SS::Item: Stream,
            On<R>: Spawn<Driver<adapter::Caught<SS::Item>>>,
        {
            join_aiters_buffered_on(place, 1, streams)
        }

        /// [`join_aiters_buffered`] with its tasks in the place given: see [`On`].
        ///
        /// A task is started when its stream comes, where the result is polled.
        ///
        /// # Panics
        ///
        /// At the caller's line, if `n` is 0; when it is polled, if no task can be started there.
        ///
        /// # Example
        ///
        /// ```
        /// use futures_lite::{StreamExt, stream};
        /// use std::rc::Rc;
        ///
        #[doc = concat!("# ", $before)]
        /// let streams = stream::iter([stream::once(Rc::new(1)), stream::once(Rc::new(2))]);
        #[doc = concat!("assert_eq!(", $krate, "::join_aiters_buffered_on(", $place, ", 10, streams).count().await, 2);")]
        #[doc = concat!("# ", $after)]
        /// ```
        #[track_caller]
        pub fn join_aiters_buffered_on<R, SS>(place: R, n: usize, streams: SS) -> JoinTasks<SS, On<R>>
        where
            SS: Stream,
            SS::Item: Stream,
            On<R>: Spawn<Driver<adapter::Caught<SS::Item>>>,
        {
            adapter::join_aiters_buffered(On(place), n, streams)
        }

        /// [`map_workers`] with its tasks in the place given: see [`On`].
        ///
        /// # Panics
        ///
        /// At the caller's line, if `n` is 0 or no task can be started there.
        ///
        /// # Example
        ///
        /// ```
        /// use futures_lite::{StreamExt, stream};
        /// use std::rc::Rc;
        ///
        #[doc = concat!("# ", $before)]
        /// let numbers = stream::iter([Rc::new(1), Rc::new(2)]);
        #[doc = concat!("let squares = ", $krate, "::map_workers_on(", $place, ", 2, async |n| *n * *n, numbers);")]
        /// assert_eq!(squares.fold(0, |sum, square| sum + square).await, 5);
        #[doc = concat!("# ", $after)]
        /// ```
        #[track_caller]
        pub fn map_workers_on<R, S, F, Fut>(place: R, n: usize, f: F, stream: S) -> MapTasks<Fut::Output>
        where
            S: Stream,
            F: Fn(S::Item) -> Fut,
            Fut: Future,
            On<R>: Place + Spawn<adapter::WorkerTask<S, F, Fut, <On<R> as Place>::Inside>>,
            <On<R> as Place>::Inside: Spawn<adapter::WorkerTask<S, F, Fut, <On<R> as Place>::Inside>>,
        {
            adapter::map_workers(&On(place), n, f, stream)
        }
    };
}

pub use __functions as functions;
pub use __functions_on as functions_on;
