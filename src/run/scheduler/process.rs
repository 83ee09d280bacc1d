//! The clock, the files and the processes of this machine.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::io::Errno;
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process, waitid};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use super::files::{Files, Looked};
use super::log::{Happened, Log};
use super::looping::{Ask, Ended, Woke, World};
use crate::run::context::Context;

/// Stack of a thread that only waits.
const STACK: usize = 128 << 10;

/// This machine.
pub(super) struct Machine {
    context: Context,
    files: Files,
    program: PathBuf,
    before: Vec<OsString>,
    signals: UnboundedReceiver<u8>,
    log: Log,
    began: Instant,
    /// The runs that are alive, or ended and were not asked how yet: until then no other process gets their number.
    children: BTreeMap<usize, Child>,
    over: (UnboundedSender<usize>, UnboundedReceiver<usize>),
}

impl Machine {
    pub(super) fn new(
        context: Context,
        files: Files,
        (program, before): (PathBuf, Vec<OsString>),
        signals: UnboundedReceiver<u8>,
        log: Log,
    ) -> Self {
        let (began, children, over) = (Instant::now(), BTreeMap::new(), unbounded_channel());
        Self { context, files, program, before, signals, log, began, children, over }
    }

    /// How the run of `job` ended, which it did.
    fn reap(&mut self, job: usize) -> Ended {
        match self.children.remove(&job).map(|mut child| child.wait()) {
            Some(Ok(status)) => ended(status),
            Some(Err(_)) | None => Ended::Unknown,
        }
    }
}

fn ended(status: ExitStatus) -> Ended {
    let code = status.code().and_then(|code| u8::try_from(code).ok()).map(Ended::Code);
    code.or(status.signal().map(Ended::Signal)).unwrap_or(Ended::Unknown)
}

/// Waits until the process `pid` has ended, and leaves how it ended to whoever asks.
fn wait_for(pid: Pid) {
    let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
    while matches!(waitid(WaitId::Pid(pid), options), Err(Errno::INTR)) {}
}

impl World for Machine {
    fn now(&self) -> i64 {
        self.context.clock.micros()
    }

    fn passed(&self) -> Duration {
        self.began.elapsed()
    }

    fn look(&mut self, job: usize) -> Looked {
        self.files.look(job)
    }

    fn file(&self, job: usize) -> String {
        self.files.path(job).display().to_string()
    }

    fn start(&mut self, job: usize) -> Result<(), String> {
        let mut command = Command::new(&self.program);
        command.args(&self.before).args(["--if-locked", "skip", "--trigger", "schedule", "--"]);
        // In a group of its own, Ctrl-C on a terminal reaches a run once only: through this process.
        command.arg(self.files.path(job)).stdin(Stdio::null()).process_group(0);
        let mut child = command.spawn().map_err(|error| format!("`{}`: {error}", self.program.display()))?;
        let (pid, over) = (Pid::from_child(&child), self.over.0.clone());
        let waiting = thread::Builder::new().name("waits for a run".to_owned()).stack_size(STACK).spawn(move || {
            wait_for(pid);
            // Without a receiver the loop is over.
            over.send(job).ok();
        });
        if let Err(error) = waiting {
            // A run that nobody waits for is none: it has only just begun.
            let killed = child.kill().and_then(|()| child.wait());
            killed.map_err(|error| error.to_string())?;
            return Err(error.to_string());
        }
        self.children.insert(job, child);
        Ok(())
    }

    fn ask(&mut self, job: usize, ask: Ask) {
        let Some(child) = self.children.get(&job) else { return };
        let signal = match ask {
            Ask::Signal(2) => Signal::INT,
            Ask::Signal(_) => Signal::TERM,
            Ask::Kill => Signal::KILL,
        };
        if let Err(error) = kill_process(Pid::from_child(child), signal) {
            tracing::warn!("the run {} cannot be stopped: {error}", child.id());
        }
    }

    async fn wait(&mut self, at_most: Option<Duration>) -> Woke {
        let time = async {
            match at_most {
                Some(at_most) => tokio::time::sleep(at_most).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            Some(number) = self.signals.recv() => Woke::Signal(number),
            Some(job) = self.over.1.recv() => Woke::Ended(job, self.reap(job)),
            () = time => Woke::Slept,
        }
    }

    fn log(&mut self, happened: Happened) {
        (self.log)(&happened);
    }
}
