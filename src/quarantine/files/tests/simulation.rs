//! The protocol itself over a simulated file system: loaders act between any two calls, runs are cut short at any call,
//! by a kill or a power cut, two runs meet, and every call fails once.
//!
//! What has to hold at the end, whatever happened: each row that was there, or that a loader wrote, is in the source, or
//! in quarantine, once; and what `restore --late` brings back was reported before.

use std::collections::HashMap;

use rustix::io::Errno;

use super::*;
use crate::durable::faulty::{self, Fault};
use crate::durable::simulated::{Crash, Loader, Plan, Start, World as Machine, explore, find_fault};

const SOURCE: &str = "/data/a.csv";
const QUARANTINE: &str = "/q";
/// Loaders begin at any of so many calls, and runs are cut short at any of so many: the exchange is about call 280, and
/// what comes behind it (the second look, rows carried over, the record) is to be met too.
const LOADERS: u64 = 420;
const LAST_CRASH: u64 = 520;
const TEXT: &str = "s,n\ngood-1,1\nbad-1,1\ngood-2,1\nbad-2,1\ngood-3,1\nbad-3,1\n";

/// How many schedules are tried; `BARKEEP_SCHEDULES` says how many in all.
fn schedules(usual: u64) -> u64 {
    std::env::var("BARKEEP_SCHEDULES").ok().and_then(|all| all.parse().ok()).unwrap_or(usual)
}

fn place(disk: &Disk) -> Place<'_> {
    Place { disk, dir: Path::new(QUARANTINE), job: "j" }
}

fn set() -> FilesSet {
    FilesSet::new(Format::Csv, vec![PathBuf::from(SOURCE)], crate::bars::TextLayout::default())
}

/// The file as it is when its rows are evaluated.
fn evaluated(disk: &Disk) -> Result<Option<(FileIdentity, String)>, FilesError> {
    let path = Path::new(SOURCE);
    let failed = |error| FilesError::read(path, error);
    let Some(file) = disk.find(path).map_err(failed)? else { return Ok(None) };
    let seen = crate::durable::see(&file).map_err(failed)?;
    let open = Open { path: path.to_path_buf(), file, end: seen.attributes.length };
    let text = String::from_utf8(open.bytes(0)?).unwrap();
    let file = FileIdentity {
        path: PathBuf::from(SOURCE),
        device: seen.attributes.id.device,
        inode: seen.attributes.id.inode,
        length: seen.attributes.length,
        modified: seen.attributes.modified,
        sha256: Some(seen.hash),
    };
    Ok(Some((file, text)))
}

/// The numbers of the bad rows that are in the file.
fn bad_rows(text: &str) -> Vec<u64> {
    let rows = (1..).zip(text.lines().skip(1));
    rows.filter(|(_, line)| line.starts_with("bad")).map(|(row, _)| row).collect()
}

/// A run: recovery first, then the bad rows of the file as it is leave it. What it says must be true of the files.
fn run(disk: &Disk, id: &str, at: i64) -> Result<Option<Outcome>, FilesError> {
    recover(place(disk))?;
    let Some((file, text)) = evaluated(disk)? else { return Ok(None) };
    let rows: Vec<Rejected> = bad_rows(&text).into_iter().map(rejected).collect();
    let retention = Retention { quarantine: at + DAY, delete: at + DAY };
    let (set, writer_timeout) = (set(), WriterTimeout(Duration::from_secs(2)));
    let order = Order {
        run_id: id,
        plan_id: "p",
        at,
        retention,
        set: &set,
        file: &file,
        rows: &rows,
        writers: Writers::Any,
        writer_timeout,
    };
    remove(place(disk), &order, &|| false).map(Some)
}

