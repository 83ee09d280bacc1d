//! Parquet files: schema, order, row groups and metadata stay; every value keeps its bits.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, AsArray, Decimal128Array, Float64Array, Int64Array, Int64Builder, ListBuilder, RecordBatch, StringArray,
    TimestampMicrosecondArray,
};
use arrow::compute::{concat_batches, filter_record_batch};
use arrow::datatypes::Int64Type;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ParquetRecordBatchReaderBuilder};
use parquet::basic::Compression;
use parquet::file::metadata::{KeyValue, SortingColumn};
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::schema::types::ColumnPath;

use super::*;

pub(super) fn sample(rows: i64) -> RecordBatch {
    let some = |n: i64| (n % 3 != 0).then_some(n);
    let mut lists = ListBuilder::new(Int64Builder::new());
    for n in 0..rows {
        match n % 4 {
            0 => lists.append_null(),
            1 => lists.append(true),
            _ => {
                lists.values().append_option(some(n));
                lists.values().append_value(-n);
                lists.append(true);
            }
        }
    }
    let timestamp = (0..rows).map(some).collect::<TimestampMicrosecondArray>().with_timezone("Asia/Shanghai");
    let price = (0..rows).map(|n| some(n).map(i128::from)).collect::<Decimal128Array>();
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("n", Arc::new(Int64Array::from_iter_values(0..rows))),
        ("text", Arc::new((0..rows).map(|n| some(n).map(|n| format!("t{}", n % 7))).collect::<StringArray>())),
        ("close", Arc::new((0..rows).map(|n| some(n).map(|n| n as f64 / 7.0)).collect::<Float64Array>())),
        ("time", Arc::new(timestamp)),
        ("price", Arc::new(price.with_precision_and_scale(12, 2).unwrap())),
        ("lists", Arc::new(lists.finish())),
    ];
    RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(name, array)| (name, array, true))).unwrap()
}

fn file(batch: &RecordBatch, group: usize) -> Vec<u8> {
    let properties = WriterProperties::builder()
        .set_max_row_group_row_count(Some(group))
        .set_compression(Compression::SNAPPY)
        .set_column_compression(ColumnPath::from("close"), Compression::UNCOMPRESSED)
        .set_column_dictionary_enabled(ColumnPath::from("close"), false)
        .set_column_bloom_filter_enabled(ColumnPath::from("text"), true)
        .set_sorting_columns(Some(vec![SortingColumn { column_idx: 0, descending: false, nulls_first: false }]))
        .set_key_value_metadata(Some(vec![KeyValue::new("origin".to_owned(), "exchange".to_owned())]));
    let mut writer = ArrowWriter::try_new(Vec::new(), batch.schema(), Some(properties.build())).unwrap();
    writer.write(batch).unwrap();
    writer.into_inner().unwrap()
}

pub(super) fn world(rows: i64, group: usize) -> World {
    World::new(Format::Parquet, "a.parquet", file(&sample(rows), group))
}

pub(super) fn read(path: &Path) -> RecordBatch {
    let builder = ParquetRecordBatchReaderBuilder::try_new(fs::File::open(path).unwrap()).unwrap();
    let schema = Arc::clone(builder.schema());
    let batches: Vec<RecordBatch> = builder.build().unwrap().map(Result::unwrap).collect();
    let batch = concat_batches(&schema, &batches).unwrap();
    // What Arrow reads from the metadata of the file is compared there.
    let schema = Arc::new(schema.as_ref().clone().with_metadata(HashMap::new()));
    RecordBatch::try_new(schema, batch.columns().to_vec()).unwrap()
}

fn metadata(path: &Path) -> ArrowReaderMetadata {
    ArrowReaderMetadata::load(&fs::File::open(path).unwrap(), parquet::arrow::arrow_reader::ArrowReaderOptions::new())
        .unwrap()
}

fn group_sizes(path: &Path) -> Vec<u64> {
    table::group_sizes(&table::open(&Open::at(&Disk::system(), path).unwrap()).unwrap()).unwrap()
}

