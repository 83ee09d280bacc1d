//! Jobs that are wrong, over rows that are right: what is said names the setting, and the setting ends it. Jobs that are
//! right get no such word.

use chrono::{Datelike, Days, NaiveDate, TimeZone, Weekday};
use chrono_tz::Tz;

use crate::cli_support::{Project, Told};
use crate::support::package;

/// What is said of a job that is probably wrong.
const WRONG: &str = "the job is probably wrong, not the rows";

/// The first `count` days from 2025-01-02 on that are among `days`.
fn days(count: usize, days: &[Weekday]) -> Vec<NaiveDate> {
    let first = NaiveDate::from_ymd_opt(2025, 1, 2).unwrap();
    let all = (0..).map(|day| first.checked_add_days(Days::new(day)).unwrap());
    all.filter(|day| days.contains(&day.weekday())).take(count).collect()
}

const WEEK: [Weekday; 5] = [Weekday::Mon, Weekday::Tue, Weekday::Wed, Weekday::Thu, Weekday::Fri];

/// Bars of one symbol with these timestamps: prices that wander, in the cents of `price`.
fn bars(times: impl IntoIterator<Item = String>) -> String {
    let mut text = "symbol,ts,open,high,low,close,volume\n".to_owned();
    for (at, time) in times.into_iter().enumerate() {
        let cents = 6000 + (at * 37) % 101;
        let price = |cents: usize| format!("{}.{:02}", cents / 100, cents % 100);
        let (open, high, low, close) = (price(cents), price(cents + 31), price(cents - 40), price(cents + 9));
        text.push_str(&format!("ENSQ,{time},{open},{high},{low},{close},{}\n", 1_000_000 + at * 7919 % 10_007));
    }
    text
}

/// The midnight of each day in `zone`, as UTC.
fn midnights(days: &[NaiveDate], zone: Tz) -> Vec<String> {
    let instant = |day: &NaiveDate| zone.from_local_datetime(&day.and_hms_opt(0, 0, 0).unwrap()).unwrap();
    days.iter().map(|day| instant(day).to_utc().format("%Y-%m-%dT%H:%M:%SZ").to_string()).collect()
}

/// A job with the shipped rules; `source` and `bars` are keys of its sections.
fn project(file: &str, text: &str, source: &str, bars: &str) -> Project {
    let project = Project::empty();
    project.write(file, text);
    let rules = package().join("rules/ohlcv.toml").display().to_string();
    project.write(
        "job.toml",
        format!(
            "name = \"demo\"\nrules = [\"{rules}\"]\n\n[source.files]\npath = \"{file}\"\n{source}\n[bars]\nseries = [\"symbol\"]\n{bars}\n\n[report]\ndir = \"reports\"\n"
        ),
    );
    project
}

fn check(project: &Project) -> Told {
    project.call(&["check", "job.toml"])
}

/// Fails where a job that is right is said to be wrong.
#[track_caller]
fn is_right(output: &Told) {
    assert!(!output.out.contains("probably wrong") && !output.err.contains("note:"), "{output:?}");
}

const DAILY: &str = "interval = \"1d\"\ncalendar = \"weekdays\"\ntime = { field = \"ts\", formats = [\"rfc3339\"] }";

/// Daily bars that are stamped with the midnight of a zone (reports about suivi-bourse and tvdatafeed).
#[test]
fn daily_bars_of_another_midnight_name_the_zone() {
    let days = days(60, &WEEK);
    let paris = project("bars.csv", &bars(midnights(&days, Tz::Europe__Paris)), "", DAILY);
    let output = check(&paris).exits(1);
    for text in
        [WRONG, "bars are on days without a session of weekdays, each the day before one", "`2025-01-01T23:00:00Z`"]
    {
        assert!(output.out.contains(text), "{text}: {output:?}");
    }
    assert!(output.out.contains("write `zone = 'Europe/Paris'` in `time`"), "{output:?}");
    paris.call(&["run", "job.toml"]).exits(4);
    paris.edit("job.toml", "[\"rfc3339\"]", "[\"rfc3339\"], zone = \"Europe/Paris\"");
    let output = check(&paris).exits(0);
    is_right(&output);
    assert!(!paris.findings().iter().any(|found| found.starts_with("off-calendar")), "{output:?}");
}

