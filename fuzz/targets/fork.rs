#![no_main]

use aiter_fuzz::run;
use aiter_tests::properties::System;

// Sequences of an odd length are for forks with a bound.
libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let system = match bytes.len() % 2 {
        0 => System::Fork,
        _ => System::BoundedFork,
    };
    run(system, bytes);
});
