//! `barkeep quarantine`: what was moved, put back, written down, or erased when it is old.

mod export;
mod which;

use std::path::Path;
use std::sync::Arc;

use chrono::Utc;
use serde_json::json;

use super::apply::ask;
use super::args::{QuarantineCommand, SureArgs};
use super::output::{Output, message};
use crate::config::Loaded;
use crate::quarantine::item::{Item, Which};
use crate::report::run_id::RunId;
use crate::run::load::load;
use crate::run::quarantine::{Quarantine, Restored};
use crate::run::shell::typed;
use crate::run::source;
use crate::run::{Exit, Failure};
use crate::schema::moment::parse_duration;
use crate::text::escape::{shortened, visible};
use crate::text::numbers::{counted, thousands};
use crate::text::utc::UtcMicros;
use which::{again, of, resolved};

/// Runs the command.
pub(crate) async fn run(command: QuarantineCommand, output: &mut Output) -> Result<Exit, Failure> {
    let path = match &command {
        QuarantineCommand::List { job, .. }
        | QuarantineCommand::Show { job, .. }
        | QuarantineCommand::Restore { job, .. }
        | QuarantineCommand::Export { job, .. }
        | QuarantineCommand::Purge { job, .. } => job.clone(),
    };
    let loaded = Arc::new(load(&path)?);
    let store = source::of_job(&loaded).quarantine().await?;
    let ended = in_store(command, &path, &loaded, &*store, output).await;
    store.close().await;
    ended
}

async fn in_store(
    command: QuarantineCommand,
    path: &Path,
    loaded: &Loaded,
    store: &dyn Quarantine,
    output: &mut Output,
) -> Result<Exit, Failure> {
    match command {
        QuarantineCommand::List { which, limit, .. } => {
            let (which, _) = resolved(store, loaded, &which).await?;
            list(store, &of(&which, Vec::new())?, limit, loaded, output).await
        }
        QuarantineCommand::Show { id, .. } => show(store, &id, loaded, output).await,
        QuarantineCommand::Restore { ids, which, late, sure, .. } => {
            let chosen = !ids.is_empty() || which.run.is_some() || which.rule.is_some() || which.series.is_some();
            let chosen = chosen || which.since.is_some();
            if late && chosen {
                let problem = "`--late` brings rows back that came to replaced files, whatever items there are";
                return Err(Failure::Usage(problem.to_owned(), "use it alone".to_owned()));
            }
            if late {
                return restore_late(store, path, &sure, loaded, output);
            }
            if !chosen {
                let help = "name items, or `--run`, `--rule`, `--series`, `--since`";
                return Err(Failure::Usage("nothing is chosen to be put back".to_owned(), help.to_owned()));
            }
            let (which, moved) = resolved(store, loaded, &which).await?;
            moved.map_or(Ok(()), |moved| moved.some(path))?;
            let command = again(path, &ids, &which);
            restore(store, &of(&which, ids)?, &sure, &command, loaded, output).await
        }
        QuarantineCommand::Export { output: file, which, .. } => {
            let (which, _) = resolved(store, loaded, &which).await?;
            let items = store.items(&of(&which, Vec::new())?, true, &message).await?;
            export::write(&file, &items, |item| store.text(item))?;
            let rows = items.len();
            output.line(&match output.is_json() {
                true => json!({ "type": "export", "file": file.display().to_string(), "rows": rows }).to_string(),
                false => format!("{} in {}", counted(rows as u64, "row"), file.display()),
            })?;
            Ok(Exit::Ok)
        }
        QuarantineCommand::Purge { older_than, sure, .. } => {
            purge(store, &older_than, &sure, path, loaded, output).await
        }
    }
}

async fn list(
    store: &dyn Quarantine,
    which: &Which,
    limit: usize,
    loaded: &Loaded,
    output: &mut Output,
) -> Result<Exit, Failure> {
    let items = store.items(which, false, &message).await?;
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
            timestamp(item, loaded),
            shortened(&rules.join(","), 24),
            visible(&item.locator)
        ))?;
    }
    let rest = items.len().saturating_sub(limit);
    let all = counted(items.len() as u64, "row");
    output.line(&match (items.len(), rest) {
        (0, _) => "nothing is in quarantine".to_owned(),
        (_, 0) => all,
        (_, rest) => format!("{all}, {} not shown; --limit N shows more, --format ndjson all", thousands(rest as u64)),
    })?;
    Ok(Exit::Ok)
}

fn timestamp(item: &Item, loaded: &Loaded) -> String {
    let daily = loaded.job.bars.interval.is_daily_or_longer();
    item.time.map_or_else(|| "no timestamp".to_owned(), |time| UtcMicros(time).timestamp(daily))
}

