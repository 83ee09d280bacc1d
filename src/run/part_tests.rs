//! Runs that look at a part of the bars find what one over all of them finds.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::sync::{Arc, Mutex};

use chrono::{NaiveDate, TimeDelta};
use proptest::prelude::*;
use tempfile::TempDir;

use super::{AskedWindow, CheckOptions, Context, Event, Exit, Job, RunOptions, RunResult};
use crate::schema::moment::Moment;

/// Rules that need the bar alone, bars beside it, a run of bars, expressions over neighbours, the newest bar; and two that
/// need all of a series.
const RULES: &str = r#"
[[rule]]
id = "ohlc"
check = "ohlc"
severity = "error"

[[rule]]
id = "copies"
check = "duplicate"
severity = "error"

[[rule]]
id = "outlier"
check = "outlier"
window = 5
limit = 8.0
severity = "error"

[[rule]]
id = "jump"
check = "sql"
assert = "abs(ret(close)) < 0.3"

[[rule]]
id = "stale"
check = "stale"
bars = 4

[[rule]]
id = "gap"
check = "gap"

[[rule]]
id = "positive"
check = "range"
field = "close"
min = 0.5
severity = "error"

[[rule]]
id = "fresh"
check = "freshness"

[[rule]]
id = "order"
check = "order"
severity = "info"
"#;

pub(super) struct World {
    folder: TempDir,
    notes: Arc<Mutex<Vec<String>>>,
    context: Context,
}

impl World {
    pub(super) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let job = "name = \"nightly\"\nrules = \"rules.toml\"\nsource.files = { path = \"bars.csv\", writers = \"none\" }\n\
                   report.dir = \"reports\"\n[bars]\ninterval = \"1d\"\nseries = [\"symbol\"]\ncalendar = \"weekdays\"\n\
                   fresh = \"2 sessions\"\n[window]\nlookback = \"10d\"\ngrace = \"24h\"\n";
        for (name, text) in [("job.toml", job.to_owned()), ("rules.toml", RULES.to_owned())] {
            fs::write(folder.path().join(name), text).unwrap();
        }
        let notes: Arc<Mutex<Vec<String>>> = Arc::default();
        let kept = Arc::clone(&notes);
        let events = Arc::new(move |event: Event<'_>| {
            if let Event::Note(note) = event {
                kept.lock().unwrap().push(note.to_owned());
            }
        });
        let context = Context { threads: Some(1), events, ..Context::default() };
        Self { folder, notes, context }
    }

    pub(super) fn path(&self, name: &str) -> std::path::PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, series: &BTreeMap<&str, BTreeMap<usize, f64>>) {
        let mut csv = String::from("symbol,time,open,high,low,close,volume\n");
        for (symbol, bars) in series {
            for (at, close) in bars {
                let (high, low) = if *close > 150.0 { (close - 1.0, close - 2.0) } else { (close + 1.0, close - 1.0) };
                writeln!(csv, "{symbol},{},{close},{high},{low},{close},{}", date(*at), 10 + at % 3).unwrap();
            }
        }
        fs::write(self.path("bars.csv"), csv).unwrap();
    }

    pub(super) async fn run(&self, as_of: usize, full: bool) -> RunResult {
        let window = AskedWindow { full, ..AskedWindow::default() };
        let as_of = Some(Moment::Date(date(as_of)));
        let job = Job::open(&self.context, self.path("job.toml")).unwrap();
        job.run(RunOptions { window, as_of, ..RunOptions::default() }).await.unwrap()
    }

    pub(super) fn notes(&self) -> String {
        std::mem::take(&mut *self.notes.lock().unwrap()).join("\n")
    }
}

/// The weekday with the number `at`, from 2024-01-01 on.
pub(super) fn date(at: usize) -> NaiveDate {
    NaiveDate::from_ymd_opt(2024, 1, 1).unwrap() + TimeDelta::days(i64::try_from(at / 5 * 7 + at % 5).unwrap())
}

/// Series by symbol: the close of each bar by the number of its day.
type Bars = BTreeMap<&'static str, BTreeMap<usize, f64>>;

const SYMBOLS: [&str; 4] = ["A", "B", "C", "D"];

/// Days of history, and nights after it.
const HISTORY: usize = 220;
const NIGHTS: usize = 8;

/// What happens between two nights to bars that are no older than the lookback: a bar gets another close, is gone, or is
/// there after all.
#[derive(Debug, Clone, Copy)]
struct Change {
    series: usize,
    /// How many days before tonight.
    back: usize,
    close: Option<f64>,
}

fn close() -> impl Strategy<Value = f64> {
    prop_oneof![6 => 99.0..101.0_f64, 3 => Just(100.0), 1 => Just(300.0), 1 => Just(0.1)]
}

