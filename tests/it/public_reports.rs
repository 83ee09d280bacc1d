//! Inputs of public bug reports about other programs, and that barkeep reads them rightly or says what is wrong with them.
//!
//! Those of MongoDB are in `mongo/reports.rs` and `mongo/same_rows.rs`.

use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;

use chrono::{Datelike, NaiveDate};
use tempfile::TempDir;

use crate::support::{self, Finding, Run, copy_folder, package};

/// A report whose input lies in `tests/fixtures/reports`, beside the rules that ship.
struct Report {
    temp: TempDir,
    name: &'static str,
}

impl Report {
    fn new(name: &'static str) -> Self {
        let temp = tempfile::tempdir().unwrap();
        copy_folder(&package().join("rules"), &temp.path().join("rules"));
        let (kept, own) = (package().join("tests/fixtures/reports").join(name), temp.path().join("reports").join(name));
        match kept.is_dir() {
            true => copy_folder(&kept, &own),
            false => fs::create_dir_all(own).unwrap(),
        }
        Self { temp, name }
    }

    fn folder(&self) -> PathBuf {
        self.temp.path().join("reports").join(self.name)
    }

    fn write(&self, name: &str, text: impl AsRef<[u8]>) {
        let path = self.folder().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// Replaces a setting of a job.
    fn edit(&self, name: &str, what: &str, by: &str) {
        let job = fs::read_to_string(self.folder().join(name)).unwrap();
        assert!(job.contains(what), "{what} is not in {name}");
        self.write(name, job.replace(what, by));
    }

    /// Evaluates a job: how many rows were read and are to be moved, and the findings, each in a line.
    fn check(&self, job: &str) -> (u64, u64, Vec<String>) {
        let (run, findings) = self.findings(job);
        (run.count("/rows/read"), run.count("/rows/to_quarantine"), findings.iter().map(Finding::line).collect())
    }

    fn findings(&self, job: &str) -> (Run, Vec<Finding>) {
        let run = Run::new(&self.folder(), &["check", job]);
        let findings = support::findings(&self.folder().join("reports"), run.id());
        (run, findings)
    }

    /// Fails unless a job reads `rows` rows and finds nothing.
    #[track_caller]
    fn is_clean(&self, job: &str, rows: u64) {
        assert_eq!(self.check(job), (rows, 0, Vec::new()), "{job}");
    }

    /// What is said of a job that cannot be run.
    #[track_caller]
    fn is_refused(&self, job: &str, code: i32, texts: &[&str]) {
        let output = support::barkeep(&self.folder()).args(["check", job]).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(code), "{said}");
        assert!(texts.iter().all(|text| said.contains(text)), "{said}");
        assert!(!self.folder().join("quarantine").exists());
    }
}

/// Report 05: Binance gives open times in milliseconds to 2024 and in microseconds from 2025 on
/// (binance/binance-public-data issues 386 and 387); the wrong unit is the year 53041 (ccxt issue 8379).
mod binance {
    use super::*;

    const COLUMNS: &str = "open_time,open,high,low,close,volume,close_time,quote_volume,trades";

    /// The minutes of a day, `unit` to the millisecond, each line begun by `symbol`.
    fn day(date: &str, unit: i64, symbol: &str) -> String {
        let midnight = date.parse::<NaiveDate>().unwrap().and_hms_opt(0, 0, 0).unwrap().and_utc().timestamp_millis();
        let mut text = String::new();
        for minute in 0..1440 {
            let (open, close) = (95_000 + minute % 7, 95_000 + (minute + 1) % 7);
            let (low, high) = (open.min(close) - 1, open.max(close) + 1);
            let (from, until) = ((midnight + minute * 60_000) * unit, (midnight + (minute + 1) * 60_000) * unit - 1);
            let more = minute % 11;
            writeln!(text, "{symbol}{from},{open}.5,{high},{low},{close}.5,{}.{more},{until},{more}.5,17", 30 + more)
                .unwrap();
        }
        text
    }

