//! Carrying out a plan: exactly, or less.

use std::sync::Arc;

use tracing::Instrument;

use super::conclude::{Ending, RunMetaOf, RunResult, conclude, log_end};
use super::failure::{Exit, Failure};
use super::job::Job;
use super::lock::JobLock;
use super::log;
use super::open::Opened;
use super::options::IfLocked;
use super::peak::Peak;
use super::plan::Plan;
use super::program;
use super::removal;
use crate::engine::program::Program;
use crate::engine::session::session;
use crate::report::collector::Collector;
use crate::report::history::Previous;
use crate::report::run::{RunStatus, StageSeconds};

/// What a person should know of a plan before confirming it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Review {
    /// Rows of the plan that a person put back after they were taken before.
    pub put_back: u64,
}

impl Plan {
    /// Looks at the source and the rules of the plan; nothing is touched.
    ///
    /// # Errors
    /// The plan expired, or source or rules are not what they were.
    pub async fn review(&self) -> Result<Review, Failure> {
        let job = self.job_now()?;
        let opened = job.open_source().await?;
        let reviewed = async {
            self.still_good(&job, &opened).await?;
            Ok(Review { put_back: opened.source.removal()?.put_back(&self.written).await? })
        };
        let reviewed = reviewed.await;
        opened.source.close().await;
        reviewed
    }

    /// Moves its rows to quarantine: exactly these, or fewer. `confirmation` is [`Plan::confirmation`], as a person
    /// repeats it who looked at the plan.
    ///
    /// # Errors
    /// The plan is not confirmed or expired, or source or rules are not what they were; nothing was touched. What fails
    /// later is part of the result.
    pub async fn apply(&self, confirmation: &str) -> Result<RunResult, Failure> {
        let peak = Peak::begin();
        self.check_confirmation(confirmation)?;
        let job = self.job_now()?;
        let _lock = JobLock::take(&job, "apply", IfLocked::Fail).await?;
        let opened = job.open_source().await?;
        let applied = async {
            let program = self.still_good(&job, &opened).await?;
            self.carry_out(&job, &opened, program, peak).await
        };
        let applied = applied.await;
        opened.source.close().await;
        match (applied, self.context.stop.signal()) {
            (Ok(result), Some(number)) => Ok(RunResult { failure: Some(self.context.stop.stopped(number)), ..result }),
            (applied, _) => applied,
        }
    }

    /// The job of the plan, as its file is now.
    fn job_now(&self) -> Result<Job, Failure> {
        self.check_expiry()?;
        let job = match &self.made_by {
            Some(job) => job.read_again()?,
            None => Job::open(&self.context, &self.written.head.job_file)?,
        };
        if job.name() == self.job() {
            return Ok(job);
        }
        let problem = format!("the plan is of job `{}`, and its file holds `{}` now", self.job(), job.name());
        Err(Failure::Refused(problem, self.again()))
    }

    /// Fails where rules or source are not those of the plan any more; else gives the rules.
    async fn still_good(&self, job: &Job, opened: &Opened) -> Result<Arc<Program>, Failure> {
        let program = Arc::new(program::program(job, opened, &session(&self.context.limits())?)?);
        if program.rules.sha256 != self.written.head.rules_sha256 {
            let problem = "the rules were changed since the plan was made".to_owned();
            return Err(Failure::Refused(problem, self.again()));
        }
        let same = opened.source.check_same(&self.written.head.source);
        same.map_err(|problem| Failure::Refused(problem, self.again()))?;
        opened.source.removal()?.check_fit().await?;
        Ok(program)
    }

    async fn carry_out(
        &self,
        job: &Job,
        opened: &Opened,
        program: Arc<Program>,
        peak: Peak,
    ) -> Result<RunResult, Failure> {
        let Self { context, written, .. } = self;
        let meta = RunMetaOf { command: "apply", loaded: &opened.loaded, window: (None, None) };
        let mut meta = meta.meta(context.clock.now(), &context.clock);
        meta.rules_sha256.clone_from(&program.rules.sha256);
        crate::report::check_writable(job.report_dir())?;
        let (started, span) = (std::time::Instant::now(), log::of_run(job.name(), &meta.run_id));
        let applying = async {
            log::start(&meta);
            let mut done = removal::carry_out(opened, written, meta.run_id.as_str(), (context, IfLocked::Fail)).await?;
            removal::add_unreported(opened, meta.run_id.as_str(), context, &mut done).await;
            let seconds = StageSeconds { apply: started.elapsed().as_secs_f64(), ..StageSeconds::default() };
            log::stage("apply", seconds.apply);
            let names = opened.source.file_names();
            let collector = Collector::new(job.report_dir(), program, meta, names, Previous::Unknown);
            let ending = Ending { peak, ..Ending::new(RunStatus::Ok, Exit::Ok) };
            conclude(context, opened, collector, ending, done, seconds).await
        };
        let ended = async {
            let ended = applying.await;
            log_end(&ended, started.elapsed().as_secs_f64());
            ended
        };
        // It holds a good deal, which is not for the stack of whoever waits.
        Box::pin(ended.instrument(span)).await
    }
}
