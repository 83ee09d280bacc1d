//! How bad rows leave a source, and come back.
//!
//! ```text
//! item       a row in quarantine, whatever its source; where the rows of a plan went
//! copies     quarantine copies of rows of files
//! crash      places where a test may end the process
//! ```

pub mod copies;
mod crash;
pub mod item;
