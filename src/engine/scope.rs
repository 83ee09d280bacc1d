//! The part of the bars that a run reports on, and what has to be read before it so that the verdicts are those over all
//! of the series.

use crate::bars::BarsSpec;
use crate::checks::{Across, Context, LEAST_SESSIONS, Stage};
use crate::config::{Rule, RuleSet};

use super::distance::{bars_of_sessions, earlier};

/// The part of the bars that a run reports on: those with a timestamp from `since` on, and those without any.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Scope {
    /// Findings that end before it, and rows before it, are not reported; µs UTC.
    pub since: i64,
    /// The first timestamp, µs UTC, from which on bars may differ from those that the run before read. What lies between
    /// `since` and it is reported because its verdicts may depend on bars that changed.
    pub changed: i64,
}

/// What the verdicts of a rule depend on, in bars that count for it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Need {
    /// Bars before a bar.
    pub before: usize,
    /// Bars after it.
    pub after: usize,
    /// A finding that begins within so many bars of the first one that is read may have begun before it.
    pub least: usize,
}

impl Need {
    /// That of `rule`, one of `rules`; `None` where it depends on all of the series.
    pub fn of(rule: &Rule, rules: &RuleSet, bars: &BarsSpec) -> Option<Self> {
        let (mut before, after, mut least) = match rule.context() {
            // Where a series comes back, what was said of its end is to be said anew.
            Context::Whole if rule.check.across().is_some_and(Across::needs_only_newest) => (0, 1, 0),
            Context::Whole => return None,
            Context::Bars { before, after } | Context::Quiet { before, after } => (before, after, 0),
            // A run that ends where bars changed may have been longer.
            Context::Run { least } => (least, 1, least),
        };
        if !rule.check.merged().is_empty() {
            least = least.max(bars_of_sessions(bars, LEAST_SESSIONS));
        }
        before = before.max(rule.excuses.bars_before());
        let own = rules.expressions.iter().filter(|expression| expression.rule == rule.id);
        let (before, after) = own.fold((before, after), |(before, after), expression| {
            (before.max(expression.reach.0), after.max(expression.reach.1))
        });
        Some(Self { before: before.max(2 * least), after: after.max(least), least })
    }

    /// The widest of `rules`, without those that depend on all of a series. A rule about a series sees no row that a rule
    /// about single rows rejects, so that it depends on what they depend on too.
    pub fn of_all(rules: &RuleSet, bars: &BarsSpec) -> Self {
        let all = rules.rules.iter().filter_map(|rule| Self::of(rule, rules, bars)).fold(Self::default(), Self::and);
        let rows = Self::of_rows(rules, bars);
        Self { before: rows.before + all.before, after: rows.after + all.after, ..all }
    }

    /// The widest of the rules about single rows, which decide what other rules see.
    pub fn of_rows(rules: &RuleSet, bars: &BarsSpec) -> Self {
        let chosen = rules.rules.iter().filter(|rule| rule.kind.stage() == Stage::Row);
        chosen.filter_map(|rule| Self::of(rule, rules, bars)).fold(Self::default(), Self::and)
    }

    fn and(self, other: Self) -> Self {
        Self {
            before: self.before.max(other.before),
            after: self.after.max(other.after),
            least: self.least.max(other.least),
        }
    }
}

/// So many bars are read for each ten that are needed, and [`MORE`]: a few that are missing are no reason to read more.
const FOR_TEN: usize = 11;

/// See [`FOR_TEN`].
const MORE: usize = 5;

/// Where `bars` bars before `time` begin, with room for some that are missing.
pub fn with_room(spec: &BarsSpec, time: i64, bars: usize) -> i64 {
    if bars == 0 { time } else { earlier(spec, time, bars * FOR_TEN / 10 + MORE) }
}

impl Scope {
    /// Where reading has to begin for the rules `rules`.
    pub fn read_from(&self, rules: &RuleSet, bars: &BarsSpec) -> i64 {
        with_room(bars, self.since, Need::of_all(rules, bars).before)
    }
}

/// Whether `rule` runs where only a part of the bars is read: not where it depends on all of a series.
pub fn runs_in_part(rule: &Rule, rules: &RuleSet, bars: &BarsSpec) -> bool {
    Need::of(rule, rules, bars).is_some()
}