fn changes() -> impl Strategy<Value = Vec<Vec<Change>>> {
    let change = (0..SYMBOLS.len(), 0..7_usize, prop::option::weighted(0.7, close()))
        .prop_map(|(series, back, close)| Change { series, back, close });
    prop::collection::vec(prop::collection::vec(change, 0..4), NIGHTS)
}

/// Bars with holes, of which some series begin late or end early.
fn bars() -> impl Strategy<Value = Bars> {
    let series = (
        0..HISTORY,
        prop::option::weighted(0.3, 120..HISTORY + NIGHTS),
        prop::collection::vec(prop::option::weighted(0.93, close()), HISTORY + NIGHTS),
    );
    prop::collection::vec(series, SYMBOLS.len()).prop_map(|all| {
        let of = |(first, end, closes): (usize, Option<usize>, Vec<Option<f64>>)| {
            let first = if first > 170 { first } else { 0 };
            let days = first..end.unwrap_or(HISTORY + NIGHTS);
            days.filter_map(|day| Some((day, closes[day]?))).collect()
        };
        SYMBOLS.into_iter().zip(all.into_iter().map(of)).collect()
    })
}

/// The bars that are there on the night after day `today`.
fn until(bars: &Bars, today: usize) -> Bars {
    bars.iter()
        .map(|(symbol, days)| (*symbol, days.range(..=today).map(|(day, close)| (*day, *close)).collect()))
        .collect()
}

/// New and fixed findings of each rule that a run had.
pub(super) fn changed(result: &RunResult) -> Vec<(String, Option<u64>, Option<u64>)> {
    let rules = result.summary.rules.iter();
    let changed = rules.filter(|rule| rule.id != "order" && (rule.new != Some(0) || rule.fixed != Some(0)));
    changed.map(|rule| (rule.id.clone(), rule.new, rule.fixed)).collect()
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap().block_on(future)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    /// After nights that each look at a part of the bars, one that looks at all of them finds nothing new, and misses nothing.
    #[test]
    fn nights_over_parts_find_what_one_over_everything_finds(mut bars in bars(), changes in changes()) {
        let world = World::new();
        block_on(async {
            world.write(&until(&bars, HISTORY - 1));
            world.run(HISTORY - 1, false).await;
            for (night, changes) in changes.iter().enumerate() {
                let today = HISTORY + night;
                for Change { series, back, close } in changes {
                    let days = bars.get_mut(SYMBOLS[*series]).unwrap();
                    match close {
                        Some(close) => days.insert(today - back, *close),
                        None => days.remove(&(today - back)),
                    };
                }
                world.write(&until(&bars, today));
                let result = world.run(today, false).await;
                prop_assert!(result.summary.skipped == ["order"], "{:?}", result.summary.skipped);
                prop_assert!(result.summary.window.since.is_some());
            }
            let all = world.run(HISTORY + NIGHTS - 1, true).await;
            prop_assert_eq!(changed(&all), []);
            Ok(())
        })?;
    }
}

