//! Rules across series from the job file to the summary: fresh bars, alignment, copies, sources side by side.

use std::fmt::Write as _;
use std::fs;
use std::sync::{Arc, Mutex};

use chrono::NaiveDate;
use tempfile::TempDir;

use super::{CheckOptions, Context, Event, Exit, Job, RunResult};
use crate::report::summary::RuleSummary;
use crate::schema::moment::Moment;

const RULES: &str = r#"
[[rule]]
id = "ohlc"
check = "ohlc"
"#;

struct World {
    folder: TempDir,
    notes: Arc<Mutex<Vec<String>>>,
}

impl World {
    /// A job over `csv` with `bars` in its `[bars]`, and `rules`.
    fn new(bars: &str, rules: &str, csv: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let job = format!(
            "name = \"demo\"\nrules = \"rules.toml\"\nsource.files.path = \"bars.csv\"\nreport.dir = \"reports\"\n[bars]\n\
             interval = \"1d\"\n{bars}\n"
        );
        for (name, text) in [("job.toml", job.as_str()), ("rules.toml", rules), ("bars.csv", csv)] {
            fs::write(folder.path().join(name), text).unwrap();
        }
        Self { folder, notes: Arc::default() }
    }

    async fn check(&self, as_of: &str) -> RunResult {
        let notes = Arc::clone(&self.notes);
        let events = Arc::new(move |event: Event<'_>| {
            if let Event::Note(note) = event {
                notes.lock().unwrap().push(note.to_owned());
            }
        });
        let context = Context { threads: Some(2), events, ..Context::default() };
        let job = Job::open(&context, self.folder.path().join("job.toml")).unwrap();
        let as_of = Some(Moment::parse(as_of).unwrap());
        job.check(CheckOptions { as_of, ..CheckOptions::default() }).await.unwrap()
    }

    fn notes(&self) -> String {
        self.notes.lock().unwrap().join("\n").replace(&format!("{}/", self.folder.path().display()), "")
    }
}

fn rule<'r>(result: &'r RunResult, id: &str) -> &'r RuleSummary {
    result.summary.rules.iter().find(|rule| rule.id == id).unwrap_or_else(|| panic!("no rule `{id}`"))
}

/// Bars of weekdays from 2024-01-01 until `last`, of each of `symbols`; the first columns of a row are `symbol`.
fn bars(symbols: &[&str], last: &str) -> String {
    let (mut csv, until) = (String::new(), last.parse::<NaiveDate>().unwrap());
    for (place, symbol) in symbols.iter().enumerate() {
        let mut day = "2024-01-02".parse::<NaiveDate>().unwrap();
        while day <= until {
            let weekday = chrono::Datelike::weekday(&day).num_days_from_monday();
            if weekday < 5 {
                let open =
                    10.0 + f64::from((day.to_epoch_days() * 31 + i32::try_from(place).unwrap() * 17) % 97) / 10.0;
                writeln!(csv, "{symbol},{day},{open},{},{},{open},{}", open + 0.5, open - 0.5, 1_000 + place).unwrap();
            }
            day = day.succ_opt().unwrap();
        }
    }
    csv
}

const HEAD: &str = "symbol,time,open,high,low,close,volume\n";
const DAILY: &str = "series = \"symbol\"\ncalendar = \"weekdays\"";

