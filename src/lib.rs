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

pub mod bars;
pub mod checks;
pub mod cli;
pub mod config;
pub mod decide;
pub mod durable;
pub mod engine;
pub mod market;
pub mod quarantine;
pub mod report;
pub mod run;
pub mod schema;
pub mod source;
pub mod text;
