//! Collections that others reported trouble with: fields of many types, dates of many kinds.

use chrono::{Datelike, NaiveDate};
use mongodb::bson::raw::{RawBson, RawDocumentBuf, cstr};
use mongodb::bson::{DateTime, Regex, Timestamp, doc, rawdoc};

use super::server::{Database, Kind, Server};
use crate::cli_support::{Project, Told};
use crate::support;

fn days() -> impl Iterator<Item = NaiveDate> {
    let first = NaiveDate::from_ymd_opt(2025, 1, 2).unwrap();
    first.iter_days().filter(|day| day.weekday().num_days_from_monday() < 5)
}

/// A good quote, but for the fields that are replaced; one replaced by nothing is not there.
fn quote(day: NaiveDate, replaced: &[(&str, Option<RawBson>)]) -> RawDocumentBuf {
    let good = rawdoc! {
        "symbol": "600000", "trade_date": day.to_string(), "open": 10.0, "high": 11.0, "low": 9.0, "close": 10.5,
        "volume": 1000.0,
    };
    let mut document = RawDocumentBuf::new();
    document.append(cstr!("_id"), day.to_epoch_days());
    for (key, value) in good.iter().map(Result::unwrap) {
        match replaced.iter().find(|(name, _)| *name == key.as_str()) {
            None => document.append(key, RawBson::from(value)),
            Some((_, Some(value))) => document.append(key, value.clone()),
            Some((_, None)) => {}
        }
    }
    document
}

fn check(
    server: &'static Server,
    documents: &[RawDocumentBuf],
    formats: &str,
    zone: &str,
) -> (Database, Project, Told) {
    let (database, project) = (server.database(), Project::empty());
    database.insert("bars", documents);
    let job = format!(
        "name = \"demo\"\nrules = [\"rules.toml\"]\n\n[source.mongodb]\nuri = \"${{BARKEEP_TEST_URI}}\"\ndatabase = \"{}\"\ncollection = \"bars\"\n\n[bars]\nseries = [\"symbol\"]\ninterval = \"1d\"\ncalendar = \"weekdays\"\ntime = {{ field = \"trade_date\", formats = [{formats}], zone = \"{zone}\" }}\n\n[report]\ndir = \"reports\"\n\n[limits]\nfraction = 1.0\nseries_fraction = 1.0\n",
        database.name
    );
    project.write("job.toml", job);
    let rules = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("rules/ohlcv.toml");
    project.write("rules.toml", std::fs::read(rules).unwrap());
    let output = project.command(&["check", "job.toml"]).env("BARKEEP_TEST_URI", database.uri()).output().unwrap();
    let output = project.output(output);
    (database, project, output)
}

/// The findings as `rule field cause text`, with the `_id` counted from the first day.
fn findings(project: &Project) -> Vec<String> {
    let (run, ..) = project.runs().pop().unwrap();
    let first = days().next().unwrap().to_epoch_days();
    let text = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".to_owned());
    let line = |found: &support::Finding| {
        let id: i32 = found.locator.as_deref().and_then(|id| id.parse().ok()).unwrap_or(first);
        let (field, cause, value) = (text(&found.field), text(&found.cause), text(&found.observed_text));
        format!("{} {} {field} {cause} {value} {}", id - first, found.rule_id, found.series)
    };
    let mut lines: Vec<String> = support::findings(&project.path("reports"), &run).iter().map(line).collect();
    lines.sort();
    lines
}

