//! Adds an entry to a file that people write too: what stands there stays byte for byte, and readers see the file before
//! or after it, never in between.

use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use crate::config::document;
use crate::durable::{Claim, Disk, Growing, folder_of, temporary_of};
use crate::run::failure::Failure;

/// Bits that say who may use a file.
const RIGHTS: u32 = 0o777;

/// Adds `entry`, whole lines, behind what stands in the file at `path`, which is made where it is missing, with the
/// rights of `like`. `accept` is shown the text that would stand there, and may refuse it. The text is returned.
///
/// # Errors
/// `accept` refuses; another process adds to the file, or wrote to it meanwhile; or it cannot be read or written.
pub(super) fn append(
    path: &Path,
    like: &Path,
    entry: &str,
    accept: &dyn Fn(&str) -> Result<(), Failure>,
) -> Result<String, Failure> {
    let disk = Disk::system();
    // A link stays one: what it points to is written.
    let path = std::fs::canonicalize(path).unwrap_or_else(|_| path.to_path_buf());
    let busy = || Failure::Locked(format!("another process adds to `{}`", path.display()));
    let claim = Claim::take(&disk, &lock_of(&path))?.ok_or_else(busy)?;
    let written = add(&disk, &path, like, entry, accept);
    let released = claim.release();
    let text = written?;
    released?;
    Ok(text)
}

fn add(
    disk: &Disk,
    path: &Path,
    like: &Path,
    entry: &str,
    accept: &dyn Fn(&str) -> Result<(), Failure>,
) -> Result<String, Failure> {
    let before = disk.read(path)?;
    let bytes = before.clone().unwrap_or_default();
    let text = document::decode(bytes.clone()).map_err(|problem| {
        Failure::Usage(format!("`{}` is {problem}", path.display()), "save it as UTF-8, then run again".to_owned())
    })?;
    let behind = behind(&text, entry);
    let after = format!("{text}{behind}");
    accept(&after)?;
    let temporary = temporary_of(path);
    // Nobody else adds to it: what has this name is what a killed process left.
    disk.remove(&temporary)?;
    let mut file = Growing::create(disk, &temporary, path)?;
    file.write_all(&bytes)?;
    file.write_all(behind.as_bytes())?;
    let rights = |path: &Path| std::fs::metadata(path).map(|metadata| metadata.permissions().mode() & RIGHTS);
    if let Ok(mode) = rights(path).or_else(|_| rights(like)) {
        file.allow(mode);
    }
    let file = file.complete()?;
    if disk.read(path)? != before {
        let message = format!("`{}` was written to meanwhile, and is left as it is", path.display());
        return Err(Failure::Refused(message, "run again".to_owned()));
    }
    file.publish().map_err(std::io::Error::from)?;
    Ok(after)
}

/// `entry` as it stands behind `text`: on lines of its own, after an empty one, with the line ends of the file.
fn behind(text: &str, entry: &str) -> String {
    let end = if text.contains("\r\n") { "\r\n" } else { "\n" };
    let lines: String = entry.lines().map(|line| format!("{line}{end}")).collect();
    let blank = [end, end].concat();
    let before = match text {
        "" => "",
        text if text.ends_with(&blank) => "",
        text if text.ends_with('\n') => end,
        _ => &blank,
    };
    format!("{before}{lines}")
}

/// The file that a process locks while it adds to `path`.
fn lock_of(path: &Path) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    folder_of(path).join(format!(".{name}.lock"))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn appended(before: Option<&[u8]>, entry: &str) -> (Vec<u8>, Vec<String>) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("labels.toml");
        if let Some(bytes) = before {
            fs::write(&path, bytes).unwrap();
        }
        append(&path, dir.path(), entry, &|_| Ok(())).unwrap();
        let names = fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
        (fs::read(&path).unwrap(), names.collect())
    }

    #[test]
    fn what_stands_there_stays_byte_for_byte() {
        for (before, between) in
            [("", ""), ("# mine\n", "\n"), ("# mine\n\n", ""), ("# mine", "\n\n"), ("\u{feff}# mine\r\n", "\r\n")]
        {
            let (after, names) = appended(Some(before.as_bytes()), "a = 1\nb = 2\n");
            let end = if before.contains('\r') { "\r\n" } else { "\n" };
            assert_eq!(
                String::from_utf8(after).unwrap(),
                format!("{before}{between}a = 1{end}b = 2{end}"),
                "{before:?}"
            );
            assert_eq!(names, ["labels.toml"], "nothing is left beside it");
        }
        assert_eq!(appended(None, "a = 1\n").0, b"a = 1\n");
    }

    #[test]
    fn rights_are_kept_and_those_of_a_new_file_are_those_of_another() {
        let dir = tempfile::tempdir().unwrap();
        let (path, job) = (dir.path().join("labels.toml"), dir.path().join("job.toml"));
        fs::write(&job, "").unwrap();
        let set = |path: &Path, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        set(&job, 0o640);
        append(&path, &job, "a = 1\n", &|_| Ok(())).unwrap();
        assert_eq!(mode(&path), 0o640);
        set(&path, 0o664);
        append(&path, &job, "b = 1\n", &|_| Ok(())).unwrap();
        assert_eq!(mode(&path), 0o664);
    }

    #[test]
    fn what_is_refused_or_changed_meanwhile_leaves_the_file_alone() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("labels.toml");
        fs::write(&path, "# mine\n").unwrap();
        let refuse = |_: &str| Err(Failure::Usage("no".to_owned(), String::new()));
        append(&path, &path, "a = 1\n", &refuse).unwrap_err();
        assert_eq!(fs::read_to_string(&path).unwrap(), "# mine\n");
        let meanwhile = |_: &str| Ok(fs::write(&path, "# other\n")?);
        let refused = append(&path, &path, "a = 1\n", &meanwhile).unwrap_err();
        assert!(matches!(refused, Failure::Refused(..)), "{refused:?}");
        assert_eq!(fs::read_to_string(&path).unwrap(), "# other\n");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1, "nothing is left beside it");
    }

    #[test]
    fn a_link_stays_one() {
        let dir = tempfile::tempdir().unwrap();
        let (real, link) = (dir.path().join("real.toml"), dir.path().join("labels.toml"));
        fs::write(&real, "# mine\n").unwrap();
        std::os::unix::fs::symlink("real.toml", &link).unwrap();
        append(&link, &link, "a = 1\n", &|_| Ok(())).unwrap();
        assert!(link.is_symlink());
        assert_eq!(fs::read_to_string(&real).unwrap(), "# mine\n\na = 1\n");
    }
}
