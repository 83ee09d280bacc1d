//! Files of a report, each complete or invisible: written under a temporary name, synced, then renamed.
//!
//! Nothing here knows what is in the files.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{ArrayRef, Date32Array, RecordBatch};
use arrow::datatypes::SchemaRef;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_writer::ArrowWriterOptions;
use parquet::file::properties::WriterProperties;

use super::destination::Destination;
use super::error::ReportError;
use super::run_id::RunId;
use super::tables;
use crate::durable::{Disk, Growing, NotPublished, Staged, folder_of};

/// Writes `bytes` as the file that will be called `target`.
pub(super) fn bytes(destination: &Destination, target: &Path, bytes: &[u8]) -> Result<Staged, ReportError> {
    let mut file = destination.create(target)?;
    let written = file.write_all(bytes).and_then(|()| file.complete());
    written.map_err(|source| ReportError::writing(folder_of(target), source))
}

/// Gives the file its name, durably. Where that cannot be made durable, the error says so and the file stays.
pub(super) fn publish(file: Staged) -> Result<(), ReportError> {
    let folder = folder_of(file.target()).to_path_buf();
    file.publish().map_err(|error| match error {
        NotPublished::Unnamed(source) => ReportError::writing(&folder, source),
        NotPublished::NotDurable(source) => ReportError::NotDurable { folder, source },
    })
}

/// Files given their names one after the other; all are removed again unless all are kept.
#[derive(Debug)]
pub(super) struct Published {
    disk: Disk,
    paths: Vec<PathBuf>,
}

impl Published {
    /// Publishes `staged` in order.
    pub(super) fn publish(disk: &Disk, staged: Vec<Staged>) -> Result<Self, ReportError> {
        let mut published = Self { disk: disk.clone(), paths: Vec::new() };
        for file in staged {
            let target = file.target().to_path_buf();
            let outcome = file.publish();
            if !matches!(outcome, Err(NotPublished::Unnamed(_))) {
                published.paths.push(target.clone());
            }
            // What is not durable is taken back too: the row that would make it a report is not written yet.
            outcome.map_err(|error| ReportError::writing(folder_of(&target), io::Error::from(error)))?;
        }
        Ok(published)
    }

    /// Lets the files stay.
    pub(super) fn keep(mut self) {
        self.paths.clear();
    }
}

impl Drop for Published {
    fn drop(&mut self) {
        for path in &self.paths {
            if let Err(error) = self.disk.remove(path) {
                tracing::warn!(file = %path.display(), "cannot take back a part of a report that failed: {error}");
            }
        }
    }
}

/// Parquet without the schema of Arrow, which would be most of a file of a few rows, and says nothing that the types of Parquet
/// do not.
pub(super) fn plain(properties: WriterProperties) -> ArrowWriterOptions {
    ArrowWriterOptions::new().with_properties(properties).with_skip_arrow_metadata(true)
}

/// Writes one Parquet file.
#[derive(Debug)]
pub(super) struct TableWriter {
    target: PathBuf,
    writer: ArrowWriter<Growing>,
    schema: SchemaRef,
    /// Days since 1970-01-01.
    date: i32,
}

impl TableWriter {
    /// Begins the file that will be called `target`.
    pub(super) fn create(
        destination: &Destination,
        target: &Path,
        schema: SchemaRef,
        properties: WriterProperties,
    ) -> Result<Self, ReportError> {
        Self::over(destination.create(target)?, target, (schema, &destination.run), properties)
    }

    /// Begins to write rows of `run` into `file`, which will be called `target`.
    pub(super) fn over(
        file: Growing,
        target: &Path,
        (schema, run): (SchemaRef, &RunId),
        properties: WriterProperties,
    ) -> Result<Self, ReportError> {
        let schema = tables::with_run_date(&schema);
        let writer = ArrowWriter::try_new_with_options(file, Arc::clone(&schema), plain(properties));
        let writer = writer.map_err(|source| ReportError::encoding(target, source))?;
        Ok(Self { target: target.to_path_buf(), writer, schema, date: tables::date_of(run) })
    }

    /// Writes a file of one batch.
    pub(super) fn whole(
        destination: &Destination,
        target: &Path,
        batch: &RecordBatch,
        properties: WriterProperties,
    ) -> Result<Staged, ReportError> {
        let mut writer = Self::create(destination, target, batch.schema(), properties)?;
        writer.write(batch)?;
        writer.close()
    }

    /// Appends rows.
    pub(super) fn write(&mut self, batch: &RecordBatch) -> Result<(), ReportError> {
        let dates: ArrayRef = Arc::new(Date32Array::from_value(self.date, batch.num_rows()));
        let columns = batch.columns().iter().cloned().chain([dates]).collect();
        let rows = RecordBatch::try_new(Arc::clone(&self.schema), columns)?;
        self.writer.write(&rows).map_err(|source| ReportError::encoding(&self.target, source))
    }

    /// Completes the file on disk.
    pub(super) fn close(self) -> Result<Staged, ReportError> {
        let Self { target, writer, .. } = self;
        let file = writer.into_inner().map_err(|source| ReportError::encoding(&target, source))?;
        file.complete().map_err(|source| ReportError::writing(folder_of(&target), source))
    }
}

