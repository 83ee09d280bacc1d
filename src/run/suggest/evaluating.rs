//! How rules are evaluated over bars that were read, and how the job would be with others.

use std::path::Path;
use std::sync::Arc;

use datafusion::prelude::SessionContext;

use crate::config::{Loaded, RuleFile};
use crate::engine::program::Program;
use crate::report::collector::Collector;
use crate::report::history::Previous;
use crate::report::run::RunMeta;
use crate::run::failure::Failure;
use crate::run::ingest::Ingested;
use crate::run::job::Job;
use crate::run::of_job::OfJob;
use crate::run::open::Opened;
use crate::run::options::Order;
use crate::run::program;
use crate::suggest::Counted;

/// The job as it would be with other rule files.
pub(super) fn with_files(opened: &Opened, rule_files: Vec<RuleFile>) -> Opened {
    let Loaded { job, job_file, job_sha256, facts, labels, .. } = &*opened.loaded;
    let loaded = Loaded {
        job: job.clone(),
        rule_files,
        job_file: job_file.clone(),
        job_sha256: job_sha256.clone(),
        facts: facts.clone(),
        labels: labels.clone(),
    };
    let (source, bars, facts) = (Arc::clone(&opened.source), opened.bars.clone(), Arc::clone(&opened.facts));
    Opened { loaded: Arc::new(loaded), source, bars, facts }
}

/// How rules are evaluated over the bars of a job.
pub(super) struct Evaluating<'a> {
    pub(super) job: &'a Job,
    pub(super) session: &'a SessionContext,
    pub(super) order: Order,
    pub(super) meta: RunMeta,
    /// A folder for what a report would hold.
    pub(super) dir: &'a Path,
}

impl Evaluating<'_> {
    /// The rules of `opened` over its bars.
    pub(super) fn program(&self, opened: &Opened) -> Result<Program, Failure> {
        program::program_as_of(self.job, opened, self.session, self.meta.as_of.0)
    }

    /// The findings of each rule of `opened` in `ingested`.
    pub(super) async fn counts(
        &self,
        opened: &Opened,
        ingested: &Ingested,
    ) -> Result<Vec<(Arc<str>, Counted)>, Failure> {
        let program = Arc::new(self.program(opened)?);
        let opened = Arc::new(with_files(opened, opened.loaded.rule_files.clone()));
        let files = opened.source.file_names();
        let mut collector = Collector::new(self.dir, Arc::clone(&program), self.meta.clone(), files, Previous::Unknown);
        let of_job = OfJob { job: self.job, order: &self.order, opened: &opened, program: &program, meta: &self.meta };
        of_job.evaluate(self.session, ingested, &mut collector).await?;
        let rules = program.rules.rules.iter().zip(&collector.tally().rules);
        let count = |count: i64| u64::try_from(count).unwrap_or(0);
        let counted = rules.map(|(rule, tally)| {
            let found = Counted { findings: count(tally.counts.findings), evaluated: count(tally.counts.evaluated) };
            (Arc::clone(&rule.id), found)
        });
        Ok(counted.collect())
    }
}
