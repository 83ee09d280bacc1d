mod minute_by_minute;

use chrono::{DateTime, NaiveDate, Utc};

use super::*;
use crate::market::PeriodLabel;

fn utc(text: &str) -> i64 {
    match text.parse::<DateTime<Utc>>() {
        Ok(instant) => instant.timestamp_micros(),
        Err(_) => i64::from(text.parse::<NaiveDate>().unwrap().to_epoch_days()) * DAY_US,
    }
}

fn text(instant: i64) -> String {
    DateTime::from_timestamp_micros(instant).unwrap().format("%Y-%m-%dT%H:%M").to_string()
}

fn grid(calendar: &str, interval: &str, label: Label) -> Grid {
    Grid::new(Calendar::named(calendar).unwrap(), Interval::parse(interval).unwrap(), label)
}

/// The UTC clock times of all timestamps of the calendar day `date` in UTC.
fn clock_times(grid: &Grid, date: &str) -> Vec<String> {
    let from = grid.first_at_or_after(utc(date)).unwrap();
    let to = grid.last_at_or_before(utc(date) + DAY_US - 1).unwrap();
    (from..=to).map(|position| text(grid.timestamp(position))[11..].to_owned()).collect()
}

fn position(grid: &Grid, time: &str) -> i64 {
    match grid.slot(utc(time)) {
        Slot::On(position) => position,
        other => panic!("{time}: {other:?}"),
    }
}

#[test]
fn a_session_has_as_many_minutes_as_the_exchange_is_open() {
    for (calendar, date, minutes) in [
        ("XNYS", "2024-03-08", 390),
        ("XNYS", "2024-11-29", 210),
        ("XSHG", "2024-10-08", 240),
        ("XHKG", "2024-12-27", 330),
        ("XHKG", "2024-12-24", 150),
        ("XTKS", "2024-11-01", 300),
        ("XTKS", "2024-11-05", 325),
        ("XLON", "2024-03-28", 510),
        ("24/7", "2024-03-09", 1_440),
    ] {
        assert_eq!(clock_times(&grid(calendar, "1m", Label::Start), date).len(), minutes, "{calendar} {date}");
    }
}

#[test]
fn end_timestamps_lie_after_the_open_and_reach_the_close() {
    let times = clock_times(&grid("XSHG", "1m", Label::End), "2024-10-08");
    assert_eq!((times[0].as_str(), times[119].as_str()), ("01:31", "03:30"));
    assert_eq!((times[120].as_str(), times[239].as_str()), ("05:01", "07:00"));
    let times = clock_times(&grid("XSHG", "1m", Label::Start), "2024-10-08");
    assert_eq!((times[0].as_str(), times[119].as_str()), ("01:30", "03:29"));
    assert_eq!((times[120].as_str(), times[239].as_str()), ("05:00", "06:59"));
}

#[test]
fn a_short_last_bar_ends_at_the_close() {
    let starts = clock_times(&grid("XNYS", "1h", Label::Start), "2024-03-11");
    assert_eq!(starts, ["13:30", "14:30", "15:30", "16:30", "17:30", "18:30", "19:30"]);
    let ends = clock_times(&grid("XNYS", "1h", Label::End), "2024-03-11");
    assert_eq!(ends, ["14:30", "15:30", "16:30", "17:30", "18:30", "19:30", "20:00"]);
    let grid = grid("XNYS", "1h", Label::End);
    let last = position(&grid, "2024-03-11T20:00:00Z");
    assert_eq!(grid.last_at_or_before(utc("2024-03-11T20:00:00Z")), Some(last));
    assert_eq!(grid.last_at_or_before(utc("2024-03-11T19:59:59Z")), Some(last - 1));
    assert_eq!(grid.first_at_or_after(utc("2024-03-11T19:59:59Z")), Some(last));
    assert_eq!(grid.first_at_or_after(utc("2024-03-11T20:00:01Z")), Some(last + 1));
}

