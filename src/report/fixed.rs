//! The table `fixed_findings`: what the run before had and this one does not, as that run wrote it.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, RecordBatch, StringArray, new_null_array};
use arrow::compute::{cast, filter_record_batch};
use arrow::datatypes::DataType;
use arrow::error::ArrowError;

use super::column::names;
use super::destination::Destination;
use super::error::ReportError;
use super::history::identity;
use super::places::{Place, Rows};
use super::reading::{shaped, texts};
use super::tables::Table;
use super::write::TableWriter;
use crate::durable::Staged;

/// Why a finding is not found any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Because {
    /// The bars are others.
    Data,
    /// Its rule was changed or removed.
    Rule,
}

impl Because {
    fn as_str(self) -> &'static str {
        match self {
            Self::Data => "data",
            Self::Rule => "rule",
        }
    }
}

/// Writes the findings `fixed`, which stand in `files`, the newest last; no file where there are none.
///
/// # Errors
/// A file cannot be read, or the disk does not take the table.
pub(super) fn stage(
    destination: &Destination,
    files: &[Place],
    mut fixed: HashMap<u128, Because>,
) -> Result<Option<Staged>, ReportError> {
    let mut writer: Option<TableWriter> = None;
    // Of a finding that several runs had, the newest of them tells how it was.
    for place in files.iter().rev() {
        if fixed.is_empty() {
            break;
        }
        let path = place.path();
        let reader = match place.open().and_then(Rows::all) {
            Err(_) if matches!(path.try_exists(), Ok(false)) => {
                tracing::warn!(file = %path.display(), "a report was removed meanwhile: `fixed_findings` lacks what it had");
                continue;
            }
            reader => reader.map_err(|source| ReportError::reading(path, source))?,
        };
        for batch in reader {
            let rows = batch.and_then(|batch| of(&batch, &mut fixed, destination.run.as_str()));
            let rows = rows.map_err(|source| ReportError::reading(path, source))?;
            if rows.num_rows() == 0 {
                continue;
            }
            let writer = match &mut writer {
                Some(writer) => writer,
                none => {
                    let target = destination.file(Table::FixedFindings);
                    let properties = destination.properties().build();
                    none.insert(TableWriter::create(destination, &target, rows.schema(), properties)?)
                }
            };
            writer.write(&rows)?;
        }
    }
    writer.map(TableWriter::close).transpose()
}

