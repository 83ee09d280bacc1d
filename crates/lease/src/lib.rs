//! A read lease on an open file: while it is held and unbroken, nobody has the file open for writing.
//!
//! An `open` for writing, or a `truncate`, breaks the lease and waits until it is given back, or until the system takes
//! it by force (`/proc/sys/fs/lease-break-time`, 45 s). See `fcntl(2)`, "Leases". Linux only; elsewhere no lease can be
//! taken.

use std::fs::File;
use std::io;

/// A read lease, given back when it is dropped.
#[derive(Debug)]
pub struct Lease {
    file: File,
}

impl Lease {
    /// Takes a read lease on `file`, which must be open for reading only.
    ///
    /// # Errors
    /// `WouldBlock` where the file is open for writing; `PermissionDenied` where it is another user's and this process
    /// lacks `CAP_LEASE`; another kind where the file system or the system has no leases.
    pub fn take(file: File) -> io::Result<Self> {
        system::take(&file)?;
        Ok(Self { file })
    }

    /// Whether nobody has opened the file for writing, or is waiting to, since the lease was taken.
    pub fn is_unbroken(&self) -> bool {
        // The state alone does not show an opener that has just begun, and taking the lease once more does not show
        // that the system took it by force in between: only both together tell.
        system::is_held(&self.file) && system::take(&self.file).is_ok()
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        system::give_back(&self.file);
    }
}

#[cfg(target_os = "linux")]
mod system {
    use std::fs::File;
    use std::io;
    use std::os::fd::AsRawFd;

    /// `F_SETSIG` of Linux, which `libc` does not name; it is the same number on every architecture.
    const F_SETSIG: libc::c_int = 10;

    pub(super) fn take(file: &File) -> io::Result<()> {
        // The default signal, SIGIO, would end the process; SIGURG is ignored unless somebody asks for it.
        call(file, F_SETSIG, libc::SIGURG)?;
        call(file, libc::F_SETLEASE, libc::F_RDLCK).map(drop)
    }

    pub(super) fn is_held(file: &File) -> bool {
        call(file, libc::F_GETLEASE, 0).is_ok_and(|state| state == libc::F_RDLCK)
    }

    pub(super) fn give_back(file: &File) {
        // A lease that is not there any more needs no giving back, and closing the file does it too.
        call(file, libc::F_SETLEASE, libc::F_UNLCK).ok();
    }

    #[expect(unsafe_code, reason = "no crate wraps the commands of leases")]
    fn call(file: &File, command: libc::c_int, argument: libc::c_int) -> io::Result<libc::c_int> {
        // SAFETY: the descriptor is open for as long as `file` is borrowed, and these commands of `fcntl` take and
        // give whole numbers only.
        let result = unsafe { libc::fcntl(file.as_raw_fd(), command, argument) };
        if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result) }
    }
}

#[cfg(not(target_os = "linux"))]
mod system {
    use std::fs::File;
    use std::io;

    pub(super) fn take(_file: &File) -> io::Result<()> {
        Err(io::Error::from(io::ErrorKind::Unsupported))
    }

    pub(super) fn is_held(_file: &File) -> bool {
        false
    }

    pub(super) fn give_back(_file: &File) {}
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::fs::{File, OpenOptions};
    use std::os::unix::fs::OpenOptionsExt;
    use std::path::Path;

    use super::Lease;

    fn write(path: &Path) -> std::io::Result<File> {
        OpenOptions::new().append(true).custom_flags(libc::O_NONBLOCK).open(path)
    }

    #[test]
    fn a_writer_keeps_a_lease_away_and_breaks_one() {
        let path = std::env::temp_dir().join(format!("barkeep-lease-{}", std::process::id()));
        std::fs::write(&path, "x").unwrap();
        let writer = write(&path).unwrap();
        let refused = Lease::take(File::open(&path).unwrap()).unwrap_err();
        assert_eq!(refused.kind(), std::io::ErrorKind::WouldBlock);
        drop(writer);
        let lease = Lease::take(File::open(&path).unwrap()).unwrap();
        assert!(lease.is_unbroken() && lease.is_unbroken());
        let waiting = write(&path).unwrap_err();
        assert_eq!(waiting.kind(), std::io::ErrorKind::WouldBlock);
        assert!(!lease.is_unbroken(), "an opener is waiting");
        drop(lease);
        write(&path).unwrap();
        std::fs::remove_file(&path).unwrap();
    }
}
