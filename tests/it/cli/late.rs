//! Rows that come to a file after it was replaced: who replaced it says so.

use std::fs::{self, File};
use std::io::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::cli_support::{BARS, Project};

#[test]
fn a_restore_says_that_somebody_wrote_to_the_file_that_it_replaced() {
    let project = Project::new(format!("{BARS}B,2024-01-05,21,2,20,20.5,700\n"));
    // Without leases nothing keeps a writer from a file that it has open.
    project.edit("job.toml", "path = \"bars.csv\"", "path = \"bars.csv\"\nwriters = \"none\"");
    project.call(&["run", "job.toml"]).exits(1);
    let mut held = File::options().append(true).open(project.path("bars.csv")).unwrap();
    let stop = Arc::new(AtomicBool::new(false));
    let until = Arc::clone(&stop);
    let loader = std::thread::spawn(move || {
        let mut rows = Vec::new();
        while !until.load(Ordering::Relaxed) {
            let row = format!("C,2024-01-02,10,11,9.5,10.5,{}\n", rows.len());
            held.write_all(row.as_bytes()).unwrap();
            rows.push(row);
            std::thread::sleep(Duration::from_millis(10));
        }
        rows
    });
    let restore = ["quarantine", "restore", "job.toml", "--rule", "ohlc", "--confirm", "1"];
    let output = project.call(&restore).exits(3);
    stop.store(true, Ordering::Relaxed);
    let rows = loader.join().unwrap();
    assert!(output.out.contains("1 row is back"), "{output:?}");
    assert!(output.err.contains("a loader wrote to `bars.csv` after it was replaced"), "{output:?}");
    assert!(output.err.contains("quarantine/job=demo/originals/"), "{output:?}");

    let late = ["quarantine", "restore", "job.toml", "--late"];
    let would = project.call(&[&late[..], &["--dry-run", "--format", "json"]].concat()).exits(0);
    let count = would.json()[0]["rows"].as_u64().unwrap();
    assert!(count > 0, "{would:?}");
    project.call(&[&late[..], &["--confirm", &count.to_string()]].concat()).exits(0);
    let source = fs::read_to_string(project.path("bars.csv")).unwrap();
    for row in &rows {
        assert_eq!(source.matches(row.as_str()).count(), 1, "{row}");
    }
    assert!(source.contains("B,2024-01-05,21,2,20,20.5,700\n"));
}
