//! From the findings of one series to the rows that leave the operator, with identities that are stable over runs.

use std::borrow::Cow;
use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::error::ArrowError;

use super::around::Around;
use super::counts::{RuleCounts, SeriesCounts};
use super::evaluation::Evaluated;
use super::flagged::Flagged;
use super::frame::{Frame, Layout};
use super::identity::{content, digest, identity, tied};
use super::metrics::{self, Month};
use super::program::{Gathers, Program};
use super::records::{Counted, Record, RecordBuilder, Row};
use super::trading_date::session;
use crate::bars::DAY_US;
use crate::checks::Totals;
use crate::decide::Action;
use crate::decide::{RowTotals, Verdict, verdicts};
use crate::market::zone::local_day;

/// Collects output rows over many series.
#[derive(Debug)]
pub struct Emitter {
    program: Arc<Program>,
    layout: Arc<Layout>,
    builder: RecordBuilder,
    around: Around,
    /// Fields whose values identify a row, where the bars have them: open, high, low, close, volume.
    identity: Vec<usize>,
}

impl Emitter {
    /// An emitter for the output of `program`.
    pub fn new(program: Arc<Program>, layout: Arc<Layout>) -> Self {
        let around = Around::new(&program, &layout);
        let identity = around.fields().collect();
        Self { program, layout, builder: RecordBuilder::default(), around, identity }
    }

    /// Rows collected so far.
    pub fn rows(&self) -> usize {
        self.builder.len()
    }

    /// The rows so far; none are left.
    pub fn finish(&mut self) -> Result<RecordBatch, ArrowError> {
        self.builder.finish()
    }

    /// Takes what the rules made of one series; only what is at or after `since`, µs UTC, or has no timestamp, where that is
    /// said.
    pub fn emit(&mut self, key: &str, frame: &Frame, evaluated: &Evaluated, since: Option<i64>) {
        if self.program.by.is_some() {
            // Its rows are counted where each series is evaluated by itself.
            for flagged in &evaluated.flagged {
                let row = flagged.finding.at.unwrap_or(0);
                self.finding(&frame.series_key(&self.layout, row), frame, flagged, &mut BTreeMap::new());
            }
            return self.rule_counts((key, 0), frame, evaluated);
        }
        if self.program.gathers != Gathers::Nothing {
            return self.notes(key, frame, evaluated);
        }
        let Some(since) = since else { return self.rows_from(0, key, frame, evaluated) };
        let from = frame.time(&self.layout).partition_point(|time| *time < since);
        let reported = |flagged: &&Flagged| self.ends(frame, flagged).is_none_or(|end| end >= since);
        let flagged = evaluated.flagged.iter().filter(reported).cloned().collect();
        let (totals, notes, nanos) = (evaluated.totals.clone(), evaluated.notes.clone(), evaluated.nanos.clone());
        self.rows_from(from, key, frame, &Evaluated { flagged, totals, notes, nanos });
    }

    /// Emits what was found, and what becomes of the rows from `from` on; those before are there for what follows.
    fn rows_from(&mut self, from: usize, key: &str, frame: &Frame, evaluated: &Evaluated) {
        let verdicts = self.verdicts(frame, evaluated);
        let mut row_keys = BTreeMap::new();
        for flagged in &evaluated.flagged {
            self.finding(key, frame, flagged, &mut row_keys);
        }
        self.moves((key, from), frame, evaluated, &verdicts, &mut row_keys);
        self.rule_counts((key, from), frame, evaluated);
        self.notes(key, frame, evaluated);
        self.series_counts((key, from), frame, verdicts.get(from..).unwrap_or_default());
        self.months((key, from), frame);
    }

    /// The last timestamp that a finding is about; `None` where it is about a row without one.
    fn ends(&self, frame: &Frame, flagged: &Flagged) -> Option<i64> {
        let last = flagged.rows.iter().last();
        let of_row = last.and_then(|row| frame.time_of(&self.layout, row));
        match last {
            Some(_) => of_row,
            None => flagged.finding.time_until.or(flagged.finding.time),
        }
    }

    /// Says of a series that more of its rows have to be read than were.
    pub fn longer(&mut self, key: &str, frame: &Frame) {
        let (record, symbol) = (Record::Longer, self.symbol(frame));
        self.builder.push(&Row { record, series: key, symbol, ..Row::default() });
    }

