//! Collections of a real server, looked at and copied. Each test has a database of its own and drops it.

use std::fs::{self, File};
use std::future::Future;
use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use arrow::array::{AsArray, RecordBatch};
use arrow::compute::{concat_batches, lexsort_to_indices, take_record_batch};
use arrow::datatypes::{Float64Type, Int32Type};
use barkeep::bars::FieldKind;
use barkeep::source::mongodb::{
    Address, Collections, Connection, Kind, MongoError, MongoSnapshot, Reader, Topology, id,
};
use barkeep::source::{Wanted, WantedKind};
use mongodb::bson::oid::ObjectId;
use mongodb::bson::raw::{RawDocumentBuf, cstr};
use mongodb::bson::spec::BinarySubtype;
use mongodb::bson::{Binary, Bson, DateTime, Document, Timestamp, doc, rawdoc};
use mongodb::{Client, Collection, Database};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use secrecy::SecretString;
use sha2::{Digest, Sha256};
use tempfile::TempDir;

use super::server::{FAIL_POINT, KINDS, Server};

/// A database of the test's own.
struct Own {
    uri: String,
    database: Database,
    out: TempDir,
}

/// Runs a test with a database of its own, on each kind of server.
fn with_server<F: Future<Output = ()>>(name: &str, test: impl Fn(Arc<Own>) -> F) {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    for server in KINDS.into_iter().filter_map(Server::get) {
        runtime.block_on(async {
            let client = Client::with_uri_str(server.uri()).await.unwrap();
            let database = client.database(&format!("barkeep_{name}_{}", std::process::id()));
            database.drop().await.unwrap();
            let own = Arc::new(Own {
                uri: server.uri().to_owned(),
                database: database.clone(),
                out: TempDir::new().unwrap(),
            });
            test(own).await;
            database.drop().await.unwrap();
            client.shutdown().await;
        });
    }
}

impl Own {
    fn address(&self, collection: &str) -> Address {
        self.address_with(collection, &self.uri)
    }

    fn address_with(&self, collection: &str, uri: &str) -> Address {
        Address {
            uri: SecretString::from(uri.to_owned()),
            database: self.database.name().to_owned(),
            collection: collection.to_owned(),
            allow_plaintext: false,
        }
    }

    fn collection(&self) -> Collection<RawDocumentBuf> {
        self.database.collection("c")
    }

    async fn reader(&self, collection: &str) -> Reader {
        let connection = Connection::open(&self.address(collection)).await.unwrap();
        Reader::new(Arc::new(connection), self.database.name(), collection)
    }

    async fn copy(&self, filter: Document) -> Result<MongoSnapshot, MongoError> {
        let collection = Collections::one(self.reader("c").await).await?;
        collection.extract(&filter, (&wanted(), false), self.out.path(), NonZeroUsize::new(3).unwrap(), |_, _| ()).await
    }

    fn left_behind(&self) -> usize {
        fs::read_dir(self.out.path()).unwrap().count()
    }

    /// The documents that match, by the server's own order of `_id`.
    async fn sorted(&self, filter: Document) -> Vec<RawDocumentBuf> {
        let mut cursor = self.collection().find(filter).sort(doc! { "_id": 1 }).await.unwrap();
        let mut documents = Vec::new();
        while cursor.advance().await.unwrap() {
            documents.push(cursor.current().to_owned());
        }
        documents
    }
}

fn wanted() -> Vec<Wanted> {
    [("symbol", WantedKind::Text), ("trade_date", WantedKind::Time), ("close", WantedKind::Number)]
        .map(|(column, kind)| Wanted { column: column.to_owned(), kind })
        .to_vec()
}

