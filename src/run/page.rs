//! The page of a run, where the job wants one of every run.

use super::failure::Failure;
use super::job::Job;
use super::options::Order;
use crate::page::{self, Options};
use crate::report::store::RunRef;
use crate::report::{RunId, runs, tables};

/// Writes the page of `run`, which has ended and been reported. What fails is said: it takes nothing from the run, and
/// `barkeep report html` writes the page later.
pub(super) fn write(job: &Job, order: &Order, run: &RunId) {
    let dir = job.report_dir();
    // A run that could not even leave a row has nothing to be shown.
    let is_reported = || runs::has_run(dir, job.name(), run.as_str()).unwrap_or(false);
    if !job.loaded.job.report_page || !order.options.report || !is_reported() {
        return;
    }
    let summary = tables::summary(dir, run.as_str());
    let run = RunRef { run_id: run.clone(), job: job.name().to_owned(), summary };
    let written = page::write_run(dir, &run, &Options::default(), &page::page_of(dir, &run));
    match written {
        Ok(written) => tracing::info!(page = %written.path.display(), "wrote the page of the run"),
        Err(error) => {
            let why = Failure::from(error).render(false);
            job.context.note(&format!("warning: the run has no page: {}", why.trim_start_matches("error: ")));
        }
    }
}
