//! Writers of the world: what loaders do to a file, one system call at a time.

use std::path::{Path, PathBuf};

use super::core::Core;
use super::inode::{Actor, Ino};
use super::log::{self, Row};
use crate::durable::Kind;

/// What a writer does to its file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Loader {
    /// Opens the file to write behind its end (`>>`), writes rows, closes it.
    Append {
        /// How many rows it writes before it closes the file.
        rows: usize,
        /// Whether it may write a row in two pieces. Pieces of two such writers can mix, as they do in reality.
        halves: bool,
    },
    /// Reads the file, writes what it read and a row of its own to a new file, and renames that over it.
    Rename,
    /// Reads the file, opens it again with `O_TRUNC`, and writes what it read and a row of its own.
    Truncate,
    /// Takes the name away.
    Unlink,
}

/// When a writer begins.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Start {
    /// Shortly before the n-th call that processes make, counted over the whole world.
    Call(u64),
    /// So many nanoseconds after the world began.
    After(u64),
}

/// A writer to be added to a world.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    /// What it does.
    pub(crate) loader: Loader,
    /// The file.
    pub(crate) path: PathBuf,
    /// How many rows it writes altogether.
    pub(crate) rows: usize,
    /// When it begins.
    pub(crate) start: Start,
    /// Nanoseconds between two of its system calls, from and to.
    pub(crate) step: (u64, u64),
    /// Nanoseconds between the end of one row and the beginning of the next, from and to.
    pub(crate) rest: (u64, u64),
    /// Whether it makes every row durable; a row that is not may be lost in a power cut.
    pub(crate) syncs: bool,
    /// A row, without its newline, by number of the writer and number of the row; all of them are to be different.
    pub(crate) line: fn(usize, usize) -> String,
}

impl Plan {
    /// A writer of rows such as `w0-1` that begins at once.
    pub(crate) fn new(loader: Loader, path: impl Into<PathBuf>, rows: usize) -> Self {
        Self {
            loader,
            path: path.into(),
            rows,
            start: Start::After(0),
            step: (500, 50_000),
            rest: (1_000, 10_000_000),
            syncs: false,
            line: |writer, row| format!("w{writer}-{row}"),
        }
    }
}

#[derive(Debug)]
pub(super) struct Writer {
    id: usize,
    plan: Plan,
    /// When it does its next step; `None` where it has not begun.
    wake: Option<i128>,
    phase: Phase,
    written: usize,
    /// Rows since it opened the file.
    session: usize,
    /// What is still to be written before the row is complete.
    content: Vec<u8>,
    /// The file that it has emptied last, and all it means to write to it.
    emptied: Option<(Ino, Vec<u8>)>,
    /// Where: `None` is the end of the file.
    at: Option<usize>,
    /// The last change it made.
    sequence: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Rest,
    Read,
    Resolve,
    /// The name is resolved; whatever the names do from now on, this is the file.
    Enter(Ino),
    Break(Ino),
    /// It waits for the leases of the file.
    Wait(Ino),
    Granted(Ino),
    Write(Ino),
    Sync(Ino),
    Complete(Ino),
    Close(Ino),
    Create,
    Fill(Ino),
    Publish(Ino),
    Done,
}

impl Writer {
    pub(super) fn new(id: usize, plan: Plan, clock: i128) -> Self {
        let wake = match plan.start {
            Start::Call(_) => None,
            Start::After(time) => Some(clock + i128::from(time)),
        };
        let (content, emptied, at) = (Vec::new(), None, None);
        Self { id, plan, wake, phase: Phase::Rest, written: 0, session: 0, content, emptied, at, sequence: 0 }
    }

    pub(super) fn is_done(&self) -> bool {
        self.phase == Phase::Done
    }

    /// Lets a writer begin that waits for a call.
    pub(super) fn start(&mut self, calls: u64, core: &mut Core) {
        if let Start::Call(call) = self.plan.start
            && self.wake.is_none()
            && call <= calls
        {
            self.wake = Some(core.clock);
        }
    }

    /// When it can do its next step.
    pub(super) fn wake(&self, core: &Core) -> Option<i128> {
        match self.phase {
            Phase::Done => None,
            Phase::Wait(ino) if !core.inodes[ino].leases.is_empty() => core.forced_at(ino),
            _ => self.wake,
        }
    }