/// The rows of a snapshot in the order of their locators.
fn rows(path: &Path) -> RecordBatch {
    let reader = ParquetRecordBatchReaderBuilder::try_new(File::open(path).unwrap()).unwrap();
    let schema = Arc::clone(reader.schema());
    let batches: Vec<RecordBatch> = reader.build().unwrap().map(Result::unwrap).collect();
    let batch = concat_batches(&schema, &batches).unwrap();
    let keys = ["__file", "__row"].map(|name| arrow::compute::SortColumn {
        values: Arc::clone(batch.column_by_name(name).unwrap()),
        options: None,
    });
    take_record_batch(&batch, &lexsort_to_indices(&keys, None).unwrap()).unwrap()
}

/// Compares a snapshot with the documents themselves: ids, hashes and order.
fn assert_holds(snapshot: &MongoSnapshot, documents: &[RawDocumentBuf]) {
    let batch = rows(&snapshot.path);
    assert_eq!(batch.num_rows(), documents.len());
    assert_eq!(snapshot.rows, documents.len() as u64);
    assert_eq!(snapshot.bytes, documents.iter().map(|document| document.as_bytes().len() as u64).sum::<u64>());
    let ids = batch.column_by_name("__id").unwrap().as_binary::<i32>();
    let hashes = batch.column_by_name("__hash").unwrap().as_fixed_size_binary();
    for (row, document) in documents.iter().enumerate() {
        let expected = id::encode(document.get("_id").unwrap().unwrap());
        assert_eq!(ids.value(row), expected, "row {row}: {} is not {}", id::text(ids.value(row)), id::text(&expected));
        assert_eq!(hashes.value(row), Sha256::digest(document.as_bytes()).as_slice(), "row {row}");
    }
}

fn bar(id: impl Into<Bson>, close: f64) -> RawDocumentBuf {
    let document = doc! { "_id": id, "symbol": "000001", "trade_date": "2025-10-16", "close": close };
    RawDocumentBuf::try_from(&document).unwrap()
}

async fn fill(collection: &Collection<RawDocumentBuf>, documents: impl Iterator<Item = RawDocumentBuf>) {
    let documents: Vec<RawDocumentBuf> = documents.collect();
    for chunk in documents.chunks(20_000) {
        collection.insert_many(chunk).await.unwrap();
    }
}

/// An `_id` of every type that can be one.
fn every_id() -> [Bson; 22] {
    let binary = |subtype, byte| Bson::Binary(Binary { subtype, bytes: vec![byte; 3] });
    [
        Bson::MinKey,
        Bson::MaxKey,
        Bson::Null,
        Bson::Boolean(true),
        Bson::Boolean(false),
        Bson::Int32(5),
        Bson::Int64(7),
        Bson::Double(6.5),
        Bson::Double(f64::NAN),
        Bson::Decimal128("6.75".parse().unwrap()),
        Bson::String("b".to_owned()),
        Bson::String(String::new()),
        Bson::Symbol("sym".to_owned()),
        Bson::ObjectId(ObjectId::new()),
        Bson::DateTime(DateTime::from_millis(-5)),
        Bson::Timestamp(Timestamp { time: 9, increment: 1 }),
        binary(BinarySubtype::Generic, 1),
        binary(BinarySubtype::Uuid, 2),
        Bson::Document(doc! { "symbol": "A", "day": 1 }),
        Bson::Document(doc! { "day": 1, "symbol": "A" }),
        Bson::Document(doc! {}),
        Bson::JavaScriptCode("f()".to_owned()),
    ]
}

#[test]
fn ids_of_every_type_are_read_in_the_servers_order() {
    with_server("ids", |own| async move {
        fill(&own.collection(), every_id().into_iter().map(|id| bar(id, 1.0))).await;
        let snapshot = own.copy(doc! {}).await.unwrap();
        assert_eq!(snapshot.rows, 22);
        assert_holds(&snapshot, &own.sorted(doc! {}).await);
    });
}

/// Ids of four types in turn.
fn mixed_id(n: i32) -> Bson {
    match n % 4 {
        0 => Bson::Int32(n),
        1 => Bson::String(format!("{n:07}")),
        2 => Bson::ObjectId(ObjectId::new()),
        _ => Bson::DateTime(DateTime::from_millis(i64::from(n))),
    }
}

