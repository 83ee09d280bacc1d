//! Where the moved rows of a job go, and how they come back: one file or folder a kind of source.
//!
//! ```text
//! contract     what a run and the commands ask of a quarantine       files, collection    the kinds there are
//! job          the quarantine as a program has it                    export               its rows as a file
//! ```

#[cfg(feature = "mongodb")]
pub(super) mod collection;
pub(crate) mod contract;
mod export;
pub(super) mod files;
mod job;

pub use self::contract::{Purge, Restored};
pub(crate) use self::contract::{Quarantine, Removal};
pub use self::job::{JobQuarantine, Purgeable, Restorable};
