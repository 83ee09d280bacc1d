//! A file system of which one call fails: with an error of the system, by writing less than it was asked to, or by
//! failing although it did what it was asked to.

use std::ffi::OsString;
use std::io::{self, Write};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rustix::io::Errno;

use super::{Attributes, Disk, FileId, FileSystem, Held, Locked, NotGiven, Opened, Output, Ownership, Volume};

/// How a call fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// It does nothing and says so.
    Error(Errno),
    /// It does what it should, and says that it failed.
    Late(Errno),
    /// A write takes only a part of what it is given; no other call fails in this way.
    Short,
    /// A write takes nothing, and says that this is not an error.
    Nothing,
    /// It does nothing, and neither does any call behind it, as where the process is killed.
    Ends,
}

/// Calls of a file system, counted from 1, of which one fails once.
#[derive(Debug, Clone)]
struct Faulty {
    inner: Arc<dyn FileSystem>,
    calls: Calls,
}

/// The calls that were made.
#[derive(Debug, Clone)]
pub(crate) struct Calls(Arc<Mutex<Made>>);

#[derive(Debug)]
struct Made {
    names: Vec<&'static str>,
    at: usize,
    fault: Fault,
    failed: bool,
}

impl Fault {
    /// Every way in which one call fails.
    pub(crate) const ALL: [Self; 6] = [
        Self::Error(Errno::IO),
        Self::Error(Errno::NOSPC),
        Self::Error(Errno::INTR),
        Self::Late(Errno::IO),
        Self::Short,
        Self::Nothing,
    ];

    /// Whether nobody may notice it: what was short or interrupted is done again.
    pub(crate) fn is_invisible(self) -> bool {
        matches!(self, Self::Short | Self::Error(Errno::INTR))
    }
}

/// A disk on `inner`, whose call number `at` fails, and the calls that are made of it; with 0 none fails.
pub(crate) fn disk(inner: Arc<dyn FileSystem>, at: usize, fault: Fault) -> (Disk, Calls) {
    let faulty = Faulty::new(inner, at, fault);
    let calls = faulty.calls();
    (Disk::of(Arc::new(faulty)), calls)
}

/// The file system of this machine, to put faults before.
pub(crate) fn of_machine() -> Arc<dyn FileSystem> {
    Arc::new(super::system::System::new())
}

/// Does `work` with every call failing once in every way, until there are no more calls; how many failed.
pub(crate) fn every_call(mut work: impl FnMut(usize, Fault) -> Calls) -> usize {
    let mut failed = 0;
    for fault in Fault::ALL {
        for at in 1.. {
            let calls = work(at, fault);
            failed += usize::from(calls.failed().is_some());
            if calls.names().len() < at {
                break;
            }
        }
    }
    failed
}

impl Faulty {
    /// `inner`, whose call number `at` fails; with 0 none does.
    fn new(inner: Arc<dyn FileSystem>, at: usize, fault: Fault) -> Self {
        let made = Made { names: Vec::new(), at, fault, failed: false };
        Self { inner, calls: Calls(Arc::new(Mutex::new(made))) }
    }

    /// The calls that were made, also after the file system was given away.
    fn calls(&self) -> Calls {
        self.calls.clone()
    }
}

impl Calls {
    fn made(&self) -> MutexGuard<'_, Made> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Their names, in order.
    pub(crate) fn names(&self) -> Vec<&'static str> {
        self.made().names.clone()
    }

    /// The name of the call that failed; `None` where the run was shorter, or that call cannot fail in this way.
    pub(crate) fn failed(&self) -> Option<&'static str> {
        let made = self.made();
        made.failed.then(|| made.names[made.at - 1])
    }

    /// Whether this call is to fail, and how.
    fn next(&self, name: &'static str) -> Option<Fault> {
        let mut made = self.made();
        made.names.push(name);
        let partly = matches!(made.fault, Fault::Short | Fault::Nothing);
        let reached = match made.fault {
            Fault::Ends => made.at > 0 && made.names.len() >= made.at,
            _ => made.names.len() == made.at,
        };
        let fails = reached && (!partly || name == "write");
        made.failed |= fails;
        fails.then_some(made.fault)
    }

    fn call<T>(&self, name: &'static str, call: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
        match self.next(name) {
            Some(Fault::Error(error)) => Err(error.into()),
            Some(Fault::Ends) => Err(Errno::IO.into()),
            Some(Fault::Late(error)) => {
                call()?;
                Err(error.into())
            }
            _ => call(),
        }
    }
}

