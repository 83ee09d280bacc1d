//! A process of the world: the file system as it sees it.

use std::ffi::OsString;
use std::io;
use std::panic::resume_unwind;
use std::path::Path;
use std::sync::{Arc, MutexGuard};
use std::time::Duration;

use rustix::io::Errno;

use super::Crash;
use super::core::Core;
use super::handles::{Description, Lock, NewFile, OpenFile};
use super::inode::{Actor, Ino};
use super::state::{Shared, State};
use crate::durable::{Attributes, FileSystem, Kind, Locked, Opened, Output};

/// What unwinds through a process that has crashed.
pub(super) struct Crashed;

#[derive(Debug, Clone)]
pub(super) struct Process {
    pub(super) world: Arc<Shared>,
    pub(super) id: usize,
}

/// How long a call takes, in nanoseconds.
#[derive(Debug, Clone, Copy)]
pub(super) enum Cost {
    Quick,
    Sync,
}

impl Process {
    pub(super) fn actor(&self) -> Actor {
        Actor::Process(self.id)
    }

    /// Begins a call: others act first, and a crash may come.
    pub(super) fn enter(&self, cost: Cost, call: impl FnOnce() -> String) -> io::Result<MutexGuard<'_, State>> {
        self.enter_or(cost, call, |_| {})
    }

    /// The same; `partly` is what a call that a crash cuts short may have done already.
    pub(super) fn enter_or(
        &self,
        cost: Cost,
        call: impl FnOnce() -> String,
        partly: impl FnOnce(&mut Core),
    ) -> io::Result<MutexGuard<'_, State>> {
        let mut state = self.take_turn()?;
        state.calls += 1;
        let calls = state.calls;
        state.start_writers(calls);
        let time = match cost {
            _ if state.core.random.once_in(200) => state.core.random.spread(100_000, 20_000_000),
            Cost::Quick => state.core.random.spread(500, 20_000),
            Cost::Sync => state.core.random.spread(20_000, 5_000_000),
        };
        state.pass(time);
        let (id, power) = (self.id, state.crash.take_if(|(at, _)| *at <= calls));
        if let Some((_, kind)) = power {
            state.core.note(|| format!("process {id} crashes at call {calls}: {}", call()));
            partly(&mut state.core);
            state.crash(id, kind);
            drop(state);
            self.world.notify();
            return Err(die());
        }
        state.core.note(|| format!("process {id} call {calls}: {}", call()));
        Ok(state)
    }

    fn take_turn(&self) -> io::Result<MutexGuard<'_, State>> {
        let mut state = self.world.lock();
        if state.turn == self.id {
            state.pass_turn();
            if state.turn != self.id {
                self.world.notify();
            }
        }
        let state = self.world.wait(state, self.id);
        if state.processes[self.id] {
            return Ok(state);
        }
        drop(state);
        Err(die())
    }

    /// A system call that is a part of another one: others act, but nothing crashes.
    pub(super) fn between(mut state: MutexGuard<'_, State>) -> MutexGuard<'_, State> {
        let time = state.core.random.spread(100, 2_000);
        state.pass(time);
        state
    }

    /// Opens a file for writing as the kernel does, and waits for its leases.
    fn open_for_writing<'a>(&'a self, mut state: MutexGuard<'a, State>, ino: Ino) -> io::Result<MutexGuard<'a, State>> {
        state.core.inodes[ino].openers.push(self.actor());
        while state.core.break_leases(ino) {
            state.core.note(|| format!("process {} waits for the lease of file {ino}", self.id));
            // Another process may give it back; otherwise only time helps, as it would in reality.
            if let Some(other) = state.players.iter().copied().find(|player| *player != self.id) {
                state.pass(10_000);
                state.turn = other;
                self.world.notify();
                state = self.world.wait(state, self.id);
            } else {
                let time = state.core.forced_at(ino).unwrap_or_default() - state.core.clock;
                state.pass(u64::try_from(time).unwrap_or_default());
            }
            if !state.processes[self.id] {
                drop(state);
                return Err(die());
            }
            state.core.force(ino);
        }
        Ok(state)
    }

    fn output(&self, ino: Ino, at: Option<usize>) -> Box<dyn Output> {
        Box::new(NewFile { process: self.clone(), ino, at })
    }

    fn description(&self, state: &mut State, ino: Ino) -> Description {
        Description { process: self.clone(), ino, number: state.core.number() }
    }
}

/// Ends whatever the process still does; while it unwinds already, an error has to do.
fn die() -> io::Error {
    if std::thread::panicking() {
        return Errno::IO.into();
    }
    resume_unwind(Box::new(Crashed))
}