#[test]
fn hours_on_the_clock_begin_before_the_open() {
    let starts = clock_times(&grid("XNYS", "1h", Label::Start).with_clock_alignment(), "2024-03-11");
    assert_eq!(starts, ["13:00", "14:00", "15:00", "16:00", "17:00", "18:00", "19:00"]);
    let ends = clock_times(&grid("XNYS", "1h", Label::End).with_clock_alignment(), "2024-11-29");
    assert_eq!(ends, ["15:00", "16:00", "17:00", "18:00"]);
    let ends = clock_times(&grid("XSHG", "1h", Label::End).with_clock_alignment(), "2024-10-08");
    assert_eq!(ends, ["02:00", "03:00", "04:00", "06:00", "07:00"]);
}

#[test]
fn a_bar_on_the_clock_that_holds_both_sides_of_a_pause_is_one_bar() {
    let starts = clock_times(&grid("XSHG", "8h", Label::Start).with_clock_alignment(), "2024-10-08");
    assert_eq!(starts, ["00:00"]);
}

#[test]
fn a_bar_on_the_clock_that_holds_two_sessions_is_one_bar() {
    // The session of Tuesday ends and that of Wednesday begins at 17:00 in Chicago, 22:00Z.
    let grid = grid("CMES", "4h", Label::Start).with_clock_alignment();
    assert_eq!(clock_times(&grid, "2024-06-11"), ["01:00", "05:00", "09:00", "13:00", "17:00", "21:00"]);
}

#[test]
fn the_four_ways_off_the_grid_are_distinguished() {
    let grid = grid("XSHG", "1m", Label::Start);
    assert_eq!(grid.slot(utc("2024-10-08T01:30:30Z")), Slot::OffGrid);
    assert_eq!(grid.slot(utc("2024-10-08T06:59:59Z")), Slot::OffGrid);
    assert_eq!(grid.slot(utc("2024-10-08T01:29:00Z")), Slot::OffHours);
    assert_eq!(grid.slot(utc("2024-10-08T03:30:00Z")), Slot::OffHours);
    assert_eq!(grid.slot(utc("2024-10-08T04:59:00Z")), Slot::OffHours);
    assert_eq!(grid.slot(utc("2024-10-08T07:00:00Z")), Slot::Tolerated);
    assert_eq!(grid.slot(utc("2024-10-08T07:01:00Z")), Slot::OffHours);
    assert_eq!(grid.slot(utc("2024-10-07T16:00:00Z")), Slot::OffHours, "already the 8th in Shanghai");
    assert_eq!(grid.slot(utc("2024-10-07T15:59:00Z")), Slot::Closed);
    assert_eq!(grid.slot(utc("2024-10-01T02:00:00Z")), Slot::Closed);
    assert_eq!(grid.slot(utc("2027-01-04T02:00:00Z")), Slot::OutOfRange);
    assert_eq!(grid.slot(utc("1990-12-18T02:00:00Z")), Slot::OutOfRange);
    let grid = self::grid("XSHG", "1m", Label::End);
    assert_eq!(grid.slot(utc("2024-10-08T01:30:00Z")), Slot::OffHours);
    assert_eq!(grid.slot(utc("2024-10-08T01:30:30Z")), Slot::OffGrid);
    assert!(matches!(grid.slot(utc("2024-10-08T07:00:00Z")), Slot::On(_)));
}

