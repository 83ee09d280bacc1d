//! Items of a quarantine as an Arrow table, for SQL and for export.

use std::sync::Arc;

use arrow::array::{ArrayRef, BinaryArray, RecordBatch, StringArray, TimestampMicrosecondArray};
use arrow::error::ArrowError;

use super::item::Item;

/// One row an item: `item_id`, `state`, `action`, `at` and `expires_at` (UTC), `source`, `locator`, `sha256` (hex),
/// `series`, `time` (UTC; NULL where the row has none), `rules` (a JSON array), `run_id`, `plan_id`, `raw` (the bytes),
/// `row` (the bytes as `text` shows them), and `restored_at` (UTC; NULL where the row is not back).
///
/// # Errors
/// A rule that JSON cannot hold.
pub fn batch(items: &[Item], text: impl Fn(&Item) -> String) -> Result<RecordBatch, ArrowError> {
    let texts =
        |value: &dyn Fn(&Item) -> String| Arc::new(StringArray::from_iter_values(items.iter().map(value))) as ArrayRef;
    let times = |value: &dyn Fn(&Item) -> Option<i64>| {
        let times: TimestampMicrosecondArray = items.iter().map(value).collect();
        Arc::new(times.with_timezone("UTC")) as ArrayRef
    };
    let rules = items.iter().map(|item| serde_json::to_string(&item.reasons)).collect::<Result<Vec<_>, _>>();
    let rules = rules.map_err(|error| ArrowError::from_external_error(Box::new(error)))?;
    RecordBatch::try_from_iter([
        ("item_id", texts(&|item| item.id.clone())),
        ("state", texts(&|item| item.state.as_str().to_owned())),
        ("action", texts(&|item| item.action.as_str().to_owned())),
        ("at", times(&|item| Some(item.at))),
        ("expires_at", times(&|item| Some(item.expires_at))),
        ("source", texts(&|item| item.source.clone())),
        ("locator", texts(&|item| item.locator.clone())),
        ("sha256", texts(&|item| item.sha256.clone())),
        ("series", texts(&|item| item.series.clone())),
        ("time", times(&|item| item.time)),
        ("rules", Arc::new(StringArray::from(rules)) as ArrayRef),
        ("run_id", texts(&|item| item.run_id.clone())),
        ("plan_id", texts(&|item| item.plan_id.clone())),
        ("raw", Arc::new(BinaryArray::from_iter_values(items.iter().map(|item| item.raw.as_slice()))) as ArrayRef),
        ("row", texts(&text)),
        ("restored_at", times(&|item| item.restored_at)),
    ])
}
