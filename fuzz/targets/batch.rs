#![no_main]

use aiter_fuzz::run;
use aiter_tests::properties::{STEP, System};

// A sequence that ends in the middle of a step runs on batches that do not wait.
libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let system = match bytes.len() % STEP {
        1 => System::Batch,
        _ => System::BatchWithin,
    };
    run(system, bytes);
});
