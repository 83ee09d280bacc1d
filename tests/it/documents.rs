//! Sources that have no records of their own: JSON documents, members of zip archives, Arrow IPC, wide tables; and what is
//! inside of Parquet structs. Each is read through the command line and only checked; rows in are rows out and broken
//! rows.

use std::fs::File;
use std::io::{Cursor, Write};
use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array, RecordBatch, StringArray, StructArray};
use arrow::datatypes::{DataType, Field};
use zip::write::SimpleFileOptions;

use crate::cli_support::Project;

/// The same three bars in every format.
const CSV: &str = "symbol,date,close\nA,2024-01-02,10\nA,2024-01-03,10.5\nB,2024-01-02,20.25\n";
const SEEN: [&str; 3] = ["A 2024-01-02 10.0", "A 2024-01-03 10.5", "B 2024-01-02 20.25"];

const RULES: &str =
    "[[rule]]\nid = \"close\"\ncheck = \"range\"\nfield = \"close\"\nmin = 0.0\naction = \"quarantine\"\n";

/// A job over these files, with these settings of `[source.files]` and of `[bars]`.
fn job(settings: &str, bars: &str) -> Project {
    let project = Project::empty();
    let text = format!(
        "name = \"demo\"\nrules = [\"rules.toml\"]\n[source.files]\n{settings}\n[bars]\nseries = [\"symbol\"]\n\
         interval = \"1d\"\ncalendar = \"XNYS\"\n{bars}\n[report]\ndir = \"reports\"\n[limits]\nfraction = 1.0\n\
         series_fraction = 1.0\n"
    );
    project.write("job.toml", text);
    project.write("rules.toml", RULES);
    project
}

