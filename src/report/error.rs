//! Why a report could not be written or read, and what a person can do about it.

use std::error::Error;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use super::tables::SCHEMA_VERSION;
use crate::source::SourceError;
use crate::text::numbers::counted;
use arrow::error::ArrowError;
use parquet::errors::ParquetError;

/// Why a report could not be written or read.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// The folder of the reports does not take files.
    #[error("cannot write reports into `{folder}`: {remedy}")]
    Write {
        /// The folder.
        folder: PathBuf,
        /// What is wrong with it as far as known, and what to do.
        remedy: &'static str,
        /// What the system says.
        #[source]
        source: io::Error,
    },
    /// The report is there, and a power failure may take it back.
    #[error(
        "the report is written and can be read, but `{folder}` could not be synced: a power failure now may take it back; \
         check the disk, then run the command again"
    )]
    NotDurable {
        /// The folder.
        folder: PathBuf,
        /// What the system says.
        #[source]
        source: io::Error,
    },
    /// A page cannot be written.
    #[error("cannot write the page `{target}`: {remedy}; name another file with `-o FILE`")]
    Page {
        /// The file.
        target: PathBuf,
        /// What is wrong, as far as known.
        remedy: &'static str,
        /// What the system says.
        #[source]
        source: io::Error,
    },
    /// A page cannot be put together. A fault of barkeep, not of the data.
    #[error("bug in barkeep: the page cannot be put together: {0}")]
    Template(String),
    /// Rows cannot be encoded as Parquet.
    #[error("cannot encode `{file}`")]
    Encode {
        /// The file that was being written.
        file: PathBuf,
        /// What the writer says.
        #[source]
        source: ParquetError,
    },
    /// A file or folder of an earlier run cannot be read.
    #[error("cannot read `{path}`; move it away and later runs go on without it")]
    Read {
        /// The file or folder.
        path: PathBuf,
        /// Why.
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },
    /// Rows do not add up. A fault of barkeep, not of the data.
    #[error("bug in barkeep: {0}; the run is void; please report this with the job and the command")]
    Conservation(String),
    /// The operator's output is not what this module was written for. A fault of barkeep, not of the data.
    #[error("bug in barkeep: the records of the rules are not readable: {0}")]
    Records(String),
    /// A kernel failed over the operator's output.
    #[error("cannot put the findings into columns")]
    Columns(#[from] ArrowError),
    /// The copy of the source is gone or damaged before the report says where its rows stand.
    #[error("cannot look up where the rows stand")]
    Positions(#[from] SourceError),
    /// There is no run to be shown.
    #[error("no run in `{dir}` yet; `barkeep check JOB` or `barkeep run JOB` makes one")]
    NoRuns {
        /// The folder of the reports.
        dir: PathBuf,
    },
    /// A run that broke off has a row in `runs` and no summary.
    #[error(
        "run `{run}` broke off and has no summary; `barkeep sql \"SELECT error FROM runs WHERE run_id = '{run}'\"` says why"
    )]
    NoSummary {
        /// The run.
        run: String,
    },
    /// A job that a person names has no run.
    #[error("no run of job `{job}`; jobs with runs: {}", jobs.join(", "))]
    NoRunsOf {
        /// The job.
        job: String,
        /// Those that have runs.
        jobs: Vec<String>,
    },
    /// A later version wrote the run, and its columns mean something else.
    #[error(
        "run `{run}` was written by barkeep {version}, with tables of version {schema}; this barkeep reads version {SCHEMA_VERSION}: \
         take barkeep {version} or a later one"
    )]
    Newer {
        /// The run.
        run: String,
        /// The barkeep that wrote it.
        version: String,
        /// The version of its tables.
        schema: u32,
    },
    /// `latest~N` reaches behind the first run.
    #[error("`{asked}` reaches back too far: there {} {}", if *runs == 1 { "is" } else { "are" }, counted(*runs as u64, "run"))]
    TooFewRuns {
        /// What was asked for.
        asked: String,
        /// Runs there are.
        runs: usize,
    },
    /// A prefix stands for more than one run.
    #[error("`{asked}` is the beginning of {count} runs; write more of one of them: {}", candidates.join(", "))]
    AmbiguousRun {
        /// What was asked for.
        asked: String,
        /// How many there are.
        count: usize,
        /// The newest of them.
        candidates: Vec<String>,
    },
    /// No run is called so.
    #[error("there is no run `{asked}`; {hint}")]
    UnknownRun {
        /// What was asked for.
        asked: String,
        /// The nearest id, or what to do.
        hint: String,
    },
}

