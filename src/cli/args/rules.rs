//! The commands below `rules`, with their flags.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

use crate::cli::path;
use crate::cli::window::WindowArgs;

/// Commands about rules.
#[derive(Debug, Subcommand)]
pub(crate) enum RulesCommand {
    /// The checks there are, or the rules of jobs.
    List {
        /// Job or rule files; without any, the checks that rules can name.
        #[arg(value_parser = path::parser())]
        files: Vec<PathBuf>,
    },
    /// What a check flags, its parameters, an example.
    Explain {
        /// The name of a check.
        check: String,
    },
    /// Every mistake of job and rule files at once.
    Lint {
        /// Job or rule files.
        #[arg(required = true, value_parser = path::parser())]
        files: Vec<PathBuf>,
    },
    /// Run the test cases that rules carry.
    Test {
        /// Job or rule files.
        #[arg(required = true, value_parser = path::parser())]
        files: Vec<PathBuf>,
    },
    /// What one rule finds in the bars of a job, at its own threshold and at others, and what labels say of it; writes nothing.
    Backtest(BacktestArgs),
    /// What two rules, files or folders of rules find in the bars of a job, and what only one of them does; writes nothing.
    Diff(DiffArgs),
    /// Rules whose limits follow from the bars of a job, as a rule file with reasons; changes nothing.
    Suggest(SuggestArgs),
    /// The JSON Schema of rule or job files, for editors.
    Schema {
        /// Which kind of file.
        #[arg(value_enum, default_value_t = SchemaOf::Rules)]
        of: SchemaOf,
    },
}

/// A kind of file that has a schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum SchemaOf {
    /// Rule files.
    Rules,
    /// Job files.
    Job,
}

/// Flags of `rules backtest`.
#[derive(Debug, Args)]
pub(crate) struct BacktestArgs {
    /// The id of a rule of the job, a rule file with one rule, or FILE#ID.
    pub(crate) rule: String,
    /// A job file.
    #[arg(value_name = "JOB", value_parser = path::parser())]
    pub(crate) job: PathBuf,
    /// A value in the place of that of the rule, e.g. limit=6.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub(crate) set: Vec<String>,
    /// Only the series whose first key field is one of these.
    #[arg(long = "series", value_name = "S")]
    pub(crate) series: Vec<String>,
    #[command(flatten)]
    pub(crate) window: WindowArgs,
}

/// Flags of `rules diff`.
#[derive(Debug, Args)]
pub(crate) struct DiffArgs {
    /// Rules: `job`, the id of a rule of the job, the name of one of its rule files, a rule file, a folder, or FILE#ID.
    #[arg(value_name = "A")]
    pub(crate) one: String,
    /// Rules to compare them with.
    #[arg(value_name = "B")]
    pub(crate) two: String,
    /// A job file.
    #[arg(value_name = "JOB", value_parser = path::parser())]
    pub(crate) job: PathBuf,
    /// Only the series whose first key field is one of these.
    #[arg(long = "series", value_name = "S")]
    pub(crate) series: Vec<String>,
    #[command(flatten)]
    pub(crate) window: WindowArgs,
}

/// Flags of `rules suggest`.
#[derive(Debug, Args)]
pub(crate) struct SuggestArgs {
    /// A job file.
    #[arg(value_name = "JOB", value_parser = path::parser())]
    pub(crate) job: PathBuf,
    /// The new rule file; without it the rules go to stdout.
    #[arg(short, long, value_name = "FILE", value_parser = path::parser())]
    pub(crate) output: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) window: WindowArgs,
}
