//! What is known of findings besides what rules say of them: whether the run before had them, and what a person decided.
//!
//! A finding counts as a new error where its severity is `error`, no label calls it known or fine, and the run before had no
//! such finding: it was not there, or was labelled then, or was no error. Where there is nothing to compare with, every
//! one counts: a run that does not know what is new must not be silent about it.

use std::collections::HashMap;

use arrow::array::{
    Array, AsArray, BooleanArray, Int8Array, Int32Array, RecordBatch, StringArray, StringBuilder,
    TimestampMicrosecondArray,
};

use super::by_label::ACCEPTED;
use super::history::{Met, Previous, identity};
use super::incoming::column;
use super::tally::RuleTally;
use crate::decide::{Action, Judgement, Label, Labelled, Labels, Severity};
use crate::engine::program::Program;

/// Compares the findings of one run.
#[derive(Debug)]
pub(super) struct Marks {
    run: String,
    pub(super) previous: Previous,
    labels: Labels,
    /// Whether a finding had the label, by its place.
    met: Vec<bool>,
    /// Ids of the rules, and whether their findings are errors.
    rules: Vec<(String, bool)>,
    /// Findings that the run before did not have, by rule.
    pub(super) new: Vec<i64>,
    /// Those of rules that move rows: what becomes of the rows is decided after all of them arrived.
    movable: HashMap<u128, Mark>,
}

#[derive(Debug, Clone, Copy)]
struct Mark {
    label: Option<Judgement>,
    is_new_error: bool,
    /// A person put its row back.
    accepted: bool,
}

/// The columns of the table that say so.
pub(super) struct Marked {
    pub(super) is_new: BooleanArray,
    pub(super) first_seen_run: StringArray,
    pub(super) label: StringArray,
}

impl Marks {
    /// For the findings of `run`, a run of `program`.
    pub(super) fn new(run: &str, program: &Program, previous: Previous) -> Self {
        let rules = (0..=program.parse_error())
            .map(|rule| (program.rule_id(rule).to_owned(), program.levels(rule).0 == Severity::Error));
        Self {
            run: run.to_owned(),
            previous,
            labels: Labels::default(),
            met: Vec::new(),
            rules: rules.collect(),
            new: vec![0; program.parse_error() + 1],
            movable: HashMap::new(),
        }
    }

    /// Forgets the findings that it took.
    pub(super) fn begin_again(&mut self) {
        if let Previous::Known(known) = &mut self.previous {
            known.forget_met();
        }
        self.met.fill(false);
        self.new.fill(0);
        self.movable.clear();
    }

    /// What a person decided, that still counts.
    pub(super) fn set_labels(&mut self, labels: Labels) {
        self.met = vec![false; labels.all().len()];
        self.labels = labels;
    }

    /// Labels that no finding had so far.
    pub(super) fn without_findings(&self) -> impl Iterator<Item = &Label> {
        // Of two labels of one finding the later one counts, and the finding is there.
        let has = |label: &Label, met: bool| {
            let others = || self.labels.all().iter().zip(&self.met);
            met || others().any(|(other, met)| *met && other.is_about_the_same(label))
        };
        self.labels.all().iter().zip(&self.met).filter(move |(label, met)| !has(label, **met)).map(|(label, _)| label)
    }

    /// Compares findings, which are records of the operator whose rules are known to exist, and counts them.
    pub(super) fn take(&mut self, findings: &RecordBatch, tallies: &mut [RuleTally]) -> Marked {
        let columns = Columns::of(findings);
        let rows = findings.num_rows();
        let mut first_seen = StringBuilder::with_capacity(rows, rows * self.run.len());
        let (mut label, mut is_new) = (StringBuilder::new(), Vec::with_capacity(rows));
        for row in 0..rows {
            let rule = usize::try_from(columns.rule.value(row)).unwrap_or(usize::MAX);
            let (Some((_, is_error)), Some(tally)) = (self.rules.get(rule), tallies.get_mut(rule)) else {
                is_new.push(None);
                first_seen.append_null();
                label.append_null();
                continue;
            };
            let said = columns.label(&self.labels, &self.rules[rule].0, row);
            if let Some((place, judgement)) = said {
                self.met[place] = true;
                *tally.by_label.of(judgement) += 1;
            }
            let muted = said.is_some_and(|(_, judgement)| judgement.mutes());
            let seen = seen(&mut self.previous, &columns, rule, row);
            let is_new_error = *is_error && !muted && seen.counts_as_new();
            tally.new_errors += i64::from(is_new_error);
            self.new[rule] += i64::from(seen.is_new() == Some(true));
            is_new.push(seen.is_new());
            first_seen.append_option(seen.first(&self.run));
            label.append_option(said.map(|(_, judgement)| judgement.as_str()));
            let moves = columns.action.is_valid(row) && columns.action.value(row) > Action::Report as i8;
            if let Some(id) = identity(columns.id.value(row)).filter(|_| moves) {
                let label = said.map(|(_, judgement)| judgement);
                self.movable.insert(id, Mark { label, is_new_error, accepted: false });
            }
        }
        Marked { is_new: BooleanArray::from(is_new), first_seen_run: first_seen.finish(), label: label.finish() }
    }

