//! The loop, over whatever clock, files and processes it is given.

use std::collections::BTreeMap;
use std::time::Duration;

use super::agenda::{Agenda, PassedOver, Plan};
use super::files::Looked;
use super::log::Happened;
use crate::run::failure::Exit;
use crate::text::numbers::counted;
use crate::text::utc::UtcMicros;

/// The longest sleep: clocks are set, and machines are suspended.
const LONGEST_SLEEP: Duration = Duration::from_mins(1);
/// How long a run that takes too long may take to stop before it has to stop at once.
const TO_STOP: Duration = Duration::from_mins(1);
/// How long after that until it is killed.
const TO_STOP_AT_ONCE: Duration = Duration::from_secs(10);

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ended {
    /// With this exit code.
    Code(u8),
    /// By this signal.
    Signal(i32),
    /// Nobody knows.
    Unknown,
}

/// Why the loop woke up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Woke {
    /// The time is over.
    Slept,
    /// The run of this job ended.
    Ended(usize, Ended),
    /// This signal came.
    Signal(u8),
}

/// The signal that a run is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ask {
    /// This signal.
    Signal(u8),
    /// To be gone.
    Kill,
}

/// What the loop has around it.
pub(super) trait World {
    /// What time it is, µs UTC; it may jump.
    fn now(&self) -> i64;
    /// Time that passes, and never jumps.
    fn passed(&self) -> Duration;
    /// Looks whether the file of a job changed.
    fn look(&mut self, job: usize) -> Looked;
    /// How a job whose file cannot be read is called.
    fn file(&self, job: usize) -> String;
    /// Starts a run of a job.
    ///
    /// # Errors
    /// Why it cannot be started.
    fn start(&mut self, job: usize) -> Result<(), String>;
    /// Tells the run of a job something. Nothing happens where it has ended.
    fn ask(&mut self, job: usize, ask: Ask);
    /// Waits so long at most, until a run ends or a signal comes.
    fn wait(&mut self, at_most: Option<Duration>) -> impl Future<Output = Woke>;
    /// Takes note of what happened.
    fn log(&mut self, happened: Happened);
}

/// A run that is alive.
#[derive(Debug)]
struct Alive {
    name: String,
    since: Duration,
    /// When it is sent a signal next, for it takes too long, and which.
    deadline: Option<(Duration, Step)>,
}

/// How a run that takes too long is ended.
#[derive(Debug, Clone, Copy)]
enum Step {
    Stop,
    StopAtOnce,
    Kill,
}

/// One loop.
struct Work<'w, W> {
    world: &'w mut W,
    agenda: Agenda,
    at_once: usize,
    alive: BTreeMap<usize, Alive>,
    /// Jobs whose files cannot be used now.
    unusable: Vec<bool>,
}

/// Starts jobs, `at_once` at a time, until a signal comes, and waits for their ends.
pub(super) async fn work<W: World>(world: &mut W, jobs: usize, at_once: usize) -> Exit {
    let agenda = Agenda::new(jobs, world.now());
    let mut work = Work { world, agenda, at_once, alive: BTreeMap::new(), unusable: vec![false; jobs] };
    (0..jobs).for_each(|job| work.look(job));
    work.log(None, "waiting", format!("{}, {at_once} at a time", counted(jobs as u64, "job")));
    let signal = loop {
        work.begin();
        work.remind();
        let sleep = work.sleep();
        match work.world.wait(Some(sleep)).await {
            Woke::Slept => (0..jobs).for_each(|job| work.look(job)),
            Woke::Ended(job, how) => work.ended(job, how),
            Woke::Signal(number) => break number,
        }
    };
    work.stop(signal).await
}

