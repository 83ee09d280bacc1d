//! File systems to race on: made in image files and mounted where that is permitted, and taken down at the end, also when
//! a test fails.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;

/// The file systems there are, each with a folder on it.
pub(crate) struct Mounts {
    /// By name.
    pub(crate) folders: Vec<(&'static str, PathBuf)>,
    /// What is not there, and why.
    pub(crate) left_out: Vec<String>,
    /// What to unmount, last first.
    mounted: Vec<PathBuf>,
    dir: Option<TempDir>,
}

/// Image files are sparse: they take what is written to them.
const SIZE: u64 = 3_000_000_000;

const PREFIX: &str = "barkeep-races-";

impl Mounts {
    /// Mounts all that can be.
    pub(crate) fn new() -> Self {
        sweep();
        let dir = tempfile::Builder::new().prefix(&format!("{PREFIX}{}-", std::process::id())).tempdir().unwrap();
        open_to_all(dir.path());
        let root = dir.path().to_path_buf();
        let mut mounts = Self { folders: Vec::new(), left_out: Vec::new(), mounted: Vec::new(), dir: Some(dir) };
        mounts.tmpfs(&root);
        mounts.overlay(&root);
        match file_system(&root) {
            EXT4 => mounts.add("ext4", &root.join("temporary")),
            _ => mounts.image(&root, "ext4", &["mkfs.ext4", "-q", "-F"]),
        }
        mounts.image(&root, "xfs", &["mkfs.xfs", "-q"]);
        mounts.image(&root, "btrfs", &["mkfs.btrfs", "-q"]);
        if mounts.folders.is_empty() {
            mounts.add("temporary folder", &root.join("temporary"));
        }
        mounts
    }

    /// The folder on the file system `name`, or on any where that was left out; and what it is on.
    pub(crate) fn folder(&self, name: &str) -> (&'static str, &Path) {
        let (name, folder) = self.folders.iter().find(|(is, _)| *is == name).unwrap_or(&self.folders[0]);
        (name, folder)
    }

    fn add(&mut self, name: &'static str, folder: &Path) {
        fs::create_dir_all(folder).unwrap();
        open_to_all(folder);
        self.folders.push((name, folder.to_path_buf()));
    }

    fn tmpfs(&mut self, root: &Path) {
        match self.mount(root, "tmpfs", &["-t", "tmpfs", "-o", "size=3g", "tmpfs"]) {
            Ok(at) => self.add("tmpfs", &at),
            Err(_) if file_system(Path::new("/dev/shm")) == TMPFS => {
                // Without the right to mount there is one that everybody may write to.
                let dir = Path::new("/dev/shm").join(format!("{PREFIX}{}", std::process::id()));
                self.add("tmpfs", &dir);
            }
            Err(why) => self.left_out.push(why),
        }
    }

    fn overlay(&mut self, root: &Path) {
        let Ok(base) = self.mount(root, "overlay-base", &["-t", "tmpfs", "-o", "size=3g", "tmpfs"]) else {
            self.left_out.push("overlay: mounting is not permitted".to_owned());
            return;
        };
        let folders = ["lower", "upper", "work"].map(|name| base.join(name));
        for folder in &folders {
            fs::create_dir(folder).unwrap();
        }
        let [lower, upper, work] = folders.map(|folder| folder.display().to_string());
        let options = format!("lowerdir={lower},upperdir={upper},workdir={work}");
        match self.mount(root, "overlay", &["-t", "overlay", "-o", &options, "overlay"]) {
            Ok(at) => self.add("overlay", &at),
            Err(why) => self.left_out.push(why),
        }
    }

