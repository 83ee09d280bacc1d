//! All rules over one series, in the two levels of [`crate::decide`]: parse errors and rules about single rows first,
//! then rules about the series, over one copy of each bar.

use std::cell::Cell;
use std::time::Instant;

use arrow::array::{Array, BooleanArray};
use arrow::error::ArrowError;

use super::flagged::Flagged;
use super::frame::{Frame, Layout, Parts};
use super::parse_errors;
use super::program::{Gathers, Program};
use crate::checks::{Finding, FindingSink, OtherBar, SHIFTED, Stage, Standing, Totals, is_identical};
use crate::config::Rule;
use crate::decide::Copies;
use crate::decide::{Action, Severity};
use crate::market::facts::SeriesFacts;

/// So many copies of one bar are evaluated at most; what is left of more is not moved by rules about the series.
const MOST_COPIES: usize = 32;

/// What the rules made of one series.
#[derive(Debug, Default)]
pub struct Evaluated {
    /// The findings: of single rows, of the series, of copies.
    pub flagged: Vec<Flagged>,
    /// Counts by rule, [`Program::parse_error`] last.
    pub totals: Vec<Totals>,
    /// What rules across series noted of it.
    pub notes: Vec<RuleNote>,
    /// How long each rule took, in ns, by rule; the expressions of a rule are evaluated before, for many series at once.
    pub nanos: Vec<u64>,
}

/// Runs every rule of `program` over `frame`, the series `key`; rows before `since`, µs UTC, are evaluated because verdicts
/// about later ones depend on them, and are not counted.
pub fn evaluate(
    program: &Program,
    layout: &Layout,
    frame: &Frame,
    of: (&str, Option<i64>),
) -> Result<Evaluated, ArrowError> {
    let spent = vec![Cell::new(0); program.parse_error() + 1];
    let evaluated = evaluate_in((program, layout), frame, of, &spent)?;
    Ok(Evaluated { nanos: spent.into_iter().map(Cell::into_inner).collect(), ..evaluated })
}

fn evaluate_in(
    (program, layout): (&Program, &Layout),
    frame: &Frame,
    (key, since): (&str, Option<i64>),
    spent: &[Cell<u64>],
) -> Result<Evaluated, ArrowError> {
    let facts = frame.facts(layout, &program.facts, key);
    let all = View { since, spent, ..View::of_all((program, layout), frame, key, &facts) };
    let mut totals = vec![Totals::default(); program.parse_error() + 1];
    let mut flagged = Vec::new();
    if program.by.is_some() {
        // Rows that lack the symbol are not those of one.
        if layout.keys.iter().any(|key| frame.text(Some(*key), 0).is_none()) {
            return Ok(Evaluated { flagged, totals, ..Evaluated::default() });
        }
        all.run(Stage::Sources, &mut totals, &mut flagged)?;
        return Ok(Evaluated { flagged, totals, ..Evaluated::default() });
    }
    match &program.gathers {
        Gathers::Nothing => {}
        Gathers::Peers => {
            return Ok(Evaluated { flagged, totals, notes: all.values_for_peers()?, ..Evaluated::default() });
        }
        Gathers::Bars { by_session } => {
            return Ok(Evaluated { flagged, totals, notes: all.bars_for_another(*by_session), ..Evaluated::default() });
        }
    }
    all.run(Stage::Row, &mut totals, &mut flagged)?;
    parse_errors::add(program, layout, frame, &mut flagged);
    let before = since.map_or(0, |since| frame.time(layout).partition_point(|time| *time < since));
    totals[program.parse_error()].evaluated = (frame.rows() - before) as u64;

    // Rows that belong to no series are no series: each is reported, and nothing is said of them together.
    if parse_errors::add_keyless(program, layout, frame, &mut flagged) {
        return Ok(Evaluated { flagged, totals, ..Evaluated::default() });
    }
    let displaced = all.displaced(&flagged);
    let all = View { displaced: &displaced, ..all };
    let notes = all.notes()?;
    all.run(Stage::Sources, &mut totals, &mut flagged)?;
    let time = frame.time(layout);
    let distinct = time.windows(2).all(|pair| pair[0] != pair[1]);
    if distinct && !flagged.iter().any(|finding| rejects(program, finding)) {
        all.run(Stage::Series, &mut totals, &mut flagged)?;
        all.run(Stage::Copies, &mut totals, &mut flagged)?;
        return Ok(Evaluated { flagged, totals, notes, ..Evaluated::default() });
    }
    let mut copies = Copies::new(time, all.standing(&flagged), program.keeps_last());
    all.series_rules(&mut copies, &mut totals, &mut flagged)?;
    let before = flagged.len();
    View { standing: copies.standing(), ..all }.run(Stage::Copies, &mut totals, &mut flagged)?;
    let moved = all.moved(&flagged[before..]);
    for row in copies.last_of_their_bars(&moved) {
        let findings = flagged[before..].iter_mut().filter(|flagged| flagged.rows.first() == Some(row));
        findings.for_each(|flagged| flagged.finding.report_only = true);
    }
    // Which of several copies is the bad one, a rule may say that does not run here.
    if program.skips_rules_that_move() {
        let differ = flagged[before..].iter_mut().filter(|flagged| !is_identical(flagged.finding.cause));
        differ.for_each(|flagged| flagged.finding.report_only = true);
    }
    Ok(Evaluated { flagged, totals, notes, ..Evaluated::default() })
}

