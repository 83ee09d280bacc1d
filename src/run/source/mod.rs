//! Where the bars of a job are: one folder a kind of source.
//!
//! ```text
//! contract     what a run asks of a source       files, collection    the kinds there are
//! left_out     a kind that this build lacks
//! ```

#[cfg(feature = "mongodb")]
mod collection;
mod contract;
mod files;
#[cfg(not(feature = "mongodb"))]
mod left_out;
#[cfg(test)]
mod tests;

use std::sync::Arc;

#[cfg(feature = "mongodb")]
use self::collection::NamedCollection;
pub(crate) use self::contract::{Reading, Source, SourceKind};
use self::files::NamedFiles;
#[cfg(not(feature = "mongodb"))]
use self::left_out::LeftOut;
use crate::config::Loaded;
use crate::config::job;

/// The source that a job names. This is the only place that tells kinds of sources apart.
pub(crate) fn of_job(loaded: &Arc<Loaded>) -> Box<dyn SourceKind> {
    match &loaded.job.source {
        job::Source::Files(files) => Box::new(NamedFiles::new(loaded, files)),
        #[cfg(feature = "mongodb")]
        job::Source::Mongodb(collection) => Box::new(NamedCollection::new(loaded, collection)),
        #[cfg(not(feature = "mongodb"))]
        job::Source::Mongodb(_) => Box::new(LeftOut),
    }
}
