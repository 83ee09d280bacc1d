//! A file system in memory that behaves like Linux where it matters to what moves rows: leases and who breaks them,
//! writers that act between any two calls, names and bytes that a power cut takes back, crashes at any call.
//!
//! ```text
//! random   numbers that a seed decides          inode, names   files, what they are called, what is durable of both
//! core     what all actors act on               log            what writers wrote, and what they themselves took away
//! writer   loaders, one system call at a time   state          whose turn it is, crashes
//! process, handles   the traits of `durable`    explore        runs, two processes at once, many seeds
//! ```
//!
//! A seed decides everything. `differential` compares it with the file system of the machine.
//!
//! What it leaves out: links in the middle of a path, moving folders, mapped memory, limits of space (see `faulty`).

mod core;
#[cfg(test)]
mod differential;
mod explore;
mod handles;
mod inode;
mod log;
mod names;
mod process;
mod random;
mod state;
#[cfg(test)]
mod tests;
mod writer;

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, MutexGuard};
use std::time::Duration;

use rustix::io::Errno;

use self::core::Core;
use self::inode::{Actor, Ino};
use self::process::Process;
use self::state::{Shared, State};
use self::writer::Writer;
use super::{FileSystem, Kind, Ownership};

pub(crate) use self::explore::{explore, find_fault};
pub(crate) use self::log::Row;
pub(crate) use self::writer::{Loader, Plan, Start};

/// How a process ends too early.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Crash {
    /// It is killed: its leases, locks and open files are given back, and what it wrote stays.
    Kill,
    /// The machine loses power: every process and writer ends, and what was not synced may be lost.
    Power,
}

/// How a world differs from an ordinary one.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    /// What [`super::Volume`] says of every file.
    pub(crate) file_system: String,
    /// What [`super::Volume`] says of every file.
    pub(crate) leases: bool,
    /// What every attempt to take a lease fails with.
    pub(crate) lease_error: Option<Errno>,
    /// Whether names can be exchanged.
    pub(crate) exchange: bool,
    /// Whether another owner and other rights can be given to a file.
    pub(crate) give: bool,
    /// How long somebody waits for a lease before the system takes it by force.
    pub(crate) break_time: Duration,
    /// Nanoseconds between two times that files can have: 1 is a kernel that tells every change, 4,000,000 an older one.
    pub(crate) grain: i128,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            file_system: "ext4".to_owned(),
            leases: true,
            lease_error: None,
            exchange: true,
            give: true,
            break_time: Duration::from_secs(45),
            grain: 1,
        }
    }
}

/// A file that is or was in the world.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct File {
    /// Its number; a number is never used again.
    pub(crate) ino: usize,
    /// All its names.
    pub(crate) names: Vec<PathBuf>,
    /// What stands in it.
    pub(crate) data: Vec<u8>,
}

/// A machine with one file system, writers, and processes under test. Clones are the same one.
#[derive(Debug, Clone)]
pub(crate) struct World(Arc<Shared>);

impl World {
    /// An empty world.
    pub(crate) fn new(seed: u64) -> Self {
        Self(Arc::new(Shared::new(Core::new(seed))))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock()
    }

    /// Changes how this world differs from an ordinary one.
    pub(crate) fn set(&self, change: impl FnOnce(&mut Settings)) {
        change(&mut self.state().core.settings);
    }

    /// Puts a file there, durably and as if written an hour ago, and the folders above it.
    pub(crate) fn put(&self, path: impl AsRef<Path>, bytes: impl AsRef<[u8]>) {
        self.state().core.put(&Core::whole(path.as_ref()), Kind::File, bytes.as_ref());
    }

    /// Puts a folder there, and those above it.
    pub(crate) fn put_folder(&self, path: impl AsRef<Path>) {
        self.state().core.put(&Core::whole(path.as_ref()), Kind::Folder, &[]);
    }

    /// Puts a symbolic link there.
    pub(crate) fn put_link(&self, path: impl AsRef<Path>) {
        self.state().core.put(&Core::whole(path.as_ref()), Kind::Link, &[]);
    }

    fn with<T>(&self, path: &Path, work: impl FnOnce(&mut Core, Ino) -> T) -> io::Result<T> {
        let core = &mut self.state().core;
        let ino = core.find(&Core::whole(path))?;
        Ok(work(core, ino))
    }

    /// Makes a file one of another owner.
    pub(crate) fn own(&self, path: impl AsRef<Path>, ownership: Ownership) -> io::Result<()> {
        self.with(path.as_ref(), |core, ino| core.inodes[ino].ownership = ownership)
    }

    /// Makes a file a mount point.
    pub(crate) fn mount(&self, path: impl AsRef<Path>) -> io::Result<()> {
        self.with(path.as_ref(), |core, ino| core.inodes[ino].mount_point = true)
    }

    /// A new process. It ends when the world crashes, or when [`World::run`] has run it.
    pub(crate) fn process(&self) -> Arc<dyn FileSystem> {
        Arc::new(self.new_process())
    }

    fn new_process(&self) -> Process {
        let mut state = self.state();
        state.processes.push(true);
        Process { world: Arc::clone(&self.0), id: state.processes.len() - 1 }
    }