impl<W: World> Work<'_, W> {
    fn log(&mut self, job: Option<String>, event: &'static str, text: String) {
        let at = self.world.now();
        self.world.log(Happened { at, job, event, exit: None, seconds: None, text });
    }

    /// Takes note of what became of the file of a job.
    fn look(&mut self, job: usize) {
        match self.world.look(job) {
            Looked::Same | Looked::StillUnusable => {}
            Looked::Read(plan, last) => {
                if self.agenda.knows(job) || self.unusable[job] {
                    self.log(Some(plan.name.clone()), "read", "its file changed".to_owned());
                }
                self.unusable[job] = false;
                self.agenda.set(job, *plan, last);
            }
            Looked::Unusable(why) => {
                self.unusable[job] = true;
                let file = self.world.file(job);
                let text = format!("`{file}` cannot be used, and is tried again every minute: {why}");
                let name = self.agenda.plan(job).map(|plan| plan.name.clone());
                self.log(name, "warning", text);
            }
        }
    }

    /// Starts what is due.
    fn begin(&mut self) {
        let (set_back, passed_over) = self.agenda.observe(self.world.now());
        if set_back {
            let text = "the clock was set back by hours: jobs are due by what it shows now".to_owned();
            self.log(None, "warning", text);
        }
        for (job, why) in passed_over {
            let text = match why {
                PassedOver::Missed => "a moment was missed, and `catch_up` is `none`",
                PassedOver::AtWork => "it is due, and the run before is still at work",
            };
            let name = self.agenda.plan(job).map(|plan| plan.name.clone());
            self.log(name, "passed-over", text.to_owned());
        }
        for (job, moment) in self.agenda.ready() {
            if self.alive.len() >= self.at_once {
                break;
            }
            self.look(job);
            if !self.unusable[job] {
                self.start(job, moment);
            }
        }
    }

    fn start(&mut self, job: usize, moment: i64) {
        let Some(Plan { name, schedule }) = self.agenda.plan(job) else { return };
        let (name, longest) = (name.clone(), schedule.max_time.and_then(|longest| longest.to_std().ok()));
        self.agenda.began(job);
        match self.world.start(job) {
            Ok(()) => {
                let since = self.world.passed();
                let deadline = longest.map(|longest| (since + longest, Step::Stop));
                self.alive.insert(job, Alive { name: name.clone(), since, deadline });
                self.log(Some(name), "started", format!("due at {}", UtcMicros(moment)));
            }
            Err(why) => {
                self.agenda.ended(job);
                self.log(Some(name), "warning", format!("it cannot be started: {why}"));
            }
        }
    }

    /// Tells runs that take too long to stop: politely, then at once; one that does not is killed.
    fn remind(&mut self) {
        let passed = self.world.passed();
        for (job, alive) in &mut self.alive {
            let Some((_, step)) = alive.deadline.filter(|(at, _)| *at <= passed) else { continue };
            let (ask, text) = match step {
                Step::Stop => (Ask::Signal(15), "it takes longer than `max_time`: SIGTERM is sent"),
                Step::StopAtOnce => (Ask::Signal(15), "it does not stop: SIGTERM is sent again, to stop it at once"),
                Step::Kill => (Ask::Kill, "it does not stop, and is killed"),
            };
            alive.deadline = match step {
                Step::Stop => Some((passed + TO_STOP, Step::StopAtOnce)),
                Step::StopAtOnce => Some((passed + TO_STOP_AT_ONCE, Step::Kill)),
                Step::Kill => None,
            };
            self.world.ask(*job, ask);
            let (at, name) = (self.world.now(), Some(alive.name.clone()));
            let event = "warning";
            self.world.log(Happened { at, job: name, event, exit: None, seconds: None, text: text.to_owned() });
        }
    }

    /// How long nothing is to be done, apart from what wakes the loop.
    fn sleep(&self) -> Duration {
        let (now, passed) = (self.world.now(), self.world.passed());
        let start = self.agenda.next_start().map(|at| {
            let micros = u64::try_from(at.saturating_sub(now)).unwrap_or_default();
            Duration::from_micros(micros)
        });
        let deadlines = self.alive.values().filter_map(|alive| alive.deadline);
        let deadlines = deadlines.map(|(at, _)| at.saturating_sub(passed));
        deadlines.chain(start).min().unwrap_or(LONGEST_SLEEP).min(LONGEST_SLEEP)
    }

    fn ended(&mut self, job: usize, how: Ended) {
        self.agenda.ended(job);
        let Some(alive) = self.alive.remove(&job) else { return };
        let seconds = Some(self.world.passed().saturating_sub(alive.since).as_secs_f64());
        let (exit, text) = match how {
            Ended::Code(code) => (Some(code), String::new()),
            Ended::Signal(number) => (None, format!("signal {number} killed it; the next run recovers")),
            Ended::Unknown => (None, "how it ended is not known".to_owned()),
        };
        let at = self.world.now();
        self.world.log(Happened { at, job: Some(alive.name), event: "ended", exit, seconds, text });
    }

    /// Passes the signal to the runs, and waits for their ends.
    async fn stop(mut self, signal: u8) -> Exit {
        let alive = self.alive.len();
        self.log(None, "stopping", format!("signal {signal}; {} to wait for", counted(alive as u64, "run")));
        self.tell_all(signal);
        while !self.alive.is_empty() {
            match self.world.wait(None).await {
                Woke::Slept => {}
                Woke::Ended(job, how) => self.ended(job, how),
                Woke::Signal(again) => {
                    // A second signal means now, for the runs as well.
                    self.tell_all(again);
                    break;
                }
            }
        }
        self.log(None, "stopped", String::new());
        Exit::Signal(signal)
    }

    fn tell_all(&mut self, signal: u8) {
        for job in self.alive.keys() {
            self.world.ask(*job, Ask::Signal(signal));
        }
    }
}

#[cfg(test)]
mod tests;