fn archive(members: &[(&str, &str)]) -> Vec<u8> {
    let mut writer = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for (name, text) in members {
        writer.start_file(*name, SimpleFileOptions::default()).unwrap();
        writer.write_all(text.as_bytes()).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

fn batch(close: (&str, ArrayRef)) -> RecordBatch {
    let text = |texts: Vec<&str>| -> ArrayRef { Arc::new(StringArray::from(texts)) };
    let symbol = text(vec!["A", "A", "B"]);
    let date = text(vec!["2024-01-02", "2024-01-03", "2024-01-02"]);
    RecordBatch::try_from_iter([("symbol", symbol), ("date", date), close]).unwrap()
}

fn closes() -> ArrayRef {
    Arc::new(Float64Array::from(vec![10.0, 10.5, 20.25]))
}

/// The bars as they are read.
#[track_caller]
fn bars(project: &Project) -> Vec<String> {
    let query = "select symbol, time, close from bars order by symbol, time";
    let output = project.call(&["sql", "--job", "job.toml", "--format", "json", query]).exits(0);
    let bar = |bar: serde_json::Value| {
        let text = |key: &str| bar[key].as_str().unwrap_or("NULL").to_owned();
        format!("{} {} {}", text("symbol"), &text("time")[..10], bar["close"])
    };
    output.json().into_iter().map(bar).collect()
}

/// Fails unless the three bars are read, the job passes, and no row may leave.
#[track_caller]
fn reads_and_moves_nothing(project: &Project) {
    assert_eq!(bars(project), SEEN);
    let checked = project.call(&["check", "job.toml"]).exits(0);
    assert_eq!(checked.value("rows"), "3");
    project.edit("rules.toml", "min = 0.0", "min = 15.0");
    project.call(&["run", "job.toml"]).exits(4).says(&["no row can leave this source"]);
    assert!(!project.path("quarantine").exists());
}

/// Everything that is known of the findings of the last run, as JSON.
fn all_findings(project: &Project) -> String {
    project.call(&["sql", "--job", "job.toml", "--format", "json", "select * from findings"]).exits(0).out
}

const DATE: &str = "time = { field = \"date\" }";

#[test]
fn json_documents() {
    let objects = r#"[{"symbol":"A","date":"2024-01-02","close":10},
 {"symbol":"A","date":"2024-01-03","close":"10.5"}, {"symbol":"B","date":"2024-01-02","close":{"$numberDouble":"20.25"}}]"#;
    let project = job("path = \"a.json\"", DATE);
    project.write("a.json", objects);
    reads_and_moves_nothing(&project);

    let project = job("path = \"a.json\"\nformat = \"json\"\ncolumns = [\"symbol\", \"date\", \"close\"]", DATE);
    project.write("a.json", r#"[["A","2024-01-02",10],["A","2024-01-03",10.5],["B","2024-01-02",20.25]]"#);
    reads_and_moves_nothing(&project);

    let keyed = "path = \"{symbol}.json\"\nrecords = \"data.Time Series (Daily)\"";
    let project = job(keyed, "time = { field = \"key\" }\nfields = { close = \"price.close\" }");
    project.write(
        "A.json",
        r#"{"data":{"Time Series (Daily)":{"2024-01-02":{"price":{"close":10}},"2024-01-03":{"price":{"close":10.5}}}}}"#,
    );
    project.write("B.json", r#"{"data":{"symbol":"B","Time Series (Daily)":{"2024-01-02":{"price.close":20.25}}}}"#);
    reads_and_moves_nothing(&project);
    project.write("B.json", r#"{"data":{"symbol":"C","Time Series (Daily)":{"2024-01-02":{"price.close":20.25}}}}"#);
    project.call(&["check", "job.toml"]).exits(3).says(&["says that `symbol` is `B`, and the document says `C`"]);
}

#[test]
fn lines_that_are_arrays_are_records_that_may_leave() {
    let project = job("path = \"a.ndjson\"\ncolumns = [\"symbol\", \"date\", \"close\"]", DATE);
    let text = "[\"A\",\"2024-01-02\",10]\n[\"A\",\"2024-01-03\",10.5]\n[\"B\",\"2024-01-02\",20.25]\n";
    project.write("a.ndjson", text);
    assert_eq!(bars(&project), SEEN);
    project.write("a.ndjson", format!("{text}[\"A\",\"2024-01-04\"]\n"));
    let output = project.call(&["check", "job.toml"]);
    assert_eq!(output.value("rows"), "4", "a ragged record is a broken row");
}

#[test]
fn records_of_mixed_shapes_are_rows_or_broken_rows() {
    let project = job("path = \"a.json\"\nformat = \"json\"\ncolumns = [\"symbol\", \"date\", \"close\"]", DATE);
    project.write(
        "a.json",
        "[[\"A\",\"2024-01-02\",10],\n {\"symbol\":\"B\",\"date\":\"2024-01-02\",\"close\":1},\n 7,\n [1]]",
    );
    assert_eq!(project.call(&["check", "job.toml"]).value("rows"), "4");
    let findings = all_findings(&project);
    assert!(findings.contains("not a JSON object") && findings.contains("ragged"), "{findings}");
}

#[test]
fn documents_that_cannot_be_read_say_why() {
    for (settings, text, says) in [
        (
            "records = \"result\"",
            "{\"results\":[{\"symbol\":\"A\"}]}",
            "nothing is called `result`, there is `results`",
        ),
        ("format = \"json\"", "{\"n\":1,\"results\":[{\"symbol\":\"A\"}]}", "write `records = \"results\"`"),
        ("format = \"json\"", "[{\"symbol\":\"A\"},\n{\"symbol\":", "it breaks off in line 2"),
        ("format = \"json\"", "[[1,2]]", "write `columns = [...]` with the names of their 2 values"),
    ] {
        let project = job(&format!("path = \"a.json\"\n{settings}"), DATE);
        project.write("a.json", text);
        project.call(&["check", "job.toml"]).exits(3).says(&["`a.json` cannot be read as a JSON document", says]);
    }
}

#[test]
fn members_of_zip_archives() {
    let project = job("path = \"a.zip\"", DATE);
    project.write("a.zip", archive(&[("b.csv", CSV), ("README", "not data")]));
    reads_and_moves_nothing(&project);
    let project = job("path = \"*.zip/{symbol}.csv\"", DATE);
    project.write("a.zip", archive(&[("A.csv", "date,close\n2024-01-02,10\n2024-01-03,10.5\n")]));
    project.write("b.zip", archive(&[("B.csv", "date,close\n2024-01-02,20.25\n")]));
    reads_and_moves_nothing(&project);
    let output = project.call(&["check", "job.toml"]);
    assert_eq!(output.value("rows"), "3");
    let findings = all_findings(&project);
    assert!(findings.contains("\"locator\":\"a.zip/A.csv:2\""), "{findings}");
}

#[test]
fn archives_that_cannot_be_read_say_why() {
    let whole = archive(&[("b.csv", CSV)]);
    let project = job("path = \"a.zip\"", DATE);
    project.write("a.zip", &whole[..whole.len() - 10]);
    project.call(&["check", "job.toml"]).exits(3).says(&["`a.zip` cannot be read: it is not a complete zip archive"]);
    project.write("a.zip", archive(&[("b.csv", &"0".repeat(65 << 20))]));
    project.call(&["check", "job.toml"]).exits(3).says(&["its member `b.csv` would grow"]);
    let mut damaged = whole.clone();
    damaged[40] ^= 0x55;
    project.write("a.zip", damaged);
    project.call(&["check", "job.toml"]).exits(3).says(&["`a.zip/b.csv` does not unpack as zip"]);
}

#[test]
fn arrow_files_and_streams() {
    let batch = batch(("close", closes()));
    let project = job("path = \"a.feather\"", DATE);
    let mut writer = arrow::ipc::writer::FileWriter::try_new(Vec::new(), &batch.schema()).unwrap();
    writer.write(&batch).unwrap();
    let file = writer.into_inner().unwrap();
    project.write("a.feather", &file);
    reads_and_moves_nothing(&project);
    let mut writer = arrow::ipc::writer::StreamWriter::try_new(Vec::new(), &batch.schema()).unwrap();
    writer.write(&batch).unwrap();
    project.write("a.feather", writer.into_inner().unwrap());
    assert_eq!(bars(&project), SEEN);
    project.write("a.feather", &file[..file.len() / 2]);
    project.call(&["check", "job.toml"]).exits(3).says(&["`a.feather` cannot be read as Arrow IPC"]);
}

#[test]
fn fields_inside_of_parquet_structs() {
    let field = Arc::new(Field::new("close", DataType::Float64, true));
    let other = Arc::new(Field::new("open", DataType::Float64, true));
    let ohlc: ArrayRef = Arc::new(StructArray::from(vec![(other, closes()), (field, closes())]));
    let batch = batch(("ohlc", ohlc));
    let project = job("path = \"a.parquet\"", &format!("{DATE}\nfields = {{ close = \"ohlc.close\" }}"));
    let out = File::create(project.path("a.parquet")).unwrap();
    let mut writer = parquet::arrow::ArrowWriter::try_new(out, batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    assert_eq!(bars(&project), SEEN);
    assert_eq!(project.call(&["check", "job.toml"]).exits(0).value("rows"), "3");
}

#[test]
fn wide_tables() {
    let project = job("path = \"a.csv\"\nwide = { names = \"symbol\", values = \"close\" }", DATE);
    project.write("a.csv", "date,A,B\n2024-01-02,10,20.25\n2024-01-03,10.5,\n");
    reads_and_moves_nothing(&project);
    project.write("a.csv", "date,A,B\n2024-01-02,10,20.25\n2024-01-03,10.5\n");
    assert_eq!(project.call(&["check", "job.toml"]).value("rows"), "3", "two bars and a ragged record");
    project.write("a.csv", "date,A,A\n2024-01-02,10,20.25\n");
    project.call(&["check", "job.toml"]).exits(3).says(&["column 3 is `close` of `A` once more"]);

    let fields = "time = { field = \"Price\" }\nfields = { close = \"Close\" }";
    let project = job("path = \"a.csv\"\nwide = [\"field\", \"symbol\"]\nignore = [\"Date,*\"]", fields);
    project.write("a.csv", "Price,Close,Close,Open\nTicker,A,B,A\nDate,,,\n2024-01-02,10,20.25,9\n2024-01-03,10.5,,\n");
    reads_and_moves_nothing(&project);
}

#[test]
fn what_is_not_read_ends_in_the_way_to_what_is() {
    for (path, says) in [
        ("a.xlsx", "pandas.read_excel(\"a.xlsx\").to_parquet"),
        ("a.h5", "pandas.read_hdf(\"a.h5\").to_parquet"),
        ("a.pkl", "pandas.read_pickle(\"a.pkl\").to_parquet"),
        ("a.tar.gz", "tar -xf a.tar.gz"),
    ] {
        let project = job(&format!("path = \"{path}\""), DATE);
        project.write(path, "anything");
        project.call(&["check", "job.toml"]).exits(3).says(&["which is not read", says]);
    }
    for (path, says) in [("s3://b/a.csv", "aws s3"), ("https://x.com/a.csv", "curl -LO"), ("-", "write it into a file")]
    {
        let project = job(&format!("path = \"{path}\""), DATE);
        project.call(&["check", "job.toml"]).exits(2).says(&["is not read by this version", says]);
    }
    let project = job("path = \"~/a.csv\"", DATE);
    project.write("a.csv", CSV);
    let home = project.root().to_path_buf();
    let output = project.command(&["check", "job.toml"]).env("HOME", home).output().unwrap();
    project.output(output).exits(0);
}
