//! What was cut short: finished where the source was replaced already, closed where it was not.
//!
//! Both names are looked at, and which file has which decides; where an earlier version did not write down which files
//! they were, their hashes do. Recovery may be cut short itself, any number of times.

use std::path::{Path, PathBuf};

use crate::durable::{Disk, hex};
use crate::quarantine::item::{Item, RemovalCounts};

use super::carry::Nameless;
use super::exchange::Exchange;
use super::finish::Finish;
use super::inspect::Writers;
use super::journal::{Begun, Carry, Done, End, Entry, Intent, Side};
use super::lock::{Holder, SourceLock};
use super::open::Open;
use super::place::{self, Directory, Held};
use super::steps::{Step, Way, step};
use super::{FilesError, Place, ended, originals, quarantine};

/// Work that was finished or closed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recovered {
    /// Its name in the journal: the run that began it, and a number.
    pub id: String,
    /// The source.
    pub source: PathBuf,
    /// Where the rows of a removal went; all zero for a restore, and where no row was about to leave.
    pub counts: RemovalCounts,
    /// The rows of a removal that were about to leave, as they are now.
    pub items: Vec<Item>,
    /// Rows that came back.
    pub restored: u64,
    /// What a person should know.
    pub note: Option<String>,
}

/// What recovery came to.
#[derive(Debug, Default)]
pub struct Recovery {
    /// What was finished or closed.
    pub done: Vec<Recovered>,
    /// What could not be: nothing new is done to these files before it is.
    pub failed: Vec<FilesError>,
}

/// Finishes or closes everything of the job that was cut short. To be called before any new work of the job.
///
/// # Errors
/// When the job's files are locked, or its journal cannot be listed. What keeps the work at one file from being
/// finished stands in [`Recovery::failed`]; its outcome stays unknown (`removing`) until this succeeds.
pub fn recover(place: Place<'_>) -> Result<Recovery, FilesError> {
    let held = step(Way::Recover, Step::Lock, || Held::lock(place))?;
    held.sweep()?;
    let (entries, damaged) = held.directory.journal.entries()?;
    let mut recovery = Recovery { done: Vec::new(), failed: damaged };
    let holder = holder(place);
    for entry in &entries {
        match of_entry(&held.directory, entry, &holder) {
            Ok(Some(recovered)) => recovery.done.push(recovered),
            Ok(None) => {}
            Err(error) => recovery.failed.push(error),
        }
    }
    Ok(recovery)
}

/// Whose work at a source it is.
pub(super) fn holder(place: Place<'_>) -> Holder {
    Holder::this(place.job, place::folder(place))
}

/// Locks a source, and finishes first what a run of another job was doing there when it was cut short.
pub(super) fn lock(place: Place<'_>, source: &Path) -> Result<SourceLock, FilesError> {
    let holder = holder(place);
    let (mut lock, before) = SourceLock::take(place.disk, source, &holder)?;
    if let Some(before) = before {
        of_another(place.disk, source, &before)?;
        lock.note(&holder)?;
    }
    Ok(lock)
}

/// Finishes what another job left at `source`; its lock is held.
fn of_another(disk: &Disk, source: &Path, before: &Holder) -> Result<(), FilesError> {
    let exists = disk.exists(&before.quarantine).map_err(|error| FilesError::read(&before.quarantine, error))?;
    if !exists {
        let (job, folder) = (before.job.clone(), before.quarantine.clone());
        return Err(FilesError::Abandoned { path: source.to_path_buf(), job, folder });
    }
    let held = Held::of(Directory::at(disk, &before.quarantine))?;
    for entry in held.entries()?.iter().filter(|entry| entry.begun.source == source) {
        match entry.done {
            None => drop(finish(&held.directory, entry)?),
            Some(_) => swept(&held.directory, entry)?,
        }
    }
    Ok(())
}

fn of_entry(directory: &Directory, entry: &Entry, holder: &Holder) -> Result<Option<Recovered>, FilesError> {
    let left = directory.exists(&entry.begun.temporary())? || directory.exists(&entry.begun.linked())?;
    if entry.done.is_some() && !left {
        return Ok(None);
    }
    let (lock, before) = SourceLock::take(&directory.disk, &entry.begun.source, holder)?;
    if let Some(before) = before {
        of_another(&directory.disk, &entry.begun.source, &before)?;
    }
    let recovered = match entry.done {
        None => Some(finish(directory, entry)?),
        Some(_) => {
            swept(directory, entry)?;
            None
        }
    };
    lock.release()?;
    Ok(recovered)
}

