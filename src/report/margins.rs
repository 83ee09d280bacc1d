//! How far from the ends of a window a verdict depends on bars outside of it.
//!
//! A rule about a series looks at bars before and after a bar. Near an end of the window that has moved since the run
//! before, the two runs saw different bars, and what only one of them found is neither new nor fixed for sure.

use std::collections::HashMap;

use super::run::Window;
use crate::bars::BarsSpec;
use crate::checks::{Context, LEAST_SESSIONS};
use crate::engine::program::Program;
use crate::market::{DAY_US, Interval};

/// The part of a window in which the verdicts of each rule do not depend on bars outside of it.
#[derive(Debug, Default)]
pub struct Margins {
    /// By index of the rule in the program; the parse error, which depends on nothing, is not among them.
    rules: Vec<Margin>,
    /// Of the findings that a rule merges, by index of the rule: their causes, and what they depend on.
    merged: Vec<(&'static [&'static str], Margin)>,
    ids: HashMap<String, usize>,
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
            Context::Whole => Margin::new(&program.bars, window, (2, 2), true),
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
        Self {
            rules: margins.collect(),
            merged: merged.collect(),
            ids: rules.enumerate().map(|(index, rule)| (rule.id.to_string(), index)).collect(),
        }
    }

    /// Whether this run would have found what the run before found by the rule `id` at `time`, were it there still.
    pub(super) fn would_find(&self, (id, cause): (&str, Option<&str>), time: Option<i64>, moved: Moved) -> bool {
        let Some(margin) = self.ids.get(id).and_then(|index| self.margin(*index, cause)) else { return true };
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

/// How many bars so many sessions have, of the newest that are known.
fn bars_of_sessions(bars: &BarsSpec, sessions: usize) -> usize {
    let sessions = i64::try_from(sessions).unwrap_or(i64::MAX);
    let count = bars.grid.as_ref().and_then(|grid| {
        let calendar = grid.calendar();
        let last = calendar.last_on_or_before(calendar.last()?)?;
        let first = calendar.first_on_or_after(calendar.first()?)?.max(last - sessions);
        let first = grid.first_at_or_after(calendar.session(first).open)?;
        let end = grid.last_at_or_before(calendar.session(last).close)?;
        usize::try_from(end - first).ok()
    });
    // A calendar without an end has sessions of a day.
    let of_days = |step: u32| sessions * DAY_US / (i64::from(step.max(1)) * 1_000_000);
    count.unwrap_or_else(|| match bars.interval {
        Interval::Seconds(step) => usize::try_from(of_days(step)).unwrap_or(0),
        Interval::Day | Interval::Week | Interval::Month => 0,
    })
}

/// The first timestamp with so many expected bars between `since` and it.
fn later(bars: &BarsSpec, since: i64, count: usize) -> i64 {
    let beyond = since.saturating_add(span(bars, count));
    let of_grid = bars.grid.as_ref().filter(|_| count > 0).and_then(|grid| {
        let position = grid.first_at_or_after(since)?.checked_add(i64::try_from(count).ok()?)?;
        (position <= grid.last_at_or_before(beyond)?).then(|| grid.timestamp(position))
    });
    of_grid.unwrap_or(beyond)
}

/// What comes behind the last timestamp with so many expected bars between it and `until`.
fn earlier(bars: &BarsSpec, until: i64, count: usize) -> i64 {
    let beyond = until.saturating_sub(span(bars, count));
    let of_grid = bars.grid.as_ref().filter(|_| count > 0).and_then(|grid| {
        let position = grid.last_at_or_before(until.checked_sub(1)?)?.checked_sub(i64::try_from(count).ok()?)?;
        (position >= grid.first_at_or_after(beyond)?).then(|| grid.timestamp(position) + 1)
    });
    of_grid.unwrap_or(beyond)
}

/// How long so many bars last, with room for weekends and holidays: without a calendar it is not known where they are.
fn span(bars: &BarsSpec, count: usize) -> i64 {
    let one = match bars.interval {
        Interval::Seconds(seconds) => i64::from(seconds) * 1_000_000,
        Interval::Day => DAY_US,
        Interval::Week => 7 * DAY_US,
        Interval::Month => 31 * DAY_US,
    };
    i64::try_from(count).unwrap_or(i64::MAX).saturating_mul(one).saturating_mul(4)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::testing::Fixture;

    fn day(text: &str) -> i64 {
        i64::from(text.parse::<chrono::NaiveDate>().unwrap().to_epoch_days()) * DAY_US
    }

    fn daily(calendar: &str) -> BarsSpec {
        Fixture::new(&format!("calendar = \"{calendar}\""), "time,close\n").spec
    }

    #[test]
    fn bars_are_counted_on_the_calendar() {
        let bars = daily("XNYS");
        // 2024-07-04 is a holiday, and 6 and 7 are a weekend.
        assert_eq!(later(&bars, day("2024-07-03"), 0), day("2024-07-03"));
        assert_eq!(later(&bars, day("2024-07-03"), 1), day("2024-07-05"));
        assert_eq!(later(&bars, day("2024-07-04"), 2), day("2024-07-09"));
        assert_eq!(earlier(&bars, day("2024-07-09"), 0), day("2024-07-09"));
        assert_eq!(earlier(&bars, day("2024-07-09"), 1), day("2024-07-05") + 1);
        assert_eq!(earlier(&bars, day("2024-07-09"), 2), day("2024-07-03") + 1);
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

    #[test]
    fn a_stretch_has_the_bars_of_five_sessions() {
        let hours = |calendar: &str| {
            let bars = Fixture::new(&format!("interval = \"1h\"\ncalendar = \"{calendar}\""), "time").spec;
            bars_of_sessions(&bars, LEAST_SESSIONS)
        };
        assert_eq!((hours("24/7"), hours("weekdays")), (120, 120));
        // Six sessions of 7 hours with half-days before the end of the year, but for the last bar.
        assert!((30..=42).contains(&hours("XNYS")), "{}", hours("XNYS"));
        assert_eq!(bars_of_sessions(&daily("24/7"), LEAST_SESSIONS), 0);
    }

    #[test]
    fn where_no_calendar_reaches_there_is_room_for_days_without_bars() {
        let bars = BarsSpec { grid: None, ..daily("XNYS") };
        assert_eq!(later(&bars, day("2024-07-03"), 2), day("2024-07-11"));
        assert_eq!(earlier(&bars, day("2024-07-11"), 2), day("2024-07-03"));
        let bars = daily("XNYS");
        assert_eq!(later(&bars, day("2200-01-01"), 1), day("2200-01-05"));
        assert_eq!(earlier(&bars, day("1700-01-05"), 1), day("1700-01-01"));
        assert_eq!(later(&bars, i64::MAX - 1, usize::MAX), i64::MAX);
    }
}
