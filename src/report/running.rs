//! Runs that are under way, as other processes see them: a file each below the folder of the reports, which its run holds locked
//! and writes again and again.

use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use crate::durable::{Claim, Disk};
use crate::text::utc::UtcMicros;

/// The folder, below that of the reports.
const FOLDER: &str = "running";
/// Progress is not written more often.
const EVERY: Duration = Duration::from_millis(500);

/// How far a run is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Running {
    /// The run.
    pub run_id: String,
    /// Its job.
    pub job: String,
    /// The command.
    pub command: String,
    /// Where it runs.
    pub host: String,
    /// Its process there.
    pub pid: u32,
    /// When it began.
    pub started_at: UtcMicros,
    /// What it is at: `reading`, `evaluating`, `moving`; `None` between two stages.
    pub stage: Option<String>,
    /// Rows of the stage that are done.
    pub rows: u64,
    /// Rows that the stage goes through, where that is known.
    pub of: Option<u64>,
}

/// The file of a run, which goes when this is dropped.
#[derive(Debug)]
pub struct RunningFile {
    running: Running,
    claim: Option<Claim>,
    written: Option<Instant>,
}

impl RunningFile {
    /// Begins the file of a run below `dir`, and removes those of runs that were killed.
    ///
    /// # Errors
    /// The disk does not take it, or another process writes a run of the same id.
    pub fn begin(disk: &Disk, dir: &Path, running: Running) -> io::Result<Self> {
        let folder = dir.join(FOLDER);
        disk.make_folders(&folder)?;
        for name in disk.names(&folder)? {
            if let Some(dead) = Claim::of_dead(disk, &folder.join(name))? {
                dead.release()?;
            }
        }
        let claim = Claim::take(disk, &folder.join(format!("{}.json", running.run_id)))?;
        let claim = claim.ok_or_else(|| io::Error::other("another process writes a run of the same id"))?;
        let mut file = Self { running, claim: Some(claim), written: None };
        file.write()?;
        Ok(file)
    }

    /// A stage began, or, where it is `None`, the last one is over.
    pub fn stage(&mut self, stage: Option<&str>, of: Option<u64>) {
        self.running.stage = stage.map(str::to_owned);
        (self.running.rows, self.running.of) = (0, of);
        self.write_or_log();
    }

    /// So many rows of the stage are done.
    pub fn rows(&mut self, rows: u64) {
        self.running.rows = rows;
        if self.written.is_none_or(|written| written.elapsed() >= EVERY) {
            self.write_or_log();
        }
    }

    fn write_or_log(&mut self) {
        if let Err(error) = self.write() {
            // Who looks sees that it is old; the run goes on.
            tracing::debug!(run = self.running.run_id, "how far the run is cannot be written: {error}");
        }
    }

    fn write(&mut self) -> io::Result<()> {
        self.written = Some(Instant::now());
        let text = serde_json::to_vec(&self.running)?;
        self.claim.as_mut().map_or(Ok(()), |claim| claim.note(&text))
    }
}

impl Drop for RunningFile {
    fn drop(&mut self) {
        if let Some(Err(error)) = self.claim.take().map(Claim::release) {
            tracing::debug!(run = self.running.run_id, "the file that says how far the run is stays behind: {error}");
        }
    }
}

/// The runs under way that report below `dir`, oldest first. One that writes its file at this moment may be missing.
///
/// # Errors
/// The folder cannot be listed, or a file not read.
pub fn running(dir: &Path) -> io::Result<Vec<Running>> {
    let folder = dir.join(FOLDER);
    let entries = match fs::read_dir(&folder) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let mut found = Vec::new();
    for entry in entries {
        found.extend(of_file(&entry?.path())?);
    }
    found.sort_by(|one: &Running, other| one.run_id.cmp(&other.run_id));
    Ok(found)
}

/// What a file says whose run is alive; the file of one that was killed goes.
fn of_file(path: &PathBuf) -> io::Result<Option<Running>> {
    let text = match fs::read(path) {
        // The run has ended meanwhile.
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        text => text?,
    };
    match Claim::of_dead(&Disk::system(), path) {
        Ok(Some(dead)) => dead.release().map(|()| None),
        // Who may not write there cannot tell whether the run is alive.
        Ok(None) => Ok(serde_json::from_slice(&text).ok()),
        Err(error) if error.kind() == ErrorKind::PermissionDenied => Ok(serde_json::from_slice(&text).ok()),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(id: &str) -> Running {
        Running {
            run_id: id.to_owned(),
            job: "demo".to_owned(),
            command: "run".to_owned(),
            host: "box".to_owned(),
            pid: 7,
            started_at: UtcMicros(0),
            stage: None,
            rows: 0,
            of: None,
        }
    }

    #[test]
    fn others_see_how_far_a_run_is_until_it_ends() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(running(dir.path()).unwrap(), []);
        let mut file = RunningFile::begin(&Disk::system(), dir.path(), run("b")).unwrap();
        let other = RunningFile::begin(&Disk::system(), dir.path(), run("a")).unwrap();
        file.stage(Some("reading"), Some(10));
        file.rows(4);
        let seen = running(dir.path()).unwrap();
        // Rows right behind a stage wait for their turn.
        assert_eq!((seen[0].run_id.as_str(), seen[1].stage.as_deref(), seen[1].of), ("a", Some("reading"), Some(10)));
        file.written = None;
        file.rows(5);
        assert_eq!(running(dir.path()).unwrap()[1].rows, 5);
        drop(other);
        drop(file);
        // Before anybody looks, who would remove what a killed run left.
        assert_eq!(fs::read_dir(dir.path().join(FOLDER)).unwrap().count(), 0);
        assert_eq!(running(dir.path()).unwrap(), []);
    }

    #[test]
    fn the_file_of_a_run_that_was_killed_goes() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join(FOLDER);
        fs::create_dir(&folder).unwrap();
        fs::write(folder.join("dead.json"), serde_json::to_vec(&run("dead")).unwrap()).unwrap();
        let file = RunningFile::begin(&Disk::system(), dir.path(), run("next")).unwrap();
        assert!(!folder.join("dead.json").exists());
        fs::write(folder.join("dead.json"), serde_json::to_vec(&run("dead")).unwrap()).unwrap();
        let seen: Vec<String> = running(dir.path()).unwrap().into_iter().map(|run| run.run_id).collect();
        assert_eq!(seen, ["next"]);
        assert!(RunningFile::begin(&Disk::system(), dir.path(), run("next")).is_err(), "a run is one process's");
        drop(file);
    }
}
