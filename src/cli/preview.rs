//! `barkeep preview`: the first bars of a job as they are read.

use std::path::Path;

use serde_json::json;

use super::args::Global;
use super::events;
use super::output::Output;
use crate::run::{Exit, Failure, Job, Preview, Stop};
use crate::text::escape::visible;

/// Shows them.
pub(crate) async fn preview(global: &Global, job: &Path, output: &mut Output) -> Result<Exit, Failure> {
    let preview = Job::open(&events::context(global, Stop::never()), job)?.preview().await?;
    show(&preview, output)?;
    Ok(Exit::Ok)
}

/// Writes them as text, or as one object a bar.
pub(super) fn show(preview: &Preview, output: &mut Output) -> Result<(), Failure> {
    if output.is_json() {
        for bar in &preview.bars {
            let fields = preview.columns.iter().cloned().zip(bar.iter().map(|text| json!(text)));
            let bar: serde_json::Map<String, serde_json::Value> = fields.collect();
            output.line(&json!({ "type": "preview", "bar": bar }).to_string())?;
        }
        return Ok(());
    }
    for line in preview.lines() {
        output.line(&visible(&line))?;
    }
    Ok(())
}
