//! Measures several ways of doing the same work in one process, and holds ours to marks against its peers.
//!
//! The ways take turns (A B C, A B C, ...), so that whatever slows the machine for a while slows them all. What counts is
//! the median, over the rounds, of the ratio of two ways in the same round; absolute figures move with the machine.

mod channel;
pub mod fan_out;
pub mod join;
mod measure;
#[cfg(feature = "peers")]
pub mod peers;
pub mod shapes;
#[cfg(feature = "peers")]
pub mod takers;

pub use channel::{Channel, ForkedPush, Push, PushMut};
pub use measure::{Bench, Extra, Mark, Way, ours, peer};
