//! [`aiter_core`] on async-std: streams that run in tasks, blocking iterators, and servers as streams.
//!
//! **async-std is discontinued** ([RUSTSEC-2025-0052]). This crate is for programs that still run on
//! it. New programs should use `aiter-smol`, as the advisory says, or `aiter-tokio`: the names are
//! the same there.
//!
//! Everything of [`aiter_core`] is re-exported, so this is the only crate of ours to depend on. The
//! functions [`join_aiters`], [`map_workers`] and [`map_workers_ordered`] of this crate start tasks;
//! those of the core, which run in the task that polls them, are in [`aiter_core`]. [`AiterExt`] has
//! all functions as methods of every stream.
//!
//! [RUSTSEC-2025-0052]: https://rustsec.org/advisories/RUSTSEC-2025-0052.html
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
    join_aiters, join_aiters_buffered, map_workers, map_workers_ordered, preload_aiter,
    preload_aiter_with,
};
