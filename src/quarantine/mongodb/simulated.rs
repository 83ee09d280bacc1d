//! A server in memory that understands exactly the commands the protocol sends. A test decides when a command is carried
//! out and what comes of its reply.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use futures::channel::oneshot;
use mongodb::bson::raw::{RawBson, RawBsonRef, RawDocument, RawDocumentBuf};
use mongodb::bson::spec::BinarySubtype;
use mongodb::bson::{Binary, Bson, DateTime, Document, doc, rawdoc};

use super::error::QuarantineError;
use super::server::{DUPLICATE_KEY, Outcome, Server, WriteError, Written};
use crate::source::mongodb::id;

/// The collections and the clock.
#[derive(Debug, Default)]
pub(super) struct State {
    /// Milliseconds.
    pub(super) now: i64,
    pub(super) collections: BTreeMap<String, Vec<RawDocumentBuf>>,
    /// Of the source.
    pub(super) uuid: [u8; 16],
}

/// What a runner asks.
#[derive(Debug, Clone)]
pub(super) enum Asked {
    Write(RawDocumentBuf),
    Read(String, RawDocumentBuf, Option<Document>),
    Ask(Document),
    Pause,
}

/// What it is reported.
#[derive(Debug)]
pub(super) enum Reply {
    Write(Result<Outcome, QuarantineError>),
    Read(Result<Vec<RawDocumentBuf>, QuarantineError>),
    Ask(Result<Document, QuarantineError>),
    Pause,
}

/// A request that waits for its reply.
#[derive(Debug)]
pub(super) struct Request {
    pub(super) runner: usize,
    pub(super) asked: Asked,
    pub(super) reply: oneshot::Sender<Reply>,
}

/// The line of one runner to the server.
#[derive(Debug)]
pub(super) struct Line {
    pub(super) runner: usize,
    pub(super) requests: Arc<Mutex<Vec<Request>>>,
}

impl Line {
    async fn send(&self, asked: Asked) -> Reply {
        let (reply, reported) = oneshot::channel();
        self.requests.lock().unwrap().push(Request { runner: self.runner, asked, reply });
        reported.await.unwrap()
    }
}

#[async_trait]
impl Server for Line {
    async fn write(&self, _: &str, command: RawDocumentBuf) -> Result<Outcome, QuarantineError> {
        let Reply::Write(reported) = self.send(Asked::Write(command)).await else { panic!("no reply to a write") };
        reported
    }

    async fn ask(&self, _: &str, command: Document) -> Result<Document, QuarantineError> {
        let Reply::Ask(reported) = self.send(Asked::Ask(command)).await else { panic!("no answer") };
        reported
    }

    async fn read(
        &self,
        _: &str,
        collection: &str,
        filter: RawDocumentBuf,
        projection: Option<Document>,
    ) -> Result<Vec<RawDocumentBuf>, QuarantineError> {
        let asked = Asked::Read(collection.to_owned(), filter, projection);
        let Reply::Read(reported) = self.send(asked).await else { panic!("no documents") };
        reported
    }

    async fn pause(&self, attempt: u32) {
        if attempt > 0 {
            assert!(matches!(self.send(Asked::Pause).await, Reply::Pause));
        }
    }
}

/// Name, collection and statements of a write.
pub(super) fn parts(command: &RawDocument) -> (String, String, Vec<RawDocumentBuf>) {
    let (name, collection) = command.iter().next().unwrap().unwrap();
    let field = ["documents", "updates", "deletes"].into_iter().find(|field| command.get(field).unwrap().is_some());
    let statements = command.get_array(field.unwrap()).unwrap().into_iter();
    let statements = statements.map(|statement| statement.unwrap().as_document().unwrap().to_owned());
    (name.to_string(), collection.as_str().unwrap().to_owned(), statements.collect())
}