#[test]
fn the_midnight_of_any_zone_is_known_however_it_is_written() {
    let days = days(60, &WEEK);
    for (stamped, named) in [(Tz::Asia__Tokyo, "Asia/Tokyo"), (Tz::Asia__Kolkata, "Asia/Kolkata"), (Tz::UTC, "UTC")] {
        for format in ["rfc3339", "epoch-ms"] {
            let times = midnights(&days, stamped);
            let epoch =
                |time: &String| time.parse::<chrono::DateTime<chrono::Utc>>().unwrap().timestamp_millis().to_string();
            let times = if format == "epoch-ms" { times.iter().map(epoch).collect() } else { times };
            let zone = if stamped == Tz::UTC { "America/New_York" } else { "UTC" };
            let daily = DAILY.replace("] }", &format!("], zone = \"{zone}\" }}")).replace("rfc3339", format);
            let project = project("bars.csv", &bars(times), "", &daily);
            let output = check(&project).exits(1);
            assert!(
                output.out.contains(&format!("write `zone = '{named}'` in `time`")),
                "{stamped} {format}: {output:?}"
            );
        }
    }
}

#[test]
fn where_every_day_trades_midnights_in_utc_still_name_the_zone() {
    let times = midnights(&days(60, &WEEK), Tz::UTC);
    let daily = "interval = \"1d\"\ncalendar = \"24/7\"\ntime = { field = \"ts\", formats = [\"rfc3339\"], zone = \"America/New_York\" }";
    let behind = project("bars.csv", &bars(times), "", daily);
    check(&behind).says(&["note: every timestamp is midnight in UTC", "write `zone = \"UTC\"` in `time`"]);
    behind.edit("job.toml", "America/New_York", "Asia/Shanghai");
    is_right(&check(&behind));
}

#[test]
fn days_that_are_right_give_no_hint() {
    let with_sundays = [&[Weekday::Sun], WEEK.as_slice()].concat();
    let all = [with_sundays.as_slice(), &[Weekday::Sat]].concat();
    let closes = |day: &NaiveDate| format!("{day}T21:00:00Z");
    let (weekdays, sundays, always) = (days(60, &WEEK), days(60, &with_sundays), days(60, &all));
    let date = "interval = \"1d\"\ncalendar = \"weekdays\"\ntime = { field = \"ts\" }";
    for (what, times, bars_of_job) in [
        ("closes of New York in UTC", weekdays.iter().map(closes).collect::<Vec<_>>(), DAILY),
        ("currencies with a bar of Sunday evening", sundays.iter().map(ToString::to_string).collect(), date),
        ("coins by a calendar of weekdays", midnights(&always, Tz::UTC), DAILY),
    ] {
        let output = check(&project("bars.csv", &bars(times), "", bars_of_job));
        assert!(!output.out.contains("probably wrong") && !output.err.contains("note:"), "{what}: {output:?}");
    }
}

/// Bars as `bars` makes them, with other texts for price and volume.
fn written(
    times: Vec<String>,
    delimiter: char,
    price: impl Fn(f64) -> String,
    volume: impl Fn(usize) -> String,
) -> String {
    let mut text = ["symbol", "ts", "open", "high", "low", "close", "volume"].join(&delimiter.to_string()) + "\n";
    for (at, time) in times.into_iter().enumerate() {
        let base = 19_832.16 + f64::from(u32::try_from(at * 37 % 101).unwrap());
        let cells = [
            "DAX".to_owned(),
            time,
            price(base),
            price(base + 12.31),
            price(base - 9.4),
            price(base + 3.09),
            volume(at * 99_991 % 1_400_003 + 700),
        ];
        text.push_str(&(cells.join(&delimiter.to_string()) + "\n"));
    }
    text
}

/// `digits` in groups of three.
fn grouped(digits: &str, mark: char) -> String {
    let groups: Vec<&str> =
        digits.as_bytes().rchunks(3).rev().map(|group| std::str::from_utf8(group).unwrap()).collect();
    groups.join(&mark.to_string())
}

fn marked(value: f64, decimal: char, thousands: char) -> String {
    let text = format!("{value:.2}");
    let (whole, fraction) = text.split_once('.').unwrap();
    format!("{}{decimal}{fraction}", grouped(whole, thousands))
}

