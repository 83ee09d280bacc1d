//! Files that outlast a crash: everything that moves rows, puts them back or reports of it reads and writes through here.
//!
//! ```text
//! FileSystem  what the protocols ask of an operating system, one small call each
//! system      the real one
//! Disk        a handle on one, with what every caller needs: whole files, durable names, digests
//! staged      a file that grows under a hidden name    claim  a name that a process holds while it lives
//! digest      SHA-256 and hexadecimal text             process  which user, on which machine
//! simulated   one in memory, with writers, leases, power cuts    faulty   one whose calls fail (both for tests)
//! ```
//!
//! The trait is the seam at which tests make every single call fail, let a writer act between two calls, and cut the
//! power: the code they run is the code that runs.

mod claim;
mod digest;
mod disk;
#[cfg(test)]
pub(crate) mod faulty;
pub mod paths;
pub mod process;
mod reader;
#[cfg(test)]
pub(crate) mod simulated;
mod staged;
mod steady;
mod system;

use std::ffi::OsString;
use std::fmt;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

pub use claim::Claim;
pub use digest::{Hash, from_hex, hex, sha256};
pub use disk::{Disk, Seen, digest, folder_of, see, temporary_of};
pub use reader::Reader;
pub use staged::{Growing, NotPublished, Staged};

/// Which file it is, whatever it is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
pub struct FileId {
    /// The device it lies on.
    pub device: u64,
    /// Its number on that device.
    pub inode: u64,
}

/// What kind of thing has a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// An ordinary file.
    File,
    /// A folder.
    Folder,
    /// A symbolic link.
    Link,
    /// A pipe, a socket, a device.
    Other,
}

/// What the system knows of a file without reading it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Attributes {
    /// What it is.
    pub kind: Kind,
    /// Which one it is.
    pub id: FileId,
    /// Its length in bytes.
    pub length: u64,
    /// How many names it has.
    pub links: u64,
    /// When its content was last changed, nanoseconds since 1970-01-01 UTC.
    pub modified: i128,
    /// When its content or anything the system knows of it was last changed, nanoseconds since 1970-01-01 UTC.
    pub changed: i128,
}

/// Whose a file is and who may use it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ownership {
    /// Number of the owner.
    pub user: u32,
    /// Number of the group.
    pub group: u32,
    /// Permission bits.
    pub mode: u32,
    /// Extended attributes by name, access control lists among them; sorted by name.
    pub attributes: Vec<(OsString, Vec<u8>)>,
}

/// Where a file lies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Volume {
    /// The file system, e.g. `ext4`.
    pub file_system: String,
    /// Whether leases on this file system are known to hold every writer back.
    pub leases: bool,
    /// Whether the file itself is a mount point, so that its name cannot be given to another file.
    pub mount_point: bool,
}

/// What cannot be given to a new file.
#[derive(Debug)]
pub struct NotGiven {
    /// What, e.g. `owner 1000`.
    pub what: String,
    /// What the system says.
    pub source: io::Error,
}

/// The calls that barkeep makes of an operating system. Each does one thing and may fail on its own.
pub trait FileSystem: fmt::Debug + Send + Sync {
    /// What has this name; a symbolic link is not followed. `None` where nothing has it.
    fn look(&self, path: &Path) -> io::Result<Option<Attributes>>;
    /// The names in a folder, in no order.
    fn names(&self, folder: &Path) -> io::Result<Vec<OsString>>;
    /// Opens a file for reading; a symbolic link is refused (`ELOOP`), and a pipe is not waited for.
    fn open(&self, path: &Path) -> io::Result<Arc<dyn Opened>>;
    /// Makes a new file for this user alone; one that is there already is refused.
    fn create(&self, path: &Path) -> io::Result<Box<dyn Output>>;
    /// Opens a file that is there to write behind its end; a symbolic link is refused.
    fn append(&self, path: &Path) -> io::Result<Box<dyn Output>>;
    /// Makes one folder for this user alone; one that is there already is refused.
    fn make_folder(&self, folder: &Path) -> io::Result<()>;
    /// Makes the names in a folder outlast a power cut.
    fn sync_folder(&self, folder: &Path) -> io::Result<()>;
    /// Gives the file `from` the name `to`, in place of what had it.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
    /// Exchanges the names of two files in one step.
    fn exchange(&self, one: &Path, other: &Path) -> io::Result<()>;
    /// Gives the file `from` a second name; one that is taken is refused.
    fn link(&self, from: &Path, to: &Path) -> io::Result<()>;
    /// Takes a name away.
    fn remove(&self, path: &Path) -> io::Result<()>;
    /// Locks the file `path`, which is made where it is missing, until the value is dropped; `None` where another
    /// process holds the lock. The system gives it back when its holder ends, however it ends.
    fn lock(&self, path: &Path) -> io::Result<Option<Box<dyn Locked>>>;
    /// Now, nanoseconds since 1970-01-01 UTC, by the clock that files get their times from.
    fn now(&self) -> i128;
    /// Time since some moment in the past; never runs backwards.
    fn elapsed(&self) -> Duration;
    /// Waits.
    fn pause(&self, time: Duration);
}

/// A file that is open for reading.
pub trait Opened: fmt::Debug + Send + Sync {
    /// Reads into `buffer` from byte `offset` on; how many bytes, 0 only at the end.
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize>;
    /// What the system knows of it now.
    fn attributes(&self) -> io::Result<Attributes>;
    /// Whose it is.
    fn ownership(&self) -> io::Result<Ownership>;
    /// Where it lies.
    fn volume(&self) -> io::Result<Volume>;
    /// Takes a read lease: until it is dropped, whoever opens the file for writing has to wait. `WouldBlock` where
    /// somebody has it open for writing.
    fn lease(&self) -> io::Result<Box<dyn Held>>;
    /// Makes its content outlast a power cut.
    fn sync(&self) -> io::Result<()>;
}

/// A file that is being written.
pub trait Output: io::Write + fmt::Debug + Send {
    /// Makes what was written outlast a power cut.
    fn sync(&mut self) -> io::Result<()>;
    /// What the system knows of it now.
    fn attributes(&self) -> io::Result<Attributes>;
    /// Makes it the same user's with the same rights.
    ///
    /// # Errors
    /// The first thing that this user may not give.
    fn give(&mut self, ownership: &Ownership) -> Result<(), NotGiven>;
    /// Makes sure that `length` more bytes have room, where the file system can tell.
    fn reserve(&mut self, length: u64) -> io::Result<()>;
}

/// A lease that was taken; dropping it gives it back.
pub trait Held: fmt::Debug + Send + Sync {
    /// Whether nobody has opened the file for writing, or is waiting to, since the lease was taken.
    fn is_unbroken(&self) -> bool;
}

/// A lock that was taken; dropping it gives it back.
pub trait Locked: fmt::Debug + Send + Sync {
    /// Which file is locked.
    fn id(&self) -> io::Result<FileId>;
    /// What stands in it.
    fn read(&self) -> io::Result<Vec<u8>>;
    /// Writes this in place of what stands in it, durably.
    fn write(&mut self, bytes: &[u8]) -> io::Result<()>;
}
