//! `barkeep quarantine`: what was moved, put back, written down, or erased when it is old.

use std::path::Path;

use serde_json::json;

use super::apply::ask;
use super::args::{Global, QuarantineCommand, SureArgs, WhichArgs};
use super::events::context;
use super::output::Output;
use crate::quarantine::item::{Item, Which};
use crate::run::shell::{typed, typed_word};
use crate::run::{Exit, Failure, Job, JobQuarantine, Purge, Restored, Stop};
use crate::schema::moment::{Moment, parse_duration};
use crate::text::escape::{shortened, visible};
use crate::text::numbers::{counted, thousands};
use crate::text::utc::UtcMicros;

/// A quarantine that was opened, and what shows it.
struct Shown<'a> {
    /// The job file as it was named.
    path: &'a Path,
    job: &'a Job,
    store: &'a JobQuarantine,
    output: &'a mut Output,
}

/// Runs the command.
pub(crate) async fn run(global: &Global, command: QuarantineCommand, output: &mut Output) -> Result<Exit, Failure> {
    let path = match &command {
        QuarantineCommand::List { job, .. }
        | QuarantineCommand::Show { job, .. }
        | QuarantineCommand::Restore { job, .. }
        | QuarantineCommand::Export { job, .. }
        | QuarantineCommand::Purge { job, .. } => job.clone(),
    };
    let job = Job::open(&context(global, Stop::never()), &path)?;
    let store = job.quarantine().await?;
    let ended = Shown { path: &path, job: &job, store: &store, output }.run(command).await;
    store.close().await;
    ended
}

