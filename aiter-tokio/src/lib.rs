//! [`aiter_core`] on tokio: drivers, joins and maps in tasks, blocking iterators, servers as streams.
//!
//! Everything of [`aiter_core`] is re-exported; [`join_aiters`] and [`map_workers`] here are those that use tasks.
//!
//! Features: `net` (default) for servers, which needs tokio's I/O and time drivers; the rest needs only its scheduler.
#![forbid(unsafe_code)]

pub use aiter_core::*;

mod blocking;
#[cfg(feature = "net")]
pub mod net;
mod spawn;

pub use blocking::{BlockOn, BlockingIter, aiter_to_iter, aiter_to_iter_on};
pub use spawn::{
    ActiveAiter, JoinTasks, MapTasks, OnTokio, PreloadAiter, Spawned, active_aiter, join_aiters,
    join_aiters_buffered, map_workers, preload_aiter,
};
