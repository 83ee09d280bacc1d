//! The source of a job, found and looked at.

use std::sync::Arc;

use super::context::Context;
use super::failure::Failure;
use super::ingest::Ingested;
use super::job::Job;
use super::source::{Reading, Source, Within};
use crate::bars::BarsSpec;
use crate::config::{self, Loaded};
use crate::engine::program::Program;
use crate::market::facts::MarketFacts;

/// A job whose source was found and looked at.
#[derive(Debug)]
pub(crate) struct Opened {
    /// Job and rule files.
    pub(crate) loaded: Arc<Loaded>,
    /// The source.
    pub(crate) source: Arc<dyn Source>,
    /// Its bars.
    pub(crate) bars: BarsSpec,
    /// What is known of the market besides its calendar.
    pub(crate) facts: Arc<MarketFacts>,
}

impl Opened {
    /// Makes the bars readable by the engine. `series` keeps the series whose first key field is one of these, `within` those
    /// bars that are asked for, where the source can choose.
    pub(crate) async fn ingest(
        &self,
        program: &Program,
        context: &Context,
        (series, within): (&[String], Option<Within<'_>>),
    ) -> Result<Ingested, Failure> {
        self.source.ingest(&Reading { program, series, within, missing_is_null: false, context }).await
    }
}

impl Job {
    /// Looks at the source: one that is missing or cannot be read breaks the run, a field that the job names and the
    /// source lacks is a mistake.
    pub(super) async fn open_source(&self) -> Result<Opened, Failure> {
        let source = self.source.open().await?;
        let described: Vec<_> = source
            .columns()
            .iter()
            .map(|column| config::SourceColumn {
                name: column.name.clone(),
                kind: column.kind,
                typed_time: column.typed_time,
            })
            .collect();
        match self.loaded.job.bars_spec(&described) {
            Ok(bars) => {
                let (loaded, facts) = (Arc::clone(&self.loaded), Arc::clone(&self.loaded.facts.market));
                Ok(Opened { loaded, source, bars, facts })
            }
            Err(mistakes) => {
                source.close().await;
                Err(Failure::Mistakes(mistakes))
            }
        }
    }
}
