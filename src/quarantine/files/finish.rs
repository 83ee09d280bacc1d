//! How an exchange ends: what lost its name is kept, the outcome is recorded, and only then a temporary name is given up.

use std::collections::{BTreeMap, HashMap};

use crate::durable::hex;
use crate::quarantine::item::State;
use crate::source::FilesSet;

use super::journal::{Begun, Done, End, Intent, Original, Side};
use super::open::Open;
use super::place::Directory;
use super::steps::{Step, Way, step};
use super::{FilesError, originals, quarantine, table, text};

/// The end of work at one source.
pub(super) struct Finish<'a> {
    pub(super) directory: &'a Directory,
    pub(super) way: Way,
    pub(super) begun: &'a Begun,
    pub(super) intent: &'a Intent,
}

impl Finish<'_> {
    /// The source was replaced; it lies under the temporary name, and its first `accounted` bytes are accounted for.
    pub(super) fn exchanged(&self, accounted: u64) -> Result<Done, FilesError> {
        let temporary = self.begun.temporary();
        let original = step(self.way, Step::Original, || {
            originals::keep(self.directory, &self.begun.source, &temporary, accounted)
        })?;
        self.replaced(vec![original])
    }

    /// The source was replaced, and what it was is kept.
    pub(super) fn replaced(&self, originals: Vec<Original>) -> Result<Done, FilesError> {
        // Where somebody gave the name to another file in the meantime, its rows may be where they were.
        let mut done = match self.is_replacement()? {
            true => ended(End::Swapped, None),
            false => look(self.directory, self.begun)?,
        };
        done.originals = originals;
        self.record(done)
    }

    /// The source stays as it is; the replacement is given up.
    pub(super) fn stays(&self, end: End, note: Option<String>) -> Result<Done, FilesError> {
        self.record(ended(end, note))
    }

    /// The rows are looked for one by one.
    pub(super) fn looked(&self) -> Result<Done, FilesError> {
        self.record(look(self.directory, self.begun)?)
    }

    fn record(&self, mut done: Done) -> Result<Done, FilesError> {
        done.originals.extend(self.keep_strays()?);
        step(self.way, Step::Done, || self.directory.journal.finish(&self.begun.id, &done))?;
        step(self.way, Step::Clear, || self.directory.remove(&self.begun.temporary()))?;
        Ok(done)
    }

    /// What is under a temporary name and is not the replacement as it was written is somebody's, and is kept.
    pub(super) fn keep_strays(&self) -> Result<Vec<Original>, FilesError> {
        let mut kept = Vec::new();
        for path in [self.begun.temporary(), self.begun.linked()] {
            let Some(open) = Open::find(&self.directory.disk, &path)? else { continue };
            let length = open.attributes()?.length;
            let accounted = self.accounted(&open)?;
            if accounted.is_none_or(|accounted| length > accounted) {
                kept.push(originals::keep(self.directory, &self.begun.source, &path, accounted.unwrap_or(length))?);
            }
        }
        Ok(kept)
    }

    /// How many bytes of the replacement are accounted for; `None` where it is another file, or was rewritten. One that
    /// was cut short while the tail was put behind it is shorter, and nobody's either.
    fn accounted(&self, open: &Open) -> Result<Option<u64>, FilesError> {
        let Some(files) = &self.intent.files else {
            return Ok(self.intent.holds(Side::New, open)?.then_some(u64::MAX));
        };
        let is_new = open.attributes()?.id == files.new;
        let as_written = is_new && hex(&open.until(files.new_length).hash()?) == self.intent.new;
        Ok(as_written.then(|| files.accounted(Side::New).max(files.carried)))
    }

    /// Whether the file that has the name is the replacement as it was written, and perhaps rows behind it. A moment
    /// after the exchange its length tells; later it may have been rewritten.
    fn is_replacement(&self) -> Result<bool, FilesError> {
        let Some(files) = &self.intent.files else { return Ok(false) };
        let Some(named) = Open::find(&self.directory.disk, &self.begun.source)? else { return Ok(false) };
        let at = named.attributes()?;
        if at.id != files.new {
            return Ok(false);
        }
        let as_written = self.way != Way::Recover && at.length == files.accounted(Side::New);
        if as_written { Ok(true) } else { self.intent.holds(Side::New, &named) }
    }
}

