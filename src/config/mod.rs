//! Text a person wrote -> checked values: job files, rule files, their mistakes with places.
//!
//! ```text
//! load      job file, rule files, `.env` -> Loaded, or every mistake of all files; named_file: what a job names
//! document  bytes -> text without secrets -> TOML with places
//! job       the job file -> Job; columns: Job + columns of the source -> BarsSpec
//! facts     files of facts -> Facts
//! labels    a file of labels -> JobLabels
//! rules     rule files + BarsSpec -> RuleSet
//! schema    job and rule files as JSON Schema, for editors
//! ```
//!
//! Keys are declared and read by [`schema`](crate::schema). Nothing here reads a source or a clock, and only `load` and `named_file`
//! read files.

pub mod columns;
pub mod document;
pub mod facts;
pub mod job;
pub mod labels;
mod lacking;
pub mod load;
mod named_file;
pub mod rules;
pub mod schema;
pub mod secrets;

pub use columns::SourceColumn;
pub use facts::Facts;
pub use job::Job;
pub use labels::JobLabels;
pub use load::{LoadError, Loaded, load, load_only, load_with};
pub use rules::{Literal, Rule, RuleFile, RuleSet, RuleTest, Trials, Tried, compile};
