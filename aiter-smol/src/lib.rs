//! [`aiter_core`] on smol: drivers, joins and maps in tasks, blocking iterators, servers as streams.
//!
//! Everything of [`aiter_core`] is re-exported; [`join_aiters`] and [`map_workers`] here are those that use tasks. Tasks run
//! on smol's global executor; with `_on` functions such as [`active_aiter_on`], on an executor that is given, which takes
//! streams that are not `Send` if it is a `LocalExecutor`.
#![forbid(unsafe_code)]

pub use aiter_core::*;

mod blocking;
pub mod net;
mod spawn;

pub use blocking::{BlockingIter, OnThread, aiter_to_iter};
pub use spawn::{
    ActiveAiter, Global, JoinTasks, MapTasks, On, PreloadAiter, Spawned, active_aiter,
    active_aiter_on, join_aiters, join_aiters_buffered, join_aiters_buffered_on, join_aiters_on,
    map_workers, map_workers_on, preload_aiter, preload_aiter_on, preload_aiter_with,
    preload_aiter_with_on,
};