/// Gives up the temporary names of work whose outcome is on disk.
fn swept(directory: &Directory, entry: &Entry) -> Result<(), FilesError> {
    step(Way::Recover, Step::Clear, || {
        if let (Some(intent), Some(done)) = (&entry.intent, &entry.done) {
            let strays = Finish { directory, way: Way::Recover, begun: &entry.begun, intent }.keep_strays()?;
            if !strays.is_empty() {
                let mut done = done.clone();
                done.originals.extend(strays);
                directory.journal.finish(&entry.begun.id, &done)?;
            }
        }
        directory.remove(&entry.begun.temporary())?;
        directory.remove(&entry.begun.linked())
    })
}

fn finish(directory: &Directory, entry: &Entry) -> Result<Recovered, FilesError> {
    let begun = &entry.begun;
    let mut recovered = Recovered {
        id: begun.id.clone(),
        source: begun.source.clone(),
        counts: RemovalCounts::default(),
        items: Vec::new(),
        restored: 0,
        note: None,
    };
    let Some(intent) = &entry.intent else {
        ended::close(directory, begun)?;
        return Ok(recovered);
    };
    let done = Resume { directory, begun, intent, carry: entry.carry.as_ref() }.run()?;
    match &begun.restoring {
        None => {
            recovered.counts = ended::count(intent.rows, &done);
            recovered.items = about_to_leave(directory, begun, &done)?;
        }
        Some(restoring) if done.end == End::Swapped => recovered.restored = restoring.items.len() as u64,
        Some(_) => recovered.restored = done.states.len() as u64,
    }
    recovered.note = done.note;
    Ok(recovered)
}

/// The rows of a removal whose source was replaced, or was about to be.
fn about_to_leave(directory: &Directory, begun: &Begun, done: &Done) -> Result<Vec<Item>, FilesError> {
    let copy = match (done.end, directory.open_copy(&begun.id)?) {
        (End::Closed, _) | (_, None) => return Ok(Vec::new()),
        (_, Some(copy)) => copy,
    };
    let kept = quarantine::read(&copy)?;
    let raws = super::items::raws(&copy, &kept)?;
    let rows = kept.into_iter().zip(raws).map(|(row, raw)| (ended::state_of(done, &row.id), row, raw));
    Ok(rows.map(|(state, row, raw)| row.item(state, raw)).collect())
}

/// Which file something is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    Old,
    New,
    Other,
    Missing,
}

/// An exchange whose runner ended somewhere between the intent and the outcome.
struct Resume<'a> {
    directory: &'a Directory,
    begun: &'a Begun,
    intent: &'a Intent,
    carry: Option<&'a Carry>,
}

