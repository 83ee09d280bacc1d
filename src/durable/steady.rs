//! Files whose calls a signal does not end: what was interrupted is done again.

use std::io::{self, ErrorKind, Write};
use std::sync::Arc;

use super::{Attributes, FileId, Held, Locked, NotGiven, Opened, Output, Ownership, Volume};

/// Does again what a signal cut short.
pub(super) fn again<T>(mut call: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    loop {
        match call() {
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            done => return done,
        }
    }
}

/// A file that is open for reading.
#[derive(Debug)]
pub(super) struct SteadyFile(pub(super) Arc<dyn Opened>);

impl Opened for SteadyFile {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        again(|| self.0.read_at(buffer, offset))
    }

    fn attributes(&self) -> io::Result<Attributes> {
        again(|| self.0.attributes())
    }

    fn ownership(&self) -> io::Result<Ownership> {
        again(|| self.0.ownership())
    }

    fn volume(&self) -> io::Result<Volume> {
        again(|| self.0.volume())
    }

    fn lease(&self) -> io::Result<Box<dyn Held>> {
        again(|| self.0.lease())
    }

    fn sync(&self) -> io::Result<()> {
        again(|| self.0.sync())
    }
}

/// A file that is being written.
#[derive(Debug)]
pub(super) struct SteadyOutput(pub(super) Box<dyn Output>);

impl Write for SteadyOutput {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        again(|| self.0.write(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        again(|| self.0.flush())
    }
}

impl Output for SteadyOutput {
    fn sync(&mut self) -> io::Result<()> {
        again(|| self.0.sync())
    }

    fn attributes(&self) -> io::Result<Attributes> {
        again(|| self.0.attributes())
    }

    fn give(&mut self, ownership: &Ownership) -> Result<(), NotGiven> {
        loop {
            match self.0.give(ownership) {
                Err(error) if error.source.kind() == ErrorKind::Interrupted => {}
                done => return done,
            }
        }
    }

    fn reserve(&mut self, length: u64) -> io::Result<()> {
        again(|| self.0.reserve(length))
    }
}

/// A lock that is held.
#[derive(Debug)]
pub(super) struct SteadyLock(pub(super) Box<dyn Locked>);

impl Locked for SteadyLock {
    fn id(&self) -> io::Result<FileId> {
        again(|| self.0.id())
    }

    fn read(&self) -> io::Result<Vec<u8>> {
        again(|| self.0.read())
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        again(|| self.0.write(bytes))
    }
}
