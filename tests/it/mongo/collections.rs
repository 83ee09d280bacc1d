//! Bars as people keep them in collections: views, time-series collections, subdocuments, arrays of bars, one collection
//! a symbol. All are evaluated; where no row can be removed by itself, `run` and `apply` refuse and change nothing.

use mongodb::bson::raw::{CString, RawArrayBuf, RawBson, RawDocumentBuf};
use mongodb::bson::{DateTime, doc, rawdoc};

use super::server::{Database, KINDS, Kind, PASSWORD, Server};
use crate::cli_support::{Project, RULES, Told};
use crate::support;

/// Bars of two symbols: symbol, date, low, high. The last one of `A` contradicts itself.
const BARS: [(&str, &str, f64, f64); 7] = [
    ("A", "2024-01-02", 9.0, 11.0),
    ("A", "2024-01-03", 10.0, 11.5),
    ("A", "2024-01-04", 10.5, 12.0),
    ("A", "2024-01-05", 13.0, 12.0),
    ("B", "2024-01-02", 19.0, 21.0),
    ("B", "2024-01-03", 20.0, 21.5),
    ("B", "2024-01-04", 20.5, 22.0),
];

/// The prices of a bar.
fn prices(low: f64, high: f64) -> RawDocumentBuf {
    let middle = f64::midpoint(low, high);
    rawdoc! { "open": middle, "high": high, "low": low, "close": middle, "volume": 100.0 }
}

/// Everything of `more` behind everything of `document`.
fn and(mut document: RawDocumentBuf, more: &RawDocumentBuf) -> RawDocumentBuf {
    for (key, value) in more.iter().map(Result::unwrap) {
        document.append(key, RawBson::from(value));
    }
    document
}

fn of(symbol: &str) -> impl Iterator<Item = (&'static str, RawDocumentBuf)> {
    BARS.iter().filter(move |bar| bar.0 == symbol).map(|(_, date, low, high)| (*date, prices(*low, *high)))
}

/// A document a bar.
fn flat() -> Vec<RawDocumentBuf> {
    let id = |n: usize| i32::try_from(n).unwrap();
    let bar = |(n, (symbol, date, low, high)): (usize, &(&str, &str, f64, f64))| {
        and(rawdoc! { "_id": id(n), "symbol": *symbol, "date": *date }, &prices(*low, *high))
    };
    BARS.iter().enumerate().map(bar).collect()
}

/// A document a symbol, with an array of bars.
fn arrays() -> Vec<RawDocumentBuf> {
    let document = |symbol: &str| {
        let mut bars = RawArrayBuf::new();
        of(symbol).for_each(|(date, prices)| bars.push(and(rawdoc! { "date": date }, &prices)));
        rawdoc! { "_id": symbol, "symbol": symbol, "bars": bars }
    };
    ["A", "B"].map(document).to_vec()
}

/// A database, and a project that reads it.
struct Place {
    database: Database,
    project: Project,
}

impl Place {
    /// Runs `test` on each kind of server; `source` and `bars` are lines of the job.
    fn each(source: &str, bars: &str, test: impl Fn(Self)) {
        Self::each_kind(&KINDS, source, bars, test);
    }

    /// The same on some kinds of server.
    fn each_kind(kinds: &[Kind], source: &str, bars: &str, test: impl Fn(Self)) {
        for server in kinds.iter().copied().filter_map(Server::get) {
            let place = Self { database: server.database(), project: Project::empty() };
            place.write(source, bars);
            test(place);
        }
    }

    /// Writes the job.
    fn write(&self, source: &str, bars: &str) {
        let job = format!(
            "name = \"demo\"\nrules = [\"rules.toml\"]\n\n[source.mongodb]\nuri = \"${{BARKEEP_TEST_URI}}\"\ndatabase = \"${{BARKEEP_TEST_DATABASE}}\"\n{source}\n\n[bars]\ninterval = \"1d\"\ncalendar = \"XNYS\"\n{bars}\n\n[report]\ndir = \"reports\"\n\n[limits]\nfraction = 1.0\nseries_fraction = 1.0\n"
        );
        self.project.write("job.toml", job);
        self.project.write("rules.toml", RULES);
    }

