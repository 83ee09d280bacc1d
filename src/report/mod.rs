//! What a run leaves behind: Parquet tables and a summary.
//!
//! ```text
//! run        a run as its caller knows it: RunMeta when it begins, Outcome when it ends
//! collector  batches of the operator -> staged files and counts -> the report, published as a whole
//! history    the findings of the run before: what is new, what is fixed
//! marks      what labels and the run before say of each finding; by_label: counts; rules_before: rules that changed
//! chain      which runs show what is open
//! margins    where a verdict depends on bars outside of the window, so that two runs are not comparable
//! tally      counts of rules and series, and whether they add up; moves: rows that are to leave their source
//! tables     names and paths of the tables (column, columns: theirs, with what they mean); findings (finding_columns), fixed,
//!            finding_bars, months, rows: how each is made
//! summary    the run in one structure (change: against the run before); render: as text for a terminal or as one line; heading: above it
//! retention  that runs go which are not kept; kept: which are, for later runs look back at them
//! compaction that months that are over lie in one file a table (merge: how it is written)
//! write      files that are there as a whole or not at all; sweep: what killed runs left; rights: who may read
//! open       the findings that are open, over runs that looked at parts
//! views      what people ask of the tables, as SQL, and the tables for DuckDB
//! running    runs that are under way, for other processes
//! overview   the jobs that have reports; lateness: by how many sessions their newest bars are late
//! notification  the notification of a run, written into its row, and those of the runs before
//! places     where the rows of a run lie, and how they are read (reading: columns; keys: what files say of it); runs: which there are
//! store      reading back: tables for SQL (earlier: those of an earlier version), runs by name; latest: the findings of the latest run, one by one;
//!            files: those of one run
//! ```
//!
//! A run exists when its row in `runs` does, and that is written last. Nothing here prints.

pub mod accounts;
pub mod backfills;
pub mod by_label;
mod chain;
pub mod change;
pub mod collector;
pub mod column;
mod columns;
pub mod compaction;
mod destination;
mod earlier;
pub mod error;
#[cfg(test)]
mod faults;
pub mod files;
mod finding_bars;
mod finding_columns;
pub mod findings;
mod fixed;
pub mod heading;
pub mod history;
mod incoming;
mod kept;
mod keys;
mod lateness;
pub mod latest;
pub mod margins;
mod marks;
mod merge;
mod months;
pub mod moves;
pub mod notification;
pub mod one_fault;
pub mod open;
pub mod other_days;
pub mod overview;
mod places;
mod reading;
pub mod render;
pub mod retention;
mod rights;
mod rows;
pub mod rules_before;
pub mod run;
pub mod run_id;
pub mod run_totals;
pub mod running;
pub mod runs;
pub mod starts;
pub mod store;
pub mod summary;
mod sweep;
pub mod tables;
pub mod tally;
#[cfg(test)]
mod testing;
pub mod unmatched;
pub mod views;
mod write;

pub use collector::Collector;
pub use error::ReportError;
pub use history::{Previous, previous_findings};
pub use moves::MoveRow;
pub use render::{render_line, render_text};
pub use run::{ActionRow, NextStep, Outcome, RunMeta, RunStatus, StageSeconds, Trigger};
pub use run_id::RunId;
pub use store::{RunRef, register, resolve_run};
pub use summary::Summary;
pub use tables::Table;
pub use write::check_writable;
