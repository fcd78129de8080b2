#![no_main]

use aiter_fuzz::run;
use aiter_tests::properties::{STEP, System};

// A sequence that ends in the middle of a step runs on a join with a limit.
libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let system = match bytes.len() % STEP {
        0 => System::Join,
        _ => System::LimitedJoin,
    };
    run(system, bytes);
});
