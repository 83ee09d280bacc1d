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
//! Imports point one way: `cli -> quarantine -> report -> engine -> {checks, source, decide} -> {bars, market}`; `config` is used by all
//! and uses `checks`, `bars` and `market` only. Only `cli` prints.

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
pub mod source;
