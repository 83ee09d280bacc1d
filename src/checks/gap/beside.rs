//! Series without any bar where the calendar expects one: nothing can be missing between bars that are not there, and to find
//! nothing would be no answer.

use serde::{Deserialize, Serialize};

use crate::checks::displaced::{OfSessions, SHIFTED, displaced};
use crate::checks::reason::{Excused, Reason};
use crate::checks::sessions::Sessions;
use crate::checks::{Facts, Finding, FindingSink, Series};
use crate::text::numbers::counted;

/// The cause of the findings about bars that are not displaced alike.
const BESIDE_CALENDAR: &str = "beside-calendar";
/// Bars from which on it is no chance that all of them lie beside the calendar.
const FEWEST: usize = 5;

/// What the finding about it adds.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct Evidence {
    calendar: String,
    intraday: bool,
}

/// Reports that none of the bars of `series` is where one is expected: that they are displaced, where they are, and have the
/// stretch of time in which what is expected is missing; else that it is all of them. Fewer bars than say anything are
/// insufficient.
pub(super) fn report(sessions: &Sessions, series: &Series<'_>, findings: &mut FindingSink) {
    let (Some(first), Some(last)) = (series.present.first(), series.present.last()) else { return };
    let bars = series.present.len();
    if bars < FEWEST {
        return findings.insufficient(series.present.iter().filter(|time| **time >= series.since).count());
    }
    let grid = &sessions.grid;
    if let [one] = &displaced(sessions, series.present)[..] {
        let positions = grid.first_at_or_after(one.first).zip(grid.last_at_or_before(one.last));
        let missing = positions.map_or(0, |(first, last)| grid.expected_between(first, last));
        let reported = series.displaced.iter().any(|(first, last)| one.covers(*first) && one.covers(*last));
        return match reported {
            true => findings.excuse(Reason::Shifted, Excused { findings: 1, bars: missing }),
            false => {
                let finding = Finding::gap(one.first, one.last, missing).cause(SHIFTED);
                findings.push(finding.evidence(OfSessions::from(one)));
            }
        };
    }
    let evidence = Evidence { calendar: grid.calendar().name().to_owned(), intraday: sessions.intraday };
    findings.push(Finding::gap(*first, *last, bars as u64).cause(BESIDE_CALENDAR).evidence(evidence));
}

/// The sentence about it.
pub(super) fn message(facts: &Facts<'_>) -> String {
    let Evidence { calendar, intraday } = facts.evidence();
    let (place, settings) = match intraday {
        true => ("where one is expected in the trading hours", "`calendar`, `interval`, the zone or the label"),
        false => ("on a session", "`calendar` or the zone"),
    };
    let span = match (facts.time, facts.time_until) {
        (Some(first), Some(last)) => format!(" from {} to {}", facts.timestamp(first), facts.timestamp(last)),
        _ => String::new(),
    };
    format!(
        "none of {}{span} lies {place} of {calendar}, so nothing can be said of gaps: is it {settings} that is wrong?",
        counted(facts.bars, "bar")
    )
}

#[cfg(test)]
mod tests {
    use crate::checks::testing::{Evaluated, Fixture};
    use crate::checks::{Facts, message};

    const RULE: &str = "check = \"gap\"";

    fn evaluate(bars: &str, times: &[String]) -> Evaluated {
        let rows: String = times.iter().map(|time| format!("{time},1\n")).collect();
        Fixture::new(bars, &format!("time,close\n{rows}")).evaluate(RULE)
    }

    /// What is said of the first finding.
    fn say(found: &Evaluated, bars: &str) -> String {
        message(&Facts::of("gap", Fixture::new(bars, "time").spec.interval, &found.findings[0], None))
    }

    #[test]
    fn series_without_a_bar_in_trading_hours_is_no_series_without_a_gap() {
        // A night exchange by the hours of New York.
        let bars = "interval = \"1h\"\ncalendar = \"XNYS\"";
        let times: Vec<String> =
            (2..13).flat_map(|day| [3, 5 + day % 3].map(|hour| format!("2024-01-{day:02}T{hour:02}:00:00Z"))).collect();
        let found = evaluate(bars, &times);
        assert_eq!(found.lines, ["2024-01-02T03:00Z .. 2024-01-12T05:00Z bars=22 cause=beside-calendar"]);
        assert_eq!(
            say(&found, bars),
            "none of 22 bars from 2024-01-02 03:00Z to 2024-01-12 05:00Z lies where one is expected in the \
             trading hours of XNYS, so nothing can be said of gaps: is it `calendar`, `interval`, the zone or the label \
             that is wrong?"
        );
        assert_eq!((found.totals.evaluated, found.totals.insufficient), (0, 0));
    }

    #[test]
    fn bars_that_are_all_displaced_are_said_to_be() {
        let bars = "interval = \"1h\"\ncalendar = \"XNYS\"";
        let hours = |day: u32| (5..12).map(move |hour| format!("2024-01-{day:02}T{hour:02}:30:00Z"));
        let times: Vec<String> = [8, 9, 10, 11, 12].into_iter().flat_map(hours).collect();
        let found = evaluate(bars, &times);
        assert_eq!(found.findings.len(), 1);
        assert_eq!((found.findings[0].cause, found.findings[0].bars_affected), (Some("shifted"), 35));
        assert!(say(&found, bars).starts_with("bars are 540 minutes early against the calendar in 5 of 5 sessions"));
    }

    #[test]
    fn few_bars_beside_the_calendar_say_nothing() {
        let weekends = ["2024-01-06", "2024-01-07", "2024-01-13", "2024-01-14", "2024-01-20"].map(str::to_owned);
        let found = evaluate("calendar = \"XNYS\"", &weekends[..4]);
        assert_eq!((found.lines.len(), found.totals.evaluated, found.totals.insufficient), (0, 0, 4));
        let found = evaluate("calendar = \"XNYS\"", &weekends);
        assert_eq!(found.lines, ["2024-01-06 .. 2024-01-20 bars=5 cause=beside-calendar"]);
        assert!(say(&found, "").contains("none of 5 bars from 2024-01-06 to 2024-01-20 lies on a session of XNYS"));
        // Days that the calendar does not reach are excused.
        let far = ["2050-01-03", "2050-01-04", "2050-01-05", "2050-01-06", "2050-01-07"].map(str::to_owned);
        let found = evaluate("calendar = \"XNYS\"", &far);
        assert_eq!((found.lines.len(), found.totals.insufficient, found.totals.excused), (0, 0, 5));
    }
}
