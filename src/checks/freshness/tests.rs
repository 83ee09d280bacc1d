use serde_json::json;

use crate::checks::Reason;
use crate::checks::testing::several::evaluate;

/// Daily bars of New York, of each series the date of its newest bar.
fn lines(as_of: &str, max: &str, newest: &[(&str, &str)]) -> Vec<String> {
    let mut csv = String::from("time,symbol,close\n");
    for (symbol, date) in newest {
        csv += &format!("2024-01-02,{symbol},1\n{date},{symbol},1\n");
    }
    let bars = format!("calendar = \"XNYS\"\nzone = \"America/New_York\"\nas_of = \"{as_of}\"");
    evaluate(&bars, &csv, &format!("check = \"freshness\"\nmax = \"{max}\"")).lines
}

#[test]
fn a_session_that_is_not_over_owes_no_bar() {
    // Friday 2024-01-19, before and after the close; Monday 15th was a holiday.
    for (as_of, found) in [("2024-01-19T20:59:00Z", false), ("2024-01-19T21:00:00Z", true)] {
        let lines = lines(as_of, "0 sessions", &[("A", "2024-01-18")]);
        assert_eq!(!lines.is_empty(), found, "{as_of}: {lines:?}");
    }
    let over_the_holiday = lines("2024-01-16T12:00:00Z", "0 sessions", &[("A", "2024-01-12")]);
    assert_eq!(over_the_holiday, [""; 0]);
}

#[test]
fn a_dead_feed_is_one_finding_and_a_series_that_ends_early_another() {
    let mut newest: Vec<(&str, &str)> =
        ["A", "B", "C", "D", "E", "F", "G", "H", "I"].map(|s| (s, "2024-02-01")).to_vec();
    newest.push(("Z", "2024-01-10"));
    let found = lines("2024-02-29T22:00:00Z", "2 sessions", &newest);
    assert_eq!(
        found,
        [
            "(all series) 2024-02-01 observed=19 bars=19 cause=source-ends",
            "Z 2024-01-10 observed=34 bars=34 cause=series-ends"
        ]
    );
    let alive: Vec<(&str, &str)> =
        newest.iter().map(|(s, d)| (*s, if *s == "Z" { *d } else { "2024-02-29" })).collect();
    assert_eq!(
        lines("2024-02-29T22:00:00Z", "2 sessions", &alive),
        ["Z 2024-01-10 observed=34 bars=34 cause=series-ends"]
    );
}

#[test]
fn where_all_series_are_late_the_source_is_and_one_that_ended_before_is_another() {
    let newest = [("A", "2024-02-01"), ("B", "2024-02-01"), ("C", "2024-01-10")];
    let found = lines("2024-02-29T22:00:00Z", "2 sessions", &newest);
    let expected = [
        "(all series) 2024-02-01 observed=19 bars=19 cause=source-ends",
        "C 2024-01-10 observed=34 bars=34 cause=series-ends",
    ];
    assert_eq!(found, expected);
}

#[test]
fn series_that_end_within_what_is_allowed_of_each_other_end_together() {
    let newest = [("A", "2024-02-01"), ("B", "2024-02-01"), ("C", "2024-01-31")];
    let found = lines("2024-02-29T22:00:00Z", "2 sessions", &newest);
    assert_eq!(found, ["(all series) 2024-02-01 observed=19 bars=19 cause=source-ends"]);
}

#[test]
fn a_bar_of_the_future_does_not_hide_that_the_feed_is_dead() {
    let csv = "time,symbol,close\n2024-01-10,A,1\n2024-12-31,A,1\n2025-01-02,A,1\n";
    let bars = "calendar = \"XNYS\"\nzone = \"America/New_York\"\nas_of = \"2024-02-29T22:00:00Z\"";
    let evaluated = evaluate(bars, csv, "check = \"freshness\"\nmax = \"2 sessions\"");
    let expected = [
        "(all series) 2024-01-10 observed=34 bars=34 cause=source-ends",
        "A 2024-12-31 .. 2025-01-02 bars=2 cause=future",
    ];
    assert_eq!(evaluated.lines, expected);
    assert_eq!(evaluated.totals.evaluated, 3);
    assert_eq!(
        evaluated.findings[0].evidence.as_ref().map(|e| e["as_of"].clone()),
        Some(json!(1_709_244_000_000_000_i64))
    );
}

#[test]
fn without_a_limit_only_the_future_is_looked_at() {
    let csv = "time,symbol,close\n2001-01-10,A,1\n";
    let bars = "calendar = \"XNYS\"\nas_of = \"2024-02-29T22:00:00Z\"";
    assert_eq!(evaluate(bars, csv, "check = \"freshness\"").lines, [""; 0]);
}

#[test]
fn minutes_count_by_the_time_of_trading() {
    // The close of Friday is 21:00Z; on Monday at 15:00Z half an hour was traded.
    let bars = "interval = \"1m\"\ncalendar = \"XNYS\"\nas_of = \"2024-01-22T15:00:00Z\"";
    let of = |newest: &str| {
        let csv = format!("time,symbol,close\n{newest},A,1\n");
        evaluate(bars, &csv, "check = \"freshness\"\nmax = \"90m\"").lines
    };
    assert_eq!(of("2024-01-19T20:59:00Z"), [""; 0]);
    assert_eq!(of("2024-01-19T19:59:00Z"), [""; 0]);
    assert_eq!(of("2024-01-19T19:58:00Z"), ["(all series) 2024-01-19T19:58Z observed=91 bars=91 cause=source-ends"]);
}

