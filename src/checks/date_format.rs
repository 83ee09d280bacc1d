//! `date-format`: a date must be written as the job says, exist, and be one on which a bar can stand.
//!
//! Evaluates each row by itself. For the timestamp of the bars it relies on what was read already: only rows without
//! a readable timestamp are read again, to say why. Another text field is read row by row. It does not evaluate
//! whether a date is there at all, which is the business of `required`.

mod cause;
mod closed_days;
mod dates;
mod same_extra;
mod text_dates;
mod timestamps;

pub(super) use self::cause::Cause;
use self::closed_days::ClosedDays;
use self::dates::Dates;
use self::text_dates::TextDates;
use self::timestamps::{Market, Timestamps};
use super::params::{FieldRef, Params};
use super::{Check, CheckKind, Described, Facts, Stage};
use crate::bars::time::TimeFormat;
use crate::bars::{BarsSpec, Label, TIME, TimeSpec};
use crate::schema::{Holds, Key, Otherwise, key};

/// The check `date-format`.
pub(crate) struct DateFormat;

const PARAMS: &[Key] = &[
    key("field", Holds::Field, Otherwise::Text(TIME), "The timestamp of the bars, or a text field that holds a date."),
    key("formats", Holds::Texts, Otherwise::Nothing, "Accepted formats; without it those of the job."),
    key("min", Holds::Text, Otherwise::Nothing, "Earliest date that passes, as `2010-01-31`."),
    key("max", Holds::Text, Otherwise::Nothing, "Latest date that passes, as `2010-01-31`."),
    key(
        "sessions",
        Holds::Flag,
        Otherwise::Flag(true),
        "Flag timestamps on days that are no session of the job's calendar, where it has one.",
    ),
    key(
        "hours",
        Holds::Flag,
        Otherwise::Flag(true),
        "Flag timestamps of intraday bars outside trading hours or off the step, where the job has a calendar.",
    ),
];

impl Described for DateFormat {
    fn name(&self) -> &'static str {
        "date-format"
    }

    fn explain(&self) -> &'static str {
        include_str!("date_format.md")
    }

    fn causes(&self) -> &'static [&'static str] {
        Cause::WORDS
    }

    fn message(&self, facts: &Facts<'_>) -> String {
        match facts.cause.and_then(Cause::parse) {
            Some(cause) => cause.message(facts),
            None => facts.generic(),
        }
    }

    #[cfg(test)]
    fn more_examples(&self) -> &'static str {
        include_str!("date_format_examples.md")
    }
}

impl CheckKind for DateFormat {
    fn params(&self) -> &'static [Key] {
        PARAMS
    }

    fn stage(&self) -> Stage {
        Stage::Row
    }

    fn compile(&self, params: &mut Params<'_>, bars: &BarsSpec) -> Box<dyn Check> {
        let field = params.any_field("field").unwrap_or(FieldRef::Time);
        let own = formats(params);
        let dates = Dates::read(params, bars.time.zone);
        let (sessions, hours) = (params.flag("sessions"), params.flag("hours"));
        let name = params.name_of(field);
        match field {
            FieldRef::Time => {
                reject_idle_flags(params, bars, [("sessions", sessions), ("hours", hours)]);
                let volume = if sessions && bars.grid.is_some() { params.optional_bar_field("volume") } else { None };
                Box::new(Timestamps {
                    name,
                    rereads: own.is_some(),
                    time: TimeSpec { formats: own.unwrap_or_else(|| bars.time.formats.clone()), ..bars.time.clone() },
                    dates,
                    daily: bars.daily(),
                    market: Market::new(bars, sessions, hours && !bars.daily()),
                    closed_days: if sessions { ClosedDays::new(bars, volume) } else { None },
                })
            }
            FieldRef::Number(index) | FieldRef::Text(index) => {
                if matches!(field, FieldRef::Number(_)) {
                    let help = "name `time` or a text field; `range` evaluates numbers";
                    params.reject("field", "`field` names a numeric field, and numbers have no text format", help);
                }
                for flag in ["sessions", "hours"].into_iter().filter(|flag| params.given(flag)).collect::<Vec<_>>() {
                    params.reject(
                        flag,
                        format!("`{flag}` is about the timestamp of the bars"),
                        "leave it out, or evaluate `field = \"time\"`",
                    );
                }
                let formats = own.unwrap_or_else(|| bars.time.formats.clone());
                // An instant, so that an epoch number keeps its time of day until it is compared with the range.
                let time = TimeSpec { formats, label: Label::Start, ..bars.time.clone() };
                Box::new(TextDates { index, name, time, dates })
            }
        }
    }
}

