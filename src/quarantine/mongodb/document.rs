//! Quarantine items as documents: a row's bytes as Binary, for a map would drop duplicate keys and reorder the rest.

use mongodb::bson::raw::cstr;
use mongodb::bson::spec::BinarySubtype;
use mongodb::bson::{Binary, Bson, DateTime, Document, RawBsonRef, RawDocument, RawDocumentBuf, doc};
use sha2::{Digest, Sha256};

use super::error::QuarantineError;
use crate::decide::Action;
use crate::durable::hex;
use crate::quarantine::item::{Item, Reason, State};
use crate::quarantine::plan::{Plan, PlanRow};
use crate::source::mongodb::id;

/// The collection of run records and leases, beside the quarantine.
pub const RUNS: &str = "barkeep_runs";

/// Where rows come from and where they go.
#[derive(Debug, Clone)]
pub(super) struct Names {
    /// The server, without credentials.
    pub(super) server: String,
    /// The database.
    pub(super) database: String,
    /// The collection.
    pub(super) collection: String,
    /// The collection's UUID.
    pub(super) uuid: [u8; 16],
    /// The collection of items, in the same database.
    pub(super) quarantine: String,
}

impl Names {
    /// `database.collection`.
    pub(super) fn namespace(&self) -> String {
        format!("{}.{}", self.database, self.collection)
    }
}

/// Identity of the item of a row: first 32 hexadecimal digits of the SHA-256 over the collection's UUID, type and bytes
/// of the `_id`, and the hash of the row.
pub(super) fn item_id(uuid: &[u8; 16], id: &[u8], sha256: &[u8; 32]) -> String {
    let mut hash = Sha256::new();
    for part in [&uuid[..], id, sha256] {
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part);
    }
    hex(&hash.finalize()[..16])
}

/// What a run says of the rows it moves.
#[derive(Debug, Clone)]
pub(super) struct Mark<'a> {
    pub(super) run_id: &'a str,
    pub(super) job: &'a str,
    /// Now, µs UTC.
    pub(super) at: i64,
    /// When a row that is quarantined may be purged, and one that is deleted, µs UTC.
    pub(super) expires_at: (i64, i64),
}

impl Mark<'_> {
    fn expires_at(&self, action: Action) -> i64 {
        if action == Action::Delete { self.expires_at.1 } else { self.expires_at.0 }
    }
}

/// The item of `row` with the bytes `raw`, in the state `copied`.
pub(super) fn item(
    names: &Names,
    mark: &Mark<'_>,
    plan: &Plan,
    row: &PlanRow,
    item: &str,
    raw: &RawDocument,
    id: &[u8],
) -> Result<RawDocumentBuf, QuarantineError> {
    let doing = "write a quarantine item";
    let source = doc! {
        "uri_redacted": &names.server,
        "ns": names.namespace(),
        "uuid": Binary { subtype: BinarySubtype::Uuid, bytes: names.uuid.to_vec() },
    };
    let head = doc! {
        "_id": item,
        "run_id": mark.run_id,
        "plan_id": &plan.head.plan_id,
        "job": mark.job,
        "source": source,
    };
    let rest = doc! {
        "sha256": row.sha256.as_deref().unwrap_or_default(),
        "series": &row.series,
        "time": row.time.map(instant),
        "row_key": &row.row_key,
        "rules": reasons(plan, row),
        "action": row.action.as_str(),
        "as_of": instant(plan.head.as_of.0),
        "at": instant(mark.at),
        "expires_at": instant(mark.expires_at(row.action)),
        "state": State::Copied.as_str(),
        "history": [event(mark, State::Copied)],
    };
    let raw_of = |document: &Document| {
        RawDocumentBuf::try_from(document).map_err(|error| QuarantineError::encode(doing, &error))
    };
    let mut document = raw_of(&head)?;
    // As it lies in the row; one that cannot be decoded is named, for the row itself holds it.
    match id::decode(id) {
        Ok(id) => document.append(cstr!("src_id"), id),
        Err(_) => document.append(cstr!("src_id"), id::text(id)),
    }
    for element in raw_of(&rest)?.iter_elements() {
        let element = element.map_err(|error| QuarantineError::encode(doing, &error))?;
        let value = element.value().map_err(|error| QuarantineError::encode(doing, &error))?;
        document.append(element.key(), value);
    }
    document.append(cstr!("raw"), Binary { subtype: BinarySubtype::Generic, bytes: raw.as_bytes().to_vec() });
    Ok(document)
}

