//! Where the bars of a job are: one folder a kind of source.
//!
//! ```text
//! contract     what a run asks of a source       files, collection    the kinds there are
//! ```

pub(crate) mod collection;
mod contract;
mod files;

use std::sync::Arc;

use self::collection::NamedCollection;
pub(crate) use self::contract::{Reading, Source, SourceKind};
use self::files::NamedFiles;
use crate::config::Loaded;
use crate::config::job;

/// The source that a job names. This is the only place that tells kinds of sources apart.
pub(crate) fn of_job(loaded: &Arc<Loaded>) -> Box<dyn SourceKind> {
    match &loaded.job.source {
        job::Source::Files(files) => Box::new(NamedFiles::new(loaded, files)),
        job::Source::Mongodb(collection) => Box::new(NamedCollection::new(loaded, collection)),
    }
}