    /// Says of a series that it is to be read again with all fields of its source.
    pub fn put_off(&mut self, key: &str, frame: &Frame) {
        let (record, symbol) = (Record::Again, self.symbol(frame));
        for file in frame.files(&self.layout) {
            self.builder.push(&Row { record, series: key, symbol, locator: Some((file, 0)), ..Row::default() });
        }
    }

    fn symbol<'a>(&self, frame: &'a Frame) -> Option<&'a str> {
        frame.text(self.layout.keys.first().copied(), 0)
    }

    fn finding(&mut self, key: &str, frame: &Frame, flagged: &Flagged, keys: &mut BTreeMap<usize, String>) {
        let first = flagged.rows.first();
        let place = first.or(flagged.finding.at);
        let time = match first {
            Some(row) => frame.time_of(&self.layout, row),
            None => flagged.finding.time,
        };
        let row_key = match first {
            Some(row) => self.row_key(key, frame, row, keys).clone(),
            None => digest(&[key.as_bytes(), &time.unwrap_or_default().to_le_bytes(), b"gap"]),
        };
        let finding_id = self.finding_id(flagged, &row_key);
        // Each row is decided by itself; the finding has the action of those of its rows that are old enough.
        let movable = first.is_none() || flagged.rows.iter().any(|row| self.may_move(frame, row));
        let action = if movable { flagged.action(&self.program) } else { Action::Report };
        self.builder.push(&Row {
            record: Record::Finding,
            rule: Some(flagged.rule),
            series: key,
            symbol: self.symbol(frame),
            finding_id: Some(&finding_id),
            row_key: Some(&row_key),
            time,
            time_until: flagged.finding.time_until,
            session: time.and_then(|time| session(&self.program, time)),
            locator: place.map(|row| frame.locator(&self.layout, row)),
            id: place.and_then(|row| frame.id(&self.layout, row)),
            action: Some(action as i8),
            finding: Some(&flagged.finding),
            observed_text: place.and_then(|row| self.exact_text(frame, flagged, row)).as_deref(),
            bar: place.map(|row| self.around.bar(frame, row)),
            provisional: Some(!movable),
            ..Row::default()
        });
        // Sources of one symbol stand together in their frame: what is around a bar there is not its series.
        if self.program.by.is_none() {
            self.bars_around(key, frame, flagged, &finding_id);
        }
    }

    fn bars_around(&mut self, key: &str, frame: &Frame, flagged: &Flagged, finding_id: &str) {
        let time = frame.time(&self.layout);
        for around in self.around.of(flagged, time) {
            let time = time.get(around.row).copied();
            self.builder.push(&Row {
                record: Record::Bar,
                rule: Some(flagged.rule),
                series: key,
                symbol: self.symbol(frame),
                finding_id: Some(finding_id),
                time,
                session: time.and_then(|time| session(&self.program, time)),
                bar: Some(self.around.bar(frame, around.row)),
                offset: Some(around.offset),
                flagged: Some(around.flagged),
                ..Row::default()
            });
        }
    }

    /// The observed number as the source writes it; also one that no table of numbers shows, whatever the source is.
    fn exact_text<'a>(&self, frame: &'a Frame, flagged: &Flagged, row: usize) -> Option<Cow<'a, str>> {
        let field = flagged.finding.field.as_deref().filter(|_| flagged.finding.observed_text.is_none())?;
        let (index, _) = self.program.bars.field(field)?;
        let written = frame.text(self.layout.fields[index].text, row).map(Cow::Borrowed);
        let shown = || {
            frame.number(index, row).filter(|number| !number.is_finite()).map(|number| Cow::Owned(number.to_string()))
        };
        written.or_else(shown)
    }

    fn moves(
        &mut self,
        (key, from): (&str, usize),
        frame: &Frame,
        evaluated: &Evaluated,
        verdicts: &[Verdict],
        keys: &mut BTreeMap<usize, String>,
    ) {
        let mut found: BTreeMap<usize, Vec<&Flagged>> = BTreeMap::new();
        for flagged in &evaluated.flagged {
            let moves = |row: &usize| *row >= from && verdicts.get(*row).is_some_and(|verdict| verdict.moves());
            for row in flagged.rows.iter().filter(moves) {
                found.entry(row).or_default().push(flagged);
            }
        }
        for (row, mut found) in found {
            // The strongest decides, of equal ones the first.
            found.sort_by_key(|flagged| Reverse(flagged.action(&self.program)));
            for flagged in found {
                self.moved(key, frame, (row, flagged), keys);
            }
        }
    }

    fn moved(
        &mut self,
        key: &str,
        frame: &Frame,
        (row, flagged): (usize, &Flagged),
        keys: &mut BTreeMap<usize, String>,
    ) {
        let row_key = self.row_key(key, frame, row, keys).clone();
        let first = flagged.rows.first().unwrap_or(row);
        let finding_id = self.finding_id(flagged, self.row_key(key, frame, first, keys));
        let action = flagged.action(&self.program);
        self.builder.push(&Row {
            record: Record::Move,
            rule: Some(flagged.rule),
            series: key,
            symbol: self.symbol(frame),
            finding_id: Some(&finding_id),
            row_key: Some(&row_key),
            time: frame.time_of(&self.layout, row),
            locator: Some(frame.locator(&self.layout, row)),
            action: Some(action as i8),
            ..Row::default()
        });
    }

    /// Identity of a finding: job, rule, row or gap, field and cause.
    fn finding_id(&self, flagged: &Flagged, row_key: &str) -> String {
        identity(&self.program, flagged.rule, &flagged.finding, row_key)
    }

    /// Whether a row is old enough to be moved.
    fn may_move(&self, frame: &Frame, row: usize) -> bool {
        match (self.program.movable_before, frame.time_of(&self.layout, row)) {
            (Some(limit), Some(time)) => time < limit,
            _ => true,
        }
    }

    /// The verdict of every row; empty where no row has a finding. A row within the grace time is only reported.
    fn verdicts(&self, frame: &Frame, evaluated: &Evaluated) -> Vec<Verdict> {
        if evaluated.flagged.iter().all(|flagged| flagged.rows.first().is_none()) {
            return Vec::new();
        }
        let found = evaluated.flagged.iter().map(|flagged| flagged.found(&self.program));
        verdicts(frame.rows(), found, |row| self.may_move(frame, row))
    }

    fn notes(&mut self, key: &str, frame: &Frame, evaluated: &Evaluated) {
        for note in &evaluated.notes {
            self.builder.push(&Row {
                record: Record::Note,
                rule: Some(note.rule),
                series: key,
                symbol: self.symbol(frame),
                locator: note.locator,
                id: note.id.as_deref(),
                note: Some(&note.bytes),
                ..Row::default()
            });
        }
    }

    fn rule_counts(&mut self, (key, from): (&str, usize), frame: &Frame, evaluated: &Evaluated) {
        let program = Arc::clone(&self.program);
        for (rule, totals) in evaluated.totals.iter().enumerate().filter(|(rule, _)| program.runs(*rule)) {
            let count = |value: u64| i64::try_from(value).unwrap_or(i64::MAX);
            let mut counts = RuleCounts {
                evaluated: count(totals.evaluated),
                insufficient: count(totals.insufficient),
                excused: count(totals.excused),
                stepped_over: count(self.stepped_over(rule, (frame.rows() - from) as u64, totals)),
                ..RuleCounts::default()
            };
            let mut span: Option<(i64, i64)> = None;
            let mut observed: Option<(f64, f64)> = None;
            let mut rows: Vec<usize> = Vec::new();
            for flagged in evaluated.flagged.iter().filter(|flagged| flagged.rule == rule) {
                counts.findings += 1;
                counts.bars += count(flagged.finding.bars_affected);
                rows.extend(flagged.rows.iter().filter(|row| *row >= from));
                let row = flagged.rows.first();
                let time = row.map_or(flagged.finding.time, |row| frame.time_of(&self.layout, row));
                if let Some(time) = time {
                    span = Some(span.map_or((time, time), |(lo, hi)| (lo.min(time), hi.max(time))));
                }
                if let Some(value) = flagged.finding.observed.filter(|value| !value.is_nan()) {
                    observed = Some(observed.map_or((value, value), |(lo, hi)| (lo.min(value), hi.max(value))));
                }
            }
            // A row with several findings of one rule, e.g. in several fields, is one row.
            rows.sort_unstable();
            rows.dedup();
            counts.rows = count(rows.len() as u64);
            self.builder.push(&Row {
                record: Record::Rule,
                rule: Some(rule),
                series: key,
                time: span.map(|(first, _)| first),
                time_until: span.map(|(_, last)| last),
                observed,
                counts: Some(Counted::Rule(counts)),
                nanos: evaluated.nanos.get(rule).map(|nanos| count(*nanos)),
                ..Row::default()
            });
            self.builder.push_excuses(rule, key, &totals.excused_by);
        }
    }

    /// How many of `rows` the rule did not look at; bars that are missing are no rows.
    fn stepped_over(&self, rule: usize, rows: u64, totals: &Totals) -> u64 {
        let of_rows = self.program.rules.rules.get(rule).is_none_or(|rule| rule.kind.flags_rows());
        let looked_at = totals.evaluated + totals.insufficient + totals.excused;
        if of_rows { rows.saturating_sub(looked_at) } else { 0 }
    }

    fn series_counts(&mut self, (key, from): (&str, usize), frame: &Frame, verdicts: &[Verdict]) {
        let totals = match verdicts {
            [] => RowTotals::clean((frame.rows() - from) as u64),
            verdicts => RowTotals::count(verdicts),
        };
        let count = |value: u64| i64::try_from(value).unwrap_or(i64::MAX);
        let time = &frame.time(&self.layout)[from..];
        let counts = SeriesCounts {
            context: count(from as u64),
            read: count(totals.read),
            clean: count(totals.clean),
            flagged: count(totals.flagged),
            to_quarantine: count(totals.to_quarantine),
            to_delete: count(totals.to_delete),
            parse_errors: count(totals.parse_errors),
            sessions: self.sessions(time),
        };
        self.builder.push(&Row {
            record: Record::Series,
            series: key,
            symbol: self.symbol(frame),
            time: time.first().copied(),
            time_until: time.last().copied(),
            counts: Some(Counted::Series(counts)),
            ..Row::default()
        });
    }

    /// Different trading dates among the timestamps, which ascend.
    fn sessions(&self, time: &[i64]) -> i64 {
        let zone = self.program.bars.time.zone;
        let daily = self.program.bars.daily();
        let day = |time: i64| if daily { time.div_euclid(DAY_US) } else { i64::from(local_day(zone, time)) };
        let mut days = 0;
        let mut previous = None;
        for day in time.iter().map(|time| day(*time)) {
            if previous != Some(day) {
                days += 1;
                previous = Some(day);
            }
        }
        days
    }

    fn months(&mut self, (key, from): (&str, usize), frame: &Frame) {
        // A month that begins before is not known as a whole.
        let since = from.checked_sub(1).map(|before| frame.time(&self.layout)[before]);
        let begins = |month: &Month| i64::from(month.month) * DAY_US;
        let mut months = metrics::months(&self.program, &self.layout, frame);
        months.retain(|month| since.is_none_or(|since| begins(month) > since));
        if !months.is_empty() {
            let note = Month::to_bytes(&months);
            self.builder.push(&Row { record: Record::Months, series: key, note: Some(&note), ..Row::default() });
        }
    }

    /// Identity of a row: series, timestamp as read or as text, prices and volume bit for bit, and how many equal rows
    /// come before it. Where it stands in the source is not part of it, so it survives files that are written again.
    ///
    /// All rows of one timestamp (or of none) are identified at once, so that many equal timestamps cost no more than few.
    fn row_key<'k>(&self, key: &str, frame: &Frame, row: usize, keys: &'k mut BTreeMap<usize, String>) -> &'k String {
        if !keys.contains_key(&row) {
            let mut copies: HashMap<Vec<u8>, usize> = HashMap::new();
            for row in tied(frame.time(&self.layout), frame.rows(), row) {
                let content = content(&self.layout, &self.identity, frame, row);
                let before = copies.get(&content).copied().unwrap_or(0);
                keys.insert(row, digest(&[key.as_bytes(), &content, &before.to_le_bytes()]));
                copies.insert(content, before + 1);
            }
        }
        keys.entry(row).or_default()
    }
}