#[test]
fn many_pages_and_ranges_of_mixed_ids_miss_and_repeat_nothing() {
    with_server("ranges", |own| async move {
        fill(&own.collection(), (0..170_000).map(|n| bar(mixed_id(n), f64::from(n)))).await;
        let snapshot = own.copy(doc! {}).await.unwrap();
        assert_holds(&snapshot, &own.sorted(doc! {}).await);
        let batch = rows(&snapshot.path);
        let ranges = batch.column_by_name("__file").unwrap().as_primitive::<Int32Type>();
        assert!(ranges.value(batch.num_rows() - 1) > 0, "several ranges were to be read");
    });
}

#[test]
fn a_collation_of_the_collection_changes_the_order_and_loses_nothing() {
    with_server("collation", |own| async move {
        let collation = mongodb::options::Collation::builder()
            .locale("en".to_owned())
            .strength(mongodb::options::CollationStrength::Secondary)
            .numeric_ordering(true)
            .build();
        own.database.create_collection("c").collation(collation).await.unwrap();
        let id = |n: i32| if n % 2 == 0 { format!("X{n}") } else { format!("x{n}é") };
        fill(&own.collection(), (0..110_000).map(|n| bar(id(n), 1.0))).await;
        let reader = own.reader("c").await;
        assert!(reader.look().await.unwrap().default_collation);
        let snapshot = own.copy(doc! {}).await.unwrap();
        assert_holds(&snapshot, &own.sorted(doc! {}).await);
    });
}

#[test]
fn filters_that_match_nothing_or_little_are_served() {
    with_server("filters", |own| async move {
        fill(&own.collection(), (0..120_000).map(|n| bar(n, f64::from(n % 40_000)))).await;
        let none = own.copy(doc! { "symbol": "none" }).await.unwrap();
        assert_eq!((none.rows, none.broken, none.bytes), (0, 0, 0));
        assert_eq!(rows(&none.path).num_rows(), 0);
        let sparse = doc! { "close": 39_999.0 };
        let snapshot = own.copy(sparse.clone()).await.unwrap();
        assert_eq!(snapshot.rows, 3);
        assert_holds(&snapshot, &own.sorted(sparse).await);
    });
}

#[test]
fn few_documents_that_match_are_fetched_by_their_ids_of_any_type() {
    with_server("few", |own| async move {
        let large = |n: i32| {
            let mut large = bar(900_000 + n, -1.0);
            large.append(cstr!("note"), "x".repeat(6 << 20));
            large
        };
        fill(&own.collection(), (0..100_000).map(|n| bar(mixed_id(n), f64::from(n)))).await;
        fill(&own.collection(), (100_000..108_500).map(|n| bar(mixed_id(n), -1.0))).await;
        fill(&own.collection(), every_id().into_iter().map(|id| bar(id, -1.0))).await;
        for n in 0..5 {
            fill(&own.collection(), std::iter::once(large(n))).await;
        }
        let filter = doc! { "close": -1.0 };
        let snapshot = own.copy(filter.clone()).await.unwrap();
        assert_eq!(snapshot.rows, 8_527, "five of them do not fit into one page");
        assert_holds(&snapshot, &own.sorted(filter).await);
    });
}

#[test]
fn an_empty_collection_is_a_snapshot_without_rows() {
    with_server("empty", |own| async move {
        own.database.create_collection("c").await.unwrap();
        let snapshot = own.copy(doc! {}).await.unwrap();
        assert_eq!(snapshot.rows, 0);
        assert_eq!(own.left_behind(), 1);
    });
}

