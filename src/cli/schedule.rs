//! `barkeep schedule list`, `next` and `export`: when jobs are due, and what starts them. Nothing is started here.

use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use chrono::{DateTime, NaiveDate, SecondsFormat};
use chrono_tz::Tz;
use serde_json::json;

use super::args::{Global, ScheduleTarget};
use super::events;
use super::output::{Output, message};
use crate::config::labels::{USUAL_FILE, is_file_of_labels};
use crate::durable::paths;
use crate::run::scheduler::without_schedule as without;
use crate::run::shell::typed;
use crate::run::{Exit, Failure, Job, Stop};
use crate::schedule::{Command, Due, Exported, Fire, Schedule, When};
use crate::schedule::{cron_table, kubernetes, kubernetes_loop, systemd, systemd_loop};
use crate::schema::moment::Moment;
use crate::text::escape::visible;

/// Where job files are looked for that nobody names.
const JOBS: &str = "jobs";
const NONE: &str = "-";

/// What `export` is asked for.
#[derive(Debug)]
pub(crate) struct Export {
    pub(crate) target: ScheduleTarget,
    /// What keeps the loop alive, and not what starts each job.
    pub(crate) of_loop: bool,
    pub(crate) dir: Option<PathBuf>,
    pub(crate) program: Option<PathBuf>,
    pub(crate) image: String,
}

/// The jobs, each with its schedule and when it is next due.
pub(crate) fn list(global: &Global, jobs: &[PathBuf], output: &mut Output) -> Result<Exit, Failure> {
    let context = events::context(global, Stop::never());
    let now = context.clock.now().timestamp_micros();
    let mut exit = Exit::Ok;
    let mut rows = vec![["job", "schedule", "zone", "next", "local", "session"].map(str::to_owned).to_vec()];
    for path in &named(jobs)? {
        let job = match Job::open(&context, path) {
            Ok(job) => job,
            Err(failure) => {
                output.failure(&failure, Some(path))?;
                exit = exit.worst(failure.exit());
                continue;
            }
        };
        let schedule = job.schedule();
        let due = schedule.as_ref().map(|schedule| (schedule, schedule.next(now)));
        if output.is_json() {
            let mut object = json!({ "type": "schedule", "job": job.name(), "file": path.display().to_string() });
            if let Some((schedule, due)) = due {
                object["schedule"] = written(schedule).into();
                object["zone"] = schedule.zone.name().into();
                object["next"] = of_due(schedule, due);
            }
            output.line(&object.to_string())?;
            continue;
        }
        let cells = match due {
            None => [job.name(), "none", NONE, NONE, NONE, NONE].map(str::to_owned).to_vec(),
            Some((schedule, due)) => {
                let cells = match due {
                    Due::At(fire) => [utc(fire.at), local(schedule.zone, fire.at), session(fire)],
                    end @ Due::BeyondCalendar(_) => [ended(schedule, end), NONE.to_owned(), NONE.to_owned()],
                };
                [job.name().to_owned(), written(schedule), schedule.zone.to_string()].into_iter().chain(cells).collect()
            }
        };
        rows.push(cells);
    }
    if !output.is_json() && rows.len() > 1 {
        table(&rows, output)?;
    }
    Ok(exit)
}

/// The next moments at which a job is due.
pub(crate) fn next(
    global: &Global,
    path: &Path,
    count: usize,
    from: Option<&str>,
    output: &mut Output,
) -> Result<Exit, Failure> {
    let context = events::context(global, Stop::never());
    let job = Job::open(&context, path)?;
    let schedule = job.schedule().ok_or_else(|| without(path))?;
    let after = match from {
        None => context.clock.now().timestamp_micros(),
        Some(text) => {
            let wrong =
                |problem: String| Failure::Usage(format!("--from: {problem}"), "e.g. `--from 2026-10-28`".into());
            // A job that is due at that very moment is due.
            Moment::parse(text).and_then(|moment| moment.resolve(schedule.zone, false)).map_err(wrong)? - 1
        }
    };
    let (fires, end) = schedule.fires(after, count);
    if output.is_json() {
        for fire in &fires {
            output.line(&of_due(&schedule, Due::At(*fire)).to_string())?;
        }
    } else if !fires.is_empty() {
        let mut rows = vec![["next", "local", "session"].map(str::to_owned).to_vec()];
        rows.extend(fires.iter().map(|fire| vec![utc(fire.at), local(schedule.zone, fire.at), session(*fire)]));
        table(&rows, output)?;
    }
    match end {
        None => Ok(Exit::Ok),
        Some(end) => {
            let help = "write later days in a file that `[bars] calendar_file` names, or use a newer barkeep";
            message(&format!("warning: {}\n  = help: {help}", ended(&schedule, end)));
            Ok(if fires.is_empty() { Exit::Usage } else { Exit::Ok })
        }
    }
}

