//! Files of a report, each complete or invisible: written under a temporary name, synced, then renamed.
//!
//! A temporary name starts with a dot and does not end in `.parquet`, so no reader of a table takes it for a part.
//! Nothing here knows what is in the files.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use parquet::arrow::ArrowWriter;
use parquet::file::properties::WriterProperties;

use super::error::ReportError;

/// A file that is complete but invisible until [`Staged::publish`]; it is removed when dropped before.
#[derive(Debug)]
pub(super) struct Staged {
    temp: PathBuf,
    target: PathBuf,
    published: bool,
}

impl Staged {
    /// Opens a new file that will be called `target`; missing folders are made.
    fn create(target: &Path) -> Result<(Self, File), ReportError> {
        let folder = folder_of(target);
        let open = || {
            make_folder(folder)?;
            if target.try_exists()? {
                return Err(io::Error::new(
                    ErrorKind::AlreadyExists,
                    format!("`{}` is there already", target.display()),
                ));
            }
            let name = target.file_name().unwrap_or_default().to_string_lossy();
            let temp = folder.join(format!(".{name}.partial"));
            let file = File::create(&temp)?;
            Ok((Self { temp, target: target.to_path_buf(), published: false }, file))
        };
        open().map_err(|source| ReportError::writing(folder, source))
    }

    /// Writes `bytes` as a whole file.
    pub(super) fn bytes(target: &Path, bytes: &[u8]) -> Result<Self, ReportError> {
        let (staged, mut file) = Self::create(target)?;
        let written = file.write_all(bytes).and_then(|()| file.sync_all());
        written.map_err(|source| ReportError::writing(folder_of(target), source))?;
        Ok(staged)
    }

    /// Gives the file its name, durably.
    pub(super) fn publish(mut self) -> Result<PathBuf, ReportError> {
        let folder = folder_of(&self.target);
        let renamed = fs::rename(&self.temp, &self.target);
        renamed.map_err(|source| ReportError::writing(folder, source))?;
        self.published = true;
        sync_folder(folder).map_err(|source| ReportError::writing(folder, source))?;
        Ok(std::mem::take(&mut self.target))
    }
}

impl Drop for Staged {
    fn drop(&mut self) {
        if !self.published {
            // What is left behind is never read; there is nothing better to do with a failure here.
            fs::remove_file(&self.temp).ok();
        }
    }
}

/// Files given their names one after the other; all are removed again unless all are kept.
#[derive(Debug, Default)]
pub(super) struct Published(Vec<PathBuf>);

impl Published {
    /// Publishes `staged` in order.
    pub(super) fn all(staged: Vec<Staged>) -> Result<Self, ReportError> {
        let mut published = Self::default();
        for file in staged {
            published.0.push(file.target.clone());
            file.publish()?;
        }
        Ok(published)
    }

    /// Lets the files stay.
    pub(super) fn keep(mut self) {
        self.0.clear();
    }
}

impl Drop for Published {
    fn drop(&mut self) {
        for path in &self.0 {
            fs::remove_file(path).ok();
        }
    }
}

/// Writes one Parquet file.
#[derive(Debug)]
pub(super) struct TableWriter {
    staged: Staged,
    writer: ArrowWriter<File>,
}

impl TableWriter {
    /// Begins the file that will be called `target`.
    pub(super) fn create(target: &Path, schema: SchemaRef, properties: WriterProperties) -> Result<Self, ReportError> {
        let (staged, file) = Staged::create(target)?;
        let writer = ArrowWriter::try_new(file, schema, Some(properties));
        let writer = writer.map_err(|source| ReportError::encoding(target, source))?;
        Ok(Self { staged, writer })
    }

    /// Writes a file of one batch.
    pub(super) fn whole(
        target: &Path,
        batch: &RecordBatch,
        properties: WriterProperties,
    ) -> Result<Staged, ReportError> {
        let mut writer = Self::create(target, batch.schema(), properties)?;
        writer.write(batch)?;
        writer.close()
    }

    /// Appends rows.
    pub(super) fn write(&mut self, batch: &RecordBatch) -> Result<(), ReportError> {
        self.writer.write(batch).map_err(|source| ReportError::encoding(&self.staged.target, source))
    }

    /// Completes the file on disk.
    pub(super) fn close(self) -> Result<Staged, ReportError> {
        let Self { staged, writer } = self;
        let file = writer.into_inner().map_err(|source| ReportError::encoding(&staged.target, source))?;
        file.sync_all().map_err(|source| ReportError::writing(folder_of(&staged.target), source))?;
        Ok(staged)
    }
}

