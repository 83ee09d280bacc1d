//! One JSON object a line. `cargo +nightly fuzz run ndjson`.

#![no_main]

#[expect(dead_code, reason = "each target calls one function")]
#[path = "../../tests/it/fuzz/targets.rs"]
mod targets;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| targets::ndjson(bytes));
