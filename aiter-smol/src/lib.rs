//! [`aiter_core`] on smol: streams that run in tasks, blocking iterators, and servers as streams.
//!
//! Everything of [`aiter_core`] is re-exported, so this is the only crate of ours to depend on. The
//! functions [`join_aiters`], [`map_workers`] and [`map_workers_ordered`] of this crate start tasks;
//! those of the core, which run in the task that polls them, are in [`aiter_core`]. [`AiterExt`] has
//! all functions as methods of every stream.
//!
//! Tasks run on smol's global executor. With `_on` functions such as [`active_aiter_on`], they run on
//! an executor that is given. A `LocalExecutor` takes streams that are not `Send`.
#![forbid(unsafe_code)]

pub use aiter_core;
pub use aiter_core::*;

mod blocking;
mod executor;
mod ext;
pub mod net;
mod tasks;

pub use blocking::{BlockingIter, OnThread, aiter_to_iter};
pub use executor::{Global, On};
pub use ext::AiterExt;
pub use tasks::{
    ActiveAiter, JoinTasks, MapTasks, OrderedTasks, PreloadAiter, Spawned, active_aiter,
    active_aiter_on, join_aiters, join_aiters_buffered, join_aiters_buffered_on, join_aiters_on,
    map_workers, map_workers_on, map_workers_ordered, map_workers_ordered_on, preload_aiter,
    preload_aiter_on, preload_aiter_with, preload_aiter_with_on,
};
