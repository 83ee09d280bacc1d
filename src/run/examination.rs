//! What is found out when a job is examined, line by line, for whoever shows it.

use super::failure::Failure;

/// Takes a line: how good it is (`ok`, `warn` or `FAIL`), what it is about, and what was found.
pub(crate) type Show<'a> = dyn FnMut(&str, &str, &str) -> Result<(), Failure> + Send + 'a;

/// What was found out.
pub(crate) struct Examination<'a> {
    pub(crate) failed: bool,
    /// Privileges are missing, for whatever command.
    pub(crate) wanting: bool,
    show: &'a mut Show<'a>,
}

impl<'a> Examination<'a> {
    /// Nothing is found out so far.
    pub(crate) fn new(show: &'a mut Show<'a>) -> Self {
        Self { failed: false, wanting: false, show }
    }

    pub(crate) fn line(&mut self, word: &str, what: &str, detail: &str) -> Result<(), Failure> {
        self.failed |= word == "FAIL";
        (self.show)(word, what, detail)
    }

    pub(crate) fn ok(&mut self, what: &str, detail: &str) -> Result<(), Failure> {
        self.line("ok", what, detail)
    }

    pub(crate) fn warn(&mut self, what: &str, detail: &str) -> Result<(), Failure> {
        self.line("warn", what, detail)
    }

    pub(crate) fn fail(&mut self, what: &str, detail: &str) -> Result<(), Failure> {
        self.line("FAIL", what, detail)
    }

    /// What was reached; a failure is reported, under `word`, and is not the end of the examination.
    pub(crate) fn reached<T>(
        &mut self,
        word: &str,
        what: &str,
        outcome: Result<T, Failure>,
    ) -> Result<Option<T>, Failure> {
        match outcome {
            Ok(reached) => Ok(Some(reached)),
            Err(failure @ Failure::Broken(_)) => {
                let text = failure.render(false);
                // What lies below is the driver's inner state.
                let first = text.lines().next().unwrap_or_default();
                self.line(word, what, first.trim_start_matches("error: "))?;
                Ok(None)
            }
            Err(failure) => Err(failure),
        }
    }
}