/// What starts the jobs.
pub(crate) fn export(global: &Global, jobs: &[PathBuf], wanted: &Export, output: &mut Output) -> Result<Exit, Failure> {
    let context = events::context(global, Stop::never());
    let now = context.clock.now().timestamp_micros();
    let (mut files, mut started): (Vec<Exported>, Vec<PathBuf>) = (Vec::new(), Vec::new());
    for path in &named(jobs)? {
        let job = Job::open(&context, path)?;
        match job.schedule() {
            Some(_) if wanted.of_loop => started.push(path.clone()),
            Some(schedule) => files.extend(exported(wanted, (&job, path), &schedule, now)?),
            // Of jobs that are only found, some are started by hand.
            None if jobs.is_empty() => {}
            None => return Err(without(path)),
        }
    }
    if !started.is_empty() {
        files.push(exported_loop(wanted, &started)?);
    }
    if let Some(twice) =
        files.iter().enumerate().find(|(at, file)| files[..*at].iter().any(|one| one.name == file.name))
    {
        let message = format!("two jobs would be `{}`", twice.1.name);
        return Err(Failure::Usage(message, "give the jobs names that differ".to_owned()));
    }
    if files.is_empty() {
        let help = "write `[schedule]` in a job, e.g. cron = \"30 18 * * MON-FRI\"";
        return Err(Failure::Usage("no job has a schedule".to_owned(), help.to_owned()));
    }
    if let Some(dir) = &wanted.dir {
        write(dir, &files)?;
    }
    for file in &files {
        let place = wanted.dir.as_ref().map(|dir| dir.join(&file.name).display().to_string());
        if output.is_json() {
            let object = json!({ "type": "export", "name": file.name, "file": place, "text": file.text });
            output.line(&object.to_string())?;
        } else if let Some(place) = place {
            output.line(&format!("wrote {place}"))?;
        } else {
            let divider = if wanted.target == ScheduleTarget::K8s { "---\n" } else { "" };
            let named =
                if wanted.target == ScheduleTarget::Cron { String::new() } else { format!("# {}\n", file.name) };
            output.line(&format!("{divider}{named}{}", file.text))?;
        }
    }
    Ok(Exit::Ok)
}

fn exported(
    wanted: &Export,
    (job, path): (&Job, &Path),
    schedule: &Schedule,
    now: i64,
) -> Result<Vec<Exported>, Failure> {
    let (program, file) = (program(wanted)?, job_file(wanted, path)?);
    let shell = format!("{} run {}", typed(&program), typed(&file));
    let command = Command { name: job.name(), program: &program, job: &file, shell: &shell };
    let files = match wanted.target {
        ScheduleTarget::Cron => cron_table(schedule, &command, now).map(|file| vec![file]),
        ScheduleTarget::Systemd => systemd(schedule, &command, now).map(Vec::from),
        ScheduleTarget::K8s => kubernetes(schedule, &command, &wanted.image, now).map(|file| vec![file]),
    };
    let unfit =
        |problem: String| Failure::Usage(format!("`{}`: {problem}", path.display()), "nothing was written".into());
    files.map_err(unfit)
}

/// What keeps the loop over `jobs` alive.
fn exported_loop(wanted: &Export, jobs: &[PathBuf]) -> Result<Exported, Failure> {
    let jobs = jobs.iter().map(|job| job_file(wanted, job)).collect::<Result<Vec<_>, _>>()?;
    let file = match wanted.target {
        ScheduleTarget::Systemd => systemd_loop(&program(wanted)?, &jobs),
        ScheduleTarget::K8s => kubernetes_loop(&program(wanted)?, &jobs, &wanted.image),
        ScheduleTarget::Cron => {
            let message = "`--loop` is not for cron: it keeps no program alive".to_owned();
            return Err(Failure::Usage(message, "take `--as systemd` or `--as k8s`".to_owned()));
        }
    };
    file.map_err(|problem| Failure::Usage(problem, "nothing was written".to_owned()))
}

/// The program that is started.
fn program(wanted: &Export) -> Result<PathBuf, Failure> {
    Ok(match (&wanted.program, wanted.target) {
        (Some(program), _) => program.clone(),
        (None, ScheduleTarget::K8s) => PathBuf::from("barkeep"),
        (None, _) => std::env::current_exe()?,
    })
}

/// A job file as it is written down: in a container it lies elsewhere, and there the path is as it was given.
fn job_file(wanted: &Export, path: &Path) -> Result<PathBuf, Failure> {
    Ok(if wanted.target == ScheduleTarget::K8s { path.to_path_buf() } else { paths::absolute(path)? })
}

