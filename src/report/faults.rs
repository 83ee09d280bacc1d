//! Every call that a report makes of the file system fails once, and a run ends at every call: the report is there as a
//! whole or not at all, and what is left behind goes with the next run.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use super::collector::Collector;
use super::error::ReportError;
use super::history::Previous;
use super::retention;
use super::run::{ActionRow, Outcome, RunStatus};
use super::summary::Summary;
use super::tables::{Table, summary};
use super::testing::{OHLC, finding_id, meta, one_series, program, texts};
use crate::decide::Action;
use crate::durable::Disk;
use crate::durable::faulty::{disk, every_call};
use crate::durable::simulated::{Crash, World};
use crate::text::utc::UtcMicros;

const DIR: &str = "/data/reports";
/// What a whole report is, in the order of its names.
const WHOLE: [&str; 6] = ["actions", "findings", "pages", "rule_results", "runs", "series_metrics"];

/// The report of the run of `hour`, which found rows and moved one, over a file that others may read too.
fn report(disk: &Disk, hour: u32) -> Result<Summary, ReportError> {
    let source = tempfile::Builder::new().permissions(Permissions::from_mode(0o644)).tempfile().unwrap();
    let files = vec![source.path().to_str().unwrap().to_owned()];
    let mut outcome = Outcome::new(RunStatus::Findings, 1, UtcMicros(0));
    outcome.actions.push(ActionRow {
        finding_ids: vec![finding_id(OHLC, "A", 3)],
        quarantine_id: "q".to_owned(),
        locator: "bars.csv:3".to_owned(),
        action: Action::Quarantine,
        state: "removed".to_owned(),
        sha256: "s".to_owned(),
        at: UtcMicros(0),
        moved_by: None,
    });
    let mut collector = Collector::with_disk(disk, Path::new(DIR), program(), meta(hour), files, Previous::None);
    // As the command does with a run that breaks off.
    if let Err(error) = collector.take(&one_series().batch()) {
        collector.abandon(&Outcome::broken(error.to_string(), 3, UtcMicros(0))).ok();
        return Err(error);
    }
    collector.finish(outcome)
}

/// What can be seen of the run of `hour`: the first folder of each file, below that of the reports.
fn seen(world: &World, hour: u32) -> Vec<String> {
    let run = meta(hour).run_id;
    let of_run = |path: &PathBuf| {
        let inside = path.strip_prefix(DIR).ok()?.to_str()?.to_owned();
        let visible = inside.ends_with(".parquet") || inside.ends_with("/summary.json");
        let hidden = path.file_name()?.to_str()?.starts_with('.');
        (visible && !hidden && inside.contains(run.as_str())).then(|| inside.split('/').next().map(str::to_owned))?
    };
    world.names().iter().filter_map(of_run).collect()
}

/// How the run of `hour` ended, as its row in `runs` says and as its summary does.
fn said(world: &World, hour: u32) -> [String; 2] {
    let copy = tempfile::NamedTempFile::new().unwrap();
    let run = meta(hour).run_id;
    fs::write(copy.path(), world.contents(Table::Runs.file(Path::new(DIR), "demo", &run)).unwrap()).unwrap();
    let reader = ParquetRecordBatchReaderBuilder::try_new(copy.reopen().unwrap()).unwrap().build().unwrap();
    let row = reader.map(Result::unwrap).next().unwrap();
    let json = world.contents(summary(Path::new(DIR), run.as_str())).unwrap();
    let summary: Summary = serde_json::from_slice(&json).unwrap();
    [texts(&row, "status").remove(0), summary.status.to_string()]
}

/// Hidden files, sorted.
fn hidden(world: &World) -> Vec<String> {
    let names = world.names();
    let names = names.iter().filter_map(|path| path.file_name()?.to_str());
    names.filter(|name| name.starts_with('.')).map(str::to_owned).collect()
}

/// Whether every table that can be seen reads.
fn reads(world: &World) -> bool {
    let tables = world.names().into_iter().filter(|path| path.extension().is_some_and(|it| it == "parquet"));
    tables.filter(|path| !path.file_name().unwrap().to_str().unwrap().starts_with('.')).all(|path| {
        let copy = tempfile::NamedTempFile::new().unwrap();
        fs::write(copy.path(), world.contents(path).unwrap()).unwrap();
        let reader = ParquetRecordBatchReaderBuilder::try_new(copy.reopen().unwrap())
            .and_then(ParquetRecordBatchReaderBuilder::build);
        reader.is_ok_and(|mut batches| batches.all(|batch| batch.is_ok()))
    })
}

