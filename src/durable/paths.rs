//! Paths without detours: the same file by a name that every reader of it understands.
//!
//! Object stores refuse `..` in a path, and what is printed for a person to type should be short. A part of a path
//! that is left again (`jobs/../data`) is taken out here and nowhere else. Asks the file system only where such a part
//! may be a link, for `..` leaves what a link points to.

use std::fs;
use std::io;
use std::path::{Component, Path, PathBuf};

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
