//! What was begun, what was about to happen, and how it ended: one record for each, written once and never changed.
//!
//! `ID.begun.json` names the files that will be made; `ID.intent.json` holds the hashes that decide where a swap
//! stands; `ID.done.json` is the outcome. A removal without an outcome is unfinished.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::settle::item::State;
use crate::source::{FilesSet, Format};

use super::FilesError;
use super::disk;

/// That something is about to be written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Begun {
    pub(super) id: String,
    pub(super) run_id: String,
    /// µs UTC.
    pub(super) at: i64,
    /// The source, as an absolute path.
    pub(super) source: PathBuf,
    pub(super) format: String,
    pub(super) delimiter: u8,
    /// The rows that come back; a removal has none.
    pub(super) restoring: Option<Restoring>,
}

/// Rows that come back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Restoring {
    /// The removal that took them.
    pub(super) removal: String,
    pub(super) items: Vec<String>,
}

/// That the source is about to be replaced.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Intent {
    /// SHA-256 of the source.
    pub(super) old: String,
    /// SHA-256 of what replaces it.
    pub(super) new: String,
    /// SHA-256 of the quarantine copy; a restore has none.
    pub(super) quarantine: Option<String>,
    /// Rows that leave or come back.
    pub(super) rows: u64,
    /// The header of a CSV file.
    pub(super) columns: Vec<String>,
}

/// How it ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Done {
    pub(super) end: End,
    /// Where rows differ: the state of each by its item.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) states: BTreeMap<String, State>,
    /// What a person should know.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) note: Option<String>,
}

/// The ends of a removal or a restore.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum End {
    /// The source was replaced.
    Swapped,
    /// Somebody changed the source: it stays as it is.
    KeptChanged,
    /// The source could not be replaced.
    KeptError,
    /// Given up before anything was about to happen.
    Closed,
    /// Neither file was known any more: the rows were looked for one by one.
    Looked,
}

/// All that is known of one removal or restore.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub(super) begun: Begun,
    pub(super) intent: Option<Intent>,
    pub(super) done: Option<Done>,
}

impl Begun {
    /// The source as its format wants to be read.
    pub(super) fn set(&self) -> FilesSet {
        let formats = [Format::Csv, Format::Ndjson, Format::Parquet];
        let format = formats.into_iter().find(|format| format.as_str() == self.format).unwrap_or(Format::Ndjson);
        FilesSet { format, files: vec![self.source.clone()], delimiter: self.delimiter, nulls: Vec::new() }
    }

    /// The new file, and after the swap the old one, beside the source.
    pub(super) fn temporary(&self) -> PathBuf {
        disk::folder_of(&self.source).join(format!(".barkeep-{}.clean", self.id))
    }

    /// The second name of the old file where names cannot be exchanged.
    pub(super) fn linked(&self) -> PathBuf {
        disk::folder_of(&self.source).join(format!(".barkeep-{}.held", self.id))
    }
}

impl Entry {
    /// Whether this is a removal whose swap was done.
    pub(super) fn swapped(&self) -> bool {
        self.done.as_ref().is_some_and(|done| done.end == End::Swapped)
    }
}

/// The records of a job.
#[derive(Debug)]
pub(super) struct Journal {
    folder: PathBuf,
}

const ENDINGS: [&str; 3] = ["begun", "intent", "done"];

impl Journal {
    pub(super) fn new(folder: PathBuf) -> Self {
        Self { folder }
    }

    pub(super) fn begin(&self, begun: &Begun) -> Result<(), FilesError> {
        disk::make_folder(&self.folder)?;
        self.write(&begun.id, "begun", begun)
    }

    pub(super) fn intend(&self, id: &str, intent: &Intent) -> Result<(), FilesError> {
        self.write(id, "intent", intent)
    }

    pub(super) fn finish(&self, id: &str, done: &Done) -> Result<(), FilesError> {
        self.write(id, "done", done)
    }

    /// Whether something has this name already.
    pub(super) fn has(&self, id: &str) -> bool {
        ENDINGS.iter().any(|ending| self.path(id, ending).exists())
    }

    /// Takes the records of `id` away.
    pub(super) fn forget(&self, id: &str) -> Result<(), FilesError> {
        // A crash in between leaves an outcome, or a beginning that recovery closes; never an intent to be carried out.
        ["intent", "done", "begun"].iter().try_for_each(|ending| disk::remove(&self.path(id, ending)))
    }

    /// Everything that was ever begun and not purged, the oldest first.
    pub(super) fn entries(&self) -> Result<Vec<Entry>, FilesError> {
        let names = match fs::read_dir(&self.folder) {
            Ok(names) => names,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(source) => return Err(FilesError::read(&self.folder, source)),
        };
        let mut entries = Vec::new();
        for name in names {
            let name = name.map_err(|source| FilesError::read(&self.folder, source))?.file_name();
            let Some(id) = name.to_str().and_then(|name| name.strip_suffix(".begun.json")) else { continue };
            if id.starts_with('.') {
                continue;
            }
            let Some(begun) = self.read::<Begun>(id, "begun")? else { continue };
            entries.push(Entry { begun, intent: self.read(id, "intent")?, done: self.read(id, "done")? });
        }
        entries.sort_by(|a, b| (a.begun.at, &a.begun.id).cmp(&(b.begun.at, &b.begun.id)));
        Ok(entries)
    }

    fn path(&self, id: &str, ending: &str) -> PathBuf {
        self.folder.join(format!("{id}.{ending}.json"))
    }

    fn write(&self, id: &str, ending: &str, record: &impl Serialize) -> Result<(), FilesError> {
        let path = self.path(id, ending);
        let bytes = serde_json::to_vec_pretty(record);
        let bytes = bytes.map_err(|source| FilesError::Journal { path: path.clone(), source })?;
        disk::write_whole(&path, &bytes)
    }

    fn read<T: DeserializeOwned>(&self, id: &str, ending: &str) -> Result<Option<T>, FilesError> {
        let path = self.path(id, ending);
        let bytes = match fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(FilesError::read(&path, source)),
        };
        serde_json::from_slice(&bytes).map(Some).map_err(|source| FilesError::Journal { path, source })
    }
}

/// The absolute form of `path`, which must be text.
pub(super) fn absolute(path: &Path) -> Result<PathBuf, FilesError> {
    let absolute = std::path::absolute(path).map_err(|source| FilesError::read(path, source))?;
    match absolute.to_str() {
        Some(_) => Ok(absolute),
        None => Err(FilesError::PathNotText { path: absolute }),
    }
}