    fn report() -> Report {
        let report = Report::new("05-binance-ms-then-us");
        let header = format!("symbol,{COLUMNS}\n");
        for (date, unit) in [("2024-12-31", 1), ("2025-01-01", 1000)] {
            report.write(&format!("pages/BTCUSDT-1m-{date}.csv"), header.clone() + &day(date, unit, "BTCUSDT,"));
            report.write(&format!("headerless/BTCUSDT-1m-{date}.csv"), day(date, unit, ""));
        }
        report
    }

    fn job(report: &Report, name: &str, files: &str, formats: &str) {
        let job = format!(
            "name = \"{}\"\nrules = [\"../../rules/ohlcv.toml\", \"../../rules/crypto.toml\"]\n[source.files]\n{files}\n\
             [bars]\nseries = [\"symbol\"]\ninterval = \"1m\"\ncalendar = \"24/7\"\n\
             time = {{ field = \"open_time\", formats = [{formats}] }}\n[report]\ndir = \"reports\"\n",
            name.trim_end_matches(".toml")
        );
        report.write(name, job);
    }

    #[test]
    fn milliseconds_and_microseconds_of_one_series_are_one_series() {
        let report = report();
        for (name, formats) in [("epoch.toml", "\"epoch\""), ("ms_then_us.toml", "\"epoch-ms\", \"epoch-us\"")] {
            job(&report, name, "path = \"pages/*.csv\"", formats);
            report.is_clean(name, 2880);
        }
    }

    #[test]
    fn a_wrong_unit_is_out_of_range_and_no_other_year() {
        let report = report();
        job(&report, "ms_only.toml", "path = \"pages/*.csv\"", "\"epoch-ms\"");
        let (run, findings) = report.findings("ms_only.toml");
        let wrong = findings.iter().filter(|found| found.cause.as_deref() == Some("out-of-range")).count();
        assert_eq!((run.count("/rows/read"), wrong, findings.len()), (2880, 1440, 1440));
        assert!(findings.iter().all(|found| found.locator.as_ref().unwrap().contains("2025-01-01")));
    }

    #[test]
    fn files_without_a_header_are_refused_with_the_settings_that_read_them() {
        let report = report();
        job(&report, "headerless.toml", "path = \"headerless/*.csv\"", "\"epoch\"");
        report.is_refused(
            "headerless.toml",
            3,
            &["line 1 looks like data", "header = \"none\"", "columns = [9 names]"],
        );
        let columns = COLUMNS.replace(',', "\", \"");
        let files = format!("path = \"headerless/{{symbol}}-1m-*.csv\"\nheader = \"none\"\ncolumns = [\"{columns}\"]");
        job(&report, "named.toml", &files, "\"epoch\"");
        report.is_clean("named.toml", 2880);
    }
}

/// Report 08: dates as the United States write them, and a job that lists both formats (kernc/backtesting.py issue 11).
#[test]
fn two_formats_that_read_one_text_as_two_days_are_a_mistake_of_the_job() {
    let report = Report::new("08-day-month-ambiguous");
    let first = NaiveDate::from_ymd_opt(2024, 1, 2).unwrap();
    let holidays = ["2024-01-15", "2024-02-19", "2024-03-29"];
    let days = first.iter_days().take(90).filter(|day| day.weekday().num_days_from_monday() < 5);
    let days: Vec<NaiveDate> = days.filter(|day| !holidays.contains(&day.to_string().as_str())).collect();
    let mut text = "symbol,date,open,high,low,close,volume\n".to_owned();
    for (at, day) in days.iter().enumerate() {
        writeln!(text, "AAA,{},{},51,49,50.{},{}", day.format("%m/%d/%Y"), 50 + at % 2, at % 9, 1000 + at).unwrap();
    }
    report.write("input.csv", text);
    let job = |formats: &str| {
        format!(
            "name = \"c08\"\nrules = [\"../../rules/ohlcv.toml\"]\n[source.files]\npath = \"input.csv\"\n[bars]\n\
             series = [\"symbol\"]\ninterval = \"1d\"\ncalendar = \"XNYS\"\n\
             time = {{ field = \"date\", formats = [{formats}] }}\n[report]\ndir = \"reports\"\n"
        )
    };
    report.write("job.toml", job("\"%m/%d/%Y\""));
    report.is_clean("job.toml", days.len() as u64);
    for both in ["\"%d/%m/%Y\", \"%m/%d/%Y\"", "\"%m/%d/%Y\", \"%d/%m/%Y\""] {
        report.write("job.toml", job(both));
        report.is_refused(
            "job.toml",
            2,
            &["is one day by `%", "and another by `%", "keep the format that the source writes"],
        );
    }
}

