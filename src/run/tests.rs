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
        let world = Self { folder, now: Arc::new(AtomicI64::new(0)) };
        world.set("2024-01-10T06:00:00Z");
        world
    }

    fn set(&self, now: &str) {
        let now = DateTime::parse_from_rfc3339(now).unwrap().timestamp_micros();
        self.now.store(now, Ordering::Relaxed);
    }

    fn job(&self) -> Job {
        let now = Arc::clone(&self.now);
        let clock = Clock::new(move || DateTime::from_timestamp_micros(now.load(Ordering::Relaxed)).unwrap());
        let context = Context { clock, ..Context::default() };
        Job::open(&context, self.folder.path().join("job.toml")).unwrap()
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

#[tokio::test(flavor = "multi_thread")]
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
