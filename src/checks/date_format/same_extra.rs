//! Bars that lie beside the calendar in one session after the other and by no common time: a feed that has trading before
//! the open or after the close, bars in the break, or between two steps.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::checks::Facts;
use crate::checks::displaced::OfSessions;
use crate::checks::stretches::{LEAST_SESSIONS, stretches};
use crate::market::{Calendar, DAY_US, Grid, Slot, zone};

/// Where of a session extra bars lie.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Part {
    BeforeOpen,
    AfterClose,
    InBreak,
    BetweenBars,
}

impl Part {
    const fn word(self) -> &'static str {
        match self {
            Self::BeforeOpen => "before the open",
            Self::AfterClose => "after the close",
            Self::InBreak => "in the break",
            Self::BetweenBars => "between two bars",
        }
    }
}

/// Extra bars of the sessions of a stretch.
pub(super) struct SameExtra {
    /// Indices into the bars that were given.
    pub(super) bars: Vec<usize>,
    pub(super) evidence: Evidence,
}

/// What the finding about it adds.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Evidence {
    #[serde(flatten)]
    of_sessions: OfSessions,
    part: String,
    /// The earliest and the latest of them on the clocks of the exchange, in minutes after midnight.
    from: i64,
    until: i64,
}

/// The bars among `extra` (µs UTC, ascending, outside of trading hours or between two bars) that lie in the same part of one
/// session after the other of those in which the series has a bar, by `time`.
pub(super) fn same_extra(grid: &Grid, time: &[i64], extra: &[i64]) -> Vec<SameExtra> {
    if extra.len() < LEAST_SESSIONS {
        return Vec::new();
    }
    let calendar = grid.calendar();
    let mut parts: BTreeMap<Part, Vec<(i64, usize)>> = BTreeMap::new();
    for (index, time) in extra.iter().enumerate() {
        if let Some((session, part)) = place(calendar, *time) {
            let part = if grid.slot(*time) == Slot::OffGrid { Part::BetweenBars } else { part };
            parts.entry(part).or_default().push((session, index));
        }
    }
    let mut sessions: Vec<i64> = time.iter().filter_map(|time| Some(place(calendar, *time)?.0)).collect();
    sessions.sort_unstable();
    sessions.dedup();
    let mut found = Vec::new();
    for (part, bars) in parts {
        let at = |session: i64| sessions.partition_point(|other| *other < session);
        let mut holds = vec![false; sessions.len()];
        for (session, _) in &bars {
            holds[at(*session)] = true;
        }
        for stretch in stretches(&holds) {
            let within = bars.iter().filter(|(session, _)| stretch.contains(&at(*session)));
            let bars: Vec<usize> = within.map(|(_, index)| *index).collect();
            let clocks = || bars.iter().map(|index| clock(calendar, extra[*index]));
            let (from, until) = (clocks().min().unwrap_or_default(), clocks().max().unwrap_or_default());
            let sessions = holds[stretch.clone()].iter().filter(|holds| **holds).count() as u64;
            let of_sessions = OfSessions { sessions, of: stretch.len() as u64, ..OfSessions::default() };
            found.push(SameExtra {
                bars,
                evidence: Evidence { of_sessions, part: part.word().to_owned(), from, until },
            });
        }
    }
    found
}

/// The session that `time` lies nearest to, and where.
fn place(calendar: &Calendar, time: i64) -> Option<(i64, Part)> {
    let day = zone::local_day(calendar.zone(), time);
    let nearby = calendar.first_on_or_after(day - 1)?..=calendar.last_on_or_before(day + 1)?;
    let distance = |ordinal: i64| {
        let session = calendar.session(ordinal);
        match () {
            () if time < session.open => (session.open - time, ordinal, Part::BeforeOpen),
            () if time >= session.close => (time - session.close, ordinal, Part::AfterClose),
            () => (0, ordinal, Part::InBreak),
        }
    };
    nearby.map(distance).min().map(|(_, ordinal, part)| (ordinal, part))
}

/// Minutes after midnight on the clocks of the exchange.
fn clock(calendar: &Calendar, time: i64) -> i64 {
    (time + zone::offset_at(calendar.zone(), time)).rem_euclid(DAY_US) / 60_000_000
}

/// The sentence about it.
pub(super) fn message(facts: &Facts<'_>) -> String {
    let Evidence { of_sessions, part, from, until } = facts.evidence();
    let time = |minutes: i64| format!("{:02}:{:02}", minutes / 60, minutes % 60);
    let when = match from == until {
        true => format!("at {}", time(from)),
        false => format!("from {} to {}", time(from), time(until)),
    };
    let why = match part.as_str() {
        "before the open" | "after the close" => {
            "does the source have trading outside of the regular hours (`[bars] hours = \"extended\"`), or is it another \
             calendar?"
        }
        "in the break" => "is it a calendar with another break?",
        _ => "is it `interval`, or `align`, that is wrong?",
    };
    format!("{} {part}, {when} at the exchange, {}: {why}", facts.bars(), of_sessions.stretch(facts))
}

