//! The flags of every command, as clap reads them. What they mean together is decided by the commands.

mod backfill;
mod label;
mod report;
mod rules;
mod schedule;
#[cfg(feature = "serve")]
mod serve;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

pub(crate) use self::backfill::{BackfillArgs, Reprocess};
pub(crate) use self::label::{JudgementArg, LabelArgs};
pub(crate) use self::report::{FindingsArgs, PageArgs, PruneArgs, ReportArgs, ReportCommand, ReportsDir};
pub(crate) use self::rules::{BacktestArgs, DiffArgs, RulesCommand, SchemaOf, SuggestArgs};
pub(crate) use self::schedule::{ScheduleCommand, ScheduleTarget, StartArgs};
#[cfg(feature = "serve")]
pub(crate) use self::serve::ServeArgs;
pub(crate) use super::log::LogFormat;
use super::output::Format;
use super::path;
use super::size;
use super::window::WindowArgs;

/// Keeps price bars clean: validates historical market records against rules that know what a market is.
#[derive(Debug, Parser)]
#[command(name = "barkeep", version, arg_required_else_help = true)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// Flags of every command.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Everywhere")]
pub(crate) struct Global {
    /// How the result is written to stdout; messages go to stderr.
    #[arg(long, global = true, value_enum, default_value_t = Format::Text)]
    pub(crate) format: Format,
    /// More log lines on stderr: `-v` for steps, `-vv` for details.
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub(crate) verbose: u8,
    /// How log lines are written.
    #[arg(long, global = true, value_enum, default_value_t = LogFormat::Text)]
    pub(crate) log_format: LogFormat,
    /// Cores to use; all of them by default.
    #[arg(long, global = true, value_name = "N", env = "BARKEEP_THREADS", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub(crate) threads: Option<u16>,
    /// Memory of sorts, of the rows of a series, and of what is found, e.g. 512MB: sorts spill to disk beyond it, and a run
    /// that needs more ends with an error.
    #[arg(long, global = true, value_name = "SIZE", env = "BARKEEP_MEMORY_LIMIT", value_parser = size::parse)]
    pub(crate) memory_limit: Option<usize>,
    /// Folder for snapshots and spilled data; the system's own by default.
    #[arg(long, global = true, value_name = "DIR", env = "BARKEEP_TEMP_DIR", value_parser = path::parser())]
    pub(crate) temp_dir: Option<PathBuf>,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Make a folder with jobs, rules and the editor schema.
    Init(InitArgs),
    /// Show the first three bars of a job as they are read, with zone and session; nothing is evaluated.
    Preview {
        /// A job file.
        #[arg(value_name = "JOB", value_parser = path::parser())]
        job: PathBuf,
    },
    /// Validate the bars of jobs against their rules and write the report; never changes the source.
    Check(CheckArgs),
    /// Write down what would leave the source, for review; moves nothing.
    Plan(PlanArgs),
    /// Move the rows of a plan to quarantine: exactly these, or fewer.
    Apply(ApplyArgs),
    /// What cron calls: check, report, and move rows whose rule says so to quarantine, inside the job's limits.
    Run(RunArgs),
    /// Runs over old windows, one after the other; what was interrupted goes on. Never moves the watermark, tells nobody.
    Backfill(BackfillArgs),
    /// Write the bars of a job to one Parquet file, all of them or without those that a run would move.
    Extract {
        /// A job file.
        #[arg(value_name = "JOB")]
        job: PathBuf,
        /// The folder of the file, which is called like the job; made if it is not there.
        #[arg(short, long = "output", value_name = "DIR")]
        output: PathBuf,
        /// Leave out the rows that a run would move; the source stays as it is.
        #[arg(long)]
        clean: bool,
    },
    /// Find out whether jobs can do their work: files, clock, server, privileges, disk. Changes nothing.
    Doctor {
        /// Job files.
        #[arg(required = true, value_name = "JOB", value_parser = path::parser())]
        jobs: Vec<PathBuf>,
    },
    /// Look at what was moved, put it back, or erase what is old: list, show, restore, export, purge.
    #[command(subcommand)]
    Quarantine(QuarantineCommand),
    /// Write down what you decided about findings: known, fine or bad, and why.
    Label(LabelArgs),
    /// Look at rules, try them, and find some for your bars: list, explain, lint, test, backtest, diff, suggest, schema.
    #[command(subcommand)]
    Rules(RulesCommand),
    /// How each job stands, the worst first; list, show, html, open and prune reports.
    Report(ReportArgs),
    /// When jobs are due by their `[schedule]`, and what starts them: list, next, export, start.
    #[command(subcommand)]
    Schedule(ScheduleCommand),
    /// Query the report tables, and the bars of a job, with SQL.
    Sql(SqlArgs),
    /// Look at reports, runs under way and rows in quarantine in a browser on this machine.
    #[cfg(feature = "serve")]
    Serve(ServeArgs),
    /// Print a completion script for a shell.
    Completions {
        /// The shell.
        shell: clap_complete::Shell,
    },
    /// Write the man pages into a folder.
    #[command(hide = true)]
    Man {
        /// The folder; made where it is missing.
        #[arg(value_parser = path::parser())]
        dir: PathBuf,
    },
}

