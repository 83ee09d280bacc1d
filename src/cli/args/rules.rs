//! The commands below `rules`, with their flags.

use std::path::PathBuf;

use clap::{Subcommand, ValueEnum};

use crate::cli::path;

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
