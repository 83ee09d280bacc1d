//! How a run ends: the exit codes of barkeep, and the failures that lead to them.

use std::error::Error;
use std::fmt;

use crate::schema::Diagnostic;
use crate::text::escape::visible;
use crate::text::numbers::counted;

/// How a command ended; see the table of exit codes in the README.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// Ran to the end; nothing that `--fail-on` names.
    Ok,
    /// Ran to the end and found some.
    Findings,
    /// A flag, job or rule file is wrong; nothing was read or changed.
    Usage,
    /// A source, a disk or a query failed.
    Broken,
    /// Over a limit, a stale plan, a confirmation that is missing; nothing was touched.
    Refused,
    /// Another run moves rows of the source.
    Locked,
    /// Stopped by a signal: 2 for Ctrl-C, 15 for a polite kill.
    Signal(u8),
}

impl Exit {
    /// The process exit code.
    pub fn code(self) -> u8 {
        match self {
            Self::Ok => 0,
            Self::Findings => 1,
            Self::Usage => 2,
            Self::Broken => 3,
            Self::Refused => 4,
            Self::Locked => 5,
            Self::Signal(signal) => 128 + signal,
        }
    }

    /// Its name, as JSON output shows it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Findings => "findings",
            Self::Usage => "usage",
            Self::Broken => "broken",
            Self::Refused => "refused",
            Self::Locked => "locked",
            Self::Signal(_) => "signal",
        }
    }

    /// The one that counts when several jobs ended differently: signal, then 3, 4, 5, 2, 1.
    #[must_use]
    pub fn worst(self, other: Self) -> Self {
        let rank = |exit: Self| match exit {
            Self::Ok => 0,
            Self::Findings => 1,
            Self::Usage => 2,
            Self::Locked => 3,
            Self::Refused => 4,
            Self::Broken => 5,
            Self::Signal(_) => 6,
        };
        if rank(other) > rank(self) { other } else { self }
    }
}

/// Why a command could not run to its end.
#[derive(Debug)]
pub enum Failure {
    /// Mistakes in files a person wrote.
    Mistakes(Vec<Diagnostic>),
    /// A flag, or a file named by one, is wrong: the message and what to do.
    Usage(String, String),
    /// Nothing is touched before a person looked: why, and what to do.
    Refused(String, String),
    /// Another run is at work.
    Locked(String),
    /// The world is: what was being done, and the cause below it.
    Broken(Box<dyn Error + Send + Sync>),
    /// A signal ended it.
    Stopped {
        /// Its number.
        signal: u8,
        /// Rows that had left a source by then.
        left: u64,
        /// Rows whose end only a later look can find out.
        open: u64,
    },
}

impl Failure {
    /// The exit it leads to.
    pub fn exit(&self) -> Exit {
        match self {
            Self::Mistakes(_) | Self::Usage(..) => Exit::Usage,
            Self::Refused(..) => Exit::Refused,
            Self::Locked(_) => Exit::Locked,
            Self::Broken(_) => Exit::Broken,
            Self::Stopped { signal, .. } => Exit::Signal(*signal),
        }
    }

    /// The failure as text for a person.
    pub fn render(&self, colour: bool) -> String {
        match self {
            Self::Mistakes(mistakes) => {
                let mut blocks: Vec<String> = mistakes.iter().map(|mistake| mistake.render(colour)).collect();
                blocks.push(format!("error: {}", count(mistakes)));
                blocks.join("\n\n")
            }
            Self::Usage(message, help) => shown(&format!("error: {message}\n  = help: {help}")),
            Self::Refused(message, help) => shown(&format!("refused: {message}\n  = help: {help}")),
            Self::Locked(message) => shown(&format!("locked: {message}; run again when it is done")),
            Self::Broken(error) => {
                let causes = causes(&**error).into_iter().map(|cause| format!("\n  caused by: {cause}"));
                shown(&(format!("error: {error}") + &causes.collect::<String>()))
            }
            Self::Stopped { left: 0, open: 0, .. } => "stopped by a signal; nothing was changed".to_owned(),
            Self::Stopped { left, open, .. } => stopped(*left, *open),
        }
    }
}

