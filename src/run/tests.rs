//! The life of a job by a clock that the test sets.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use chrono::{DateTime, TimeDelta};

use super::{AskedWindow, CheckOptions, Clock, Context, Exit, Job, PlanOptions, RunOptions, RunResult};
use crate::quarantine::item::{State, Which};
use crate::text::utc::UtcMicros;

/// A job over three daily bars, of which the second and the third have a high below their low, and its clock.
struct World {
    folder: tempfile::TempDir,
    now: Arc<AtomicI64>,
    context: Context,
}

impl World {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
        write(
            "job.toml",
            "name = \"daily\"\nrules = [\"rules.toml\"]\n[source.files]\npath = \"bars.csv\"\nwriters = \"none\"\n\
             [bars]\nseries = [\"symbol\"]\ninterval = \"1d\"\n\
             time = { field = \"date\", formats = [\"%Y-%m-%d\"] }\n\
             [window]\ngrace = \"36h\"\n[limits]\nfraction = 1.0\nseries_fraction = 1.0\n\
             [quarantine]\nkeep = \"90d\"\n[report]\ndir = \"reports\"\n",
        );
        write(
            "rules.toml",
            "[[rule]]\nid = \"ohlc\"\ncheck = \"ohlc\"\nseverity = \"error\"\naction = \"quarantine\"\n",
        );
        write(
            "bars.csv",
            "symbol,date,open,high,low,close\nA,2024-01-02,10,12,9,11\nA,2024-01-03,11,9,10,10\nA,2024-01-09,11,9,10,10\n",
        );
        let now = Arc::new(AtomicI64::new(0));
        let shown = Arc::clone(&now);
        let clock = Clock::new(move || DateTime::from_timestamp_micros(shown.load(Ordering::Relaxed)).unwrap());
        let world = Self { folder, now, context: Context { clock, ..Context::default() } };
        world.set("2024-01-10T06:00:00Z");
        world
    }

    fn set(&self, now: &str) {
        let now = DateTime::parse_from_rfc3339(now).unwrap().timestamp_micros();
        self.now.store(now, Ordering::Relaxed);
    }

    fn job(&self) -> Job {
        Job::open(&self.context, self.folder.path().join("job.toml")).unwrap()
    }

    fn bars(&self) -> String {
        fs::read_to_string(self.folder.path().join("bars.csv")).unwrap()
    }
}

