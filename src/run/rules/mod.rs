//! The rules of a job file or of a rule file, without a source: linting and testing rules works where the source is out
//! of reach, e.g. in a CI without network.

mod assumed;
mod cases;

use std::path::Path;
use std::sync::Arc;

pub use self::cases::RuleCase;
use super::context::Context;
use super::failure::Failure;
use super::load::load;
use crate::bars::BarsSpec;
use crate::config::{Loaded, Rule, RuleFile, RuleSet, document};
use crate::engine::session::session;
use crate::schema::Environment;

/// The rules of a job file or of a rule file, over the bars that it lets expect.
#[derive(Debug)]
pub struct Rules {
    context: Context,
    set: RuleSet,
    /// The job, where the rules are those of one.
    job: Option<Arc<Loaded>>,
    bars: BarsSpec,
}

impl Rules {
    /// Reads the job file or rule file at `path`. No source is opened: a field that only a rule knows of is taken to be
    /// there.
    ///
    /// # Errors
    /// The file cannot be read, or every mistake in it.
    pub fn open(context: &Context, path: impl AsRef<Path>) -> Result<Self, Failure> {
        let session = session(&context.limits())?;
        let (job, compiled) = match kind_of(path.as_ref())? {
            Kind::Job => {
                let loaded = Arc::new(load(path.as_ref(), &context.clock)?);
                let compiled = assumed::compile(&loaded.rule_files, loaded.job.bars.assumed_spec(), &session);
                (Some(loaded), compiled)
            }
            Kind::Rules(rules) => (None, assumed::compile(&[rules], assumed::usual_bars(), &session)),
        };
        let (set, bars) = compiled.map_err(Failure::Mistakes)?;
        Ok(Self { context: context.clone(), set, job, bars })
    }

    /// The job file, where the rules are those of a job.
    pub fn job_file(&self) -> Option<&Path> {
        self.job.as_ref().map(|job| job.job.file.path.as_path())
    }

    /// The rules, in the order of their files.
    pub fn rules(&self) -> &[Rule] {
        &self.set.rules
    }

    /// Runs the test cases that the rules carry, with the values of their files: a case shows what its rule does, not how a
    /// job tunes it.
    ///
    /// # Errors
    /// A mistake in SQL that shows only with its fields, or a disk that is full.
    pub async fn test(self) -> Result<Vec<RuleCase>, Failure> {
        let scratch = self.context.scratch()?;
        let limits = self.context.limits_in(&scratch);
        let (set, bars) = match &self.job {
            None => (self.set, self.bars),
            Some(job) => {
                let as_written = |file: &RuleFile| RuleFile { job: None, ..file.clone() };
                let files: Vec<RuleFile> = job.rule_files.iter().map(as_written).collect();
                let bars = job.job.bars.assumed_spec();
                assumed::compile(&files, bars, &session(&limits)?).map_err(Failure::Mistakes)?
            }
        };
        cases::run(&limits, scratch.path(), set, bars).await
    }
}

/// A file with rules.
enum Kind {
    Job,
    Rules(RuleFile),
}

/// A rule file has `[[rule]]` and no `name`; what is neither is read as a job, which says what is wrong with it.
fn kind_of(path: &Path) -> Result<Kind, Failure> {
    let unreadable = |problem: String| {
        Failure::Usage(format!("cannot read `{}`: {problem}", path.display()), "give a job file or a rule file".into())
    };
    let bytes = std::fs::read(path).map_err(|error| unreadable(error.to_string()))?;
    let text = document::decode(bytes).map_err(|error| unreadable(error.to_string()))?;
    let (file, _) = document::open(path, &text);
    let (table, syntax) = document::parse(&file);
    let keys = table.get_ref();
    let of_job = ["name", "source", "bars"].iter().any(|key| keys.contains_key(*key));
    let of_neither =
        !keys.contains_key("rule") && !syntax.is_empty() && path.extension().is_none_or(|end| end != "toml");
    if of_job || of_neither {
        return Ok(Kind::Job);
    }
    drop(table);
    let variables =
        std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
    Ok(Kind::Rules(RuleFile::new(file, Arc::new(Environment::new(variables)))))
}
