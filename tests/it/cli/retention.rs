//! Reports of old runs go, and a year of nights stays small.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use arrow::array::{ArrayRef, Date32Array, RecordBatch, StringArray};
use arrow::datatypes::Date32Type;
use chrono::{NaiveDate, TimeDelta};
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::arrow::arrow_writer::ArrowWriterOptions;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use serde_json::json;

use crate::cli_support::{BARS, JOB, Project};
use crate::duckdb;
use crate::support::{files, parquet_files, table};

/// Copies the reports of the run `run` of `job` as those of other nights: under the names they would have, with their runs.
fn copy_as_nights(reports: &Path, (job, run): (&str, &str), nights: impl Iterator<Item = NaiveDate>) {
    let date = NaiveDate::parse_from_str(&run[..8], "%Y%m%d").unwrap();
    let month = |date: NaiveDate| date.format("month=%Y-%m").to_string();
    let of_run: Vec<_> = files(reports).into_iter().filter(|path| path.to_str().unwrap().contains(run)).collect();
    assert!(of_run.iter().any(|path| path.to_str().unwrap().contains(&format!("job={job}/"))));
    for night in nights {
        let other = format!("{}{}", night.format("%Y%m%d"), &run[8..]);
        for path in &of_run {
            let to = path.to_str().unwrap().replace(run, &other).replace(&month(date), &month(night));
            fs::create_dir_all(Path::new(&to).parent().unwrap()).unwrap();
            match path.extension().is_some_and(|end| end == "parquet") {
                true => copy_rows(path, Path::new(&to), &other, night),
                false => _ = fs::copy(path, to).unwrap(),
            }
        }
    }
}

/// Copies a file of a table as that of the run `run` of `night`, written as barkeep writes it.
fn copy_rows(from: &Path, to: &Path, run: &str, night: NaiveDate) {
    let builder = ParquetRecordBatchReaderBuilder::try_new(fs::File::open(from).unwrap()).unwrap();
    let few = ["/runs/", "/rule_results/"].iter().any(|table| from.to_str().unwrap().contains(table));
    let properties = WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::try_new(3).unwrap()))
        .set_statistics_enabled(if few { EnabledStatistics::None } else { EnabledStatistics::Page })
        .set_dictionary_enabled(!few)
        .set_key_value_metadata(builder.metadata().file_metadata().key_value_metadata().cloned())
        .build();
    let options = ArrowWriterOptions::new().with_properties(properties).with_skip_arrow_metadata(true);
    let file = fs::File::create(to).unwrap();
    let mut writer = ArrowWriter::try_new_with_options(file, Arc::clone(builder.schema()), options).unwrap();
    for batch in builder.build().unwrap().map(Result::unwrap) {
        let rows = batch.num_rows();
        let schema = batch.schema();
        let columns = schema.fields().iter().zip(batch.columns()).map(|(field, column)| match field.name().as_str() {
            "run_id" => Arc::new(StringArray::from(vec![run; rows])) as ArrayRef,
            "run_date" => Arc::new(Date32Array::from(vec![Date32Type::from_naive_date(night); rows])),
            _ => Arc::clone(column),
        });
        writer.write(&RecordBatch::try_new(Arc::clone(&schema), columns.collect()).unwrap()).unwrap();
    }
    writer.close().unwrap();
}

/// The dates of the runs there are.
fn nights(project: &Project, job: &str) -> Vec<String> {
    #[derive(serde::Deserialize)]
    struct Row {
        run_id: String,
    }
    let rows: Vec<Row> = table(&project.path("reports"), &format!("runs/job={job}"));
    rows.into_iter().map(|row| row.run_id[..8].to_owned()).collect::<BTreeSet<_>>().into_iter().collect()
}

/// The night of the only run of a job, and its id.
fn night(project: &Project, job: &str) -> (NaiveDate, String) {
    let runs = files(&project.path("reports/runs").join(format!("job={job}")));
    let run = runs[0].file_stem().unwrap().to_str().unwrap().to_owned();
    (NaiveDate::parse_from_str(&run[..8], "%Y%m%d").unwrap(), run)
}

