//! What can go wrong between barkeep and a MongoDB server, so that a run stops.
//!
//! Texts of the driver and the server appear only as [`Words`], which went through the redaction: no error, however
//! it is printed, contains a credential. A document that is merely bad is not an error: it becomes a row of the snapshot.

use std::io;
use std::path::{Path, PathBuf};

use ::parquet::errors::ParquetError;

/// What the driver or the server said, without secrets.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text}")]
pub struct Words {
    /// The text.
    pub text: String,
    /// The server's number for the error; `None` where the driver speaks for itself.
    pub code: Option<i32>,
}

/// Why a collection cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum MongoError {
    /// The URI does not parse, or one of its options has a value that is not allowed.
    #[error("the MongoDB URI is not usable: {reason}")]
    Uri {
        /// What is wrong and how to repair it.
        reason: String,
    },
    /// An option of the URI is not known.
    #[error("the MongoDB URI has an unknown option `{option}`; {}", meant(near.as_deref()))]
    UnknownOption {
        /// Its name, as written.
        option: String,
        /// A known one that is close to it.
        near: Option<String>,
    },
    /// The URI asks for less than a durable removal needs.
    #[error("the MongoDB URI sets `{option}`, which weakens the write concern; remove it: barkeep waits for {needed}")]
    WeakWriteConcern {
        /// The option with its value.
        option: String,
        /// What barkeep does instead.
        needed: &'static str,
    },
    /// Credentials and data would travel unencrypted, or to anybody.
    #[error(
        "the connection to `{host}` would not be safe: {reason}; use `tls=true` with a certificate that verifies, or set `allow_plaintext = true` in the job"
    )]
    Plaintext {
        /// A host that is not this machine.
        host: String,
        /// What is missing.
        reason: &'static str,
    },
    /// The name of a host does not resolve.
    #[error("no address is known for the host of {server}; check its name and the DNS")]
    Dns {
        /// The hosts, without credentials.
        server: String,
        /// What the driver said.
        source: Words,
    },
    /// Nobody listens.
    #[error("{server} refused the connection; check the port and that mongod runs")]
    Refused {
        /// The hosts, without credentials.
        server: String,
        /// What the driver said.
        source: Words,
    },
    /// The two sides cannot agree on TLS.
    #[error(
        "no TLS connection to {server}; check that the server speaks TLS and that its certificate is valid for this host (`tlsCAFile`)"
    )]
    Tls {
        /// The hosts, without credentials.
        server: String,
        /// What the driver said.
        source: Words,
    },
    /// User or password are wrong.
    #[error("{server} does not accept the user or the password; check both, and `authSource`")]
    Credentials {
        /// The hosts, without credentials.
        server: String,
        /// What the server said.
        source: Words,
    },
    /// No server that can be read from was found in time.
    #[error(
        "no primary of {server} could be reached in time; check the network, `replicaSet` and the state of the replica set"
    )]
    Unreachable {
        /// The hosts, without credentials.
        server: String,
        /// What the driver said.
        source: Words,
    },
    /// The user may not do this.
    #[error("the user of {server} may not {what}; `barkeep doctor` tells what to grant")]
    Unauthorized {
        /// The hosts, without credentials.
        server: String,
        /// What was refused.
        what: String,
        /// What the server said.
        source: Words,
    },
    /// No database has this name.
    #[error("{server} has no database `{database}`; {}", meant(near.as_deref()))]
    NoDatabase {
        /// The hosts, without credentials.
        server: String,
        /// The name that was given.
        database: String,
        /// A name that is close to it.
        near: Option<String>,
    },
    /// No collection has this name.
    #[error("database `{database}` has no collection `{collection}`; {}", meant(near.as_deref()))]
    NoCollection {
        /// The database.
        database: String,
        /// The name that was given.
        collection: String,
        /// A name that is close to it.
        near: Option<String>,
    },
    /// No collection has a name that fits the pattern.
    #[error("database `{database}` has no collection whose name fits `{pattern}`; {}", meant(near.as_deref()))]
    NoCollectionFits {
        /// The database.
        database: String,
        /// The pattern.
        pattern: String,
        /// The name of a collection that is close to it.
        near: Option<String>,
    },
    /// A name fits the pattern in more than one way.
    #[error(
        "the name `{collection}` fits `{pattern}` in more than one way; write a pattern with one piece, or put more of the name into it"
    )]
    AmbiguousName {
        /// The name of the collection.
        collection: String,
        /// The pattern.
        pattern: String,
    },
    /// A piece of the name of collections is also a field of their documents.
    #[error(
        "documents of `{namespace}` have a field `{field}` themselves, so that `{{{field}}}` would be two things; give the piece another name"
    )]
    PieceIsField {
        /// `database.pattern`.
        namespace: String,
        /// The field.
        field: String,
    },
    /// No document of the sample has the field that should hold bars.
    #[error("no document of `{namespace}` has an array or object `{field}` for `unwind`; {}", meant(near.as_deref()))]
    NothingToUnwind {
        /// `database.collection`.
        namespace: String,
        /// The field.
        field: String,
        /// A field that is close to it.
        near: Option<String>,
    },
    /// An answer did not come in time.
    #[error(
        "{server} did not answer within {seconds} s while barkeep was to {what}; run again, with a narrower filter if it stays slow"
    )]
    Timeout {
        /// The hosts, without credentials.
        server: String,
        /// What was being done.
        what: String,
        /// How long barkeep waited, in seconds.
        seconds: u64,
    },
    /// The server or the driver reports something else.
    #[error("{server} failed while barkeep was to {what}; run again, and look into the server's log if it fails again")]
    Server {
        /// The hosts, without credentials.
        server: String,
        /// What was being done.
        what: String,
        /// What the driver said.
        source: Words,
    },
    /// An answer does not have the shape it must have.
    #[error(
        "the answer of {server} makes no sense while barkeep was to {what}: {reason}; check the server's version (4.4 or newer)"
    )]
    Answer {
        /// The hosts, without credentials.
        server: String,
        /// What was being done.
        what: String,
        /// What is missing.
        reason: String,
    },
    /// The filter cannot be sent.
    #[error("the filter cannot be written as BSON: {reason}; repair it in the job")]
    Filter {
        /// What the encoder said.
        reason: String,
    },
    /// A document has no `_id` that can be read, so that the next page cannot be asked for.
    #[error(
        "a document of `{namespace}` after _id {after} has no _id that can be read; run `validate` on the collection"
    )]
    NoId {
        /// `database.collection`.
        namespace: String,
        /// The last `_id` that was read, or `the start`.
        after: String,
    },
    /// Fewer documents were read than there are.
    #[error(
        "read {read} documents of `{namespace}`, but the filter matches {before} before and {after} after; run again when its writers are done"
    )]
    Shortfall {
        /// `database.collection`.
        namespace: String,
        /// Documents that were read.
        read: u64,
        /// Documents that matched before.
        before: u64,
        /// Documents that matched afterwards.
        after: u64,
    },
    /// The collection was dropped or replaced while it was read.
    #[error("`{namespace}` was dropped or replaced while it was read; run again")]
    Replaced {
        /// `database.collection`.
        namespace: String,
    },
    /// A column's name is one the snapshot uses itself.
    #[error("field `{column}` cannot be read: {reason}; rename it in the collection")]
    ReservedColumn {
        /// The field.
        column: String,
        /// Which name it collides with.
        reason: &'static str,
    },
    /// No document has any of the fields.
    #[error("the documents of `{namespace}` have none of the fields {wanted}; they have {available}")]
    NoWantedField {
        /// `database.collection`.
        namespace: String,
        /// The fields the job names, in backticks.
        wanted: String,
        /// The fields there are, in backticks.
        available: String,
    },
    /// The snapshot cannot be written.
    #[error("cannot write the snapshot in `{}`; free space there or choose another folder", dir.display())]
    Write {
        /// The folder of the snapshot.
        dir: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// The snapshot cannot be encoded.
    #[error("cannot encode the snapshot in `{}`; this is a bug in barkeep, please report it", dir.display())]
    Encode {
        /// The folder of the snapshot.
        dir: PathBuf,
        /// What the Parquet writer said.
        source: ParquetError,
    },
    /// Rows went missing between reading and writing, or a thread died.
    #[error("read {read} rows and wrote {written}; this is a bug in barkeep, please report it")]
    Unbalanced {
        /// Rows that were read.
        read: u64,
        /// Rows in the snapshot.
        written: u64,
    },
    /// A thread that decodes or writes ended without a result.
    #[error("a thread that writes the snapshot died; this is a bug in barkeep, please report it")]
    Thread,
}

