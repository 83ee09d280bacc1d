//! Values of every BSON type, for tests.

use mongodb::bson::oid::ObjectId;
use mongodb::bson::raw::{RawArrayBuf, RawBson, RawDocumentBuf, RawJavaScriptCodeWithScope, cstr};
use mongodb::bson::spec::BinarySubtype;
use mongodb::bson::{Binary, DateTime, Regex, Timestamp, rawdoc};

/// One value of each type, with its name. The deprecated pointer to a document is read from bytes.
pub(super) fn every_type() -> Vec<(&'static str, RawBson)> {
    let mut pointer = vec![0, 0, 0, 0, 0x0c, 0, 2, 0, 0, 0, b'c', 0];
    pointer.extend_from_slice(&[7; 12]);
    pointer.push(0);
    pointer[0] = u8::try_from(pointer.len()).unwrap();
    let pointer = RawDocumentBuf::from_bytes(pointer).unwrap();
    let pointer: RawBson = pointer.get("").unwrap().unwrap().into();
    let mut array = RawArrayBuf::new();
    array.push(1);
    array.push("x");
    let binary = |subtype, bytes: &[u8]| RawBson::Binary(Binary { subtype, bytes: bytes.to_vec() });
    vec![
        ("double", RawBson::Double(1.5)),
        ("string", RawBson::String("239390.74".to_owned())),
        ("document", RawBson::Document(rawdoc! { "a": 1 })),
        ("array", RawBson::Array(array)),
        ("binary", binary(BinarySubtype::Generic, &[1, 2, 3])),
        ("old binary", binary(BinarySubtype::BinaryOld, &[1, 2, 3])),
        ("uuid", binary(BinarySubtype::Uuid, &[9; 16])),
        ("undefined", RawBson::Undefined),
        ("object id", RawBson::ObjectId(ObjectId::from_bytes([0xab; 12]))),
        ("boolean", RawBson::Boolean(false)),
        ("date", RawBson::DateTime(DateTime::from_millis(1_760_572_800_000))),
        ("null", RawBson::Null),
        (
            "regex",
            RawBson::RegularExpression(Regex { pattern: cstr!("^a").to_owned(), options: cstr!("i").to_owned() }),
        ),
        ("pointer", pointer),
        ("code", RawBson::JavaScriptCode("f()".to_owned())),
        ("symbol", RawBson::Symbol("s".to_owned())),
        (
            "code with scope",
            RawBson::JavaScriptCodeWithScope(RawJavaScriptCodeWithScope {
                code: "f(x)".to_owned(),
                scope: rawdoc! { "x": 1 },
            }),
        ),
        ("int32", RawBson::Int32(20_251_016)),
        ("timestamp", RawBson::Timestamp(Timestamp { time: 1, increment: 2 })),
        ("int64", RawBson::Int64(1_760_572_800_000)),
        ("decimal", RawBson::Decimal128("12.3400".parse().unwrap())),
        ("min key", RawBson::MinKey),
        ("max key", RawBson::MaxKey),
    ]
}
