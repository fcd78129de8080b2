//! [`aiter_core`] on tokio.
#![forbid(unsafe_code)]

pub use aiter_core::*;

mod blocking;
#[cfg(feature = "net")]
pub mod net;

pub use blocking::{BlockOn, BlockingIter, aiter_to_iter, aiter_to_iter_on};