/// Report 15: volumes beyond 2^53, and what is left of volumes that did not fit (`nautilus_trader` issue 1019,
/// dotnetkiteconnect issue 34, `ThetaDataDx` PR 731, tdx2db PR 68, duckle issue 358).
#[test]
fn volumes_that_differ_by_one_are_two_bars_and_impossible_ones_are_flagged() {
    let report = Report::new("15-huge-volumes");
    for job in ["csv.toml", "ndjson.toml"] {
        let (run, findings) = report.findings(job);
        let of = |rule: &str| findings.iter().filter(|found| found.rule_id == rule).collect::<Vec<_>>();
        let differing: Vec<_> =
            of("duplicate").iter().map(|found| found.evidence()["differs"]["volume"].to_string()).collect();
        assert_eq!(differing.len(), 2, "{job}");
        assert!(
            differing.iter().all(|values| values.contains("9009049254741043") && values.contains("9009049254741044"))
        );
        assert!(of("duplicate").iter().all(|found| found.cause.as_deref() == Some("conflicting")), "{job}");
        assert!(of("duplicate-copy").is_empty(), "{job}");
        let texts = |rule: &str| of(rule).iter().map(|found| found.value().unwrap_or_default()).collect::<Vec<_>>();
        assert_eq!((texts("ohlc"), of("volume-overflow").len()), (vec!["-2069356102".to_owned()], 1), "{job}");
        assert_eq!((run.count("/rows/read"), run.count("/rows/to_quarantine")), (121, 1), "the negative one, in {job}");
    }
    // Most volumes that lost 2^32 lie among each other; of those that stand out, one is in line with what it lost.
    let (read, moved, found) = report.check("wrap.toml");
    assert_eq!((read, moved), (253, 0));
    assert!(found.iter().all(|line| line.starts_with("volume-outlier GLT")), "{found:?}");
    assert!(found.iter().any(|line| line.contains("2020-08-25") && line.contains("wrapped")), "{found:?}");
}

/// Report 18: one clean series over files whose types drift (datafusion issue 17517, arrow issues 37068 and 37070,
/// datafusion PR 4251, cfa-stf-routine-forecasting issue 994, beacon PR 405, fastparquet issue 93, cudf-spark issue 2302,
/// Vibe-Trading PR 778).
mod drift {
    use super::*;

    fn report() -> Report {
        Report::new("18-parquet-schema-drift")
    }

    #[test]
    fn what_any_reading_gives_the_right_values_of_is_read() {
        let report = report();
        for job in [
            "numbers.toml",
            "ny.toml",
            "empties.toml",
            "intdate.toml",
            "intdate_dateonly.toml",
            "intdate_ndjson.toml",
            "floatdate.toml",
            "floatdate_csv_fmt.toml",
            "epoch_float.toml",
            "int96.toml",
            "groups.toml",
        ] {
            report.is_clean(job, 122);
        }
    }

    #[test]
    fn every_value_of_the_drifting_files_is_that_of_the_file() {
        let report = report();
        let sum = |job: &str| {
            let query = "select count(*) n, round(sum(close), 4) c, sum(volume) v, min(time) a, max(time) b from bars";
            let args = ["sql", "--job", job, "--format", "json", query];
            String::from_utf8(support::barkeep(&report.folder()).args(args).output().unwrap().stdout).unwrap()
        };
        let seen = sum("groups.toml");
        assert!(seen.contains("\"n\":122"), "{seen}");
        for job in ["int96.toml", "floatdate.toml", "intdate.toml", "epoch_float.toml", "empties.toml", "ny.toml"] {
            assert_eq!(sum(job), seen, "{job}");
        }
    }

