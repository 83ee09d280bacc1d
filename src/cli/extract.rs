//! `barkeep extract`: the bars of a job as one Parquet file.

use std::path::Path;

use serde_json::json;

use super::args::Global;
use super::events;
use super::output::Output;
use super::signals;
use crate::run::{Exit, ExtractOptions, Extracted, Failure, Job};
use crate::text::escape::visible;
use crate::text::numbers::counted;

/// Writes it, and says what is in it.
pub(crate) async fn extract(
    global: &Global,
    job: &Path,
    options: &ExtractOptions,
    output: &mut Output,
) -> Result<Exit, Failure> {
    let job = Job::open(&events::context(global, signals::listen()?), job)?;
    let extracted = job.extract(options).await?;
    if output.is_json() {
        let Extracted { file, rows, left_out, broken } = &extracted;
        let object = json!({ "type": "extract", "file": file, "rows": rows, "left_out": left_out, "broken": broken });
        output.line(&object.to_string())?;
        return Ok(Exit::Ok);
    }
    for line in lines(&extracted, options.clean) {
        output.line(&visible(&line))?;
    }
    Ok(Exit::Ok)
}

fn lines(Extracted { file, rows, left_out, broken }: &Extracted, clean: bool) -> Vec<String> {
    let mut lines = vec![format!("{} in {}", counted(*rows, "row"), file.display())];
    if clean {
        lines.push(format!("{} left out that a run would move", counted(*left_out, "row")));
    }
    if *broken > 0 {
        let records = counted(*broken, "record");
        lines.push(format!("{records} left out that cannot be split into fields; `barkeep check` names them"));
    }
    lines
}
