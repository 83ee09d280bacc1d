//! What copies of a bar are: rows that agree in every field of the source, to the last digit and whatever no rule looks
//! at. The same two rows in every format have the same finding, and only the very same row leaves as a copy.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use arrow::array::{ArrayRef, BinaryArray, Decimal128Array, Float64Array, Int32Array, Int64Array, RecordBatch};
use arrow::array::{NullArray, StringArray, TimestampNanosecondArray, UInt64Array};
use arrow::ipc::writer::FileWriter;
use serde_json::Value;

use crate::cli_support::Project;
use crate::support::{self, package, write_parquet};

/// A value of a field, in the words of its type.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Cell {
    Float(f64),
    Whole(i64),
    /// The units of a decimal number with four places.
    Decimal(i128),
    Text(&'static str),
    Null,
}

use Cell::{Decimal, Float, Null, Text, Whole};

/// The fields of a row besides its symbol, its date and its prices.
pub(crate) type Fields = [(&'static str, Cell); 4];

const BEYOND: i64 = (1 << 53) + 1;
const FIELDS: Fields = [
    ("volume", Whole(BEYOND)),
    ("amount", Decimal(12_345_678_901_234_567_890)),
    ("adj_close", Float(10.25)),
    ("currency", Text("USD")),
];

/// What the second row of a bar has otherwise than the first, and what is said of the two.
pub(crate) struct Case {
    pub(crate) name: &'static str,
    pub(crate) first: Fields,
    pub(crate) second: Fields,
    /// The cause of the rule `duplicate`.
    pub(crate) cause: &'static str,
    /// Whether a copy leaves.
    pub(crate) leaves: bool,
}

fn with(name: &str, cell: Cell) -> Fields {
    FIELDS.map(|(field, usual)| (field, if field == name { cell } else { usual }))
}

/// The same cases for every format.
pub(crate) fn cases() -> Vec<Case> {
    let differs = |name, field, cell| Case {
        name,
        first: FIELDS,
        second: with(field, cell),
        cause: "conflicting",
        leaves: false,
    };
    let same = |name, fields: Fields, leaves| Case { name, first: fields, second: fields, cause: "identical", leaves };
    vec![
        same("the same row", FIELDS, true),
        same("twice missing", with("volume", Null), true),
        same("twice not a number", with("adj_close", Float(f64::NAN)), true),
        differs("a volume that 64 bits of a float round", "volume", Whole(BEYOND - 1)),
        differs("a volume that is missing", "volume", Null),
        differs("the last digit of a decimal number", "amount", Decimal(12_345_678_901_234_567_891)),
        differs("the last bit of a float", "adj_close", Float(10.250_000_000_000_002)),
        differs("not a number and missing", "adj_close", Null),
        differs("a text that no rule looks at", "currency", Text("EUR")),
        differs("a text and none", "currency", Null),
        Case {
            name: "zero of either sign",
            first: with("adj_close", Float(0.0)),
            second: with("adj_close", Float(-0.0)),
            cause: "identical",
            leaves: false,
        },
    ]
}

/// The digits of a decimal number.
pub(crate) fn digits(units: i128) -> String {
    format!("{}.{:04}", units / 10_000, units % 10_000)
}

fn cell(cell: Cell, not_a_number: &str) -> String {
    match cell {
        Float(value) if value.is_nan() => not_a_number.to_owned(),
        Float(value) => format!("{value:?}"),
        Whole(value) => value.to_string(),
        Decimal(units) => digits(units),
        Text(text) => text.to_owned(),
        Null => String::new(),
    }
}

/// The rows of all cases: each has a symbol of its own and a bar of another day before.
fn rows(cases: &[Case]) -> Vec<(String, &'static str, Fields)> {
    let of_case = |(at, case): (usize, &Case)| {
        let row = |date: &'static str, fields: Fields| (symbol(at), date, fields);
        [row("2024-01-02", FIELDS), row("2024-01-03", case.first), row("2024-01-03", case.second)]
    };
    cases.iter().enumerate().flat_map(of_case).collect()
}

/// The symbol of the case at `at`.
pub(crate) fn symbol(at: usize) -> String {
    format!("S{at:02}")
}

fn csv(cases: &[Case]) -> String {
    let line = |(symbol, date, fields): (String, &str, Fields)| {
        let cells: Vec<String> = fields.iter().map(|(_, value)| cell(*value, "NaN")).collect();
        format!("{symbol},{date},10,11,9,10.5,{}\n", cells.join(","))
    };
    let header = "symbol,date,open,high,low,close,volume,amount,adj_close,currency\n";
    header.to_owned() + &rows(cases).into_iter().map(line).collect::<String>()
}

fn json(cases: &[Case]) -> Vec<String> {
    let object = |(symbol, date, fields): (String, &str, Fields)| {
        let literal = |(name, value): &(&str, Cell)| match value {
            Null => format!(",\"{name}\":null"),
            Text(text) => format!(",\"{name}\":\"{text}\""),
            value => format!(",\"{name}\":{}", cell(*value, "{\"$numberDouble\":\"NaN\"}")),
        };
        let fields: String = fields.iter().map(literal).collect();
        format!(
            "{{\"symbol\":\"{symbol}\",\"date\":\"{date}\",\"open\":10,\"high\":11,\"low\":9,\"close\":10.5{fields}}}"
        )
    };
    rows(cases).into_iter().map(object).collect()
}

fn typed(cases: &[Case]) -> RecordBatch {
    let rows = rows(cases);
    let price = |value: f64| Arc::new(Float64Array::from(vec![value; rows.len()])) as ArrayRef;
    let column = |at: usize| -> ArrayRef {
        let cells = rows.iter().map(|(_, _, fields)| fields[at].1);
        match FIELDS[at].1 {
            Whole(_) => {
                Arc::new(cells.map(|c| if let Whole(value) = c { Some(value) } else { None }).collect::<Int64Array>())
            }
            Float(_) => {
                Arc::new(cells.map(|c| if let Float(value) = c { Some(value) } else { None }).collect::<Float64Array>())
            }
            Decimal(_) => {
                let units = cells.map(|c| if let Decimal(units) = c { Some(units) } else { None });
                Arc::new(units.collect::<Decimal128Array>().with_precision_and_scale(38, 4).unwrap())
            }
            Text(_) | Null => {
                Arc::new(cells.map(|c| if let Text(text) = c { Some(text) } else { None }).collect::<StringArray>())
            }
        }
    };
    let mut columns = vec![
        ("symbol", Arc::new(rows.iter().map(|row| Some(row.0.as_str())).collect::<StringArray>()) as ArrayRef),
        ("date", Arc::new(rows.iter().map(|row| Some(row.1)).collect::<StringArray>())),
        ("open", price(10.0)),
        ("high", price(11.0)),
        ("low", price(9.0)),
        ("close", price(10.5)),
    ];
    columns.extend(FIELDS.iter().enumerate().map(|(at, (name, _))| (*name, column(at))));
    RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(name, column)| (name, column, true))).unwrap()
}