fn without(batch: &RecordBatch, gone: &[u64]) -> RecordBatch {
    let stays = (1..=batch.num_rows() as u64).map(|row| Some(!gone.contains(&row))).collect();
    filter_record_batch(batch, &stays).unwrap()
}

#[test]
fn every_column_keeps_its_values_and_the_file_its_metadata() {
    let world = world(100, 30);
    let before = metadata(world.source());
    let gone = [1, 30, 31, 45, 100];
    let outcome = world.remove(&gone).unwrap();
    assert_eq!((outcome.counts.removed, outcome.checksums), (5, Checksums::None));
    assert_eq!(read(world.source()), without(&sample(100), &gone));
    let after = metadata(world.source());
    assert_eq!(group_sizes(world.source()), [28, 28, 30, 9]);
    let (old, new) = (before.metadata(), after.metadata());
    assert_eq!(old.file_metadata().schema_descr().root_schema(), new.file_metadata().schema_descr().root_schema());
    assert_eq!(old.file_metadata().key_value_metadata(), new.file_metadata().key_value_metadata());
    for group in new.row_groups() {
        assert_eq!(group.sorting_columns(), old.row_group(0).sorting_columns());
        for (column, like) in group.columns().iter().zip(old.row_group(0).columns()) {
            assert_eq!(column.compression(), like.compression(), "{}", column.column_path());
            assert_eq!(column.dictionary_page_offset().is_some(), like.dictionary_page_offset().is_some());
            assert_eq!(column.bloom_filter_offset().is_some(), like.bloom_filter_offset().is_some());
        }
    }
}

#[test]
fn the_copy_has_the_rows_own_columns_and_they_come_back() {
    let world = world(100, 30);
    let outcome = world.remove(&[2, 30, 100]).unwrap();
    let copy = world.stored().into_iter().find(|path| path.extension().is_some_and(|end| end == "parquet")).unwrap();
    let copy = read(&copy);
    assert_eq!(copy.num_columns(), quarantine::SKIPPED + 6);
    assert_eq!(copy.column_by_name("n").unwrap().as_primitive::<Int64Type>().values(), &[1, 29, 99]);
    let json: serde_json::Value = serde_json::from_slice(&outcome.items[1].raw).unwrap();
    assert_eq!((json["n"].as_i64(), json["text"].as_str()), (Some(29), Some("t1")));

    let ids = world.ids();
    assert_eq!(world.restore(&ids[1..2]).restored, 1);
    assert_eq!(read(world.source()), without(&sample(100), &[2, 100]));
    assert_eq!(group_sizes(world.source()), [29, 30, 30, 9]);
    assert_eq!(world.restore(&ids).restored, 2);
    assert_eq!(world.bytes(), world.original);
}

#[test]
fn rows_come_back_without_the_original_too() {
    let world = world(100, 30);
    let gone: Vec<u64> = (5..=70).collect();
    let outcome = world.remove(&gone).unwrap();
    assert_eq!(group_sizes(world.source()).len(), 3, "an empty row group disappears");
    fs::remove_file(outcome.original.unwrap()).unwrap();
    assert_eq!(world.restore(&world.ids()).restored, 66);
    assert_eq!(read(world.source()), sample(100));
}

#[test]
fn rows_find_their_neighbours_in_a_file_that_was_rewritten() {
    let world = world(20, 30);
    world.remove(&[1, 8, 20]).unwrap();
    fs::write(world.source(), file(&without(&sample(20), &[1, 3, 8, 20]), 5)).unwrap();
    assert_eq!(world.restore(&world.ids()).restored, 3);
    assert_eq!(read(world.source()), without(&sample(20), &[3]));
}

