//! The loop by a clock that the test sets, over jobs and runs that are none.

use std::collections::BTreeMap;
use std::future::ready;

use chrono::{DateTime, TimeDelta};
use chrono_tz::Tz;

use super::*;
use crate::schedule::{CatchUp, Cron, Schedule, When};

/// How a run of a job goes.
#[derive(Debug, Clone, Copy)]
struct Run {
    seconds: u64,
    how: Ended,
    /// How many signals it takes to end it; 0 where it stops by itself before.
    deaf: u32,
}

const QUICK: Run = Run { seconds: 5, how: Ended::Code(0), deaf: 1 };

/// What the test does at a moment of the time that passes.
#[derive(Debug, Clone)]
enum Act {
    /// The clock shows this much more, or less.
    Clock(i64),
    Signal(u8),
    /// The file of a job has this plan from now on, or a mistake.
    File(usize, Result<Plan, String>),
}

struct Alive {
    until: Duration,
    run: Run,
    asked: u32,
}

/// A machine that is none.
struct Simulated {
    /// What the clock shows at the beginning, and how much it was set since.
    clock: i64,
    passed: Duration,
    files: Vec<(Result<Plan, String>, bool, Option<i64>)>,
    runs: BTreeMap<usize, Vec<Run>>,
    alive: BTreeMap<usize, Alive>,
    acts: Vec<(Duration, Act)>,
    most: usize,
    wakes: u32,
    asks: Vec<(u64, usize, Ask)>,
    log: Vec<String>,
}

fn at(text: &str) -> i64 {
    DateTime::parse_from_rfc3339(text).unwrap().timestamp_micros()
}

fn plan(name: &str, pattern: &str) -> Plan {
    let when = When::Cron(Cron::parse(pattern).unwrap());
    Plan { name: name.to_owned(), schedule: Schedule::new(when, Tz::UTC) }
}

impl Simulated {
    /// A machine at `now` with these jobs; a signal stops it after `hours`.
    fn new(now: &str, jobs: Vec<Plan>, hours: u64) -> Self {
        Self {
            clock: at(now),
            passed: Duration::ZERO,
            files: jobs.into_iter().map(|plan| (Ok(plan), true, None)).collect(),
            runs: BTreeMap::new(),
            alive: BTreeMap::new(),
            acts: vec![(Duration::from_secs(hours * 3_600), Act::Signal(15))],
            most: 0,
            wakes: 0,
            asks: Vec::new(),
            log: Vec::new(),
        }
    }

    fn act(&mut self, seconds: u64, act: Act) {
        self.acts.push((Duration::from_secs(seconds), act));
        self.acts.sort_by_key(|(when, _)| *when);
    }

    async fn work(&mut self, at_once: usize) -> Exit {
        let jobs = self.files.len();
        work(self, jobs, at_once).await
    }

    /// Lines of the log about `event`: the time of day, and the job.
    fn times(&self, event: &str) -> Vec<String> {
        let about = |line: &&String| {
            let mut words = line[22..].split([' ', ':']).skip_while(|word| word.starts_with("job="));
            words.next() == Some(event)
        };
        let short = |line: &String| {
            let job = line.split("job=").nth(1).and_then(|rest| rest.split(' ').next()).unwrap_or("-");
            format!("{} {job}", &line[11..19])
        };
        self.log.iter().filter(about).map(short).collect()
    }

    fn step(&mut self, limit: Duration) -> Woke {
        self.wakes += 1;
        loop {
            let ended = self.alive.iter().map(|(job, alive)| (alive.until, *job)).min();
            let act = self.acts.first().map(|(when, _)| *when);
            let next = ended.map(|(when, _)| when).into_iter().chain(act).chain([limit]).min().unwrap();
            assert!(next < Duration::MAX, "nothing would ever happen again");
            self.passed = self.passed.max(next);
            if let Some((when, job)) = ended.filter(|(when, _)| *when == next) {
                assert!(when <= self.passed);
                let how = self.alive.remove(&job).unwrap().run.how;
                return Woke::Ended(job, how);
            }
            if act == Some(next) {
                match self.acts.remove(0).1 {
                    Act::Clock(micros) => self.clock += micros,
                    Act::Signal(number) => return Woke::Signal(number),
                    Act::File(job, plan) => (self.files[job].0, self.files[job].1) = (plan, true),
                }
                continue;
            }
            return Woke::Slept;
        }
    }
}

impl World for Simulated {
    fn now(&self) -> i64 {
        self.clock + i64::try_from(self.passed.as_micros()).unwrap()
    }

    fn passed(&self) -> Duration {
        self.passed
    }

    fn look(&mut self, job: usize) -> Looked {
        let (plan, changed, last) = &mut self.files[job];
        match (std::mem::take(changed), plan) {
            (true, Ok(plan)) => Looked::Read(Box::new(plan.clone()), *last),
            (true, Err(why)) => Looked::Unusable(why.clone()),
            (false, Ok(_)) => Looked::Same,
            (false, Err(_)) => Looked::StillUnusable,
        }
    }