#[test]
fn one_field_of_many_types_is_read_where_it_is_a_number_and_reported_where_it_is_not() {
    let Some(server) = Server::get(Kind::Standalone) else { return };
    let close = |value: RawBson| vec![("close", Some(value))];
    let volume = |value: RawBson| vec![("volume", Some(value))];
    let decimal = |text: &str| RawBson::Decimal128(text.parse().unwrap());
    let at = DateTime::from_millis(1_735_689_600_000);
    let replaced: Vec<Vec<(&str, Option<RawBson>)>> = vec![
        Vec::new(),
        close(RawBson::String("10.3".to_owned())),
        close(decimal("10.3")),
        close(RawBson::Null),
        vec![("close", None)],
        close(RawBson::Boolean(false)),
        close(RawBson::Double(f64::NAN)),
        close(rawdoc! { "a": [10.3] }.get("a").unwrap().unwrap().into()),
        close(rawdoc! { "v": 10.3 }.into()),
        volume(RawBson::Int64((1 << 53) + 1)),
        volume(RawBson::Int64(i64::MAX)),
        volume(RawBson::String("1,234,567".to_owned())),
        volume(decimal("1E+400")),
        volume(decimal("NaN")),
        close(RawBson::String(String::new())),
        close(RawBson::Timestamp(Timestamp { time: 1_700_000_000, increment: 1 })),
        close(RawBson::RegularExpression(Regex { pattern: cstr!("x").to_owned(), options: cstr!("").to_owned() })),
        close(RawBson::DateTime(at)),
        Vec::new(),
    ];
    let documents: Vec<RawDocumentBuf> = days().zip(&replaced).map(|(day, replaced)| quote(day, replaced)).collect();
    let (_database, project, output) = check(server, &documents, "\"%Y-%m-%d\"", "Asia/Shanghai");
    assert_eq!((output.value("rows"), output.value("parse_errors")), ("19", "9"), "{output:?}");
    insta::assert_snapshot!(findings(&project).join("\n"), @r#"
    11 parse-error close wrong-type [{"$numberDouble":"10.3"}] 600000
    12 parse-error close wrong-type {"v":{"$numberDouble":"10.3"}} 600000
    15 parse-error volume not-a-number 1,234,567 600000
    18 parse-error volume out-of-range 1E+400 600000
    19 ohlc volume not-finite NaN 600000
    20 parse-error close not-a-number  600000
    21 parse-error close wrong-type {"$timestamp":{"t":1700000000,"i":1}} 600000
    22 parse-error close wrong-type {"$regularExpression":{"pattern":"x","options":""}} 600000
    25 parse-error close wrong-type {"$date":{"$numberLong":"1735689600000"}} 600000
    4 stale close same-bar 10.3 600000
    5 required close null - 600000
    6 required close null - 600000
    7 parse-error close wrong-type false 600000
    8 ohlc close not-finite NaN 600000
    8 required close nan NaN 600000
    "#);
}

#[test]
fn dates_of_every_kind_are_read_as_sessions_or_reported_with_their_value() {
    let Some(server) = Server::get(Kind::Standalone) else { return };
    let shanghai = |day: NaiveDate| {
        DateTime::from_millis(day.and_hms_opt(0, 0, 0).unwrap().and_utc().timestamp_millis() - 8 * 3_600_000)
    };
    let at = |value: RawBson| vec![("trade_date", Some(value))];
    let millis = |millis: i64| at(RawBson::DateTime(DateTime::from_millis(millis)));
    let days: Vec<NaiveDate> = days().take(30).collect();
    let mut replaced: Vec<Vec<(&str, Option<RawBson>)>> = vec![Vec::new(); 30];
    for index in 5..10 {
        replaced[index] = at(RawBson::DateTime(shanghai(days[index])));
    }
    replaced[12] = millis(8_640_000_000_000_000);
    replaced[13] = millis(-62_135_769_600_000);
    replaced[14] = millis(253_402_300_800_000);
    replaced[15] = at(RawBson::Timestamp(Timestamp { time: 1_742_000_000, increment: 1 }));
    replaced[16] = at(RawBson::Int32(20_250_326));
    replaced[17] = at(RawBson::Double(20_250_327.0));
    replaced[18] = at(RawBson::Int64(1_743_091_200));
    replaced[19] = at(RawBson::String(format!(" {}", days[19])));
    replaced[20] = at(RawBson::String(days[20].format("%Y/%m/%d").to_string()));
    replaced[21] = at(RawBson::String(String::new()));
    let mut documents: Vec<RawDocumentBuf> =
        days.iter().zip(&replaced).map(|(day, replaced)| quote(*day, replaced)).collect();
    let mut again = rawdoc! { "_id": "again" };
    for (key, value) in quote(days[7], &[("close", Some(RawBson::Double(10.7)))]).iter().map(Result::unwrap).skip(1) {
        again.append(key, RawBson::from(value));
    }
    documents.push(again);
    let formats = "\"%Y-%m-%d\", \"bson-date\"";
    let (database, project, output) = check(server, &documents, formats, "Asia/Shanghai");
    assert_eq!((output.value("rows"), output.value("to_quarantine")), ("31", "10"), "{output:?}");
    insta::assert_snapshot!(findings(&project).join("\n"), @r#"
    0 duplicate close conflicting - 600000
    0 gap - unexplained - 600000
    1 stale close same-bar - 600000
    11 duplicate close conflicting - 600000
    18 date-format time out-of-range {"$date":{"$numberLong":"8640000000000000"}} 600000
    19 date-format time out-of-range {"$date":{"$numberLong":"-62135769600000"}} 600000
    20 date-format time out-of-range {"$date":{"$numberLong":"253402300800000"}} 600000
    21 date-format time wrong-type {"$timestamp":{"t":1742000000,"i":1}} 600000
    22 date-format time wrong-type 20250326 600000
    25 date-format time wrong-type 20250327.0 600000
    26 date-format time wrong-type 1743091200 600000
    27 date-format time not-a-format  2025-01-29 600000
    28 date-format time not-a-format 2025/01/30 600000
    29 date-format time not-a-format  600000
    "#);
    let before = database.digest("bars");
    let call = |args: &[&str]| {
        let output = project.command(args).env("BARKEEP_TEST_URI", database.uri()).output().unwrap();
        project.output(output)
    };
    assert_eq!(call(&["run", "job.toml"]).exits(1).value("removed"), "10");
    assert_eq!(database.count("bars", doc! {}), 21);
    call(&["quarantine", "restore", "job.toml", "--rule", "date-format", "--confirm", "10"]).exits(0);
    assert_eq!(database.digest("bars"), before, "byte for byte, also dates that no calendar has");

    // In another zone the same instants are another day, which is not passed over in silence.
    let (_database, project, _) = check(server, &documents, formats, "UTC");
    let shifted = findings(&project);
    let found = shifted.iter().any(|line| line.starts_with("11 off-calendar time not-a-session"));
    assert!(found, "the Monday of Shanghai is a Sunday in UTC: {shifted:#?}");
}
