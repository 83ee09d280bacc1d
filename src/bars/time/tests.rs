use std::sync::Arc;

use chrono::{DateTime, NaiveDate, Utc};
use chrono_tz::Tz;
use proptest::prelude::*;

use super::*;

fn format(text: &str) -> TimeFormat {
    TimeFormat::compile(text).unwrap_or_else(|problem| panic!("{problem}"))
}

/// What `pattern` makes of `text`, written out.
fn read(pattern: &str, text: &str) -> Result<String, TimeFault> {
    Ok(match format(pattern).parse(text)? {
        Parsed::Local { day, micros } => {
            let local = DateTime::from_timestamp_micros(i64::from(day) * DAY_US + micros).unwrap();
            local.format("%Y-%m-%d %H:%M:%S%.f").to_string()
        }
        Parsed::Instant(instant) => utc_text(instant),
    })
}

fn utc_text(instant: i64) -> String {
    DateTime::from_timestamp_micros(instant).unwrap().format("%Y-%m-%dT%H:%M:%S%.fZ").to_string()
}

fn spec(formats: &[&str], zone: Tz, label: Label) -> TimeSpec {
    let formats = formats.iter().map(|text| format(text)).collect();
    TimeSpec { sources: vec![Arc::from("time")], digits: false, formats, zone, label, fold: Fold::Refuse }
}

fn day(text: &str) -> i32 {
    text.parse::<NaiveDate>().unwrap().to_epoch_days()
}

fn utc(text: &str) -> i64 {
    text.parse::<DateTime<Utc>>().unwrap().timestamp_micros()
}

#[test]
fn patterns_read_what_they_describe() {
    for (pattern, text, expected) in [
        ("%Y-%m-%d", "2020-02-13", "2020-02-13 00:00:00"),
        ("%Y%m%d", "20251016", "2025-10-16 00:00:00"),
        ("%Y-%m-%d %H:%M:%S", "2024-03-08 09:30:15", "2024-03-08 09:30:15"),
        ("%Y-%m-%dT%H:%M", "2024-03-08T09:30", "2024-03-08 09:30:00"),
        ("%Y%m%d%H%M%S%3f", "20240308093015250", "2024-03-08 09:30:15.250"),
        ("%F %T.%f", "2024-03-08 09:30:15.5", "2024-03-08 09:30:15.500"),
        ("%F %T%.f", "2024-03-08 09:30:15", "2024-03-08 09:30:15"),
        ("%F %T%.f", "2024-03-08 09:30:15.123456789", "2024-03-08 09:30:15.123456"),
        ("%d-%b-%Y", "16-OCT-2025", "2025-10-16 00:00:00"),
        ("%b %e, %Y", "Oct  6, 2025", "2025-10-06 00:00:00"),
        ("%-m/%-d/%Y", "2/13/2020", "2020-02-13 00:00:00"),
        ("%D", "02/13/69", "1969-02-13 00:00:00"),
        ("%y%m%d", "680213", "2068-02-13 00:00:00"),
        ("%Y%j", "2024366", "2024-12-31 00:00:00"),
        ("%m/%d/%Y %I:%M %p", "02/13/2020 12:05 am", "2020-02-13 00:05:00"),
        ("%m/%d/%Y %-I:%M %p", "02/13/2020 1:05 PM", "2020-02-13 13:05:00"),
        ("%Y年%m月%d日", "2020年02月13日", "2020-02-13 00:00:00"),
        ("100%% %F", "100% 2020-02-13", "2020-02-13 00:00:00"),
        ("%F %T%z", "2024-03-08 09:30:00+0800", "2024-03-08T01:30:00Z"),
        ("%F %T%z", "2024-03-08 09:30:00-05:30", "2024-03-08T15:00:00Z"),
        ("%F %T%:z", "2024-03-08 09:30:00Z", "2024-03-08T09:30:00Z"),
        ("%Y-%m-%dT%H:%M:%SZ", "2024-03-08T09:30:00Z", "2024-03-08T09:30:00Z"),
        ("rfc3339", "2024-03-08T14:30:00Z", "2024-03-08T14:30:00Z"),
        ("rfc3339", "2024-03-08t09:30:00.250-05:00", "2024-03-08T14:30:00.250Z"),
        ("rfc3339", "2024-03-08 22:30:00+08:00", "2024-03-08T14:30:00Z"),
        ("%Y-%m-%d", "1678-01-01", "1678-01-01 00:00:00"),
        ("%Y-%m-%d", "2261-12-31", "2261-12-31 00:00:00"),
    ] {
        assert_eq!(read(pattern, text), Ok(expected.to_owned()), "{pattern} {text}");
    }
}