#[test]
fn documents_of_fifteen_megabytes_are_read_one_a_page() {
    with_server("large", |own| async move {
        let large = |n: i32| {
            let mut document = bar(n, 1.0);
            document.append(cstr!("fat"), "x".repeat(15 << 20));
            document
        };
        for n in 0..4 {
            own.collection().insert_one(large(n)).await.unwrap();
            own.collection().insert_one(bar(n + 10, 2.0)).await.unwrap();
        }
        let snapshot = own.copy(doc! {}).await.unwrap();
        assert_holds(&snapshot, &own.sorted(doc! {}).await);
    });
}

#[test]
fn values_and_damage_come_through_the_wire_as_they_are_stored() {
    with_server("values", |own| async move {
        let mut twice = bar(2, 1.0);
        twice.append(cstr!("close"), 2.0);
        own.collection().insert_one(rawdoc! { "_id": 1, "close": "239390.74", "symbol": 600_000 }).await.unwrap();
        own.collection().insert_one(twice).await.unwrap();
        own.collection().insert_one(rawdoc! { "_id": 3, "trade_date": DateTime::from_millis(0) }).await.unwrap();
        let snapshot = own.copy(doc! {}).await.unwrap();
        assert_eq!((snapshot.rows, snapshot.broken), (3, 1));
        let batch = rows(&snapshot.path);
        let texts = |name: &str| -> Vec<Option<String>> {
            batch.column_by_name(name).unwrap().as_string::<i32>().iter().map(|text| text.map(str::to_owned)).collect()
        };
        let some = |text: &str| Some(text.to_owned());
        let closes = batch.column_by_name("close").unwrap().as_primitive::<Float64Type>();
        assert_eq!(closes.iter().collect::<Vec<_>>(), [Some(239_390.74), None, None]);
        assert_eq!(texts("close~"), [some("239390.74"), None, None]);
        assert_eq!(texts("symbol!"), [some("600000"), None, None]);
        assert_eq!(texts("trade_date!"), [None, None, some(r#"{"$date":{"$numberLong":"0"}}"#)]);
        assert_eq!(texts("__broken"), [None, some("the document is ambiguous: field `close` appears twice"), None]);
    });
}

#[test]
fn fields_nobody_has_are_an_error_that_names_those_there_are() {
    with_server("fields", |own| async move {
        own.collection().insert_one(rawdoc! { "_id": 1, "code": "000001" }).await.unwrap();
        let error = own.copy(doc! {}).await.unwrap_err().to_string();
        assert!(error.contains("none of the fields `symbol`, `trade_date`, `close`"), "{error}");
        assert!(error.contains("they have `_id`, `code`"), "{error}");
        assert_eq!(own.left_behind(), 0);
    });
}

#[test]
fn a_look_tells_kind_identity_and_indexes() {
    with_server("look", |own| async move {
        fill(&own.collection(), (0..3).map(|n| bar(n, 1.0))).await;
        let index = doc! {
            "createIndexes": "c",
            "indexes": [
                { "name": "u", "key": { "symbol": 1, "trade_date": -1 }, "unique": false, "sparse": true },
                { "name": "ttl", "key": { "created_at": 1 }, "expireAfterSeconds": 3600 },
            ],
        };
        own.database.run_command(index).await.unwrap();
        own.database.create_collection("capped").capped(true).size(4096).await.unwrap();
        own.database.create_collection("view").view_on("c".to_owned()).await.unwrap();
        let series = doc! { "create": "series", "timeseries": { "timeField": "at" } };
        own.database.run_command(series).await.unwrap();

        let info = own.reader("c").await.look().await.unwrap();
        assert_eq!((info.kind, info.documents, info.default_collation), (Kind::Collection, 3, false));
        assert_ne!(info.uuid, [0; 16]);
        assert_eq!(info.namespace, format!("{}.c", own.database.name()));
        let names: Vec<&str> = info.indexes.iter().map(|index| index.name.as_str()).collect();
        assert_eq!(names, ["_id_", "u", "ttl"]);
        assert_eq!(info.indexes[1].keys[1], ("trade_date".to_owned(), "-1".to_owned()));
        assert!(info.indexes[1].sparse && !info.indexes[1].unique);
        assert_eq!(info.indexes[2].ttl_seconds, Some(3600));
        assert!(info.server.version.starts_with(|c: char| c.is_ascii_digit()), "{}", info.server.version);
        assert_eq!(info.server.max_document_bytes, 16 << 20);
        for (name, kind) in [("capped", Kind::Capped), ("view", Kind::View), ("series", Kind::TimeSeries)] {
            assert_eq!(own.reader(name).await.look().await.unwrap().kind, kind);
        }
        let error = own.reader("capedd").await.look().await.unwrap_err().to_string();
        assert!(error.ends_with("has no collection `capedd`; did you mean `capped`?"), "{error}");
        let connection = Arc::new(Connection::open(&own.address("c")).await.unwrap());
        let wrong = format!("{}x", own.database.name());
        let error = Reader::new(connection, &wrong, "c").look().await.unwrap_err().to_string();
        assert!(error.contains(&format!("did you mean `{}`?", own.database.name())), "{error}");
    });
}

#[test]
fn inference_finds_fields_at_both_ends() {
    with_server("infer", |own| async move {
        fill(&own.collection(), (0..3000).map(|n| bar(n, f64::from(n)))).await;
        own.collection().insert_one(rawdoc! { "_id": -1, "early": "1.5" }).await.unwrap();
        own.collection().insert_one(rawdoc! { "_id": 5000, "late": DateTime::now() }).await.unwrap();
        let columns = own.reader("c").await.infer(&doc! {}).await.unwrap();
        let kind = |name: &str| {
            let column = columns.iter().find(|column| column.name == name);
            column.map(|column| (column.kind == FieldKind::Number, column.typed_time))
        };
        assert_eq!(kind("close"), Some((true, false)));
        assert_eq!(kind("trade_date"), Some((false, false)));
        assert_eq!(kind("early"), Some((false, false)), "strings alone may be codes");
        assert_eq!(kind("late"), Some((false, true)));
        let matching = own.reader("c").await.infer(&doc! { "close": 7.0 }).await.unwrap();
        assert!(matching.iter().all(|column| column.name != "late"));
    });
}

#[test]
fn every_connection_comes_back() {
    with_server("usage", |own| async move {
        fill(&own.collection(), (0..60_000).map(|n| bar(n, 1.0))).await;
        let connection = Arc::new(Connection::open(&own.address("c")).await.unwrap());
        let collection =
            Collections::one(Reader::new(Arc::clone(&connection), own.database.name(), "c")).await.unwrap();
        let workers = NonZeroUsize::new(4).unwrap();
        collection.extract(&doc! {}, (&wanted(), false), own.out.path(), workers, |_, _| ()).await.unwrap();
        assert!(connection.usage().opened >= 1);
        let usage = connection.close().await;
        assert_eq!(usage.opened, usage.closed_in_all(), "{usage:?}");
        assert_eq!(usage.in_use, 0, "{usage:?}");
        assert!((1..=4).contains(&usage.peak), "{usage:?}");
        assert!(usage.closed.contains_key("pool_closed"), "{usage:?}");
    });
}

#[test]
fn a_dropped_extraction_leaves_no_file() {
    with_server("dropped", |own| async move {
        fill(&own.collection(), (0..60_000).map(|n| bar(n, 1.0))).await;
        let collection = Collections::one(own.reader("c").await).await.unwrap();
        let reached = Arc::new(tokio::sync::Notify::new());
        let output = Arc::clone(&reached);
        let (out, wanted, workers) = (own.out.path().to_owned(), wanted(), NonZeroUsize::new(1).unwrap());
        let copying = tokio::spawn(async move {
            collection.extract(&doc! {}, (&wanted, false), &out, workers, |_, _| output.notify_one()).await.map(|_| ())
        });
        reached.notified().await;
        copying.abort();
        let outcome = copying.await;
        assert!(outcome.is_err_and(|error| error.is_cancelled()), "the extraction was to be stopped on its way");
        // The thread that writes ends on its own as soon as it sees that nobody sends any more.
        while own.left_behind() > 0 {
            tokio::task::yield_now().await;
        }
    });
}

/// Copies 60,000 documents; `disturb` happens after the first page of one worker was written.
async fn copy_disturbed<F>(own: &Arc<Own>, disturb: impl FnOnce(Arc<Own>) -> F) -> Result<MongoSnapshot, MongoError>
where
    F: Future<Output = ()> + Send + 'static,
{
    fill(&own.collection(), (0..60_000).map(|n| bar(n, 1.0))).await;
    let collection = Collections::one(own.reader("c").await).await?;
    let disturbance = Mutex::new(Some(disturb(Arc::clone(own))));
    let runtime = tokio::runtime::Handle::current();
    let once = AtomicBool::new(false);
    let workers = NonZeroUsize::new(1).unwrap();
    collection
        .extract(&doc! {}, (&wanted(), false), own.out.path(), workers, |_, _| {
            if !once.swap(true, Ordering::SeqCst) {
                let disturbance = disturbance.lock().unwrap().take().unwrap();
                // Waits inside a worker of the runtime: the extraction stands still meanwhile.
                tokio::task::block_in_place(|| runtime.block_on(disturbance));
            }
        })
        .await
}

#[test]
fn rows_that_move_behind_the_reader_are_a_shortfall() {
    with_server("moved", |own| async move {
        let copied = copy_disturbed(&own, |own| async move {
            own.collection().delete_many(doc! { "_id": { "$gte": 50_000 } }).await.unwrap();
            fill(&own.collection(), (1..=10_000).map(|n| bar(-n, 1.0))).await;
        })
        .await;
        let Err(MongoError::Shortfall { read, before, after, .. }) = copied else { panic!("{copied:?}") };
        assert_eq!((read, before, after), (50_000, 60_000, 60_000));
        assert_eq!(own.left_behind(), 0);
    });
}

#[test]
fn a_collection_made_anew_meanwhile_is_not_taken_for_the_old_one() {
    with_server("anew", |own| async move {
        let copied = copy_disturbed(&own, |own| async move {
            own.collection().drop().await.unwrap();
            fill(&own.collection(), (0..100).map(|n| bar(n, 1.0))).await;
        })
        .await;
        assert!(matches!(copied, Err(MongoError::Replaced { .. })), "{copied:?}");
        assert_eq!(own.left_behind(), 0);
    });
}

/// Makes `find` fail for connections with `app_name`.
async fn fail_finds(own: &Own, app_name: &str, times: i32, how: Document) {
    let mut data = doc! { "failCommands": ["find"], "appName": app_name };
    data.extend(how);
    let command = doc! { "configureFailPoint": "failCommand", "mode": { "times": times }, "data": data };
    own.database.client().database("admin").run_command(command).await.unwrap();
}

fn named(uri: &str, app_name: &str) -> String {
    let (start, options) = uri.split_once('?').unwrap_or((uri, ""));
    let start = if start.matches('/').count() < 3 { format!("{start}/") } else { start.to_owned() };
    format!("{start}?{options}{}appName={app_name}", if options.is_empty() { "" } else { "&" })
}

#[test]
fn a_page_that_fails_is_asked_again() {
    with_server("again", |own| async move {
        let _alone = FAIL_POINT.lock().await;
        fill(&own.collection(), (0..40_000).map(|n| bar(n, 1.0))).await;
        for (case, how) in [
            ("closed", doc! { "closeConnection": true }),
            ("notprimary", doc! { "errorCode": 10107 }),
            ("interrupted", doc! { "errorCode": 11602 }),
        ] {
            let app_name = format!("barkeep-{case}");
            let address = own.address_with("c", &named(&own.uri, &app_name));
            let connection = Arc::new(Connection::open(&address).await.unwrap());
            fail_finds(&own, &app_name, 1, how).await;
            let collection = Collections::one(Reader::new(connection, own.database.name(), "c")).await.unwrap();
            let workers = NonZeroUsize::new(1).unwrap();
            let copied = collection.extract(&doc! {}, (&wanted(), false), own.out.path(), workers, |_, _| ()).await;
            assert_holds(&copied.unwrap(), &own.sorted(doc! {}).await);
        }
    });
}

#[test]
fn a_server_that_keeps_failing_or_refuses_is_an_error_with_its_words() {
    with_server("failing", |own| async move {
        let _alone = FAIL_POINT.lock().await;
        fill(&own.collection(), (0..10).map(|n| bar(n, 1.0))).await;
        for (case, how, times, expected) in [
            ("often", doc! { "errorCode": 11602 }, 3, "failed while barkeep was to read"),
            ("unauthorised", doc! { "errorCode": 13 }, 1, "`barkeep doctor` tells"),
            ("slow", doc! { "errorCode": 50 }, 1, "did not answer within"),
        ] {
            let app_name = format!("barkeep-{case}");
            let address = own.address_with("c", &named(&own.uri, &app_name));
            let connection = Arc::new(Connection::open(&address).await.unwrap());
            fail_finds(&own, &app_name, times, how).await;
            let collection = Collections::one(Reader::new(connection, own.database.name(), "c")).await.unwrap();
            let workers = NonZeroUsize::new(1).unwrap();
            let copied = collection.extract(&doc! {}, (&wanted(), false), own.out.path(), workers, |_, _| ()).await;
            let error = copied.unwrap_err().to_string();
            assert!(error.contains(expected), "{case}: {error}");
            assert_eq!(own.left_behind(), 0);
        }
    });
}

#[test]
fn addresses_that_do_not_work_are_distinguished() {
    with_server("addresses", |own| async move {
        let host = own.uri.split("://").nth(1).unwrap().split(['/', '?']).next().unwrap();
        let host = host.rsplit('@').next().unwrap();
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let fast = "directConnection=true&serverSelectionTimeoutMS=1500&connectTimeoutMS=1000";
        for (uri, expected) in [
            (format!("mongodb://127.0.0.1:{free}/?{fast}"), "refused"),
            (format!("mongodb://nobody:hunter2hunter2@{host}/?{fast}"), "credentials"),
            (format!("mongodb://{host}/?tls=true&{fast}"), "tls"),
            (format!("mongodb://nobody:hunter2hunter2@{host}/?tls=true&{fast}"), "tls"),
        ] {
            let error = Connection::open(&own.address_with("c", &uri)).await.unwrap_err();
            let kind = match &error {
                MongoError::Refused { .. } => "refused",
                MongoError::Credentials { .. } => "credentials",
                MongoError::Tls { .. } => "tls",
                _ => "another",
            };
            assert_eq!(kind, expected, "{error:?}");
            assert!(!format!("{error} {error:?}").contains("hunter2"), "{error:?}");
        }
        let connection = Connection::open(&own.address("c")).await.unwrap();
        assert_eq!(connection.redacted(), format!("mongodb://{host}"));
        assert!(format!("{connection:?}").contains(host));
    });
}

#[test]
fn a_weak_acknowledgement_is_fine_on_a_standalone_only() {
    with_server("weak", |own| async move {
        let connection = Connection::open(&own.address("c")).await.unwrap();
        let standalone = connection.server().topology == Topology::Standalone;
        let uri = format!("{}&w=1", named(&own.uri, "barkeep"));
        let opened = Connection::open(&own.address_with("c", &uri)).await;
        match standalone {
            true => assert!(opened.is_ok(), "{opened:?}"),
            false => assert!(matches!(opened, Err(MongoError::WeakWriteConcern { .. })), "{opened:?}"),
        }
    });
}
