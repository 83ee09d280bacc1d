//! The page of all jobs: a line a job, the worst first.

use std::path::Path;

use serde::Serialize;

use super::{spark, template, write};
use crate::report::error::ReportError;
use crate::report::overview::{JobLine, overview};
use crate::report::summary::Verdict;
use crate::report::{files, tables};
use crate::text::escape::visible;
use crate::text::numbers::{counted, thousands};
use crate::text::utc::UtcMicros;

#[derive(Debug, Serialize)]
struct View {
    headline: String,
    written: String,
    dir: String,
    notices: Vec<String>,
    cards: Vec<Card>,
    jobs: Vec<Job>,
}

#[derive(Debug, Serialize)]
struct Card {
    name: &'static str,
    value: String,
}

#[derive(Debug, Serialize)]
struct Job {
    name: String,
    verdict: &'static str,
    tone: &'static str,
    status: String,
    lines: Vec<String>,
    command: String,
    page: Option<String>,
    new: String,
    fixed: String,
    rows: String,
    last_bar: String,
    moved: String,
    began: String,
    spark: String,
}

/// Writes the page of the jobs below `dir` as `target`. `open` is the command that opens the page of a run, without the run;
/// `now` is when.
///
/// # Errors
/// A report cannot be read, or the file not be written.
pub fn write_overview(dir: &Path, open: &str, now: UtcMicros, target: &Path) -> Result<usize, ReportError> {
    let jobs = overview(dir, now)?;
    // Pages are named from the folder of those of all runs.
    let beside = target == dir.join("pages").join("index.html");
    let view = view(dir, &jobs, open, now, beside);
    let html = template::overview(&view).map_err(|error| ReportError::Template(error.to_string()))?;
    let like = jobs.first().and_then(|job| files::of_row(dir, &job.run_ref(dir)?));
    write::write(target, &html, like.as_deref())?;
    Ok(jobs.len())
}

fn view(dir: &Path, jobs: &[JobLine], open: &str, now: UtcMicros, beside: bool) -> View {
    let of = |verdict: Verdict| jobs.iter().filter(|job| job.verdict == verdict).count() as u64;
    let (fail, warn, ok) = (of(Verdict::Fail), of(Verdict::Warn), of(Verdict::Ok));
    let headline = match (jobs.len() as u64, fail, warn) {
        (0, ..) => "No job has a report yet".to_owned(),
        (all, 0, 0) => format!("{}: all well", counted(all, "job")),
        (all, 0, _) => format!("{} of {} warned", thousands(warn), counted(all, "job")),
        (all, ..) => format!("{} of {} failed", thousands(fail), counted(all, "job")),
    };
    let overdue = jobs.iter().filter(|job| job.is_overdue(now)).count() as u64;
    let cards = [("failed", fail), ("warned", warn), ("well", ok), ("overdue", overdue)];
    View {
        headline,
        written: now.to_the_second().timestamp(false),
        dir: visible(&dir.to_string_lossy()).into_owned(),
        notices: if jobs.is_empty() {
            vec![ReportError::NoRuns { dir: dir.to_path_buf() }.to_string()]
        } else {
            Vec::new()
        },
        cards: cards.into_iter().map(|(name, count)| Card { name, value: thousands(count) }).collect(),
        jobs: jobs.iter().map(|line| job(dir, line, open, now, beside)).collect(),
    }
}

fn job(dir: &Path, line: &JobLine, open: &str, now: UtcMicros, beside: bool) -> Job {
    let (verdict, tone) = match line.verdict {
        Verdict::Ok => ("OK", "good"),
        Verdict::Warn => ("WARN", "odd"),
        Verdict::Fail => ("FAIL", "bad"),
    };
    let known = |count: Option<u64>| count.map_or_else(|| "–".to_owned(), thousands);
    let mut lines: Vec<String> =
        line.error.iter().filter_map(|error| error.lines().next()).map(|error| visible(error).into_owned()).collect();
    if line.is_overdue(now) {
        lines.push(format!("it has not run since {}", line.started_at.to_the_second().timestamp(false)));
    }
    let has_page = beside && tables::page(dir, &line.run_id).is_file();
    let counts: Vec<Option<u64>> =
        line.findings.iter().map(|count| count.and_then(|count| u64::try_from(count).ok())).collect();
    Job {
        name: visible(&line.job).into_owned(),
        verdict,
        tone,
        status: format!("{} {}, exit {}", line.command, line.status, line.exit_code),
        lines,
        command: format!("{open} {}", line.run_id),
        page: has_page.then(|| format!("{}/report.html", line.run_id)),
        new: known(line.new),
        fixed: known(line.fixed),
        rows: thousands(line.rows_read.unsigned_abs()),
        last_bar: line.last_bar.clone().unwrap_or_else(|| "–".to_owned()),
        moved: thousands(line.rows_quarantined.unsigned_abs()),
        began: line.started_at.to_the_second().timestamp(false),
        spark: spark::svg(&counts),
    }
}
