//! Measures several ways to do the same work in one process, and compares ours with marks relative
//! to its peers.
//!
//! The ways take turns (A B C, A B C, ...), so that a slow phase of the machine slows all of them.
//! The result is the median, over the rounds, of the ratio of two ways in the same round. Absolute
//! figures depend on the machine.

pub mod bounded;
mod channel;
pub mod fan_out;
pub mod join;
mod measure;
#[cfg(feature = "peers")]
pub mod peers;
pub mod shapes;
#[cfg(feature = "peers")]
pub mod takers;

pub use channel::{Channel, ForkedPush, Push};
pub use measure::{Bench, Extra, Mark, Way, ours, peer};
