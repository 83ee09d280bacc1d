//! Keys of a file a person writes, declared once as data: reading with places and defaults, mistakes, JSON Schema.
//!
//! Job files, rule files and the parameters of checks are lists of [`Key`]s. Knows nothing of jobs, rules or checks.
//!
//! ```text
//! keys        the declared keys of one table; section: how they are read; reader: one TOML table with its places
//! json        the declared keys as JSON Schema, for editors
//! diagnostic  a mistake: what, where, and how to repair it
//! moment      dates, times and spans of time as a person writes them
//! ```

pub mod diagnostic;
pub mod json;
pub mod keys;
pub mod moment;
pub mod reader;
pub mod section;

pub use diagnostic::{Diagnostic, SourceText};
pub use keys::{Holds, Key, Otherwise, Section, key};
pub use moment::Moment;
pub use reader::{Environment, Reader};
pub use section::SectionReader;