impl State {
    /// Carries out one statement of a write; the error is what the server refuses.
    pub(super) fn statement(
        &mut self,
        name: &str,
        collection: &str,
        statement: &RawDocument,
    ) -> Result<(), WriteError> {
        let now = self.now;
        let documents = self.collections.entry(collection.to_owned()).or_default();
        match name {
            "insert" => insert(documents, statement.to_owned()),
            "delete" => {
                let query = statement.get_document("q").unwrap();
                if let Some(at) = documents.iter().position(|document| matches(document, query, now)) {
                    documents.remove(at);
                }
                Ok(())
            }
            "update" => update(documents, statement, now),
            other => panic!("`{other}` is not a command of the protocol"),
        }
    }

    pub(super) fn find(
        &self,
        collection: &str,
        filter: &RawDocument,
        projection: Option<&Document>,
    ) -> Vec<RawDocumentBuf> {
        let documents = self.collections.get(collection).into_iter().flatten();
        let found = documents.filter(|document| matches(document, filter, self.now)).cloned();
        let Some(size) = projection.and_then(|wanted| wanted.get_document("n").ok()) else { return found.collect() };
        let sized = found.map(|document| {
            let mut short = RawDocumentBuf::new();
            short.append(mongodb::bson::raw::cstr!("_id"), document.get("_id").unwrap().unwrap());
            let bytes = if size.contains_key("$bsonSize") {
                document.as_bytes()
            } else {
                document.get_binary("raw").unwrap().bytes
            };
            short.append(mongodb::bson::raw::cstr!("n"), i32::try_from(bytes.len()).unwrap());
            short
        });
        sized.collect()
    }

    pub(super) fn answer(&self, command: &Document) -> Document {
        match command.keys().next().unwrap().as_str() {
            "hello" => doc! { "ok": 1, "localTime": DateTime::from_millis(self.now) },
            "listCollections" => {
                let uuid = Binary { subtype: BinarySubtype::Uuid, bytes: self.uuid.to_vec() };
                let name = command.get_document("filter").unwrap().get_str("name").unwrap();
                doc! { "cursor": { "firstBatch": [{ "name": name, "info": { "uuid": uuid } }] } }
            }
            other => panic!("`{other}` is not a command of the protocol"),
        }
    }
}

fn insert(documents: &mut Vec<RawDocumentBuf>, document: RawDocumentBuf) -> Result<(), WriteError> {
    let id = document.get("_id").unwrap().unwrap();
    if documents.iter().any(|other| equal(other.get("_id").unwrap().unwrap(), id)) {
        return Err(WriteError { code: DUPLICATE_KEY, message: "duplicate key".to_owned() });
    }
    documents.push(document);
    Ok(())
}

fn update(documents: &mut Vec<RawDocumentBuf>, statement: &RawDocument, now: i64) -> Result<(), WriteError> {
    let query = statement.get_document("q").unwrap();
    let change = statement.get("u").unwrap().unwrap();
    let multi = statement.get_bool("multi").unwrap_or(false);
    let found: Vec<usize> = (0..documents.len()).filter(|at| matches(&documents[*at], query, now)).collect();
    if found.is_empty() && statement.get_bool("upsert").unwrap_or(false) {
        let id = query.get("_id").unwrap().unwrap();
        let id = id.as_document().map_or(id, |id| id.get("$eq").unwrap().unwrap());
        let mut fresh = RawDocumentBuf::new();
        fresh.append(mongodb::bson::raw::cstr!("_id"), id);
        return insert(documents, changed(&fresh, change, now));
    }
    for at in found.into_iter().take(if multi { usize::MAX } else { 1 }) {
        documents[at] = changed(&documents[at], change, now);
    }
    Ok(())
}

fn changed(document: &RawDocument, change: RawBsonRef<'_>, now: i64) -> RawDocumentBuf {
    let mut whole = Document::try_from(document).unwrap();
    if let Some(pipeline) = change.as_array() {
        let stage = pipeline.into_iter().next().unwrap().unwrap().as_document().unwrap();
        let (operator, operand) = stage.iter().next().unwrap().unwrap();
        if operator == "$replaceWith" {
            let RawBson::Document(replaced) = value(operand, document, None, now) else { panic!("no document") };
            return replaced;
        }
        for field in operand.as_document().unwrap() {
            let (name, expression) = field.unwrap();
            whole.insert(name.as_str(), Bson::try_from(value(expression, document, None, now)).unwrap());
        }
        return RawDocumentBuf::try_from(&whole).unwrap();
    }
    let change = change.as_document().unwrap();
    for field in change.get_document("$set").unwrap() {
        let (name, value) = field.unwrap();
        whole.insert(name.as_str(), Bson::try_from(value).unwrap());
    }
    if let Ok(push) = change.get_document("$push") {
        let event = Bson::try_from(push.get("history").unwrap().unwrap()).unwrap();
        whole.get_array_mut("history").unwrap().push(event);
    }
    RawDocumentBuf::try_from(&whole).unwrap()
}

