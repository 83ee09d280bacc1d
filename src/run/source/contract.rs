//! What a run asks of a source, whatever its kind.

use std::fmt::Debug;
use std::sync::Arc;

use async_trait::async_trait;

use crate::engine::program::Program;
use crate::quarantine::plan::SourceIdentity;
use crate::report::run::{Connections, Window};
use crate::run::context::Context;
use crate::run::examination::Examination;
use crate::run::failure::Failure;
use crate::run::ingest::Ingested;
use crate::run::quarantine::{Quarantine, Removal};
use crate::source::{Original, SourceColumn};

/// The source that a job names, before anything of it was looked at.
#[async_trait]
pub(crate) trait SourceKind: Send + Sync {
    /// Finds the source and looks at it.
    async fn open(&self) -> Result<Arc<dyn Source>, Failure>;

    /// Opens the quarantine of its rows; it may be looked into where the source itself is gone.
    async fn quarantine(&self) -> Result<Box<dyn Quarantine>, Failure>;

    /// Reports what is known before the source is looked at, and whether there is anything to look at.
    async fn examine(&self, lines: &mut Examination<'_>) -> Result<bool, Failure>;
}

/// A source that was found and looked at.
#[async_trait]
pub(crate) trait Source: Debug + Send + Sync {
    /// Its columns.
    fn columns(&self) -> &[SourceColumn];

    /// Makes the bars readable by the engine.
    async fn ingest(&self, reading: &Reading<'_>) -> Result<Ingested, Failure>;

    /// What the rows at `places` (index of their file, number of the row) of `ingested` are in the source, in the order of
    /// `places`; none where rows are evaluated in place and need no hash.
    ///
    /// # Errors
    /// The source is not what was evaluated any more.
    async fn originals(&self, ingested: &Ingested, places: Vec<(i32, i64)>) -> Result<Vec<Original>, Failure>;

    /// What is damaged in the source; asked when the engine could not read it and did not say where.
    async fn damage(&self) -> Option<Failure>;

    /// What tells it from other sources that the same job file may name, without a secret: where it is, and what is read of it.
    fn origin(&self) -> String;

    /// The names of its files by index, as a report has them; none where rows are known without a file.
    fn file_names(&self) -> Vec<String>;

    /// The source by its names alone, as a plan holds it: what it holds is not looked at.
    fn named_source(&self, ingested: &Ingested) -> SourceIdentity;

    /// The source as a plan holds it, so that rows are moved only where it still is what it was.
    async fn identity(&self, ingested: &Ingested) -> Result<SourceIdentity, Failure>;

    /// Fails with the reason where a plan is not of this source.
    fn check_same(&self, planned: &SourceIdentity) -> Result<(), String>;

    /// Why its rows are evaluated and reported and never moved, and what to do; `None` where they can be moved.
    fn check_only(&self) -> Option<(&str, &str)> {
        None
    }

    /// What moves its rows.
    ///
    /// # Errors
    /// Its rows cannot be moved.
    fn removal(&self) -> Result<Box<dyn Removal + '_>, Failure>;

    /// Reports what it holds, and whether its rows can be moved.
    async fn examine(&self, lines: &mut Examination<'_>) -> Result<(), Failure>;

    /// Closes its connections, if there are any, and says what became of them.
    async fn close(&self) -> Option<Connections>;
}

/// What a run reads of a source.
#[derive(Clone, Copy)]
pub(crate) struct Reading<'a> {
    /// The rules and the bars.
    pub(crate) program: &'a Program,
    /// Only the series with these first key values; all where there are none.
    pub(crate) series: &'a [String],
    /// Only what may lie in it, where the source can choose by that; all of its bars where there is none.
    #[cfg_attr(not(feature = "mongodb"), expect(dead_code, reason = "only a server chooses what it sends"))]
    pub(crate) within: Option<Within<'a>>,
    /// Whether a column that only some files have is NULL in the others, whatever the job says.
    pub(crate) missing_is_null: bool,
    /// What the run uses.
    pub(crate) context: &'a Context,
}

/// What a run reads of all bars: those of a window, and some series besides.
#[derive(Debug, Clone, Copy, Default)]
#[cfg_attr(not(feature = "mongodb"), expect(dead_code, reason = "only a server chooses what it sends"))]
pub(crate) struct Within<'a> {
    /// µs UTC, half-open.
    pub(crate) window: Window,
    /// First key fields of series that are read whole.
    pub(crate) besides: &'a [String],
}
