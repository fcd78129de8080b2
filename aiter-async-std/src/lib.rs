//! [`aiter_core`] on async-std.
#![forbid(unsafe_code)]

pub use aiter_core::*;