    #[test]
    fn the_rest_is_refused_with_file_column_and_what_differs() {
        let report = report();
        let date = ["column `date` is Utf8 in `dates/part-0.parquet` and Date32 in `dates/part-1.parquet`"];
        report.is_refused("dates.toml", 3, &date);
        let volume = [
            "column `volume` of `columns/part-0.parquet` is missing in `columns/part-2.parquet`",
            "missing = \"null\"",
        ];
        report.is_refused("columns.toml", 3, &volume);
        report.edit("columns.toml", "path = \"columns\"", "path = \"columns\"\nmissing = \"null\"");
        report.is_clean("columns.toml", 122);
        let case = ["column `volume` of `case/part-0.parquet` is missing in `case/part-1.parquet`, which has `Volume`"];
        report.is_refused("case.toml", 3, &case);
    }

    #[test]
    fn a_timestamp_that_does_not_decode_has_its_value_and_its_cause_in_every_format() {
        let report = report();
        let seen = |job: &str| {
            let (run, findings) = report.findings(job);
            assert_eq!(run.count("/rows/read"), 39, "{job}");
            let wrong = findings.iter().filter(|found| found.field.as_deref() == Some("time"));
            let line = |found: &Finding| {
                let value = found.observed_text.clone().unwrap_or_default().replace('T', " ");
                format!("{value} {}", found.cause.clone().unwrap_or_default())
            };
            let mut lines: Vec<String> = wrong.map(line).collect();
            lines.sort();
            lines
        };
        let (typed, text) = (seen("badstamps.toml"), seen("badstamps_csv.toml"));
        assert_eq!((typed.len(), &typed), (3, &text));
    }

    #[test]
    fn a_text_of_another_format_and_one_epoch_among_others_are_findings() {
        let report = report();
        let (rows, _, found) = report.check("floatdate_csv.toml");
        assert_eq!((rows, found.len()), (122, 122));
        assert!(found.iter().all(|line| line.starts_with("date-format AAA -")), "{}", found[0]);
        let (rows, moved, found) = report.check("epoch_mixed.toml");
        let wrong = found.iter().filter(|line| line.contains("out-of-range")).count();
        assert_eq!((rows, moved, wrong), (122, 0, 1), "{found:?}");
    }
}

/// Report 24: what a copy is (soda-core issue 1949, deequ issue 288 and PR 180, dqx issue 344, polygon-io issue 92).
#[test]
fn a_copy_is_a_row_with_which_nothing_is_lost() {
    let report = Report::new("24-duplicate-semantics");
    let (run, findings) = report.findings("job.toml");
    let of = |rule: &str, cause: &str| {
        let found = findings.iter().filter(|found| found.rule_id == rule && found.cause.as_deref() == Some(cause));
        let mut days: Vec<String> = found.map(|found| found.at().unwrap().to_owned()).collect();
        days.sort();
        days
    };
    assert_eq!(of("duplicate", "identical"), ["2025-01-10", "2025-01-30", "2025-01-30"], "1 + 2 surplus copies");
    let conflicting = of("duplicate", "conflicting");
    assert_eq!(conflicting, [["2025-03-04"; 2].as_slice(), &["2025-03-05"; 2], &["2025-03-06"; 3]].concat());
    let differs = |day: &str, field: &str| {
        let of_day = findings.iter().filter(|found| found.rule_id == "duplicate" && found.at() == Some(day));
        of_day.map(Finding::evidence).all(|evidence| !evidence["differs"][field].is_null())
    };
    assert!(differs("2025-03-04", "adj_close") && differs("2025-03-05", "currency") && differs("2025-03-06", "volume"));
    let copies = ["2025-01-10", "2025-01-30", "2025-01-30", "2025-03-06"];
    assert_eq!(of("duplicate-copy", "identical"), copies, "those without a volume are identical with each other");
    assert_eq!(run.count("/rows/to_quarantine"), 4, "nothing is lost with a copy");

    let (rows, _, found) = report.check("key.toml");
    assert_eq!((rows, found.len()), (63, 1), "two periods that are NULL are one key, and a weekly bar is none");
    assert!(found[0].starts_with("one AAA 2025-02-18") && found[0].contains("identical"), "{}", found[0]);
}

