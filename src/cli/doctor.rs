//! `barkeep doctor`: whether a job can do its work, and what to do where it cannot. Changes nothing.

use std::path::{Path, PathBuf};

use serde_json::json;
use tracing::Instrument;

use super::args::Global;
use super::events;
use super::log;
use super::output::Output;
use crate::run::{Exit, Failure, Health, Job, Line, Stop};
use crate::text::escape::visible;

/// Looks at each of the jobs.
pub(crate) async fn doctor(global: &Global, jobs: &[PathBuf], output: &mut Output) -> Result<Exit, Failure> {
    let context = events::context(global, Stop::never());
    let mut exit = Exit::Ok;
    for path in jobs {
        let examined = async {
            let examined = match Job::open(&context, path) {
                Ok(job) => job.examine(|found| line(output, path, found)).await,
                Err(failure) => Err(failure),
            };
            match examined {
                Ok(Health::Fail) => Ok(Exit::Broken),
                Ok(Health::Ok | Health::Warn) => Ok(Exit::Ok),
                Err(failure) => output.failure(&failure, Some(path)).map(|()| failure.exit()),
            }
        };
        exit = exit.worst(examined.instrument(log::call()).await?);
    }
    Ok(exit)
}

fn line(output: &mut Output, job: &Path, Line { health, about, detail }: Line<'_>) -> Result<(), Failure> {
    let (job, state) = (job.display().to_string(), health.as_str());
    let text = match output.is_json() {
        true => json!({ "type": "doctor", "job": job, "state": state, "what": about, "detail": detail }).to_string(),
        false => format!("{state:<5} {about:<12} {}", visible(detail)),
    };
    Ok(output.line(&text)?)
}
