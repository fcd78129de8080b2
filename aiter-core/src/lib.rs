//! Patterns for asynchronous iterators: push, fork, share, gate, preload, join and map any [`Stream`].
//!
//! [`Stream`]: futures_core::Stream
#![cfg_attr(not(feature = "std"), no_std)]
#![deny(unsafe_code)]
#![warn(
    clippy::alloc_instead_of_core,
    clippy::std_instead_of_alloc,
    clippy::std_instead_of_core
)]

extern crate alloc;

mod active;
#[cfg(feature = "std")]
#[doc(hidden)]
pub mod adapter;
mod azip;
mod driver;
mod ext;
mod flatten_aiter;
mod fork;
mod fuse;
mod iter_to_aiter;
mod join;
mod list;
mod map_aiter;
mod map_async;
mod map_filter_aiter;
mod map_workers;
mod map_workers_ordered;
#[cfg(all(test, aiter_loom))]
mod modelling;
mod preload;
mod push;
mod set;
mod share;
mod stoppable_aiter;
mod sync;
#[cfg(all(test, not(aiter_loom)))]
mod testing;
mod wake;
mod workers;

pub use active::active;
pub use azip::{Azip, ZipStreams, azip};
pub use driver::Driver;
pub use ext::AiterExt;
pub use flatten_aiter::{FlattenAiter, flatten_aiter};
pub use fork::{Fork, aiter_forker};
pub use iter_to_aiter::{IterToAiter, iter_to_aiter};
pub use join::{JoinAiters, join_aiters};
pub use list::Statistics;
pub use map_aiter::{MapAiter, map_aiter};
pub use map_async::{MapAsync, map_async};
pub use map_filter_aiter::{MapFilterAiter, map_filter_aiter};
pub use map_workers::{MapWorkers, map_workers};
pub use map_workers_ordered::{MapWorkersOrdered, map_workers_ordered};
pub use preload::{Preloaded, preload};
pub use push::{
    AvailableIter, PushAiter, Pusher, Stopped, TryNextError, push_aiter, push_aiter_with,
};
pub use share::{Sharable, sharable_aiter};
pub use stoppable_aiter::{Stoppable, Stopper, stoppable_aiter};
