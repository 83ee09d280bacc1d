//! The files of a job: whether rows can leave them, and what is kept of those that were replaced.

use std::collections::BTreeSet;
use std::path::Path;

use crate::quarantine::files;
use crate::run::examination::Examination;
use crate::run::failure::Failure;
use crate::run::quarantine::files::{FilesOfJob, failed};
use crate::source::FilesSet;
use crate::text::numbers::counted;

/// Reports on the files.
pub(super) fn files(of_job: &FilesOfJob, set: &FilesSet, lines: &mut Examination<'_>) -> Result<(), Failure> {
    let bytes: u64 = set.on_disk().iter().filter_map(|path| std::fs::metadata(path).ok()).map(|at| at.len()).sum();
    lines.ok("source", &format!("{}, {} MiB", counted(set.files.len() as u64, "file"), bytes >> 20))?;
    for folder in set.on_disk().iter().filter_map(|path| path.parent()).collect::<BTreeSet<_>>() {
        let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
        if let Err(error) = tempfile::tempfile_in(folder) {
            let detail = format!("`{}` cannot be written, so no row can leave its files: {error}", folder.display());
            lines.warn("source", &detail)?;
        }
    }
    if let Some(reason) = set.check_only() {
        lines.warn("source", &format!("no row can leave: {reason}"))?;
    }
    for path in set.on_disk() {
        let obstacle = files::obstacle(of_job.place().disk, path, of_job.writers()).map_err(failed)?;
        if let Some(obstacle) = obstacle {
            lines.warn("source", &format!("no row can leave: {obstacle}"))?;
        }
    }
    originals(of_job, lines)
}

/// Reports on whole files that were replaced: how much disk they take, and what loaders wrote to them since.
fn originals(of_job: &FilesOfJob, lines: &mut Examination<'_>) -> Result<(), Failure> {
    let place = of_job.place();
    let kept = files::kept_originals(place).map_err(failed)?;
    if kept.files > 0 {
        let detail = format!("{} whole files are kept that were replaced, {} MiB", kept.files, kept.bytes >> 20);
        let free = rustix::fs::statvfs(place.dir).map(|at| at.f_bavail.saturating_mul(at.f_frsize));
        match free {
            Ok(free) if kept.bytes > free / 2 => lines.warn(
                "originals",
                &format!("{detail}, and {} MiB are free; shorten `[quarantine] keep_originals` and purge", free >> 20),
            )?,
            _ => lines.ok("originals", &detail)?,
        }
    }
    match of_job.late().map_err(failed)? {
        None => Ok(()),
        Some(failure) => lines.fail("originals", failure.render(false).trim_start_matches("error: ")),
    }
}
