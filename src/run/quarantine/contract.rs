//! What a run and the commands ask of a quarantine, whatever the kind of its source.

use std::collections::BTreeMap;

use async_trait::async_trait;

use crate::quarantine::files::LateRestored;
use crate::quarantine::item::{Exempt, Item, State, UnderWay, Which};
use crate::quarantine::plan::Plan;
use crate::run::context::Context;
use crate::run::failure::Failure;
use crate::run::removal::Done;

/// How a run moves rows of a source that was opened into its quarantine.
#[async_trait]
pub(crate) trait Removal: Send + Sync {
    /// Fails where rows of the source must not be moved at all; nothing is touched.
    async fn check_fit(&self) -> Result<(), Failure>;

    /// Finishes what runs of the job before left open. What was done by then is reported also where that broke off.
    async fn recover(&self, run_id: &str) -> Done;

    /// The rows that left the source and are not back: their series keys and timestamps, µs UTC. What does not read is
    /// reported to `note`.
    async fn moved(&self, note: &Note<'_>) -> Result<Vec<(String, i64)>, Failure>;

    /// The items of `run`, whatever became of them, without the bytes of their rows.
    async fn rows_of(&self, run: &str) -> Result<Vec<Item>, Failure>;

    /// Whether a person put any row of the source back.
    async fn any_restored(&self) -> Result<bool, Failure>;

    /// Which rows of `plan` were put back by a person and are rejected by nothing but the rules that took them then.
    async fn exempt(&self, plan: &Plan) -> Result<Vec<Exempt>, Failure>;

    /// How many rows of `plan` a person put back.
    async fn put_back(&self, plan: &Plan) -> Result<u64, Failure>;

    /// Carries out a plan.
    async fn carry_out(&self, plan: &Plan, run_id: &str, context: &Context) -> Result<Done, Failure>;

    /// What applying a plan does, in a few words.
    fn what_moves(&self, plan: &Plan) -> String;
}

/// Takes what a person should know.
pub(crate) type Note<'a> = dyn Fn(&str) + Sync + 'a;

/// Of `items`, the rows that are not in their source, and had a timestamp.
pub(crate) fn left(items: impl IntoIterator<Item = Item>) -> Vec<(String, i64)> {
    let gone = items.into_iter().filter(|item| item.state == State::Removed);
    gone.filter_map(|item| item.time.map(|time| (item.series, time))).collect()
}

/// Where the moved rows of a job are.
#[async_trait]
pub(crate) trait Quarantine: Send + Sync {
    /// What is under way, or was cut short.
    async fn under_way(&self) -> Result<UnderWay, Failure>;

    /// The items that `which` means, oldest first; with the bytes of their rows where `raw` says so.
    /// Copies that do not read are left out, and reported to `note`.
    async fn items(&self, which: &Which, raw: bool, note: &Note<'_>) -> Result<Vec<Item>, Failure>;

    /// Of `items`, those that can be put back, as far as that is known without trying.
    async fn restorable(&self, items: Vec<Item>) -> Result<Vec<Item>, Failure>;

    /// Puts the rows of `items` back; with `dry_run` says what would come back.
    async fn restore(&self, items: &[Item], dry_run: bool, run_id: &str) -> Result<Restored, Failure>;

    /// Files that were written to after they were replaced, as a failure.
    fn late_by_now(&self) -> Result<Option<Failure>, Failure>;

    /// Puts rows back that came to files after they had been replaced; with `dry_run` only counts them.
    fn restore_late(&self, dry_run: bool, run_id: &str) -> Result<LateRestored, Failure>;

    /// What could be erased that came here before `older_than`, µs UTC.
    async fn purgeable(&self, older_than: i64) -> Result<Purge, Failure>;

    /// Erases it.
    async fn purge(&self, older_than: i64, run_id: &str) -> Result<Purge, Failure>;

    /// Why rows that are old enough are kept nevertheless.
    fn why_kept(&self) -> &'static str;

    /// Why the clock of this machine may be wrong, so that rows would be erased that are not old.
    fn clock_doubt(&self) -> Result<Option<String>, Failure>;

    /// The row of an item as text.
    fn text(&self, item: &Item) -> String;

    /// Closes what is open.
    async fn close(&self);
}

/// What restoring came to.
#[derive(Debug, Default)]
pub struct Restored {
    /// Rows that are back, or would be.
    pub back: u64,
    /// Rows that were in the source already.
    pub already_there: u64,
    /// Items that cannot go back, and why.
    pub conflicts: BTreeMap<String, String>,
    /// What does not read, so that its rows could not be put back.
    pub failed: Vec<String>,
    /// That others wrote to files while rows were put back into them, and what to do.
    pub late: Option<Failure>,
}

/// What is erased, or would be.
#[derive(Debug, Default)]
pub struct Purge {
    /// Rows.
    pub rows: u64,
    /// Rows that are that old and still to be kept.
    pub kept: u64,
    /// Whole files that were replaced.
    pub originals: u64,
    /// Bytes of both, where known.
    pub bytes: u64,
    /// What is left alone, and why.
    pub refused: Vec<String>,
}
