//! One verdict for one fault: the same wrong value has the same finding, with its value and its cause, in every format that
//! can hold it.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array, RecordBatch, StringArray};
use arrow::ipc::writer::StreamWriter;

use crate::cli_support::Project;
use crate::same_rows::job;
use crate::support::{self, package, write_parquet};

/// A row: symbol, date, close, volume; its other prices are sound. Numbers are as CSV has them, empty for NULL.
pub(crate) type Row = [&'static str; 4];

/// Faults that only text can have, each in a row of its own.
pub(crate) const OF_TEXT: [Row; 9] = [
    ["A", "2024-01-02", "10.5", "5"],
    ["A", "2024-01-03", "abc", "5"],
    ["A", "2024-01-04", "1e999", "5"],
    ["A", "2024-01-05", "1,234", "5"],
    ["A", "2024-01-08", "10.5", "many"],
    ["A", "2024-02-30", "10.5", "5"],
    ["A", "tomorrow", "10.5", "5"],
    ["A", "", "10.5", "5"],
    ["(null)", "2024-01-02", "10.5", "5"],
];

/// Faults that typed numbers can have too.
pub(crate) const OF_NUMBERS: [Row; 8] = [
    ["A", "2024-01-02", "10.5", "5"],
    ["A", "2024-01-03", "", "5"],
    ["A", "2024-01-04", "NaN", "5"],
    ["A", "2024-01-05", "10.5", "inf"],
    ["A", "2024-01-08", "10.5", "-5"],
    ["A", "2024-01-09", "99", "5"],
    ["", "2024-01-02", "10.5", "5"],
    ["", "2024-01-02", "10.5", "5"],
];

/// What is found of [`OF_TEXT`]: rule, field, cause, value, row.
pub(crate) const FOUND_OF_TEXT: [&str; 7] = [
    "date-format time impossible-date 2024-02-30 6",
    "date-format time not-a-format tomorrow 7",
    "parse-error close not-a-number 1,234 4",
    "parse-error close not-a-number abc 2",
    "parse-error close out-of-range 1e999 3",
    "parse-error volume not-a-number many 5",
    "required time null - 8",
];

/// The same of [`OF_NUMBERS`].
pub(crate) const FOUND_OF_NUMBERS: [&str; 8] = [
    "ohlc close not-finite nan 3",
    "ohlc high high-below 11 6",
    "ohlc volume negative-volume -5 5",
    "ohlc volume not-finite inf 4",
    "parse-error symbol no-series-key - 7",
    "parse-error symbol no-series-key - 8",
    "required close nan nan 3",
    "required close null - 2",
];

/// The findings of the last run about single values, as the constants above have them.
pub(crate) fn found(project: &Project) -> Vec<String> {
    let (run, ..) = project.runs().pop().unwrap();
    let text = |text: Option<&str>| text.unwrap_or("-").to_owned();
    let line = |found: &support::Finding| {
        let value = found.value().map(|value| match value.strip_suffix(".0") {
            Some(whole) => whole.to_owned(),
            None => value.replace("Infinity", "inf").replace("NaN", "nan"),
        });
        // Where the row stands in a JSON document is its line and byte.
        let place = |locator: &'_ str| match locator.split_once(".json:") {
            Some((_, place)) => place.split(':').next().unwrap_or_default().to_owned(),
            None => locator.rsplit(':').next().unwrap_or_default().to_owned(),
        };
        let row = found.locator.as_deref().map_or("-".to_owned(), place);
        let (field, cause) = (text(found.field.as_deref()), text(found.cause.as_deref()));
        format!("{} {field} {cause} {} {row}", found.rule_id, text(value.as_deref()))
    };
    let of_values = |found: &&support::Finding| {
        ["date-format", "ohlc", "parse-error", "required"].contains(&found.rule_id.as_str())
    };
    let findings = support::findings(&project.path("reports"), &run);
    let mut lines: Vec<String> = findings.iter().filter(of_values).map(line).collect();
    lines.sort();
    lines
}

fn project(file: &str, settings: &str) -> Project {
    let project = Project::empty();
    project.write("job.toml", job(&format!("[source.files]\npath = \"{file}\"\n{settings}\n")));
    project.write("rules.toml", std::fs::read(package().join("rules/ohlcv.toml")).unwrap());
    project
}

fn csv(rows: &[Row]) -> String {
    let quoted = |cell: &str| if cell.contains(',') { format!("\"{cell}\"") } else { cell.to_owned() };
    let line = |[symbol, date, close, volume]: &Row| format!("{symbol},{date},10,11,9,{},{volume}\n", quoted(close));
    format!("symbol,date,open,high,low,close,volume\n{}", rows.iter().map(line).collect::<String>())
}

fn json(rows: &[Row]) -> Vec<String> {
    let text = |text: &str| if text.is_empty() { "null".to_owned() } else { format!("\"{text}\"") };
    let number = |cell: &str| match cell {
        "NaN" => "{\"$numberDouble\":\"NaN\"}".to_owned(),
        "inf" => "{\"$numberDouble\":\"Infinity\"}".to_owned(),
        cell if cell.parse::<f64>().is_ok_and(f64::is_finite) => cell.to_owned(),
        cell => text(cell),
    };
    let object = |[symbol, date, close, volume]: &Row| {
        format!(
            "{{\"symbol\":{},\"date\":{},\"open\":10,\"high\":11,\"low\":9,\"close\":{},\"volume\":{}}}",
            text(symbol),
            text(date),
            number(close),
            number(volume)
        )
    };
    rows.iter().map(object).collect()
}

