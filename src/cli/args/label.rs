//! The flags of `label`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use crate::cli::path;

/// Flags of `label`.
#[derive(Debug, Args)]
pub(crate) struct LabelArgs {
    /// A job file.
    #[arg(value_name = "JOB", value_parser = path::parser())]
    pub(crate) job: PathBuf,
    /// The id of a finding of the latest report, or its beginning; or a pattern as rule=outlier,series=BRK/B, with the
    /// keys rule, series, time, since, until, field.
    #[arg(value_name = "FINDING|PATTERN")]
    pub(crate) about: String,
    /// What you decided.
    #[arg(value_enum)]
    pub(crate) verdict: JudgementArg,
    /// Why, for the person who reads it next.
    #[arg(long, value_name = "TEXT")]
    pub(crate) why: String,
    /// The last day on which the label counts, e.g. 2026-12-31.
    #[arg(long, value_name = "DATE")]
    pub(crate) until: Option<String>,
    /// Who says so.
    #[arg(long, value_name = "NAME")]
    pub(crate) by: Option<String>,
}

/// What a person says of findings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum JudgementArg {
    /// The bar is wrong, and that is known and lived with.
    Known,
    /// The bar is right: a false alarm.
    Fine,
    /// The bar is wrong: the finding is right.
    Bad,
}