#[test]
fn a_closing_auction_is_tolerated_from_the_close_to_its_end() {
    let slots = |grid: &Grid, times: &[&str]| times.iter().map(|time| grid.slot(utc(time))).collect::<Vec<_>>();
    let grid = self::grid("XTKS", "1m", Label::Start);
    let (last, auction) = (position(&grid, "2024-11-05T06:24:00Z"), ["2024-11-05T06:25:00Z", "2024-11-05T06:30:00Z"]);
    assert_eq!(position(&grid, "2024-11-06T00:00:00Z"), last + 1);
    assert_eq!(slots(&grid, &auction), [Slot::Tolerated, Slot::Tolerated]);
    assert_eq!(slots(&grid, &["2024-11-05T06:31:00Z", "2024-11-05T02:30:00Z"]), [Slot::OffHours, Slot::OffHours]);
    assert_eq!(slots(&grid.clone().with_auctions(false), &auction), [Slot::OffHours, Slot::OffHours]);
    let ends = self::grid("XTKS", "1m", Label::End);
    assert!(matches!(ends.slot(utc("2024-11-05T06:25:00Z")), Slot::On(_)));
    assert_eq!(slots(&ends, &["2024-11-05T06:26:00Z", "2024-11-05T06:30:00Z"]), [Slot::Tolerated, Slot::Tolerated]);
    let hong_kong = self::grid("XHKG", "1m", Label::Start);
    assert_eq!(slots(&hong_kong, &["2024-12-24T04:10:00Z", "2024-12-24T04:11:00Z"]), [Slot::Tolerated, Slot::OffHours]);
    let new_york = self::grid("XNYS", "1m", Label::Start);
    assert_eq!(slots(&new_york, &["2024-07-03T17:00:00Z"]), [Slot::OffHours], "no auction is known of");
    assert_eq!(slots(&new_york.with_auctions(true), &["2024-07-03T17:00:00Z"]), [Slot::Tolerated]);
}

#[test]
fn seconds_are_cut_like_minutes() {
    let seconds = grid("XSHG", "15s", Label::Start);
    let first = position(&seconds, "2024-10-08T01:30:00Z");
    assert_eq!(position(&seconds, "2024-10-08T06:59:45Z"), first + 240 * 4 - 1);
    assert_eq!(seconds.slot(utc("2024-10-08T01:30:01Z")), Slot::OffGrid);
    let crypto = grid("24/7", "1s", Label::Start);
    assert_eq!(position(&crypto, "2024-03-10T00:00:00Z"), position(&crypto, "2024-03-09T00:00:00Z") + 86_400);
    assert_eq!(clock_times(&grid("24/7", "8h", Label::Start), "2024-03-09"), ["00:00", "08:00", "16:00"]);
    assert_eq!(clock_times(&grid("XNYS", "2h", Label::Start), "2024-03-11"), ["13:30", "15:30", "17:30", "19:30"]);
}

#[test]
fn an_evening_open_belongs_to_the_next_session() {
    let grid = grid("CMES", "1h", Label::Start);
    assert_eq!(position(&grid, "2024-03-10T22:00:00Z"), position(&grid, "2024-03-08T21:00:00Z") + 1);
    assert_eq!(grid.slot(utc("2024-03-08T22:00:00Z")), Slot::OffHours, "the close");
    assert_eq!(grid.slot(utc("2024-03-08T23:00:00Z")), Slot::OffHours, "Friday evening in Chicago");
    assert_eq!(grid.slot(utc("2024-03-09T02:00:00Z")), Slot::OffHours, "Friday evening in Chicago");
    assert_eq!(grid.slot(utc("2024-03-10T20:00:00Z")), Slot::Closed, "Sunday afternoon in Chicago");
}

#[test]
fn positions_run_on_over_night_weekend_holiday_and_pause() {
    let grid = grid("XHKG", "1m", Label::Start);
    assert_eq!(position(&grid, "2024-12-27T05:00:00Z"), position(&grid, "2024-12-27T03:59:00Z") + 1);
    assert_eq!(position(&grid, "2024-12-27T01:30:00Z"), position(&grid, "2024-12-24T03:59:00Z") + 1);
    let (first, last) = (position(&grid, "2024-12-24T01:30:00Z"), position(&grid, "2024-12-27T07:59:00Z"));
    assert_eq!(grid.expected_between(first, last), 150 + 330);
    assert_eq!(grid.expected_between(first, first), 1);
    assert_eq!(grid.expected_between(last, first), 0);
}

#[test]
fn a_daily_timestamp_is_the_midnight_of_a_session() {
    let grid = grid("XNYS", "1d", Label::Session);
    assert_eq!(position(&grid, "2024-12-02"), position(&grid, "2024-11-29") + 1);
    assert_eq!(grid.slot(utc("2024-11-28")), Slot::Closed);
    assert_eq!(grid.slot(utc("2028-01-03")), Slot::OutOfRange);
    assert_eq!(grid.slot(utc("2024-11-29T14:30:00Z")), Slot::OffGrid);
    assert_eq!(grid.slot(utc("1989-12-29")), Slot::OutOfRange);
}