#[cfg(test)]
mod tests {
    use crate::checks::testing::{Evaluated, Fixture};
    use crate::checks::{Facts, message};

    const RULE: &str = "check = \"date-format\"";

    /// What is found in bars at `regular` and, in the sessions that `holds` chooses of `days`, at `extra`.
    fn evaluate(
        bars: &str,
        days: &[&str],
        (regular, extra): (&[&str], &[&str]),
        holds: impl Fn(usize) -> bool,
    ) -> Evaluated {
        let mut csv = "time,close\n".to_owned();
        for (index, day) in days.iter().enumerate() {
            let more = if holds(index) { extra } else { &[] };
            regular.iter().chain(more).for_each(|time| csv += &format!("{day}T{time}:00Z,1\n"));
        }
        Fixture::new(bars, &csv).evaluate(RULE)
    }

    fn say(found: &Evaluated, bars: &str) -> String {
        // 2024-01-02 21:00 UTC.
        let first = Some(1_704_229_200_000_000);
        message(&Facts::of("date-format", Fixture::new(bars, "time").spec.interval, &found.findings[0], first))
    }

    const DAYS: [&str; 12] = [
        "2024-01-02",
        "2024-01-03",
        "2024-01-04",
        "2024-01-05",
        "2024-01-08",
        "2024-01-09",
        "2024-01-10",
        "2024-01-11",
        "2024-01-12",
        "2024-01-16",
        "2024-01-17",
        "2024-01-18",
    ];
    const NEW_YORK: &str = "interval = \"15m\"\ncalendar = \"XNYS\"";

    #[test]
    fn bars_after_the_close_of_each_session_are_one_finding() {
        let found = evaluate(NEW_YORK, &DAYS, (&["14:30", "20:45"], &["21:00", "21:15"]), |session| session != 4);
        assert_eq!(found.lines, ["2024-01-02T21:00:00Z .. 2024-01-18T21:15Z time bars=22 cause=same-bars-extra"]);
        assert_eq!(
            say(&found, NEW_YORK),
            "22 bars after the close, from 16:00 to 16:15 at the exchange, in 11 of 12 sessions from \
             2024-01-02 21:00Z to 2024-01-18 21:15Z: does the source have trading outside of the regular hours \
             (`[bars] hours = \"extended\"`), or is it another calendar?"
        );
        let rows: usize = found.findings.iter().map(|finding| 1 + finding.more.len()).sum();
        assert_eq!(rows, 22, "it stands for each row");
        assert_eq!(found.totals.evaluated, 46);
    }

    #[test]
    fn bars_before_the_open_and_after_the_close_are_two_findings() {
        // One bar a session and none by the same time.
        let mut csv = "time,close\n".to_owned();
        for (index, day) in DAYS.iter().enumerate() {
            csv += &format!(
                "{day}T14:30:00Z,1\n{day}T{:02}:15:00Z,1\n{day}T22:{:02}:00Z,1\n",
                9 + index % 5,
                15 * (index % 4)
            );
        }
        let found = Fixture::new(NEW_YORK, &csv).evaluate(RULE);
        let causes: Vec<_> = found.findings.iter().map(|finding| (finding.cause, finding.bars_affected)).collect();
        assert_eq!(causes, [(Some("same-bars-extra"), 12); 2]);
        assert!(
            say(&found, NEW_YORK)
                .starts_with("12 bars before the open, from 04:15 to 08:15 at the exchange, in 12 of 12")
        );
    }

    #[test]
    fn bars_of_four_sessions_or_of_every_second_one_stay_single_findings() {
        let times: (&[&str], &[&str]) = (&["14:30", "20:45"], &["21:00"]);
        assert_eq!(evaluate(NEW_YORK, &DAYS, times, |session| session < 4).lines.len(), 4);
        assert_eq!(evaluate(NEW_YORK, &DAYS, times, |session| session < 5).lines.len(), 1);
        assert_eq!(evaluate(NEW_YORK, &DAYS, times, |session| session % 2 == 0).lines.len(), 6);
        let silent = evaluate(NEW_YORK, &DAYS, (&["14:30"], &["14:45"]), |_| true);
        assert_eq!(silent.lines.len(), 0);
    }

    #[test]
    fn breaks_and_bars_between_two_others_are_told_apart() {
        let shanghai = "interval = \"30m\"\ncalendar = \"XSHG\"\nlabel = \"start\"";
        let found = evaluate(shanghai, &DAYS, (&["01:30", "05:00"], &["04:00"]), |_| true);
        assert!(
            say(&found, shanghai).starts_with("12 bars in the break, at 12:00 at the exchange"),
            "{:?}",
            found.lines
        );
        let hourly = "interval = \"1h\"\ncalendar = \"XNYS\"";
        let found = evaluate(hourly, &DAYS, (&["14:30", "15:30"], &["15:00"]), |_| true);
        let said = say(&found, hourly);
        assert!(said.starts_with("12 bars between two bars, at 10:00") && said.contains("`interval`"), "{said}");
    }
}
