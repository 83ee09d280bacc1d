//! Noise: whatever bytes stand where a job, a rule file or bars should be, barkeep answers and does not panic.
//!
//! Through the entry points of the library, so that many cases cost little; a few go through the program.

use std::fs;
use std::num::NonZeroUsize;
use std::path::Path;

use barkeep::bars::TextLayout;
use barkeep::bars::layout::{Delimiter, Encoding, Header, LinePattern};
use barkeep::config;
use barkeep::source::{self, Files, KeyField, TextFile, Wanted, WantedKind};
use proptest::prelude::*;

use crate::cli_support::{BARS, JOB, Project, RULES};
use crate::support::{typed_batch, write_parquet};

/// `text` with a few bytes replaced, cut out or put in.
fn damaged(text: &'static [u8]) -> impl Strategy<Value = Vec<u8>> {
    let change = (any::<prop::sample::Index>(), 0_usize..8, prop::collection::vec(any::<u8>(), 0..8));
    prop::collection::vec(change, 1..6).prop_map(move |changes| {
        let mut bytes = text.to_vec();
        for (at, cut, insert) in changes {
            let at = at.index(bytes.len() + 1);
            let end = (at + cut).min(bytes.len());
            bytes.splice(at..end, insert);
        }
        bytes
    })
}

/// Noise, or `text` with damage.
fn noise(text: &'static [u8]) -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![1 => prop::collection::vec(any::<u8>(), 0..400), 3 => damaged(text)]
}

/// Loads a job as the program does, and compiles its rules as far as it goes.
fn load(job: &Path) {
    if let Ok(loaded) = config::load(job) {
        let names = ["symbol", "date", "open", "high", "low", "close", "volume"];
        let column = |name: &str| config::SourceColumn {
            name: name.to_owned(),
            kind: barkeep::bars::FieldKind::Text,
            typed_time: false,
        };
        if let Ok(bars) = loaded.job.bars_spec(&names.map(column)) {
            loaded.compile(&bars).map_or_else(
                |mistakes| mistakes.iter().map(|mistake| mistake.render(false).len()).sum(),
                |rules| rules.rules.len(),
            );
        }
    }
}

/// Looks at and copies a source as the program does; the rows it has, if it is one.
fn extract(folder: &Path, name: &str) -> Option<u64> {
    extract_as(folder, &Files::all(vec![folder.join(name)]))
}

fn extract_as(folder: &Path, files: &Files) -> Option<u64> {
    let set = source::discover(files).ok()?;
    let columns = source::infer(&set).ok()?;
    if !set.format.is_text() {
        let names: Vec<KeyField> = columns.iter().map(|column| KeyField::Column(column.name.clone())).collect();
        source::series_order(&set.files, &names, 2).ok();
        return None;
    }
    let wanted: Vec<Wanted> =
        columns.into_iter().map(|column| Wanted { column: column.name, kind: WantedKind::Number }).collect();
    let snapshot = source::extract(&set, &wanted, folder, NonZeroUsize::MIN, &mut |_, _| ()).ok()?;
    assert!(snapshot.broken <= snapshot.rows);
    Some(snapshot.rows)
}

/// The rows of a text file, and its text put together again from what stands in and between them.
fn rows_and_text(files: &Files) -> Option<(u64, Vec<u8>)> {
    let set = source::discover(files).ok()?;
    let mut file = TextFile::open(&set.files[0], &set).ok()?;
    let (mut rows, mut text) = (0, Vec::new());
    while let Some(chunk) = file.next_chunk().ok()? {
        rows += chunk.records.len() as u64;
        text.extend_from_slice(&chunk.data);
    }
    Some((rows, text))
}

/// Any layout of text files.
fn layouts() -> impl Strategy<Value = TextLayout> {
    let header = prop::sample::select(vec![Header::First, Header::None, Header::Auto]);
    let delimiter = vec![Delimiter::Byte(b','), Delimiter::Byte(b';'), Delimiter::Byte(b'\t'), Delimiter::Blanks];
    let encoding = prop::sample::select(vec!["utf-8", "gbk", "latin1", "shift_jis", "utf-16"]);
    let ignore = prop::sample::select(vec![vec![], vec!["#*"], vec!["*,", "?"]]);
    (header, prop::sample::select(delimiter), encoding, ignore, 0_u64..3, any::<bool>()).prop_map(
        |(header, delimiter, encoding, ignore, skip, trim)| TextLayout {
            header,
            columns: if header == Header::First { Vec::new() } else { ["a", "b", "c"].map(str::to_owned).to_vec() },
            skip,
            ignore: ignore.into_iter().map(|text| LinePattern::try_from(text.to_owned()).unwrap()).collect(),
            delimiter,
            encoding: Encoding::named(encoding).unwrap(),
            trim,
            nulls: vec![String::new()],
        },
    )
}

