//! [`aiter_core`] on tokio.
#![forbid(unsafe_code)]

pub use aiter_core::*;