/// Whether the rows of a finding of level 1 are rejected: it is an error, or they are to leave the source for it.
fn rejects(program: &Program, finding: &Flagged) -> bool {
    let (severity, action) = program.levels(finding.rule);
    severity == Severity::Error || action > Action::Report
}

pub mod certainty;
mod notes;

pub use notes::RuleNote;

/// One series in front of the rules.
#[derive(Clone, Copy)]
struct View<'a> {
    program: &'a Program,
    layout: &'a Layout,
    /// All rows of the series.
    whole: &'a Frame,
    /// The rows in sight.
    frame: &'a Frame,
    /// Their places in the whole; `None` where all are in sight.
    rows: Option<&'a [usize]>,
    key: &'a str,
    /// How each row in sight stands; empty but for rules about copies.
    standing: &'a [Standing],
    /// The facts of the series.
    facts: &'a SeriesFacts<'a>,
    /// Stretches in which rules about single rows reported displaced bars, by their first and last timestamps.
    displaced: &'a [(i64, i64)],
    /// Rows before it are not counted, µs UTC.
    since: Option<i64>,
    /// How long each rule took so far, in ns.
    spent: &'a [Cell<u64>],
}

impl<'a> View<'a> {
    /// All rows of the series `key`, before any rule has run.
    fn of_all(
        (program, layout): (&'a Program, &'a Layout),
        frame: &'a Frame,
        key: &'a str,
        facts: &'a SeriesFacts<'a>,
    ) -> Self {
        let (whole, standing, displaced, spent) = (frame, &[][..], &[][..], &[][..]);
        Self { program, layout, whole, frame, rows: None, key, standing, facts, displaced, since: None, spent }
    }
}

