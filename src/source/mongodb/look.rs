//! What a collection is: its kind, its identity, its indexes, its size.

use mongodb::bson::spec::BinarySubtype;
use mongodb::bson::{Bson, Document, doc};

use super::call::Call;
use super::command;
use super::connection::{ServerInfo, integer};
use super::error::MongoError;
use super::reader::Reader;
use crate::schema::diagnostic::nearest;

/// What sort of collection it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// An ordinary one.
    Collection,
    /// One of fixed size: rows may not be removed from it before MongoDB 5.0.
    Capped,
    /// A stored query: it has no rows of its own and no index on `_id`.
    View,
    /// Buckets of measurements: documents have no `_id` of their own to find them by.
    TimeSeries,
    /// Several that are read as one.
    Several,
}

impl Kind {
    /// The words for messages.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Collection => "collection",
            Self::Capped => "capped collection",
            Self::View => "view",
            Self::TimeSeries => "time-series collection",
            Self::Several => "set of collections",
        }
    }
}

/// One index of a collection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IndexInfo {
    /// Its name.
    pub name: String,
    /// Its fields in order, each with its direction or kind as text: `1`, `-1`, `hashed`, `text`, …
    pub keys: Vec<(String, String)>,
    /// Whether it refuses a second document with the same key.
    pub unique: bool,
    /// Whether it leaves out documents without the field.
    pub sparse: bool,
    /// After how many seconds the server removes documents by itself; `None` for an index that removes nothing.
    pub ttl_seconds: Option<i64>,
}

/// What a collection is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CollectionInfo {
    /// Its kind.
    pub kind: Kind,
    /// Its identity: another one once it was dropped and made again. All zero for a view, which has none.
    pub uuid: [u8; 16],
    /// `database.collection`.
    pub namespace: String,
    /// Its indexes; none for a view.
    pub indexes: Vec<IndexInfo>,
    /// How many documents its metadata counts; wrong after a crash and on sharded clusters. 0 for a view.
    pub documents: u64,
    /// Whether its strings are compared by a collation of its own.
    pub default_collation: bool,
    /// Who was asked.
    pub server: ServerInfo,
    /// The time field of a time-series collection.
    pub time_field: Option<String>,
    /// Why no row can be moved, whatever a job says; `None` where rows can be.
    pub check_only: Option<CheckOnly>,
}

/// Why rows are evaluated and reported, and never moved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckOnly {
    /// The reason.
    pub reason: String,
    /// What to do.
    pub remedy: String,
}

impl Reader {
    /// What the collection is, which indexes it has, and how many documents its metadata counts.
    ///
    /// # Errors
    /// When there is no such database or collection (the error names the nearest there is), the user may not look, or
    /// the server fails. A view or a time-series collection is not an error here.
    pub async fn look(&self) -> Result<CollectionInfo, MongoError> {
        let identity = identify(self).await?;
        let check_only = check_only(self, &identity);
        let Identity { kind, uuid, default_collation, time_field, .. } = identity;
        let (indexes, documents) = match kind {
            Kind::View | Kind::Several => (Vec::new(), 0),
            _ => (indexes(self).await?, documents(self).await?),
        };
        let (namespace, server) = (self.namespace(), self.connection.server().clone());
        Ok(CollectionInfo {
            kind,
            uuid,
            namespace,
            indexes,
            documents,
            default_collation,
            server,
            time_field,
            check_only,
        })
    }
}

/// Why no row of such a collection can be moved. A removal names one document by its `_id` and its bytes: that of a
/// time-series collection need not be unique, and its documents are made anew from buckets whenever they are read.
fn check_only(reader: &Reader, identity: &Identity) -> Option<CheckOnly> {
    let namespace = reader.namespace();
    match identity.kind {
        Kind::View => {
            let base = identity.view_on.as_deref().unwrap_or("the collection it is made from");
            Some(CheckOnly {
                reason: format!("`{namespace}` is a view: it has no rows of its own that could be moved"),
                remedy: format!("name the collection it is made from, `{base}`"),
            })
        }
        Kind::TimeSeries => {
            let version = &reader.connection.server().version;
            let major = version.split('.').next().and_then(|major| major.parse::<u32>().ok());
            let server = match major {
                Some(major) if major >= 7 => "that this server removes exactly one was not tried",
                _ => "this server removes them only by their meta field, many at once",
            };
            Some(CheckOnly {
                reason: format!(
                    "`{namespace}` is a time-series collection: the `_id` of a document need not be unique, and {server} (version {version})"
                ),
                remedy: "`barkeep plan` lists the rows; bars in an ordinary collection can be moved".to_owned(),
            })
        }
        Kind::Collection | Kind::Capped | Kind::Several => None,
    }
}

