//! Flags of commands about reports.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

use super::path;

/// Where the reports are.
#[derive(Debug, Clone, Args)]
pub(crate) struct ReportsDir {
    /// Folder of the reports.
    #[arg(long, value_name = "DIR", default_value = "reports", env = "BARKEEP_REPORTS", value_parser = path::parser())]
    pub(crate) dir: PathBuf,
}

/// Flags and commands of `report`.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct ReportArgs {
    #[command(flatten)]
    pub(crate) reports: ReportsDir,
    #[command(subcommand)]
    pub(crate) command: Option<ReportCommand>,
}

/// Commands about reports.
#[derive(Debug, Subcommand)]
pub(crate) enum ReportCommand {
    /// The runs there are, newest first.
    List {
        #[command(flatten)]
        reports: ReportsDir,
        /// At most so many.
        #[arg(long, default_value_t = 20)]
        limit: usize,
    },
    /// The summary and the findings of one run.
    Show {
        /// An id, a unique prefix, `latest`, or `latest~2`.
        #[arg(default_value = "latest")]
        run: String,
        #[command(flatten)]
        reports: ReportsDir,
        #[command(flatten)]
        which: FindingsArgs,
    },
    /// What differs between the findings of two runs of a job: new, fixed, still there, by the data or by a changed rule.
    Diff {
        /// The earlier run: an id, a unique prefix, `latest`, or `latest~2`; by default the run of the job before the other.
        #[arg(value_name = "A")]
        before: Option<String>,
        /// The later run, the latest by default.
        #[arg(value_name = "B", default_value = "latest")]
        after: String,
        #[command(flatten)]
        reports: ReportsDir,
        /// Only runs of this job, by name.
        #[arg(long, value_name = "NAME")]
        job: Option<String>,
        /// At most so many findings of each kind.
        #[arg(long, default_value_t = 20)]
        findings: usize,
    },
    /// Write a run as one HTML page, or without a run all jobs: charts, filters, evidence; it needs no network.
    Html {
        #[command(flatten)]
        page: PageArgs,
        /// The file; by default `pages/RUN/report.html` below the reports, and `pages/index.html` for all jobs.
        #[arg(short, long, value_name = "FILE", value_parser = path::parser())]
        output: Option<PathBuf>,
    },
    /// Write the same page and open it in a browser.
    Open {
        #[command(flatten)]
        page: PageArgs,
    },
    /// Remove the reports of old runs, and put those of months that are over into one file a table; never touches a source, a
    /// quarantine or a plan.
    Prune(PruneArgs),
}

/// Which page.
#[derive(Debug, Args)]
pub(crate) struct PageArgs {
    /// An id, a unique prefix, `latest`, or `latest~2`; all jobs where there is none.
    pub(crate) run: Option<String>,
    #[command(flatten)]
    pub(crate) reports: ReportsDir,
    /// At most so many findings are in the page; all are counted.
    #[arg(long, value_name = "N", default_value_t = crate::page::MOST)]
    pub(crate) findings: u64,
}

/// Which findings are shown.
#[derive(Debug, Args)]
pub(crate) struct FindingsArgs {
    /// At most so many findings.
    #[arg(long, default_value_t = 20)]
    pub(crate) findings: usize,
    /// A run of this job, by name: `latest` is the latest of its runs.
    #[arg(long, value_name = "NAME")]
    pub(crate) job: Option<String>,
    /// Only those of this rule, by id.
    #[arg(long = "rule", value_name = "ID")]
    pub(crate) rules: Vec<String>,
    /// Only those of this series, by its key or its symbol.
    #[arg(long = "series", value_name = "SERIES")]
    pub(crate) series: Vec<String>,
    /// Only those of this severity.
    #[arg(long = "severity", value_name = "SEVERITY")]
    pub(crate) severities: Vec<SeverityArg>,
    /// Only those that the run before did not have.
    #[arg(long)]
    pub(crate) new: bool,
    /// Only those at or after this date or time of the bars; without an offset it is UTC.
    #[arg(long, value_name = "T")]
    pub(crate) since: Option<String>,
}

/// The severity of a finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum SeverityArg {
    /// It makes a run fail.
    Error,
    /// A warning.
    Warn,
    /// It is counted and shown.
    Info,
}

impl SeverityArg {
    /// The word in tables.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warn => "warn",
            Self::Info => "info",
        }
    }
}

/// Flags of `report prune`.
#[derive(Debug, Args)]
pub(crate) struct PruneArgs {
    #[command(flatten)]
    pub(crate) reports: ReportsDir,
    /// Only runs of this job, by name.
    #[arg(long = "job", value_name = "NAME")]
    pub(crate) jobs: Vec<String>,
    /// Keep one run of each of so many days, the newest that have runs.
    #[arg(long, value_name = "DAYS", default_value_t = 30)]
    pub(crate) keep_daily: u16,
    /// Keep one run of each of so many months, the newest that have runs.
    #[arg(long, value_name = "MONTHS", default_value_t = 12)]
    pub(crate) keep_monthly: u16,
    /// Only say what would be done.
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// The number of runs, as the command printed it.
    #[arg(long, value_name = "RUNS")]
    pub(crate) confirm: Option<u64>,
}
