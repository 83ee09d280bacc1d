//! The faults of files have the verdict in collections that they have there.

use mongodb::bson::raw::{RawBson, RawDocumentBuf};
use mongodb::bson::rawdoc;

use super::same_rows::check;
use super::server::{Kind, Server};
use crate::one_verdict::{FOUND_OF_NUMBERS, FOUND_OF_TEXT, OF_NUMBERS, OF_TEXT, Row, found};

fn document(id: i32, [symbol, date, close, volume]: Row) -> RawDocumentBuf {
    let text = |text: &str| if text.is_empty() { RawBson::Null } else { RawBson::String(text.to_owned()) };
    let number = |cell: &str| match cell.parse() {
        Ok(number) if cell != "1e999" => RawBson::Double(number),
        _ => text(cell),
    };
    rawdoc! {
        "_id": id, "symbol": text(symbol), "date": text(date), "open": 10.0, "high": 11.0, "low": 9.0,
        "close": number(close), "volume": number(volume),
    }
}

#[test]
fn faults_have_the_verdict_that_they_have_in_files() {
    let Some(server) = Server::get(Kind::Standalone) else { return };
    let of = |rows: &[Row]| -> Vec<String> {
        let documents: Vec<RawDocumentBuf> = (1..).zip(rows).map(|(id, row)| document(id, *row)).collect();
        let (project, output) = check(server, &documents);
        assert_eq!(output.value("rows"), rows.len().to_string(), "{output:?}");
        found(&project)
    };
    assert_eq!(of(&OF_TEXT), FOUND_OF_TEXT);
    assert_eq!(of(&OF_NUMBERS), FOUND_OF_NUMBERS);
}
