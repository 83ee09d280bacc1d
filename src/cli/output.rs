//! The only place that writes to stdout and stderr.
//!
//! The result goes to stdout, everything else to stderr. A reader that closes the pipe (`| head`) ends the output, not
//! the run.

use std::io::{self, ErrorKind, IsTerminal, Write};

use clap::ValueEnum;

/// How results are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Default)]
pub(crate) enum Format {
    /// For a person.
    #[default]
    Text,
    /// One JSON document.
    Json,
    /// One JSON object a line.
    Ndjson,
}

/// Where results and messages go.
#[derive(Debug)]
pub(crate) struct Output {
    /// How results are written.
    pub(crate) format: Format,
    closed: bool,
}

impl Output {
    /// An output in the given format.
    pub(crate) fn new(format: Format) -> Self {
        Self { format, closed: false }
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
    /// What the system says; a closed pipe is no error.
    pub(crate) fn line(&mut self, text: &str) -> io::Result<()> {
        if self.closed {
            return Ok(());
        }
        let mut stdout = io::stdout().lock();
        match writeln!(stdout, "{text}").and_then(|()| stdout.flush()) {
            Err(error) if error.kind() == ErrorKind::BrokenPipe => {
                self.closed = true;
                Ok(())
            }
            other => other,
        }
    }
}

/// Writes a message to stderr. A message that cannot be written has nowhere else to go.
pub(crate) fn message(text: &str) {
    drop(writeln!(io::stderr().lock(), "{text}"));
}

/// Whether stderr is a terminal that may be coloured.
pub(crate) fn colour_on_stderr() -> bool {
    io::stderr().is_terminal() && colour_wanted()
}

fn colour_wanted() -> bool {
    std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

/// Columns of the terminal, or of a usual page.
pub(crate) fn width() -> usize {
    terminal_size::terminal_size().map_or(100, |(width, _)| usize::from(width.0))
}
