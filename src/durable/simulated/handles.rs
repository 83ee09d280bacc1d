//! What a process has open, leased or locked.

use std::io::{self, Write};

use rustix::io::Errno;

use super::inode::Ino;
use super::process::{Cost, Process};
use crate::durable::{Attributes, FileId, Held, Kind, Locked, NotGiven, Opened, Output, Ownership, Volume};

/// An open file: descriptors made by `dup` are the same one.
#[derive(Debug, Clone)]
pub(super) struct Description {
    pub(super) process: Process,
    pub(super) ino: Ino,
    pub(super) number: u64,
}

impl Description {
    fn what(&self, call: &str) -> String {
        format!("{call} file {}", self.ino)
    }
}

#[derive(Debug)]
pub(super) struct OpenFile(pub(super) Description);

impl Opened for OpenFile {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let state = self.0.process.enter(Cost::Quick, || self.0.what("read"))?;
        let inode = &state.core.inodes[self.0.ino];
        if inode.kind == Kind::Folder {
            return Err(Errno::ISDIR.into());
        }
        let rest = usize::try_from(offset).ok().and_then(|offset| inode.data.get(offset..)).unwrap_or_default();
        let length = rest.len().min(buffer.len());
        buffer[..length].copy_from_slice(&rest[..length]);
        Ok(length)
    }

    fn attributes(&self) -> io::Result<Attributes> {
        let state = self.0.process.enter(Cost::Quick, || self.0.what("attributes of"))?;
        Ok(state.core.attributes(self.0.ino))
    }

    fn ownership(&self) -> io::Result<Ownership> {
        let state = self.0.process.enter(Cost::Quick, || self.0.what("ownership of"))?;
        Ok(state.core.inodes[self.0.ino].ownership.clone())
    }

    fn volume(&self) -> io::Result<Volume> {
        let state = self.0.process.enter(Cost::Quick, || self.0.what("volume of"))?;
        Ok(Volume {
            file_system: state.core.settings.file_system.clone(),
            leases: state.core.settings.leases,
            mount_point: state.core.inodes[self.0.ino].mount_point,
        })
    }

    fn lease(&self) -> io::Result<Box<dyn Held>> {
        let mut state = self.0.process.enter(Cost::Quick, || self.0.what("lease"))?;
        state.core.take_lease(self.0.process.actor(), self.0.ino, self.0.number)?;
        drop(state);
        Ok(Box::new(Lease(self.0.clone())))
    }

    fn sync(&self) -> io::Result<()> {
        let mut state = self.0.process.enter(Cost::Sync, || self.0.what("sync"))?;
        state.core.inodes[self.0.ino].sync();
        Ok(())
    }
}

#[derive(Debug)]
struct Lease(Description);

impl Held for Lease {
    fn is_unbroken(&self) -> bool {
        let Description { process, ino, number } = &self.0;
        let Ok(state) = process.enter(Cost::Quick, || self.0.what("look at the lease of")) else { return false };
        if !state.core.has_lease(*ino, *number) {
            return false;
        }
        let mut state = Process::between(state);
        state.core.take_lease(process.actor(), *ino, *number).is_ok()
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        let mut state = self.0.process.world.lock();
        state.core.give_lease_back(self.0.ino, self.0.number);
        state.core.note(|| self.0.what("give back the lease of"));
    }
}

#[derive(Debug)]
pub(super) struct Lock(pub(super) Description);

impl Locked for Lock {
    fn id(&self) -> io::Result<FileId> {
        let state = self.0.process.enter(Cost::Quick, || self.0.what("which is locked"))?;
        Ok(state.core.attributes(self.0.ino).id)
    }

    fn read(&self) -> io::Result<Vec<u8>> {
        let state = self.0.process.enter(Cost::Quick, || self.0.what("read locked"))?;
        Ok(state.core.inodes[self.0.ino].data.clone())
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        let Description { process, ino, .. } = &self.0;
        // Three system calls, between which a crash may come.
        let mut state = process.enter(Cost::Quick, || self.0.what("truncate locked"))?;
        state.core.truncate(process.actor(), *ino);
        drop(state);
        let mut state = process.enter(Cost::Quick, || self.0.what("write locked"))?;
        state.core.write(process.actor(), *ino, Some(0), bytes);
        drop(state);
        let mut state = process.enter(Cost::Sync, || self.0.what("sync locked"))?;
        state.core.inodes[*ino].sync();
        Ok(())
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        let Description { process, ino, number } = &self.0;
        let mut state = process.world.lock();
        let own = (process.actor(), *number);
        if state.core.inodes[*ino].lock.take_if(|lock| *lock == own).is_some() {
            state.core.inodes[*ino].close(process.actor());
        }
    }
}

#[derive(Debug)]
pub(super) struct NewFile {
    pub(super) process: Process,
    pub(super) ino: Ino,
    /// Where the next byte goes; `None` is the end of the file, wherever that is then.
    pub(super) at: Option<usize>,
}

impl Write for NewFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let (process, ino, at) = (&self.process, self.ino, self.at);
        let what = || format!("write {} bytes to file {ino}", bytes.len());
        let mut state = process.enter_or(Cost::Quick, what, |core| {
            let length = core.random.index(bytes.len() + 1);
            core.write(process.actor(), ino, at, &bytes[..length]);
        })?;
        state.core.write(process.actor(), ino, at, bytes);
        self.at = at.map(|at| at + bytes.len());
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Output for NewFile {
    fn sync(&mut self) -> io::Result<()> {
        let mut state = self.process.enter(Cost::Sync, || format!("sync file {}", self.ino))?;
        state.core.inodes[self.ino].sync();
        Ok(())
    }

    fn attributes(&self) -> io::Result<Attributes> {
        let state = self.process.enter(Cost::Quick, || format!("attributes of file {}", self.ino))?;
        Ok(state.core.attributes(self.ino))
    }

    fn give(&mut self, ownership: &Ownership) -> Result<(), NotGiven> {
        let what = || format!("owner {}", ownership.user);
        let entered = self.process.enter(Cost::Quick, || format!("give file {} to its owner", self.ino));
        let mut state = entered.map_err(|source| NotGiven { what: what(), source })?;
        if !state.core.settings.give && state.core.inodes[self.ino].ownership != *ownership {
            return Err(NotGiven { what: what(), source: Errno::PERM.into() });
        }
        state.core.inodes[self.ino].ownership = ownership.clone();
        state.core.touch(self.ino);
        Ok(())
    }

    fn reserve(&mut self, _length: u64) -> io::Result<()> {
        self.process.enter(Cost::Quick, || format!("reserve room for file {}", self.ino)).map(drop)
    }
}

impl Drop for NewFile {
    fn drop(&mut self) {
        let mut state = self.process.world.lock();
        state.core.inodes[self.ino].close(self.process.actor());
    }
}
