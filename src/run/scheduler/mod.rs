//! The loop behind `schedule start`: it starts jobs when they are due, until a signal stops it.
//!
//! Each run is a process of its own, of the same program: a crash, a lack of memory or a run that hangs ends that run and
//! harms no other, what a run used goes back to the system with it, and one that takes too long can be ended from outside.
//! The loop itself holds the schedules and nothing of any run.
//!
//! ```text
//! agenda   which moments are over and which runs are wanted: values in, values out, no clock
//! looping  the loop, over whatever clock, files and processes it is given
//! files    job files, read again when they change
//! log      what it says of what it does
//! process  the clock, the files and the processes of this machine
//! ```

mod agenda;
mod files;
mod log;
mod looping;
mod process;

use std::ffi::OsString;
use std::path::PathBuf;

use tokio::sync::mpsc::UnboundedReceiver;

use super::context::Context;
use super::failure::{Exit, Failure};
use files::Files;
use process::Machine;

pub(crate) use files::without_schedule;
pub(crate) use log::{Happened, Log};

/// What the loop is asked for.
#[derive(Debug)]
pub(crate) struct SchedulerOptions {
    /// The job files.
    pub(crate) jobs: Vec<PathBuf>,
    /// How many runs may be alive at a time, 1 at least.
    pub(crate) at_once: usize,
    /// The program that is started.
    pub(crate) program: PathBuf,
    /// The flags before the command, as for this process itself: threads, memory, logs.
    pub(crate) before: Vec<OsString>,
    /// Whether runs where nothing is wrong print nothing.
    pub(crate) quiet: bool,
    /// The number of each signal that this process gets.
    pub(crate) signals: UnboundedReceiver<u8>,
}

/// Starts the jobs when they are due, until a signal comes and the runs have ended; a second signal ends it at once.
///
/// # Errors
/// No job can be read, one has no schedule, or two have one name.
pub(crate) async fn start(context: &Context, options: SchedulerOptions, log: Log) -> Result<Exit, Failure> {
    let SchedulerOptions { jobs, at_once, program, mut before, quiet, signals } = options;
    before.push("run".into());
    if quiet {
        before.push("--quiet".into());
    }
    let files = Files::open(context, &jobs)?;
    let mut machine = Machine::new(context.clone(), files, (program, before), signals, log);
    Ok(looping::work(&mut machine, jobs.len(), at_once.max(1)).await)
}