    /// Whether a label calls a finding known or fine that would move its row.
    pub(super) fn is_muted(&self, finding_id: &str) -> bool {
        let mark = identity(finding_id).and_then(|id| self.movable.get(&id));
        mark.and_then(|mark| mark.label).is_some_and(Judgement::mutes)
    }

    /// Counts a finding as accepted, for a person put its row back; one that has a label is counted by that.
    pub(super) fn accept(&mut self, finding_id: &str, tally: &mut RuleTally) {
        let mark = identity(finding_id).and_then(|id| self.movable.get_mut(&id));
        let Some(mark) = mark.filter(|mark| mark.label.is_none() && !mark.accepted) else { return };
        tally.by_label.accepted += 1;
        tally.new_errors -= i64::from(mark.is_new_error);
        *mark = Mark { is_new_error: false, accepted: true, ..*mark };
    }

    /// The labels of the findings `ids`, with those of rows that a person put back.
    pub(super) fn with_accepted(&self, labels: &StringArray, ids: &StringArray) -> StringArray {
        let is_accepted = |id| identity(id).and_then(|id| self.movable.get(&id)).is_some_and(|mark| mark.accepted);
        let label =
            |(label, id): (Option<_>, Option<_>)| if id.is_some_and(is_accepted) { Some(ACCEPTED) } else { label };
        labels.iter().zip(ids).map(label).collect()
    }
}

/// What the run before says of a finding.
enum Seen<'a> {
    /// It had it.
    Before(Met<'a>),
    /// It would have had it, and did not.
    Never,
    /// Only one of the two runs could find it, near an end of the window that has moved.
    OnlyHere,
    /// There is nothing to compare with.
    Unknown,
}

impl<'a> Seen<'a> {
    fn is_new(&self) -> Option<bool> {
        match self {
            Self::Before(_) => Some(false),
            Self::Never => Some(true),
            Self::OnlyHere | Self::Unknown => None,
        }
    }

    /// Whether an error that no label mutes counts as new.
    fn counts_as_new(&self) -> bool {
        match self {
            Self::Before(met) => !met.counted,
            Self::Never | Self::Unknown => true,
            Self::OnlyHere => false,
        }
    }

    /// The run that had it first.
    fn first<'b: 'a>(&self, run: &'b str) -> Option<&'a str> {
        match self {
            Self::Before(met) => Some(met.first_seen.unwrap_or(run)),
            Self::Never => Some(run),
            Self::OnlyHere | Self::Unknown => None,
        }
    }
}

fn seen<'a>(previous: &'a mut Previous, columns: &Columns<'_>, rule: usize, row: usize) -> Seen<'a> {
    match previous {
        Previous::None => Seen::Never,
        Previous::TooMany | Previous::OtherWindows | Previous::Unknown => Seen::Unknown,
        Previous::Known(known) => {
            let would_have_met = known.would_have_met((rule, text(columns.cause, row)), columns.time(row));
            match known.meet(columns.id.value(row)) {
                Some(met) => Seen::Before(met),
                None if would_have_met => Seen::Never,
                None => Seen::OnlyHere,
            }
        }
    }
}

/// What is looked at of findings.
struct Columns<'a> {
    rule: &'a Int32Array,
    id: &'a StringArray,
    series: &'a StringArray,
    symbol: &'a StringArray,
    field: &'a StringArray,
    cause: &'a StringArray,
    time: &'a TimestampMicrosecondArray,
    action: &'a Int8Array,
}

impl<'a> Columns<'a> {
    fn of(findings: &'a RecordBatch) -> Self {
        let texts = |name: &str| column(findings, name).as_string();
        Self {
            rule: column(findings, "rule").as_primitive(),
            id: texts("finding_id"),
            series: texts("series"),
            symbol: texts("symbol"),
            field: texts("field"),
            cause: texts("cause"),
            time: column(findings, "time").as_primitive(),
            action: column(findings, "action").as_primitive(),
        }
    }

    fn time(&self, row: usize) -> Option<i64> {
        self.time.is_valid(row).then(|| self.time.value(row))
    }

    /// The label of a finding of the rule `id`: its place, and what it says.
    fn label(&self, labels: &Labels, id: &str, row: usize) -> Option<(usize, Judgement)> {
        if labels.is_empty() {
            return None;
        }
        let place = labels.place_of(&Labelled {
            finding_id: self.id.value(row),
            rule: id,
            series: self.series.value(row),
            symbol: text(self.symbol, row),
            time: self.time(row),
            field: text(self.field, row),
        })?;
        Some((place, labels.all()[place].judgement))
    }
}

fn text(column: &StringArray, row: usize) -> Option<&str> {
    column.is_valid(row).then(|| column.value(row))
}
