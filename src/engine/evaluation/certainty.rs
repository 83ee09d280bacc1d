//! Whether the rows of a series that were read are enough to know the verdicts that are reported.

use super::{Evaluated, View, rejects};
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
    if from == 0 && time.is_empty() {
        return true;
    }
    let facts = frame.facts(layout, &program.facts, key);
    let view = View {
        program,
        layout,
        whole: frame,
        frame,
        rows: None,
        key,
        standing: &[],
        facts: &facts,
        displaced: &[],
        since: None,
        // No rule is run here.
        spent: &[],
    };
    let mut rejected = vec![false; frame.rows()];
    for flagged in evaluated.flagged.iter().filter(|flagged| rejects(program, flagged)) {
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
            && begun(evaluated.flagged.iter().filter(|flagged| flagged.rule == index), time, (need.least, scope.since))
    })
}

/// Whether all of `found` that end at or after `since` begin behind the first `least` rows.
fn begun<'f>(mut found: impl Iterator<Item = &'f Flagged>, time: &[i64], (least, since): (usize, i64)) -> bool {
    found.all(|flagged| {
        let finding = &flagged.finding;
        let first = flagged.rows.first();
        let first = first.or(finding.time.map(|start| time.partition_point(|time| *time < start)));
        let last = flagged.rows.iter().last().and_then(|row| time.get(row).copied());
        let ends = last.max(finding.time_until).or(finding.time);
        least == 0 || first.is_none_or(|first| first >= least) || ends.is_some_and(|ends| ends < since)
    })
}

/// The bars of a series that count for one rule.
struct Counted<'a> {
    view: &'a View<'a>,
    rule: usize,
    rejected: &'a [bool],
}

impl Counted<'_> {
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