impl Resume<'_> {
    fn run(&self) -> Result<Done, FilesError> {
        self.repair_links()?;
        let source = Open::find(&self.directory.disk, &self.begun.source)?;
        let temporary = Open::find(&self.directory.disk, &self.begun.temporary())?;
        let finish = Finish { directory: self.directory, way: Way::Recover, begun: self.begun, intent: self.intent };
        let named = self.role(source.as_ref())?;
        match (named, self.role(temporary.as_ref())?, temporary) {
            (_, Role::Old, Some(old)) => self.exchanged(named, old, &finish),
            (Role::Old, Role::New, Some(new)) => {
                let intent = self.carried_from(new, named)?;
                Finish { intent: &intent, ..finish }
                    .stays(End::Closed, Some("the run was cut short before the file was replaced".to_owned()))
            }
            (Role::Old, ..) => {
                finish.stays(End::Closed, Some("the run was cut short before the file was replaced".to_owned()))
            }
            (_, Role::New, Some(new)) => {
                let intent = self.carried_from(new, named)?;
                let path = self.begun.source.display();
                Finish { intent: &intent, ..finish }
                    .stays(End::KeptChanged, Some(format!("`{path}` was changed since its rows were evaluated")))
            }
            (Role::New, ..) => self.replaced(named, &finish),
            _ => finish.looked(),
        }
    }

    /// Which of the two files it is: by what the system calls it, or by its bytes where that was not written down.
    fn role(&self, open: Option<&Open>) -> Result<Role, FilesError> {
        let Some(open) = open else { return Ok(Role::Missing) };
        if let Some(files) = &self.intent.files {
            let id = open.attributes()?.id;
            let sides = [(Role::Old, files.old), (Role::New, files.new)];
            return Ok(sides.into_iter().find(|(_, file)| *file == id).map_or(Role::Other, |(role, _)| role));
        }
        let hash = hex(&open.hash()?);
        let sides = [(Role::Old, &self.intent.old), (Role::New, &self.intent.new)];
        Ok(sides.into_iter().find(|(_, file)| **file == hash).map_or(Role::Other, |(role, _)| role))
    }

    /// The source lies under the temporary name.
    fn exchanged(&self, named: Role, old: Open, finish: &Finish<'_>) -> Result<Done, FilesError> {
        let whole = old.attributes()?.length;
        if self.intent.files.is_none() {
            return finish.exchanged(whole);
        }
        if !self.intent.holds(Side::Old, &old)? && named == Role::New && self.give_back(&old)? {
            let path = self.begun.source.display();
            return finish.stays(
                End::KeptChanged,
                Some(format!("`{path}` was rewritten while it was replaced, and has its name again")),
            );
        }
        let accounted = self.carry_over(Side::Old, old, named)?;
        finish.exchanged(accounted)
    }

    /// Gives the source its name back where its replacement is as it was written and nobody writes to either.
    fn give_back(&self, old: &Open) -> Result<bool, FilesError> {
        let exchange =
            Exchange { directory: self.directory, way: Way::Recover, begun: self.begun, writers: Writers::Any };
        exchange.give_back(old, self.intent)
    }

    /// Carries over what came to a file without a name. How many of its bytes are accounted for.
    fn carry_over(&self, side: Side, open: Open, named: Role) -> Result<u64, FilesError> {
        let Some(files) = &self.intent.files else { return Ok(0) };
        let of_side = self.carry.filter(|carry| carry.side == side);
        let accounted = of_side.map_or(0, |carry| carry.from).max(files.accounted(side));
        let nameless = Nameless { directory: self.directory, begun: self.begun, intent: self.intent, side, open };
        match named {
            Role::Missing => Ok(accounted),
            // Somebody else's file has the name: the rows may stand in it already, wherever.
            Role::Other if of_side.is_none() => {
                let anywhere = Carry { side, from: accounted, to: files.id(side), at: 0 };
                self.directory.journal.carry(&self.begun.id, &anywhere)?;
                nameless.carry_over(Way::Recover, accounted)
            }
            _ => nameless.carry_over(Way::Recover, accounted),
        }
    }

    /// Carries over what came to the replacement while it had the name. The intent, as it is then.
    fn carried_from(&self, new: Open, named: Role) -> Result<Intent, FilesError> {
        let mut intent = self.intent.clone();
        let carried = self.carry_over(Side::New, new, named)?;
        if let Some(files) = &mut intent.files {
            files.carried = carried;
        }
        Ok(intent)
    }

    /// The replacement has the name, and the source was renamed already, or taken away.
    fn replaced(&self, named: Role, finish: &Finish<'_>) -> Result<Done, FilesError> {
        let Some(files) = &self.intent.files else { return finish.replaced(Vec::new()) };
        let Some(path) = originals::find(self.directory, &self.begun.source, files.old)? else {
            return finish.replaced(Vec::new());
        };
        // What was carried over before is found where it was put, and is not carried over again.
        let accounted = self.carry_over(Side::Old, Open::at(&self.directory.disk, &path)?, named)?;
        finish.replaced(vec![originals::describe(self.directory, &path, accounted)?])
    }

    /// Brings an exchange by links that was cut short back to two names.
    fn repair_links(&self) -> Result<(), FilesError> {
        let (temporary, linked) = (self.begun.temporary(), self.begun.linked());
        let disk = &self.directory.disk;
        let look = |path: &Path| disk.look(path).map_err(|source| FilesError::read(path, source));
        let Some(held) = look(&linked)? else { return Ok(()) };
        if look(&temporary)?.is_none() {
            return disk.publish(&linked, &temporary).map_err(|source| FilesError::write(&linked, source));
        }
        // The source itself under a second name; anything else is kept among the originals at the end.
        match look(&self.begun.source)?.is_some_and(|source| source.id == held.id) {
            true => self.directory.remove(&linked),
            false => Ok(()),
        }
    }
}