/// Flags of `init`.
#[derive(Debug, Args)]
pub(crate) struct InitArgs {
    /// The folder; made if it is not there.
    #[arg(default_value = ".", value_parser = path::parser())]
    pub(crate) dir: PathBuf,
    /// Look at these files and write the job that reads them: a file, a folder or a pattern.
    #[arg(long, value_name = "GLOB", conflicts_with = "demo", value_parser = path::parser())]
    pub(crate) from: Vec<PathBuf>,
    /// Add bars with known faults and a job that finds them; needs no server.
    #[arg(long)]
    pub(crate) demo: bool,
}

/// Flags of `check`.
#[derive(Debug, Args)]
pub(crate) struct CheckArgs {
    /// Job files.
    #[arg(required = true, value_name = "JOB", value_parser = path::parser())]
    pub(crate) jobs: Vec<PathBuf>,
    /// Only these rules.
    #[arg(long = "rule", value_name = "ID")]
    pub(crate) rules: Vec<String>,
    /// Only the series whose first key field is one of these.
    #[arg(long = "series", value_name = "S")]
    pub(crate) series: Vec<String>,
    /// Which findings make the exit code 1; by default those that the job says in `fail_on`, else errors.
    #[arg(long, value_enum)]
    pub(crate) fail_on: Option<FailOn>,
    /// Write no report tables.
    #[arg(long)]
    pub(crate) no_report: bool,
    /// Print nothing of jobs where nothing is wrong: the exit code is 0.
    #[arg(short, long)]
    pub(crate) quiet: bool,
    #[command(flatten)]
    pub(crate) window: WindowArgs,
}

/// Flags of `plan`.
#[derive(Debug, Args)]
pub(crate) struct PlanArgs {
    /// A job file.
    #[arg(value_name = "JOB", value_parser = path::parser())]
    pub(crate) job: PathBuf,
    /// The file of the plan; by default one below the reports.
    #[arg(short, long, value_name = "PLAN", value_parser = path::parser())]
    pub(crate) output: Option<PathBuf>,
    /// How long the plan holds, e.g. 3d; a week by default.
    #[arg(long, value_name = "SPAN")]
    pub(crate) holds: Option<String>,
    #[command(flatten)]
    pub(crate) window: WindowArgs,
}

/// Flags of `apply`.
#[derive(Debug, Args)]
pub(crate) struct ApplyArgs {
    /// A plan that `barkeep plan` wrote, or a `run` that was refused.
    #[arg(value_name = "PLAN", value_parser = path::parser())]
    pub(crate) plan: PathBuf,
    /// The confirmation: first 8 digits of the checksum and the number of rows, as `plan` printed them.
    #[arg(long, value_name = "HASH:ROWS")]
    pub(crate) confirm: Option<String>,
}

/// Flags of `run`.
#[derive(Debug, Args)]
pub(crate) struct RunArgs {
    /// Job files.
    #[arg(required = true, value_name = "JOB", value_parser = path::parser())]
    pub(crate) jobs: Vec<PathBuf>,
    /// Which findings make the exit code 1; by default those that the job says in `fail_on`, else errors.
    #[arg(long, value_enum)]
    pub(crate) fail_on: Option<FailOn>,
    /// Check and report only: move nothing, send no notification.
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Print nothing of jobs where nothing is wrong: the exit code is 0, and every message was delivered.
    #[arg(short, long)]
    pub(crate) quiet: bool,
    /// What to do where another run of the job is alive, or one that moves rows of the same source.
    #[arg(long, value_enum, default_value_t = IfLocked::Fail)]
    pub(crate) if_locked: IfLocked,
    /// What begins the run, as the table `runs` says.
    #[arg(long, value_enum, default_value_t = TriggerArg::Cli)]
    pub(crate) trigger: TriggerArg,
    /// The longest it may take, all jobs together, e.g. 2h; then it stops as after a polite kill, with 143.
    #[arg(long, value_name = "SPAN")]
    pub(crate) max_time: Option<String>,
    #[command(flatten)]
    pub(crate) window: WindowArgs,
}

