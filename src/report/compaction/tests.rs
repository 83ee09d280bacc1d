//! Months are compacted and runs go from them, whatever fails and wherever the process ends: each row is there once.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;

use arrow::array::RecordBatch;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use super::*;
use crate::durable::Claim;
use crate::durable::faulty::{self, Fault};
use crate::report::collector::Collector;
use crate::report::history::{Previous, evaluated_before, previous_findings, usual_moves};
use crate::report::margins::Coverage;
use crate::report::open::open_findings;
use crate::report::reading::shaped;
use crate::report::retention;
use crate::report::run::{ActionRow, Outcome, RunMeta, RunStatus};
use crate::report::store::{self, RunRef};
use crate::report::testing::{OHLC, finding_id, meta, one_series, program, texts};
use crate::report::{files, latest, starts, tables};
use crate::text::utc::UtcMicros;

const OCTOBER: &str = "2026-10";

fn run_id(start: &str) -> RunId {
    RunId::parse(&format!("{start}Z-aaaa")).unwrap()
}

/// A run that began at `start` and found four things, one row of which it moved.
fn report(dir: &Path, start: &str, status: RunStatus) -> RunId {
    let run = RunMeta { run_id: run_id(start), command: "run".to_owned(), ..meta(1) };
    let id = run.run_id.clone();
    let mut collector = Collector::new(dir, program(), run, vec!["bars.csv".to_owned()], Previous::None);
    collector.take(&one_series().batch()).unwrap();
    let mut outcome = Outcome::new(status, 1, UtcMicros(0));
    if status == RunStatus::Broken {
        collector.abandon(&outcome).unwrap();
        return id;
    }
    outcome.actions.push(ActionRow {
        finding_ids: vec![finding_id(OHLC, "A", 3)],
        quarantine_id: "q".to_owned(),
        locator: "bars.csv:3".to_owned(),
        action: crate::decide::Action::Quarantine,
        state: "removed".to_owned(),
        sha256: "s".to_owned(),
        at: UtcMicros(0),
        moved_by: None,
    });
    collector.finish(outcome).unwrap();
    id
}

/// Three runs of October, one of which broke off, and one of November that did, so that those of October are looked back at.
fn october(dir: &Path) -> [RunId; 4] {
    [
        report(dir, "20261003T020000", RunStatus::Findings),
        report(dir, "20261004T020000", RunStatus::Broken),
        report(dir, "20261031T235959", RunStatus::Findings),
        report(dir, "20261101T020000", RunStatus::Broken),
    ]
}

/// The rows that a reader of all files of each table sees, as text, sorted.
fn rows(dir: &Path) -> Vec<String> {
    let mut rows = Vec::new();
    for table in Table::ALL {
        for (job, of_job) in runs::entries(&dir.join(table.name())).unwrap() {
            for (month, of_month) in runs::entries(&of_job).unwrap() {
                let files = runs::entries(&of_month).unwrap();
                for (_, file) in files.into_iter().filter(|(name, _)| name.ends_with(".parquet")) {
                    rows.extend(rows_of(&file, table).into_iter().map(|row| format!("{table} {job} {month} {row}")));
                }
            }
        }
    }
    rows.sort();
    rows
}

fn rows_of(file: &Path, table: Table) -> Vec<String> {
    let reader = ParquetRecordBatchReaderBuilder::try_new(fs::File::open(file).unwrap()).unwrap().build().unwrap();
    let mut rows = Vec::new();
    for batch in reader {
        let batch = shaped(&batch.unwrap(), &table.stored_schema()).unwrap();
        let columns: Vec<_> = batch.schema().fields().iter().map(|field| texts(&batch, field.name())).collect();
        rows.extend(
            (0..batch.num_rows())
                .map(|row| columns.iter().map(|column| column[row].as_str()).collect::<Vec<_>>().join("|")),
        );
    }
    rows
}

/// The files of the tables of October, by table.
fn files_of_october(dir: &Path) -> BTreeMap<&'static str, Vec<String>> {
    let names = |table: Table| {
        let entries = runs::entries(&table.of_month(dir, "demo", OCTOBER)).unwrap();
        let mut names: Vec<String> = entries.into_iter().map(|(name, _)| name).collect();
        names.sort();
        (table.name(), names)
    };
    Table::ALL.into_iter().map(names).collect()
}

