//! A CSV file in any layout. `cargo +nightly fuzz run csv`.

#![no_main]

#[expect(dead_code, reason = "each target calls one function")]
#[path = "../../tests/it/fuzz/targets.rs"]
mod targets;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| targets::csv(bytes));