fn write_arrow(path: &Path, batch: &RecordBatch) {
    let mut writer = FileWriter::try_new(File::create(path).unwrap(), &batch.schema()).unwrap();
    writer.write(batch).unwrap();
    writer.finish().unwrap();
}

/// A job over the file `name` with the shipped rules and these settings of the source.
fn project(name: &str, settings: &str) -> Project {
    let project = Project::empty();
    let source = format!("[source.files]\npath = \"{name}\"\n{settings}\n");
    project.write("job.toml", job(&source));
    project.write("rules.toml", std::fs::read(package().join("rules/ohlcv.toml")).unwrap());
    project
}

/// A job over a source.
pub(crate) fn job(source: &str) -> String {
    format!(
        "name = \"demo\"\nrules = [\"rules.toml\"]\n{source}\n[bars]\nseries = [\"symbol\"]\ninterval = \"1d\"\n\
         calendar = \"XNYS\"\ntime = {{ field = \"date\" }}\n[report]\ndir = \"reports\"\n[limits]\nfraction = 1.0\n\
         series_fraction = 1.0\n"
    )
}

/// The causes of the rule `duplicate`, sorted, each once, and how many rows would leave.
pub(crate) fn causes_and_moves(project: &Project, out: &str) -> (Vec<String>, u64) {
    let value =
        |name: &str| out.split_whitespace().find_map(|part| part.strip_prefix(&format!("{name}=")).map(str::to_owned));
    let (run, ..) = project.runs().pop().unwrap();
    let findings = support::findings(&project.path("reports"), &run);
    let mut causes: Vec<String> =
        findings.iter().filter(|found| found.rule_id == "duplicate").filter_map(|found| found.cause.clone()).collect();
    causes.sort();
    causes.dedup();
    (causes, value("to_quarantine").unwrap().parse().unwrap())
}

