//! Files as the source of a job.

mod examine;
mod identity;
mod read;

use std::sync::Arc;

use async_trait::async_trait;

use self::read::Wanted;
use super::contract::{Reading, Source, SourceKind};
use crate::bars::wide::WideTable;
use crate::config::Loaded;
use crate::config::job::{FieldName, FileFormat, FileSource, Filter};
use crate::quarantine::plan::{PlanFile, SourceIdentity};
use crate::report::run::Connections;
use crate::run::clock::Clock;
use crate::run::examination::Examination;
use crate::run::failure::Failure;
use crate::run::ingest::Ingested;
use crate::run::quarantine::files::{FilesOfJob, FilesQuarantine, FilesRemoval, MOVABLE};
use crate::run::quarantine::{Quarantine, Removal};
use crate::source::{self, Files, FilesSet, Format, Original, SourceColumn};

/// The files that a job names.
pub(super) struct NamedFiles {
    source: FileSource,
    /// Names that mean one column.
    aliases: Vec<Vec<String>>,
    /// What the header of a wide table says.
    wide: Option<WideTable>,
    of_job: FilesOfJob,
}

impl NamedFiles {
    pub(super) fn new(loaded: &Arc<Loaded>, source: &FileSource, clock: &Clock) -> Self {
        let names = |field: &FieldName| field.sources.iter().map(|name| name.get_ref().to_string()).collect();
        let several = loaded.job.bars.fields.iter().filter(|field| field.sources.len() > 1);
        let shared = || loaded.job.bars.time.fields.iter().map(|name| name.get_ref().to_string()).collect();
        let wide = source.wide.clone().map(|wide| WideTable { rows: wide.rows, values: wide.values, shared: shared() });
        let aliases = several.map(names).collect();
        Self { source: source.clone(), aliases, wide, of_job: FilesOfJob::new(loaded, source, clock) }
    }
}

#[async_trait]
impl SourceKind for NamedFiles {
    async fn open(&self) -> Result<Arc<dyn Source>, Failure> {
        let mut set = source::discover(&Files {
            patterns: self.source.paths.iter().map(|path| path.resolved.clone()).collect(),
            format: self.source.format.map(|format| match format {
                FileFormat::Csv => Format::Csv,
                FileFormat::Ndjson => Format::Ndjson,
                FileFormat::Json => Format::Json,
                FileFormat::Parquet => Format::Parquet,
                FileFormat::Arrow => Format::Arrow,
            }),
            layout: self.source.layout.clone(),
            delimiter_is_given: self.source.delimiter_is_given,
            records: self.source.records.clone(),
            wide: self.wide.clone(),
            aliases: self.aliases.clone(),
            skip_empty: self.source.skip_empty,
            missing_is_null: self.source.missing_is_null,
        })?;
        let mut columns = source::infer(&set)?;
        if columns.iter().any(|column| column.drift.is_some()) && set.leave_out_rowless()? {
            columns = source::infer(&set)?;
        }
        let (of_job, filter) = (self.of_job.clone(), self.source.filter.clone());
        let check_only = set.check_only();
        let patterns = self.source.paths.iter().map(|path| path.resolved.display().to_string()).collect::<Vec<_>>();
        let origin = format!("{patterns:?} {filter:?}");
        Ok(Arc::new(FoundFiles { of_job, filter, set, columns, check_only, origin }))
    }

    async fn quarantine(&self) -> Result<Box<dyn Quarantine>, Failure> {
        Ok(Box::new(FilesQuarantine(self.of_job.clone())))
    }

    async fn examine(&self, _lines: &mut Examination<'_>) -> Result<bool, Failure> {
        Ok(true)
    }
}

/// Files that were found and looked at.
#[derive(Debug)]
struct FoundFiles {
    of_job: FilesOfJob,
    /// Which of their rows the job reads.
    filter: Vec<Filter>,
    set: FilesSet,
    columns: Vec<SourceColumn>,
    /// Why no row can leave them, where none can.
    check_only: Option<String>,
    /// The patterns of their paths, and the filter.
    origin: String,
}

#[async_trait]
impl Source for FoundFiles {
    fn columns(&self) -> &[SourceColumn] {
        &self.columns
    }

    async fn ingest(&self, reading: &Reading<'_>) -> Result<Ingested, Failure> {
        let wanted = Wanted { set: &self.set, filter: &self.filter };
        wanted.note_empty(reading);
        match self.set.format {
            Format::Csv | Format::Ndjson | Format::Json => wanted.ingest_text(reading).await,
            Format::Parquet => wanted.ingest_parquet(reading, &self.columns).await,
            Format::Arrow => wanted.ingest_arrow(reading, &self.columns).await,
        }
    }

    async fn originals(&self, ingested: &Ingested, places: Vec<(i32, i64)>) -> Result<Vec<Original>, Failure> {
        if ingested.snapshot().is_none() {
            return Ok(Vec::new());
        }
        let (set, files) = (self.set.clone(), ingested.identities.clone());
        Ok(tokio::task::spawn_blocking(move || source::text_originals(&set, &files, &places)).await??)
    }

    /// A query does not say which Parquet file is damaged: it is looked for.
    async fn damage(&self) -> Option<Failure> {
        if self.set.format != Format::Parquet {
            return None;
        }
        let files = self.set.files.clone();
        let damaged = tokio::task::spawn_blocking(move || source::damaged_parquet(&files)).await;
        damaged.ok().flatten().map(Failure::from)
    }

    fn origin(&self) -> String {
        self.origin.clone()
    }

    fn file_names(&self) -> Vec<String> {
        self.set.files.iter().map(|path| path.display().to_string()).collect()
    }

    fn named_source(&self, ingested: &Ingested) -> SourceIdentity {
        SourceIdentity::Files(ingested.identities.iter().map(|file| identity::plan_file(file, String::new())).collect())
    }

    async fn identity(&self, ingested: &Ingested) -> Result<SourceIdentity, Failure> {
        let identities = ingested.identities.clone();
        let hashed = move || identities.iter().map(identity::hashed).collect::<Result<Vec<PlanFile>, Failure>>();
        Ok(SourceIdentity::Files(tokio::task::spawn_blocking(hashed).await??))
    }

    fn check_same(&self, planned: &SourceIdentity) -> Result<(), String> {
        let SourceIdentity::Files(files) = planned else {
            return Err("the plan is of another kind of source".to_owned());
        };
        match identity::same_files(files, &self.set) {
            true => Ok(()),
            false => Err("the job reads other files than the plan is of".to_owned()),
        }
    }

    fn check_only(&self) -> Option<(&str, &str)> {
        self.check_only.as_deref().map(|reason| (reason, MOVABLE))
    }

    fn removal(&self) -> Result<Box<dyn Removal + '_>, Failure> {
        Ok(Box::new(FilesRemoval { of_job: &self.of_job, set: &self.set }))
    }

    async fn examine(&self, lines: &mut Examination<'_>) -> Result<(), Failure> {
        examine::files(&self.of_job, &self.set, lines)
    }

    async fn close(&self) -> Option<Connections> {
        None
    }
}
