//! Sentences of checks that evaluate a bar by the others of its series.

use serde_json::Value;

use super::{Facts, percent, plain};
use crate::report::escape::visible;
use crate::report::numbers::{counted, rough};

/// Fields of a conflicting copy that are named.
const FIELDS_NAMED: usize = 3;

/// The same bar more than once.
pub(super) fn duplicate(facts: &Facts<'_>) -> String {
    let copies = facts.count("copies").unwrap_or(2);
    let other = match facts.evidence.get("kept_rank") {
        Some(Value::Number(_)) => "the copy that is kept",
        _ => "another copy",
    };
    let differs = facts.evidence.get("differs").and_then(Value::as_object);
    let differs: Vec<String> = differs.into_iter().flatten().map(|(field, values)| difference(field, values)).collect();
    if differs.is_empty() {
        return format!("one of {copies} copies of this bar, with the values of {other}");
    }
    let rest = match differs.len().saturating_sub(FIELDS_NAMED) {
        0 => String::new(),
        rest => format!(", and {rest} more"),
    };
    let named = differs[..differs.len().min(FIELDS_NAMED)].join(", ");
    format!("one of {copies} copies of this bar, with other values than {other}: {named}{rest}")
}

fn difference(field: &str, values: &Value) -> String {
    let value = |place: usize| values.get(place).map(plain).unwrap_or_default();
    format!("{} {} instead of {}", visible(field), value(0), value(1))
}

/// A timestamp that runs against the others.
pub(super) fn order(facts: &Facts<'_>) -> String {
    let how = if facts.cause == Some("later-than-previous") { "later" } else { "earlier" };
    let before = facts.text("previous").map(|before| format!(", `{before}`")).unwrap_or_default();
    format!("{} is {how} than that of the row before it in the source{before}", facts.subject())
}

/// Bars that are missing.
pub(super) fn gap(facts: &Facts<'_>) -> String {
    let span = match (facts.time, facts.time_until) {
        (Some(first), Some(last)) if first != last => {
            format!(" from {} to {}", facts.timestamp(first), facts.timestamp(last))
        }
        (Some(only), _) if facts.interval.is_daily_or_longer() => format!(" on {}", facts.timestamp(only)),
        (Some(only), _) => format!(" at {}", facts.timestamp(only)),
        (None, _) => String::new(),
    };
    let sessions = match (facts.count("sessions"), facts.count("full_sessions")) {
        (Some(sessions), Some(full)) if sessions > 1 => {
            format!(", in {}, {full} of them whole", counted(sessions, "session"))
        }
        (Some(1), Some(1)) => ", a whole session".to_owned(),
        _ => String::new(),
    };
    format!("{} missing{span}{sessions}", facts.bars())
}

/// Nothing was traded.
pub(super) fn zero_volume(facts: &Facts<'_>) -> String {
    let volume = match facts.observed {
        Some(_) => format!("{} is 0", facts.field_or("volume")),
        None => format!("{} is missing", facts.field_or("volume")),
    };
    match facts.cause {
        Some("price-moved") => match (facts.number("previous_close"), facts.number("close")) {
            (Some(before), Some(close)) if before != close => {
                format!("{volume} although the close moved from {before} to {close}")
            }
            _ => format!("{volume} although prices moved"),
        },
        Some("run") => {
            format!("{volume}, in a run of {}", counted(facts.count("run").unwrap_or(facts.bars), "such bar"))
        }
        _ => volume,
    }
}

/// A value far from both sides of its neighbourhood.
pub(super) fn outlier(facts: &Facts<'_>) -> String {
    let (what, centre) = match (facts.number("median"), facts.number("mean")) {
        (None, Some(mean)) => ("mean", Some(mean)),
        (median, _) => ("median", median),
    };
    let centre = centre.map(|centre| format!(" {}", rough(centre, 6))).unwrap_or_default();
    let far = facts.score.map_or_else(|| "far".to_owned(), |score| format!("{} scales", rough(score, 3)));
    format!("{} is {far} from its neighbours' {what}{centre}{}", facts.subject(), facts.allowed())
}

/// A price that goes out and comes back, or a wick that no neighbour shares.
pub(super) fn price_spike(facts: &Facts<'_>) -> String {
    let subject = facts.subject();
    match (facts.cause, facts.observed) {
        (Some("low-wick"), Some(low)) => wick(facts, "below", facts.number("bottom").map(|bottom| low / bottom - 1.0)),
        (Some("high-wick"), Some(high)) => wick(facts, "above", facts.number("top").map(|top| high / top - 1.0)),
        _ => match (facts.number("return"), facts.number("next_return")) {
            (Some(out), Some(back)) => {
                let (out, back) = (percent(out.exp_m1()), percent(back.exp_m1()));
                format!("{subject} goes out and comes back: {out}, then {back}{}", facts.allowed())
            }
            _ => format!("{subject} goes out and comes back{}", facts.allowed()),
        },
    }
}

fn wick(facts: &Facts<'_>, side: &str, out: Option<f64>) -> String {
    let out = out.map(|out| format!("{} ", percent(out.abs()).trim_start_matches('+'))).unwrap_or_default();
    format!(
        "{} sticks out {out}{side} open and close, unlike in the bars beside it{}",
        facts.subject(),
        facts.allowed()
    )
}

/// The same bar again and again.
pub(super) fn stale(facts: &Facts<'_>) -> String {
    let length = facts.count("length").unwrap_or(facts.bars);
    let since = facts.text("since").map(|since| format!(" since {since}")).unwrap_or_default();
    format!("the same bar {length} times in a row{since}: {}", facts.subject())
}
