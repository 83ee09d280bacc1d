//! Why a row was flagged, in one sentence: one template a check, over what the finding observed and expected.
//!
//! The terminal, the page and messages all say it with these words. Text that comes from data is made visible and
//! cut; a finding that lacks a part is reported without it.

mod rows;
mod series;

use std::borrow::Cow;

use serde_json::Value;

use super::escape::{shortened, visible};
use super::numbers::{counted, rough, thousands, whole};
use super::utc::UtcMicros;
use crate::checks::Finding;
use crate::market::Interval;

/// Most characters of a value that a sentence shows.
const LONGEST_VALUE: usize = 80;

/// Significant digits of limits that were worked out, where that is enough to tell them from the value.
const DIGITS: usize = 4;
/// Digits beyond which there are none to tell.
const MOST_DIGITS: usize = 17;

/// What a finding says, as columns of the table `findings` or fields of [`Finding`].
#[derive(Debug, Clone, Copy)]
pub struct Facts<'a> {
    /// The check behind the rule.
    pub check: &'a str,
    /// The step from bar to bar.
    pub interval: Interval,
    /// The field that is wrong.
    pub field: Option<&'a str>,
    /// The value that broke the rule.
    pub observed: Option<f64>,
    /// The value as the source spells it.
    pub observed_text: Option<&'a str>,
    /// Smallest value that would have passed.
    pub expected_lo: Option<f64>,
    /// Largest value that would have passed.
    pub expected_hi: Option<f64>,
    /// What would have passed, in words.
    pub expected_text: Option<&'a str>,
    /// How far outside, in the check's own unit.
    pub score: Option<f64>,
    /// Bars concerned.
    pub bars: u64,
    /// Class of the cause.
    pub cause: Option<&'a str>,
    /// What the check adds; `Null` where it adds nothing.
    pub evidence: &'a Value,
    /// The timestamp, µs UTC.
    pub time: Option<i64>,
    /// Last timestamp covered, µs UTC.
    pub time_until: Option<i64>,
}

impl<'a> Facts<'a> {
    /// What `finding`, made by `check` on bars of `interval`, says; `time` is the timestamp of its first row.
    pub fn of(check: &'a str, interval: Interval, finding: &'a Finding, time: Option<i64>) -> Self {
        Self {
            check,
            interval,
            field: finding.field.as_deref(),
            observed: finding.observed,
            observed_text: finding.observed_text.as_deref(),
            expected_lo: finding.expected_lo,
            expected_hi: finding.expected_hi,
            expected_text: finding.expected_text.as_deref(),
            score: finding.score,
            bars: finding.bars_affected,
            cause: finding.cause,
            evidence: finding.evidence.as_ref().unwrap_or(&Value::Null),
            time: finding.time.or(time),
            time_until: finding.time_until,
        }
    }
}

