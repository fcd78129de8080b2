//! [`aiter_core`] on smol: drivers, joins and maps in tasks of the global executor, blocking iterators, servers as streams.
//!
//! Everything of [`aiter_core`] is re-exported; [`join_aiters`] and [`map_workers`] here are those that use tasks.
#![forbid(unsafe_code)]

pub use aiter_core::*;

mod blocking;
pub mod net;
mod spawn;

pub use blocking::aiter_to_iter;
pub use spawn::{
    ActiveAiter, JoinTasks, MapTasks, OnSmol, PreloadAiter, Spawned, active_aiter, join_aiters,
    join_aiters_buffered, map_workers, preload_aiter,
};
