//! A run that broke off after rows had left: how many are in quarantine, and what shows them and puts them back.

use std::error::Error;
use std::fmt;
use std::path::Path;

use super::failure::{Failure, had_left};
use super::shell::typed;
use crate::report::error::ReportError;

/// What a run had moved by the moment it broke off.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Moved {
    /// Rows that left the source for the quarantine.
    pub(crate) left: u64,
    /// Rows whose end only a later look can find out.
    pub(crate) open: u64,
    /// The run.
    pub(crate) run: String,
    /// The command that lists its rows.
    pub(crate) show: String,
    /// The command that puts them back.
    pub(crate) restore: String,
}

impl Moved {
    /// What `run` of the job in `job_file` moved.
    pub(crate) fn new((left, open): (u64, u64), run: &str, job_file: &Path) -> Self {
        let job = typed(job_file);
        Self {
            left,
            open,
            run: run.to_owned(),
            show: format!("barkeep quarantine list {job} --run {run}"),
            restore: format!("barkeep quarantine restore {job} --run {run}"),
        }
    }

    /// `failure`, which says what had left. One that says so itself, or that nothing is broken, stays as it is.
    pub(crate) fn before(self, failure: Failure) -> Failure {
        match failure {
            Failure::Broken(error) if (self.left, self.open) != (0, 0) => {
                let what = format!("{error}; {}", had_left(self.left, self.open));
                Failure::Broken(Box::new(AfterMoving { what, moved: self, cause: Cause::Below(error) }))
            }
            failure => failure,
        }
    }

    /// The failure of the report that should have said it.
    pub(crate) fn unreported(self, error: ReportError) -> Failure {
        if (self.left, self.open) == (0, 0) {
            return error.into();
        }
        let what = format!("{}; then writing the report failed", had_left(self.left, self.open));
        Failure::Broken(Box::new(AfterMoving { what, moved: self, cause: Cause::Itself(error) }))
    }
}

/// An error that came after rows had left.
#[derive(Debug)]
pub(crate) struct AfterMoving {
    /// What happened, in one line.
    pub(crate) what: String,
    /// What had left.
    pub(crate) moved: Moved,
    cause: Cause,
}

#[derive(Debug)]
enum Cause {
    /// What it says is said; the causes below it are not.
    Below(Box<dyn Error + Send + Sync>),
    Itself(ReportError),
}

impl AfterMoving {
    /// What to type next.
    pub(crate) fn help(&self) -> String {
        let Moved { show, restore, .. } = &self.moved;
        format!("`{show}` shows the rows, `{restore}` puts them back; the report of the next run names them")
    }
}

impl fmt::Display for AfterMoving {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}\n  = help: {}", self.what, self.help())
    }
}

impl Error for AfterMoving {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match &self.cause {
            Cause::Below(error) => error.source(),
            Cause::Itself(error) => Some(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moved(left: u64) -> Moved {
        Moved::new((left, 0), "r1", Path::new("jobs/a.toml"))
    }

    #[test]
    fn what_left_is_said_with_the_commands_that_show_it_and_put_it_back() {
        let broken = || Failure::Broken("the server is gone".into());
        assert_eq!(
            moved(12).before(broken()).render(false),
            "error: the server is gone; 12 rows had left the source for the quarantine\n  = help: `barkeep quarantine list \
             jobs/a.toml --run r1` shows the rows, `barkeep quarantine restore jobs/a.toml --run r1` puts them back; the \
             report of the next run names them"
        );
        assert_eq!(moved(0).before(broken()).render(false), "error: the server is gone");
        let locked = moved(3).before(Failure::Locked("another run".to_owned()));
        assert!(matches!(locked, Failure::Locked(_)), "{locked}");
    }

    #[test]
    fn a_report_that_failed_is_the_cause() {
        let error = || ReportError::writing(Path::new("reports"), std::io::ErrorKind::PermissionDenied.into());
        let text = moved(1).unreported(error()).render(false);
        assert!(
            text.starts_with("error: 1 row had left the source for the quarantine; then writing the report failed\n"),
            "{text}"
        );
        assert!(text.contains("caused by: ") && text.contains("reports"), "{text}");
        assert!(!moved(0).unreported(error()).render(false).contains("left"));
    }
}