impl Shown<'_> {
    async fn run(&mut self, command: QuarantineCommand) -> Result<Exit, Failure> {
        match command {
            QuarantineCommand::List { which, limit, .. } => self.list(&chosen(&which, Vec::new())?, limit).await,
            QuarantineCommand::Show { id, .. } => self.show(&id).await,
            QuarantineCommand::Restore { ids, which, late, sure, .. } => {
                let which = chosen(&which, ids)?;
                match (late, is_choice(&which)) {
                    (true, false) => self.restore_late(&sure),
                    (false, true) => self.restore(&which, &sure).await,
                    (true, true) => {
                        let problem = "`--late` brings rows back that came to replaced files, whatever items there are";
                        Err(Failure::Usage(problem.to_owned(), "use it alone".to_owned()))
                    }
                    (false, false) => {
                        let help = "name items, or `--run`, `--rule`, `--series`, `--since`";
                        Err(Failure::Usage("nothing is chosen to be put back".to_owned(), help.to_owned()))
                    }
                }
            }
            QuarantineCommand::Export { output: file, which, .. } => {
                let rows = self.store.export(&chosen(&which, Vec::new())?, &file).await?;
                self.output.line(&match self.output.is_json() {
                    true => json!({ "type": "export", "file": file.display().to_string(), "rows": rows }).to_string(),
                    false => format!("{} in {}", counted(rows, "row"), file.display()),
                })?;
                Ok(Exit::Ok)
            }
            QuarantineCommand::Purge { older_than, sure, .. } => self.purge(&older_than, &sure).await,
        }
    }

    async fn list(&mut self, which: &Which, limit: usize) -> Result<Exit, Failure> {
        let items = self.store.list(which).await?;
        let Self { job, output, .. } = self;
        if output.is_json() {
            for item in &items {
                output.line(&object(item).to_string())?;
            }
            return Ok(Exit::Ok);
        }
        for item in items.iter().take(limit) {
            let rules: Vec<&str> = item.reasons.iter().map(|reason| reason.id.as_str()).collect();
            output.line(&format!(
                "{}  {:<12}  {}  {:<20} {:<18} {:<24} {}",
                &item.id[..item.id.len().min(12)],
                item.state.as_str(),
                UtcMicros(item.at),
                shortened(&item.series, 20),
                timestamp(item, job),
                shortened(&rules.join(","), 24),
                visible(&item.locator)
            ))?;
        }
        let rest = items.len().saturating_sub(limit);
        let all = counted(items.len() as u64, "row");
        output.line(&match (items.len(), rest) {
            (0, _) => "nothing is in quarantine".to_owned(),
            (_, 0) => all,
            (_, rest) => {
                format!("{all}, {} not shown; --limit N shows more, --format ndjson all", thousands(rest as u64))
            }
        })?;
        Ok(Exit::Ok)
    }

    async fn show(&mut self, id: &str) -> Result<Exit, Failure> {
        let (item, row) = self.store.show(id).await?;
        let Self { job, output, .. } = self;
        if output.is_json() {
            let mut value = object(&item);
            value["row"] = row.into();
            output.line(&value.to_string())?;
            return Ok(Exit::Ok);
        }
        output.line(&format!("item     {}", item.id))?;
        output.line(&format!("state    {} by run {} of plan {}", item.state.as_str(), item.run_id, item.plan_id))?;
        output.line(&format!("at       {}, kept until {}", UtcMicros(item.at), UtcMicros(item.expires_at)))?;
        if let Some(restored_at) = item.restored_at {
            output.line(&format!("restored {}", UtcMicros(restored_at)))?;
        }
        output.line(&format!("source   {} {}", visible(&item.source), visible(&item.locator)))?;
        output.line(&format!("bar      {} {}", visible(&item.series), timestamp(&item, job)))?;
        for reason in &item.reasons {
            let why = reason.why.as_deref().map(|why| format!(": {}", visible(why))).unwrap_or_default();
            output.line(&format!("rule     {}{why}", visible(&reason.id)))?;
        }
        output.line(&format!("sha256   {}", item.sha256))?;
        output.line(&format!("row      {}", visible(&row)))?;
        Ok(Exit::Ok)
    }

    async fn restore(&mut self, which: &Which, asked: &SureArgs) -> Result<Exit, Failure> {
        let found = self.store.restorable(which).await?;
        let rows = found.would.back;
        if asked.dry_run || (rows == 0 && found.would.already_there == 0) {
            let would = &found.would;
            self.output.line(&match self.output.is_json() {
                true => json!({
                    "type": "restore", "dry_run": true, "rows": rows, "already_there": would.already_there,
                    "conflicts": would.conflicts, "failed": would.failed,
                })
                .to_string(),
                false => format!("{} would go back; nothing was changed", counted(rows, "row")),
            })?;
            return self.show_rest(would);
        }
        // Rows that are there already are the person's from now on; nothing has to go back for that.
        if rows > 0 {
            let command = same_command(self.path, &found.which);
            sure(asked, &format!("{} would go back", counted(rows, "row")), rows, &command)?;
        }
        let restored = self.store.restore(&found).await?;
        self.output.line(&match self.output.is_json() {
            true => json!({
                "type": "restore", "dry_run": false, "rows": rows, "restored": restored.back,
                "already_there": restored.already_there, "conflicts": restored.conflicts, "failed": restored.failed,
            })
            .to_string(),
            false => format!(
                "{} back, {} {} there already, {}",
                counted_verb(restored.back),
                thousands(restored.already_there),
                was(restored.already_there),
                counted(restored.conflicts.len() as u64, "conflict")
            ),
        })?;
        let exit = self.show_rest(&restored)?;
        restored.late.map_or(Ok(exit), Err)
    }

    /// Shows which rows could not be put back, and why; they decide the exit code.
    fn show_rest(&mut self, restored: &Restored) -> Result<Exit, Failure> {
        if !self.output.is_json() {
            for (id, reason) in &restored.conflicts {
                self.output.line(&format!("conflict {id}: {}", visible(reason)))?;
            }
            for problem in &restored.failed {
                self.output.line(&format!("left out: {}", visible(problem)))?;
            }
        }
        Ok(match (restored.failed.is_empty(), restored.conflicts.is_empty()) {
            (false, _) => Exit::Broken,
            (true, false) => Exit::Findings,
            (true, true) => Exit::Ok,
        })
    }

    /// Brings rows back that came to files after they had been replaced.
    fn restore_late(&mut self, asked: &SureArgs) -> Result<Exit, Failure> {
        let mut found = self.store.restorable_late()?;
        let rows = found.rows;
        let really = rows > 0 && !asked.dry_run;
        if really {
            let command = format!("barkeep quarantine restore {} --late", typed(self.path));
            sure(asked, &format!("{} would go back", counted(rows, "late row")), rows, &command)?;
            found = self.store.restore_late()?;
        }
        let conflicts: Vec<String> =
            found.conflict.iter().map(|(path, reason)| format!("`{}`: {reason}", path.display())).collect();
        let restored = if really { found.rows } else { 0 };
        self.output.line(&match (self.output.is_json(), really) {
            (true, _) => json!({
                "type": "restore", "late": true, "dry_run": !really, "rows": rows, "restored": restored,
                "conflicts": conflicts,
            })
            .to_string(),
            (false, true) => format!("{} back", counted_verb(found.rows)),
            (false, false) => format!("{} would go back; nothing was changed", counted(rows, "late row")),
        })?;
        if !self.output.is_json() {
            for conflict in &conflicts {
                self.output.line(&format!("conflict {}", visible(conflict)))?;
            }
        }
        Ok(if conflicts.is_empty() { Exit::Ok } else { Exit::Findings })
    }

    async fn purge(&mut self, older_than: &str, asked: &SureArgs) -> Result<Exit, Failure> {
        let wrong =
            |problem: String| Failure::Usage(format!("--older-than: {problem}"), "e.g. `--older-than 30d`".to_owned());
        let found = self.store.purgeable(parse_duration(older_than).map_err(wrong)?).await?;
        let (rows, originals) = (found.would.rows, found.would.originals);
        if (rows == 0 && originals == 0) || asked.dry_run {
            return self.show_purge((rows, originals), (0, 0), &found.would);
        }
        let command = format!("barkeep quarantine purge {} --older-than {older_than}", typed(self.path));
        if asked.confirm.is_none()
            && let Some(doubt) = self.store.clock_doubt()?
        {
            let help = format!("set the clock, or, where it is right: {command} --confirm {rows}");
            return Err(Failure::Refused(format!("nothing is erased: {doubt}"), help));
        }
        let mut what = counted(rows, "row");
        if originals > 0 {
            what.push_str(&format!(" and {}", counted(originals, "whole original")));
        }
        sure(asked, &format!("{what} would be erased for good"), rows, &command)?;
        let purged = self.store.purge(&found).await?;
        self.show_purge((rows, originals), (purged.rows, purged.originals), &purged)
    }

    /// Shows how many of the rows and whole files that were found are erased, and what is kept.
    fn show_purge(
        &mut self,
        (rows, originals): (u64, u64),
        (purged, erased): (u64, u64),
        purge: &Purge,
    ) -> Result<Exit, Failure> {
        self.output.line(&match self.output.is_json() {
            true => json!({
                "type": "purge", "rows": rows, "purged": purged, "kept": purge.kept, "originals": originals,
                "originals_purged": erased, "bytes": purge.bytes, "refused": purge.refused,
            })
            .to_string(),
            false => {
                let files = match originals {
                    0 => String::new(),
                    _ => format!(" and {erased} of {}", counted(originals, "whole original")),
                };
                let kept = match purge.kept {
                    1 => "1 more is".to_owned(),
                    kept => format!("{} more are", thousands(kept)),
                };
                format!(
                    "{} of {}{files} {} erased; {kept} that old and still to be kept ({})",
                    thousands(purged),
                    counted(rows, "row"),
                    was(rows.max(originals)),
                    self.store.why_kept()
                )
            }
        })?;
        if !self.output.is_json() {
            for refused in &purge.refused {
                self.output.line(&format!("left alone: {}", visible(refused)))?;
            }
        }
        Ok(if purge.refused.is_empty() { Exit::Ok } else { Exit::Broken })
    }
}

