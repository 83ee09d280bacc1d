//! Who may use the files of a report: who may use new files of this user, and of them who may use the source too.

use std::fs;
use std::os::unix::fs::PermissionsExt;

/// What the owner may always do.
const OWNER: u32 = 0o600;

/// The permission bits of the files of a report on the files `sources`.
pub(super) fn mode(sources: &[String]) -> u32 {
    // Of a file whose rights are not known, nothing is reported to others.
    let of = |path: &String| fs::metadata(path).map_or(OWNER, |metadata| metadata.permissions().mode());
    sources.iter().map(of).fold(0o666 & !umask(), |mode, source| mode & source) | OWNER
}

/// The bits that this process takes from new files; reading them by the system call would change them for a moment.
fn umask() -> u32 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("Umask:"));
    line.and_then(|octal| u32::from_str_radix(octal.trim(), 8).ok()).unwrap_or(0o077)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_strictest_source_decides() {
        let dir = tempfile::tempdir().unwrap();
        let file = |name: &str, mode| {
            let path = dir.path().join(name);
            fs::write(&path, "").unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            path.to_str().unwrap().to_owned()
        };
        let usual = 0o666 & !umask();
        let made = fs::metadata(file("new", usual)).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&[]), made), (usual | OWNER, usual));
        let (open, group, own) = (file("a", 0o666), file("b", 0o440), file("c", 0o600));
        assert_eq!(mode(std::slice::from_ref(&open)), usual | OWNER);
        assert_eq!(mode(&[open.clone(), group.clone()]), (usual & 0o440) | OWNER);
        assert_eq!(mode(&[open.clone(), group, own]), OWNER);
        assert_eq!(mode(&[open, "nowhere".to_owned()]), OWNER);
    }
}