#[test]
fn a_text_must_match_whole_and_with_its_digits() {
    for (pattern, text) in [
        ("%Y-%m-%d", " 2020-02-13"),
        ("%Y-%m-%d", "2020-02-13 "),
        ("%Y-%m-%d", "2020-2-3"),
        ("%Y-%m-%d", "20251016"),
        ("%Y-%m-%d", "2020-02-13 00:00:00"),
        ("%Y-%m-%d", "+020-02-13"),
        ("%Y-%m-%d", "2020/02/13"),
        ("%Y-%m-%d", "２020-02-13"),
        ("%Y-%m-%d", ""),
        ("%Y-%m-%d", "0"),
        ("%Y-%m-%d", "nan"),
        ("%Y%m%d", "2020021"),
        ("%Y%m%d", "202002131"),
        ("%-m/%-d/%Y", "02/13/2020"),
        ("%b %e, %Y", "Okt  6, 2025"),
        ("%F %T.%f", "2024-03-08 09:30:15."),
        ("%F %T%.f", "2024-03-08 09:30:15.1234567890"),
        ("%F %T%6f", "2024-03-08 09:30:1512345"),
        ("%F %I:%M%p", "2024-03-08 09:30XM"),
        ("%F %T%:z", "2024-03-08 09:30:00+0800"),
        ("%F %T%z", "2024-03-08 09:30:00+08"),
        ("%F %T%z", "2024-03-08 09:30:00 0800"),
        ("rfc3339", "2024-03-08T14:30:00"),
        ("rfc3339", "2024-03-08T14:30Z"),
        ("rfc3339", "2024-03-08"),
    ] {
        assert_eq!(read(pattern, text), Err(TimeFault::Format), "{pattern} {text:?}");
    }
}

#[test]
fn the_right_shape_of_no_date_is_impossible() {
    for (pattern, text) in [
        ("%Y-%m-%d", "2020-02-30"),
        ("%Y-%m-%d", "2023-02-29"),
        ("%Y-%m-%d", "1900-02-29"),
        ("%Y-%m-%d", "2020-13-01"),
        ("%Y-%m-%d", "2020-00-10"),
        ("%Y-%m-%d", "2020-01-00"),
        ("%Y%j", "2023366"),
        ("%Y%j", "2023000"),
        ("%F %T", "2020-02-13 24:00:00"),
        ("%F %T", "2020-02-13 09:60:00"),
        ("%F %T", "2016-12-31 23:59:60"),
        ("%F %I:%M%p", "2024-03-08 13:30PM"),
        ("%F %I:%M%p", "2024-03-08 00:30AM"),
        ("rfc3339", "2024-03-08T14:30:00+24:00"),
        ("rfc3339", "2024-03-08T14:30:00+08:60"),
    ] {
        assert_eq!(read(pattern, text), Err(TimeFault::Impossible), "{pattern} {text}");
    }
}

#[test]
fn years_that_nanosecond_readers_cannot_hold_are_out_of_range() {
    for text in ["1677-12-31", "2262-01-01", "0001-01-01", "9999-12-31", "0000-01-01"] {
        assert_eq!(read("%Y-%m-%d", text), Err(TimeFault::OutOfRange), "{text}");
    }
}

#[test]
fn digits_give_the_unit_of_an_epoch_number() {
    for text in ["1709908200", "1709908200000", "1709908200000000", "1709908200000000000"] {
        assert_eq!(read("epoch", text), Ok("2024-03-08T14:30:00Z".into()), "{text}");
    }
    assert_eq!(read("epoch", "-1000000000"), Ok("1938-04-24T22:13:20Z".into()));
    for text in ["0", "1", "20251016", "123456789", "12345678901", "123456789012345", "99999999999999999999"] {
        assert_eq!(read("epoch", text), Err(TimeFault::OutOfRange), "{text}");
    }
    for text in ["", "-", "+1709908200", " 1709908200", "01709908200", "1709908200.5", "17099082OO", "1_709_908_200"] {
        assert_eq!(read("epoch", text), Err(TimeFault::Format), "{text:?}");
    }
}

