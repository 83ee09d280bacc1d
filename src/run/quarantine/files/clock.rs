//! Whether the clock of this machine can be right, before rows are erased because they are old.

use std::path::Path;

use super::of_job::{FilesOfJob, failed};
use crate::quarantine::files;
use crate::run::failure::Failure;
use crate::text::utc::UtcMicros;

/// How long nothing may have happened before the clock is doubted, µs.
const LONG: i64 = 30 * 86_400_000_000;

/// When the newest file in a folder was last written, µs UTC; hidden files do not count.
fn newest_in(folder: &Path) -> Option<i64> {
    let written = |entry: std::fs::DirEntry| {
        let hidden = entry.file_name().as_encoded_bytes().starts_with(b".");
        let modified = entry.metadata().ok()?.modified().ok()?;
        let since = modified.duration_since(std::time::UNIX_EPOCH).ok()?;
        (!hidden).then(|| i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
    };
    std::fs::read_dir(folder).ok()?.flatten().filter_map(written).max()
}

/// Why the clock of this machine may be wrong: it lies before the newest record of a removal, or long after anything
/// that happened.
pub(super) fn doubt(of_job: &FilesOfJob) -> Result<Option<String>, Failure> {
    let (newest, sources) = files::newest(of_job.place()).map_err(failed)?;
    let now = UtcMicros(of_job.clock.micros());
    if let Some(newest) = newest.filter(|newest| *newest > now.0) {
        return Ok(Some(format!("the clock says {now}, and rows were moved at {} already", UtcMicros(newest))));
    }
    let mut folders: Vec<&Path> = sources.iter().filter_map(|source| source.parent()).collect();
    folders.dedup();
    let in_folders = folders.into_iter().filter_map(newest_in);
    let reports = newest_in(&of_job.loaded.job.report_dir.resolved.join("runs"));
    let last = in_folders.chain(newest).chain(reports).max();
    Ok(last.filter(|last| now.0 - last > LONG).map(|last| {
        format!("the clock says {now}, and nothing happened to the files or the reports since {}", UtcMicros(last))
    }))
}
