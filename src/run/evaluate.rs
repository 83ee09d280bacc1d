//! Bars through the engine, into the report.

use datafusion::error::DataFusionError;
use datafusion::execution::SendableRecordBatchStream;
use futures::TryStreamExt;

use super::context::Context;
use super::events::Stage;
use super::failure::Failure;
use super::open::Opened;
use crate::engine::EngineError;
use crate::engine::program::Program;
use crate::report::collector::Collector;

/// Takes what the operator puts out to its end; `rows` is how many rows the source has, where that is known.
pub(super) async fn collect(
    context: &Context,
    opened: &Opened,
    program: &Program,
    rows: Option<u64>,
    (mut stream, collector): (SendableRecordBatchStream, &mut Collector),
) -> Result<(), Failure> {
    let progress = context.begin(&program.job, Stage::Evaluating, rows);
    loop {
        match stream.try_next().await {
            Ok(Some(batch)) => collector.take(&batch)?,
            Ok(None) => return Ok(()),
            Err(error) => return Err(broke_off(opened, error).await),
        }
        progress.report(collector.tally().series.rows.read);
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
