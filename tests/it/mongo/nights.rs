//! Nights over a collection: the server sends what may have changed, and nothing else is lost sight of.

use chrono::{Days, NaiveDate};
use mongodb::bson::raw::RawDocumentBuf;
use mongodb::bson::{Bson, DateTime, Document, doc};

use super::quotes::QUOTES;
use super::server::{KINDS, Server};
use crate::cli_support::{Project, Told};

const JOB: &str = r#"name = "nightly"
rules = ["rules.toml"]
[source.mongodb]
uri = "${BARKEEP_TEST_URI}"
database = "${BARKEEP_TEST_DATABASE}"
collection = "stock_daily_quotes"
[bars]
series = ["symbol"]
interval = "1d"
calendar = "24/7"
time = { field = "t", formats = [FORMATS] }
[report]
dir = "reports"
[window]
lookback = "10d"
grace = "24h"
"#;

/// The second looks back as far as a run of equal bars goes.
const RULES: &str = "[[rule]]\nid = \"ohlc\"\ncheck = \"ohlc\"\n[[rule]]\nid = \"stale\"\ncheck = \"stale\"\nbars = 4\n\
    [[rule]]\nid = \"required\"\ncheck = \"required\"\nfields = [\"time\"]\nseverity = \"error\"\n";

/// The timestamp of a day by its number.
type Time = fn(u64) -> Bson;

/// Days of history.
const HISTORY: u64 = 400;

fn day(number: u64) -> NaiveDate {
    NaiveDate::from_ymd_opt(2023, 1, 1).unwrap() + Days::new(number)
}

fn date(number: u64) -> Bson {
    let midnight = day(number).and_hms_opt(0, 0, 0).unwrap().and_utc();
    DateTime::from_millis(midnight.timestamp_millis()).into()
}

fn text(number: u64) -> Bson {
    day(number).to_string().into()
}

fn millis(number: u64) -> Bson {
    day(number).and_hms_opt(0, 0, 0).unwrap().and_utc().timestamp_millis().into()
}

fn bar(symbol: &str, time: Option<Bson>, close: f64) -> RawDocumentBuf {
    let mut bar = doc! { "symbol": symbol, "open": close, "high": close, "low": close, "close": close, "volume": 10 };
    bar.extend(time.map(|time| ("t".to_owned(), time)));
    RawDocumentBuf::try_from(&bar).unwrap()
}

fn close(number: u64) -> f64 {
    10.0 + (number % 7) as f64
}

/// Values that are no timestamp by any format of these jobs, whatever the window is.
fn others(old: &Bson) -> Vec<Option<Bson>> {
    let oid: Bson = mongodb::bson::oid::ObjectId::new().into();
    vec![
        None,
        Some(Bson::Null),
        Some("0".into()),
        Some("2023-02-30".into()),
        Some("yesterday".into()),
        Some(true.into()),
        Some(1.5.into()),
        Some(Bson::Double(f64::NAN)),
        Some(vec![old.clone(), old.clone()].into()),
        Some(Bson::Array(Vec::new())),
        Some(doc! { "at": old.clone() }.into()),
        Some(oid),
    ]
}

struct Nights {
    database: super::server::Database,
    project: Project,
}

impl Nights {
    fn new(server: &'static Server, formats: &str, time: Time) -> Self {
        let database = server.database();
        let project = Project::empty();
        project.write("job.toml", JOB.replace("FORMATS", formats));
        project.write("rules.toml", RULES);
        let of = |symbol: &'static str| (0..HISTORY).map(move |number| bar(symbol, Some(time(number)), close(number)));
        let mut all: Vec<RawDocumentBuf> = ["A", "B", "C"].into_iter().flat_map(of).collect();
        all.extend(others(&time(3)).into_iter().map(|time| bar("A", time, 5.0)));
        database.insert(QUOTES, &all);
        Self { database, project }
    }

    fn call(&self, args: &[&str]) -> Told {
        let mut command = self.project.command(args);
        command.env("BARKEEP_TEST_URI", self.database.uri()).env("BARKEEP_TEST_DATABASE", &self.database.name);
        self.project.output(command.output().unwrap())
    }

    fn night(&self, number: u64, more: &[&str]) -> Told {
        let as_of = day(number).to_string();
        self.call(&[&["run", "job.toml", "--as-of", &as_of, "--fail-on", "never"], more].concat()).exits(0)
    }

    /// Bytes that the newest run read.
    fn bytes(&self) -> i64 {
        let rows = self.call(&["sql", "SELECT bytes_read FROM runs ORDER BY run_id DESC LIMIT 1", "--format", "json"]);
        rows.exits(0).json()[0]["bytes_read"].as_i64().unwrap()
    }

