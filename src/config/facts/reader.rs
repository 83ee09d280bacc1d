//! Reads the cells of a table of facts by its declared columns, and collects every mistake with its line.

use std::ops::Range;

use chrono::NaiveDate;
use chrono_tz::Tz;

use super::columns::{Cells, Column, Kind};
use super::table::{Cell, Table};
use crate::bars::Label;
use crate::config::job::Bars;
use crate::market::facts::Stretch;
use crate::market::zone::DAY_US;
use crate::schema::diagnostic::{Diagnostic, nearest, suggestion};
use crate::schema::moment::Moment;

/// So many mistakes of one file are shown; the others are counted.
const MOST_SHOWN: usize = 20;

/// The code of every mistake in a file of facts.
pub(super) const CODE: &str = "bad-facts";

/// How moments of facts become timestamps of bars.
#[derive(Debug, Clone, Copy)]
pub(super) struct Scale {
    zone: Tz,
    daily: bool,
    /// Of bars within a day: their length in µs, and whether they have the time of their end.
    step: i64,
    at_end: bool,
}

impl Scale {
    pub(super) fn of(bars: &Bars) -> Self {
        let step = bars.interval.micros().unwrap_or(0);
        let daily = bars.interval.is_daily_or_longer();
        Self { zone: bars.time.zone, daily, step, at_end: bars.time.label == Label::End }
    }

    /// The timestamps from `from` to before `until`: of bars that have the time of their end, those after `from` to `until`.
    fn stretch(self, from: i64, until: i64) -> Stretch {
        let later = i64::from(self.at_end && !self.daily);
        Stretch { from: from.saturating_add(later), until: until.saturating_add(later) }
    }

    /// The timestamps of bars of which any part lies in a stretch: a day counts whole.
    pub(super) fn touched(self, stretch: Stretch) -> Stretch {
        let Stretch { from, until } = stretch;
        if self.daily {
            let day_after = until.saturating_add(DAY_US - 1).div_euclid(DAY_US).saturating_mul(DAY_US);
            return Stretch { from: from.div_euclid(DAY_US).saturating_mul(DAY_US), until: day_after };
        }
        match self.at_end {
            true => Stretch { from, until: until.saturating_add(self.step - 1) },
            false => Stretch { from: from.saturating_sub(self.step - 1), until },
        }
    }
}

/// Reads one table.
pub(super) struct Reader<'t> {
    pub(super) table: &'t Table,
    kind: &'static Kind,
    scale: Scale,
    mistakes: Vec<Diagnostic>,
    /// Mistakes that are not shown.
    more: usize,
    warnings: Vec<Diagnostic>,
}

impl<'t> Reader<'t> {
    /// Looks at the columns of `table`.
    pub(super) fn new(table: &'t Table, kind: &'static Kind, scale: Scale) -> Self {
        let mut reader = Self { table, kind, scale, mistakes: Vec::new(), more: 0, warnings: Vec::new() };
        reader.look_at_columns();
        reader
    }

