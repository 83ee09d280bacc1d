//! The one integration binary: each module shows one side of barkeep from the outside.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on fails")]
#![allow(clippy::print_stderr, reason = "a test that leaves something out says so")]
#![allow(clippy::needless_pass_by_value, reason = "helpers take what a test has just made")]

mod accuracy;
mod bad_input;
mod cases;
mod cli;
mod cli_support;
mod container;
mod data;
mod documents;
mod duckdb;
mod earlier;
mod facts;
mod formats;
mod fuzz;
mod hints;
mod init_from;
mod layers;
mod layouts;
mod locators;
mod market_hours;
mod mongo;
mod one_verdict;
mod operations;
mod places;
mod public_reports;
mod races;
mod recipes;
mod reports_document;
mod rules_document;
mod same_rows;
mod support;
