//! The collections that a job reads as one source: one by its name, or all whose names fit a pattern.

use std::sync::Arc;

use mongodb::bson::{Document, doc};
use sha2::{Digest, Sha256};

use super::call::Call;
use super::command;
use super::connection::Connection;
use super::error::MongoError;
use super::infer::Seen;
use super::look::{self, CheckOnly, CollectionInfo, Identity, Kind};
use super::reader::Reader;
use crate::bars::FieldKind;
use crate::config::job::{Match, MongoSource, NamePattern};
use crate::schema::diagnostic::nearest;
use crate::source::SourceColumn;

/// Of more collections not every one is looked at for its fields.
const LOOKED_AT: usize = 12;
/// Collections that barkeep keeps itself: its runs, and quarantines unless a job names them otherwise.
const RUNS: &str = "barkeep_runs";
const QUARANTINE: &str = "_quarantine";

/// The collections of a job.
#[derive(Debug)]
pub struct Collections {
    pub(super) members: Vec<Member>,
    /// The field of a document that holds its rows.
    pub(super) unwind: Option<String>,
    info: CollectionInfo,
}

/// One of them.
#[derive(Debug)]
pub(super) struct Member {
    pub(super) reader: Reader,
    pub(super) identity: Identity,
    /// Fields that its name gives, each with its value; none where it is the only one.
    pub(super) pieces: Vec<(String, String)>,
}

impl Collections {
    /// Looks for the collections of a job.
    ///
    /// # Errors
    /// When there is none, a name fits the pattern in two ways, or the server fails.
    pub async fn find(connection: Arc<Connection>, source: &MongoSource) -> Result<Self, MongoError> {
        let reader = Reader::new(connection, &source.database, &source.collection);
        let mut found = match &source.pattern {
            None => Self::one(reader).await?,
            Some(pattern) => Self::several(reader, pattern).await?,
        };
        found.unwind.clone_from(&source.unwind);
        if let Some(field) = &source.unwind
            && found.info.check_only.is_none()
        {
            found.info.check_only = Some(CheckOnly {
                reason: format!(
                    "rows of `{}` are elements of `{field}`: to remove one is to change the document that others are in",
                    found.info.namespace
                ),
                remedy:
                    "`barkeep plan` lists them by `_id` and position; bars that are documents of their own can be moved"
                        .to_owned(),
            });
        }
        Ok(found)
    }

    /// The one collection of a reader.
    ///
    /// # Errors
    /// See [`Reader::look`].
    pub async fn one(reader: Reader) -> Result<Self, MongoError> {
        let info = reader.look().await?;
        let member = Member { identity: look::identify(&reader).await?, reader, pieces: Vec::new() };
        Ok(Self { members: vec![member], unwind: None, info })
    }

    async fn several(pattern_reader: Reader, pattern: &NamePattern) -> Result<Self, MongoError> {
        let mut entries = entries(&pattern_reader).await?;
        let name = |entry: &Document| entry.get_str("name").unwrap_or_default().to_owned();
        if entries.iter().any(|entry| name(entry) == pattern_reader.collection) {
            // A collection may have braces in its name.
            return Self::one(pattern_reader).await;
        }
        entries.sort_by_key(name);
        let mut members = Vec::new();
        for entry in &entries {
            members.extend(member(&pattern_reader, pattern, name(entry), entry)?);
        }
        if members.is_empty() {
            let names: Vec<String> = entries.iter().map(name).collect();
            return Err(MongoError::NoCollectionFits {
                database: pattern_reader.database.clone(),
                pattern: pattern_reader.collection.clone(),
                near: nearest(&pattern_reader.collection, names.iter().map(String::as_str)).map(str::to_owned),
            });
        }
        let info = together(&pattern_reader, &members);
        Ok(Self { members, unwind: None, info })
    }

    /// What they are; of several what they are together.
    pub fn info(&self) -> &CollectionInfo {
        &self.info
    }

    /// The names of the collections.
    pub fn names(&self) -> impl ExactSizeIterator<Item = &str> {
        self.members.iter().map(|member| member.reader.collection.as_str())
    }

    /// The field of a document that holds its rows.
    pub fn unwind(&self) -> Option<&str> {
        self.unwind.as_deref()
    }