/// What was said of each case: its name, the causes of the rule `duplicate`, whether a copy leaves.
pub(crate) fn output_of(project: &Project, cases: &[Case]) -> Vec<String> {
    let (run, ..) = project.runs().pop().unwrap();
    let findings = support::findings(&project.path("reports"), &run);
    let of_case = |(at, case): (usize, &Case)| {
        let own = || findings.iter().filter(|found| found.series == symbol(at));
        let mut causes: Vec<&str> =
            own().filter(|found| found.rule_id == "duplicate").filter_map(|found| found.cause.as_deref()).collect();
        causes.dedup();
        let leaves = own().any(|found| found.action == "quarantine");
        format!("{}: {}{}", case.name, causes.join(" and "), if leaves { ", leaves" } else { "" })
    };
    cases.iter().enumerate().map(of_case).collect()
}

/// What is to be said of each case.
pub(crate) fn expected(cases: &[Case]) -> Vec<String> {
    let of_case = |case: &Case| format!("{}: {}{}", case.name, case.cause, if case.leaves { ", leaves" } else { "" });
    cases.iter().map(of_case).collect()
}

#[track_caller]
fn assert_told(project: &Project, format: &str, cases: &[Case]) {
    project.call(&["check", "job.toml"]).exits(1);
    assert_eq!(output_of(project, cases), expected(cases), "{format}");
}

#[test]
fn the_same_two_rows_have_the_same_finding_in_every_format() {
    let mut cases = cases();
    let text = project("bars.csv", "");
    text.write("bars.csv", csv(&cases));
    assert_told(&text, "CSV", &cases);

    let lines = project("bars.ndjson", "");
    lines.write("bars.ndjson", json(&cases).join("\n"));
    assert_told(&lines, "NDJSON", &cases);

    let document = project("bars.json", "records = \"data\"");
    document.write("bars.json", format!("{{\"data\": [{}]}}", json(&cases).join(",\n")));
    assert_told(&document, "JSON", &cases);

    let parquet = project("bars.parquet", "");
    write_parquet(&parquet.path("bars.parquet"), &typed(&cases), 4);
    assert_told(&parquet, "Parquet", &cases);

    let arrow = project("bars.arrow", "");
    write_arrow(&arrow.path("bars.arrow"), &typed(&cases));
    assert_told(&arrow, "Arrow", &cases);

    // A column of texts that no rule takes for numbers has texts, and these differ where their letters do.
    cases.retain(|case| !case.name.contains("zero"));
    let texts = project("bars.parquet", "");
    write_parquet(&texts.path("bars.parquet"), &as_texts(&csv(&cases)), 4);
    assert_told(&texts, "Parquet of texts", &cases);
}

/// The columns of a CSV text as texts; an empty cell is NULL.
fn as_texts(csv: &str) -> RecordBatch {
    let (header, rows) = csv.split_once('\n').unwrap();
    let header: Vec<String> = header.split(',').map(|name| format!("{name}:text")).collect();
    support::typed_batch(&format!("{}\n{rows}", header.join(",")))
}

/// The evidence of the findings of `duplicate`.
fn evidence(project: &Project) -> Vec<Value> {
    let (run, ..) = project.runs().pop().unwrap();
    let findings = support::findings(&project.path("reports"), &run);
    findings.iter().filter(|found| found.rule_id == "duplicate").map(support::Finding::evidence).collect()
}