    fn call(&self, args: &[&str]) -> Told {
        let mut command = self.project.command(args);
        command.env("BARKEEP_TEST_URI", self.database.uri()).env("BARKEEP_TEST_DATABASE", &self.database.name);
        self.project.output(command.output().unwrap())
    }

    /// Checks, and gives the findings as `symbol time rule locator`.
    #[track_caller]
    fn found(&self) -> Vec<String> {
        let output = self.call(&["check", "job.toml"]);
        assert!(matches!(output.code, Some(0 | 1)), "{output:?}");
        let (run, ..) = self.project.runs().pop().unwrap();
        let findings = support::findings(&self.project.path("reports"), &run);
        let text = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".to_owned());
        let mut lines: Vec<String> = findings
            .iter()
            .map(|found| format!("{} {} {}", found.series, found.rule_id, text(&found.locator)))
            .collect();
        lines.sort();
        lines
    }

    /// `check` finds the bar that contradicts itself under `locator`, `plan` lists it, and `run` and `apply` refuse with
    /// `reason`; nothing in the database changes.
    #[track_caller]
    fn is_check_only(&self, reason: &str, locator: &str) {
        let before = self.everything();
        let checked = self.call(&["check", "job.toml"]).exits(1);
        assert_eq!((checked.value("rows"), checked.value("to_quarantine")), ("7", "1"), "{checked:?}");
        assert_eq!(self.found(), [format!("A ohlc {locator}")]);
        let planned = self.call(&["plan", "job.toml", "-o", "the.plan", "--format", "json"]).exits(1);
        let confirmation = planned.json()[0]["plan"]["confirmation"].as_str().unwrap().to_owned();
        assert!(!planned.out.contains("barkeep apply"), "a dead end is not a next step: {planned:?}");
        planned.says(&["the plan is a list", reason]);
        self.call(&["run", "job.toml"]).exits(4).says(&["refused: ", reason, "help: "]);
        self.call(&["apply", "the.plan", "--confirm", &confirmation]).exits(4).says(&["refused: ", reason, "help: "]);
        let dry = self.call(&["run", "job.toml", "--dry-run"]).exits(1);
        assert!(!dry.out.contains("barkeep run"), "{dry:?}");
        let doctor = self.call(&["doctor", "job.toml"]).exits(0);
        assert!(doctor.out.contains("rows are checked and never moved: ") && doctor.out.contains(reason), "{doctor:?}");
        self.call(&["quarantine", "list", "job.toml"]).exits(0);
        assert_eq!(self.everything(), before, "nothing is changed");
    }

    /// The names of all collections, and their documents.
    fn everything(&self) -> Vec<(String, String)> {
        let reply = self.database.command(doc! { "listCollections": 1, "nameOnly": true });
        let list = reply.get_document("cursor").unwrap().get_array("firstBatch").unwrap();
        let mut names: Vec<String> =
            list.iter().map(|entry| entry.as_document().unwrap().get_str("name").unwrap().to_owned()).collect();
        names.sort();
        let content = |name: String| {
            let all = doc! { "find": &name, "batchSize": 1000 };
            let reply = self.database.command(all);
            let documents = reply.get_document("cursor").unwrap().get_array("firstBatch").unwrap().clone();
            (name, format!("{documents:?}"))
        };
        names.into_iter().filter(|name| !name.starts_with("system.")).map(content).collect()
    }
}

const DATES: &str = "series = [\"symbol\"]\ntime = { field = \"date\" }";

#[test]
fn a_view_is_read_and_its_rows_are_never_moved() {
    Place::each("collection = \"view\"", DATES, |place| {
        place.database.insert("bars", &flat());
        let pipeline = vec![doc! { "$match": { "symbol": { "$exists": true } } }];
        place.database.command(doc! { "create": "view", "viewOn": "bars", "pipeline": pipeline });
        place.is_check_only("is a view", "3");
        place.call(&["check", "job.toml", "--series", "B"]).exits(0);
    });
}

