//! Fuzzes the systems that `aiter_tests::properties` has models for: there is one target for each,
//! whose input is a sequence of steps.
//!
//! Environment variables:
//!
//! - `AITER_FUZZ_SHOW`: prints the steps before they run.
//! - `AITER_FUZZ_PLANTED`: plants a bug, which the target has to find.

use aiter_tests::properties::{Planted, Steps, System};
use std::{env, sync::LazyLock};

static SHOW: LazyLock<bool> = LazyLock::new(|| env::var_os("AITER_FUZZ_SHOW").is_some());

static PLANTED: LazyLock<Planted> = LazyLock::new(|| match env::var_os("AITER_FUZZ_PLANTED") {
    Some(_) => Planted::LostWake,
    None => Planted::Nothing,
});

/// Runs the steps that `bytes` stand for.
pub fn run(system: System, bytes: &[u8]) {
    let steps = Steps::new(system, bytes);
    if *SHOW {
        eprintln!("{steps:?}");
    }
    steps.run(*PLANTED);
}