#[test]
fn a_number_that_64_bits_round_is_shown_with_all_its_digits() {
    let case = cases().into_iter().find(|case| case.name.contains("round")).unwrap();
    let parquet = project("bars.parquet", "");
    write_parquet(&parquet.path("bars.parquet"), &typed(&[case]), 2);
    let checked = parquet.call(&["check", "job.toml"]).exits(1);
    assert_eq!(checked.value("rows"), "3");
    let differs: Vec<String> = evidence(&parquet).iter().map(|found| found["differs"]["volume"].to_string()).collect();
    assert!(differs.contains(&"[\"9007199254740993\",9007199254740992.0]".to_owned()), "{differs:?}");
    let shown = parquet.call(&["report", "show", "--dir", "reports"]);
    assert!(shown.out.contains("volume 9007199254740993 instead of 9007199254740992"), "{shown:?}");
}

#[test]
fn a_copy_that_is_written_otherwise_is_identical_and_stays() {
    let row = |date: &str, close: &str, volume: &str| format!("A,{date},10,11,9,{close},{volume}\n");
    for (second, field) in [
        (row("2024-01-02", "10.50", "7"), "close"),
        (row("2024-01-02", "10.5", "7.0"), "volume"),
        (row("2024-01-02T00:00:00", "10.5", "7"), "time"),
    ] {
        let text = project("bars.csv", "");
        text.edit("job.toml", "field = \"date\"", "field = \"date\", formats = [\"%Y-%m-%d\", \"%Y-%m-%dT%H:%M:%S\"]");
        let header = "symbol,date,open,high,low,close,volume\n";
        text.write("bars.csv", format!("{header}{}{second}", row("2024-01-02", "10.5", "7")));
        let checked = text.call(&["check", "job.toml"]).exits(1);
        assert_eq!(causes_and_moves(&text, &checked.out), (vec!["identical".to_owned()], 0), "{second}: {checked:?}");
        assert_eq!(evidence(&text)[0]["written_otherwise"], serde_json::json!([field]));
        let shown = text.call(&["report", "show", "--dir", "reports"]);
        assert!(shown.out.contains(&format!("it writes {field} otherwise, and stays")), "{shown:?}");
    }
}

#[test]
fn a_number_and_a_text_that_reads_as_one_are_not_the_same() {
    let row = |close: &str, more: &str| {
        format!(
            "{{\"symbol\":\"A\",\"date\":\"2024-01-02\",\"open\":10,\"high\":11,\"low\":9,\"close\":{close},\"volume\":7{more}}}\n"
        )
    };
    for (second, cause, leaves) in [
        (row("10.5", ""), "identical", 1),
        (row("\"10.5\"", ""), "conflicting", 0),
        (row("{\"$numberDouble\":\"10.5\"}", ""), "identical", 0),
        (row("10.5", ",\"_id\":{\"$oid\":\"abababababababababababab\"}"), "identical", 1),
        (row("10.5", ",\"note\":\"x\""), "conflicting", 0),
    ] {
        let lines = project("bars.ndjson", "");
        lines.write("bars.ndjson", format!("{}{second}", row("10.5", "")));
        let checked = lines.call(&["check", "job.toml"]).exits(1);
        assert_eq!(causes_and_moves(&lines, &checked.out), (vec![cause.to_owned()], leaves), "{second}: {checked:?}");
    }
}