fn object(item: &Item) -> serde_json::Value {
    json!({
        "type": "item", "id": item.id, "state": item.state, "action": item.action, "at": UtcMicros(item.at),
        "expires_at": UtcMicros(item.expires_at), "source": item.source, "locator": item.locator,
        "sha256": item.sha256, "series": item.series, "time": item.time.map(UtcMicros), "rules": item.reasons,
        "run_id": item.run_id, "plan_id": item.plan_id,
    })
}

async fn show(store: &dyn Quarantine, id: &str, loaded: &Loaded, output: &mut Output) -> Result<Exit, Failure> {
    let which = Which { ids: vec![id.to_owned()], ..Which::default() };
    let items = store.items(&which, true, &message).await?;
    let item = match items.as_slice() {
        [item] => item,
        [] => {
            let help = "`barkeep quarantine list JOB` names what there is";
            return Err(Failure::Usage(format!("no item is called `{id}`"), help.to_owned()));
        }
        several => {
            let problem = format!("`{id}` is the beginning of {} items", several.len());
            return Err(Failure::Usage(problem, "write more digits".to_owned()));
        }
    };
    let row = store.text(item);
    if output.is_json() {
        let mut value = object(item);
        value["row"] = row.into();
        output.line(&value.to_string())?;
        return Ok(Exit::Ok);
    }
    output.line(&format!("item     {}", item.id))?;
    output.line(&format!("state    {} by run {} of plan {}", item.state.as_str(), item.run_id, item.plan_id))?;
    output.line(&format!("at       {}, kept until {}", UtcMicros(item.at), UtcMicros(item.expires_at)))?;
    output.line(&format!("source   {} {}", visible(&item.source), visible(&item.locator)))?;
    output.line(&format!("bar      {} {}", visible(&item.series), timestamp(item, loaded)))?;
    for reason in &item.reasons {
        let why = reason.why.as_deref().map(|why| format!(": {}", visible(why))).unwrap_or_default();
        output.line(&format!("rule     {}{why}", visible(&reason.id)))?;
    }
    output.line(&format!("sha256   {}", item.sha256))?;
    output.line(&format!("row      {}", visible(&row)))?;
    Ok(Exit::Ok)
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

async fn restore(
    store: &dyn Quarantine,
    which: &Which,
    asked: &SureArgs,
    command: &str,
    loaded: &Loaded,
    output: &mut Output,
) -> Result<Exit, Failure> {
    let items = store.restorable(store.items(which, false, &message).await?).await?;
    let run = RunId::new(Utc::now(), std::process::id(), &loaded.job.name);
    let would = store.restore(&items, true, run.as_str()).await?;
    let rows = would.back;
    if asked.dry_run || (rows == 0 && would.already_there == 0) {
        output.line(&match output.is_json() {
            true => json!({
                "type": "restore", "dry_run": true, "rows": rows, "already_there": would.already_there,
                "conflicts": would.conflicts, "failed": would.failed,
            })
            .to_string(),
            false => format!("{} would go back; nothing was changed", counted(rows, "row")),
        })?;
        return tell_rest(&would, output);
    }
    // Rows that are there already are the person's from now on; nothing has to go back for that.
    if rows > 0 {
        sure(asked, &format!("{} would go back", counted(rows, "row")), rows, command)?;
    }
    let reported = store.restore(&items, false, run.as_str()).await?;
    if output.is_json() {
        let value = json!({
            "type": "restore", "dry_run": false, "rows": rows, "restored": reported.back,
            "already_there": reported.already_there, "conflicts": reported.conflicts, "failed": reported.failed,
        });
        output.line(&value.to_string())?;
    } else {
        output.line(&format!(
            "{} back, {} {} there already, {}",
            counted_verb(reported.back),
            thousands(reported.already_there),
            was(reported.already_there),
            counted(reported.conflicts.len() as u64, "conflict")
        ))?;
    }
    let exit = tell_rest(&reported, output)?;
    // Files were replaced for it, and somebody may have been writing to one.
    match if reported.back > 0 { store.late_by_now()? } else { None } {
        Some(late) => Err(late),
        None => Ok(exit),
    }
}

fn was(rows: u64) -> &'static str {
    if rows == 1 { "was" } else { "were" }
}

fn counted_verb(rows: u64) -> String {
    format!("{} {}", counted(rows, "row"), if rows == 1 { "is" } else { "are" })
}