/// The rows of `findings` that are among `fixed`, from which they are taken, as the table of `run` has them.
fn of(findings: &RecordBatch, fixed: &mut HashMap<u128, Because>, run: &str) -> Result<RecordBatch, ArrowError> {
    let ids = texts(findings, "finding_id")?;
    let because: Vec<Option<Because>> = ids.iter().map(|id| fixed.remove(&identity(id?)?)).collect();
    let chosen: BooleanArray = because.iter().map(|because| Some(because.is_some())).collect();
    let findings = shaped(&filter_record_batch(findings, &chosen)?, &Table::Findings.schema())?;
    let because: StringArray = because.iter().flatten().map(|because| Some(because.as_str())).collect();
    let last_seen = texts(&findings, "run_id")?;
    let rows = findings.num_rows();
    let schema = Table::FixedFindings.schema();
    let columns = schema.fields().iter().map(|field| {
        Ok(match field.name().as_str() {
            "run_id" => Arc::new(StringArray::from_iter_values(std::iter::repeat_n(run, rows))) as ArrayRef,
            "compared_with" | "last_seen_run" => Arc::new(last_seen.clone()),
            "because" => cast(&because, &names())?,
            // It is neither new nor old here.
            "is_new" => new_null_array(&DataType::Boolean, rows),
            same => findings.column_by_name(same).map_or_else(|| new_null_array(field.data_type(), rows), Arc::clone),
        })
    });
    RecordBatch::try_new(Arc::clone(&schema), columns.collect::<Result<_, ArrowError>>()?)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::*;
    use crate::durable::Disk;
    use crate::engine::counts::RuleCounts;
    use crate::report::collector::Collector;
    use crate::report::history::previous_findings;
    use crate::report::margins::Coverage;
    use crate::report::places;
    use crate::report::run::{Outcome, RunStatus};
    use crate::report::testing::{
        GAP, OHLC, OUTLIER, Output, clean_series, finding_id, meta, one_series, program, read, texts,
    };
    use crate::text::utc::UtcMicros;

    fn report(dir: &Path, hour: u32, output: Output) {
        let (program, run) = (program(), meta(hour));
        let previous = previous_findings(dir, "demo", &Coverage::of(&program, &run)).unwrap();
        let mut collector = Collector::new(dir, program, run, vec!["bars.csv".to_owned()], previous);
        collector.take(&output.batch()).unwrap();
        collector.finish(Outcome::new(RunStatus::Findings, 1, UtcMicros(0))).unwrap();
    }

    /// A run that found one of the four things of [`one_series`] again.
    fn again() -> Output {
        let counts = RuleCounts { findings: 1, bars: 1, rows: 1, ..RuleCounts::default() };
        clean_series("A").finding(OHLC, "A", 105, 5).rule(OHLC, "A", counts, None)
    }

    #[test]
    fn a_finding_that_is_gone_is_a_row_of_the_run_that_no_longer_has_it() {
        let dir = tempfile::tempdir().unwrap();
        report(dir.path(), 1, one_series());
        assert_eq!(read(dir.path(), Table::FixedFindings).num_rows(), 0, "there was nothing before");
        report(dir.path(), 2, again());
        let fixed = read(dir.path(), Table::FixedFindings);
        let ids = [finding_id(OHLC, "A", 3), finding_id(OUTLIER, "A", 7), finding_id(GAP, "A", 150)];
        assert_eq!(texts(&fixed, "finding_id"), ids);
        for (column, values) in [
            ("run_id", ["20261120T020000Z-aaaa"; 3]),
            ("last_seen_run", ["20261120T010000Z-aaaa"; 3]),
            ("compared_with", ["20261120T010000Z-aaaa"; 3]),
            ("first_seen_run", ["20261120T010000Z-aaaa"; 3]),
            ("because", ["data"; 3]),
            ("is_new", [""; 3]),
            ("rule_id", ["ohlc", "close-outlier", "gap"]),
            ("locator", ["bars.csv:3", "bars.csv:7", ""]),
        ] {
            assert_eq!(texts(&fixed, column), values, "{column}");
        }
        report(dir.path(), 3, again());
        assert_eq!(texts(&read(dir.path(), Table::FixedFindings), "run_id").len(), 3, "they were fixed once");
    }

    #[test]
    fn what_a_changed_rule_no_longer_finds_is_told_from_bars_that_changed() {
        let dir = tempfile::tempdir().unwrap();
        report(dir.path(), 1, one_series());
        let destination = Destination::new(&Disk::system(), dir.path(), "demo", &meta(2), true, 0o600);
        let file = places::of(dir.path(), Table::Findings, "demo", &meta(1).run_id).unwrap().remove(0);
        let id = |row| identity(&finding_id(OHLC, "A", row)).unwrap();
        let fixed = HashMap::from([(id(3), Because::Rule), (id(5), Because::Data), (id(6), Because::Data)]);
        let staged = stage(&destination, std::slice::from_ref(&file), fixed).unwrap().unwrap();
        staged.publish().unwrap();
        assert_eq!(texts(&read(dir.path(), Table::FixedFindings), "because"), ["rule", "data"]);
        // A report that is removed meanwhile does not break the run.
        fs::remove_file(file.path()).unwrap();
        assert!(stage(&destination, &[file], HashMap::from([(id(5), Because::Data)])).unwrap().is_none());
    }
}