/// Files as vendors write them (dbt-utils 1118): what is said is the setting that reads them.
#[test]
fn numbers_that_are_written_otherwise_name_the_setting() {
    let dates: Vec<String> = days(60, &WEEK).iter().map(ToString::to_string).collect();
    let daily = "interval = \"1d\"\ncalendar = \"weekdays\"\ntime = { field = \"ts\" }";
    let plain = |volume: usize| volume.to_string();
    let european = written(dates.clone(), ';', |price| marked(price, ',', '.'), |n| grouped(&n.to_string(), '.'));
    let quoted = written(dates.clone(), ',', |price| format!("\"{}\"", marked(price, '.', ',')), plain);
    let dollars = written(dates.clone(), ',', |price| format!("${price:.2}"), plain);
    let shortened = written(
        dates,
        ',',
        |price| format!("{price:.2}"),
        |n| format!("{:.2}K", f64::from(u32::try_from(n).unwrap()) / 1e3),
    );
    let units = "numbers = { thousands = ',', units = { K = '1e3', M = '1e6', B = '1e9' } }";
    for (what, text, delimiter, setting) in [
        ("european", european, ";", "numbers = { decimal = ',', thousands = '.' }"),
        ("thousands", quoted, ",", "numbers = { thousands = ',' }"),
        ("dollars", dollars, ",", "numbers = { thousands = ',', around = ['$'] }"),
        ("units", shortened, ",", units),
    ] {
        let source = format!("delimiter = \"{delimiter}\"\n");
        let project = project("bars.csv", &text, &source, daily);
        let output = check(&project).exits(1);
        assert!(output.out.contains(WRONG), "{what}: {output:?}");
        assert!(output.out.contains(&format!("write `{setting}` in `[source.files]`")), "{what}: {output:?}");
        project.edit("job.toml", &source, &format!("{source}{setting}\n"));
        let output = check(&project).exits(0);
        is_right(&output);
        assert_eq!(output.value("clean"), "60", "{what}: {output:?}");
    }
}

/// A date and a time of day in columns of their own (backtrader 94, spectre 1).
#[test]
fn dates_without_their_time_of_day_name_the_fields() {
    let minute = |at: u32| format!("20240102,{:02}{:02}00", 9 + (30 + at) / 60, (30 + at) % 60);
    let text = bars((0..120).map(minute)).replace("symbol,ts,", "symbol,<DTYYYYMMDD>,<TIME>,");
    let minutes = |time: &str| format!("interval = \"1m\"\ncalendar = \"XNYS\"\ntime = {{ {time} }}");
    let dates = project("es.csv", &text, "", &minutes("field = \"<DTYYYYMMDD>\", formats = [\"%Y%m%d\"]"));
    check(&dates).exits(2).says(&[
        "`%Y%m%d` has no time of day, and the bars are of 1m",
        "write `fields = [\"<DTYYYYMMDD>\", \"…\"]` with its name",
    ]);
    let both = project("es.csv", &text, "", &minutes("field = \"<DTYYYYMMDD>\", formats = [\"%Y%m%d %H%M%S\"]"));
    let output = check(&both).exits(1);
    let setting = "`time = { fields = ['<DTYYYYMMDD>', '<TIME>'], formats = ['%Y%m%d %H%M%S'] }`";
    assert!(output.out.contains(setting), "{output:?}");
    both.edit("job.toml", "field = \"<DTYYYYMMDD>\"", "fields = [\"<DTYYYYMMDD>\", \"<TIME>\"]");
    let output = check(&both);
    is_right(&output);
    assert_eq!(output.value("parse_errors"), "0", "{output:?}");
}

#[test]
fn a_timestamp_that_is_written_otherwise_names_the_format() {
    let days = days(60, &WEEK);
    let daily = "interval = \"1d\"\ncalendar = \"weekdays\"\ntime = { field = \"ts\" }";
    for (written, format) in [("%d.%m.%Y", "%d.%m.%Y"), ("%Y%m%d", "%Y%m%d"), ("%s", "epoch-s")] {
        let times = days.iter().map(|day| day.and_hms_opt(0, 0, 0).unwrap().and_utc().format(written).to_string());
        let project = project("bars.csv", &bars(times), "", daily);
        // The shipped rule about dates moves such rows; that it flags all of them is what refuses.
        let output = check(&project).exits(1);
        assert!(output.out.contains(&format!("write `formats = ['{format}']` in `time`")), "{written}: {output:?}");
        project.edit("job.toml", "field = \"ts\"", &format!("field = \"ts\", formats = [\"{format}\"]"));
        is_right(&check(&project).exits(0));
    }
}

