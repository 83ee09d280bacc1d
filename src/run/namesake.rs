//! Two jobs of one name in one folder of reports: each would compare itself with the runs of the other.

use std::fs;
use std::path::Path;

use super::failure::Failure;
use crate::config::{self, Loaded};
use crate::report::store;

/// Fails where the reports of this job are those of another one that is called the same and still writes there.
pub(super) fn reject(loaded: &Loaded) -> Result<(), Failure> {
    let job = &loaded.job;
    let dir = &job.report_dir.resolved;
    let Some(other) = store::job_file(dir, &job.name)? else { return Ok(()) };
    if is_same(&other, &loaded.job_file) {
        return Ok(());
    }
    // A file that was moved, got another name or writes elsewhere is no other job any more, and one that does not load
    // cannot run.
    let writes_here = config::load(&other)
        .is_ok_and(|other| other.job.name == job.name && is_same(&other.job.report_dir.resolved, dir));
    if !writes_here {
        return Ok(());
    }
    let problem =
        format!("another job is called `{}` and writes into `{}`: `{}`", job.name, dir.display(), other.display());
    let help = "give one of them another `name`, or another folder in `[report] dir`";
    Err(Failure::Usage(problem, help.to_owned()))
}

fn is_same(one: &Path, other: &Path) -> bool {
    one == other || matches!((fs::canonicalize(one), fs::canonicalize(other)), (Ok(one), Ok(other)) if one == other)
}
