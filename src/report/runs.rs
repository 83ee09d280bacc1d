//! The runs there are, found by the names of their files; nothing is opened.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use super::error::ReportError;
use super::run_id::RunId;
use super::tables::Table;
use crate::text::utc::UtcMicros;

/// A run that exists: its row in `runs` does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct RunFile {
    /// The run.
    pub(super) run: RunId,
    /// Its job.
    pub(super) job: String,
    /// The file with its row.
    pub(super) path: PathBuf,
}

/// When the newest run below `dir` began, to the second; `None` where there is none. Told by the names of files.
///
/// # Errors
/// A folder cannot be listed.
pub fn newest(dir: &Path) -> Result<Option<UtcMicros>, ReportError> {
    Ok(all(dir)?.first().map(|file| file.run.started()))
}

/// Whether there is the run `run` of `job`.
///
/// # Errors
/// A folder cannot be listed.
pub fn has_run(dir: &Path, job: &str, run: &str) -> Result<bool, ReportError> {
    Ok(of_job(dir, job)?.iter().any(|file| file.run.as_str() == run))
}

/// Whether the report of the run `run` of `job` is there, with what became of the rows it moved.
///
/// # Errors
/// A folder cannot be looked at.
pub fn says_what_it_moved(dir: &Path, job: &str, run: &RunId) -> Result<bool, ReportError> {
    let there = |table: Table| {
        let file = table.file(dir, job, run);
        file.try_exists().map_err(|source| ReportError::reading(&file, source))
    };
    Ok(there(Table::Runs)? && there(Table::Actions)?)
}

/// The runs of all jobs, newest first; none where `dir` does not exist.
pub(super) fn all(dir: &Path) -> Result<Vec<RunFile>, ReportError> {
    let mut runs = Vec::new();
    for (name, _) in entries(&dir.join(Table::Runs.name()))? {
        if let Some(job) = name.strip_prefix("job=") {
            runs.extend(of_job(dir, job)?);
        }
    }
    runs.sort_by(|a, b| b.run.cmp(&a.run));
    Ok(runs)
}

/// The runs of `job`, newest first.
pub(super) fn of_job(dir: &Path, job: &str) -> Result<Vec<RunFile>, ReportError> {
    let folder = dir.join(Table::Runs.name()).join(format!("job={job}"));
    let mut runs = Vec::new();
    for (date, folder) in entries(&folder)? {
        if date.starts_with("run_date=") {
            for (name, path) in entries(&folder)? {
                let run = name.strip_suffix(".parquet").and_then(|stem| RunId::parse(stem).ok());
                runs.extend(run.map(|run| RunFile { run, job: job.to_owned(), path }));
            }
        }
    }
    runs.sort_by(|a, b| b.run.cmp(&a.run));
    Ok(runs)
}

/// How often runs are listed and read again where one went meanwhile.
const TRIES: usize = 5;

/// Reads runs: again where a file that was listed is not there any more, for the run it is of was removed meanwhile.
pub(super) fn again_where_one_goes<T>(read: impl Fn() -> Result<T, ReportError>) -> Result<T, ReportError> {
    for _ in 1..TRIES {
        match read() {
            Err(error) if error.is_of_a_file_that_went() => {}
            read => return read,
        }
    }
    read()
}

/// The parts of `findings` of a run, in order.
pub(super) fn parts(dir: &Path, run: &RunFile) -> Result<Vec<PathBuf>, ReportError> {
    let folder = Table::Findings.folder(dir, &run.job, &run.run);
    let prefix = format!("{}-", run.run);
    let ours = |name: &str| name.strip_prefix(&prefix).and_then(|rest| rest.strip_suffix(".parquet")).is_some();
    let mut parts: Vec<PathBuf> =
        entries(&folder)?.into_iter().filter(|(name, _)| ours(name)).map(|(_, path)| path).collect();
    parts.sort();
    Ok(parts)
}

/// Names and paths in `folder`; none where there is no such folder. Names that are not UTF-8 are not ours.
pub(super) fn entries(folder: &Path) -> Result<Vec<(String, PathBuf)>, ReportError> {
    let entries = match fs::read_dir(folder) {
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => return Ok(Vec::new()),
        entries => entries.map_err(|source| ReportError::reading(folder, source))?,
    };
    let mut found = Vec::new();
    for entry in entries {
        let entry = entry.map_err(|source| ReportError::reading(folder, source))?;
        if let Ok(name) = entry.file_name().into_string() {
            found.push((name, entry.path()));
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn touch(path: &Path) {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, "").unwrap();
    }

    #[test]
    fn runs_are_newest_first_over_jobs_and_dates() {
        let dir = tempfile::tempdir().unwrap();
        let ids = ["20261119T230000Z-aaaa", "20261120T010000Z-bbbb", "20261120T020000Z-cccc"];
        let runs = ids.map(|id| RunId::parse(id).unwrap());
        for (job, run) in [("a", &runs[0]), ("b", &runs[1]), ("a", &runs[2])] {
            touch(&Table::Runs.file(dir.path(), job, run));
        }
        let found = all(dir.path()).unwrap();
        let found: Vec<(&str, &str)> = found.iter().map(|file| (file.job.as_str(), file.run.as_str())).collect();
        assert_eq!(found, [("a", ids[2]), ("b", ids[1]), ("a", ids[0])]);
        assert_eq!(of_job(dir.path(), "b").unwrap().len(), 1);
        assert_eq!(newest(dir.path()).unwrap().unwrap().to_string(), "2026-11-20T02:00:00Z");
    }

    #[test]
    fn what_is_no_run_is_passed_over() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("runs/job=a/run_date=2026-11-20");
        for name in [".20261120T010000Z-bbbb.parquet.partial", "notes.txt", "20261120T010000Z-b.parquet"] {
            touch(&folder.join(name));
        }
        assert_eq!(all(dir.path()).unwrap(), []);
        assert_eq!(newest(dir.path()).unwrap(), None);
        assert_eq!(all(&dir.path().join("nowhere")).unwrap(), []);
        assert_eq!(all(&folder.join("notes.txt")).unwrap(), []);
    }

    #[test]
    fn runs_are_read_again_where_one_goes_meanwhile() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("gone.parquet");
        let tries = std::cell::Cell::new(0);
        let read = |goes: usize| {
            tries.set(0);
            again_where_one_goes(|| {
                tries.set(tries.get() + 1);
                if tries.get() > goes { Ok(tries.get()) } else { Err(ReportError::reading(&path, "it went")) }
            })
        };
        assert_eq!((read(0).unwrap(), read(2).unwrap()), (1, 3));
        assert!(read(99).is_err());
        // What is there and cannot be read stays so.
        touch(&path);
        assert!(read(2).is_err());
        assert_eq!(tries.get(), 1);
    }

    #[test]
    fn parts_of_a_run_are_in_order_and_of_no_other_run() {
        let dir = tempfile::tempdir().unwrap();
        let [run, other] = ["20261120T010000Z-bbbb", "20261120T020000Z-cccc"].map(|id| RunId::parse(id).unwrap());
        for part in [2, 0, 1] {
            touch(&Table::Findings.part(dir.path(), "a", &run, part));
        }
        touch(&Table::Findings.part(dir.path(), "a", &other, 0));
        let file = RunFile { run: run.clone(), job: "a".to_owned(), path: PathBuf::new() };
        let expected: Vec<PathBuf> = (0..3).map(|part| Table::Findings.part(dir.path(), "a", &run, part)).collect();
        assert_eq!(parts(dir.path(), &file).unwrap(), expected);
    }
}
