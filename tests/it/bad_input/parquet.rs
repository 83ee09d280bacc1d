//! Parquet files that are cut, damaged, at odds with each other, or of types no bar has.

use std::fs::{self, File};
use std::sync::Arc;

use arrow::array::{ArrayRef, BinaryArray, Float64Array, Int64Array, NullArray, RecordBatch, StringArray};
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::WriterProperties;

use super::files::{breaks, over};
use crate::cli_support::Project;
use crate::support::{typed_batch, write_parquet};

const HEADER: &str = "symbol:text,date:date,open:number,high:number,low:number,close:number,volume:count";

fn bars(rows: usize) -> RecordBatch {
    let date = |n: usize| {
        chrono::NaiveDate::from_ymd_opt(2020, 1, 1).unwrap() + chrono::TimeDelta::days(i64::try_from(n).unwrap())
    };
    let row =
        |n: usize| format!("\n{},{},1.{n},2.{n},0.5,1.2{n},{n}", ["A", "B"][n * 2 / rows], date(n % (rows / 2 + 1)));
    typed_batch(&(HEADER.to_owned() + &(0..rows).map(row).collect::<String>()))
}

/// A project over a good Parquet file, and its bytes.
fn project() -> (Project, Vec<u8>) {
    let project = over("\"bars.parquet\"");
    project.write("rules.toml", "[[rule]]\nid = \"ohlc\"\ncheck = \"ohlc\"\n");
    write_parquet(&project.path("bars.parquet"), &bars(400), 100);
    let bytes = fs::read(project.path("bars.parquet")).unwrap();
    (project, bytes)
}

#[test]
fn a_file_that_is_cut_is_rejected_whole() {
    let (project, bytes) = project();
    for length in [3, 8, bytes.len() / 2, bytes.len() - 1] {
        project.write("bars.parquet", &bytes[..length]);
        project
            .call(&["check", "job.toml"])
            .exits(3)
            .says(&["`bars.parquet` is not a whole Parquet file; fetch it again"]);
    }
    project.write("bars.parquet", "");
    project.call(&["check", "job.toml"]).exits(3).says(&["`bars.parquet` is empty"]);
    project.write("bars.parquet", &bytes);
    project.call(&["check", "job.toml"]).exits(0);
}

#[test]
fn pages_that_do_not_read_reject_the_file() {
    let (project, _) = project();
    let path = project.path("bars.parquet");
    let properties = WriterProperties::builder().set_compression(Compression::ZSTD(ZstdLevel::default())).build();
    let batch = bars(400);
    let mut writer = ArrowWriter::try_new(File::create(&path).unwrap(), batch.schema(), Some(properties)).unwrap();
    writer.write(&batch).unwrap();
    let metadata = writer.close().unwrap();
    let bytes = fs::read(&path).unwrap();
    for column in [0, 1, 5] {
        // The header of a page; inside one, only a checksum would tell, and few writers make any.
        let at = usize::try_from(metadata.row_group(0).column(column).data_page_offset()).unwrap();
        let mut damaged = bytes.clone();
        damaged[at..at + 12].fill(0xa5);
        project.write("bars.parquet", damaged);
        let output = project.call(&["check", "job.toml"]);
        // Without checksums some damage decodes to other values; then the rules must see them.
        match output.code {
            Some(3) => drop(output.says(&["`bars.parquet` is not a whole Parquet file; fetch it again"])),
            code => assert_eq!(code, Some(1), "{output:?}"),
        }
    }
}

#[test]
fn a_file_without_rows_is_no_success() {
    let project = over("\"bars.parquet\"");
    write_parquet(&project.path("bars.parquet"), &bars(2).slice(0, 0), 100);
    breaks(
        &project,
        &["`bars.parquet` has no rows: nothing was evaluated; fetch it again or take it out of the source"],
    );
}

#[test]
fn files_must_agree_in_columns_and_types() {
    let project = over("\"data\"");
    fs::create_dir(project.path("data")).unwrap();
    write_parquet(&project.path("data/a.parquet"), &bars(4), 100);
    let text =
        "symbol:text,date:date,open:number,high:number,low:number,close:text,volume:count\nA,2024-01-02,1,2,0.5,x,1";
    write_parquet(&project.path("data/b.parquet"), &typed_batch(text), 100);
    breaks(
        &project,
        &[
            "mixed schemas: column `close` is Float64 in `data/a.parquet` and Utf8 in `data/b.parquet`; rewrite one of them",
        ],
    );
    write_parquet(&project.path("data/b.parquet"), &bars(4).project(&[0, 1, 2, 3, 4, 5]).unwrap(), 100);
    project
        .call(&["check", "job.toml"])
        .exits(3)
        .says(&["column `volume` of `data/a.parquet` is missing in `data/b.parquet`"]);
}

#[test]
fn columns_with_names_of_barkeeps_own_are_left_alone() {
    let project = over("\"bars.parquet\"");
    let own = format!(
        "{HEADER},__row:count,__file:count,__hash:text,__broken:text,__raw:text,close!:text,close~:text,__x0:count"
    );
    let row = |n: u32| format!("\nA,2024-01-0{n},1,2,0.5,1.5,10,7,7,h,b,r,x,y,1");
    write_parquet(&project.path("bars.parquet"), &typed_batch(&(own + &row(2) + &row(3))), 100);
    let output = project.call(&["check", "job.toml"]).exits(0);
    assert_eq!((output.value("rows"), output.value("clean")), ("2", "2"));
    project.write("rules.toml", "[[rule]]\nid = \"r\"\ncheck = \"required\"\nfields = [\"__row\"]\n");
    project.call(&["check", "job.toml"]).exits(3).says(&["column `__row` cannot be read", "rename it in the file"]);
}

