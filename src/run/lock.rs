//! One run of a job at a time on a machine: a lock beside its reports, which the system gives back when its holder ends,
//! however it ends. A holder that is stopped still holds it; a dead one never does.

use std::fmt;
use std::io;
use std::path::Path;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::context::Context;
use super::failure::Failure;
use super::job::Job;
use super::options::IfLocked;
use super::removal::Done;
use super::shell::typed;
use crate::durable::{Claim, Disk, process};
use crate::text::utc::UtcMicros;

/// How long to wait before a lock is tried again.
const PAUSE: Duration = Duration::from_millis(if cfg!(debug_assertions) { 100 } else { 500 });

/// The right to move rows for a job. It is given back when it is dropped.
#[derive(Debug)]
pub(super) struct JobLock(Option<Claim>);

impl Drop for JobLock {
    fn drop(&mut self) {
        if let Some(Err(error)) = self.0.take().map(Claim::release) {
            tracing::warn!("the lock file of the job stays behind: {error}; nobody holds it");
        }
    }
}

/// Whose run holds a lock.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Holder {
    pid: u32,
    host: String,
    since: UtcMicros,
    command: String,
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { pid, host, since, command } = self;
        let since = UtcMicros(since.0 - since.0.rem_euclid(1_000_000));
        write!(f, "process {pid} on {host} since {since}, `{command}`")
    }
}

impl JobLock {
    /// Locks `job` for a run of `command`, as `if_locked` says where another run holds the lock.
    ///
    /// # Errors
    /// [`Failure::Locked`] with the holder, unless it is waited for; a signal while that is waited for.
    pub(super) async fn take(job: &Job, command: &str, if_locked: IfLocked) -> Result<Self, Failure> {
        let command = format!("barkeep {command} {}", typed(&job.path));
        let mut waiting = Waiting::default();
        loop {
            let message = match Self::take_at_once(job.report_dir(), job.name(), &command)? {
                Ok(lock) => return Ok(lock),
                Err(message) => message,
            };
            if if_locked != IfLocked::Wait {
                return Err(Failure::Locked(message));
            }
            waiting.a_moment(&job.context, &message).await?;
        }
    }

    /// Locks the job `name`, whose reports are in `dir`, for what was typed as `command`; says who holds the lock where another
    /// one does.
    ///
    /// # Errors
    /// The lock file is there and cannot be locked.
    pub(super) fn take_at_once(dir: &Path, name: &str, command: &str) -> Result<Result<Self, String>, Failure> {
        let taken = try_to(dir, command, &dir.join(format!(".{name}.lock")))?;
        Ok(taken.map_err(|holder| format!("another run of job `{name}` is alive: {holder}")))
    }
}

/// A run that waits for a lock.
#[derive(Debug, Default)]
struct Waiting {
    /// Whether it has said for whom.
    noted: bool,
}

impl Waiting {
    /// Waits a moment, unless a signal comes, and says what for: `message`, once.
    async fn a_moment(&mut self, context: &Context, message: &str) -> Result<(), Failure> {
        if !std::mem::replace(&mut self.noted, true) {
            context.note(&format!("waiting: {message}"));
        }
        tokio::select! {
            () = tokio::time::sleep(PAUSE) => Ok(()),
            number = context.stop.wait() => Err(context.stop.stopped(number)),
        }
    }
}

/// Whether there may be a file `path`; below what is no folder there is none.
fn may_exist(disk: &Disk, path: &Path) -> bool {
    disk.exists(path).unwrap_or_else(|error| error.kind() != io::ErrorKind::NotADirectory)
}

/// The lock, or who holds it, in words. A folder that cannot be written to holds no lock, and no report either: that is
/// said when the report is written. A lock file that is there and cannot be locked may be that of a run that is alive.
fn try_to(dir: &Path, command: &str, path: &Path) -> Result<Result<JobLock, String>, Failure> {
    let disk = Disk::system();
    let taken = disk.make_folders(dir).and_then(|()| Claim::take(&disk, path));
    let claim = match taken {
        Ok(Some(claim)) => claim,
        Ok(None) => return Ok(Err(holder(&disk, path))),
        Err(error) if may_exist(&disk, path) => {
            let message = format!(
                "the lock file `{}` cannot be locked: {error}; run as its owner, or remove it where no run of the job is alive",
                path.display()
            );
            return Err(Failure::Broken(message.into()));
        }
        Err(error) => {
            tracing::warn!("no lock for the job in `{}`: {error}", dir.display());
            return Ok(Ok(JobLock(None)));
        }
    };
    let mut lock = JobLock(Some(claim));
    let since = UtcMicros::from(chrono::Utc::now());
    let holder = Holder { pid: std::process::id(), host: process::host(), since, command: command.to_owned() };
    let text = serde_json::to_vec(&holder)?;
    if let Some(Err(error)) = lock.0.as_mut().map(|claim| claim.note(&text)) {
        tracing::warn!("the lock of the job does not say who holds it: {error}");
    }
    Ok(Ok(lock))
}

fn holder(disk: &Disk, path: &Path) -> String {
    let text = disk.read(path).ok().flatten().unwrap_or_default();
    match serde_json::from_slice::<Holder>(&text) {
        Ok(holder) => holder.to_string(),
        // It has the lock since a moment ago, and has not written yet.
        Err(_) => "a process that has just begun".to_owned(),
    }
}

/// Does `work`, which takes the lock of the source; again where that is another run's, nothing was done yet, and the run
/// waits for it.
pub(super) async fn over_source(
    context: &Context,
    if_locked: IfLocked,
    work: impl AsyncFn() -> Result<Done, Failure>,
) -> Result<Done, Failure> {
    let mut waiting = Waiting::default();
    loop {
        let done = work().await?;
        let message = match &done.failure {
            Some(Failure::Locked(message)) if if_locked == IfLocked::Wait && done.touched_nothing() => message,
            _ => return Ok(done),
        };
        waiting.a_moment(context, message).await?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_holder_is_named_by_process_host_moment_and_command() {
        let since = UtcMicros(1_795_852_800_250_000);
        let holder = Holder { pid: 12, host: "box".to_owned(), since, command: "barkeep run a.toml".to_owned() };
        assert_eq!(holder.to_string(), "process 12 on box since 2026-11-28T08:00:00Z, `barkeep run a.toml`");
    }

    #[test]
    fn who_has_written_nothing_yet_has_just_begun() {
        let dir = tempfile::tempdir().unwrap();
        let (disk, path) = (Disk::system(), dir.path().join(".a.lock"));
        let _claim = Claim::take(&disk, &path).unwrap().unwrap();
        assert_eq!(super::holder(&disk, &path), "a process that has just begun");
    }
}