/// What readers that look for runs see of `dir`.
fn seen(dir: &Path) -> Vec<String> {
    let mut seen = Vec::new();
    let mut found = Vec::new();
    let latest = latest::each_finding(dir, "demo", &mut |finding| found.push(finding.finding_id.to_owned())).unwrap();
    seen.push(format!("{latest:?} {found:?} {:?}", starts::last(dir, "demo").unwrap()));
    let Previous::Known(known) = previous_findings(dir, "demo", &Coverage::default()).unwrap() else { panic!("known") };
    seen.push(format!("{} {} {}", known.run(), known.len(), known.files().len()));
    seen.push(format!("{:?} {:?}", usual_moves(dir, "demo", false).unwrap(), evaluated_before(dir, "demo").unwrap()));
    seen.push(format!("{:?}", open_findings(dir).unwrap().iter().map(RecordBatch::num_rows).sum::<usize>()));
    for file in runs::of_job(dir, "demo").unwrap() {
        let run = RunRef::of(dir, &file.unwrap());
        let row = files::row(dir, &run).unwrap();
        let row_of = shaped(&row.row, &Table::Runs.stored_schema()).unwrap();
        seen.push(format!("{} {:?} {:?}", run.run_id, row.job_file, row_of));
        for place in files::findings(dir, &run).unwrap() {
            let found = place.read(&["finding_id", "run_id"]).unwrap().unwrap();
            seen.extend(found.map(|batch| format!("{:?}", texts(&batch.unwrap(), "finding_id"))));
        }
        for table in Table::ALL {
            let columns: Vec<String> = table.schema().fields().iter().map(|field| field.name().clone()).collect();
            let columns: Vec<&str> = columns.iter().map(String::as_str).collect();
            let rows: usize = files::rows(dir, table, &run, &columns).unwrap().iter().map(RecordBatch::num_rows).sum();
            seen.push(format!("{table} {rows}"));
        }
        assert!(runs::has_run(dir, "demo", run.run_id.as_str()).unwrap());
    }
    seen
}

fn only_month() -> Vec<String> {
    vec![MONTH_FILE.to_owned()]
}

#[test]
fn a_month_that_is_over_is_one_file_a_table_and_shows_what_it_did() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let [.., november] = october(dir);
    let before = (rows(dir), seen(dir));
    assert_eq!(due(dir, "demo").unwrap(), [OCTOBER]);
    assert_eq!(compact(dir, "demo").unwrap(), 1);
    assert!(due(dir, "demo").unwrap().is_empty());
    for (table, files) in files_of_october(dir) {
        let none = ["fixed_findings", "finding_bars"].contains(&table);
        assert_eq!(files, if none { Vec::new() } else { only_month() }, "{table}");
    }
    assert_eq!((rows(dir), seen(dir)), before);
    assert!(Table::Runs.file(dir, "demo", &november).exists(), "the month of the newest run is not over");
    assert!(!dir.join(MONTHS).exists());
    // Nothing is left to do, and a run that comes late joins the others.
    assert_eq!(compact(dir, "demo").unwrap(), 0);
    report(dir, "20261015T020000", RunStatus::Findings);
    let before = (rows(dir), seen(dir));
    assert_eq!(compact(dir, "demo").unwrap(), 1);
    assert_eq!((rows(dir), seen(dir)), before);
    assert_eq!(files_of_october(dir)["runs"], only_month());
}

#[test]
fn rights_are_those_that_all_files_of_the_month_and_their_folder_had() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let [first, ..] = october(dir);
    let folder = Table::Findings.of_month(dir, "demo", OCTOBER);
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    for (_, file) in runs::entries(&folder).unwrap() {
        fs::set_permissions(file, fs::Permissions::from_mode(0o644)).unwrap();
    }
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o755)).unwrap();
    fs::set_permissions(Table::Findings.part(dir, "demo", &first, 0), fs::Permissions::from_mode(0o640)).unwrap();
    compact(dir, "demo").unwrap();
    assert_eq!((mode(&folder), mode(&folder.join(MONTH_FILE))), (0o755, 0o640));
}

