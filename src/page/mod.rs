//! One HTML file for people: a report to be looked through, offline, in any browser.
//!
//! ```text
//! found      the findings: counted all, held those that fit (chosen: which); columns, names: how they are read
//! beside     bars around findings, moved rows, coverage, the runs before
//! heat       series by days, counted and drawn; spark: the last runs, drawn
//! view       what stands in the document as text; data: what its script shows (pack: gzip in base64)
//! template   the document, and what a browser may do with it
//! overview   the page of all jobs
//! write      a page as a file
//! ```
//!
//! What a page cannot show, because files are missing or do not read, it says. Nothing here prints.

mod beside;
mod chosen;
mod columns;
mod data;
mod found;
mod heat;
mod names;
mod overview;
mod pack;
mod run;
mod spark;
mod template;
mod view;
mod write;

pub use overview::write_overview;
pub use run::{MOST, Options, Written, page_of, write_run};
