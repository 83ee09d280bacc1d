//! Tables that an earlier version wrote: to a folder a day, `run_date=2026-11-20`, in the place of one a month. They are read and
//! removed as others are, and not compacted.

use std::path::Path;

use datafusion::dataframe::DataFrame;
use datafusion::error::Result;
use datafusion::logical_expr::{Expr, cast, col, lit};
use datafusion::prelude::substring;

use super::runs;
use super::tables::{MONTH, RUN_DATE, Table};

/// How the names of such folders begin.
const DAY: &str = "run_date=";

/// Whether there are such files of `table` below `dir`.
pub(super) fn has_files(dir: &Path, table: Table) -> bool {
    let jobs = runs::entries(&dir.join(table.name())).unwrap_or_default();
    let has_days = |job: &Path| runs::entries(job).is_ok_and(|days| days.iter().any(|(day, _)| day.starts_with(DAY)));
    jobs.iter().any(|(name, job)| name.starts_with("job=") && has_days(job))
}

/// Their rows with the columns of those of today, in their order.
pub(super) fn with_month(rows: DataFrame, table: Table) -> Result<DataFrame> {
    let month = substring(cast(col(RUN_DATE), arrow::datatypes::DataType::Utf8), lit(1), lit(7)).alias(MONTH);
    let stored = table.stored_schema();
    let columns = stored.fields().iter().map(|field| col(format!("\"{}\"", field.name())));
    rows.select(columns.chain([col("job"), month]).collect::<Vec<Expr>>())
}
