//! Files as a source of bars: found, looked at, copied into a columnar snapshot, and read again row by row.
//!
//! Text files (CSV and NDJSON, plain or packed with gzip or zstd) are copied into one Parquet [`Snapshot`] that
//! carries a locator for every record. Parquet files are read where they lie. Nothing here decodes
//! numbers or timestamps, knows rules, or writes to a source: values stay the text they were.

mod arrow_ipc;
mod chunk;
mod column;
mod column_bytes;
mod compression;
mod csv;
mod discover;
mod document;
mod error;
mod extended_json;
mod extract;
mod format;
mod identity;
mod infer;
mod json_document;
mod json_flat;
mod json_nested;
mod json_place;
mod look;
mod lookup;
#[cfg(feature = "mongodb")]
pub mod mongodb;
mod ndjson;
mod opened;
mod parquet;
mod place;
mod records;
mod series_order;
mod snapshot;
mod sniff;
mod table;
#[cfg(test)]
pub(crate) mod testing;
mod text;
mod text_originals;
mod unread;
mod wide;
mod zip_archive;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use crate::bars::TextLayout;
use crate::bars::wide::WideTable;

use compression::Unpacked;
use zip_archive::Member;

pub use arrow_ipc::arrow_as_parquet;
pub use chunk::Chunk;
pub use column::SourceColumn;
pub use column_bytes::column_bytes;
pub use discover::discover;
pub use document::id_text;
pub use error::SourceError;
pub use extract::extract;
pub use format::Format;
pub use identity::FileIdentity;
pub use infer::infer;
pub use look::{first_arrow_rows, first_bytes, first_rows};
pub use lookup::{Original, Position, filled, originals, positions};
pub use parquet::{check_wanted as check_parquet, columns_of, damaged as damaged_parquet};
pub use place::PlaceFields;
pub use records::Record;
pub use series_order::{KeyField, KeySpan, SeriesKey, SeriesOrder, series_order};
pub use snapshot::{Snapshot, Wanted, WantedKind, snapshot_schema};
pub use text::TextFile;
pub use text_originals::text_originals;

/// Which files a job names, and how they are to be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Files {
    /// Files, folders or globs; at least one. Relative ones start at the working folder.
    pub patterns: Vec<PathBuf>,
    /// The format; without one the file names tell.
    pub format: Option<Format>,
    /// How records lie in text files. Without a delimiter of the job, the names of the files tell it.
    pub layout: TextLayout,
    /// Whether the job names the delimiter.
    pub delimiter_is_given: bool,
    /// Where the records are in a JSON document.
    pub records: Option<String>,
    /// What the header says where CSV files are wide tables.
    pub wide: Option<WideTable>,
    /// Names that mean one column: the first is its name, and files may call it by any of the others.
    pub aliases: Vec<Vec<String>>,
    /// Whether files without any record are left out where others have some.
    pub skip_empty: bool,
    /// Whether a column that a file lacks is NULL in it.
    pub missing_is_null: bool,
}

impl Files {
    /// These files, read as files usually are.
    pub fn all(patterns: Vec<PathBuf>) -> Self {
        Self {
            patterns,
            format: None,
            layout: TextLayout { nulls: vec![String::new()], ..TextLayout::default() },
            delimiter_is_given: false,
            records: None,
            wide: None,
            aliases: Vec::new(),
            skip_empty: true,
            missing_is_null: false,
        }
    }
}

/// The files of a source: at least one, all of one format, each listed once, in a fixed order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FilesSet {
    /// The format of every file.
    pub format: Format,
    /// The files; a locator counts into this list.
    pub files: Vec<PathBuf>,
    /// Those of them that are members of a zip archive.
    pub members: BTreeMap<PathBuf, Member>,
    /// Fields that the places of the files give, and their values for each file.
    pub places: PlaceFields,
    /// See [`Files::layout`].
    pub layout: TextLayout,
    /// See [`Files::records`].
    pub records: Option<String>,
    /// See [`Files::wide`].
    pub wide: Option<WideTable>,
    /// See [`Files::aliases`].
    pub aliases: Vec<Vec<String>>,
    /// See [`Files::missing_is_null`].
    pub missing_is_null: bool,
    /// See [`Files::skip_empty`].
    pub skip_empty: bool,
    /// Files that were left out, for there is nothing in them.
    pub empty: Vec<PathBuf>,
    /// Whether what JSON records have besides the columns that are read is copied too, as one text.
    pub whole: bool,
    /// Columns that are NULL in files that lack them, whatever [`Files::missing_is_null`] says.
    pub may_lack: BTreeSet<String>,
}

