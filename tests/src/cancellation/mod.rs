//! What waits, and how it is swept: each future is dropped after its k-th poll, for every k until it completes.
//!
//! | file | what it knows |
//! |---|---|
//! | `bench.rs` | sources, counted items, cancelled futures; tasks that are polled when they were woken and not otherwise |
//! | `subjects.rs` | everything that waits, each with a source, peers, and what is to come out |
//!
//! `tests/cancellation.rs` sweeps them by hand, `tests/suite` on each executor.
#![allow(
    missing_docs,
    missing_debug_implementations,
    clippy::new_without_default,
    reason = "for tests"
)]

pub mod bench;
pub mod subjects;

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
