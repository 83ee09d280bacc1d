//! `gap`: bars that should be there between the first and the last bar of a series and are not.
//!
//! What should be there is the grid of the job's calendar; two bars with consecutive positions have nothing
//! missing between them, so only the bar before needs to be known. A hole is cut where a fact begins or ends that explains
//! it; what facts explain is left to them. A bar that other rules rejected is a bad
//! bar, not a missing one. Bars off the grid are the business of `date-format` and close no gap.

mod beside;
mod same_bars;

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use self::same_bars::{SameBars, same_bars};
use super::cause::causes;
use super::displaced::{Displaced, OfSessions, SHIFTED, displaced};
use super::params::Params;
use super::reason::{Excused, Exempt, Reason};
use super::sessions::{Sessions, Span};
use super::stretches::LEAST_SESSIONS;
use super::{Check, CheckKind, Context, Described, Facts, Finding, FindingSink, Series, Stage};
use crate::bars::{BarsSpec, Label};
use crate::market::facts::{Absence, SeriesFacts};
use crate::market::{Grid, Slot};
use crate::schema::{Holds, Key, Otherwise, key};
use crate::text::numbers::counted;

/// The check `gap`.
pub(crate) struct Gap;

const PARAMS: &[Key] = &[
    key(
        "min",
        Holds::Count { min: 1, max: 1_000_000 },
        Otherwise::Count(1),
        "Missing bars in a row below which a gap is not reported.",
    ),
    key(
        "coverage",
        Holds::Number { min: 0.0, max: 1.0 },
        Otherwise::Nothing,
        "Share of its bars with which a session of a thinly traded series is complete enough (intraday bars).",
    ),
];

/// Facts that explain why bars are not there.
const EXEMPT: &[Exempt] = &[Exempt::Halted, Exempt::Outage, Exempt::Listing, Exempt::Quarantined];

causes! {
    /// Bars that the calendar expects are not there, and nothing that is known explains it.
    Unexplained = "unexplained",
    /// The symbol was not listed yet.
    BeforeListing = "before-listing",
    /// The symbol was no longer listed.
    Delisted = "delisted",
    /// The symbol was suspended.
    Suspended = "suspended",
    /// The source delivered nothing.
    Outage = "outage",
    /// barkeep moved the bars to quarantine.
    Quarantined = "quarantined",
    /// The bars of many sessions lie beside where they are expected by the same time.
    Shifted = "shifted",
    /// The same bars are missing in one session after the other.
    SameBarsMissing = "same-bars-missing",
    /// No bar is where the calendar expects one.
    BesideCalendar = "beside-calendar",
}

impl Cause {
    fn of(absence: Option<Absence>) -> Self {
        match absence {
            None => Self::Unexplained,
            Some(Absence::NotYetListed) => Self::BeforeListing,
            Some(Absence::NoLongerListed) => Self::Delisted,
            Some(Absence::Suspended) => Self::Suspended,
            Some(Absence::Outage) => Self::Outage,
            Some(Absence::Moved) => Self::Quarantined,
        }
    }
}

/// The sessions of intraday bars that a gap touches.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct Evidence {
    sessions: i64,
    /// Those it swallows whole.
    full_sessions: i64,
}

impl Described for Gap {
    fn name(&self) -> &'static str {
        "gap"
    }

    fn explain(&self) -> &'static str {
        include_str!("gap.md")
    }

    fn causes(&self) -> &'static [&'static str] {
        Cause::WORDS
    }

    fn message(&self, facts: &Facts<'_>) -> String {
        let cause = facts.cause.and_then(Cause::parse);
        let of_sessions = || facts.evidence::<OfSessions>();
        match cause {
            Some(Cause::Shifted) => return format!("{}; {} missing", of_sessions().displaced(facts), facts.bars()),
            Some(Cause::SameBarsMissing) => return same_bars::message(facts),
            Some(Cause::BesideCalendar) => return beside::message(facts),
            _ => {}
        }
        let span = match (facts.time, facts.time_until) {
            (Some(first), Some(last)) if first != last => {
                format!(" from {} to {}", facts.timestamp(first), facts.timestamp(last))
            }
            (Some(only), _) if facts.interval.is_daily_or_longer() => format!(" on {}", facts.timestamp(only)),
            (Some(only), _) => format!(" at {}", facts.timestamp(only)),
            (None, _) => String::new(),
        };
        let Evidence { sessions, full_sessions } = facts.evidence();
        let sessions = match (sessions, full_sessions) {
            (sessions, full) if sessions > 1 => {
                format!(", in {}, {full} of them whole", counted(sessions.unsigned_abs(), "session"))
            }
            (1, 1) => ", a whole session".to_owned(),
            _ => String::new(),
        };
        let why = match cause {
            Some(Cause::BeforeListing) => ": not listed yet",
            Some(Cause::Delisted) => ": no longer listed",
            Some(Cause::Suspended) => ": suspended",
            Some(Cause::Outage) => ": the source delivered nothing",
            Some(Cause::Quarantined) => ": moved to quarantine",
            Some(Cause::Unexplained | Cause::Shifted | Cause::SameBarsMissing | Cause::BesideCalendar) | None => "",
        };
        format!("{} missing{span}{sessions}{why}", facts.bars())
    }

    #[cfg(test)]
    fn more_examples(&self) -> &'static str {
        include_str!("gap_examples.md")
    }
}

