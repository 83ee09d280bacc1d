//! Sentences of checks that evaluate a row by itself.

use serde_json::Value;

use super::{Facts, plain};
use crate::bars::TIME;

/// A value that does not decode.
pub(super) fn parse_error(facts: &Facts<'_>) -> String {
    if facts.field == Some(TIME) {
        return date_format(facts);
    }
    match facts.cause {
        Some("broken-row") => {
            let reason = facts.text("reason").unwrap_or_else(|| "it is broken".to_owned());
            format!("the row cannot be read: {reason}")
        }
        Some("out-of-range") => format!("{} is too large for a number", facts.subject()),
        Some("wrong-type") => format!("{} is of a type that holds no number", facts.subject()),
        _ => format!("{} is not a number", facts.subject()),
    }
}

/// A timestamp or date that is spelled wrongly, does not exist, or is not one of the calendar.
pub(super) fn date_format(facts: &Facts<'_>) -> String {
    let subject = match (facts.observed_text, facts.time) {
        (None, Some(time)) => format!("{} {}", facts.field_or(TIME), facts.timestamp(time)),
        _ => facts.subject(),
    };
    let expected = facts.expected();
    match facts.cause {
        Some("not-a-format") => format!("{subject} is not written as {expected}"),
        Some("wrong-type") => format!("{subject} is of a type that {expected} does not read"),
        Some("impossible-date") => format!("{subject} is no date or time that exists"),
        Some("out-of-range") => format!("{subject} is outside the years 1678 to 2261"),
        Some("skipped-by-zone") => format!("{subject} is a local time that the clocks jumped over"),
        Some("repeated-by-zone") => format!("{subject} is a local time that the clocks showed twice"),
        Some("before-min") => format!("{subject} is too early: it must be {expected}"),
        Some("after-max") => format!("{subject} is too late: it must be {expected}"),
        Some("off-hours") => format!("{subject} is outside {expected}"),
        _ => format!("{subject} is not {expected}"),
    }
}

/// A value that must be there.
pub(super) fn required(facts: &Facts<'_>) -> String {
    let missing = if facts.cause == Some("nan") { "is NaN" } else { "is missing" };
    format!("{} {missing}", facts.field_or("a value"))
}

/// A number outside its interval; the limits are those a person wrote.
pub(super) fn range(facts: &Facts<'_>) -> String {
    match (facts.cause, facts.expected_lo, facts.expected_hi) {
        (Some("below"), Some(lo), _) => format!("{} is below {lo}", facts.subject()),
        (Some("above"), _, Some(hi)) => format!("{} is above {hi}", facts.subject()),
        _ => format!("{} is not a number", facts.field_or("the value")),
    }
}

/// A text that does not match its pattern.
pub(super) fn matches(facts: &Facts<'_>) -> String {
    let expected = facts.expected();
    match facts.cause {
        Some("match") => format!("{} must be {expected}", facts.subject()),
        Some("wrong-type") => format!("{} is no text, and must be {expected}", facts.subject()),
        _ => format!("{} is not {expected}", facts.subject()),
    }
}

/// The numbers of one bar that contradict each other.
pub(super) fn ohlc(facts: &Facts<'_>) -> String {
    let value = |name: &str| facts.evidence.get(name).map(plain).unwrap_or_default();
    let other = |price: Option<f64>| price.map(|price| format!(", {price}")).unwrap_or_default();
    let broken = facts.evidence.get("broken").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    let what = match facts.cause {
        Some("swapped-high-low") => return format!("high {} and low {} are swapped", value("high"), value("low")),
        Some("not-finite") => format!("{} is not finite", facts.subject()),
        Some("non-positive") => format!("{} is not above 0", facts.subject()),
        Some("high-below") => {
            format!("{} is below another price of its bar{}", facts.subject(), other(facts.expected_lo))
        }
        Some("low-above") => {
            format!("{} is above another price of its bar{}", facts.subject(), other(facts.expected_hi))
        }
        _ => format!("{} is negative", facts.subject()),
    };
    if broken.len() < 2 {
        return what;
    }
    format!("{what}; broken: {}", broken.iter().map(plain).collect::<Vec<_>>().join(", "))
}

/// An expression that is not true.
pub(super) fn sql(facts: &Facts<'_>) -> String {
    match facts.cause {
        Some("null") => format!("`{}` is NULL: a value it needs is missing", facts.expected()),
        _ => format!("`{}` is false", facts.expected()),
    }
}