impl ReportError {
    /// Whether a person named a run that does not exist, or more than one: the call is wrong, not the report.
    pub fn is_about_a_name(&self) -> bool {
        matches!(
            self,
            Self::NoRuns { .. }
                | Self::NoRunsOf { .. }
                | Self::TooFewRuns { .. }
                | Self::AmbiguousRun { .. }
                | Self::UnknownRun { .. }
        )
    }

    /// Whether a file could not be read that is not there any more: its run was removed.
    pub(super) fn is_of_a_file_that_went(&self) -> bool {
        matches!(self, Self::Read { path, .. } if matches!(path.try_exists(), Ok(false)))
    }

    /// A failure to write below `folder`.
    pub fn writing(folder: &Path, source: io::Error) -> Self {
        Self::Write { folder: folder.to_path_buf(), remedy: remedy(source.kind()), source }
    }

    /// A failure to write the page `target`.
    pub fn page(target: &Path, source: io::Error) -> Self {
        let remedy = match source.kind() {
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::FileTooLarge => "the disk is full",
            ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => "this user may not write there",
            ErrorKind::NotADirectory | ErrorKind::AlreadyExists | ErrorKind::IsADirectory => {
                "something else has that name"
            }
            _ => "look at the disk below it",
        };
        Self::Page { target: target.to_path_buf(), remedy, source }
    }

    /// A failure of the Parquet writer of `file`; what the disk says is reported from what the encoder says.
    pub(super) fn encoding(file: &Path, source: ParquetError) -> Self {
        let source = match source {
            ParquetError::External(inner) => match inner.downcast::<io::Error>() {
                Ok(io) => return Self::writing(file.parent().unwrap_or(file), *io),
                Err(inner) => ParquetError::External(inner),
            },
            source => source,
        };
        Self::Encode { file: file.to_path_buf(), source }
    }

    /// A summary that has no JSON.
    pub(super) fn json(path: &Path, source: serde_json::Error) -> Self {
        Self::writing(path.parent().unwrap_or(path), io::Error::from(source))
    }

    /// A failure to read `path`.
    pub fn reading(path: &Path, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::Read { path: path.to_path_buf(), source: source.into() }
    }
}

fn remedy(kind: ErrorKind) -> &'static str {
    match kind {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::FileTooLarge => {
            "the disk is full; free space there, or set `[report] dir` to a folder on another disk"
        }
        ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => {
            "this user may not write there; grant it the right, or set `[report] dir` to a folder it may write to"
        }
        ErrorKind::NotADirectory | ErrorKind::AlreadyExists | ErrorKind::IsADirectory => {
            "something else has that name; move it away, or set `[report] dir` to another folder"
        }
        _ => "look at the disk below it, or set `[report] dir` to another folder",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_below_the_parquet_writer_is_reported_as_one() {
        let full = ParquetError::from(io::Error::from(ErrorKind::StorageFull));
        let error = ReportError::encoding(Path::new("out/findings/x.parquet"), full);
        let text = error.to_string();
        assert!(text.contains("`out/findings`") && text.contains("the disk is full"), "{text}");
    }

    #[test]
    fn a_fault_of_the_encoder_stays_one() {
        let error = ReportError::encoding(Path::new("out/x.parquet"), ParquetError::General("odd".to_owned()));
        assert!(matches!(error, ReportError::Encode { .. }), "{error}");
    }

    #[test]
    fn every_kind_of_failure_says_what_to_do() {
        for kind in [ErrorKind::StorageFull, ErrorKind::PermissionDenied, ErrorKind::NotADirectory, ErrorKind::Other] {
            let text = ReportError::writing(Path::new("out"), io::Error::from(kind)).to_string();
            assert!(text.contains("`out`") && text.contains("`[report] dir`"), "{text}");
        }
    }
}
