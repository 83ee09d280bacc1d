//! What a job remembers from run to run: how far its bars are known to have been evaluated, and by what. One file a job, JSON,
//! replaced as a whole.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::failure::Failure;
use crate::config::Job;
use crate::durable::{Disk, Growing, Staged, folder_of, temporary_of};
use crate::text::utc::UtcMicros;

/// The version of the file.
const VERSION: u32 = 1;

/// What a run leaves behind for the next one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct State {
    /// [`VERSION`].
    pub(super) version: u32,
    /// The version of barkeep.
    pub(super) barkeep: String,
    /// The job.
    pub(super) job: String,
    /// The run.
    pub(super) run: String,
    /// Bars before it were evaluated, on the scale of their timestamps.
    pub(super) watermark: UtcMicros,
    /// The moment the bars were evaluated for.
    pub(super) as_of: UtcMicros,
    /// SHA-256 of where the bars are, which the environment may say.
    pub(super) source_sha256: String,
    /// SHA-256 of the job file.
    pub(super) job_sha256: String,
    /// SHA-256 of the rules.
    pub(super) rules_sha256: String,
    /// SHA-256 of the facts.
    pub(super) facts_sha256: String,
    /// The version of the calendar's sessions; `None` without one.
    pub(super) calendar: Option<String>,
    /// The labels that kept findings from counting, each by its SHA-256: they may be about findings before the window.
    #[serde(default)]
    pub(super) labels: BTreeSet<String>,
    /// Days since 1970-01-01 that the calendar calls closed and on which most series traded, by the rule that found it.
    #[serde(default)]
    pub(super) open_days: BTreeMap<String, Vec<i64>>,
    /// The series that had a bar in the part that was read, each with its first key field; where a rule asks how new each
    /// series is, all that are known.
    pub(super) series: BTreeMap<String, Option<String>>,
}

/// What a file of any version has.
#[derive(Deserialize)]
struct Versioned {
    version: u32,
}

/// What is known of a file.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Known {
    /// There is none.
    Nothing,
    /// It is there and cannot be used, for this reason.
    Unusable(String),
    /// What it says.
    State(Box<State>),
}

/// The file of `job`.
pub(super) fn path(job: &Job) -> PathBuf {
    job.state_dir.resolved.join(format!("{}.json", job.name))
}

/// Reads the file of `job`. One that cannot be used is no failure: a run that looks at everything needs none.
pub(super) fn read(disk: &Disk, job: &Job) -> Known {
    let path = path(job);
    let bytes = match disk.read(&path) {
        Ok(Some(bytes)) => bytes,
        Ok(None) => return Known::Nothing,
        Err(error) => return Known::Unusable(format!("`{}` cannot be read: {error}", path.display())),
    };
    // The version first: another one may have other fields.
    match serde_json::from_slice::<Versioned>(&bytes) {
        Ok(Versioned { version: VERSION }) => {}
        Ok(Versioned { version }) => {
            return Known::Unusable(format!(
                "`{}` is of version {version}, and this barkeep writes {VERSION}",
                path.display()
            ));
        }
        Err(error) => return Known::Unusable(format!("`{}` is damaged: {error}", path.display())),
    }
    match serde_json::from_slice::<State>(&bytes) {
        Ok(state) if state.job == job.name => Known::State(Box::new(state)),
        Ok(state) => Known::Unusable(format!("`{}` is that of job `{}`", path.display(), state.job)),
        Err(error) => Known::Unusable(format!("`{}` is damaged: {error}", path.display())),
    }
}

impl State {
    /// A state of this version; see the fields.
    pub(super) fn new(job: &Job, run: &str, watermark: i64, as_of: i64) -> Self {
        Self {
            version: VERSION,
            barkeep: env!("CARGO_PKG_VERSION").to_owned(),
            job: job.name.clone(),
            run: run.to_owned(),
            watermark: UtcMicros(watermark),
            as_of: UtcMicros(as_of),
            source_sha256: String::new(),
            job_sha256: String::new(),
            rules_sha256: String::new(),
            facts_sha256: String::new(),
            calendar: None,
            labels: BTreeSet::new(),
            open_days: BTreeMap::new(),
            series: BTreeMap::new(),
        }
    }

    /// Writes the file of `job` under a name that nobody reads.
    ///
    /// # Errors
    /// The folder cannot be made or written to; the file before is still there then.
    pub(super) fn stage(&self, disk: &Disk, job: &Job) -> Result<StagedState, Failure> {
        let path = path(job);
        let mut json = serde_json::to_vec_pretty(self).map_err(|source| failed(&path, &source))?;
        json.push(b'\n');
        let staged = disk.make_folders(folder_of(&path)).and_then(|()| {
            let temporary = temporary_of(&path);
            disk.remove(&temporary)?;
            let mut file = Growing::create(disk, &temporary, &path)?;
            file.write_all(&json)?;
            file.complete()
        });
        staged.map(|staged| StagedState { path: path.clone(), staged }).map_err(|source| failed(&path, &source))
    }
}

/// A state that was written and that no run knows yet; it goes where it is not published.
#[derive(Debug)]
pub(super) struct StagedState {
    path: PathBuf,
    staged: Staged,
}

impl StagedState {
    /// Puts it in the place of the one before.
    pub(super) fn publish(self) -> Result<(), Failure> {
        let Self { path, staged } = self;
        staged.publish().map_err(|error| failed(&path, &io::Error::from(error)))
    }
}

fn failed(path: &Path, source: &dyn std::error::Error) -> Failure {
    let message = format!(
        "the watermark cannot be written: `{}`: {source}; the next run looks at the same bars again: \
         make the folder writable, or name another one with `[state] dir`",
        path.display()
    );
    Failure::Broken(message.into())
}
