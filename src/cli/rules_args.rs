//! The flags of `rules`.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

use super::path;
use super::window::WindowArgs;

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
    /// Rules whose limits follow from the bars of a job, as a rule file with reasons; changes nothing.
    Suggest(SuggestArgs),
    /// The JSON Schema of rule or job files, for editors.
    Schema {
        /// Which kind of file.
        #[arg(value_enum, default_value_t = SchemaOf::Rules)]
        of: SchemaOf,
    },
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

/// A kind of file that has a schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum SchemaOf {
    /// Rule files.
    Rules,
    /// Job files.
    Job,
}
