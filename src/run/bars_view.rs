//! The bars of a job as a table of a session, for questions in SQL.

use std::sync::Arc;

use datafusion::catalog::TableProvider;
use datafusion::datasource::ViewTable;
use datafusion::prelude::SessionContext;

use super::failure::Failure;
use super::ingest::Ingested;
use super::job::Job;
use super::open::Opened;
use super::program;
use super::source::Reading;
use crate::engine::plan;
use crate::engine::program::Program;

/// The bars of a job as a table of a session; the table is there as long as this is.
#[derive(Debug)]
pub struct BarsTable {
    _ingested: Ingested,
}

impl Job {
    /// Registers the bars as the table `bars` of `session`: canonical names, all fields.
    ///
    /// # Errors
    /// The source cannot be read, or the session has such a table.
    pub async fn register_bars(&self, session: &SessionContext) -> Result<BarsTable, Failure> {
        let (table, held) = self.bars(session).await?;
        session.register_table("bars", table)?;
        Ok(held)
    }

    /// The bars as a table for queries of `session`, as long as what comes with it is there.
    pub(crate) async fn bars(&self, session: &SessionContext) -> Result<(Arc<dyn TableProvider>, BarsTable), Failure> {
        let opened = self.open_source().await?;
        let ingested = ingest_all(self, &opened, session).await;
        opened.source.close().await;
        let (program, ingested) = ingested?;
        let view = plan::canonical_view(&program, &ingested.input)?;
        Ok((Arc::new(ViewTable::new(view, None)), BarsTable { _ingested: ingested }))
    }
}

/// All fields of the bars, within reach.
async fn ingest_all(job: &Job, opened: &Opened, session: &SessionContext) -> Result<(Program, Ingested), Failure> {
    // A query sees whatever can be read: a column that some files lack is NULL there.
    let mut program = program::program(job, opened, session)?.with_every_field();
    program.compared.clear();
    let reading =
        Reading { program: &program, series: &[], within: None, missing_is_null: true, context: &job.context };
    let ingested = opened.source.ingest(&reading).await?;
    Ok((program, ingested))
}