    fn image(&mut self, root: &Path, name: &'static str, make: &[&str]) {
        let image = root.join(format!("{name}.img"));
        fs::File::create(&image).and_then(|file| file.set_len(SIZE)).unwrap();
        let formatted = called(Command::new(make[0]).args(&make[1..]).arg(&image));
        // The loop device goes with the mount.
        let mounted = formatted.and_then(|()| self.mount(root, name, &["-o", "loop", &image.display().to_string()]));
        match mounted {
            Ok(at) => self.add(name, &at),
            Err(why) => self.left_out.push(format!("{name}: {why}")),
        }
    }

    fn mount(&mut self, root: &Path, name: &str, words: &[&str]) -> Result<PathBuf, String> {
        let at = root.join(name);
        fs::create_dir_all(&at).unwrap();
        called(Command::new("mount").args(words).arg(&at))?;
        self.mounted.push(at.clone());
        open_to_all(&at);
        Ok(at)
    }
}

impl Drop for Mounts {
    fn drop(&mut self) {
        for at in self.mounted.iter().rev() {
            unmount(at);
        }
        for (_, folder) in self.folders.iter().filter(|(_, folder)| folder.starts_with("/dev/shm")) {
            fs::remove_dir_all(folder).ok();
        }
        // Nothing is removed through a mount that could not be taken down.
        if let Some(dir) =
            self.dir.take().filter(|dir| mounts_below(&dir.path().display().to_string()).next().is_some())
        {
            eprintln!("still mounted below {}", dir.keep().display());
        }
    }
}

const EXT4: i64 = 0xef53;
const TMPFS: i64 = 0x0102_1994;

fn file_system(folder: &Path) -> i64 {
    rustix::fs::statfs(folder).map_or(0, |about| about.f_type)
}

/// Other users are among the loaders.
fn open_to_all(folder: &Path) {
    fs::set_permissions(folder, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
}

fn called(command: &mut Command) -> Result<(), String> {
    let name = command.get_program().to_string_lossy().into_owned();
    let output = command.stdin(Stdio::null()).output().map_err(|error| format!("{name}: {error}"))?;
    let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    output.status.success().then_some(()).ok_or_else(|| format!("{name}: {said}"))
}

fn unmount(at: &Path) {
    if called(Command::new("umount").arg(at)).is_err() {
        // Somebody is in it still; it goes when they do.
        called(Command::new("umount").arg("--lazy").arg(at)).ok();
    }
}

/// Mount points below folders whose name begins with `prefix`, deepest first.
fn mounts_below(prefix: &str) -> impl Iterator<Item = PathBuf> {
    let mounts = fs::read_to_string("/proc/self/mounts").unwrap_or_default();
    let points: Vec<PathBuf> = mounts.lines().filter_map(|line| line.split(' ').nth(1)).map(PathBuf::from).collect();
    let prefix = prefix.to_owned();
    points.into_iter().rev().filter(move |point| point.to_string_lossy().starts_with(&prefix))
}

/// Takes down what a killed test of this kind left mounted, where its process is gone.
fn sweep() {
    let prefix = std::env::temp_dir().join(PREFIX).display().to_string();
    for point in mounts_below(&prefix) {
        let text = point.display().to_string();
        let pid = text[prefix.len()..].split('-').next().unwrap_or_default();
        if !pid.is_empty() && !Path::new("/proc").join(pid).exists() {
            unmount(&point);
        }
    }
}

#[test]
fn what_is_mounted_is_taken_down_also_when_a_test_fails() {
    let root = std::sync::Mutex::new(PathBuf::new());
    let failed = std::panic::catch_unwind(|| {
        let mounts = Mounts::new();
        *root.lock().unwrap() = mounts.dir.as_ref().unwrap().path().to_path_buf();
        for (name, folder) in &mounts.folders {
            fs::write(folder.join("a"), name).unwrap();
        }
        std::panic::resume_unwind(Box::new("a test fails"));
    });
    assert!(failed.is_err());
    let root = root.lock().unwrap().clone();
    assert!(!root.as_os_str().is_empty() && !root.exists(), "{} is left", root.display());
    assert_eq!(mounts_below(&root.display().to_string()).count(), 0);
}
