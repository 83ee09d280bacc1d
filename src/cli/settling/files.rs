//! Settling rows of files: one file after the other, each swapped whole.

use std::collections::{HashMap, HashSet};
use std::path::Path;

use chrono::Utc;

use super::{Done, action, retention};
use crate::cli::exit::Failure;
use crate::cli::open::Opened;
use crate::cli::stop::Stop;
use crate::config::Job;
use crate::report::utc::UtcMicros;
use crate::settle::files::{self, Condemned, FilesError, Order, Outcome};
use crate::settle::item::{Item, Settled, State};
use crate::settle::plan::{Place, Plan, PlanFile, PlanRow, SourceIdentity};
use crate::source::mongodb::id;
use crate::source::{FileIdentity, FilesSet};

/// The quarantine of a job's files.
pub(in crate::cli) fn place(job: &Job) -> files::Place<'_> {
    files::Place { dir: &job.quarantine.dir.resolved, job: &job.name }
}

/// Finishes what was cut short before.
pub(super) fn recover(opened: &Opened) -> Result<(), Failure> {
    let place = place(&opened.loaded.job);
    if !place.dir.join(format!("job={}", place.job)).exists() {
        return Ok(());
    }
    for recovered in files::recover(place).map_err(failed)? {
        tracing::info!(id = recovered.id, note = recovered.note, "finished what was cut short");
    }
    Ok(())
}

/// Which rows of `plan` were put back by a person and are condemned by nothing but the rules that took them then.
pub(super) fn exempt(opened: &Opened, plan: &Plan) -> Result<Vec<usize>, Failure> {
    let items = files::items(place(&opened.loaded.job)).map_err(failed)?;
    let restored: Vec<Item> = items.into_iter().filter(|item| item.state == State::Restored).collect();
    // The bytes of a row of Parquet are hashed only when it is moved: it is known by its place, series and stamp.
    let by_id: HashMap<&str, &Item> = restored.iter().map(|item| (item.id.as_str(), item)).collect();
    let spot = |source: &str, locator: &str, series: &str, time| {
        (source.to_owned(), locator.to_owned(), series.to_owned(), time)
    };
    let by_spot: HashMap<_, &Item> =
        restored.iter().map(|item| (spot(&item.source, &item.locator, &item.series, item.time), item)).collect();
    let mut exempt = Vec::new();
    for (index, row) in plan.rows.iter().enumerate() {
        let Some((file, number)) = place_of(plan, row) else { continue };
        let item = match &row.sha256 {
            Some(sha256) => by_id.get(files::item_id(&file.path, &row.row_key, sha256).as_str()),
            None => by_spot.get(&spot(&file.path.display().to_string(), &number.to_string(), &row.series, row.time)),
        };
        let known = |item: &Item| {
            let taken_by: HashSet<(&str, &str)> =
                item.reasons.iter().map(|reason| (reason.id.as_str(), reason.hash.as_str())).collect();
            plan.reasons(row).iter().all(|reason| taken_by.contains(&(reason.id.as_str(), reason.hash.as_str())))
        };
        if item.is_some_and(|item| known(item)) {
            exempt.push(index);
        }
    }
    Ok(exempt)
}

fn place_of<'p>(plan: &'p Plan, row: &PlanRow) -> Option<(&'p PlanFile, u64)> {
    match (&row.at, &plan.head.source) {
        (Place::Row { file, row }, SourceIdentity::Files(files)) => Some((files.get(*file)?, *row)),
        _ => None,
    }
}

