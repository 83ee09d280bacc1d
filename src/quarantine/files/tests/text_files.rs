//! Text files: kept rows keep every byte, and what left comes back the same.

use proptest::prelude::*;

use super::*;
use crate::source::testing::{gzip, zstd};

const ODD: &str = "\u{feff}s,n\r\n\r\nA,1\r\n\"B\nb\",2\n\nC,3\r\n\n\nD,4";

#[test]
fn kept_rows_header_and_blank_lines_keep_every_byte() {
    let world = World::csv(ODD);
    let outcome = world.remove(&[2, 4]).unwrap();
    assert_eq!(world.text(), "\u{feff}s,n\r\n\r\nA,1\r\n\nC,3\r\n\n\n");
    assert_eq!(outcome.counts, RemovalCounts { planned: 2, removed: 2, ..RemovalCounts::default() });
    let raws: Vec<&[u8]> = outcome.items.iter().map(|item| item.raw.as_slice()).collect();
    assert_eq!(raws, [&b"\"B\nb\",2"[..], b"D,4"]);
    assert_eq!(outcome.items, world.items());
    assert_eq!(world.states(), [State::Removed; 2]);
    assert_eq!(fs::read(outcome.original.unwrap()).unwrap(), ODD.as_bytes());
    assert_eq!(world.strangers(), Vec::<String>::new());
}

#[test]
fn an_item_says_all_that_was_known_of_its_row() {
    let world = World::csv("s,n\nA,1\nB,2\n");
    let outcome = world.remove(&[2]).unwrap();
    let path = std::path::absolute(world.source()).unwrap();
    let sha256 = "995e074d85862150c925779427e53ff97c085721fab7a9f239faea2aec9004e8".to_owned();
    let expected = Item {
        id: item_id(&path, "k2", &sha256),
        run_id: "20260101T000000Z-aaaa".to_owned(),
        plan_id: "p".to_owned(),
        source: path.display().to_string(),
        locator: "3".to_owned(),
        sha256,
        series: "S".to_owned(),
        time: Some(AT),
        reasons: rejected(2).reasons,
        action: Action::Quarantine,
        at: AT,
        expires_at: AT + 90 * DAY,
        state: State::Removed,
        restored_at: None,
        raw: b"B,2".to_vec(),
    };
    assert_eq!(outcome.items, [expected]);
}

#[test]
fn packed_text_is_packed_the_same_way_and_comes_back_as_it_was() {
    for (name, packed, magic) in [
        ("a.csv.gz", gzip(b"s,n\nA,1\nB,2\nC,3\n"), &[0x1f, 0x8b][..]),
        ("a.csv.zst", zstd(b"s,n\nA,1\nB,2\nC,3\n"), &[0x28, 0xb5, 0x2f, 0xfd]),
    ] {
        let world = World::new(Format::Csv, name, packed);
        world.remove(&[2]).unwrap();
        assert!(world.bytes().starts_with(magic), "{name}");
        let mut text = Vec::new();
        text::walk(&world.open(), &world.fixture.set, |stretch| {
            match stretch {
                text::Stretch::Rest(bytes) => text.extend_from_slice(bytes),
                text::Stretch::Row { raw, line_end, .. } => text.extend([raw, line_end].concat()),
            }
            Ok(())
        })
        .unwrap();
        assert_eq!(text, b"s,n\nA,1\nC,3\n", "{name}");
        assert_eq!(world.restore(&world.ids()).restored, 1);
        assert_eq!(world.bytes(), world.original, "{name}");
    }
}

#[test]
fn ndjson_lines_leave_and_come_back() {
    let world = World::new(Format::Ndjson, "a.ndjson", "{\"a\":1}\n{\"a\":2}\r\n  \n{\"a\":3}");
    world.remove(&[2]).unwrap();
    assert_eq!(world.text(), "{\"a\":1}\n  \n{\"a\":3}");
    assert_eq!(world.restore(&world.ids()).restored, 1);
    assert_eq!(world.bytes(), world.original);
}

#[test]
fn a_csv_file_may_be_left_with_its_header_and_an_ndjson_file_not_empty() {
    let world = World::csv("s,n\nA,1\n");
    assert_eq!(world.remove(&[1]).unwrap().counts.removed, 1);
    assert_eq!(world.text(), "s,n\n");
    assert_eq!(world.restore(&world.ids()).restored, 1);
    assert_eq!(world.bytes(), world.original);
    let world = World::new(Format::Ndjson, "a.ndjson", "{}\n");
    let outcome = world.remove(&[1]).unwrap();
    assert_eq!((outcome.counts.kept_error, outcome.counts.conserved()), (1, true));
    assert!(outcome.note.unwrap().contains("delete the file yourself"));
    assert_eq!(world.text(), "{}\n");
    assert_eq!(world.states(), []);
    assert_eq!(world.strangers(), Vec::<String>::new());
}