/// Report 27: candles as arrays, and documents that are one array (ccxt issues 6888 and 8379, dumps of freqtrade).
#[test]
fn a_document_that_is_an_array_is_read_and_arrays_without_names_are_refused_by_name() {
    let report = Report::new("27-json-arrays");
    report.is_clean("one_line.toml", 60);
    report.is_clean("pretty.toml", 60);
    report.is_refused("rows.toml", 3, &["`rows.json`", "its records are arrays", "`columns = [...]`", "6 values"]);
    report.is_refused("rows_nd.toml", 3, &["`rows.ndjson`", "it begins like one JSON array", "`columns = [...]`"]);
    let names = "columns = [\"date\", \"open\", \"high\", \"low\", \"close\", \"volume\"]";
    let symbol = "series   = [\"symbol\"]";
    for (job, file, format) in
        [("rows.toml", "rows.json", ""), ("rows_nd.toml", "rows.ndjson", "format = \"ndjson\"\n")]
    {
        let path = format!("path = \"{file}\"");
        report.edit(job, &path, &format!("{path}\n{format}{names}"));
        report.edit(job, symbol, &format!("{symbol}\nfields = {{ symbol = {{ value = \"AAA\" }} }}"));
        report.edit(
            job,
            "field = \"date\"",
            "field = \"date\", formats = [\"epoch-ms\", \"%Y-%m-%d\"], zone = \"UTC\"",
        );
        report.is_clean(job, 60);
    }
}

/// What is wrong with a market, and what only looks so.
mod market {
    use super::*;

    /// Rule, series, cause and rows of each finding, a run as its first day and its length.
    fn found(report: &Report, job: &str) -> Vec<String> {
        let (_, findings) = report.findings(job);
        let line = |finding: &Finding| {
            let cause = finding.cause.as_deref().unwrap_or("-");
            format!("{} {} {} {cause} {}", finding.rule_id, finding.series, finding.key(), finding.bars_affected)
        };
        let mut lines: Vec<String> = findings.iter().map(line).collect();
        lines.sort();
        lines
    }

    fn of_rule(lines: &[String], rule: &str) -> Vec<String> {
        lines.iter().filter_map(|line| line.strip_prefix(&format!("{rule} "))).map(str::to_owned).collect()
    }

    /// Report 01: pence among pounds for a day, two days, eight, and for good (yfinance issues 280 and 2866 and PR 1110,
    /// ghostfolio issue 2973).
    #[test]
    fn pence_among_pounds_are_found_where_they_are_and_nowhere_else() {
        let lines = found(&Report::new("01-lse-pence-pounds"), "job.toml");
        let slips = [
            "ALSE 2025-10-21 comes-back 1",
            "BLSE 2025-10-21 comes-back 2",
            "CLSE 2026-01-02 stays 1",
            "DLSE 2026-01-02 comes-back 8",
        ];
        assert_eq!(of_rule(&lines, "unit-slip"), slips);
        let wrong = |line: &&String| {
            let mut words = line.split(' ').skip(1);
            let (series, day) = (words.next().unwrap(), words.next().unwrap());
            match series {
                "ALSE" => day == "2025-10-21",
                "BLSE" => ["2025-10-21", "2025-10-22"].contains(&day),
                "CLSE" => day == "2026-01-02",
                "DLSE" => ("2026-01-02"..="2026-01-13").contains(&day),
                _ => false,
            }
        };
        assert!(lines.iter().all(|line| wrong(&line)), "{lines:?}");
    }

