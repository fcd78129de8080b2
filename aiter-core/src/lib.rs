//! Patterns for asynchronous iterators: push, fork, share, gate, preload, join and map any [`Stream`].
//!
//! [`Stream`]: futures_core::Stream
#![cfg_attr(not(feature = "std"), no_std)]
#![deny(unsafe_code)]

extern crate alloc;

mod azip;
mod ext;
mod flatten_aiter;
mod fuse;
mod iter_to_aiter;
mod map_aiter;
mod map_async;
mod map_filter_aiter;
#[cfg(all(test, aiter_loom))]
mod modelling;
mod push;
mod share;
mod stoppable_aiter;
#[allow(dead_code)]
mod sync;
#[cfg(all(test, not(aiter_loom)))]
mod testing;
#[allow(dead_code)]
mod wake;

pub use azip::{Azip, ZipStreams, azip};
pub use ext::AiterExt;
pub use flatten_aiter::{FlattenAiter, flatten_aiter};
pub use iter_to_aiter::{IterToAiter, iter_to_aiter};
pub use map_aiter::{MapAiter, map_aiter};
pub use map_async::{MapAsync, map_async};
pub use map_filter_aiter::{MapFilterAiter, map_filter_aiter};
pub use push::{PushAiter, Pusher, Stopped, TryNextError, push_aiter};
pub use share::{Sharable, sharable_aiter};
pub use stoppable_aiter::{Stoppable, Stopper, stoppable_aiter};
