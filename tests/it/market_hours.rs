//! Bars of markets with hours of their own kind: futures with a break of an hour, a closing auction, weekends with a
//! session, the week of foreign exchange; complete bars of each give no finding.
//!
//! What is expected is worked out here from the clocks, not from the tables of calendars.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use chrono::{DateTime, Datelike, Duration, NaiveDate, NaiveTime, TimeZone, Timelike, Utc, Weekday};
use chrono_tz::Tz;
use tempfile::TempDir;

use crate::support::{self, Finding, Run, copy_folder, package};

/// A folder with the rules that ship and one job.
struct Market {
    temp: TempDir,
}

impl Market {
    fn new() -> Self {
        let temp = tempfile::tempdir().unwrap();
        copy_folder(&package().join("rules"), &temp.path().join("rules"));
        Self { temp }
    }

    /// The input of a public report, beside the rules that ship.
    fn report(name: &str) -> Self {
        let market = Self::new();
        copy_folder(&package().join("tests/fixtures/reports").join(name), &market.folder());
        market
    }

    fn folder(&self) -> PathBuf {
        self.temp.path().join("reports/market")
    }

    /// Writes bars at `times` and a job about them.
    fn bars(&self, interval: &str, bars: &str, times: impl IntoIterator<Item = String>) {
        fs::create_dir_all(self.folder()).unwrap();
        let mut csv = "symbol,time,open,high,low,close,volume\n".to_owned();
        for (at, time) in times.into_iter().enumerate() {
            let close = 100.0 + ((at * 7_919) % 101) as f64 / 100.0;
            writeln!(
                csv,
                "S,{time},{close:.2},{:.2},{:.2},{close:.2},{}",
                close + 0.5,
                close - 0.5,
                900 + at * 37 % 211
            )
            .unwrap();
        }
        fs::write(self.folder().join("bars.csv"), csv).unwrap();
        let job = format!(
            "name = \"market\"\nrules = [\"../../rules/ohlcv.toml\"]\nsource.files.path = \"bars.csv\"\nreport.dir = \"reports\"\n\
             [bars]\nseries = [\"symbol\"]\ninterval = \"{interval}\"\n{bars}\n"
        );
        fs::write(self.folder().join("job.toml"), job).unwrap();
    }

    /// How many rows were read, and the findings about gaps and timestamps.
    fn found(&self, job: &str) -> (u64, Vec<Finding>) {
        let run = Run::new(&self.folder(), &["check", job]);
        let mut found = support::findings(&self.folder().join("reports"), run.id());
        found.retain(|found| ["gap", "off-calendar", "date-format"].contains(&found.rule_id.as_str()));
        (run.count("/rows/read"), found)
    }

    #[track_caller]
    fn is_clean(&self, job: &str, rows: u64) {
        let (read, found) = self.found(job);
        assert_eq!((read, found.iter().map(Finding::line).collect()), (rows, Vec::<String>::new()), "{job}");
    }
}

