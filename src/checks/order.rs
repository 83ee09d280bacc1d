//! `order`: timestamps must not run backwards in the source's own order.
//!
//! Dated rows come sorted by time; their ranks give the order of the source, which is restored here where it
//! differs. Rows without a readable timestamp have no place in time and are passed over.

use std::borrow::Cow;
use std::sync::Arc;

use chrono::{DateTime, SecondsFormat};
use serde::{Deserialize, Serialize};

use super::cause::causes;
use super::evidence::LONGEST_VALUE;
use super::params::Params;
use super::{Check, CheckKind, Context, Described, Facts, Finding, FindingSink, Series, Stage};
use crate::bars::{BarsSpec, TIME};
use crate::schema::{Holds, Key, Otherwise, key};
use crate::text::escape::shortened;

/// The check `order`.
pub(crate) struct Order;

const PARAMS: &[Key] = &[key(
    "direction",
    Holds::Choice(&["ascending", "descending", "any"]),
    Otherwise::Text("ascending"),
    "How timestamps run in the source: oldest first, newest first, or as most of the series does.",
)];

causes! {
    /// Timestamps ascend, and this one does not.
    Earlier = "earlier-than-previous",
    /// Timestamps descend, and this one does not.
    Later = "later-than-previous",
}

/// The row, and the row before it in the source.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct Evidence {
    direction: Cow<'static, str>,
    rank: u64,
    previous_rank: u64,
    previous: Option<String>,
}

impl Described for Order {
    fn name(&self) -> &'static str {
        "order"
    }

    fn explain(&self) -> &'static str {
        include_str!("order.md")
    }

    fn causes(&self) -> &'static [&'static str] {
        Cause::WORDS
    }

    fn message(&self, facts: &Facts<'_>) -> String {
        let Evidence { previous, .. } = facts.evidence();
        let before = previous.map(|before| format!(", `{}`", shortened(&before, LONGEST_VALUE))).unwrap_or_default();
        let how = match facts.cause.and_then(Cause::parse) {
            Some(Cause::Later) => "later",
            Some(Cause::Earlier) => "earlier",
            None => return facts.generic(),
        };
        format!("{} is {how} than that of the row before it in the source{before}", facts.subject())
    }

    #[cfg(test)]
    fn more_examples(&self) -> &'static str {
        include_str!("order_examples.md")
    }
}

impl CheckKind for Order {
    fn params(&self) -> &'static [Key] {
        PARAMS
    }

    fn stage(&self) -> Stage {
        Stage::Series
    }

    fn compile(&self, params: &mut Params<'_>, bars: &BarsSpec) -> Box<dyn Check> {
        let direction = match params.choice("direction") {
            "descending" => Some(Direction::Descending),
            "any" => None,
            _ => Some(Direction::Ascending),
        };
        Box::new(Timestamps { direction, daily: bars.daily(), name: Arc::from(TIME) })
    }
}

/// How timestamps run.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Direction {
    Ascending,
    Descending,
}

impl Direction {
    /// Whether `next` may follow `previous`; equal timestamps always may.
    fn allows(self, previous: i64, next: i64) -> bool {
        match self {
            Self::Ascending => previous <= next,
            Self::Descending => previous >= next,
        }
    }
}

/// The direction one rule asks for; `None` takes that of each series.
struct Timestamps {
    direction: Option<Direction>,
    daily: bool,
    name: Arc<str>,
}

impl Check for Timestamps {
    fn context(&self) -> Context {
        Context::Whole
    }

    fn check(&self, series: &Series<'_>, findings: &mut FindingSink) {
        let dated = series.dated();
        findings.evaluated(dated.saturating_sub(series.from));
        let ranks = &series.source_rank[..dated];
        let in_order = match self.direction {
            Some(Direction::Ascending) => ranks.is_sorted(),
            Some(Direction::Descending) => ranks.is_sorted_by(|a, b| a > b),
            None => ranks.is_sorted() || ranks.is_sorted_by(|a, b| a > b),
        };
        if in_order {
            return;
        }
        let mut rows: Vec<usize> = (0..dated).collect();
        rows.sort_unstable_by_key(|row| ranks[*row]);
        let direction = self.direction.unwrap_or_else(|| majority(series.time, &rows));
        for pair in rows.windows(2).filter(|pair| !direction.allows(series.time[pair[0]], series.time[pair[1]])) {
            findings.push(self.finding(series, pair[0], pair[1], direction));
        }
    }
}

