//! `barkeep init --from` over files as vendors write them: the job that it writes reads every bar as it should be.
//!
//! The files are not part of the repository: they are looked for in `../shared/cases/formats` beside the package, or beside
//! the folder that `BARKEEP_DATA` names. Where they are missing the tests say that they were left out.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::cli_support::Project;
use crate::support::{barkeep, copy_folder, package};

/// Cases whose files `init` cannot look into, or that no look at the files can tell, with the reason.
const LEFT_OUT: &[(&str, &str)] = &[
    ("akshare-excel-lost-zeros", "the zeros that a spreadsheet lost are in no file"),
    ("csv-tar-gz", "tar is not read"),
    ("hdf5", "HDF5 is not read"),
    ("investing-com", "the ticker SPX is in no file: the name says `S&P 500`"),
    ("pickle", "pickle is not read"),
    ("xlsx", "Excel is not read"),
];
/// Of these, cases that the reader can read with a job by hand.
const READABLE: &[&str] = &["investing-com"];
/// The case whose symbols stand in small letters in the names of its files, and in capitals in `expected.txt`.
const SMALL_LETTERS: &str = "lean-daily";
/// Cases that read right once a person has said the zone.
const ZONE_OF_A_PERSON: &[&str] = &["histdata", "metatrader5-export"];

fn cases(test: &str) -> Option<PathBuf> {
    let beside = package().join("../shared");
    let data = std::env::var_os("BARKEEP_DATA").map_or_else(|| beside.join("data"), PathBuf::from);
    let folders = [data.join("../cases/formats"), beside.join("cases/formats")];
    if let Some(found) = folders.iter().find(|folder| folder.is_dir()) {
        return Some(fs::canonicalize(found).unwrap());
    }
    let line = format!("{test}: left out, there are no cases in {}\n", folders[1].display());
    io::stderr().write_all(line.as_bytes()).unwrap();
    assert!(!beside.is_dir(), "{} is there, and the cases are not in it", beside.display());
    None
}

/// The text between the quotes behind `key`.
fn setting(text: &str, key: &str) -> Option<String> {
    let rest = &text[text.find(key)? + key.len()..];
    Some(rest.trim_start().strip_prefix('=')?.split('"').nth(1)?.to_owned())
}

/// A row with numbers written in one way; a value that is missing is empty.
fn row(cells: impl Iterator<Item = String>) -> String {
    let plain = |(at, cell): (usize, String)| match cell.parse::<f64>() {
        Ok(number) if at >= 2 => number.to_string(),
        _ => cell,
    };
    cells.enumerate().map(plain).collect::<Vec<_>>().join(",")
}

/// The bars of a job, sorted, in the columns that are expected.
fn bars(job: &Path, columns: &[&str]) -> Result<Vec<String>, String> {
    let written = fs::read_to_string(job).unwrap();
    let without = written.lines().find(|line| line.starts_with("without ")).unwrap_or_default();
    let column = |name: &&str| match *name {
        name if without.contains(&format!("\"{name}\"")) => format!("NULL AS \"{name}\""),
        "symbol" | "time" => format!("\"{name}\""),
        // As text: not every reader of JSON keeps the last digit of a number.
        name => format!("CAST(\"{name}\" AS VARCHAR) AS \"{name}\""),
    };
    let query = format!("SELECT {} FROM bars", columns.iter().map(column).collect::<Vec<_>>().join(", "));
    let folder = job.parent().unwrap();
    let output = barkeep(folder).args(["--format", "ndjson", "sql", "--job"]).arg(job).arg(query).output().unwrap();
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned());
    }
    let text = |value: Option<&Value>| match value {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    };
    let time = |text: String| {
        let text = text.split('.').next().unwrap_or_default().trim_end_matches('Z').to_owned();
        text.strip_suffix("T00:00:00").map_or(text.clone(), str::to_owned)
    };
    let objects = String::from_utf8_lossy(&output.stdout).into_owned();
    let objects = objects.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let rows = objects.filter(|object| object.get("type").is_none_or(|kind| kind != "exit")).map(|object| {
        row(columns.iter().map(|name| {
            let cell = text(object.get(*name));
            if *name == "time" { time(cell) } else { cell }
        }))
    });
    let mut rows: Vec<String> = rows.collect();
    rows.sort();
    Ok(rows)
}

/// What is expected, sorted.
fn expected(text: &str) -> (Vec<&str>, Vec<String>) {
    let mut lines = text.lines();
    let columns: Vec<&str> = lines.next().unwrap().split(',').collect();
    let time = |cell: &str| {
        let cell = cell.trim_end_matches('Z').to_owned();
        cell.strip_suffix("T00:00:00").map_or(cell.clone(), str::to_owned)
    };
    let cells = |line: &str| {
        row(line
            .split(',')
            .zip(&columns)
            .map(|(cell, name)| if *name == "time" { time(cell) } else { cell.to_owned() }))
    };
    let mut rows: Vec<String> = lines.map(cells).collect();
    rows.sort();
    (columns, rows)
}

