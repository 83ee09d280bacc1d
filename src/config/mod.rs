//! Text a person wrote -> checked values: job files, rule files, their mistakes with places.
//!
//! ```text
//! load      job file, rule files, `.env` -> Loaded, or every mistake of all files
//! document  bytes -> text without secrets -> TOML with places
//! reader    one TOML table, key by key; section: the same over a declared list of keys
//! job       the job file -> Job; columns: Job + columns of the source -> BarsSpec
//! rules     rule files + BarsSpec -> RuleSet; params: the parameters of one rule, for its check
//! schema    the declared keys as JSON Schema, for editors
//! ```
//!
//! Uses `bars`, `checks` and `market` only. Nothing here reads a source or a clock, and only `load` reads files.

pub mod columns;
pub mod diagnostic;
pub mod document;
pub mod job;
pub mod levels;
pub mod load;
pub mod moment;
pub mod params;
pub mod reader;
pub mod rules;
pub mod schema;
pub mod secrets;
pub mod section;

pub use columns::SourceColumn;
pub use diagnostic::{Diagnostic, SourceText};
pub use job::Job;
pub use levels::{Action, Severity};
pub use load::{LoadError, Loaded, load, load_with};
pub use moment::Moment;
pub use params::{Expression, FieldRef, Param, ParamKind, Params};
pub use reader::{Environment, Reader};
pub use rules::{Literal, Rule, RuleFile, RuleSet, RuleTest, compile};