impl MongoError {
    /// The error for `source`, which the Parquet writer gave for the snapshot in `dir`.
    pub(super) fn write(dir: &Path, source: ParquetError) -> Self {
        let dir = dir.to_path_buf();
        match source {
            ParquetError::External(inner) => match inner.downcast::<io::Error>() {
                Ok(source) => Self::Write { dir, source: *source },
                Err(inner) => Self::Encode { dir, source: ParquetError::External(inner) },
            },
            source => Self::Encode { dir, source },
        }
    }
}

fn meant(near: Option<&str>) -> String {
    near.map_or_else(|| "check the name".to_owned(), |near| format!("did you mean `{near}`?"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_is_distinguished_from_an_encoder_fault() {
        let full = ParquetError::External(Box::new(io::Error::from(io::ErrorKind::StorageFull)));
        let error = MongoError::write(Path::new("out"), full);
        assert!(matches!(&error, MongoError::Write { source, .. } if source.kind() == io::ErrorKind::StorageFull));
        let fault = MongoError::write(Path::new("out"), ParquetError::General("x".to_owned()));
        assert!(matches!(fault, MongoError::Encode { .. }));
    }

    #[test]
    fn near_names_are_offered() {
        let error = MongoError::NoCollection {
            database: "db".to_owned(),
            collection: "quote".to_owned(),
            near: Some("quotes".to_owned()),
        };
        assert_eq!(error.to_string(), "database `db` has no collection `quote`; did you mean `quotes`?");
    }
}
