//! What is found out when a job is examined, line by line, for whoever shows it.

use super::failure::Failure;

/// How good it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Health {
    /// As it should be.
    Ok,
    /// Something to know; the job works.
    Warn,
    /// The job cannot do its work.
    Fail,
}

impl Health {
    /// The word in the output of `doctor`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warn => "warn",
            Self::Fail => "FAIL",
        }
    }
}

/// One thing that was found out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Line<'a> {
    /// How good it is.
    pub health: Health,
    /// What it is about, in a word.
    pub about: &'a str,
    /// What was found.
    pub detail: &'a str,
}

/// Takes a line.
pub(super) type Show<'a> = dyn FnMut(Line<'_>) -> Result<(), Failure> + Send + 'a;

/// What was found out.
pub(crate) struct Examination<'a> {
    /// The worst of it.
    pub(super) worst: Health,
    /// Privileges are missing, for whatever command.
    pub(crate) wanting: bool,
    show: &'a mut Show<'a>,
}

impl<'a> Examination<'a> {
    /// Nothing is found out so far.
    pub(super) fn new(show: &'a mut Show<'a>) -> Self {
        Self { worst: Health::Ok, wanting: false, show }
    }

    pub(crate) fn line(&mut self, health: Health, about: &str, detail: &str) -> Result<(), Failure> {
        if health == Health::Fail || self.worst == Health::Ok {
            self.worst = health;
        }
        (self.show)(Line { health, about, detail })
    }

    pub(crate) fn ok(&mut self, about: &str, detail: &str) -> Result<(), Failure> {
        self.line(Health::Ok, about, detail)
    }

    pub(crate) fn warn(&mut self, about: &str, detail: &str) -> Result<(), Failure> {
        self.line(Health::Warn, about, detail)
    }

    pub(crate) fn fail(&mut self, about: &str, detail: &str) -> Result<(), Failure> {
        self.line(Health::Fail, about, detail)
    }

    /// What was reached; a failure is reported, as `health`, and is not the end of the examination.
    pub(crate) fn reached<T>(
        &mut self,
        health: Health,
        about: &str,
        outcome: Result<T, Failure>,
    ) -> Result<Option<T>, Failure> {
        match outcome {
            Ok(reached) => Ok(Some(reached)),
            Err(failure @ Failure::Broken(_)) => {
                let text = failure.render(false);
                // What lies below is the driver's inner state.
                let first = text.lines().next().unwrap_or_default();
                self.line(health, about, first.trim_start_matches("error: "))?;
                Ok(None)
            }
            Err(failure) => Err(failure),
        }
    }
}