#[test]
fn many_timestamps_are_placed_as_one() {
    for (interval, timestamp) in [("1d", Label::Session), ("1h", Label::End), ("1w", Label::Session)] {
        let grid = grid("XNYS", interval, timestamp);
        let times: Vec<i64> = (-40..40).map(|hours| utc("2024-11-29") + hours * 3_600_000_000).collect();
        let mut slots = vec![Slot::Closed; 3];
        grid.slots(&times, &mut slots);
        assert_eq!(slots, times.iter().map(|time| grid.slot(*time)).collect::<Vec<_>>());
    }
}

#[test]
fn a_week_without_a_session_is_not_expected() {
    let grid = grid("XSHG", "1w", Label::Session);
    // Spring festival: 2020-01-23 is a Thursday, the market opens again on Monday, 2020-02-03.
    assert_eq!(position(&grid, "2020-02-03"), position(&grid, "2020-01-23") + 1);
    assert_eq!(grid.slot(utc("2020-01-29")), Slot::Closed);
    assert_eq!(position(&grid, "2020-02-03"), position(&grid, "2020-02-09"));
    assert_eq!(text(grid.timestamp(position(&grid, "2020-02-07"))), "2020-02-03T00:00");
    assert_eq!(grid.slot(utc("2020-02-03T01:00:00Z")), Slot::OffGrid);
    assert_eq!(grid.slot(utc("2027-01-04")), Slot::OutOfRange);
    assert_eq!(position(&grid, "2027-01-03"), position(&grid, "2026-12-31"));
}

#[test]
fn months_are_numbered_by_their_first_day() {
    for (calendar, closed) in [("XNYS", Slot::OutOfRange), ("24/7", Slot::On(58 * 12))] {
        let grid = grid(calendar, "1M", Label::Session);
        assert_eq!(position(&grid, "2024-02-29"), position(&grid, "2024-02-01"));
        assert_eq!(position(&grid, "2024-03-31"), position(&grid, "2024-02-01") + 1);
        assert_eq!(text(grid.timestamp(position(&grid, "2024-02-29"))), "2024-02-01T00:00");
        assert_eq!(grid.slot(utc("2028-01-15")), closed);
    }
    let grid = grid("weekdays", "1M", Label::Session);
    assert_eq!(position(&grid, "1969-12-31"), -1);
    assert_eq!(text(grid.timestamp(-1)), "1969-12-01T00:00");
}

#[test]
fn weekends_are_closed_to_intraday_weekday_bars() {
    let start = grid("weekdays", "1h", Label::Start);
    assert_eq!(position(&start, "2024-06-10T00:00:00Z"), position(&start, "2024-06-07T23:00:00Z") + 1);
    assert_eq!(start.slot(utc("2024-06-08T00:00:00Z")), Slot::Closed);
    let end = grid("weekdays", "1h", Label::End);
    assert_eq!(position(&end, "2024-06-10T01:00:00Z"), position(&end, "2024-06-08T00:00:00Z") + 1);
    assert_eq!(end.slot(utc("2024-06-10T00:00:00Z")), Slot::Closed);
    assert_eq!(end.slot(utc("2024-06-07T23:30:00Z")), Slot::OffGrid);
    assert_eq!(end.slot(utc("2024-06-08T00:00:01Z")), Slot::Closed);
    assert_eq!(end.slot(utc("2024-06-10T00:00:01Z")), Slot::OffGrid);
}

#[test]
fn a_calendar_without_sessions_expects_nothing() {
    let day = NaiveDate::from_ymd_opt(2024, 1, 1).unwrap().to_epoch_days();
    let calendar = Calendar::from_table("T", "v".into(), chrono_tz::UTC, (day, day + 6), Vec::new());
    for interval in [Interval::minutes(1), Interval::Day, Interval::Week, Interval::Month] {
        let calendar = Calendar::from_table("T", calendar.version().into(), chrono_tz::UTC, (day, day + 6), Vec::new());
        let grid = Grid::new(Arc::new(calendar), interval, Label::Start);
        assert_eq!(grid.slot(utc("2024-01-03")), Slot::Closed, "{interval}");
        assert_eq!(grid.first_at_or_after(utc("2024-01-01")), None);
        assert_eq!(grid.last_at_or_before(utc("2024-01-07")), None);
    }
}