#[test]
fn a_month_with_a_living_run_or_an_unknown_file_stays() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let [first, ..] = october(dir);
    let before = rows(dir);
    let claim = Claim::take(&Disk::system(), &sweep::claim_of(dir, &run_id("20261031T220000"))).unwrap().unwrap();
    assert_eq!(compact(dir, "demo").unwrap(), 0);
    claim.release().unwrap();
    // The file of a run that has rows of another.
    let (row, kept) = (Table::Runs.file(dir, "demo", &first), dir.join("kept"));
    fs::rename(&row, &kept).unwrap();
    fs::copy(Table::Runs.file(dir, "demo", &run_id("20261031T235959")), &row).unwrap();
    assert_eq!(compact(dir, "demo").unwrap(), 0);
    fs::rename(&kept, &row).unwrap();
    assert_eq!(rows(dir), before);
    assert_eq!(files_of_october(dir)["runs"].len(), 3);
    assert!(!dir.join(MONTHS).exists());
    assert_eq!(compact(dir, "demo").unwrap(), 1);
}

#[test]
fn what_came_into_the_folder_meanwhile_is_moved_back() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    october(dir);
    compact(dir, "demo").unwrap();
    let before = rows(dir);
    // As where a check that began in October ends between the exchange and the end of the process.
    let late = report(dir, "20261031T230000", RunStatus::Findings);
    let after = rows(dir);
    let left = new_of_job(dir, "demo").join(OCTOBER).join("findings");
    fs::create_dir_all(&left).unwrap();
    let part = Table::Findings.part(dir, "demo", &late, 0);
    fs::rename(&part, left.join(part.file_name().unwrap())).unwrap();
    fs::write(left.join("notes.txt"), "not ours").unwrap();
    assert_ne!(rows(dir), after);
    assert_eq!(compact(dir, "demo").unwrap(), 0, "it is put right at once, and then there is nothing to do");
    assert_eq!(rows(dir), after);
    assert!(after.len() > before.len() && !dir.join(MONTHS).exists());
    assert_eq!(files_of_october(dir)["findings"], [MONTH_FILE, "notes.txt"]);
}

/// A copy of a folder.
fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for (name, path) in runs::entries(from).unwrap() {
        match path.is_dir() {
            true => copy(&path, &to.join(name)),
            false => _ = fs::copy(path, to.join(name)).unwrap(),
        }
    }
}

/// A folder in memory, where the system has one: thousands of calls wait for a disk else.
fn in_memory() -> tempfile::TempDir {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap()
}

/// Does `work` on copies of `template` with each call failing in each way, and each call ending the process, then shows `check` the folder.
fn every_call(template: &Path, work: impl Fn(&Disk, &Path) -> Result<u64, ReportError>, check: impl Fn(&Path, &str)) {
    for fault in [Fault::Error(Errno::IO), Fault::Late(Errno::NOSPC), Fault::Ends] {
        for at in 1.. {
            let dir = in_memory();
            copy(template, dir.path());
            let (disk, calls) = faulty::disk(faulty::of_machine(), at, fault);
            let done = work(&disk, dir.path());
            if calls.names().len() < at {
                assert_eq!(done.unwrap(), 1);
                assert!(at > 60, "{at} calls");
                break;
            }
            check(dir.path(), &format!("{fault:?} of call {at}, {:?}: {done:?}", calls.names().get(at - 1)));
        }
    }
}

#[test]
fn each_row_is_there_once_whichever_call_fails_or_ends_the_process() {
    let template = tempfile::tempdir().unwrap();
    october(template.path());
    let (all, readers) = (rows(template.path()), seen(template.path()));
    let work = |disk: &Disk, dir: &Path| compact_on(disk, dir, "demo");
    every_call(template.path(), work, |dir, how| {
        assert_eq!(rows(dir), all, "{how}");
        // Readers that look for runs go by the same files whichever way the call failed.
        assert!(!how.starts_with("Ends") || seen(dir) == readers, "{how}");
        compact(dir, "demo").unwrap();
        assert_eq!(rows(dir), all, "{how}, then again");
        assert_eq!(files_of_october(dir)["findings"], only_month(), "{how}");
        assert!(!dir.join(MONTHS).exists(), "{how}");
    });
}

