//! `barkeep extract`: the bars of a source as one Parquet file, with or without the rows that a run would move.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::Path;

use arrow::array::AsArray;
use arrow::compute::{cast, concat_batches};
use arrow::datatypes::DataType;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use crate::cli_support::{BARS, JOB, Project};
use crate::support::{typed_batch, write_parquet};

/// `BARS` with a bar of A whose high lies below its low.
fn with_a_bad_bar() -> String {
    format!("{BARS}A,2024-01-05,11,9,10,10.50,0900\n")
}

/// The names of the columns with their types, and the rows as texts; NULL is `-`.
fn read(file: &Path) -> (Vec<String>, Vec<String>) {
    let reader = ParquetRecordBatchReaderBuilder::try_new(File::open(file).unwrap()).unwrap();
    let schema = reader.schema().clone();
    let batch = concat_batches(&schema, &reader.build().unwrap().map(Result::unwrap).collect::<Vec<_>>()).unwrap();
    let columns: Vec<_> = batch.columns().iter().map(|column| cast(column, &DataType::Utf8).unwrap()).collect();
    let cell = |column: &arrow::array::ArrayRef, row: usize| {
        let texts = column.as_string::<i32>();
        if arrow::array::Array::is_null(texts, row) { "-".to_owned() } else { texts.value(row).to_owned() }
    };
    let row = |row: usize| columns.iter().map(|column| cell(column, row)).collect::<Vec<_>>().join(",");
    let names = schema.fields().iter().map(|field| format!("{}:{}", field.name(), field.data_type()));
    (names.collect(), (0..batch.num_rows()).map(row).collect())
}

#[test]
fn text_stays_the_text_it_was_and_the_same_bars_section_reads_it() {
    let project = Project::new(with_a_bad_bar());
    let before = fs::read(project.path("bars.csv")).unwrap();
    let output = project.call(&["extract", "job.toml", "-o", "all"]).exits(0);
    assert_eq!(output.out.trim_end(), "7 rows in all/demo.parquet");
    let (names, rows) = read(&project.path("all/demo.parquet"));
    assert_eq!(names, ["symbol", "date", "open", "high", "low", "close", "volume"].map(|name| format!("{name}:Utf8")));
    assert_eq!(rows, with_a_bad_bar().lines().skip(1).collect::<Vec<_>>());

    let output = project.call(&["extract", "job.toml", "-o", "good", "--clean"]).exits(0);
    assert_eq!(output.out.trim_end(), "6 rows in good/demo.parquet\n1 row left out that a run would move");
    assert_eq!(read(&project.path("good/demo.parquet")).1, BARS.lines().skip(1).collect::<Vec<_>>());
    assert_eq!(fs::read(project.path("bars.csv")).unwrap(), before, "the source stays as it is");
    assert!(!project.path("reports/runs").exists(), "nothing was run");

    for (folder, rows, exit) in [("all", 7, 1), ("good", 6, 0)] {
        project.write(&format!("{folder}.toml"), JOB.replace("bars.csv", &format!("{folder}/demo.parquet")));
        let output = project.call(&["check", &format!("{folder}.toml"), "--no-report"]).exits(exit);
        assert_eq!(output.value("rows"), rows.to_string());
    }
}

#[test]
fn a_source_whose_rows_cannot_be_moved_names_it_as_the_way_out() {
    let project = Project::new("");
    let mut archive = zip::ZipWriter::new(File::create(project.path("bars.zip")).unwrap());
    archive.start_file("bars.csv", zip::write::SimpleFileOptions::default()).unwrap();
    archive.write_all(with_a_bad_bar().as_bytes()).unwrap();
    archive.finish().unwrap();
    project.edit("job.toml", "bars.csv", "bars.zip");
    let output = project.call(&["run", "job.toml"]).exits(4);
    assert!(output.err.contains("barkeep extract JOB -o DIR --clean"), "{output:?}");
    let output = project.call(&["extract", "job.toml", "-o", "good", "--clean", "--format", "json"]).exits(0);
    let object = &output.json()[0];
    assert_eq!((&object["rows"], &object["left_out"], &object["broken"]), (&6.into(), &1.into(), &0.into()));
    assert_eq!(read(&project.path("good/demo.parquet")).1.len(), 6);
}

