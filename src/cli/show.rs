//! The end of a run, shown.

use super::output::{self, Output};
use crate::report::render::{render_line, render_text};
use crate::run::{Ended, Exit, Failure};

/// Shows the summary of a run; what broke it off is the end of the command.
pub(super) fn ended(ended: Ended, output: &mut Output) -> Result<Exit, Failure> {
    let Ended { summary, exit, failure } = ended;
    if output.is_json() {
        output.line(&output::summary(&summary)?)?;
    } else if output.terminal() {
        output.line(render_text(&summary, output.colour(), output::width()).trim_end())?;
    } else {
        output.line(&render_line(&summary))?;
    }
    failure.map_or(Ok(exit), Err)
}
