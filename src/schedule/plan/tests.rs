use chrono::{DateTime, NaiveDate, SecondsFormat};

use super::*;

fn micros(text: &str) -> i64 {
    DateTime::parse_from_rfc3339(text).unwrap().timestamp_micros()
}

fn text(at: i64) -> String {
    DateTime::from_timestamp_micros(at).unwrap().to_rfc3339_opts(SecondsFormat::Secs, true)
}

fn cron(pattern: &str, zone: Tz) -> Schedule {
    Schedule::new(When::Cron(Cron::parse(pattern).unwrap()), zone)
}

fn after_close(calendar: &str, minutes: i64) -> Schedule {
    let calendar = Calendar::named(calendar).unwrap();
    let zone = calendar.zone();
    let when = When::AfterClose(AfterClose { span: TimeDelta::minutes(minutes), calendar: Arc::clone(&calendar) });
    Schedule { calendar: Some(calendar), ..Schedule::new(when, zone) }
}

fn next(schedule: &Schedule, after: &str, count: usize) -> Vec<String> {
    schedule.fires(micros(after), count).0.iter().map(|fire| text(fire.at)).collect()
}

#[test]
fn patterns_are_due_at_these_instants_where_clocks_change() {
    for (what, pattern, zone, after, expected) in [
        (
            "weekdays",
            "30 18 * * MON-FRI",
            Tz::Asia__Shanghai,
            "2026-11-27T12:00:00Z",
            &["2026-11-30T10:30:00Z", "2026-12-01T10:30:00Z"][..],
        ),
        (
            "spring: 02:30 is skipped and due at 03:00",
            "30 2 * * *",
            Tz::America__New_York,
            "2026-03-07T12:00:00Z",
            &["2026-03-08T07:00:00Z", "2026-03-09T06:30:00Z"],
        ),
        (
            "spring: two skipped times are due once",
            "15,45 2 * * *",
            Tz::America__New_York,
            "2026-03-08T00:00:00Z",
            &["2026-03-08T07:00:00Z", "2026-03-09T06:15:00Z"],
        ),
        (
            "spring: 02:30 and 03:00 are due once",
            "0,30 2,3 * * *",
            Tz::America__New_York,
            "2026-03-08T06:00:00Z",
            &["2026-03-08T07:00:00Z", "2026-03-08T07:30:00Z"],
        ),
        (
            "spring: right at the end of the skip",
            "30 2 * * *",
            Tz::America__New_York,
            "2026-03-08T07:00:00Z",
            &["2026-03-09T06:30:00Z"],
        ),
        (
            "autumn: 01:30 is shown twice and due once",
            "30 1 * * *",
            Tz::America__New_York,
            "2026-10-31T12:00:00Z",
            &["2026-11-01T05:30:00Z", "2026-11-02T06:30:00Z"],
        ),
        (
            "autumn: between the two",
            "30 1 * * *",
            Tz::America__New_York,
            "2026-11-01T05:45:00Z",
            &["2026-11-02T06:30:00Z"],
        ),
        (
            "autumn: steps of one hour are due once",
            "*/30 1 * * *",
            Tz::America__New_York,
            "2026-11-01T05:00:00Z",
            &["2026-11-01T05:30:00Z", "2026-11-02T06:00:00Z"],
        ),
        (
            "autumn: every hour is every hour that passes",
            "0 * * * *",
            Tz::America__New_York,
            "2026-11-01T04:30:00Z",
            &["2026-11-01T05:00:00Z", "2026-11-01T06:00:00Z", "2026-11-01T07:00:00Z"],
        ),
        (
            "spring: every hour is every hour that passes",
            "0 * * * *",
            Tz::Europe__London,
            "2026-03-29T00:30:00Z",
            &["2026-03-29T01:00:00Z", "2026-03-29T02:00:00Z"],
        ),
        (
            "another zone, another week",
            "30 2 * * *",
            Tz::Europe__Berlin,
            "2026-03-28T12:00:00Z",
            &["2026-03-29T01:00:00Z", "2026-03-30T00:30:00Z"],
        ),
        (
            "half an hour of summer time",
            "15 2 * * *",
            Tz::Australia__Lord_Howe,
            "2026-10-03T00:00:00Z",
            &["2026-10-03T15:30:00Z", "2026-10-04T15:15:00Z"],
        ),
        (
            "a date that a zone skipped",
            "0 12 * * *",
            Tz::Pacific__Apia,
            "2011-12-29T23:00:00Z",
            &["2011-12-30T10:00:00Z", "2011-12-30T22:00:00Z"],
        ),
    ] {
        assert_eq!(next(&cron(pattern, zone), after, expected.len()), expected, "{what}");
    }
}

