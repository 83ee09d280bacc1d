//! How bad rows leave a source, and come back.
//!
//! ```text
//! plan       what a run would take out of its source, with a checksum
//! item       a row in quarantine, whatever its source; where the rows of a plan went
//! mongodb    rows of collections
//! files      rows of files
//! table      items as an Arrow table
//! crash      places where a test may end the process
//! ```

pub(crate) mod crash;
pub mod files;
pub mod item;
#[cfg(feature = "mongodb")]
pub mod mongodb;
pub mod plan;
pub mod table;