/// Quiet bars of all series.
fn quiet() -> Bars {
    let days = |offset: usize| (0..HISTORY + NIGHTS).map(move |day| (day, 100.0 + ((day + offset) % 7) as f64 / 10.0));
    SYMBOLS.into_iter().enumerate().map(|(offset, symbol)| (symbol, days(offset).collect())).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_night_reads_what_may_have_changed_and_the_history_that_rules_need() {
    let world = World::new();
    world.write(&until(&quiet(), HISTORY - 1));
    let first = world.run(HISTORY - 1, false).await;
    assert_eq!((first.summary.window.since, first.summary.rows.context, first.summary.skipped.len()), (None, 0, 0));
    world.write(&until(&quiet(), HISTORY));
    let second = world.run(HISTORY, false).await;
    let rows = &second.summary.rows;
    assert!(rows.read + rows.context < 4 * 160 && rows.context > 0, "{rows:?}");
    assert_eq!(second.summary.skipped, ["order"]);
    assert_eq!((second.exit, world.notes()), (Exit::Ok, String::new()));
    let outlier = second.summary.rules.iter().find(|rule| rule.id == "outlier").unwrap();
    let counted = outlier.evaluated + outlier.insufficient + outlier.excused + outlier.stepped_over;
    assert_eq!(counted, rows.read, "each row of the window is counted by each rule, and none before it");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_budget_is_a_share_of_the_rows_that_are_reported_on() {
    let world = World::new();
    let rules = RULES.replace("check = \"ohlc\"", "check = \"ohlc\"\naction = \"quarantine\"\nbudget = 0.05");
    fs::write(world.path("rules.toml"), rules).unwrap();
    let job = fs::read_to_string(world.path("job.toml")).unwrap();
    fs::write(world.path("job.toml"), job + "[limits]\nfraction = 1.0\nseries_fraction = 1.0\n").unwrap();
    let mut bars = quiet();
    // Of 220 days the last three: more than one in twenty of the window, and not of all that is read.
    (HISTORY - 5..HISTORY - 2).for_each(|day| bars.values_mut().for_each(|days| *days.get_mut(&day).unwrap() = 300.0));
    world.write(&until(&bars, HISTORY - 1));
    let asked = |back: usize| AskedWindow { since: Some(Moment::Date(date(HISTORY - back))), ..AskedWindow::default() };
    let plan = async |back: usize| {
        let job = Job::open(&world.context, world.path("job.toml")).unwrap();
        let as_of = Some(Moment::Date(date(HISTORY)));
        job.run(RunOptions { window: asked(back), as_of, dry_run: true, ..RunOptions::default() }).await.unwrap()
    };
    let near = plan(20).await;
    assert!(near.summary.rows.context > 4 * 40, "{:?}", near.summary.rows);
    assert!(near.summary.refusals.iter().any(|why| why.contains("`ohlc`")), "{:?}", near.summary.refusals);
    assert_eq!(plan(200).await.summary.refusals, Vec::<String>::new(), "a share of 200 days");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_changed_besides_the_bars_makes_a_run_look_at_everything() {
    let world = World::new();
    world.write(&quiet());
    let whole = |result: &RunResult| result.summary.window.since.is_none();
    let run = || world.run(HISTORY, false);
    assert!(whole(&run().await), "the first");
    assert!(!whole(&run().await));
    fs::write(world.path("rules.toml"), RULES.replace("limit = 8.0", "limit = 9.0")).unwrap();
    assert!(whole(&run().await));
    assert!(world.notes().contains("the rules changed since run"));
    let state = world.path("state/nightly.json");
    let written = fs::read_to_string(&state).unwrap();
    for (damaged, said) in [
        (String::new(), "is damaged"),
        (written[..written.len() / 2].to_owned(), "is damaged"),
        (written.replace("\"version\": 1", "\"version\": 7"), "is of version 7, and this barkeep writes 1"),
        (written.replace("\"job\": \"nightly\"", "\"job\": \"other\""), "is that of job `other`"),
    ] {
        fs::write(&state, damaged).unwrap();
        assert!(whole(&run().await), "{said}");
        let notes = world.notes();
        assert!(notes.contains(said) && notes.contains("looks at all bars, and writes it anew"), "{notes}");
        assert!(!whole(&run().await), "it was written anew");
    }
    fs::remove_dir_all(world.path("reports")).unwrap();
    assert!(whole(&run().await));
    assert!(world.notes().contains("the reports are gone since run"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_watermark_after_now_is_said_and_nothing_is_missed() {
    let world = World::new();
    world.write(&quiet());
    world.run(HISTORY + 5, false).await;
    let back = world.run(HISTORY, false).await;
    let notes = world.notes();
    assert!(notes.contains("was the clock set back?"), "{notes}");
    let since = back.summary.window.since.unwrap();
    assert!(since.date() < date(HISTORY - 10).to_string(), "{since}");
    world.run(HISTORY + 1, false).await;
    assert_eq!(world.notes(), "", "the watermark went back with the clock");
}

#[tokio::test(flavor = "multi_thread")]
async fn only_a_run_that_came_to_its_end_moves_the_watermark() {
    let world = World::new();
    world.write(&quiet());
    let job = Job::open(&world.context, world.path("job.toml")).unwrap();
    let state = world.path("state/nightly.json");
    job.check(CheckOptions::default()).await.unwrap();
    let dry = RunOptions { dry_run: true, ..RunOptions::default() };
    job.run(dry).await.unwrap();
    let since = Some(Moment::Date(date(HISTORY - 10)));
    let asked = AskedWindow { since, ..AskedWindow::default() };
    job.run(RunOptions { window: asked, ..RunOptions::default() }).await.unwrap();
    assert!(!state.exists(), "a check, a dry run, and a window that a person asked for");
    fs::remove_file(world.path("bars.csv")).unwrap();
    job.run(RunOptions::default()).await.unwrap_err();
    assert!(!state.exists(), "a source that is not there");
    world.write(&quiet());
    fs::write(world.path("state"), "a file in the place of the folder").unwrap();
    let failed = job.run(RunOptions::default()).await.unwrap();
    assert_eq!(failed.exit, Exit::Broken);
    assert_eq!((failed.summary.exit_code, failed.summary.status.as_str()), (3, "broken"), "the report says so, too");
    let said = failed.failure.unwrap().render(false);
    assert!(said.contains("the watermark cannot be written"), "{said}");
}