/// Fails where no report can be written below `dir`: what moves rows has to be able to report it.
///
/// # Errors
/// The folder cannot be made, or this user may not write there.
pub fn check_writable(dir: &Path) -> Result<(), ReportError> {
    let made = Disk::system().make_folders(dir).and_then(|()| tempfile::tempfile_in(dir));
    made.map(drop).map_err(|source| ReportError::writing(dir, source))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    use arrow::array::Int64Array;
    use arrow::datatypes::{DataType, Field, Schema};

    use super::*;
    use crate::report::testing::meta;

    fn batch() -> RecordBatch {
        let schema = Arc::new(Schema::new(vec![Field::new("n", DataType::Int64, true)]));
        RecordBatch::try_new(schema, vec![Arc::new(Int64Array::from(vec![1, 2, 3]))]).unwrap()
    }

    fn destination(dir: &Path) -> Destination {
        Destination::new(&Disk::system(), dir, "demo", &meta(2), true, 0o644)
    }

    /// Names in a folder, without the lock of the run.
    fn names(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).unwrap();
        let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        names.filter(|name| Path::new(name).extension().is_none_or(|end| end != "lock")).collect()
    }

    #[test]
    fn a_file_is_invisible_until_it_is_published() {
        let dir = tempfile::tempdir().unwrap();
        let target = dir.path().join("a/b/x.parquet");
        let staged =
            TableWriter::whole(&destination(dir.path()), &target, &batch(), WriterProperties::default()).unwrap();
        let hidden = names(target.parent().unwrap());
        assert_eq!(hidden.len(), 1);
        assert!(hidden[0].starts_with('.') && !hidden[0].ends_with(".parquet"), "{hidden:?}");
        publish(staged).unwrap();
        assert_eq!(names(target.parent().unwrap()), ["x.parquet"]);
    }

    #[test]
    fn folders_are_for_this_user_and_files_for_whom_the_source_was() {
        for mode in [0o644, 0o640, 0o600] {
            let dir = tempfile::tempdir().unwrap();
            let target = dir.path().join("reports/runs/x.json");
            let destination = Destination::new(&Disk::system(), dir.path(), "demo", &meta(2), true, mode);
            let staged = bytes(&destination, &target, b"{}").unwrap();
            let mode_of = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
            publish(staged).unwrap();
            assert_eq!((mode_of(&target), mode_of(target.parent().unwrap())), (mode, 0o700));
            assert_eq!(mode_of(&dir.path().join("reports")), 0o700);
        }
    }

    #[test]
    fn what_is_dropped_leaves_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let destination = destination(dir.path());
        let half = TableWriter::create(
            &destination,
            &dir.path().join("half.parquet"),
            batch().schema(),
            WriterProperties::default(),
        );
        let mut half = half.unwrap();
        half.write(&batch()).unwrap();
        drop(half);
        drop(bytes(&destination, &dir.path().join("x.json"), b"{}").unwrap());
        assert_eq!(names(dir.path()), Vec::<String>::new());
    }

    #[test]
    fn a_file_where_a_folder_should_be_is_named_with_a_remedy() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("findings"), "in the way").unwrap();
        let target = dir.path().join("findings/job=a/x.parquet");
        let error =
            TableWriter::whole(&destination(dir.path()), &target, &batch(), WriterProperties::default()).unwrap_err();
        let text = error.to_string();
        assert!(text.contains("findings") && text.contains("move it away"), "{text}");
        assert_eq!(names(dir.path()), ["findings"]);
    }

    #[test]
    fn a_file_that_is_there_is_never_written_over() {
        let dir = tempfile::tempdir().unwrap();
        let target = dir.path().join("x.json");
        let destination = destination(dir.path());
        publish(bytes(&destination, &target, b"first").unwrap()).unwrap();
        let error = bytes(&destination, &target, b"second").unwrap_err();
        assert!(matches!(error, ReportError::Write { .. }), "{error}");
        assert_eq!(fs::read(&target).unwrap(), b"first");
    }

    #[test]
    fn a_failure_half_way_takes_back_what_was_published() {
        let dir = tempfile::tempdir().unwrap();
        let destination = destination(dir.path());
        let first = bytes(&destination, &dir.path().join("first"), b"1").unwrap();
        let second = bytes(&destination, &dir.path().join("second"), b"2").unwrap();
        fs::create_dir_all(dir.path().join("second/in the way")).unwrap();
        Published::publish(&Disk::system(), vec![first, second]).unwrap_err();
        assert_eq!(names(dir.path()), ["second"]);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_full_disk_is_reported_as_one() {
        let device = Path::new("/dev/full");
        if device.exists() {
            let mut file = fs::OpenOptions::new().write(true).open(device).unwrap();
            let source = file.write_all(b"x").unwrap_err();
            let text = ReportError::writing(Path::new("reports"), source).to_string();
            assert!(text.contains("the disk is full"), "{text}");
        }
    }
}
