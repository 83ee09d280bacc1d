//! A plan as a program holds it: written down, not carried out yet.

use std::path::{Path, PathBuf};

use super::context::Context;
use super::failure::Failure;
use super::job::Job;
use super::shell::typed;
use crate::quarantine::plan::{Plan as Written, PlanError, PlanRow};
use crate::text::utc::UtcMicros;

/// Rows that are to leave the source of a job, in a file that a person can look at. Nothing left yet.
#[derive(Debug, Clone)]
pub struct Plan {
    pub(super) context: Context,
    pub(super) written: Written,
    pub(super) path: PathBuf,
    /// The job that made it, where that is known: its file is read again.
    pub(super) made_by: Option<Job>,
}

impl Plan {
    /// Opens the plan in the file at `path`.
    ///
    /// # Errors
    /// It cannot be read, was changed, or has expired.
    pub fn open(context: &Context, path: impl AsRef<Path>) -> Result<Self, Failure> {
        let path = path.as_ref();
        let written = Written::open(path).map_err(unusable)?;
        let plan = Self { context: context.clone(), written, path: path.to_path_buf(), made_by: None };
        plan.check_expiry()?;
        Ok(plan)
    }

    /// Its file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The name of its job.
    pub fn job(&self) -> &str {
        &self.written.head.job
    }

    /// The rows that are to leave.
    pub fn rows(&self) -> &[PlanRow] {
        &self.written.rows
    }

    /// The limits it breaks, in words.
    pub fn refusals(&self) -> &[String] {
        &self.written.head.refusals
    }

    /// When it expires.
    pub fn expires_at(&self) -> UtcMicros {
        self.written.head.expires_at
    }

    /// What confirms it: the first 8 digits of its checksum and the number of its rows.
    pub fn confirmation(&self) -> String {
        self.written.confirmation()
    }

    /// The command that carries it out.
    pub fn command(&self) -> String {
        format!("barkeep apply {} --confirm {}", typed(&self.path), self.confirmation())
    }

    /// Fails where `given` confirms another plan.
    ///
    /// # Errors
    /// It does.
    pub fn check_confirmation(&self, given: &str) -> Result<(), Failure> {
        if given == self.confirmation() {
            return Ok(());
        }
        let problem = format!("`--confirm {given}` is not what this plan is confirmed with");
        Err(Failure::Refused(problem, format!("look at the plan again, then: {}", self.command())))
    }

    /// Fails where it may not be carried out any more.
    pub(super) fn check_expiry(&self) -> Result<(), Failure> {
        if self.expires_at() >= UtcMicros(self.context.clock.micros()) {
            return Ok(());
        }
        Err(Failure::Refused(format!("the plan expired at {}", self.expires_at()), self.again()))
    }

    /// What to do where the plan cannot be carried out.
    pub(super) fn again(&self) -> String {
        format!("make a new one: barkeep plan {}", typed(&self.written.head.job_file))
    }
}

fn unusable(error: PlanError) -> Failure {
    let help = "`barkeep plan JOB` makes a plan".to_owned();
    match error {
        PlanError::Read { .. } | PlanError::Malformed { .. } => {
            let cause = std::error::Error::source(&error).map(|cause| format!(": {cause}")).unwrap_or_default();
            Failure::Usage(format!("{error}{cause}"), help)
        }
        error => Failure::Refused(error.to_string(), help),
    }
}