    /// Runs over all documents, then three nights, then over all: the nights read little, and miss nothing.
    fn pass(&self, time: Time, case: &str) {
        let first = self.night(HISTORY, &[]);
        let unread = first.value("parse_errors");
        let errors = first.value("errors");
        // What is missing, or NULL, is no parse error, and numbers are read by some formats.
        assert!(unread.parse::<usize>().unwrap() + 3 >= others(&time(3)).len(), "{case}: {unread}");
        let all = self.bytes();
        for number in HISTORY..HISTORY + 3 {
            let news: Vec<RawDocumentBuf> =
                ["A", "B", "C"].into_iter().map(|symbol| bar(symbol, Some(time(number)), close(number))).collect();
            self.database.insert(QUOTES, &news);
            let night = self.night(number + 1, &[]);
            assert_eq!((night.value("new"), night.value("fixed")), ("0", "0"), "{case}, day {number}");
            assert_eq!(night.value("parse_errors"), unread, "{case}, day {number}");
            assert_eq!(night.value("errors"), errors, "{case}, day {number}: what is missing, or NULL, is read too");
            let read = self.bytes();
            assert!(read * 4 < all, "{case}: {read} of {all}");
        }
        let full = self.night(HISTORY + 3, &["--full"]);
        assert_eq!((full.value("new"), full.value("fixed")), ("0", "0"), "{case}");
    }
}

fn index(keys: Document) -> Document {
    doc! { "createIndexes": QUOTES, "indexes": [{ "key": keys, "name": "by_time" }] }
}

#[test]
fn nights_read_what_may_have_changed_whatever_the_timestamps_are() {
    for server in KINDS.into_iter().filter_map(Server::get) {
        let cases: [(&str, Time); 4] = [
            ("\"bson-date\"", date),
            ("\"%Y-%m-%d\"", text),
            ("\"epoch-ms\"", millis),
            // What a year with two digits means is not decided by the server.
            ("\"%y-%m-%d\", \"bson-date\", \"epoch\"", date),
        ];
        for (formats, time) in cases {
            Nights::new(server, formats, time).pass(time, formats);
        }
        let indexed = Nights::new(server, "\"bson-date\"", date);
        indexed.database.command(index(doc! { "t": 1 }));
        indexed.pass(date, "an index that knows of arrays");
    }
}

#[test]
fn an_index_finds_the_documents_of_a_night() {
    for server in KINDS.into_iter().filter_map(Server::get) {
        let nights = Nights::new(server, "\"bson-date\"", date);
        nights
            .database
            .command(doc! { "delete": QUOTES, "deletes": [{ "q": { "t": { "$type": "array" } }, "limit": 0 }] });
        nights.database.command(index(doc! { "t": 1 }));
        nights.night(HISTORY, &[]);
        nights.database.command(doc! { "profile": 2 });
        nights.night(HISTORY + 1, &[]);
        nights.database.command(doc! { "profile": 0 });
        let asked = nights.database.command(doc! { "find": "system.profile", "batchSize": 1_000 });
        let asked = asked.get_document("cursor").unwrap().get_array("firstBatch").unwrap();
        let looked_at = |document: &Bson| {
            let document = document.as_document().unwrap();
            let of_quotes = document.get_str("ns").is_ok_and(|of| of.ends_with(QUOTES));
            let plan = document.get_str("planSummary").unwrap_or_default().to_owned();
            // A look at some documents, by which the fields are known, is at all of so few.
            let sampled = format!("{:?}", document.get("command")).contains("$sample");
            (of_quotes && !sampled)
                .then(|| (plan, document.get("docsExamined").and_then(Bson::as_i32).unwrap_or_default()))
        };
        let asked: Vec<(String, i32)> = asked.iter().filter_map(looked_at).filter(|(_, docs)| *docs > 0).collect();
        assert!(!asked.is_empty());
        let whole: Vec<_> = asked.iter().filter(|(_, docs)| *docs > 300).collect();
        assert!(whole.is_empty(), "no query of a night looks at all of the 1,211 documents: {whole:?}");
    }
}

#[test]
fn a_series_that_a_night_has_to_read_whole_is_asked_for() {
    for server in KINDS.into_iter().filter_map(Server::get) {
        let nights = Nights::new(server, "\"bson-date\"", date);
        // A run of equal bars that began long before the window.
        let flat: Vec<RawDocumentBuf> = (200..HISTORY).map(|number| bar("D", Some(date(number)), 3.0)).collect();
        nights.database.insert(QUOTES, &flat);
        nights.night(HISTORY, &[]);
        let all = nights.bytes();
        nights.database.insert(QUOTES, &[bar("D", Some(date(HISTORY)), 3.0)]);
        let night = nights.night(HISTORY + 1, &[]);
        // The finding is the same one, and one bar longer.
        assert_eq!((night.value("new"), night.value("fixed")), ("0", "0"));
        let read = nights.bytes();
        assert!(read > 200 * 60 && read < all / 2, "one series of four is read whole: {read} of {all}");
        let full = nights.night(HISTORY + 1, &["--full"]);
        assert_eq!((full.value("new"), full.value("fixed")), ("0", "0"));
    }
}
