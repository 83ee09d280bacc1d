//! `barkeep backfill`: old windows, one after the other.

use super::args::{BackfillArgs, Global, Reprocess};
use super::events::{Held, context, quiet_context};
use super::output::{self, Output, message};
use super::signals;
use crate::report::render::pairs_line;
use crate::report::run::RunStatus;
use crate::report::summary::Summary;
use crate::run::shell::typed;
use crate::run::{self, BackfillOptions, Exit, Failure, Job, RunResult};
use crate::schema::moment::{Moment, parse_duration};
use crate::text::numbers::counted;

/// How the windows of a backfill ended.
#[derive(Debug, Default)]
struct Count {
    done_before: u64,
    ok: u64,
    findings: u64,
    failed: u64,
    skipped: u64,
    left: u64,
}

/// Runs the command.
pub(crate) async fn backfill(global: &Global, args: &BackfillArgs, output: &mut Output) -> Result<Exit, Failure> {
    let options = options(args)?;
    let stop = signals::listen()?;
    let (context, held) =
        if args.quiet { quiet_context(global, stop) } else { (context(global, stop), Held::default()) };
    let backfill = Job::open(&context, &args.job)?.backfill(options).await?;
    let windows = backfill.windows();
    let due: Vec<_> = windows.iter().filter(|window| window.due).collect();
    let mut count = Count { left: due.len() as u64, ..Count::default() };
    count.done_before = (windows.len() - due.len()) as u64;
    let (mut exit, mut stopped) = (Exit::Ok, None);
    for (at, window) in due.iter().enumerate() {
        let head = format!("{} of {}   {}", at + 1, due.len(), backfill.shown(window));
        let ended = backfill.run(window).await;
        let silent = args.quiet && ended.as_ref().is_ok_and(|result| result.exit == Exit::Ok);
        held.take().iter().filter(|_| !silent).for_each(|text| message(text));
        if !silent {
            message(&format!("{head}   {}", line(&ended)));
        }
        let failure = match ended {
            Ok(RunResult { summary, exit: ended, failure, .. }) => {
                if output.is_json() {
                    output.line(&output::summary(&summary)?)?;
                }
                count.ended(&summary, ended);
                exit = exit.worst(ended);
                failure
            }
            Err(failure) => {
                count.failed += u64::from(!matches!(failure, Failure::Stopped { .. }));
                count.left -= u64::from(!matches!(failure, Failure::Stopped { .. }));
                Some(failure)
            }
        };
        match failure {
            Some(failure @ Failure::Stopped { .. }) => stopped = Some(failure),
            Some(failure) => {
                exit = exit.worst(failure.exit());
                output.failure(&failure, Some(&args.job))?;
                // What is wrong with a file or held by another run is so for the next window, too.
                if matches!(failure.exit(), Exit::Usage | Exit::Locked) {
                    break;
                }
            }
            None => {}
        }
        // A signal that came while a report was written ends the command after that report.
        if let Some(number) = context.stop.signal() {
            stopped.get_or_insert_with(|| context.stop.stopped(number));
        }
        if stopped.is_some() {
            break;
        }
    }
    if !(args.quiet && exit == Exit::Ok && stopped.is_none()) || output.is_json() {
        show(&count, stopped.as_ref().map_or(exit, |failure| exit.worst(failure.exit())), args, output)?;
    }
    stopped.map_or(Ok(exit), Err)
}

impl Count {
    /// Takes note of a window whose run was reported.
    fn ended(&mut self, summary: &Summary, exit: Exit) {
        if matches!(exit, Exit::Signal(_)) {
            return;
        }
        self.left -= 1;
        *match (summary.status, exit) {
            (RunStatus::Skipped, _) => &mut self.skipped,
            (_, Exit::Ok) => &mut self.ok,
            (_, Exit::Findings) => &mut self.findings,
            _ => &mut self.failed,
        } += 1;
    }

    fn pairs(&self) -> [(&'static str, u64); 6] {
        [
            ("done_before", self.done_before),
            ("ok", self.ok),
            ("findings", self.findings),
            ("failed", self.failed),
            ("skipped", self.skipped),
            ("left", self.left),
        ]
    }
}

fn options(args: &BackfillArgs) -> Result<BackfillOptions, Failure> {
    let wrong = |flag: &str, problem: String| {
        Failure::Usage(format!("{flag}: {problem}"), "see `barkeep backfill --help`".to_owned())
    };
    let moment = |flag: &str, text: &str| Moment::parse(text).map_err(|problem| wrong(flag, problem));
    let step = args.step.as_deref().map(parse_duration).transpose();
    Ok(BackfillOptions {
        since: moment("--since", &args.since)?,
        until: moment("--until", &args.until)?,
        step: step.map_err(|problem| wrong("--step", problem))?,
        reprocess: args.reprocess.into(),
        fail_on: args.fail_on.map(Into::into),
        if_locked: args.if_locked.into(),
        as_of: args.as_of.as_deref().map(|text| moment("--as-of", text)).transpose()?,
    })
}

/// How a window ended, in a line.
fn line(ended: &Result<RunResult, Failure>) -> String {
    let summary = match ended {
        Ok(result) => &result.summary,
        Err(failure) => return failure.exit().name().to_owned(),
    };
    let found = summary.findings.error + summary.findings.warn + summary.findings.info;
    let removed = summary.actions.get("removed").copied().unwrap_or_default();
    format!(
        "{}   {}   {}   {removed} moved   {:.1} s",
        summary.status,
        counted(summary.rows.read, "row"),
        counted(found, "finding"),
        summary.elapsed()
    )
}

/// What became of all windows.
fn show(count: &Count, exit: Exit, args: &BackfillArgs, output: &mut Output) -> Result<(), Failure> {
    let windows = count.pairs().iter().map(|(_, count)| count).sum::<u64>();
    if output.is_json() {
        let mut object = serde_json::json!({ "type": "backfill", "windows": windows });
        count.pairs().iter().for_each(|(name, count)| object[*name] = (*count).into());
        return Ok(output.line(&object.to_string())?);
    }
    if output.terminal() {
        let some = count.pairs().into_iter().filter(|(_, count)| *count > 0);
        let some: Vec<String> = some.map(|(name, count)| format!("{count} {}", name.replace('_', " "))).collect();
        output.line(&format!("{}: {}", counted(windows, "window"), some.join(", ")))?;
    } else {
        let mut pairs = vec![("windows", windows.to_string())];
        pairs.extend(count.pairs().map(|(name, count)| (name, count.to_string())));
        pairs.push(("exit", exit.code().to_string()));
        output.line(&pairs_line(&pairs))?;
    }
    if count.failed + count.left + count.skipped > 0 && args.reprocess != Reprocess::All {
        let step = args.step.as_ref().map(|step| format!(" --step {step}")).unwrap_or_default();
        let job = typed(&args.job);
        message(&format!(
            "next: barkeep backfill {job} --since {} --until {}{step}   what is missing or failed",
            args.since, args.until
        ));
    }
    Ok(())
}

impl From<Reprocess> for run::Reprocess {
    fn from(reprocess: Reprocess) -> Self {
        match reprocess {
            Reprocess::Missing => Self::Missing,
            Reprocess::Failed => Self::Failed,
            Reprocess::All => Self::All,
        }
    }
}
