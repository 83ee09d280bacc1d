//! Which rows in quarantine a person means: flags, names, and the run that moved them.

use std::path::Path;

use crate::cli::args::WhichArgs;
use crate::cli::report::unresolved;
use crate::config::Loaded;
use crate::quarantine::item::Which;
use crate::report::store::resolve_run_of_job;
use crate::run::Failure;
use crate::run::quarantine::Quarantine;
use crate::run::shell::{typed, typed_word};
use crate::schema::moment::Moment;

/// A run that a person named, and what is known in the quarantine.
pub(super) struct Moved {
    /// The run.
    run: String,
    /// Whether rows of it are in the quarantine, in whatever state.
    any: bool,
    /// The newest run with such rows.
    newest: Option<String>,
}

impl Moved {
    /// Fails where the run moved nothing: whoever puts its rows back means another one.
    pub(super) fn some(self, job: &Path) -> Result<(), Failure> {
        if self.any {
            return Ok(());
        }
        let problem = format!("run `{}` moved no row to the quarantine", self.run);
        let job = typed(job);
        let help = match self.newest {
            Some(newest) => format!("the newest run that did is `{newest}`; `barkeep quarantine list {job}` shows all"),
            None => format!("no run of this job did; `barkeep run {job}` moves rows"),
        };
        Err(Failure::Usage(problem, help))
    }
}

/// The choice with the whole id of the run that it names, so that a command typed later means the same run.
pub(super) async fn resolved(
    store: &dyn Quarantine,
    loaded: &Loaded,
    which: &WhichArgs,
) -> Result<(WhichArgs, Option<Moved>), Failure> {
    let Some(asked) = &which.run else { return Ok((which.clone(), None)) };
    // Items that cannot be read are reported where they are listed.
    let items = store.items(&Which::default(), false, &|_| ()).await?;
    let runs = items.iter().map(|item| item.run_id.as_str());
    let newest = runs.clone().max().map(str::to_owned);
    let dir = &loaded.job.report_dir.resolved;
    let run = resolve_run_of_job(dir, &loaded.job.name, runs.clone(), asked).map_err(unresolved)?;
    let any = runs.into_iter().any(|of_item| of_item == run);
    let which = WhichArgs { run: Some(run.clone()), ..which.clone() };
    Ok((which, Some(Moved { run, any, newest })))
}

/// The items that the flags choose, and those with these names.
pub(super) fn of(args: &WhichArgs, ids: Vec<String>) -> Result<Which, Failure> {
    let wrong = |problem: String| Failure::Usage(format!("--since: {problem}"), "e.g. `--since 2026-11-20`".to_owned());
    let since = args.since.as_deref().map(|text| Moment::parse(text).and_then(|m| m.resolve(chrono_tz::UTC, false)));
    let since = since.transpose().map_err(wrong)?;
    let WhichArgs { run, rule, series, .. } = args.clone();
    Ok(Which { ids, run, rule, series, since })
}

/// The command line that says the same once more.
pub(super) fn again(path: &Path, ids: &[String], which: &WhichArgs) -> String {
    let mut command = format!("barkeep quarantine restore {}", typed(path));
    for id in ids {
        command.push_str(&format!(" {}", typed_word(id.as_ref())));
    }
    let flags = [("run", &which.run), ("rule", &which.rule), ("series", &which.series), ("since", &which.since)];
    for (flag, value) in flags {
        if let Some(value) = value {
            let between = if value.starts_with('-') { '=' } else { ' ' };
            command.push_str(&format!(" --{flag}{between}{}", typed_word(value.as_ref())));
        }
    }
    command
}
