//! Moving rows of files: one file after the other, each replaced whole.

use std::collections::HashMap;
use std::path::Path;
use std::time::{Duration, Instant};

use chrono::Utc;

use super::{Done, action, earlier_state, retention};
use crate::config::Job;
use crate::config::job::{self, Source};
use crate::durable::{Disk, hex};
use crate::quarantine::files::{
    self, FilesError, Order, Outcome, Place as Quarantine, Rejected, WriterTimeout, Writers,
};
use crate::quarantine::item::{Item, RemovalCounts, State};
use crate::quarantine::plan::{Place, Plan, PlanFile, PlanRow, SourceIdentity};
use crate::report::numbers::counted;
use crate::report::run::ActionRow;
use crate::report::utc::UtcMicros;
use crate::run::failure::Failure;
use crate::run::open::Opened;
use crate::run::stop::Stop;
use crate::source::mongodb::id;
use crate::source::{FileIdentity, FilesSet};

/// How long files that others write to are tried again, all together.
const WRITER_TIMEOUT: Duration = Duration::from_mins(1);
/// When a file that was replaced is looked at once more: a loader that was on its way to it has written by then.
const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// The files of a job, and where their rows go.
pub(crate) struct Files<'a> {
    job: &'a Job,
    disk: Disk,
}

/// How long nothing may have happened before the clock is doubted, µs.
const LONG: i64 = 30 * 86_400_000_000;

/// When the newest file in a folder was last written, µs UTC; hidden files do not count.
fn newest_in(folder: &Path) -> Option<i64> {
    let written = |entry: std::fs::DirEntry| {
        let hidden = entry.file_name().as_encoded_bytes().starts_with(b".");
        let modified = entry.metadata().ok()?.modified().ok()?;
        let since = modified.duration_since(std::time::UNIX_EPOCH).ok()?;
        (!hidden).then(|| i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
    };
    std::fs::read_dir(folder).ok()?.flatten().filter_map(written).max()
}

impl<'a> Files<'a> {
    pub(crate) fn of(job: &'a Job) -> Self {
        Self { job, disk: Disk::system() }
    }

    /// The quarantine of the job.
    pub(crate) fn place(&self) -> Quarantine<'_> {
        Quarantine { disk: &self.disk, dir: &self.job.quarantine.dir.resolved, job: &self.job.name }
    }

    /// Whether anybody may write to the files.
    pub(crate) fn writers(&self) -> Writers {
        match &self.job.source {
            Source::Files(source) if source.writers == job::Writers::None => Writers::None,
            _ => Writers::Any,
        }
    }

    /// Finishes what was cut short before. What could not be finished keeps nothing else from being done.
    pub(crate) fn recover(&self) -> Result<files::Recovery, FilesError> {
        let place = self.place();
        if !place.dir.join(format!("job={}", place.job)).exists() {
            return Ok(files::Recovery::default());
        }
        let recovery = files::recover(place)?;
        for recovered in &recovery.done {
            tracing::info!(id = recovered.id, note = recovered.note, "finished what was cut short");
        }
        Ok(recovery)
    }

    /// Files that were written to after they were replaced, as a failure that says how their rows come back.
    pub(crate) fn late(&self) -> Result<Option<Failure>, FilesError> {
        let late = files::late(self.place())?;
        let Some(first) = late.first() else { return Ok(None) };
        let came = match first.appended {
            Some(bytes) => format!("{bytes} bytes were appended to it"),
            None => "it was rewritten".to_owned(),
        };
        let more = match late.len() {
            1 => String::new(),
            all => format!(" (and {} more files)", all - 1),
        };
        let command = "barkeep quarantine restore JOB --late";
        Ok(Some(Failure::Broken(
            format!(
                "a loader wrote to `{}` after it was replaced: {came}, kept in `{}`{more}; `{command}` brings those rows back",
                first.source.display(),
                first.path.display()
            )
            .into(),
        )))
    }

    /// The same a moment after files were replaced: a loader that was on its way to one has written by then. Files that
    /// were replaced earlier in the same process have had longer.
    pub(crate) fn late_by_now(&self) -> Result<Option<Failure>, FilesError> {
        std::thread::sleep(LOOK_AGAIN);
        self.late()
    }

    /// Why the clock of this machine may be wrong: it lies before the newest record of a removal, or long after anything
    /// that happened.
    pub(crate) fn clock_doubt(&self) -> Result<Option<String>, Failure> {
        let (newest, sources) = files::newest(self.place()).map_err(failed)?;
        let now = UtcMicros::from(Utc::now());
        if let Some(newest) = newest.filter(|newest| *newest > now.0) {
            return Ok(Some(format!("the clock says {now}, and rows were moved at {} already", UtcMicros(newest))));
        }
        let mut folders: Vec<&Path> = sources.iter().filter_map(|source| source.parent()).collect();
        folders.dedup();
        let in_folders = folders.into_iter().filter_map(newest_in);
        let reports = newest_in(&self.job.report_dir.resolved.join("runs"));
        let last = in_folders.chain(newest).chain(reports).max();
        Ok(last.filter(|last| now.0 - last > LONG).map(|last| {
            format!("the clock says {now}, and nothing happened to the files or the reports since {}", UtcMicros(last))
        }))
    }

    /// A run that puts rows back.
    pub(crate) fn run<'r>(&self, run_id: &'r str) -> files::Run<'r> {
        let (writers, writer_timeout) = (self.writers(), WriterTimeout(Self::writer_timeout()));
        files::Run { id: run_id, at: Utc::now().timestamp_micros(), writers, writer_timeout }
    }

    /// How long files that others write to are tried again. A test may have a shorter timeout: builds with debug assertions
    /// take seconds from `BARKEEP_BUSY_SECONDS`.
    pub(crate) fn writer_timeout() -> Duration {
        let test = if cfg!(debug_assertions) { std::env::var("BARKEEP_BUSY_SECONDS").ok() } else { None };
        test.and_then(|seconds| seconds.parse().ok()).map_or(WRITER_TIMEOUT, Duration::from_secs)
    }
}

