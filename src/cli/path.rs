//! Paths on the command line. A shell leaves `~` alone inside quotes, where patterns have to stand.

use std::path::PathBuf;

use clap::builder::{PathBufValueParser, TypedValueParser};

use crate::durable::paths;

/// Reads a path as job files do: `~` is the folder of the user, and `file://` begins an address of a file.
pub(super) fn parser() -> impl TypedValueParser<Value = PathBuf> {
    PathBufValueParser::new().map(|path| paths::meant(&path))
}
