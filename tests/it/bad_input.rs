//! What goes wrong outside barkeep: files that are missing, broken or full of nonsense, folders that cannot be
//! written, jobs and rules with every kind of mistake. A file that a person wrote exits with 2, the world with 3, a value
//! that does not decode is a finding; each message names the place and the way on, and nothing half-written stays.

mod configuration;
mod files;
mod parquet;
mod values;
mod world;