impl CheckKind for Gap {
    fn params(&self) -> &'static [Key] {
        PARAMS
    }

    fn stage(&self) -> Stage {
        Stage::Series
    }

    fn flags_rows(&self) -> bool {
        false
    }

    fn excusable(&self) -> &'static [Exempt] {
        EXEMPT
    }

    fn excused_by_default(&self) -> &'static [Exempt] {
        EXEMPT
    }

    fn compile(&self, params: &mut Params<'_>, bars: &BarsSpec) -> Box<dyn Check> {
        let min = params.count("min") as u64;
        let coverage = params.maybe_number("coverage");
        if coverage.is_some() && bars.daily() {
            let help = "leave it out: a session of daily bars has one bar or none; `min` ignores short gaps";
            params.reject("coverage", "`coverage` is for intraday bars", help);
        }
        if bars.grid.is_none() {
            let help =
                "name a calendar in the job, e.g. `[bars] calendar = \"XNYS\"`; `24/7` and `weekdays` need no exchange";
            params.reject("check", "`gap` needs a calendar, and `[bars]` of the job names none", help);
        }
        let sessions = bars.grid.as_ref().map(|grid| Sessions {
            grid: Arc::clone(grid),
            labelled_at_end: bars.time.label == Label::End,
            intraday: !bars.daily(),
        });
        Box::new(Gaps { sessions, min, coverage })
    }
}

/// The parameters of one rule.
struct Gaps {
    /// `None` where the job has no calendar; such a rule never runs.
    sessions: Option<Sessions>,
    min: u64,
    coverage: Option<f64>,
}

impl Check for Gaps {
    fn context(&self) -> Context {
        // A share of a session can only be worked out from the whole session.
        if self.coverage.is_some() { Context::Whole } else { Context::Bars { before: 1, after: 0 } }
    }

    fn counts(&self, series: &Series<'_>, row: usize) -> bool {
        let slot = self.sessions.as_ref().map(|sessions| sessions.grid.slot(series.time[row]));
        matches!(slot, Some(Slot::On(_) | Slot::OtherDay(_) | Slot::OutOfRange))
    }

    fn check(&self, series: &Series<'_>, findings: &mut FindingSink) {
        let Some(sessions) = &self.sessions else { return };
        let mut walk = Walk::new(&sessions.grid, series.since);
        match self.coverage {
            None => {
                for gap in series.present.iter().filter_map(|time| walk.step(*time)) {
                    self.report(gap, series.facts, findings);
                }
            }
            Some(share) => {
                let mut gaps: Vec<Span> = series.present.iter().filter_map(|time| walk.step(*time)).collect();
                let sparse = sessions.tolerate(&mut gaps, walk.evaluated_span(), share);
                findings.excuse(Reason::Sparse, sparse);
                for gap in gaps {
                    self.report(gap, series.facts, findings);
                }
            }
        }
        findings.evaluated(walk.on_grid);
        findings.excused(walk.out_of_range);
        if !walk.met {
            beside::report(sessions, series, findings);
        }
    }

    /// One finding of what is missing for the same reason in many sessions. What is left of other gaps is reported again.
    fn merge(&self, series: &Series<'_>, findings: &mut FindingSink) {
        let Some(sessions) = self.sessions.as_ref().filter(|sessions| sessions.intraday) else { return };
        let gaps: Vec<Span> =
            findings.findings.iter().filter_map(|finding| unexplained(&sessions.grid, finding)).collect();
        if gaps.len() < LEAST_SESSIONS {
            return;
        }
        let mut left = gaps.clone();
        let mut of_many = Vec::new();
        for one in displaced(sessions, series.present) {
            let missing = take(&mut left, sessions, &one);
            let Some((finding, bars)) = of_spans(sessions, &missing) else { continue };
            let reported = series.displaced.iter().any(|(first, last)| one.covers(*first) && one.covers(*last));
            match reported {
                true => findings.excuse(Reason::Shifted, Excused { findings: 1, bars }),
                false => of_many.push(finding.cause(Cause::Shifted).evidence(OfSessions::from(&one))),
            }
        }
        for SameBars { spans, evidence } in same_bars(sessions, &mut left) {
            let finding = of_spans(sessions, &spans).map(|(finding, _)| finding);
            of_many.extend(finding.map(|finding| finding.cause(Cause::SameBarsMissing).evidence(evidence)));
        }
        if left == gaps {
            return;
        }
        findings.findings.retain(|finding| unexplained(&sessions.grid, finding).is_none());
        for gap in left {
            self.report_piece(sessions, gap, Cause::Unexplained, findings);
        }
        findings.findings.extend(of_many);
        findings.findings.sort_by_key(|finding| finding.time);
    }