#[test]
fn a_named_unit_reads_any_number_in_range() {
    for (unit, text, expected) in [
        ("epoch-s", "0", "1970-01-01T00:00:00Z"),
        ("epoch-s", "-1", "1969-12-31T23:59:59Z"),
        ("epoch-ms", "1500", "1970-01-01T00:00:01.500Z"),
        ("epoch-us", "1500", "1970-01-01T00:00:00.001500Z"),
        ("epoch-ns", "1709908200000000999", "2024-03-08T14:30:00Z"),
        ("epoch-ns", "-1", "1969-12-31T23:59:59.999999Z"),
    ] {
        assert_eq!(read(unit, text), Ok(expected.to_owned()), "{unit} {text}");
    }
    for (unit, text) in
        [("epoch-s", "1709908200000"), ("epoch-ms", "1709908200000000"), ("epoch-s", "9223372036854775807")]
    {
        assert_eq!(read(unit, text), Err(TimeFault::OutOfRange), "{unit} {text}");
    }
}

#[test]
fn a_pattern_without_a_whole_date_is_refused_with_what_is_missing() {
    for (pattern, problem) in [
        ("%Y-%m", "it has not a day (`%d`)"),
        ("%m-%d", "it has not a year (`%Y`)"),
        ("%Y", "it has not a month (`%m`), not a day (`%d`)"),
        ("iso8601", "it has not a year (`%Y`), not a month (`%m`), not a day (`%d`); the formats with a name are"),
        ("", "it has not a year"),
        ("%H:%M", "it has not a year"),
        ("%Y-%m-%d %Q", "`%Q` is not known; there are %Y"),
        ("%Y-%m-%d %", "`%` is not known"),
        ("%s", "`%s` is not known; for seconds since 1970 write `epoch-s`"),
        ("%F %M", "`%M` needs `%H`"),
        ("%F %H:%S", "`%S` needs `%M`"),
        ("%F %H:%M.%f", "a fraction needs `%S`"),
        ("%F %I:%M", "`%I` needs `%p`"),
        ("%F %H:%M %p", "`%p` needs `%I`"),
        ("%F %m", "it has a part of the date or time twice"),
        ("%F %j", "it has a part of the date or time twice"),
        ("%F %H:%M:%S %I %p", "it has a part of the date or time twice"),
        ("%F %T%zZ %:z", "it has a part of the date or time twice"),
        ("%-m%y%d", "digits follow a part of no fixed width"),
        ("%H%M%S%f%F", "digits follow a part of no fixed width"),
    ] {
        let found = TimeFormat::compile(pattern).unwrap_err();
        let expected = format!("`{pattern}` is not a time format: {problem}");
        assert!(found.starts_with(&expected), "{found}");
    }
}

#[test]
fn a_format_keeps_its_text() {
    for text in ["%Y-%m-%d", "rfc3339", "epoch", "epoch-ms"] {
        assert_eq!(format(text).text(), text);
    }
}

#[test]
fn a_trading_date_is_the_utc_midnight_of_the_date_in_the_zone() {
    let shanghai = spec(&["%Y-%m-%d", "%F %T", "rfc3339", "epoch"], Tz::Asia__Shanghai, Label::Session);
    let expected = Ok(utc("2024-10-08T00:00:00Z"));
    for text in ["2024-10-08", "2024-10-08 15:00:00", "2024-10-07T16:00:00Z", "2024-10-08T00:00:00+08:00", "1728316800"]
    {
        assert_eq!(shanghai.read_text(text), expected, "{text}");
    }
    assert_eq!(shanghai.read_instant(utc("2024-10-07T16:00:00Z")), expected);
    assert_eq!(shanghai.read_number(1_728_316_800_000), expected);
    assert_eq!(shanghai.read_day(day("2024-10-08")), expected);
    // A trading date has no clock that could skip its midnight.
    let sao_paulo = spec(&["%Y-%m-%d"], Tz::America__Sao_Paulo, Label::Session);
    assert_eq!(sao_paulo.read_text("2018-11-04"), Ok(utc("2018-11-04T00:00:00Z")));
}

