//! What a loop says of what it does.

use std::fmt;
use std::sync::Arc;

use crate::text::utc::UtcMicros;

/// Takes what happens, for whoever writes it down.
pub(crate) type Log = Arc<dyn Fn(&Happened) + Send + Sync>;

/// What happened, for a person who reads the log.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Happened {
    /// When, µs UTC.
    pub(crate) at: i64,
    /// The job, where it is about one.
    pub(crate) job: Option<String>,
    /// In a word: `waiting`, `read`, `started`, `ended`, `passed-over`, `stopping`, `stopped`, `warning`.
    pub(crate) event: &'static str,
    /// The exit code of a run, where it has one.
    pub(crate) exit: Option<u8>,
    /// How long the run took.
    pub(crate) seconds: Option<f64>,
    /// Further words.
    pub(crate) text: String,
}

impl fmt::Display for Happened {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let second = self.at - self.at.rem_euclid(1_000_000);
        write!(f, "{}  ", UtcMicros(second))?;
        if let Some(job) = &self.job {
            write!(f, "job={job} ")?;
        }
        f.write_str(self.event)?;
        if let Some(exit) = self.exit {
            write!(f, " exit={exit}")?;
        }
        if let Some(seconds) = self.seconds {
            write!(f, " seconds={seconds:.1}")?;
        }
        match self.text.is_empty() {
            true => Ok(()),
            false => write!(f, ": {}", self.text),
        }
    }
}
