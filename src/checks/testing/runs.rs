//! Literal runs for the tests of the check that compares runs.

use super::{Evaluated, Fixture};
use crate::checks::{ALL_SERIES, AcrossSink, Check, Measure, RunTotals};

/// What `check` makes of the last row of `runs`, each of which stands for a run: its columns are totals of it, others than
/// those of bars findings of the rule that is called so.
pub(super) fn evaluate(runs: &Fixture, check: &dyn Check) -> Evaluated {
    let measure = |name: &str| match name {
        "rows" => Measure::Rows,
        "series" => Measure::Series,
        "missing_prices" => Measure::NullPrices,
        "missing_volumes" => Measure::NullVolumes,
        rule => Measure::Findings(rule.to_owned()),
    };
    let totals = |row: usize| {
        let columns = runs.spec.fields.iter().zip(&runs.numbers);
        let values = columns.filter_map(|(field, numbers)| Some((measure(&field.name), numbers.as_ref()?.value(row))));
        RunTotals { run: runs.time_text.value(row).to_owned(), values: values.collect() }
    };
    let mut all: Vec<RunTotals> = (0..runs.time.len()).map(totals).collect();
    let mut sink = AcrossSink::default();
    if let (Some(present), Some(history)) = (all.pop(), check.history()) {
        history.conclude(&present, &all, &mut sink);
    }
    let line = |found: &crate::checks::OfSeries| format!("{ALL_SERIES}{}", runs.render(&found.finding));
    Evaluated {
        lines: sink.findings.iter().map(line).collect(),
        totals: sink.totals,
        findings: sink.findings.into_iter().map(|found| found.finding).collect(),
    }
}
