//! How bad rows leave a source. In this version a source is never changed: `run` keeps verified copies of the rows
//! that rules condemn, and nothing is removed.

pub mod copies;
