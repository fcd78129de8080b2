#![no_main]

use aiter_fuzz::run;
use aiter_tests::properties::{STEP, System};

// A sequence that ends in the middle of a step runs on a list of one item.
libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let system = match bytes.len() % STEP {
        0 => System::Bounded,
        _ => System::BoundedOne,
    };
    run(system, bytes);
});
