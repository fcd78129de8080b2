//! [`aiter_core`] on tokio: drivers, joins and maps in tasks, blocking iterators, servers as streams.
//!
//! Everything of [`aiter_core`] is re-exported; [`join_aiters`] and [`map_workers`] here are those that use tasks. Tasks run
//! on the current runtime; with `_on` functions such as [`active_aiter_on`], on one that is given, or in a
//! [`LocalSet`](tokio::task::LocalSet), which takes streams that are not `Send`.
//!
//! What comes out of tasks takes part in tokio's cooperative budget: a loop over items that are always ready lets other tasks
//! run now and then. For other streams there is [`cooperative`].
//!
//! Features: `net` (default) for servers, which needs tokio's I/O and time drivers; the rest needs only its scheduler.
#![forbid(unsafe_code)]

pub use aiter_core::*;

mod blocking;
mod coop;
#[cfg(feature = "net")]
pub mod net;
mod spawn;

pub use blocking::{BlockOn, BlockingIter, OnRuntime, ReadAhead, aiter_to_iter, aiter_to_iter_on};
pub use coop::{Budget, Cooperative, cooperative};
pub use spawn::{
    ActiveAiter, JoinTasks, Local, MapTasks, On, PreloadAiter, Spawned, active_aiter,
    active_aiter_on, join_aiters, join_aiters_buffered, join_aiters_buffered_on, join_aiters_on,
    map_workers, map_workers_on, preload_aiter, preload_aiter_on, preload_aiter_with,
    preload_aiter_with_on,
};
