//! What a check, a plan or a run of a job is asked for.

use std::path::PathBuf;

use chrono::TimeDelta;

use super::window::AskedWindow;
use crate::decide::FailOn;
use crate::report::run::Trigger;
use crate::schema::moment::Moment;

/// What a check looks at, and what it writes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckOptions {
    /// Which bars it looks at.
    pub window: AskedWindow,
    /// Only the series with these first key values; all where there are none.
    pub series: Vec<String>,
    /// Which findings make the exit code 1; those that the job says where it is `None`.
    pub fail_on: Option<FailOn>,
    /// Whether a report is written.
    pub report: bool,
    /// Whether the first bars are reported as notes, as they are read.
    pub preview: bool,
    /// The moment the bars are evaluated for: what begins later is of the future, and what ended before should be there.
    /// Now where it is not said; a date is the end of that day.
    pub as_of: Option<Moment>,
}

impl Default for CheckOptions {
    fn default() -> Self {
        let (window, series, fail_on) = (AskedWindow::default(), Vec::new(), None);
        Self { window, series, fail_on, report: true, preview: false, as_of: None }
    }
}

/// What a plan looks at, and where it is written.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PlanOptions {
    /// Which bars it looks at.
    pub window: AskedWindow,
    /// The file of the plan; where none is named, one among the reports.
    pub file: Option<PathBuf>,
    /// How long the plan may be applied; 7 days where that is not said.
    pub holds: Option<TimeDelta>,
    /// As [`CheckOptions::as_of`].
    pub as_of: Option<Moment>,
}

/// What a run looks at, and whether it moves anything.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RunOptions {
    /// Which bars it looks at.
    pub window: AskedWindow,
    /// As [`CheckOptions::fail_on`].
    pub fail_on: Option<FailOn>,
    /// It only says what would be moved.
    pub dry_run: bool,
    /// What it does where another run moves rows of the job or of its source.
    pub if_locked: IfLocked,
    /// As [`CheckOptions::as_of`].
    pub as_of: Option<Moment>,
    /// What begins it, as the table `runs` says.
    pub trigger: Trigger,
}

/// What a run does where another one moves rows of the same job or the same source.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum IfLocked {
    /// It fails, and says who does.
    #[default]
    Fail,
    /// It is recorded as skipped, and ends well.
    Skip,
    /// It waits.
    Wait,
}

/// How far the life of a job goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Goal {
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

/// What is to be done, whichever of the three it is.
#[derive(Debug)]
pub(super) struct Order {
    pub(super) goal: Goal,
    pub(super) options: CheckOptions,
    pub(super) if_locked: IfLocked,
    pub(super) trigger: Trigger,
}

impl From<CheckOptions> for Order {
    fn from(options: CheckOptions) -> Self {
        Self { goal: Goal::Check, options, if_locked: IfLocked::Fail, trigger: Trigger::Cli }
    }
}

impl From<PlanOptions> for Order {
    fn from(PlanOptions { window, file, holds, as_of }: PlanOptions) -> Self {
        let options = CheckOptions { window, as_of, ..CheckOptions::default() };
        Self { goal: Goal::Plan { file, holds }, options, if_locked: IfLocked::Fail, trigger: Trigger::Cli }
    }
}

impl From<RunOptions> for Order {
    fn from(RunOptions { window, fail_on, dry_run, if_locked, as_of, trigger }: RunOptions) -> Self {
        let options = CheckOptions { window, fail_on, as_of, ..CheckOptions::default() };
        Self { goal: Goal::Run { dry: dry_run }, options, if_locked, trigger }
    }
}