    fn merged(&self) -> &'static [&'static str] {
        &[SHIFTED, "same-bars-missing"]
    }
}

/// The positions of a gap that nothing explains.
fn unexplained(grid: &Grid, finding: &Finding) -> Option<Span> {
    let position = |time: Option<i64>| match grid.slot(time?) {
        Slot::On(position) => Some(position),
        _ => None,
    };
    finding.cause.filter(|cause| *cause == <&str>::from(Cause::Unexplained))?;
    Some(Span { first: position(finding.time)?, last: position(finding.time_until)? })
}

/// Takes out of `gaps` what is missing because bars are displaced.
fn take(gaps: &mut Vec<Span>, sessions: &Sessions, displaced: &Displaced) -> Vec<Span> {
    let grid = &sessions.grid;
    let (mut taken, mut left) = (Vec::new(), Vec::new());
    for gap in gaps.drain(..) {
        if grid.timestamp(gap.last) < displaced.first || grid.timestamp(gap.first) > displaced.last {
            left.push(gap);
            continue;
        }
        let mut before = None;
        for position in gap.first..=gap.last {
            let explained = displaced.explains_gap(grid, position);
            let spans = if explained { &mut taken } else { &mut left };
            match spans.last_mut().filter(|_| before == Some(explained)) {
                Some(span) => span.last = position,
                None => spans.push(Span { first: position, last: position }),
            }
            before = Some(explained);
        }
    }
    *gaps = left;
    taken
}

/// A finding about the bars of `spans`, which ascend, and how many they are; `None` where there are none.
fn of_spans(sessions: &Sessions, spans: &[Span]) -> Option<(Finding, u64)> {
    let (first, last) = (spans.first()?.first, spans.last()?.last);
    let bars = spans.iter().map(|span| sessions.grid.expected_between(span.first, span.last)).sum();
    Some((Finding::gap(sessions.grid.timestamp(first), sessions.grid.timestamp(last), bars), bars))
}

impl Gaps {
    /// Reports what is missing in `gap`, cut where a fact that explains it begins or ends.
    fn report(&self, gap: Span, facts: &SeriesFacts<'_>, findings: &mut FindingSink) {
        let Some(sessions) = &self.sessions else { return };
        if facts.is_empty() {
            self.report_piece(sessions, gap, Cause::Unexplained, findings);
            return;
        }
        let grid = &sessions.grid;
        let mut piece: Option<(Span, Cause)> = None;
        let mut position = gap.first;
        while position <= gap.last {
            let (absence, changes) = facts.absence(grid.timestamp(position));
            let cause = Cause::of(absence);
            let next = grid.first_at_or_after(changes).unwrap_or(i64::MAX).clamp(position + 1, gap.last + 1);
            match &mut piece {
                Some((span, of)) if *of == cause => span.last = next - 1,
                _ => {
                    let before = piece.replace((Span { first: position, last: next - 1 }, cause));
                    if let Some((span, cause)) = before {
                        self.report_piece(sessions, span, cause, findings);
                    }
                }
            }
            position = next;
        }
        if let Some((span, cause)) = piece {
            self.report_piece(sessions, span, cause, findings);
        }
    }

    /// Reports missing bars of one cause; a few of which nothing is known are thin trading.
    fn report_piece(&self, sessions: &Sessions, gap: Span, cause: Cause, findings: &mut FindingSink) {
        let bars = sessions.grid.expected_between(gap.first, gap.last);
        if bars < self.min && cause == Cause::Unexplained {
            findings.excuse(Reason::Sparse, Excused { findings: 1, bars });
            return;
        }
        let finding = Finding::gap(sessions.grid.timestamp(gap.first), sessions.grid.timestamp(gap.last), bars);
        findings.push(match sessions.touched(gap) {
            Some((all, full)) => finding.cause(cause).evidence(Evidence { sessions: all, full_sessions: full }),
            None => finding.cause(cause),
        });
    }
}

/// Goes along the timestamps of a series and reports the gap before each.
struct Walk<'a> {
    grid: &'a Grid,
    /// Position of the first expected bar.
    first: Option<i64>,
    /// Position of the last bar met, or of the last before the calendar begins.
    last: Option<i64>,
    /// Bars before it are not counted, µs UTC.
    since: i64,
    on_grid: usize,
    out_of_range: usize,
    /// Whether there was a bar where one is expected, or one that the calendar does not reach.
    met: bool,
}

