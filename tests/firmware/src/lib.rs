//! What the firmware programs share: a machine, a heap that is measured, samples, and the report. See docs/EMBEDDED.md.
#![no_std]

mod heap;
pub mod machine;
mod place;
mod report;
mod sample;

pub use heap::heap_in_use;
pub use place::Place;
pub use report::{finish, prepare, say};
pub use sample::{Order, SAMPLES, Sample, Sensor};