/// How a command ended that a signal stopped after rows had left.
fn stopped(left: u64, open: u64) -> String {
    format!("stopped by a signal; {}", had_left(left, open))
}

/// How many rows had left when a command ended before its time.
pub(super) fn had_left(left: u64, open: u64) -> String {
    let open = match open {
        0 => String::new(),
        open => format!("; whether {} more did, the next run finds out first", counted(open, "row")),
    };
    format!("{} had left the source for the quarantine{open}", counted(left, "row"))
}

/// What lies below `error`, outermost first; what an error above has said already is left out.
pub(crate) fn causes(error: &dyn Error) -> Vec<String> {
    let mut said = error.to_string();
    let mut causes = Vec::new();
    let mut next = error.source();
    while let Some(cause) = next {
        let text = cause.to_string();
        if !said.contains(&text) {
            said.clone_from(&text);
            causes.push(text);
        }
        next = cause.source();
    }
    causes
}

/// Text that may come from data, with nothing in it that could control a terminal.
fn shown(text: &str) -> String {
    text.lines().map(visible).collect::<Vec<_>>().join("\n")
}

pub(crate) fn count(mistakes: &[Diagnostic]) -> String {
    match mistakes.len() {
        1 => "1 mistake; nothing was read".to_owned(),
        n => format!("{n} mistakes; nothing was read"),
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.render(false))
    }
}

/// So that `?` works in functions that return a boxed error. [`Failure`] is not an [`Error`] itself, because every error
/// becomes a [`Failure`].
impl From<Failure> for Box<dyn Error + Send + Sync> {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Broken(error) => error,
            failure => failure.to_string().into(),
        }
    }
}

/// The same for boxed errors that stay on their thread.
impl From<Failure> for Box<dyn Error> {
    fn from(failure: Failure) -> Self {
        Box::<dyn Error + Send + Sync>::from(failure)
    }
}

impl<E: Error + Send + Sync + 'static> From<E> for Failure {
    fn from(error: E) -> Self {
        Self::Broken(Box::new(error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_those_of_the_contract() {
        let all =
            [Exit::Ok, Exit::Findings, Exit::Usage, Exit::Broken, Exit::Refused, Exit::Signal(2), Exit::Signal(15)];
        assert_eq!(all.map(Exit::code), [0, 1, 2, 3, 4, 130, 143]);
    }

    #[test]
    fn a_signal_says_how_many_rows_had_left() {
        let reported = |left, open| Failure::Stopped { signal: 15, left, open }.render(false);
        assert_eq!(reported(0, 0), "stopped by a signal; nothing was changed");
        assert_eq!(reported(1500, 0), "stopped by a signal; 1,500 rows had left the source for the quarantine");
        assert_eq!(
            reported(0, 1),
            "stopped by a signal; 0 rows had left the source for the quarantine; whether 1 row more did, the next run finds out first"
        );
    }

    #[test]
    fn a_boxed_error_keeps_what_a_person_reads_and_the_cause() {
        let refused = || Failure::Refused("the plan expired".to_owned(), "make a new one".to_owned());
        let boxed: Box<dyn Error> = refused().into();
        assert_eq!(boxed.to_string(), "refused: the plan expired\n  = help: make a new one");
        let broken = Failure::from(std::io::Error::from(std::io::ErrorKind::NotFound));
        let boxed: Box<dyn Error + Send + Sync> = broken.into();
        assert!(boxed.is::<std::io::Error>(), "the error itself, not its text");
    }

    #[test]
    fn a_broken_job_outweighs_findings_of_another() {
        assert_eq!(Exit::Findings.worst(Exit::Broken), Exit::Broken);
        assert_eq!(Exit::Refused.worst(Exit::Findings), Exit::Refused);
        let order = [Exit::Ok, Exit::Findings, Exit::Usage, Exit::Locked, Exit::Refused, Exit::Broken, Exit::Signal(2)];
        for pair in order.windows(2) {
            assert_eq!((pair[0].worst(pair[1]), pair[1].worst(pair[0])), (pair[1], pair[1]));
        }
    }
}
