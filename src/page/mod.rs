//! One HTML file for people: a report to be looked through, offline, in any browser.
//!
//! ```text
//! found      the findings: counted all, held those that fit (chosen: which); columns, names: how they are read
//! beside     bars around findings, moved rows, coverage, the runs before
//! heat       series by days, counted and drawn; spark: the last runs, drawn
//! view       what stands in the document as text (rule_rows: the rules); data: what its script shows (pack: gzip in base64)
//! gathered   all of it, read
//! template   the document, and what a browser may do with it
//! overview   the page of all jobs
//! run        the page of a run: put together; write: as a file
//! ```
//!
//! What a page cannot show, because files are missing or do not read, it says. Nothing here prints.

mod beside;
mod chosen;
mod columns;
mod data;
mod found;
mod gathered;
mod heat;
mod names;
mod overview;
mod pack;
mod rule_rows;
mod run;
mod spark;
mod template;
mod view;
mod write;

pub use overview::write_overview;
pub use run::{MOST, Options, Written, page_of, write_run};
