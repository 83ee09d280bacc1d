//! A run that a person named and that is not there.

use super::failure::Failure;
use crate::report::error::ReportError;

/// The failure of a command whose caller named a run: a wrong name is a wrong flag.
pub(crate) fn unresolved(error: ReportError) -> Failure {
    match error.is_about_a_name() {
        true => Failure::Usage(error.to_string(), "`barkeep report list` names the runs".to_owned()),
        false => error.into(),
    }
}
