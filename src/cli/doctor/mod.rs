//! `barkeep doctor`: whether a job can do its work, and what to do where it cannot. Changes nothing.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use chrono::{Days, NaiveDate, Utc};
use serde_json::json;

use super::args::Global;
use super::output::{Output, message};
use crate::config::Loaded;
use crate::quarantine::item::{State, Which};
use crate::run::examination::Examination;
use crate::run::load::load;
use crate::run::{Exit, Failure};
use crate::run::{open, source};
use crate::text::escape::visible;
use crate::text::numbers::counted;

/// Free bytes below which a disk is said to be nearly full.
const LITTLE: u64 = 1 << 30;
/// Days a calendar should reach ahead.
const AHEAD: u64 = 60;

/// Looks at each of the jobs.
pub(crate) async fn doctor(global: &Global, jobs: &[PathBuf], output: &mut Output) -> Result<Exit, Failure> {
    let mut exit = Exit::Ok;
    for path in jobs {
        let job = path.display().to_string();
        let mut show = |word: &str, what: &str, detail: &str| line(output, &job, word, what, detail);
        let mut lines = Examination::new(&mut show);
        match one(global, path, &mut lines).await {
            Ok(()) if lines.failed => exit = exit.worst(Exit::Broken),
            Ok(()) => {}
            Err(failure) => {
                output.failure(&failure, Some(path))?;
                exit = exit.worst(failure.exit());
            }
        }
    }
    Ok(exit)
}

fn line(output: &mut Output, job: &str, word: &str, what: &str, detail: &str) -> Result<(), Failure> {
    let text = match output.is_json() {
        true => json!({ "type": "doctor", "job": job, "state": word, "what": what, "detail": detail }).to_string(),
        false => format!("{word:<5} {what:<12} {}", visible(detail)),
    };
    Ok(output.line(&text)?)
}

async fn one(global: &Global, path: &Path, lines: &mut Examination<'_>) -> Result<(), Failure> {
    let loaded = Arc::new(load(path)?);
    lines.ok("job", &format!("{} and {} rule files have no mistakes", path.display(), loaded.rule_files.len()))?;
    calendar(&loaded, lines)?;
    disk("reports", &loaded.job.report_dir.resolved, lines)?;
    disk("snapshots", &global.temp_dir.clone().unwrap_or_else(std::env::temp_dir), lines)?;
    if !source::of_job(&loaded).examine(lines).await? {
        return Ok(());
    }
    let Some(opened) = lines.reached("FAIL", "source", open::look(&loaded).await)? else { return Ok(()) };
    let ended = opened.source.examine(lines).await;
    opened.source.close().await;
    lines.reached("FAIL", "source", ended)?;
    let ended = quarantine(&loaded, lines).await;
    // Of privileges that are missing was reported; who only checks need not look into it.
    let word = if lines.wanting { "warn" } else { "FAIL" };
    lines.reached(word, "quarantine", ended).map(|_| ())
}

fn calendar(loaded: &Loaded, lines: &mut Examination<'_>) -> Result<(), Failure> {
    let zones = chrono_tz::IANA_TZDB_VERSION;
    let Some(calendar) = &loaded.job.bars.calendar else {
        return lines.ok("calendar", &format!("none; time zones {zones}"));
    };
    let last = calendar.last().and_then(NaiveDate::from_epoch_days);
    let soon = Utc::now().date_naive().checked_add_days(Days::new(AHEAD));
    match last.zip(soon) {
        Some((last, soon)) if last < soon => {
            let detail = format!("{} is known until {last} only; set `[bars] calendar_file`", calendar.name());
            lines.warn("calendar", &detail)
        }
        _ => {
            let until = last.map_or_else(|| "for ever".to_owned(), |last| format!("until {last}"));
            lines.ok("calendar", &format!("{} is known {until}; time zones {zones}", calendar.name()))
        }
    }
}

fn disk(what: &str, folder: &Path, lines: &mut Examination<'_>) -> Result<(), Failure> {
    let there = folder.ancestors().find(|above| above.is_dir()).unwrap_or(Path::new("."));
    let name = folder.display();
    if let Err(error) = tempfile::tempfile_in(there) {
        return lines.fail(what, &format!("`{name}` cannot be written: {error}"));
    }
    let free = match rustix::fs::statvfs(there) {
        Ok(at) => at.f_bavail.saturating_mul(at.f_frsize),
        Err(error) => return lines.warn(what, &format!("`{name}` does not tell how much is free: {error}")),
    };
    let detail = format!("`{name}` has {} MiB free", free >> 20);
    if free < LITTLE { lines.warn(what, &detail) } else { lines.ok(what, &detail) }
}

async fn quarantine(loaded: &Arc<Loaded>, lines: &mut Examination<'_>) -> Result<(), Failure> {
    let store = source::of_job(loaded).quarantine().await?;
    let items = store.items(&Which::default(), false, &message).await;
    let under_way = store.under_way().await;
    store.close().await;
    let (items, under_way) = (items?, under_way?);
    let count = |state: State| items.iter().filter(|item| item.state == state).count();
    let states = State::ALL.map(|state| (state, count(state))).into_iter().filter(|(_, count)| *count > 0);
    let states: Vec<String> = states.map(|(state, count)| format!("{count} {}", state.as_str())).collect();
    let rows = counted(items.len() as u64, "row");
    let detail = format!("{rows}{}{}", if states.is_empty() { "" } else { ": " }, states.join(", "));
    match count(State::Removing) {
        0 => lines.ok("quarantine", &detail),
        _ => lines.warn("quarantine", &format!("{detail}; the next `run` finishes those that were being removed")),
    }?;
    if let Some(holder) = under_way.holder {
        lines.warn("lease", &format!("rows are being moved by {holder}"))?;
    }
    match under_way.runs.as_slice() {
        [] => Ok(()),
        runs => {
            lines.warn("runs", &format!("cut short, or under way: {}; the next `run` finishes them", runs.join(", ")))
        }
    }
}
