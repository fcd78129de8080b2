//! [`aiter_core`] on tokio: streams that run in tasks, blocking iterators, and servers as streams.
//!
//! ```
//! use aiter_tokio::{AiterExt, iter_to_aiter};
//! use futures_lite::StreamExt;
//! # use std::time::Duration;
//! # /// Stands for a request to a server.
//! # async fn fetch(page: u32) -> String {
//! #     tokio::time::sleep(Duration::from_micros(10)).await;
//! #     format!("page {page}")
//! # }
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() {
//!
//! // Eight tasks await `fetch(page)`. Ten pages are ready while the loop below is busy.
//! let mut pages = iter_to_aiter(1..=100)
//!     .map_workers_ordered(8, fetch)
//!     .preload_aiter(10);
//! let mut book = Vec::new();
//! while let Some(page) = pages.next().await {
//!     book.push(page);
//! }
//! assert_eq!((book.len(), &*book[99]), (100, "page 100"));
//! # }
//! ```
//!
//! The [`guide`] has a page for each question that comes up first: what happens to a slow reader,
//! what a dropped future loses, how to shut down, how to test.
//!
//! Everything of [`aiter_core`] is re-exported, so you need to depend on this crate only. The
//! functions [`join_aiters`], [`map_workers`] and [`map_workers_ordered`] of this crate start
//! tasks; those of [`aiter_core`] have the same names and run in the task that polls them. The
//! functions [`batch_within`], [`debounce`] and [`rate_limit`] use the [`Timer`] of this crate;
//! those of [`aiter_core`] take one. [`AiterExt`] has all functions as methods of every stream.
//!
//! Tasks run on the current runtime. With `_on` functions such as [`active_aiter_on`], they run on
//! a runtime that is given, or in a [`LocalSet`](tokio::task::LocalSet), which takes streams that
//! are not `Send`.
//!
//! Streams that are made of spawned tasks already take part in tokio's cooperative budget: a loop
//! over items that are always ready lets other tasks run now and then. For other streams there is
//! [`cooperative`].
//!
//! The feature `net` (default) adds servers, which need tokio's I/O and time drivers. Operators
//! with a [`Timer`] need the time driver. All others need only the scheduler. With the feature
//! `sink`, a [`Pusher`] is a `Sink` of the crate `futures-sink`, and `BoundedPusher::into_sink`
//! makes one.
#![forbid(unsafe_code)]

pub use aiter_core;
pub use aiter_core::*;

mod blocking;
mod coop;
mod executor;
mod ext;
#[cfg(doc)]
pub mod guide;
#[cfg(feature = "net")]
pub mod net;
mod tasks;
mod time;

pub use blocking::{BlockOn, BlockingIter, OnRuntime, ReadAhead, aiter_to_iter, aiter_to_iter_on};
pub use coop::{Budget, Cooperative, cooperative};
pub use executor::{Local, On};
pub use ext::AiterExt;
pub use tasks::{
    ActiveAiter, JoinTasks, MapTasks, OrderedTasks, PreloadAiter, Spawned, active_aiter,
    active_aiter_on, join_aiters, join_aiters_buffered, join_aiters_buffered_on, join_aiters_on,
    map_workers, map_workers_on, map_workers_ordered, map_workers_ordered_on, preload_aiter,
    preload_aiter_on, preload_aiter_with, preload_aiter_with_on,
};
pub use time::{Timer, batch_within, debounce, rate_limit};
