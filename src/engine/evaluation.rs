//! All rules over one series: stages in order, conditions and validity applied, parse errors reported.

use std::borrow::Cow;
use std::collections::HashSet;
use std::ops::Range;
use std::sync::Arc;

use arrow::array::{Array, BooleanArray};
use arrow::error::ArrowError;

use super::frame::{Frame, Layout, Parts};
use super::program::Program;
use crate::bars::{FieldKind, TIME, number, time};
use crate::checks::{Finding, FindingSink, Stage, Totals};
use crate::config::{Action, Rule};

/// A finding with the rule that made it and the rows it stands for.
#[derive(Debug)]
pub struct Flagged {
    /// Index of the rule; [`Program::parse_error`] for a value that does not decode.
    pub rule: usize,
    /// What was found; its own `rows` are those of the series the rule saw.
    pub finding: Finding,
    /// The rows of the frame it stands for; empty for a gap.
    pub rows: Rows,
}

/// Rows of a frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rows {
    /// Consecutive ones.
    Span(Range<usize>),
    /// Those that a rule's condition left of a span.
    List(Vec<usize>),
}

impl Rows {
    /// The rows in ascending order.
    pub fn iter(&self) -> impl Iterator<Item = usize> + '_ {
        let (span, list): (Range<usize>, &[usize]) = match self {
            Self::Span(span) => (span.clone(), &[]),
            Self::List(list) => (0..0, list),
        };
        span.chain(list.iter().copied())
    }

    /// The first row; `None` for a gap.
    pub fn first(&self) -> Option<usize> {
        self.iter().next()
    }
}

/// What the rules made of one series.
#[derive(Debug)]
pub struct Evaluated {
    /// The findings, in the order of stages and rules.
    pub flagged: Vec<Flagged>,
    /// Counts by rule, [`Program::parse_error`] last.
    pub totals: Vec<Totals>,
}

/// Runs every rule of `program` over `frame`.
pub fn evaluate(program: &Program, layout: &Layout, frame: &Frame, key: &str) -> Result<Evaluated, ArrowError> {
    let mut evaluated = Evaluated { flagged: Vec::new(), totals: vec![Totals::default(); program.parse_error() + 1] };
    let mut rejected = vec![false; frame.rows()];
    for stage in [Stage::Row, Stage::Identity, Stage::Series] {
        let before = evaluated.flagged.len();
        let view = View { program, layout, frame, key, rejected: &rejected };
        for (index, rule) in program.rules.rules.iter().enumerate().filter(|(_, rule)| rule.kind.stage() == stage) {
            evaluated.totals[index] = view.run(index, rule, &mut evaluated.flagged)?;
        }
        for flagged in &evaluated.flagged[before..] {
            if program.levels(flagged.rule).1 >= Action::Quarantine {
                flagged.rows.iter().for_each(|row| rejected[row] = true);
            }
        }
    }
    let view = View { program, layout, frame, key, rejected: &rejected };
    view.parse_errors(&mut evaluated);
    Ok(evaluated)
}

/// One series in front of the rules.
struct View<'a> {
    program: &'a Program,
    layout: &'a Layout,
    frame: &'a Frame,
    key: &'a str,
    rejected: &'a [bool],
}