fn before(date: NaiveDate, days: i64) -> NaiveDate {
    date - TimeDelta::days(days)
}

/// A project with a run in each of 100 nights that found something.
fn hundred_nights(bars: &str) -> (Project, NaiveDate) {
    let project = Project::new(bars);
    project.edit("rules.toml", "action = \"quarantine\"\n", "");
    let code = i32::from(bars != BARS);
    project.call(&["run", "job.toml"]).exits(code);
    let (last, run) = night(&project, "demo");
    copy_as_nights(&project.path("reports"), ("demo", &run), (1..100).map(|days| before(last, days)));
    (project, last)
}

#[test]
fn old_reports_go_when_a_person_is_sure() {
    let (project, last) = hundred_nights(BARS);
    let all = files(&project.path("reports"));
    let prune = ["report", "prune", "--keep-daily", "5", "--keep-monthly", "2"];
    let shown = project.call(&[&prune[..], &["--dry-run"]].concat()).exits(0).out;
    let months: BTreeSet<_> = (0..100).map(|days| before(last, days).format("%Y-%m").to_string()).collect();
    // The last 20 runs say what is usual.
    let mut stay: BTreeSet<NaiveDate> = (0..20).map(|days| before(last, days)).collect();
    for month in months.iter().rev().take(2) {
        let of_month = (0..100).map(|days| before(last, days)).filter(|day| day.format("%Y-%m").to_string() == *month);
        stay.extend(of_month.max());
    }
    let go = 100 - stay.len();
    assert!(shown.starts_with(&format!("demo   {go} of 100 runs to remove, ")), "{shown}");
    let over: BTreeSet<_> = stay.iter().map(|day| day.format("%Y-%m").to_string()).collect();
    let over = match over.len() - 1 {
        0 => String::new(),
        1 => "; 1 month to compact".to_owned(),
        months => format!("; {months} months to compact"),
    };
    assert!(shown.trim_end().ends_with(&format!("; {} kept{over}", stay.len())), "{shown}");
    let refused = project.call(&prune).exits(4);
    refused.says(&[&format!("{go} reports would be removed for good"), "--keep-daily 5 --keep-monthly 2 --confirm"]);
    project.call(&[&prune[..], &["--confirm", "7"]].concat()).exits(4).says(&["`--confirm` says 7"]);
    assert_eq!(files(&project.path("reports")), all, "nothing was touched");
    let confirm = go.to_string();
    let removed = project.call(&[&prune[..], &["--confirm", &confirm]].concat()).exits(0).out;
    assert!(removed.contains(&format!("{go} of {go} reports removed\n")), "{removed}");
    let left: Vec<String> = stay.iter().map(|day| day.format("%Y%m%d").to_string()).collect();
    assert_eq!(nights(&project, "demo"), left);
    assert_eq!(fs::read_dir(project.path("reports/pages")).unwrap().count(), stay.len());
    let of_job = |table: &str| project.path(&format!("reports/{table}/job=demo"));
    let months_of = |table: &str| fs::read_dir(of_job(table)).map_or(0, Iterator::count);
    let left: BTreeSet<_> = stay.iter().map(|day| day.format("%Y-%m").to_string()).collect();
    assert_eq!(
        (months_of("runs"), months_of("findings")),
        (left.len(), 1),
        "of `findings` the file without rows is left"
    );
    let of_newest = stay.iter().filter(|day| day.format("%Y-%m").to_string() == *left.last().unwrap()).count();
    assert_eq!(parquet_files(&of_job("runs")).len(), left.len() - 1 + of_newest, "a month that is over is one file");
    // Nothing is left to do, and what is left can be read.
    let again = project.call(&[&prune[..], &["--format", "json"]].concat()).exits(0).json();
    assert_eq!((again.len(), &again[0]["remove"]), (1, &json!([])));
    project.call(&["report", "show"]).exits(0);
    project.call(&["report", "prune", "--job", "demi"]).exits(2).says(&["there is no report of a job `demi`"]);
    project.call(&["report", "prune", "--dir", "nowhere"]).exits(0);
}

