//! The only place that writes to stdout; what goes to stderr goes through [`log`].
//!
//! The result goes to stdout, everything else to stderr. A reader that closes the pipe (`| head`) ends the output, not
//! the run.

use std::io::{self, ErrorKind, IsTerminal, Write};
use std::path::Path;

use clap::ValueEnum;

use super::colour::{colour_on_stderr, colour_wanted};
use super::{failure_json, log};
use crate::report::render::pairs_line;
use crate::report::summary::Summary;
use crate::run::{Exit, Failure};

/// How results are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Default)]
pub(crate) enum Format {
    /// For a person.
    #[default]
    Text,
    /// JSON objects, one a line; the last one is the exit.
    Json,
    /// The same.
    Ndjson,
}

/// Where results and messages go.
#[derive(Debug)]
pub(crate) struct Output {
    /// How results are written.
    pub(crate) format: Format,
    closed: bool,
    lines: u64,
}

impl Output {
    /// An output in the given format.
    pub(crate) fn new(format: Format) -> Self {
        Self { format, closed: false, lines: 0 }
    }

    /// Whether a person reads stdout.
    pub(crate) fn terminal(&self) -> bool {
        self.format == Format::Text && io::stdout().is_terminal()
    }

    /// Whether stdout may be coloured.
    pub(crate) fn colour(&self) -> bool {
        self.terminal() && colour_wanted()
    }

    /// Whether JSON is wanted.
    pub(crate) fn is_json(&self) -> bool {
        self.format != Format::Text
    }

    /// Writes a line of the result.
    ///
    /// # Errors
    /// What the system says; a closed pipe is not an error.
    pub(crate) fn line(&mut self, text: &str) -> io::Result<()> {
        self.lines += 1;
        if self.closed {
            return Ok(());
        }
        let mut stdout = io::stdout().lock();
        match writeln!(stdout, "{text}").and_then(|()| stdout.flush()) {
            Err(error) if error.kind() == ErrorKind::BrokenPipe => {
                self.closed = true;
                Ok(())
            }
            Err(error) => Err(io::Error::new(error.kind(), format!("cannot write the result to stdout: {error}"))),
            Ok(()) => Ok(()),
        }
    }

    /// How many times a result was written so far.
    pub(crate) fn lines(&self) -> u64 {
        self.lines
    }

    /// The line of a job without a summary, where every job has one line: the file stands for its name.
    pub(crate) fn failed_line(&mut self, failure: &Failure, job: &Path) -> io::Result<()> {
        if self.is_json() || self.terminal() {
            return Ok(());
        }
        let exit = failure.exit();
        let error = failure_json::json(failure, None)["message"].as_str().unwrap_or_default().to_owned();
        self.line(&pairs_line(&[
            ("job", job.display().to_string()),
            ("verdict", "FAIL".to_owned()),
            ("status", exit.name().to_owned()),
            ("exit", exit.code().to_string()),
            ("error", error),
        ]))
    }

    /// Reports a failure, that of the job file `job` if there is one: in words on stderr, and as an object in the
    /// result where that is JSON.
    pub(crate) fn failure(&mut self, failure: &Failure, job: Option<&Path>) -> io::Result<()> {
        let mut text = failure.render(colour_on_stderr());
        // The places of mistakes name their files.
        if let (Failure::Usage(..) | Failure::Refused(..) | Failure::Locked(_) | Failure::Broken(_), Some(job)) =
            (failure, job)
        {
            text.push_str(&format!("\n  = job: {}", job.display()));
        }
        let object = failure_json::json(failure, job);
        log::failure(&text, &object);
        if self.is_json() { self.line(&object.to_string()) } else { Ok(()) }
    }

    /// The last line of JSON output.
    pub(crate) fn exit(&mut self, exit: Exit) -> io::Result<()> {
        let object = serde_json::json!({ "type": "exit", "code": exit.code(), "name": exit.name() });
        if self.is_json() { self.line(&object.to_string()) } else { Ok(()) }
    }
}

/// The summary of a run as an object on one line.
pub(crate) fn summary(summary: &Summary) -> Result<String, serde_json::Error> {
    let mut value = serde_json::to_value(summary)?;
    if let Some(object) = value.as_object_mut() {
        object.insert("type".to_owned(), "summary".into());
        object.insert("source_unchanged".to_owned(), summary.source_unchanged().into());
    }
    Ok(value.to_string())
}

/// Columns of the terminal, or of a usual page.
pub(crate) fn width() -> usize {
    terminal_size::terminal_size().map_or(100, |(width, _)| usize::from(width.0))
}
