//! What every actor of the world acts on: files, names, the clock, and the record of what writers wrote.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::io::Errno;

use super::inode::{Actor, Change, Ino, Inode, Lease, What};
use super::log::Log;
use super::names::{Names, whole};
use super::random::Random;
use super::{Crash, Settings};
use crate::durable::{Attributes, FileId, Kind, folder_of};

/// The clock of a new world, nanoseconds since 1970.
const START: i128 = 1_700_000_000_000_000_000;
/// How long ago what was there from the beginning was written.
const HOUR: i128 = 3_600_000_000_000;

#[derive(Debug)]
pub(super) struct Core {
    pub(super) inodes: Vec<Inode>,
    pub(super) names: Names,
    pub(super) clock: i128,
    pub(super) random: Random,
    pub(super) settings: Settings,
    pub(super) log: Log,
    pub(super) trace: Option<Vec<String>>,
    numbers: u64,
}

impl Core {
    pub(super) fn new(seed: u64) -> Self {
        let mut core = Self {
            inodes: Vec::new(),
            names: Names::default(),
            clock: START - HOUR,
            random: Random::new(seed),
            settings: Settings::default(),
            log: Log::default(),
            trace: None,
            numbers: 0,
        };
        core.make(Actor::Outside, Path::new("/"), Kind::Folder);
        core.names.sync_all();
        core.clock = START;
        core
    }

    /// Puts a file there as if it had been there for long.
    pub(super) fn put(&mut self, path: &Path, kind: Kind, data: &[u8]) -> Ino {
        let now = std::mem::replace(&mut self.clock, START - HOUR);
        if self.names.get(folder_of(path)).is_none() {
            self.put(folder_of(path), Kind::Folder, &[]);
            self.clock = START - HOUR;
        }
        let ino = self.make(Actor::Outside, path, kind);
        self.inodes[ino].data = data.to_vec();
        self.inodes[ino].sync();
        self.names.sync_all();
        self.clock = now;
        ino
    }

    pub(super) fn note(&mut self, text: impl FnOnce() -> String) {
        if let Some(trace) = &mut self.trace {
            let since = self.clock - START;
            trace.push(format!("{:>12}.{:03} µs  {}", since / 1000, since.rem_euclid(1000), text()));
        }
    }

    pub(super) fn number(&mut self) -> u64 {
        self.numbers += 1;
        self.numbers
    }

    /// The time that files get now.
    fn timestamp(&self) -> i128 {
        self.clock - self.clock.rem_euclid(self.settings.grain)
    }

    pub(super) fn elapsed(&self) -> Duration {
        Duration::from_nanos(u64::try_from(self.clock - START).unwrap_or_default())
    }

    pub(super) fn attributes(&self, ino: Ino) -> Attributes {
        let inode = &self.inodes[ino];
        Attributes {
            kind: inode.kind,
            id: FileId { device: 1, inode: ino as u64 },
            length: inode.data.len() as u64,
            links: inode.links,
            modified: inode.modified,
            changed: inode.changed,
        }
    }

    /// The file of this name, as the kernel finds it.
    pub(super) fn find(&self, path: &Path) -> io::Result<Ino> {
        match self.names.get(path) {
            Some(ino) => Ok(ino),
            None => Err(self.missing(path)),
        }
    }

    /// Why nothing is found under a name.
    fn missing(&self, path: &Path) -> io::Error {
        let above = path.ancestors().skip(1).find_map(|above| self.names.get(above));
        let folder = above.is_none_or(|ino| self.inodes[ino].kind == Kind::Folder);
        if folder { Errno::NOENT.into() } else { Errno::NOTDIR.into() }
    }

    /// Whether a name can be given in the folder of `path`.
    fn place(&self, path: &Path) -> io::Result<()> {
        let folder = self.find(folder_of(path))?;
        if self.inodes[folder].kind == Kind::Folder { Ok(()) } else { Err(Errno::NOTDIR.into()) }
    }

