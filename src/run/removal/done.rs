//! What became of the rows of a plan, whatever its source.

use chrono::TimeDelta;

use crate::config::Job;
use crate::quarantine::item::{RemovalCounts, State};
use crate::quarantine::plan::PlanRow;
use crate::report::run::ActionRow;
use crate::run::failure::Failure;
use crate::run::moving::Mark;
use crate::text::utc::UtcMicros;

/// What became of the rows of a plan.
#[derive(Debug, Default)]
pub(crate) struct Done {
    /// Row by row.
    pub(crate) actions: Vec<ActionRow>,
    /// Rows of runs that were cut short before, finished by this one.
    pub(crate) recovered: Vec<ActionRow>,
    /// In all.
    pub(crate) counts: RemovalCounts,
    /// Rows that stay because others write to their file.
    pub(crate) busy: u64,
    /// Why rows stay that could not be removed: the first of the reasons.
    pub(crate) why: Option<String>,
    /// What broke it off, or kept a part of it from being done.
    pub(crate) failure: Option<Failure>,
    /// What keeps nothing else from being done, and is reported at the end.
    pub(crate) pending: Option<Failure>,
    /// The marks of this run and of those that its report speaks for: taken away when it is there.
    pub(crate) marks: Vec<Mark>,
}

impl Done {
    /// Takes a failure; of several the gravest decides how the command ends, and the others are logged.
    pub(crate) fn fail(&mut self, failure: Failure) {
        self.failure = Some(more_severe(self.failure.take(), failure));
    }

    /// The same of one that is reported at the end.
    pub(crate) fn report_later(&mut self, failure: Failure) {
        self.pending = Some(more_severe(self.pending.take(), failure));
    }

    /// Whether everything is as it was.
    pub(crate) fn touched_nothing(&self) -> bool {
        let RemovalCounts { planned, untried, .. } = self.counts;
        self.recovered.is_empty() && planned == untried
    }

    /// Rows that left the source, for this run and for earlier ones.
    pub(crate) fn left(&self) -> u64 {
        let gone = |row: &&ActionRow| row.state == EARLIER_REMOVED;
        self.counts.removed + self.recovered.iter().filter(gone).count() as u64
    }

    /// Rows whose end only a later look can find out.
    pub(crate) fn open(&self) -> u64 {
        self.counts.open + self.recovered.iter().filter(|row| row.state == EARLIER_OPEN).count() as u64
    }
}

/// The more severe of two failures; the other is logged.
pub(crate) fn more_severe(before: Option<Failure>, failure: Failure) -> Failure {
    let Some(before) = before else { return failure };
    let (reported, logged) = match before.exit().worst(failure.exit()) == before.exit() {
        true => (before, failure),
        false => (failure, before),
    };
    tracing::error!("{}", logged.render(false));
    reported
}

/// The state, in the actions of a run, of a row that an earlier run was about to remove and that is gone.
pub(crate) const EARLIER_REMOVED: &str = "earlier_removed";
/// The same of one whose end only a later look can find out.
pub(crate) const EARLIER_OPEN: &str = "earlier_open";

/// The state, in the actions of a run, of a row that an earlier run was about to remove; `None` where only a later look
/// can find out.
pub(crate) fn earlier_state(state: Option<State>) -> String {
    match state {
        Some(State::Removed) => EARLIER_REMOVED.to_owned(),
        Some(state) => format!("earlier_{}", state.as_str()),
        None => EARLIER_OPEN.to_owned(),
    }
}

/// How long a row is kept whose rule quarantines it, and one whose rule deletes it, µs.
pub(crate) fn retention(job: &Job) -> (i64, i64) {
    // A hundred thousand years and more are all the same.
    let micros = |span: TimeDelta| span.num_microseconds().unwrap_or(i64::MAX / 4).min(i64::MAX / 4);
    (micros(job.quarantine.keep), micros(job.quarantine.keep_deleted))
}

/// A row of the table `actions`; `locator` is where it was in the source, as a person knows it.
pub(crate) fn action(row: &PlanRow, locator: String, item: &str, state: &str, at: UtcMicros) -> ActionRow {
    ActionRow {
        finding_ids: row.found.iter().map(|(_, finding)| finding.clone()).collect(),
        quarantine_id: item.to_owned(),
        locator,
        action: row.action,
        state: state.to_owned(),
        sha256: row.sha256.clone().unwrap_or_default(),
        at,
        moved_by: None,
    }
}