#[test]
fn documents_of_a_view_without_an_id_are_named_by_their_number() {
    Place::each("collection = \"view\"", DATES, |place| {
        place.database.insert("bars", &flat());
        let pipeline = vec![doc! { "$sort": { "symbol": 1, "date": 1 } }, doc! { "$project": { "_id": 0 } }];
        place.database.command(doc! { "create": "view", "viewOn": "bars", "pipeline": pipeline });
        place.is_check_only("is a view", "document 4");
    });
}

#[test]
fn a_view_over_nothing_and_one_that_fails_are_said() {
    Place::each("collection = \"view\"", DATES, |place| {
        place.database.command(doc! { "create": "view", "viewOn": "missing", "pipeline": [] });
        // The server takes a collection that is not there for an empty one.
        place.call(&["check", "job.toml"]).exits(2).says(&["the source has no field `date`"]);
        place.database.insert("missing", &flat());
        place.call(&["check", "job.toml"]).exits(1);
        place.database.command(doc! { "drop": "view" });
        let broken = vec![doc! { "$project": { "x": { "$divide": ["$low", 0] }, "date": 1, "symbol": 1 } }];
        place.database.command(doc! { "create": "view", "viewOn": "missing", "pipeline": broken });
        place.call(&["check", "job.toml"]).exits(3).says(&["divide by zero"]);
    });
}

#[test]
fn a_time_series_collection_is_read_by_its_time_field_and_its_rows_are_never_moved() {
    let bars = "series = [\"symbol\"]\nfields = { symbol = \"meta.symbol\" }\ntime = { field = \"at\", formats = [\"bson-date\"], zone = \"UTC\" }";
    Place::each("collection = \"prices\"", bars, |place| {
        let series = doc! { "timeField": "at", "metaField": "meta", "granularity": "hours" };
        place.database.command(doc! { "create": "prices", "timeseries": series });
        let bar = |(n, (symbol, date, low, high)): (usize, &(&str, &str, f64, f64))| {
            let at = DateTime::parse_rfc3339_str(format!("{date}T00:00:00Z")).unwrap();
            let head = rawdoc! { "_id": i32::try_from(n).unwrap(), "at": at, "meta": { "symbol": *symbol } };
            and(head, &prices(*low, *high))
        };
        let documents: Vec<RawDocumentBuf> = BARS.iter().enumerate().map(bar).collect();
        place.database.insert("prices", &documents);
        place.is_check_only("is a time-series collection", "3");
        let doctor = place.call(&["doctor", "job.toml"]).exits(0);
        assert!(doctor.out.contains("by ranges of the time field `at`"), "{doctor:?}");
    });
}

#[test]
fn rows_with_one_id_are_listed_one_by_one() {
    let bars = "series = [\"symbol\"]\ntime = { field = \"at\", formats = [\"bson-date\"], zone = \"UTC\" }";
    Place::each_kind(&[Kind::Standalone], "collection = \"prices\"", bars, |place| {
        let series = doc! { "timeField": "at", "metaField": "symbol" };
        place.database.command(doc! { "create": "prices", "timeseries": series });
        let bar = |day: i64| {
            let at = DateTime::from_millis(1_704_153_600_000 + day * 86_400_000);
            and(rawdoc! { "_id": 7, "at": at, "symbol": "A" }, &prices(if day == 3 { 10.0 } else { 12.0 }, 11.0))
        };
        place.database.insert("prices", &[bar(0), bar(1), bar(2), bar(3)]);
        assert_eq!(place.found(), ["A ohlc 7"; 3]);
        let planned = place.call(&["plan", "job.toml", "-o", "the.plan"]).exits(1);
        assert_eq!(planned.value("to_quarantine"), "3");
        place.call(&["apply", "the.plan", "--confirm", planned.value("confirm")]).exits(4);
        assert_eq!(place.database.count("prices", doc! {}), 4);
    });
}

