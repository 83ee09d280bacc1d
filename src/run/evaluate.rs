//! Bars through the engine, into the report.

use std::sync::Arc;

use arrow::array::RecordBatch;
use datafusion::error::DataFusionError;
use datafusion::execution::SendableRecordBatchStream;
use datafusion::prelude::SessionContext;
use futures::TryStreamExt;

use super::context::Context;
use super::events::Stage;
use super::failure::Failure;
use super::ingest::Ingested;
use super::open::Opened;
use crate::engine::EngineError;
use crate::engine::plan;
use crate::engine::program::Program;
use crate::engine::twice::Twice;
use crate::report::collector::Collector;

/// Evaluates the bars of `ingested`, those that are there twice by all fields of the source.
pub(super) async fn evaluate(
    context: &Context,
    (opened, session): (&Opened, &SessionContext),
    program: &Arc<Program>,
    ingested: &Ingested,
    collector: &mut Collector,
) -> Result<(), Failure> {
    let progress = context.begin(&program.job, Stage::Evaluating, ingested.rows);
    let mut twice = Twice::default();
    let first = plan::run(session, program, &ingested.input).await?;
    collect(opened, first, &mut |batch| {
        twice.take(batch);
        collector.take(batch)?;
        progress.report(collector.tally().series.rows.read);
        Ok(())
    })
    .await?;
    if twice.is_empty() {
        return Ok(());
    }
    let again = plan::run_again(session, program, &ingested.input, &twice).await?;
    collect(opened, again, &mut |batch| {
        collector.take(batch)?;
        progress.report(collector.tally().series.rows.read);
        Ok(())
    })
    .await
}

/// Takes what the operator puts out to its end.
async fn collect(
    opened: &Opened,
    mut stream: SendableRecordBatchStream,
    take: &mut (dyn FnMut(&RecordBatch) -> Result<(), Failure> + Send),
) -> Result<(), Failure> {
    loop {
        match stream.try_next().await {
            Ok(Some(batch)) => take(&batch)?,
            Ok(None) => return Ok(()),
            Err(error) => return Err(broke_off(opened, error).await),
        }
    }
}

/// Why the bars were not read to their end. A query does not say what in the source is damaged: it is looked for.
async fn broke_off(opened: &Opened, source: DataFusionError) -> Failure {
    let in_file = matches!(source.find_root(), DataFusionError::ParquetError(_) | DataFusionError::ArrowError(..));
    if in_file && let Some(damage) = opened.source.damage().await {
        return damage;
    }
    EngineError::Query { doing: "cannot read and evaluate the bars to their end", source }.into()
}