impl View<'_> {
    fn run(&self, index: usize, rule: &Rule, out: &mut Vec<Flagged>) -> Result<Totals, ArrowError> {
        let condition = rule.condition.map(|slot| self.condition(slot));
        let mut sink = FindingSink::default();
        let before = out.len();
        match condition {
            Some(mask) if mask.true_count() < self.frame.rows() => {
                let chosen: Vec<usize> = mask.values().set_indices().collect();
                let frame = self.frame.narrow(self.layout, &mask)?;
                let rejected: Vec<bool> = chosen.iter().map(|row| self.rejected[*row]).collect();
                let narrowed = View { frame: &frame, rejected: &rejected, ..*self };
                narrowed.check(rule, &mut sink);
                out.extend(sink.findings.into_iter().map(|finding| flagged(index, finding, Some(&chosen))));
            }
            _ => {
                self.check(rule, &mut sink);
                out.extend(sink.findings.into_iter().map(|finding| flagged(index, finding, None)));
            }
        }
        if rule.from.is_some() || rule.until.is_some() {
            let kept = out.split_off(before).into_iter().filter(|flagged| self.valid(rule, flagged));
            out.extend(kept);
        }
        Ok(sink.totals)
    }

    fn check(&self, rule: &Rule, sink: &mut FindingSink) {
        let parts = Parts {
            columns: self.frame.columns(self.layout),
            expressions: self.frame.expressions(self.layout),
            rejected: self.rejected,
        };
        rule.check.check(&self.frame.series(self.layout, self.key, &parts), sink);
    }

    /// Rows the rule's `where` selects; NULL does not.
    fn condition(&self, slot: usize) -> BooleanArray {
        let mask = self.frame.expressions(self.layout)[slot];
        match mask.nulls() {
            Some(nulls) => BooleanArray::new(mask.values() & nulls.inner(), None),
            None => mask.clone(),
        }
    }

    /// Whether the finding lies in the rule's validity; rows without a timestamp always do.
    fn valid(&self, rule: &Rule, flagged: &Flagged) -> bool {
        let time = match flagged.rows.first() {
            Some(row) => self.frame.time_of(self.layout, row),
            None => flagged.finding.time,
        };
        time.is_none_or(|time| rule.from.is_none_or(|from| time >= from) && rule.until.is_none_or(|until| time < until))
    }

    /// Values that do not decode, unless a rule has flagged the same field of the row already.
    fn parse_errors(&self, evaluated: &mut Evaluated) {
        let mut found = Vec::new();
        self.broken_rows(&mut found);
        self.timestamp_parse_errors(&mut found);
        for index in &self.program.read {
            self.value_parse_errors(*index, &mut found);
        }
        let index = self.program.parse_error();
        evaluated.totals[index].evaluated = self.frame.rows() as u64;
        if found.is_empty() {
            return;
        }
        not_missing(&found, evaluated);
        let reported = evaluated.flagged.iter().flat_map(|f| f.rows.iter().map(|row| (row, f.finding.field.clone())));
        let reported: HashSet<(usize, Option<Arc<str>>)> = reported.collect();
        let place = |finding: &Finding| (finding.rows.as_ref().map_or(0, |rows| rows.start), finding.field.clone());
        found.retain(|finding| !reported.contains(&place(finding)));
        evaluated.flagged.extend(found.into_iter().map(|finding| flagged(index, finding, None)));
    }

    fn broken_rows(&self, found: &mut Vec<Finding>) {
        for row in 0..self.frame.rows() {
            if let Some(reason) = self.frame.text(self.layout.broken, row) {
                let raw = self.frame.text(self.layout.raw, row).unwrap_or_default();
                let finding = Finding::row(row).observed_text(raw).cause("broken-row");
                found.push(finding.evidence(serde_json::json!({ "reason": reason })));
            }
        }
    }

    /// Timestamps are NULL from the first undated row on, so the good rows cost nothing.
    fn timestamp_parse_errors(&self, found: &mut Vec<Finding>) {
        let spec = &self.program.bars.time;
        let formats = || spec.formats.iter().map(time::TimeFormat::text).collect::<Vec<_>>().join(" or ");
        for row in self.frame.time(self.layout).len()..self.frame.rows() {
            let text = self.frame.text(self.layout.time_text.value, row);
            let Some(observed) = text.or_else(|| self.frame.text(self.layout.time_text.other, row)) else { continue };
            let fault = text.map_or_else(|| spec.read_literal(observed).err(), |text| spec.read_text(text).err());
            let cause = fault.unwrap_or(time::TimeFault::WrongType).as_str();
            let finding = Finding::row(row).field(&Arc::from(TIME)).observed_text(observed);
            found.push(finding.expected_text(formats()).cause(cause));
        }
    }

    fn value_parse_errors(&self, index: usize, found: &mut Vec<Finding>) {
        let (field, columns) = (&self.program.bars.fields[index], self.layout.fields[index]);
        if field.kind != FieldKind::Number || (columns.text.is_none() && columns.other.is_none()) {
            return;
        }
        if self.frame.nulls(index, 0..self.frame.rows()) == 0 {
            return;
        }
        for row in (0..self.frame.rows()).filter(|row| self.frame.number(index, *row).is_none()) {
            let text = self.frame.text(columns.text, row);
            let Some(observed) = text.or_else(|| self.frame.text(columns.other, row)) else { continue };
            let cause = text.and_then(|text| number::read_number(text).err()).map_or("wrong-type", |f| f.as_str());
            let finding = Finding::row(row).field(&field.name).observed_text(observed);
            found.push(finding.expected_text(Cow::Borrowed("a number")).cause(cause));
        }
    }
}

/// Takes back what rules said of missing values where a value is there and only does not decode.
fn not_missing(found: &[Finding], evaluated: &mut Evaluated) {
    let place = |finding: &Finding| (finding.rows.as_ref().map_or(0, |rows| rows.start), finding.field.clone());
    let there: HashSet<(usize, Option<Arc<str>>)> = found.iter().map(place).collect();
    evaluated.flagged.retain(|flagged| {
        let row = flagged.rows.first().filter(|_| flagged.finding.cause == Some("null"));
        // A row that could not be parsed at all stands under no field.
        row.is_none_or(|row| !there.contains(&(row, flagged.finding.field.clone())) && !there.contains(&(row, None)))
    });
}

/// A finding with its rows in the frame; `chosen` are the rows of the frame that the rule saw, where it saw a part.
fn flagged(rule: usize, finding: Finding, chosen: Option<&[usize]>) -> Flagged {
    let rows = match (&finding.rows, chosen) {
        (None, _) => Rows::Span(0..0),
        (Some(span), None) => Rows::Span(span.clone()),
        (Some(span), Some(chosen)) => Rows::List(chosen[span.clone()].to_vec()),
    };
    Flagged { rule, finding, rows }
}
