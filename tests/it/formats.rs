//! Layouts of bar files as vendors, exchanges and programs write them: every bar is read as it should be.
//!
//! The cases lie beside the larger data (see `scripts/test`). A case has the files, the job as it is to be written, and
//! the bars that a correct reading gives.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::support::{barkeep, copy_folder, package};

/// Cases whose own job is not the one that reads them: what a person replaces in it, and by what.
const SETTINGS: &[(&str, &str, &str)] = &[
    ("baostock-5min", "stamp =", "label ="),
    ("latin1-names", "[bars]", "encoding = \"latin1\"\n\n[bars]"),
    (
        "alphavantage-json",
        "data/*.json\"",
        "data/{symbol}.json\"\nformat = \"json\"\nrecords = \"Time Series (Daily)\"",
    ),
    (
        "alphavantage-json",
        "field = \"date\" }",
        "field = \"key\" }\nfields = { open = \"1. open\", high = \"2. high\", low = \"3. low\", close = \"4. close\", volume = \"5. volume\" }",
    ),
    (
        "ccxt-ohlcv-json-lines",
        "data/*.json\"",
        "data/{symbol}-1m.json\"\nformat = \"ndjson\"\ncolumns = [\"timestamp\", \"open\", \"high\", \"low\", \"close\", \"volume\"]",
    ),
];

/// Cases that are not read, and what the message says or why that is so.
const LEFT_OUT: &[(&str, &str)] = &[
    ("akshare-excel-lost-zeros", "the zeros of the symbols are gone from the file"),
    ("csv-tar-gz", "tar"),
    ("hdf5", "HDF5"),
    ("pickle", "pickle"),
    ("xlsx", "Excel"),
    ("places", "not files"),
];

/// The case whose symbols stand in small letters in the names of its files, and in capitals in `expected.txt`.
const SMALL_LETTERS: &str = "lean-daily";

/// The folder of the cases; `None` where it is not beside the clone.
fn cases() -> Option<PathBuf> {
    let data = std::env::var_os("BARKEEP_DATA").map_or_else(|| package().join("../shared/data"), PathBuf::from);
    let cases = data.parent()?.join("cases");
    if cases.join("formats").is_dir() {
        return Some(cases);
    }
    assert!(std::env::var_os("CI").is_none(), "in CI the cases must be beside the data");
    eprintln!("left out: no cases of layouts beside {}", data.display());
    None
}

/// The job that reads a case.
fn job(folder: &Path, name: &str) -> Option<String> {
    let written =
        ["works.toml", "proposed.toml", "job.toml"].iter().find_map(|job| fs::read_to_string(folder.join(job)).ok())?;
    let settings = SETTINGS.iter().filter(|(case, ..)| *case == name);
    Some(settings.fold(written, |job, (_, from, to)| job.replacen(from, to, 1)))
}

type Bars = BTreeMap<String, usize>;

/// The bars of `expected.txt`, each as one text, with how often it is there.
fn expected(folder: &Path) -> (Vec<String>, Bars) {
    let text = fs::read_to_string(folder.join("expected.txt")).unwrap();
    let mut lines = text.lines();
    let filled = filled(&text);
    let of_filled = |line: &str| -> Vec<String> {
        let cells = line.split(',').zip(&filled).filter(|(_, filled)| **filled);
        cells.map(|(cell, _)| cell.to_owned()).collect()
    };
    let columns = of_filled(lines.next().unwrap_or_default());
    let mut bars = Bars::new();
    for line in lines.filter(|line| !line.is_empty()) {
        let cells: Vec<String> =
            columns.iter().zip(of_filled(line)).map(|(column, cell)| plain(column, &cell)).collect();
        *bars.entry(cells.join(",")).or_default() += 1;
    }
    (columns, bars)
}

/// The columns that have anything in them: bars without a volume have unknown field.
fn filled(text: &str) -> Vec<bool> {
    let lines: Vec<Vec<&str>> = text.lines().skip(1).map(|line| line.split(',').collect()).collect();
    let columns = text.lines().next().unwrap_or_default().split(',').count();
    (0..columns).map(|at| lines.iter().any(|cells| cells.get(at).is_some_and(|cell| !cell.is_empty()))).collect()
}

/// A cell as it is compared: numbers by value (to the digits that 32 bits and JSON keep), midnight as the date.
fn plain(column: &str, cell: &str) -> String {
    match column {
        "symbol" => cell.to_owned(),
        "time" => cell.strip_suffix("T00:00:00Z").unwrap_or(cell).trim_end_matches('Z').to_owned(),
        _ => cell.parse::<f64>().map_or_else(|_| String::new(), |value| format!("{value:.10e}")),
    }
}

/// The bars as barkeep reads them; the message where it does not.
fn read(folder: &Path, job: &str, columns: &[String]) -> Result<Bars, String> {
    fs::write(folder.join("the.toml"), job).unwrap();
    let symbol = job.split("series").nth(1).and_then(|rest| rest.split('"').nth(1)).unwrap_or("symbol");
    let name = |column: &String| match column.as_str() {
        "symbol" => format!("\"{symbol}\" as symbol"),
        column => format!("\"{column}\""),
    };
    let query = format!("select {} from bars", columns.iter().map(name).collect::<Vec<_>>().join(", "));
    let output = barkeep(folder).args(["sql", "--job", "the.toml", "--format", "json", &query]).output().unwrap();
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned());
    }
    let mut bars = Bars::new();
    for line in String::from_utf8(output.stdout).unwrap().lines() {
        let bar: Value = serde_json::from_str(line).unwrap();
        if bar.get("type").is_some() {
            continue;
        }
        let cell = |column: &String| match &bar[column.as_str()] {
            Value::Null => String::new(),
            Value::String(text) => plain(column, text),
            other => plain(column, &other.to_string()),
        };
        *bars.entry(columns.iter().map(cell).collect::<Vec<_>>().join(",")).or_default() += 1;
    }
    Ok(bars)
}

#[test]
fn every_layout_is_read_bar_by_bar() {
    let Some(cases) = cases() else { return };
    let copy = tempfile::tempdir().unwrap();
    copy_folder(&cases, &copy.path().join("cases"));
    let formats = copy.path().join("cases/formats");
    let mut names: Vec<String> =
        fs::read_dir(&formats).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    let (mut wrong, mut right) = (Vec::new(), 0);
    for name in &names {
        let folder = formats.join(name);
        let (columns, expected) = expected(&folder);
        let found = job(&folder, name).ok_or_else(|| "no job".to_owned()).and_then(|job| read(&folder, &job, &columns));
        let left_out = LEFT_OUT.iter().any(|(case, _)| case == name);
        let found = match found {
            Ok(bars) if name == SMALL_LETTERS => Ok(bars.into_iter().map(|(bar, n)| (bar.to_uppercase(), n)).collect()),
            found => found,
        };
        let expected = match name == SMALL_LETTERS {
            true => expected.into_iter().map(|(bar, n)| (bar.to_uppercase(), n)).collect(),
            false => expected,
        };
        match found {
            Ok(bars) if bars == expected => right += 1,
            _ if left_out => {}
            Ok(bars) => wrong.push(format!("{name}: {} bars, expected {}", bars.len(), expected.len())),
            Err(message) => wrong.push(format!("{name}: {message}")),
        }
    }
    eprintln!("{right} of {} layouts are read bar by bar", names.len());
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(names.len() > 100 && right + LEFT_OUT.len() >= names.len(), "{right} of {}", names.len());
}
