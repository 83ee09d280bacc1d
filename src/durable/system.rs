//! The file system of this machine.

use std::ffi::{OsStr, OsString};
use std::fs::{self, DirBuilder, File, Metadata, OpenOptions, Permissions, TryLockError};
use std::io::{self, ErrorKind, Read, Seek, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, FileExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use barkeep_lease::Lease;
use rustix::fs::{
    AtFlags, CWD, FallocateFlags, OFlags, RenameFlags, StatxAttributes, StatxFlags, XattrFlags, fallocate, fgetxattr,
    flistxattr, fremovexattr, fsetxattr, fstatfs, renameat_with, statx,
};
use rustix::io::Errno;

use super::{Attributes, FileId, FileSystem, Held, Kind, Locked, NotGiven, Opened, Output, Ownership, Volume};

/// File systems whose leases were tried against several writers at once, by the number the system gives them.
const WITH_LEASES: [(u64, &str); 5] =
    [(0xef53, "ext4"), (0x5846_5342, "xfs"), (0x9123_683e, "btrfs"), (0x0102_1994, "tmpfs"), (0x794c_7630, "overlay")];
/// The largest extended attribute that Linux knows, and the longest list of their names.
const LARGEST_ATTRIBUTE: usize = 64 << 10;

#[derive(Debug)]
pub(super) struct System {
    started: Instant,
}

impl System {
    pub(super) fn new() -> Self {
        Self { started: Instant::now() }
    }
}

impl FileSystem for System {
    fn look(&self, path: &Path) -> io::Result<Option<Attributes>> {
        match fs::symlink_metadata(path) {
            Ok(metadata) => Ok(Some(attributes(&metadata))),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn names(&self, folder: &Path) -> io::Result<Vec<OsString>> {
        fs::read_dir(folder)?.map(|entry| Ok(entry?.file_name())).collect()
    }

    fn open(&self, path: &Path) -> io::Result<Arc<dyn Opened>> {
        let flags = flags(OFlags::NOFOLLOW | OFlags::NONBLOCK);
        Ok(Arc::new(OpenFile(OpenOptions::new().read(true).custom_flags(flags).open(path)?)))
    }

    fn create(&self, path: &Path) -> io::Result<Box<dyn Output>> {
        Ok(Box::new(NewFile(OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?)))
    }

    fn append(&self, path: &Path) -> io::Result<Box<dyn Output>> {
        let flags = flags(OFlags::NOFOLLOW);
        Ok(Box::new(NewFile(OpenOptions::new().append(true).custom_flags(flags).open(path)?)))
    }

    fn make_folder(&self, folder: &Path) -> io::Result<()> {
        DirBuilder::new().mode(0o700).create(folder)
    }

    fn sync_folder(&self, folder: &Path) -> io::Result<()> {
        File::open(folder)?.sync_all()
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn exchange(&self, one: &Path, other: &Path) -> io::Result<()> {
        Ok(renameat_with(CWD, one, CWD, other, RenameFlags::EXCHANGE)?)
    }

    fn link(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::hard_link(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(path)
    }

    fn lock(&self, path: &Path) -> io::Result<Option<Box<dyn Locked>>> {
        let options = OpenOptions::new().create(true).truncate(false).read(true).write(true).mode(0o600).to_owned();
        let file = options.clone().custom_flags(flags(OFlags::NOFOLLOW)).open(path)?;
        match file.try_lock() {
            Ok(()) => Ok(Some(Box::new(LockedFile(file)))),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }

    fn now(&self) -> i128 {
        // A clock before 1970 is taken for 1970: files are then never younger than a moment ago.
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        i128::try_from(since.as_nanos()).unwrap_or(i128::MAX)
    }

    fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }

    fn pause(&self, time: Duration) {
        // The shortest pauses stand between two looks at a lease for which somebody may be waiting.
        if time < Duration::from_micros(200) {
            let until = Instant::now() + time;
            while Instant::now() < until {
                std::hint::spin_loop();
            }
        } else {
            std::thread::sleep(time);
        }
    }
}

#[derive(Debug)]
struct OpenFile(File);

impl Opened for OpenFile {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        self.0.read_at(buffer, offset)
    }

    fn attributes(&self) -> io::Result<Attributes> {
        Ok(attributes(&self.0.metadata()?))
    }

    fn ownership(&self) -> io::Result<Ownership> {
        ownership(&self.0)
    }

    fn volume(&self) -> io::Result<Volume> {
        let magic = u64::try_from(fstatfs(&self.0)?.f_type).unwrap_or_default();
        let known = WITH_LEASES.iter().find(|(number, _)| *number == magic);
        let at = statx(&self.0, c"", AtFlags::EMPTY_PATH, StatxFlags::BASIC_STATS)?;
        let root = StatxAttributes::MOUNT_ROOT;
        Ok(Volume {
            file_system: known.map_or_else(|| format!("{magic:#x}"), |(_, name)| (*name).to_owned()),
            leases: known.is_some(),
            mount_point: at.stx_attributes_mask.contains(root) && at.stx_attributes.contains(root),
        })
    }

    fn lease(&self) -> io::Result<Box<dyn Held>> {
        Ok(Box::new(HeldLease(Lease::take(self.0.try_clone()?)?)))
    }

    fn sync(&self) -> io::Result<()> {
        self.0.sync_all()
    }
}

#[derive(Debug)]
struct HeldLease(Lease);

impl Held for HeldLease {
    fn is_unbroken(&self) -> bool {
        self.0.is_unbroken()
    }
}

#[derive(Debug)]
struct LockedFile(File);

impl Locked for LockedFile {
    fn id(&self) -> io::Result<FileId> {
        Ok(attributes(&self.0.metadata()?).id)
    }

    fn read(&self) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        let mut file = &self.0;
        file.rewind()?;
        file.read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.0.set_len(0)?;
        self.0.rewind()?;
        self.0.write_all(bytes)?;
        self.0.sync_all()
    }
}

#[derive(Debug)]
struct NewFile(File);

impl Write for NewFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Output for NewFile {
    fn sync(&mut self) -> io::Result<()> {
        self.0.sync_all()
    }

    fn attributes(&self) -> io::Result<Attributes> {
        Ok(attributes(&self.0.metadata()?))
    }

    fn give(&mut self, wanted: &Ownership) -> Result<(), NotGiven> {
        let given = |what: String, result: io::Result<()>| result.map_err(|source| NotGiven { what, source });
        let what = || "owner and rights".to_owned();
        let now = ownership(&self.0).map_err(|source| NotGiven { what: what(), source })?;
        if now.group != wanted.group {
            let change = std::os::unix::fs::fchown(&self.0, None, Some(wanted.group));
            given(format!("group {}", wanted.group), change)?;
        }
        if now.user != wanted.user {
            let change = std::os::unix::fs::fchown(&self.0, Some(wanted.user), None);
            given(format!("owner {}", wanted.user), change)?;
        }
        for (name, _) in now.attributes.iter().filter(|(name, _)| !wanted.attributes.iter().any(|(own, _)| own == name))
        {
            let change = fremovexattr(&self.0, name.as_os_str()).map_err(io::Error::from);
            given(format!("a file without the attribute `{}`", name.display()), change)?;
        }
        for (name, value) in wanted.attributes.iter().filter(|attribute| !now.attributes.contains(attribute)) {
            let change = fsetxattr(&self.0, name.as_os_str(), value, XattrFlags::empty()).map_err(io::Error::from);
            given(format!("attribute `{}`", name.display()), change)?;
        }
        let change = self.0.set_permissions(Permissions::from_mode(wanted.mode));
        given(format!("mode {:04o}", wanted.mode), change)?;
        let now = ownership(&self.0).map_err(|source| NotGiven { what: what(), source })?;
        let same = now == *wanted;
        given(what(), if same { Ok(()) } else { Err(io::Error::other("the system gave others")) })
    }

    fn reserve(&mut self, length: u64) -> io::Result<()> {
        let end = self.0.metadata()?.len();
        match fallocate(&self.0, FallocateFlags::KEEP_SIZE, end, length) {
            Ok(()) | Err(Errno::OPNOTSUPP | Errno::NOSYS) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}

fn flags(flags: OFlags) -> i32 {
    flags.bits().cast_signed()
}

fn attributes(metadata: &Metadata) -> Attributes {
    let nanoseconds = |seconds: i64, rest: i64| i128::from(seconds) * 1_000_000_000 + i128::from(rest);
    let kind = match metadata.file_type() {
        kind if kind.is_file() => Kind::File,
        kind if kind.is_dir() => Kind::Folder,
        kind if kind.is_symlink() => Kind::Link,
        _ => Kind::Other,
    };
    Attributes {
        kind,
        id: FileId { device: metadata.dev(), inode: metadata.ino() },
        length: metadata.len(),
        links: metadata.nlink(),
        modified: nanoseconds(metadata.mtime(), metadata.mtime_nsec()),
        changed: nanoseconds(metadata.ctime(), metadata.ctime_nsec()),
    }
}

fn ownership(file: &File) -> io::Result<Ownership> {
    let metadata = file.metadata()?;
    let mut attributes = Vec::new();
    for name in attribute_names(file)? {
        let mut value = vec![0; LARGEST_ATTRIBUTE];
        match fgetxattr(file, name.as_os_str(), &mut value[..]) {
            Ok(length) => {
                value.truncate(length);
                attributes.push((name, value));
            }
            // It was taken away in between.
            Err(Errno::NODATA) => {}
            Err(error) => return Err(error.into()),
        }
    }
    attributes.sort();
    Ok(Ownership { user: metadata.uid(), group: metadata.gid(), mode: metadata.mode() & 0o7777, attributes })
}

/// The names of the extended attributes of a file; none where its file system knows none.
fn attribute_names(file: &File) -> io::Result<Vec<OsString>> {
    let mut list = vec![0; LARGEST_ATTRIBUTE];
    let length = match flistxattr(file, &mut list[..]) {
        Ok(length) => length,
        Err(Errno::OPNOTSUPP | Errno::NOSYS) => return Ok(Vec::new()),
        Err(error) => return Err(error.into()),
    };
    let names = list[..length].split(|byte| *byte == 0).filter(|name| !name.is_empty());
    Ok(names.map(|name| OsStr::from_bytes(name).to_owned()).collect())
}
