//! Values that are timestamps outside of a window for sure, so that a source need not give them.
//!
//! Whoever reads a part of the bars still reads every value that is not a timestamp, and every one near the ends of the
//! window: what a value means depends on the zone of the job, and a local time that clocks skip is not readable at all.

use std::ops::Range;

use chrono::{DateTime, NaiveDate};
use chrono_tz::Tz;

use super::readable::{FIRST_DAY, LAST_DAY};
use super::{TimeFormat, TimeSpec};
use crate::market::{DAY_US, Label};

/// A value within it of an end of the window is not outside for sure: more than zones and trading dates shift a time.
const MARGIN: i64 = 2 * DAY_US;

/// Texts that are timestamps outside of a window for sure: those of a shape, in ranges by their bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TextsOutside {
    /// The shape, as a regular expression over the whole text. Each text that fits is a date that exists.
    pub shape: String,
    /// Half-open ranges.
    pub ranges: Vec<Range<String>>,
}

/// Patterns of dates, year first, with what stands between their parts.
const DATES: [(&str, &str); 4] = [("%Y-%m-%d", "-"), ("%F", "-"), ("%Y/%m/%d", "/"), ("%Y%m%d", "")];

/// A year from 1700 to 2199 and a day that every year has, with `between` its parts.
fn shape(between: &str) -> String {
    let days =
        [("(0[1-9]|1[0-2])", "(0[1-9]|1[0-9]|2[0-8])"), ("(0[13-9]|1[0-2])", "(29|30)"), ("(0[13578]|1[02])", "31")];
    let days = days.map(|(month, day)| format!("{month}{between}{day}")).join("|");
    format!(r"\A(1[7-9]|2[01])[0-9]{{2}}{between}({days})\z")
}

impl TimeSpec {
    /// Instants (µs UTC, half-open ranges) that are timestamps before or after `window` for sure, whose ends are timestamps
    /// (µs UTC, `since` inclusive, `until` exclusive). Dates of MongoDB are such only where a format reads them.
    pub fn instants_outside(window: (Option<i64>, Option<i64>)) -> Vec<Range<i64>> {
        let (least, most) = (i64::from(FIRST_DAY) * DAY_US, i64::from(LAST_DAY) * DAY_US);
        let before = window.0.map(|since| least..since.saturating_sub(MARGIN).min(most));
        let after = window.1.map(|until| until.saturating_add(MARGIN).max(least)..most);
        [before, after].into_iter().flatten().filter(|range| range.start < range.end).collect()
    }

    /// The same of local times without a zone.
    pub fn local_times_outside(&self, window: (Option<i64>, Option<i64>)) -> Vec<Range<i64>> {
        // Elsewhere clocks skip and repeat times, which are not readable.
        let all_exist = self.label == Label::Session || self.zone == Tz::UTC;
        if all_exist { Self::instants_outside(window) } else { Vec::new() }
    }

    /// Whole numbers that are timestamps outside of `window` for sure; none where they are not counts of one unit.
    pub fn numbers_outside(&self, window: (Option<i64>, Option<i64>)) -> Vec<Range<i64>> {
        let mut units = self.formats.iter().filter(|format| format.reads_numbers());
        let (Some(format), None, false) = (units.next(), units.next(), self.digits) else { return Vec::new() };
        let number = |micros: i64| format.number_of(micros);
        let ranges = Self::instants_outside(window).into_iter();
        ranges.filter_map(|range| Some(number(range.start)?..number(range.end)?)).collect()
    }

    /// Texts that are timestamps outside of `window` for sure; `None` where formats are not those of dates, year first.
    pub fn texts_outside(&self, window: (Option<i64>, Option<i64>)) -> Option<TextsOutside> {
        let mut patterns = self.formats.iter().filter(|format| !format.is_bson_date());
        let (Some(only), None) = (patterns.next(), patterns.next()) else { return None };
        let (_, between) = DATES.iter().find(|(pattern, _)| *pattern == only.text())?;
        let text = |micros: i64| {
            let date: Option<NaiveDate> = DateTime::from_timestamp_micros(micros).map(|at| at.date_naive());
            date.map(|date| date.format(&format!("%Y{between}%m{between}%d")).to_string())
        };
        let ranges = self.local_times_outside(window).into_iter();
        let ranges = ranges.filter_map(|range| Some(text(range.start)?..text(range.end)?));
        Some(TextsOutside { shape: shape(between), ranges: ranges.collect() })
    }