fn utc(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

/// Every step from `from` until `until` at which `open` says that clocks in `zone` show trading time.
fn trading(
    zone: Tz,
    (from, until): (&str, &str),
    step: Duration,
    open: impl Fn(DateTime<Tz>) -> bool,
) -> Vec<DateTime<Utc>> {
    let mut at = utc(from);
    let mut times = Vec::new();
    while at < utc(until) {
        if open(zone.from_utc_datetime(&at.naive_utc())) {
            times.push(at);
        }
        at += step;
    }
    times
}

fn texts(times: &[DateTime<Utc>]) -> Vec<String> {
    times.iter().map(|time| time.format("%Y-%m-%dT%H:%M:%SZ").to_string()).collect()
}

/// Whether a session that opens at 17:00 on the evening before is on, and its trading date.
fn evening_session(local: DateTime<Tz>) -> Option<NaiveDate> {
    let date = (local.naive_local() + Duration::hours(7)).date();
    (!matches!(date.weekday(), Weekday::Sat | Weekday::Sun)).then_some(date)
}

mod foreign_exchange {
    use super::*;

    /// The hours of 2024: from Sunday 17:00 to Friday 17:00 in New York, but for the days of Christmas and New Year.
    fn hours() -> Vec<DateTime<Utc>> {
        let open =
            |local| evening_session(local).is_some_and(|date| !matches!((date.month(), date.day()), (1, 1) | (12, 25)));
        trading(Tz::America__New_York, ("2024-01-01T22:00:00Z", "2024-12-31T22:00:00Z"), Duration::hours(1), open)
    }

    #[test]
    fn a_year_of_hours_of_the_week_from_17_to_17_in_new_york_is_complete() {
        let market = Market::new();
        let hours = hours();
        market.bars("1h", "calendar = \"FX\"", texts(&hours));
        market.is_clean("job.toml", hours.len() as u64);
    }

    #[test]
    fn a_year_that_is_shifted_is_one_finding() {
        for late in [1, -1, 3] {
            let market = Market::new();
            let shifted: Vec<_> = hours().iter().map(|hour| *hour + Duration::hours(late)).collect();
            market.bars("1h", "calendar = \"FX\"", texts(&shifted));
            let (_, found) = market.found("job.toml");
            let lines: Vec<String> = found.iter().map(Finding::line).collect();
            assert_eq!(lines.len(), 1, "{late}: {lines:#?}");
            assert_eq!(
                (found[0].rule_id.as_str(), found[0].cause.as_deref()),
                ("off-calendar", Some("shifted")),
                "{lines:?}"
            );
        }
    }

    #[test]
    fn gaps_of_a_year_that_is_shifted_are_one_finding_where_no_rule_looks_at_the_bars() {
        let market = Market::new();
        let shifted: Vec<_> = hours().iter().map(|hour| *hour + Duration::hours(1)).collect();
        market.bars("1h", "calendar = \"FX\"", texts(&shifted));
        let rules = "[[rule]]\nid = \"gap\"\ncheck = \"gap\"\n";
        fs::write(market.folder().join("../../rules/ohlcv.toml"), rules).unwrap();
        let (_, found) = market.found("job.toml");
        assert_eq!(found.iter().map(|found| found.cause.as_deref()).collect::<Vec<_>>(), [Some("shifted")]);
    }

    #[test]
    fn every_row_of_a_shifted_year_that_is_outside_of_the_hours_is_moved() {
        let market = Market::new();
        let hours = hours();
        let shifted: Vec<_> = hours.iter().map(|hour| *hour + Duration::hours(1)).collect();
        market.bars("1h", "calendar = \"FX\"", texts(&shifted));
        let outside = shifted.iter().filter(|hour| !hours.contains(hour)).count() as u64;
        let rules = "[[rule]]\nid = \"off-calendar\"\ncheck = \"date-format\"\naction = \"quarantine\"\n";
        fs::write(market.folder().join("../../rules/ohlcv.toml"), rules).unwrap();
        let run = Run::new(&market.folder(), &["check", "job.toml"]);
        assert!(outside > 50);
        assert_eq!(run.count("/rows/to_quarantine"), outside);
        let (_, found) = market.found("job.toml");
        assert_eq!(found.len(), 1);
    }
}

mod shifted_sessions {
    use super::*;

    /// The causes of what is found in half hours of New York and minutes of Shanghai, each shifted by `shift`.
    fn causes(calendar: &str, zone: Tz, shift: impl Fn(DateTime<Utc>) -> Duration) -> Vec<(String, Option<String>)> {
        let open = |local: DateTime<Tz>| {
            let minute = local.hour() * 60 + local.minute();
            let weekday = local.weekday().number_from_monday() < 6;
            let hours = if calendar == "XNYS" { [(570, 960), (0, 0)] } else { [(570, 690), (780, 900)] };
            weekday && hours.iter().any(|(from, until)| (*from..*until).contains(&minute))
        };
        // Weeks without a holiday in either market, with a change of the clocks in New York.
        let times = trading(zone, ("2024-02-20T00:00:00Z", "2024-03-28T22:00:00Z"), Duration::minutes(30), open);
        let times: Vec<_> = times.iter().map(|time| *time + shift(*time)).collect();
        let market = Market::new();
        market.bars("30m", &format!("calendar = \"{calendar}\""), texts(&times));
        market.found("job.toml").1.into_iter().map(|found| (found.rule_id, found.cause)).collect()
    }

    #[test]
    fn a_wrong_zone_a_wrong_label_and_clocks_that_were_not_changed_are_one_finding_each() {
        let one = vec![("off-calendar".to_owned(), Some("shifted".to_owned()))];
        let (new_york, shanghai) = (Tz::America__New_York, Tz::Asia__Shanghai);
        assert_eq!(causes("XNYS", new_york, |_| Duration::zero()), []);
        assert_eq!(causes("XSHG", shanghai, |_| Duration::zero()), []);
        let summer = |time| if time > utc("2024-03-10T00:00:00Z") { Duration::hours(1) } else { Duration::zero() };
        assert_eq!(causes("XNYS", new_york, summer), one, "clocks");
        assert_eq!(causes("XNYS", new_york, |_| Duration::minutes(30)), one, "label");
        assert_eq!(causes("XNYS", new_york, |_| Duration::hours(5)), one, "zone");
        assert_eq!(causes("XSHG", shanghai, |_| Duration::hours(8)), one, "zone");
        assert_eq!(causes("XSHG", shanghai, |_| Duration::hours(-8)), one, "zone");
        assert_eq!(causes("XSHG", shanghai, |_| Duration::minutes(30)), one, "label");
    }
}

#[test]
fn minutes_of_futures_with_a_break_of_an_hour_are_complete() {
    let open = |local: DateTime<Tz>| evening_session(local).is_some() && local.hour() != 16;
    let zone = Tz::America__Chicago;
    // The clocks are put forward in the second week.
    let minutes = trading(zone, ("2024-03-03T23:00:00Z", "2024-03-15T21:00:00Z"), Duration::minutes(1), open);
    let market = Market::new();
    market.bars("1m", "calendar = \"CMES\"", texts(&minutes));
    assert_eq!(minutes.len(), 10 * 23 * 60);
    market.is_clean("job.toml", 13_800);
}

/// Report 09: hourly bars of CME Globex with Good Friday (`pandas_market_calendars` issues 50, 131 and 244).
#[test]
fn good_friday_and_the_maintenance_break_are_known() {
    let market = Market::report("09-cme-globex-hours");
    market.is_clean("job.toml", 177);
    market.is_clean("fixed.toml", 177);
}

#[test]
fn bars_before_and_after_the_regular_hours_pass_where_the_job_asks_for_them() {
    let open = |local: DateTime<Tz>| (4..20).contains(&local.hour());
    let span = ("2024-03-04T05:00:00Z", "2024-03-07T05:00:00Z");
    let bars = trading(Tz::America__New_York, span, Duration::minutes(30), open);
    let market = Market::new();
    market.bars("30m", "calendar = \"XNYS\"\nhours = \"extended\"", texts(&bars));
    market.is_clean("job.toml", 3 * 32);
    let market = Market::new();
    market.bars("30m", "calendar = \"XNYS\"", texts(&bars));
    let (_, found) = market.found("job.toml");
    assert_eq!(found.len(), 3 * (32 - 13));
    assert!(found.iter().all(|found| found.cause.as_deref() == Some("off-hours")));
}

#[test]
fn a_rule_evaluates_the_part_of_the_session_that_it_chooses() {
    let open = |local: DateTime<Tz>| (4..20).contains(&local.hour());
    let span = ("2024-03-04T05:00:00Z", "2024-03-07T05:00:00Z");
    let bars = trading(Tz::America__New_York, span, Duration::minutes(30), open);
    let market = Market::new();
    market.bars("30m", "calendar = \"XNYS\"\nhours = \"extended\"", texts(&bars));
    let rule = |id: &str, part: &str| {
        format!(
            "[[rule]]\nid = \"{id}\"\ncheck = \"range\"\nfield = \"volume\"\nmax = 1\nseverity = \"warn\"\n{part}\n"
        )
    };
    let gaps = "[[rule]]\nid = \"regular-gap\"\ncheck = \"gap\"\npart = \"regular\"\n";
    let all = rule("all", "") + &rule("regular", "part = \"regular\"") + &rule("others", "part = \"extended\"");
    fs::write(market.folder().join("rules.toml"), all + gaps).unwrap();
    let job = fs::read_to_string(market.folder().join("job.toml")).unwrap();
    let own = job.replace("\"../../rules/ohlcv.toml\"", "\"rules.toml\"");
    fs::write(market.folder().join("own.toml"), &own).unwrap();
    let run = Run::new(&market.folder(), &["check", "own.toml"]);
    let found = support::findings(&market.folder().join("reports"), run.id());
    let of = |id: &str| found.iter().filter(|found| found.rule_id == id).count();
    assert_eq!((of("all"), of("regular"), of("others"), of("regular-gap")), (3 * 32, 3 * 13, 3 * 19, 0));
    // Where no bar lies outside of the regular hours there is nothing to choose, and none is expected there.
    fs::write(market.folder().join("own.toml"), own.replace("hours = \"extended\"\n", "")).unwrap();
    let refused = || {
        let output = support::barkeep(&market.folder()).args(["check", "own.toml"]).output().unwrap();
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    };
    let (code, said) = refused();
    assert!(code == Some(2) && said.contains("these bars have no others"), "{said}");
    fs::write(market.folder().join("own.toml"), &own).unwrap();
    let extended = "[[rule]]\nid = \"gap\"\ncheck = \"gap\"\npart = \"extended\"\n";
    fs::write(market.folder().join("rules.toml"), extended).unwrap();
    let (code, said) = refused();
    assert!(code == Some(2) && said.contains("no bar is expected before and after the regular hours"), "{said}");
}

#[test]
fn a_calendar_that_ends_soon_is_warned_of() {
    let market = Market::new();
    let days = ["2026-10-29", "2026-10-30"].map(str::to_owned);
    market.bars("1d", "calendar = \"XSHG\"", days);
    let warned = || Run::new(&market.folder(), &["check", "job.toml"]).log.contains("known until 2026-12-31 only");
    assert!(!warned());
    market.bars("1d", "calendar = \"XSHG\"", ["2026-10-30", "2026-11-02"].map(str::to_owned));
    assert!(warned());
}

mod tokyo {
    use super::*;

    /// Report 10: minutes to 15:00 and, since 2024-11-05, to 15:25, and each day the bar of the auction at the close
    /// (`pandas_market_calendars` issue 350, `exchange_calendars` issue 432, yfinance PR 2806).
    #[test]
    fn a_bar_of_the_closing_auction_is_neither_missing_nor_out_of_place() {
        let market = Market::report("10-tse-close-1530");
        market.is_clean("job.toml", 627);
        let job = fs::read_to_string(market.folder().join("job.toml")).unwrap();
        let strict =
            job.replace("calendar = \"XTKS\"", "calendar = \"XTKS\"\nauction = false").replace("c10-job", "c10-strict");
        fs::write(market.folder().join("strict.toml"), strict).unwrap();
        let (_, found) = market.found("strict.toml");
        let causes: Vec<_> = found.iter().map(|found| found.cause.as_deref().unwrap_or_default()).collect();
        assert_eq!(causes, ["off-hours", "off-hours"]);
    }

    #[test]
    fn the_lunch_break_began_at_eleven_once() {
        let market = Market::new();
        let open = |local: DateTime<Tz>| {
            let (time, at) = (local.time(), |hour, minute| NaiveTime::from_hms_opt(hour, minute, 0).unwrap());
            (at(9, 0)..at(11, 0)).contains(&time) || (at(12, 30)..at(15, 0)).contains(&time)
        };
        let span = ("2011-11-14T00:00:00Z", "2011-11-18T06:00:00Z");
        let minutes = trading(Tz::Asia__Tokyo, span, Duration::minutes(5), open);
        market.bars("5m", "calendar = \"XTKS\"", texts(&minutes));
        market.is_clean("job.toml", 5 * 54);
    }
}

mod hong_kong {
    use super::*;

    #[test]
    fn days_that_the_weather_closed_are_no_gap() {
        let market = Market::new();
        let closed = ["2023-09-01", "2023-09-08", "2023-10-02", "2023-10-23"];
        let days = NaiveDate::from_ymd_opt(2023, 8, 28).unwrap().iter_days().take(60);
        let days = days.filter(|day| day.weekday().number_from_monday() < 6).map(|day| day.to_string());
        let days: Vec<String> = days.filter(|day| !closed.contains(&day.as_str())).collect();
        market.bars("1d", "calendar = \"XHKG\"", days.clone());
        market.is_clean("job.toml", days.len() as u64);
    }

    #[test]
    fn an_afternoon_after_a_typhoon_is_a_session() {
        let market = Market::new();
        let hour = |time: NaiveTime| time.hour() * 60 + time.minute();
        let open = |local: DateTime<Tz>| {
            let (day, time) = (local.date_naive().to_string(), hour(local.time()));
            let morning = day != "2023-10-09" && (570..720).contains(&time);
            let afternoon = (if day == "2023-10-09" { 840 } else { 780 }..960).contains(&time);
            morning || afternoon || time == 968
        };
        let span = ("2023-10-05T01:00:00Z", "2023-10-06T09:00:00Z");
        let mut minutes = trading(Tz::Asia__Hong_Kong, span, Duration::minutes(1), open);
        let span = ("2023-10-09T01:00:00Z", "2023-10-10T09:00:00Z");
        minutes.extend(trading(Tz::Asia__Hong_Kong, span, Duration::minutes(1), open));
        market.bars("1m", "calendar = \"XHKG\"", texts(&minutes));
        market.is_clean("job.toml", minutes.len() as u64);
    }
}

mod mumbai {
    use super::*;

    /// Report 12: sessions on Saturdays and Muhurat trading in the evening (`pandas_market_calendars` issues 342 and 480,
    /// getbhavcopy issue 149, eod2 PR 105).
    #[test]
    fn saturdays_and_an_evening_are_sessions() {
        let market = Market::report("12-nse-weekend-sessions");
        for (job, rows) in [("file.toml", 249), ("m15.toml", 254)] {
            market.is_clean(job, rows);
        }
        let plain = |folder: &Path, name: &str, calendar: &str| {
            let job = fs::read_to_string(folder.join(name)).unwrap();
            let lines = job.lines().filter(|line| !line.starts_with("calendar_file"));
            let text: Vec<String> = lines.map(|line| line.replace("\"weekdays\"", calendar)).collect();
            fs::write(folder.join(format!("own-{name}")), text.join("\n").replace("c12-", "own-")).unwrap();
        };
        for (job, rows) in [("file.toml", 249), ("m15.toml", 254)] {
            plain(&market.folder(), job, "\"XNSE\"");
            market.is_clean(&format!("own-{job}"), rows);
        }
        let (_, found) = market.found("plain.toml");
        let saturdays = found.iter().filter(|found| found.cause.as_deref() == Some("not-a-session")).count();
        assert_eq!((saturdays, found.len()), (3, 19), "sixteen holidays are gaps of a week without any");
    }

    #[test]
    fn a_calendar_of_the_job_says_the_same() {
        let market = Market::report("12-nse-weekend-sessions");
        let rows = fs::read_to_string(market.folder().join("nse.csv")).unwrap();
        let holidays: Vec<String> =
            rows.lines().filter_map(|row| row.strip_suffix(",,,,")).map(|row| format!("{:?}", &row[9..])).collect();
        let job = fs::read_to_string(market.folder().join("plain.toml")).unwrap();
        let own = format!(
            "\n[calendar.MUMBAI]\nzone = \"Asia/Kolkata\"\nhours = \"09:15-15:30\"\nholidays = [{}]\nsessions = {{ 2024-01-20 = \
             \"09:15-15:30\", 2024-03-02 = \"09:15-10:00, 11:30-12:30\", 2024-05-18 = \"09:15-10:00, 11:30-12:30\" }}\n",
            holidays.join(", ")
        );
        fs::write(
            market.folder().join("own.toml"),
            job.replace("\"weekdays\"", "\"MUMBAI\"").replace("c12-", "own-") + &own,
        )
        .unwrap();
        assert_eq!(holidays.len(), 16);
        market.is_clean("own.toml", 249);
    }
}
