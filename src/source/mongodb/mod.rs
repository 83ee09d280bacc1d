//! MongoDB as a source of bars: a collection is looked at and copied into a columnar snapshot, never written to.
//!
//! A [`Connection`] is opened once a run; a [`Reader`] of one collection on it has no method that writes, nor have the
//! [`Collections`] of a job. [`Collections::extract`] makes one Parquet file with the wanted fields, a locator (`_id`) and
//! the SHA-256 of the raw BSON of every row.
//!
//! ```text
//! collections  which there are       within  which of them    parts, page, walk  how they come    elements, row, path  rows in documents
//! ```

mod address;
mod call;
mod collections;
mod columns;
mod command;
mod connection;
mod counts;
mod elements;
mod error;
mod extract;
pub mod filter;
mod health;
pub mod id;
mod infer;
mod literal;
mod look;
mod open;
mod page;
mod parts;
mod path;
mod ranges;
mod reader;
mod redact;
mod row;
mod table;
#[cfg(test)]
mod testing;
mod usage;
mod walk;
mod within;
mod words;

pub use address::Address;
pub use collections::Collections;
pub use columns::snapshot_schema;
pub(crate) use command::name as command_name;
pub use connection::{Connection, ServerInfo, Topology};
pub use error::{MongoError, Words};
pub use extract::MongoSnapshot;
pub use health::{Grant, Privileges, User};
pub use literal::document_json;
pub use look::{CheckOnly, CollectionInfo, IndexInfo, Kind};
pub use reader::Reader;
pub use usage::ConnectionUse;
