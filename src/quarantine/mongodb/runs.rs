//! What was approved: a document a run, closed when every row of it has come to its end.

use mongodb::bson::raw::cstr;
use mongodb::bson::{DateTime, Document, RawDocumentBuf, doc};

use super::document::{Mark, Names, RUNS};
use super::error::QuarantineError;
use super::server::{DUPLICATE_KEY, Outcome, Server, batch, text, update};
use crate::durable::hex;
use crate::quarantine::crash::point;
use crate::quarantine::item::RemovalCounts;
use crate::quarantine::plan::Plan;

/// How often a document is written before its outcome counts as unknown.
const TRIES: u32 = 3;

/// Records durably what a run is about to do.
pub(super) async fn begin(
    server: &dyn Server,
    names: &Names,
    mark: &Mark<'_>,
    plan: &Plan,
) -> Result<(), QuarantineError> {
    let doing = "record what is about to be done";
    let run = doc! {
        "_id": mark.run_id,
        "kind": "run",
        "job": mark.job,
        "plan_id": &plan.head.plan_id,
        "plan_checksum": &plan.checksum,
        "source": source(names),
        "quarantine": &names.quarantine,
        "rows": i64::try_from(plan.rows.len()).unwrap_or(i64::MAX),
        "rules_sha256": &plan.head.rules_sha256,
        "started_at": DateTime::from_millis(mark.at.div_euclid(1000)),
        "sealed": false,
    };
    let run = RawDocumentBuf::try_from(&run).map_err(|error| QuarantineError::encode(doing, &error))?;
    point("mongodb.begin.before");
    let mut reason = String::new();
    for attempt in 0..TRIES {
        server.pause(attempt).await;
        match server.write(doing, batch(cstr!("insert"), RUNS, cstr!("documents"), [run.clone()], true)).await? {
            Outcome::Unknown(unknown) => reason = unknown,
            Outcome::Known(written) => {
                if let Some(error) = written.errors.into_values().find(|error| error.code != DUPLICATE_KEY) {
                    return Err(QuarantineError::Command { doing: doing.to_owned(), reason: error.message });
                }
            }
        }
        let filter = doc! { "_id": mark.run_id };
        if !server.find("read the record of the run", RUNS, filter, None).await?.is_empty() {
            point("mongodb.begin.after");
            return Ok(());
        }
    }
    Err(QuarantineError::Unknown { doing: doing.to_owned(), reason })
}

/// Closes the run called `run_id`: nothing of it is open any more.
pub(super) async fn close(
    server: &dyn Server,
    run_id: &str,
    at: i64,
    counts: &RemovalCounts,
    by: &str,
) -> Result<(), QuarantineError> {
    let doing = "close the record of the run";
    let count = |rows: u64| i64::try_from(rows).unwrap_or(i64::MAX);
    let change = doc! { "$set": {
        "sealed": true,
        "sealed_at": DateTime::from_millis(at.div_euclid(1000)),
        "sealed_by": by,
        "outcome": {
            "planned": count(counts.planned), "removed": count(counts.removed),
            "kept_changed": count(counts.kept_changed), "kept_error": count(counts.kept_error),
            "oversize": count(counts.oversize), "untried": count(counts.untried), "gone": count(counts.gone), "open": count(counts.open),
        },
    } };
    point("mongodb.close.before");
    let mut reason = String::new();
    for attempt in 0..TRIES {
        server.pause(attempt).await;
        let update = update(doc! { "_id": run_id, "sealed": false }, change.clone(), false)?;
        match server.write(doing, batch(cstr!("update"), RUNS, cstr!("updates"), [update], true)).await? {
            Outcome::Unknown(unknown) => reason = unknown,
            Outcome::Known(written) => {
                if let Some(error) = written.errors.into_values().next() {
                    return Err(QuarantineError::Command { doing: doing.to_owned(), reason: error.message });
                }
            }
        }
        let filter = doc! { "_id": run_id, "sealed": true };
        if !server.find("read the record of the run", RUNS, filter, None).await?.is_empty() {
            point("mongodb.close.after");
            return Ok(());
        }
    }
    Err(QuarantineError::Unknown { doing: doing.to_owned(), reason })
}

/// A run that is not closed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct OpenRun {
    /// Its name.
    pub(super) id: String,
    /// Rows of its plan.
    pub(super) rows: u64,
    /// The collection of its items.
    pub(super) quarantine: String,
    /// UUID (hex) of the collection it moved rows of: another one where the collection was made again since.
    pub(super) uuid: String,
}

/// The runs over the collection that are not closed, oldest first: whatever quarantine they used, and also those of a
/// collection that had the same name or another one.
pub(super) async fn open(server: &dyn Server, names: &Names) -> Result<Vec<OpenRun>, QuarantineError> {
    let of_source = [doc! { "source.uuid": uuid(names) }, doc! { "source.ns": names.namespace() }];
    let filter = doc! { "kind": "run", "sealed": false, "$or": of_source.to_vec() };
    let found = server.find("look for runs that were cut short", RUNS, filter, None).await?;
    let run = |run: &RawDocumentBuf| OpenRun {
        id: text(run, "_id").to_owned(),
        rows: run.get_i64("rows").ok().and_then(|rows| u64::try_from(rows).ok()).unwrap_or(0),
        quarantine: run.get_str("quarantine").unwrap_or(&names.quarantine).to_owned(),
        uuid: run.get_document("source").map_or("", |source| text(source, "uuid")).to_owned(),
    };
    let mut runs: Vec<OpenRun> = found.iter().map(run).collect();
    runs.sort_by(|one, other| one.id.cmp(&other.id));
    Ok(runs)
}

fn source(names: &Names) -> Document {
    doc! { "uri_redacted": &names.server, "ns": names.namespace(), "uuid": uuid(names) }
}

/// As text: drivers show UUIDs in too many ways.
pub(super) fn uuid(names: &Names) -> String {
    hex(&names.uuid)
}
