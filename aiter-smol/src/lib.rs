//! [`aiter_core`] on smol.
#![forbid(unsafe_code)]

pub use aiter_core::*;