impl FileSystem for Faulty {
    fn look(&self, path: &Path) -> io::Result<Option<Attributes>> {
        self.calls.call("look", || self.inner.look(path))
    }

    fn names(&self, folder: &Path) -> io::Result<Vec<OsString>> {
        self.calls.call("names", || self.inner.names(folder))
    }

    fn open(&self, path: &Path) -> io::Result<Arc<dyn Opened>> {
        let inner = self.calls.call("open", || self.inner.open(path))?;
        Ok(Arc::new(FaultyOpened { inner, calls: self.calls() }))
    }

    fn create(&self, path: &Path) -> io::Result<Box<dyn Output>> {
        let inner = self.calls.call("create", || self.inner.create(path))?;
        Ok(Box::new(FaultyOutput { inner, calls: self.calls() }))
    }

    fn append(&self, path: &Path) -> io::Result<Box<dyn Output>> {
        let inner = self.calls.call("append", || self.inner.append(path))?;
        Ok(Box::new(FaultyOutput { inner, calls: self.calls() }))
    }

    fn make_folder(&self, folder: &Path) -> io::Result<()> {
        self.calls.call("make_folder", || self.inner.make_folder(folder))
    }

    fn sync_folder(&self, folder: &Path) -> io::Result<()> {
        self.calls.call("sync_folder", || self.inner.sync_folder(folder))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.calls.call("rename", || self.inner.rename(from, to))
    }

    fn exchange(&self, one: &Path, other: &Path) -> io::Result<()> {
        self.calls.call("exchange", || self.inner.exchange(one, other))
    }

    fn link(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.calls.call("link", || self.inner.link(from, to))
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.calls.call("remove", || self.inner.remove(path))
    }

    fn lock(&self, path: &Path) -> io::Result<Option<Box<dyn Locked>>> {
        let locked = self.calls.call("lock", || self.inner.lock(path))?;
        Ok(locked.map(|inner| Box::new(FaultyLocked { inner, calls: self.calls() }) as Box<dyn Locked>))
    }

    fn now(&self) -> i128 {
        self.inner.now()
    }

    fn elapsed(&self) -> Duration {
        self.inner.elapsed()
    }

    fn pause(&self, time: Duration) {
        self.inner.pause(time);
    }
}

#[derive(Debug)]
struct FaultyOpened {
    inner: Arc<dyn Opened>,
    calls: Calls,
}

impl Opened for FaultyOpened {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        self.calls.call("read_at", || self.inner.read_at(buffer, offset))
    }

    fn attributes(&self) -> io::Result<Attributes> {
        self.calls.call("attributes", || self.inner.attributes())
    }

    fn ownership(&self) -> io::Result<Ownership> {
        self.calls.call("ownership", || self.inner.ownership())
    }

    fn volume(&self) -> io::Result<Volume> {
        self.calls.call("volume", || self.inner.volume())
    }

    fn lease(&self) -> io::Result<Box<dyn Held>> {
        let inner = self.calls.call("lease", || self.inner.lease())?;
        Ok(Box::new(FaultyHeld { inner, calls: self.calls.clone() }))
    }

    fn sync(&self) -> io::Result<()> {
        self.calls.call("sync", || self.inner.sync())
    }
}

#[derive(Debug)]
struct FaultyHeld {
    inner: Box<dyn Held>,
    calls: Calls,
}

impl Held for FaultyHeld {
    /// A look that fails tells that the lease is broken.
    fn is_unbroken(&self) -> bool {
        self.calls.call("is_unbroken", || Ok(self.inner.is_unbroken())).unwrap_or(false)
    }
}

#[derive(Debug)]
struct FaultyLocked {
    inner: Box<dyn Locked>,
    calls: Calls,
}

impl Locked for FaultyLocked {
    fn id(&self) -> io::Result<FileId> {
        self.calls.call("locked id", || self.inner.id())
    }

    fn read(&self) -> io::Result<Vec<u8>> {
        self.calls.call("locked read", || self.inner.read())
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.calls.call("locked write", || self.inner.write(bytes))
    }
}

#[derive(Debug)]
struct FaultyOutput {
    inner: Box<dyn Output>,
    calls: Calls,
}

