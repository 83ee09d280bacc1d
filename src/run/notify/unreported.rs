//! What was sent of runs that left no row in `runs`, such as one that a mistake in its rules ended: a file beside the state of
//! the job, JSON, replaced as a whole. A run with a row whose message is delivered takes it away.

use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::super::failure::Failure;
use crate::config::Job;
use crate::durable::{Disk, Growing, folder_of, temporary_of};
use crate::notify::{Event, Past};
use crate::text::utc::UtcMicros;

/// The version of the file.
const VERSION: u32 = 1;
/// Most runs that it names: those of a year whose messages were never delivered.
const MOST: usize = 400;

/// A run without a row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Unreported {
    /// The run.
    pub(super) run: String,
    /// Its exit code.
    pub(super) exit_code: u8,
    /// When it ended.
    pub(super) finished_at: UtcMicros,
    /// What there was to say.
    pub(super) event: Option<Event>,
    /// Whether one channel at least took it.
    pub(super) delivered: bool,
}

impl Unreported {
    /// What it is to a run after it. It has no findings.
    pub(super) fn past(&self) -> Past {
        let Self { exit_code, event, delivered, finished_at, .. } = *self;
        Past { exit_code, event, new: false, delivered, finished_at: finished_at.0 }
    }
}

/// What the file says.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Unreporteds {
    version: u32,
    /// Newest first.
    runs: Vec<Unreported>,
}

/// The file of `job`.
pub(super) fn path(job: &Job) -> PathBuf {
    // No job has a dot in its name.
    job.state_dir.resolved.join(format!("{}.notify.json", job.name))
}

/// The runs without a row, newest first, back to the last one whose message was delivered.
///
/// # Errors
/// Why the file cannot be used.
pub(super) fn read(disk: &Disk, path: &Path) -> Result<Vec<Unreported>, String> {
    let bytes = disk.read(path).map_err(|error| format!("`{}` cannot be read: {error}", path.display()))?;
    let Some(bytes) = bytes else { return Ok(Vec::new()) };
    match serde_json::from_slice::<Unreporteds>(&bytes) {
        Ok(Unreporteds { version: VERSION, runs }) => Ok(runs),
        Ok(Unreporteds { version, .. }) => {
            Err(format!("`{}` is of version {version}, and this barkeep writes {VERSION}", path.display()))
        }
        Err(error) => Err(format!("`{}` is damaged: {error}", path.display())),
    }
}

/// Adds `run`; those before one whose message was delivered are not looked at any more, and go.
///
/// # Errors
/// The folder cannot be made or written to; the file before is still there then.
pub(super) fn add(disk: &Disk, path: &Path, run: Unreported) -> Result<(), Failure> {
    let delivered = run.delivered;
    let mut runs = vec![run];
    if !delivered {
        // One that cannot be read was said to be so, and is written anew.
        runs.extend(read(disk, path).unwrap_or_default().into_iter().take(MOST - 1));
    }
    write(disk, path, &Unreporteds { version: VERSION, runs }).map_err(|source| failed(path, &source))
}

/// Takes the file away.
///
/// # Errors
/// The disk does not let it.
pub(super) fn forget(disk: &Disk, path: &Path) -> Result<(), Failure> {
    disk.remove(path).map_err(|source| failed(path, &source))
}

fn write(disk: &Disk, path: &Path, runs: &Unreporteds) -> io::Result<()> {
    let mut json = serde_json::to_vec_pretty(runs)?;
    json.push(b'\n');
    disk.make_folders(folder_of(path))?;
    let temporary = temporary_of(path);
    disk.remove(&temporary)?;
    let mut file = Growing::create(disk, &temporary, path)?;
    io::Write::write_all(&mut file, &json)?;
    file.complete()?.publish().map_err(io::Error::from)
}

fn failed(path: &Path, source: &io::Error) -> Failure {
    let message = format!(
        "`{}` cannot be written: {source}; make the folder writable, or name another one with `[state] dir`",
        path.display()
    );
    Failure::Broken(message.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(number: i64, event: Option<Event>, delivered: bool) -> Unreported {
        Unreported { run: format!("r{number}"), exit_code: 2, finished_at: UtcMicros(number), event, delivered }
    }

    fn names(path: &Path) -> Vec<String> {
        read(&Disk::system(), path).unwrap().into_iter().map(|run| run.run).collect()
    }

    #[test]
    fn runs_are_remembered_back_to_the_last_one_that_was_heard_of() {
        let dir = tempfile::tempdir().unwrap();
        let (disk, path) = (Disk::system(), dir.path().join("state/demo.notify.json"));
        forget(&disk, &path).unwrap();
        assert_eq!(names(&path), Vec::<String>::new());
        for (number, event, delivered) in [(1, Some(Event::Fail), true), (2, None, false), (3, Some(Event::New), false)]
        {
            add(&disk, &path, run(number, event, delivered)).unwrap();
        }
        assert_eq!(names(&path), ["r3", "r2", "r1"]);
        assert_eq!(read(&disk, &path).unwrap()[2], run(1, Some(Event::Fail), true));
        add(&disk, &path, run(4, Some(Event::Fail), true)).unwrap();
        assert_eq!(names(&path), ["r4"]);
        forget(&disk, &path).unwrap();
        assert_eq!(disk.names(&dir.path().join("state")).unwrap(), Vec::<std::ffi::OsString>::new());
    }

    #[test]
    fn a_file_that_cannot_be_used_is_named_and_written_anew() {
        let dir = tempfile::tempdir().unwrap();
        let (disk, path) = (Disk::system(), dir.path().join("demo.notify.json"));
        for (text, why) in
            [("{", "is damaged"), ("{\"version\": 2, \"runs\": []}", "is of version 2, and this barkeep writes 1")]
        {
            std::fs::write(&path, text).unwrap();
            let said = read(&disk, &path).unwrap_err();
            assert!(said.contains("demo.notify.json` ") && said.contains(why), "{said}");
        }
        add(&disk, &path, run(1, None, false)).unwrap();
        assert_eq!(names(&path), ["r1"]);
    }
}