#[test]
fn a_run_goes_from_its_month_as_a_whole_whichever_call_fails_or_ends_the_process() {
    let template = tempfile::tempdir().unwrap();
    let [first, ..] = october(template.path());
    compact(template.path(), "demo").unwrap();
    let all = rows(template.path());
    let of_run = |row: &String| row.contains(first.as_str());
    let others: Vec<String> = all.iter().filter(|row| !of_run(row)).cloned().collect();
    let work = |disk: &Disk, dir: &Path| retention::remove_on(disk, dir, "demo", std::slice::from_ref(&first));
    every_call(template.path(), work, |dir, how| {
        let now = rows(dir);
        assert_eq!(now.iter().filter(|row| !of_run(row)).cloned().collect::<Vec<_>>(), others, "{how}");
        let exists = runs::has_run(dir, "demo", first.as_str()).unwrap();
        assert!(!exists || now == all, "{how}: a run that is there is whole");
        assert!(!exists || tables::summary(dir, first.as_str()).exists(), "{how}");
        // The next run sweeps, and who removes next finds the month.
        sweep::sweep(&Disk::system(), dir, &run_id("20261130T000000"));
        retention::remove(dir, "demo", std::slice::from_ref(&first)).unwrap();
        assert_eq!(rows(dir), others, "{how}, then again");
        assert!(!dir.join(MONTHS).exists() && !tables::summary(dir, first.as_str()).exists(), "{how}");
        assert!(runs::entries(dir).unwrap().iter().all(|(name, _)| !name.contains(".lock")), "{how}");
    });
}

#[test]
fn all_runs_of_a_month_may_go() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let [first, second, third, november] = october(dir);
    compact(dir, "demo").unwrap();
    assert_eq!(retention::remove(dir, "demo", &[first, second, third]).unwrap(), 3);
    assert!(rows(dir).iter().all(|row| row.contains(november.as_str())));
    assert!(!Table::Runs.of_month(dir, "demo", OCTOBER).exists());
    assert_eq!(runs::of_job(dir, "demo").unwrap().count(), 1);
}

/// What a pattern of files resolves to now, and the rows in these files; `None` where one of them is not there any more.
fn globbed(dir: &Path, between: impl Fn()) -> Option<usize> {
    let mut files = Vec::new();
    for (_, of_job) in runs::entries(&dir.join("findings")).unwrap() {
        for (_, of_month) in runs::entries(&of_job).unwrap() {
            files.extend(runs::entries(&of_month).unwrap().into_iter().map(|(_, path)| path));
        }
    }
    between();
    let mut rows = 0;
    for file in files.iter().filter(|path| path.extension().is_some_and(|end| end == "parquet")) {
        let file = fs::File::open(file).ok()?;
        let reader = ParquetRecordBatchReaderBuilder::try_new(file).unwrap();
        rows += usize::try_from(reader.metadata().file_metadata().num_rows()).unwrap();
    }
    Some(rows)
}

#[test]
fn a_pattern_of_files_shows_each_row_once_while_months_are_compacted() {
    let template = tempfile::tempdir().unwrap();
    october(template.path());
    let all = globbed(template.path(), || ()).unwrap();
    let (mut same, mut went) = (0, 0);
    for _ in 0..20 {
        let dir = tempfile::tempdir().unwrap();
        copy(template.path(), dir.path());
        std::thread::scope(|scope| {
            let compacting = scope.spawn(|| compact(dir.path(), "demo").unwrap());
            while !compacting.is_finished() {
                match globbed(dir.path(), || ()) {
                    Some(rows) => assert_eq!(rows, all),
                    None => went += 1,
                }
                same += 1;
            }
        });
        assert_eq!(globbed(dir.path(), || ()), Some(all));
    }
    assert!(same > 20 && went < same, "{same} looks, {went} at files that went");
    // One that is resolved before, and opened behind, does not find a file: never some of the rows.
    let dir = tempfile::tempdir().unwrap();
    copy(template.path(), dir.path());
    assert_eq!(globbed(dir.path(), || _ = compact(dir.path(), "demo").unwrap()), None);
}

#[test]
fn runs_are_named_as_before() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let [first, second, third, november] = october(dir);
    compact(dir, "demo").unwrap();
    let named = |asked: &str| store::resolve_run(dir, asked).unwrap().run_id;
    assert_eq!(
        [named("latest"), named("latest~1"), named("latest~3"), named("20261004")],
        [november.clone(), third, first, second]
    );
    let newest = store::newest_runs(dir, 2).unwrap();
    assert_eq!(newest.iter().map(|row| texts(row, "run_id").remove(0)).collect::<Vec<_>>()[0], november.as_str());
}
