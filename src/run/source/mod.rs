//! Where the bars of a job are: one folder or file a kind of source.
//!
//! ```text
//! contract     what a run asks of a source       files, collection, own    the kinds there are
//! not_here     a source that cannot be opened
//! ```

#[cfg(feature = "mongodb")]
mod collection;
mod contract;
mod files;
mod not_here;
mod own;
#[cfg(test)]
mod tests;

use std::sync::Arc;

#[cfg(feature = "mongodb")]
use self::collection::NamedCollection;
pub(crate) use self::contract::{Reading, Source, SourceKind, Within};
use self::files::NamedFiles;
use self::not_here::NotHere;
use self::own::NamedOwn;
pub use self::own::OwnSource;
use super::clock::Clock;
use super::failure::Failure;
use crate::config::Loaded;
use crate::config::job;

/// The source that a job names, or `own`, which a program gives. This is the only place that distinguishes kinds
/// of sources.
pub(super) fn of_job(
    loaded: &Arc<Loaded>,
    clock: &Clock,
    own: Option<Arc<dyn OwnSource>>,
) -> Result<Arc<dyn SourceKind>, Failure> {
    Ok(match (&loaded.job.source, own) {
        (job::Source::Own(source), Some(given)) => Arc::new(NamedOwn { name: source.name.clone(), given }),
        (other, Some(_)) => {
            let problem = format!("the program gives bars, and the job reads `{}`", other.section());
            return Err(Failure::Usage(problem, "write `[source.own]` with a `name` in its place".to_owned()));
        }
        (job::Source::Own(_), None) => Arc::new(NotHere::OWN),
        (job::Source::Files(files), None) => Arc::new(NamedFiles::new(loaded, files, clock)),
        #[cfg(feature = "mongodb")]
        (job::Source::Mongodb(collection), None) => Arc::new(NamedCollection::new(loaded, collection, clock)),
        #[cfg(not(feature = "mongodb"))]
        (job::Source::Mongodb(_), None) => Arc::new(NotHere::COLLECTION),
    })
}
