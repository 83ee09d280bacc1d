//! Whose file it is after rows have left: owner, group, mode, ACL and attributes are those of the old file, or nothing
//! was done and a message says why. Hard links would be cut, and are reported of beforehand.

use std::ffi::OsString;
use std::fs;
use std::os::unix::ffi::OsStringExt as _;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown};
use std::path::{Path, PathBuf};
use std::process::Output;

use rustix::fs::XattrFlags;
use tempfile::TempDir;

use super::calls::{GROUP, OTHER, OWNER, barkeep, user};
use super::rows::{Bad, Format};
use super::scene::job_text;

/// All that belongs to a file besides its bytes.
#[derive(Debug, PartialEq, Eq)]
struct Belongings {
    owner: u32,
    group: u32,
    mode: u32,
    attributes: Vec<(String, Vec<u8>)>,
}

fn belongings(file: &Path) -> Belongings {
    let about = fs::metadata(file).unwrap();
    let mut names = vec![0; 4096];
    let length = rustix::fs::listxattr(file, &mut names[..]).unwrap();
    let names = names[..length].split(|byte| *byte == 0).filter(|name| !name.is_empty());
    let mut attributes: Vec<(String, Vec<u8>)> = names
        .map(|name| {
            let name = OsString::from_vec(name.to_vec()).into_string().unwrap();
            let mut value = vec![0; 4096];
            let length = rustix::fs::getxattr(file, name.as_str(), &mut value[..]).unwrap();
            (name, value[..length].to_vec())
        })
        .collect();
    attributes.sort();
    Belongings { owner: about.uid(), group: about.gid(), mode: about.mode(), attributes }
}

/// A file with three bad rows of twenty, and a job that moves them; none where other users cannot be had.
struct Project {
    dir: TempDir,
    file: PathBuf,
}

impl Project {
    fn new() -> Option<Self> {
        if fs::metadata("/proc/self").map_or(true, |about| about.uid() != 0) {
            return None;
        }
        let dir = tempfile::tempdir().unwrap();
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let rows: Vec<String> =
            (0..20).map(|id| Format::Csv.row(id, if id % 7 == 3 { Bad::Close } else { Bad::No }, 0)).collect();
        let file = dir.path().join("data.csv");
        fs::write(&file, Format::Csv.file(&rows)).unwrap();
        fs::write(dir.path().join("f.toml"), job_text("f", "data.csv")).unwrap();
        let rule = "[[rule]]\nid=\"f-pos\"\ncheck=\"range\"\nfield=\"close\"\nmin=0\naction=\"quarantine\"\n";
        fs::write(dir.path().join("f-rules.toml"), rule).unwrap();
        fs::create_dir(dir.path().join("tmp")).unwrap();
        fs::set_permissions(dir.path().join("tmp"), fs::Permissions::from_mode(0o777)).unwrap();
        Some(Self { dir, file })
    }

    /// `run`, behind the words of another command.
    fn run(&self, before: Vec<String>) -> (Option<i32>, String) {
        let Output { status, stdout, stderr } = barkeep(before, self.dir.path(), &["run", "f.toml"]).output().unwrap();
        let said = format!("{}{}", String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr));
        (status.code(), said)
    }

    /// Either the bad rows have left and the file belongs to whom it did, or all is as it was and one of `why` is named.
    fn holds(&self, before: (Belongings, Vec<u8>), ended: (Option<i32>, String), why: &[&str]) {
        let (belonged, bytes) = before;
        let (now, (code, said)) = (belongings(&self.file), ended);
        assert_eq!(now, belonged, "exit {code:?}\n{said}");
        let rows = Format::Csv.rows(&fs::read(&self.file).unwrap()).len();
        if rows == 20 {
            assert_eq!(fs::read(&self.file).unwrap(), bytes);
            assert_eq!(code, Some(4), "{said}");
            assert!(why.iter().any(|why| said.contains(why)), "none of {why:?} is named in {said}");
        } else {
            assert_eq!((rows, code), (17, Some(1)), "{said}");
        }
    }

    fn state(&self) -> (Belongings, Vec<u8>) {
        (belongings(&self.file), fs::read(&self.file).unwrap())
    }
}

/// Says so where a test can do nothing.
macro_rules! project {
    () => {
        match Project::new() {
            Some(project) => project,
            None => {
                eprintln!("left out: only the superuser can give files away");
                return;
            }
        }
    };
}

/// An ACL that lets one more user read and write, as `setfacl -m u:5002:rw` writes it.
fn acl() -> Vec<u8> {
    let entry =
        |tag: u16, mode: u16, id: u32| [&tag.to_le_bytes()[..], &mode.to_le_bytes(), &id.to_le_bytes()].concat();
    let nobody = u32::MAX;
    let entries = [(1, 6, nobody), (2, 6, OTHER), (4, 4, nobody), (0x10, 6, nobody), (0x20, 0, nobody)];
    let entries = entries.iter().flat_map(|(tag, mode, id)| entry(*tag, *mode, *id));
    2_u32.to_le_bytes().into_iter().chain(entries).collect()
}

#[test]
fn owner_group_mode_acl_and_attributes_stay() {
    let project = project!();
    chown(&project.file, Some(OWNER), Some(GROUP)).unwrap();
    fs::set_permissions(&project.file, fs::Permissions::from_mode(0o640)).unwrap();
    rustix::fs::setxattr(&project.file, "user.origin", b"vendor", XattrFlags::empty()).unwrap();
    if let Err(error) = rustix::fs::setxattr(&project.file, "system.posix_acl_access", &acl(), XattrFlags::empty()) {
        eprintln!("left out: ACLs: {error}");
    }
    let before = project.state();
    assert!(!before.0.attributes.is_empty());
    let ended = project.run(Vec::new());
    project.holds(before, ended, &[]);
    assert_eq!(Format::Csv.rows(&fs::read(&project.file).unwrap()).len(), 17, "the superuser can give all of it");
}

#[test]
fn a_file_of_another_user_stays_theirs_or_nothing_is_done() {
    let project = project!();
    let root = project.dir.path();
    for folder in ["reports", "quarantine"] {
        fs::create_dir(root.join(folder)).unwrap();
        chown(root.join(folder), Some(OTHER), Some(OTHER)).unwrap();
    }
    chown(&project.file, Some(OWNER), Some(GROUP)).unwrap();
    fs::set_permissions(&project.file, fs::Permissions::from_mode(0o660)).unwrap();
    chown(root, Some(OWNER), Some(GROUP)).unwrap();
    fs::set_permissions(root, fs::Permissions::from_mode(0o2775)).unwrap();
    let before = project.state();
    let ended = project.run(user(OTHER));
    project.holds(before, ended, &["owner", "lease", "CAP_LEASE"]);
}

#[test]
fn a_file_with_two_names_is_reported_of_before_anything() {
    let project = project!();
    let second = project.dir.path().join("second.csv");
    fs::hard_link(&project.file, &second).unwrap();
    let before = fs::read(&project.file).unwrap();
    let (code, said) = project.run(Vec::new());
    let inode = |path: &Path| fs::metadata(path).unwrap().ino();
    assert_eq!(inode(&project.file), inode(&second), "the names lead to two files now\n{said}");
    assert_eq!(fs::read(&second).unwrap(), before);
    assert_eq!(code, Some(4), "{said}");
    let counted = said.split(|sign: char| !sign.is_alphanumeric()).any(|word| word == "2");
    assert!(said.contains("link") && counted, "neither links nor their number are named in {said}");
}