/// Finishes what was cut short before, and looks for rows that came late. What cannot be finished keeps no other file
/// from being worked on.
pub(crate) fn recover(opened: &Opened) -> Done {
    let of_job = Files::of(&opened.loaded.job);
    let mut done = Done::default();
    match of_job.recover() {
        Ok(recovery) => take(recovery, &mut done),
        Err(error) => done.fail(failed(error)),
    }
    match of_job.late() {
        Ok(late) => late.into_iter().for_each(|failure| done.tell_later(failure)),
        Err(error) => done.tell_later(failed(error)),
    }
    done
}

/// Takes over what recovery came to.
fn take(recovery: files::Recovery, done: &mut Done) {
    let at = UtcMicros::from(Utc::now());
    let row = |item: &Item| ActionRow {
        finding_ids: item.reasons.iter().map(|reason| reason.finding_id.clone()).collect(),
        quarantine_id: item.id.clone(),
        locator: format!("{}:{}", item.source, item.locator),
        action: item.action,
        state: earlier_state((item.state != State::Removing).then_some(item.state)),
        sha256: item.sha256.clone(),
        at,
    };
    done.recovered.extend(recovery.done.iter().flat_map(|one| &one.items).map(row));
    recovery.failed.into_iter().for_each(|error| done.tell_later(failed(error)));
}

/// Which rows of `plan` were put back by a person and are rejected by nothing but the rules that took them then. Rows
/// are known by their content, as often as they were put back.
pub(crate) fn exempt(opened: &Opened, plan: &Plan) -> Result<Vec<usize>, Failure> {
    let of_job = Files::of(&opened.loaded.job);
    let listed = files::items(of_job.place()).map_err(failed)?;
    let mut restored: HashMap<(String, String), Vec<Item>> = HashMap::new();
    for item in listed.items.into_iter().filter(|item| item.state == State::Restored) {
        restored.entry((item.source.clone(), item.sha256.clone())).or_default().push(item);
    }
    if restored.is_empty() {
        return Ok(Vec::new());
    }
    let hashes = hashes_of(&of_job.disk, plan)?;
    let mut exempt = Vec::new();
    for (index, row) in plan.rows.iter().enumerate() {
        let (Some((file, _)), Some(sha256)) = (place_of(plan, row), &hashes[index]) else { continue };
        let Some(items) = restored.get_mut(&(file.path.display().to_string(), sha256.clone())) else { continue };
        let taken_by = |item: &Item| {
            let known = |id: &str, hash: &str| item.reasons.iter().any(|taken| taken.id == id && taken.hash == hash);
            plan.reasons(row).iter().all(|reason| known(&reason.id, &reason.hash))
        };
        if let Some(found) = items.iter().position(taken_by) {
            items.remove(found);
            exempt.push(index);
        }
    }
    Ok(exempt)
}

