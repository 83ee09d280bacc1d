use serde_json::json;

use crate::cli::output::Output;
use crate::run::Failure;
use crate::text::escape::visible;

/// What was found out.
pub(super) struct Lines<'a> {
    pub(super) job: String,
    pub(super) failed: bool,
    /// Privileges are missing, for whatever command.
    pub(super) wanting: bool,
    pub(super) output: &'a mut Output,
}

impl Lines<'_> {
    pub(super) fn line(&mut self, word: &str, what: &str, detail: &str) -> Result<(), Failure> {
        self.failed |= word == "FAIL";
        let text = match self.output.is_json() {
            true => {
                json!({ "type": "doctor", "job": self.job, "state": word, "what": what, "detail": detail }).to_string()
            }
            false => format!("{word:<5} {what:<12} {}", visible(detail)),
        };
        Ok(self.output.line(&text)?)
    }

    pub(super) fn ok(&mut self, what: &str, detail: &str) -> Result<(), Failure> {
        self.line("ok", what, detail)
    }

    pub(super) fn warn(&mut self, what: &str, detail: &str) -> Result<(), Failure> {
        self.line("warn", what, detail)
    }

    pub(super) fn fail(&mut self, what: &str, detail: &str) -> Result<(), Failure> {
        self.line("FAIL", what, detail)
    }
}