/// What an update sets on an item that is there already, so that it is this run's.
pub(super) fn claim(mark: &Mark<'_>, plan: &Plan, row: &PlanRow) -> Document {
    doc! {
        "$set": {
            "run_id": mark.run_id,
            "plan_id": &plan.head.plan_id,
            "job": mark.job,
            "rules": reasons(plan, row),
            "action": row.action.as_str(),
            "as_of": instant(plan.head.as_of.0),
            "at": instant(mark.at),
            "expires_at": instant(mark.expires_at(row.action)),
            "state": State::Copied.as_str(),
        },
        "$push": { "history": event(mark, State::Copied) },
    }
}

/// What an update sets on an item that comes to `state`.
pub(super) fn advance(mark: &Mark<'_>, state: State) -> Document {
    doc! { "$set": { "state": state.as_str() }, "$push": { "history": event(mark, state) } }
}

fn event(mark: &Mark<'_>, state: State) -> Document {
    doc! { "state": state.as_str(), "at": instant(mark.at), "run_id": mark.run_id }
}

fn reasons(plan: &Plan, row: &PlanRow) -> Vec<Bson> {
    let reason = |reason: Reason| {
        Bson::Document(doc! {
            "id": reason.id, "hash": reason.hash, "why": reason.why, "finding_id": reason.finding_id,
        })
    };
    plan.reasons(row).into_iter().map(reason).collect()
}

/// MongoDB keeps milliseconds.
fn instant(micros: i64) -> DateTime {
    DateTime::from_millis(micros.div_euclid(1000))
}

/// The bytes of the row in an item, and nothing where there are none.
pub(super) fn raw(item: &RawDocument) -> &[u8] {
    item.get_binary("raw").map(|binary| binary.bytes).unwrap_or_default()
}

/// The row that an item holds: its encoded `_id` and its bytes, where they are what they were when the item was made.
pub(super) fn row(item: &RawDocument) -> Option<(Vec<u8>, RawDocumentBuf)> {
    let bytes = raw(item);
    if sha256(bytes) != item.get_str("sha256").ok()? {
        return None;
    }
    let row = RawDocumentBuf::from_bytes(bytes.to_vec()).ok()?;
    Some((id::of(&row)?, row))
}

/// The state of an item.
pub(super) fn state(item: &RawDocument) -> Option<State> {
    State::parse(item.get_str("state").ok()?)
}

/// When something happened to an item last, µs UTC; `None` where that is not written down.
pub(super) fn last_event(item: &RawDocument) -> Option<i64> {
    let last = item.get_array("history").ok()?.into_iter().last()?.ok()?;
    Some(last.as_document()?.get_datetime("at").ok()?.timestamp_millis() * 1000)
}

/// An item as the rest of barkeep knows it; `raw` is empty where it was not read.
pub(super) fn read(collection: &str, item: &RawDocument) -> Result<Item, QuarantineError> {
    let lacks = |field: &str| QuarantineError::NoItem {
        collection: collection.to_owned(),
        reason: format!("it lacks a good `{field}`"),
    };
    let text = |field: &str| item.get_str(field).map(str::to_owned).map_err(|_| lacks(field));
    let micros =
        |field: &str| item.get_datetime(field).map(|at| at.timestamp_millis() * 1000).map_err(|_| lacks(field));
    let source = item.get_document("source").map_err(|_| lacks("source"))?;
    let src_id = item.get("src_id").ok().flatten().ok_or_else(|| lacks("src_id"))?;
    // One that could not be decoded stands there as text.
    let locator = match src_id {
        RawBsonRef::String(named) if named.starts_with("invalid _id 0x") => named.to_owned(),
        other => id::text(&id::encode(other)),
    };
    let rules = item.get_array("rules").map_err(|_| lacks("rules"))?;
    let reasons = rules.into_iter().filter_map(|rule| {
        let rule = rule.ok()?.as_document()?;
        Some(Reason {
            id: rule.get_str("id").ok()?.to_owned(),
            hash: rule.get_str("hash").ok()?.to_owned(),
            why: rule.get_str("why").ok().map(str::to_owned),
            finding_id: rule.get_str("finding_id").ok()?.to_owned(),
        })
    });
    let state = state(item).ok_or_else(|| lacks("state"))?;
    Ok(Item {
        id: text("_id")?,
        run_id: text("run_id")?,
        plan_id: text("plan_id")?,
        source: source.get_str("ns").map_err(|_| lacks("source.ns"))?.to_owned(),
        locator,
        sha256: text("sha256")?,
        series: text("series")?,
        time: item.get_datetime("time").ok().map(|at| at.timestamp_millis() * 1000),
        reasons: reasons.collect(),
        action: Action::parse(&text("action")?).ok_or_else(|| lacks("action"))?,
        at: micros("at")?,
        expires_at: micros("expires_at")?,
        state,
        restored_at: if state == State::Restored { last_event(item) } else { None },
        raw: raw(item).to_vec(),
    })
}

/// SHA-256 (hex) of bytes.
pub(super) fn sha256(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}