#[test]
fn numbers_as_text_and_text_as_numbers() {
    let project = over("\"bars.parquet\"");
    let text = "symbol:count,date:text,open:text,high:number,low:number,close:text,volume:text\n\
                1,2024-01-02,1,2,0.5,1.5,10\n1,2024-01-03,x,2,0.5,1.5,1e999\n1,03.01.2024,1,2,0.5,,1\n";
    write_parquet(&project.path("bars.parquet"), &typed_batch(text), 100);
    let output = project.call(&["check", "job.toml"]).exits(1);
    assert_eq!((output.value("rows"), output.value("parse_errors")), ("3", "2"));
    let expected =
        ["parse-error open not-a-number", "parse-error time not-a-format", "parse-error volume out-of-range"];
    assert_eq!(project.findings(), expected);
}

/// A batch of these columns, any of which may have NULLs.
fn columns(columns: Vec<(&str, ArrayRef)>) -> RecordBatch {
    RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(name, column)| (name, column, true))).unwrap()
}

fn texts(texts: [&str; 2]) -> ArrayRef {
    Arc::new(StringArray::from(texts.to_vec()))
}

fn numbers(numbers: [f64; 2]) -> ArrayRef {
    Arc::new(Float64Array::from(numbers.to_vec()))
}

#[test]
fn a_column_in_which_everything_is_missing_is_null_alone_and_among_others() {
    let nothing = || Arc::new(NullArray::new(2)) as ArrayRef;
    let bars = |dates: [&str; 2], close: ArrayRef, volume: ArrayRef| {
        let price = || numbers([10.0, 10.0]);
        let (high, low) = (numbers([11.0, 11.0]), numbers([9.0, 9.0]));
        columns(vec![
            ("symbol", texts(["A", "A"])),
            ("date", texts(dates)),
            ("open", price()),
            ("high", high),
            ("low", low),
            ("close", close),
            ("volume", volume),
        ])
    };
    let rules = "[[rule]]\nid = \"required\"\ncheck = \"required\"\nfields = [\"close\", \"volume\"]\n\n[[rule]]\nid = \"duplicate\"\ncheck = \"duplicate\"\n";
    let first = ["2024-01-02", "2024-01-03"];
    let missing = bars(first, numbers([10.0, 10.0]), nothing());
    let whole = bars(["2024-01-04", "2024-01-05"], numbers([10.0, 10.0]), Arc::new(Int64Array::from(vec![5, 6])));
    let alone = over("\"bars.parquet\"");
    alone.write("rules.toml", rules);
    write_parquet(&alone.path("bars.parquet"), &missing, 1);
    alone.call(&["check", "job.toml"]).exits(1);
    assert_eq!(alone.findings(), ["required volume null"; 2]);
    for order in [["a", "b"], ["b", "a"]] {
        let among = over("\"data\"");
        among.write("rules.toml", rules);
        fs::create_dir(among.path("data")).unwrap();
        for (name, batch) in order.iter().zip([&missing, &whole]) {
            write_parquet(&among.path(&format!("data/{name}.parquet")), batch, 1);
        }
        let checked = among.call(&["check", "job.toml"]).exits(1);
        assert_eq!((checked.value("rows"), checked.value("parse_errors")), ("4", "0"), "{order:?}");
        assert_eq!(among.findings(), ["required volume null"; 2], "{order:?}");
    }
    let keyless = over("\"bars.parquet\"");
    let rows = vec![("symbol", nothing()), ("date", nothing()), ("close", numbers([1.0, 2.0]))];
    write_parquet(&keyless.path("bars.parquet"), &columns(rows), 1);
    keyless.write("rules.toml", "[[rule]]\nid = \"duplicate\"\ncheck = \"duplicate\"\n");
    keyless.call(&["check", "job.toml"]).exits(1);
    assert_eq!(keyless.findings(), ["parse-error symbol no-series-key"; 2]);
}

#[test]
fn a_file_without_rows_says_nothing_of_the_columns_of_others() {
    let empty = columns(vec![("symbol", numbers([1.0, 2.0])), ("other", texts(["x", "y"]))]).slice(0, 0);
    for name in ["a", "c"] {
        let project = over("\"data\"");
        fs::create_dir(project.path("data")).unwrap();
        write_parquet(&project.path("data/b.parquet"), &bars(4), 100);
        write_parquet(&project.path(&format!("data/{name}.parquet")), &empty, 100);
        let checked = project.call(&["check", "job.toml"]).exits(0);
        assert_eq!(checked.value("rows"), "4");
        project.edit("job.toml", "path = \"data\"", "path = \"data\"\nempty = \"error\"");
        project.call(&["check", "job.toml"]).exits(3).says(&["mixed schemas: column `symbol`"]);
    }
}

#[test]
fn bytes_that_are_no_text_are_findings_where_they_are_read() {
    let project = over("\"bars.parquet\"");
    let symbols: ArrayRef = Arc::new(BinaryArray::from(vec![&b"A"[..], b"\xff\xfe"]));
    let rows = vec![("symbol", symbols), ("date", texts(["2024-01-02", "2024-01-02"])), ("close", numbers([1.0, 2.0]))];
    write_parquet(&project.path("bars.parquet"), &columns(rows), 1);
    project.write("rules.toml", "[[rule]]\nid = \"r\"\ncheck = \"range\"\nfield = \"close\"\nmin = 0.0\n");
    let checked = project.call(&["check", "job.toml"]).exits(1);
    assert_eq!((checked.value("rows"), checked.value("clean"), checked.value("parse_errors")), ("2", "1", "1"));
    let shown = project.call(&["report", "show"]).exits(0).out;
    assert!(shown.contains("no series key: symbol `fffe` is not text"), "{shown}");
}