/// Writes new files; where one is there already, none is written.
fn write(dir: &Path, files: &[Exported]) -> Result<(), Failure> {
    if let Some(there) = files.iter().map(|file| dir.join(&file.name)).find(|path| path.exists()) {
        let message = format!("`{}` is there already", there.display());
        return Err(Failure::Usage(message, "choose another folder, or move it away; nothing was written".to_owned()));
    }
    let refused = |path: &Path, error: &std::io::Error| {
        Failure::Broken(format!("cannot write `{}`: {error}", path.display()).into())
    };
    fs::create_dir_all(dir).map_err(|error| refused(dir, &error))?;
    for file in files {
        let path = dir.join(&file.name);
        let written = OpenOptions::new().write(true).create_new(true).open(&path);
        written.and_then(|mut new| new.write_all(file.text.as_bytes())).map_err(|error| refused(&path, &error))?;
    }
    Ok(())
}

/// The jobs that are named, or those in the folder for jobs.
pub(super) fn named(jobs: &[PathBuf]) -> Result<Vec<PathBuf>, Failure> {
    if !jobs.is_empty() {
        return Ok(jobs.to_vec());
    }
    let is_job = |path: &PathBuf| path.extension().is_some_and(|ending| ending == "toml");
    let mut found: Vec<PathBuf> = match fs::read_dir(JOBS) {
        Ok(entries) => entries.map(|entry| Ok(entry?.path())).collect::<std::io::Result<_>>()?,
        Err(error) if error.kind() == ErrorKind::NotFound => Vec::new(),
        Err(error) => return Err(error.into()),
    };
    // Labels of the jobs stand beside them.
    let is_of_labels = |path: &Path| {
        path.file_name().is_some_and(|name| name == USUAL_FILE)
            || fs::read_to_string(path).is_ok_and(|text| is_file_of_labels(&text))
    };
    found.retain(|path| is_job(path) && !is_of_labels(path));
    found.sort();
    if found.is_empty() {
        let message = format!("no job is named, and there is none in the folder `{JOBS}`");
        return Err(Failure::Usage(message, "name job files, e.g. jobs/daily.toml".to_owned()));
    }
    Ok(found)
}

/// A schedule as it is written.
fn written(schedule: &Schedule) -> String {
    match &schedule.when {
        When::Cron(cron) => cron.text().to_owned(),
        When::AfterClose(after) => match after.span.num_minutes() {
            0 => format!("close of {}", after.calendar.name()),
            minutes => format!("close of {} + {minutes}m", after.calendar.name()),
        },
    }
}

fn ended(schedule: &Schedule, due: Due) -> String {
    let last = match due {
        Due::BeyondCalendar(last) => last.and_then(NaiveDate::from_epoch_days),
        Due::At(_) => None,
    };
    let calendar = match &schedule.when {
        When::AfterClose(after) => format!("the calendar {}", after.calendar.name()),
        When::Cron(cron) => format!("the pattern `{}`", cron.text()),
    };
    match last {
        Some(last) => format!("{calendar} is known until {last} only: it is not known when the job is due after that"),
        None => format!("{calendar} is never due any more"),
    }
}

fn of_due(schedule: &Schedule, due: Due) -> serde_json::Value {
    match due {
        Due::At(fire) => json!({
            "type": "due", "at": utc(fire.at), "local": local(schedule.zone, fire.at),
            "session": fire.session.and_then(NaiveDate::from_epoch_days).map(|day| day.to_string()),
            "half_day": fire.half_day,
        }),
        end @ Due::BeyondCalendar(_) => json!({ "type": "ended", "why": ended(schedule, end) }),
    }
}

fn utc(at: i64) -> String {
    let at = DateTime::from_timestamp_micros(at);
    at.map_or_else(|| NONE.to_owned(), |at| at.to_rfc3339_opts(SecondsFormat::Secs, true))
}

fn local(zone: Tz, at: i64) -> String {
    let at = DateTime::from_timestamp_micros(at);
    at.map_or_else(|| NONE.to_owned(), |at| at.with_timezone(&zone).format("%a %Y-%m-%d %H:%M%:z").to_string())
}

fn session(fire: Fire) -> String {
    let day = fire.session.and_then(NaiveDate::from_epoch_days);
    let half = if fire.half_day { " (half-day)" } else { "" };
    day.map_or_else(|| NONE.to_owned(), |day| format!("{day}{half}"))
}

/// Writes rows in columns.
fn table(rows: &[Vec<String>], output: &mut Output) -> Result<(), Failure> {
    let columns = rows.first().map_or(0, Vec::len);
    let width = |at: usize| rows.iter().map(|row| row[at].chars().count()).max().unwrap_or_default();
    let widths: Vec<usize> = (0..columns).map(width).collect();
    for row in rows {
        let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}"));
        output.line(&visible(cells.collect::<Vec<_>>().join("  ").trim_end()))?;
    }
    Ok(())
}