    /// Adds a writer; the number it has in the log.
    pub(crate) fn add_writer(&self, mut plan: Plan) -> usize {
        plan.path = Core::whole(&plan.path);
        let mut state = self.state();
        let (id, clock) = (state.writers.len(), state.core.clock);
        state.core.log.pieces |= matches!(plan.loader, Loader::Truncate | Loader::Append { halves: true, .. });
        state.writers.push(Writer::new(id, plan, clock));
        id
    }

    /// Lets a crash come before the call `call`, counted from 1 over all processes and the whole life of the world.
    pub(crate) fn crash_at(&self, call: u64, kind: Crash) {
        self.state().crash = Some((call, kind));
    }

    /// Whether a crash is still to come; takes it back.
    pub(crate) fn take_crash(&self) -> bool {
        self.state().crash.take().is_some()
    }

    /// Crashes now: all processes end, and at a power cut the writers too.
    pub(crate) fn crash(&self, kind: Crash) {
        let mut state = self.state();
        match kind {
            // It ends all of them, and what was not synced goes even where none is left.
            Crash::Power => state.crash(0, kind),
            Crash::Kill => (0..state.processes.len()).for_each(|process| state.crash(process, kind)),
        }
        drop(state);
        self.0.notify();
    }

    /// A random number below `end`, of the world's seed.
    pub(crate) fn below(&self, end: u64) -> u64 {
        self.state().core.random.below(end)
    }

    /// Calls of all processes so far.
    pub(crate) fn calls(&self) -> u64 {
        self.state().calls
    }

    /// Lets time pass in which writers act.
    pub(crate) fn pass(&self, time: Duration) {
        self.state().pass(u64::try_from(time.as_nanos()).unwrap_or(u64::MAX));
    }

    /// Lets all writers act until they are done.
    pub(crate) fn finish(&self) {
        self.state().finish();
    }

    /// Whether all writers are done.
    pub(crate) fn is_finished(&self) -> bool {
        self.state().writers.iter().all(Writer::is_done)
    }

    /// What stands in the file of this name; `None` where nothing has it.
    pub(crate) fn contents(&self, path: impl AsRef<Path>) -> Option<Vec<u8>> {
        self.with(path.as_ref(), |core, ino| core.inodes[ino].data.clone()).ok()
    }

    /// All names of files and folders but `/`, sorted.
    pub(crate) fn names(&self) -> Vec<PathBuf> {
        self.state().core.names.now.keys().skip(1).cloned().collect()
    }

    /// Every file that is or ever was.
    pub(crate) fn all_inodes(&self) -> Vec<File> {
        let core = &self.state().core;
        let files = core.inodes.iter().enumerate().filter(|(_, inode)| inode.kind == Kind::File);
        files.map(|(ino, inode)| File { ino, names: core.names.of(ino), data: inode.data.clone() }).collect()
    }

    /// The rows that writers wrote completely, in order.
    pub(crate) fn rows(&self) -> Vec<Row> {
        self.state().core.log.rows.clone()
    }

    /// Whether writers themselves took this line away, or did not make it durable before a power cut.
    pub(crate) fn is_excused(&self, line: &[u8]) -> bool {
        self.state().core.log.excused.contains(line)
    }

    /// The lines of `wanted`, and the rows that writers wrote completely, that are in no file that has a name, although
    /// no writer took them away itself.
    pub(crate) fn lost(&self, wanted: &[u8]) -> Vec<Vec<u8>> {
        let core = &self.state().core;
        let named: BTreeSet<Ino> = core.names.now.values().copied().collect();
        let there: BTreeSet<&[u8]> = named.iter().flat_map(|ino| log::lines(&core.inodes[*ino].data)).collect();
        let written = core.log.rows.iter().map(|row| row.line.as_slice());
        let all: BTreeSet<&[u8]> = written.chain(log::lines(wanted)).collect();
        let lost = all.into_iter().filter(|line| !there.contains(line) && !core.log.excused.contains(*line));
        lost.map(<[u8]>::to_vec).collect()
    }

    /// Tells what happened from now on.
    pub(crate) fn trace(&self) {
        self.state().core.trace.get_or_insert_default();
    }

    /// What happened since [`World::trace`].
    pub(crate) fn reported(&self) -> Vec<String> {
        self.state().core.trace.clone().unwrap_or_default()
    }

    /// Opens a file for writing as a process outside of the world would with `O_NONBLOCK`: what is leased is refused,
    /// and the lease is broken.
    pub(crate) fn open_outside(&self, path: impl AsRef<Path>, truncate: bool) -> io::Result<Outside> {
        let core = &mut self.state().core;
        let ino = core.resolve(&Core::whole(path.as_ref()), true)?;
        if core.break_leases(ino) {
            return Err(Errno::AGAIN.into());
        }
        core.inodes[ino].openers.push(Actor::Outside);
        if truncate {
            core.truncate(Actor::Outside, ino);
        }
        Ok(Outside { world: self.clone(), ino })
    }
}

/// A file that a test itself has open to write behind its end.
#[derive(Debug)]
pub(crate) struct Outside {
    world: World,
    ino: Ino,
}

impl Outside {
    /// Writes behind the end of the file.
    pub(crate) fn write(&self, bytes: &[u8]) {
        self.world.state().core.write(Actor::Outside, self.ino, None, bytes);
    }
}

impl Drop for Outside {
    fn drop(&mut self) {
        self.world.state().core.inodes[self.ino].close(Actor::Outside);
    }
}