/// Makes the sentence of one check.
type Template = fn(&Facts<'_>) -> String;

const TEMPLATES: &[(&str, Template)] = &[
    ("parse-error", rows::parse_error),
    ("date-format", rows::date_format),
    ("required", rows::required),
    ("range", rows::range),
    ("matches", rows::matches),
    ("ohlc", rows::ohlc),
    ("sql", rows::sql),
    ("duplicate", series::duplicate),
    ("order", series::order),
    ("gap", series::gap),
    ("zero-volume", series::zero_volume),
    ("outlier", series::outlier),
    ("price-spike", series::price_spike),
    ("stale", series::stale),
];

/// The finding in one sentence, without a final period.
pub fn sentence(facts: &Facts<'_>) -> String {
    let template = TEMPLATES.iter().find(|(check, _)| *check == facts.check);
    template.map_or_else(|| generic(facts), |(_, template)| template(facts))
}

/// What can be said of a finding of any check.
fn generic(facts: &Facts<'_>) -> String {
    let cause = facts.cause.map(|cause| format!(": {}", cause.replace('-', " "))).unwrap_or_default();
    format!("{} is not as `{}` wants it{cause}{}", facts.subject(), visible(facts.check), facts.allowed())
}

impl Facts<'_> {
    /// The field and its value, e.g. `close 15`, or ``time `17` ``.
    fn subject(&self) -> String {
        let field = visible(self.field.unwrap_or("the row"));
        match (self.observed, self.observed_text) {
            (Some(value), text) => format!("{field} {}", text.map_or_else(|| value.to_string().into(), visible)),
            (None, Some(text)) => format!("{field} `{}`", shortened(text, LONGEST_VALUE)),
            (None, None) => field.into_owned(),
        }
    }

    /// The field, or `fallback` where none is named.
    fn field_or<'s>(&'s self, fallback: &'s str) -> Cow<'s, str> {
        visible(self.field.unwrap_or(fallback))
    }

    /// What would have passed, in brackets and with a blank before; nothing where that is not reported. Limits that were
    /// worked out are rounded, but never so far that the observed value would seem to lie within.
    fn allowed(&self) -> String {
        let digits = (DIGITS..=MOST_DIGITS).find(|digits| self.outside(*digits)).unwrap_or(DIGITS);
        match (self.expected_lo, self.expected_hi, self.expected_text) {
            (Some(lo), Some(hi), _) => format!(" (allowed {} to {})", rough(lo, digits), rough(hi, digits)),
            (Some(lo), None, _) => format!(" (at least {})", rough(lo, digits)),
            (None, Some(hi), _) => format!(" (at most {})", rough(hi, digits)),
            (None, None, Some(text)) => format!(" (expected {})", shortened(text, LONGEST_VALUE)),
            (None, None, None) => String::new(),
        }
    }

    /// Whether the observed value lies outside the limits as they are with so many significant digits.
    fn outside(&self, digits: usize) -> bool {
        let Some(value) = self.observed.filter(|value| value.is_finite()) else { return true };
        let rounded = |limit: Option<f64>| limit.and_then(|limit| rough(limit, digits).parse::<f64>().ok());
        rounded(self.expected_lo).is_some_and(|lo| value < lo) || rounded(self.expected_hi).is_some_and(|hi| value > hi)
    }

    fn expected(&self) -> String {
        shortened(self.expected_text.unwrap_or("what the rule wants"), 2 * LONGEST_VALUE)
    }

    /// A number of the evidence.
    fn number(&self, key: &str) -> Option<f64> {
        self.evidence.get(key)?.as_f64()
    }

    /// A count of the evidence.
    fn count(&self, key: &str) -> Option<u64> {
        self.evidence.get(key)?.as_u64()
    }

    /// A text of the evidence.
    fn text(&self, key: &str) -> Option<String> {
        Some(shortened(self.evidence.get(key)?.as_str()?, LONGEST_VALUE))
    }

    fn timestamp(&self, time: i64) -> String {
        UtcMicros(time).timestamp(self.interval.is_daily_or_longer())
    }

    /// Bars with their number; a daily bar is a session.
    fn bars(&self) -> String {
        counted(self.bars, if self.interval == Interval::Day { "session" } else { "bar" })
    }
}

/// A value of the evidence: a number as it is, text without quotes.
fn plain(value: &Value) -> String {
    match value {
        Value::Null => "no value".to_owned(),
        Value::String(text) => shortened(text, LONGEST_VALUE),
        Value::Number(number) if number.is_f64() => number.as_f64().unwrap_or(f64::NAN).to_string(),
        other => other.to_string(),
    }
}