impl<'a> Walk<'a> {
    fn new(grid: &'a Grid, since: i64) -> Self {
        Self { grid, first: None, last: None, since, on_grid: 0, out_of_range: 0, met: false }
    }

    /// The gap between `time` and the timestamps before it.
    fn step(&mut self, time: i64) -> Option<Span> {
        match self.grid.slot(time) {
            Slot::On(position) | Slot::OtherDay(position) => {
                self.on_grid += usize::from(time >= self.since);
                self.met = true;
                self.first = self.first.or(Some(position));
                self.reach(position, position - 1)
            }
            Slot::OutOfRange => {
                self.out_of_range += usize::from(time >= self.since);
                self.met = true;
                self.beyond(time)
            }
            Slot::Tolerated | Slot::OffGrid | Slot::OffHours | Slot::Closed => None,
        }
    }

    /// Moves to `position`; the gap reaches from after the last one to `until`.
    fn reach(&mut self, position: i64, until: i64) -> Option<Span> {
        let before = self.last.replace(position)?;
        (before < until).then_some(Span { first: before + 1, last: until })
    }

    /// A bar the calendar does not reach: of the part it does reach, everything on this side is expected.
    fn beyond(&mut self, time: i64) -> Option<Span> {
        if self.last.is_some() {
            let end = self.grid.last_at_or_before(time)?;
            return self.reach(end, end);
        }
        self.first = self.grid.first_at_or_after(time);
        self.last = self.first.map(|first| first - 1);
        None
    }