#[test]
fn many_ranges_of_time_miss_and_repeat_nothing_also_where_an_id_is_there_twice() {
    let bars = "series = [\"symbol\"]\ntime = { field = \"at\", formats = [\"bson-date\"], zone = \"UTC\" }";
    Place::each_kind(&[Kind::ReplicaSet], "collection = \"prices\"", bars, |place| {
        let series = doc! { "timeField": "at", "metaField": "symbol" };
        place.database.command(doc! { "create": "prices", "timeseries": series });
        let minute = |n: i64| {
            let at = DateTime::from_millis(1_704_186_000_000 + n / 20 * 60_000);
            let head = rawdoc! { "_id": 7, "at": at, "symbol": format!("S{}", n % 20) };
            and(head, &prices(9.0, 11.0))
        };
        let documents: Vec<RawDocumentBuf> = (0..120_000).map(minute).collect();
        place.database.insert("prices", &documents);
        place.project.edit("job.toml", "interval = \"1d\"\ncalendar = \"XNYS\"", "interval = \"1m\"");
        place.project.write("rules.toml", "[[rule]]\nid = \"twice\"\ncheck = \"duplicate\"\n");
        let checked = place.call(&["check", "job.toml"]).exits(0);
        assert_eq!(checked.value("rows"), "120000", "{checked:?}");
        let one = place.call(&["check", "job.toml", "--series", "S3"]).exits(0);
        assert_eq!(one.value("rows"), "6000");
    });
}

#[test]
fn fields_of_subdocuments_are_read_and_their_rows_leave_and_come_back() {
    let bars = "series = [\"symbol\"]\ntime = { field = \"meta.date\" }\nfields = { symbol = \"meta.symbol\", open = \"ohlc.open\", high = \"ohlc.high\", low = \"ohlc.low\", close = \"ohlc.close\", volume = \"ohlc.volume\" }";
    Place::each("collection = \"bars\"", bars, |place| {
        let bar = |(n, (symbol, date, low, high)): (usize, &(&str, &str, f64, f64))| {
            let id = i32::try_from(n).unwrap();
            rawdoc! { "_id": id, "meta": { "symbol": *symbol, "date": *date }, "ohlc": prices(*low, *high) }
        };
        let documents: Vec<RawDocumentBuf> = BARS.iter().enumerate().map(bar).collect();
        place.database.insert("bars", &documents);
        let before = place.database.digest("bars");
        assert_eq!(place.found(), ["A ohlc 3"]);
        let one = place.call(&["check", "job.toml", "--series", "B"]).exits(0);
        assert_eq!(one.value("rows"), "3", "one series of a field inside a subdocument");
        assert_eq!(place.call(&["run", "job.toml"]).exits(1).value("removed"), "1");
        assert_eq!(place.database.count("bars", doc! {}), 6);
        place.call(&["quarantine", "restore", "job.toml", "--rule", "ohlc", "--confirm", "1"]).exits(0);
        assert_eq!(place.database.digest("bars"), before);
        place.project.edit("job.toml", "ohlc.open", "ohlc.opem");
        place.call(&["check", "job.toml"]).exits(2).says(&["the source has no field `ohlc.opem`", "`ohlc.open`"]);
    });
}

#[test]
fn a_name_with_a_dot_that_is_there_literally_is_that_field() {
    let bars = "series = [\"symbol\"]\ntime = { field = \"date\" }\nfields = { symbol = \"1. symbol\", low = \"ohlc.low\", high = \"2. high\", open = \"1. open\", close = \"4. close\" }";
    Place::each("collection = \"bars\"", bars, |place| {
        let bar = |(n, (symbol, date, low, high)): (usize, &(&str, &str, f64, f64))| {
            let middle = f64::midpoint(*low, *high);
            rawdoc! {
                "_id": i32::try_from(n).unwrap(), "date": *date, "1. symbol": *symbol, "1. open": middle,
                "2. high": *high, "ohlc": { "low": 99.0 }, "ohlc.low": *low, "4. close": middle, "volume": 1.0,
            }
        };
        let documents: Vec<RawDocumentBuf> = BARS.iter().enumerate().map(bar).collect();
        place.database.insert_as_they_are("bars", &documents);
        assert_eq!(place.found(), ["A ohlc 3"]);
        let one = place.call(&["check", "job.toml", "--series", "B"]).exits(0);
        assert_eq!(one.value("rows"), "3", "the server would take the name for a path");
    });
}