fn put_back(disk: &Disk) -> Result<(), String> {
    let back = |id| Run { id, at: AT, writers: Writers::Any, writer_timeout: WriterTimeout(Duration::from_secs(5)) };
    let reported = |error: FilesError| error.to_string();
    let recovery = recover(place(disk)).map_err(reported)?;
    if let Some(error) = recovery.failed.first() {
        return Err(format!("recovery: {error}"));
    }
    if !late(place(disk)).map_err(reported)?.is_empty() {
        let brought = restore_late(place(disk), false, back("late")).map_err(reported)?;
        if !brought.conflict.is_empty() {
            return Err(format!("rows that came late: {:?}", brought.conflict));
        }
    }
    let ids: Vec<String> = items(place(disk)).map_err(reported)?.items.into_iter().map(|item| item.id).collect();
    let reported = restore(place(disk), &ids, false, back("back")).map_err(reported)?;
    match (reported.conflict.is_empty(), reported.damaged.is_empty()) {
        (true, true) => Ok(()),
        _ => Err(format!("restore: {:?} {:?}", reported.conflict, reported.damaged)),
    }
}

/// How often each line is in a file.
fn lines(bytes: &[u8]) -> HashMap<String, u64> {
    let mut lines = HashMap::new();
    for line in String::from_utf8_lossy(bytes).lines() {
        *lines.entry(line.to_owned()).or_default() += 1;
    }
    lines
}

/// Every good row and every bad one is in the source again, as often as it was written; so is every loader's.
fn check(machine: &Machine) -> Result<(), String> {
    let there = lines(&machine.contents(SOURCE).unwrap_or_default());
    let written = machine.rows().into_iter().map(|row| String::from_utf8(row.line).unwrap().trim_end().to_owned());
    for line in TEXT.lines().map(str::to_owned).chain(written) {
        let excused = machine.is_excused(format!("{line}\n").as_bytes());
        match there.get(&line).copied().unwrap_or(0) {
            1 => {}
            0 if excused => {}
            0 => return Err(format!("`{line}` is lost; the source holds {there:?}")),
            // A loader that wrote the file anew from what it had read wrote the row twice itself.
            _ if excused => {}
            more => return Err(format!("`{line}` is in the source {more} times")),
        }
    }
    let beside = machine.names().into_iter().filter(|name| name.starts_with("/data") && name != Path::new(SOURCE));
    let strangers: Vec<PathBuf> = beside
        .filter(|name| name != Path::new("/data") && !name.to_string_lossy().ends_with(".barkeep-lock"))
        .collect();
    match strangers.is_empty() {
        true => Ok(()),
        false => Err(format!("left beside the source: {strangers:?}")),
    }
}

fn machine(machine: &Machine) {
    machine.put(SOURCE, TEXT);
    machine.put_folder(QUARANTINE);
}

/// Appenders at random paces, some of them in the very moment of the exchange.
fn appenders(machine: &Machine) {
    for _ in 0..=machine.below(3) {
        let rows = 1 + usize::try_from(machine.below(4)).unwrap();
        let start = match machine.below(3) {
            0 => Start::After(machine.below(3_000_000_000)),
            _ => Start::Call(20 + machine.below(LOADERS)),
        };
        let plan = Plan::new(Loader::Append { rows, halves: false }, SOURCE, rows);
        machine.add_writer(Plan { start, syncs: true, line: |writer, row| format!("new-{writer}-{row},1"), ..plan });
    }
}

/// Loaders that close what they open are carried over: nothing is left for a person to bring back.
fn nothing_is_late(world: &Machine) -> Result<(), String> {
    let late = world.run(|disk| recover(place(&disk)).and_then(|_| late(place(&disk))));
    match late.ok_or("a crash that was not asked for")? {
        Ok(late) if late.is_empty() => Ok(()),
        reported => Err(format!("rows that came late: {reported:?}")),
    }
}

