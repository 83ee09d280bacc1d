//! Rows in quarantine, and what puts them back: by the plan and the confirmation that the command line has.

use std::sync::Arc;

use axum::extract::{Form, Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use serde::{Deserialize, Serialize};

use super::app::App;
use super::template::{Document, document, problem};
use crate::quarantine::item::{Item, Which};
use crate::run::{Failure, Job, JobQuarantine};
use crate::text::numbers::counted;
use crate::text::utc::UtcMicros;

/// Rows that are listed.
const MOST: usize = 500;

#[derive(Debug, Serialize)]
struct Shown {
    job: String,
    rows: Vec<Row>,
    /// All there are, listed or not.
    all: usize,
    allowed: bool,
    /// What is to be confirmed: the rows that would go back, and which they are.
    asked: Option<Asked>,
    /// What was done.
    done: Option<String>,
    /// What stays, and why.
    left: Vec<String>,
}

#[derive(Debug, Serialize)]
struct Asked {
    rows: u64,
    id: String,
    run: String,
}

#[derive(Debug, Serialize)]
struct Row {
    id: String,
    state: &'static str,
    at: String,
    series: String,
    time: String,
    rules: String,
    locator: String,
    run: String,
}

impl Row {
    fn new(item: &Item, daily: bool) -> Self {
        let rules: Vec<&str> = item.reasons.iter().map(|reason| reason.id.as_str()).collect();
        Self {
            id: item.id.clone(),
            state: item.state.as_str(),
            at: UtcMicros(item.at).to_string(),
            series: item.series.clone(),
            time: item.time.map_or_else(|| "no timestamp".to_owned(), |time| UtcMicros(time).timestamp(daily)),
            rules: rules.join(", "),
            locator: item.locator.clone(),
            run: item.run_id.clone(),
        }
    }
}

/// Which rows to put back: one by its name, or all of a run; with the number of rows once it is confirmed.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Restore {
    #[serde(default)]
    id: String,
    #[serde(default)]
    run: String,
    confirm: Option<String>,
}

impl Restore {
    fn which(&self) -> Option<Which> {
        let ids = Some(self.id.clone()).filter(|id| !id.is_empty());
        let run = Some(self.run.clone()).filter(|run| !run.is_empty());
        (ids.is_some() != run.is_some()).then(|| Which { ids: ids.into_iter().collect(), run, ..Which::default() })
    }
}

/// The rows of a job.
pub(super) async fn list(State(app): State<Arc<App>>, Path(name): Path<String>) -> Response {
    let Some(job) = of(&app, &name) else { return unknown(&name) };
    let shown = async {
        let store = job.quarantine().await?;
        let shown = shown(&app, job, &store).await;
        store.close().await;
        shown
    };
    match shown.await {
        Ok(shown) => document(Document::Quarantine, shown),
        Err(failure) => failed(&failure),
    }
}

/// Says what would be put back, and puts it back where the number of rows is confirmed.
pub(super) async fn restore(
    State(app): State<Arc<App>>,
    Path(name): Path<String>,
    Form(asked): Form<Restore>,
) -> Response {
    if !app.options.allow_actions {
        return problem(
            StatusCode::FORBIDDEN,
            "rows are put back from the browser only with `barkeep serve --allow-actions`",
        );
    }
    let Some(job) = of(&app, &name) else { return unknown(&name) };
    let Some(which) = asked.which() else {
        return problem(StatusCode::BAD_REQUEST, "name one row, or one run");
    };
    let restored = async {
        let store = job.quarantine().await?;
        let restored = carry_out(&app, job, &store, (&asked, &which)).await;
        store.close().await;
        restored
    };
    match restored.await {
        Ok(shown) => document(Document::Quarantine, shown),
        Err(failure) => failed(&failure),
    }
}

async fn carry_out(
    app: &App,
    job: &Job,
    store: &JobQuarantine,
    (asked, which): (&Restore, &Which),
) -> Result<Shown, Failure> {
    let found = store.restorable(which).await?;
    let rows = found.would.back;
    let confirmed = asked.confirm.as_ref().is_some_and(|confirm| confirm.trim() == rows.to_string());
    if rows > 0 && !confirmed {
        let asked = Asked { rows, id: asked.id.clone(), run: asked.run.clone() };
        return Ok(Shown { asked: Some(asked), ..shown(app, job, store).await? });
    }
    let restored = store.restore(&found).await?;
    let conflicts = restored.conflicts.iter().map(|(id, reason)| format!("{id}: {reason}"));
    let left = conflicts.chain(restored.failed.iter().cloned()).collect();
    let already = match restored.already_there {
        0 => String::new(),
        there => format!(", {} there already", counted(there, "row")),
    };
    let done = Some(format!("{} put back{already}", counted(restored.back, "row")));
    restored.late.map_or(Ok(()), Err)?;
    Ok(Shown { done, left, ..shown(app, job, store).await? })
}

async fn shown(app: &App, job: &Job, store: &JobQuarantine) -> Result<Shown, Failure> {
    let items = store.list(&Which::default()).await?;
    Ok(Shown {
        job: job.name().to_owned(),
        rows: items.iter().rev().take(MOST).map(|item| Row::new(item, job.is_daily())).collect(),
        all: items.len(),
        allowed: app.options.allow_actions,
        asked: None,
        done: None,
        left: Vec::new(),
    })
}

fn of<'a>(app: &'a App, name: &str) -> Option<&'a Job> {
    app.options.jobs.iter().find(|job| job.name() == name)
}

fn unknown(name: &str) -> Response {
    problem(StatusCode::NOT_FOUND, &format!("`barkeep serve` was not given the job `{name}`"))
}

fn failed(failure: &Failure) -> Response {
    let status = match failure {
        Failure::Locked(_) => StatusCode::CONFLICT,
        Failure::Usage(..) => StatusCode::BAD_REQUEST,
        _ => StatusCode::INTERNAL_SERVER_ERROR,
    };
    problem(status, &failure.to_string())
}