/// Tells which rows could not be put back, and why; they decide the exit code.
fn tell_rest(reported: &Restored, output: &mut Output) -> Result<Exit, Failure> {
    if !output.is_json() {
        for (id, reason) in &reported.conflicts {
            output.line(&format!("conflict {id}: {}", visible(reason)))?;
        }
        for problem in &reported.failed {
            output.line(&format!("left out: {}", visible(problem)))?;
        }
    }
    Ok(match (reported.failed.is_empty(), reported.conflicts.is_empty()) {
        (false, _) => Exit::Broken,
        (true, false) => Exit::Findings,
        (true, true) => Exit::Ok,
    })
}

/// Brings rows back that came to files after they had been replaced.
fn restore_late(
    store: &dyn Quarantine,
    path: &Path,
    asked: &SureArgs,
    loaded: &Loaded,
    output: &mut Output,
) -> Result<Exit, Failure> {
    let run = RunId::new(Utc::now(), std::process::id(), &loaded.job.name);
    let mut reported = store.restore_late(true, run.as_str())?;
    let rows = reported.rows;
    let really = rows > 0 && !asked.dry_run;
    if really {
        let command = format!("barkeep quarantine restore {} --late", typed(path));
        sure(asked, &format!("{} would go back", counted(rows, "late row")), rows, &command)?;
        reported = store.restore_late(false, run.as_str())?;
    }
    let conflicts: Vec<String> =
        reported.conflict.iter().map(|(path, reason)| format!("`{}`: {reason}", path.display())).collect();
    output.line(&match (output.is_json(), really) {
        (true, _) => json!({
            "type": "restore", "late": true, "dry_run": !really, "rows": rows, "restored": if really { reported.rows } else { 0 },
            "conflicts": conflicts,
        })
        .to_string(),
        (false, true) => format!("{} back", counted_verb(reported.rows)),
        (false, false) => format!("{} would go back; nothing was changed", counted(rows, "late row")),
    })?;
    if !output.is_json() {
        for conflict in &conflicts {
            output.line(&format!("conflict {}", visible(conflict)))?;
        }
    }
    Ok(if conflicts.is_empty() { Exit::Ok } else { Exit::Findings })
}

async fn purge(
    store: &dyn Quarantine,
    older_than: &str,
    asked: &SureArgs,
    path: &Path,
    loaded: &Loaded,
    output: &mut Output,
) -> Result<Exit, Failure> {
    let span = parse_duration(older_than);
    let span = span
        .map_err(|problem| Failure::Usage(format!("--older-than: {problem}"), "e.g. `--older-than 30d`".to_owned()))?;
    let before = (Utc::now() - span).timestamp_micros();
    let mut reported = store.purgeable(before).await?;
    let (rows, originals) = (reported.rows, reported.originals);
    let (mut purged, mut erased) = (0, 0);
    if (rows > 0 || originals > 0) && !asked.dry_run {
        let command = format!("barkeep quarantine purge {} --older-than {older_than}", typed(path));
        if asked.confirm.is_none()
            && let Some(doubt) = store.clock_doubt()?
        {
            let help = format!("set the clock, or, where it is right: {command} --confirm {rows}");
            return Err(Failure::Refused(format!("nothing is erased: {doubt}"), help));
        }
        let mut what = counted(rows, "row");
        if originals > 0 {
            what.push_str(&format!(" and {}", counted(originals, "whole original")));
        }
        sure(asked, &format!("{what} would be erased for good"), rows, &command)?;
        let run = RunId::new(Utc::now(), std::process::id(), &loaded.job.name);
        reported = store.purge(before, run.as_str()).await?;
        (purged, erased) = (reported.rows, reported.originals);
    }
    output.line(&match output.is_json() {
        true => json!({
            "type": "purge", "rows": rows, "purged": purged, "kept": reported.kept, "originals": originals,
            "originals_purged": erased, "bytes": reported.bytes, "refused": reported.refused,
        })
        .to_string(),
        false => {
            let files = match originals {
                0 => String::new(),
                _ => format!(" and {erased} of {}", counted(originals, "whole original")),
            };
            let kept = match reported.kept {
                1 => "1 more is".to_owned(),
                kept => format!("{} more are", thousands(kept)),
            };
            format!(
                "{} of {}{files} {} erased; {kept} that old and still to be kept ({})",
                thousands(purged),
                counted(rows, "row"),
                was(rows.max(originals)),
                store.why_kept()
            )
        }
    })?;
    if !output.is_json() {
        for refused in &reported.refused {
            output.line(&format!("left alone: {}", visible(refused)))?;
        }
    }
    Ok(if reported.refused.is_empty() { Exit::Ok } else { Exit::Broken })
}