#[test]
fn an_instant_is_read_in_the_zone_of_the_job() {
    let new_york = spec(&["%F %T", "%F"], Tz::America__New_York, Label::Start);
    assert_eq!(new_york.read_text("2024-03-08 09:30:00"), Ok(utc("2024-03-08T14:30:00Z")));
    assert_eq!(new_york.read_text("2024-03-11 09:30:00"), Ok(utc("2024-03-11T13:30:00Z")));
    assert_eq!(new_york.read_text("2024-03-11"), Ok(utc("2024-03-11T04:00:00Z")));
    assert_eq!(new_york.read_day(day("2024-03-11")), Ok(utc("2024-03-11T04:00:00Z")));
    assert_eq!(new_york.read_instant(7), Ok(7));
}

#[test]
fn a_local_time_that_does_not_exist_or_exists_twice_is_refused() {
    let mut new_york = spec(&["%F %R"], Tz::America__New_York, Label::End);
    assert_eq!(new_york.read_text("2024-03-10 02:30"), Err(TimeFault::Skipped));
    assert_eq!(new_york.read_text("2024-11-03 01:30"), Err(TimeFault::Repeated));
    new_york.fold = Fold::Earlier;
    assert_eq!(new_york.read_text("2024-11-03 01:30"), Ok(utc("2024-11-03T05:30:00Z")));
    assert_eq!(new_york.read_text("2024-03-10 02:30"), Err(TimeFault::Skipped));
    new_york.fold = Fold::Later;
    assert_eq!(new_york.read_text("2024-11-03 01:30"), Ok(utc("2024-11-03T06:30:00Z")));
}

#[test]
fn the_closest_format_names_the_fault() {
    let both = spec(&["%Y-%m-%d", "%Y%m%d", "epoch"], Tz::UTC, Label::Session);
    assert_eq!(both.read_text("2020-02-30"), Err(TimeFault::Impossible));
    assert_eq!(both.read_text("20200230"), Err(TimeFault::Impossible));
    assert_eq!(both.read_text("20251016"), Ok(utc("2025-10-16T00:00:00Z")));
    assert_eq!(both.read_text("12"), Err(TimeFault::OutOfRange));
    assert_eq!(both.read_text("yesterday"), Err(TimeFault::Format));
}

#[test]
fn an_unpadded_part_takes_the_digits_that_the_next_ones_leave_over() {
    let hours = spec(&["%Y%m%d %-H%M"], Tz::UTC, Label::Start);
    assert_eq!(hours.read_text("20240102 930"), Ok(utc("2024-01-02T09:30:00Z")));
    assert_eq!(hours.read_text("20240102 1030"), Ok(utc("2024-01-02T10:30:00Z")));
    for text in ["20240102 0930", "20240102 30", "20240102 10300", "20240102 "] {
        assert_eq!(hours.read_text(text), Err(TimeFault::Format), "{text}");
    }
    let american = spec(&["%-m%d%Y"], Tz::UTC, Label::Session);
    assert_eq!(american.read_text("1082024"), Ok(utc("2024-01-08T00:00:00Z")));
    assert_eq!(american.read_text("11082024"), Ok(utc("2024-11-08T00:00:00Z")));
}

#[test]
fn typed_dates_and_timestamps_are_read_from_what_they_show() {
    let new_york = spec(&["epoch"], Tz::America__New_York, Label::Start);
    assert_eq!(new_york.read_literal("2024-03-08T14:30:00Z"), Ok(utc("2024-03-08T14:30:00Z")));
    assert_eq!(new_york.read_literal("2024-03-08T09:30:00"), Ok(utc("2024-03-08T14:30:00Z")));
    assert_eq!(new_york.read_literal("2024-03-10T02:30:00"), Err(TimeFault::Skipped));
    assert_eq!(new_york.read_literal("2900-01-01"), Err(TimeFault::OutOfRange));
    assert_eq!(new_york.read_literal("0001-01-01"), Err(TimeFault::OutOfRange));
    assert_eq!(new_york.read_literal("true"), Err(TimeFault::WrongType));
}

