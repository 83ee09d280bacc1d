//! Files as a source of bars: found, looked at, copied into a columnar snapshot, and read again row by row.
//!
//! Text files (CSV and NDJSON, plain or packed with gzip or zstd) are copied into one Parquet [`Snapshot`] that
//! carries a locator and a hash for every record. Parquet files are read where they lie. Nothing here decodes
//! numbers or timestamps, knows rules, or writes to a source: values stay the text they were.

mod column;
mod compression;
mod csv;
mod discover;
mod document;
mod error;
mod extended_json;
mod extract;
mod identity;
mod infer;
mod lookup;
#[cfg(feature = "mongodb")]
pub mod mongodb;
mod ndjson;
mod parquet;
mod records;
mod series_order;
mod snapshot;
mod table;
#[cfg(test)]
pub(crate) mod testing;
mod text;

use std::path::{Path, PathBuf};

pub use column::SourceColumn;
pub use discover::discover;
pub use document::id_text;
pub use error::SourceError;
pub use extract::extract;
pub use identity::FileIdentity;
pub use infer::infer;
pub use lookup::{Original, filled, originals};
pub use parquet::damaged as damaged_parquet;
pub use records::Record;
pub use series_order::{KeySpan, SeriesKey, SeriesOrder, series_order};
pub use snapshot::{Snapshot, Wanted, WantedKind, snapshot_schema};
pub use text::{Chunk, TextFile};

/// How the records of a file are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Format {
    /// Comma-separated values with a header row; the delimiter may be another byte.
    Csv,
    /// One JSON object a line.
    Ndjson,
    /// Apache Parquet.
    Parquet,
}

impl Format {
    /// The format a file name announces: `.csv`, `.ndjson`, `.jsonl`, `.json` (each also with `.gz` or `.zst`),
    /// `.parquet`. Upper and lower case are the same.
    pub fn of(path: &Path) -> Option<Self> {
        let name = path.file_name()?.to_str()?.to_ascii_lowercase();
        let bare = name.strip_suffix(".gz").or_else(|| name.strip_suffix(".zst"));
        let (_, extension) = bare.unwrap_or(&name).rsplit_once('.')?;
        match extension {
            "csv" => Some(Self::Csv),
            "ndjson" | "jsonl" | "json" => Some(Self::Ndjson),
            "parquet" if bare.is_none() => Some(Self::Parquet),
            _ => None,
        }
    }

    /// The name as jobs write it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::Ndjson => "ndjson",
            Self::Parquet => "parquet",
        }
    }

    /// Whether records are text, so that a run copies them into a snapshot.
    pub fn is_text(self) -> bool {
        self != Self::Parquet
    }
}

/// Which files a job names, and how they are to be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Files {
    /// Files, folders or globs; at least one. Relative ones start at the working folder.
    pub patterns: Vec<PathBuf>,
    /// The format; without one the file names tell.
    pub format: Option<Format>,
    /// The byte between CSV cells: ASCII, and neither a quote nor a line end.
    pub delimiter: u8,
    /// CSV cells with one of these texts, quoted or not, are NULL. An empty cell is NULL where `""` is among them.
    pub nulls: Vec<String>,
}

/// The files of a source: at least one, all of one format, each listed once, in a fixed order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FilesSet {
    /// The format of every file.
    pub format: Format,
    /// The files; a locator counts into this list.
    pub files: Vec<PathBuf>,
    /// See [`Files::delimiter`].
    pub delimiter: u8,
    /// See [`Files::nulls`].
    pub nulls: Vec<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_name_tells_the_format() {
        for (name, format) in [
            ("a.csv", Some(Format::Csv)),
            ("A.CSV.GZ", Some(Format::Csv)),
            ("a.b.ndjson.zst", Some(Format::Ndjson)),
            ("a.jsonl", Some(Format::Ndjson)),
            ("a.json", Some(Format::Ndjson)),
            ("a.parquet", Some(Format::Parquet)),
            ("a.parquet.gz", None),
            ("csv", None),
            ("a.txt", None),
            ("a.gz", None),
        ] {
            assert_eq!(Format::of(Path::new(name)), format, "{name}");
        }
    }
}