#[test]
fn a_run_removes_what_its_job_does_not_keep_and_nothing_of_others() {
    let bad = format!("{BARS}B,2024-01-05,20,10,21,20.5,700\n");
    let (project, last) = hundred_nights(&bad);
    project.write("other.toml", JOB.replace("\"demo\"", "\"other\""));
    project.call(&["run", "other.toml"]).exits(1);
    let (_, run) = night(&project, "other");
    copy_as_nights(&project.path("reports"), ("other", &run), (1..10).map(|days| before(last, days)));
    project.edit("job.toml", "dir = \"reports\"", "dir = \"reports\"\nkeep_daily = 3");
    // Trying it out, and checking, removes nothing.
    project.call(&["run", "job.toml", "--dry-run"]).exits(1);
    project.call(&["check", "job.toml"]).exits(1);
    assert_eq!(nights(&project, "demo").len(), 100);
    project.call(&["run", "job.toml"]).exits(1);
    // Those of three days are among the last 20 runs, of which three are of today.
    let left: Vec<String> = (0..18).rev().map(|days| before(last, days).format("%Y%m%d").to_string()).collect();
    assert_eq!(nights(&project, "demo"), left);
    assert_eq!(nights(&project, "other").len(), 10);
    project.edit("job.toml", "keep_daily = 3", "keep_daily = 0");
    project.call(&["run", "job.toml"]).exits(2).says(&["`keep_daily` is out of range"]);
}

/// What every command shows of the reports of a project over all its nights.
fn shown(project: &Project, old: &str) -> Vec<String> {
    let mut shown = Vec::new();
    let mut call = |args: &[&str]| shown.push(format!("{args:?}\n{}", project.call(args).out));
    call(&["report", "list", "--limit", "1000", "--format", "json"]);
    call(&["report", "--format", "json"]);
    call(&["report", "show", "latest", "--format", "json"]);
    call(&["report", "show", old, "--format", "json"]);
    call(&["report", "show", old]);
    call(&["report", "diff", old, "latest"]);
    call(&["report", "diff", "latest", old, "--format", "json"]);
    for table in ["runs", "rule_results", "findings", "fixed_findings", "finding_bars", "series_metrics", "actions"] {
        let all = format!("SELECT * FROM {table} ORDER BY ALL");
        call(&["sql", "--format", "ndjson", &all]);
        let of_day =
            format!("SELECT count(*) FROM {table} WHERE run_date = DATE '{}-{}-{}'", &old[..4], &old[4..6], &old[6..8]);
        call(&["sql", &of_day]);
    }
    for view in ["latest_runs", "latest_rule_results", "latest_findings", "new_findings", "bad_bars", "open_findings"] {
        call(&["sql", "--format", "ndjson", &format!("SELECT * FROM {view} ORDER BY ALL")]);
    }
    call(&["report", "html", old, "-o", "page.html"]);
    shown.push(fs::read_to_string(project.path("page.html")).unwrap());
    shown
}

#[test]
fn every_command_shows_the_same_behind_a_compaction() {
    let bad = format!("{BARS}B,2024-01-05,20,10,21,20.5,700\n");
    let (project, last) = hundred_nights(&bad);
    let old = format!("{}", before(last, 70).format("%Y%m%d"));
    let all = shown(&project, &old);
    let files_before = parquet_files(&project.path("reports")).len();
    let prune = ["report", "prune", "--keep-daily", "1000", "--keep-monthly", "1"];
    let would = project.call(&[&prune[..], &["--dry-run", "--format", "json"]].concat()).exits(0).json();
    let months = would[0]["compact"].as_array().unwrap().len();
    assert!(months >= 3 && would[0]["remove"] == json!([]), "{would:?}");
    assert_eq!(parquet_files(&project.path("reports")).len(), files_before, "nothing was touched");
    let done = project.call(&prune).exits(0).out;
    assert!(done.ends_with(&format!("{months} of {months} months compacted\n")), "{done}");
    assert!(parquet_files(&project.path("reports")).len() < files_before / 2);
    for (now, then) in shown(&project, &old).iter().zip(&all) {
        assert!(now == then, "{now}\nbefore:\n{then}");
    }
    let output = project.call(&["check", "job.toml"]).exits(1);
    assert_eq!((output.value("new"), output.value("fixed")), ("0", "0"));
}

