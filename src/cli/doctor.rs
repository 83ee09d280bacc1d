//! `barkeep doctor`: whether a job can do its work, and what to do where it cannot. Changes nothing.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use chrono::{Days, NaiveDate, Utc};
use serde_json::json;

use super::args::Global;
use super::exit::{Exit, Failure};
use super::job;
use super::open::{self, At, Collected, Opened};
use super::output::Output;
use super::quarantine::store::Store;
use super::settling;
use crate::config::Loaded;
use crate::config::job::{MongoSource, Source};
use crate::config::load::shown;
use crate::report::escape::visible;
use crate::settle::item::Which;
use crate::source::mongodb::Privileges;

/// Free bytes below which a disk is said to be nearly full.
const LITTLE: u64 = 1 << 30;
/// Milliseconds that two clocks may differ.
const APART: i64 = 2_000;
/// Days a calendar should reach ahead.
const AHEAD: u64 = 60;

/// What was found out.
struct Told<'a> {
    job: String,
    failed: bool,
    output: &'a mut Output,
}

impl Told<'_> {
    fn line(&mut self, word: &str, what: &str, detail: &str) -> Result<(), Failure> {
        self.failed |= word == "FAIL";
        let text = match self.output.is_json() {
            true => {
                json!({ "type": "doctor", "job": self.job, "state": word, "what": what, "detail": detail }).to_string()
            }
            false => format!("{word:<5} {what:<12} {}", visible(detail)),
        };
        Ok(self.output.line(&text)?)
    }

    fn ok(&mut self, what: &str, detail: &str) -> Result<(), Failure> {
        self.line("ok", what, detail)
    }

    fn warn(&mut self, what: &str, detail: &str) -> Result<(), Failure> {
        self.line("warn", what, detail)
    }

    fn fail(&mut self, what: &str, detail: &str) -> Result<(), Failure> {
        self.line("FAIL", what, detail)
    }
}

/// Looks at each of the jobs.
pub(crate) async fn doctor(global: &Global, jobs: &[PathBuf], output: &mut Output) -> Result<Exit, Failure> {
    let mut exit = Exit::Ok;
    for path in jobs {
        let mut told = Told { job: path.display().to_string(), failed: false, output };
        match one(global, path, &mut told).await {
            Ok(()) if told.failed => exit = exit.worst(Exit::Broken),
            Ok(()) => {}
            Err(failure) => {
                output.failure(&failure, Some(path))?;
                exit = exit.worst(failure.exit());
            }
        }
    }
    Ok(exit)
}

async fn one(global: &Global, path: &Path, told: &mut Told<'_>) -> Result<(), Failure> {
    let loaded = Arc::new(job::load(path)?);
    told.ok("job", &format!("{} and {} rule files have no mistakes", path.display(), loaded.rule_files.len()))?;
    calendar(&loaded, told)?;
    disk("reports", &loaded.job.report_dir.resolved, told)?;
    disk("snapshots", &global.temp_dir.clone().unwrap_or_else(std::env::temp_dir), told)?;
    let opened = match open::look(&loaded).await {
        Ok(opened) => opened,
        Err(failure @ Failure::Broken(_)) => {
            let text = failure.render(false);
            // What lies below is the driver's inner state.
            let first = text.lines().next().unwrap_or_default();
            return told.fail("source", first.trim_start_matches("error: "));
        }
        Err(failure) => return Err(failure),
    };
    let ended = bars(&opened, told).await;
    opened.close().await;
    ended?;
    quarantine(&loaded, told).await
}

fn calendar(loaded: &Loaded, told: &mut Told<'_>) -> Result<(), Failure> {
    let zones = chrono_tz::IANA_TZDB_VERSION;
    let Some(calendar) = &loaded.job.bars.calendar else {
        return told.ok("calendar", &format!("none; time zones {zones}"));
    };
    let last = calendar.last().and_then(NaiveDate::from_epoch_days);
    let soon = Utc::now().date_naive().checked_add_days(Days::new(AHEAD));
    match last.zip(soon) {
        Some((last, soon)) if last < soon => {
            let detail = format!("{} is known until {last} only; set `[bars] calendar_file`", calendar.name());
            told.warn("calendar", &detail)
        }
        _ => {
            let until = last.map_or_else(|| "for ever".to_owned(), |last| format!("until {last}"));
            told.ok("calendar", &format!("{} is known {until}; time zones {zones}", calendar.name()))
        }
    }
}

fn disk(what: &str, folder: &Path, told: &mut Told<'_>) -> Result<(), Failure> {
    let there = folder.ancestors().find(|above| above.is_dir()).unwrap_or(Path::new("."));
    let folder = shown(folder);
    let name = folder.display();
    if let Err(error) = tempfile::tempfile_in(there) {
        return told.fail(what, &format!("`{name}` cannot be written: {error}"));
    }
    let free = match rustix::fs::statvfs(there) {
        Ok(at) => at.f_bavail.saturating_mul(at.f_frsize),
        Err(error) => return told.warn(what, &format!("`{name}` does not tell how much is free: {error}")),
    };
    let detail = format!("`{name}` has {} MiB free", free >> 20);
    if free < LITTLE { told.warn(what, &detail) } else { told.ok(what, &detail) }
}