#[test]
fn a_field_that_no_sample_showed_tells_copies_apart() {
    let row = |date: chrono::NaiveDate, more: &str| {
        format!(
            "{{\"symbol\":\"A\",\"date\":\"{date}\",\"open\":10,\"high\":11,\"low\":9,\"close\":10.5,\"volume\":7{more}}}\n"
        )
    };
    let first = chrono::NaiveDate::from_ymd_opt(2000, 1, 3).unwrap();
    let last = first + chrono::TimeDelta::days(4_999);
    let many: String = first.iter_days().take(5_000).map(|date| row(date, "")).collect();
    for (more, cause, leaves) in [("", "identical", 1), (",\"note\":{\"a\": [1, 2]}", "conflicting", 0)] {
        let lines = project("bars.ndjson", "");
        lines.edit("job.toml", "calendar = \"XNYS\"", "calendar = \"24/7\"");
        lines.write("bars.ndjson", format!("{many}{}", row(last, more)));
        let checked = lines.call(&["check", "job.toml"]).exits(1);
        assert_eq!(causes_and_moves(&lines, &checked.out), (vec![cause.to_owned()], leaves), "{more}: {checked:?}");
        if cause == "conflicting" {
            assert_eq!(
                evidence(&lines)[0]["differs"]["other fields"],
                serde_json::json!(["{\"note\":{\"a\":[1,2]}}", null])
            );
        }
    }
}

#[test]
fn fields_that_are_ignored_may_differ_in_a_copy_that_leaves() {
    let rules =
        "[[rule]]\nid = \"duplicate\"\ncheck = \"duplicate\"\naction = \"quarantine\"\nignore = [\"updated_at\"]\n";
    let csv = project("bars.csv", "");
    csv.write("rules.toml", rules);
    csv.write("bars.csv", "symbol,date,close,updated_at\nA,2024-01-02,1.5,2024-02-01\nA,2024-01-02,1.5,2024-03-01\n");
    let checked = csv.call(&["check", "job.toml"]).exits(1);
    assert_eq!(causes_and_moves(&csv, &checked.out), (vec!["identical".to_owned()], 1));
    csv.write("bars.csv", "symbol,date,close,updated_at\nA,2024-01-02,1.5,2024-02-01\nA,2024-01-02,1.50,2024-03-01\n");
    let checked = csv.call(&["check", "job.toml"]).exits(1);
    assert_eq!(causes_and_moves(&csv, &checked.out), (vec!["identical".to_owned()], 0), "it is written otherwise");
}

/// Two Parquet files with a bar of one day each, whose columns `x` are these.
fn two_files(x: [ArrayRef; 2]) -> Project {
    let project = project("bars", "");
    std::fs::create_dir(project.path("bars")).unwrap();
    for (number, x) in x.into_iter().enumerate() {
        let text = |text: &str| Arc::new(StringArray::from(vec![text])) as ArrayRef;
        let price = |value: f64| Arc::new(Float64Array::from(vec![value])) as ArrayRef;
        let columns = [
            ("symbol", text("A")),
            ("date", text("2024-01-02")),
            ("open", price(10.0)),
            ("high", price(11.0)),
            ("low", price(9.0)),
            ("close", price(10.5)),
            ("volume", price(7.0)),
            ("x", x),
        ];
        let batch = RecordBatch::try_from_iter(columns).unwrap();
        write_parquet(&project.path(&format!("bars/{number}.parquet")), &batch, 8);
    }
    project
}

#[test]
fn files_that_have_a_column_in_several_types_are_compared_by_all_of_its_values() {
    let whole = |value: i64| Arc::new(Int64Array::from(vec![value])) as ArrayRef;
    let float = |value: f64| Arc::new(Float64Array::from(vec![value])) as ArrayRef;
    let unsigned = |value: u64| Arc::new(UInt64Array::from(vec![value])) as ArrayRef;
    let short = |value: i32| Arc::new(Int32Array::from(vec![value])) as ArrayRef;
    let text = |value: &str| Arc::new(StringArray::from(vec![value])) as ArrayRef;
    let bytes = |value: &[u8]| Arc::new(BinaryArray::from(vec![value])) as ArrayRef;
    let nothing = || Arc::new(NullArray::new(1)) as ArrayRef;
    let instant = |value: i64| Arc::new(TimestampNanosecondArray::from(vec![value])) as ArrayRef;
    for (name, x, cause, leaves) in [
        ("integer and float", [whole(BEYOND), float(9_007_199_254_740_992.0)], "conflicting", 0),
        ("the same integer and float", [whole(5), float(5.0)], "identical", 0),
        ("unsigned", [unsigned(u64::MAX), unsigned(u64::MAX - 1)], "conflicting", 0),
        ("the same unsigned", [unsigned(u64::MAX), unsigned(u64::MAX)], "identical", 1),
        ("unsigned and signed", [unsigned(u64::MAX), whole(-1)], "conflicting", 0),
        ("short and long", [short(5), whole(5)], "identical", 0),
        ("text and number", [text("5"), whole(5)], "identical", 0),
        ("bytes", [bytes(b"\xff\x00"), bytes(b"\xff\x01")], "conflicting", 0),
        ("the same bytes", [bytes(b"\xff\x00"), bytes(b"\xff\x00")], "identical", 1),
        ("instants", [instant(1), instant(2)], "conflicting", 0),
        ("a number and a text that is none", [whole(5), text("many")], "conflicting", 0),
        ("a number and nothing", [whole(5), nothing()], "conflicting", 0),
        ("twice nothing", [nothing(), nothing()], "identical", 1),
    ] {
        let project = two_files(x);
        let checked = project.call(&["check", "job.toml"]);
        assert_eq!(causes_and_moves(&project, &checked.out), (vec![cause.to_owned()], leaves), "{name}: {checked:?}");
        assert_eq!(checked.value("parse_errors"), "0", "no rule looks at {name}: {checked:?}");
    }
}

