//! Makes the rows of files readable by the engine: text is copied into a snapshot, Parquet is read where it lies.

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema};

use crate::config::job::{Filter, FilterValue};
use crate::bars::{BarsSpec, FieldKind};
use crate::engine::nested;
use crate::engine::plan::{self, Input};
use crate::engine::program::Program;
use crate::engine::shape;
use crate::engine::table::{Locators, TableFile};
use crate::run::events::Stage;
use crate::run::failure::Failure;
use crate::run::ingest::{self, Ingested, Stored};
use crate::run::source::Reading;
use crate::source::{self, FileIdentity, FilesSet, KeyField, SourceColumn};
use crate::text::numbers::counted;

/// The files that are read, and which of their rows.
pub(super) struct Wanted<'a> {
    pub(super) set: &'a FilesSet,
    pub(super) filter: &'a [Filter],
}

impl Wanted<'_> {
    /// Says which files were left out.
    pub(super) fn tell_empty(&self, reading: &Reading<'_>) {
        if let Some(first) = self.set.empty.first() {
            let count = counted(self.set.empty.len() as u64, "empty file");
            reading.context.note(&format!("note: {count} left out, the first is `{}`", first.display()));
        }
    }

    /// Copies text into a snapshot.
    pub(super) async fn ingest_text(&self, reading: &Reading<'_>) -> Result<Ingested, Failure> {
        let Reading { program, context, .. } = *reading;
        let filter = self.filters(reading);
        let needed = ingest::columns(program, &filter)?;
        let columns = ingest::columns_of_snapshot(program, &filter)?;
        let wanted = ingest::wanted(program, &columns);
        let limits = context.limits();
        let temp = context.scratch()?;
        let (dir, mut set) = (temp.path().to_path_buf(), self.set.clone());
        set.missing_is_null |= reading.missing_is_null;
        set.whole = program.compares_rows();
        set.may_lack = columns.iter().filter(|column| !needed.contains(column)).map(ToString::to_string).collect();
        let threads = NonZeroUsize::new(limits.threads).unwrap_or(NonZeroUsize::MIN);
        let progress = context.begin(&program.job, Stage::Reading, None);
        let started = std::time::Instant::now();
        let extracting = tokio::task::spawn_blocking(move || {
            source::extract(&set, &wanted, &dir, threads, &mut |rows, _| progress.at(rows))
        });
        let snapshot = extracting.await??;
        let extract_seconds = started.elapsed().as_secs_f64();
        let mut on_disk: Vec<_> = snapshot.files.iter().map(|file| (file.device, file.inode, file.length)).collect();
        on_disk.sort_unstable();
        on_disk.dedup();
        let bytes = on_disk.iter().map(|(_, _, length)| length).sum();
        let path = snapshot.path;
        let stored = Stored { path: path.clone(), schema: snapshot.schema, filter };
        let input = stored.input(program, &columns, limits.threads).await?;
        let (identities, rows) = (snapshot.files, Some(snapshot.rows));
        Ok(Ingested { input, identities, rows, bytes, extract_seconds, snapshot: Some((path, temp)), copies: None })
    }

    /// Copies Arrow files into Parquet files, which are read as others are.
    pub(super) async fn ingest_arrow(
        &self,
        reading: &Reading<'_>,
        found: &[SourceColumn],
    ) -> Result<Ingested, Failure> {
        let columns = ingest::columns_of_snapshot(reading.program, &self.filters(reading))?;
        let temp = reading.context.scratch()?;
        let (dir, files) = (temp.path().to_path_buf(), self.set.files.clone());
        let progress = reading.context.begin(&reading.program.job, Stage::Reading, None);
        let started = std::time::Instant::now();
        let copying = tokio::task::spawn_blocking(move || {
            let mut copies = Vec::with_capacity(files.len());
            for (number, path) in files.iter().enumerate() {
                let copy = dir.join(format!("{number}.parquet"));
                source::arrow_as_parquet(path, &columns, &copy)?;
                copies.push(copy);
                progress.at(copies.len() as u64);
            }
            Ok::<_, source::SourceError>(copies)
        });
        let copies = copying.await??;
        let extract_seconds = started.elapsed().as_secs_f64();
        let ingested = self.ingest_typed(reading, found, copies).await?;
        Ok(Ingested { extract_seconds, copies: Some(temp), ..ingested })
    }

    /// Lets Parquet be read where it lies.
    pub(super) async fn ingest_parquet(
        &self,
        reading: &Reading<'_>,
        found: &[SourceColumn],
    ) -> Result<Ingested, Failure> {
        self.ingest_typed(reading, found, self.set.files.clone()).await
    }

    /// Lets the Parquet files at `paths`, which stand for the files of the set, be read.
    async fn ingest_typed(
        &self,
        reading: &Reading<'_>,
        found: &[SourceColumn],
        paths: Vec<PathBuf>,
    ) -> Result<Ingested, Failure> {
        let Reading { program, context, .. } = *reading;
        let filter = self.filters(reading);
        let columns = ingest::columns(program, &filter)?;
        source::check_parquet(found, &columns, self.set.missing_is_null || reading.missing_is_null)?;
        let identities = self.set.files.iter().map(|path| FileIdentity::of(path)).collect::<Result<Vec<_>, _>>()?;
        let mut files = Vec::with_capacity(identities.len());
        let compared = plan::columns_to_compare(program);
        let is_read =
            |name: &&Arc<str>| columns.contains(name) || compared.iter().any(|(compared, _)| compared == *name);
        let places: Vec<Arc<str>> = self.set.places.names.iter().filter(is_read).cloned().collect();
        for (index, path) in paths.iter().enumerate() {
            let of_place = |name: &Arc<str>| self.set.places.value(name, index).flatten().cloned();
            let file = plan::table_file(path.clone(), index, FileIdentity::of(path)?.length);
            files.push(TableFile { places: places.iter().map(of_place).collect(), ..file });
        }
        let bytes = identities.iter().map(|identity| identity.length).sum();
        let (key, threads) = (self.key(program), context.limits().threads);
        let (arrangement, groups) = ingest::arrange(key, files, paths, threads).await?;
        // Numbers that are stored as text may not decode, which is reported whether a rule looks at them or not.
        let stored_as_text = |name: &str| found.iter().any(|column| column.name == *name && !column.is_numeric());
        let texts = compared.iter().filter(|(name, numeric)| *numeric && stored_as_text(name));
        let looked_at: Vec<Arc<str>> = columns.iter().chain(texts.map(|(name, _)| name)).cloned().collect();
        let schema = plan::narrowed(&parquet_schema(found, &looked_at), &looked_at);
        let whole = program.compares_rows().then(|| {
            let all: Vec<Arc<str>> = columns.into_iter().chain(compared.iter().map(|(name, _)| Arc::clone(name))).collect();
            plan::narrowed(&whole_schema(found, (&looked_at, &all), &program.bars), &all)
        });
        let locators = Locators::Counted;
        let input = Input { groups, schema, whole, places, locators, arrangement, filter, window: (None, None) };
        Ok(Ingested { input, identities, rows: None, bytes, extract_seconds: 0.0, snapshot: None, copies: None })
    }

    /// The fields of the series key, as the files and their places have them.
    fn key(&self, program: &Program) -> Vec<KeyField> {
        let field = |column: String| {
            let values = self.set.places.field(&column);
            let given = values.map(|values| values.map(|value| value.map(ToString::to_string)).collect());
            given.map_or_else(|| KeyField::Column(column.clone()), KeyField::Given)
        };
        ingest::key_columns(&program.bars).into_iter().map(field).collect()
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
    let is_read = |column: &&SourceColumn| column.arrow.is_some() && read.iter().any(|name| **name == *column.name);
    Schema::new(columns.iter().filter(is_read).map(field).collect::<Vec<_>>())
}

/// The same where rows are compared: what files have in several types is read as text, which says all of it.
fn whole_schema(columns: &[SourceColumn], (looked_at, all): (&[Arc<str>], &[Arc<str>]), bars: &BarsSpec) -> Schema {
    let among = |column: &SourceColumn, names: &[Arc<str>]| names.iter().any(|name| **name == *column.name);
    let is_read = |column: &&SourceColumn| column.arrow.is_some() && among(column, all);
    let exact = |column: &SourceColumn| {
        let is_number = bars.fields.iter().any(|f| *f.source == *column.name && f.kind == FieldKind::Number);
        if !column.several_types || !column.steps.is_empty() || among(column, &bars.time.sources) {
            field(column)
        } else if is_number && column.is_numeric() {
            shape::spelled_number(&column.name)
        } else if column.is_numeric() || !among(column, looked_at) {
            Field::new(&column.name, DataType::Utf8View, true)
        } else {
            field(column)
        }
    };
    Schema::new(columns.iter().filter(is_read).map(exact).collect::<Vec<_>>())
}

fn field(column: &SourceColumn) -> Field {
    let data_type = column.arrow.clone().unwrap_or(DataType::Null);
    nested::marked(Field::new(&column.name, data_type, true), &column.steps)
}
