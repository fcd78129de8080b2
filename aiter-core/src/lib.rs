//! Patterns for asynchronous iterators: push, fork, share, gate, preload, join and map any [`Stream`].
//!
//! [`Stream`]: futures_core::Stream
#![cfg_attr(not(feature = "std"), no_std)]
#![deny(unsafe_code)]

extern crate alloc;

mod list;
mod push;
mod sync;
mod wake;

pub use list::Statistics;
pub use push::{
    AvailableIter, PushAiter, Pusher, Stopped, TryNextError, push_aiter, push_aiter_with,
};
