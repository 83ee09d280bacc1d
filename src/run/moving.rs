//! The mark of a run that moves rows: a file beside the reports, set before the first row leaves and taken away when the
//! report is there. One that stays is that of a run without a report.

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};

use super::failure::Failure;
use crate::config::Job;
use crate::durable::Disk;
use crate::report::ReportError;
use crate::report::run_id::RunId;

/// What the names of marks end with.
const ENDING: &str = ".moving";

/// The mark of a run that is about to move rows.
#[derive(Debug)]
pub(super) struct Mark(PathBuf);

impl Mark {
    /// Sets the mark of `run`, durably.
    ///
    /// # Errors
    /// It cannot be written: no row may leave then, for the report could not be written either.
    pub(super) fn set(job: &Job, run: &str) -> Result<Self, Failure> {
        let (disk, dir) = (Disk::system(), &job.report_dir.resolved);
        let path = dir.join(format!(".{}.{run}{ENDING}", job.name));
        let written = disk.make_folders(dir).and_then(|()| disk.write_whole(&path, b""));
        match written {
            Ok(()) => Ok(Self(path)),
            Err(source) => Err(ReportError::writing(dir, source).into()),
        }
    }

    /// Takes it away: no row left, or the report says which. One that stays is looked at by the next run.
    pub(super) fn take_away(self) {
        if let Err(error) = Disk::system().remove(&self.0) {
            tracing::info!(file = %self.0.display(), "stays behind: {error}");
        }
    }
}

/// The marks of `job` below `dir`, each with its run.
pub(super) fn marks(dir: &Path, job: &str) -> Result<Vec<(RunId, Mark)>, Failure> {
    let names = Disk::system().names(dir).map_err(|source: io::Error| ReportError::reading(dir, source))?;
    let run = |name: &str| {
        RunId::parse(name.strip_prefix('.')?.strip_prefix(job)?.strip_prefix('.')?.strip_suffix(ENDING)?).ok()
    };
    let of_job = |name: &OsString| Some((run(name.to_str()?)?, Mark(dir.join(name))));
    Ok(names.iter().filter_map(of_job).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_are_those_of_the_job_alone() {
        let dir = tempfile::tempdir().unwrap();
        let run = "20261120T010000Z-bbbb";
        for name in [
            format!(".a.{run}.moving"),
            format!(".a.b.{run}.moving"),
            format!(".a.{run}.moving.partial"),
            format!(".{run}.lock"),
            ".a.lock".to_owned(),
        ] {
            std::fs::write(dir.path().join(name), "").unwrap();
        }
        let of = |job| marks(dir.path(), job).unwrap().into_iter().map(|(run, _)| run.to_string()).collect::<Vec<_>>();
        assert_eq!((of("a"), of("a.b"), of("b")), (vec![run.to_owned()], vec![run.to_owned()], Vec::new()));
        assert!(marks(&dir.path().join("nowhere"), "a").unwrap().is_empty());
    }
}
