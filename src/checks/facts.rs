//! What a finding says, from which its check makes one sentence.
//!
//! The terminal, the page and messages all say it with these words. Text that comes from data is made visible and
//! cut; a finding that lacks a part is reported without it.

use std::borrow::Cow;

use serde::de::DeserializeOwned;
use serde_json::Value;

use super::evidence::LONGEST_VALUE;
use super::finding::Finding;
use crate::market::Interval;
use crate::text::UtcMicros;
use crate::text::escape::{shortened, visible};
use crate::text::numbers::{MOST_DIGITS, counted, rough};

/// Significant digits of limits that were worked out, where that is enough to distinguish them from the value.
const DIGITS: usize = 4;

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
    /// The value as the source writes it.
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

impl Facts<'_> {
    /// What the check adds, as it wrote it; parts that are not there have their default.
    pub fn evidence<E: DeserializeOwned + Default>(&self) -> E {
        E::deserialize(self.evidence).unwrap_or_default()
    }

    /// What can be said of a finding of any check.
    pub fn generic(&self) -> String {
        let cause = self.cause.map(|cause| format!(": {}", cause.replace('-', " "))).unwrap_or_default();
        format!("{} is not as `{}` wants it{cause}{}", self.subject(), visible(self.check), self.allowed())
    }

    /// The field and its value, e.g. `close 15`, or ``time `17` ``.
    pub fn subject(&self) -> String {
        let field = visible(self.field.unwrap_or("the row"));
        match (self.observed, self.observed_text) {
            (Some(value), text) => format!("{field} {}", text.map_or_else(|| value.to_string().into(), visible)),
            (None, Some(text)) => format!("{field} `{}`", shortened(text, LONGEST_VALUE)),
            (None, None) => field.into_owned(),
        }
    }

    /// The field, or `fallback` where none is named.
    pub fn field_or<'s>(&'s self, fallback: &'s str) -> Cow<'s, str> {
        visible(self.field.unwrap_or(fallback))
    }

    /// What would have passed, in brackets and with a blank before; nothing where that is not reported. Limits that were
    /// worked out are rounded, but never so far that the observed value would seem to lie within.
    pub fn allowed(&self) -> String {
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

    /// What would have passed, in words.
    pub fn expected(&self) -> String {
        shortened(self.expected_text.unwrap_or("what the rule wants"), 2 * LONGEST_VALUE)
    }

    /// A timestamp, as a date where a bar stands for a day or more.
    pub fn timestamp(&self, time: i64) -> String {
        UtcMicros(time).timestamp(self.interval.is_daily_or_longer())
    }

    /// Bars with their number, called by the time that one of them covers; an intraday bar is a bar.
    pub fn bars(&self) -> String {
        let noun = match self.interval {
            Interval::Seconds(_) => "bar",
            Interval::Day => "session",
            Interval::Week => "week",
            Interval::Month => "month",
        };
        counted(self.bars, noun)
    }
}