/// A run beside loaders, cut short or not, and what comes after it.
fn schedule(world: &Machine) -> Result<(), String> {
    machine(world);
    appenders(world);
    if world.below(3) > 0 {
        let kind = if world.below(2) == 0 { Crash::Kill } else { Crash::Power };
        world.crash_at(1 + world.below(LAST_CRASH), kind);
    }
    for number in 0..3 {
        let reported = world.run(|disk| run(&disk, &format!("r{number}"), AT + number));
        let good: String = TEXT.split_inclusive('\n').filter(|line| line.starts_with("good")).collect();
        let nowhere = world.lost(good.as_bytes());
        if !nowhere.is_empty() {
            return Err(format!(
                "in no file: {:?}",
                nowhere.iter().map(|line| String::from_utf8_lossy(line)).collect::<Vec<_>>()
            ));
        }
        if let Some(Ok(Some(outcome))) = &reported {
            let RemovalCounts { planned, .. } = outcome.counts;
            if !outcome.counts.conserved() {
                return Err(format!("{planned} rows do not add up: {:?}", outcome.counts));
            }
            // Kept rows stay in the source, and removed ones do not: the loaders here never bring one back.
            let there = world.contents(SOURCE).unwrap_or_default();
            let bad = bad_rows(&String::from_utf8_lossy(&there)).len() as u64;
            if planned > 0 && bad + outcome.counts.removed != planned {
                return Err(format!("{:?}, and {bad} bad rows are in the source", outcome.counts));
            }
        }
        world.pass(Duration::from_millis(world.below(2_000)));
    }
    world.finish();
    world.take_crash();
    nothing_is_late(world)?;
    world.run(|disk| put_back(&disk)).ok_or("a crash that was not asked for")??;
    check(world)
}

#[test]
fn no_row_is_lost_beside_loaders_whenever_a_run_is_cut_short() {
    explore(0..schedules(250), schedule);
}

/// A loader opens the replacement by the name of the source in the moment before that is given back. Its rows were
/// carried over, and were reported as late nevertheless.
#[test]
fn rows_that_were_carried_over_from_a_replacement_are_not_late() {
    explore(3625..3626, schedule);
}

#[test]
fn no_row_is_lost_where_two_runs_meet() {
    explore(0..schedules(60), |world| {
        machine(world);
        appenders(world);
        if world.below(2) == 0 {
            world.crash_at(1 + world.below(LAST_CRASH), Crash::Kill);
        }
        let first = |disk: Disk| run(&disk, "first", AT).map(drop);
        let second = |disk: Disk| run(&disk, "other", AT).map(drop);
        world.run_two(first, second);
        world.finish();
        world.take_crash();
        nothing_is_late(world)?;
        world.run(|disk| put_back(&disk)).ok_or("a crash that was not asked for")??;
        check(world)
    });
}

#[test]
fn no_row_is_lost_while_rows_go_back_beside_loaders() {
    explore(0..schedules(100), |world| {
        machine(world);
        world.run(|disk| run(&disk, "first", AT).map(drop).unwrap());
        let calls = world.calls();
        for _ in 0..=world.below(2) {
            let plan = Plan::new(Loader::Append { rows: 2, halves: false }, SOURCE, 2);
            let start = Start::Call(calls + 10 + world.below(LOADERS));
            world.add_writer(Plan { start, syncs: true, line: |writer, row| format!("new-{writer}-{row},1"), ..plan });
        }
        if world.below(2) == 0 {
            let kind = if world.below(2) == 0 { Crash::Kill } else { Crash::Power };
            world.crash_at(calls + 1 + world.below(LAST_CRASH), kind);
        }
        world.run(|disk| put_back(&disk));
        world.finish();
        world.take_crash();
        nothing_is_late(world)?;
        world.run(|disk| put_back(&disk)).ok_or("a crash that was not asked for")??;
        check(world)
    });
}

#[test]
fn loaders_that_rename_or_rewrite_lose_no_row_to_a_run() {
    explore(0..schedules(120), |world| {
        machine(world);
        let loader = match world.below(2) {
            0 => Loader::Rename,
            _ => Loader::Truncate,
        };
        let start = Start::Call(20 + world.below(LOADERS));
        let plan = Plan::new(loader, SOURCE, 2);
        world.add_writer(Plan { start, syncs: true, line: |writer, row| format!("new-{writer}-{row},1"), ..plan });
        if world.below(3) == 0 {
            world.crash_at(1 + world.below(LAST_CRASH), Crash::Kill);
        }
        for number in 0..2 {
            world.run(|disk| run(&disk, &format!("r{number}"), AT + number).map(drop).ok());
        }
        world.finish();
        world.take_crash();
        nothing_is_late(world)?;
        let back = world.run(|disk| put_back(&disk)).ok_or("a crash that was not asked for")?;
        back?;
        // Such a loader brings bad rows back itself, and loses what came between its reading and its writing.
        let there = lines(&world.contents(SOURCE).unwrap_or_default());
        let wanted = TEXT.lines().filter(|line| line.starts_with("good"));
        let lost: Vec<&str> = wanted.filter(|line| !there.contains_key(*line)).collect();
        if lost.is_empty() { Ok(()) } else { Err(format!("lost: {lost:?}, the source holds {there:?}")) }
    });
}

