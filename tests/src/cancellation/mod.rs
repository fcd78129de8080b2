//! What waits, and how it is swept: each future is dropped after its k-th poll, for every k until it completes.
//!
//! | file | what it knows |
//! |---|---|
//! | `bench.rs` | sources, counted items, cancelled futures; tasks that are polled when they were woken and not otherwise |
//! | `world.rs` | a source, who reads it and who drives, and what is to come out |
//! | `subjects.rs` | everything of core that waits, each in a world |
//!
//! `tests/cancellation.rs` sweeps them by hand, `tests/suite` on each executor; both add what adapters have.
#![allow(
    missing_docs,
    missing_debug_implementations,
    clippy::new_without_default,
    reason = "for tests"
)]

pub mod bench;
pub mod subjects;
pub mod world;

/// What becomes of the one whose future was dropped.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Then {
    /// It asks again.
    GoesOn,
    /// It is dropped.
    Goes,
    /// It is kept, and never polled again.
    Stays,
}
