//! Where the rows of a removal went, by how its work ended.

use super::journal::{Begun, Done, End};
use super::place::Directory;
use super::{FilesError, finish};
use crate::durable::temporary_of;
use crate::quarantine::item::{RemovalCounts, State};

/// Closes work that had no intent: the source was not touched, and nothing of the new file is needed.
pub(super) fn close(directory: &Directory, begun: &Begun) -> Result<(), FilesError> {
    directory.remove(&temporary_of(&directory.copy(&begun.id)))?;
    directory.remove(&begun.temporary())?;
    if begun.restoring.is_none() && directory.exists(&directory.copy(&begun.id))? {
        return directory.journal.finish(&begun.id, &finish::ended(End::Closed, None));
    }
    directory.journal.forget(&begun.id)
}

/// Where `rows` rows of a removal that ended so went.
pub(super) fn count(rows: u64, done: &Done) -> RemovalCounts {
    let mut counts = RemovalCounts { planned: rows, ..RemovalCounts::default() };
    match done.end {
        End::Swapped => counts.removed = rows,
        End::KeptChanged => counts.kept_changed = rows,
        End::KeptError => counts.kept_error = rows,
        End::Closed => counts.untried = rows,
        End::Looked => {
            counts.removed = done.states.values().filter(|state| **state == State::Removed).count() as u64;
            counts.kept_changed = rows.saturating_sub(counts.removed);
        }
    }
    counts
}

/// The state of a row of a removal that ended so.
pub(super) fn state_of(done: &Done, id: &str) -> State {
    match done.end {
        End::Swapped => State::Removed,
        End::KeptChanged => State::KeptChanged,
        End::KeptError => State::KeptError,
        End::Closed => State::Copied,
        End::Looked => done.states.get(id).copied().unwrap_or(State::KeptChanged),
    }
}