#[test]
fn the_ends_of_time_do_not_fail() {
    for calendar in Calendar::names() {
        for interval in ["1m", "4h", "1d", "1w", "1M"] {
            for timestamp in [Label::Start, Label::End] {
                let grid = grid(calendar, interval, timestamp);
                for time in [i64::MIN, i64::MIN + 1, -1, 0, i64::MAX - 1, i64::MAX] {
                    grid.slot(time);
                    grid.first_at_or_after(time);
                    grid.last_at_or_before(time);
                }
            }
        }
    }
}

#[test]
fn a_period_is_dated_by_the_day_that_is_asked_for() {
    let week = |label| grid("XNYS", "1w", Label::Session).with_period_label(label);
    // Good Friday is 2024-03-29.
    for (label, date, before) in [
        (PeriodLabel::Last, "2024-03-28", "2024-03-22"),
        (PeriodLabel::First, "2024-01-02", "2023-12-26"),
        (PeriodLabel::Monday, "2024-01-01", "2023-12-25"),
    ] {
        let grid = week(label);
        let here = position(&grid, date);
        assert_eq!(
            (text(grid.timestamp(here)), text(grid.timestamp(here - 1))),
            (date.to_owned() + "T00:00", before.to_owned() + "T00:00")
        );
        assert_eq!(grid.slot(utc(date) + DAY_US), Slot::OtherDay(here));
        assert_eq!((grid.first_at_or_after(utc(date)), grid.last_at_or_before(utc(date))), (Some(here), Some(here)));
        assert_eq!(grid.first_at_or_after(utc(date) + DAY_US), Some(here + 1));
        assert_eq!(grid.last_at_or_before(utc(date) - DAY_US), Some(here - 1));
    }
    let months = grid("XNYS", "1M", Label::Session).with_period_label(PeriodLabel::Last);
    assert_eq!(position(&months, "2024-03-28") + 1, position(&months, "2024-04-30"));
    assert!(matches!(months.slot(utc("2024-03-31")), Slot::OtherDay(_)));
}

#[test]
fn extended_hours_are_tolerated_where_they_are_asked_for() {
    let slots = |grid: &Grid, times: &[&str]| times.iter().map(|time| grid.slot(utc(time))).collect::<Vec<_>>();
    let regular = grid("XNYS", "1m", Label::Start);
    // 04:00, 03:59, 16:01, 20:00 and 20:01 in New York; 17:00 and 17:01 of a half-day.
    let times = [
        "2024-03-11T08:00:00Z",
        "2024-03-11T07:59:00Z",
        "2024-03-11T20:01:00Z",
        "2024-03-12T00:00:00Z",
        "2024-03-12T00:01:00Z",
        "2024-11-29T22:00:00Z",
        "2024-11-29T22:01:00Z",
    ];
    assert_eq!(slots(&regular, &times), [Slot::OffHours; 7]);
    let extended = regular.clone().with_extended_hours();
    let (yes, no) = (Slot::Tolerated, Slot::OffHours);
    assert_eq!(slots(&extended, &times), [yes, no, yes, yes, no, yes, no]);
    assert_eq!(extended.slot(utc("2024-03-09T15:00:00Z")), Slot::Closed, "a Saturday");
    let position = position(&regular, "2024-03-11T19:59:00Z");
    assert_eq!(
        extended.slot(utc("2024-03-12T13:30:00Z")),
        Slot::On(position + 1),
        "positions are those of regular hours"
    );
    let ends = grid("XNYS", "1m", Label::End).with_extended_hours();
    assert_eq!(slots(&ends, &["2024-03-11T08:00:00Z", "2024-03-11T08:01:00Z", "2024-03-11T13:30:00Z"]), [no, yes, yes]);
}