#[test]
fn every_element_of_an_array_is_a_row_that_is_never_moved() {
    Place::each("collection = \"bars\"\nunwind = \"bars\"", DATES, |place| {
        place.database.insert("bars", &arrays());
        place.is_check_only("are elements of `bars`", "\"A\" bars[3]");
        let one = place.call(&["check", "job.toml", "--series", "B"]).exits(0);
        assert_eq!(one.value("rows"), "3");
    });
}

#[test]
fn the_keys_of_an_object_are_a_field() {
    let bars = "series = [\"symbol\"]\ntime = { field = \"key\" }";
    Place::each("collection = \"bars\"\nunwind = \"data.days\"", bars, |place| {
        let document = |symbol: &str| {
            let mut days = RawDocumentBuf::new();
            of(symbol).for_each(|(date, prices)| days.append(CString::try_from(date).unwrap(), prices));
            rawdoc! { "_id": symbol, "symbol": symbol, "data": { "days": days } }
        };
        place.database.insert("bars", &["A", "B"].map(document));
        place.is_check_only("are elements of `data.days`", "\"A\" data.days.2024-01-05");
    });
}

#[test]
fn documents_and_elements_that_hold_no_bars_are_a_finding_each() {
    Place::each("collection = \"bars\"\nunwind = \"bars\"", DATES, |place| {
        let mut documents = arrays();
        let mut mixed = RawArrayBuf::new();
        mixed.push(5);
        mixed.push(and(rawdoc! { "date": "2024-01-02", "symbol": "D" }, &prices(9.0, 11.0)));
        documents.push(rawdoc! { "_id": "C", "symbol": "C", "bars": 7 });
        documents.push(rawdoc! { "_id": "D", "symbol": "D", "bars": mixed });
        documents.push(rawdoc! { "_id": "E", "symbol": "E" });
        documents.push(rawdoc! { "_id": "F", "symbol": "F", "bars": [] });
        place.database.insert("bars", &documents);
        let found = place.found();
        let errors: Vec<&str> = found.iter().filter(|line| line.contains("parse-error")).map(String::as_str).collect();
        assert_eq!(errors.len(), 4, "{found:?}");
        for locator in ["\"C\"", "\"D\" bars[0]", "\"D\" bars[1]", "\"E\""] {
            assert!(errors.iter().any(|line| line.ends_with(&format!(" {locator}"))), "{locator}: {errors:?}");
        }
        place.project.edit("job.toml", "unwind = \"bars\"", "unwind = \"bar\"");
        place
            .call(&["check", "job.toml"])
            .exits(3)
            .says(&["has an array or object `bar` for `unwind`; did you mean `bars`?"]);
        place.project.edit("job.toml", "unwind = \"bar\"", "unwind = \"symbol\"");
        place.call(&["check", "job.toml"]).exits(3).says(&["has an array or object `symbol` for `unwind`"]);
    });
}

