//! A process that moves rows of files is killed from outside at moments that nobody chose: in a run, and in the recovery
//! of one before, also beside a loader. No row is lost at any of them, and the next run finishes.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
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

/// The rows that reports name as moved.
fn reported(project: &Project) -> BTreeSet<String> {
    #[derive(serde::Deserialize)]
    struct Action {
        quarantine_id: String,
        state: String,
    }
    let rows: Vec<Action> = support::table(&project.path("reports"), "actions");
    let left = ["removed", "earlier_removed", "earlier_moved"];
    rows.into_iter().filter(|row| left.contains(&row.state.as_str())).map(|row| row.quarantine_id).collect()
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
            let same = |path: &PathBuf| fs::read(path).is_ok_and(|bytes| bytes == original);
            assert!(support::files(project.root()).iter().any(same), "round {round}: the original is lost");
        }
        if round % 5 == 4 {
            project.call(&["run", "job.toml"]);
            assert!(fs::read(project.path(name)).unwrap() == clean, "round {round}");
            assert_eq!(kept(project), all, "round {round}");
            assert_eq!(reported(project), all, "round {round}: rows that left stand in no report");
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

/// A loader that appends good rows, one at a time, from the moment on when rows are about to leave (a file that changes
/// while it is read is not evaluated at all) until it is stopped.
struct Loader {
    stop: std::sync::Arc<AtomicBool>,
    thread: JoinHandle<Vec<String>>,
}

impl Loader {
    /// The rows are those of `round`; the pauses between them are of up to `pause` milliseconds.
    fn start(file: PathBuf, round: u64, pause: u64) -> Self {
        let stop = std::sync::Arc::new(AtomicBool::new(false));
        let until = std::sync::Arc::clone(&stop);
        let thread = std::thread::spawn(move || {
            let mut moments = Moments::of(round + 1);
            let mut rows = Vec::new();
            let lock = file.with_file_name(".bars.csv.barkeep-lock");
            while !until.load(Ordering::Relaxed) {
                if rows.is_empty() && !lock.exists() {
                    std::thread::yield_now();
                    continue;
                }
                let row = format!("L,2020-01-02,10,11,9.5,10.5,{}\n", 1_000_000 * (round + 1) + rows.len() as u64);
                // The name, not a file that is held open: as `>>` does it.
                let mut out = File::options().append(true).open(&file).unwrap();
                out.write_all(row.as_bytes()).unwrap();
                drop(out);
                rows.push(row);
                std::thread::sleep(moments.next(0, pause) / 4);
            }
            rows
        });
        Self { stop, thread }
    }

    /// The rows it wrote.
    fn stop(self) -> Vec<String> {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().unwrap()
    }
}

/// Good rows that are in no file of the project, whatever it is called.
fn nowhere<'r>(project: &Project, rows: impl Iterator<Item = &'r String>) -> Vec<&'r String> {
    let mut there: BTreeSet<Vec<u8>> = BTreeSet::new();
    let texts =
        support::files(project.root()).into_iter().filter(|path| path.extension().is_none_or(|e| e != "parquet"));
    for path in texts {
        // A file may go with the end of a process.
        let bytes = fs::read(path).unwrap_or_default();
        there.extend(bytes.split_inclusive(|byte| *byte == b'\n').map(<[u8]>::to_vec));
    }
    rows.filter(|row| !there.contains(row.as_bytes())).collect()
}

/// The rows of a file, sorted.
fn sorted(path: &Path) -> Vec<String> {
    let mut rows: Vec<String> = fs::read_to_string(path).unwrap().split_inclusive('\n').map(str::to_owned).collect();
    rows.sort();
    rows
}

#[test]
fn a_run_that_is_killed_at_any_moment_beside_a_loader_loses_no_row() {
    let project = Project::new(bars("symbol,date,open,high,low,close,volume"));
    // The loader writes one moment again and again; what it writes is good to the only rule.
    let rules = fs::read_to_string(project.path("rules.toml")).unwrap();
    project.write("rules.toml", rules.split("\n\n").next().unwrap());
    let kills = support::kills(20);
    let file = project.path("bars.csv");
    let original = fs::read_to_string(&file).unwrap();
    let (bad, mut good): (Vec<String>, Vec<String>) =
        original.split_inclusive('\n').map(str::to_owned).partition(|row| row.contains(",10,2,"));
    let loader = Loader::start(file.clone(), kills, 400);
    let began = Instant::now();
    project.call(&["run", "job.toml"]).exits(1);
    let whole = u64::try_from(began.elapsed().as_millis()).unwrap();
    loader.stop();
    put_back(&project, "bars.csv", original.as_bytes());

    let mut moments = Moments::of(0x2545_f491_4f6c_dd1d);
    let (mut loaded, mut swapped) = (0, 0);
    // How long a run takes is not the same on every machine: kills go on until one came behind the exchange.
    for round in 0..4 * kills {
        if round >= kills && swapped > 0 {
            break;
        }
        let loader = Loader::start(file.clone(), round, [20, 200, 1000][usize::try_from(round % 3).unwrap()]);
        let mut process = project.process(&["run", "job.toml"]);
        process.env("BARKEEP_BUSY_SECONDS", "3");
        let mut process =
            process.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null()).spawn().unwrap();
        kill_after(&mut process, moments.next(whole / 2, whole));
        project.tidy();
        let rows = loader.stop();
        loaded += rows.len();
        good.extend(rows);
        assert_eq!(nowhere(&project, good.iter()), Vec::<&String>::new(), "round {round}");
        let now = fs::read_to_string(&file).unwrap();
        let left = bad.iter().filter(|row| !now.contains(row.as_str())).count();
        swapped += usize::from(left > 0);
        assert!(left == 0 || kept(&project).len() == bad.len(), "round {round}: {left} rows left");
        if round % 5 == 4 {
            let output = project.call(&["run", "job.toml"]);
            assert!(matches!(output.code, Some(0 | 1)), "round {round}: {output:?}");
            // A loader that closes what it opens is carried over: nothing is late, and nothing is there twice.
            good.sort();
            assert!(sorted(&file) == good, "round {round}: the source is not the good rows, each once: {output:?}");
            assert_eq!(kept(&project).len(), bad.len(), "round {round}");
            put_back(&project, "bars.csv", original.as_bytes());
            good.retain(|row| !row.starts_with("L,"));
        }
    }
    assert!(loaded as u64 > kills, "the loader wrote {loaded} rows");
    assert!(kills < 20 || swapped > 0, "no kill came behind the exchange; a run took {whole} ms");
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