    /// After a power cut it begins anew with the rows it has not written.
    pub(super) fn restart(&mut self, core: &mut Core) {
        if let Some((ino, intended)) = self.emptied.take() {
            // It had emptied the file, and had not yet written it again durably.
            let Core { log, inodes, .. } = core;
            log.excuse_dropped(&intended, &inodes[ino].data);
        }
        if !self.is_done() {
            self.phase = if self.written < self.plan.rows { Phase::Rest } else { Phase::Done };
            self.session = 0;
            self.wake = self.wake.and(Some(core.clock));
        }
    }

    pub(super) fn step(&mut self, core: &mut Core) {
        let before = self.phase;
        let by = Actor::Writer(self.id);
        self.phase = match self.phase {
            Phase::Rest => self.begin(core),
            Phase::Read => self.read(core),
            Phase::Resolve => self.resolve(core),
            Phase::Enter(ino) => {
                core.inodes[ino].openers.push(by);
                Phase::Break(ino)
            }
            Phase::Break(ino) if core.break_leases(ino) => Phase::Wait(ino),
            Phase::Break(ino) => Phase::Granted(ino),
            Phase::Wait(ino) => {
                core.force(ino);
                if core.inodes[ino].leases.is_empty() { Phase::Granted(ino) } else { Phase::Wait(ino) }
            }
            Phase::Granted(ino) => self.granted(core, ino),
            Phase::Write(ino) => self.write(core, ino),
            Phase::Sync(ino) => {
                core.inodes[ino].sync();
                Phase::Complete(ino)
            }
            Phase::Complete(ino) => self.complete(ino),
            Phase::Close(ino) => {
                core.inodes[ino].close(by);
                self.next_session()
            }
            Phase::Create => self.create(core),
            Phase::Fill(ino) => self.fill(core, ino),
            Phase::Publish(ino) => self.publish(core, ino),
            Phase::Done => Phase::Done,
        };
        let again = matches!((before, self.phase), (Phase::Complete(_), Phase::Write(_)));
        let rests = again || self.phase == Phase::Rest;
        let (low, high) = if rests { self.plan.rest } else { self.plan.step };
        self.wake = Some(core.clock + i128::from(core.random.spread(low, high)));
        core.note(|| format!("writer {}: {before:?} -> {:?}", self.id, self.phase));
    }

    fn row(&self) -> Vec<u8> {
        format!("{}\n", (self.plan.line)(self.id, self.written)).into_bytes()
    }

    fn next_session(&mut self) -> Phase {
        self.session = 0;
        if self.written < self.plan.rows { Phase::Rest } else { Phase::Done }
    }

    fn begin(&mut self, core: &mut Core) -> Phase {
        match self.plan.loader {
            Loader::Append { .. } => Phase::Resolve,
            Loader::Rename | Loader::Truncate => Phase::Read,
            Loader::Unlink => {
                if let Ok(ino) = core.find(&self.plan.path) {
                    let Core { log, inodes, .. } = core;
                    log.excuse_dropped(&inodes[ino].data, &[]);
                    core.remove(Actor::Writer(self.id), &self.plan.path).ok();
                }
                self.written += 1;
                self.next_session()
            }
        }
    }

    fn read(&mut self, core: &mut Core) -> Phase {
        self.content = core.find(&self.plan.path).map_or_else(|_| Vec::new(), |ino| core.inodes[ino].data.clone());
        if self.content.last().is_some_and(|last| *last != b'\n') {
            self.content.push(b'\n');
        }
        self.content.extend(self.row());
        if self.plan.loader == Loader::Rename { Phase::Create } else { Phase::Resolve }
    }

    fn resolve(&mut self, core: &mut Core) -> Phase {
        let by = Actor::Writer(self.id);
        if let Some(ino) = core.names.get(&self.plan.path) {
            return Phase::Enter(ino);
        }
        match core.create(by, &self.plan.path, Kind::File) {
            Ok(ino) => {
                core.inodes[ino].openers.push(by);
                Phase::Granted(ino)
            }
            // Its folder is not there.
            Err(_) => Phase::Done,
        }
    }

