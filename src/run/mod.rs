//! The life of a job: its source is opened, its bars are read and evaluated, what is to be moved is planned and moved,
//! and the run is reported. Nothing is printed here: what happens is reported as events, and how it ended is a value.
//!
//! ```text
//! job      job and rule files, read              open        the source, found and looked at
//! program  rules over the bars of the source     source      one folder or file a kind of source
//! ingest   bars readable by the engine           evaluate    bars through the engine
//! execute  check, plan and run                   quarantine  where rows went, and how they come back
//! removal  limits, the plan, its application     plan, apply a plan that was written down, carried out
//! conclude the report and how it ended           examine     what is found out of a job, for `doctor`
//! rules    job and rule files without a source   preview     the first bars; bars_view  all of them, for SQL
//! extract  the bars as one Parquet file           label       what a person decided, written down; labels  in a run
//! next     what to type behind a run              page        its page, where the job wants one of every run
//! notify   notifications of its end              retention    reports that are not kept go
//! totals   rules that compare a run with those before
//! trial    rules tried over the bars of a job     suggest     rules that follow from the bars
//! explain  one bar and what every rule says of it
//! table_file a result as a file
//! lock     one run of a job at a time             unfinished  runs that broke off or were skipped
//! backfill old windows, one after the other       scheduler   starts jobs when they are due
//! looking  work on the bars that reports and moves nothing
//! watched  how far a run is, for other processes
//! log      the life of a run as log lines         unreported  runs that moved rows and left no report, by their mark (moving)
//! ```

#[cfg(test)]
mod across_tests;
pub(crate) mod after_moving;
pub(crate) mod apply;
mod at_once;
mod backfill;
pub(crate) mod bars_view;
pub(crate) mod clock;
mod collect;
pub(crate) mod conclude;
pub(crate) mod context;
mod evaluate;
pub(crate) mod events;
mod examination;
mod examine;
mod execute;
pub mod explain;
mod extract;
mod facts;
pub(crate) mod failure;
mod ingest;
mod job;
mod label;
mod labels;
mod load;
mod lock;
pub(crate) mod log;
mod looking;
mod mistaken;
mod moving;
mod namesake;
mod next;
#[cfg(test)]
mod night_tests;
mod notify;
mod of_job;
mod open;
mod options;
mod other_bars;
mod other_job;
mod page;
mod part;
#[cfg(test)]
mod part_tests;
mod peak;
mod plan;
mod preview;
mod program;
mod quarantine;
mod removal;
pub(crate) mod retention;
mod rules;
pub(crate) mod scheduler;
pub(crate) mod scratch;
pub(crate) mod shell;
mod source;
mod state;
pub(crate) mod stop;
mod suggest;
mod table_file;
#[cfg(test)]
mod tests;
mod totals;
mod trial;
mod unfinished;
mod unreported;
pub(crate) mod unresolved;
mod watched;
mod window;

pub use apply::Review;
pub use backfill::{Backfill, BackfillOptions, OldWindow, Reprocess};
pub use bars_view::BarsTable;
pub use clock::Clock;
pub use conclude::RunResult;
pub use context::Context;
pub use events::{Event, Events, Stage};
pub use examination::{Health, Line};
pub use extract::{ExtractOptions, Extracted};
pub use failure::{Exit, Failure};
pub use job::Job;
pub use label::{Asked, LabelOptions, LabelResult};
pub use options::{CheckOptions, IfLocked, PlanOptions, RunOptions};
pub use plan::Plan;
pub use preview::Preview;
pub use quarantine::{JobQuarantine, Purge, Purgeable, Restorable, Restored};
pub use rules::{RuleCase, Rules};
pub use source::OwnSource;
pub use stop::Stop;
pub use suggest::{SuggestedRule, Suggestions};
pub use table_file::{FileFormat, ResultFile};
pub use trial::{
    AtThreshold, Backtest, BacktestOptions, Changed, DiffOptions, Difference, Example, Judged, Missed, OfYear,
    RuleDifference, Sided, Thresholds, TrialOptions, Values,
};
pub use window::AskedWindow;

pub use crate::decide::{FailOn, Judgement};
pub use crate::report::run::Trigger;