    fn look_at_columns(&mut self) {
        let table = self.table;
        let names = || self.kind.columns.iter().map(|column| column.name);
        let has = |name: &str| table.header.iter().any(|cell| cell.text == name);
        let whole = table.header.first().map_or(0..0, |cell| cell.span.clone());
        let mut mistakes = Vec::new();
        // A column that is nearly one of those that may be left out would be passed over in silence.
        let unknown = table.header.iter().filter(|cell| !names().any(|name| name == cell.text));
        let near = |cell: &Cell| nearest(&cell.text, names().filter(|name| !has(name)));
        let (meant, other): (Vec<&Cell>, Vec<&Cell>) = unknown.partition(|cell| near(cell).is_some());
        let is_meant = |name: &str| meant.iter().any(|cell| near(cell) == Some(name));
        let lacking = self.kind.columns.iter().filter(|column| column.needed && !has(column.name));
        for column in lacking.filter(|column| !is_meant(column.name)) {
            let title = format!("`{}` lacks the column `{}`", self.kind.key, column.name);
            let help = format!("{}: {} columns: {}", column.name, column.doc, names().collect::<Vec<_>>().join(", "));
            mistakes.push(Diagnostic::new(CODE, title, &table.file, whole.clone()).help(help));
        }
        for (index, cell) in table.header.iter().enumerate() {
            if table.header[..index].iter().any(|other| other.text == cell.text) {
                let title = format!("two columns are called `{}`", cell.text);
                mistakes
                    .push(Diagnostic::new(CODE, title, &table.file, cell.span.clone()).help("take one of them out"));
            }
        }
        for cell in meant {
            let title = format!("`{}` has no column `{}`", self.kind.key, cell.text);
            let mistake = Diagnostic::new(CODE, title, &table.file, cell.span.clone());
            mistakes.push(mistake.help(suggestion(&cell.text, "columns", names())));
        }
        if let Some(first) = other.first() {
            let unused = other.iter().map(|cell| format!("`{}`", cell.text)).collect::<Vec<_>>().join(", ");
            let title = format!("columns that `{}` does not use: {unused}", self.kind.key);
            let help = format!("columns: {}", names().collect::<Vec<_>>().join(", "));
            self.warnings.push(Diagnostic::new(CODE, title, &table.file, first.span.clone()).help(help));
        }
        for mistake in mistakes {
            self.push(mistake);
        }
    }

    /// Records a mistake.
    pub(super) fn push(&mut self, mistake: Diagnostic) {
        if self.mistakes.len() < MOST_SHOWN {
            self.mistakes.push(mistake);
        } else {
            self.more += 1;
        }
    }

    /// Records a mistake at `span` of row number `row`.
    pub(super) fn reject(&mut self, row: usize, span: Range<usize>, title: &str, help: impl Into<String>) {
        let mistake = self.at(row, span, title).help(help);
        self.push(mistake);
    }

    /// A diagnostic about row number `row`, from 0.
    pub(super) fn at(&self, row: usize, span: Range<usize>, title: &str) -> Diagnostic {
        let title = match self.table.binary {
            true => format!("row {}: {title}", row + 1),
            false => title.to_owned(),
        };
        Diagnostic::new(CODE, title, &self.table.file, span)
    }

    /// The place of the cell of `column`, or of the record.
    pub(super) fn span(&self, row: usize, column: &str) -> Range<usize> {
        let cells = &self.table.rows[row];
        let index = self.table.header.iter().position(|cell| cell.text == column);
        let cell = index.and_then(|index| cells.get(index)).filter(|cell| !cell.text.is_empty());
        let whole = || cells.first().zip(cells.last()).map_or(0..0, |(first, last)| first.span.start..last.span.end);
        cell.map_or_else(whole, |cell| cell.span.clone())
    }