    /// Report 02: one session under two instants, and a week under two days (yfinance issues 573 and 754 and PR 1217,
    /// gloomberb PR 577, yahooquery issue 176).
    #[test]
    fn a_session_and_a_week_that_are_there_twice_are_named() {
        let report = Report::new("02-session-twice-two-instants");
        let lines = found(&report, "job.toml");
        let copies = ["ACME 2026-02-02 identical 1", "ACME 2026-03-31 conflicting 1", "ACME 2026-03-31 conflicting 1"];
        assert_eq!(of_rule(&lines, "duplicate"), copies);
        assert_eq!(lines.len(), copies.len() + of_rule(&lines, "duplicate-copy").len(), "{lines:?}");
        assert_eq!(found(&report, "weekly.toml"), ["off-calendar ACME 2026-03-26 second-in-period 1"]);
    }

    /// Report 14: prices below zero (fastquant issue 392, `nautilus_trader` issue 2330, Vibe-Trading issue 571). The rule file
    /// is one of an earlier version, with a parameter that has no effect any more.
    #[test]
    fn prices_below_zero_are_evaluated_by_differences() {
        let report = Report::new("14-negative-oil");
        let (run, findings) = report.findings("oil.toml");
        assert_eq!(run.exit, 0, "{findings:?}");
        let errors = |job: &str| {
            let (run, findings) = report.findings(job);
            let errors: Vec<String> = findings.iter().filter(|f| f.severity == "error").map(Finding::line).collect();
            (run, errors)
        };
        let (run, wrong) = errors("power.toml");
        assert_eq!(wrong.len(), 1, "{wrong:?}");
        assert!(wrong[0].contains("swapped-high-low"), "{wrong:?}");
        let spikes = run.summary["rules"].as_array().unwrap().iter().find(|rule| rule["id"] == "price-spike").unwrap();
        assert!(spikes["stepped_over"].as_u64().unwrap() > 0, "ratios say nothing of prices below zero");
        // The job says it itself, with the rules that ship.
        report.edit("power.toml", "rules = [\"negative.toml\"]", "rules = [\"../../rules/ohlcv.toml\"]");
        report.edit("power.toml", "calendar = \"24/7\"", "calendar = \"24/7\"\nnegative = true");
        let (_, wrong) = errors("power.toml");
        assert_eq!(wrong.len(), 1, "{wrong:?}");
    }

    /// Report 26: prices of a few units of their last decimal, and some that were rounded (CryptoExchange.Net issue 254,
    /// `nautilus_trader` issue 1019, catalyst PR 2).
    #[test]
    fn what_was_rounded_stays_and_a_move_by_one_step_is_none() {
        let report = Report::new("26-rounded-subpenny");
        report.is_clean("full.toml", 150);
        let (_, moved, lines) = report.check("rounded.toml");
        assert_eq!(moved, 0);
        assert!(lines.iter().all(|line| line.contains(" rounded ")), "{lines:?}");
        let ticks = found(&report, "tick.toml");
        assert!(ticks.iter().all(|line| line.starts_with("stale ")), "{ticks:?}");
    }

    /// Report 29: daily bars under the instant of the open, over a change of clocks (Finnhub-API issue 151, yahooquery
    /// issue 127).
    #[test]
    fn the_hour_of_daily_bars_may_change_with_the_clocks() {
        let report = Report::new("29-daily-epoch-dst");
        report.is_clean("job.toml", 122);
        report.is_clean("utc.toml", 122);
        let (run, findings) = report.findings("wrong_zone.toml");
        assert!(run.exit != 0 || findings.is_empty(), "the same dates, or loud: {findings:?}");
    }

    /// Report 31: halts filled flat, and a frozen feed (`FinanceDataReader` issue 134, pinax-api issue 45).
    #[test]
    fn halts_are_excused_and_a_frozen_feed_is_not() {
        let lines = found(&Report::new("31-halt-forward-filled"), "job.toml");
        assert_eq!(lines, ["stale GMEX 2021-01-28T17:50:00Z same-bar 12"]);
    }
}