const NDJSON: &str = "{\"symbol\":\"A\",\"date\":\"2024-01-02\",\"open\":1,\"high\":2,\"low\":0.5,\"close\":{\"$numberDouble\":\"1.5\"},\"volume\":10}\n\
                      {\"symbol\":\"B\",\"date\":{\"$date\":\"2024-01-02T00:00:00Z\"},\"open\":null,\"x\":[1,{\"y\":\"\\u00e9\"}]}\n";

/// How often each property is tried; more by hand.
fn cases() -> u32 {
    std::env::var("BARKEEP_NOISE").ok().and_then(|text| text.parse().ok()).unwrap_or(64)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_job_file_makes_it_panic(bytes in noise(JOB.as_bytes())) {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("rules.toml"), RULES).unwrap();
        fs::write(dir.path().join("job.toml"), bytes).unwrap();
        load(&dir.path().join("job.toml"));
    }

    #[test]
    fn no_rule_file_makes_it_panic(bytes in noise(RULES.as_bytes())) {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("rules.toml"), bytes).unwrap();
        fs::write(dir.path().join("job.toml"), JOB).unwrap();
        load(&dir.path().join("job.toml"));
    }

    #[test]
    fn no_text_makes_it_panic(csv in noise(BARS.as_bytes()), ndjson in noise(NDJSON.as_bytes())) {
        let dir = tempfile::tempdir().unwrap();
        for (name, bytes) in [("bars.csv", csv), ("bars.ndjson", ndjson)] {
            fs::write(dir.path().join(name), bytes).unwrap();
            extract(dir.path(), name);
        }
    }

    #[test]
    fn no_layout_over_any_text_panics_or_loses_a_row(
        csv in noise(BARS.as_bytes()),
        layout in layouts(),
        missing_is_null: bool,
    ) {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("bars.csv"), &csv).unwrap();
        let lines = layout.encoding.keeps_lines();
        let files = Files {
            layout,
            delimiter_is_given: true,
            missing_is_null,
            ..Files::all(vec![dir.path().join("bars.csv")])
        };
        let read = rows_and_text(&files);
        if let Some(copied) = extract_as(dir.path(), &files) {
            let (rows, text) = read.expect("what is copied can be read");
            prop_assert_eq!(copied, rows, "rows in are rows out, broken ones among them");
            prop_assert!(!lines || text == csv, "the text is whole");
        }
    }

    #[test]
    fn no_parquet_file_makes_it_panic(at in any::<prop::sample::Index>(), bytes in prop::collection::vec(any::<u8>(), 1..6), cut in any::<prop::sample::Index>(), is_cut: bool) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("bars.parquet");
        write_parquet(&path, &typed_batch("symbol:text,close:number\nA,1\nA,2\nB,3\n"), 2);
        let mut file = fs::read(&path).unwrap();
        let at = at.index(file.len());
        let end = (at + bytes.len()).min(file.len());
        file.splice(at..end, bytes);
        if is_cut {
            file.truncate(cut.index(file.len()));
        }
        fs::write(&path, file).unwrap();
        extract(dir.path(), "bars.parquet");
    }
}

#[test]
fn the_program_answers_noise_with_an_exit_code() {
    let project = Project::new(BARS);
    for (number, seed) in (0_u32..6).enumerate() {
        let noise: Vec<u8> =
            (0..200 + seed * 97).map(|n| (n.wrapping_mul(seed * 2 + 40_503) >> 7).to_le_bytes()[0]).collect();
        let name = ["job.toml", "rules.toml", "bars.csv"][number % 3];
        let whole = fs::read(project.path(name)).unwrap();
        let half = [&whole[..whole.len() / 2], noise.as_slice()].concat();
        for bytes in [noise, half] {
            project.write(name, &bytes);
            let output = project.call(&["run", "job.toml", "--format", "json"]);
            assert!(matches!(output.code, Some(0..=4)), "{output:?}");
            output.json();
        }
        project.write(name, whole);
    }
}
