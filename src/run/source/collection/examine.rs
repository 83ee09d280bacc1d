//! The server of a job and its collection: who answers, what time it is there, what can be read and moved.

use std::sync::Arc;

use super::privileges;
use crate::config::Loaded;
use crate::config::job::MongoSource;
use crate::run::examination::{Examination, Health};
use crate::run::failure::Failure;
use crate::source::mongodb::{Collections, Connection, IndexInfo, Kind, Reader, Topology};
use crate::text::numbers::counted;

/// Milliseconds that two clocks may differ.
const APART: i64 = 2_000;
/// Documents that take the server noticeable time to pass over.
const MANY: u64 = 100_000;
/// Of several collections so many are named.
const SHOWN: usize = 5;

/// Reports on the server, and of what its user may do there.
pub(super) async fn server(
    loaded: &Loaded,
    source: &MongoSource,
    connection: &Arc<Connection>,
    lines: &mut Examination<'_>,
) -> Result<(), Failure> {
    let info = connection.server();
    let topology = match &info.topology {
        Topology::Standalone => "a standalone server".to_owned(),
        Topology::ReplicaSet(name) => format!("the replica set `{name}`"),
        Topology::Sharded => "a sharded cluster".to_owned(),
    };
    let wire = if connection.encrypted() { "over TLS" } else { "in plain text" };
    lines.ok("server", &format!("{} is {topology}, version {}, {wire}", connection.redacted(), info.version))?;
    let reader = Reader::new(Arc::clone(connection), &source.database, &source.collection);
    let (ahead, took) = reader.clock_ahead().await?;
    let clock = format!("the server's clock is {ahead} ms ahead, give or take {} ms", took / 2);
    lines.line(if ahead.abs() > APART { Health::Warn } else { Health::Ok }, "clock", &clock)?;
    privileges::examine(loaded, source, &reader.privileges().await?, lines)
}

/// Reports on the collection: what it is, and how its documents are found. `by_window` is the field with the timestamps where
/// runs look at a part of the bars.
pub(super) fn collection(
    (source, by_window): (&MongoSource, Option<&str>),
    collections: &Collections,
    lines: &mut Examination<'_>,
) -> Result<(), Failure> {
    let info = collections.info();
    lines.ok("collection", &what(collections))?;
    if let Some(field) = collections.unwind() {
        lines.ok("rows", &format!("each element of `{field}` is a row, with the fields beside it"))?;
    }
    match (info.kind, &info.time_field) {
        (Kind::View, _) => lines.ok("index", "all documents are read, as the view gives them"),
        (Kind::TimeSeries, Some(field)) => {
            lines.ok("index", &format!("documents are read by ranges of the time field `{field}`"))
        }
        (Kind::TimeSeries | Kind::Several, _) => Ok(()),
        (Kind::Collection | Kind::Capped, _) => {
            index(source, &info.indexes, info.documents, lines)?;
            match by_window.filter(|field| collections.serves(field)) {
                Some(field) => index_of_window(field, &info.indexes, info.documents, lines),
                None => Ok(()),
            }
        }
    }
}

/// Reports which index finds the documents of a part of the bars.
fn index_of_window(
    field: &str,
    indexes: &[IndexInfo],
    documents: u64,
    lines: &mut Examination<'_>,
) -> Result<(), Failure> {
    let serves = |index: &&IndexInfo| !index.sparse && index.keys.first().is_some_and(|(first, _)| first == field);
    match indexes.iter().find(serves) {
        Some(index) => lines.ok("window", &format!("`{}` finds the documents that a run looks at", index.name)),
        None => {
            let detail = format!(
                "no index begins with `{field}`: for the few documents that a run looks at the server passes over all of them; \
                 one on {{ {field}: 1 }} finds them"
            );
            lines.line(if documents < MANY { Health::Ok } else { Health::Warn }, "window", &detail)
        }
    }
}

/// What the source is, in words.
fn what(collections: &Collections) -> String {
    let (info, names) = (collections.info(), collections.names());
    match info.kind {
        Kind::View => format!("{} is a view", info.namespace),
        Kind::Several => {
            let count = counted(names.len() as u64, "collection");
            let more = if names.len() > SHOWN { ", …" } else { "" };
            let shown = names.take(SHOWN).map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
            format!("{} is {count}: {shown}{more}", info.namespace)
        }
        kind => format!("{} has {} and is a {}", info.namespace, counted(info.documents, "document"), kind.as_str()),
    }
}

/// Reports whether rows can be moved; of a source that is only checked that is no fault.
pub(super) fn fit(checked: Result<(), Failure>, check_only: bool, lines: &mut Examination<'_>) -> Result<(), Failure> {
    match checked {
        Ok(()) => lines.ok("fit", "rows can be moved"),
        Err(Failure::Refused(reason, remedy)) if check_only => {
            lines.warn("fit", &format!("rows are checked and never moved: {reason}; {remedy}"))
        }
        Err(Failure::Refused(reason, remedy)) => lines.fail("fit", &format!("{reason}; {remedy}")),
        Err(failure) => Err(failure),
    }
}

/// Reports which index finds the documents of the job. All of them are read in the order of `_id`; a filter that few match
/// wants an index that begins with one of its fields.
fn index(
    source: &MongoSource,
    indexes: &[IndexInfo],
    documents: u64,
    lines: &mut Examination<'_>,
) -> Result<(), Failure> {
    let fields: Vec<&str> = source.filter.iter().map(|filter| filter.field.as_str()).collect();
    if fields.is_empty() {
        return lines.ok("index", "all documents are read, by `_id`");
    }
    // A sparse index lacks documents, and the server does not use it for all filters.
    let serves = |index: &&IndexInfo| {
        !index.sparse && index.keys.first().is_some_and(|(field, _)| fields.contains(&field.as_str()))
    };
    let named = fields.iter().map(|field| format!("`{field}`")).collect::<Vec<_>>().join(", ");
    match indexes.iter().find(serves) {
        Some(index) => lines.ok("index", &format!("`{}` finds the documents where few match {named}", index.name)),
        None => {
            let detail =
                format!("no index begins with a field of the filter ({named}): every run passes over all documents");
            lines.line(if documents < MANY { Health::Ok } else { Health::Warn }, "index", &detail)
        }
    }
}
