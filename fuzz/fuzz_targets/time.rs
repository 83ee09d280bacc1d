//! A time format and texts to read with it. `cargo +nightly fuzz run time`.

#![no_main]

#[expect(dead_code, reason = "each target calls one function")]
#[path = "../../tests/it/fuzz/targets.rs"]
mod targets;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| targets::time(bytes));
