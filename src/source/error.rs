//! What can go wrong with the files of a source, so that a run stops.
//!
//! A record that is merely bad is not an error: it becomes a row of the snapshot. An error here means that a file as
//! a whole cannot be trusted or read, or that the snapshot cannot be written.

use std::io;
use std::path::{Path, PathBuf};

use ::parquet::errors::ParquetError;

/// Why the files of a source cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// Nothing has this name.
    #[error("no such file or folder: `{}`{}", path.display(), meant(near.as_deref()))]
    NotFound {
        /// The name that was given.
        path: PathBuf,
        /// A name in the same folder that is close to it.
        near: Option<PathBuf>,
    },
    /// A symbolic link leads nowhere.
    #[error("`{}` is a symbolic link to a file that is missing; repair or remove the link", path.display())]
    DanglingLink {
        /// The link.
        path: PathBuf,
    },
    /// A folder has no data file.
    #[error("folder `{}` has no data file: looked for names ending in {looked_for}, in sub-folders too", path.display())]
    EmptyFolder {
        /// The folder.
        path: PathBuf,
        /// The endings that count as data.
        looked_for: &'static str,
    },
    /// A glob matches nothing.
    #[error("no file matches `{}`; check the pattern and the folder it starts in", pattern.display())]
    NoMatch {
        /// The glob.
        pattern: PathBuf,
    },
    /// A glob is malformed.
    #[error("`{}` is not a valid file pattern: {reason}", pattern.display())]
    BadPattern {
        /// The glob.
        pattern: PathBuf,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// A file does not fit the names in the pattern that found it.
    #[error("`{}` does not fit `{}`: each `{{name}}` stands for at least one character of one folder or file name; make the pattern fit, or leave the file out", path.display(), pattern.display())]
    Misplaced {
        /// The file.
        path: PathBuf,
        /// The pattern.
        pattern: PathBuf,
    },
    /// The name of a folder is not readable text.
    #[error("the folder `{}` of `{}` is not UTF-8 once its `%` codes are decoded; rename it", folder.display(), path.display())]
    BadPlace {
        /// The file.
        path: PathBuf,
        /// The folder.
        folder: PathBuf,
    },
    /// The path of a file gives one field two values.
    #[error("the path of `{}` gives the field `{field}` twice; name it once", path.display())]
    TwoInPlace {
        /// The file.
        path: PathBuf,
        /// The field.
        field: String,
    },
    /// The paths of other files give a field, that of this file does not.
    #[error("the path of `{}` does not give the field `{field}`, as those of other files do; move it, or leave it out", path.display())]
    NotInPlace {
        /// The file.
        path: PathBuf,
        /// The field.
        field: String,
    },
    /// A field of the path is a column of the file too.
    #[error("`{field}` is a column of `{}` and a part of its path; give the one in the path another name, or read a path without it", path.display())]
    InBoth {
        /// The file.
        path: PathBuf,
        /// The field.
        field: String,
    },
    /// The name does not tell the format, and neither does the job.
    #[error("the name of `{}` does not tell its format; set `format` to csv, ndjson, json, parquet or arrow", path.display())]
    UnknownFormat {
        /// The file.
        path: PathBuf,
    },
    /// Files of several formats in one source.
    #[error("`{}` is {first_format} and `{}` is {other_format}: a source has one format; set `format` or narrow the path", first.display(), other.display())]
    MixedFormats {
        /// A file.
        first: PathBuf,
        /// Its format.
        first_format: &'static str,
        /// A file of another format.
        other: PathBuf,
        /// That format.
        other_format: &'static str,
    },
    /// A pipe, a device, a socket.
    #[error("`{}` is neither a file nor a folder; copy the data into a file first", path.display())]
    NotAFile {
        /// The name that was given.
        path: PathBuf,
    },
    /// The operating system refuses to open it.
    #[error("no permission to read `{}`; give the user that runs this read access", path.display())]
    Denied {
        /// The file or folder.
        path: PathBuf,
    },
    /// Any other failure while reading.
    #[error("cannot read `{}`", path.display())]
    Read {
        /// The file or folder.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// No bytes, or nothing but blank lines.
    #[error("`{}` is empty; fetch it again or take it out of the source", path.display())]
    Empty {
        /// The file.
        path: PathBuf,
    },
    /// Packed data that breaks off or does not unpack.
    #[error("`{}` does not unpack as {packing} after row {row}: it breaks off or is corrupt; fetch it again", path.display())]
    Packed {
        /// The file.
        path: PathBuf,
        /// `gzip` or `zstd`.
        packing: &'static str,
        /// Rows that were read whole.
        row: u64,
        /// What the unpacker said.
        source: io::Error,
    },
    /// A zip archive that is not whole, or whose members are not read.
    #[error("`{}` cannot be read: {reason}", path.display())]
    NotZip {
        /// The archive.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A format that is not read.
    #[error("`{}` is {what}, which is not read; {way_out}", path.display())]
    Unread {
        /// The file.
        path: PathBuf,
        /// The format.
        what: &'static str,
        /// How the same rows get into a file that is read.
        way_out: String,
    },
    /// Not text, or its columns have no names.
    #[error("`{}` cannot be read as CSV: {reason}", path.display())]
    NotCsv {
        /// The file.
        path: PathBuf,
        /// What was seen instead.
        reason: String,
    },
    /// The first records are no JSON objects.
    #[error("`{}` is not an NDJSON file (one JSON object a line): {reason}", path.display())]
    NotNdjson {
        /// The file.
        path: PathBuf,
        /// What was seen instead.
        reason: String,
    },
    /// Not a whole JSON document, or one without records where the job says.
    #[error("`{}` cannot be read as a JSON document: {reason}", path.display())]
    NotJson {
        /// The file.
        path: PathBuf,
        /// What was seen instead.
        reason: String,
    },
    /// A document says otherwise than its path.
    #[error("the path of `{}` says that `{field}` is `{place}`, and the document says `{document}`; rename the file, or give the field of the path another name", path.display())]
    PlaceDisagrees {
        /// The file.
        path: PathBuf,
        /// The field.
        field: String,
        /// What the path says.
        place: String,
        /// What the document says.
        document: String,
    },
    /// The footer or the pages of a Parquet file do not read.
    #[error("`{}` is not a whole Parquet file; fetch it again", path.display())]
    NotParquet {
        /// The file.
        path: PathBuf,
        /// What the Parquet reader said.
        source: ParquetError,
    },
    /// Not a whole Arrow IPC file or stream.
    #[error("`{}` cannot be read as Arrow IPC: {reason}", path.display())]
    NotArrow {
        /// The file.
        path: PathBuf,
        /// What was seen instead.
        reason: String,
    },
    /// Two columns of a file have one name.
    #[error("`{}` has more than one column called {columns}; rename all but one", path.display())]
    DuplicateColumns {
        /// The file.
        path: PathBuf,
        /// The names, in backticks.
        columns: String,
    },
    /// Files of one source have different columns.
    #[error("mixed schemas: column `{column}` of `{}` is missing in `{}`{remedy}", has.display(), lacks.display())]
    MixedColumns {
        /// The column.
        column: String,
        /// A file that has it.
        has: PathBuf,
        /// A file that does not.
        lacks: PathBuf,
        /// What it has instead, and what to do.
        remedy: String,
    },
    /// A column has different types in different files.
    #[error("mixed schemas: column `{column}` is {first_type} in `{}` and {other_type} in `{}`; rewrite one of them", first.display(), other.display())]
    MixedTypes {
        /// The column.
        column: String,
        /// A file.
        first: PathBuf,
        /// The type there.
        first_type: String,
        /// Another file.
        other: PathBuf,
        /// The type there.
        other_type: String,
    },
    /// A quote opens and the file ends.
    #[error("`{}` row {row} (line {line}): a quote opens in this row and never closes; close it or double it", path.display())]
    OpenQuote {
        /// The file.
        path: PathBuf,
        /// The row, from 1, the header not counted; 0 is the header.
        row: u64,
        /// The line the row begins in, from 1.
        line: u64,
    },
    /// A record is longer than any real one.
    #[error("`{}` row {row} (line {line}) is longer than {limit} bytes: {}", path.display(), if *quoted { "a quote in it may never close" } else { "the file may not be what its name says" })]
    RecordTooLong {
        /// The file.
        path: PathBuf,
        /// The row, from 1, the header not counted; 0 is the header.
        row: u64,
        /// The line the row begins in, from 1.
        line: u64,
        /// The longest record that is read.
        limit: usize,
        /// Whether a quote was open where reading stopped.
        quoted: bool,
    },
    /// The file is not the one it was.
    #[error("`{}` changed while it was read; run again when its writer is done", path.display())]
    Changed {
        /// The file.
        path: PathBuf,
    },
    /// The files have none of the columns.
    #[error("`{}` has none of the columns {wanted}; it has {available}", path.display())]
    NoWantedColumn {
        /// A file of the source.
        path: PathBuf,
        /// The columns the job names, in backticks.
        wanted: String,
        /// The columns there are, in backticks.
        available: String,
    },
    /// A file lacks a column.
    #[error("`{}` has no column `{column}`; it has {available}", path.display())]
    MissingColumn {
        /// The file.
        path: PathBuf,
        /// The column.
        column: String,
        /// The columns there are, in backticks.
        available: String,
    },
    /// A column's name is one the snapshot uses itself.
    #[error("column `{column}` cannot be read: {reason}; rename it in the file")]
    ReservedColumn {
        /// The column.
        column: String,
        /// Which name it collides with.
        reason: &'static str,
    },
    /// The snapshot cannot be written.
    #[error("cannot write the snapshot in `{}`; free space there or choose another folder", dir.display())]
    Write {
        /// The folder of the snapshot.
        dir: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// The snapshot cannot be encoded.
    #[error("cannot encode the snapshot in `{}`; this is a bug in barkeep, please report it", dir.display())]
    Encode {
        /// The folder of the snapshot.
        dir: PathBuf,
        /// What the Parquet writer said.
        source: ParquetError,
    },
    /// Rows went missing between reading and writing.
    #[error("read {read} rows and wrote {written}; this is a bug in barkeep, please report it")]
    Unbalanced {
        /// Rows read from the files.
        read: u64,
        /// Rows in the snapshot.
        written: u64,
    },
    /// The snapshot cannot be read.
    #[error("cannot read the snapshot `{}` back; run it again", path.display())]
    ReadBack {
        /// The snapshot.
        path: PathBuf,
        /// What is wrong with it.
        source: ParquetError,
    },
}

impl SourceError {
    /// The error for `source`, which the operating system gave for `path`.
    pub(super) fn read(path: &Path, source: io::Error) -> Self {
        match source.kind() {
            io::ErrorKind::PermissionDenied => Self::Denied { path: path.to_path_buf() },
            io::ErrorKind::NotFound => Self::NotFound { path: path.to_path_buf(), near: None },
            _ => Self::Read { path: path.to_path_buf(), source },
        }
    }

    /// The error for `source`, met while reading the Parquet file at `path`.
    pub(super) fn parquet(path: &Path, source: ParquetError) -> Self {
        match io_error(source) {
            Ok(source) => Self::read(path, source),
            Err(source) => Self::NotParquet { path: path.to_path_buf(), source },
        }
    }

    /// The error for `source`, met while reading the snapshot at `path`.
    pub(super) fn read_back(path: &Path, source: ParquetError) -> Self {
        Self::ReadBack { path: path.to_path_buf(), source }
    }

    /// The error for `source`, met while writing a snapshot in `dir`.
    pub(super) fn write(dir: &Path, source: ParquetError) -> Self {
        match io_error(source) {
            Ok(source) => Self::Write { dir: dir.to_path_buf(), source },
            Err(source) => Self::Encode { dir: dir.to_path_buf(), source },
        }
    }
}

/// The operating system's error inside a Parquet error. An early end of file is the data's fault, not the system's.
fn io_error(source: ParquetError) -> Result<io::Error, ParquetError> {
    match source {
        ParquetError::External(inner) => match inner.downcast::<io::Error>() {
            Ok(error) if error.kind() != io::ErrorKind::UnexpectedEof => Ok(*error),
            Ok(error) => Err(ParquetError::External(error)),
            Err(inner) => Err(ParquetError::External(inner)),
        },
        other => Err(other),
    }
}

/// Names in backticks, separated by commas; a long list is cut.
pub(super) fn quoted<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    const SHOWN: usize = 40;
    let names: Vec<&str> = names.into_iter().collect();
    let mut list: Vec<String> = names.iter().take(SHOWN).map(|name| format!("`{name}`")).collect();
    if names.len() > SHOWN {
        list.push(format!("{} more", names.len() - SHOWN));
    }
    if list.is_empty() { "none".to_owned() } else { list.join(", ") }
}

fn meant(near: Option<&Path>) -> String {
    near.map(|near| format!("; did you mean `{}`?", near.display())).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_is_distinguished_from_an_encoder_fault() {
        let dir = Path::new("out");
        let full = ParquetError::External(Box::new(io::Error::from(io::ErrorKind::StorageFull)));
        let error = SourceError::write(dir, full);
        assert!(matches!(&error, SourceError::Write { source, .. } if source.kind() == io::ErrorKind::StorageFull));
        assert_eq!(error.to_string(), "cannot write the snapshot in `out`; free space there or choose another folder");
        let fault = SourceError::write(dir, ParquetError::General("x".to_owned()));
        assert!(matches!(fault, SourceError::Encode { .. }));
    }

    #[test]
    fn an_early_end_of_a_parquet_file_is_the_files_fault() {
        let short = ParquetError::External(Box::new(io::Error::from(io::ErrorKind::UnexpectedEof)));
        assert!(matches!(SourceError::parquet(Path::new("a"), short), SourceError::NotParquet { .. }));
        let denied = ParquetError::External(Box::new(io::Error::from(io::ErrorKind::PermissionDenied)));
        assert!(matches!(SourceError::parquet(Path::new("a"), denied), SourceError::Denied { .. }));
    }

    #[test]
    fn long_lists_of_names_are_cut() {
        assert_eq!(quoted(["a", "b"]), "`a`, `b`");
        assert_eq!(quoted([]), "none");
        let many: Vec<String> = (0..50).map(|n| n.to_string()).collect();
        assert!(quoted(many.iter().map(String::as_str)).ends_with(", `39`, 10 more"));
    }
}