#[tokio::test(flavor = "multi_thread")]
async fn fresh_makes_a_rule_and_a_dead_feed_is_its_one_finding() {
    let csv = HEAD.to_owned() + &bars(&["A", "B", "C", "D", "E"], "2024-02-28");
    let fresh = format!("{DAILY}\nfresh = \"2 sessions\"");
    let result = World::new(&fresh, RULES, &csv).check("2024-03-27").await;
    let freshness = rule(&result, "freshness");
    assert_eq!((freshness.findings, freshness.evaluated, result.exit), (1, 5 * 42, Exit::Findings));
    assert_eq!(freshness.first.as_ref().map(|place| place.series.as_str()), Some("(all series)"));
    assert_eq!(rule(&World::new(&fresh, RULES, &csv).check("2024-02-29").await, "freshness").findings, 0);
    let old = World::new(DAILY, RULES, &csv).check("2024-03-27").await;
    assert!(old.summary.rules.iter().all(|rule| rule.id != "freshness"));
    assert_eq!((old.exit, old.summary.age().map(|(_, days)| days)), (Exit::Ok, Some(28)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bar_of_the_future_is_an_error_at_its_line() {
    let csv = HEAD.to_owned() + &bars(&["A"], "2024-02-28") + "A,2034-01-02,1,1,1,1,5\n";
    let rules = "[[rule]]\nid = \"future\"\ncheck = \"freshness\"\n";
    let world = World::new(DAILY, rules, &csv);
    let result = world.check("2024-02-29").await;
    assert_eq!((rule(&result, "future").findings, result.exit), (1, Exit::Findings));
    assert_eq!(result.summary.rows.clean, result.summary.rows.read, "its rows are not those of a finding");
}

#[tokio::test(flavor = "multi_thread")]
async fn series_are_aligned_and_copies_found_whatever_partitions_there_are() {
    let rules = "[[rule]]\nid = \"align\"\ncheck = \"alignment\"\nmin = 20\nseverity = \"warn\"\n\n\
                 [[rule]]\nid = \"copied\"\ncheck = \"copied-series\"\nseverity = \"warn\"\n";
    let all = bars(&["A", "B", "C"], "2024-06-28");
    let copy = bars(&["A"], "2024-06-28").replace("A,", "Z,");
    let holes: String =
        all.lines().filter(|line| !line.starts_with("C,2024-03-0")).map(|line| format!("{line}\n")).collect();
    let result = World::new(DAILY, rules, &(HEAD.to_owned() + &holes + &copy)).check("2024-07-01").await;
    let (align, copied) = (rule(&result, "align"), rule(&result, "copied"));
    assert_eq!((align.findings, align.bars), (1, 6));
    assert_eq!(align.first.as_ref().map(|place| place.series.as_str()), Some("C"));
    assert_eq!((copied.findings, copied.first.as_ref().map(|place| place.series.as_str())), (1, Some("Z")));
    assert_eq!(copied.evaluated, result.summary.rows.read);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rule_across_series_says_where_it_stands_when_there_is_one_series() {
    let rules = format!("{RULES}\n[[rule]]\nid = \"align\"\ncheck = \"alignment\"\n");
    let world = World::new(DAILY, &rules, &(HEAD.to_owned() + &bars(&["A"], "2024-02-28")));
    let result = world.check("2024-03-01").await;
    assert_eq!(result.summary.not_evaluated, ["align"]);
    assert!(world.notes().contains("rule `align` compares series with each other, and there is 1 series"));
    assert!(world.notes().contains("--> rules.toml:6"), "{}", world.notes());
}

#[tokio::test(flavor = "multi_thread")]
async fn sources_of_a_symbol_are_compared_and_the_odd_one_is_named() {
    let of = |source: &str| {
        let rows = bars(&["A", "B"], "2024-03-28");
        rows.lines().map(|line| format!("{source},{line}\n")).collect::<String>()
    };
    let wrong = of("tushare").replace("tushare,A,2024-02-01,", "tushare,A,2024-02-01,9");
    let csv = format!("data_source,{HEAD}") + &of("akshare") + &of("baostock") + &wrong;
    let rules = "[[rule]]\nid = \"sources\"\ncheck = \"reconcile\"\nby = \"data_source\"\nseverity = \"warn\"\n";
    let world = World::new("series = [\"symbol\", \"data_source\"]\ncalendar = \"weekdays\"", rules, &csv);
    let result = world.check("2024-03-28").await;
    let sources = rule(&result, "sources");
    assert_eq!((sources.findings, sources.evaluated), (1, result.summary.rows.read));
    assert_eq!(result.summary.rows.clean, result.summary.rows.read);
    assert_eq!(result.summary.series, 6, "no series is counted twice");
    let alone =
        World::new("series = [\"symbol\", \"data_source\"]", rules, &(format!("data_source,{HEAD}") + &of("akshare")));
    let result = alone.check("2024-03-28").await;
    assert_eq!(result.summary.not_evaluated, ["sources"]);
    assert!(
        alone.notes().contains("no symbol has bars of two") && alone.notes().contains("rules.toml:1"),
        "{}",
        alone.notes()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_that_were_filled_in_while_others_traded_are_to_be_moved() {
    let rules = "[[rule]]\nid = \"filled\"\ncheck = \"filled-forward\"\naction = \"quarantine\"\n";
    let all = bars(&["A", "B", "C", "D"], "2024-02-28");
    let (_, before) = all.split_once("A,2024-02-05,").unwrap();
    let close = before.split(',').next().unwrap();
    let filled = |line: &str| match line.starts_with("A,2024-02-06,") || line.starts_with("A,2024-02-07,") {
        true => format!("{},{close},{close},{close},{close},0\n", line.get(..12).unwrap()),
        false => format!("{line}\n"),
    };
    let csv = HEAD.to_owned() + &all.lines().map(filled).collect::<String>();
    let result = World::new(DAILY, rules, &csv).check("2024-03-01").await;
    assert_eq!((rule(&result, "filled").findings, result.summary.rows.to_quarantine), (1, 2));
    assert_eq!(rule(&result, "filled").evaluated + rule(&result, "filled").insufficient, result.summary.rows.read);
    let alone = World::new(DAILY, rules, &(HEAD.to_owned() + &bars(&["A"], "2024-02-28")));
    let result = alone.check("2024-03-01").await;
    assert_eq!(result.summary.not_evaluated, ["filled"]);
    assert!(alone.notes().contains("rule `filled` looks at what other series show"), "{}", alone.notes());
    assert!(alone.notes().contains("--> rules.toml:1"), "{}", alone.notes());
}

/// Hours of the bars of [`bars`]: four a day, with the open, the high, the low and the close of the day.
fn hours(symbols: &[&str], last: &str) -> String {
    let hour = |line: &str| {
        let cells: Vec<&str> = line.split(',').collect();
        let [symbol, day, open, high, low, close, volume] = cells[..] else { panic!("{line}") };
        let volume = volume.parse::<f64>().unwrap() / 4.0;
        [(14, open), (15, high), (16, low), (17, close)]
            .map(|(hour, price)| format!("{symbol},{day}T{hour}:30:00Z,{price},{price},{price},{price},{volume}\n"))
            .concat()
    };
    bars(symbols, last).lines().map(hour).collect()
}

const HOURLY: &str = "name = \"hourly\"\nrules = \"../own.toml\"\nsource.files.path = \"hours.csv\"\n[bars]\n\
                      series = \"symbol\"\ninterval = \"1h\"\ncalendar = \"XNYS\"\ntime.zone = \"UTC\"\n";

#[tokio::test(flavor = "multi_thread")]
async fn bars_are_compared_with_the_sessions_of_another_job() {
    let csv = HEAD.to_owned() + &bars(&["A", "B", "C"], "2024-02-28").replace("B,2024-02-06,", "B,2024-02-06,9");
    let rules = "[[rule]]\nid = \"minutes\"\ncheck = \"reconcile\"\nwith = \"other/job.toml\"\nseverity = \"warn\"\n";
    let world = World::new(DAILY, rules, &csv);
    let other = world.folder.path().join("other");
    fs::create_dir(&other).unwrap();
    fs::write(world.folder.path().join("own.toml"), RULES).unwrap();
    fs::write(other.join("job.toml"), HOURLY).unwrap();
    fs::write(other.join("hours.csv"), HEAD.to_owned() + &hours(&["A", "B"], "2024-02-28")).unwrap();
    let result = world.check("2024-03-01").await;
    let minutes = rule(&result, "minutes");
    // Days on which XNYS is closed have no session that hours could be put together by, and C has no hours.
    assert_eq!((minutes.findings, minutes.evaluated > 70, minutes.insufficient >= 42), (1, true, true), "{minutes:?}");
    assert_eq!(minutes.first.as_ref().map(|place| place.series.as_str()), Some("B"));
    assert_eq!(result.summary.rows.clean, result.summary.rows.read);

    fs::write(other.join("job.toml"), HOURLY.replace("1h", "1w")).unwrap();
    let context = Context::default();
    let job = Job::open(&context, world.folder.path().join("job.toml")).unwrap();
    let mistakes = job.check(CheckOptions::default()).await.unwrap_err().render(false);
    assert!(mistakes.contains("bars of 1w cannot be compared with bars of 1d"), "{mistakes}");
    assert!(mistakes.contains("rules.toml:4"), "{mistakes}");
    fs::remove_file(other.join("job.toml")).unwrap();
    let missing = job.check(CheckOptions::default()).await.unwrap_err();
    assert!(missing.render(false).contains("cannot be loaded"), "{}", missing.render(false));
    assert_eq!(missing.exit(), Exit::Usage);
}

#[test]
fn how_old_bars_may_be_is_checked_with_the_job() {
    let world = World::new("series = \"symbol\"\nfresh = \"2 sessions\"", RULES, HEAD);
    let mistakes = Job::open(&Context::default(), world.folder.path().join("job.toml")).unwrap_err().render(false);
    assert!(mistakes.contains("sessions need a calendar") && mistakes.contains("job.toml:8"), "{mistakes}");
}

/// A rule that takes what is off the calendar away, and one that sees what is left.
const CALENDAR_RULES: &str = "[[rule]]\nid = \"calendar\"\ncheck = \"date-format\"\naction = \"quarantine\"\n\n\
                              [[rule]]\nid = \"outlier\"\ncheck = \"outlier\"\nfield = \"close\"\nwindow = 21\n";

/// Bars of twelve series, with one of 2024-02-03, a Saturday, of the first `extra` of them.
fn with_saturday(extra: usize) -> String {
    let symbols: Vec<String> = (0..12).map(|place| format!("S{place:02}")).collect();
    let symbols: Vec<&str> = symbols.iter().map(String::as_str).collect();
    let saturday = |symbol: &&str| format!("{symbol},2024-02-03,12,12.5,11.5,12,1000\n");
    HEAD.to_owned() + &bars(&symbols, "2024-02-28") + &symbols.iter().take(extra).map(saturday).collect::<String>()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_day_on_which_most_series_traded_is_one_finding_and_costs_no_row() {
    let world = World::new(DAILY, CALENDAR_RULES, &with_saturday(10));
    let result = world.check("2024-03-01").await;
    let calendar = rule(&result, "calendar");
    assert_eq!((calendar.findings, calendar.bars, calendar.series_hit), (1, 10, 1));
    assert_eq!(calendar.first.as_ref().map(|place| place.series.as_str()), Some("(all series)"));
    let rows = &result.summary.rows;
    assert_eq!((rows.read, rows.clean, rows.to_quarantine), (12 * 42 + 10, 12 * 42 + 10, 0));
    assert_eq!(calendar.evaluated, 12 * 42);
    assert_eq!(calendar.excused_by.get("market-open").map(|excused| excused.bars), Some(10));
    // Rules about the series see the bars of the day, as they see any other.
    let outlier = rule(&result, "outlier");
    assert_eq!(outlier.evaluated + outlier.insufficient, rows.read);
    assert_eq!(result.exit, Exit::Findings);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_day_on_which_two_series_have_bars_is_two_findings_whose_rows_leave() {
    let result = World::new(DAILY, CALENDAR_RULES, &with_saturday(2)).check("2024-03-01").await;
    assert_eq!((rule(&result, "calendar").findings, result.summary.rows.to_quarantine), (2, 2));
    assert_eq!(rule(&result, "outlier").evaluated + rule(&result, "outlier").insufficient, 12 * 42);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_run_knows_the_day_again_and_a_plan_moves_no_row_of_it() {
    let world = World::new(DAILY, CALENDAR_RULES, &(with_saturday(12) + "S00,2024-02-04,12,12.5,11.5,12,1000\n"));
    let first = world.check("2024-03-01").await;
    assert_eq!((rule(&first, "calendar").findings, first.summary.rows.to_quarantine), (2, 1));
    let second = world.check("2024-03-02").await;
    assert_eq!(second.summary.change.as_ref().map(|change| (change.new, change.fixed)), Some((0, 0)));
    let job = Job::open(&Context::default(), world.folder.path().join("job.toml")).unwrap();
    let as_of = Some(Moment::parse("2024-03-01").unwrap());
    let options = super::PlanOptions { as_of, ..Default::default() };
    let planned = job.plan(options).await.unwrap();
    assert_eq!(planned.plan.map(|plan| plan.rows().len()), Some(1));
}
