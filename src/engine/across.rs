//! Rules across series: collects what they noted of each, and runs them when all series were read.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::error::ArrowError;

use super::counts::RuleCounts;
use super::identity::{digest, identity};
use super::notes::notes;
use super::program::Program;
use super::records::{Counted, Record, RecordBuilder, Row};
use super::trading_date::session;
use crate::checks::{ALL_SERIES, AcrossSink, Note, OfSeries, Stage};
use crate::decide::Action;

/// The notes of the rules across series.
#[derive(Debug)]
pub struct Across {
    program: Arc<Program>,
    /// By index of the rule.
    notes: BTreeMap<usize, Vec<Note>>,
}

impl Across {
    /// No note yet of the rules of `program`.
    pub fn new(program: &Arc<Program>) -> Self {
        let rules = program.running().filter(|(_, rule)| rule.check.across().is_some());
        let notes = rules.map(|(index, _)| (index, Vec::new())).collect();
        Self { program: Arc::clone(program), notes }
    }

    /// Takes the notes of one batch of the operator's output.
    pub fn take(&mut self, batch: &RecordBatch) {
        if self.notes.is_empty() {
            return;
        }
        for (rule, note) in notes(batch) {
            if let Some(of_rule) = self.notes.get_mut(&rule) {
                of_rule.push(note);
            }
        }
    }

    /// The rules that have fewer series than they compare, by index, with the number of these.
    pub fn idle(&self) -> Vec<(usize, usize)> {
        let idle = |(rule, notes): (&usize, &Vec<Note>)| {
            let least = self.program.rules.rules[*rule].check.across()?.least_series();
            (notes.len() < least).then_some((*rule, notes.len()))
        };
        self.notes.iter().filter_map(idle).collect()
    }

    /// Before it not all series were read: some are read whole in any part.
    fn from(&self) -> Option<i64> {
        self.program.scope.map(|scope| scope.since)
    }

    /// The days that the calendar calls closed and on which most series traded, by index of the rule; rules without any are
    /// left out. Where the rules did not know them yet, they are to be run again.
    pub fn open_days(&self) -> BTreeMap<usize, Vec<i64>> {
        let days = |(rule, notes): (&usize, &Vec<Note>)| {
            let days = self.program.rules.rules[*rule].check.across()?.open_days(notes, self.from());
            (!days.is_empty()).then_some((*rule, days))
        };
        self.notes.iter().filter_map(days).collect()
    }

    /// Runs the rules; what they find is as records of the operator. `None` where there is no such rule.
    ///
    /// # Errors
    /// The records do not fit into a batch.
    pub fn conclude(self) -> Result<Option<RecordBatch>, ArrowError> {
        if self.notes.is_empty() {
            return Ok(None);
        }
        let mut builder = RecordBuilder::default();
        let from = self.from();
        for (rule, mut notes) in self.notes {
            // Partitions come in any order, and nothing may depend on it.
            notes.sort_unstable_by(|one, other| one.series.cmp(&other.series));
            let of_rule = &self.program.rules.rules[rule];
            let Some(check) = of_rule.check.across() else { continue };
            let mut sink = AcrossSink { from, ..AcrossSink::default() };
            check.conclude(&notes, &mut sink);
            sink.findings.retain(|found| of_rule.is_about(&found.finding));
            if of_rule.kind.stage() != Stage::Across && sink.findings.is_empty() {
                // It evaluated each series by itself, which was counted there.
                continue;
            }
            Records { program: &self.program, rule, notes: &notes }.push(&sink, &mut builder);
        }
        builder.finish().map(Some)
    }
}

/// What one rule found, on its way to records.
struct Records<'a> {
    program: &'a Program,
    rule: usize,
    notes: &'a [Note],
}

impl Records<'_> {
    fn push(&self, sink: &AcrossSink, builder: &mut RecordBuilder) {
        let count = |value: u64| i64::try_from(value).unwrap_or(i64::MAX);
        let mut counts: BTreeMap<&str, Counts> = BTreeMap::new();
        for found in &sink.findings {
            self.finding(found, builder);
            counts.entry(self.series(found).0).or_default().add(found);
        }
        for (series, Counts { findings, bars, span, observed }) in counts {
            let counts = RuleCounts { findings, bars, ..RuleCounts::default() };
            builder.push(&Row {
                record: Record::Rule,
                rule: Some(self.rule),
                series,
                time: span.map(|(first, _)| first),
                time_until: span.map(|(_, last)| last),
                observed,
                counts: Some(Counted::Rule(counts)),
                ..Row::default()
            });
        }
        let totals = RuleCounts {
            evaluated: count(sink.totals.evaluated),
            insufficient: count(sink.totals.insufficient),
            excused: count(sink.totals.excused),
            ..RuleCounts::default()
        };
        let (record, counts) = (Record::Rule, Some(Counted::Rule(totals)));
        builder.push(&Row { record, rule: Some(self.rule), series: ALL_SERIES, counts, ..Row::default() });
        builder.push_excuses(self.rule, ALL_SERIES, &sink.totals.excused_by);
    }

    /// The key and the first field of the series that a finding is about.
    fn series(&self, found: &OfSeries) -> (&str, Option<&str>) {
        let note = found.note.and_then(|note| self.notes.get(note));
        note.map_or((ALL_SERIES, None), |note| (&note.series, note.symbol.as_deref()))
    }

    fn finding(&self, found: &OfSeries, builder: &mut RecordBuilder) {
        let (series, symbol) = self.series(found);
        let time = found.finding.time;
        let place = found.note.and_then(|note| self.notes.get(note)).filter(|_| found.at_row);
        let row_key = digest(&[series.as_bytes(), &time.unwrap_or_default().to_le_bytes(), b"across"]);
        let finding_id = identity(self.program, self.rule, &found.finding, &row_key);
        builder.push(&Row {
            record: Record::Finding,
            rule: Some(self.rule),
            series,
            symbol,
            finding_id: Some(&finding_id),
            row_key: Some(&row_key),
            time,
            time_until: found.finding.time_until,
            session: time.and_then(|time| session(self.program, time)),
            locator: place.and_then(|note| note.locator),
            id: place.and_then(|note| note.id.as_deref()),
            action: Some(Action::Report as i8),
            finding: Some(&found.finding),
            ..Row::default()
        });
    }
}

/// Counts of the findings of one series.
#[derive(Default)]
struct Counts {
    findings: i64,
    bars: i64,
    span: Option<(i64, i64)>,
    observed: Option<(f64, f64)>,
}

impl Counts {
    fn add(&mut self, found: &OfSeries) {
        self.findings += 1;
        self.bars = self.bars.saturating_add(i64::try_from(found.finding.bars_affected).unwrap_or(i64::MAX));
        if let Some(time) = found.finding.time {
            self.span = Some(self.span.map_or((time, time), |(first, last)| (first.min(time), last.max(time))));
        }
        if let Some(value) = found.finding.observed.filter(|value| !value.is_nan()) {
            self.observed = Some(self.observed.map_or((value, value), |(lo, hi)| (lo.min(value), hi.max(value))));
        }
    }
}