/// The formats a rule gives, each once.
fn formats(params: &mut Params<'_>) -> Option<Vec<TimeFormat>> {
    let given = params.given("formats");
    let mut formats = Vec::new();
    for text in params.texts("formats") {
        match TimeFormat::compile(&text) {
            Ok(format) => formats.push(format),
            Err(problem) => params.reject("formats", format!("`{text}` is not a date format"), problem),
        }
    }
    if given && formats.is_empty() {
        params.reject("formats", "`formats` holds no usable format", "name at least one, or leave `formats` out");
    }
    given.then_some(formats)
}

/// A flag that is written and can never do anything is a misunderstanding.
fn reject_idle_flags(params: &mut Params<'_>, bars: &BarsSpec, flags: [(&str, bool); 2]) {
    for (flag, on) in flags {
        if !on || !params.given(flag) {
            continue;
        }
        if bars.grid.is_none() {
            let help = "name a calendar in the job, e.g. `[bars] calendar = \"XNYS\"`";
            params.reject(flag, format!("`{flag}` needs a calendar, and `[bars]` of the job names none"), help);
        } else if flag == "hours" && bars.daily() {
            params.reject(flag, "`hours` is for intraday bars", "leave it out: a daily bar has a date and no hour");
        }
    }
}

#[cfg(test)]
mod tests {
    use arrow::array::StringViewArray;

    use super::*;
    use crate::checks::testing::{Fixture, compile};
    use crate::checks::{Column, Finding, FindingSink, Series, TextColumn, Totals};

    const RULE: &str = "check = \"date-format\"";

    /// Evaluates `texts` (`Err` is the literal of a value of another type) as the text field `date`.
    fn texts(rule: &str, texts: &[Option<Result<&str, &str>>]) -> Vec<(usize, &'static str)> {
        let text = texts.iter().map(|text| text.and_then(Result::ok)).collect::<StringViewArray>();
        let other = texts.iter().map(|text| text.and_then(Result::err)).collect::<StringViewArray>();
        let columns = [Column::Text(TextColumn::new(&text, Some(&other)))];
        let bars = Fixture::daily("time,date\n2024-01-02,x");
        run(&bars.spec, rule, &columns, None, &[], texts.len()).0
    }

