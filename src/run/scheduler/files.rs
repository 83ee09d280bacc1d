//! Job files, read again when they change. One that cannot be read is reported once, and tried again.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::agenda::Plan;
use crate::report::starts;
use crate::run::context::Context;
use crate::run::failure::Failure;
use crate::run::job::Job;

/// What a look at a job file came to.
#[derive(Debug)]
pub(super) enum Looked {
    /// It is as it was.
    Same,
    /// It is another one, or could not be read before; with when the job was started last, as the reports say.
    Read(Box<Plan>, Option<i64>),
    /// It cannot be used, which was not known before.
    Unusable(String),
    /// It still cannot be used.
    StillUnusable,
}

/// A job file.
#[derive(Debug)]
struct JobFile {
    path: PathBuf,
    /// What it was when it was read: length and time of its last change.
    was: Option<(u64, SystemTime)>,
    /// Why it cannot be used, where it cannot.
    wrong: Option<String>,
    /// What was read before the loop began.
    first: Option<(Plan, Option<i64>)>,
}

/// The job files of a loop.
#[derive(Debug)]
pub(super) struct Files {
    context: Context,
    files: Vec<JobFile>,
}

impl Files {
    /// Reads the job files for the first time.
    ///
    /// # Errors
    /// One of them is not there, has no schedule, or none can be read: that is a mistake of whoever starts the loop. Two
    /// jobs have one name.
    pub(super) fn open(context: &Context, paths: &[PathBuf]) -> Result<Self, Failure> {
        let mut files = Self { context: context.clone(), files: Vec::new() };
        let mut last = None;
        for path in paths {
            let was = size_and_modified(path);
            let read = files.read(path);
            match read {
                Ok(first) => {
                    let same = |file: &&JobFile| file.first.as_ref().is_some_and(|(one, _)| one.name == first.0.name);
                    if let Some(other) = files.files.iter().find(same) {
                        let (one, two) = (other.path.display(), path.display());
                        let message = format!("`{one}` and `{two}` are both called `{}`", first.0.name);
                        return Err(Failure::Usage(message, "give the jobs names that differ".to_owned()));
                    }
                    files.files.push(JobFile { path: path.clone(), was, wrong: None, first: Some(first) });
                }
                Err(failure @ Failure::Usage(..)) => return Err(failure),
                Err(failure) => {
                    files.files.push(JobFile { path: path.clone(), was: None, wrong: None, first: None });
                    last = Some(failure);
                }
            }
        }
        match last {
            Some(failure) if files.files.iter().all(|file| file.first.is_none()) => Err(failure),
            _ => Ok(files),
        }
    }

    /// Looks whether the file of `job` is another one by now.
    pub(super) fn look(&mut self, job: usize) -> Looked {
        if let Some((plan, last)) = self.files[job].first.take() {
            return Looked::Read(Box::new(plan), last);
        }
        let file = &self.files[job];
        let now = size_and_modified(&file.path);
        if file.wrong.is_none() && now.is_some() && file.was == now {
            return Looked::Same;
        }
        let read = self.read(&file.path);
        let file = &mut self.files[job];
        match read {
            Ok((plan, last)) => {
                (file.was, file.wrong) = (now, None);
                Looked::Read(Box::new(plan), last)
            }
            Err(failure) => {
                let why = failure.render(false);
                file.was = None;
                match file.wrong.replace(why.clone()) {
                    Some(before) if before == why => Looked::StillUnusable,
                    _ => Looked::Unusable(why),
                }
            }
        }
    }

    /// The file of `job`.
    pub(super) fn path(&self, job: usize) -> &Path {
        &self.files[job].path
    }

    fn read(&self, path: &Path) -> Result<(Plan, Option<i64>), Failure> {
        let job = Job::open(&self.context, path)?;
        let schedule = job.schedule().ok_or_else(|| without_schedule(path))?;
        // What was missed is not known where the reports cannot be read: then nothing is made up for.
        let last = starts::last(job.report_dir(), job.name())
            .inspect_err(|error| self.context.note(&format!("warning: job `{}`: {error}", job.name())))
            .unwrap_or_default();
        Ok((Plan { name: job.name().to_owned(), schedule }, last))
    }
}

/// Length and time of the last change of a file; `None` where it is not there.
fn size_and_modified(path: &Path) -> Option<(u64, SystemTime)> {
    let metadata = fs::metadata(path).ok()?;
    Some((metadata.len(), metadata.modified().ok()?))
}

/// That a job has no schedule.
pub(crate) fn without_schedule(path: &Path) -> Failure {
    let help = "write `[schedule]` and for instance cron = \"30 18 * * MON-FRI\" in it";
    Failure::Usage(format!("the job `{}` has no schedule", path.display()), help.to_owned())
}
