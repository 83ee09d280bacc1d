use std::path::{Path, PathBuf};

use percent_encoding::percent_decode_str;

use crate::durable::paths;

/// A path in a job file. Relative ones start at the folder of the job file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobPath {
    /// As written.
    pub written: String,
    /// Joined to the folder of the job file, which itself is as the user gave it, without detours.
    pub resolved: PathBuf,
}

impl JobPath {
    /// The path `written` in the job file `job`.
    pub fn new(job: &Path, written: impl Into<String>) -> Self {
        let written = written.into();
        let home = std::env::var_os("HOME").filter(|home| !home.is_empty()).map(PathBuf::from);
        let meant = meant(&written, home.as_deref());
        let resolved = paths::tidy(&job.parent().unwrap_or(Path::new("")).join(meant));
        Self { written, resolved }
    }
}

/// The path that is meant by `~`, the folder `home`, and by a `file://` address.
fn meant(written: &str, home: Option<&Path>) -> PathBuf {
    if let Some(address) = written.strip_prefix("file://") {
        let path = address.strip_prefix("localhost").filter(|path| path.starts_with('/')).unwrap_or(address);
        return PathBuf::from(percent_decode_str(path).decode_utf8().unwrap_or_else(|_| path.into()).into_owned());
    }
    match (written.strip_prefix('~'), home) {
        (Some(""), Some(home)) => home.to_path_buf(),
        (Some(rest), Some(home)) if rest.starts_with('/') => home.join(rest.trim_start_matches('/')),
        _ => PathBuf::from(written),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn home_and_addresses_of_files_are_understood() {
        let home = Some(Path::new("/home/me"));
        for (written, path) in [
            ("~/bars.csv", "/home/me/bars.csv"),
            ("~", "/home/me"),
            ("~other/bars.csv", "~other/bars.csv"),
            ("a/~/bars.csv", "a/~/bars.csv"),
            ("file:///data/a%20b.csv", "/data/a b.csv"),
            ("file://localhost/data/*.csv", "/data/*.csv"),
            ("file:///data/100%.csv", "/data/100%.csv"),
        ] {
            assert_eq!(meant(written, home), Path::new(path), "{written}");
        }
        assert_eq!(meant("~/bars.csv", None), Path::new("~/bars.csv"));
    }
}