/// The rows as columns: `typed` ones have numbers, others texts.
fn batch(rows: &[Row], typed: bool) -> RecordBatch {
    let texts = |at: usize| -> ArrayRef {
        Arc::new(rows.iter().map(|row| Some(row[at]).filter(|cell| !cell.is_empty())).collect::<StringArray>())
    };
    let numbers = |at: usize| -> ArrayRef {
        let number = |cell: &str| (!cell.is_empty()).then(|| cell.parse().unwrap());
        match typed {
            true => Arc::new(rows.iter().map(|row| number(row[at])).collect::<Float64Array>()),
            false => texts(at),
        }
    };
    let price = |value: f64| -> ArrayRef { Arc::new(Float64Array::from(vec![value; rows.len()])) };
    let columns = [
        ("symbol", texts(0)),
        ("date", texts(1)),
        ("open", price(10.0)),
        ("high", price(11.0)),
        ("low", price(9.0)),
        ("close", numbers(2)),
        ("volume", numbers(3)),
    ];
    RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(name, column)| (name, column, true))).unwrap()
}

fn write_arrow(path: &Path, batch: &RecordBatch) {
    let mut writer = StreamWriter::try_new(File::create(path).unwrap(), &batch.schema()).unwrap();
    writer.write(batch).unwrap();
    writer.finish().unwrap();
}

/// Evaluates the rows in every format that can hold them; those that are `typed` as numbers too.
fn every_format(rows: &[Row], typed: bool) -> Vec<(&'static str, Vec<String>)> {
    // In every text the row n stands in line n.
    let names =
        "header = \"none\"\ncolumns = [\"symbol\", \"date\", \"open\", \"high\", \"low\", \"close\", \"volume\"]\n";
    let text = project("bars.csv", names);
    text.write("bars.csv", csv(rows).split_once('\n').unwrap().1);
    let lines = project("bars.ndjson", "");
    lines.write("bars.ndjson", json(rows).join("\n"));
    let document = project("bars.json", "");
    document.write("bars.json", format!("[{}]", json(rows).join(",\n")));
    let mut projects = vec![("CSV", text), ("NDJSON", lines), ("JSON", document)];
    for (parquet, arrow, typed) in [("Parquet", "Arrow", true), ("Parquet of texts", "Arrow of texts", false)] {
        if typed && !rows.iter().all(|row| row[2..].iter().all(|cell| cell.is_empty() || cell.parse::<f64>().is_ok())) {
            continue;
        }
        let (columns, files) = (batch(rows, typed), project("bars.parquet", ""));
        write_parquet(&files.path("bars.parquet"), &columns, 4);
        projects.push((parquet, files));
        let files = project("bars.arrow", "");
        write_arrow(&files.path("bars.arrow"), &columns);
        projects.push((arrow, files));
    }
    assert_eq!(projects.len(), if typed { 7 } else { 5 });
    let output = |(format, project): (&'static str, Project)| {
        let checked = project.call(&["check", "job.toml"]).exits(1);
        assert_eq!(checked.value("rows"), rows.len().to_string(), "{format}: {checked:?}");
        (format, found(&project))
    };
    projects.into_iter().map(output).collect()
}

#[test]
fn faults_of_text_have_one_verdict_in_every_format() {
    for (format, found) in every_format(&OF_TEXT, false) {
        assert_eq!(found, FOUND_OF_TEXT, "{format}");
    }
}

#[test]
fn faults_of_numbers_have_one_verdict_in_every_format() {
    for (format, found) in every_format(&OF_NUMBERS, true) {
        assert_eq!(found, FOUND_OF_NUMBERS, "{format}");
    }
}

#[test]
fn missing_symbols_and_the_text_that_stands_for_them_are_no_one_series() {
    let rows: [Row; 4] = [
        ["", "2024-01-02", "10.5", "5"],
        ["(null)", "2024-01-02", "10.5", "5"],
        ["\\(null)", "2024-01-02", "10.5", "5"],
        ["", "2024-01-02", "10.5", "5"],
    ];
    let series = |project: &Project| {
        let query = "select series, count(*) n from findings where rule_id = 'one' group by series order by series";
        project.call(&["check", "job.toml"]);
        project.call(&["sql", "--dir", "reports", "--format", "json", query]).out
    };
    let rules = "[[rule]]\nid = \"one\"\ncheck = \"range\"\nfield = \"close\"\nmax = 1.0\n";
    let text = project("bars.csv", "");
    text.write("bars.csv", csv(&rows));
    text.write("rules.toml", rules);
    let parquet = project("bars.parquet", "");
    write_parquet(&parquet.path("bars.parquet"), &batch(&rows, true), 2);
    parquet.write("rules.toml", rules);
    let lines = project("bars.ndjson", "");
    lines.write("bars.ndjson", json(&rows).join("\n").replace("\\(", "\\\\("));
    lines.write("rules.toml", rules);
    let seen = series(&text);
    assert_eq!(seen.lines().count(), 4, "three series and the line of the exit: {seen}");
    assert_eq!(series(&parquet), seen);
    assert_eq!(series(&lines), seen);
}