    /// The file of this name to be opened, which is not a symbolic link.
    pub(super) fn resolve(&self, path: &Path, writing: bool) -> io::Result<Ino> {
        let ino = self.find(path)?;
        match self.inodes[ino].kind {
            Kind::Link => Err(Errno::LOOP.into()),
            Kind::Folder if writing => Err(Errno::ISDIR.into()),
            _ => Ok(ino),
        }
    }

    pub(super) fn create(&mut self, by: Actor, path: &Path, kind: Kind) -> io::Result<Ino> {
        if self.names.get(path).is_some() {
            return Err(Errno::EXIST.into());
        }
        self.place(path)?;
        Ok(self.make(by, path, kind))
    }

    fn make(&mut self, by: Actor, path: &Path, kind: Kind) -> Ino {
        let ino = self.inodes.len();
        self.inodes.push(Inode::new(kind, self.timestamp()));
        self.change_names(by, vec![(path.to_owned(), Some(ino))]);
        ino
    }

    pub(super) fn rename(&mut self, by: Actor, from: &Path, to: &Path) -> io::Result<()> {
        self.place(from)?;
        self.place(to)?;
        let ino = self.find(from)?;
        let victim = self.names.get(to);
        match (self.inodes[ino].kind, victim.map(|victim| self.inodes[victim].kind)) {
            _ if victim == Some(ino) => return Ok(()),
            (Kind::Folder, Some(kind)) if kind != Kind::Folder => return Err(Errno::NOTDIR.into()),
            (Kind::Folder, _) => return Err(unsupported()),
            (_, Some(Kind::Folder)) => return Err(Errno::ISDIR.into()),
            _ => {}
        }
        self.change_names(by, vec![(to.to_owned(), Some(ino)), (from.to_owned(), None)]);
        Ok(())
    }

    pub(super) fn exchange(&mut self, by: Actor, one: &Path, other: &Path) -> io::Result<()> {
        if !self.settings.exchange {
            return Err(Errno::INVAL.into());
        }
        self.place(one)?;
        self.place(other)?;
        let (first, second) = (self.find(one)?, self.find(other)?);
        if first == second {
            return Ok(());
        }
        if [first, second].iter().any(|ino| self.inodes[*ino].kind == Kind::Folder) {
            return Err(unsupported());
        }
        self.change_names(by, vec![(one.to_owned(), Some(second)), (other.to_owned(), Some(first))]);
        Ok(())
    }

    pub(super) fn link(&mut self, by: Actor, from: &Path, to: &Path) -> io::Result<()> {
        let ino = self.find(from)?;
        self.place(to)?;
        if self.names.get(to).is_some() {
            return Err(Errno::EXIST.into());
        }
        if self.inodes[ino].kind == Kind::Folder {
            return Err(Errno::PERM.into());
        }
        self.change_names(by, vec![(to.to_owned(), Some(ino))]);
        Ok(())
    }

    pub(super) fn remove(&mut self, by: Actor, path: &Path) -> io::Result<()> {
        let ino = self.find(path)?;
        if self.inodes[ino].kind == Kind::Folder {
            return Err(Errno::ISDIR.into());
        }
        self.change_names(by, vec![(path.to_owned(), None)]);
        Ok(())
    }

    fn change_names(&mut self, by: Actor, names: Vec<(PathBuf, Option<Ino>)>) {
        let timestamp = self.timestamp();
        let before: Vec<Ino> = names.iter().filter_map(|(name, _)| self.names.get(name)).collect();
        for ino in names.iter().filter_map(|(_, ino)| *ino) {
            self.inodes[ino].links += 1;
            self.inodes[ino].changed = timestamp;
        }
        for ino in before {
            let inode = &mut self.inodes[ino];
            inode.links -= 1;
            inode.changed = timestamp;
            if inode.links == 0 {
                inode.unlinked_by = Some(by);
            }
        }
        self.names.change(by, names);
    }

    /// Writes to a file, at its end where no place is given; returns the number of the change.
    pub(super) fn write(&mut self, by: Actor, ino: Ino, at: Option<usize>, bytes: &[u8]) -> u64 {
        if bytes.is_empty() {
            return self.number();
        }
        let at = at.unwrap_or(self.inodes[ino].data.len());
        self.change(by, ino, What::Write { at, bytes: bytes.to_vec() })
    }

