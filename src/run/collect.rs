//! The output of the operator, to its end.

use arrow::array::RecordBatch;
use datafusion::error::DataFusionError;
use datafusion::execution::SendableRecordBatchStream;
use futures::TryStreamExt;

use super::failure::Failure;
use super::open::Opened;
use crate::engine::EngineError;

/// Takes what the operator puts out to its end.
pub(super) async fn collect(
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