#[test]
fn a_number_is_a_timestamp_by_an_epoch_format_or_by_digits() {
    let dates = spec(&["%Y%m%d"], Tz::UTC, Label::Session);
    assert_eq!(dates.read_number(20_251_016), Err(TimeFault::WrongType), "a number among texts");
    let dates = TimeSpec { digits: true, ..dates };
    assert_eq!(dates.read_number(20_251_016), Ok(utc("2025-10-16T00:00:00Z")));
    assert_eq!(dates.read_number(20_251_301), Err(TimeFault::Impossible));
    assert_eq!(dates.read_float(20_251_016.0), Ok(utc("2025-10-16T00:00:00Z")));
    for number in [20_251_016.5, f64::NAN, f64::INFINITY, 1e300] {
        assert_eq!(dates.read_float(number), Err(TimeFault::WrongType), "{number}");
    }
    let dashed = TimeSpec { digits: true, ..spec(&["%Y-%m-%d"], Tz::UTC, Label::Session) };
    assert_eq!(dashed.read_number(20_251_016), Err(TimeFault::WrongType));
    let either = spec(&["%Y%m%d", "epoch-ms"], Tz::UTC, Label::Start);
    assert_eq!(either.read_number(1_709_908_200_000), Ok(utc("2024-03-08T14:30:00Z")));
    assert_eq!(either.read_number(i64::MAX), Err(TimeFault::OutOfRange));
    let by_digits = spec(&["epoch"], Tz::UTC, Label::Start);
    assert_eq!(by_digits.read_number(20_251_016), Err(TimeFault::OutOfRange));
    assert_eq!(by_digits.read_number(i64::MIN), Err(TimeFault::OutOfRange));
}

#[test]
fn instants_and_dates_outside_the_readable_years_are_out_of_range() {
    let spec = spec(&["%F"], Tz::Asia__Tokyo, Label::Session);
    for instant in [i64::MIN, utc("0001-01-01T00:00:00Z"), utc("9999-12-31T00:00:00Z"), i64::MAX] {
        assert_eq!(spec.read_instant(instant), Err(TimeFault::OutOfRange));
    }
    for day in [i32::MIN, day("1677-12-31"), day("2262-01-01"), i32::MAX] {
        assert_eq!(spec.read_day(day), Err(TimeFault::OutOfRange));
    }
}

proptest! {
    #[test]
    fn what_a_pattern_writes_it_reads_back(
        second in -9_214_560_000_i64..9_214_646_399, nanos in 0_u32..1_000_000_000,
        pattern in proptest::sample::select(vec![
            "%Y-%m-%d %H:%M:%S", "%Y%m%d%H%M%S%6f", "%F %T%.f", "%d-%b-%Y %I:%M:%S %p", "%Y%j %R:%S.%f",
            "%F %-H:%M:%S%z",
            "%-m/%-d/%Y %T", "%b %e %Y %T", "%FT%T%.fZ",
        ]),
    ) {
        let time = DateTime::from_timestamp(second, nanos).unwrap();
        let text = time.format(pattern).to_string();
        let expected = if pattern.contains('f') { time.timestamp_micros() } else { second * 1_000_000 };
        let found = match format(pattern).parse(&text) {
            Ok(Parsed::Local { day, micros }) => i64::from(day) * DAY_US + micros,
            Ok(Parsed::Instant(instant)) => instant,
            Err(fault) => panic!("{text}: {fault:?}"),
        };
        prop_assert_eq!(found, expected, "{}", text);
    }

    #[test]
    fn dates_agree_with_chrono(year in 1678_u32..2262, month in 0_u32..15, day in 0_u32..33) {
        let text = format!("{year:04}-{month:02}-{day:02}");
        let expected = NaiveDate::parse_from_str(&text, "%Y-%m-%d").ok().map(|date| date.to_epoch_days());
        let found = match format("%Y-%m-%d").parse(&text) {
            Ok(Parsed::Local { day, micros: 0 }) => Some(day),
            Err(TimeFault::Impossible) => None,
            other => panic!("{text}: {other:?}"),
        };
        prop_assert_eq!(found, expected);
    }

    #[test]
    fn no_text_makes_reading_fail(text in "\\PC{0,24}", pattern in proptest::sample::select(vec![
        "%Y-%m-%d", "%-m/%-d/%Y", "%b %e, %Y", "rfc3339", "epoch", "%F %T%.f%z", "%Y%j",
    ])) {
        if let Ok(Parsed::Local { day, micros }) = format(pattern).parse(&text) {
            prop_assert!(is_readable(day) && (0..DAY_US).contains(&micros));
        }
    }

    #[test]
    fn no_text_makes_compiling_fail(text in "[%YmdHMSfzjbpyIeFTRD.:Z \\-a-z年0-9]{0,16}") {
        if let Ok(format) = TimeFormat::compile(&text) {
            prop_assert_eq!(format.text(), text);
        }
    }
}
