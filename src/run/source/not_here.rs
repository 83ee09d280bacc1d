//! A source that cannot be opened here, whatever is asked of it.

use std::sync::Arc;

use async_trait::async_trait;

use super::contract::{Source, SourceKind};
use crate::run::examination::Examination;
use crate::run::failure::Failure;
use crate::run::quarantine::Quarantine;

/// Why it cannot be opened, and what to do.
pub(super) struct NotHere {
    problem: &'static str,
    help: &'static str,
}

impl NotHere {
    /// A collection, in a build without MongoDB support.
    #[cfg(not(feature = "mongodb"))]
    pub(super) const COLLECTION: Self = Self {
        problem: "this build of barkeep has no MongoDB support, and the job reads `[source.mongodb]`",
        help: "build it with `--features mongodb`, which is the default",
    };

    /// Bars that a program gives, where no program does.
    pub(super) const OWN: Self = Self {
        problem: "the bars of `[source.own]` come from a program, and are not there without it",
        help: "start that program, which opens the job with `Job::open_over`",
    };

    fn refused(&self) -> Failure {
        Failure::Usage(self.problem.to_owned(), self.help.to_owned())
    }
}

#[async_trait]
impl SourceKind for NotHere {
    async fn open(&self) -> Result<Arc<dyn Source>, Failure> {
        Err(self.refused())
    }

    async fn quarantine(&self) -> Result<Box<dyn Quarantine>, Failure> {
        Err(self.refused())
    }

    async fn examine(&self, _lines: &mut Examination<'_>) -> Result<bool, Failure> {
        Err(self.refused())
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use crate::run::{CheckOptions, Context, Job};

    async fn checked(source: &str) -> String {
        let folder = tempfile::tempdir().unwrap();
        let job = format!(
            "name = \"daily\"\nrules = [\"rules.toml\"]\n{source}\n[bars]\nseries = [\"symbol\"]\ninterval = \"1d\"\n\
             time = {{ field = \"date\", formats = [\"%Y-%m-%d\"] }}\n[report]\ndir = \"reports\"\n"
        );
        fs::write(folder.path().join("job.toml"), job).unwrap();
        fs::write(
            folder.path().join("rules.toml"),
            "[[rule]]\nid = \"ohlc\"\ncheck = \"ohlc\"\nseverity = \"error\"\n",
        )
        .unwrap();
        let job = Job::open(&Context::default(), folder.path().join("job.toml")).unwrap();
        job.check(CheckOptions::default()).await.unwrap_err().render(false)
    }

    #[tokio::test]
    async fn a_job_over_bars_of_a_program_wants_the_program() {
        assert_eq!(
            checked("[source.own]\nname = \"memory\"").await,
            "error: the bars of `[source.own]` come from a program, and are not there without it\n  \
             = help: start that program, which opens the job with `Job::open_over`"
        );
    }

    #[cfg(not(feature = "mongodb"))]
    #[tokio::test]
    async fn a_job_over_a_collection_says_what_the_build_lacks() {
        let source = "[source.mongodb]\nuri = \"mongodb://127.0.0.1\"\ndatabase = \"market\"\ncollection = \"bars\"";
        assert_eq!(
            checked(source).await,
            "error: this build of barkeep has no MongoDB support, and the job reads `[source.mongodb]`\n  \
             = help: build it with `--features mongodb`, which is the default"
        );
    }
}
