//! What stands above a run that is shown: which one it is, how old, what it was compared with, and how much is wrong in bars.

use super::run_id::RunId;
use super::summary::Summary;
use crate::text::escape::visible;
use crate::text::numbers::{counted, thousands};
use crate::text::utc::UtcMicros;

/// The check whose findings are bars that are missing.
const GAP: &str = "gap";
const MINUTE: i64 = 60_000_000;

/// The lines, at `now`.
pub fn heading(summary: &Summary, now: UtcMicros) -> Vec<String> {
    let age = span(now.0.saturating_sub(summary.started_at.0));
    let mut lines = vec![format!("run {}   {}   {age} ago", summary.run_id, visible(&summary.command))];
    // Who carries out a plan evaluates nothing.
    if summary.command != "apply" {
        lines.push(compared(summary));
        lines.push(in_bars(summary));
    }
    lines
}

fn compared(summary: &Summary) -> String {
    let Some(change) = &summary.change else { return "compared with no run before it".to_owned() };
    let Some(before) = &change.since_run else { return "the first run of the job: all is new".to_owned() };
    let began = RunId::parse(before).ok().map(|run| run.started().0);
    let distance = began.map(|began| format!(", {} before", span(summary.started_at.0.saturating_sub(began))));
    let distance = distance.unwrap_or_default();
    format!(
        "compared with {}{distance}: {} new, {} fixed",
        visible(before),
        thousands(change.new),
        thousands(change.fixed)
    )
}

/// A bar with several findings is one bar, and of several rows of one timestamp those are meant that are too many.
fn in_bars(summary: &Summary) -> String {
    let found = summary.findings.error + summary.findings.warn + summary.findings.info;
    let bars = summary.rows.read.saturating_sub(summary.rows.clean);
    // Several rules may ask for the same bars.
    let missing = summary.rules.iter().filter(|rule| rule.check == GAP).map(|rule| rule.bars).max().unwrap_or(0);
    let is = if missing == 1 { "is" } else { "are" };
    let missing = if missing > 0 { format!("; {} {is} missing", counted(missing, "bar")) } else { String::new() };
    format!("{} in {}{missing}", counted(found, "finding"), counted(bars, "bar"))
}

/// A span of time as a person says it, e.g. `3 h`.
pub fn span(micros: i64) -> String {
    let minutes = micros.max(0) / MINUTE;
    match minutes {
        0..120 => format!("{minutes} min"),
        120..2_880 => format!("{} h", minutes / 60),
        _ => counted((minutes / 1_440).unsigned_abs(), "day"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_short() {
        let spans = [-1, 0, 119 * MINUTE, 180 * MINUTE, 2_880 * MINUTE, 400 * 1_440 * MINUTE].map(span);
        assert_eq!(spans, ["0 min", "0 min", "119 min", "3 h", "2 days", "400 days"]);
    }
}
