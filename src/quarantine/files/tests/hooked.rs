//! The real file system with a clock of its own and something that happens right before names are exchanged.

use std::ffi::OsString;
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::durable::{Attributes, Disk, FileSystem, Locked, Opened, Output};

type Hook = Box<dyn FnMut(&Path) -> io::Result<()> + Send>;

/// Files look a minute older than they are, so that no test waits for a file to be left alone.
const AHEAD: i128 = 60_000_000_000;

#[derive(Clone)]
pub(super) struct Hooked {
    inner: Disk,
    hook: Arc<Mutex<Option<Hook>>>,
}

impl std::fmt::Debug for Hooked {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Hooked")
    }
}

impl Hooked {
    pub(super) fn new() -> Self {
        Self { inner: Disk::system(), hook: Arc::default() }
    }

    pub(super) fn disk(&self) -> Disk {
        Disk::of(Arc::new(self.clone()))
    }

    /// Lets `hook` act right before names are exchanged from now on.
    pub(super) fn set(&self, hook: impl FnMut(&Path) -> io::Result<()> + Send + 'static) {
        *self.hook.lock().unwrap_or_else(PoisonError::into_inner) = Some(Box::new(hook));
    }

    pub(super) fn clear(&self) {
        self.hook.lock().unwrap_or_else(PoisonError::into_inner).take();
    }
}

impl FileSystem for Hooked {
    fn look(&self, path: &Path) -> io::Result<Option<Attributes>> {
        self.inner.look(path)
    }

    fn names(&self, folder: &Path) -> io::Result<Vec<OsString>> {
        self.inner.names(folder)
    }

    fn open(&self, path: &Path) -> io::Result<Arc<dyn Opened>> {
        self.inner.open(path)
    }

    fn create(&self, path: &Path) -> io::Result<Box<dyn Output>> {
        self.inner.create(path)
    }

    fn append(&self, path: &Path) -> io::Result<Box<dyn Output>> {
        self.inner.append(path)
    }

    fn make_folder(&self, folder: &Path) -> io::Result<()> {
        self.inner.make_folders(folder)
    }

    fn sync_folder(&self, folder: &Path) -> io::Result<()> {
        self.inner.sync_folder(folder)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        std::fs::rename(from, to)
    }

    fn exchange(&self, one: &Path, other: &Path) -> io::Result<()> {
        if let Some(hook) = self.hook.lock().unwrap_or_else(PoisonError::into_inner).as_mut() {
            hook(other)?;
        }
        self.inner.exchange(one, other)
    }

    fn link(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.inner.link(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        std::fs::remove_file(path)
    }

    fn lock(&self, path: &Path) -> io::Result<Option<Box<dyn Locked>>> {
        self.inner.lock(path)
    }

    fn now(&self) -> i128 {
        self.inner.now() + AHEAD
    }

    fn elapsed(&self) -> Duration {
        self.inner.elapsed()
    }

    fn pause(&self, time: Duration) {
        self.inner.pause(time);
    }
}
