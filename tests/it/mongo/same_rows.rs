//! Copies of a bar in a collection: documents that agree in every field but `_id`, by the types of BSON.

use mongodb::bson::raw::{CString, RawBson, RawDocumentBuf, cstr};
use mongodb::bson::rawdoc;

use super::server::{Kind, Server};
use crate::cli_support::{Project, Told};
use crate::same_rows::{Case, Cell, Fields, cases, causes_and_moves, digits, expected, job, output_of, symbol};
use crate::support::package;

pub(super) fn check(server: &'static Server, documents: &[RawDocumentBuf]) -> (Project, Told) {
    let (database, project) = (server.database(), Project::empty());
    database.insert("bars", documents);
    let source = format!(
        "[source.mongodb]\nuri = \"${{BARKEEP_TEST_URI}}\"\ndatabase = \"{}\"\ncollection = \"bars\"\n",
        database.name
    );
    project.write("job.toml", job(&source));
    project.write("rules.toml", std::fs::read(package().join("rules/ohlcv.toml")).unwrap());
    let output = project.command(&["check", "job.toml"]).env("BARKEEP_TEST_URI", database.uri()).output().unwrap();
    let checked = project.output(output);
    (project, checked)
}

fn bar(id: i32, symbol: &str, more: &[(&str, RawBson)]) -> RawDocumentBuf {
    let mut bar = rawdoc! { "_id": id, "symbol": symbol, "date": "2024-01-02", "open": 10.0, "high": 11.0, "low": 9.0, "close": 10.5 };
    for (name, value) in more {
        bar.append(CString::try_from(*name).unwrap(), value.clone());
    }
    bar
}

fn bson(cell: Cell) -> RawBson {
    match cell {
        Cell::Float(value) => RawBson::Double(value),
        Cell::Whole(value) => RawBson::Int64(value),
        Cell::Decimal(units) => RawBson::Decimal128(digits(units).parse().unwrap()),
        Cell::Text(text) => RawBson::String(text.to_owned()),
        Cell::Null => RawBson::Null,
    }
}

fn documents(cases: &[Case]) -> Vec<RawDocumentBuf> {
    let rows = cases.iter().enumerate().flat_map(|(at, case)| [(at, &case.first), (at, &case.second)]);
    let row = |(id, (at, fields)): (i32, (usize, &Fields))| {
        let values: Vec<_> = fields.iter().map(|(name, cell)| (*name, bson(*cell))).collect();
        bar(id, &symbol(at), &values)
    };
    (0..).zip(rows).map(row).collect()
}

#[test]
fn the_same_two_rows_have_the_finding_that_they_have_in_files() {
    let Some(server) = Server::get(Kind::Standalone) else { return };
    let cases = cases();
    let (project, _) = check(server, &documents(&cases));
    assert_eq!(output_of(&project, &cases), expected(&cases));
}

#[test]
fn types_of_numbers_and_fields_that_no_sample_showed_tell_documents_apart() {
    let Some(server) = Server::get(Kind::Standalone) else { return };
    let volume = |value: RawBson| vec![("volume", value)];
    let decimal = |text: &str| RawBson::Decimal128(text.parse().unwrap());
    let noted = |value: RawBson| vec![("volume", value), ("note", rawdoc! { "a": [1, 2] }.into())];
    for (name, second, cause, leaves) in [
        ("the same", volume(RawBson::Int32(5)), "identical", 1),
        ("a double", volume(RawBson::Double(5.0)), "identical", 0),
        ("a long", volume(RawBson::Int64(5)), "identical", 0),
        ("a decimal number", volume(decimal("5.0")), "identical", 0),
        ("a text", volume(RawBson::String("5".to_owned())), "conflicting", 0),
        ("more", noted(RawBson::Int32(5)), "conflicting", 0),
    ] {
        let documents = [bar(1, "A", &volume(RawBson::Int32(5))), bar(2, "A", &second)];
        let (project, checked) = check(server, &documents);
        assert_eq!(causes_and_moves(&project, &checked.out), (vec![cause.to_owned()], leaves), "{name}: {checked:?}");
    }
    let mut renamed = bar(3, "A", &volume(RawBson::Int32(5)));
    renamed.append(cstr!("late"), RawBson::Null);
    let (project, checked) = check(server, &[bar(1, "A", &volume(RawBson::Int32(5))), renamed]);
    let (causes, leaves) = causes_and_moves(&project, &checked.out);
    assert_eq!(
        (causes.len(), leaves),
        (1, 1),
        "a field that is NULL says what one that is not there says: {checked:?}"
    );
}