#[test]
fn the_schedules_find_a_protocol_that_looks_once_and_exchanges() {
    let fault = find_fault(0..400, |world| {
        machine(world);
        appenders(world);
        world.run(|disk| {
            let text = String::from_utf8(disk.read(Path::new(SOURCE)).unwrap().unwrap()).unwrap();
            let clean: Vec<&str> = text.lines().filter(|line| !line.starts_with("bad")).collect();
            for _ in 0..30 {
                disk.look(Path::new(SOURCE)).unwrap();
            }
            disk.write_whole(Path::new(SOURCE), (clean.join("\n") + "\n").as_bytes()).unwrap();
        });
        world.finish();
        match world.lost(b"good-1,1\n").is_empty() {
            true => Ok(()),
            false => Err("lost".to_owned()),
        }
    });
    assert!(fault.is_some());
}

/// Lets call number `at` of a run and a restore fail; the name of the call, and `None` where there are not that many.
fn with_a_failing_call(at: usize, fault: Fault) -> Option<&'static str> {
    let world = Machine::new(7);
    machine(&world);
    let (disk, calls) = faulty::disk(world.process(), at, fault);
    let reported = run(&disk, "first", AT).map_err(|error| error.to_string());
    let restored = if calls.failed().is_some() && reported.is_err() { Ok(()) } else { put_back(&disk) };
    let Some(failed) = calls.failed() else {
        // Some calls cannot fail in this way.
        return (at <= calls.names().len()).then_some("");
    };
    let what = format!("{fault:?} of call {at} ({failed}): {reported:?} {restored:?}");
    assert!(!fault.is_invisible() || (reported.is_ok() && restored.is_ok()), "{what}");
    let disk = Disk::of(world.process());
    put_back(&disk).unwrap_or_else(|error| panic!("{what}: afterwards {error}"));
    check(&world).unwrap_or_else(|error| panic!("{what}: {error}"));
    Some(failed)
}

/// Every call with `BARKEEP_SCHEDULES` from 1,000 on; otherwise every call for one fault, and some for the others.
#[test]
fn every_call_of_a_removal_and_of_a_restore_may_fail_once() {
    let all = schedules(0) >= 1_000;
    let faults = [
        (Fault::Error(Errno::IO), 1),
        (Fault::Error(Errno::NOSPC), 5),
        (Fault::Error(Errno::INTR), 5),
        (Fault::Late(Errno::IO), 5),
        (Fault::Short, 2),
    ];
    for (number, (fault, step)) in faults.into_iter().enumerate() {
        let step = if all { 1 } else { step };
        let mut at = 1 + number % step;
        while with_a_failing_call(at, fault).is_some() {
            at += step;
        }
        assert!(at > 100, "{fault:?}: only {at} calls");
    }
}

#[test]
fn a_file_of_another_owner_or_without_leases_is_refused_before_anything() {
    let refused = |change: fn(&mut crate::durable::simulated::Settings)| {
        let world = Machine::new(1);
        machine(&world);
        world.set(change);
        let disk = Disk::of(world.process());
        let error = run(&disk, "first", AT).unwrap_err();
        check(&world).unwrap();
        error
    };
    assert!(matches!(refused(|world| world.leases = false), FilesError::NoLease { .. }));
    assert!(matches!(refused(|world| world.lease_error = Some(Errno::ACCESS)), FilesError::NoLease { .. }));
    assert!(matches!(refused(|world| world.exchange = false), FilesError::NoLease { .. }));
}