    fn file(&self, job: usize) -> String {
        format!("job-{job}.toml")
    }

    fn start(&mut self, job: usize) -> Result<(), String> {
        assert!(!self.alive.contains_key(&job), "two runs of a job at once");
        let runs = self.runs.entry(job).or_default();
        let run = if runs.is_empty() { QUICK } else { runs.remove(0) };
        if run.how == Ended::Unknown {
            return Err("no such program".to_owned());
        }
        self.alive.insert(job, Alive { until: self.passed + Duration::from_secs(run.seconds), run, asked: 0 });
        self.most = self.most.max(self.alive.len());
        Ok(())
    }

    fn ask(&mut self, job: usize, ask: Ask) {
        self.asks.push((self.passed.as_secs(), job, ask));
        let Some(alive) = self.alive.get_mut(&job) else { return };
        alive.asked += 1;
        if ask == Ask::Kill || alive.asked >= alive.run.deaf {
            alive.until = self.passed + Duration::from_secs(1);
            alive.run.how = match ask {
                Ask::Signal(number) => Ended::Code(128 + number),
                Ask::Kill => Ended::Signal(9),
            };
        }
    }

    fn wait(&mut self, at_most: Option<Duration>) -> impl Future<Output = Woke> {
        let limit = at_most.map_or(Duration::MAX, |at_most| self.passed + at_most.max(Duration::from_micros(1)));
        ready(self.step(limit))
    }

    fn log(&mut self, happened: Happened) {
        self.log.push(happened.to_string());
    }
}

