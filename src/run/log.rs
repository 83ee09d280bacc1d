//! The life of a run, as log lines: its start, its stages with their seconds, its end. Every line inside names the job
//! and the run, whichever thread writes it.

use std::any::Any;
use std::path::Path;
use std::sync::Once;

use datafusion::common::runtime::{JoinSetTracer, set_join_set_tracer};
use futures::FutureExt;
use futures::future::BoxFuture;
use tracing::{Instrument, Span};

use super::failure::Exit;
use crate::report::run::RunMeta;
use crate::report::run_id::RunId;
use crate::report::summary::{Summary, Verdict};
use crate::text::utc::UtcMicros;

/// The target of these lines: a subscriber that shows the summary of a run need not repeat it.
pub(crate) const LIFE: &str = "barkeep::life";
/// The target of spans, and of what a person is to read, whatever else is left out.
pub(crate) const MESSAGE: &str = "barkeep::message";

/// The span of a run. What is written inside it is of `job` and `run`; a span around it that has room for their names takes
/// them too, for what its caller has to say after the end.
pub(super) fn of_run(job: &str, run: &RunId) -> Span {
    follow_queries();
    of_job(job);
    Span::current().record("run", run.as_str());
    tracing::error_span!(target: MESSAGE, "run", job, run = run.as_str())
}

/// What the caller says from now on is of the job file `path`.
pub(super) fn of_file(path: &Path) {
    Span::current().record("file", tracing::field::display(path.display()));
}

/// What the caller says from now on is of `job`.
pub(super) fn of_job(job: &str) {
    Span::current().record("job", job);
}

/// That a run begins, and what it looks at.
pub(super) fn start(meta: &RunMeta) {
    let date = |micros: Option<i64>| micros.map(|micros| UtcMicros(micros).to_string());
    let (since, until) = (date(meta.window.0), date(meta.window.1));
    tracing::info!(
        target: LIFE,
        command = meta.command, source = meta.source, since, until, as_of = %meta.as_of, job_file = meta.job_file, "start"
    );
}

/// That a stage is over, after so many seconds.
pub(super) fn stage(stage: &str, seconds: f64) {
    tracing::info!(target: LIFE, stage, seconds = rounded(seconds), "stage");
}

/// How a run ended, with its summary where it has one: an error where something decides the exit code, a warning where a person should look.
pub(super) fn end(exit: Exit, summary: Option<&Summary>, seconds: f64) {
    let verdict = summary.map_or(Verdict::Fail, |summary| summary.verdict);
    let word = match verdict {
        Verdict::Ok => "OK",
        Verdict::Warn => "WARN",
        Verdict::Fail => "FAIL",
    };
    let (rows, error) = (summary.map(|summary| summary.rows.read), summary.and_then(|summary| summary.error.clone()));
    let refused = summary.filter(|summary| !summary.refusals.is_empty()).map(|summary| summary.refusals.join("; "));
    macro_rules! end {
        ($level:expr) => {
            tracing::event!(
                target: LIFE, $level,
                verdict = word, exit_code = u64::from(exit.code()), exit = exit.name(),
                seconds = rounded(seconds), rows, error, refused, "end"
            )
        };
    }
    match (exit, verdict) {
        (Exit::Ok, Verdict::Ok) => end!(tracing::Level::INFO),
        (Exit::Ok, _) => end!(tracing::Level::WARN),
        _ => end!(tracing::Level::ERROR),
    }
}

/// Seconds with three decimals.
fn rounded(seconds: f64) -> f64 {
    (seconds * 1000.0).round() / 1000.0
}

/// Tasks of queries run on threads of their own: they write their lines inside the span that asked for them.
fn follow_queries() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // A program that set a tracer of its own keeps it.
        drop(set_join_set_tracer(&Following));
    });
}

struct Following;

type Boxed = Box<dyn Any + Send>;

impl JoinSetTracer for Following {
    fn trace_future(&self, future: BoxFuture<'static, Boxed>) -> BoxFuture<'static, Boxed> {
        future.in_current_span().boxed()
    }

    fn trace_block(&self, work: Box<dyn FnOnce() -> Boxed + Send>) -> Box<dyn FnOnce() -> Boxed + Send> {
        let span = Span::current();
        Box::new(move || span.in_scope(work))
    }
}