/// Whether two values are the same to the server: numbers by what they are worth, whatever their type.
fn equal(one: RawBsonRef<'_>, other: RawBsonRef<'_>) -> bool {
    match (number(one), number(other), one, other) {
        (Some(one), Some(other), ..) => one == other,
        (_, _, RawBsonRef::Document(one), RawBsonRef::Document(other)) => {
            let (one, other): (Vec<_>, Vec<_>) = (one.iter().flatten().collect(), other.iter().flatten().collect());
            one.len() == other.len()
                && one.iter().zip(&other).all(|((a, one), (b, other))| a == b && equal(*one, *other))
        }
        _ => id::encode(one) == id::encode(other),
    }
}

fn number(value: RawBsonRef<'_>) -> Option<f64> {
    match value {
        RawBsonRef::Int32(number) => Some(f64::from(number)),
        RawBsonRef::Int64(number) => Some(number as f64),
        RawBsonRef::Double(number) => Some(number),
        _ => None,
    }
}

/// The values at a path; in an array, those of all its documents.
fn at<'d>(document: &'d RawDocument, path: &str) -> Vec<RawBsonRef<'d>> {
    let (first, rest) = path.split_once('.').map_or((path, None), |(first, rest)| (first, Some(rest)));
    match (document.get(first).unwrap(), rest) {
        (Some(value), None) => vec![value],
        (Some(RawBsonRef::Document(inner)), Some(rest)) => at(inner, rest),
        (Some(RawBsonRef::Array(list)), Some(rest)) => {
            list.into_iter().flatten().filter_map(RawBsonRef::as_document).flat_map(|inner| at(inner, rest)).collect()
        }
        _ => Vec::new(),
    }
}

pub(super) fn matches(document: &RawDocument, query: &RawDocument, now: i64) -> bool {
    query.iter().all(|element| {
        let (field, condition) = element.unwrap();
        let each = || condition.as_array().unwrap().into_iter().map(|one| one.unwrap().as_document().unwrap());
        match field.as_str() {
            "$or" => each().any(|query| matches(document, query, now)),
            "$nor" => !each().any(|query| matches(document, query, now)),
            "$expr" => value(condition, document, None, now) == RawBson::Boolean(true),
            field => {
                let found = at(document, field);
                let operators = condition.as_document().filter(|inner| {
                    inner.iter_elements().flatten().next().is_some_and(|first| first.key().as_str().starts_with('$'))
                });
                match operators {
                    None => found.iter().any(|value| equal(*value, condition)),
                    Some(operators) => operators.iter().all(|one| {
                        let (operator, operand) = one.unwrap();
                        holds(operator.as_str(), &found, operand)
                    }),
                }
            }
        }
    })
}

