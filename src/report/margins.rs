//! How far from the ends of a window a verdict depends on bars outside of it.
//!
//! A rule about a series looks at bars before and after a bar. Near an end of the window that has moved since the run
//! before, the two runs saw different bars, and what only one of them found is neither new nor fixed for sure.

use std::collections::{BTreeSet, HashMap};

use super::run::{RunMeta, Window};
use crate::bars::BarsSpec;
use crate::checks::{Context, LEAST_SESSIONS};
use crate::engine::distance::{bars_of_sessions, earlier, later};
use crate::engine::program::Program;
use crate::engine::scope;

/// The part of a window in which the verdicts of each rule do not depend on bars outside of it.
#[derive(Debug, Clone, Default)]
pub struct Margins {
    /// By index of the rule in the program; the parse error, which depends on nothing, is not among them.
    rules: Vec<Margin>,
    /// Of the findings that a rule merges, by index of the rule: their causes, and what they depend on.
    merged: Vec<(&'static [&'static str], Margin)>,
    ids: HashMap<String, usize>,
    /// Rules, by index, that do not run where only a part of the bars is read.
    needs_whole: BTreeSet<usize>,
    /// Rules, by index, that do not run.
    skipped: BTreeSet<usize>,
}

/// The same of one rule, µs UTC; an end that is open has none.
#[derive(Debug, Clone, Copy)]
struct Margin {
    /// Verdicts depend on all of the series: what one run found may be missing in the other anywhere.
    whole: bool,
    from: Option<i64>,
    /// Exclusive.
    to: Option<i64>,
}

/// What a run looks at, as far as that decides what it is compared with.
#[derive(Debug, Clone, Default)]
pub struct Coverage {
    /// Its window.
    pub window: Window,
    /// Whether it knows the bars before its window, so that its verdicts do not depend on where that begins.
    pub in_part: bool,
    /// Where its verdicts do not depend on bars outside of the window.
    pub margins: Margins,
}

impl Coverage {
    /// What the run `meta` of `program` looks at.
    pub fn of(program: &Program, meta: &RunMeta) -> Self {
        let margins = Margins::of(program, meta.window);
        Self { window: meta.window, in_part: meta.changed_since.is_some(), margins }
    }
}

/// Which ends of the window are not those of the run before.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Moved {
    pub(super) since: bool,
    pub(super) until: bool,
}

impl Margins {
    /// Those of the rules of `program` over `window`.
    pub fn of(program: &Program, window: Window) -> Self {
        let rules = program.rules.rules.iter();
        let bars = |before, after| Margin::new(&program.bars, window, (before, after), false);
        let margins = rules.clone().map(|rule| match rule.context() {
            // The first bar of a run of bars is not flagged: one that begins with the window shows at its second bar, and
            // may have begun before.
            Context::Whole | Context::Run { .. } | Context::Quiet { .. } => {
                Margin::new(&program.bars, window, (2, 2), true)
            }
            Context::Bars { before, after } => {
                let own = program.rules.expressions.iter().filter(|expression| expression.rule == rule.id);
                let reach = own.map(|expression| expression.reach);
                let wider =
                    |(before, after): (usize, usize), more: (usize, usize)| (before.max(more.0), after.max(more.1));
                let (before, after) = reach.fold((before, after), wider);
                bars(before, after)
            }
        });
        // One that begins with the window began before it, for all that is known, and shows within as many sessions as make
        // a stretch.
        let of_stretch = bars_of_sessions(&program.bars, LEAST_SESSIONS);
        let wide = Margin::new(&program.bars, window, (of_stretch, of_stretch), true);
        let merged = rules.clone().map(|rule| (rule.check.merged(), wide));
        let needs_whole =
            rules.clone().enumerate().filter(|(_, rule)| !scope::runs_in_part(rule, &program.rules, &program.bars));
        Self {
            needs_whole: needs_whole.map(|(index, _)| index).collect(),
            skipped: program.skipped.clone(),
            rules: margins.collect(),
            merged: merged.collect(),
            ids: rules.enumerate().map(|(index, rule)| (rule.id.to_string(), index)).collect(),
        }
    }

    /// Whether the rule `id` does not run where only a part of the bars is read.
    pub(super) fn needs_whole(&self, id: &str) -> bool {
        self.ids.get(id).is_some_and(|index| self.needs_whole.contains(index))
    }

    /// Whether this run would have found what the run before found by the rule `id` at `time`, were it there still.
    pub(super) fn would_find(&self, (id, cause): (&str, Option<&str>), time: Option<i64>, moved: Moved) -> bool {
        let index = self.ids.get(id);
        if index.is_some_and(|index| self.skipped.contains(index)) {
            return false;
        }
        let Some(margin) = index.and_then(|index| self.margin(*index, cause)) else { return true };
        !(margin.whole && (moved.since || moved.until)) && margin.holds(time, moved)
    }

    /// Whether the run before would have found what this run found by the rule with index `rule` at `time`, had it been
    /// there.
    pub(super) fn would_have_found(
        &self,
        (rule, cause): (usize, Option<&str>),
        time: Option<i64>,
        moved: Moved,
    ) -> bool {
        self.margin(rule, cause).is_none_or(|margin| margin.holds(time, moved))
    }

    /// That of findings of the rule with index `rule` that have `cause`.
    fn margin(&self, rule: usize, cause: Option<&str>) -> Option<Margin> {
        let merged = self.merged.get(rule).filter(|(causes, _)| cause.is_some_and(|cause| causes.contains(&cause)));
        merged.map(|(_, margin)| *margin).or_else(|| self.rules.get(rule).copied())
    }
}

impl Margin {
    fn new(bars: &BarsSpec, (since, until): Window, (before, after): (usize, usize), whole: bool) -> Self {
        let from = since.map(|since| later(bars, since, before));
        let to = until.map(|until| earlier(bars, until, after));
        Self { whole, from, to }
    }

    /// Whether a finding at `time` is far enough from the ends that moved.
    fn holds(&self, time: Option<i64>, moved: Moved) -> bool {
        let Some(time) = time else { return true };
        let after = !moved.since || self.from.is_none_or(|from| time >= from);
        let before = !moved.until || self.to.is_none_or(|to| time < to);
        after && before
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::market::DAY_US;

    fn day(text: &str) -> i64 {
        i64::from(text.parse::<chrono::NaiveDate>().unwrap().to_epoch_days()) * DAY_US
    }

    #[test]
    fn a_finding_that_merges_others_is_not_fixed_by_a_window_that_moved() {
        let margins = Margins::of(&crate::report::testing::program(), (Some(day("2024-01-02")), None));
        let moved = Moved { since: true, until: false };
        let time = Some(day("2024-06-03"));
        let fixed = |cause: &str, moved| margins.would_find(("gap", Some(cause)), time, moved);
        assert_eq!((fixed("unexplained", moved), fixed("shifted", moved)), (true, false));
        assert!(fixed("same-bars-missing", Moved::default()));
    }
}