    /// Whether the server can be asked for the documents whose field `name` is one of some values. It takes a dot for a
    /// path whatever the documents have, and does not see what is in an array, or in the collection's name.
    pub fn serves(&self, name: &str) -> bool {
        self.unwind.is_none() && !name.contains('.') && self.members.iter().all(|member| member.pieces.is_empty())
    }

    /// The fields of a sample of the documents that match `filter`, also those of their subdocuments by their dotted paths,
    /// those of the elements of the array that holds the rows, and those that the names of the collections give.
    ///
    /// # Errors
    /// When the filter is not valid, the server fails, no document has the array, or a piece of a name is also a field.
    pub async fn infer(&self, filter: &Document) -> Result<Vec<SourceColumn>, MongoError> {
        let mut seen = Seen::new(self.unwind.as_deref());
        let step = self.members.len().div_ceil(LOOKED_AT).max(1);
        for member in self.members.iter().step_by(step) {
            member.reader.sample(filter, member.identity.kind, &mut seen).await?;
        }
        if let Some(field) = self.unwind.as_deref().filter(|_| seen.documents > 0 && seen.unwound == 0) {
            return Err(MongoError::NothingToUnwind {
                namespace: self.info.namespace.clone(),
                field: field.to_owned(),
                near: seen.near(field).map(str::to_owned),
            });
        }
        let pieces: Vec<String> =
            self.members.iter().take(1).flat_map(|member| &member.pieces).map(|(name, _)| name.clone()).collect();
        if let Some(field) = pieces.iter().find(|name| seen.has(name)) {
            return Err(MongoError::PieceIsField { namespace: self.info.namespace.clone(), field: field.clone() });
        }
        let column = |name| SourceColumn::untyped(name, FieldKind::Text, false);
        Ok(pieces.into_iter().map(column).chain(seen.columns()).collect())
    }
}

/// All collections of the database but those of the server and of barkeep itself.
async fn entries(reader: &Reader) -> Result<Vec<Document>, MongoError> {
    let Reader { connection, database, .. } = reader;
    let command = doc! { "listCollections": 1, "cursor": { "batchSize": 10_000 } };
    let listed = command::all(connection, database, Call::short("list the collections"), &command).await?;
    let entries = listed.iter().filter_map(|entry| Document::try_from(entry.as_ref()).ok());
    let own = |entry: &Document| {
        let name = entry.get_str("name").unwrap_or_default();
        name.starts_with("system.") || name == RUNS || name.ends_with(QUARANTINE)
    };
    Ok(entries.filter(|entry| !own(entry)).collect())
}

fn member(of: &Reader, pattern: &NamePattern, name: String, entry: &Document) -> Result<Option<Member>, MongoError> {
    match pattern.values(&name) {
        Match::Not => Ok(None),
        Match::Ambiguous => Err(MongoError::AmbiguousName { collection: name, pattern: of.collection.clone() }),
        Match::Values(values) => {
            let pieces = pattern.fields().map(str::to_owned).zip(values).collect();
            let reader = Reader::new(Arc::clone(&of.connection), &of.database, &name);
            Ok(Some(Member { reader, identity: look::identity(entry), pieces }))
        }
    }
}

/// What several collections are together.
fn together(of: &Reader, members: &[Member]) -> CollectionInfo {
    let mut hash = Sha256::new();
    for Member { reader, identity, .. } in members {
        hash.update(reader.collection.as_bytes());
        hash.update([0]);
        hash.update(identity.uuid);
    }
    let mut uuid = [0; 16];
    uuid.copy_from_slice(&hash.finalize()[..16]);
    let first = members.first().map_or("", |member| member.reader.collection.as_str());
    CollectionInfo {
        kind: Kind::Several,
        uuid,
        namespace: of.namespace(),
        indexes: Vec::new(),
        documents: 0,
        default_collation: members.iter().any(|member| member.identity.default_collation),
        server: of.connection.server().clone(),
        time_field: None,
        check_only: Some(CheckOnly {
            reason: format!("`{}` is several collections, and rows are moved in one", of.namespace()),
            remedy: format!("write a job for each whose rows are to be moved: `collection = \"{first}\"`"),
        }),
    }
}