/// SHA-256 (hex) of the bytes of each row of a plan: as planned, or, for rows of Parquet, read again. `None` where the
/// file does not read; its rows are not known then.
fn hashes_of(disk: &Disk, plan: &Plan) -> Result<Vec<Option<String>>, Failure> {
    let mut hashes: Vec<Option<String>> = plan.rows.iter().map(|row| row.sha256.clone()).collect();
    let SourceIdentity::Files(sources) = &plan.head.source else { return Ok(hashes) };
    for (number, file) in sources.iter().enumerate() {
        let of_file = |(index, row): (usize, &PlanRow)| match row.at {
            Place::Row { file, row: at } if file == number && row.sha256.is_none() => Some((at, index)),
            _ => None,
        };
        let mut rows: Vec<(u64, usize)> = plan.rows.iter().enumerate().filter_map(of_file).collect();
        rows.sort_unstable();
        if rows.is_empty() {
            continue;
        }
        let numbers: Vec<u64> = rows.iter().map(|(row, _)| *row).collect();
        for ((_, index), hash) in rows.into_iter().zip(files::row_hashes(disk, &file.path, &numbers).map_err(failed)?) {
            hashes[index] = Some(hex(&hash));
        }
    }
    Ok(hashes)
}

fn place_of<'p>(plan: &'p Plan, row: &PlanRow) -> Option<(&'p PlanFile, u64)> {
    match (&row.at, &plan.head.source) {
        (Place::Row { file, row }, SourceIdentity::Files(files)) => Some((files.get(*file)?, *row)),
        _ => None,
    }
}

/// The rows of one file of a plan.
struct OfFile<'p> {
    file: &'p PlanFile,
    rows: Vec<&'p PlanRow>,
    outcome: Option<Outcome>,
}

/// Carries out `plan`. A file that cannot be worked on keeps no other from it; one that others write to is tried again
/// when the others are done.
pub(crate) fn carry_out(opened: &Opened, set: &FilesSet, plan: &Plan, run_id: &str, stop: &Stop) -> Done {
    let of_job = Files::of(&opened.loaded.job);
    let mut done = Done::default();
    done.counts.planned = plan.rows.len() as u64;
    match of_job.recover() {
        Ok(recovery) => take(recovery, &mut done),
        Err(error) => done.fail(failed(error)),
    }
    let SourceIdentity::Files(sources) = &plan.head.source else { return done };
    let of_file = |number: usize| {
        let is_of = move |row: &&PlanRow| matches!(&row.at, Place::Row { file, .. } if *file == number);
        plan.rows.iter().filter(is_of).collect::<Vec<_>>()
    };
    let files = sources.iter().enumerate().map(|(number, file)| OfFile { file, rows: of_file(number), outcome: None });
    let mut files: Vec<OfFile<'_>> = files.filter(|of_file| !of_file.rows.is_empty()).collect();
    let work = Work { of_job: &of_job, set, plan, run_id, stop };
    let started = Instant::now();
    for of_file in &mut files {
        of_file.outcome = Some(work.one(of_file, Duration::ZERO, &mut done));
    }
    let until = started + Files::writer_timeout();
    for of_file in &mut files {
        let left = until.saturating_duration_since(Instant::now());
        if of_file.outcome.as_ref().is_some_and(|outcome| outcome.busy) && !left.is_zero() {
            of_file.outcome = Some(work.one(of_file, left, &mut done));
        }
    }
    for of_file in &files {
        reported(plan, of_file, &mut done);
    }
    let late = if done.counts.removed > 0 { of_job.late_by_now() } else { of_job.late() };
    match late {
        Ok(late) => late.into_iter().for_each(|failure| done.tell_later(failure)),
        Err(error) => done.tell_later(failed(error)),
    }
    done
}

/// Adds what became of the rows of one file.
fn reported(plan: &Plan, of_file: &OfFile<'_>, done: &mut Done) {
    let at = UtcMicros::from(Utc::now());
    let Some(outcome) = &of_file.outcome else { return };
    if let Some(note) = &outcome.note {
        tracing::warn!(note, "rows stay");
        done.why.get_or_insert_with(|| note.clone());
    }
    done.counts += RemovalCounts { planned: 0, ..outcome.counts };
    done.actions.extend(of_file.rows.iter().enumerate().map(|(index, row)| {
        let item = outcome.items.get(index);
        let word = item.map_or_else(|| outcome.counts.word(), |item| item.state.as_str());
        let mut action = action(plan, row, item.map_or("", |item| item.id.as_str()), word, at);
        if let Some(item) = item {
            action.sha256.clone_from(&item.sha256);
        }
        action
    }));
}

/// A plan under way.
struct Work<'a> {
    of_job: &'a Files<'a>,
    set: &'a FilesSet,
    plan: &'a Plan,
    run_id: &'a str,
    stop: &'a Stop,
}

