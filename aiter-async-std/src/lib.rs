//! [`aiter_core`] on async-std: drivers, joins and maps in tasks, blocking iterators, servers as streams.
//!
//! **async-std is discontinued** ([RUSTSEC-2025-0052]): this crate is for programs that still run on it. New ones should
//! take `aiter-smol`, as the advisory says, or `aiter-tokio`; the names here are the same there.
//!
//! Everything of [`aiter_core`] is re-exported; [`join_aiters`] and [`map_workers`] here are those that use tasks.
//!
//! [RUSTSEC-2025-0052]: https://rustsec.org/advisories/RUSTSEC-2025-0052.html
#![forbid(unsafe_code)]

pub use aiter_core::*;

mod blocking;
pub mod net;
mod spawn;

pub use blocking::{BlockingIter, OnThread, aiter_to_iter};
pub use spawn::{
    ActiveAiter, Global, JoinTasks, MapTasks, On, PreloadAiter, Spawned, active_aiter, join_aiters,
    join_aiters_buffered, map_workers, preload_aiter, preload_aiter_with,
};
