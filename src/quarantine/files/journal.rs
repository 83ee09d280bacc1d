//! What was begun, what was about to happen, and how it ended: a record for each, written whole.
//!
//! `ID.begun.json` names the files that will be made; `ID.intent.json` says which file is to take the name of which;
//! `ID.carry.json` that rows which came late are about to be appended; `ID.done.json` is the outcome. Work without an
//! outcome is unfinished. Records are ordered by a number that grows, never by a clock.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::bars::layout::{Delimiter, TextLayout};
use crate::durable::paths;
use crate::durable::{Disk, FileId, folder_of, hex, sha256};
use crate::quarantine::item::State;
use crate::source::{FilesSet, Format};

use super::FilesError;
use super::open::Open;

/// That something is about to be written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Begun {
    pub(super) id: String,
    /// Grows from record to record of a job; 0 in records of earlier versions, which come first.
    #[serde(default)]
    pub(super) sequence: u64,
    pub(super) run_id: String,
    /// µs UTC.
    pub(super) at: i64,
    /// The source, as an absolute path.
    #[serde(deserialize_with = "without_detours")]
    pub(super) source: PathBuf,
    pub(super) format: String,
    /// How records of text lie in it; in records of earlier versions only the delimiter.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) layout: Option<TextLayout>,
    #[serde(default)]
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
    /// Which files they are, and their lengths; earlier versions did not write them down.
    #[serde(default)]
    pub(super) files: Option<Files>,
    /// SHA-256 of the quarantine copy; a restore has none.
    pub(super) quarantine: Option<String>,
    /// Rows that leave or come back.
    pub(super) rows: u64,
    /// The header of a CSV file.
    pub(super) columns: Vec<String>,
}

/// The two files of an exchange.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Files {
    pub(super) old: FileId,
    pub(super) new: FileId,
    /// Bytes of the source that `Intent::old` is the hash of.
    pub(super) old_length: u64,
    /// Bytes of its replacement that `Intent::new` is the hash of.
    pub(super) new_length: u64,
    /// What was appended to the source before the exchange, and was put behind both.
    pub(super) tail: Option<Tail>,
    /// Bytes of a replacement that lost the name again, with the rows that were carried over from it: they came to it
    /// while it had the name, and are no late rows. Known to the process that did it alone; a recovery finds out anew.
    #[serde(skip)]
    pub(super) carried: u64,
}

/// Bytes at the end of a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Tail {
    pub(super) length: u64,
    /// SHA-256.
    pub(super) sha256: String,
}

/// That rows which came late are about to be appended to the file that has the name of the source.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Carry {
    /// Which of the two files the rows came to.
    pub(super) side: Side,
    /// Where they begin in it.
    pub(super) from: u64,
    /// The file that is appended to, and its length before.
    pub(super) to: FileId,
    pub(super) at: u64,
}

/// One of the two files of an exchange.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Side {
    /// The source as it was.
    Old,
    /// Its replacement.
    New,
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
    /// The files that lost their name and are kept.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) originals: Vec<Original>,
}

/// A file that lost its name, kept as it was. Somebody who had it open may still write to it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Original {
    /// Where it is; from the quarantine folder of the job on where it lies in there.
    pub(super) path: PathBuf,
    /// SHA-256 of its first bytes.
    pub(super) sha256: String,
    /// How many: all that are accounted for.
    pub(super) length: u64,
    /// When it was last changed by then, nanoseconds since 1970-01-01 UTC.
    pub(super) modified: i64,
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
    pub(super) carry: Option<Carry>,
    pub(super) done: Option<Done>,
}

impl Files {
    /// Bytes of one of the two files that are accounted for.
    pub(super) fn accounted(&self, side: Side) -> u64 {
        self.tail.as_ref().map_or(0, |tail| tail.length)
            + match side {
                Side::Old => self.old_length,
                Side::New => self.new_length,
            }
    }