/// How a case ends: `reads`, `reads with the zone of a person`, or what went wrong.
fn try_case(case: &Path) -> String {
    let temp = tempfile::tempdir().unwrap();
    let data = temp.path().join("files");
    copy_folder(case, &data);
    for entry in fs::read_dir(&data).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.extension().is_some_and(|ending| ending == "toml") || name == "expected.txt" || name == "NOTE.md" {
            fs::remove_file(path).unwrap();
        }
    }
    let newcomer = fs::read_to_string(case.join("job.toml")).unwrap();
    let from = data.join(setting(&newcomer, "\npath").unwrap());
    let output = barkeep(temp.path()).args(["init", "project", "--from"]).arg(from).output().unwrap();
    if !output.status.success() {
        return String::from_utf8_lossy(&output.stderr).into_owned();
    }
    let job = fs::read_dir(temp.path().join("project/jobs")).unwrap().next().unwrap().unwrap().path();
    let text = fs::read_to_string(case.join("expected.txt")).unwrap();
    let (columns, expected) = expected(&text);
    let small = case.file_name().is_some_and(|name| name == SMALL_LETTERS);
    let expected: Vec<String> = if small { expected.iter().map(|row| row.to_lowercase()).collect() } else { expected };
    match bars(&job, &columns) {
        Ok(bars) if bars == expected => return "reads".to_owned(),
        Err(error) => return error,
        Ok(_) => {}
    }
    let proposed = fs::read_to_string(case.join("proposed.toml")).unwrap_or_default();
    if let Some(zone) = setting(&proposed, "zone") {
        let written = fs::read_to_string(&job).unwrap();
        let line = written.lines().find(|line| line.starts_with("time ")).unwrap();
        let bare = match line.find(", zone = ") {
            Some(at) => line[..at].to_owned(),
            None => line[..line.find(" }").unwrap()].to_owned(),
        };
        fs::write(&job, written.replace(line, &format!("{bare}, zone = \"{zone}\" }}"))).unwrap();
        if bars(&job, &columns).is_ok_and(|bars| bars == expected) {
            return "reads with the zone of a person".to_owned();
        }
    }
    "reads other bars".to_owned()
}

#[test]
fn the_job_for_files_of_vendors_reads_every_bar_right() {
    let Some(folder) = cases("init_from") else { return };
    let mut ended: BTreeMap<String, String> = BTreeMap::new();
    for entry in fs::read_dir(folder).unwrap() {
        let case = entry.unwrap().path();
        if case.join("job.toml").is_file() {
            ended.insert(case.file_name().unwrap().to_string_lossy().into_owned(), try_case(&case));
        }
    }
    let left_out: BTreeSet<&str> = LEFT_OUT.iter().map(|(name, _)| *name).collect();
    let wrong: Vec<String> = ended
        .iter()
        .filter(|(name, end)| match () {
            () if left_out.contains(name.as_str()) => end.starts_with("reads") && *end != "reads other bars",
            () if ZONE_OF_A_PERSON.contains(&name.as_str()) => *end != "reads with the zone of a person",
            () => *end != "reads",
        })
        .map(|(name, end)| format!("{name}: {end}"))
        .collect();
    assert!(wrong.is_empty(), "cases that changed:\n{}", wrong.join("\n"));
    // Nine of ten of those that the reader reads at all.
    let good = ended.values().filter(|end| end.starts_with("reads") && *end != "reads other bars").count();
    assert!(good * 10 >= (good + READABLE.len()) * 9, "{good} cases");
}

const BARS: &str = "symbol;date;open;high;low;close;vol\nAAPL;2024-01-02;10;11;9.5;10.5;1000\nAAPL;2024-01-03;10.5;11;10;10.8;1100\n\
                    AAPL;2024-01-04;10.8;11.2;10.5;11;900\nAAPL;2024-01-05;11;11.2;10.5;11;900\n";

#[test]
fn what_was_seen_is_written_shown_and_named() {
    let project = Project::empty();
    project.write("data/shares.csv", BARS);
    let output = project.call(&["init", "p", "--from", "data/*.csv"]).exits(0);
    insta::assert_snapshot!(output.out);
    insta::assert_snapshot!(fs::read_to_string(project.path("p/jobs/shares.toml")).unwrap());
    let shown = project.call(&["preview", "p/jobs/shares.toml"]).exits(0);
    insta::assert_snapshot!(shown.out);
    let checked = project.call(&["check", "-v", "--no-report", "p/jobs/shares.toml"]).exits(0);
    assert!(shown.out.lines().all(|line| checked.err.contains(line)), "{}", checked.err);
}