/// What tells a collection from every other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Identity {
    pub(super) kind: Kind,
    pub(super) uuid: [u8; 16],
    pub(super) default_collation: bool,
    /// The time field of a time-series collection.
    pub(super) time_field: Option<String>,
    /// The collection that a view is made from.
    pub(super) view_on: Option<String>,
}

/// The collection's identity; fails with near names where there is none of its name.
pub(super) async fn identify(reader: &Reader) -> Result<Identity, MongoError> {
    let what = format!("look for `{}`", reader.namespace());
    let command = doc! { "listCollections": 1, "filter": { "name": &reader.collection }, "cursor": {} };
    let answer = command::run(&reader.connection, &reader.database, Call::short(&what), &command).await?;
    match first_batch(&answer).find(|entry| entry.get_str("name").ok() == Some(&reader.collection)) {
        Some(entry) => Ok(identity(entry)),
        None => Err(missing(reader).await),
    }
}

/// The identity that an entry of the list of collections tells.
pub(super) fn identity(entry: &Document) -> Identity {
    let options = entry.get_document("options").ok();
    let kind = match entry.get_str("type") {
        Ok("view") => Kind::View,
        Ok("timeseries") => Kind::TimeSeries,
        _ if options.is_some_and(|options| options.get_bool("capped").unwrap_or(false)) => Kind::Capped,
        _ => Kind::Collection,
    };
    let uuid = match entry.get_document("info").ok().and_then(|info| info.get("uuid")) {
        Some(Bson::Binary(binary)) if binary.subtype == BinarySubtype::Uuid => {
            <[u8; 16]>::try_from(binary.bytes.as_slice()).unwrap_or_default()
        }
        _ => [0; 16],
    };
    let collation = options.and_then(|options| options.get_document("collation").ok());
    let default_collation = collation.is_some_and(|collation| collation.get_str("locale").ok() != Some("simple"));
    let text = |from: Option<&Document>, name| from.and_then(|from| from.get_str(name).ok()).map(str::to_owned);
    let series = options.and_then(|options| options.get_document("timeseries").ok());
    let (time_field, view_on) = (text(series, "timeField"), text(options, "viewOn"));
    Identity { kind, uuid, default_collation, time_field, view_on }
}

async fn missing(reader: &Reader) -> MongoError {
    let near = |name: &str, names: &[String]| nearest(name, names.iter().map(String::as_str)).map(str::to_owned);
    let Reader { connection, database, collection } = reader;
    let command = doc! { "listCollections": 1, "nameOnly": true, "authorizedCollections": true, "cursor": { "batchSize": 10_000 } };
    let collections = match command::run(connection, database, Call::short("list the collections"), &command).await {
        Ok(answer) => names(first_batch(&answer)),
        Err(error) => return error,
    };
    if !collections.is_empty() {
        let near = near(collection, &collections);
        return MongoError::NoCollection { database: database.clone(), collection: collection.clone(), near };
    }
    let command = doc! { "listDatabases": 1, "nameOnly": true };
    // Who may not list databases still learns that this one is empty.
    let answer = command::run(connection, "admin", Call::short("list the databases"), &command).await;
    let databases = answer.map(|answer| names(documents_of(&answer, "databases"))).unwrap_or_default();
    let near = near(database, &databases).filter(|near| near != database);
    MongoError::NoDatabase { server: connection.redacted().to_owned(), database: database.clone(), near }
}

async fn indexes(reader: &Reader) -> Result<Vec<IndexInfo>, MongoError> {
    let what = format!("list the indexes of `{}`", reader.namespace());
    let command = doc! { "listIndexes": &reader.collection, "cursor": {} };
    match command::run(&reader.connection, &reader.database, Call::short(&what), &command).await {
        Ok(answer) => Ok(first_batch(&answer).map(index).collect()),
        Err(error) => Err(error),
    }
}

