//! What was cut short is finished where rows were about to leave or come back, and closed where they were not.
//!
//! Where a swap stands is told by the hashes of the files. Recovery may be cut short itself, any number of times.

use std::path::PathBuf;

use crate::settle::item::Settled;

use super::journal::{End, Entry};
use super::place::{Held, Shelf};
use super::steps::{Step, Way, step};
use super::{FilesError, Place, removal, swap};

/// Work that was finished or closed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recovered {
    /// Its name in the journal: the run that began it, and a number.
    pub id: String,
    /// The source.
    pub source: PathBuf,
    /// Where the rows of a removal went; all zero for a restore, and where no row was about to leave.
    pub settled: Settled,
    /// Rows that came back.
    pub restored: u64,
    /// What a person should know.
    pub note: Option<String>,
}

/// Finishes or closes everything of the job that was cut short. To be called before any new work of the job.
///
/// # Errors
/// When the job's files are locked, or a file of an unfinished swap does not read or cannot be renamed: its outcome
/// stays unknown (`removing`) until this succeeds.
pub fn recover(place: Place<'_>) -> Result<Vec<Recovered>, FilesError> {
    let held = step(Way::Recover, Step::Lock, || Held::lock(place))?;
    held.sweep()?;
    let mut recovered = Vec::new();
    for entry in held.shelf.journal.entries()? {
        match &entry.done {
            Some(_) => swept(&held.shelf, &entry)?,
            None => recovered.push(finish(&held.shelf, &entry)?),
        }
    }
    Ok(recovered)
}

/// Gives up the temporary names of work whose outcome is on disk.
fn swept(shelf: &Shelf, entry: &Entry) -> Result<(), FilesError> {
    let left = entry.begun.temporary().symlink_metadata().is_ok() || entry.begun.linked().symlink_metadata().is_ok();
    if left {
        step(Way::Recover, Step::Clear, || swap::clear(shelf, &entry.begun, entry.intent.as_ref()))?;
    }
    Ok(())
}

fn finish(shelf: &Shelf, entry: &Entry) -> Result<Recovered, FilesError> {
    let begun = &entry.begun;
    let mut recovered = Recovered {
        id: begun.id.clone(),
        source: begun.source.clone(),
        settled: Settled::default(),
        restored: 0,
        note: None,
    };
    let Some(intent) = &entry.intent else {
        removal::close(shelf, begun)?;
        return Ok(recovered);
    };
    let done = swap::finish(shelf, Way::Recover, begun, intent)?;
    match &begun.restoring {
        None => recovered.settled = removal::count(intent.rows, &done),
        Some(restoring) if done.end == End::Swapped => recovered.restored = restoring.items.len() as u64,
        Some(_) => recovered.restored = done.states.len() as u64,
    }
    recovered.note = done.note;
    Ok(recovered)
}
