//! What the firmware programs share: a machine, a measured heap, samples, and the report. See
//! docs/EMBEDDED.md.
#![no_std]

mod clock;
mod groups;
mod handover;
mod heap;
pub mod machine;
mod report;
mod sample;

pub use groups::{Groups, PERIOD as GROUP_PERIOD, Reading};
pub use handover::Handover;
pub use heap::heap_in_use;
pub use report::{finish, prepare, say};
pub use sample::{Newest, Order, SAMPLES, Sample, Sensor};
