//! Noise and damaged examples for every fuzz target, for so many seconds each: `BARKEEP_FUZZ_SECONDS`.

use std::cell::Cell;
use std::io::Write as _;
use std::time::{Duration, Instant};

use proptest::prelude::*;
use proptest::test_runner::{TestCaseError, TestRunner};

use super::targets;
use crate::support::{typed_batch, write_parquet};

/// Seconds for each target: few, so that the whole suite stays short; more by hand.
const SECONDS: u64 = 8;
/// Inputs between two looks at the clock.
const BATCH: u32 = 32;

const CSV: &str = "symbol,date,open,close\n\"A\",2024-01-02,1,\"1,5\"\r\n#B\nB,2024-01-03,\"x\ny\"\"\",-.5e3\n\n,,,\n";
const NDJSON: &str = "{\"symbol\":\"A\",\"date\":\"2024-01-02\",\"open\":1,\"close\":{\"$numberDouble\":\"1.5\"},\"volume\":10}\n\
                      {\"symbol\":\"B\",\"date\":{\"$date\":\"2024-01-02T00:00:00Z\"},\"open\":null,\"x\":[1,{\"y\":\"\\u00e9\"}]}\n";

/// `text` with a few bytes replaced, cut out or put in, or a stretch of it twice.
fn damaged(text: Vec<u8>) -> impl Strategy<Value = Vec<u8>> {
    let change = (any::<prop::sample::Index>(), 0_usize..8, prop::collection::vec(any::<u8>(), 0..8), 0_u8..6);
    prop::collection::vec(change, 1..6).prop_map(move |changes| {
        let mut bytes = text.clone();
        for (at, cut, insert, kind) in changes {
            let at = at.index(bytes.len() + 1);
            let end = (at + cut).min(bytes.len());
            match kind {
                0 => bytes.truncate(at),
                1 => bytes.extend_from_within(at..),
                2 => drop(bytes.splice(at..end, *b"\"\n")),
                _ => drop(bytes.splice(at..end, insert)),
            }
        }
        bytes
    })
}

/// Noise, or one of `examples` with damage, or as it is; the first bytes of each are any.
fn inputs(choices: usize, examples: Vec<Vec<u8>>) -> impl Strategy<Value = Vec<u8>> {
    let example = prop::sample::select(examples);
    let text = prop_oneof![
        2 => prop::collection::vec(any::<u8>(), 0..400),
        1 => example.clone(),
        9 => example.prop_flat_map(damaged),
    ];
    (prop::collection::vec(any::<u8>(), choices), text).prop_map(|(choice, text)| [choice, text].concat())
}

/// Calls `target` with inputs until the time is over; a failing one is made small, and shown.
fn fuzz(name: &str, target: fn(&[u8]), choices: usize, examples: Vec<Vec<u8>>) {
    let seconds = std::env::var("BARKEEP_FUZZ_SECONDS").ok().map_or(SECONDS, |text| text.parse().expect("seconds"));
    let until = Instant::now() + Duration::from_secs(seconds);
    let config = ProptestConfig { cases: BATCH, failure_persistence: None, ..ProptestConfig::default() };
    let (inputs, tried) = (inputs(choices, examples), Cell::new(0));
    while Instant::now() < until {
        // A runner counts the inputs of all its runs, so each batch has its own.
        let ended = TestRunner::new(config.clone()).run(&inputs, |bytes| {
            tried.set(tried.get() + 1);
            std::panic::catch_unwind(|| target(&bytes)).map_err(|_| TestCaseError::fail("it panicked, see above"))
        });
        if let Err(failure) = ended {
            panic!("{failure}");
        }
    }
    eprintln!("{name}: {} inputs", tried.get());
}

/// Examples, one after the other.
fn texts(texts: &[&str]) -> Vec<Vec<u8>> {
    texts.iter().map(|text| text.as_bytes().to_vec()).collect()
}

fn gzip(text: &str) -> Vec<u8> {
    let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    packer.write_all(text.as_bytes()).unwrap();
    packer.finish().unwrap()
}

fn zip(text: &str) -> Vec<u8> {
    let mut archive = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for name in ["a.csv", "b.csv"] {
        archive.start_file(name, zip::write::SimpleFileOptions::default()).unwrap();
        archive.write_all(text.as_bytes()).unwrap();
    }
    archive.finish().unwrap().into_inner()
}

#[test]
fn job_files() {
    fuzz("job", targets::job, 0, texts(&[targets::JOB, crate::cli_support::JOB]));
}

#[test]
fn rule_files() {
    fuzz("rules", targets::rules, 0, texts(&[targets::RULES, crate::cli_support::RULES]));
}

#[test]
fn csv_files() {
    fuzz("csv", targets::csv, 4, texts(&[CSV, crate::cli_support::BARS]));
}

#[test]
fn ndjson_files() {
    fuzz("ndjson", targets::ndjson, 0, texts(&[NDJSON, "[1,2]\n{\"a\":1}\n\n{\"a\":\"\\ud800\"}"]));
}

#[test]
fn json_documents() {
    let array = format!("[{}]", NDJSON.trim_end().replace('\n', ",\n"));
    fuzz(
        "json",
        targets::json,
        0,
        texts(&[&array, &format!("{{\"data\": {{\"bars\": {array}}}, \"n\": 2}}"), "[[1,2],[3]]"]),
    );
}

#[test]
fn packed_files() {
    let packed = [gzip(CSV), zstd::encode_all(CSV.as_bytes(), 1).unwrap(), zip(CSV)];
    let examples = [0_u8, 1, 4].into_iter().zip(packed).map(|(kind, bytes)| [vec![kind], bytes].concat());
    fuzz("packed", targets::packed, 0, examples.collect());
}

#[test]
fn columnar_files() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bars.parquet");
    let batch = typed_batch("symbol:text,close:number\nA,1\nA,2\nB,3\n");
    write_parquet(&path, &batch, 2);
    let mut arrow = arrow::ipc::writer::FileWriter::try_new(Vec::new(), &batch.schema()).unwrap();
    arrow.write(&batch).unwrap();
    let files = [std::fs::read(path).unwrap(), arrow.into_inner().unwrap()];
    fuzz(
        "columnar",
        targets::columnar,
        0,
        [0_u8, 1].into_iter().zip(files).map(|(kind, file)| [vec![kind], file].concat()).collect(),
    );
}

#[test]
fn time_formats() {
    let formats =
        ["%Y-%m-%d", "%d/%m/%y %H:%M:%S%.f", "%b %e, %Y %I:%M %p", "%Y%j", "%Y-%m-%dT%H:%M:%S%:z", "epoch", "rfc3339"];
    let times =
        "2024-02-29\n31/12/99 23:59:60.5\nFeb 29, 2023 12:00 AM\n2024366\n2024-01-02T03:04:05+08:00\n1700000000\n";
    fuzz("time", targets::time, 0, formats.map(|format| format!("{format}\n{times}").into_bytes()).to_vec());
}

#[test]
fn numbers() {
    fuzz(
        "number",
        targets::number,
        2,
        texts(&["1,234.56", "-$1.234,5", "12 345,6M", "1e308", "NaN", "3.5\u{4e07}", "12,34,567", "007"]),
    );
}

#[test]
fn path_patterns() {
    let examples = [
        "{symbol}.csv\nA.csv\nB%2FC.csv",
        "{a}/x-{b}.csv\nA/x-1.csv\nB/x-2.csv",
        "**/*.csv\na=1/b=2/x.csv\na=3/b=4/x.csv",
    ];
    fuzz("place", targets::place, 0, texts(&examples));
}
