//! The commands below `schedule`, with their flags.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

use crate::cli::path;

/// Commands about when jobs are due.
#[derive(Debug, Subcommand)]
pub(crate) enum ScheduleCommand {
    /// Jobs with their schedules, and when each is next due.
    List {
        /// Job files; without any, those in the folder `jobs`.
        #[arg(value_name = "JOB", value_parser = path::parser())]
        jobs: Vec<PathBuf>,
    },
    /// The next moments at which a job is due, each with the last session that is closed then.
    Next {
        /// A job file.
        #[arg(value_name = "JOB", value_parser = path::parser())]
        job: PathBuf,
        /// How many.
        #[arg(short = 'n', long = "count", default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..=10_000))]
        count: u16,
        /// After this date or time, in the zone of the schedule where it has none; now by default.
        #[arg(long, value_name = "T")]
        from: Option<String>,
    },
    /// Start jobs when they are due, each as a process of its own, until Ctrl-C or a polite kill.
    Start(StartArgs),
    /// Print what starts jobs when they are due: lines of cron, units of systemd, objects of Kubernetes.
    Export {
        /// Job files; without any, those in the folder `jobs` that have a schedule.
        #[arg(value_name = "JOB", value_parser = path::parser())]
        jobs: Vec<PathBuf>,
        /// For what.
        #[arg(long = "as", value_enum, value_name = "WHAT")]
        target: ScheduleTarget,
        /// Instead of what starts each job, what keeps `schedule start` of them alive; not for cron.
        #[arg(long = "loop")]
        of_loop: bool,
        /// Write files into this folder instead, none of which may be there; made if it is not there.
        #[arg(short, long = "output", value_name = "DIR", value_parser = path::parser())]
        output: Option<PathBuf>,
        /// The program that is started; by default this one, and `barkeep` in Kubernetes.
        #[arg(long, value_name = "PATH", value_parser = path::parser())]
        program: Option<PathBuf>,
        /// The image that Kubernetes runs.
        #[arg(long, value_name = "IMAGE", default_value = "barkeep:latest")]
        image: String,
    },
}

/// Flags of `schedule start`.
#[derive(Debug, Args)]
pub(crate) struct StartArgs {
    /// Job files; without any, those in the folder `jobs` that have a schedule.
    #[arg(value_name = "JOB", value_parser = path::parser())]
    pub(crate) jobs: Vec<PathBuf>,
    /// How many runs may be alive at a time; further ones wait.
    #[arg(short = 'j', long = "jobs", value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub(crate) at_once: u16,
    /// Print nothing of runs where nothing is wrong, besides their start and end.
    #[arg(short, long)]
    pub(crate) quiet: bool,
}

/// What starts jobs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ScheduleTarget {
    /// Lines for a table of cron.
    Cron,
    /// A service and a timer.
    Systemd,
    /// A `CronJob`.
    K8s,
}
