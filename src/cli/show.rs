//! The end of a run, shown.

use super::output::{self, Output};
use crate::report::render::{render_line, render_text};
use crate::run::{Exit, Failure, RunResult};

/// Shows the summary of a run; what broke it off is the end of the command.
pub(super) fn result(result: RunResult, output: &mut Output) -> Result<Exit, Failure> {
    let RunResult { summary, exit, failure, .. } = result;
    if output.is_json() {
        output.line(&output::summary(&summary)?)?;
    } else if output.terminal() {
        output.line(render_text(&summary, output.colour(), output::width()).trim_end())?;
    } else {
        output.line(&render_line(&summary))?;
    }
    failure.map_or(Ok(exit), Err)
}
