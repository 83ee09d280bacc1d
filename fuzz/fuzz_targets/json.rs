//! A JSON document. `cargo +nightly fuzz run json`.

#![no_main]

#[expect(dead_code, reason = "each target calls one function")]
#[path = "../../tests/it/fuzz/targets.rs"]
mod targets;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| targets::json(bytes));
