//! Many runs in one process: connections come back, memory stays flat, no descriptor stays open.

use std::io::{BufRead, BufReader};
use std::process::{Child, Stdio};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use mongodb::bson::oid::ObjectId;
use mongodb::bson::raw::RawDocumentBuf;
use mongodb::bson::{doc, rawdoc};
use serde_json::Value;

use super::project::{World, is_bad};
use super::quotes::QUOTES;

const RUNS: usize = 50;

/// Resident memory of a process, in KiB.
fn memory(process: &Child) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", process.id())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.split_whitespace().next().unwrap().parse().unwrap()
}

/// A row like `row` under an `_id` of its own.
fn renewed(row: &RawDocumentBuf, run: usize, n: usize) -> RawDocumentBuf {
    let mut renewed = rawdoc! { "_id": ObjectId::new() };
    for (key, value) in row.iter().map(Result::unwrap) {
        match key.as_str() {
            "_id" => {}
            "trade_date" => renewed.append(key, (run * 100 + n).to_string()),
            _ => renewed.append(key, value),
        }
    }
    renewed
}

#[test]
fn fifty_runs_in_one_process_leave_nothing_behind() {
    World::each(300, 0, 10, |world| {
        let bad: Vec<RawDocumentBuf> = world.original.iter().filter(|row| is_bad(row)).cloned().collect();
        let jobs = vec!["job.toml"; RUNS];
        let mut process = world.spawn(&[&["run", "--format", "ndjson"][..], &jobs].concat(), Stdio::piped());
        let lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let (run, over) = (AtomicUsize::new(0), AtomicBool::new(false));
        let mut memories = Vec::new();
        let fewest = std::thread::scope(|scope| {
            // Between two runs as few files and sockets are open as there ever are: that is watched for all the time.
            let watch = scope.spawn(|| {
                let mut fewest = [usize::MAX; RUNS + 1];
                while !over.load(Ordering::SeqCst) {
                    let at = run.load(Ordering::SeqCst);
                    if let Ok(open) = std::fs::read_dir(format!("/proc/{}/fd", process.id())) {
                        fewest[at] = fewest[at].min(open.count());
                    }
                    std::thread::sleep(Duration::from_micros(200));
                }
                fewest
            });
            for line in lines.map(Result::unwrap) {
                let output: Value = serde_json::from_str(&line).unwrap();
                if output.get("connections").is_none() {
                    continue;
                }
                let connections = &output["connections"];
                let closed: u64 = connections["closed"].as_object().unwrap().values().filter_map(Value::as_u64).sum();
                assert_eq!((connections["opened"].as_u64(), connections["in_use"].as_u64()), (Some(closed), Some(0)));
                memories.push(memory(&process));
                let next = run.fetch_add(1, Ordering::SeqCst) + 1;
                let rows: Vec<_> = bad.iter().enumerate().map(|(n, row)| renewed(row, next, n)).collect();
                world.database.insert(QUOTES, &rows);
            }
            over.store(true, Ordering::SeqCst);
            watch.join().unwrap()
        });
        assert!(process.wait().unwrap().code().is_some_and(|code| code <= 1));
        assert_eq!(memories.len(), RUNS);
        assert!(memories[RUNS - 1] <= memories[9] + (16 << 10), "{memories:?} KiB");
        let least = |runs: std::ops::Range<usize>| fewest[runs].iter().min().copied().unwrap();
        // A busy machine may miss the moment between two runs; what stays open shows as more in the later ones.
        assert!(least(RUNS / 2..RUNS) <= least(1..RUNS / 2), "{fewest:?}");
        assert!(world.items("removed") >= 10 * (u64::try_from(RUNS).unwrap() / 2), "rows left all the while");
        assert!(world.database.count(QUOTES, doc! {}) >= 300);
    });
}