impl Work<'_> {
    fn one(&self, of_file: &OfFile<'_>, writer_timeout: Duration, done: &mut Done) -> Outcome {
        match self.remove(of_file, writer_timeout) {
            Ok(outcome) => outcome,
            Err(error) => {
                done.fail(failed(error));
                self.after_failure(of_file.file, of_file.rows.len())
            }
        }
    }

    fn remove(&self, of_file: &OfFile<'_>, writer_timeout: Duration) -> Result<Outcome, FilesError> {
        let OfFile { file, rows, .. } = of_file;
        let hash = |hex: &str| id::from_hex(hex).and_then(|hash| <[u8; 32]>::try_from(hash).ok());
        let identity = FileIdentity {
            path: file.path.clone(),
            device: file.device,
            inode: file.inode,
            length: file.length,
            modified: 0,
            sha256: hash(&file.sha256),
        };
        let rejected: Vec<Rejected> = rows
            .iter()
            .map(|row| Rejected {
                row: place_of(self.plan, row).map_or(0, |(_, row)| row),
                sha256: row.sha256.as_deref().and_then(hash),
                row_key: row.row_key.clone(),
                series: row.series.clone(),
                time: row.time,
                action: row.action,
                reasons: self.plan.reasons(row),
            })
            .collect();
        let at = Utc::now().timestamp_micros();
        let (quarantine, delete) = retention(self.of_job.job);
        let order = Order {
            run_id: self.run_id,
            plan_id: &self.plan.head.plan_id,
            at,
            retention: files::Retention { quarantine: at + quarantine, delete: at + delete },
            set: self.set,
            file: &identity,
            rows: &rejected,
            writers: self.of_job.writers(),
            writer_timeout: WriterTimeout(writer_timeout),
        };
        files::remove(self.of_job.place(), &order, &|| self.stop.signal().is_some())
    }

    /// Where the rows of a file are whose removal failed on the way; what even recovery cannot tell now is open.
    fn after_failure(&self, file: &PlanFile, rows: usize) -> Outcome {
        let recovered = self.of_job.recover().map(|recovery| recovery.done).unwrap_or_default();
        if let Some(one) = recovered.into_iter().find(|one| one.source == file.path && one.counts.planned > 0) {
            return Outcome::of(one.counts);
        }
        let planned = rows as u64;
        match files::is_open(self.of_job.place(), &file.path) {
            Ok(false) => Outcome::of(RemovalCounts { planned, untried: planned, ..RemovalCounts::default() }),
            // Where not even the journal reads, the next run finds out too.
            Ok(true) | Err(_) => Outcome::of(RemovalCounts { planned, open: planned, ..RemovalCounts::default() }),
        }
    }
}

/// What applying a plan does, in a few words; of files also how much disk the old ones take that are kept whole.
pub(crate) fn what_moves(plan: &Plan) -> String {
    let mut text = format!("move {} to quarantine", counted(plan.rows.len() as u64, "row"));
    if let SourceIdentity::Files(sources) = &plan.head.source {
        let of_plan =
            |number: &usize| plan.rows.iter().any(|row| matches!(&row.at, Place::Row { file, .. } if file == number));
        let lengths: Vec<u64> = (0..sources.len()).filter(of_plan).map(|number| sources[number].length).collect();
        let kib = lengths.iter().sum::<u64>().div_ceil(1024);
        text.push_str(&format!("; {} kept whole, {kib} KiB", counted(lengths.len() as u64, "old file")));
    }
    text
}

/// Whether the files of a plan are those of the job still; what they hold is looked at when rows are removed.
pub(crate) fn same_files(plan: &[PlanFile], set: &FilesSet) -> bool {
    let now: Vec<_> = set.files.iter().filter_map(|path| std::path::absolute(path).ok()).collect();
    plan.iter().all(|file| now.iter().any(|path| Path::new(path) == file.path))
}

/// What a failure of moving rows of files means for the command.
pub(crate) fn failed(error: FilesError) -> Failure {
    match error {
        FilesError::Locked { .. } => Failure::Locked(error.to_string()),
        FilesError::HardLinks { .. }
        | FilesError::MountPoint { .. }
        | FilesError::NoLease { .. }
        | FilesError::NotOwner { .. }
        | FilesError::Symlink { .. } => {
            let text = error.to_string();
            let (problem, help) = text.split_once("; ").unwrap_or((&text, "look at the file"));
            Failure::Refused(problem.to_owned(), help.to_owned())
        }
        error => error.into(),
    }
}