/// An end that is the same for all rows.
pub(super) fn ended(end: End, note: Option<String>) -> Done {
    Done { end, states: BTreeMap::new(), note, originals: Vec::new() }
}

/// Looks for every row in the source as it is.
fn look(directory: &Directory, begun: &Begun) -> Result<Done, FilesError> {
    let (of, restoring) = match &begun.restoring {
        Some(restoring) => (restoring.removal.as_str(), Some(&restoring.items)),
        None => (begun.id.as_str(), None),
    };
    let mut there = match Open::find(&directory.disk, &begun.source)? {
        Some(open) => keys_in(&open, &begun.set())?,
        None => HashMap::new(),
    };
    let mut states = BTreeMap::new();
    if let Some(copy) = directory.open_copy(of)? {
        let kept = quarantine::read(&copy)?;
        let keys = keys_of(&copy, &kept)?;
        for (row, key) in kept.into_iter().zip(keys) {
            let count = there.entry(key).or_default();
            let present = *count > 0;
            *count = count.saturating_sub(1);
            let state = match restoring {
                None if present => State::KeptChanged,
                None => State::Removed,
                Some(items) if present && items.contains(&row.id) => State::Restored,
                Some(_) => continue,
            };
            states.insert(row.id, state);
        }
    }
    let note =
        format!("`{}` was changed by somebody else; its rows were looked for one by one", begun.source.display());
    Ok(Done { states, ..ended(End::Looked, Some(note)) })
}

/// How often each row key is in a file.
pub(super) fn keys_in(open: &Open, set: &FilesSet) -> Result<HashMap<u128, u64>, FilesError> {
    let mut keys = HashMap::new();
    for key in keys_in_order(open, set)? {
        *keys.entry(key).or_default() += 1;
    }
    Ok(keys)
}

/// The key of every row of a file, in its order. A text file without a record has none.
pub(super) fn keys_in_order(open: &Open, set: &FilesSet) -> Result<Vec<u128>, FilesError> {
    if !set.format.is_text() {
        return table::keys(&open.path, &table::open(open)?, 0);
    }
    let mut keys = Vec::new();
    match text::sums(open, set, |key| keys.push(key)) {
        Ok(_) => Ok(keys),
        Err(error) if error.is_empty_file() => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

/// The keys of the rows of a quarantine copy.
pub(super) fn keys_of(copy: &Open, kept: &[quarantine::Kept]) -> Result<Vec<u128>, FilesError> {
    match kept.iter().map(|row| row.raw.as_deref().map(text::key)).collect() {
        Some(keys) => Ok(keys),
        None => table::keys(&copy.path, &table::open(copy)?, quarantine::SKIPPED),
    }
}

/// Takes away what was prepared for an exchange that was not carried out and is prepared anew, or given up before
/// anything was about to happen. Rows that came to the replacement in between are kept, under a record of their own.
pub(super) fn discard(directory: &Directory, begun: &Begun, intent: Option<&Intent>) -> Result<(), FilesError> {
    if let Some(intent) = intent {
        let finish = Finish { directory, way: Way::Remove, begun, intent };
        let strays = finish.keep_strays()?;
        if !strays.is_empty() {
            let done = Done { originals: strays, ..ended(End::Closed, None) };
            return directory.journal.finish(&begun.id, &done);
        }
    }
    let copy = directory.copy(&begun.id);
    directory.remove(&crate::durable::temporary_of(&copy))?;
    directory.remove(&copy)?;
    directory.remove(&begun.temporary())?;
    // Last: what is left of a clean-up that was cut short is found again through these.
    directory.journal.forget(&begun.id)
}
