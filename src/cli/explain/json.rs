//! The same as one object.

use serde_json::{Value, json};

use crate::run::explain::{Answer, Bar, ByCalendar, Explanation, Finding, RuleAnswer};
use crate::text::utc::UtcMicros;

/// The explanation.
pub(super) fn object(explanation: &Explanation) -> Value {
    let daily = explanation.is_daily();
    let at = |time: i64| moment(time, daily);
    let bar = |bar: &Bar| {
        let [open, high, low, close, volume] = bar.values;
        json!({
            "time": at(bar.time), "open": open, "high": high, "low": low, "close": close, "volume": volume,
            "locator": bar.place, "asked": bar.time == explanation.time,
        })
    };
    let by_calendar = match explanation.by_calendar {
        ByCalendar::None => "no-calendar",
        ByCalendar::Expected => "expected",
        ByCalendar::Possible => "possible",
        ByCalendar::OffGrid => "off-grid",
        ByCalendar::OffHours => "off-hours",
        ByCalendar::Closed => "closed",
        ByCalendar::NotKnown => "not-known",
    };
    let [before, behind] = explanation.nearest().map(|time| time.map(at));
    json!({
        "type": "explain", "job": explanation.job, "series": explanation.series, "time": at(explanation.time),
        "interval": explanation.interval.to_string(), "calendar": explanation.calendar, "by_calendar": by_calendar,
        "session": explanation.session.map(|day| UtcMicros(i64::from(day) * 86_400_000_000).date()),
        "rows": explanation.rows().map(bar).collect::<Vec<_>>(),
        "nearest_before": before, "nearest_behind": behind,
        "bars": explanation.bars.iter().map(bar).collect::<Vec<_>>(),
        "rules": explanation.rules.iter().map(|answer| rule(answer, daily)).collect::<Vec<_>>(),
        "rows_read": explanation.read,
    })
}

fn moment(time: i64, daily: bool) -> String {
    if daily { UtcMicros(time).date() } else { UtcMicros(time).to_string() }
}

fn rule(answer: &RuleAnswer, daily: bool) -> Value {
    let at = |time: i64| moment(time, daily);
    let because = match &answer.answer {
        Answer::Excused(facts) => json!(facts),
        Answer::Rejected(rules) => json!(rules),
        Answer::NotChosen(text) | Answer::NotKnown(text) => json!(text),
        Answer::NotValid(validity) => json!({ "from": validity.from.map(at), "until": validity.until.map(at) }),
        _ => Value::Null,
    };
    let measured = answer.measured.as_ref().map(|measured| {
        let (field, value) = measured.observed.clone().map_or((None, None), |(field, value)| (field, Some(value)));
        json!({
            "parameter": measured.key, "value": measured.limit, "flagged_at": measured.flagged_at,
            "field": field, "observed": value,
        })
    });
    let rows = answer.rows;
    json!({
        "rule": answer.rule, "check": answer.check, "severity": answer.severity, "action": answer.action, "why": answer.why,
        "answer": answer.answer.word(), "because": because,
        "bars_before": answer.window.map(|(before, _)| before), "bars_after": answer.window.map(|(_, after)| after),
        "rows_evaluated": rows.evaluated, "rows_insufficient": rows.insufficient, "rows_excused": rows.excused,
        "rows_stepped_over": rows.stepped_over, "rows_flagged": rows.flagged,
        "measured": measured,
        "findings": answer.findings.iter().map(|found| finding(found, daily)).collect::<Vec<_>>(),
    })
}

fn finding(finding: &Finding, daily: bool) -> Value {
    let at = |time: i64| moment(time, daily);
    json!({
        "finding_id": finding.id, "message": finding.message,
        "time": finding.span.0.map(at), "time_until": finding.span.1.map(at),
        "field": finding.field, "observed": finding.observed, "observed_text": finding.observed_text,
        "expected_lo": finding.expected[0], "expected_hi": finding.expected[1], "expected_text": finding.expected_text,
        "score": finding.score, "bars_affected": finding.bars, "cause": finding.cause, "evidence": finding.evidence,
        "locator": finding.place, "action": finding.action, "label": finding.label,
    })
}
