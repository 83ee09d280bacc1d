//! barkeep keeps price bars clean: it validates historical market records (OHLCV bars) against declarative rules that know
//! what a market is, and explains every verdict.
//!
//! ```text
//! job.toml + rules/*.toml                                config
//!       |
//! CSV, NDJSON, MongoDB -> snapshot; Parquet as it lies    source
//!       |
//! scan -> shape -> by series -> SeriesExec               engine, bars
//!       |            all rules over one series at a time checks, market
//! findings -> verdicts -> totals, limits                 decide
//!       |
//! tables, summary                                        report, page
//! plans, quarantine, removal, restore, purge      quarantine
//! ```
//!
//! `run` is the life of a job, from its files to its report; `cli` reads flags and shows what `run` says.
//!
//! Imports point one way: `cli -> run -> quarantine -> report -> {engine, source} -> config -> decide -> checks ->
//! {bars, schema, text} -> market`, and `durable` is below all that write. A test holds the whole table, and that no
//! files use each other in a circle. Only `cli` prints.
//!
//! # From a job file to findings
//!
//! What the command line does, a program can do: a [`Job`] is opened, then checked, planned or run. A [`Plan`] is
//! applied, and a [`JobQuarantine`] lists what left and puts it back. What they use of the process is a [`Context`]:
//! threads, memory, clock, stop signal, and a receiver of events. Every run also writes its findings as Parquet tables;
//! `examples/embed.rs` reads them.
//!
//! ```
//! use barkeep::quarantine::item::Which;
//! use barkeep::{CheckOptions, Context, Exit, Job, PlanOptions};
//!
//! # #[tokio::main(flavor = "multi_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let folder = tempfile::tempdir()?;
//! let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text);
//! write("bars.csv", "symbol,date,open,high,low,close\nAAPL,2024-01-02,10,12,9,11\nAAPL,2024-01-03,11,9,10,10\n")?;
//! write("rules.toml", "[[rule]]\nid = \"ohlc\"\ncheck = \"ohlc\"\nseverity = \"error\"\naction = \"quarantine\"\n")?;
//! write("job.toml", r#"
//!     name  = "daily"
//!     rules = ["rules.toml"]
//!
//!     [source.files]
//!     path = "bars.csv"
//!
//!     [bars]
//!     series   = ["symbol"]
//!     interval = "1d"
//!     time     = { field = "date", formats = ["%Y-%m-%d"] }
//!
//!     [limits]
//!     fraction = 0.5
//!     series_fraction = 0.5
//!
//!     [report]
//!     dir = "reports"
//! "#)?;
//!
//! let job = Job::open(&Context::default(), folder.path().join("job.toml"))?;
//! let result = job.check(CheckOptions::default()).await?;
//!
//! assert_eq!(result.exit, Exit::Findings);
//! assert_eq!((result.summary.rows.read, result.summary.rows.clean), (2, 1));
//! assert_eq!((result.summary.rules[0].id.as_str(), result.summary.rules[0].rows), ("ohlc", 1));
//!
//! // The rule moves bad rows: they are written down, looked at, and moved.
//! let plan = job.plan(PlanOptions::default()).await?.plan.ok_or("a plan is written")?;
//! assert_eq!((plan.rows().len(), plan.rows()[0].series.as_str()), (1, "AAPL"));
//! let applied = plan.apply(&plan.confirmation()).await?;
//! assert_eq!((applied.exit, applied.summary.actions["removed"]), (Exit::Ok, 1));
//!
//! // And they come back.
//! let quarantine = job.quarantine().await?;
//! let found = quarantine.restorable(&Which::default()).await?;
//! assert_eq!(quarantine.restore(&found).await?.back, 1);
//! quarantine.close().await;
//! # Ok(())
//! # }
//! ```

pub mod bars;
pub mod checks;
pub mod cli;
pub mod config;
pub mod decide;
pub mod durable;
pub mod engine;
pub(crate) mod inspect;
pub mod market;
pub mod notify;
pub mod page;
pub mod quarantine;
pub mod report;
pub mod run;
pub mod schedule;
pub mod schema;
#[cfg(feature = "serve")]
pub mod serve;
pub mod source;
pub(crate) mod suggest;
pub mod text;

pub use run::{
    AskedWindow, Backfill, BackfillOptions, CheckOptions, Clock, Context, Event, Events, Exit, ExtractOptions,
    Extracted, FailOn, Failure, IfLocked, Job, JobQuarantine, OldWindow, OwnSource, Plan, PlanOptions, Reprocess,
    RunOptions, RunResult, Stage, Stop, Trigger,
};
