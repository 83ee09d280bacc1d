//! Any text as a job file: mistakes are reported, and nothing panics. `cargo +nightly fuzz run job`.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let folder = inputs();
    let path = folder.join("job.toml");
    if std::fs::write(&path, text).is_ok() {
        drop(barkeep::config::load(&path));
    }
});

/// One folder for all inputs of a process.
fn inputs() -> std::path::PathBuf {
    let folder = std::env::temp_dir().join(format!("barkeep-fuzz-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder for inputs");
    folder
}
