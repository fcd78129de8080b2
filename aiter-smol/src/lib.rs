//! [`aiter_core`] on smol: streams that run in tasks, blocking iterators, and servers as streams.
//!
//! ```
//! use aiter_smol::AiterExt;
//! use futures_lite::StreamExt;
//! use smol::fs;
//!
//! # smol::block_on(async {
//! // Four tasks read the files of a folder; the loop counts their lines as they come.
//! let mut files = fs::read_dir("src").await?.map_workers(4, |entry| async move {
//!     fs::read_to_string(entry?.path()).await
//! });
//! let mut lines = 0;
//! while let Some(text) = files.next().await {
//!     lines += text?.lines().count();
//! }
//! assert!(lines > 1000);
//! # std::io::Result::Ok(())
//! # })
//! # .unwrap();
//! ```
//!
//! Everything of [`aiter_core`] is re-exported, so you need to depend on this crate only. The
//! functions [`join_aiters`], [`map_workers`] and [`map_workers_ordered`] of this crate start
//! tasks; those of [`aiter_core`] have the same names and run in the task that polls them. The
//! functions [`batch_within`], [`debounce`] and [`rate_limit`] use the [`Timer`] of this crate;
//! those of [`aiter_core`] take one. [`AiterExt`] has all functions as methods of every stream.
//!
//! Tasks run on smol's global executor. With `_on` functions such as [`active_aiter_on`], they run
//! on an executor that is given. A `LocalExecutor` takes streams that are not `Send`.
//!
//! With the feature `sink`, a [`Pusher`] is a `Sink` of the crate `futures-sink`.
#![forbid(unsafe_code)]

pub use aiter_core;
pub use aiter_core::*;

mod blocking;
mod executor;
mod ext;
pub mod net;
mod tasks;
mod time;

pub use blocking::{BlockingIter, OnThread, aiter_to_iter};
pub use executor::{Global, On};
pub use ext::AiterExt;
pub use tasks::{
    ActiveAiter, JoinTasks, MapTasks, OrderedTasks, PreloadAiter, Spawned, active_aiter,
    active_aiter_on, join_aiters, join_aiters_buffered, join_aiters_buffered_on, join_aiters_on,
    map_workers, map_workers_on, map_workers_ordered, map_workers_ordered_on, preload_aiter,
    preload_aiter_on, preload_aiter_with, preload_aiter_with_on,
};
pub use time::{Timer, batch_within, debounce, rate_limit};
