#![no_main]

use aiter_fuzz::run;
use aiter_tests::properties::{STEP, System};

// The length selects how far ahead the source is pulled.
libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let systems = [
        System::Watermarks,
        System::Preload,
        System::PreloadOne,
        System::Active,
    ];
    run(systems[bytes.len() % STEP], bytes);
});