#[test]
fn patterns_are_due_on_these_dates() {
    for (what, pattern, zone, after, expected) in [
        (
            "leap day",
            "0 6 29 2 *",
            Tz::UTC,
            "2026-01-01T00:00:00Z",
            &["2028-02-29T06:00:00Z", "2032-02-29T06:00:00Z"][..],
        ),
        ("year end", "0 0 1 1 *", Tz::Asia__Tokyo, "2026-06-01T00:00:00Z", &["2026-12-31T15:00:00Z"]),
        ("the 31st", "0 0 31 * *", Tz::UTC, "2026-01-31T00:00:00Z", &["2026-03-31T00:00:00Z", "2026-05-31T00:00:00Z"]),
        (
            "a day of the month or of the week",
            "0 0 13 * FRI",
            Tz::UTC,
            "2026-11-10T00:00:00Z",
            &["2026-11-13T00:00:00Z", "2026-11-20T00:00:00Z"],
        ),
        ("@weekly", "@weekly", Tz::UTC, "2026-11-28T00:00:00Z", &["2026-11-29T00:00:00Z", "2026-12-06T00:00:00Z"]),
    ] {
        assert_eq!(next(&cron(pattern, zone), after, expected.len()), expected, "{what}");
    }
}

#[test]
fn closes_are_followed_by_these_instants() {
    for (what, calendar, minutes, after, expected) in [
        (
            "Thanksgiving, and the half-day after it",
            "XNYS",
            90,
            "2026-11-25T12:00:00Z",
            &["2026-11-25T22:30:00Z", "2026-11-27T19:30:00Z", "2026-11-30T22:30:00Z"][..],
        ),
        (
            "spring: the close moves in UTC",
            "XNYS",
            0,
            "2026-03-06T00:00:00Z",
            &["2026-03-06T21:00:00Z", "2026-03-09T20:00:00Z"],
        ),
        ("autumn", "XNYS", 0, "2026-10-30T00:00:00Z", &["2026-10-30T20:00:00Z", "2026-11-02T21:00:00Z"]),
        (
            "a lunch break is no close; half-day before Christmas",
            "XHKG",
            30,
            "2026-12-23T04:00:00Z",
            &["2026-12-23T08:30:00Z", "2026-12-24T04:30:00Z", "2026-12-28T08:30:00Z"],
        ),
        ("the very moment is over", "XHKG", 30, "2026-12-23T08:30:00Z", &["2026-12-24T04:30:00Z"]),
        ("year end", "XNYS", 60, "2026-12-31T12:00:00Z", &["2026-12-31T22:00:00Z", "2027-01-04T22:00:00Z"]),
        (
            "past midnight, over a weekend",
            "XNYS",
            10 * 60,
            "2026-11-20T12:00:00Z",
            &["2026-11-21T07:00:00Z", "2026-11-24T07:00:00Z"],
        ),
        (
            "longer than to the next close",
            "XNYS",
            26 * 60,
            "2026-11-24T12:00:00Z",
            &["2026-11-24T23:00:00Z", "2026-11-25T23:00:00Z"],
        ),
        ("every day", "24/7", 5, "2026-02-28T12:00:00Z", &["2026-03-01T00:05:00Z", "2026-03-02T00:05:00Z"]),
    ] {
        assert_eq!(next(&after_close(calendar, minutes), after, expected.len()), expected, "{what}");
    }
}

#[test]
fn a_run_is_about_the_last_session_that_is_closed() {
    let day = |text: &str| text.parse::<NaiveDate>().unwrap().to_epoch_days();
    let with = |pattern, zone, calendar| Schedule { calendar: Calendar::named(calendar), ..cron(pattern, zone) };
    let about = |schedule: &Schedule, after: &str| match schedule.next(micros(after)) {
        Due::At(fire) => (fire.session, fire.half_day),
        end @ Due::BeyondCalendar(_) => panic!("{end:?}"),
    };
    let evening = with("30 18 * * *", Tz::America__New_York, "XNYS");
    assert_eq!(about(&evening, "2026-11-26T12:00:00Z"), (Some(day("2026-11-25")), false), "Thanksgiving");
    assert_eq!(about(&evening, "2026-11-27T12:00:00Z"), (Some(day("2026-11-27")), true), "a half-day");
    let noon = with("0 12 * * *", Tz::America__New_York, "XNYS");
    assert_eq!(about(&noon, "2026-11-30T12:00:00Z"), (Some(day("2026-11-27")), true), "not closed yet");
    let never = with("0 12 * * *", Tz::UTC, "24/7");
    assert_eq!(about(&never, "2026-11-30T12:00:00Z"), (Some(day("2026-11-30")), false));
    assert_eq!(about(&cron("@daily", Tz::UTC), "2026-11-30T12:00:00Z"), (None, false), "no calendar");
    let beyond = with("0 12 * * *", Tz::UTC, "XNYS");
    assert_eq!(about(&beyond, "2100-01-01T00:00:00Z"), (None, false), "beyond the calendar nothing is known");
}

#[test]
fn what_lies_beyond_the_calendar_is_said() {
    let schedule = after_close("XNYS", 0);
    let last = Calendar::named("XNYS").unwrap().last().unwrap();
    assert_eq!(schedule.next(micros("2100-01-01T00:00:00Z")), Due::BeyondCalendar(Some(last)));
    let from = i64::from(last - 4) * crate::market::DAY_US;
    let (fires, end) = schedule.fires(from, 50);
    assert!((1..=5).contains(&fires.len()), "{fires:?}");
    assert_eq!(end, Some(Due::BeyondCalendar(Some(last))));
    let before = Calendar::named("XNYS").unwrap().first().unwrap();
    let first = schedule.next(i64::from(before - 1000) * crate::market::DAY_US);
    assert!(matches!(first, Due::At(fire) if fire.session.unwrap() >= before), "{first:?}");
}
