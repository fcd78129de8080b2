//! Everything that waits, and the means to sweep it: each future is dropped after its k-th poll,
//! for every k until it completes.
//!
//! | file | contents |
//! |---|---|
//! | `harness.rs` | sources, counted items, cancelled futures, and an executor that polls only tasks that were woken |
//! | `setup.rs` | a source with its readers and drivers, and the items that have to come out |
//! | `subjects` | everything in core that waits, each in a setup; a file for each family |
//!
//! `tests/cancellation.rs` sweeps them by hand and `tests/suite` on each executor. Both add what
//! the adapters have.
#![allow(
    missing_docs,
    missing_debug_implementations,
    clippy::new_without_default,
    reason = "for tests"
)]

pub mod harness;
pub mod setup;
pub mod subjects;

/// What happens to the stream whose future was dropped.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Then {
    /// It is asked again.
    Continued,
    /// It is dropped.
    Dropped,
    /// It is kept, and never polled again.
    Kept,
}
