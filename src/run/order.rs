//! What a run of one job is to do.

use std::path::PathBuf;

use chrono::TimeDelta;

use super::window::AskedWindow;

/// What a run of one job is to do.
#[derive(Debug, Clone, PartialEq)]
pub struct Order {
    /// The job file.
    pub job: PathBuf,
    /// How far the run goes.
    pub goal: Goal,
    /// Which bars it looks at.
    pub window: AskedWindow,
    /// Only these rules, by id; all where there are none.
    pub rules: Vec<String>,
    /// Only the series with these first key values; all where there are none.
    pub series: Vec<String>,
    /// Which findings make the exit code 1.
    pub fail_on: FailOn,
    /// Whether a report is written.
    pub report: bool,
    /// Whether the first bars are printed as they are read.
    pub preview: bool,
}

impl Order {
    /// A run of the job at `job` that evaluates all of the data and writes its report.
    pub fn new(job: impl Into<PathBuf>, goal: Goal) -> Self {
        Self {
            job: job.into(),
            goal,
            window: AskedWindow::default(),
            rules: Vec::new(),
            series: Vec::new(),
            fail_on: FailOn::Error,
            report: true,
            preview: false,
        }
    }
}

/// How far a run goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Goal {
    /// It reports.
    Check,
    /// It writes down what is to be moved.
    Plan {
        /// Into this file; where none is named, among the reports.
        file: Option<PathBuf>,
        /// How long the plan may be applied; 7 days where that is not said.
        holds: Option<TimeDelta>,
    },
    /// It moves what is to be moved, inside the limits.
    Run {
        /// It only says what would be moved.
        dry: bool,
    },
}

impl Goal {
    /// The command that goes that far.
    pub(super) fn command(&self) -> &'static str {
        match self {
            Self::Check => "check",
            Self::Plan { .. } => "plan",
            Self::Run { .. } => "run",
        }
    }
}

/// From which severity on findings count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FailOn {
    /// Errors.
    Error,
    /// Warnings and errors, and rules that evaluated nothing.
    Warn,
    /// Nothing.
    Never,
}
