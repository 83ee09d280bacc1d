//! The runs there are: found by the names of their files, and of months that were compacted by what their file says.

use std::collections::BTreeMap;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use arrow::array::RecordBatch;

use super::error::ReportError;
use super::places;
use super::reading::again_where_one_goes;
use super::run_id::RunId;
use super::tables::{MONTH_FILE, Table};
use crate::text::utc::UtcMicros;

/// A run that exists: its row in `runs` does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct RunFile {
    /// The run.
    pub(super) run: RunId,
    /// Its job.
    pub(super) job: String,
    /// The file with its row, when it was listed: for messages.
    pub(super) path: PathBuf,
}

impl RunFile {
    /// Its row, with those of the columns `columns` that it has; `None` where its file has no row.
    ///
    /// # Errors
    /// The run went meanwhile, or its file cannot be read.
    pub(super) fn row(&self, dir: &Path, columns: &[&str]) -> Result<Option<RecordBatch>, ReportError> {
        places::row(dir, &self.job, &self.run, Some(columns))
    }
}

/// When the newest run below `dir` began, to the second; `None` where there is none.
///
/// # Errors
/// A folder cannot be listed.
pub fn newest(dir: &Path) -> Result<Option<UtcMicros>, ReportError> {
    Ok(all(dir)?.next().transpose()?.map(|file| file.run.started()))
}

/// Whether there is the run `run` of `job`.
///
/// # Errors
/// A folder cannot be looked at, or the file of its month not read.
pub fn has_run(dir: &Path, job: &str, run: &str) -> Result<bool, ReportError> {
    let Ok(run) = RunId::parse(run) else { return Ok(false) };
    has_rows(dir, Table::Runs, job, &run)
}

/// Whether the report of the run `run` of `job` is there, with what became of the rows it moved.
///
/// # Errors
/// A folder cannot be looked at, or the file of its month not read.
pub fn says_what_it_moved(dir: &Path, job: &str, run: &RunId) -> Result<bool, ReportError> {
    Ok(has_rows(dir, Table::Runs, job, run)? && has_rows(dir, Table::Actions, job, run)?)
}

fn has_rows(dir: &Path, table: Table, job: &str, run: &RunId) -> Result<bool, ReportError> {
    again_where_one_goes(|| {
        for place in places::of(dir, table, job, run)? {
            if !place.is_shared() || place.count().map_err(|source| ReportError::reading(place.path(), source))? > 0 {
                return Ok(true);
            }
        }
        Ok(false)
    })
}

/// The jobs that have a folder of runs, sorted.
pub(super) fn jobs(dir: &Path) -> Result<Vec<String>, ReportError> {
    let folders = entries(&dir.join(Table::Runs.name()))?;
    let mut jobs: Vec<String> =
        folders.iter().filter_map(|(name, _)| Some(name.strip_prefix("job=")?.to_owned())).collect();
    jobs.sort_unstable();
    Ok(jobs)
}

/// The runs of all jobs, newest first; none where `dir` does not exist.
pub(super) fn all(dir: &Path) -> Result<Runs, ReportError> {
    Runs::of(dir, &jobs(dir)?)
}

/// The runs of `job`, newest first.
pub(super) fn of_job(dir: &Path, job: &str) -> Result<Runs, ReportError> {
    Runs::of(dir, &[job.to_owned()])
}

/// Runs, newest first. A month is listed when it is come to, so that who wants the newest looks at the last one only.
#[derive(Debug)]
pub(super) struct Runs {
    /// Jobs with a folder each, by month; the newest month last.
    months: BTreeMap<String, Vec<(String, PathBuf)>>,
    /// Those of the month that was come to, the newest last.
    runs: Vec<RunFile>,
}

impl Runs {
    fn of(dir: &Path, jobs: &[String]) -> Result<Self, ReportError> {
        let mut months: BTreeMap<String, Vec<(String, PathBuf)>> = BTreeMap::new();
        for job in jobs {
            for (name, folder) in entries(&Table::Runs.of_job(dir, job))? {
                // An earlier version wrote to a folder a day.
                let day = name.strip_prefix("run_date=").and_then(|day| day.get(.."2026-11".len()));
                if let Some(month) = name.strip_prefix("month=").or(day) {
                    months.entry(month.to_owned()).or_default().push((job.clone(), folder));
                }
            }
        }
        Ok(Self { months, runs: Vec::new() })
    }
}

impl Iterator for Runs {
    type Item = Result<RunFile, ReportError>;

    fn next(&mut self) -> Option<Self::Item> {
        while self.runs.is_empty() {
            let (_, folders) = self.months.pop_last()?;
            for (job, folder) in folders {
                match in_folder(&job, &folder) {
                    Ok(runs) => self.runs.extend(runs),
                    Err(error) => return Some(Err(error)),
                }
            }
            self.runs.sort_by(|one, other| one.run.cmp(&other.run));
            // A month that was compacted while it was listed has a run in both places.
            self.runs.dedup_by(|one, other| (&one.run, &one.job) == (&other.run, &other.job));
        }
        self.runs.pop().map(Ok)
    }
}

/// The runs of `job` with a row in `folder`.
fn in_folder(job: &str, folder: &Path) -> Result<Vec<RunFile>, ReportError> {
    let mut runs = Vec::new();
    for (name, path) in entries(folder)? {
        let found = match name.as_str() {
            MONTH_FILE => places::runs_in(&path)?,
            name => name.strip_suffix(".parquet").and_then(|stem| RunId::parse(stem).ok()).into_iter().collect(),
        };
        runs.extend(found.into_iter().map(|run| RunFile { run, job: job.to_owned(), path: path.clone() }));
    }
    Ok(runs)
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
        let found: Vec<RunFile> = all(dir.path()).unwrap().map(Result::unwrap).collect();
        let found: Vec<(&str, &str)> = found.iter().map(|file| (file.job.as_str(), file.run.as_str())).collect();
        assert_eq!(found, [("a", ids[2]), ("b", ids[1]), ("a", ids[0])]);
        assert_eq!(of_job(dir.path(), "b").unwrap().count(), 1);
        assert_eq!(newest(dir.path()).unwrap().unwrap().to_string(), "2026-11-20T02:00:00Z");
    }

    #[test]
    fn what_is_no_run_is_passed_over() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("runs/job=a/month=2026-11");
        for name in [".20261120T010000Z-bbbb.parquet.partial", "notes.txt", "20261120T010000Z-b.parquet"] {
            touch(&folder.join(name));
        }
        assert!(all(dir.path()).unwrap().next().is_none());
        assert_eq!(newest(dir.path()).unwrap(), None);
        assert!(all(&dir.path().join("nowhere")).unwrap().next().is_none());
        assert!(all(&folder.join("notes.txt")).unwrap().next().is_none());
    }
}