impl FileSystem for Process {
    fn look(&self, path: &Path) -> io::Result<Option<Attributes>> {
        let state = self.enter(Cost::Quick, || format!("look {}", path.display()))?;
        match state.core.find(&Core::whole(path)) {
            Ok(ino) => Ok(Some(state.core.attributes(ino))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn names(&self, folder: &Path) -> io::Result<Vec<OsString>> {
        let state = self.enter(Cost::Quick, || format!("names {}", folder.display()))?;
        let folder = Core::whole(folder);
        let ino = state.core.find(&folder)?;
        if state.core.inodes[ino].kind != Kind::Folder {
            return Err(Errno::NOTDIR.into());
        }
        Ok(state.core.names.inside(&folder).filter_map(|name| Some(name.file_name()?.to_owned())).collect())
    }

    fn open(&self, path: &Path) -> io::Result<Arc<dyn Opened>> {
        let mut state = self.enter(Cost::Quick, || format!("open {}", path.display()))?;
        let ino = state.core.resolve(&Core::whole(path), false)?;
        Ok(Arc::new(OpenFile(self.description(&mut state, ino))))
    }

    fn create(&self, path: &Path) -> io::Result<Box<dyn Output>> {
        let mut state = self.enter(Cost::Quick, || format!("create {}", path.display()))?;
        let ino = state.core.create(self.actor(), &Core::whole(path), Kind::File)?;
        state.core.inodes[ino].openers.push(self.actor());
        Ok(self.output(ino, Some(0)))
    }

    fn append(&self, path: &Path) -> io::Result<Box<dyn Output>> {
        let state = self.enter(Cost::Quick, || format!("append {}", path.display()))?;
        let ino = state.core.resolve(&Core::whole(path), true)?;
        let state = Self::between(state);
        drop(self.open_for_writing(state, ino)?);
        Ok(self.output(ino, None))
    }

    fn make_folder(&self, folder: &Path) -> io::Result<()> {
        let mut state = self.enter(Cost::Quick, || format!("make_folder {}", folder.display()))?;
        state.core.create(self.actor(), &Core::whole(folder), Kind::Folder).map(drop)
    }

    fn sync_folder(&self, folder: &Path) -> io::Result<()> {
        let mut state = self.enter(Cost::Sync, || format!("sync_folder {}", folder.display()))?;
        let folder = Core::whole(folder);
        let ino = state.core.find(&folder)?;
        state.core.inodes[ino].sync();
        state.core.names.sync(&folder);
        Ok(())
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut state = self.enter(Cost::Quick, || format!("rename {} to {}", from.display(), to.display()))?;
        state.core.rename(self.actor(), &Core::whole(from), &Core::whole(to))
    }

    fn exchange(&self, one: &Path, other: &Path) -> io::Result<()> {
        let mut state = self.enter(Cost::Quick, || format!("exchange {} and {}", one.display(), other.display()))?;
        state.core.exchange(self.actor(), &Core::whole(one), &Core::whole(other))
    }

    fn link(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut state = self.enter(Cost::Quick, || format!("link {} to {}", from.display(), to.display()))?;
        state.core.link(self.actor(), &Core::whole(from), &Core::whole(to))
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let mut state = self.enter(Cost::Quick, || format!("remove {}", path.display()))?;
        state.core.remove(self.actor(), &Core::whole(path))
    }

    fn lock(&self, path: &Path) -> io::Result<Option<Box<dyn Locked>>> {
        let mut state = self.enter(Cost::Quick, || format!("lock {}", path.display()))?;
        let whole = Core::whole(path);
        let ino = match state.core.create(self.actor(), &whole, Kind::File) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => state.core.resolve(&whole, true)?,
            made => made?,
        };
        let mut state = self.open_for_writing(state, ino)?;
        let description = self.description(&mut state, ino);
        let mut state = Self::between(state);
        if state.core.inodes[ino].lock.is_some() {
            state.core.inodes[ino].close(self.actor());
            return Ok(None);
        }
        state.core.inodes[ino].lock = Some((self.actor(), description.number));
        drop(state);
        Ok(Some(Box::new(Lock(description))))
    }

    fn now(&self) -> i128 {
        self.world.lock().core.clock
    }

    fn elapsed(&self) -> Duration {
        let mut state = self.world.lock();
        // Whoever only looks at the clock until it is late must not look for ever.
        state.pass(100);
        state.core.elapsed()
    }

    fn pause(&self, time: Duration) {
        if let Ok(mut state) = self.enter(Cost::Quick, || format!("pause {time:?}")) {
            state.pass(u64::try_from(time.as_nanos()).unwrap_or(u64::MAX));
        }
    }
}

impl Process {
    /// Gives back what a process that has ended left open.
    pub(super) fn end(&self) {
        let mut state = self.world.lock();
        if state.processes[self.id] {
            state.crash(self.id, Crash::Kill);
        }
        drop(state);
        self.world.notify();
    }
}