#[test]
fn several_collections_are_one_source_whose_rows_are_never_moved() {
    Place::each("collection = \"bars_{symbol}\"", DATES, |place| {
        for symbol in ["A", "B"] {
            let bar = |(n, (date, prices)): (usize, (&str, RawDocumentBuf))| {
                and(rawdoc! { "_id": i32::try_from(n).unwrap(), "date": date }, &prices)
            };
            place.database.insert(&format!("bars_{symbol}"), &of(symbol).enumerate().map(bar).collect::<Vec<_>>());
        }
        // What barkeep itself keeps, and what does not fit, is no source.
        place.database.insert("bars_A_quarantine", &[rawdoc! { "_id": 1 }]);
        place.database.insert("other", &[rawdoc! { "_id": 1 }]);
        place.is_check_only("is several collections", "bars_A 3");
        let doctor = place.call(&["doctor", "job.toml"]).exits(0);
        assert!(doctor.out.contains("bars_{symbol} is 2 collections: `bars_A`, `bars_B`"), "{doctor:?}");
        let one = place.call(&["check", "job.toml", "--series", "B"]).exits(0);
        assert_eq!(one.value("rows"), "3");

        place.database.insert("bars_C", &[rawdoc! { "_id": 1, "symbol": "C" }]);
        place.call(&["check", "job.toml"]).exits(3).says(&["have a field `symbol` themselves"]);
        place.project.edit("job.toml", "bars_{symbol}", "quotes_{symbol}");
        place.call(&["check", "job.toml"]).exits(3).says(&["has no collection whose name fits `quotes_{symbol}`"]);
        place.project.edit("job.toml", "quotes_{symbol}", "bars_{}");
        place.call(&["check", "job.toml"]).exits(2).says(&["`{}` names no field"]);
    });
}

#[test]
fn who_may_only_read_a_database_may_check_and_is_told_so() {
    let Some(server) = Server::get(Kind::Secured) else { return };
    let place = Place { database: server.database(), project: Project::empty() };
    place.write("collection = \"bars_{symbol}\"", DATES);
    let bar = |(date, prices): (&str, RawDocumentBuf)| and(rawdoc! { "date": date }, &prices);
    place.database.insert("bars_B", &of("B").map(bar).collect::<Vec<_>>());
    let (name, password) = (format!("reader_{}", place.database.name), PASSWORD);
    place.database.command(doc! { "createUser": &name, "pwd": password, "roles": ["read"] });
    let uri = place.database.uri_of(&name, password);
    let call = |args: &[&str]| {
        let mut command = place.project.command(args);
        command.env("BARKEEP_TEST_URI", &uri).env("BARKEEP_TEST_DATABASE", &place.database.name);
        place.project.output(command.output().unwrap())
    };
    assert_eq!(call(&["check", "job.toml"]).exits(0).value("rows"), "3");
    let doctor = call(&["doctor", "job.toml"]).exits(0);
    assert!(doctor.out.contains("may do all that `check` needs"), "{doctor:?}");
    place.database.command(doc! { "dropUser": &name });
}

#[test]
fn a_collection_with_braces_in_its_name_is_that_collection_and_one_with_two_readings_is_refused() {
    Place::each("collection = \"bars_{symbol}\"", DATES, |place| {
        place.database.insert("bars_{symbol}", &flat());
        place.database.insert("bars_A", &[rawdoc! { "_id": 1 }]);
        assert_eq!(place.found(), ["A ohlc 3"]);
        assert_eq!(place.call(&["run", "job.toml"]).exits(1).value("removed"), "1");
        place.project.edit("job.toml", "bars_{symbol}", "{kind}_{symbol}");
        place.database.insert("bars_A_B", &[rawdoc! { "_id": 1 }]);
        place.call(&["check", "job.toml"]).exits(3).says(&["`bars_A_B` fits `{kind}_{symbol}` in more than one way"]);
    });
}

#[test]
fn fields_of_subdocuments_that_a_job_does_not_name_are_offered() {
    Place::each_kind(&[Kind::Standalone], "collection = \"bars\"", DATES, |place| {
        let document = rawdoc! { "meta": { "symbol": "A" }, "date": "2024-01-02", "ohlc": prices(9.0, 11.0) };
        place.database.insert("bars", &[document]);
        place.call(&["check", "job.toml"]).exits(2).says(&["needs the field `symbol`", "meta.symbol", "ohlc.open"]);
        place.project.edit("job.toml", "time =", "fields = { symbol = \"meta.symbol\" }\ntime =");
        place
            .call(&["check", "job.toml"])
            .exits(2)
            .says(&["2 rules need `close`, `high`, `low`, `open`, `volume`", "ohlc.open"]);
    });
}
