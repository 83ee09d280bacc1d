//! `barkeep report prune`: the reports of old runs go, and months that are over are compacted.

use serde_json::json;

use super::apply::ask;
use super::args::PruneArgs;
use super::output::Output;
use crate::report::retention::{self, Keep, Prunable};
use crate::run::retention::{Pruned, remove_found};
use crate::run::shell::typed;
use crate::run::{Exit, Failure};
use crate::text::numbers::counted;

/// Says which runs go and which months are compacted, and does it where a person is sure that runs may go.
pub(crate) fn prune(args: &PruneArgs, output: &mut Output) -> Result<Exit, Failure> {
    let keep = Keep { daily: args.keep_daily.into(), monthly: args.keep_monthly.into() };
    let dir = &args.reports.dir;
    let found = retention::prunable(dir, &args.jobs, keep)?;
    if let Some(unknown) = args.jobs.iter().find(|name| !found.iter().any(|job| job.job == **name)) {
        let help = "`barkeep report list` shows the jobs that have reports".to_owned();
        return Err(Failure::Usage(format!("there is no report of a job `{unknown}` in `{}`", dir.display()), help));
    }
    let runs = found.iter().map(|job| job.go.len() as u64).sum();
    let months: u64 = found.iter().map(|job| job.compact.len() as u64).sum();
    for job in &found {
        output.line(&if output.is_json() { object(job) } else { line(job) })?;
    }
    if found.is_empty() && !output.is_json() {
        output.line(&format!("there is no report in `{}`", dir.display()))?;
    }
    if args.dry_run || runs + months == 0 {
        return Ok(Exit::Ok);
    }
    if runs > 0 {
        confirm(args, runs)?;
    }
    let Pruned { removed, compacted, locked } = remove_found(dir, &found, keep)?;
    if output.is_json() {
        let done =
            json!({ "type": "prune", "runs": runs, "removed": removed, "months": months, "compacted": compacted });
        output.line(&done.to_string())?;
    } else {
        if runs > 0 {
            output.line(&format!("{removed} of {} removed", counted(runs, "report")))?;
        }
        if months > 0 {
            output.line(&format!("{compacted} of {} compacted", counted(months, "month")))?;
        }
    }
    match locked.is_empty() {
        true => Ok(Exit::Ok),
        false => Err(Failure::Locked(format!("{}; the reports of the job stay", locked.join("; ")))),
    }
}

/// Goes on where a person is sure that `runs` runs are to be removed.
fn confirm(args: &PruneArgs, runs: u64) -> Result<(), Failure> {
    let what = format!("{} would be removed for good", counted(runs, "report"));
    let command = command(args, runs);
    match args.confirm {
        Some(given) if given == runs => {}
        Some(given) => {
            let why = format!("{what}, and `--confirm` says {given}");
            return Err(Failure::Refused(why, format!("look again, then: {command}")));
        }
        None => ask(&what, runs, &command)?,
    }
    Ok(())
}

fn command(args: &PruneArgs, runs: u64) -> String {
    let jobs: String = args.jobs.iter().map(|job| format!(" --job {job}")).collect();
    let (dir, daily, monthly) = (typed(&args.reports.dir), args.keep_daily, args.keep_monthly);
    format!("barkeep report prune --dir {dir}{jobs} --keep-daily {daily} --keep-monthly {monthly} --confirm {runs}")
}

fn line(job: &Prunable) -> String {
    let kept = job.runs - job.go.len();
    let span = job.go.last().zip(job.go.first());
    let span = span.map(|(oldest, newest)| format!(", {} .. {}", oldest.run_date(), newest.run_date()));
    format!(
        "{}   {} of {} to remove{}, {}; {kept} kept{}",
        job.job,
        job.go.len(),
        counted(job.runs as u64, "run"),
        span.unwrap_or_default(),
        megabytes(job.bytes),
        match job.compact.len() as u64 {
            0 => String::new(),
            months => format!("; {} to compact", counted(months, "month")),
        }
    )
}

fn object(job: &Prunable) -> String {
    let go: Vec<&str> = job.go.iter().map(crate::report::RunId::as_str).collect();
    json!({ "type": "prunable", "job": job.job, "runs": job.runs, "remove": go, "bytes": job.bytes, "compact": job.compact })
        .to_string()
}

/// Bytes as megabytes, one digit behind the point.
fn megabytes(bytes: u64) -> String {
    format!("{:.1} MB", bytes as f64 / 1e6)
}