/// The direction most neighbours have; ascending where there is no majority.
fn majority(time: &[i64], rows: &[usize]) -> Direction {
    let steps = rows.windows(2).map(|pair| (time[pair[1]] - time[pair[0]]).signum());
    if steps.sum::<i64>() < 0 { Direction::Descending } else { Direction::Ascending }
}

impl Timestamps {
    fn finding(&self, series: &Series<'_>, previous: usize, row: usize, direction: Direction) -> Finding {
        let (cause, bound, name) = match direction {
            Direction::Ascending => (Cause::Earlier, "not before", "ascending"),
            Direction::Descending => (Cause::Later, "not after", "descending"),
        };
        let before = self.timestamp(series, previous);
        let evidence = Evidence {
            direction: Cow::Borrowed(name),
            rank: series.source_rank[row],
            previous_rank: series.source_rank[previous],
            previous: Some(before.to_string()),
        };
        let expected = format!("{bound} {before}, the timestamp of the row before");
        let finding = Finding::row(row).field(&self.name).observed_text(self.timestamp(series, row));
        finding.expected_text(expected).cause(cause).evidence(evidence)
    }

    /// The timestamp of a dated row as the source writes it, else in ISO 8601.
    fn timestamp<'a>(&self, series: &Series<'a>, row: usize) -> Cow<'a, str> {
        if let Some(text) = series.time_text.and_then(|timestamps| timestamps.get(row).or(timestamps.other(row))) {
            return Cow::Borrowed(text);
        }
        let timestamp = DateTime::from_timestamp_micros(series.time[row]).unwrap_or_default();
        Cow::Owned(if self.daily {
            timestamp.format("%Y-%m-%d").to_string()
        } else {
            timestamp.to_rfc3339_opts(SecondsFormat::AutoSi, true)
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use serde_json::json;

    use super::*;
    use crate::checks::testing::{Evaluated, Fixture, compile};

    const RULE: &str = "check = \"order\"";

    /// One bar of January 2024 for each of `days`, in this order in the source.
    fn days(days: &[u8]) -> Fixture {
        let rows = days.iter().map(|day| format!("2024-01-{day:02},1\n")).collect::<Vec<_>>().concat();
        Fixture::daily(&format!("time,close\n{rows}"))
    }

    fn direction(direction: &str) -> String {
        format!("{RULE}\ndirection = \"{direction}\"")
    }

    fn flagged(evaluated: &Evaluated) -> Vec<String> {
        evaluated.findings.iter().map(|finding| finding.observed_text.clone().unwrap_or_default()).collect()
    }

    #[test]
    fn ascending_timestamps_with_ties_are_clean() {
        let evaluated = days(&[1, 2, 2, 5]).evaluate(RULE);
        assert_eq!((evaluated.findings.len(), evaluated.totals.evaluated), (0, 4));
    }

    #[test]
    fn row_swapped_with_the_next_is_one_finding_at_the_earlier_timestamp() {
        let evaluated = days(&[1, 3, 2, 4]).evaluate(RULE);
        assert_eq!(evaluated.lines, ["2024-01-02 time observed=`2024-01-02` cause=earlier-than-previous"]);
        let expected = json!({"direction": "ascending", "rank": 2, "previous_rank": 1, "previous": "2024-01-03"});
        assert_eq!(evaluated.findings[0].evidence, Some(expected));
        assert_eq!(
            evaluated.findings[0].expected_text.as_deref(),
            Some("not before 2024-01-03, the timestamp of the row before")
        );
    }

    #[test]
    fn one_late_row_is_one_finding_and_not_one_for_each_row_after_it() {
        assert_eq!(flagged(&days(&[1, 9, 2, 3, 4]).evaluate(RULE)), ["2024-01-02"]);
    }

    #[test]
    fn source_stored_newest_first_is_an_inversion_at_every_step() {
        let bars = days(&[5, 4, 3, 2, 1]);
        assert_eq!(bars.evaluate(RULE).findings.len(), 4);
        assert_eq!(bars.evaluate(&direction("descending")).findings, []);
        assert_eq!(bars.evaluate(&direction("any")).findings, []);
    }

    #[test]
    fn majority_decides_where_any_direction_will_do() {
        let newest_first = days(&[9, 8, 7, 8, 6]).evaluate(&direction("any"));
        assert_eq!(newest_first.lines, ["2024-01-08 time observed=`2024-01-08` cause=later-than-previous"]);
        assert_eq!(flagged(&days(&[1, 2, 4, 3]).evaluate(&direction("any"))), ["2024-01-03"]);
        assert_eq!(flagged(&days(&[1, 3, 2]).evaluate(&direction("any"))), ["2024-01-02"], "a draw is ascending");
    }

    #[test]
    fn ties_are_allowed_where_timestamps_descend() {
        assert_eq!(days(&[3, 2, 2, 1]).evaluate(&direction("descending")).findings, []);
        assert_eq!(flagged(&days(&[1, 2, 3]).evaluate(&direction("descending"))), ["2024-01-02", "2024-01-03"]);
    }

    #[test]
    fn rows_without_a_timestamp_are_passed_over() {
        let bars = Fixture::daily("time,close\n2024-01-02,1\n17,1\n,1\n2024-01-01,1");
        let evaluated = bars.evaluate(RULE);
        assert_eq!((flagged(&evaluated), evaluated.totals.evaluated), (vec!["2024-01-01".to_owned()], 2));
    }

    #[test]
    fn typed_timestamps_are_shown_in_iso_8601() {
        let series = Series { key: "TEST", time: &[0, 90_000_000], rows: 2, source_rank: &[7, 3], ..Series::default() };
        for (bars, shown) in [("interval = \"1m\"", "1970-01-01T00:00:00Z"), ("", "1970-01-01")] {
            let check = compile(RULE, &Fixture::new(bars, "time").spec).unwrap_or_else(|_| panic!("a good rule"));
            let mut sink = FindingSink::default();
            check.check(&series, &mut sink);
            assert_eq!(sink.findings.len(), 1);
            assert_eq!(sink.findings[0].observed_text.as_deref(), Some(shown));
        }
    }

    #[test]
    fn empty_series_and_a_single_bar_are_clean() {
        for bars in [days(&[]), days(&[1])] {
            assert_eq!(bars.evaluate(RULE).findings, []);
            assert_eq!(bars.evaluate(&direction("any")).findings, []);
        }
    }

    #[test]
    fn unknown_direction_is_a_mistake() {
        let mistakes = compile(&direction("up"), &days(&[]).spec).err().unwrap_or_default();
        assert!(mistakes[0].render(false).contains("choices: ascending, descending, any"));
    }

    proptest! {
        #[test]
        fn every_backward_step_between_neighbours_is_flagged(timestamps in prop::collection::vec(1..20u8, 0..40)) {
            let steps = |backward: fn(u8, u8) -> bool| -> Vec<String> {
                let pairs = timestamps.windows(2).filter(|pair| backward(pair[0], pair[1]));
                pairs.map(|pair| format!("2024-01-{:02}", pair[1])).collect()
            };
            let (falls, rises) = (steps(|a, b| b < a), steps(|a, b| b > a));
            let bars = days(&timestamps);
            prop_assert_eq!(flagged(&bars.evaluate(RULE)), falls.clone());
            prop_assert_eq!(flagged(&bars.evaluate(&direction("descending"))), rises.clone());
            let minority = if falls.len() > rises.len() { rises } else { falls };
            prop_assert_eq!(flagged(&bars.evaluate(&direction("any"))), minority);
        }
    }
}