/// Carries out `plan`; what one file's failure leaves of it stands as not tried.
pub(super) fn carry_out(opened: &Opened, set: &FilesSet, plan: &Plan, run_id: &str, stop: &Stop) -> Done {
    let mut done = Done::default();
    done.settled.planned = plan.rows.len() as u64;
    if let Err(failure) = recover(opened) {
        done.failure = Some(failure);
    }
    let SourceIdentity::Files(sources) = &plan.head.source else { return done };
    for (number, file) in sources.iter().enumerate() {
        let of_file = |row: &&PlanRow| matches!(&row.at, Place::Row { file, .. } if *file == number);
        let rows: Vec<&PlanRow> = plan.rows.iter().filter(of_file).collect();
        if rows.is_empty() {
            continue;
        }
        let at = UtcMicros::from(Utc::now());
        let tried = match done.failure {
            None => one(opened, set, plan, (file, &rows), run_id, stop),
            Some(_) => Ok(untried(rows.len())),
        };
        let outcome = tried.unwrap_or_else(|error| {
            done.failure = Some(failed(error));
            after_failure(opened, file, rows.len())
        });
        if let Some(note) = &outcome.note {
            tracing::warn!(note, "rows stay");
        }
        done.settled += Settled { planned: 0, ..outcome.settled };
        done.actions.extend(rows.iter().enumerate().map(|(index, row)| {
            let item = outcome.items.get(index);
            let word = item.map_or_else(|| outcome.settled.word(), |item| item.state.as_str());
            let mut action = action(plan, row, item.map_or("", |item| item.id.as_str()), word, at);
            if let Some(item) = item {
                action.sha256.clone_from(&item.sha256);
            }
            action
        }));
    }
    done
}

/// The end of an order of which nothing was begun.
fn untried(rows: usize) -> Outcome {
    Outcome::of(Settled { planned: rows as u64, untried: rows as u64, ..Settled::default() })
}

/// Where the rows of a file are whose removal failed on the way; what even recovery cannot tell now is open.
fn after_failure(opened: &Opened, file: &PlanFile, rows: usize) -> Outcome {
    match files::recover(place(&opened.loaded.job)) {
        Ok(recovered) => {
            let of_file = recovered.into_iter().find(|one| one.source == file.path && one.settled.planned > 0);
            of_file.map_or_else(|| untried(rows), |one| Outcome::of(one.settled))
        }
        Err(error) => {
            tracing::warn!(%error, "the next run settles what is open");
            Outcome::of(Settled { planned: rows as u64, open: rows as u64, ..Settled::default() })
        }
    }
}

fn one(
    opened: &Opened,
    set: &FilesSet,
    plan: &Plan,
    (file, rows): (&PlanFile, &[&PlanRow]),
    run_id: &str,
    stop: &Stop,
) -> Result<Outcome, FilesError> {
    let hash = |hex: &str| id::from_hex(hex).and_then(|hash| <[u8; 32]>::try_from(hash).ok());
    let identity = FileIdentity {
        path: file.path.clone(),
        device: file.device,
        inode: file.inode,
        length: file.length,
        modified: 0,
        sha256: hash(&file.sha256),
    };
    let condemned: Vec<Condemned> = rows
        .iter()
        .map(|row| Condemned {
            row: place_of(plan, row).map_or(0, |(_, row)| row),
            sha256: row.sha256.as_deref().and_then(hash),
            row_key: row.row_key.clone(),
            series: row.series.clone(),
            time: row.time,
            action: row.action,
            reasons: plan.reasons(row),
        })
        .collect();
    let at = Utc::now().timestamp_micros();
    let (quarantine, delete) = retention(&opened.loaded.job);
    let order = Order {
        run_id,
        plan_id: &plan.head.plan_id,
        at,
        retention: files::Retention { quarantine: at + quarantine, delete: at + delete },
        set,
        file: &identity,
        rows: &condemned,
    };
    files::settle(place(&opened.loaded.job), &order, &|| stop.signal().is_some())
}

/// Whether the files of a plan are those of the job still; what they hold is looked at when they are settled.
pub(in crate::cli) fn same_files(plan: &[PlanFile], set: &FilesSet) -> bool {
    let now: Vec<_> = set.files.iter().filter_map(|path| std::path::absolute(path).ok()).collect();
    plan.iter().all(|file| now.iter().any(|path| Path::new(path) == file.path))
}

/// What a failure of settling files means for the command.
pub(in crate::cli) fn failed(error: FilesError) -> Failure {
    match error {
        FilesError::Locked { .. } => Failure::Locked(error.to_string()),
        error => error.into(),
    }
}
