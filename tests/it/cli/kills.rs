//! A process that moves rows of files is killed from outside at moments that nobody chose: in a run, and in the recovery
//! of one before. No row is lost at any of them, and the next run finishes.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs::{self, File};
use std::time::Instant;

use arrow::array::AsArray;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use crate::cli_support::Project;
use crate::support::{self, Moments, kill_after, typed_batch, write_parquet};

/// Bars of which every third contradicts itself, below a header row as [`typed_batch`] or a file has it.
fn bars(header: &str) -> String {
    let mut text = format!("{header}\n");
    let first = chrono::NaiveDate::from_ymd_opt(2000, 1, 3).unwrap();
    for n in 0..3000 {
        let (day, high) = (first + chrono::TimeDelta::days(n / 3), if n % 3 == 1 { 2 } else { 11 });
        writeln!(text, "S{},{day},10,{high},9.5,10.5,{n}", n % 3 + n % 2).unwrap();
    }
    text
}

/// The rows in quarantine.
fn kept(project: &Project) -> BTreeSet<String> {
    let mut ids = BTreeSet::new();
    let files = support::parquet_files(&project.path("quarantine"));
    // What is not there under its final name is not there.
    for path in files.iter().filter(|path| !path.file_name().unwrap().to_string_lossy().starts_with('.')) {
        let reader = ParquetRecordBatchReaderBuilder::try_new(File::open(path).unwrap()).unwrap().build().unwrap();
        for batch in reader {
            let batch = batch.unwrap();
            let Some(column) = batch.column_by_name("quarantine_id") else { continue };
            ids.extend(column.as_string::<i32>().iter().flatten().map(str::to_owned));
        }
    }
    ids
}

/// Kills as many runs as `BARKEEP_KILLS` says over the bars in the file `name`.
fn kill(project: &Project, name: &str) {
    let kills = support::kills(50);
    project.edit("job.toml", "bars.csv", name);
    let original = fs::read(project.path(name)).unwrap();
    let began = Instant::now();
    project.call(&["run", "job.toml"]).exits(1);
    let whole = u64::try_from(began.elapsed().as_millis()).unwrap();
    let (clean, all) = (fs::read(project.path(name)).unwrap(), kept(project));
    assert!(clean.len() < original.len() && all.len() == 1000, "{} rows are kept", all.len());
    put_back(project, name, &original);

    let mut moments = Moments::of(0x9e37_79b9_7f4a_7c15);
    let (mut swapped, mut unswapped) = (0, 0);
    for round in 0..kills {
        let mut process = project.process(&["run", "job.toml"]);
        let mut process =
            process.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null()).spawn().unwrap();
        kill_after(&mut process, moments.next(whole / 8, whole));
        project.tidy();
        let now = fs::read(project.path(name)).unwrap();
        if now == original {
            unswapped += 1;
        } else {
            swapped += 1;
            assert!(now == clean, "round {round}: the file is neither what it was nor clean");
            assert_eq!(kept(project), all, "round {round}: a row is lost");
            let same = |path: &std::path::PathBuf| fs::read(path).is_ok_and(|bytes| bytes == original);
            assert!(support::files(project.root()).iter().any(same), "round {round}: the original is lost");
        }
        if round % 5 == 4 {
            project.call(&["run", "job.toml"]);
            assert!(fs::read(project.path(name)).unwrap() == clean, "round {round}");
            assert_eq!(kept(project), all, "round {round}");
            put_back(project, name, &original);
        }
    }
    assert!(kills < 20 || (swapped > 0 && unswapped > 0), "{swapped} kills after the swap, {unswapped} before");
}

/// The file as it was, and nothing known of what happened.
fn put_back(project: &Project, name: &str, original: &[u8]) {
    fs::remove_dir_all(project.path("quarantine")).unwrap();
    fs::remove_dir_all(project.path("reports")).unwrap();
    project.write(name, original);
}

#[test]
fn a_run_over_text_that_is_killed_at_any_moment_is_finished_by_the_next() {
    let project = Project::new(bars("symbol,date,open,high,low,close,volume"));
    kill(&project, "bars.csv");
}

#[test]
fn a_run_over_parquet_that_is_killed_at_any_moment_is_finished_by_the_next() {
    let project = Project::new("");
    let typed = bars("symbol:text,date:date,open:number,high:number,low:number,close:number,volume:number");
    write_parquet(&project.path("bars.parquet"), &typed_batch(&typed), 500);
    kill(&project, "bars.parquet");
}