    /// Which file it is.
    pub(super) fn id(&self, side: Side) -> FileId {
        match side {
            Side::Old => self.old,
            Side::New => self.new,
        }
    }
}

impl Intent {
    /// Whether the bytes of `open` that are accounted for are still those of one of the two files. Other bytes may
    /// follow.
    pub(super) fn holds(&self, side: Side, open: &Open) -> Result<bool, FilesError> {
        let (hash, base) = match side {
            Side::Old => (&self.old, self.files.as_ref().map_or(u64::MAX, |files| files.old_length)),
            Side::New => (&self.new, self.files.as_ref().map_or(u64::MAX, |files| files.new_length)),
        };
        if hex(&open.until(base).hash()?) != *hash {
            return Ok(false);
        }
        let Some(tail) = self.files.as_ref().and_then(|files| files.tail.as_ref()) else { return Ok(true) };
        Ok(hex(&sha256(&open.until(base + tail.length).bytes(base)?)) == tail.sha256)
    }
}

impl Begun {
    /// The source as its format wants to be read.
    pub(super) fn set(&self) -> FilesSet {
        let formats = [Format::Csv, Format::Ndjson, Format::Parquet];
        let format = formats.into_iter().find(|format| format.as_str() == self.format).unwrap_or(Format::Ndjson);
        let earlier = || TextLayout { delimiter: Delimiter::Byte(self.delimiter), ..TextLayout::default() };
        FilesSet::new(format, vec![self.source.clone()], self.layout.clone().unwrap_or_else(earlier))
    }

    /// The new file, and after the swap the old one, beside the source.
    pub(super) fn temporary(&self) -> PathBuf {
        folder_of(&self.source).join(format!(".barkeep-{}.clean", self.id))
    }

    /// The second name of the old file where names cannot be exchanged.
    pub(super) fn linked(&self) -> PathBuf {
        folder_of(&self.source).join(format!(".barkeep-{}.held", self.id))
    }
}

/// The records of a job.
#[derive(Debug)]
pub(super) struct Journal {
    disk: Disk,
    folder: PathBuf,
}

const ENDINGS: [&str; 4] = ["begun", "intent", "carry", "done"];

impl Journal {
    pub(super) fn new(disk: Disk, folder: PathBuf) -> Self {
        Self { disk, folder }
    }

    pub(super) fn begin(&self, begun: &Begun) -> Result<(), FilesError> {
        self.disk.make_folders(&self.folder).map_err(|source| FilesError::write(&self.folder, source))?;
        self.write(&begun.id, "begun", begun)
    }

    pub(super) fn intend(&self, id: &str, intent: &Intent) -> Result<(), FilesError> {
        self.write(id, "intent", intent)
    }

    pub(super) fn carry(&self, id: &str, carry: &Carry) -> Result<(), FilesError> {
        self.write(id, "carry", carry)
    }

    pub(super) fn finish(&self, id: &str, done: &Done) -> Result<(), FilesError> {
        self.write(id, "done", done)
    }

    /// Where late rows were about to be carried over to.
    pub(super) fn carried(&self, id: &str) -> Result<Option<Carry>, FilesError> {
        self.read(id, "carry")
    }

