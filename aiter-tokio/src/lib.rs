//! [`aiter_core`] on tokio.
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
