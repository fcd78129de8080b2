#![no_main]

use aiter_fuzz::run;
use aiter_tests::properties::{STEP, System};

// How much of a step is left over at the end of a sequence chooses the hub.
libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let system = match bytes.len() % STEP {
        0 => System::RetainingHub,
        1 => System::Hub,
        _ => System::LatestHub,
    };
    run(system, bytes);
});