impl Write for FaultyOutput {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self.calls.next("write") {
            Some(Fault::Error(error)) => Err(error.into()),
            Some(Fault::Ends) => Err(Errno::IO.into()),
            Some(Fault::Late(error)) => {
                self.inner.write_all(bytes)?;
                Err(error.into())
            }
            Some(Fault::Short) => self.inner.write(&bytes[..bytes.len() / 2]),
            Some(Fault::Nothing) => Ok(0),
            None => self.inner.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

impl Output for FaultyOutput {
    fn sync(&mut self) -> io::Result<()> {
        self.calls.call("sync", || self.inner.sync())
    }

    fn attributes(&self) -> io::Result<Attributes> {
        self.calls.call("attributes", || self.inner.attributes())
    }

    fn give(&mut self, ownership: &Ownership) -> Result<(), NotGiven> {
        match self.calls.next("give") {
            Some(Fault::Error(error) | Fault::Late(error)) => {
                Err(NotGiven { what: "owner and rights".to_owned(), source: error.into() })
            }
            _ => self.inner.give(ownership),
        }
    }

    fn reserve(&mut self, length: u64) -> io::Result<()> {
        self.calls.call("reserve", || self.inner.reserve(length))
    }
}

#[cfg(test)]
mod tests {
    use super::super::simulated::World;
    use super::super::temporary_of;
    use super::*;

    /// Runs `write_whole` with every call failing once in every way over `file_system`; how many calls failed.
    fn every_call_fails(folder: &Path, file_system: impl Fn() -> Arc<dyn FileSystem>) -> usize {
        let path = folder.join("x");
        let late = Fault::Late(Errno::IO);
        every_call(|at, fault| {
            Disk::of(file_system()).write_whole(&path, b"old").unwrap();
            let (disk, calls) = disk(file_system(), at, fault);
            let result = disk.write_whole(&path, b"the new bytes");
            let name = calls.failed();
            let now = Disk::of(file_system()).read(&path).unwrap().unwrap();
            // There is nothing to remove, and the call says that first. A write that takes nothing never ends well.
            let fine = name.is_none() || fault.is_invisible() || (name == Some("remove") && fault == late);
            assert_eq!(result.is_ok(), fine, "{fault:?} at {name:?}: {result:?}");
            let new = fine || name == Some("sync_folder") || (name == Some("rename") && fault == late);
            assert_eq!(now, if new { &b"the new bytes"[..] } else { b"old" }, "{fault:?} at {name:?}");
            let left = Disk::of(file_system()).exists(&temporary_of(&path)).unwrap();
            assert!(!left || name == Some("remove"), "{fault:?} at {name:?} leaves a file behind");
            if name.is_none() && at > 6 {
                assert_eq!(calls.names(), ["remove", "create", "write", "sync", "rename", "sync_folder"]);
            }
            calls
        })
    }

    #[test]
    fn a_whole_file_is_the_old_or_the_new_one_whichever_call_fails() {
        let dir = tempfile::tempdir().unwrap();
        // Six calls fail in four ways, the write in two more.
        assert_eq!(every_call_fails(dir.path(), || Arc::new(super::super::system::System::new())), 26);
        let world = World::new(5);
        world.put_folder("/data");
        assert_eq!(every_call_fails(Path::new("/data"), || world.process()), 26);
    }

    #[test]
    fn open_files_leases_and_locks_fail_too() {
        let world = World::new(5);
        world.put("/data/x", "text");
        let lock = Path::new("/data/lock");
        let names = |at| {
            let (disk, calls) = disk(world.process(), at, Fault::Error(Errno::IO));
            let work = || -> io::Result<bool> {
                let file = disk.open(Path::new("/data/x"))?;
                let lease = file.lease()?;
                file.attributes()?;
                file.ownership()?;
                file.volume()?;
                file.sync()?;
                file.read_at(&mut [0; 9], 0)?;
                let mut held = disk.lock(lock)?.ok_or(Errno::AGAIN)?;
                held.write(b"x")?;
                held.read()?;
                held.id()?;
                Ok(lease.is_unbroken())
            };
            (work(), calls)
        };
        let (done, calls) = names(0);
        assert!(done.unwrap());
        let all = calls.names();
        assert_eq!(all.len(), 12);
        for at in 1..=all.len() {
            let (result, calls) = names(at);
            assert_eq!(calls.failed(), Some(all[at - 1]));
            assert!(!result.unwrap_or(false), "{}", all[at - 1]);
        }
    }
}
