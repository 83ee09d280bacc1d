//! Paths without detours: the same file by a name that every reader of it understands.
//!
//! Object stores refuse `..` in a path, and what is printed for a person to type should be short. A part of a path
//! that is left again (`jobs/../data`) is taken out here and nowhere else. Asks the file system only where such a part
//! may be a link, for `..` leaves what a link points to.

use std::fs;
use std::io;
use std::path::{Component, Path, PathBuf};

use percent_encoding::percent_decode_str;

/// `path` without `.`, `folder/..` and slashes at its end; it means the same file. A relative path stays relative.
pub fn tidy(path: &Path) -> PathBuf {
    let mut tidy = PathBuf::new();
    for component in path.components() {
        match (component, tidy.components().next_back()) {
            (Component::CurDir, _) | (Component::ParentDir, Some(Component::RootDir)) => {}
            (Component::ParentDir, Some(Component::Normal(_))) => {
                // Above a link is the folder above what it points to.
                let target = if tidy.is_symlink() { fs::canonicalize(&tidy).ok() } else { None };
                tidy = target.unwrap_or(tidy);
                tidy.pop();
            }
            _ => tidy.push(component),
        }
    }
    if tidy.as_os_str().is_empty() { PathBuf::from(".") } else { tidy }
}

/// The path that a person means by `~`, the folder of the user, and by a `file://` address; any other is itself.
pub fn meant(written: &Path) -> PathBuf {
    let home = std::env::var_os("HOME").filter(|home| !home.is_empty()).map(PathBuf::from);
    written.to_str().map_or_else(|| written.to_path_buf(), |text| meant_at(text, home.as_deref()))
}

fn meant_at(written: &str, home: Option<&Path>) -> PathBuf {
    if let Some(address) = written.strip_prefix("file://") {
        let path = address.strip_prefix("localhost").filter(|path| path.starts_with('/')).unwrap_or(address);
        return PathBuf::from(percent_decode_str(path).decode_utf8().unwrap_or_else(|_| path.into()).into_owned());
    }
    match (written.strip_prefix('~'), home) {
        (Some(""), Some(home)) => home.to_path_buf(),
        (Some(rest), Some(home)) if rest.starts_with('/') => home.join(rest.trim_start_matches('/')),
        _ => PathBuf::from(written),
    }
}

/// The absolute form of [`tidy`].
///
/// # Errors
/// `path` is empty, or the folder the process works in is gone.
pub fn absolute(path: &Path) -> io::Result<PathBuf> {
    Ok(tidy(&std::path::absolute(path)?))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn detours_are_taken_out() {
        for (path, short) in [
            ("jobs/../data/bars.csv", "data/bars.csv"),
            ("jobs/daily/../../data", "data"),
            ("./data/./bars.csv", "data/bars.csv"),
            ("data//bars/", "data/bars"),
            ("../data", "../data"),
            ("../../jobs/../data", "../../data"),
            ("jobs/../../data", "../data"),
            ("jobs/..", "."),
            (".", "."),
            ("/../data", "/data"),
            ("/nowhere/../data/*.parquet", "/data/*.parquet"),
            ("data/..hidden", "data/..hidden"),
            ("my data/it's/../x", "my data/x"),
        ] {
            assert_eq!(tidy(Path::new(path)), Path::new(short), "{path}");
        }
    }

    #[test]
    fn home_and_addresses_of_files_are_understood() {
        let home = Some(Path::new("/homes/a"));
        for (written, path) in [
            ("~/bars.csv", "/homes/a/bars.csv"),
            ("~", "/homes/a"),
            ("~other/bars.csv", "~other/bars.csv"),
            ("a/~/bars.csv", "a/~/bars.csv"),
            ("file:///data/a%20b.csv", "/data/a b.csv"),
            ("file://localhost/data/*.csv", "/data/*.csv"),
            ("file:///data/100%.csv", "/data/100%.csv"),
        ] {
            assert_eq!(meant_at(written, home), Path::new(path), "{written}");
        }
        assert_eq!(meant_at("~/bars.csv", None), Path::new("~/bars.csv"));
    }

    #[test]
    fn above_a_link_is_what_is_above_its_target() {
        let dir = tempfile::tempdir().unwrap();
        let root = fs::canonicalize(dir.path()).unwrap();
        fs::create_dir_all(root.join("far/away")).unwrap();
        fs::write(root.join("far/bars.csv"), "far").unwrap();
        fs::write(root.join("bars.csv"), "near").unwrap();
        symlink("far/away", root.join("link")).unwrap();
        assert_eq!(tidy(&root.join("link/../bars.csv")), root.join("far/bars.csv"));
        assert_eq!(tidy(&root.join("link/bars.csv")), root.join("link/bars.csv"), "nothing is left again");
        symlink("nowhere", root.join("dangling")).unwrap();
        assert_eq!(tidy(&root.join("dangling/../bars.csv")), root.join("bars.csv"));
    }

    #[test]
    fn absolute_paths_start_at_the_folder_of_the_process() {
        let here = std::env::current_dir().unwrap();
        assert_eq!(absolute(Path::new("a/../b/./c/")).unwrap(), here.join("b/c"));
        assert_eq!(absolute(Path::new("../b")).unwrap(), here.parent().unwrap().join("b"));
        assert!(absolute(Path::new("")).is_err());
    }
}
