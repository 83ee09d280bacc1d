//! Parses, dispatches, and turns the outcome into an exit code; everything else is in the library.

use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    barkeep::cli::main()
}
