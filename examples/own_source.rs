//! Bars that a program has in memory, checked by the rules of a job: `cargo run --example own_source`
//!
//! Whatever gives record batches can be a source: a table in memory, a Flight stream, a reader of a format of one's own.

use std::error::Error;
use std::fs;
use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array, RecordBatch, RecordBatchIterator, RecordBatchReader, StringArray};
use arrow::datatypes::SchemaRef;
use barkeep::{CheckOptions, Context, Exit, Job, OwnSource};

/// Bars in memory.
struct Memory(RecordBatch);

impl OwnSource for Memory {
    fn schema(&self) -> SchemaRef {
        self.0.schema()
    }

    fn read(&self) -> Result<Box<dyn RecordBatchReader + Send>, Box<dyn Error + Send + Sync>> {
        Ok(Box::new(RecordBatchIterator::new([Ok(self.0.clone())], self.0.schema())))
    }
}

/// The source is named, and its columns are described as those of any source.
const JOB: &str = r#"
name  = "memory"
rules = ["rules.toml"]

[source.own]
name = "feed"

[bars]
series   = ["symbol"]
interval = "1d"
time     = { field = "date", formats = ["%Y-%m-%d"] }

[report]
dir = "reports"
"#;

const RULES: &str = r#"
[[rule]]
id       = "ohlc"
check    = "ohlc"
severity = "error"
"#;

fn bars() -> Result<RecordBatch, Box<dyn Error>> {
    let numbers = |numbers: [f64; 2]| Arc::new(Float64Array::from(numbers.to_vec())) as ArrayRef;
    let columns: [(&str, ArrayRef); 6] = [
        ("symbol", Arc::new(StringArray::from(vec!["ACME", "ACME"]))),
        ("date", Arc::new(StringArray::from(vec!["2024-01-02", "2024-01-03"]))),
        ("open", numbers([10.0, 11.0])),
        ("high", numbers([12.0, 9.0])),
        ("low", numbers([9.0, 10.0])),
        ("close", numbers([11.0, 10.0])),
    ];
    Ok(RecordBatch::try_from_iter(columns)?)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    fs::write(folder.path().join("job.toml"), JOB)?;
    fs::write(folder.path().join("rules.toml"), RULES)?;
    let job = Job::open_over(&Context::default(), folder.path().join("job.toml"), Memory(bars()?))?;
    let result = job.check(CheckOptions::default()).await?;
    assert_eq!(result.exit, Exit::Findings);
    // The second bar has a high below its low.
    assert_eq!((result.summary.rows.read, result.summary.rows.flagged), (2, 1));
    Ok(())
}
