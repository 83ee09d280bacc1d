//! Makes the rows of files readable by the engine: text is copied into a snapshot, Parquet is read where it lies.

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::Arc;

use crate::config::job::{Filter, FilterValue};
use crate::engine::plan::{self, Input};
use crate::engine::program::Program;
use crate::engine::table::{Locators, TableFile};
use crate::run::at_once;
use crate::run::events::Stage;
use crate::run::failure::Failure;
use crate::run::ingest::{self, Beyond, Ingested, Stored};
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
    pub(super) fn note_empty(&self, reading: &Reading<'_>) {
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
        let wanted = ingest::wanted_columns(program, &columns);
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
            source::extract(&set, &wanted, &dir, threads, &mut |rows, _| progress.report(rows))
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
        Ok(Ingested {
            input,
            identities,
            rows,
            bytes,
            extract_seconds,
            snapshot: Some((path, temp)),
            copies: None,
            beyond: Beyond::default(),
            whole_only: None,
        })
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
                progress.report(copies.len() as u64);
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
        let (schema, whole) = ingest::typed_schemas(program, found, columns);
        let (schema, whole) = match whole {
            Some(whole) if at_once::is_worth_it(&schema, &whole, &source::column_bytes(&paths)?) => (whole, None),
            whole => (schema, whole),
        };
        let (arrangement, groups) = ingest::arrange(key, files, paths, threads).await?;
        let locators = Locators::Counted;
        let input = Input { groups, schema, whole, places, locators, arrangement, filter, window: (None, None) };
        Ok(Ingested {
            input,
            identities,
            rows: None,
            bytes,
            extract_seconds: 0.0,
            snapshot: None,
            copies: None,
            beyond: Beyond::default(),
            whole_only: None,
        })
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