#[test]
fn a_report_is_whole_or_not_there_whichever_call_fails() {
    let mut all = 0;
    let mut not_durable = 0;
    let failed = every_call(|at, fault| {
        let world = World::new(7);
        world.put_folder("/data");
        let (disk, calls) = disk(world.process(), at, fault);
        let result = report(&disk, 2);
        let Some(name) = calls.failed() else {
            assert!(result.is_ok(), "{fault:?} of call {at}, which cannot fail in this way: {:?}", result.err());
            all = calls.names().len();
            return calls;
        };
        let reported = format!("{fault:?} of call {at}, {name}: {:?}", result.as_ref().err());
        let seen = seen(&world, 2);
        match &result {
            Ok(_) => assert_eq!(seen, WHOLE, "{reported}"),
            Err(ReportError::NotDurable { .. }) => {
                not_durable += 1;
                assert_eq!(seen, WHOLE, "{reported}");
                assert_eq!(said(&world, 2), ["broken", "broken"], "{reported}");
            }
            // At most the row that says that the run is broken.
            Err(_) => assert!(seen.is_empty() || seen == ["runs"], "{reported}: {seen:?}"),
        }
        assert!(reads(&world), "{reported}");
        assert!(result.is_ok() || !fault.is_invisible(), "{reported}");
        // The next run takes away what could not be removed, but for a file that this one gave up before its end.
        world.run(|disk| report(&disk, 3)).unwrap().unwrap();
        let left = hidden(&world);
        assert!(
            left.is_empty() || (name == "remove" && left.len() == 1 && left[0].ends_with(".partial")),
            "{reported}: {left:?}"
        );
        calls
    });
    assert!(all > 60 && failed > 4 * all, "{failed} calls failed, of {all}");
    assert_eq!(not_durable, 3, "EIO and ENOSPC of the last folder, and EIO behind its sync");
}

/// Ends a run at every call, and looks behind the next run.
fn ends_at_every_call(kind: Crash) {
    let mut ends = 0;
    let (mut halves, mut wholes) = (0, 0);
    loop {
        let world = World::new(11 + ends);
        world.put_folder("/data");
        world.run(|disk| report(&disk, 1)).unwrap().unwrap();
        world.crash_at(world.calls() + ends + 1, kind);
        let ended = world.run(|disk| report(&disk, 2));
        if world.take_crash() {
            assert!(ended.unwrap().is_ok());
            break;
        }
        ends += 1;
        let before = seen(&world, 2);
        halves += usize::from(!before.is_empty() && before != WHOLE);
        world.run(|disk| report(&disk, 3)).unwrap().unwrap();
        let seen_now = seen(&world, 2);
        assert!(seen_now.is_empty() || seen_now == WHOLE, "{kind:?} at call {ends}: {before:?}, then {seen_now:?}");
        wholes += usize::from(seen_now == WHOLE);
        assert_eq!(hidden(&world), Vec::<String>::new(), "{kind:?} at call {ends}");
        assert_eq!(
            (seen(&world, 1), seen(&world, 3)),
            (WHOLE.map(str::to_owned).to_vec(), WHOLE.map(str::to_owned).to_vec())
        );
        assert!(reads(&world), "{kind:?} at call {ends}");
    }
    assert!(
        ends > 60 && halves > 0 && wholes > 0,
        "{ends} ends, {halves} with a half report, {wholes} with a whole one"
    );
}

#[test]
fn a_run_that_is_killed_at_any_call_leaves_a_whole_report_or_none() {
    ends_at_every_call(Crash::Kill);
}

#[test]
fn a_run_that_a_power_failure_ends_leaves_a_whole_report_or_none() {
    ends_at_every_call(Crash::Power);
}

/// Ends the removal of a run at every call, and looks behind the next run.
fn removal_ends_at_every_call(kind: Crash) {
    let mut ends = 0;
    let mut halves = 0;
    let run = meta(1).run_id;
    loop {
        let world = World::new(23 + ends);
        world.put_folder("/data");
        world.run(|disk| report(&disk, 1).and(report(&disk, 2))).unwrap().unwrap();
        world.crash_at(world.calls() + ends + 1, kind);
        let ended = world.run(|disk| retention::remove_on(&disk, Path::new(DIR), "demo", std::slice::from_ref(&run)));
        if world.take_crash() {
            assert_eq!(ended.unwrap().unwrap(), 1);
            break;
        }
        ends += 1;
        let before = seen(&world, 1);
        // Without its row in `runs` it is no run any more; with it, it is whole.
        assert!(before == WHOLE || !before.contains(&"runs".to_owned()), "{kind:?} at call {ends}: {before:?}");
        halves += usize::from(!before.is_empty() && before != WHOLE);
        world.run(|disk| report(&disk, 3)).unwrap().unwrap();
        let after = seen(&world, 1);
        assert!(after.is_empty() || after == WHOLE, "{kind:?} at call {ends}: {before:?}, then {after:?}");
        assert_eq!(hidden(&world), Vec::<String>::new(), "{kind:?} at call {ends}");
        assert_eq!(seen(&world, 2), WHOLE);
    }
    assert!(ends > 15 && halves > 0, "{ends} ends, {halves} with a part of the run");
}

#[test]
fn a_removal_that_is_killed_at_any_call_leaves_a_whole_run_or_none() {
    removal_ends_at_every_call(Crash::Kill);
}

#[test]
fn a_removal_that_a_power_failure_ends_leaves_a_whole_run_or_none() {
    removal_ends_at_every_call(Crash::Power);
}

#[test]
fn the_files_of_a_living_run_stay() {
    let world = World::new(5);
    world.put_folder("/data");
    world
        .run(|disk| {
            let dir = Path::new(DIR);
            let mut living = Collector::with_disk(&disk, dir, program(), meta(2), Vec::new(), Previous::None);
            living.take(&one_series().gap("A", 170, 1).batch()).unwrap();
            let before = hidden(&world);
            assert!(before.iter().any(|name| name.ends_with(".partial")), "{before:?}");
            world.run(|disk| report(&disk, 3)).unwrap().unwrap();
            assert_eq!(hidden(&world), before);
            living.abandon(&Outcome::broken("stopped", 3, UtcMicros(0))).unwrap();
            assert_eq!((hidden(&world), seen(&world, 2)), (Vec::new(), vec!["runs".to_owned()]));
        })
        .unwrap();
}