async fn bars(opened: &Opened, told: &mut Told<'_>) -> Result<(), Failure> {
    match (&opened.at, &opened.loaded.job.source) {
        (At::Collection(collection), Source::Mongodb(source)) => at_collection(opened, collection, source, told).await,
        (At::Files(set), _) => {
            let bytes: u64 = set.files.iter().filter_map(|path| std::fs::metadata(path).ok()).map(|at| at.len()).sum();
            told.ok("source", &format!("{} files, {} MiB", set.files.len(), bytes >> 20))?;
            for folder in set.files.iter().filter_map(|path| path.parent()).collect::<std::collections::BTreeSet<_>>() {
                let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
                if let Err(error) = tempfile::tempfile_in(folder) {
                    let detail =
                        format!("`{}` cannot be written, so no row can leave its files: {error}", folder.display());
                    told.warn("source", &detail)?;
                }
            }
            Ok(())
        }
        (At::Collection(_), Source::Files(_)) => Ok(()),
    }
}

async fn at_collection(
    opened: &Opened,
    collection: &Collected,
    source: &MongoSource,
    told: &mut Told<'_>,
) -> Result<(), Failure> {
    let (info, reader) = (&collection.info, &collection.reader);
    let server = collection.connection.redacted();
    told.ok("server", &format!("{server} is {:?}, version {}", info.server.topology, info.server.version))?;
    let (ahead, took) = reader.clock_ahead().await?;
    let clock = format!("the server's clock is {ahead} ms ahead, give or take {} ms", took / 2);
    told.line(if ahead.abs() > APART { "warn" } else { "ok" }, "clock", &clock)?;
    told.ok(
        "collection",
        &format!("{} has {} documents and is a {}", info.namespace, info.documents, info.kind.as_str()),
    )?;
    index(opened, collection, told)?;
    match settling::check_fit(opened).await {
        Ok(()) => told.ok("fit", "rows can be moved"),
        Err(Failure::Refused(reason, remedy)) => told.fail("fit", &format!("{reason}; {remedy}")),
        Err(failure) => Err(failure),
    }?;
    let privileges = reader.privileges().await?;
    if privileges == Privileges::Everything {
        return told.warn("privileges", "the server has no access control: everybody may do everything");
    }
    let quarantine = settling::settler(opened, collection)?.quarantine().to_owned();
    let needs: [(&str, &str, &[&str]); 4] = [
        ("check", &source.collection, &["find", "listIndexes"]),
        ("apply", &source.collection, &["find", "remove"]),
        ("apply", &quarantine, &["find", "insert", "update", "listIndexes"]),
        ("apply", "barkeep_runs", &["find", "insert", "update", "remove"]),
    ];
    let more: [(&str, &str, &[&str]); 3] = [
        ("plan", &quarantine, &["find"]),
        ("restore", &source.collection, &["find", "insert"]),
        ("purge", &quarantine, &["find", "remove"]),
    ];
    for (command, name, actions) in needs.into_iter().chain(more) {
        let missing = privileges.missing(&source.database, name, actions);
        if missing.is_empty() {
            told.ok("privileges", &format!("`{command}` may {} on `{name}`", actions.join(", ")))?;
            continue;
        }
        let resource = json!({ "resource": { "db": source.database, "collection": name }, "actions": missing });
        let detail = format!("`{command}` needs {} on `{name}`; grant {resource}", missing.join(", "));
        told.line(if command == "check" { "FAIL" } else { "warn" }, "privileges", &detail)?;
    }
    Ok(())
}

/// Tells of an index that has the bars of a series together, in order.
fn index(opened: &Opened, collection: &Collected, told: &mut Told<'_>) -> Result<(), Failure> {
    let source = |name: &Arc<str>| opened.bars.field(name).map(|(_, field)| field.source.to_string());
    let series: Vec<String> = opened.bars.series.iter().filter_map(source).collect();
    let together = |keys: &[(String, String)]| {
        series.iter().all(|name| keys.iter().take(series.len() + 1).any(|(key, _)| key == name))
    };
    match collection.info.indexes.iter().find(|index| together(&index.keys)) {
        Some(index) => told.ok("index", &format!("`{}` has the series together; reading goes by `_id`", index.name)),
        None => told.ok("index", "reading goes by `_id`; no other index is needed"),
    }
}

async fn quarantine(loaded: &Arc<Loaded>, told: &mut Told<'_>) -> Result<(), Failure> {
    let store = Store::open(loaded).await?;
    let items = store.items(&Which::default(), false).await;
    store.close().await;
    let items = items?;
    let open = items.iter().filter(|item| item.state == crate::settle::item::State::Removing).count();
    match open {
        0 => told.ok("quarantine", &format!("{} rows", items.len())),
        open => told.warn(
            "quarantine",
            &format!("{} rows, {open} of a run that was cut short: the next `run` settles them", items.len()),
        ),
    }
}
