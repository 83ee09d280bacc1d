//! Text as it is typed in a shell.

use std::path::Path;

/// A path as it is typed in a shell: between quotes where it would not be one word.
pub(crate) fn typed(path: &Path) -> String {
    let path = path.display().to_string();
    let plain = |c: char| c.is_alphanumeric() || "/._-+,:@%=".contains(c);
    if !path.is_empty() && path.chars().all(plain) { path } else { format!("'{}'", path.replace('\'', "'\\''")) }
}