impl View<'_> {
    /// How each row stands after parse errors and rules about single rows.
    fn standing(&self, flagged: &[Flagged]) -> Vec<Standing> {
        let mut standing = vec![Standing::Good(0); self.frame.rows()];
        for finding in flagged {
            let rejects = rejects(self.program, finding);
            for row in finding.rows.iter() {
                standing[row] = match standing[row] {
                    Standing::Good(findings) if !rejects => Standing::Good(findings + 1),
                    _ => Standing::Rejected,
                };
            }
        }
        standing
    }

    /// Runs the rules about the series over one copy of each bar, and again with another copy in the place of each that
    /// they move.
    fn series_rules(
        &self,
        copies: &mut Copies<'_>,
        totals: &mut [Totals],
        flagged: &mut Vec<Flagged>,
    ) -> Result<(), ArrowError> {
        let mut of_replaced: Vec<Flagged> = Vec::new();
        for round in 1.. {
            let (mut found, mut counts) = (Vec::new(), vec![Totals::default(); totals.len()]);
            let rows = copies.shown().to_vec();
            let frame = self.frame.narrow(self.layout, &mask(self.frame.rows(), &rows))?;
            View { frame: &frame, rows: Some(&rows), ..*self }.run(Stage::Series, &mut counts, &mut found)?;
            let moved = self.moved(&found);
            let replaced =
                if round < MOST_COPIES { copies.replace(&moved, self.program.keeps_last()) } else { Vec::new() };
            if replaced.is_empty() {
                copies.conclude(&moved);
                for (total, last) in totals.iter_mut().zip(counts) {
                    *total += last;
                }
                flagged.append(&mut found);
                break;
            }
            // What moved a copy stays true of it; the rest is found again, or not, with the other copy in its place.
            found.retain_mut(|finding| finding.rows.retain(|row| replaced.binary_search(&row).is_ok()));
            of_replaced.append(&mut found);
        }
        for finding in &of_replaced {
            let counted = finding.rows.iter().filter(|row| self.is_counted(*row));
            totals[finding.rule].evaluated += counted.count() as u64;
        }
        flagged.append(&mut of_replaced);
        Ok(())
    }

    /// Whether `row` of the frame is counted.
    fn is_counted(&self, row: usize) -> bool {
        let time = self.frame.time_of(self.layout, row);
        self.since.is_none_or(|since| time.is_none_or(|time| time >= since))
    }

    /// The stretches in which bars are displaced, by findings of rules about single rows that merge them.
    fn displaced(&self, flagged: &[Flagged]) -> Vec<(i64, i64)> {
        let merged = |flagged: &&Flagged| {
            let rule = self.program.rules.rules.get(flagged.rule);
            flagged.finding.cause == Some(SHIFTED) && rule.is_some_and(|rule| rule.check.merged().contains(&SHIFTED))
        };
        let span = |flagged: &Flagged| {
            let first = self.frame.time_of(self.layout, flagged.rows.first()?)?;
            Some((first, flagged.finding.time_until?))
        };
        flagged.iter().filter(merged).filter_map(span).collect()
    }

    /// The rows that are to leave the source by `found`, ascending.
    fn moved(&self, found: &[Flagged]) -> Vec<usize> {
        let moves = found.iter().filter(|finding| finding.action(self.program) > Action::Report);
        let mut rows: Vec<usize> = moves.flat_map(|finding| finding.rows.iter()).collect();
        rows.sort_unstable();
        rows.dedup();
        rows
    }

    /// Runs the rules of `stage` over the rows in sight.
    fn run(&self, stage: Stage, totals: &mut [Totals], out: &mut Vec<Flagged>) -> Result<(), ArrowError> {
        let rules = self.program.running();
        // Once a rule and series, not once a row: it must cost nothing that a run notices.
        let mut began = Instant::now();
        for (index, rule) in
            rules.filter(|(_, rule)| rule.kind.stage() == stage && rule.check.by() == self.program.by.as_ref())
        {
            let condition = self.chosen(self.frame, rule);
            let from = out.len();
            totals[index] += match condition {
                Some(mask) if mask.true_count() < self.frame.rows() => {
                    let chosen: Vec<usize> = mask.values().set_indices().collect();
                    let frame = self.frame.narrow(self.layout, &mask)?;
                    let standing: Vec<Standing> =
                        chosen.iter().filter_map(|row| self.standing.get(*row)).copied().collect();
                    let rows: Vec<usize> = chosen.into_iter().map(|row| self.place(row)).collect();
                    let view = View { frame: &frame, rows: Some(&rows), standing: &standing, ..*self };
                    view.check(index, rule, out)
                }
                _ => self.check(index, rule, out),
            };
            let mut kept = out.split_off(from);
            kept.retain_mut(|flagged| self.within_validity(rule, flagged));
            out.append(&mut kept);
            let now = Instant::now();
            let took = u64::try_from((now - began).as_nanos()).unwrap_or(u64::MAX);
            self.spent[index].set(self.spent[index].get().saturating_add(took));
            began = now;
        }
        Ok(())
    }

    /// The bars of the symbol in the job that the rule at `rule` compares with.
    fn other(&self, rule: usize) -> &[OtherBar] {
        let Some(others) = self.program.others.get(&rule) else { return &[] };
        self.whole.text(self.layout.keys.first().copied(), 0).map_or(&[], |symbol| others.of(symbol))
    }

    /// The rows of `frame` that `rule` is about by its condition and the part of a session that it chooses; `None` where it is
    /// about all of them.
    fn chosen(&self, frame: &Frame, rule: &Rule) -> Option<BooleanArray> {
        let condition = rule.condition.map(|slot| selected(frame, self.layout, slot));
        let Some(part) = &rule.part else { return condition };
        let time = frame.time(self.layout);
        let holds = |row: usize| {
            let of_part = time.get(row).is_some_and(|time| part.holds(*time));
            of_part && condition.as_ref().is_none_or(|condition| condition.value(row))
        };
        Some(BooleanArray::from((0..frame.rows()).map(holds).collect::<Vec<bool>>()))
    }

    /// The rows that `rule` is about by its condition and its validity; `None` where it is about all of them.
    fn concerned(&self, rule: &Rule) -> Option<BooleanArray> {
        let chosen = self.chosen(self.frame, rule);
        if chosen.is_none() && rule.from.is_none() && rule.until.is_none() {
            return None;
        }
        let valid = |row: usize| {
            let time = self.frame.time_of(self.layout, row);
            time.is_none_or(|time| {
                rule.from.is_none_or(|from| time >= from) && rule.until.is_none_or(|until| time < until)
            })
        };
        let holds = |row: usize| chosen.as_ref().is_none_or(|chosen| chosen.value(row)) && valid(row);
        Some((0..self.frame.rows()).map(|row| Some(holds(row))).collect())
    }

    /// The rows in sight as the check of the rule at `rule` sees them.
    fn parts<'p>(&'p self, rule: usize, present: Option<&'p [i64]>) -> Parts<'p> {
        Parts {
            columns: self.frame.columns(self.layout),
            written: self.frame.written(self.layout),
            expressions: self.frame.expressions(self.layout),
            present: present.unwrap_or_else(|| self.frame.time(self.layout)),
            standing: self.standing,
            facts: self.facts,
            peers: self.program.peers.get(&rule),
            other: self.other(rule),
            displaced: self.displaced,
            open_days: self.program.open_days.get(&rule).map_or(&[], Vec::as_slice),
            since: self.since,
        }
    }

    /// Runs one rule over the rows in sight.
    fn check(&self, index: usize, rule: &Rule, out: &mut Vec<Flagged>) -> Totals {
        let present = self.present(rule);
        let parts = self.parts(index, present.as_deref());
        let mut sink = FindingSink::default();
        let check = rule.check_of(self.whole.text(self.layout.keys.first().copied(), 0));
        let series = self.frame.series(self.layout, self.key, &parts);
        check.check(&series, &mut sink);
        let of_merged = rule.causes.iter().any(|cause| check.merged().contains(cause));
        if !of_merged {
            sink.findings.retain(|finding| rule.is_about(finding));
        }
        rule.excuses.apply(&series, &mut sink);
        check.merge(&series, &mut sink);
        if of_merged {
            sink.findings.retain(|finding| rule.is_about(finding));
        }
        out.extend(sink.findings.into_iter().map(|finding| Flagged::new(index, finding, self.rows)));
        sink.totals
    }

    /// Timestamps of the rows that `rule` is about, also of those that are not in sight; `None` where these are all.
    fn present(&self, rule: &Rule) -> Option<Vec<i64>> {
        if self.rows.is_none() || rule.kind.stage() != Stage::Series {
            return None;
        }
        let time = self.whole.time(self.layout);
        let Some(holds) = self.chosen(self.whole, rule) else { return Some(time.to_vec()) };
        Some(time.iter().enumerate().filter(|(row, _)| holds.value(*row)).map(|(_, time)| *time).collect())
    }

    fn place(&self, row: usize) -> usize {
        self.rows.map_or(row, |rows| rows[row])
    }

    /// Leaves out the rows that lie outside of the validity of `rule`; returns whether the finding stands. Rows without
    /// a timestamp always lie within it, and a gap does where any of it does.
    fn within_validity(&self, rule: &Rule, flagged: &mut Flagged) -> bool {
        if rule.from.is_none() && rule.until.is_none() {
            return true;
        }
        let begun = |time: i64| rule.from.is_none_or(|from| time >= from);
        let not_over = |time: i64| rule.until.is_none_or(|until| time < until);
        if flagged.rows.first().is_none() {
            let Finding { time, time_until, .. } = flagged.finding;
            return time.is_none_or(not_over) && time_until.or(time).is_none_or(begun);
        }
        let time_of = |row| self.whole.time_of(self.layout, row);
        flagged.rows.retain(|row| time_of(row).is_none_or(|time| begun(time) && not_over(time)))
    }
}

/// Rows of `frame` that the condition in `slot` selects; NULL does not.
fn selected(frame: &Frame, layout: &Layout, slot: usize) -> BooleanArray {
    let mask = frame.expressions(layout)[slot];
    match mask.nulls() {
        Some(nulls) => BooleanArray::new(mask.values() & nulls.inner(), None),
        None => mask.clone(),
    }
}

fn mask(length: usize, rows: &[usize]) -> BooleanArray {
    let mut mask = vec![false; length];
    for row in rows {
        mask[*row] = true;
    }
    BooleanArray::from(mask)
}

#[cfg(test)]
mod tests;
