use std::fmt::Write as _;

use crate::checks::message;
use crate::checks::testing::several::evaluate;
use crate::checks::{Facts, Finding};
use crate::market::Interval;

const RULE: &str = "check = \"date-format\"";
const DAILY: &str = "calendar = \"XNYS\"";

/// Bars of `count` series on `days`, and of those whose place `extra` chooses on `more`, with volume `volume` there.
fn bars(count: usize, days: &[&str], more: &str, extra: impl Fn(usize) -> bool, volume: &str) -> String {
    let mut csv = "time,symbol,close,volume\n".to_owned();
    for place in 0..count {
        for day in days {
            writeln!(csv, "{day},S{place:02},1,100").unwrap();
        }
        if extra(place) {
            writeln!(csv, "{more},S{place:02},1,{volume}").unwrap();
        }
    }
    csv
}

/// The days of two weeks around the Monday 2024-01-15, a holiday.
const AROUND: [&str; 6] = ["2024-01-10", "2024-01-11", "2024-01-12", "2024-01-16", "2024-01-17", "2024-01-18"];
const MONDAY: &str = "2024-01-15";

#[test]
fn most_series_on_a_closed_day_are_one_finding_about_the_calendar() {
    let found = evaluate(DAILY, &bars(12, &AROUND, MONDAY, |place| place < 10, "5"), RULE);
    assert_eq!(found.lines, ["(all series) 2024-01-15 .. 2024-01-15 bars=10 cause=market-open"]);
    assert_eq!((found.totals.evaluated, found.totals.excused), (72, 10));
    assert_eq!(
        say(&found.findings[0]),
        "10 of 12 series traded on 2024-01-15, which XNYS calls closed: add it to the calendar, e.g. `base = \"XNYS\"` \
         and `sessions = { 2024-01-15 = \"09:30-16:00\" }` in `[calendar.CORRECTED]`, or ask for an update. No row is \
         moved for it"
    );
}

fn say(finding: &Finding) -> String {
    message(&Facts::of("date-format", Interval::Day, finding, None))
}

#[test]
fn a_few_series_on_a_closed_day_are_findings_of_their_own() {
    let found = evaluate(DAILY, &bars(12, &AROUND, MONDAY, |place| place < 2, "5"), RULE);
    let line = |series: &str| format!("{series} 2024-01-15 time observed=`2024-01-15` cause=not-a-session");
    assert_eq!(found.lines, [line("S00"), line("S01")]);
    // Seven of twelve are not two of three, and four of four are no handful.
    assert_eq!(evaluate(DAILY, &bars(12, &AROUND, MONDAY, |place| place < 7, "5"), RULE).lines.len(), 7);
    assert_eq!(evaluate(DAILY, &bars(12, &AROUND, MONDAY, |place| place < 8, "5"), RULE).lines.len(), 1);
    assert_eq!(evaluate(DAILY, &bars(4, &AROUND, MONDAY, |_| true, "5"), RULE).lines.len(), 4);
    assert_eq!(evaluate(DAILY, &bars(5, &AROUND, MONDAY, |_| true, "5"), RULE).lines.len(), 1);
}

#[test]
fn bars_that_were_filled_in_are_no_trades() {
    assert_eq!(evaluate(DAILY, &bars(12, &AROUND, MONDAY, |_| true, "0"), RULE).lines.len(), 12);
    assert_eq!(evaluate(DAILY, &bars(12, &AROUND, MONDAY, |_| true, ""), RULE).lines.len(), 12);
    // A feed without volumes says nothing by them.
    let without = bars(12, &AROUND, MONDAY, |_| true, "0").replace(",100\n", ",0\n");
    assert_eq!(evaluate(DAILY, &without, RULE).lines.len(), 1);
}

#[test]
fn series_without_bars_around_the_day_do_not_count() {
    let six = bars(6, &AROUND, MONDAY, |_| true, "5");
    // Listed later, delisted before, and dead for half of the years with bars on both sides of that.
    let mut others = String::new();
    for place in 20..40 {
        let days = match place % 3 {
            0 => ["2024-02-20", "2024-02-21"],
            1 => ["2023-06-01", "2023-06-02"],
            _ => ["2023-06-01", "2024-02-21"],
        };
        for day in days {
            writeln!(others, "{day},S{place},1,100").unwrap();
        }
    }
    let found = evaluate(DAILY, &(six + &others), RULE);
    assert_eq!(found.lines, ["(all series) 2024-01-15 .. 2024-01-15 bars=6 cause=market-open"]);
    assert!(say(&found.findings[0]).starts_with("6 of 6 series traded"), "{}", say(&found.findings[0]));
}