    fn granted(&mut self, core: &mut Core, ino: Ino) -> Phase {
        self.at = None;
        if self.plan.loader == Loader::Truncate {
            let Core { log, inodes, .. } = &mut *core;
            log.excuse_dropped(&inodes[ino].data, &self.content);
            core.truncate(Actor::Writer(self.id), ino);
            self.at = Some(0);
            self.emptied = Some((ino, self.content.clone()));
        } else {
            self.content = self.row();
        }
        Phase::Write(ino)
    }

    fn write(&mut self, core: &mut Core, ino: Ino) -> Phase {
        let halves = matches!(self.plan.loader, Loader::Append { halves: true, .. } | Loader::Truncate);
        let length = if halves && core.random.once_in(2) {
            core.random.index(self.content.len()).max(1)
        } else {
            self.content.len()
        };
        let piece: Vec<u8> = self.content.drain(..length).collect();
        let from = self.at;
        let before = from.map(|_| core.inodes[ino].data.clone());
        self.sequence = core.write(Actor::Writer(self.id), ino, from, &piece);
        self.at = from.map(|from| from + length);
        if let Some(before) = before {
            // Another writer may have appended here since the file was emptied: its rows are overwritten.
            let Core { log, inodes, .. } = &mut *core;
            log.excuse_dropped(&before, &inodes[ino].data);
            // And others may have overwritten its own before it was done.
            if let Some((_, intended)) = self.emptied.as_ref().filter(|_| self.content.is_empty()) {
                log.excuse_dropped(intended, &inodes[ino].data);
            }
        }
        if log::is_dropped(&core.inodes[ino]) {
            // What was not yet written again when another writer took the file away goes with it.
            let Core { log, inodes, .. } = &mut *core;
            log.excuse_dropped(&inodes[ino].data, &[]);
        }
        if self.content.is_empty() {
            self.add(core, ino);
        }
        match () {
            () if !self.content.is_empty() => Phase::Write(ino),
            () if self.plan.syncs => Phase::Sync(ino),
            () => Phase::Complete(ino),
        }
    }

    /// The row is complete.
    fn complete(&mut self, ino: Ino) -> Phase {
        self.session += 1;
        match self.plan.loader {
            Loader::Append { rows, .. } if self.session < rows && self.written < self.plan.rows => {
                self.content = self.row();
                Phase::Write(ino)
            }
            _ => Phase::Close(ino),
        }
    }

    fn add(&mut self, core: &mut Core, ino: Ino) {
        let row = Row { writer: self.id, line: self.row(), ino, sequence: self.sequence };
        let Core { log, inodes, .. } = core;
        log.add(row, &inodes[ino]);
        self.written += 1;
    }

    fn temporary(&self) -> PathBuf {
        let name = self.plan.path.file_name().unwrap_or_default().to_string_lossy();
        self.plan.path.with_file_name(format!(".{name}.loader-{}", self.id))
    }

    fn create(&mut self, core: &mut Core) -> Phase {
        let (by, path) = (Actor::Writer(self.id), self.temporary());
        if let Ok(left) = core.find(&path) {
            // A power cut took the last renaming back; what only this file has goes with it.
            let named = core.find(&self.plan.path).map_or_else(|_| Vec::new(), |ino| core.inodes[ino].data.clone());
            core.log.excuse_dropped(&core.inodes[left].data, &named);
            core.remove(by, &path).ok();
        }
        core.create(by, &path, Kind::File).map_or(Phase::Done, Phase::Fill)
    }

    fn fill(&mut self, core: &mut Core, ino: Ino) -> Phase {
        self.sequence = core.write(Actor::Writer(self.id), ino, Some(0), &self.content);
        // A rename over a file is no way to replace it durably without this, so no loader is excused for its lack.
        core.inodes[ino].sync();
        Phase::Publish(ino)
    }

    fn publish(&mut self, core: &mut Core, ino: Ino) -> Phase {
        let path: &Path = &self.plan.path;
        if let Some(victim) = core.names.get(path) {
            let Core { log, inodes, .. } = &mut *core;
            log.excuse_dropped(&inodes[victim].data, &inodes[ino].data);
        }
        core.rename(Actor::Writer(self.id), &self.temporary(), &self.plan.path).ok();
        self.add(core, ino);
        self.next_session()
    }
}