/// The items that the flags choose, and those with these names.
fn chosen(args: &WhichArgs, ids: Vec<String>) -> Result<Which, Failure> {
    let wrong = |problem: String| Failure::Usage(format!("--since: {problem}"), "e.g. `--since 2026-11-20`".to_owned());
    let since = args.since.as_deref().map(|text| Moment::parse(text).and_then(|m| m.resolve(chrono_tz::UTC, false)));
    let since = since.transpose().map_err(wrong)?;
    let WhichArgs { run, rule, series, .. } = args.clone();
    Ok(Which { ids, run, rule, series, since })
}

fn is_choice(which: &Which) -> bool {
    let Which { ids, run, rule, series, since } = which;
    !ids.is_empty() || [run, rule, series].iter().any(|name| name.is_some()) || since.is_some()
}

/// The command line that puts the same items back.
fn same_command(path: &Path, which: &Which) -> String {
    let mut command = format!("barkeep quarantine restore {}", typed(path));
    for id in &which.ids {
        command.push_str(&format!(" {}", typed_word(id.as_ref())));
    }
    let since = which.since.map(|since| UtcMicros(since).to_string());
    let flags = [("run", &which.run), ("rule", &which.rule), ("series", &which.series), ("since", &since)];
    for (flag, value) in flags {
        if let Some(value) = value {
            let between = if value.starts_with('-') { '=' } else { ' ' };
            command.push_str(&format!(" --{flag}{between}{}", typed_word(value.as_ref())));
        }
    }
    command
}

fn timestamp(item: &Item, job: &Job) -> String {
    item.time.map_or_else(|| "no timestamp".to_owned(), |time| UtcMicros(time).timestamp(job.is_daily()))
}

fn object(item: &Item) -> serde_json::Value {
    json!({
        "type": "item", "id": item.id, "state": item.state, "action": item.action, "at": UtcMicros(item.at), "restored_at": item.restored_at.map(UtcMicros),
        "expires_at": UtcMicros(item.expires_at), "source": item.source, "locator": item.locator,
        "sha256": item.sha256, "series": item.series, "time": item.time.map(UtcMicros), "rules": item.reasons,
        "run_id": item.run_id, "plan_id": item.plan_id,
    })
}

/// Wants the word of a person, or says how to give it.
fn sure(sure: &SureArgs, what: &str, rows: u64, command: &str) -> Result<(), Failure> {
    let command = format!("{command} --confirm {rows}");
    match sure.confirm {
        Some(given) if given == rows => Ok(()),
        Some(given) => Err(Failure::Refused(
            format!("{what}, and `--confirm` says {given}"),
            format!("look again, then: {command}"),
        )),
        None => ask(what, rows, &command),
    }
}

fn was(rows: u64) -> &'static str {
    if rows == 1 { "was" } else { "were" }
}

fn counted_verb(rows: u64) -> String {
    format!("{} {}", counted(rows, "row"), if rows == 1 { "is" } else { "are" })
}