#[test]
fn bars_labelled_with_their_end_begin_before_it() {
    let bars = |label: &str| format!("interval = \"1h\"\nlabel = \"{label}\"\nas_of = \"2024-01-22T15:30:00Z\"");
    let csv = "time,symbol,close\n2024-01-22T16:00:00Z,A,1\n";
    assert_eq!(evaluate(&bars("end"), csv, "check = \"freshness\"").lines, [""; 0]);
    assert_eq!(evaluate(&bars("start"), csv, "check = \"freshness\"").lines.len(), 1);
}

#[test]
fn weeks_and_months_may_bear_any_of_their_days() {
    let week = "interval = \"1w\"\ncalendar = \"XNYS\"\nzone = \"America/New_York\"\nas_of = \"2024-01-24T15:00:00Z\"";
    let of = |bars: &str, date: &str, max: &str| {
        evaluate(bars, &format!("time,symbol,close\n{date},A,1\n"), &format!("check = \"freshness\"\nmax = \"{max}\""))
            .lines
    };
    assert_eq!(of(week, "2024-01-26", "3d"), [""; 0], "the week has begun");
    assert_eq!(of(week, "2024-01-19", "3d"), [""; 0]);
    assert_eq!(of(week, "2024-01-12", "3d").len(), 0, "two days since the week was over");
    assert_eq!(of(week, "2024-01-05", "3d"), ["(all series) 2024-01-05 observed=2 bars=2 cause=source-ends"]);
    let month = week.replace("1w", "1M");
    assert_eq!(of(&month, "2024-01-31", "3d"), [""; 0]);
    assert_eq!(of(&month, "2023-11-30", "20d"), ["(all series) 2023-11-30 observed=1 cause=source-ends"]);
}

#[test]
fn without_a_calendar_time_passes_by_the_clock() {
    let of = |as_of: &str| {
        let bars = format!("as_of = \"{as_of}\"");
        evaluate(&bars, "time,symbol,close\n2024-01-02,A,1\n", "check = \"freshness\"\nmax = \"3d\"").lines
    };
    assert_eq!(of("2024-01-06T00:00:00Z"), [""; 0]);
    assert_eq!(of("2024-01-07T12:00:00Z"), ["(all series) 2024-01-02 observed=4 bars=4 cause=source-ends"]);
    assert_eq!(of("2024-01-01T10:00:00Z"), [""; 0], "the day has begun where clocks go first");
    assert_eq!(of("2024-01-01T09:00:00Z").len(), 1);
}

#[test]
fn a_series_that_ends_says_how_many_go_on_longer() {
    let newest = [("A", "2024-02-29"), ("B", "2024-02-08"), ("C", "2024-01-10"), ("D", "2024-01-10")];
    let mut csv = String::from("time,symbol,close\n");
    for (symbol, date) in newest {
        csv += &format!("{date},{symbol},1\n");
    }
    let bars = "calendar = \"XNYS\"\nzone = \"America/New_York\"\nas_of = \"2024-02-29T22:00:00Z\"";
    let evaluated = evaluate(bars, &csv, "check = \"freshness\"\nmax = \"2 sessions\"");
    let longer =
        |place: usize| evaluated.findings[place].evidence.as_ref().map(|it| (it["late"].clone(), it["longer"].clone()));
    assert_eq!((longer(0), longer(1)), (Some((json!(1), json!(1))), Some((json!(2), json!(2)))));
}

#[test]
fn a_series_owes_no_bar_from_its_delisting_or_suspension_on() {
    let bars = |facts: &str| {
        format!("calendar = \"XNYS\"\nzone = \"America/New_York\"\nas_of = \"2024-02-29T22:00:00Z\"\nfacts = [{facts}]")
    };
    let csv = "time,symbol,close\n2024-01-02,A,1\n2024-02-29,A,1\n2024-01-02,Z,1\n2024-01-10,Z,1\n";
    let rule = "check = \"freshness\"\nmax = \"2 sessions\"";
    for (facts, reason) in [
        ("\"listed 2000-01-03 2024-01-11\"", Some(Reason::Delisted)),
        ("\"suspended 2024-01-11\"", Some(Reason::Suspended)),
        ("\"suspended 2024-01-11 2024-01-20\", \"listed 2000-01-03 2024-01-20\"", Some(Reason::Delisted)),
        ("\"suspended 2024-01-11 2024-02-01\"", None),
        ("\"suspended 2024-01-18\"", None),
    ] {
        let evaluated = evaluate(&bars(facts), csv, rule);
        assert_eq!(evaluated.lines.len(), usize::from(reason.is_none()), "{facts}: {:?}", evaluated.lines);
        let excused = reason.map_or(0, |reason| evaluated.totals.excused_by[reason as usize].findings);
        assert_eq!(excused, u64::from(reason.is_some()), "{facts}");
    }
}
