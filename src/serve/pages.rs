//! The list of jobs and runs, and the page of a run.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Response};
use chrono::Utc;
use serde::Serialize;

use super::app::App;
use super::template::{Document, document, problem};
use crate::page;
use crate::report::error::ReportError;
use crate::report::overview::{JobLine, overview};
use crate::report::store::{self, RunLine};
use crate::report::summary::Verdict;
use crate::run::Failure;
use crate::run::unresolved::unresolved;
use crate::text::numbers::thousands;
use crate::text::utc::UtcMicros;

/// Runs that are listed.
const RUNS: usize = 50;

#[derive(Debug, Serialize)]
struct Index {
    dir: String,
    jobs: Vec<JobRow>,
    runs: Vec<RunLine>,
    quarantines: Vec<String>,
    version: &'static str,
}

#[derive(Debug, Serialize)]
struct JobRow {
    name: String,
    verdict: &'static str,
    run_id: String,
    new: String,
    fixed: String,
    rows: String,
    last_bar: String,
    overdue: bool,
    error: Option<String>,
}

impl JobRow {
    fn new(line: JobLine, now: UtcMicros) -> Self {
        let count = |count: Option<u64>| count.map_or_else(|| "–".to_owned(), thousands);
        Self {
            verdict: match line.verdict {
                Verdict::Ok => "OK",
                Verdict::Warn => "WARN",
                Verdict::Fail => "FAIL",
            },
            new: count(line.new),
            fixed: count(line.fixed),
            rows: thousands(line.rows_read.unsigned_abs()),
            last_bar: line.last_bar.clone().unwrap_or_else(|| "–".to_owned()),
            overdue: line.is_overdue(now),
            error: line.error.clone(),
            name: line.job,
            run_id: line.run_id,
        }
    }
}

/// The jobs and the newest runs.
pub(super) async fn index(State(app): State<Arc<App>>) -> Response {
    let dir = app.options.dir.clone();
    let read = tokio::task::spawn_blocking(move || -> Result<_, ReportError> {
        Ok((overview(&dir)?, store::newest_lines(&dir, RUNS)?))
    });
    let (jobs, runs) = match read.await {
        Ok(Ok(read)) => read,
        Ok(Err(error)) => return problem(StatusCode::INTERNAL_SERVER_ERROR, &error.to_string()),
        Err(error) => return problem(StatusCode::INTERNAL_SERVER_ERROR, &error.to_string()),
    };
    let now = UtcMicros::from(Utc::now());
    document(
        Document::Index,
        Index {
            dir: app.options.dir.display().to_string(),
            jobs: jobs.into_iter().map(|line| JobRow::new(line, now)).collect(),
            runs,
            quarantines: app.options.jobs.iter().map(|job| job.name().to_owned()).collect(),
            version: env!("CARGO_PKG_VERSION"),
        },
    )
}

/// The page of a run, made anew from its report.
pub(super) async fn run(State(app): State<Arc<App>>, Path(asked): Path<String>) -> Response {
    let made = tokio::task::spawn_blocking(move || -> Result<String, Failure> {
        let dir = &app.options.dir;
        let run = store::resolve_run(dir, &asked).map_err(unresolved)?;
        let scratch = app.context.scratch()?;
        let file = scratch.path().join("report.html");
        page::write_run(dir, &run, &page::Options::default(), &file)?;
        Ok(std::fs::read_to_string(&file)?)
    });
    match made.await {
        Ok(Ok(html)) => Html(html).into_response(),
        Ok(Err(failure @ Failure::Usage(..))) => problem(StatusCode::NOT_FOUND, &failure.to_string()),
        Ok(Err(failure)) => problem(StatusCode::INTERNAL_SERVER_ERROR, &failure.to_string()),
        Err(error) => problem(StatusCode::INTERNAL_SERVER_ERROR, &error.to_string()),
    }
}
