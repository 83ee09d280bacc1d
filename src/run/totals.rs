//! The rules that compare what a run came to with the runs of the job before: their findings join those of the run.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use super::failure::Failure;
use crate::checks::{AcrossSink, Measure, RunTotals};
use crate::engine::across;
use crate::engine::program::Program;
use crate::report::collector::Collector;
use crate::report::error::ReportError;
use crate::report::run::RunMeta;
use crate::report::run_totals::earlier_totals;
use crate::report::tally::Tally;

/// Compares what `collector` counted with the runs that have reports below `dir`, where a rule says so. Where it is not of
/// `all_series`, nothing is said.
pub(super) fn compare(
    dir: &Path,
    (program, meta): (&Arc<Program>, &RunMeta),
    all_series: bool,
    collector: &mut Collector,
) -> Result<(), Failure> {
    let comparing = program.running().filter_map(|(index, rule)| Some((index, rule.check.history()?)));
    for (index, history) in comparing {
        let mut sink = AcrossSink::default();
        if all_series {
            let rules = compared(program);
            let look = (meta.window, meta.as_of.0);
            let earlier = earlier_totals(dir, &program.job, look, &rules, history.runs())?;
            history.conclude(&totals(program, collector.tally(), meta.run_id.as_str()), &earlier, &mut sink);
        }
        let found = across::of_all(program, index, sink).map_err(ReportError::from)?;
        collector.take(&found)?;
    }
    Ok(())
}

/// The rules whose findings are compared, each with the SHA-256 of what decides its verdicts; values that do not decode have
/// none.
fn compared(program: &Program) -> BTreeMap<&str, Option<&str>> {
    let index = |index: usize| (index, program.rules.rules.get(index));
    let all = (0..=program.parse_error()).map(index);
    let others = all.filter(|(index, rule)| {
        !program.skipped.contains(index) && rule.is_none_or(|rule| rule.check.history().is_none())
    });
    others.map(|(index, rule)| (program.rule_id(index), rule.map(|rule| rule.sha256.as_str()))).collect()
}

/// What a run came to by `tally`.
fn totals(program: &Program, tally: &Tally, run: &str) -> RunTotals {
    let nulls = (tally.nulls.0.unsigned_abs(), tally.nulls.1.unsigned_abs());
    let mut totals = RunTotals::new(run, tally.series.rows.read, tally.series.series, Some(nulls));
    let compared = compared(program);
    for (index, of_rule) in tally.rules.iter().enumerate() {
        let id = program.rule_id(index);
        if compared.contains_key(id) {
            totals.values.insert(Measure::Findings(id.to_owned()), of_rule.counts.findings as f64);
        }
    }
    totals
}