#[test]
fn typed_columns_keep_their_types_and_places_become_columns() {
    let project = Project::empty();
    for symbol in ["A", "B"] {
        fs::create_dir_all(project.path(&format!("data/symbol={symbol}"))).unwrap();
        let bars = "date:text,open:number,high:number,low:number,close:number,extra:text\n\
                    2024-01-02,1,2,1,2,x\n2024-01-03,1,0.5,1,2,\n";
        write_parquet(&project.path(&format!("data/symbol={symbol}/bars.parquet")), &typed_batch(bars), 10);
    }
    project.write("job.toml", JOB.replace("bars.csv", "data/**/*.parquet"));
    project.write("rules.toml", "[[rule]]\nid = \"ohlc\"\ncheck = \"ohlc\"\naction = \"quarantine\"\n");
    project.call(&["extract", "job.toml", "-o", "good", "--clean"]).exits(0);
    let (names, rows) = read(&project.path("good/demo.parquet"));
    assert!(names.contains(&"close:Float64".to_owned()) && names.contains(&"symbol:Utf8".to_owned()), "{names:?}");
    assert_eq!(rows.len(), 2);
    assert!(rows.iter().all(|row| row.contains("2024-01-02") && row.contains('x')), "{rows:?}");
    assert!(rows[0].contains('A') && rows[1].contains('B'), "in the order of the files: {rows:?}");
}

#[test]
fn records_of_no_row_are_counted_and_values_of_another_type_are_kept() {
    let project = Project::empty();
    project.write("job.toml", JOB.replace("bars.csv", "bars.ndjson"));
    project.write("rules.toml", "[[rule]]\nid = \"ohlc\"\ncheck = \"ohlc\"\n");
    project.write(
        "bars.ndjson",
        "{\"symbol\":\"A\",\"date\":\"2024-01-02\",\"open\":1,\"high\":2,\"low\":1,\"close\":2.50,\"volume\":12345678901234567890}\n\
         {\"symbol\":\"A\",\"date\":\"2024-01-03\",\n\
         {\"symbol\":\"A\",\"date\":20240104,\"open\":\"n/a\",\"high\":2,\"low\":1,\"close\":null,\"volume\":0}\n",
    );
    let output = project.call(&["extract", "job.toml", "-o", "all"]).exits(0);
    assert!(output.out.contains("2 rows in") && output.out.contains("1 record left out"), "{output:?}");
    let rows = read(&project.path("all/demo.parquet")).1;
    assert_eq!(rows, ["A,2024-01-02,1,2,1,2.50,12345678901234567890", "A,20240104,n/a,2,1,-,0"]);
}

#[test]
fn nothing_is_written_where_it_cannot_be_right() {
    let project = Project::new(with_a_bad_bar());
    // The folder of the source: the next check would read the file too.
    let output = project.call(&["extract", "job.toml", "-o", "."]).exits(2);
    assert!(output.err.contains("is the folder of the source"), "{output:?}");
    project.write("there/demo.parquet", "somebody's");
    let output = project.call(&["extract", "job.toml", "-o", "there"]).exits(2);
    assert!(output.err.contains("is there already"), "{output:?}");
    assert_eq!(fs::read(project.path("there/demo.parquet")).unwrap(), b"somebody's");
    // More rows than the limits let leave.
    project.edit("job.toml", "fraction = 1.0\nseries_fraction = 1.0", "fraction = 0.01\nseries_fraction = 0.01");
    let output = project.call(&["extract", "job.toml", "-o", "good", "--clean"]).exits(4);
    assert!(output.err.contains("a run would be refused"), "{output:?}");
    assert!(!project.path("good/demo.parquet").exists());
    project.call(&["extract", "job.toml", "-o", "all"]).exits(0);
    // A source that breaks off.
    let packed = fs::read(project.path("bars.csv")).unwrap();
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    gzip.write_all(&packed).unwrap();
    let gzip = gzip.finish().unwrap();
    project.write("bars.csv.gz", &gzip[..gzip.len() - 20]);
    project.edit("job.toml", "bars.csv", "bars.csv.gz");
    project.call(&["extract", "job.toml", "-o", "cut"]).exits(3);
    assert!(!project.path("cut/demo.parquet").exists());
}