#[test]
fn a_column_that_only_some_files_have_and_no_rule_looks_at_is_null_in_the_others() {
    let csv = project("bars", "");
    csv.write("bars/a.csv", "symbol,date,open,high,low,close,volume\nA,2024-01-02,10,11,9,10.5,7\n");
    csv.write(
        "bars/b.csv",
        "symbol,date,open,high,low,close,volume,note\nA,2024-01-02,10,11,9,10.5,7,\nA,2024-01-03,10,11,9,10.5,7,x\n",
    );
    let checked = csv.call(&["check", "job.toml"]).exits(1);
    assert_eq!(causes_and_moves(&csv, &checked.out), (vec!["identical".to_owned()], 1));
}

#[test]
fn of_typed_files_only_series_that_have_a_bar_twice_are_read_again() {
    let rows = |symbol: &str, dates: [&str; 3]| -> String {
        // Each day has a volume of its own, for a bar that repeats with its volume is another fault.
        dates.map(|date| format!("{symbol},{date},10,11,9,10.5,{},x\n", &date[9..])).concat()
    };
    let header = "symbol:text,date:text,open:number,high:number,low:number,close:number,volume:count,note:text\n";
    let days = ["2024-01-02", "2024-01-03", "2024-01-04"];
    let parquet = project("bars", "");
    std::fs::create_dir(parquet.path("bars")).unwrap();
    let write = |name: &str, text: String| {
        write_parquet(&parquet.path(name), &support::typed_batch(&format!("{header}{text}")), 2);
    };
    write("bars/0.parquet", rows("A", days) + &rows("B", ["2024-01-02", "2024-01-03", "2024-01-03"]));
    write("bars/1.parquet", rows("C", days) + &rows("(null)", ["2024-01-02", "2024-01-02", "2024-01-03"]));
    let checked = parquet.call(&["check", "job.toml"]).exits(1);
    let seen = ["rows", "clean", "to_quarantine"].map(|name| checked.value(name));
    assert_eq!(seen, ["12", "10", "2"], "every row is counted once: {checked:?}");
    let (run, ..) = parquet.runs().pop().unwrap();
    let mut found: Vec<String> = support::findings(&parquet.path("reports"), &run)
        .iter()
        .filter(|found| found.rule_id.starts_with("duplicate"))
        .map(|found| format!("{} {} {}", found.rule_id, found.series, found.cause.as_deref().unwrap_or("-")))
        .collect();
    found.sort();
    let expected = [
        "duplicate B identical",
        "duplicate \\(null) identical",
        "duplicate-copy B identical",
        "duplicate-copy \\(null) identical",
    ];
    assert_eq!(found, expected);
    parquet.call(&["run", "job.toml"]).exits(1);
    let after = parquet.call(&["check", "job.toml"]);
    assert_eq!((after.value("rows"), after.value("to_quarantine")), ("10", "0"), "{after:?}");
}