#[test]
fn the_new_file_has_the_mode_of_the_old_one_and_the_quarantine_is_private() {
    use std::os::unix::fs::PermissionsExt;
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o7777;
    let world = World::csv("s,n\nA,1\nB,2\n");
    fs::set_permissions(world.source(), fs::Permissions::from_mode(0o640)).unwrap();
    world.remove(&[1]).unwrap();
    assert_eq!(mode(world.source()), 0o640);
    let stored = world.stored();
    assert!(stored.len() >= 6, "{stored:?}");
    for path in stored {
        // An original is the very file that it was.
        let expected = if path.parent().unwrap().ends_with("originals") { 0o640 } else { 0o600 };
        assert_eq!((mode(&path), mode(path.parent().unwrap())), (expected, 0o700), "{}", path.display());
    }
}

#[test]
fn the_copy_can_be_read_as_a_flat_table() {
    use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
    let world = World::csv("s,n\nA,1\nB,2\n");
    world.remove(&[1]).unwrap();
    let copy = world.stored().into_iter().find(|path| path.extension().is_some_and(|end| end == "parquet")).unwrap();
    let builder = ParquetRecordBatchReaderBuilder::try_new(fs::File::open(copy).unwrap()).unwrap();
    let names: Vec<String> = builder.schema().fields().iter().map(|field| field.name().clone()).collect();
    assert_eq!(names[quarantine::SKIPPED..], ["raw", "quarantine_line"]);
    assert!(names.iter().all(|name| name == "raw" || name.starts_with("quarantine_")), "{names:?}");
    assert_eq!(builder.build().unwrap().map(|batch| batch.unwrap().num_rows()).sum::<usize>(), 1);
}

/// The pieces of a CSV text: rows of a few kinds, blank lines among them, and whether it ends in a line end.
fn csv_lines() -> impl Strategy<Value = (Vec<String>, bool)> {
    let cell = prop::sample::select(vec!["a,1", "b,2", "\"x\ny\",3", "\"q\"\"q\",4", "", "é,5"]);
    let end = prop::sample::select(vec!["\n", "\r\n"]);
    let line = (cell, end).prop_map(|(cell, end)| format!("{cell}{end}"));
    (prop::collection::vec(line, 1..30), any::<bool>())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]
    #[test]
    fn what_stays_and_what_left_are_the_whole(
        (mut lines, whole) in csv_lines(),
        chosen in prop::collection::vec(any::<bool>(), 30),
        back in prop::collection::vec(any::<bool>(), 30),
    ) {
        if !whole && let Some(last) = lines.last_mut() {
            last.truncate(last.trim_end().len());
        }
        let is_row = |line: &String| !line.trim_end_matches(['\r', '\n']).is_empty();
        let number = |index: usize| lines[..=index].iter().filter(|line| is_row(line)).count();
        let gone = |index: usize| is_row(&lines[index]) && chosen[number(index) - 1];
        let without = |gone: &dyn Fn(usize) -> bool| -> String {
            (0..lines.len()).filter(|index| !gone(*index)).map(|index| lines[index].as_str()).collect()
        };
        let rows: Vec<u64> = (0..lines.len()).filter(|index| gone(*index)).map(|index| number(index) as u64).collect();
        prop_assume!(!rows.is_empty());
        let world = World::csv(&format!("s,n\n{}", lines.concat()));
        let outcome = world.remove(&rows).unwrap();
        prop_assert_eq!(outcome.counts.removed, rows.len() as u64);
        prop_assert_eq!(world.text(), format!("s,n\n{}", without(&gone)));

        let some: Vec<String> = outcome.items.iter().zip(&back).filter(|(_, back)| **back).map(|(item, _)| item.id.clone()).collect();
        let still_gone = |index: usize| {
            gone(index) && !rows.iter().zip(&back).any(|(row, back)| *back && *row == number(index) as u64)
        };
        prop_assert_eq!(world.restore(&some).restored, some.len() as u64);
        prop_assert_eq!(world.text(), format!("s,n\n{}", without(&still_gone)));
        world.restore(&world.ids());
        prop_assert_eq!(world.bytes(), world.original.clone());
        prop_assert!(world.states().iter().all(|state| *state == State::Restored));
    }
}
