//! barkeep keeps price bars clean: it holds historical market records (OHLCV bars) against declarative rules that know
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
//! tables, summary                                        report
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
//! What the command line does, a program can do: it writes an [`Order`], calls [`execute`], and reads how the run
//! [`Ended`]. Every run also writes its findings as Parquet tables; `examples/embed.rs` reads them.
//!
//! ```
//! use barkeep::{Context, Exit, Goal, Order};
//!
//! # #[tokio::main]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let folder = tempfile::tempdir()?;
//! let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text);
//! write("bars.csv", "symbol,date,open,high,low,close\nAAPL,2024-01-02,10,12,9,11\nAAPL,2024-01-03,11,9,10,10\n")?;
//! write("rules.toml", "[[rule]]\nid = \"ohlc\"\ncheck = \"ohlc\"\nseverity = \"error\"\n")?;
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
//!     [report]
//!     dir = "reports"
//! "#)?;
//!
//! let order = Order::new(folder.path().join("job.toml"), Goal::Check);
//! let ended = barkeep::execute(&Context::default(), &order).await?;
//!
//! assert_eq!(ended.exit, Exit::Findings);
//! assert_eq!((ended.summary.rows.read, ended.summary.rows.clean), (2, 1));
//! assert_eq!((ended.summary.rules[0].id.as_str(), ended.summary.rules[0].rows), ("ohlc", 1));
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
pub mod quarantine;
pub mod report;
pub mod run;
pub mod schema;
pub mod source;
pub mod text;

pub use run::{
    AskedWindow, Context, Ended, Event, Events, Exit, FailOn, Failure, Goal, Order, Stage, Stop, apply, execute,
};