#[tokio::test]
async fn jobs_are_started_at_their_moments_and_their_ends_are_told() {
    let mut world =
        Simulated::new("2026-11-28T17:00:00Z", vec![plan("evening", "0 18 * * *"), plan("half", "30 * * * *")], 3);
    world.runs.insert(0, vec![Run { how: Ended::Code(1), seconds: 90, ..QUICK }]);
    assert_eq!(world.work(1).await, Exit::Signal(15));
    insta::assert_snapshot!(world.log.join("\n"), @"
    2026-11-28T17:00:00Z  waiting: 2 jobs, 1 at a time
    2026-11-28T17:30:00Z  job=half started: due at 2026-11-28T17:30:00Z
    2026-11-28T17:30:05Z  job=half ended exit=0 seconds=5.0
    2026-11-28T18:00:00Z  job=evening started: due at 2026-11-28T18:00:00Z
    2026-11-28T18:01:30Z  job=evening ended exit=1 seconds=90.0
    2026-11-28T18:30:00Z  job=half started: due at 2026-11-28T18:30:00Z
    2026-11-28T18:30:05Z  job=half ended exit=0 seconds=5.0
    2026-11-28T19:30:00Z  job=half started: due at 2026-11-28T19:30:00Z
    2026-11-28T19:30:05Z  job=half ended exit=0 seconds=5.0
    2026-11-28T20:00:00Z  stopping: signal 15; 0 runs to wait for
    2026-11-28T20:00:00Z  stopped
    ");
    assert!(world.wakes < 200, "it sleeps in between: {}", world.wakes);
}

#[tokio::test]
async fn no_more_runs_are_alive_than_may_be_and_the_others_wait() {
    let jobs: Vec<Plan> = (0..5).map(|job| plan(&format!("job-{job}"), "0 18 * * *")).collect();
    for at_once in [1, 2, 5] {
        let mut world = Simulated::new("2026-11-28T17:59:00Z", jobs.clone(), 1);
        assert_eq!(world.work(at_once).await, Exit::Signal(15));
        assert_eq!((world.most, world.times("ended").len()), (at_once, 5));
    }
}

#[tokio::test]
async fn a_run_that_crashes_or_cannot_be_started_harms_no_other() {
    let jobs = vec![plan("bad", "*/10 * * * *"), plan("good", "*/10 * * * *")];
    let mut world = Simulated::new("2026-11-28T17:55:00Z", jobs, 1);
    let crash = |how| Run { how, ..QUICK };
    world.runs.insert(0, vec![crash(Ended::Signal(9)), crash(Ended::Unknown), crash(Ended::Code(101))]);
    world.work(1).await;
    assert_eq!(world.times("started").iter().filter(|line| line.ends_with("good")).count(), 6);
    assert_eq!(world.times("started").iter().filter(|line| line.ends_with("bad")).count(), 5);
    let said = world.log.join("\n");
    assert!(said.contains("job=bad ended seconds=5.0: signal 9 killed it"), "{said}");
    assert!(said.contains("job=bad warning: it cannot be started: no such program"), "{said}");
    assert!(said.contains("job=bad ended exit=101"), "{said}");
}

#[tokio::test]
async fn a_run_that_takes_too_long_is_stopped_then_at_once_then_killed() {
    for (deaf, asks, exit) in [
        (1, vec![(120, Ask::Signal(15))], "exit=143"),
        (2, vec![(120, Ask::Signal(15)), (180, Ask::Signal(15))], "exit=143"),
        (9, vec![(120, Ask::Signal(15)), (180, Ask::Signal(15)), (190, Ask::Kill)], "signal 9"),
    ] {
        let mut job = plan("long", "0 18 * * *");
        job.schedule.max_time = Some(TimeDelta::minutes(1));
        let mut world = Simulated::new("2026-11-28T17:59:00Z", vec![job, plan("other", "5 18 * * *")], 1);
        world.runs.insert(0, vec![Run { seconds: 9_999_999, deaf, ..QUICK }]);
        world.work(1).await;
        let told: Vec<_> = world.asks.iter().map(|(when, _, ask)| (*when, *ask)).collect();
        assert_eq!(told, asks);
        assert!(world.log.iter().any(|line| line.contains("job=long ended") && line.contains(exit)), "{:?}", world.log);
        assert_eq!(world.times("ended").last().unwrap(), "18:05:05 other");
    }
}

#[tokio::test]
async fn the_first_signal_waits_for_the_runs_and_the_second_does_not() {
    let run = |seconds, deaf| Run { seconds, deaf, ..QUICK };
    let world = |deaf| {
        let jobs = vec![plan("a", "0 18 * * *"), plan("b", "0 18 * * *"), plan("c", "1 18 * * *")];
        let mut world = Simulated::new("2026-11-28T17:59:00Z", jobs, 100);
        world.runs = [(0, vec![run(9_999, deaf)]), (1, vec![run(9_999, deaf)])].into();
        world.act(90, Act::Signal(2));
        world
    };
    let mut polite = world(1);
    assert_eq!(polite.work(2).await, Exit::Signal(2));
    assert_eq!(polite.asks, [(90, 0, Ask::Signal(2)), (90, 1, Ask::Signal(2))]);
    assert_eq!(polite.times("ended"), ["18:00:31 a", "18:00:31 b"]);
    assert_eq!(polite.times("started").len(), 2, "nothing is started any more");
    let mut impatient = world(3);
    impatient.act(95, Act::Signal(2));
    assert_eq!(impatient.work(2).await, Exit::Signal(2));
    assert_eq!(impatient.asks.len(), 4);
    assert_eq!((impatient.times("ended").len(), impatient.alive.len()), (0, 2));
}

#[tokio::test]
async fn a_file_that_cannot_be_read_is_told_once_and_stops_no_other() {
    let jobs = vec![plan("bad", "*/10 * * * *"), plan("good", "*/10 * * * *")];
    let mut world = Simulated::new("2026-11-28T17:55:00Z", jobs, 1);
    world.act(60, Act::File(0, Err("job-0.toml:1: what is this?".to_owned())));
    world.act(1_500, Act::File(0, Ok(plan("bad", "*/15 * * * *"))));
    world.work(1).await;
    assert_eq!(world.log.iter().filter(|line| line.contains("what is this?")).count(), 1, "{:?}", world.log);
    let of = |job: &str| {
        let started = world.times("started");
        started.iter().filter(|line| line.ends_with(job)).map(|line| line[..5].to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(of("good"), ["18:00", "18:10", "18:20", "18:30", "18:40", "18:50"]);
    // One run makes up for what was due meanwhile, and then it goes by its new times.
    assert_eq!(of("bad"), ["18:20", "18:30", "18:45"]);
}

#[tokio::test]
async fn clocks_that_jump_and_runs_that_were_missed() {
    let mut daily = plan("daily", "0 18 * * *");
    daily.schedule.catch_up = CatchUp::All;
    let mut world = Simulated::new("2026-11-28T12:00:00Z", vec![daily], 3);
    world.files[0].2 = Some(at("2026-11-25T20:00:00Z"));
    // A night's sleep, a day later, in the middle of a wait.
    world.act(1_800, Act::Clock(24 * 3_600_000_000));
    world.act(3_600, Act::Clock(-3_600_000_000));
    world.act(5_400, Act::Clock(-24 * 3_600_000_000));
    world.work(1).await;
    assert_eq!(world.times("started"), ["12:00:00 daily", "12:00:05 daily", "12:30:10 daily"]);
    assert_eq!(world.log.iter().filter(|line| line.contains("the clock was set back by hours")).count(), 1);
}

/// A quarter of a year of forty jobs: as often as they are due, they run, and the loop sleeps in between.
#[tokio::test]
async fn months_of_many_jobs_loses_and_repeats_nothing() {
    let jobs: Vec<Plan> = (0..40).map(|job| plan(&format!("job-{job}"), &format!("{} 6 * * *", job % 60))).collect();
    let mut world = Simulated::new("2026-01-01T00:00:00Z", jobs, 24 * 90);
    world.work(3).await;
    assert_eq!(world.times("ended").len(), 40 * 90);
    assert!(world.most <= 3);
}