/// Commands about what was moved.
#[derive(Debug, Subcommand)]
pub(crate) enum QuarantineCommand {
    /// Rows in quarantine, oldest first.
    List {
        /// A job file.
        #[arg(value_parser = path::parser())]
        job: PathBuf,
        #[command(flatten)]
        which: WhichArgs,
        /// At most so many rows as text.
        #[arg(long, default_value_t = 100)]
        limit: usize,
    },
    /// One row as it was, every rule that flagged it, and what was done.
    Show {
        /// A job file.
        #[arg(value_parser = path::parser())]
        job: PathBuf,
        /// The item, or the beginning of its name.
        id: String,
    },
    /// Put rows back where they were; nothing that is there is overwritten.
    Restore {
        /// A job file.
        #[arg(value_parser = path::parser())]
        job: PathBuf,
        /// Items, or the beginnings of their names.
        ids: Vec<String>,
        #[command(flatten)]
        which: WhichArgs,
        /// Rows that a loader wrote to a file after it had been replaced.
        #[arg(long)]
        late: bool,
        #[command(flatten)]
        sure: SureArgs,
    },
    /// Write rows in quarantine to a file.
    Export {
        /// A job file.
        #[arg(value_parser = path::parser())]
        job: PathBuf,
        /// The file: .parquet, .csv or .ndjson.
        #[arg(short, long, value_name = "FILE", value_parser = path::parser())]
        output: PathBuf,
        #[command(flatten)]
        which: WhichArgs,
    },
    /// Erase what is old and need not be kept any more; never touches a source.
    Purge {
        /// A job file.
        #[arg(value_parser = path::parser())]
        job: PathBuf,
        /// Rows that came to quarantine longer ago than this, e.g. 30d.
        #[arg(long, value_name = "SPAN")]
        older_than: String,
        #[command(flatten)]
        sure: SureArgs,
    },
}

/// Which rows in quarantine.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct WhichArgs {
    /// Only rows that this run moved: an id, a unique prefix, `latest`, or `latest~2`.
    #[arg(long)]
    pub(crate) run: Option<String>,
    /// Only rows that this rule rejected.
    #[arg(long)]
    pub(crate) rule: Option<String>,
    /// Only rows of this series.
    #[arg(long)]
    pub(crate) series: Option<String>,
    /// Only rows that came here since this date or time.
    #[arg(long, value_name = "T")]
    pub(crate) since: Option<String>,
}

/// Whether a person is sure.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct SureArgs {
    /// Only say what would be done.
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// The number of rows, as the command printed it.
    #[arg(long, value_name = "ROWS")]
    pub(crate) confirm: Option<u64>,
}

/// Which findings make the exit code 1. What is labelled known or fine never does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum FailOn {
    /// Errors that the run before did not have.
    New,
    /// Errors.
    Error,
    /// Warnings and errors.
    Warn,
    /// Nothing.
    Never,
}

/// What to do where another run is alive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum IfLocked {
    /// End with 5 and say whose run it is.
    Fail,
    /// End with 0; the run is recorded as skipped.
    Skip,
    /// Wait for its end.
    Wait,
}

/// What begins a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum TriggerArg {
    /// A person.
    Cli,
    /// The system's scheduler.
    Cron,
    /// `barkeep schedule start`.
    Schedule,
}

/// Flags of `sql`.
#[derive(Debug, Args)]
pub(crate) struct SqlArgs {
    /// One query over the tables and views of the reports; with --job, over `bars` and `quarantine` too. `SHOW TABLES` names
    /// them, `DESCRIBE findings` the columns of one.
    #[arg(required_unless_present_any = ["file", "duckdb"])]
    pub(crate) query: Option<String>,
    /// Read the query from this file; `-` is standard input.
    #[arg(short, long, value_name = "FILE", conflicts_with = "query", value_parser = path::parser())]
    pub(crate) file: Option<PathBuf>,
    /// Write the rows to this file, `.csv`, `.parquet` or `.ndjson`, in place of what has its name.
    #[arg(short, long, value_name = "FILE", value_parser = path::parser())]
    pub(crate) output: Option<PathBuf>,
    /// Print statements that make the tables and views in DuckDB.
    #[arg(long, conflicts_with_all = ["query", "file", "output"])]
    pub(crate) duckdb: bool,
    #[command(flatten)]
    pub(crate) reports: ReportsDir,
    /// A job whose bars are the table `bars`.
    #[arg(long, value_name = "JOB", value_parser = path::parser())]
    pub(crate) job: Option<PathBuf>,
}
