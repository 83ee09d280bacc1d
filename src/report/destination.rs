//! Where the files of one run go, and what every one of them carries: its writer's settings and who wrote it.

use std::path::{Path, PathBuf};

use parquet::basic::{Compression, ZstdLevel};
use parquet::file::metadata::KeyValue;
use parquet::file::properties::{EnabledStatistics, WriterProperties, WriterPropertiesBuilder};

use super::run::RunMeta;
use super::run_id::RunId;
use super::tables::{self, SCHEMA_VERSION, Table};

/// Most rows in a row group.
const ROW_GROUP: usize = 200_000;

const ZSTD_LEVEL: i32 = 3;

/// The version of barkeep that writes.
pub(super) const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Key that says whether a run looked at all rules and series; [`WHOLE`] or something else.
pub(super) const SCOPE_KEY: &str = "barkeep.scope";
/// See [`SCOPE_KEY`].
pub(super) const WHOLE: &str = "whole";

/// The files of one run.
#[derive(Debug, Clone)]
pub(super) struct Destination {
    /// The folder of the reports.
    dir: PathBuf,
    /// The job.
    pub(super) job: String,
    /// The run.
    pub(super) run: RunId,
    job_sha256: String,
    rules_sha256: String,
    whole: bool,
}

impl Destination {
    /// The files of `run`, a run of `job`, below `dir`; `whole` where it looks at all rules and series.
    pub(super) fn new(dir: &Path, job: &str, run: &RunMeta, whole: bool) -> Self {
        Self {
            dir: dir.to_path_buf(),
            job: job.to_owned(),
            run: run.run_id.clone(),
            job_sha256: run.job_sha256.clone(),
            rules_sha256: run.rules_sha256.clone(),
            whole,
        }
    }

    /// The only file of `table`.
    pub(super) fn file(&self, table: Table) -> PathBuf {
        table.file(&self.dir, &self.job, &self.run)
    }

    /// File number `part` of `table`.
    pub(super) fn part(&self, table: Table, part: usize) -> PathBuf {
        table.part(&self.dir, &self.job, &self.run, part)
    }

    /// The summary.
    pub(super) fn summary(&self) -> PathBuf {
        tables::summary(&self.dir, self.run.as_str())
    }

    /// How every table is written.
    pub(super) fn properties(&self) -> WriterPropertiesBuilder {
        let pair = |key: &str, value: &str| KeyValue::new(format!("barkeep.{key}"), value.to_owned());
        WriterProperties::builder()
            .set_compression(Compression::ZSTD(ZstdLevel::try_new(ZSTD_LEVEL).unwrap_or_default()))
            .set_statistics_enabled(EnabledStatistics::Page)
            .set_max_row_group_row_count(Some(ROW_GROUP))
            .set_created_by(format!("barkeep {VERSION}"))
            .set_key_value_metadata(Some(vec![
                pair("schema_version", &SCHEMA_VERSION.to_string()),
                pair("version", VERSION),
                pair("run_id", self.run.as_str()),
                pair("job", &self.job),
                pair("job_sha256", &self.job_sha256),
                pair("rules_sha256", &self.rules_sha256),
                KeyValue::new(SCOPE_KEY.to_owned(), if self.whole { WHOLE.to_owned() } else { "part".to_owned() }),
            ]))
    }
}