/// Relatives of what exchanges and programs write: the job for each reads its bars.
#[test]
fn arrays_objects_and_wide_tables_become_jobs_that_read_them() {
    let minutes = |text: &dyn Fn(i64) -> String| (0..60).map(|at| text(1_704_067_200 + at * 60)).collect::<Vec<_>>();
    let array = |time: i64| format!("[{time},\"10.0\",\"11.0\",\"9.5\",\"10.5\",\"7.25\"]");
    let days: Vec<String> = (2..26).map(|day| format!("2024-01-{day:02}")).collect();
    let bar = "{\"1. open\":\"10\",\"2. high\":\"11\",\"3. low\":\"9\",\"4. close\":\"10\",\"5. volume\":\"7\"}";
    let by_date = days.iter().map(|day| format!("\"{day}\":{bar}")).collect::<Vec<_>>().join(",");
    let nested = |day: &String| {
        format!(
            "{{\"symbol\":\"AAPL\",\"date\":\"{day}\",\"ohlc\":{{\"open\":10,\"high\":11,\"low\":9,\"close\":10}},\"volume\":7}}\n"
        )
    };
    let wide = |day: &String| format!("{day},10,20,11,21,9,19,10,20\n");
    let tickers = "Ticker,AAPL,MSFT,AAPL,MSFT,AAPL,MSFT,AAPL,MSFT\n,Open,Open,High,High,Low,Low,Close,Close\n";
    for (what, file, text, bars) in [
        (
            "arrays inside of an answer",
            "BTC-USDT.json",
            format!("{{\"code\":\"0\",\"data\":[{}]}}", minutes(&array).join(",")),
            60,
        ),
        ("an array a line", "ETHUSDT.ndjson", minutes(&array).join("\n") + "\n", 60),
        (
            "objects by their dates",
            "IBM.json",
            format!("{{\"Meta Data\":{{\"a\":\"b\"}},\"Time Series (Daily)\":{{{by_date}}}}}"),
            24,
        ),
        ("the document by dates", "IBM.json", format!("{{{by_date}}}"), 24),
        ("objects inside of records", "bars.ndjson", days.iter().map(nested).collect(), 24),
        (
            "tickers above fields",
            "prices.csv",
            days.iter().map(wide).fold(tickers.to_owned(), |all, line| all + &line),
            48,
        ),
        (
            "dates by tickers",
            "closes.csv",
            days.iter()
                .map(|day| format!("{day},10,20\n"))
                .fold("Date,AAPL,BRK-B\n".to_owned(), |all, line| all + &line),
            48,
        ),
    ] {
        let project = Project::empty();
        project.write(&format!("data/{file}"), text);
        let output = project.call(&["init", "p", "--from", &format!("data/{file}")]).exits(0);
        let job = fs::read_dir(project.path("p/jobs")).unwrap().next().unwrap().unwrap().path();
        let written = fs::read_to_string(&job).unwrap();
        let counted = "SELECT count(*) AS n FROM bars WHERE close >= 10 AND symbol IS NOT NULL AND time IS NOT NULL";
        let counted = project.call(&["--format", "ndjson", "sql", "--job", job.to_str().unwrap(), counted]);
        assert!(counted.out.starts_with(&format!("{{\"n\":{bars}}}")), "{what}: {counted:?}\n{output:?}\n{written}");
    }
}

#[test]
fn what_cannot_be_a_job_is_said_and_nothing_is_overwritten() {
    let project = Project::empty();
    assert!(project.call(&["init", "p", "--from", "none/*.csv"]).err.contains("no file matches"));
    project.write("data/shares.csv", BARS);
    project.call(&["init", "p", "--from", "data/shares.csv"]).exits(0);
    let again = project.call(&["init", "p", "--from", "data/shares.csv"]).exits(2);
    assert!(again.err.contains("`p/jobs/shares.toml` is there already"), "{}", again.err);
    project.write("data/other.csv", "date,open,high,low,close\n2024-01-02,1,2,1,2\n2024-01-03,1,2,1,2\n");
    let mixed = project.call(&["init", "q", "--from", "data/*.csv"]).exits(2);
    assert!(mixed.err.contains("another layout"), "{}", mixed.err);
    crate::support::write_local_bars(&project.path("data/bars.parquet"), &["2024-01-02T00:00:00"]);
    let formats = project.call(&["init", "q", "--from", "data"]).exits(2);
    assert!(
        formats.err.contains("`--from '…/*.parquet'`") || formats.err.contains("`--from '…/*.csv'`"),
        "{}",
        formats.err
    );
    project.write("text/a.csv", "nothing\nto\nsee\n");
    project.call(&["init", "q", "--from", "text/a.csv"]).exits(2);
    assert!(!project.path("q").exists());
}
