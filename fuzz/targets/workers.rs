#![no_main]

use aiter_fuzz::run;
use aiter_tests::properties::System;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| run(System::WorkersBy, bytes));