    pub(super) fn truncate(&mut self, by: Actor, ino: Ino) -> u64 {
        self.change(by, ino, What::Truncate)
    }

    fn change(&mut self, by: Actor, ino: Ino, what: What) -> u64 {
        let (sequence, timestamp) = (self.number(), self.timestamp());
        self.inodes[ino].change(Change { sequence, by, what }, timestamp);
        sequence
    }

    pub(super) fn touch(&mut self, ino: Ino) {
        self.inodes[ino].changed = self.timestamp();
    }

    /// Takes a read lease on an open file description, as `F_SETLEASE` with `F_RDLCK` does.
    pub(super) fn take_lease(&mut self, holder: Actor, ino: Ino, description: u64) -> io::Result<()> {
        if let Some(error) = self.settings.lease_error {
            return Err(error.into());
        }
        let inode = &mut self.inodes[ino];
        if inode.kind != Kind::File {
            return Err(Errno::INVAL.into());
        }
        let others = inode.leases.iter().filter(|lease| lease.description != description);
        if !inode.openers.is_empty() || others.into_iter().any(|lease| lease.broken.is_some()) {
            return Err(Errno::AGAIN.into());
        }
        // Taking its own lease again changes nothing, not even a lease that is broken and not yet given back.
        if !inode.leases.iter().any(|lease| lease.description == description) {
            inode.leases.push(Lease { description, holder, broken: None });
        }
        Ok(())
    }

    /// What `F_GETLEASE` says.
    pub(super) fn has_lease(&self, ino: Ino, description: u64) -> bool {
        self.inodes[ino].leases.iter().any(|lease| lease.description == description && lease.broken.is_none())
    }

    pub(super) fn give_lease_back(&mut self, ino: Ino, description: u64) {
        self.inodes[ino].leases.retain(|lease| lease.description != description);
    }

    /// Breaks the leases of a file; whether there are any to wait for.
    pub(super) fn break_leases(&mut self, ino: Ino) -> bool {
        let now = self.clock;
        for lease in &mut self.inodes[ino].leases {
            lease.broken.get_or_insert(now);
        }
        !self.inodes[ino].leases.is_empty()
    }

    /// When the system takes the leases of a file by force; `None` where nobody waits for them.
    pub(super) fn forced_at(&self, ino: Ino) -> Option<i128> {
        let broken = self.inodes[ino].leases.iter().filter_map(|lease| lease.broken).max()?;
        Some(broken + i128::try_from(self.settings.break_time.as_nanos()).unwrap_or(i128::MAX))
    }

    /// Takes leases by force for which somebody has waited too long.
    pub(super) fn force(&mut self, ino: Ino) {
        if self.forced_at(ino).is_some_and(|at| at <= self.clock) {
            self.inodes[ino].leases.retain(|lease| lease.broken.is_none());
            self.note(|| format!("the system takes the lease of file {ino} by force"));
        }
    }

    /// What a crash takes away besides processes and writers.
    pub(super) fn crash(&mut self, kind: Crash, gone: impl Fn(Actor) -> bool) {
        for inode in &mut self.inodes {
            inode.forget(|actor| kind == Crash::Power || gone(actor));
        }
        if kind == Crash::Power {
            // What is cut short has no newline at its end; whoever appends to it then does not get a row of its own.
            self.log.pieces = true;
            self.log.excuse_unsynced(&self.inodes);
            for (ino, maker) in self.names.cut_power(&mut self.random) {
                if let Actor::Writer(_) = maker {
                    self.log.excuse_written_to(ino);
                }
            }
            for (ino, inode) in self.inodes.iter_mut().enumerate() {
                inode.cut_power(&mut self.random);
                inode.links = self.names.now.values().filter(|named| **named == ino).count() as u64;
            }
        }
        self.note(|| format!("crash: {kind:?}"));
    }

    pub(super) fn whole(path: &Path) -> PathBuf {
        whole(path)
    }
}

fn unsupported() -> io::Error {
    io::Error::new(io::ErrorKind::Unsupported, "the simulated file system moves no folders")
}
