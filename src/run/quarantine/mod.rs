//! Where the moved rows of a job go, and how they come back: one file or folder a kind of source.
//!
//! ```text
//! contract     what a run and the commands ask of a quarantine       files, collection    the kinds there are
//! ```

#[cfg(feature = "mongodb")]
pub(super) mod collection;
mod contract;
pub(super) mod files;

pub(crate) use self::contract::{Quarantine, Removal, Restored};