/// A ticker that stands in the name of its file alone (zipline 174), and files called `.txt`.
#[test]
fn a_symbol_in_the_name_of_the_file_names_the_pattern() {
    let dates: Vec<String> = days(60, &WEEK).iter().map(ToString::to_string).collect();
    let daily = "interval = \"1d\"\ncalendar = \"weekdays\"\ntime = { field = \"ts\" }";
    let text = bars(dates.clone()).replace("symbol,", "").replace("ENSQ,", "");
    let named = project("perticker/AAA.csv", &text, "", daily);
    named.edit("job.toml", "perticker/AAA.csv", "perticker/*.csv");
    check(&named).exits(2).says(&["write `path = \"perticker/{symbol}.csv\"`"]);
    named.edit("job.toml", "perticker/*.csv", "perticker/{symbol}.csv");
    is_right(&check(&named).exits(0));
    let txt = project("txt/AAA.txt", &bars(dates), "", daily);
    is_right(&check(&txt).exits(0));
    txt.edit("job.toml", "txt/AAA.txt", "txt");
    is_right(&check(&txt).exits(0));
}

#[test]
fn prices_in_billionths_name_the_scale() {
    let dates: Vec<String> = days(60, &WEEK).iter().map(ToString::to_string).collect();
    let daily = "interval = \"1d\"\ncalendar = \"weekdays\"\ntime = { field = \"ts\" }";
    let volume = |n: usize| n.to_string();
    let nanos = written(dates.clone(), ',', |price| format!("{:.0}", (price * 100.0).round() * 1e7), volume);
    let databento = project("bars.csv", &nanos, "", daily);
    let setting = "fields = { open = { scale = \"1e-9\" }, high = { scale = \"1e-9\" }, low = { scale = \"1e-9\" }, close = { scale = \"1e-9\" } }";
    check(&databento).says(&["note: all prices are whole and huge, the first is `19832160000000`", setting]);
    databento.edit("job.toml", "time = {", &format!("{setting}\ntime = {{"));
    is_right(&check(&databento).exits(0));
    // A coin in won, and in rupiah: prices are whole and large.
    for factor in [7_000.0, 80_000.0] {
        let text =
            written(dates.clone(), ',', |price| format!("{:.0}", (price * factor / 1000.0).round() * 1000.0), volume);
        is_right(&check(&project("bars.csv", &text, "", daily)));
    }
}

#[test]
fn points_between_thousands_are_told_from_three_decimals() {
    let dates: Vec<String> = days(60, &WEEK).iter().map(ToString::to_string).collect();
    let daily = "interval = \"1d\"\ncalendar = \"weekdays\"\ntime = { field = \"ts\" }";
    let plain = |n: usize| n.to_string();
    // Volumes below 1000 have no point, those above have one, none has two.
    let volume = |n: usize| grouped(&(n % 3_989 + 1).to_string(), '.');
    let rupiah = written(dates.clone(), ';', |price| format!("{price:.0}"), volume);
    check(&project("bars.csv", &rupiah, "delimiter = \";\"\n", daily))
        .says(&["note: exactly three digits follow every point in `volume`", "thousands = \".\""]);
    let yen = |price: f64| format!("{:.3}", price / 132.0);
    for text in [written(dates.clone(), ',', yen, |n| (n % 900).to_string()), written(dates, ',', yen, plain)] {
        is_right(&check(&project("bars.csv", &text, "", daily)));
    }
}

/// A file of bad rows among good ones is a matter of the rows.
#[test]
fn a_part_of_the_rows_says_nothing_of_the_job() {
    let dates: Vec<String> = days(60, &WEEK).iter().map(ToString::to_string).collect();
    let mut text = bars(dates);
    for line in text.clone().lines().skip(40) {
        let bad = line.replacen("60.", "sixty.", 1).replacen("61.", "sixty-one.", 1);
        text = text.replace(line, &bad);
    }
    let daily = "interval = \"1d\"\ncalendar = \"weekdays\"\ntime = { field = \"ts\" }";
    is_right(&check(&project("bars.csv", &text, "", daily)));
}
