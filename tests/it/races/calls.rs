//! Calls of barkeep: as another user or in another namespace, killed or not.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::messages::Told;

/// The owner of a file, the group of both, and the other user that barkeep is.
pub(super) const OWNER: u32 = 5001;
pub(super) const GROUP: u32 = 6000;
pub(super) const OTHER: u32 = 5002;

/// A call that has not ended.
pub(super) struct Called {
    pub(super) child: Child,
    /// Where its stdout and stderr go.
    pub(super) files: [PathBuf; 2],
    pub(super) args: Vec<String>,
}

impl Called {
    /// Waits for the end, and kills what has not ended by then.
    pub(super) fn wait(mut self, writer_timeout: Duration, meant: bool) -> Told {
        let began = Instant::now();
        let mut late = false;
        while self.child.try_wait().unwrap().is_none() && !late {
            std::thread::sleep(Duration::from_millis(1));
            late = began.elapsed() > writer_timeout;
        }
        let below = children(self.child.id());
        if late {
            self.child.kill().ok();
        }
        let status = self.child.wait().unwrap();
        // What is behind `unshare` is killed by the kernel a moment later, and ends when its write to the disk has.
        let killed = Instant::now();
        while late
            && killed.elapsed() < Duration::from_mins(1)
            && below.iter().any(|pid| Path::new("/proc").join(pid).exists())
        {
            std::thread::sleep(Duration::from_millis(1));
        }
        let [out, err] = self.files.map(|path| String::from_utf8_lossy(&fs::read(path).unwrap()).into_owned());
        let code = status.code().filter(|_| !late);
        Told { args: self.args, code, killed: late && meant, left: None, hung: late && !meant, out, err }
    }
}

/// The processes that a process has started.
fn children(pid: u32) -> Vec<String> {
    let list = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
    list.split_whitespace().map(str::to_owned).collect()
}

/// barkeep in a folder, behind the words of another command, with no settings but ours.
pub(super) fn barkeep(mut words: Vec<String>, folder: &Path, args: &[&str]) -> Command {
    words.push(env!("CARGO_BIN_EXE_barkeep").to_owned());
    let mut command = Command::new(&words[0]);
    command.args(&words[1..]).args(args).current_dir(folder).stdin(Stdio::null());
    command.env("TMPDIR", folder.join("tmp")).env("NO_COLOR", "1").env("BARKEEP_BUSY_SECONDS", "3");
    for name in ["THREADS", "MEMORY_LIMIT", "TEMP_DIR", "LOG", "REPORTS"] {
        command.env_remove(format!("BARKEEP_{name}"));
    }
    command
}

/// The words that make a command one of this user, who is in the group of the file.
pub(super) fn user(id: u32) -> Vec<String> {
    let ids = [format!("--reuid={id}"), format!("--regid={}", id + 1000), format!("--groups={GROUP}")];
    std::iter::once("setpriv".to_owned()).chain(ids).collect()
}
