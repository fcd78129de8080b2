//! Patterns for asynchronous iterators: push, fork, share, gate, preload, join and map any [`Stream`].
//!
//! [`Stream`]: futures_core::Stream
#![cfg_attr(not(feature = "std"), no_std)]
#![deny(unsafe_code)]

extern crate alloc;

mod push;
#[allow(dead_code)]
mod sync;

pub use push::{PushAiter, Pusher, Stopped, TryNextError, push_aiter};
