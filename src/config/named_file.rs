//! Files that a job names: their bytes, or a mistake of the job at the place where it names them.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use super::document;
use crate::schema::diagnostic::{Diagnostic, SourceText, nearest};

/// Reads a text that the job names; a failure is a mistake of the job, at `span`.
pub(super) fn read_text(
    job: &Arc<SourceText>,
    span: &Range<usize>,
    written: &str,
    resolved: &Path,
) -> Result<String, Box<Diagnostic>> {
    let bytes = read_bytes(job, span, written, resolved)?;
    document::decode(bytes).map_err(|problem| {
        let title = format!("`{written}` is {problem}");
        Box::new(Diagnostic::new("unreadable-file", title, job, span.clone()))
    })
}

/// Reads a file that the job names; a failure is a mistake of the job, at `span`.
pub(super) fn read_bytes(
    job: &Arc<SourceText>,
    span: &Range<usize>,
    written: &str,
    resolved: &Path,
) -> Result<Vec<u8>, Box<Diagnostic>> {
    let mistake = |title: String| Diagnostic::new("unreadable-file", title, job, span.clone());
    fs::read(resolved).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => {
            let missing = mistake(format!("there is no file `{written}`")).label("not found");
            Box::new(missing.help(look_around(written, resolved)))
        }
        io::ErrorKind::IsADirectory => {
            Box::new(mistake(format!("`{written}` is a folder")).help("name the files in it, each by itself"))
        }
        io::ErrorKind::PermissionDenied => {
            let denied = mistake(format!("no permission to read `{written}`"));
            Box::new(denied.help("give the user that runs this read access"))
        }
        _ => Box::new(mistake(format!("cannot read `{written}`: {error}"))),
    })
}

/// What to do about a file that is not there: the nearest name of its kind in its folder, else where it was
/// looked for.
fn look_around(written: &str, resolved: &Path) -> String {
    let folder = resolved.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let stem = |path: &Path| Some(path.file_stem()?.to_str()?.to_owned());
    let paths = fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    let stems: Vec<_> =
        paths.filter(|path| path.extension() == resolved.extension()).filter_map(|path| stem(&path)).collect();
    let near = stem(resolved).and_then(|name| nearest(&name, stems.iter().map(String::as_str)).map(str::to_owned));
    let Some(near) = near else {
        return format!("looked for `{}`; paths start at the folder of the job file", resolved.display());
    };
    let mut name = OsString::from(near);
    if let Some(extension) = resolved.extension() {
        name.push(".");
        name.push(extension);
    }
    format!("did you mean `{}`?", Path::new(written).with_file_name(name).display())
}
