//! A real server: collections are read, rows leave them and come back, and everything that can be cut short is.

mod bad_input;
mod collections;
mod crashes;
mod doctor;
mod faults;
mod nights;
mod one_verdict;
mod outages;
mod privileges;
mod project;
mod quotes;
mod recipes;
mod removal;
mod reports;
mod safety;
mod same_rows;
pub(crate) mod server;
mod soak;
mod source;
mod tls;
mod wire;
