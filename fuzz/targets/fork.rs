#![no_main]

use aiter_fuzz::run;
use aiter_tests::properties::{STEP, System};

// A sequence that ends in the middle of a step runs on forks with a bound.
libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let system = match bytes.len() % STEP {
        1 => System::BoundedFork,
        3 => System::SkippingFork,
        _ => System::Fork,
    };
    run(system, bytes);
});