    /// Whether something has this name already.
    pub(super) fn has(&self, id: &str) -> Result<bool, FilesError> {
        for ending in ENDINGS {
            let path = self.path(id, ending);
            if self.disk.exists(&path).map_err(|source| FilesError::read(&path, source))? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Takes the records of `id` away.
    pub(super) fn forget(&self, id: &str) -> Result<(), FilesError> {
        // A crash in between leaves an outcome, or a beginning that recovery closes; never an intent to be carried out.
        ["intent", "carry", "done", "begun"].iter().try_for_each(|ending| {
            let path = self.path(id, ending);
            self.disk.remove(&path).map_err(|source| FilesError::write(&path, source))
        })
    }

    /// Everything that was ever begun and not purged, the oldest first. What does not read stands beside it: it is
    /// reported, and keeps nothing else from being read.
    pub(super) fn entries(&self) -> Result<(Vec<Entry>, Vec<FilesError>), FilesError> {
        let names = self.disk.names(&self.folder).map_err(|source| FilesError::read(&self.folder, source))?;
        let (mut entries, mut damaged) = (Vec::new(), Vec::new());
        for name in names {
            let Some(id) = name.to_str().and_then(|name| name.strip_suffix(".begun.json")) else { continue };
            if id.starts_with('.') {
                continue;
            }
            match self.entry(id) {
                Ok(Some(entry)) => entries.push(entry),
                Ok(None) => {}
                Err(error @ FilesError::Journal { .. }) => damaged.push(error),
                Err(error) => return Err(error),
            }
        }
        // Records of earlier versions have no number, and are ordered by the time they were written down with.
        let order = |entry: &Entry| {
            let at = if entry.begun.sequence == 0 { entry.begun.at } else { 0 };
            (entry.begun.sequence, at, entry.begun.id.clone())
        };
        entries.sort_by_key(order);
        Ok((entries, damaged))
    }

    /// The number of new work at `source`.
    ///
    /// # Errors
    /// [`FilesError::Unfinished`] where earlier work there has no outcome.
    pub(super) fn next_for(&self, source: &Path) -> Result<u64, FilesError> {
        let (entries, _) = self.entries()?;
        if let Some(entry) = entries.iter().find(|entry| entry.done.is_none() && entry.begun.source == source) {
            return Err(FilesError::Unfinished { id: entry.begun.id.clone(), path: source.to_path_buf() });
        }
        Ok(entries.last().map_or(0, |entry| entry.begun.sequence) + 1)
    }

    /// Work at `source` that has no outcome.
    pub(super) fn unfinished_at(&self, source: &Path) -> Result<Option<Entry>, FilesError> {
        let (entries, _) = self.entries()?;
        Ok(entries.into_iter().find(|entry| entry.done.is_none() && entry.begun.source == source))
    }

    fn entry(&self, id: &str) -> Result<Option<Entry>, FilesError> {
        let Some(begun) = self.read::<Begun>(id, "begun")? else { return Ok(None) };
        let (intent, carry, done) = (self.read(id, "intent")?, self.read(id, "carry")?, self.read(id, "done")?);
        Ok(Some(Entry { begun, intent, carry, done }))
    }

    fn path(&self, id: &str, ending: &str) -> PathBuf {
        self.folder.join(format!("{id}.{ending}.json"))
    }

    fn write(&self, id: &str, ending: &str, record: &impl Serialize) -> Result<(), FilesError> {
        let path = self.path(id, ending);
        let bytes = serde_json::to_vec_pretty(record);
        let bytes = bytes.map_err(|source| FilesError::Journal { path: path.clone(), source })?;
        self.disk.write_whole(&path, &bytes).map_err(|source| FilesError::write(&path, source))
    }

    fn read<T: DeserializeOwned>(&self, id: &str, ending: &str) -> Result<Option<T>, FilesError> {
        let path = self.path(id, ending);
        let bytes = self.disk.read(&path).map_err(|source| FilesError::read(&path, source))?;
        let Some(bytes) = bytes else { return Ok(None) };
        serde_json::from_slice(&bytes).map(Some).map_err(|source| FilesError::Journal { path, source })
    }
}

/// Earlier versions wrote paths down with their `..`; a source is found by its name.
fn without_detours<'de, D: serde::Deserializer<'de>>(path: D) -> Result<PathBuf, D::Error> {
    PathBuf::deserialize(path).map(|path| paths::tidy(&path))
}

/// The absolute form of `path`, which must be text.
pub(super) fn absolute(path: &Path) -> Result<PathBuf, FilesError> {
    let absolute = paths::absolute(path).map_err(|source| FilesError::read(path, source))?;
    match absolute.to_str() {
        Some(_) => Ok(absolute),
        None => Err(FilesError::PathNotText { path: absolute }),
    }
}
