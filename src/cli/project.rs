//! The files of a project, and how they are written: what is there already is never overwritten.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use crate::config::schema;
use crate::run::Failure;
use crate::suggest::sets::{OHLCV, SETS};

/// Says editors (the TOML language server taplo) which schema a file has.
const TAPLO: &str = r#"[[rule]]
include = ["jobs/*.toml"]
[rule.schema]
path = "./schema/job.schema.json"

[[rule]]
include = ["rules/*.toml"]
[rule.schema]
path = "./schema/rules.schema.json"
"#;

/// What every project has.
pub(super) fn shared() -> Vec<(&'static str, String)> {
    let sets = SETS.iter().map(|(name, text)| (*name, (*text).to_owned()));
    let mut files = vec![(OHLCV.0, OHLCV.1.to_owned())];
    files.extend(sets);
    files.extend([
        ("schema/job.schema.json", format!("{:#}", schema::job_schema())),
        ("schema/rules.schema.json", format!("{:#}", schema::rules_schema())),
        (".taplo.toml", TAPLO.to_owned()),
    ]);
    files
}

/// Writes `files` below `root`, all of them or none; gives their paths.
///
/// # Errors
/// One cannot be written: those before it are taken away again.
pub(super) fn write_all(root: &Path, files: &[(PathBuf, String)]) -> Result<Vec<PathBuf>, Failure> {
    let mut written: Vec<PathBuf> = Vec::new();
    for (name, text) in files {
        let path = root.join(name);
        if let Err(failure) = write(&path, text) {
            // Half a project is none: what was written goes, what was there stays.
            for path in &written {
                drop(fs::remove_file(path));
            }
            return Err(failure);
        }
        written.push(path);
    }
    Ok(written)
}

/// That files are there which would be written.
pub(super) fn there_already(paths: &[PathBuf]) -> Failure {
    let there: Vec<String> = paths.iter().map(|path| format!("`{}`", path.display())).collect();
    let message = format!("these files are there already: {}", there.join(", "));
    Failure::Usage(message, "choose an empty folder, or move them away; nothing was written".into())
}

/// Writes a new file; one that came up meanwhile is left alone.
pub(super) fn write(path: &Path, text: &str) -> Result<(), Failure> {
    let refused = |error: std::io::Error| {
        let message = format!("cannot write `{}`: {error}", path.display());
        Failure::Broken(message.into())
    };
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(refused)?;
    }
    let mut file = fs::OpenOptions::new().write(true).create_new(true).open(path).map_err(refused)?;
    file.write_all(text.as_bytes()).map_err(|error| {
        // The failure to write is the one to report.
        drop(fs::remove_file(path));
        refused(error)
    })
}