    /// All positions at which a bar was expected.
    fn evaluated_span(&self) -> Span {
        self.first.zip(self.last).map_or(Span { first: 0, last: -1 }, |(first, last)| Span { first, last })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use serde_json::json;

    use super::*;
    use crate::bars::DAY_US;
    use crate::checks::testing::{Evaluated, Fixture, compile};
    use crate::market::Calendar;

    const RULE: &str = "check = \"gap\"";
    const HOUR_US: i64 = DAY_US / 24;
    const MINUTE_US: i64 = HOUR_US / 60;

    /// Daily bars of `calendar` on `dates`.
    fn daily(calendar: &str, dates: &[&str]) -> Fixture {
        let rows = dates.iter().map(|date| format!("{date},1\n")).collect::<Vec<_>>().concat();
        Fixture::new(&format!("calendar = \"{calendar}\""), &format!("time,close\n{rows}"))
    }

    /// What a rule finds for bars that are described by `bars` and at `time`.
    fn sink(bars: &str, rule: &str, time: &[i64]) -> FindingSink {
        let spec = Fixture::new(bars, "time").spec;
        let check = compile(rule, &spec).unwrap_or_else(|_| panic!("a good rule"));
        evaluate(check.as_ref(), time)
    }

    fn evaluate(check: &dyn Check, time: &[i64]) -> FindingSink {
        let ranks: Vec<u64> = (0..time.len() as u64).collect();
        let series =
            Series { key: "TEST", time, rows: time.len(), source_rank: &ranks, present: time, ..Series::default() };
        let mut sink = FindingSink::default();
        check.check(&series, &mut sink);
        sink
    }

    fn utc(text: &str) -> i64 {
        chrono::NaiveDateTime::parse_from_str(text, "%Y-%m-%dT%H:%M").expect("a time").and_utc().timestamp_micros()
    }

    fn timestamps(texts: &[&str]) -> Vec<i64> {
        texts.iter().map(|text| utc(text)).collect()
    }

    /// First and last missing timestamp and number of bars of each finding.
    fn gaps(sink: &FindingSink) -> Vec<(i64, i64, u64)> {
        let times = |finding: &Finding| Some((finding.time?, finding.time_until?, finding.bars_affected));
        sink.findings.iter().filter_map(times).collect()
    }

    fn counts(evaluated: &Evaluated) -> (u64, u64) {
        (evaluated.totals.evaluated, evaluated.totals.excused)
    }

    #[test]
    fn sessions_one_after_the_other_are_clean_over_weekends_and_holidays() {
        // Monday 2024-01-15 was a holiday.
        let evaluated = daily("XNYS", &["2024-01-11", "2024-01-12", "2024-01-16", "2024-01-17"]).evaluate(RULE);
        assert_eq!((evaluated.lines, evaluated.totals.evaluated), (vec![], 4));
    }

    #[test]
    fn consecutive_missing_sessions_are_one_finding() {
        let evaluated = daily("XNYS", &["2024-01-11", "2024-01-18", "2024-01-22"]).evaluate(RULE);
        let expected =
            ["2024-01-12 .. 2024-01-17 bars=3 cause=unexplained", "2024-01-19 .. 2024-01-19 cause=unexplained"];
        assert_eq!(evaluated.lines, expected);
        assert_eq!((evaluated.findings[0].rows.clone(), evaluated.findings[0].evidence.clone()), (None, None));
    }

    #[test]
    fn duplicates_and_bars_on_non_sessions_do_not_hide_a_gap() {
        let dates = ["2024-01-11", "2024-01-11", "2024-01-13", "2024-01-16", "2024-01-16"];
        let evaluated = daily("XNYS", &dates).evaluate(RULE);
        assert_eq!(evaluated.lines, ["2024-01-12 .. 2024-01-12 cause=unexplained"]);
        assert_eq!(counts(&evaluated), (4, 0));
    }

    #[test]
    fn a_bar_whose_timestamp_does_not_parse_is_missing() {
        let unreadable = daily("XNYS", &["2024-01-10", "20240111", "2024-01-12"]).evaluate(RULE);
        assert_eq!(unreadable.lines, ["2024-01-11 .. 2024-01-11 cause=unexplained"]);
    }

    #[test]
    fn bars_beyond_the_calendar_are_excused_and_what_it_knows_is_still_expected() {
        let last = ["2026-12-29", "2026-12-30", "2026-12-31", "2027-01-04", "2027-03-01"];
        let evaluated = daily("XSHG", &last).evaluate(RULE);
        assert_eq!((evaluated.lines.len(), counts(&evaluated)), (0, (3, 2)));
        let gap = daily("XSHG", &["2026-12-29", "2027-01-04", "2027-01-05"]).evaluate(RULE);
        assert_eq!(gap.lines, ["2026-12-30 .. 2026-12-31 bars=2 cause=unexplained"]);
        let first = daily("XSHG", &["1990-11-01", "1990-11-02", "1990-12-21"]).evaluate(RULE);
        assert_eq!(first.findings[0].time_until, Some(utc("1990-12-20T00:00")));
        let outside = daily("XSHG", &["2027-01-04", "2027-02-04"]).evaluate(RULE);
        assert_eq!((outside.lines.len(), counts(&outside)), (0, (0, 2)));
    }

    #[test]
    fn gaps_shorter_than_the_minimum_are_ignored() {
        let bars = daily("24/7", &["2024-01-01", "2024-01-03", "2024-01-06"]);
        assert_eq!(
            bars.evaluate("check = \"gap\"\nmin = 2").lines,
            ["2024-01-04 .. 2024-01-05 bars=2 cause=unexplained"]
        );
        assert_eq!(bars.evaluate("check = \"gap\"\nmin = 3").lines, [""; 0]);
    }

    #[test]
    fn weekly_bars_may_bear_any_date_of_their_week() {
        let fixture = Fixture::new(
            "interval = \"1w\"\ncalendar = \"XNYS\"",
            "time,close\n2024-01-05,1\n2024-01-08,1\n2024-01-31,1",
        );
        assert_eq!(fixture.evaluate(RULE).lines, ["2024-01-15 .. 2024-01-22 bars=2 cause=unexplained"]);
    }

    #[test]
    fn no_bar_and_one_bar_have_no_gap() {
        for bars in [daily("XNYS", &[]), daily("XNYS", &["2024-01-11"])] {
            assert_eq!(bars.evaluate(RULE).findings, []);
            assert_eq!(bars.evaluate("check = \"gap\"\nmin = 2").findings, []);
        }
        let sink = sink("interval = \"1m\"\ncalendar = \"24/7\"", "check = \"gap\"\ncoverage = 0.5", &[]);
        assert_eq!(sink.findings, []);
    }

    #[test]
    fn a_missing_session_lacks_the_minutes_that_session_has() {
        // (calendar, last bar of the session before, first bar of the session after, minutes)
        for (calendar, before, after, minutes) in [
            ("XNYS", "2024-03-07T20:59", "2024-03-11T13:30", 390),
            ("XNYS", "2024-11-27T20:59", "2024-12-02T14:30", 210),
            ("XSHG", "2024-01-02T06:59", "2024-01-04T01:30", 240),
            ("XHKG", "2024-12-20T07:59", "2024-12-24T01:30", 330),
            ("XHKG", "2024-12-23T07:59", "2024-12-27T01:30", 150),
            ("XTKS", "2024-10-31T05:59", "2024-11-05T00:00", 300),
            ("XTKS", "2024-11-01T05:59", "2024-11-06T00:00", 325),
            ("XLON", "2024-03-28T16:29", "2024-04-03T07:00", 510),
            ("24/7", "2024-03-09T23:59", "2024-03-11T00:00", 1_440),
        ] {
            let bars = format!("interval = \"1m\"\ncalendar = \"{calendar}\"");
            let sink = sink(&bars, RULE, &timestamps(&[before, after]));
            assert_eq!(
                sink.findings.iter().map(|f| f.bars_affected).collect::<Vec<_>>(),
                [minutes],
                "{calendar} {before}"
            );
            assert_eq!(
                sink.findings[0].evidence,
                Some(json!({"sessions": 1, "full_sessions": 1})),
                "{calendar} {before}"
            );
        }
    }

    #[test]
    fn pause_is_no_gap_for_bars_timestamped_at_their_end() {
        let bars = "interval = \"1m\"\ncalendar = \"XSHG\"\nlabel = \"end\"";
        // 11:30, 13:01, 15:00 in Shanghai, then 09:31 of the next session.
        assert_eq!(sink(bars, RULE, &timestamps(&["2024-01-03T03:30", "2024-01-03T05:01"])).findings, []);
        assert_eq!(sink(bars, RULE, &timestamps(&["2024-01-03T07:00", "2024-01-04T01:31"])).findings, []);
        let found = sink(bars, RULE, &timestamps(&["2024-01-03T03:29", "2024-01-03T05:02"]));
        assert_eq!(gaps(&found), [(utc("2024-01-03T03:30"), utc("2024-01-03T05:01"), 2)]);
        assert_eq!(found.findings[0].evidence, Some(json!({"sessions": 1, "full_sessions": 0})));
    }

    #[test]
    fn intraday_gap_over_several_sessions_is_one_finding() {
        let bars = "interval = \"1h\"\ncalendar = \"24/7\"";
        for (timestamp, lag) in [("start", 0), ("end", HOUR_US)] {
            let time = timestamps(&["2024-01-01T21:00", "2024-01-04T01:00"]).into_iter().map(|time| time + lag);
            let found = sink(&format!("{bars}\nlabel = \"{timestamp}\""), RULE, &time.collect::<Vec<_>>());
            assert_eq!(gaps(&found), [(utc("2024-01-01T22:00") + lag, utc("2024-01-04T00:00") + lag, 51)]);
            assert_eq!(found.findings[0].evidence, Some(json!({"sessions": 4, "full_sessions": 2})), "{timestamp}");
        }
    }

    #[test]
    fn bar_that_ends_at_midnight_belongs_to_the_session_before() {
        let bars = "interval = \"1h\"\ncalendar = \"24/7\"\nlabel = \"end\"";
        let found = sink(bars, RULE, &timestamps(&["2024-01-01T22:00", "2024-01-02T01:00"]));
        assert_eq!(gaps(&found), [(utc("2024-01-01T23:00"), utc("2024-01-02T00:00"), 2)]);
        assert_eq!(found.findings[0].evidence, Some(json!({"sessions": 1, "full_sessions": 0})));
    }

    #[test]
    fn clock_aligned_bars_belong_to_the_session_they_begin_before() {
        let mut spec = Fixture::new("interval = \"1h\"\ncalendar = \"XNYS\"", "time").spec;
        spec.grid = spec.grid.map(|grid| Arc::new(Grid::clone(&grid).with_clock_alignment()));
        let check = compile(RULE, &spec).unwrap_or_else(|_| panic!("a good rule"));
        // From the 15:00 bar of Thursday to the 09:00 bar of Monday in New York: Friday is missing.
        let found = evaluate(check.as_ref(), &timestamps(&["2024-01-04T20:00", "2024-01-08T14:00"]));
        assert_eq!(gaps(&found), [(utc("2024-01-05T14:00"), utc("2024-01-05T20:00"), 7)]);
        assert_eq!(found.findings[0].evidence, Some(json!({"sessions": 1, "full_sessions": 1})));
        let after_first = evaluate(check.as_ref(), &timestamps(&["2024-01-05T14:00", "2024-01-08T14:00"]));
        assert_eq!(after_first.findings[0].evidence, Some(json!({"sessions": 1, "full_sessions": 0})));
    }

    #[test]
    fn thinly_traded_session_is_tolerated_and_an_outage_is_not() {
        let bars = "interval = \"1h\"\ncalendar = \"24/7\"";
        let mut time: Vec<i64> = (0..96).map(|hour| utc("2024-01-01T00:00") + hour * HOUR_US).collect();
        // The first day lacks 2 of 24, the second 20, the third all, the fourth its first 3.
        time.retain(|time| ![3, 7].contains(&((time - utc("2024-01-01T00:00")) / HOUR_US)));
        time.retain(|time| !(utc("2024-01-02T04:00")..utc("2024-01-04T03:00")).contains(time));
        assert_eq!(sink(bars, RULE, &time).findings.len(), 3);
        let found = sink(bars, "check = \"gap\"\ncoverage = 0.8", &time);
        assert_eq!(gaps(&found), [(utc("2024-01-02T04:00"), utc("2024-01-03T23:00"), 44)]);
        let strict = sink(bars, "check = \"gap\"\ncoverage = 1", &time);
        assert_eq!(strict.findings.len(), 3);
        let lax = sink(bars, "check = \"gap\"\ncoverage = 0", &time);
        assert_eq!(gaps(&lax), [(utc("2024-01-03T00:00"), utc("2024-01-03T23:00"), 24)], "a day without bars is a gap");
    }

    #[test]
    fn session_without_any_bar_is_a_gap_at_every_coverage() {
        let bars = "interval = \"1h\"\ncalendar = \"24/7\"";
        let time = timestamps(&["2024-01-01T23:00", "2024-01-03T00:00"]);
        let found = sink(bars, "check = \"gap\"\ncoverage = 0", &time);
        assert_eq!(gaps(&found), [(utc("2024-01-02T00:00"), utc("2024-01-02T23:00"), 24)]);
    }

    /// The hours of New York in January 2024 without those that `missing` names, by their number in the session.
    fn without(missing: impl Fn(i64, i64) -> bool) -> Fixture {
        let grid = Fixture::new("interval = \"1h\"\ncalendar = \"XNYS\"", "time").spec.grid.expect("a grid");
        let first = grid.first_at_or_after(utc("2024-01-02T00:00")).expect("a bar");
        let positions = (0..20).flat_map(|session: i64| (0..7).map(move |hour: i64| (session, hour)));
        let kept = (0_i64..).zip(positions).filter(|(_, (session, hour))| !missing(*session, *hour));
        let lines: Vec<String> = kept
            .map(|(at, _)| {
                let time = grid.timestamp(first + at);
                let time = chrono::DateTime::from_timestamp_micros(time).expect("a time");
                format!("{},1\n", time.format("%Y-%m-%dT%H:%M:%SZ"))
            })
            .collect();
        let bars = "interval = \"1h\"\ncalendar = \"XNYS\"\nformats = [\"%Y-%m-%dT%H:%M:%SZ\"]";
        Fixture::new(bars, &format!("time,close\n{}", lines.concat()))
    }

    #[test]
    fn the_same_bars_of_each_session_are_one_finding() {
        for (part, missing, first, bars) in [
            ("last", 6..7, "2024-01-02T20:30Z", 19),
            ("last", 4..7, "2024-01-02T18:30Z", 57),
            ("first", 0..1, "2024-01-03T14:30Z", 19),
            ("from", 2..4, "2024-01-02T16:30Z", 40),
        ] {
            let evaluated = without(|_, hour| missing.contains(&hour)).evaluate(RULE);
            assert_eq!(evaluated.lines.len(), 1, "{part}: {:?}", evaluated.lines);
            assert!(evaluated.lines[0].starts_with(first), "{:?}", evaluated.lines);
            assert_eq!(evaluated.findings[0].bars_affected, bars);
            assert_eq!(evaluated.findings[0].cause, Some("same-bars-missing"));
            assert_eq!(evaluated.findings[0].evidence.as_ref().expect("evidence")["part"], part);
        }
    }

    #[test]
    fn another_gap_beside_the_same_bars_is_a_finding_of_its_own() {
        // The last hour of each session, and in the tenth all of it.
        let evaluated = without(|session, hour| hour == 6 || session == 9).evaluate(RULE);
        let expected = [
            "2024-01-02T20:30Z .. 2024-01-29T20:30Z bars=18 cause=same-bars-missing",
            "2024-01-16T14:30Z .. 2024-01-16T20:30Z bars=7 cause=unexplained",
        ];
        assert_eq!(evaluated.lines, expected);
        assert_eq!(evaluated.findings[0].evidence.as_ref().expect("evidence")["of"], 18);
    }

    #[test]
    fn gaps_at_different_hours_or_in_few_sessions_are_not_merged() {
        let scattered = without(|session, hour| session % 4 == 1 && hour == (session / 4) % 5 + 1).evaluate(RULE);
        assert_eq!(scattered.findings.len(), 5);
        assert!(scattered.findings.iter().all(|finding| finding.cause == Some("unexplained")));
        let few = without(|session, hour| (3..7).contains(&session) && hour == 3).evaluate(RULE);
        assert_eq!(few.findings.len(), 4);
        let now_and_then = without(|session, hour| session % 2 == 0 && hour == 3).evaluate(RULE);
        assert_eq!(now_and_then.findings.len(), 10);
    }

    #[test]
    fn rule_without_calendar_and_coverage_of_daily_bars_are_mistakes() {
        let bars = Fixture::daily("time,close");
        let mistakes = compile("check = \"gap\"\nmin = 0\ncoverage = 0.9", &bars.spec).err().unwrap_or_default();
        let text: String = mistakes.iter().map(|mistake| mistake.render(false)).collect();
        assert!(text.contains("`gap` needs a calendar"), "{text}");
        assert!(text.contains("`coverage` is for intraday bars"), "{text}");
        assert!(text.contains("`min` is out of range"), "{text}");
    }

    /// Expected timestamps of the days `from..to` by going through the sessions minute by minute.
    fn expected_timestamps(calendar: &Calendar, minutes: Option<i64>, at_end: bool, from: i32, to: i32) -> Vec<i64> {
        let mut all = Vec::new();
        for day in from..to {
            let crate::market::Lookup::Session(ordinal) = calendar.session_on(day) else { continue };
            let Some(minutes) = minutes else {
                all.push(i64::from(day) * DAY_US);
                continue;
            };
            let session = calendar.session(ordinal);
            for minute in 0..24 * 60 {
                let time = session.open + minute * MINUTE_US;
                let paused = session.breaks().find(|(start, end)| (*start..*end).contains(&time));
                let since =
                    session.breaks().filter(|(_, end)| time >= *end).last().map_or(session.open, |(_, end)| end);
                if time < session.close && paused.is_none() && (time - since) % (minutes * MINUTE_US) == 0 {
                    let close =
                        session.breaks().find(|(start, _)| time < *start).map_or(session.close, |(start, _)| start);
                    all.push(if at_end { (time + minutes * MINUTE_US).min(close) } else { time });
                }
            }
        }
        all
    }

    /// The gaps by set difference: every expected timestamp that is not there, runs of them merged, where those of
    /// sessions with enough bars are left out.
    fn naive(
        expected: &[i64],
        session_of: &[usize],
        time: &BTreeSet<i64>,
        coverage: Option<f64>,
    ) -> Vec<(i64, i64, u64)> {
        let (Some(first), Some(last)) = (time.first(), time.last()) else { return Vec::new() };
        let inside: Vec<usize> = (0..expected.len()).filter(|at| (first..=last).contains(&&expected[*at])).collect();
        let enough = |session: usize| {
            let bars: Vec<usize> = inside.iter().copied().filter(|at| session_of[*at] == session).collect();
            let present = bars.iter().filter(|at| time.contains(&expected[**at])).count();
            coverage.is_some_and(|share| present > 0 && present as f64 / bars.len() as f64 >= share)
        };
        let mut runs: Vec<(usize, usize)> = Vec::new();
        for at in inside.iter().copied().filter(|at| !time.contains(&expected[*at]) && !enough(session_of[*at])) {
            match runs.last_mut() {
                Some(run) if run.1 + 1 == at => run.1 = at,
                _ => runs.push((at, at)),
            }
        }
        runs.into_iter().map(|(a, b)| (expected[a], expected[b], (b - a + 1) as u64)).collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(192))]
        #[test]
        fn gaps_are_the_expected_timestamps_that_are_not_there(
            market in prop::sample::select(vec!["XNYS", "XSHG", "XHKG", "24/7", "weekdays"]),
            interval in prop::sample::select(vec![None, Some(60), Some(30)]),
            at_end in prop::bool::ANY,
            keep in prop::sample::select(vec![0.05, 0.5, 0.95]),
            coverage in prop::option::of(0.0..1.0),
            outage in (0usize..150, 0usize..60),
            draws in prop::collection::vec((0.0..1.0, prop::bool::ANY), 700),
        ) {
            // Two weeks around the western new year of 2024, with holidays of all markets.
            let (from, to) = (19_715, 19_730);
            let calendar = Calendar::named(market).expect("a calendar");
            let expected = expected_timestamps(&calendar, interval, at_end && interval.is_some(), from, to);
            let mut session_of = Vec::new();
            for day in from..to {
                let bars = expected_timestamps(&calendar, interval, false, day, day + 1).len();
                session_of.extend(std::iter::repeat_n(usize::try_from(day).expect("a day"), bars));
            }
            let mut time = Vec::new();
            for (at, (timestamp, (draw, twice))) in expected.iter().zip(&draws).enumerate() {
                let out = (outage.0..outage.0 + outage.1).contains(&at);
                if *draw < keep && !out {
                    time.extend(std::iter::repeat_n(*timestamp, if *twice { 2 } else { 1 }));
                }
            }
            let timestamp = if at_end { "end" } else { "start" };
            let step = interval.map_or("1d".to_owned(), |minutes| format!("{minutes}m"));
            let timestamp = if interval.is_some() { format!("label = \"{timestamp}\"") } else { String::new() };
            let coverage = coverage.filter(|_| interval.is_some());
            let bars = format!("interval = \"{step}\"\ncalendar = \"{market}\"\n{timestamp}");
            let rule = coverage.map_or(RULE.to_owned(), |share| format!("{RULE}\ncoverage = {share:?}"));
            let set: BTreeSet<i64> = time.iter().copied().collect();
            prop_assert_eq!(gaps(&sink(&bars, &rule, &time)), naive(&expected, &session_of, &set, coverage));
        }
    }
}