#[test]
fn duckdb_sees_each_row_once_before_and_behind_a_compaction() {
    let Some(duckdb) = duckdb::folder() else { return };
    let bad = format!("{BARS}B,2024-01-05,20,10,21,20.5,700\n");
    let (project, _) = hundred_nights(&bad);
    project.write("reports.sql", project.command(&["sql", "--duckdb"]).output().unwrap().stdout);
    let seen = || {
        let pattern = "read_parquet('reports/findings/*/*/*.parquet', hive_partitioning = true)";
        [
            format!("SELECT month, run_date, count(*) AS n, count(DISTINCT run_id) AS runs FROM {pattern} GROUP BY ALL ORDER BY ALL"),
            "SELECT run_id, run_date, month, job, rule_id, message FROM findings ORDER BY ALL".to_owned(),
            "SELECT run_id, status, job_file, scope FROM runs ORDER BY ALL".to_owned(),
        ]
        .map(|query| duckdb::rows(&project, &duckdb, &query))
    };
    let before = seen();
    assert_eq!((before[0].len(), before[2].len()), (100, 100));
    project.call(&["report", "prune", "--keep-daily", "1000", "--keep-monthly", "1"]).exits(0);
    assert_eq!(seen(), before);
}

/// Bars of `symbols` symbols, with some that contradict themselves.
fn bars(symbols: usize) -> String {
    let mut text = BARS.lines().next().unwrap().to_owned() + "\n";
    for symbol in 0..symbols {
        for day in ["02", "03", "04", "05"] {
            let high = if symbol % 5 == 0 && day == "04" { 9 } else { 11 };
            text += &format!("S{symbol:04},2024-01-{day},10,{high},9.5,10.5,{}\n", 1000 + symbol);
        }
    }
    text
}

/// A year of one of 30 nightly jobs, which finds 20 bars every night. The whole:
/// `BARKEEP_YEAR_JOBS=30 cargo test --test it a_year_of_nights -- --nocapture`.
#[test]
fn a_year_of_nights_stays_small() {
    let jobs: usize = std::env::var("BARKEEP_YEAR_JOBS").ok().map_or(1, |jobs| jobs.parse().unwrap());
    let project = Project::new(bars(100));
    project.edit("rules.toml", "action = \"quarantine\"\n", "");
    for job in 0..jobs {
        let name = format!("job-{job:02}");
        project.write(&format!("{name}.toml"), JOB.replace("\"demo\"", &format!("\"{name}\"")));
        project.call(&["run", &format!("{name}.toml")]).exits(1);
        let (last, run) = night(&project, &name);
        copy_as_nights(&project.path("reports"), (&name, &run), (1..365).map(|days| before(last, days)));
    }
    let figures = |what: &str| {
        let all = files(&project.path("reports"));
        let bytes: u64 = all.iter().map(|path| fs::metadata(path).unwrap().len()).sum();
        let began = Instant::now();
        let listed = project.call(&["report", "list", "--format", "json"]).exits(0).json();
        assert_eq!(listed.len(), 20);
        eprintln!("{what}: {} files, {:.1} MB, `report list` {:?}", all.len(), bytes as f64 / 1e6, began.elapsed());
        bytes
    };
    figures("a year, all of it");
    let began = Instant::now();
    for job in 0..jobs {
        let name = format!("job-{job:02}.toml");
        project.edit(&name, "dir = \"reports\"", "dir = \"reports\"\nkeep_daily = 30\nkeep_monthly = 12");
        project.call(&["run", &name]).exits(1);
    }
    eprintln!("{jobs} runs that remove what is old: {:?}", began.elapsed());
    let kept = figures("a year, 30 days and 12 months of it");
    assert!(kept < 50_000_000 / 30 * jobs as u64, "{kept} bytes of {jobs} jobs");
    // The runs of today, those of 29 days, and the end of each month before these.
    let left = nights(&project, "job-00").len();
    assert!((40..=42).contains(&left), "{left} nights");
}