fn holds(operator: &str, found: &[RawBsonRef<'_>], operand: RawBsonRef<'_>) -> bool {
    match operator {
        "$eq" => found.iter().any(|value| equal(*value, operand)),
        "$ne" => !found.iter().any(|value| equal(*value, operand)),
        "$in" => operand.as_array().unwrap().into_iter().flatten().any(|one| found.iter().any(|v| equal(*v, one))),
        "$exists" => found.is_empty() != operand.as_bool().unwrap(),
        "$lte" => found.iter().any(|value| value.as_datetime().unwrap() <= operand.as_datetime().unwrap()),
        other => panic!("`{other}` is not an operator of the protocol"),
    }
}

/// What an expression is worth for a document; `was` is the variable of that name.
fn value(expression: RawBsonRef<'_>, root: &RawDocument, was: Option<&RawDocument>, now: i64) -> RawBson {
    let evaluate = |expression| value(expression, root, was, now);
    match expression {
        RawBsonRef::String("$$ROOT") => RawBson::Document(root.to_owned()),
        RawBsonRef::String("$$was") => RawBson::Document(was.unwrap().to_owned()),
        RawBsonRef::String("$$NOW") => RawBson::DateTime(DateTime::from_millis(now)),
        RawBsonRef::String(field) if field.starts_with('$') => {
            at(root, &field[1..]).first().map_or(RawBson::Null, |value| (*value).into())
        }
        RawBsonRef::Document(operation) => {
            let (operator, operand) = operation.iter().next().unwrap().unwrap();
            let operands = || -> Vec<RawBson> {
                operand.as_array().unwrap().into_iter().map(|one| evaluate(one.unwrap())).collect()
            };
            let is_true = |value: &RawBson| *value == RawBson::Boolean(true);
            match operator.as_str() {
                "$literal" => operand.into(),
                "$and" => RawBson::Boolean(operands().iter().all(is_true)),
                "$or" => RawBson::Boolean(operands().iter().any(is_true)),
                "$eq" => {
                    let both = operands();
                    RawBson::Boolean(equal(both[0].as_raw_bson_ref(), both[1].as_raw_bson_ref()))
                }
                "$in" => {
                    let both = operands();
                    let list = both[1].as_array().unwrap();
                    RawBson::Boolean(list.into_iter().any(|one| equal(both[0].as_raw_bson_ref(), one.unwrap())))
                }
                // A time that is not there is before all others.
                "$lt" => match (&operands()[0], &operands()[1]) {
                    (RawBson::DateTime(one), RawBson::DateTime(other)) => RawBson::Boolean(one < other),
                    (one, _) => RawBson::Boolean(*one == RawBson::Null),
                },
                "$cond" => {
                    let [condition, yes, no] = operands().try_into().unwrap();
                    if is_true(&condition) { yes } else { no }
                }
                "$add" => {
                    let both = operands();
                    let millis = both[0].as_datetime().unwrap().timestamp_millis() + both[1].as_i64().unwrap();
                    RawBson::DateTime(DateTime::from_millis(millis))
                }
                "$bsonSize" => {
                    let RawBson::Document(document) = evaluate(operand) else { panic!("no document") };
                    RawBson::Int32(i32::try_from(document.as_bytes().len()).unwrap())
                }
                "$map" => {
                    // The types of the fields of a document: the only list that is made.
                    let input = operand.as_document().unwrap().get_document("input").unwrap();
                    let RawBson::Document(of) = evaluate(input.get("$objectToArray").unwrap().unwrap()) else {
                        panic!()
                    };
                    let types = of.iter_elements().map(|element| i32::from(element.unwrap().element_type() as u8));
                    RawBson::Array(types.collect())
                }
                "$let" => {
                    let operand = operand.as_document().unwrap();
                    let was = evaluate(operand.get_document("vars").unwrap().get("was").unwrap().unwrap());
                    let RawBson::Document(was) = was else { panic!("no document") };
                    value(operand.get("in").unwrap().unwrap(), root, Some(&was), now)
                }
                other => panic!("`{other}` is not an operator of the protocol"),
            }
        }
        constant => constant.into(),
    }
}

/// The reply of a write that a server carried out.
pub(super) fn known(errors: BTreeMap<usize, WriteError>) -> Outcome {
    Outcome::Known(Written { errors })
}

#[test]
fn numbers_are_equal_by_what_they_are_worth() {
    let of = |document: &RawDocument, query: &RawDocument| matches(document, query, 0);
    assert!(of(&rawdoc! { "_id": 1, "a": 5 }, &rawdoc! { "_id": { "$eq": 1.0 }, "a": 5_i64 }));
    assert!(!of(&rawdoc! { "_id": 1, "a": 5 }, &rawdoc! { "_id": 1, "a": "5" }));
    assert!(of(&rawdoc! { "_id": 1 }, &rawdoc! { "$nor": [{ "a": { "$exists": true } }] }));
}