    /// Evaluates the timestamps `time`, and after them rows without one, as the source writes them in `texts`.
    fn timestamps(
        bars: &str,
        rule: &str,
        time: &[i64],
        texts: &[Option<Result<&str, &str>>],
    ) -> (Vec<(usize, &'static str)>, Totals) {
        let text = texts.iter().map(|text| text.and_then(Result::ok)).collect::<StringViewArray>();
        let other = texts.iter().map(|text| text.and_then(Result::err)).collect::<StringViewArray>();
        let column = TextColumn::new(&text, Some(&other));
        run(&Fixture::new(bars, "time").spec, rule, &[], Some(column), time, texts.len())
    }

    fn run(
        spec: &BarsSpec,
        rule: &str,
        columns: &[Column<'_>],
        time_text: Option<TextColumn<'_>>,
        time: &[i64],
        rows: usize,
    ) -> (Vec<(usize, &'static str)>, Totals) {
        let check = compile(rule, spec).unwrap_or_else(|mistakes| panic!("{}", mistakes[0].render(false)));
        let ranks: Vec<u64> = (0..rows as u64).collect();
        let series = Series { key: "TEST", time, rows, columns, time_text, source_rank: &ranks, ..Series::default() };
        let mut sink = FindingSink::default();
        check.check(&series, &mut sink);
        let row = |finding: &Finding| finding.rows.as_ref().map_or(usize::MAX, |rows| rows.start);
        (sink.findings.iter().map(|finding| (row(finding), finding.cause.unwrap_or(""))).collect(), sink.totals)
    }

    fn mistake(bars: &str, rule: &str) -> String {
        let spec = Fixture::new(bars, "time,close,name\n2024-01-02,1,x").spec;
        compile(rule, &spec).err().unwrap_or_default().iter().map(|mistake| mistake.render(false)).collect()
    }

    #[test]
    fn readable_timestamps_are_clean() {
        let evaluated = Fixture::daily("time,close\n2024-01-02,1\n2024-01-06,1").evaluate(RULE);
        assert_eq!((evaluated.findings.len(), evaluated.totals.evaluated), (0, 2));
    }

    #[test]
    fn timestamp_in_another_format_is_flagged_with_its_text() {
        let bars = Fixture::daily("time,close\n2024-01-02,1\n17,1\n20240103,1\n2024/01/04,1");
        let evaluated = bars.evaluate(RULE);
        let seen: Vec<_> = evaluated.findings.iter().map(|f| (f.observed_text.as_deref(), f.cause)).collect();
        let cause = Some("not-a-format");
        assert_eq!(seen, [(Some("17"), cause), (Some("20240103"), cause), (Some("2024/01/04"), cause)]);
        assert_eq!(evaluated.findings[0].expected_text.as_deref(), Some("%Y-%m-%d"));
    }

    #[test]
    fn impossible_date_and_a_leading_blank_are_flagged_and_null_is_not() {
        let bars = Fixture::daily("time,close\n2020-02-30,1\n,1\n2020-02-29,1");
        assert_eq!(bars.evaluate(RULE).lines, ["2020-02-30 time observed=`2020-02-30` cause=impossible-date"]);
        let blank = timestamps("", RULE, &[], &[Some(Ok(" 2020-02-29")), Some(Ok("")), None]).0;
        assert_eq!(blank, [(0, "not-a-format"), (1, "not-a-format")]);
    }

    #[test]
    fn timestamp_of_another_type_is_flagged_where_the_job_could_not_read_it() {
        let day = crate::bars::DAY_US;
        let read_and_unread = [Some(Err("{\"$date\":\"2020-02-12T16:00:00Z\"}")), Some(Err("20200213"))];
        assert_eq!(timestamps("", RULE, &[18_305 * day], &read_and_unread).0, [(1, "wrong-type")]);
        let own = format!("{RULE}\nformats = \"%Y-%m-%d\"");
        assert_eq!(timestamps("", &own, &[18_305 * day], &read_and_unread).0, [(0, "wrong-type"), (1, "wrong-type")]);
    }

    #[test]
    fn formats_of_the_rule_override_those_of_the_job() {
        let bars = Fixture::new("formats = [\"%Y-%m-%d\", \"%Y%m%d\"]", "time,close\n2024-01-02,1\n20240103,1\n17,1");
        assert_eq!(bars.evaluate(RULE).lines.len(), 1);
        let evaluated = bars.evaluate(&format!("{RULE}\nformats = [\"%Y-%m-%d\"]"));
        assert_eq!(evaluated.lines.len(), 2);
        assert_eq!(evaluated.lines[0], "20240103 time observed=`20240103` cause=not-a-format");
    }

    #[test]
    fn dates_outside_the_range_are_flagged_and_its_ends_are_not() {
        let bars = Fixture::daily("time,close\n2009-12-31,1\n2010-01-01,1\n2010-06-30,1\n2010-07-01,1");
        let evaluated = bars.evaluate(&format!("{RULE}\nmin = \"2010-01-01\"\nmax = \"2010-06-30\""));
        let expected = [
            "2009-12-31 time observed=`2009-12-31` cause=before-min",
            "2010-07-01 time observed=`2010-07-01` cause=after-max",
        ];
        assert_eq!(evaluated.lines, expected);
        assert_eq!(evaluated.findings[0].expected_text.as_deref(), Some("not before 2010-01-01"));
    }

    #[test]
    fn range_of_intraday_bars_is_in_the_zone_of_the_job() {
        let time = [utc("2024-01-02T04:59"), utc("2024-01-02T05:00")];
        let bars = "interval = \"1m\"\nzone = \"America/New_York\"";
        let rule = format!("{RULE}\nmin = \"2024-01-02\"");
        assert_eq!(timestamps(bars, &rule, &time, &[None, None]).0, [(0, "before-min")]);
    }

    #[test]
    fn day_without_session_is_flagged_and_a_day_beyond_the_calendar_excused() {
        let bars = Fixture::new("calendar = \"XSHG\"", "time,close\n2020-02-29,1\n2020-03-02,1\n2027-01-02,1");
        let evaluated = bars.evaluate(RULE);
        assert_eq!(evaluated.lines, ["2020-02-29 time observed=`2020-02-29` cause=not-a-session"]);
        assert_eq!(evaluated.findings[0].expected_text.as_deref(), Some("a session of XSHG"));
        assert_eq!((evaluated.totals.evaluated, evaluated.totals.excused), (2, 1));
        let silent = bars.evaluate(&format!("{RULE}\nsessions = false"));
        assert_eq!((silent.lines.len(), silent.totals.evaluated, silent.totals.excused), (0, 3, 0));
    }

    #[test]
    fn timestamps_outside_hours_and_off_the_step_are_flagged() {
        // 09:30 and 10:00 in New York, then 08:00, a minute past the step, 13:30 of a half-day, a Saturday.
        let texts = [
            "2024-11-29T14:30",
            "2024-11-29T15:00",
            "2024-11-29T13:00",
            "2024-11-29T15:01",
            "2024-11-29T18:30",
            "2024-11-30T15:00",
        ];
        let time: Vec<i64> = texts.iter().map(|text| utc(text)).collect();
        let bars = "interval = \"30m\"\ncalendar = \"XNYS\"\nzone = \"America/New_York\"";
        let none = [None; 6];
        let all = [(2, "off-hours"), (3, "off-grid"), (4, "off-hours"), (5, "not-a-session")];
        assert_eq!(timestamps(bars, RULE, &time, &none).0, all);
        assert_eq!(timestamps(bars, &format!("{RULE}\nhours = false"), &time, &none).0, [(5, "not-a-session")]);
        let neither = format!("{RULE}\nhours = false\nsessions = false");
        assert_eq!(timestamps(bars, &neither, &time, &none).0, []);
    }

    #[test]
    fn first_minute_of_a_session_is_known_across_changes_of_the_clock() {
        // (calendar, first minute of a session in UTC, what the minute before it is)
        for (calendar, open, before) in [
            ("XNYS", "2024-03-08T14:30", "off-hours"),
            ("XNYS", "2024-03-11T13:30", "off-hours"),
            ("XNYS", "2024-11-01T13:30", "off-hours"),
            ("XNYS", "2024-11-04T14:30", "off-hours"),
            ("XLON", "2024-03-28T08:00", "off-hours"),
            ("XLON", "2024-04-02T07:00", "off-hours"),
            ("XHKG", "2024-12-24T01:30", "off-hours"),
            ("XSHG", "2024-10-08T05:00", "off-hours"),
            ("CMES", "2024-03-10T22:00", "not-a-session"),
        ] {
            let bars = format!("interval = \"1m\"\ncalendar = \"{calendar}\"");
            let time = [utc(open) - 60_000_000, utc(open)];
            assert_eq!(timestamps(&bars, RULE, &time, &[None, None]).0, [(0, before)], "{calendar} {open}");
        }
    }

    #[test]
    fn local_time_that_the_zone_skips_or_repeats_is_flagged() {
        let bars = "interval = \"30m\"\nzone = \"America/New_York\"\nformats = [\"%Y-%m-%dT%H:%M\"]";
        let texts = [Some(Ok("2024-03-10T02:30")), Some(Ok("2024-11-03T01:30"))];
        assert_eq!(timestamps(bars, RULE, &[], &texts).0, [(0, "skipped-by-zone"), (1, "repeated-by-zone")]);
    }

    #[test]
    fn texts_are_evaluated_by_format_type_and_range() {
        let values = [
            Some(Ok("2024-01-02")),
            Some(Ok("20240102")),
            Some(Ok("2020-02-30")),
            None,
            Some(Err("20240102")),
            Some(Ok("80")),
        ];
        let rule = format!("{RULE}\nfield = \"date\"");
        let expected = [(1, "not-a-format"), (2, "impossible-date"), (4, "wrong-type"), (5, "not-a-format")];
        assert_eq!(texts(&rule, &values), expected);
        let two = format!("{rule}\nformats = [\"%Y%m%d\", \"%Y-%m-%d\"]\nmin = \"2024-01-03\"");
        let range =
            [(0, "before-min"), (1, "before-min"), (2, "impossible-date"), (4, "wrong-type"), (5, "not-a-format")];
        assert_eq!(texts(&two, &values), range);
    }

    #[test]
    fn epoch_number_is_read_where_a_format_reads_it() {
        let values = [Some(Err("1704153600")), Some(Ok("1704153600")), Some(Err("17")), Some(Err("1704153600.5"))];
        let rule = format!("{RULE}\nfield = \"date\"\nformats = \"epoch\"");
        assert_eq!(texts(&rule, &values), [(2, "out-of-range"), (3, "wrong-type")]);
        let range = format!("{rule}\nmax = \"2024-01-01\"");
        let late = [(0, "after-max"), (1, "after-max"), (2, "out-of-range"), (3, "wrong-type")];
        assert_eq!(texts(&range, &values), late);
        let timestamp = timestamps("formats = [\"epoch\"]", RULE, &[], &[Some(Err("17")), Some(Err("true"))]).0;
        assert_eq!(timestamp, [(0, "out-of-range"), (1, "wrong-type")]);
    }

    #[test]
    fn closest_format_tells_the_fault() {
        let rule = format!("{RULE}\nfield = \"date\"\nformats = [\"%Y-%m-%d\", \"%Y%m%d\"]");
        assert_eq!(
            texts(&rule, &[Some(Ok("2020-02-30")), Some(Ok("20200230"))]),
            [(0, "impossible-date"), (1, "impossible-date")]
        );
    }

    #[test]
    fn empty_series_is_clean() {
        assert_eq!(timestamps("", RULE, &[], &[]).0, []);
        assert_eq!(texts(&format!("{RULE}\nfield = \"date\""), &[]), []);
    }

    #[test]
    fn number_field_is_a_mistake() {
        let text = mistake("", &format!("{RULE}\nfield = \"close\""));
        assert!(text.contains("numbers have no text format") && text.contains("`range` evaluates numbers"), "{text}");
    }

    #[test]
    fn contradictory_dates_and_no_dates_are_mistakes() {
        let order = mistake("", &format!("{RULE}\nmin = \"2024-01-02\"\nmax = \"2024-01-01\""));
        assert!(order.contains("contradictory"), "{order}");
        let none = mistake("", &format!("{RULE}\nmin = \"2024-13-02\""));
        assert!(none.contains("`min` is not a date") && none.contains("2010-01-31"), "{none}");
    }

    #[test]
    fn unusable_formats_are_mistakes() {
        let wrong = mistake("", &format!("{RULE}\nformats = [\"%Q\"]"));
        assert!(wrong.contains("`%Q` is not a date format"), "{wrong}");
        let none = mistake("", &format!("{RULE}\nformats = []"));
        assert!(none.contains("holds no usable format"), "{none}");
    }

    #[test]
    fn flags_that_cannot_do_anything_are_mistakes_where_they_are_written() {
        let no_calendar = mistake("", &format!("{RULE}\nsessions = true"));
        assert!(no_calendar.contains("`sessions` needs a calendar"), "{no_calendar}");
        let daily = mistake("calendar = \"XNYS\"", &format!("{RULE}\nhours = true"));
        assert!(daily.contains("`hours` is for intraday bars"), "{daily}");
        let text = mistake("calendar = \"XNYS\"", &format!("{RULE}\nfield = \"name\"\nsessions = true"));
        assert!(text.contains("`sessions` is about the timestamp"), "{text}");
        assert_eq!(mistake("", &format!("{RULE}\nsessions = false\nhours = false")), "");
    }

    fn utc(text: &str) -> i64 {
        chrono::NaiveDateTime::parse_from_str(text, "%Y-%m-%dT%H:%M").expect("a time").and_utc().timestamp_micros()
    }
}
