//! A failure as an object, for a program.

use std::path::Path;

use serde_json::{Value, json};

use crate::run::after_moving::{AfterMoving, Moved};
use crate::run::failure::{Failure, causes, count};
use crate::schema::Diagnostic;

/// The failure as an object, for a program; `job` is the job file that failed.
pub(super) fn json(failure: &Failure, job: Option<&Path>) -> Value {
    let help;
    let (message, help, causes, mistakes) = match failure {
        Failure::Mistakes(mistakes) => (count(mistakes), None, Vec::new(), mistakes.iter().map(mistake).collect()),
        Failure::Usage(message, help) | Failure::Refused(message, help) => {
            (message.clone(), Some(help), Vec::new(), Vec::new())
        }
        Failure::Locked(message) => (message.clone(), None, Vec::new(), Vec::new()),
        Failure::Broken(error) => match error.downcast_ref::<AfterMoving>() {
            Some(after) => {
                help = after.help();
                (after.what.clone(), Some(&help), causes(after), Vec::new())
            }
            None => (error.to_string(), None, causes(&**error), Vec::new()),
        },
        Failure::Stopped { .. } => (failure.render(false), None, Vec::new(), Vec::new()),
    };
    let mut object = json!({
        "type": "error", "job": job.map(|job| job.display().to_string()),
        "code": failure.exit().code(), "name": failure.exit().name(),
        "message": message, "help": help, "causes": causes, "mistakes": mistakes,
    });
    if let Failure::Stopped { left, open, .. } = failure {
        object["rows_removed"] = (*left).into();
        object["rows_open"] = (*open).into();
    }
    if let Failure::Broken(error) = failure
        && let Some(AfterMoving { moved, .. }) = error.downcast_ref()
    {
        let Moved { left, open, run, show, restore } = moved;
        object["rows_removed"] = (*left).into();
        object["rows_open"] = (*open).into();
        object["run_id"] = run.as_str().into();
        object["next"] = json!([show, restore]);
    }
    object
}

fn mistake(mistake: &Diagnostic) -> Value {
    let (line, column) = mistake.position();
    json!({
        "code": mistake.code, "title": mistake.title, "file": mistake.file.path.display().to_string(),
        "line": line, "column": column, "label": mistake.label, "help": mistake.help,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signal_says_how_many_rows_had_left() {
        let json = json(&Failure::Stopped { signal: 2, left: 3, open: 4 }, None);
        assert_eq!((&json["rows_removed"], &json["rows_open"]), (&3.into(), &4.into()));
    }
}
