//! The end of a run, shown.

use std::path::Path;

use super::findings::{self, Mark};
use super::output::{self, Output};
use crate::market::Interval;
use crate::report::files;
use crate::report::render::{render_line, render_next, render_text};
use crate::report::summary::Summary;
use crate::run::{Exit, Failure, RunResult};

/// So many findings are shown with the run that found them; what is more, `report show` shows.
const FEW: u64 = 5;

/// Shows the summary of a run, and its findings where they are few and `reports` has them; what broke it off is the end of
/// the command.
pub(super) fn result(result: RunResult, reports: Option<&Path>, output: &mut Output) -> Result<Exit, Failure> {
    let RunResult { mut summary, exit, failure, .. } = result;
    if output.is_json() {
        output.line(&output::summary(&summary)?)?;
    } else if output.terminal() {
        let next = std::mem::take(&mut summary.next);
        output.line(render_text(&summary, output.colour(), output::width()).trim_end())?;
        for line in few(&summary, reports)? {
            output.line(&line)?;
        }
        summary.next = next;
        for line in render_next(&summary, output.colour()) {
            output.line(&line)?;
        }
    } else {
        output.line(&render_line(&summary))?;
    }
    failure.map_or(Ok(exit), Err)
}

/// The findings, a line each, where they are few.
fn few(summary: &Summary, reports: Option<&Path>) -> Result<Vec<String>, Failure> {
    let found = summary.findings.error + summary.findings.warn + summary.findings.info;
    let Some(dir) = reports.filter(|_| (1..=FEW).contains(&found)) else { return Ok(Vec::new()) };
    let interval = Interval::parse(&summary.interval).unwrap_or(Interval::Day);
    let marks = summary.change.as_ref().is_some_and(|change| change.since_run.is_some());
    let mut lines = Vec::new();
    for batch in files::found(dir, summary)? {
        lines.extend(findings::lines(&batch, interval, if marks { Mark::New } else { Mark::None })?);
    }
    Ok(lines)
}
