//! How the records of a file are written, and what its name says of that. Pure.

use std::path::Path;

/// How the names of packed files end.
pub(super) const PACKED: [&str; 4] = [".gz", ".zst", ".bz2", ".xz"];

/// How the records of a file are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Format {
    /// Comma-separated values with a header row; the delimiter may be another byte.
    Csv,
    /// One JSON object a line.
    Ndjson,
    /// One JSON document with many records in it.
    Json,
    /// Apache Parquet.
    Parquet,
    /// Apache Arrow IPC, as a file (Feather) or as a stream.
    Arrow,
}

impl Format {
    /// The format a file name announces: `.csv`, `.tsv`, `.txt`, `.ndjson`, `.jsonl`, `.json` (each also with `.gz`,
    /// `.zst`, `.bz2` or `.xz`), `.parquet`, `.pq`, `.parq`, `.arrow`, `.feather`, `.ipc`. Upper and lower case are the
    /// same. Whether a `.json` file is one document only its bytes tell.
    pub fn of(path: &Path) -> Option<Self> {
        let name = path.file_name()?.to_str()?.to_ascii_lowercase();
        let bare = PACKED.iter().find_map(|ending| name.strip_suffix(ending));
        let (_, extension) = bare.unwrap_or(&name).rsplit_once('.')?;
        match extension {
            "csv" | "tsv" | "txt" => Some(Self::Csv),
            "ndjson" | "jsonl" | "json" => Some(Self::Ndjson),
            "parquet" | "pq" | "parq" if bare.is_none() => Some(Self::Parquet),
            "arrow" | "feather" | "ipc" if bare.is_none() => Some(Self::Arrow),
            _ => None,
        }
    }

    /// The name as jobs write it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::Ndjson => "ndjson",
            Self::Json => "json",
            Self::Parquet => "parquet",
            Self::Arrow => "arrow",
        }
    }

    /// Whether records are text, so that a run copies them into a snapshot.
    pub fn is_text(self) -> bool {
        matches!(self, Self::Csv | Self::Ndjson | Self::Json)
    }

    /// Whether values have the types of JSON.
    pub(crate) fn is_json(self) -> bool {
        matches!(self, Self::Ndjson | Self::Json)
    }

    /// Whether a file is one document, and many of its records may stand in a line.
    pub(super) fn is_document(self) -> bool {
        self == Self::Json
    }

    /// Whether a file that is read as this format may be called `path`.
    pub(super) fn fits(self, path: &Path) -> bool {
        let named = Self::of(path);
        named == Some(self) || (self == Self::Json && named == Some(Self::Ndjson))
    }
}

/// What the name of a file says that it is packed with.
pub(super) fn packed_by_name(path: &Path) -> Option<&'static str> {
    let ending = path.extension()?.to_str()?.to_ascii_lowercase();
    match ending.as_str() {
        "gz" => Some("gzip"),
        "zst" => Some("zstd"),
        "bz2" => Some("bzip2"),
        "xz" => Some("xz"),
        _ => None,
    }
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
            ("a.txt", Some(Format::Csv)),
            ("a.tsv.xz", Some(Format::Csv)),
            ("a.pq", Some(Format::Parquet)),
            ("a.xlsx", None),
            ("a.gz", None),
        ] {
            assert_eq!(Format::of(Path::new(name)), format, "{name}");
        }
    }
}
