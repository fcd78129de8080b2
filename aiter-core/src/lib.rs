//! Patterns for asynchronous iterators: push, fork, share, gate, preload, join and map any [`Stream`].
//!
//! [`Stream`]: futures_core::Stream
#![cfg_attr(not(feature = "std"), no_std)]
#![deny(unsafe_code)]

extern crate alloc;

mod join;
mod list;
mod map_workers;
mod map_workers_ordered;
mod push;
mod set;
mod sync;
mod wake;
mod workers;

pub use join::{JoinAiters, join_aiters};
pub use list::Statistics;
pub use map_workers::{MapWorkers, map_workers};
pub use map_workers_ordered::{MapWorkersOrdered, map_workers_ordered};
pub use push::{
    AvailableIter, PushAiter, Pusher, Stopped, TryNextError, push_aiter, push_aiter_with,
};