fn begun(result: &RunResult) -> (&str, String) {
    (&result.summary.run_id[..16], result.summary.started_at.to_string())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_goes_by_the_clock_that_it_is_given() {
    let world = World::new();
    let check = |window| async move { CheckOptions { window, ..CheckOptions::default() } };
    let three_days = AskedWindow { last: Some(TimeDelta::days(3)), ..AskedWindow::default() };
    let result = world.job().check(check(three_days).await).await.unwrap();
    assert_eq!(begun(&result), ("20240110T060000Z", "2024-01-10T06:00:00Z".to_owned()));
    assert_eq!(
        (result.summary.rows.read, result.summary.rows.flagged),
        (1, 1),
        "of the last three days, inside the grace"
    );
    world.set("2024-01-20T06:00:00Z");
    let nothing = world.job().check(check(three_days).await).await.unwrap_err();
    assert!(nothing.render(false).contains("at or after 2024-01-17"), "{nothing}");
    let all = world.job().check(CheckOptions::default()).await.unwrap();
    assert_eq!(all.summary.rows.to_quarantine, 2, "ten days later both are beyond the grace");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_holds_by_the_clock_of_its_job() {
    let world = World::new();
    let options = PlanOptions { holds: Some(TimeDelta::days(2)), ..PlanOptions::default() };
    let plan = world.job().plan(options).await.unwrap().plan.unwrap();
    assert_eq!((plan.rows().len(), plan.expires_at().to_string()), (1, "2024-01-12T06:00:00Z".to_owned()));
    world.set("2024-01-12T06:00:01Z");
    let expired = plan.apply(&plan.confirmation()).await.unwrap_err();
    assert!(expired.render(false).starts_with("refused: the plan expired at 2024-01-12T06:00:00Z\n"), "{expired}");
    world.set("2024-01-12T06:00:00Z");
    let wrong = plan.apply("00000000:1").await.unwrap_err();
    assert!(wrong.render(false).starts_with("refused: `--confirm 00000000:1` is not"), "{wrong}");
    assert_eq!(world.bars().lines().count(), 4, "nothing has left");
    assert_eq!(plan.review().await.unwrap().put_back, 0);
    assert_eq!(plan.apply(&plan.confirmation()).await.unwrap().exit, Exit::Ok);
    assert_eq!(world.bars().lines().count(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn spans_beyond_all_of_time_are_everything() {
    let world = World::new();
    let ever = AskedWindow { last: Some(TimeDelta::MAX), ..AskedWindow::default() };
    let result = world.job().check(CheckOptions { window: ever, ..CheckOptions::default() }).await.unwrap();
    assert_eq!(result.summary.rows.read, 3);
    let options = PlanOptions { holds: Some(TimeDelta::MAX), ..PlanOptions::default() };
    let plan = world.job().plan(options).await.unwrap().plan.unwrap();
    assert_eq!(plan.review().await.unwrap().put_back, 0, "it never expires");
    let quarantine = world.job().quarantine().await.unwrap();
    assert_eq!(quarantine.purgeable(TimeDelta::MAX).await.unwrap().would.rows, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_expire_by_the_clock_of_their_job() {
    let world = World::new();
    let result = world.job().run(RunOptions::default()).await.unwrap();
    assert_eq!(result.summary.actions["removed"], 1);
    let quarantine = world.job().quarantine().await.unwrap();
    let items = quarantine.list(&Which::default()).await.unwrap();
    assert_eq!(UtcMicros(items[0].at).to_string(), "2024-01-10T06:00:00Z");
    assert_eq!(UtcMicros(items[0].expires_at).to_string(), "2024-04-09T06:00:00Z");
    world.set("2024-04-09T05:59:59Z");
    let found = quarantine.purgeable(TimeDelta::days(30)).await.unwrap();
    assert_eq!((found.would.rows, found.would.kept), (0, 1));
    world.set("2024-04-09T06:00:01Z");
    let found = quarantine.purgeable(TimeDelta::days(30)).await.unwrap();
    assert_eq!((found.would.rows, found.would.kept), (1, 0));
    assert_eq!(quarantine.purge(&found).await.unwrap().rows, 1);
    assert!(quarantine.list(&Which::default()).await.unwrap().is_empty());
}

/// Also in a program with one thread.
#[tokio::test]
async fn a_program_puts_rows_back() {
    let world = World::new();
    let run = world.job().run(RunOptions::default()).await.unwrap();
    let quarantine = world.job().quarantine().await.unwrap();
    let of_run = |run: &str| Which { run: Some(run.to_owned()), ..Which::default() };
    let (item, row) = quarantine.show(&quarantine.list(&of_run("latest")).await.unwrap()[0].id).await.unwrap();
    assert_eq!((item.state, row.trim_end()), (State::Removed, "A,2024-01-03,11,9,10,10"));
    let unknown = quarantine.restorable(&of_run("20000101T000000Z-2222")).await.unwrap_err();
    assert_eq!(unknown.exit(), Exit::Usage);
    let found = quarantine.restorable(&of_run("latest")).await.unwrap();
    assert_eq!((found.which.run.as_deref(), found.would.back), (Some(run.summary.run_id.as_str()), 1));
    assert_eq!(world.bars().lines().count(), 3, "nothing is back so far");
    assert_eq!(quarantine.restore(&found).await.unwrap().back, 1);
    assert_eq!(world.bars().lines().count(), 4);
    let file = world.folder.path().join("rows.ndjson");
    assert_eq!(quarantine.export(&Which::default(), &file).await.unwrap(), 1);
    assert!(fs::read_to_string(file).unwrap().contains("\"state\":\"restored\""));
    quarantine.close().await;
}

/// What nightly runs over the last eight days find, so that the window of the 10th begins with the bar of the 3rd: a rule about single rows, one that looks at a bar before, one that
/// looks at two, one that looks at whole series.
struct Nights {
    world: World,
    bars: Vec<(&'static str, [f64; 4])>,
}

impl Nights {
    fn new() -> Self {
        let world = World::new();
        let write = |name: &str, text: &str| fs::write(world.folder.path().join(name), text).unwrap();
        write(
            "job.toml",
            "name = \"daily\"\nrules = [\"rules.toml\"]\n[source.files]\npath = \"bars.csv\"\n\
             [bars]\nseries = [\"symbol\"]\ninterval = \"1d\"\ncalendar = \"24/7\"\n\
             time = { field = \"date\", formats = [\"%Y-%m-%d\"] }\n[report]\ndir = \"reports\"\n",
        );
        write(
            "rules.toml",
            "[[rule]]\nid = \"ohlc\"\ncheck = \"ohlc\"\n[[rule]]\nid = \"gap\"\ncheck = \"gap\"\n\
             [[rule]]\nid = \"outlier\"\ncheck = \"outlier\"\nfield = \"close\"\nwindow = 5\nedges = \"skip\"\n\
             [[rule]]\nid = \"stale\"\ncheck = \"stale\"\nbars = 3\n",
        );
        let good = |close: f64| [close, close + 1.0, close - 1.0, close];
        let bars = vec![
            ("2024-01-01", good(100.0)),
            ("2024-01-02", good(101.0)),
            ("2024-01-03", [100.0, 99.0, 101.0, 100.0]),
            ("2024-01-04", good(100.0)),
            // The 5th and 6th are missing.
            ("2024-01-07", good(101.0)),
            ("2024-01-08", good(100.0)),
            ("2024-01-09", [100.0, 99.0, 101.0, 100.0]),
        ];
        Self { world, bars }
    }

    /// Writes the bars and checks them in the night of `date`, `days` back; how many findings are new and fixed.
    async fn check(&self, date: &str, days: i64) -> Option<(u64, u64)> {
        let line =
            |(date, [open, high, low, close]): &(&str, [f64; 4])| format!("A,{date},{open},{high},{low},{close}\n");
        let text = "symbol,date,open,high,low,close\n".to_owned() + &self.bars.iter().map(line).collect::<String>();
        fs::write(self.world.folder.path().join("bars.csv"), text).unwrap();
        self.world.set(&format!("{date}T02:00:00Z"));
        let window = AskedWindow { last: Some(TimeDelta::days(days)), ..AskedWindow::default() };
        let result = self.world.job().check(CheckOptions { window, ..CheckOptions::default() }).await.unwrap();
        result.summary.change.map(|change| (change.new, change.fixed))
    }

    fn bar(&mut self, date: &'static str, values: [f64; 4]) {
        self.bars.retain(|(other, _)| *other != date);
        self.bars.push((date, values));
        self.bars.sort_by_key(|(date, _)| *date);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_window_that_moves_makes_nothing_new_or_fixed() {
    let mut nights = Nights::new();
    // From the 3rd on: the bars of the 3rd and 9th, and the gap of the 5th and 6th.
    assert_eq!(nights.check("2024-01-10", 8).await, Some((3, 0)), "the first night");
    nights.bar("2024-01-10", [101.0, 102.0, 100.0, 101.0]);
    assert_eq!(nights.check("2024-01-11", 8).await, Some((0, 0)), "the 3rd is out of the window");
    nights.bar("2024-01-11", [100.0, 101.0, 99.0, 100.0]);
    assert_eq!(nights.check("2024-01-12", 8).await, Some((0, 0)), "the gap is at its start, behind a bar outside");
    nights.bar("2024-01-12", [101.0, 99.0, 102.0, 101.0]);
    nights.bar("2024-01-09", [100.0, 101.0, 99.0, 100.0]);
    assert_eq!(nights.check("2024-01-13", 8).await, Some((1, 1)), "the 12th is new, and the 9th mended");
    assert_eq!(nights.check("2024-01-14", 30).await, None, "no run before looked so far back");
    assert_eq!(nights.check("2024-01-15", 8).await, Some((0, 0)), "and this one looks back less again");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_hangs_on_bars_before_the_window_is_neither_new_nor_fixed() {
    let mut nights = Nights::new();
    for (date, close) in [("2024-01-03", 100.0), ("2024-01-05", 101.0), ("2024-01-06", 150.0), ("2024-01-09", 101.0)] {
        nights.bar(date, [close, close + 1.0, close - 1.0, close]);
    }
    assert_eq!(nights.check("2024-01-10", 8).await, Some((1, 0)), "the 6th is far from its neighbours");
    // From the 5th on there is one bar before it, too few to know.
    assert_eq!(nights.check("2024-01-12", 8).await, Some((0, 0)));
    // Three closes of one value from the 12th on; the next window begins inside of them.
    for date in ["2024-01-10", "2024-01-11"] {
        nights.bar(date, [100.0, 101.0, 99.0, 100.0]);
    }
    for date in ["2024-01-12", "2024-01-13", "2024-01-14", "2024-01-15"] {
        nights.bar(date, [102.0, 103.0, 101.0, 102.0]);
    }
    assert_eq!(nights.check("2024-01-16", 8).await, Some((1, 0)), "one run of bars is stale");
    assert_eq!(nights.check("2024-01-20", 8).await, Some((0, 0)), "what is left of it is not new, and it is not fixed");
}