impl FilesSet {
    /// Files of one format, read as its files usually are.
    pub fn new(format: Format, files: Vec<PathBuf>, layout: TextLayout) -> Self {
        Self {
            format,
            files,
            members: BTreeMap::new(),
            places: PlaceFields::default(),
            layout,
            records: None,
            wide: None,
            aliases: Vec::new(),
            missing_is_null: false,
            skip_empty: false,
            empty: Vec::new(),
            whole: false,
            may_lack: BTreeSet::new(),
        }
    }

    /// Leaves out typed files without a row, where others have some and nothing says that this is an error; whether there
    /// was one. Their columns say nothing of the bars.
    ///
    /// # Errors
    /// A file cannot be read.
    pub fn leave_out_rowless(&mut self) -> Result<bool, SourceError> {
        let rowless = match self.format {
            _ if !self.skip_empty => return Ok(false),
            Format::Parquet => parquet::rowless(&self.files)?,
            Format::Arrow => arrow_ipc::rowless(&self.files)?,
            Format::Csv | Format::Ndjson | Format::Json => return Ok(false),
        };
        if !rowless.contains(&true) || !rowless.contains(&false) {
            return Ok(false);
        }
        let mut stays = rowless.iter().map(|rowless| !rowless);
        self.places.values.retain(|_| stays.next().unwrap_or(true));
        let files = std::mem::take(&mut self.files).into_iter().zip(rowless);
        let (empty, files): (Vec<_>, Vec<_>) = files.partition(|(_, rowless)| *rowless);
        self.files = files.into_iter().map(|(path, _)| path).collect();
        self.empty.extend(empty.into_iter().map(|(path, _)| path));
        Ok(true)
    }

    /// The text of the file at `path`, one of these.
    fn unpacked(&self, path: &Path) -> Result<Unpacked, SourceError> {
        match self.members.get(path) {
            Some(member) => Unpacked::member(path, member),
            None => Unpacked::open(path),
        }
    }

    /// The file at `path`, one of these, as it lies on disk now.
    fn identity(&self, path: &Path) -> Result<FileIdentity, SourceError> {
        FileIdentity::of(self.members.get(path).map_or(path, |member| &member.archive))
    }

    /// The files on disk: an archive in place of its members.
    pub fn on_disk(&self) -> BTreeSet<&Path> {
        let on_disk = |path| self.members.get(path).map_or(path, |member: &Member| member.archive.as_path());
        self.files.iter().map(PathBuf::as_path).map(on_disk).collect()
    }

    /// The name of the column that a file calls `name`.
    fn canonical<'a>(&'a self, name: &'a str) -> &'a str {
        let of = |names: &&Vec<String>| names.iter().any(|other| other == name);
        self.aliases.iter().find(of).and_then(|names| names.first()).map_or(name, String::as_str)
    }

    /// Why no row can leave these files, where none can.
    pub fn check_only(&self) -> Option<String> {
        if let Some(member) = self.members.values().next() {
            return Some(format!("barkeep reads `{}` and does not pack it again", member.archive.display()));
        }
        if self.wide.is_some() {
            return Some("in a wide table a record holds the bars of several series".to_owned());
        }
        match self.format {
            Format::Json => {
                return Some("a JSON document is one whole: no record can be taken out of it line by line".to_owned());
            }
            Format::Arrow => return Some("barkeep reads Arrow files and does not write them".to_owned()),
            Format::Parquet => return None,
            Format::Csv | Format::Ndjson => {}
        }
        if !self.layout.encoding.keeps_lines() {
            return Some(format!("in {} a record is not a stretch of the file's bytes", self.layout.encoding.name()));
        }
        let packed = |path: &&PathBuf| matches!(format::packed_by_name(path), Some("bzip2" | "xz"));
        self.files
            .iter()
            .find(packed)
            .map(|path| format!("barkeep reads `{}` and does not pack it again", path.display()))
    }
}
