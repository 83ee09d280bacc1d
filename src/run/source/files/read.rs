//! Makes the rows of files readable by the engine: text is copied into a snapshot, Parquet is read where it lies.

use std::num::NonZeroUsize;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema};

use crate::config::job::{Filter, FilterValue};
use crate::engine::plan::{self, Input};
use crate::engine::table::Locators;
use crate::run::events::Stage;
use crate::run::failure::Failure;
use crate::run::ingest::{self, Ingested, Stored};
use crate::run::source::Reading;
use crate::source::{self, FileIdentity, FilesSet, SourceColumn};

/// The files that are read, and which of their rows.
pub(super) struct Wanted<'a> {
    pub(super) set: &'a FilesSet,
    pub(super) filter: &'a [Filter],
}

impl Wanted<'_> {
    /// Copies text into a snapshot.
    pub(super) async fn ingest_text(&self, reading: &Reading<'_>) -> Result<Ingested, Failure> {
        let Reading { program, context, .. } = *reading;
        let filter = self.filters(reading);
        let columns = ingest::columns(program, &filter)?;
        let wanted = ingest::wanted(program, &columns);
        let limits = context.limits();
        let temp = context.scratch()?;
        let (dir, set) = (temp.path().to_path_buf(), self.set.clone());
        let threads = NonZeroUsize::new(limits.threads).unwrap_or(NonZeroUsize::MIN);
        let progress = context.begin(&program.job, Stage::Reading, None);
        let started = std::time::Instant::now();
        let extracting = tokio::task::spawn_blocking(move || {
            source::extract(&set, &wanted, &dir, threads, &mut |rows, _| progress.at(rows))
        });
        let snapshot = extracting.await??;
        let extract_seconds = started.elapsed().as_secs_f64();
        let bytes = snapshot.files.iter().map(|file| file.length).sum();
        let path = snapshot.path;
        let stored = Stored { path: path.clone(), schema: snapshot.schema, filter };
        let input = stored.input(program, &columns, limits.threads).await?;
        let (identities, rows) = (snapshot.files, Some(snapshot.rows));
        Ok(Ingested { input, identities, rows, bytes, extract_seconds, snapshot: Some((path, temp)) })
    }

    /// Lets Parquet be read where it lies.
    pub(super) async fn ingest_parquet(
        &self,
        reading: &Reading<'_>,
        found: &[SourceColumn],
    ) -> Result<Ingested, Failure> {
        let Reading { program, context, .. } = *reading;
        let filter = self.filters(reading);
        let columns = ingest::columns(program, &filter)?;
        let identities = self.set.files.iter().map(|path| FileIdentity::of(path)).collect::<Result<Vec<_>, _>>()?;
        let mut files = Vec::with_capacity(identities.len());
        for (index, identity) in identities.iter().enumerate() {
            files.push(plan::table_file(identity.path.clone(), index, identity.length));
        }
        let bytes = identities.iter().map(|identity| identity.length).sum();
        let (arrangement, groups) =
            ingest::arrange(program, files, self.set.files.clone(), context.limits().threads).await?;
        let schema = plan::narrowed(&parquet_schema(found, &columns), &columns);
        let input = Input { groups, schema, locators: Locators::Counted, arrangement, filter, window: (None, None) };
        Ok(Ingested { input, identities, rows: None, bytes, extract_seconds: 0.0, snapshot: None })
    }

    /// Which texts a column may have, for each column that is asked about.
    fn filters(&self, reading: &Reading<'_>) -> Vec<(String, Vec<String>)> {
        let texts = |value: &FilterValue| match value {
            FilterValue::Text(text) => vec![text.clone()],
            FilterValue::Integer(number) => vec![number.to_string()],
            FilterValue::Boolean(flag) => vec![flag.to_string()],
            FilterValue::AnyOf(texts) => texts.clone(),
        };
        let mut filters: Vec<_> = self.filter.iter().map(|f| (f.field.get_ref().clone(), texts(&f.value))).collect();
        if !reading.series.is_empty()
            && let Some(column) = ingest::key_columns(&reading.program.bars).first()
        {
            filters.push((column.clone(), reading.series.to_vec()));
        }
        filters
    }
}

/// The columns of Parquet files that are read: others may have any name.
fn parquet_schema(columns: &[SourceColumn], read: &[Arc<str>]) -> Schema {
    let columns = columns.iter().filter(|column| read.iter().any(|name| **name == *column.name));
    let field = |column: &SourceColumn| {
        let data_type = column.arrow.clone().unwrap_or(DataType::Null);
        Field::new(&column.name, data_type, true)
    };
    Schema::new(columns.map(field).collect::<Vec<_>>())
}