#[test]
fn all_rows_may_leave_and_come_back() {
    let world = world(10, 4);
    let all: Vec<u64> = (1..=10).collect();
    assert_eq!(world.remove(&all).unwrap().counts.removed, 10);
    assert_eq!(read(world.source()).num_rows(), 0);
    assert_eq!(read(world.source()).schema(), sample(10).schema());
    fs::remove_dir_all(world.quarantine.path().join("job=j/originals")).unwrap();
    assert_eq!(world.restore(&world.ids()).restored, 10);
    assert_eq!(read(world.source()), sample(10));
}

#[test]
fn a_file_without_a_page_index_keeps_none_and_its_statistics() {
    for statistics in [EnabledStatistics::None, EnabledStatistics::Chunk] {
        let properties = WriterProperties::builder()
            .set_max_row_group_row_count(Some(10))
            .set_offset_index_disabled(true)
            .set_statistics_enabled(statistics);
        let batch = sample(40);
        let mut writer = ArrowWriter::try_new(Vec::new(), batch.schema(), Some(properties.build())).unwrap();
        writer.write(&batch).unwrap();
        let world = World::new(Format::Parquet, "a.parquet", writer.into_inner().unwrap());
        assert_eq!(world.remove(&[12, 13]).unwrap().counts.removed, 2, "the other row groups are copied byte for byte");
        assert_eq!(read(world.source()), without(&sample(40), &[12, 13]));
        for group in metadata(world.source()).metadata().row_groups() {
            for column in group.columns() {
                assert_eq!(column.offset_index_offset(), None);
                assert_eq!(column.statistics().is_some(), statistics == EnabledStatistics::Chunk);
            }
        }
        assert_eq!(world.restore(&world.ids()).restored, 2);
        assert_eq!(world.bytes(), world.original);
    }
}

#[test]
fn a_damaged_page_stops_the_removal() {
    let world = world(3000, 3000);
    let mut bytes = world.bytes();
    bytes[4..400].fill(0xff);
    fs::write(world.source(), &bytes).unwrap();
    let error = world.remove(&[1]).unwrap_err();
    assert!(matches!(error, FilesError::Parquet { .. }), "{error}");
    assert_eq!(world.bytes(), bytes);
    assert_eq!(world.strangers(), Vec::<String>::new());
}

#[test]
fn a_column_with_a_name_of_ours_is_refused() {
    let batch =
        RecordBatch::try_from_iter([("quarantine_id", Arc::new(Int64Array::from(vec![1, 2])) as ArrayRef)]).unwrap();
    let world = World::new(Format::Parquet, "a.parquet", file(&batch, 10));
    let error = world.remove(&[1]).unwrap_err();
    assert!(matches!(&error, FilesError::ReservedColumn { column, .. } if column == "quarantine_id"), "{error}");
    assert_eq!(world.bytes(), world.original);
}

#[test]
fn the_same_row_has_the_same_hash_however_it_is_stored() {
    let hashes = |group| {
        let world = world(50, group);
        let outcome = world.remove(&[7, 33]).unwrap();
        outcome.items.into_iter().map(|item| item.sha256).collect::<Vec<_>>()
    };
    let ten = hashes(10);
    assert_eq!(ten, hashes(50));
    assert_ne!(ten[0], ten[1]);
}

#[test]
fn a_table_that_is_rewritten_while_the_runner_is_dead_is_looked_at_row_by_row() {
    use crate::quarantine::crash::testing::crash_at;
    let world = world(20, 30);
    assert!(crash_at("files.exchange.after", || world.remove(&[2, 9])).is_none());
    fs::write(world.source(), file(&without(&sample(20), &[2, 3]), 30)).unwrap();
    let recovered = world.recover();
    assert_eq!(
        recovered[0].counts,
        RemovalCounts { planned: 2, removed: 1, kept_changed: 1, ..RemovalCounts::default() }
    );
    assert_eq!(world.states(), [State::Removed, State::KeptChanged]);
    let result = world.restore(&world.ids());
    assert_eq!((result.restored, result.already_there), (1, 1));
    assert_eq!(read(world.source()), without(&sample(20), &[3]));
    assert_eq!(world.strangers(), Vec::<String>::new());
}
