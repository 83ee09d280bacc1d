//! Whether the rows of a series that were read are enough to know the verdicts that are reported.

use super::{Evaluated, View, rejects};
use crate::checks::{Finding, Stage};
use crate::engine::flagged::Flagged;
use crate::engine::frame::{Frame, Layout};
use crate::engine::program::Program;
use crate::engine::scope::{Need, Scope};

/// Whether what `program` makes of `frame`, which begins with the first row that was read, is what it makes of all of the
/// series, as far as it is reported: before and after the rows that count there are as many bars as the rules need, and no
/// run that is reported may have begun before.
pub fn is_certain(
    program: &Program,
    layout: &Layout,
    frame: &Frame,
    key: &str,
    evaluated: &Evaluated,
    scope: Scope,
) -> bool {
    let time = frame.time(layout);
    let from = time.partition_point(|time| *time < scope.since);
    if time.is_empty() {
        return true;
    }
    let facts = frame.facts(layout, &program.facts, key);
    let view = View::of_all((program, layout), frame, key, &facts);
    let mut rejected = vec![false; frame.rows()];
    // What a rule about the series finds hides no row from another one.
    let of_row = |flagged: &&Flagged| {
        let rule = program.rules.rules.get(flagged.rule);
        rejects(program, flagged) && rule.is_none_or(|rule| !matches!(rule.kind.stage(), Stage::Series | Stage::Copies))
    };
    for flagged in evaluated.flagged.iter().filter(of_row) {
        flagged.rows.iter().for_each(|row| rejected[row] = true);
    }
    let of_rows = Need::of_rows(&program.rules, &program.bars);
    program.running().all(|(index, rule)| {
        let Some(need) = Need::of(rule, &program.rules, &program.bars) else { return true };
        let counted = Counted { view: &view, rule: index, rejected: &rejected };
        let (before, after) = (need.before + of_rows.before, need.after + of_rows.after);
        let until = time.partition_point(|time| *time < scope.changed);
        !evaluated.totals[index].on_all
            && counted.are_at_least(before, (0..from).rev())
            && (scope.changed <= scope.since || counted.are_at_least(after, from..until))
            && counted.are_begun(
                evaluated.flagged.iter().filter(|flagged| flagged.rule == index),
                need.least,
                scope.since,
            )
    })
}

/// The bars of a series that count for one rule.
struct Counted<'a> {
    view: &'a View<'a>,
    rule: usize,
    rejected: &'a [bool],
}

impl Counted<'_> {
    /// Whether all of `found` that end at or after `since` begin behind the first `least` bars. Findings that a rule may
    /// merge, and that follow each other by fewer bars than that, count as one.
    fn are_begun<'f>(&self, found: impl Iterator<Item = &'f Flagged>, least: usize, since: i64) -> bool {
        if least == 0 {
            return true;
        }
        let View { program, layout, frame, .. } = *self.view;
        let time = frame.time(layout);
        let merges = !program.rules.rules[self.rule].check.merged().is_empty();
        let mut spans: Vec<(usize, usize)> = Vec::new();
        for flagged in found {
            let Finding { time: start, time_until, .. } = &flagged.finding;
            let place = |at: i64| time.partition_point(|time| *time < at);
            let first = flagged.rows.first().or(start.map(place));
            let last = flagged.rows.iter().last().max(time_until.or(*start).map(place));
            // What is about no bar and no time lies nowhere.
            if let (Some(first), Some(last)) = (first, last) {
                spans.push((first, last.max(first)));
            }
        }
        spans.sort_unstable();
        let from = time.partition_point(|time| *time < since);
        let seen = self.seen_before(frame.rows());
        let near =
            |one: usize, other: usize| merges && seen[other.min(frame.rows())] - seen[one.min(frame.rows())] < least;
        let mut chains: Vec<(usize, usize)> = Vec::new();
        for (first, last) in spans {
            match chains.last_mut() {
                Some((_, end)) if near(*end, first) => *end = last.max(*end),
                _ => chains.push((first, last)),
            }
        }
        chains.iter().all(|(first, last)| *last < from || seen[*first] >= least)
    }

    /// How many rows that the rule sees lie before each row, and before the end.
    fn seen_before(&self, rows: usize) -> Vec<usize> {
        let View { program, layout, frame, .. } = *self.view;
        let chosen = self.view.chosen(frame, &program.rules.rules[self.rule]);
        let time = frame.time(layout);
        let (mut count, mut before) = (0, None);
        let mut seen = Vec::with_capacity(rows + 1);
        for row in 0..rows {
            seen.push(count);
            let visible = !self.rejected[row] && chosen.as_ref().is_none_or(|chosen| chosen.value(row));
            if visible && (time.get(row).is_none() || before.replace(time[row]) != Some(time[row])) {
                count += 1;
            }
        }
        seen.push(count);
        seen
    }

    /// Whether there are `least` different ones among `rows`.
    fn are_at_least(&self, least: usize, rows: impl Iterator<Item = usize>) -> bool {
        if least == 0 {
            return true;
        }
        let View { program, layout, frame, .. } = *self.view;
        let rule = &program.rules.rules[self.rule];
        let chosen = self.view.chosen(frame, rule);
        let parts = self.view.parts(self.rule, None);
        let series = frame.series(layout, self.view.key, &parts);
        let check = rule.check_of(frame.text(layout.keys.first().copied(), 0));
        let counts = |row: &usize| {
            !self.rejected[*row]
                && chosen.as_ref().is_none_or(|chosen| chosen.value(*row))
                && check.counts(&series, *row)
                && rule.excuses.counts(&series, *row)
        };
        let mut left = least;
        let mut before = None;
        for row in rows.filter(counts) {
            if before.replace(series.time[row]) != Some(series.time[row]) {
                left -= 1;
            }
            if left == 0 {
                return true;
            }
        }
        false
    }
}