/// A change as a percentage with its sign, e.g. `-24.5 %`; `-100 %` only where nothing is left.
fn percent(change: f64) -> String {
    let percent = change * 100.0;
    if percent >= 1000.0 {
        return format!("+{} %", thousands(whole(percent)));
    }
    let digits = (3..MOST_DIGITS).find(|digits| change <= -1.0 || rough(percent, *digits) != "-100");
    let sign = if percent > 0.0 { "+" } else { "" };
    format!("{sign}{} %", rough(percent, digits.unwrap_or(MOST_DIGITS)))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use serde_json::json;

    use super::*;
    use crate::checks::testing::{Fixture, blocks};
    use crate::checks::{CHECKS, find};
    use crate::engine::program::PARSE_ERROR;

    const DAY: i64 = 86_400_000_000;

    fn reported(check: &str, finding: &Finding) -> String {
        sentence(&Facts::of(check, Interval::Day, finding, Some(16_266 * DAY)))
    }

    fn on(field: &str) -> Finding {
        Finding::row(0).field(&Arc::from(field))
    }

    /// The sentences of the examples in the documentation of a check.
    fn examples(check: &str) -> Vec<String> {
        let markdown = find(check).unwrap().explain();
        let mut sentences = Vec::new();
        for (rule, bars) in blocks(markdown, "toml").into_iter().zip(blocks(markdown, "csv")) {
            let (head, rule) = rule.split_once("[[rule]]").unwrap();
            let fixture = Fixture::new(head.trim().trim_start_matches("[bars]"), bars);
            let interval = fixture.spec.interval;
            let found = fixture.evaluate(rule).findings;
            sentences.extend(found.iter().map(|finding| sentence(&Facts::of(check, interval, finding, Some(0)))));
        }
        sentences
    }

    #[test]
    fn every_check_has_a_template_of_its_own() {
        for check in CHECKS.iter().map(|check| check.name()).chain([PARSE_ERROR]) {
            let templates = TEMPLATES.iter().filter(|(name, _)| *name == check).count();
            assert_eq!(templates, 1, "`{check}`");
        }
    }

    #[test]
    fn examples_of_the_documentation_are_reported_without_gaps() {
        // The expressions of `sql` are evaluated by the engine.
        for check in CHECKS.iter().map(|check| check.name()).filter(|check| *check != "sql") {
            for sentence in examples(check) {
                let gaps = ["``", "  ", "no value", "None", "null", "what the rule wants", "( ", " )"];
                assert!(!gaps.iter().any(|gap| sentence.contains(gap)), "{check}: {sentence}");
                assert!(!sentence.ends_with('.') && !sentence.ends_with(' '), "{check}: {sentence}");
            }
        }
    }

    #[test]
    fn outlier_tells_distance_centre_and_band() {
        let finding = on("close").observed(15.0).expected(9.700_34, 10.399_8).score(335.221_9);
        let median = finding.clone().evidence(json!({"method": "hampel", "median": 10.03, "scale": 0.014_826}));
        let text = "close 15 is 335 scales from its neighbours' median 10.03 (allowed 9.7 to 10.4)";
        assert_eq!(reported("outlier", &median), text);
        let mean = finding.evidence(json!({"mean": 10.031_27}));
        assert!(reported("outlier", &mean).contains("neighbours' mean 10.0313 "));
    }

    #[test]
    fn gap_tells_bars_and_both_ends() {
        let two = Finding::gap(16_266 * DAY, 16_267 * DAY, 2).cause("missing");
        assert_eq!(reported("gap", &two), "2 sessions missing from 2014-07-15 to 2014-07-16");
        let one = Finding::gap(16_266 * DAY, 16_266 * DAY, 1).cause("missing");
        assert_eq!(reported("gap", &one), "1 session missing on 2014-07-15");
        let minutes = Finding::gap(16_266 * DAY, 16_267 * DAY + 60_000_000, 1_441).evidence(json!({
            "sessions": 2, "full_sessions": 1,
        }));
        assert_eq!(
            sentence(&Facts::of("gap", Interval::Minutes(1), &minutes, None)),
            "1,441 bars missing from 2014-07-15 00:00Z to 2014-07-16 00:01Z, in 2 sessions, 1 of them whole"
        );
    }

    #[test]
    fn spikes_tell_the_way_out_and_back() {
        let finding = on("close").observed(74.85).expected(92.3, 108.3).cause("reversal");
        let finding = finding.evidence(json!({"return": -0.280_835, "next_return": 0.336_113, "previous": 99.1}));
        assert_eq!(
            reported("price-spike", &finding),
            "close 74.85 goes out and comes back: -24.5 %, then +39.9 % (allowed 92.3 to 108.3)"
        );
        let wick = on("low").observed(5.0).expected(8.0, 10.0).cause("low-wick").evidence(json!({"bottom": 10.0}));
        assert_eq!(
            reported("price-spike", &wick),
            "low 5 sticks out 50 % below open and close, unlike in the bars beside it (allowed 8 to 10)"
        );
    }

    #[test]
    fn prices_of_one_bar_that_contradict_each_other_are_reported_exactly() {
        let finding = on("high").observed(103.61).expected(103.614, f64::INFINITY).cause("high-below");
        assert_eq!(reported("ohlc", &finding), "high 103.61 is below another price of its bar, 103.614");
        let evidence = json!({"broken": ["close > 0", "low <= close"], "close": 0.0});
        let finding = on("close").observed(0.0).cause("non-positive").evidence(evidence);
        assert_eq!(reported("ohlc", &finding), "close 0 is not above 0; broken: close > 0, low <= close");
    }

    #[test]
    fn changes_are_never_rounded_to_everything() {
        let changes = [-0.245, 0.399_2, -0.999_898, -1.0, 10_099.4, 0.0];
        let reported = ["-24.5 %", "+39.9 %", "-99.99 %", "-100 %", "+1,009,940 %", "0 %"];
        assert_eq!(changes.map(percent), reported);
    }

    #[test]
    fn limits_are_never_rounded_past_the_value() {
        let finding = on("close").observed(10.398).expected(9.7, 10.397).score(8.1).evidence(json!({"median": 10.0}));
        assert!(
            reported("outlier", &finding).ends_with("(allowed 9.7 to 10.397)"),
            "{}",
            reported("outlier", &finding)
        );
    }

    #[test]
    fn bars_without_volume_tell_what_is_odd_about_them() {
        let zero = on("volume").observed(0.0);
        let moved = zero.clone().cause("price-moved").evidence(json!({"close": 10.3, "previous_close": 10.1}));
        assert_eq!(reported("zero-volume", &moved), "volume is 0 although the close moved from 10.1 to 10.3");
        let run = on("volume").cause("run").evidence(json!({"run": 5}));
        assert_eq!(reported("zero-volume", &run), "volume is missing, in a run of 5 such bars");
        assert_eq!(reported("zero-volume", &zero.cause("single")), "volume is 0");
    }

    #[test]
    fn repeated_bars_tell_how_often_and_since_when() {
        let finding = Finding::run(1..7).field(&Arc::from("close")).observed(10.5);
        let finding = finding.evidence(json!({"length": 7, "since": "2024-01-02"}));
        assert_eq!(reported("stale", &finding), "the same bar 7 times in a row since 2024-01-02: close 10.5");
    }

    #[test]
    fn copies_tell_what_differs() {
        let evidence = json!({"copies": 2, "kept_rank": 4, "differs": {
            "open": [1.0, 2.0], "high": [2.5, 3.0], "low": [null, 1.0], "close": [1.5, "NaN"],
        }});
        assert_eq!(
            reported("duplicate", &Finding::row(0).cause("conflicting").evidence(evidence)),
            "one of 2 copies of this bar, with other values than the copy that is kept: \
             open 1 instead of 2, high 2.5 instead of 3, low no value instead of 1, and 1 more"
        );
    }

    #[test]
    fn values_that_do_not_decode_tell_the_raw_text() {
        let price = on("close").observed_text("1,000").expected_text("a number");
        assert_eq!(reported("parse-error", &price.clone().cause("not-a-number")), "close `1,000` is not a number");
        assert_eq!(reported("parse-error", &price.cause("out-of-range")), "close `1,000` is too large for a number");
        let timestamp = on("time").observed_text("17").expected_text("%Y-%m-%d").cause("not-a-format");
        assert_eq!(reported("parse-error", &timestamp), "time `17` is not written as %Y-%m-%d");
        let broken = Finding::row(0).observed_text("a,b").cause("broken-row").evidence(json!({"reason": "2 fields"}));
        assert_eq!(reported("parse-error", &broken), "the row cannot be read: 2 fields");
    }

    #[test]
    fn expressions_tell_false_from_unknown() {
        let finding = Finding::row(0).expected_text("amount > 0");
        assert_eq!(reported("sql", &finding.clone().cause("false")), "`amount > 0` is false");
        assert_eq!(reported("sql", &finding.cause("null")), "`amount > 0` is NULL: a value it needs is missing");
    }

    #[test]
    fn digits_of_the_source_win_over_those_of_a_float() {
        let finding = on("close").observed(0.1).observed_text("0.10").expected(1.0, f64::INFINITY).cause("below");
        assert_eq!(reported("range", &finding), "close 0.10 is below 1");
    }

    #[test]
    fn data_cannot_control_the_terminal() {
        let finding =
            on("symbol").observed_text("\u{1b}[2J".to_owned() + &"x".repeat(200)).expected_text("a match of `A`");
        let text = reported("matches", &finding.cause("no-match"));
        assert!(text.starts_with("symbol `\\u{1b}[2Jx") && text.chars().count() < 140, "{text}");
    }

    #[test]
    fn a_check_nobody_knows_is_reported_all_the_same() {
        let finding = on("close").observed(15.0).expected(9.0, 10.0).cause("too-far");
        assert_eq!(
            reported("new-check", &finding),
            "close 15 is not as `new-check` wants it: too far (allowed 9 to 10)"
        );
    }
}
