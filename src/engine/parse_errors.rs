//! Values that do not decode: rows that cannot be split into fields, timestamps, numbers.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::flagged::Flagged;
use super::frame::{Frame, Layout};
use super::program::Program;
use crate::bars::{FieldKind, TIME, time};
use crate::checks::Finding;
use crate::checks::parse_error::{Cause, Evidence};
use crate::decide::{Action, Severity};

/// A row and the field that is wrong; `None` for the row as a whole.
type Place = (usize, Option<Arc<str>>);

/// Adds the parse errors of `frame` to what the rules about single rows found in it.
///
/// A rule about missing values has nothing to say where a value is there and does not decode: its finding is taken
/// back. A parse error that a rule reports too, of the same row and field and at least as severely (`date-format`), is
/// not reported twice.
pub(super) fn add(program: &Program, layout: &Layout, frame: &Frame, flagged: &mut Vec<Flagged>) {
    let view = View { program, layout, frame };
    let mut found = Vec::new();
    view.broken_rows(&mut found);
    view.timestamps(&mut found);
    for index in 0..program.bars.fields.len() {
        view.values(index, &mut found);
    }
    if found.is_empty() {
        return;
    }
    not_missing(&found, flagged);
    let mut reported: HashMap<Place, (Severity, Action)> = HashMap::new();
    for finding in flagged.iter() {
        let (severity, action) = program.levels(finding.rule);
        for row in finding.rows.iter() {
            let strongest = reported.entry((row, finding.finding.field.clone())).or_insert((severity, action));
            *strongest = (strongest.0.max(severity), strongest.1.max(action));
        }
    }
    let (severity, action) = program.levels(program.parse_error());
    let weaker = |other: &(Severity, Action)| other.0 < severity || other.1 < action;
    found.retain(|finding| reported.get(&place(finding)).is_none_or(weaker));
    flagged.extend(found.into_iter().map(|finding| Flagged::new(program.parse_error(), finding, None)));
}

/// Adds a finding for each row of `frame` where a field of the series key is NULL in it; whether that is so. Rows that
/// cannot be read at all have been reported.
pub(super) fn add_keyless(program: &Program, layout: &Layout, frame: &Frame, flagged: &mut Vec<Flagged>) -> bool {
    let lacks = |place: &usize| frame.text(layout.keys.get(*place).copied(), 0).is_none();
    let Some(place) = (0..layout.keys.len()).find(lacks).filter(|_| frame.rows() > 0) else { return false };
    let Some((index, field)) = program.bars.series.get(place).and_then(|name| program.bars.field(name)) else {
        return false;
    };
    for row in (0..frame.rows()).filter(|row| frame.text(layout.broken, *row).is_none()) {
        let finding =
            Finding::row(row).field(&field.name).expected_text(Cow::Borrowed("a text")).cause(Cause::NoSeriesKey);
        let finding = match frame.text(layout.fields[index].other, row) {
            Some(observed) => finding.observed_text(observed),
            None => finding,
        };
        flagged.push(Flagged::new(program.parse_error(), finding, None));
    }
    true
}

struct View<'a> {
    program: &'a Program,
    layout: &'a Layout,
    frame: &'a Frame,
}

impl View<'_> {
    fn broken_rows(&self, found: &mut Vec<Finding>) {
        for row in 0..self.frame.rows() {
            if let Some(reason) = self.frame.text(self.layout.broken, row) {
                let raw = self.frame.text(self.layout.raw, row).unwrap_or_default();
                let finding = Finding::row(row).observed_text(raw).cause(Cause::BrokenRow);
                found.push(finding.evidence(Evidence { reason: Some(reason.to_owned()) }));
            }
        }
    }

    /// Timestamps are NULL from the first undated row on, so the good rows cost nothing.
    fn timestamps(&self, found: &mut Vec<Finding>) {
        let spec = &self.program.bars.time;
        let formats = || spec.formats.iter().map(time::TimeFormat::text).collect::<Vec<_>>().join(" or ");
        for row in self.frame.time(self.layout).len()..self.frame.rows() {
            let text = self.frame.text(self.layout.time_text.value, row);
            let Some(observed) = text.or_else(|| self.frame.text(self.layout.time_text.other, row)) else { continue };
            let fault = text.map_or_else(|| spec.read_literal(observed).err(), |text| spec.read_text(text).err());
            let cause = Cause::from(fault.unwrap_or(time::TimeFault::WrongType));
            let finding = Finding::row(row).field(&Arc::from(TIME)).observed_text(observed);
            found.push(finding.expected_text(formats()).cause(cause));
        }
    }

    fn values(&self, index: usize, found: &mut Vec<Finding>) {
        let (field, columns) = (&self.program.bars.fields[index], self.layout.fields[index]);
        // What files have in several types and no rule looks at may be of any of them.
        let any_type = columns.file.is_some() && !self.program.read.contains(&index);
        if any_type
            || columns.value.is_none()
            || field.kind != FieldKind::Number
            || (columns.text.is_none() && columns.other.is_none())
        {
            return;
        }
        if self.frame.nulls(index, 0..self.frame.rows()) == 0 {
            return;
        }
        for row in (0..self.frame.rows()).filter(|row| self.frame.number(index, *row).is_none()) {
            let text = self.frame.text(columns.text, row);
            let Some(observed) = text.or_else(|| self.frame.text(columns.other, row)) else { continue };
            let fault = text.and_then(|text| self.program.bars.numbers.read(text).err());
            let cause = fault.map_or(Cause::WrongType, Cause::from);
            let finding = Finding::row(row).field(&field.name).observed_text(observed);
            found.push(finding.expected_text(Cow::Borrowed("a number")).cause(cause));
        }
    }
}

/// Takes back what rules said of missing values where a value is there and only does not decode.
fn not_missing(found: &[Finding], flagged: &mut Vec<Flagged>) {
    let there: HashSet<Place> = found.iter().map(place).collect();
    flagged.retain(|flagged| {
        let row = flagged.rows.first().filter(|_| flagged.finding.cause == Some("null"));
        // A row that could not be parsed at all stands under no field.
        row.is_none_or(|row| !there.contains(&(row, flagged.finding.field.clone())) && !there.contains(&(row, None)))
    });
}

fn place(finding: &Finding) -> Place {
    (finding.rows.as_ref().map_or(0, |rows| rows.start), finding.field.clone())
}