fn index(entry: &Document) -> IndexInfo {
    let flag = |name| entry.get_bool(name).unwrap_or(false);
    let direction = |value: &Bson| match (integer(value), value) {
        (Some(number), _) => number.to_string(),
        (None, Bson::String(kind)) => kind.clone(),
        (None, other) => other.to_string(),
    };
    IndexInfo {
        name: entry.get_str("name").unwrap_or_default().to_owned(),
        keys: entry
            .get_document("key")
            .into_iter()
            .flat_map(Document::iter)
            .map(|(field, value)| (field.clone(), direction(value)))
            .collect(),
        unique: flag("unique"),
        sparse: flag("sparse"),
        ttl_seconds: entry.get("expireAfterSeconds").and_then(integer),
    }
}

/// How many documents the metadata counts.
pub(super) async fn documents(reader: &Reader) -> Result<u64, MongoError> {
    let what = format!("ask for the size of `{}`", reader.namespace());
    let command = doc! { "count": &reader.collection };
    let answer = command::run(&reader.connection, &reader.database, Call::long(&what), &command).await?;
    let count = answer.get("n").and_then(integer).and_then(|count| u64::try_from(count).ok());
    count.ok_or_else(|| reader.connection.nonsense(&what, "it has no count".to_owned()))
}

fn first_batch(answer: &Document) -> impl Iterator<Item = &Document> {
    answer.get_document("cursor").into_iter().flat_map(|cursor| documents_of(cursor, "firstBatch"))
}

fn documents_of<'a>(answer: &'a Document, list: &str) -> impl Iterator<Item = &'a Document> {
    answer.get_array(list).into_iter().flatten().filter_map(Bson::as_document)
}

fn names<'a>(entries: impl Iterator<Item = &'a Document>) -> Vec<String> {
    entries.filter_map(|entry| entry.get_str("name").ok()).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use mongodb::bson::Binary;

    use super::*;

    #[test]
    fn the_kind_of_a_collection_is_read_from_its_entry() {
        let uuid = Binary { subtype: BinarySubtype::Uuid, bytes: vec![5; 16] };
        for (entry, kind, uuid, default_collation) in [
            (doc! { "type": "collection", "options": {}, "info": { "uuid": uuid } }, Kind::Collection, [5; 16], false),
            (doc! { "type": "collection", "options": { "capped": true } }, Kind::Capped, [0; 16], false),
            (doc! { "type": "view", "options": { "viewOn": "a" } }, Kind::View, [0; 16], false),
            (doc! { "type": "timeseries", "options": {} }, Kind::TimeSeries, [0; 16], false),
            (doc! { "options": { "collation": { "locale": "en" } } }, Kind::Collection, [0; 16], true),
            (doc! { "options": { "collation": { "locale": "simple" } } }, Kind::Collection, [0; 16], false),
        ] {
            let found = identity(&entry);
            assert_eq!((found.kind, found.uuid, found.default_collation), (kind, uuid, default_collation), "{entry}");
        }
        let series = doc! { "type": "timeseries", "options": { "timeseries": { "timeField": "at" } } };
        assert_eq!(identity(&series).time_field.as_deref(), Some("at"));
        let view = doc! { "type": "view", "options": { "viewOn": "a", "pipeline": [] } };
        assert_eq!(identity(&view).view_on.as_deref(), Some("a"));
    }

    #[test]
    fn indexes_keep_the_order_and_direction_of_their_fields() {
        let entry = doc! {
            "name": "i", "key": { "symbol": 1, "trade_date": -1.0, "x": "hashed" }, "unique": true,
            "expireAfterSeconds": 60.0,
        };
        let key = |field: &str, direction: &str| (field.to_owned(), direction.to_owned());
        assert_eq!(
            index(&entry),
            IndexInfo {
                name: "i".to_owned(),
                keys: vec![key("symbol", "1"), key("trade_date", "-1"), key("x", "hashed")],
                unique: true,
                sparse: false,
                ttl_seconds: Some(60),
            }
        );
    }
}