    fn column(&self, name: &str) -> &'static Column {
        let column = self.kind.columns.iter().find(|column| column.name == name);
        column.unwrap_or_else(|| unreachable!("bug: `{}` does not declare `{name}`", self.kind.key))
    }

    /// The text of a cell; `None` where it is empty or the file does not have the column.
    pub(super) fn text(&self, row: usize, name: &str) -> Option<&'t str> {
        let column = self.column(name);
        let index = self.table.header.iter().position(|cell| cell.text == column.name)?;
        self.table.rows[row].get(index).map(|cell| cell.text.as_str()).filter(|text| !text.is_empty())
    }

    /// The text of a cell that must not be empty.
    pub(super) fn needed(&mut self, row: usize, name: &str) -> Option<&'t str> {
        let text = self.text(row, name);
        if text.is_none() && self.table.header.iter().any(|cell| cell.text == name) {
            let help = self.column(name).doc;
            self.reject(row, self.span(row, name), &format!("`{name}` is empty"), help);
        }
        text
    }

    /// One of the declared words.
    pub(super) fn word(&mut self, row: usize, name: &str) -> Option<&'static str> {
        let Cells::Words(words) = self.column(name).cells else { unreachable!("bug: `{name}` is not declared words") };
        let text = self.text(row, name)?;
        let found = words.iter().find(|word| **word == text).copied();
        if found.is_none() {
            let help = suggestion(text, "words", words.iter().copied());
            self.reject(row, self.span(row, name), &format!("`{text}` is not a value of `{name}`"), help);
        }
        found
    }

    /// A number above 0.
    pub(super) fn number(&mut self, row: usize, name: &str) -> Option<f64> {
        let text = self.text(row, name)?;
        let number = text.parse::<f64>().ok().filter(|number| number.is_finite() && *number > 0.0);
        if number.is_none() {
            let help = self.column(name).doc;
            self.reject(
                row,
                self.span(row, name),
                &format!("`{name}` is `{text}`, and must be a number above 0"),
                help,
            );
        }
        number
    }

    /// A number above 0 that this kind of fact needs.
    pub(super) fn needed_number(&mut self, row: usize, name: &str, what: &str) -> Option<f64> {
        if self.text(row, name).is_none() {
            let help = self.column(name).doc;
            self.reject(row, self.span(row, name), &format!("{what} needs `{name}`"), help);
        }
        self.number(row, name)
    }

    /// A moment on the scale of the timestamps.
    pub(super) fn moment(&mut self, row: usize, name: &str) -> Option<i64> {
        let text = self.text(row, name)?;
        let compact = NaiveDate::parse_from_str(text, "%Y%m%d").ok().filter(|_| text.len() == 8);
        let moment = compact.map_or_else(|| Moment::parse(text), |date| Moment::parse(&date.to_string()));
        let resolved = moment.and_then(|moment| moment.resolve(self.scale.zone, self.scale.daily));
        resolved
            .map_err(|problem| {
                self.reject(row, self.span(row, name), &problem, "a date is midnight in the zone of the bars");
            })
            .ok()
    }

    /// The first timestamp of bars from the moment in the column `name` on.
    pub(super) fn first_time(&mut self, row: usize, name: &str) -> Option<i64> {
        self.moment(row, name).map(|moment| self.scale.stretch(moment, i64::MAX).from)
    }

    /// The stretch from the column `from` to before `until`; open where a cell is empty. `None` where it is a mistake.
    pub(super) fn stretch(&mut self, row: usize) -> Option<Stretch> {
        let [from, until] = ["from", "until"].map(|name| (self.text(row, name).is_some(), self.moment(row, name)));
        if [from, until].iter().any(|(written, moment)| *written && moment.is_none()) {
            return None;
        }
        let stretch = self.scale.stretch(from.1.unwrap_or(i64::MIN), until.1.unwrap_or(i64::MAX));
        if stretch.from >= stretch.until {
            let help = "`until` is the first date it no longer holds: that of one day ends on the day after";
            self.reject(row, self.span(row, "until"), "it holds on no day: `until` is not after `from`", help);
            return None;
        }
        Some(stretch)
    }

    /// The stretch of bars that any part of the written one belongs to.
    pub(super) fn touched(&mut self, row: usize) -> Option<Stretch> {
        self.stretch(row).map(|stretch| self.scale.touched(stretch))
    }

    /// The mistakes, and what is odd.
    pub(super) fn finish(mut self) -> (Vec<Diagnostic>, Vec<Diagnostic>) {
        if let Some(last) = self.mistakes.last().filter(|_| self.more > 0) {
            let title = format!("{} more mistakes in `{}`", self.more, self.table.file.path.display());
            let more = Diagnostic::new(CODE, title, &self.table.file, last.span.clone());
            self.mistakes.push(more.help("correct the first ones and run it again"));
        }
        (self.mistakes, self.warnings)
    }
}
