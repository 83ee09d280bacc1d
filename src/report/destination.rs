//! Where the files of one run go, and what every one of them carries: its writer's settings and who wrote it.

use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use parquet::basic::{Compression, ZstdLevel};
use parquet::file::metadata::KeyValue;
use parquet::file::properties::{EnabledStatistics, WriterProperties, WriterPropertiesBuilder};

use super::error::ReportError;
use super::keys::{JOB_FILE_KEY, SCHEMA_VERSION_KEY, SCOPE_KEY, VERSION_KEY, scope};
use super::run::RunMeta;
use super::run_id::RunId;
use super::sweep::{self, claim_of};
use super::tables::{self, SCHEMA_VERSION, Table};
use crate::durable::{Claim, Disk, Growing, folder_of};

/// Most rows in a row group.
const ROW_GROUP: usize = 200_000;

const ZSTD_LEVEL: i32 = 3;

/// Permission bits of a new file.
const OWNER_ONLY: u32 = 0o600;

/// The version of barkeep that writes.
pub(super) const VERSION: &str = env!("CARGO_PKG_VERSION");

/// The files of one run.
#[derive(Debug)]
pub(super) struct Destination {
    disk: Disk,
    /// Tells other runs, once there is something of this one, that it lives.
    claim: Mutex<Option<Claim>>,
    /// Who may use the files.
    mode: u32,
    /// The folder of the reports.
    dir: PathBuf,
    /// The job.
    pub(super) job: String,
    /// The run.
    pub(super) run: RunId,
    job_file: String,
    job_sha256: String,
    rules_sha256: String,
    whole: bool,
}

impl Destination {
    /// The files of `run`, a run of `job`, below `dir`, with the permission bits `mode`; `whole` where it looks at all
    /// rules and series.
    pub(super) fn new(disk: &Disk, dir: &Path, job: &str, run: &RunMeta, whole: bool, mode: u32) -> Self {
        Self {
            disk: disk.clone(),
            claim: Mutex::default(),
            mode,
            dir: dir.to_path_buf(),
            job: job.to_owned(),
            run: run.run_id.clone(),
            job_file: run.job_file.clone(),
            job_sha256: run.job_sha256.clone(),
            rules_sha256: run.rules_sha256.clone(),
            whole,
        }
    }

    /// The folder of the reports.
    pub(super) fn dir(&self) -> &Path {
        &self.dir
    }

    /// Whether the run looks at all rules and series.
    pub(super) fn whole(&self) -> bool {
        self.whole
    }

    /// The only file of `table`.
    pub(super) fn file(&self, table: Table) -> PathBuf {
        table.file(&self.dir, &self.job, &self.run)
    }

    /// File number `part` of `table`.
    pub(super) fn part(&self, table: Table, part: usize) -> PathBuf {
        table.part(&self.dir, &self.job, &self.run, part)
    }

    /// The file of `table` without rows.
    pub(super) fn without_rows(&self, table: Table) -> PathBuf {
        table.without_rows(&self.dir, &self.job)
    }

    /// The summary.
    pub(super) fn summary(&self) -> PathBuf {
        tables::summary(&self.dir, self.run.as_str())
    }

    /// Where the files are.
    pub(super) fn disk(&self) -> &Disk {
        &self.disk
    }

    /// Begins the new file that will be called `target`; missing folders are made.
    pub(super) fn create(&self, target: &Path) -> Result<Growing, ReportError> {
        self.begin(target, false)
    }

    /// Begins the file that will take the place of `target`, which this run has written.
    pub(super) fn create_again(&self, target: &Path) -> Result<Growing, ReportError> {
        self.begin(target, true)
    }

    fn begin(&self, target: &Path, again: bool) -> Result<Growing, ReportError> {
        let folder = folder_of(target);
        let begin = || {
            self.claim()?;
            self.disk.make_folders(folder)?;
            if !again && self.disk.exists(target)? {
                return Err(io::Error::new(
                    ErrorKind::AlreadyExists,
                    format!("`{}` is there already", target.display()),
                ));
            }
            let temporary = sweep::temporary_of(target);
            // Nobody else writes under the name of this run: what is there is left of a file that it gave up.
            self.disk.remove(&temporary)?;
            let mut file = Growing::create(&self.disk, &temporary, target).inspect_err(|_| {
                // The first error is the one to report; a leftover has a name that nothing reads.
                self.disk.remove(&temporary).ok();
            })?;
            if self.mode != OWNER_ONLY {
                file.allow(self.mode);
            }
            Ok(file)
        };
        begin().map_err(|source| ReportError::writing(folder, source))
    }

    /// Claims the name of the run, the first time, and removes what killed runs left.
    fn claim(&self) -> io::Result<()> {
        let mut claim = self.claim.lock().unwrap_or_else(PoisonError::into_inner);
        if claim.is_none() {
            self.disk.make_folders(&self.dir)?;
            let taken = Claim::take(&self.disk, &claim_of(&self.dir, &self.run))?;
            let taken = taken.ok_or_else(|| io::Error::other("another process writes a run of the same id"))?;
            // After a power failure, too, it has to name files that outlast it.
            self.disk.sync_folder(&self.dir)?;
            sweep::sweep(&self.disk, &self.dir, &self.run);
            *claim = Some(taken);
        }
        Ok(())
    }

    /// Tells other runs that nothing of this one is left to be removed.
    pub(super) fn release(&self) {
        let claim = self.claim.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(Err(error)) = claim.map(Claim::release) {
            // The next run takes it away.
            tracing::debug!(run = %self.run, "the lock of the run stays behind: {error}");
        }
    }

    /// How every table is written.
    pub(super) fn properties(&self) -> WriterPropertiesBuilder {
        let pair = |key: &str, value: &str| KeyValue::new(format!("barkeep.{key}"), value.to_owned());
        written_as(vec![
            KeyValue::new(SCHEMA_VERSION_KEY.to_owned(), SCHEMA_VERSION.to_string()),
            KeyValue::new(VERSION_KEY.to_owned(), VERSION.to_owned()),
            pair("run_id", self.run.as_str()),
            pair("job", &self.job),
            KeyValue::new(JOB_FILE_KEY.to_owned(), self.job_file.clone()),
            pair("job_sha256", &self.job_sha256),
            pair("rules_sha256", &self.rules_sha256),
            KeyValue::new(SCOPE_KEY.to_owned(), scope(self.whole).to_owned()),
        ])
    }
}

/// The same for a table of a row or some dozens: statistics and dictionaries would be most of the file.
pub(super) fn as_few_rows(properties: WriterPropertiesBuilder) -> WriterPropertiesBuilder {
    properties.set_statistics_enabled(EnabledStatistics::None).set_dictionary_enabled(false)
}

/// How every table is written, with this metadata.
pub(super) fn written_as(metadata: Vec<KeyValue>) -> WriterPropertiesBuilder {
    WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::try_new(ZSTD_LEVEL).unwrap_or_default()))
        .set_statistics_enabled(EnabledStatistics::Page)
        .set_max_row_group_row_count(Some(ROW_GROUP))
        .set_created_by(format!("barkeep {VERSION}"))
        .set_key_value_metadata(Some(metadata))
}