    /// Whether a format reads dates of MongoDB.
    pub fn reads_bson_dates(&self) -> bool {
        self.formats.iter().any(TimeFormat::is_bson_date)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bars::Fold;

    const AT: i64 = 1_704_153_600_000_000; // 2024-01-02

    fn spec(formats: &[&str], label: Label, zone: Tz) -> TimeSpec {
        let formats = formats.iter().map(|format| TimeFormat::compile(format).unwrap()).collect();
        TimeSpec { sources: vec!["t".into()], digits: false, formats, zone, label, fold: Fold::Refuse }
    }

    #[test]
    fn what_is_near_an_end_of_the_window_is_not_outside_for_sure() {
        let outside = TimeSpec::instants_outside((Some(AT), None));
        assert_eq!(outside.len(), 1);
        assert_eq!((outside[0].contains(&(AT - MARGIN)), outside[0].contains(&(AT - MARGIN - 1))), (false, true));
        let outside = TimeSpec::instants_outside((None, Some(AT)));
        assert_eq!((outside[0].contains(&(AT + MARGIN - 1)), outside[0].contains(&(AT + MARGIN))), (false, true));
        assert_eq!(TimeSpec::instants_outside((None, None)), []);
        assert_eq!(TimeSpec::instants_outside((Some(i64::MIN), Some(i64::MAX))), []);
    }

    #[test]
    fn local_times_are_outside_only_where_all_of_them_exist() {
        let window = (Some(AT), None);
        let new_york = Tz::America__New_York;
        assert_eq!(spec(&["%F"], Label::Session, new_york).local_times_outside(window).len(), 1);
        assert_eq!(spec(&["%F %T"], Label::Start, Tz::UTC).local_times_outside(window).len(), 1);
        assert_eq!(spec(&["%F %T"], Label::Start, new_york).local_times_outside(window), []);
    }

    #[test]
    fn numbers_are_of_one_unit() {
        let window = (Some(AT), None);
        let outside = |formats: &[&str]| spec(formats, Label::Start, Tz::UTC).numbers_outside(window);
        assert_eq!(outside(&["epoch-s"])[0].end, (AT - MARGIN) / 1_000_000);
        assert_eq!(outside(&["epoch-ms", "%F"])[0].end, (AT - MARGIN) / 1_000);
        assert_eq!(outside(&["epoch-ns"])[0].end, (AT - MARGIN) * 1_000);
        for none in [&["epoch"][..], &["epoch-s", "epoch-ms"], &["%F"]] {
            assert_eq!(outside(none), []);
        }
        let digits = TimeSpec { digits: true, ..spec(&["epoch-s", "%Y%m%d"], Label::Session, Tz::UTC) };
        assert_eq!(digits.numbers_outside(window), []);
    }

    /// Every text that a source may leave out is a timestamp outside of the window, by the reader itself.
    #[test]
    fn texts_outside_are_read_as_timestamps_before_the_window() {
        for pattern in ["%Y-%m-%d", "%F", "%Y/%m/%d", "%Y%m%d"] {
            let spec = spec(&[pattern, "bson-date"], Label::Session, Tz::Asia__Shanghai);
            let outside = spec.texts_outside((Some(AT), None)).unwrap();
            let shape = regex::Regex::new(&outside.shape).unwrap();
            let left_out = |text: &str| {
                shape.is_match(text) && outside.ranges.iter().any(|range| *range.start <= *text && *text < *range.end)
            };
            let between = match pattern {
                "%Y%m%d" => "",
                "%Y/%m/%d" => "/",
                _ => "-",
            };
            let mut count = 0;
            for (year, month, day) in [1600, 1678, 1799, 1999, 2000, 2023, 2024, 2150, 2300]
                .into_iter()
                .flat_map(|year| (0..=13).flat_map(move |month| (0..=32).map(move |day| (year, month, day))))
            {
                let text = format!("{year:04}{between}{month:02}{between}{day:02}");
                if left_out(&text) {
                    assert!(spec.read_text(&text).is_ok_and(|at| at < AT), "{text}");
                    count += 1;
                }
            }
            assert_eq!(
                count,
                4 * 365 - 1,
                "1799, 1999, 2000 and 2023, without the 29th of February and what is near the window"
            );
            for text in ["0", "1", "2023-1-1", "2023-01-01 ", "2023-01-01\n", "x2023-01-01", ""] {
                assert!(!left_out(text), "{text:?}");
            }
        }
        for none in [&["%d/%m/%Y"][..], &["%F", "%d/%m/%Y"], &["epoch-s", "%F"], &["%F %T"]] {
            assert_eq!(spec(none, Label::Start, Tz::UTC).texts_outside((Some(AT), None)), None);
        }
    }
}