fn folder_of(target: &Path) -> &Path {
    match target.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    }
}

/// Fails where no report can be written below `dir`: what moves rows has to be able to tell of it.
///
/// # Errors
/// The folder cannot be made, or this user may not write there.
pub fn check_writable(dir: &Path) -> Result<(), ReportError> {
    let made = make_folder(dir).and_then(|()| tempfile::tempfile_in(dir));
    made.map(drop).map_err(|source| ReportError::writing(dir, source))
}

/// Makes `folder` and what is above it, so that the names survive a crash.
fn make_folder(folder: &Path) -> io::Result<()> {
    let missing: Vec<&Path> = folder.ancestors().take_while(|above| !above.exists()).collect();
    fs::create_dir_all(folder)?;
    missing.into_iter().rev().try_for_each(|made| sync_folder(folder_of(made)))
}

/// Makes the names in a folder durable, where the system lets a folder be synced.
fn sync_folder(folder: &Path) -> io::Result<()> {
    if cfg!(unix) { File::open(folder)?.sync_all() } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::Int64Array;
    use arrow::datatypes::{DataType, Field, Schema};

    use super::*;

    fn batch() -> RecordBatch {
        let schema = Arc::new(Schema::new(vec![Field::new("n", DataType::Int64, true)]));
        RecordBatch::try_new(schema, vec![Arc::new(Int64Array::from(vec![1, 2, 3]))]).unwrap()
    }

    fn names(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).unwrap();
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }

    #[test]
    fn a_file_is_invisible_until_it_is_published() {
        let dir = tempfile::tempdir().unwrap();
        let target = dir.path().join("a/b/x.parquet");
        let staged = TableWriter::whole(&target, &batch(), WriterProperties::default()).unwrap();
        let hidden = names(target.parent().unwrap());
        assert_eq!(hidden.len(), 1);
        assert!(hidden[0].starts_with('.') && !hidden[0].ends_with(".parquet"), "{hidden:?}");
        staged.publish().unwrap();
        assert_eq!(names(target.parent().unwrap()), ["x.parquet"]);
    }

    #[test]
    fn what_is_dropped_leaves_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let half = TableWriter::create(&dir.path().join("half.parquet"), batch().schema(), WriterProperties::default());
        let mut half = half.unwrap();
        half.write(&batch()).unwrap();
        drop(half);
        drop(Staged::bytes(&dir.path().join("x.json"), b"{}").unwrap());
        assert_eq!(names(dir.path()), Vec::<String>::new());
    }

    #[test]
    fn a_file_where_a_folder_should_be_is_named_with_a_remedy() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("findings"), "in the way").unwrap();
        let target = dir.path().join("findings/job=a/x.parquet");
        let error = TableWriter::whole(&target, &batch(), WriterProperties::default()).unwrap_err();
        let text = error.to_string();
        assert!(text.contains("findings") && text.contains("move it away"), "{text}");
        assert_eq!(names(dir.path()), ["findings"]);
    }

    #[test]
    fn a_file_that_is_there_is_never_written_over() {
        let dir = tempfile::tempdir().unwrap();
        let target = dir.path().join("x.json");
        Staged::bytes(&target, b"first").unwrap().publish().unwrap();
        let error = Staged::bytes(&target, b"second").unwrap_err();
        assert!(matches!(error, ReportError::Write { .. }), "{error}");
        assert_eq!(fs::read(&target).unwrap(), b"first");
    }

    #[test]
    fn a_failure_half_way_takes_back_what_was_published() {
        let dir = tempfile::tempdir().unwrap();
        let first = Staged::bytes(&dir.path().join("first"), b"1").unwrap();
        let second = Staged::bytes(&dir.path().join("second"), b"2").unwrap();
        fs::create_dir_all(dir.path().join("second/in the way")).unwrap();
        Published::all(vec![first, second]).unwrap_err();
        assert_eq!(names(dir.path()), ["second"]);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_full_disk_is_told_as_one() {
        let device = Path::new("/dev/full");
        if device.exists() {
            let mut file = fs::OpenOptions::new().write(true).open(device).unwrap();
            let source = file.write_all(b"x").unwrap_err();
            let text = ReportError::writing(Path::new("reports"), source).to_string();
            assert!(text.contains("the disk is full"), "{text}");
        }
    }
}