#[test]
fn reports_of_a_job_with_a_run_that_is_alive_stay() {
    let (project, _) = hundred_nights(BARS);
    project.write("other.toml", JOB.replace("\"demo\"", "\"other\""));
    project.call(&["run", "other.toml"]).exits(0);
    let (last, run) = night(&project, "other");
    copy_as_nights(&project.path("reports"), ("other", &run), (1..30).map(|days| before(last, days)));
    let held = fs::File::create(project.path("reports/.demo.lock")).unwrap();
    held.lock().unwrap();
    let prune = ["report", "prune", "--keep-daily", "1", "--keep-monthly", "1", "--confirm"];
    let output = project.call(&[&prune[..], &["90"]].concat()).exits(5);
    assert!(output.out.ends_with("10 of 90 reports removed\n"), "{output:?}");
    output.says(&["another run of job `demo` is alive: ", "the reports of the job stay"]);
    assert_eq!((nights(&project, "demo").len(), nights(&project, "other").len()), (100, 20));
    drop(held);
    let output = project.call(&[&prune[..], &["80"]].concat()).exits(0);
    assert!(output.out.ends_with("80 of 80 reports removed\n"), "{output:?}");
    assert!(files(&project.path("reports")).iter().all(|path| path.extension().is_none_or(|end| end != "lock")));
}

/// Gives the only run of today another day, as if it had been so many days earlier, also in the state of the job.
fn days_earlier(project: &Project, days: i64) {
    let (reports, state) = (project.path("reports"), project.path("state/demo.json"));
    let (run, ..) = project.runs().pop().unwrap();
    let today = NaiveDate::parse_from_str(&run[..8], "%Y%m%d").unwrap();
    copy_as_nights(&reports, ("demo", &run), [before(today, days)].into_iter());
    for path in files(&reports).into_iter().filter(|path| path.to_str().unwrap().contains(&run)) {
        fs::remove_file(path).unwrap();
    }
    let then = format!("{}{}", before(today, days).format("%Y%m%d"), &run[8..]);
    let text = fs::read_to_string(&state).unwrap();
    fs::write(state, text.replace(&run, &then)).unwrap();
}

#[test]
fn what_the_next_run_is_compared_with_stays() {
    let project = Project::new(bars(20));
    project.edit("rules.toml", "action = \"quarantine\"\n", "");
    project.edit("job.toml", "[bars]", "[window]\nlookback = \"2d\"\n[bars]");
    let night = || project.call(&["run", "job.toml", "--fail-on", "new", "--as-of", "2024-01-06"]);
    assert_eq!(night().exits(1).value("new_errors"), "4");
    days_earlier(&project, 40);
    night().exits(0);
    days_earlier(&project, 39);
    // Neither looks at all rules and series.
    project.call(&["check", "job.toml", "--series", "S0001", "--full"]).exits(0);
    project.call(&["check", "job.toml", "--rule", "gap", "--full"]).exits(0);
    let prune = ["report", "prune", "--keep-daily", "1", "--keep-monthly", "1", "--format", "json"];
    let would = project.call(&prune).exits(0).json();
    assert_eq!(would[0]["remove"], json!([]));
    let output = night().exits(0);
    assert_eq!((output.value("new_errors"), output.value("errors")), ("0", "4"));
    assert!(!output.err.contains("this run looks at all bars"), "{output:?}");
}