#[test]
fn at_the_ends_of_the_data_bars_on_one_side_are_around() {
    for (days, extra, expected) in
        [(&AROUND[..3], 10, 1), (&AROUND[3..], 10, 1), (&AROUND[..3], 7, 7), (&AROUND[3..], 7, 7)]
    {
        let csv = bars(12, days, MONDAY, |place| place < extra, "5");
        assert_eq!(evaluate(DAILY, &csv, RULE).lines.len(), expected, "{days:?} {extra}");
    }
}

#[test]
fn each_of_a_few_days_is_named_and_many_are_one_finding() {
    // From 2001-09-11 to 2001-09-14 the exchange was closed.
    let week = ["2001-09-10", "2001-09-11", "2001-09-12", "2001-09-13", "2001-09-14", "2001-09-17"];
    let found = evaluate(DAILY, &bars(6, &week, "2001-09-18", |_| true, "5"), RULE);
    assert_eq!(found.lines.len(), 4);
    assert_eq!(found.lines[3], "(all series) 2001-09-14 .. 2001-09-14 bars=6 cause=market-open");
    let days: Vec<String> = (1..=31).map(|day| format!("2024-03-{day:02}")).collect();
    let days: Vec<&str> = days.iter().map(String::as_str).collect();
    let found = evaluate(DAILY, &bars(6, &days, "2024-04-01", |_| true, "5"), RULE);
    assert_eq!(found.lines, ["(all series) 2024-03-02 .. 2024-03-31 bars=66 cause=market-open"]);
    assert_eq!(
        say(&found.findings[0]),
        "most series traded on 11 days from 2024-03-02 to 2024-03-31, which XNYS calls closed (6 of 6 series traded on \
         2024-03-02): is it another calendar, or the zone of the dates that is wrong? No row is moved for it"
    );
}

#[test]
fn a_closed_day_of_intraday_bars_is_that_of_the_exchange() {
    let bars_of = "interval = \"1h\"\ncalendar = \"XTKS\"";
    // The evening of 2024-01-07 in UTC is the morning of 2024-01-08 in Tokyo, a holiday.
    let hours = |day: &str| format!("{day}T00:00:00Z {day}T01:00:00Z");
    let (before, after) = (hours("2024-01-05"), hours("2024-01-09"));
    let days: Vec<&str> = before.split(' ').chain(after.split(' ')).collect();
    let some = bars(6, &days, "2024-01-07T23:30:00Z", |place| place < 5, "5");
    let more: String = (0..6).map(|place| format!("2024-01-08T02:00:00Z,S{place:02},1,5\n")).collect();
    let found = evaluate(bars_of, &(some + &more), RULE);
    assert_eq!(found.lines, ["(all series) 2024-01-08T00:00Z .. 2024-01-08T00:00Z bars=11 cause=market-open"]);
    assert!(
        say(&found.findings[0]).contains("2024-01-08 = \"09:00-11:30, 12:30-15:00\""),
        "{}",
        say(&found.findings[0])
    );
}

#[test]
fn a_week_that_the_calendar_has_no_session_in_is_reported_once() {
    let weekly = "interval = \"1w\"\ncalendar = \"XSHG\"";
    // The week of 2020-01-27 was closed for the new year and an epidemic.
    let weeks = ["2020-01-13", "2020-01-20", "2020-02-03", "2020-02-10"];
    let mut csv = bars(6, &weeks, "2020-01-31", |place| place < 3, "5");
    (3..6).for_each(|place| writeln!(csv, "2020-01-27,S{place:02},1,5").unwrap());
    let found = evaluate(weekly, &csv, RULE);
    assert_eq!(found.lines, ["(all series) 2020-01-27 .. 2020-01-27 bars=6 cause=market-open"]);
}

#[test]
fn rules_that_do_not_ask_for_sessions_note_nothing() {
    let found = evaluate(DAILY, &bars(6, &AROUND, MONDAY, |_| true, "5"), RULE);
    assert_eq!(found.lines.len(), 1);
    let spec = crate::checks::testing::Fixture::new(DAILY, "time,close\n2024-01-02,1").spec;
    let silent = crate::checks::testing::compile(&format!("{RULE}\nsessions = false"), &spec);
    assert!(silent.unwrap_or_else(|_| panic!("a good rule")).across().is_none());
}
