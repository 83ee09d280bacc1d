//! The bars of a job as a table of a session, for questions in SQL.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use datafusion::datasource::ViewTable;
use datafusion::prelude::SessionContext;

use super::context::Context;
use super::failure::Failure;
use super::ingest::Ingested;
use super::job;
use super::open::{Opened, open};
use super::source::Reading;
use crate::bars::column::reserved;
use crate::engine::plan;
use crate::engine::program::Program;

/// The bars of a job as a table of a session.
pub(crate) struct BarsView {
    /// Where the job's reports are.
    pub(crate) report_dir: PathBuf,
    _ingested: Ingested,
}

/// Registers the bars of the job at `path` as the table `bars`: canonical names, all fields.
pub(crate) async fn bars_table(context: &Context, session: &SessionContext, path: &Path) -> Result<BarsView, Failure> {
    let opened = open(path).await?;
    let ingested = ingest_all(&opened, session, context).await;
    opened.source.close().await;
    let (program, ingested) = ingested?;
    let view = plan::canonical_view(&program, &ingested.input)?;
    session.register_table("bars", Arc::new(ViewTable::new(view, None)))?;
    Ok(BarsView { report_dir: opened.loaded.job.report_dir.resolved.clone(), _ingested: ingested })
}

/// All fields of the bars, within reach.
async fn ingest_all(
    opened: &Opened,
    session: &SessionContext,
    context: &Context,
) -> Result<(Program, Ingested), Failure> {
    let mut program = job::program(opened, session, &[])?;
    // A query sees whatever can be read: names of barkeep's own cannot, and a column that some files lack is NULL there.
    let readable = |index: &usize| {
        let field = &program.bars.fields[*index];
        [&field.name, &field.source].into_iter().all(|name| reserved(name).is_none())
    };
    program.compared.clear();
    program.read = (0..program.bars.fields.len()).filter(readable).collect();
    let reading = Reading { program: &program, series: &[], missing_is_null: true, context };
    let ingested = opened.source.ingest(&reading).await?;
    Ok((program, ingested))
}
